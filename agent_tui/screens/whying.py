"""The why dialog: asks the bridge once when it opens, and shows what it says; without a link what the row itself knows."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult

from agent_tui.begin import begin
from agent_tui.model import why_lines
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Line, Run, line
from agent_tui.model.source import Plain
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Dialog
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Refusal, WhyOf
from broker_bridge.contract.views import Row, WhyView

NO_LINK = "Without a link only this is known."
FRAME_ROWS = 5
"""Of the dialog: edge, title and a blank above, a blank and the keys below."""


class Whying(Dialog[None]):
    """Read, copied, left: nothing here changes anything."""

    columns = 96
    rows = 21

    def __init__(self, place: Workplace, row: Row) -> None:
        super().__init__(place)
        self._row = row
        self._view: WhyView | None = None
        self._why_not = ""
        self._is_whole = False
        self._is_copied = False
        self._are_rules = False

    def content(self) -> ComposeResult:
        yield LineList(has_cursor=False, ground="bar", id="why")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(LineList).focus()
        self._fill()
        begin(self, self._fetch)

    async def _fetch(self) -> None:
        answer = await self.place.ask(WhyOf(conversation=self._row.conv))
        if not self.is_here:
            return
        if isinstance(answer, WhyView):
            self._view = answer
        else:
            self._why_not = answer.sentence if isinstance(answer, Refusal) else NO_LINK
        self.lay_out()
        self._fill()

    @property
    def _me(self) -> str:
        return self.place.state.me.agent if self.place.state.me is not None else ""

    @property
    def _head(self) -> str:
        return why_lines.title(self._row, self._view, self._me)

    def _lines(self) -> list[Line]:
        at = self.place.at()
        if self._view is not None and self._are_rules:
            return why_lines.rules_lines(self._view, self.cells)
        if self._view is not None:
            whole, room = self._is_whole, self.app.size.height - 2 - FRAME_ROWS
            return why_lines.lines(self._view, self._row, self._me, self.cells, at, is_whole=whole, room=room)
        if self._why_not:
            return why_lines.known_lines(self._row, self._why_not, self.cells, at)
        return [line(Run("  "), Run(f"{at.glyphs.waits} asking why", "mut", "i"), ground="bar")]

    def _fill(self) -> None:
        found = self._lines()
        rev = hash(
            (
                self._view is not None,
                self._why_not,
                self._is_whole,
                self._are_rules,
                self.cells,
                self.place.glyphs.ascii,
            )
        )
        self.query_one(LineList).show(Plain([(None, one) for one in found], rev))
        self.show_title()

    def lay_out(self) -> None:
        # As high as what stands there, within the terminal; the list scrolls.
        self.rows = max(10, min(self.app.size.height - 2, len(self._lines()) + FRAME_ROWS))
        super().lay_out()
        self.call_after_refresh(self._fill)

    async def on_key(self, event: events.Key) -> None:
        if event.key == "y":
            event.stop()
            self.app.copy_to_clipboard(why_lines.text_of(self._said(), self._lines()))
            self._is_copied = True
            self.show_title()
        elif event.key == "h" and self._view is not None and not self._are_rules:
            event.stop()
            self._is_whole = not self._is_whole
            self._turned()
        elif event.key == "o" and self._view is not None and self._view.rules:
            event.stop()
            self._are_rules = not self._are_rules
            self._turned()

    def _turned(self) -> None:
        """Something else stands there now: from its beginning."""
        self._is_copied = False
        self.lay_out()
        self.query_one(LineList).scroll_to(y=0, animate=False)

    def _said(self) -> str:
        return "  ".join("".join(run.text for run in part.runs) for part in self.title_parts()[0])

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return why_lines.title_part(self._row, self._head), (Part((Run("esc back", "mut"),), 1),)

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        keys: list[Key] = []
        if self._view is not None and self._view.rules:
            keys.append(Key("o", "why again" if self._are_rules else "open rules", 2))
        if self._view is not None and not self._are_rules:
            keys.append(Key("h", "short" if self._is_whole else "whole history", 2))
        hint = "copied" if self._is_copied else ""
        return (*keys, Key("y", "copy as text"), Key("↑↓", "scroll", 3), Key("esc", "back", 1)), hint
