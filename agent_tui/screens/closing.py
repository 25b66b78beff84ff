"""Close with a disposition: a number closes at once, `tab` goes to the note."""

from __future__ import annotations

from typing import NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.widgets import Input

from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Line, Run, line
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens import titles
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Row


class Outcome(NamedTuple):
    disposition: str
    note: str


class Closing(Listed[Outcome | None]):
    """Outcome and a note to colleagues."""

    columns = 70

    def __init__(self, place: Workplace, row: Row, dispositions: tuple[str, ...]) -> None:
        super().__init__(place)
        self._row = row
        self._words = dispositions or ("done",)
        self.rows = min(20, len(self._words) + 7)

    def content(self) -> ComposeResult:
        yield LineList(ground="bar", id="choices")
        yield Painted(ground="bar")
        yield field("note        ", id="note", placeholder="for colleagues, if it helps")
        yield Painted(ground="bar")

    def on_mount(self) -> None:
        super().on_mount()
        rows: list[tuple[int, Line]] = []
        for n, words in enumerate(self._words):
            label = "outcome     " if n == 0 else " " * 12
            number = f"{n + 1} " if n < 9 else "  "
            runs = (Run("  "), Run(label, "mut"), Run(number, "acc", "b"), Run(clean_line(words)))
            rows.append((n, line(*runs, ground="bar")))
        self.list_of().show(Choices(rows, self.place.glyphs, rev=1))
        self.list_of().focus()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return titles.about("Close", self._row, self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        last = min(9, len(self._words))
        return (Key(f"1-{last}", "close as"), Key("⏎", "close"), Key("tab", "note", 2), Key("esc", "back", 1)), ""

    async def on_key(self, event: events.Key) -> None:
        typing = isinstance(self.focused, Input)
        if not typing and event.key.isdigit() and 0 < int(event.key) <= len(self._words):
            event.stop()
            self._give(int(event.key) - 1)
            return
        await super().on_key(event)

    @on(LineList.Picked)
    def _picked(self, message: LineList.Picked) -> None:
        if isinstance(message.key, int):
            self._give(message.key)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        place = self.list_of().cursor
        self._give(place if isinstance(place, int) else 0)

    def _give(self, place: int) -> None:
        self.dismiss(Outcome(self._words[place], self.query_one("#note", Input).value.strip()))
