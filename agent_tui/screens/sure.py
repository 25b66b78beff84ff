"""Asks once more before much is done at once: the count in the title, what it is about below. Only `y` does it."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult

from agent_tui.model.cells import fit
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Line, Run, line
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed
from agent_tui.workplace import Workplace

YES = frozenset("yYнН")
"""With the same key of a Cyrillic layout."""
NAME_CELLS = 30


class Sure(Listed[bool | None]):
    """True, or None for no."""

    is_sent = True
    columns = 70

    def __init__(
        self, place: Workplace, title: str, shown: tuple[tuple[str, str, str], ...], *, act: str, hint: str = ""
    ) -> None:
        """`shown`: who, by which channel, and where it goes; foreign text is cleaned here."""
        super().__init__(place)
        self._title, self._shown, self._act, self._hint = title, shown, act, hint
        self.rows = min(20, len(shown) + 6)

    def content(self) -> ComposeResult:
        yield LineList(ground="bar", id="about")

    def on_mount(self) -> None:
        super().on_mount()
        dots = self.place.glyphs.dots
        rows: list[tuple[int, Line]] = [
            (
                n,
                line(
                    Run("  "),
                    Run(fit(clean_line(who), NAME_CELLS, dots)),
                    Run(f"  {fit(clean_line(word), 5)}", "mut"),
                    Run(f"{self.place.glyphs.to} {clean_line(where, 40)}" if where else "", "mut"),
                    ground="bar",
                ),
            )
            for n, (who, word, where) in enumerate(self._shown)
        ]
        self.list_of().show(Choices(rows, self.place.glyphs, rev=1))
        self.list_of().focus()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return (Part((Run(clean_line(self._title), "strong", "b"),)),), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("y", self._act), Key("esc", "back", 1)), self._hint

    async def on_key(self, event: events.Key) -> None:
        if event.key in YES:
            event.stop()
            self.dismiss(True)
