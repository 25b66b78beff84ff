"""A short list to choose from: a reason, a file, a theme. A number chooses at once."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult

from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Line, Run, line
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed
from agent_tui.workplace import Workplace


class Choose(Listed[int | None]):
    """Gives the place of what was chosen."""

    columns = 70

    def __init__(self, place: Workplace, title: str, options: tuple[tuple[str, str], ...]) -> None:
        """`options`: words and a muted remark; foreign text is cleaned here."""
        super().__init__(place)
        self._title = title
        self._options = options
        self.rows = min(20, len(options) + 6)

    def content(self) -> ComposeResult:
        yield LineList(ground="bar", id="choices")

    def on_mount(self) -> None:
        super().on_mount()
        rows: list[tuple[int, Line]] = [
            (
                n,
                line(
                    Run("  "),
                    Run(f"{n + 1} " if n < 9 else "  ", "acc", "b"),
                    Run(clean_line(words)),
                    Run(f"   {clean_line(remark)}" if remark else "", "mut"),
                    ground="bar",
                ),
            )
            for n, (words, remark) in enumerate(self._options)
        ]
        self.list_of().show(Choices(rows, self.place.glyphs, rev=1))
        self.list_of().focus()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return (Part((Run(clean_line(self._title), "strong", "b"),)),), (Part((Run("esc back", "mut"),), 1),)

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        last = min(9, len(self._options))
        return (Key(f"1-{last}" if last > 1 else "1", "choose"), Key("⏎", "choose"), Key("esc", "back", 1)), ""

    async def on_key(self, event: events.Key) -> None:
        if event.key.isdigit() and 0 < int(event.key) <= len(self._options):
            event.stop()
            self.dismiss(int(event.key) - 1)

    @on(LineList.Picked)
    def _picked(self, message: LineList.Picked) -> None:
        if isinstance(message.key, int):
            self.dismiss(message.key)
