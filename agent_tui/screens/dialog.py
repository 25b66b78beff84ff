"""What every dialog is: a raised tone over the scrim with one bright top edge, a title row, keys in the last row.

The law: `esc` leaves and changes nothing; in contrast and ansi, which have no raised tone, it is a thin full frame; under 100
columns it takes the body.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from agent_tui.model import frame
from agent_tui.model.frame import Key, Part
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.source import Mark, Plain, Slot
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.themes import palette_of
from agent_tui.workplace import Workplace

T = TypeVar("T")
NO_LINK = "no link: it waits"


class Choices(Plain):
    """Lines of a dialog, with the bar on the chosen one whoever has the focus."""

    def __init__(self, lines: Sequence[tuple[Hashable, Line]], glyphs: Glyphs, rev: int = 0) -> None:
        super().__init__(lines, rev)
        self._glyphs = glyphs

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        found = super().draw(slot, width, "")
        if not mark or not found.runs or not found.runs[0].text.startswith(" "):
            return found
        first = found.runs[0]
        rest = (first._replace(text=first.text[1:]), *found.runs[1:])
        return line(Run(self._glyphs.bar, "acc"), *rest, ground="sel")

    def more(self, count: int) -> Line | None:
        return line(Run(f"   {self._glyphs.below} {count:,} more", "mut"), ground="bar")


class Dialog(ModalScreen[T]):
    """A box of `columns` x `rows` cells at most."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back", show=False)]
    columns = 70
    rows = 20
    is_sent = False
    """What it gives goes to the bridge: without a link it says that it will wait."""

    def __init__(self, place: Workplace) -> None:
        super().__init__()
        self.place = place

    @property
    def is_here(self) -> bool:
        """Not yet left: an answer that comes after `esc` finds no widgets to fill."""
        return self in self.app.screen_stack

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Leave once: a key pressed twice would do the work twice, and take away the screen below, the last one with the program."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Painted(ground="bar", id="dialog-top")
            with Vertical(id="dialog-body"):
                yield from self.content()
            yield Painted(ground="bar", id="dialog-keys")

    def content(self) -> ComposeResult:
        """The widgets between the title and the keys."""
        yield from ()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        """Left and right of the title row."""
        return (), ()

    def edge_row(self) -> Line:
        """The bright top edge, where there is no frame."""
        return frame.edge(self.cells, self.place.glyphs)

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        """The keys of the last row, and a hint at its right end."""
        return (Key("esc", "back"),), ""

    @property
    def cells(self) -> int:
        """Inner width."""
        framed = palette_of(self.app.theme).framed
        return (self.app.size.width if self.app.size.width < 100 else min(self.columns, self.app.size.width)) - (
            2 if framed else 0
        )

    def on_mount(self) -> None:
        self.lay_out()

    def on_resize(self, event: events.Resize) -> None:
        self.lay_out()
        self.refit()

    def refit(self) -> None:
        """Lines that were made for another width are made anew."""

    def lay_out(self) -> None:
        """Size, frame, title, keys."""
        size, framed = self.app.size, palette_of(self.app.theme).framed
        box = self.query_one("#box")
        box.set_class(framed, "-framed")
        narrow = size.width < 100
        box.styles.width = size.width if narrow else min(self.columns, size.width)
        # A frame has two rows where the bright edge has one.
        box.styles.height = size.height - 2 if narrow else min(self.rows + framed, size.height - 2)
        self.show_title()

    def show_title(self) -> None:
        """Edge, title, blank; keys below."""
        framed = palette_of(self.app.theme).framed
        left, right = self.title_parts()
        title = line(Run("  "), *frame.fitted(left, right, self.cells - 4), Run("  "), ground="bar")
        rows = (*(() if framed else (self.edge_row(),)), title, BLANK._replace(ground="bar"))
        top = self.query_one("#dialog-top", Painted)
        top.styles.height = len(rows)
        top.show(*rows)
        keys, hint = self.shown_keys()
        glyphs = self.place.glyphs
        warning = f"{glyphs.off} {NO_LINK}" if self.is_sent and not self.place.is_up else ""
        row = frame.keys_row(keys, self.cells, glyphs, hint, warning=warning)
        self.query_one("#dialog-keys", Painted).show(row)

    def action_leave(self) -> None:
        self.dismiss(None)

    def tick(self) -> None:
        """Once a second, for clocks."""
        self.show_title()

    def link_changed(self) -> None:
        """Under 100 columns the banner lies below: the keys say it."""
        self.show_title()


class Listed(Dialog[T]):
    """A dialog with one list that the arrows move, whatever has the focus; `tab` stays with what is typed."""

    is_typed = False
    """There is a field: the list never takes the focus."""

    def on_mount(self) -> None:
        super().on_mount()
        self.list_of().can_focus = not self.is_typed

    def list_of(self) -> LineList:
        return self.query_one(LineList)

    def takes_arrows(self) -> bool:
        """Whether the arrows move the list now; the list itself has its own."""
        return not isinstance(self.focused, LineList)

    async def on_key(self, event: events.Key) -> None:
        """Textual calls this beside a subclass's own `on_key`: that one never calls it."""
        moves = {"down": (1, "move"), "up": (-1, "move"), "pagedown": (1, "page"), "pageup": (-1, "page")}
        found = moves.get(event.key)
        if found is None or not self.takes_arrows():
            return
        event.stop()
        by, how = found
        getattr(self.list_of(), f"action_{how}")(by)


def field(prompt: str, *, id: str, placeholder: str = "", value: str = "") -> Widget:
    """One line to type into, after its prompt."""
    from textual.containers import Horizontal
    from textual.widgets import Input

    mark = Painted(ground="bar", classes="prompt")
    mark.styles.width = len(prompt) + 2
    mark.show(line(Run("  "), Run(prompt, "acc", "b"), ground="bar"))
    typed = Input(value=value, placeholder=placeholder, id=id, compact=True, select_on_focus=False)
    typed.cursor_blink = False
    return Horizontal(mark, typed, classes="field")
