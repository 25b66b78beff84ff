"""Transfer to a colleague or a queue, with a note that goes along.

The law: it stays yours until somebody accepts; the list shows who can take it now, who has room, who is away.
"""

from __future__ import annotations

from typing import NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, TextArea

from agent_tui.model import clock
from agent_tui.model.cells import cut, fit, pad_left
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.paint import Hairline, Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens import titles
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Directory
from broker_bridge.contract.views import Colleague, DirectoryView, QueueView, Row

ORDER = {"ready": 0, "silent": 1, "away": 2, "off": 3}


class Whom(NamedTuple):
    kind: str
    """`agent` or `queue`."""
    id: str
    note: str


class Transferring(Listed[Whom | None]):
    """Left whom, right what is said to them; under 100 columns the right side is a page by `tab`."""

    is_typed = True
    columns = 98
    rows = 25

    def __init__(self, place: Workplace, row: Row) -> None:
        super().__init__(place)
        self._row = row
        self._known = DirectoryView()
        self._is_known = False
        self._is_asked = False
        self._count = 0

    def content(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="whom"):
                with Horizontal(classes="field"):
                    yield field(f"to {self.place.glyphs.prompt} ", id="find", placeholder="name or queue")
                    count = Painted(ground="bar", id="found")
                    count.styles.width = 10
                    yield count
                yield Painted(ground="bar", id="under")
                yield LineList(ground="bar", id="people")
            yield Hairline(ground="bar", id="between")
            with Vertical(id="say"):
                yield Painted(ground="bar", id="along")
                words = TextArea(
                    id="words", soft_wrap=True, tab_behavior="focus", compact=True, highlight_cursor_line=False
                )
                words.cursor_blink = False
                yield words

    @property
    def _left(self) -> int:
        """Cells of the side where it is chosen whom to ask."""
        return self.cells if self.app.size.width < 100 else self.cells * 54 // 100

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#find", Input).focus()
        self.fill()
        self.run_worker(self._fetch(), exclusive=True)

    def lay_out(self) -> None:
        super().lay_out()
        narrow = self.app.size.width < 100
        whom, say = self.query_one("#whom"), self.query_one("#say")
        whom.styles.width = "1fr" if narrow else self._left
        say.styles.width = "1fr"
        self.query_one("#between").display = not narrow
        self._turn(narrow and isinstance(self.focused, TextArea))
        under = line(Run("  "), Run(self.place.glyphs.rule * max(0, self._left - 4), "rule"), ground="bar")
        self.query_one("#under", Painted).show(under)
        self._show_along()

    def _turn(self, to_words: bool) -> None:
        """Under 100 columns one side at a time."""
        narrow = self.app.size.width < 100
        self.query_one("#whom").display = not narrow or not to_words
        self.query_one("#say").display = not narrow or to_words

    async def _fetch(self) -> None:
        answer = await self.place.ask(Directory())
        if isinstance(answer, DirectoryView) and self.is_here:
            self._known, self._is_known = answer, True
        self._is_asked = True
        self.fill()

    def fill(self) -> None:
        """The people and queues that have what was typed in their names."""
        if not self.is_here or not self.query("#find") or not self.query("#found"):
            # Left already, or on the way out: its widgets go one by one.
            return
        typed = self.query_one("#find", Input).value.casefold().strip()
        me = self.place.state.me.agent if self.place.state.me is not None else ""
        names = {queue.queue: queue.name for queue in self._known.queues}
        people = sorted(
            (one for one in self._known.agents if one.agent != me and one.state != "off" and _has(typed, one, names)),
            key=lambda one: (ORDER.get(one.state, 4), one.load / max(1, one.capacity), one.name),
        )
        queues = [one for one in self._known.queues if typed in one.name.casefold()]
        lines: list[tuple[tuple[str, str] | None, Line]] = []
        if people:
            lines.append((None, _title("agents")))
            lines.extend((("agent", one.agent), self._person(one, names)) for one in people)
        if queues:
            lines.extend([(None, BLANK._replace(ground="bar"))] if lines else [])
            lines.append((None, _title("queues")))
            lines.extend((("queue", one.queue), self._queue(one)) for one in queues)
        self._count = len(people) + len(queues)
        count = f"{self._count} found" if self._is_known else ""
        self.query_one("#found", Painted).show(line(Run(pad_left(count, 8), "mut"), ground="bar"))
        if not lines:
            lines = [(None, line(Run(f"  {self._why_nobody()}", "mut", "i"), ground="bar"))]
        rev = hash((tuple(people), tuple(queues), self.cells, self._is_asked, self.place.now_ms() // 1000))
        self.list_of().show(Choices(lines, self.place.glyphs, rev=rev))
        self.show_title()
        self._show_along()

    def _why_nobody(self) -> str:
        if self._is_known:
            return "Nobody has this name or works for such a queue."
        if self._is_asked:
            return "Without a link it is not known who is there."
        return f"{self.place.glyphs.waits} asking who is there"

    def _person(self, one: Colleague, names: dict[str, str]) -> Line:
        glyphs = self.place.glyphs
        sign, role = {"ready": (glyphs.ready, "ok"), "silent": (glyphs.waits, "near"), "away": (glyphs.no, "mut")}.get(
            one.state, (glyphs.off, "mut")
        )
        state = one.reason or one.state
        load = f"{glyphs.load(min(one.load, 8), min(one.capacity, 8))} {one.load}/{one.capacity}"
        queues = ", ".join(clean_line(names.get(queue, queue)) for queue in one.queues)
        return line(
            Run(" "),
            Run(sign, role),
            Run(" "),
            Run(fit(clean_line(one.name), 18) + " ", "strong" if one.state == "ready" else "mut"),
            Run(fit(clean_line(state), 9) + " ", "mut"),
            Run(fit(load, 9 if one.capacity < 5 else 13) + " "),
            Run(cut(queues, max(0, self._left - 44 - (0 if one.capacity < 5 else 4)), glyphs.dots), "mut"),
            ground="bar",
        )

    def _queue(self, one: QueueView) -> Line:
        glyphs, now_ms = self.place.glyphs, self.place.now_ms()
        oldest = clock.minutes(now_ms - one.oldest_ms) if one.oldest_ms is not None else "0:00"
        level = f"SL {round(one.service_level * 100)} %" if one.service_level is not None else ""
        return line(
            Run(f" {glyphs.queue} "),
            Run(fit(clean_line(one.name), max(10, min(24, self._left - 37)), glyphs.dots) + " "),
            Run(fit(f"{one.waiting} wait", 9) + " ", "mut"),
            Run(glyphs.sparkline(tuple(float(n) for n in one.arrivals[-5:])) + " "),
            Run(pad_left(oldest, 5) + " "),
            Run(cut(level, max(0, self._left - 44), glyphs.dots), "mut"),
            ground="bar",
        )

    def _show_along(self) -> None:
        row = self._row
        first = f"Say to {self._whom().split(' ')[0]}" if self._whom() else "A note"
        facts = [("from", clean_line(row.name)), ("channel", clean_line(row.channel)), ("last", clean_line(row.text))]
        width = max(10, (self.cells - self._left if self.app.size.width >= 100 else self.cells) - 14)
        along = [line(Run("  "), Run("Goes along", "mut", "b"), ground="bar")]
        along += [
            line(Run("  "), Run(fit(label, 9), "mut"), Run(fit(value, width)), ground="bar")
            for label, value in facts
            if value
        ]
        along += [BLANK._replace(ground="bar"), line(Run("  "), Run(first, "mut", "b"), ground="bar")]
        shown = self.query_one("#along", Painted)
        shown.styles.height = len(along)
        shown.show(*along)

    def _whom(self) -> str:
        key = self.list_of().cursor
        if not isinstance(key, tuple):
            return ""
        people = {("agent", one.agent): one.name for one in self._known.agents}
        queues = {("queue", one.queue): one.name for one in self._known.queues}
        return clean_line((people | queues).get((str(key[0]), str(key[1])), ""))

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return titles.about("Transfer", self._row, self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        name = self._whom().split(" ")[0]
        return (
            Key("⏎", f"ask {name}" if name else "ask"),
            Key("tab", "next field", 2),
            Key("esc", "back", 1),
        ), self._hint()

    def _hint(self) -> str:
        key = self.list_of().cursor
        return "stays yours until accepted" if isinstance(key, tuple) and key[0] == "agent" else "leaves you at once"

    @on(LineList.Moved)
    def _moved(self) -> None:
        self.show_title()
        self._show_along()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.fill()

    @on(Input.Submitted)
    @on(LineList.Picked)
    def _submitted(self) -> None:
        self._give()

    async def on_key(self, event: events.Key) -> None:
        if event.key == "alt+enter" or (event.key == "ctrl+n" and isinstance(self.focused, TextArea)):
            event.stop()
            self._give()
            return
        if event.key == "tab" and self.app.size.width < 100:
            event.stop()
            event.prevent_default()
            to_words = not isinstance(self.focused, TextArea)
            self._turn(to_words)
            (self.query_one("#words") if to_words else self.query_one("#find")).focus()
            return
        if not isinstance(self.focused, TextArea):
            await super().on_key(event)

    def _give(self) -> None:
        key = self.list_of().cursor
        if isinstance(key, tuple):
            self.dismiss(Whom(str(key[0]), str(key[1]), self.query_one("#words", TextArea).text.strip()))


def _has(typed: str, one: Colleague, names: dict[str, str]) -> bool:
    words = [one.name, *(names.get(queue, queue) for queue in one.queues)]
    return any(typed in word.casefold() for word in words)


def _title(words: str) -> Line:
    return line(Run("   "), Run(words, "mut", "b"), ground="bar")
