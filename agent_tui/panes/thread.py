"""The open conversation: its head, an offer where there is no right column, its lines.

The law: the head never cuts the person's name; the clock that stands in the inbox stands here too.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from agent_tui.model import clock, frame, hints, rows, task_lines
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Part
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Line, Run
from agent_tui.model.source import EMPTY, Source
from agent_tui.model.thread import Thread
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from broker_bridge.contract.views import Row


def head_line(row: Row | None, cells: int, at: Instant) -> Line:
    """`Anna Berg  gold  wa  #K7Q2      ◉ Ole reads  late 0:42`."""
    if row is None:
        return frame.head((Part((Run("No conversation open", "mut"),)),), (), cells)
    left = [Part((Run(clean_line(row.name) or row.number, "strong", "b"),))]
    if row.tier:
        left.append(Part((Run(clean_line(row.tier), "note", "b"),), 3))
    left.append(Part((Run(clean_line(row.channel), "mut"),), 1))
    if cells >= 60 and row.queue:
        left.append(Part((Run(clean_line(row.queue)),), 5))
    if row.number:
        left.append(Part((Run(f"#{clean_line(row.number)}", "mut"),), 2))
    right = [part for part in (_people(row, at), _tasks(row, cells, at), _clock(row, at)) if part is not None]
    return frame.head(tuple(left), tuple(right), cells)


def _people(row: Row, at: Instant) -> Part | None:
    if row.transfer_to:
        return Part((Run(hints.asking(row), "near", "i"),), 4)
    if row.consult_with:
        return Part((Run(f"with {clean_line(row.consult_with, 40).split(' ')[0]}", "acc", "i"),), 4)
    if row.viewers and at.has_link:
        return Part((Run(f"{at.glyphs.reads} {clean_line(row.viewers[0], 40)} reads", "mut", "i"),), 4)
    if row.state == "other" and row.owner_name:
        return Part((Run(f"with {clean_line(row.owner_name, 40)}", "mut"),), 4)
    return None


def _tasks(row: Row, cells: int, at: Instant) -> Part | None:
    """`2 tasks, next 15:30`; shorter where the thread is narrow."""
    words = task_lines.case_words(row, at)
    if cells < 60:
        words = words.replace(", next ", " ")
    is_late = row.task_due_ms is not None and row.task_due_ms < at.now_ms
    return Part((Run(words, "near" if is_late else "mut"),), 2) if words else None


def _clock(row: Row, at: Instant) -> Part | None:
    group = rows.group(row, at.now_ms)
    found = rows.clock_of(row, at)
    if group == "late":
        return Part((Run(f" late {found.word.lstrip('-')} ", "chip.late", "b"),))
    if group == "due soon":
        return Part((Run(f"due {found.word}", "near", "b"),))
    if group == "ringing":
        return Part((Run(f" rings {found.word} ", "chip.acc" if at.has_link else "mut", "b"),))
    if group == "wrap-up":
        return Part((Run(f"wrap-up {found.word}", "near", "b"),))
    if group == "closed":
        return Part((Run("closed", "mut"),))
    if group == "snoozed":
        if row.snoozed_until_ms is None:
            return Part((Run("asleep until they answer", "mut"),))
        return Part((Run(f"asleep until {clock.until(row.snoozed_until_ms, at.now_ms, at.tz)}", "mut"),))
    words = "waits" if row.waiting_since_ms is not None else "answered"
    return Part((Run(f"{words} {found.word}", "mut"),))


class ThreadPane(Vertical):
    """Head, offer strip (at 80 columns), lines or what stands there without a conversation."""

    DEFAULT_CSS = """
    ThreadPane { width: 1fr; height: 1fr; }
    ThreadPane #thread-head { height: 2; }
    ThreadPane #thread-hints { height: 1; display: none; }
    ThreadPane #thread-hints.-shown { display: block; }
    ThreadPane #thread-offer { height: 4; display: none; }
    ThreadPane.-offered #thread-offer { display: block; }
    ThreadPane #thread-empty { height: 1fr; display: none; }
    ThreadPane.-empty #thread-empty { display: block; }
    ThreadPane.-empty #thread-list { display: none; }
    """

    def compose(self) -> ComposeResult:
        yield Painted(id="thread-head")
        yield Painted(ground="bar", id="thread-hints")
        yield Painted(id="thread-offer")
        yield Painted(id="thread-empty")
        yield LineList(follows_end=True, id="thread-list")

    @property
    def list(self) -> LineList:
        return self.query_one(LineList)

    def show_head(self, row: Row | None, at: Instant) -> None:
        """The two rows above the lines."""
        cells = self.size.width
        head = head_line(row, cells, at)
        rule = frame.rule(cells, at.glyphs, is_focused=self.list.has_focus)
        self.query_one("#thread-head", Painted).show(head, rule)

    def show_hints(self, lines: tuple[Line, ...]) -> None:
        """Rows under the head that ask for a decision; none = there is nothing to decide."""
        shown = self.query_one("#thread-hints", Painted)
        if len(shown.lines) != len(lines) and lines:
            shown.styles.height = len(lines)
        shown.set_class(bool(lines), "-shown")
        shown.show(*lines)

    def show_offer(self, lines: tuple[Line, ...]) -> None:
        """Four rows under the head; none = there is no offer, or it has its card elsewhere."""
        self.set_class(bool(lines), "-offered")
        self.query_one("#thread-offer", Painted).show(*(lines or (BLANK,)))

    def show_thread(self, thread: Thread, *, is_other: bool) -> None:
        """The lines; `is_other`: another conversation than before, so it begins at its end."""
        self.remove_class("-empty")
        self.list.show(thread, from_start=is_other)

    def show_empty(self, lines: tuple[Line, ...]) -> None:
        """Nothing is open: what stands there instead."""
        source: Source = EMPTY
        self.list.show(source, from_start=True)
        self.add_class("-empty")
        self.query_one("#thread-empty", Painted).show(*lines)
