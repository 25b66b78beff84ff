"""Merge two cases: the suggestion, the customer's other cases, or any case by number or name, both shown before it is done.

The law: it says which of the two goes on, `tab` turns it round, and what was merged can be taken out again.
"""

from __future__ import annotations

from typing import NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Input

from agent_tui.begin import begin
from agent_tui.model import merge_lines
from agent_tui.model.frame import Key, Part
from agent_tui.model.merge_lines import Pick
from agent_tui.model.runs import Line, Run, line
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens import titles
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Search, Thread
from broker_bridge.contract.views import Profile, Row, RowPage, ThreadPage

PAUSE_S = 0.15
BLOCK_ROWS = 6


class Merged(NamedTuple):
    """`conv` goes on in `into`."""

    conv: str
    into: str
    epoch: int | None
    into_number: str


class Merging(Listed[Merged | None]):
    """A field, what it finds, and below it both cases."""

    is_typed = True
    is_sent = True
    columns = 98
    rows = 25

    def __init__(self, place: Workplace, row: Row, profile: Profile | None, count: str) -> None:
        """`count`: `5 messages` of this case, as far as they are here."""
        super().__init__(place)
        self._row = row
        self._profile = profile
        self._this = merge_lines.of_row(row)._replace(messages=count)
        self._found: tuple[Row, ...] = ()
        self._picks: dict[str, Pick] = {}
        self._counts: dict[str, ThreadPage] = {}
        self._is_swapped = False
        """This case goes on, the other one ends."""
        self._pause: Timer | None = None
        self._look: Timer | None = None

    def content(self) -> ComposeResult:
        yield field("with ", id="find", placeholder="a number or a name, for other cases")
        yield Painted(ground="bar", id="under")
        yield LineList(ground="bar", id="cases")
        rule = Painted(ground="bar", id="over-both")
        yield rule
        yield Painted(ground="bar", id="both")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#both").styles.height = BLOCK_ROWS + 1
        self.query_one("#find", Input).focus()
        # The list knows its cursor once it has its cells.
        self.call_after_refresh(self._fill)

    def lay_out(self) -> None:
        super().lay_out()
        rule = line(Run("  "), Run(self.place.glyphs.rule * max(0, self.cells - 4), "rule"), ground="bar")
        self.query_one("#under", Painted).show(rule)
        self.query_one("#over-both", Painted).show(rule)
        self._fill()

    def _fill(self, *, is_typed: bool = False) -> None:
        if not self.is_here or not self.query("#both"):
            return
        typed = self.query_one("#find", Input).value
        rows = self.place.state.rows.values()
        groups = merge_lines.offered(self._row, rows, self._profile, self._found if typed.strip() else (), typed)
        at = self.place.at()
        self._picks = {pick.conv: pick for _, picks in groups for pick in picks}
        lines: list[tuple[str | None, Line]] = []
        for title, picks in groups:
            lines.extend([(None, merge_lines.NONE)] if lines else [])
            lines.append((None, merge_lines.head(title)))
            lines.extend((pick.conv, merge_lines.choice(pick, self.cells, at)) for pick in picks)
        if not lines:
            words = (
                "No such case." if typed.strip() else "This customer has no other open case: type a number or a name."
            )
            lines = [(None, line(Run(f"  {words}", "mut", "i"), ground="bar"))]
        source = Choices(lines, self.place.glyphs, rev=hash((tuple(lines), self.cells)))
        self.list_of().show(source, from_start=is_typed)
        self._show_both()

    def _other(self) -> Pick | None:
        """The case under the cursor, with what its thread told."""
        cursor = self.list_of().cursor
        pick = self._picks.get(cursor) if isinstance(cursor, str) else None
        page = self._counts.get(pick.conv) if pick is not None else None
        if pick is None or page is None:
            return pick
        told = merge_lines.of_row(page.row)
        count = merge_lines.counted(page.items, page.has_more)
        # The page's row is the newest and whole; a profile's case has no name and no epoch.
        return told._replace(messages=count, text=told.text or pick.text, name=told.name or pick.name)

    def _show_both(self) -> None:
        other = self._other()
        at = self.place.at()
        if other is None:
            rows = merge_lines.both(self._this, None, self.cells, at) if self._is_swapped else ()
        elif self._is_swapped:
            rows = merge_lines.both(self._this, other, self.cells, at)
        else:
            rows = merge_lines.both(other, self._this, self.cells, at)
        self.query_one("#both", Painted).show(*rows)
        self.show_title()
        if other is not None and other.conv not in self._counts and self.place.is_up:
            if self._look is not None:
                self._look.stop()
            self._look = self.set_timer(PAUSE_S, lambda: self.run_worker(self._read(other.conv), group="read"))

    async def _read(self, conv: str) -> None:
        """How much there is in the other case."""
        answer = await self.place.ask(Thread(conversation=conv))
        if isinstance(answer, ThreadPage) and self.is_here:
            self._counts[conv] = answer
            self._show_both()

    @on(Input.Changed)
    def _typed(self) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._fill(is_typed=True)
        if self.place.is_up:
            self._pause = self.set_timer(PAUSE_S, lambda: begin(self, self._search, "search"))

    async def _search(self) -> None:
        text = self.query_one("#find", Input).value.replace("#", " ").strip()
        if not text:
            return
        answer = await self.place.ask(Search(text=text))
        if isinstance(answer, RowPage) and self.is_here:
            self._found = answer.rows
            self._fill()

    @on(LineList.Moved)
    def _moved(self) -> None:
        self._show_both()

    @on(Input.Submitted)
    @on(LineList.Picked)
    def _submitted(self) -> None:
        other = self._other()
        if other is None:
            return
        if self._is_swapped:
            self.dismiss(Merged(other.conv, self._this.conv, other.epoch, self._this.number))
        else:
            self.dismiss(Merged(self._this.conv, other.conv, self._this.epoch, other.number))

    async def on_key(self, event: events.Key) -> None:
        if event.key == "tab":
            event.stop()
            event.prevent_default()
            self._is_swapped = not self._is_swapped
            self._show_both()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return titles.about("Merge", self._row, self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        other = self._other() if self.query(LineList) else None
        number = (self._this.number if self._is_swapped else other.number) if other is not None else ""
        words = f"merge into #{number}" if number else "merge"
        glyphs = self.place.glyphs
        keys = (
            Key("⏎", words),
            Key("tab", "the other way round", 2),
            Key(glyphs.above + glyphs.below, "move", 3),
            Key("esc", "back", 1),
        )
        return keys, "can be undone"
