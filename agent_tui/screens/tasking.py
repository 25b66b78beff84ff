"""A follow-up task or a call-back: what, for whom, until when, and who looks on; and the line that says it is done.

The law: a name or a time that is not understood is refused with a sentence, never dropped; whoever and whenever come out
stand beside what was typed.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from agent_tui.begin import begin
from agent_tui.model import presence, task_lines, when
from agent_tui.model.cells import cut
from agent_tui.model.clean import clean_line, clean_typed
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import BLANK, Run, line
from agent_tui.model.task_lines import Wish
from agent_tui.paint import Painted
from agent_tui.screens.dialog import Dialog
from agent_tui.screens.form import STEPS, Entry
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Directory
from broker_bridge.contract.views import Colleague, DirectoryView

MAX_TEXT = 2_000
UNKNOWN_PEOPLE = "Without a link it is not known who is there: leave the names empty."


class Draft(NamedTuple):
    """The fields as they stand when the dialog opens."""

    text: str = ""
    number: str = ""
    assignee: str = ""
    due: str = ""
    observers: str = ""
    first: str = ""
    """The field to begin with; empty: the first that asks for something."""


class Tasking(Dialog[Wish | None]):
    """One field a line; `enter` in any of them keeps the task."""

    BINDINGS: ClassVar[list[BindingType]] = [*STEPS]
    is_sent = True
    columns = 78

    def __init__(self, place: Workplace, title: str, about: str, *, is_call: bool, draft: Draft) -> None:
        """`title`: the verb; `about`: customer and case, foreign text."""
        super().__init__(place)
        self._title = title
        self._about = clean_line(about, 80)
        self._is_call = is_call
        self._draft = draft
        self._agents: tuple[Colleague, ...] = ()
        self._is_known = False
        self.rows = 11 if is_call else 10

    def content(self) -> ComposeResult:
        draft = self._draft
        if self._is_call:
            yield Entry("number", id="number", value=clean_typed(draft.number), placeholder="as the case says")
            yield Entry("call at", id="due", value=draft.due, placeholder="today 15:30, tomorrow 10, in 3 d")
            yield Entry("about", id="text", value=clean_typed(draft.text), placeholder="what the call is for")
        else:
            yield Entry("task", id="text", value=clean_typed(draft.text), placeholder="what is to be done")
            yield Entry("until", id="due", value=draft.due, placeholder="tomorrow 10, in 3 d, mon 9:30; may stay empty")
        yield Entry("for", id="assignee", value=draft.assignee, placeholder="whoever owns the case, or type a name")
        yield Entry(
            "observers", id="observers", value=draft.observers, placeholder="none, or names with a comma between"
        )
        yield Painted(ground="bar")
        yield Painted(ground="bar", id="missing")

    def on_mount(self) -> None:
        super().on_mount()
        first = "due" if self._is_call and self._draft.number else "number" if self._is_call else "text"
        self.query_one(f"#{self._draft.first or first}", Input).focus()
        begin(self, self._fetch)

    async def _fetch(self) -> None:
        answer = await self.place.ask(Directory())
        if isinstance(answer, DirectoryView) and self.is_here:
            self._agents, self._is_known = answer.agents, True
            self._say_all()

    # What is typed.

    def _value(self, id: str) -> str:
        found = self.query(f"#{id}")
        widget = found.first() if found else None
        return widget.value.strip() if isinstance(widget, Input) else ""

    @on(Input.Changed)
    def _typed(self) -> None:
        self._say("")
        self._say_all()

    def _say_all(self) -> None:
        """Beside each field what is understood of it."""
        room = max(10, self.cells - 40)
        now_ms, tz = self.place.now_ms(), self.place.tz
        due_ms = when.parse(self._value("due"), now_ms, tz)
        self._entry("due").say(
            f"{when.said(due_ms, now_ms, tz)}, {when.left(due_ms, now_ms)}" if due_ms is not None else "", "text"
        )
        who = task_lines.matched(self._value("assignee"), self._agents)
        others = f" and {len(who) - 1} more" if len(who) > 1 else ""
        self._entry("assignee").say(
            cut(
                f"{clean_line(who[0].name, 40)}, {presence.word(who[0].state, who[0].reason)}{others}" if who else "",
                room,
            ),
            "text",
        )
        found = [task_lines.matched(name, self._agents) for name in self._names()]
        words = ", ".join(clean_line(one[0].name, 30) for one in found if one)
        self._entry("observers").say(cut(words, room), "text")

    def _entry(self, id: str) -> Entry:
        return self.query_one(f"#row-{id}", Entry)

    def _names(self) -> list[str]:
        return [name.strip() for name in self._value("observers").split(",") if name.strip()]

    # The end.

    @on(Input.Submitted)
    def _submitted(self) -> None:
        found = self._wish()
        if isinstance(found, Wish):
            self.dismiss(found)
            return
        id, sentence = found
        self.set_focus(self._entry(id).typed)
        self._say(sentence)

    def _wish(self) -> Wish | tuple[str, str]:
        """The task, or the field that keeps it from being one and why."""
        text, due = self._value("text")[:MAX_TEXT], self._value("due")
        if not text and not self._is_call:
            return "text", "A task needs words: what is to be done?"
        due_ms = when.parse(due, self.place.now_ms(), self.place.tz)
        if due and due_ms is None:
            return "due", f"“{clean_line(due, 30)}” is no time to come. Try: tomorrow 10, in 3 d, mon 9:30."
        if due_ms is None and self._is_call:
            return "due", "A call-back needs its time."
        people: list[str] = []
        for id, name in (("assignee", self._value("assignee")), *(("observers", name) for name in self._names())):
            who = task_lines.matched(name, self._agents)
            if name and not who:
                shown = clean_line(name, 30)
                return id, f"Nobody here is called “{shown}”." if self._is_known else UNKNOWN_PEOPLE
            people.append(who[0].agent if who else "")
        observers = tuple(dict.fromkeys(one for one in people[1:] if one))
        return Wish(text, self._value("number"), people[0], due_ms, observers)

    def _say(self, sentence: str) -> None:
        shown = line(Run("  "), Run(sentence, "near", "b"), ground="bar") if sentence else BLANK._replace(ground="bar")
        self.query_one("#missing", Painted).show(shown)

    async def on_key(self, event: events.Key) -> None:
        if event.key in ("down", "up"):
            event.stop()
            (self.focus_next if event.key == "down" else self.focus_previous)()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return (Part((Run(f"{self._title} ", "strong", "b"), Run(self._about))),), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("⏎", "keep it"), Key("tab", "next field", 2), Key("esc", "back", 1)), ""


class Finished(NamedTuple):
    note: str
    is_dropped: bool = False


class Finishing(Dialog[Finished | None]):
    """Done, or dropped, with a word about it if one is wanted."""

    is_sent = True
    columns = 70
    rows = 7

    def __init__(self, place: Workplace, what: str) -> None:
        """`what`: the task's text, foreign."""
        super().__init__(place)
        self._what = clean_line(what, 60)

    def content(self) -> ComposeResult:
        yield Entry("note", id="note", placeholder="how it went, if it helps")
        yield Painted(ground="bar")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#note", Input).focus()

    @on(Input.Submitted)
    def _done(self) -> None:
        self.dismiss(Finished(self.query_one("#note", Input).value.strip()))

    async def on_key(self, event: events.Key) -> None:
        if event.key == "f3":
            event.stop()
            self.dismiss(Finished(self.query_one("#note", Input).value.strip(), is_dropped=True))

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return (Part((Run("Done: ", "strong", "b"), Run(self._what))),), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("⏎", "done"), Key("f3", "drop it, not done", 2), Key("esc", "back", 1)), ""
