"""Before the window closes: what is kept."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Run, line
from agent_tui.paint import Painted
from agent_tui.screens.dialog import Dialog
from agent_tui.workplace import Workplace


class Leaving(Dialog[bool | None]):
    """True = leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y,ctrl+q", "sure", "leave", show=False),
        Binding("n", "leave", "stay", show=False),
    ]
    columns = 70
    rows = 9

    def __init__(self, place: Workplace, drafts: int, waits: int) -> None:
        super().__init__(place)
        self._drafts = drafts
        self._waits = waits

    def content(self) -> ComposeResult:
        words = Painted(ground="bar")
        words.styles.height = 3
        rows = []
        if self._drafts:
            rows.append(
                f"{self._drafts} {'drafts stay' if self._drafts > 1 else 'draft stays'} here and on the bridge."
            )
        if self._waits:
            rows.append(
                f"{self._waits} not sent yet: {'they leave' if self._waits > 1 else 'it leaves'} at the next start."
            )
        words.show(*(line(Run(f"  {row}"), ground="bar") for row in rows))
        yield words

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return (Part((Run("Leave", "strong", "b"),)),), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("⏎", "leave"), Key("esc", "stay")), "nothing is lost"

    def action_sure(self) -> None:
        self.dismiss(True)
