"""The wrap-up form: outcome, what it asks for, tags, a follow-up, a note; the top edge drains with the time.

The law: `enter` ends it from every field, and where something is missing it says what and goes there; what is typed is in
the form that the caller keeps, after every key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from agent_tui.model import frame, when, wrapup_lines
from agent_tui.model.clean import clean_line
from agent_tui.model.desk import Applied
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.wrapup_lines import FOLLOW, Form
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed
from agent_tui.screens.form import STEPS, Entry
from agent_tui.workplace import Workplace
from broker_bridge.contract.policy import Disposition
from broker_bridge.contract.views import Row

GRACE_MS = 3_000
"""After the time is up the bridge has so long to say what became of the case; then the form closes by itself."""


NUMBERED = 9
"""Outcomes with a number of their own."""
AROUND = 24
"""Rows of the desk and of the form's other parts, before the outcomes get more."""


class Ended(NamedTuple):
    """The outcome as it was written, or that the time was up before."""

    disposition: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    due_ms: int | None = None
    """Of the follow-up."""
    note: str = ""
    is_over: bool = False


class TagField(Input):
    """Backspace at its beginning takes the last tag off."""

    class Emptied(Message):
        """Backspace, and nothing was typed."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "backspace" and not self.value:
            event.stop()
            event.prevent_default()
            self.post_message(self.Emptied())
            return
        await super()._on_key(event)


class WrappingUp(Listed[Ended | None]):
    """Over a case in wrap-up, or over an open one whose outcome has to be complete before it closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *STEPS,
        # As tab: what is typed right after the number is for the field that its outcome asks for.
        *(Binding(str(n), f"number({n})", show=False, priority=True) for n in range(1, NUMBERED + 1)),
    ]
    DEFAULT_CSS: ClassVar[str] = "WrappingUp #outcomes { height: 5; }"
    is_sent = True
    columns = 70

    def __init__(
        self,
        place: Workplace,
        row: Row,
        outcomes: tuple[Disposition, ...],
        default: str,
        form: Form,
        *,
        since_ms: int = 0,
        more: Callable[[], None] | None = None,
    ) -> None:
        """`outcomes`: at least one. `since_ms`: when the wrap-up began. `more`: asks for 30 s more."""
        super().__init__(place)
        self._row = row
        self._outcomes = outcomes
        self._default = default
        self._form = form
        self._since_ms = since_ms
        self._more = more
        self._names = tuple(dict.fromkeys(name for one in outcomes for name in one.fields))
        self._extra = 3 + max(len(one.fields) for one in outcomes)
        self._is_seen = False
        form.chosen = min(form.chosen, len(outcomes) - 1)

    def content(self) -> ComposeResult:
        form = self._form
        with Horizontal(id="outcomes"):
            label = Painted(ground="bar")
            label.styles.width = 13
            label.show(line(Run("  "), Run("outcome", "mut"), ground="bar"))
            yield label
            yield LineList(ground="bar", id="choices")
            margin = Painted(ground="bar")
            margin.styles.width = 2
            yield margin
        yield Painted(ground="bar")
        for n, name in enumerate(self._names):
            yield Entry(clean_line(name, 30), id=f"value-{n}", value=form.values.get(name, ""))
        tag = TagField(
            value=form.tag, placeholder="add, a word each", id="tag", compact=True, select_on_focus=False, max_length=60
        )
        yield Entry("tags", id="tag", typed=tag)
        yield Entry(
            "follow up", id="follow", value=form.follow_up, placeholder="none   or type tomorrow 10, in 3 d, mon 9:30"
        )
        yield Entry("note", id="note", value=form.note, placeholder="for colleagues, if it helps")
        yield Painted(ground="bar")
        yield Painted(ground="bar", id="missing")

    def on_mount(self) -> None:
        super().on_mount()
        self._fill()
        self.list_of().select(self._form.chosen)
        self.list_of().focus()

    def lay_out(self) -> None:
        others = 4 + 1 + self._extra + 2
        # As many as have a number at least; more where the terminal is high.
        shown = min(len(self._outcomes), max(NUMBERED, self.app.size.height - AROUND))
        self.rows = others + shown
        super().lay_out()
        room = min(self.rows, self.app.size.height - 2) - others
        self.query_one("#outcomes").styles.height = max(1, min(shown, room))

    def refit(self) -> None:
        self._fill()

    # What is typed.

    @property
    def _outcome(self) -> Disposition:
        return self._outcomes[self._form.chosen]

    def _entry(self, id: str) -> Entry:
        return self.query_one(f"#row-{id}", Entry)

    def _fill(self) -> None:
        """The fields of the chosen outcome, the tags, the follow-up as it is understood."""
        chosen, cells, lines = self._form.chosen, self.cells - 15, []
        for n, one in enumerate(self._outcomes):
            words = wrapup_lines.remark(one, one.name == self._default, self._row.wrap_mode)
            drawn = wrapup_lines.outcome_line(n, one, words, cells, self.place.glyphs, is_chosen=n == chosen)
            lines.append((n, drawn))
        self.list_of().show(Choices(lines, self.place.glyphs, rev=hash((chosen, cells))))
        for n, name in enumerate(self._names):
            self._entry(f"value-{n}").display = name in self._outcome.fields
        runs = wrapup_lines.tag_runs(self._form.tags, self.cells - 36, self.place.glyphs)
        self._entry("tag").lead(*runs, *((Run("+ ", "acc", "b"),)))
        said = wrapup_lines.follow_up_said(self._form.follow_up, self.place.now_ms(), self.place.tz)
        self._entry("follow").say(said, "text")
        self.show_title()

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        form, id = self._form, message.input.id or ""
        if id == "tag":
            form.tag = wrapup_lines.add_tags(form, message.value)
            if form.tag != message.value:
                message.input.value = form.tag
        elif id == "follow":
            form.follow_up = message.value
        elif id == "note":
            form.note = message.value
        elif id.startswith("value-"):
            form.values[self._names[int(id.removeprefix("value-"))]] = message.value
        self._say("")
        self._fill()

    @on(TagField.Emptied)
    def _untag(self) -> None:
        if self._form.tags:
            self._form.tags.pop()
        self._fill()

    @on(LineList.Moved)
    def _moved(self, message: LineList.Moved) -> None:
        # `enter` on the line says by the same message what is missing: it is not to be wiped away.
        if isinstance(message.key, int) and message.key != self._form.chosen:
            self._form.chosen = message.key
            self._say("")
            self._fill()

    def _choose(self, place: int) -> None:
        """By its number; the caret goes to what it asks for."""
        self._form.chosen = place
        self.list_of().select(place)
        self._say("")
        self._fill()
        for name in self._outcome.fields:
            if not self._form.values.get(name, "").strip():
                self.set_focus(self._entry(f"value-{self._names.index(name)}").typed)
                return

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a field a digit is a digit."""
        return action != "number" or not isinstance(self.focused, Input)

    def action_number(self, number: int) -> None:
        if number <= len(self._outcomes):
            self._choose(number - 1)

    async def on_key(self, event: events.Key) -> None:
        typing = isinstance(self.focused, Input)
        if event.key == "f2" or (event.key in ("plus", "+") and not typing):
            event.stop()
            if self._more is not None and self._row.wrap_until_ms is not None:
                self._more()
            return
        if typing and event.key in ("down", "up"):
            event.stop()
            (self.focus_next if event.key == "down" else self.focus_previous)()

    def takes_arrows(self) -> bool:
        """In a field they go to the next one."""
        return False

    @on(LineList.Picked)
    @on(Input.Submitted)
    def _end(self) -> None:
        form, outcome = self._form, self._outcome
        form.tag = wrapup_lines.add_tags(form, f"{form.tag} ")
        now_ms, tz = self.place.now_ms(), self.place.tz
        found = wrapup_lines.missing(form, outcome, now_ms, tz)
        if found is not None:
            name = found.field.removeprefix("value:")
            id = "follow" if found.field == FOLLOW else f"value-{self._names.index(name)}"
            self.set_focus(self._entry(id).typed)
            self._say(found.sentence)
            return
        self.dismiss(
            Ended(
                disposition=outcome.name,
                fields=tuple((name, form.values[name].strip()) for name in outcome.fields),
                tags=tuple(form.tags),
                due_ms=when.parse(form.follow_up, now_ms, tz),
                note=form.note.strip(),
            )
        )

    def _say(self, sentence: str) -> None:
        shown = line(Run("  "), Run(sentence, "near", "b"), ground="bar") if sentence else BLANK._replace(ground="bar")
        self.query_one("#missing", Painted).show(shown)

    # Time, and what the bridge says meanwhile.

    def tick(self) -> None:
        super().tick()
        until_ms = self._row.wrap_until_ms
        if self._row.state == "wrap_up" and until_ms is not None and self.place.now_ms() >= until_ms + GRACE_MS:
            self.dismiss(Ended(is_over=True))

    def desk_changed(self, applied: Applied) -> None:
        """More time, or somebody else ended it: the time, another terminal of this agent, a customer who wrote."""
        conv = self._row.conv
        if conv not in applied.changed and conv not in applied.gone:
            return
        row = self.place.state.rows.get(conv)
        if self._row.state == "wrap_up" and (row is None or row.state != "wrap_up"):
            self.dismiss(Ended(is_over=True))
        elif row is not None:
            self._row = row
            self.show_title()

    # Looks.

    def edge_row(self) -> Line:
        share = wrapup_lines.share_left(self._row, self._since_ms, self.place.now_ms())
        role = "near" if self._row.wrap_until_ms is not None else "acc"
        return frame.edge(self.cells, self.place.glyphs, role=role, left=share)

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return wrapup_lines.title(self._row, "Wrap-up" if self._row.state == "wrap_up" else "Close", self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        typing = isinstance(self.focused, Input)
        last = min(NUMBERED, len(self._outcomes))
        keys = [] if typing else [Key(f"1-{last}" if last > 1 else "1", "outcome")]
        keys.append(Key("⏎", "done+next"))
        if self._more is not None and self._row.wrap_until_ms is not None:
            keys.append(Key("f2" if typing else "+", "30 s more", 2))
        keys.append(Key("tab", "next field", 3))
        keys.append(Key("esc", "later" if self._row.state == "wrap_up" else "back", 1))
        return tuple(keys), ""

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.show_title()
