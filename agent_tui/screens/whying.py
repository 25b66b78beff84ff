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


class Whying(Dialog[None]):
    """Read, copied, left: nothing here changes anything."""

    columns = 92
    rows = 21

    def __init__(self, place: Workplace, row: Row) -> None:
        super().__init__(place)
        self._row = row
        self._view: WhyView | None = None
        self._why_not = ""
        self._is_whole = False
        self._is_copied = False

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
        if self._view is not None:
            return why_lines.lines(self._view, self._row, self._me, self.cells, at, is_whole=self._is_whole)
        if self._why_not:
            return why_lines.known_lines(self._row, self._why_not, self.cells, at)
        return [line(Run("  "), Run(f"{at.glyphs.waits} asking why", "mut", "i"), ground="bar")]

    def _fill(self) -> None:
        found = self._lines()
        rev = hash((self._view is not None, self._why_not, self._is_whole, self.cells, self.place.glyphs.ascii))
        self.query_one(LineList).show(Plain([(None, one) for one in found], rev))
        self.show_title()

    def lay_out(self) -> None:
        # As high as what stands there, within the terminal; the list scrolls.
        self.rows = max(10, min(self.app.size.height - 2, len(self._lines()) + 5))
        super().lay_out()
        self.call_after_refresh(self._fill)

    async def on_key(self, event: events.Key) -> None:
        if event.key == "y":
            event.stop()
            self.app.copy_to_clipboard(why_lines.text_of(self._said(), self._lines()))
            self._is_copied = True
            self.show_title()
        elif event.key == "h" and self._view is not None:
            event.stop()
            self._is_whole = not self._is_whole
            self.lay_out()

    def _said(self) -> str:
        return "  ".join("".join(run.text for run in part.runs) for part in self.title_parts()[0])

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return why_lines.title_part(self._row, self._head), (Part((Run("esc back", "mut"),), 1),)

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        history = (Key("h", "short" if self._is_whole else "whole history", 2),) if self._view is not None else ()
        hint = "copied" if self._is_copied else ""
        return (*history, Key("y", "copy as text"), Key("↑↓", "scroll", 3), Key("esc", "back", 1)), hint
