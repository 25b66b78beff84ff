"""Follow-up tasks and call-backs: their rows in the inbox pane, and who is meant by a typed name.

The law: as an inbox row, mark, kind and clock are never cut; a task that is late says so by mark, form of the clock and color.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from agent_tui.model import clock, frame
from agent_tui.model.cells import cut, fit, pad, pad_left, width
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Part
from agent_tui.model.rows import DUE_SOON_MS, Clock, Moment
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.source import Mark, Slot
from broker_bridge.contract.views import Colleague, Me, Row, TaskView

VIEWS = ("mine", "observed", "all", "done")
_BLANK_SLOT = Slot(-1, ("blank",))


class Wish(NamedTuple):
    """A task as it was written."""

    text: str
    number: str = ""
    assignee: str = ""
    """Empty: whoever owns the case."""
    due_ms: int | None = None
    observers: tuple[str, ...] = ()


def kind(task: TaskView) -> str:
    """The word of a row."""
    return "call" if task.what == "call_back" else "task"


def urgency(task: TaskView, now_ms: int) -> int:
    """2 late, 1 near, 0 not."""
    if task.is_done or task.is_dropped or task.due_ms is None:
        return 0
    return 2 if task.due_ms < now_ms else 1 if task.due_ms - now_ms < DUE_SOON_MS else 0


def clock_of(task: TaskView, at: Moment) -> Clock:
    """`-12 m` in a chip, `4:00` bold, `15:30`, `Mon`; when it was done, for one that is."""
    if task.is_done or task.is_dropped:
        return Clock(clock.until(task.done_ms, at.now_ms, at.tz) if task.done_ms is not None else clock.UNKNOWN)
    if task.due_ms is None:
        return Clock("")
    how = urgency(task, at.now_ms)
    if how:
        word = clock.due(task.due_ms, at.now_ms)
        return Clock(word, "chip.late", "b") if how == 2 else Clock(word, "near", "b")
    return Clock(clock.until(task.due_ms, at.now_ms, at.tz))


def first_line(task: TaskView, cells: int, mark: Mark, at: Moment) -> Line:
    """Bar, mark, customer, kind, clock: exactly `cells` wide."""
    how = urgency(task, at.now_ms)
    sign = (Run("   "), Run("! ", "near", "b"), Run("!!", "late", "b"))[how]
    gap, name_cells = (" ", cells - 16) if cells >= 24 else ("", max(8, cells - 15))
    name = clean_line(task.customer) or clean_line(task.case) or clock.UNKNOWN
    look = ("strong", "b") if how else ("mut", "") if task.is_done or task.is_dropped else ("text", "")
    found = clock_of(task, at)
    if found.role.startswith("chip."):
        chip = f" {found.word} "[-7:]
        end: tuple[Run, ...] = (Run(" " * max(0, 7 - width(chip))), Run(chip, found.role, found.flags))
    else:
        end = (Run(pad_left(found.word, 6), found.role, found.flags), Run(" "))
    return line(
        Run(at.glyphs.bar if mark else " ", mark or "mut"),
        sign,
        *((Run(" "),) if how else ()),
        Run(fit(name, name_cells, at.glyphs.dots), *look),
        Run(gap + pad(kind(task), 4), "mut"),
        *end,
        ground="sel" if mark else "bg",
    )


def second_line(task: TaskView, cells: int, mark: Mark, at: Moment, me: str) -> Line:
    """Bar, what is to be done, who: exactly `cells` wide."""
    who = (
        ""
        if task.assignee == me
        else cut(clean_line(task.assignee_name or task.assignee or "nobody").split(" ")[0], 9, at.glyphs.dots)
    )
    if task.is_done or task.is_dropped:
        who = f"{at.glyphs.no} dropped" if task.is_dropped else f"{at.glyphs.yes} done"
    room = cells - 5 - (width(who) + 1 if who else 0)
    words = clean_line(task.text) or clean_line(task.number) or ("call back" if kind(task) == "call" else "task")
    return line(
        Run(at.glyphs.bar if mark else " ", mark or "mut"),
        Run("   "),
        Run(fit(words, room, at.glyphs.dots), "text" if urgency(task, at.now_ms) else "mut"),
        *((Run(f" {who}", "mut"),) if who else ()),
        Run(" "),
        ground="sel" if mark else "bg",
    )


class TaskRows:
    """A source of rows of two lines, in the bridge's order: those due first at the top."""

    def __init__(self, tasks: Sequence[TaskView], at: Moment, me: str) -> None:
        self._tasks = tasks
        self._at = at
        self._me = me
        self._places = {task.task: place for place, task in enumerate(tasks)}

    def items(self) -> int:
        return len(self._tasks)

    def lines(self, width: int) -> int:
        return 1 + 2 * len(self._tasks)

    def page(self, start: int, count: int, width: int) -> Sequence[Slot]:
        return [self._slot(at) for at in range(start, min(start + count, self.lines(width)))]

    def _slot(self, at: int) -> Slot:
        if at == 0:
            return _BLANK_SLOT
        item, which = divmod(at - 1, 2)
        return Slot(item, (which, self._tasks[item], clock_of(self._tasks[item], self._at), self._at.glyphs.ascii))

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        stamp = slot.stamp
        assert isinstance(stamp, tuple)
        if slot.item < 0:
            return BLANK
        if stamp[0]:
            return second_line(stamp[1], width, mark, self._at, self._me)
        return first_line(stamp[1], width, mark, self._at)

    def span(self, item: int, width: int) -> tuple[int, int]:
        return 1 + 2 * item, 2

    def key(self, item: int) -> Hashable:
        return self._tasks[item].task

    def index(self, key: Hashable) -> int | None:
        return self._places.get(key) if isinstance(key, str) else None

    def settle(self, top: int, height: int, width: int) -> int:
        return top

    def more(self, count: int) -> Line | None:
        return line(Run("    "), Run(f"{self._at.glyphs.below} {count:,} more", "mut"))


