"""What was pressed and has no answer yet; `D` takes one back that has not left."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from agent_tui.model import deeds
from agent_tui.model.cells import fit
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Line, Run, line
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed
from broker_bridge.contract.commands import Act, Note, Reply


class Waiting(Listed[str | None]):
    """Gives the id of the command to take back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("D,В", "take_back", "take back", show=False)]
    columns = 90
    rows = 18

    def content(self) -> ComposeResult:
        yield LineList(ground="bar", id="waiting")

    def on_mount(self) -> None:
        super().on_mount()
        self._fill()
        self.list_of().focus()

    def refit(self) -> None:
        self._fill()

    def _fill(self) -> None:
        acts = self.place.outbox.waiting
        lines: list[tuple[str | None, Line]] = [(act.id, self._line(act)) for act in acts]
        if not lines:
            lines = [(None, line(Run("  Nothing waits. Everything that you sent has arrived.", "mut"), ground="bar"))]
        rev = hash(tuple((act.id, self.place.outbox.is_tried(act.id)) for act in acts))
        self.list_of().show(Choices(lines, self.place.glyphs, rev=rev))

    def _line(self, act: Act) -> Line:
        row = self.place.state.rows.get(act.conversation)
        name = clean_line(row.name) if row is not None else act.conversation
        words = clean_line(act.text) if isinstance(act, Reply | Note) else ""
        tried = self.place.outbox.is_tried(act.id)
        state = Run("may have left", "near") if tried else Run(f"{self.place.glyphs.waits} waits here", "mut")
        return line(
            Run("  "),
            Run(fit(deeds.called(act), 12), "strong"),
            Run(fit(name, 20) + " "),
            Run(fit(words, max(4, self.cells - 54)), "mut"),
            Run(" "),
            state,
            ground="bar",
        )

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        count = len(self.place.outbox.waiting)
        return (Part((Run("What waits", "strong", "b"), Run(f"  {count}", "mut"))),), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("D", "take back"), Key("esc", "back", 1)), "it leaves by itself when the link is back"

    def action_take_back(self) -> None:
        id = self.list_of().cursor
        if isinstance(id, str):
            self.dismiss(id)

    def tick(self) -> None:
        super().tick()
        self._fill()
