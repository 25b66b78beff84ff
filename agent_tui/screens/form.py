"""A row of a form: a muted label, a field to type into, and what is understood of it at the right end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from agent_tui.model.cells import fit, width
from agent_tui.model.runs import Run, line
from agent_tui.paint import Painted

STEPS: tuple[BindingType, ...] = (
    Binding("tab", "app.focus_next", show=False, priority=True),
    Binding("shift+tab", "app.focus_previous", show=False, priority=True),
)
"""Between the fields of a form: before the field sees the key, so that what is typed right after it is for the next one."""


class Entry(Horizontal):
    """`label` in twelve cells; foreign words in it are cleaned by whoever makes it."""

    DEFAULT_CSS = "Entry { height: 1; background: $bar; }"

    def __init__(
        self, label: str, *, id: str, value: str = "", placeholder: str = "", typed: Input | None = None
    ) -> None:
        """`typed`: another kind of field than the plain one; `id` is the field's."""
        super().__init__(id=f"row-{id}")
        self._label = label
        self.typed = typed or Input(value=value, placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self.typed.cursor_blink = False

    def compose(self) -> ComposeResult:
        label = Painted(ground="bar")
        label.styles.width = 14
        label.show(line(Run("  "), Run(fit(self._label, 11) + " ", "mut"), ground="bar"))
        yield label
        yield Painted(ground="bar", classes="lead")
        yield self.typed
        yield Painted(ground="bar", classes="said")

    def on_mount(self) -> None:
        self.lead()
        self.say("")

    def lead(self, *runs: Run) -> None:
        """Before the field: what was taken from it already."""
        self._show(".lead", runs)

    def say(self, words: str, role: str = "mut") -> None:
        """At the right end; empty = nothing."""
        self._show(".said", (Run(f"  {words}  ", role),) if words else ())

    def _show(self, which: str, runs: tuple[Run, ...]) -> None:
        painted = self.query_one(which, Painted)
        painted.styles.width = sum(width(run.text) for run in runs)
        painted.display = bool(runs)
        painted.show(line(*runs, ground="bar"))