def head_lines(view: str, count: int | None, cells: int, at: Moment, is_focused: bool) -> tuple[Line, Line]:
    """`Mine 3  Observed  All  Done`, and the rule with its heavy piece under the chosen one."""
    parts, start, mark = [], 1, (1, 0)
    for name in VIEWS:
        is_chosen = name == view
        words = name.capitalize() + (f" {count}" if is_chosen and count is not None else "")
        parts.append(Part((Run(words, "strong", "b") if is_chosen else Run(words, "mut"),), 0 if is_chosen else 1))
        if is_chosen:
            mark = (start, width(words))
        start += width(words) + 2
    return frame.head(tuple(parts), (), cells), frame.rule(cells, at.glyphs, is_focused=is_focused, mark=mark)


def empty_lines(view: str, is_known: bool, is_up: bool, at: Moment) -> tuple[Line, ...]:
    """Why no task is there."""
    if not is_up and not is_known:
        words = "The tasks come with the link."
    elif not is_known:
        words = f"{at.glyphs.waits} asking"
    else:
        words = {"mine": "No task is yours.", "observed": "You observe no task.", "done": "Nothing was done yet."}.get(
            view, "There are no tasks."
        )
    return (BLANK, line(Run("    "), Run(words, "mut", "i")))


def status_part(me: Me) -> Part | None:
    """`! 2 of 3 tasks` while something is due, `tasks 3`; nothing while there is none."""
    if not me.tasks:
        return None
    if me.tasks_due:
        return Part((Run(f"! {me.tasks_due} of {me.tasks} tasks", "near", "b"),), 2)
    return Part((Run("tasks ", "mut"), Run(str(me.tasks))), 5)


def case_words(row: Row, at: Moment) -> str:
    """`2 tasks, next 15:30`: of one case; empty if it has none."""
    if not row.tasks:
        return ""
    words = f"{row.tasks} task{'s' if row.tasks > 1 else ''}"
    if row.task_due_ms is None:
        return words
    due = (
        clock.due(row.task_due_ms, at.now_ms)
        if row.task_due_ms < at.now_ms
        else clock.until(row.task_due_ms, at.now_ms, at.tz)
    )
    return f"{words}, next {due}" if row.tasks > 1 else f"{words} {due}"


def matched(typed: str, agents: Sequence[Colleague]) -> tuple[Colleague, ...]:
    """Whom the words mean: each is in the name or the id. The id itself, and a name that begins so, go first."""
    words = typed.casefold().split()
    if not words:
        return ()
    hits = [one for one in agents if all(word in f"{one.name} {one.agent}".casefold() for word in words)]
    whole = " ".join(words)
    return tuple(
        sorted(
            hits,
            key=lambda one: (
                one.agent.casefold() != whole,
                not one.name.casefold().startswith(whole),
                one.state == "off",
                one.name,
            ),
        )
    )
