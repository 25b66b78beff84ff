"""One line to say: why something is declined, set or asked. Enter gives it, `esc` leaves and changes nothing."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Run
from agent_tui.screens.dialog import Dialog, field
from agent_tui.workplace import Workplace


class Saying(Dialog[str | None]):
    """Gives what was typed, cut at `most` characters; it may be empty."""

    is_sent = True
    columns = 70
    rows = 6

    def __init__(self, place: Workplace, title: str, prompt: str, *, most: int, act: str, hint: str = "") -> None:
        """`act`: what enter does."""
        super().__init__(place)
        self._title, self._prompt, self._most, self._act, self._hint = title, prompt, most, act, hint

    def content(self) -> ComposeResult:
        yield field(self._prompt, id="words")

    def on_mount(self) -> None:
        super().on_mount()
        words = self.query_one("#words", Input)
        words.max_length = self._most
        words.focus()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return (Part((Run(clean_line(self._title), "strong", "b"),)),), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("⏎", self._act), Key("esc", "back", 1)), self._hint

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.dismiss(self.query_one("#words", Input).value.strip()[: self._most])
