"""Snooze: five times by number, or one that is typed; the date and time that come out stand there before `enter`.

The law: what is not understood is not a time; the customer's next message wakes the case in any case.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from agent_tui.model import when
from agent_tui.model.cells import fit
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part, fitted
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.when import Preset
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens import titles
from agent_tui.screens.dialog import Choices, Listed
from agent_tui.screens.form import STEPS, Entry
from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Row

MOVES = frozenset("jkgG")
"""Letters that the list has for itself; every other one begins a time."""


class Until(NamedTuple):
    until_ms: int | None
    """None = until they answer."""


class Snoozing(Listed[Until | None]):
    """A number chooses at once; letters and `tab` go to the field."""

    BINDINGS: ClassVar[list[BindingType]] = [*STEPS]
    is_sent = True
    columns = 70
    rows = 13

    def __init__(self, place: Workplace, row: Row) -> None:
        super().__init__(place)
        self._row = row
        self._presets: tuple[Preset, ...] = ()

    def content(self) -> ComposeResult:
        yield LineList(ground="bar", id="choices")
        yield Painted(ground="bar")
        yield Entry("or type", id="until", placeholder="tomorrow 10, in 3 d, mon 9:30, 15:30")
        yield Painted(ground="bar", id="understood")
        yield Painted(ground="bar")

    def on_mount(self) -> None:
        super().on_mount()
        self.list_of().styles.height = 5
        self._fill()
        self.list_of().focus()

    def refit(self) -> None:
        self._fill()

    def _fill(self) -> None:
        now_ms, tz = self.place.now_ms(), self.place.tz
        self._presets = when.presets(now_ms, tz)
        lines: list[tuple[int, Line]] = []
        for n, one in enumerate(self._presets):
            then = when.said(one.until_ms, now_ms, tz) if one.until_ms is not None else "a message wakes it in any case"
            left = Part((Run(f"{n + 1} ", "acc", "b"), Run(fit(one.words, 26))))
            lines.append(
                (
                    n,
                    line(
                        Run("  "),
                        *fitted((left,), (Part((Run(then, "mut"),)),), self.cells - 4),
                        Run("  "),
                        ground="bar",
                    ),
                )
            )
        self.list_of().show(Choices(lines, self.place.glyphs, rev=hash((self._presets, self.cells, now_ms // 60_000))))

    def tick(self) -> None:
        super().tick()
        self._fill()
        self._typed()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return titles.about("Snooze", self._row, self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        if isinstance(self.focused, Input):
            return (Key("⏎", "snooze"), Key("tab", "list", 2), Key("esc", "back", 1)), ""
        return (Key("1-5", "snooze"), Key("⏎", "snooze"), Key("tab", "type a time", 2), Key("esc", "back", 1)), ""

    async def on_key(self, event: events.Key) -> None:
        typed = self.query_one("#until", Input)
        if self.focused is not typed:
            if event.key.isdigit() and 0 < int(event.key) <= len(self._presets):
                event.stop()
                self.dismiss(Until(self._presets[int(event.key) - 1].until_ms))
                return
            if event.character is not None and event.character.isalpha() and event.character not in MOVES:
                event.stop()
                typed.insert_text_at_cursor(event.character)
                self.set_focus(typed)
        elif event.is_printable and event.character is not None:
            # Typed before the field had the focus: the field keeps its own letters to itself.
            event.stop()
            typed.insert_text_at_cursor(event.character)

    @on(Input.Changed)
    def _typed(self) -> None:
        words = self.query_one("#until", Input).value
        found = self._found()
        if found is not None:
            now_ms, glyphs = self.place.now_ms(), self.place.glyphs
            said = f"{when.said(found, now_ms, self.place.tz)}, {when.left(found, now_ms)}"
            shown = line(Run(" " * 14), Run(f"{glyphs.to} ", "mut"), Run(said, "strong", "b"), ground="bar")
        elif words.strip():
            shown = line(Run(" " * 14), Run("not a time to come yet", "mut", "i"), ground="bar")
        else:
            shown = BLANK._replace(ground="bar")
        self.query_one("#understood", Painted).show(shown)

    def _found(self) -> int | None:
        return when.parse(self.query_one("#until", Input).value, self.place.now_ms(), self.place.tz)

    @on(LineList.Picked)
    def _picked(self, message: LineList.Picked) -> None:
        if isinstance(message.key, int):
            self.dismiss(Until(self._presets[message.key].until_ms))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        found = self._found()
        if found is not None:
            self.dismiss(Until(found))
            return
        words = clean_line(self.query_one("#until", Input).value, 30)
        sentence = (
            f"“{words}” is no time to come. Try: tomorrow 10, in 3 d, mon 9:30."
            if words
            else "Type a time, or tab to the list."
        )
        self.query_one("#understood", Painted).show(line(Run(" " * 14), Run(sentence, "near", "b"), ground="bar"))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.show_title()
