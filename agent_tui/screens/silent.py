"""The conversation that a supervisor reads silently, at the right of the boards.

The law: it is only read: no key is shown in it, and nobody in it sees that it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model import clock, floor_figures, frame
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Part
from agent_tui.model.runs import Run
from agent_tui.model.thread import Thread
from agent_tui.model.thread_lines import Keys
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from broker_bridge.contract.views import Row

if TYPE_CHECKING:
    from agent_tui.screens.monitor import Monitor

NO_KEYS = Keys("", "", "", "")
"""Here a conversation is only read."""


class Silent:
    """One for each monitor."""

    def __init__(self, screen: Monitor) -> None:
        self._screen = screen
        self._shown: tuple[str, Thread] | None = None

    def forget(self) -> None:
        """Our signs changed: its lines are made anew."""
        self._shown = None

    def show(self) -> None:
        """The conversation that is read, or how to read one."""
        at = self._screen.place.at()
        cells = (
            self._screen.app.size.width
            if self._screen.is_narrow
            else self._screen.app.size.width - self._screen.boards.cells - 1
        )
        opened, shown = self._screen.reading.opened, self._screen.query_one("#read-list", LineList)
        rule = frame.rule(cells, at.glyphs, is_focused=shown.has_focus)
        if opened is None:
            hint = Part((Run("No conversation is read", "mut"),))
            self._screen.query_one("#read-head", Painted).show(frame.head((hint,), (), cells), rule)
            read, find = (self._screen.keys.shown(name, "monitor") for name in ("read_silently", "search"))
            shown.show(floor_figures.nothing_read(read, find, cells, at))
            return
        row = opened.row
        who = clean_line(row.owner_name).split(" ")[0] or "queue"
        left = (
            Part((Run(f"{at.glyphs.reads} ", "whisper"), Run("silent", "whisper", "b"))),
            Part((Run(f"{who} {at.glyphs.between} {clean_line(row.name) or row.number}", "strong", "b"),)),
            Part((Run(f"#{row.number}", "mut"),), 2),
        )
        right = (Part((Run(clean_line(row.channel), "mut"), Run(f" {self._since(row)}", "strong", "b")), 1),)
        self._screen.query_one("#read-head", Painted).show(frame.head(left, right, cells), rule)
        is_other = self._shown is None or self._shown[0] != opened.conv
        typing = row.typing if at.has_link else ()
        if self._shown is None or is_other:
            thread = Thread(list(opened.items), at, seen=1 << 60, typing=typing, has_more=opened.has_more, keys=NO_KEYS)
        else:
            thread = self._shown[1].updated(
                list(opened.items), at, seen=1 << 60, typing=typing, has_more=opened.has_more, keys=NO_KEYS
            )
        self._shown = (opened.conv, thread)
        shown.show(thread, from_start=is_other)

    def _since(self, row: Row) -> str:
        now_ms = self._screen.place.now_ms()
        return clock.waited(now_ms - row.waiting_since_ms) if row.waiting_since_ms is not None else ""
