"""The right side of a transfer: what goes along, what is said to whom, and how.

The law: it can be typed into before the bridge has said what goes along; what was typed is never replaced by what arrives, and
comes back when the dialog is opened again for the same case.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import TextArea

from agent_tui.model import packet_lines
from agent_tui.model.cells import cut, fit, width, wrap
from agent_tui.model.clean import clean_line, clean_typed
from agent_tui.model.packet_lines import FIELDS, LABEL_CELLS, LABELS, Kept
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.paint import Painted
from agent_tui.themes import palette_of
from agent_tui.workplace import Workplace
from agent_tui.writing import Writing
from broker_bridge.contract.views import HandoverView
from broker_bridge.contract.words import Packet

WAYS = (("ask first", "you keep it until yes"), ("hand over", "no talk before"))
HINTS = {
    "problem": "what it is about",
    "tried": "what was done so far",
    "promised": "what, and until when",
    "proved": "who they are",
    "open": "questions without an answer",
}
"""Where nothing is known and nothing is written."""
SIGNS = {"✓": "ok", "✗": "late"}


class Field(Writing):
    """A few lines to write in; `enter` gives the case away, `ctrl+j` breaks the line."""

    class Given(Message):
        """`enter` was pressed."""

    def __init__(self, place: Workplace, *, id: str, hint: str = "", is_strong: bool = False) -> None:
        super().__init__(id=id)
        self.placeholder = hint
        self._place = place
        self._is_strong = is_strong
        self.styles.margin = 0
        self.styles.height = 1

    def get_line(self, line_index: int) -> Text:
        """A promise is bold; what was proved, and what not, has its color."""
        found = super().get_line(line_index)
        palette = palette_of(self.app.theme)
        if self._is_strong:
            found.stylize(palette.style("strong", "b", "bar"))
        for place, sign in enumerate(found.plain):
            if sign in SIGNS:
                found.stylize(palette.style(SIGNS[sign], "b", "bar"), place, place + 1)
        if self._place.glyphs.ascii:
            found.plain = packet_lines.signed(found.plain, self._place.glyphs)
        return found

    def render_line(self, y: int) -> Strip:
        """The last row says that there is more below; while it is written in, the caret shows where one is."""
        found = super().render_line(y)
        if self.has_focus or y != self.size.height - 1 or self.scroll_offset.y + y + 1 >= self.wrapped_document.height:
            return found
        palette, cells = palette_of(self.app.theme), self.size.width
        dots = self._place.glyphs.dots
        end = min(width(found.text.rstrip()), cells - width(dots))
        more = Strip([Segment(dots, palette.style("mut", "", "bar"))])
        return Strip.join([found.crop(0, end), more]).adjust_cell_length(cells, palette.style("text", "", "bar"))

    async def _on_key(self, event: events.Key) -> None:
        if event.key in ("enter", "alt+enter"):
            event.stop()
            event.prevent_default()
            self.post_message(self.Given())
        elif event.key == "ctrl+j":
            event.stop()
            event.prevent_default()
            self.insert("\n")
        else:
            await super()._on_key(event)


class Ways(Painted, can_focus=True):
    """How it changes hands: one of two, or the only one there is."""

    class Chosen(Message):
        """Another way."""

    def __init__(self, place: Workplace, *, is_hand_over: bool) -> None:
        super().__init__(ground="bar", id="ways")
        self._place = place
        self._is_hand_over = is_hand_over
        self._only = ""
        """What the only way says; empty = there are two."""
        self.styles.height = 2

    @property
    def is_hand_over(self) -> bool:
        return bool(self._only) or self._is_hand_over

    @property
    def wish(self) -> bool:
        """What was chosen, whether it can be had for this target or not."""
        return self._is_hand_over

    def offer(self, only: str) -> None:
        """`only`: why there is one way; empty = both."""
        self._only = only
        self.paint()

    def paint(self) -> None:
        """The ways, the chosen one first in the eye."""
        glyphs = self._place.glyphs
        ways = [("hand over", self._only)] if self._only else list(WAYS)
        chosen = len(ways) - 1 if self.is_hand_over else 0
        rows: list[Line] = []
        for place, (words, remark) in enumerate(ways):
            is_it = place == chosen
            bar = Run(f" {glyphs.bar}" if is_it and self.has_focus else "  ", "acc")
            sign = Run(glyphs.ready if is_it else glyphs.off, "acc" if is_it else "text")
            name = Run(f" {words}  ", "strong" if is_it else "text", "b" if is_it else "")
            rows.append(line(bar, sign, name, Run(remark, "mut"), ground="bar"))
        self.show(*rows, *([BLANK._replace(ground="bar")] * (2 - len(rows))))

    def on_key(self, event: events.Key) -> None:
        if event.key in ("up", "down", "left", "right", "space") and not self._only:
            event.stop()
            self._is_hand_over = not self._is_hand_over
            self.paint()
            self.post_message(self.Chosen())

    def on_focus(self) -> None:
        self.paint()

    def on_blur(self) -> None:
        self.paint()


class Handing(Vertical):
    """The fields of the packet, the note and the ways."""

    def __init__(self, place: Workplace, kept: Kept) -> None:
        super().__init__(id="say")
        self._place = place
        self._kept = kept
        self._prefilled = dict.fromkeys(FIELDS, "")
        self._view: HandoverView | None = None
        self._is_asked = False

    def compose(self) -> ComposeResult:
        yield Painted(ground="bar", id="along")
        for name in FIELDS:
            with Horizontal(classes="part"):
                label = Painted(ground="bar")
                label.styles.width = LABEL_CELLS + 2
                label.show(line(Run("  "), Run(LABELS[name], "mut"), ground="bar"))
                yield label
                yield Field(self._place, id=f"part-{name}", is_strong=name == "promised", hint=HINTS[name])
                yield _margin()
        yield Painted(ground="bar", id="facts")
        yield Painted(ground="bar", id="say-to")
        with Horizontal(classes="part", id="note-part"):
            prompt = Painted(ground="bar")
            prompt.styles.width = 4
            prompt.show(line(Run(f"  {self._place.glyphs.prompt} ", "acc"), ground="bar"))
            yield prompt
            yield Field(self._place, id="words", hint="a word to them, if it helps")
            yield _margin()
        yield Painted(ground="bar", id="how")
        yield Ways(self._place, is_hand_over=self._kept.is_hand_over)
        yield Painted(ground="bar", id="outlook")

    def on_mount(self) -> None:
        for name, words in self._kept.edited:
            self.field(name).load(words)
        self.query_one("#words", Field).load(self._kept.note)
        blank = BLANK._replace(ground="bar")
        self.query_one("#how", Painted).show(blank, line(Run("  "), Run("How", "mut", "b"), ground="bar"))
        self.query_one("#how").styles.height = 2
        self.query_one("#outlook").styles.height = 2
        self._show_facts()
        self.fit()

    def field(self, name: str) -> Field:
        """One of FIELDS."""
        return self.query_one(f"#part-{name}", Field)

    @property
    def ways(self) -> Ways:
        return self.query_one(Ways)

    def stops(self) -> list[Widget]:
        """Where `tab` goes, in order: the word to them first, for that nobody else has written; the rest stands there already."""
        return [self.query_one("#words"), *(self.field(name) for name in FIELDS), self.ways]

    @property
    def note(self) -> str:
        return self.query_one("#words", Field).text.strip()

    @property
    def is_known(self) -> bool:
        """The bridge has said what goes along."""
        return self._view is not None

    @property
    def seen(self) -> int:
        """How far the bridge's packet had read."""
        return self._view.seen if self._view is not None else 0

    def packet(self) -> Packet | None:
        """What stands in the fields."""
        return packet_lines.made({name: self.field(name).text for name in FIELDS})

    def kept(self) -> Kept:
        """What the person typed, for the next time."""
        edited = tuple(
            (name, self.field(name).text) for name in FIELDS if self.field(name).text != self._prefilled[name]
        )
        return Kept(edited=edited, note=self.query_one("#words", Field).text, is_hand_over=self.ways.wish)

    def arrived(self, view: HandoverView | None) -> None:
        """What the bridge suggests: into the fields that nobody has typed into. None: it did not say."""
        self._is_asked = True
        self._view = view
        for name in FIELDS:
            field, words = (
                self.field(name),
                clean_typed(packet_lines.of(view.packet if view is not None else None, name)),
            )
            if field.text == self._prefilled[name]:
                field.load(words)
            self._prefilled[name] = words
        self._show_facts()
        self.call_after_refresh(self.fit)

    def _show_facts(self) -> None:
        glyphs = self._place.glyphs
        title = [Run("  "), Run("Goes along", "mut", "b")]
        if self._view is None:
            why = "not known: write it" if self._place.is_up else "not known without a link"
            words = why if self._is_asked else f"{glyphs.waits} asking what is known"
            title.append(Run(f"   {words}", "mut", "i"))
        self.query_one("#along", Painted).show(line(*title, ground="bar"))
        rows: list[Line] = []
        if self._view is not None and self._view.case:
            rows.append(_fact("case", clean_line(self._view.case, 80)))
        if self._view is not None and self._view.draft:
            rows.append(_fact("draft", f"{self._view.draft:,} letters, goes along"))
        facts = self.query_one("#facts", Painted)
        facts.styles.height = max(1, len(rows))
        facts.show(*(rows or (BLANK._replace(ground="bar"),)))

    def show_target(self, name: str, sentence: str, cells: int) -> None:
        """To whom it is said, and what is to be expected."""
        first = f"Say to {cut(name, max(8, cells - 12), self._place.glyphs.dots)}" if name else "A note"
        blank = BLANK._replace(ground="bar")
        said = self.query_one("#say-to", Painted)
        said.styles.height = 2
        said.show(blank, line(Run("  "), Run(first, "mut", "b"), ground="bar"))
        rows = wrap(sentence, max(8, cells - 4))[:2] if sentence else ()
        shown = [line(Run("  "), Run(fit(words, max(0, cells - 4)), "near"), ground="bar") for words in rows]
        self.query_one("#outlook", Painted).show(*shown, *([blank] * (2 - len(shown))))

    def fit(self) -> None:
        """Rows of each field by what stands in it, as far as there is room."""
        if not self.is_attached or not self.query("#words"):
            return
        words = self.query_one("#words", Field)
        note_rows = 3 if self.app.size.width >= 100 else 2
        facts = self.query_one("#facts", Painted)
        fixed = 1 + len(facts.lines) + 2 + note_rows + 2 + 2
        fields = [self.field(name) for name in FIELDS]
        focused = next((place for place, field in enumerate(fields) if field.has_focus), -1)
        wanted = [field.wrapped_document.height for field in fields]
        found = packet_lines.heights(wanted, max(len(FIELDS), self.size.height - fixed), focused)
        for field, rows in zip(fields, found, strict=True):
            self._set(field, rows)
            if not field.has_focus:
                # What does not fit goes below: the caret is at the end, but one reads from the beginning.
                self.call_after_refresh(field.scroll_to, y=0, animate=False, force=True)
        self._set(words, note_rows)

    def _set(self, field: Field, rows: int) -> None:
        field.styles.height = rows
        if field.parent is not None and isinstance(field.parent, Widget):
            field.parent.styles.height = rows

    def on_resize(self) -> None:
        self.call_after_refresh(self.fit)

    @on(TextArea.Changed)
    def _changed(self) -> None:
        self.fit()


def _margin() -> Painted:
    margin = Painted(ground="bar")
    margin.styles.width = 2
    return margin


def _fact(label: str, words: str) -> Line:
    return line(Run("  "), Run(fit(label, LABEL_CELLS), "mut"), Run(words), ground="bar")
