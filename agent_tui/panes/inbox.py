"""The inbox: views on the number keys, groups of rows below."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from agent_tui.model import frame, task_lines
from agent_tui.model.cells import width
from agent_tui.model.frame import Part
from agent_tui.model.inbox import Inbox
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Line, Run
from agent_tui.model.task_lines import TaskRows
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from broker_bridge.contract.views import Counts

VIEWS = ("mine", "queue", "all")


def head_lines(view: str, counts: Counts, cells: int, at: Instant, is_focused: bool) -> tuple[Line, Line]:
    """The views with their counts, and the rule with its heavy piece under the chosen one."""
    numbers = {"mine": counts.mine, "queue": counts.queue, "all": counts.all}
    sure = "" if at.has_link else "~"
    parts, start, mark = [], 1, (1, 0)
    for place, name in enumerate(VIEWS):
        count = "" if cells < 35 and name == "all" else f" {sure if name != 'mine' else ''}{numbers[name]}"
        words = f"{name.capitalize()}{count}"
        chosen = name == view
        parts.append(Part((Run(f"{place + 1} ", "acc", "b" if chosen else ""), _word(words, chosen)), 0))
        length = 2 + width(words)
        if chosen:
            mark = (start, length)
        start += length + 2
    if view not in VIEWS:
        parts = [Part((Run(view.capitalize(), "strong", "b"),))]
        mark = (1, width(view))
    head = frame.head(tuple(parts), (), cells)
    return head, frame.rule(cells, at.glyphs, is_focused=is_focused, mark=mark)


def _word(words: str, chosen: bool) -> Run:
    return Run(words, "strong", "b") if chosen else Run(words, "mut")


class InboxPane(Vertical):
    """Head, list, and what stands there when there is nothing."""

    DEFAULT_CSS = """
    InboxPane { width: 35; }
    InboxPane #inbox-head { height: 2; }
    InboxPane #inbox-empty { height: auto; display: none; }
    InboxPane.-empty #inbox-empty { display: block; }
    InboxPane #task-list { display: none; }
    InboxPane.-tasks #task-list { display: block; }
    InboxPane.-tasks #inbox-list { display: none; }
    """

    def compose(self) -> ComposeResult:
        yield Painted(id="inbox-head")
        yield Painted(id="inbox-empty")
        yield LineList(id="inbox-list")
        yield LineList(id="task-list")

    @property
    def list(self) -> LineList:
        return self.query_one("#inbox-list", LineList)

    @property
    def tasks(self) -> LineList:
        """The list of tasks, in the place of the conversations while it is open."""
        return self.query_one("#task-list", LineList)

    def show_head(self, view: str, counts: Counts, at: Instant) -> None:
        """The two rows above the list."""
        if self.has_class("-tasks"):
            return
        self.query_one("#inbox-head", Painted).show(*head_lines(view, counts, self.size.width, at, self.list.has_focus))

    def show_rows(self, source: Inbox, *, cursor: str | None = None) -> None:
        """The groups of the chosen view."""
        self.list.show(source, cursor=cursor)

    def show_tasks(self, source: TaskRows) -> None:
        """The rows of tasks."""
        self.tasks.show(source)

    def show_task_head(self, view: str, count: int | None, at: Instant) -> None:
        """The views of tasks above them."""
        head = task_lines.head_lines(view, count, self.size.width, at, self.tasks.has_focus)
        self.query_one("#inbox-head", Painted).show(*head)

    def show_empty(self, lines: tuple[Line, ...]) -> None:
        """Why nothing is here and what helps; no lines = there are rows."""
        self.set_class(bool(lines), "-empty")
        card = self.query_one("#inbox-empty", Painted)
        card.styles.height = max(1, len(lines))
        card.show(*(lines or (BLANK,)))
