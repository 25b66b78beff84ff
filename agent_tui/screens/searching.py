"""Search by text, name or address over every conversation; without a link over the rows that are here."""

from __future__ import annotations

from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Input

from agent_tui.begin import begin
from agent_tui.model import clock
from agent_tui.model.cells import fit, pad_left
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Line, Run, line
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Refusal, Search
from broker_bridge.contract.views import Row, RowPage

PAUSE_S = 0.15
AGAIN_S = 1.0
NO_ANSWER = "The bridge has not answered yet. It is asked again."


class Found(NamedTuple):
    """The row that was chosen, and all of the result."""

    row: Row
    rows: tuple[Row, ...]


class Searching(Listed[Found | None]):
    """Searches while it is typed."""

    is_typed = True
    columns = 108
    rows = 26

    def __init__(self, place: Workplace) -> None:
        super().__init__(place)
        self._rows: tuple[Row, ...] = ()
        self._total = 0
        self._said = ""
        self._pause: Timer | None = None
        self._has_chosen = False
        """The cursor was moved since the last word: results that come late leave it where it is."""

    def content(self) -> ComposeResult:
        yield field("/ ", id="find", placeholder="words, a name, a number, an address")
        yield Painted(ground="bar", id="under")
        yield LineList(ground="bar", id="results")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#find", Input).focus()
        self.refit()

    def refit(self) -> None:
        rule = self.place.glyphs.rule * max(0, self.cells - 4)
        self.query_one("#under", Painted).show(line(Run("  "), Run(rule, "rule"), ground="bar"))
        self._fill()

    @on(Input.Changed)
    def _typed(self) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._has_chosen = False
        self._here()
        if self.place.is_up:
            self._pause = self.set_timer(PAUSE_S, lambda: begin(self, self._search))

    @on(LineList.Moved)
    def _moved(self) -> None:
        self._has_chosen = True

    def _here(self) -> None:
        """What the desk's own rows have, at once."""
        words = self._words()
        known = self.place.state.rows.values()
        self._rows = tuple(row for row in known if words and all(word in _all_of(row) for word in words))
        self._total = len(self._rows)
        self._fill(is_typed=True)

    def _words(self) -> list[str]:
        return self.query_one("#find", Input).value.casefold().split()

    async def _search(self) -> None:
        text = self.query_one("#find", Input).value.strip()
        if not text:
            return
        answer = await self.place.ask(Search(text=text))
        if not self.is_here or text != self.query_one("#find", Input).value.strip():
            return
        if isinstance(answer, RowPage):
            self._rows, self._total, self._said = answer.rows, answer.total, ""
        elif isinstance(answer, Refusal):
            self._said = answer.sentence
        elif self.place.is_up:
            # Without an answer nothing is known: "nothing found" would be a guess.
            self._said = NO_ANSWER
            self._pause = self.set_timer(AGAIN_S, lambda: begin(self, self._search))
        self._fill()

    def _fill(self, *, is_typed: bool = False) -> None:
        """`is_typed`: other words, so the best of their result is chosen again."""
        lines: list[tuple[str | None, Line]] = [(row.conv, self._line(row)) for row in self._rows]
        if not lines and self._words():
            said = clean_line(self._said) or "Nothing found. Fewer or shorter words find more."
            lines = [(None, line(Run(f"  {said}", "mut"), ground="bar"))]
        source = Choices(lines, self.place.glyphs, rev=hash((self._rows, self.cells, self._said)))
        self.list_of().show(source, from_start=is_typed or not self._has_chosen)
        self.show_title()

    def _line(self, row: Row) -> Line:
        at = self.place.at()
        when = clock.until(row.last_ms, at.now_ms, at.tz) if row.last_ms else ""
        if row.last_ms and at.now_ms - row.last_ms > clock.DAY_MS:
            when = clock.date(row.last_ms, at.tz)
        state = {"mine": "yours", "other": clean_line(row.owner_name, 30) or "a colleague"}.get(row.state, row.state)
        text_cells = max(8, self.cells - 62)
        return line(
            Run("  "),
            Run(fit(clean_line(row.name) or row.number, 20) + " ", "strong"),
            Run(fit(clean_line(row.channel), 5), "mut"),
            Run(fit(clean_line(row.text), text_cells) + " "),
            Run(fit(state, 12) + " ", "mut"),
            Run(fit(f"#{clean_line(row.number)}", 7), "mut"),
            Run(pad_left(when, 7), "mut"),
            ground="bar",
        )

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        count = f"{len(self._rows)} of {self._total}" if self._total else ""
        where = "everything" if self.place.is_up else "what is here: no link"
        left = Part((Run("Search", "strong", "b"), Run(f"  {where}", "mut")))
        return (left,), (Part((Run(count, "mut"),), 1),)

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        glyphs = self.place.glyphs
        return (Key(glyphs.above + glyphs.below, "move"), Key("⏎", "open"), Key("esc", "back", 1)), "newest first"

    @on(Input.Submitted)
    @on(LineList.Picked)
    def _submitted(self) -> None:
        conv = self.list_of().cursor
        row = next((row for row in self._rows if row.conv == conv), None)
        if row is not None:
            self.dismiss(Found(row, self._rows))


def _all_of(row: Row) -> str:
    return " ".join((row.name, row.number, row.text, row.channel, row.owner_name)).casefold()
