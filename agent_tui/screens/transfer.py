"""Transfer to a colleague, a queue or whoever has a skill, with what goes along.

The law: it opens at once and can be typed into before anything has arrived; who cannot take it now is found all the same, and
a sentence says what choosing them does. Asking first keeps the case here until they say yes and it is handed over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from agent_tui.begin import begin
from agent_tui.model import target_lines, targets
from agent_tui.model.cells import pad_left
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.packet_lines import Kept
from agent_tui.model.runs import Run, line
from agent_tui.model.target_lines import About
from agent_tui.model.targets import Outlook, Targets
from agent_tui.paint import Hairline, Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens import titles
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.screens.handover import Field, Handing, Ways
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Directory, Handover
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import DirectoryView, HandoverView, Row
from broker_bridge.contract.words import Packet

WIDE = 100
"""Columns from which both sides are in sight."""
TALL = 30
"""Rows from which nothing is crowded."""
FRESH_TICKS = 5
"""Seconds after which it is asked again who is there."""


class Whom(NamedTuple):
    """What was chosen, as `deeds.transfer` takes it."""

    kind: str
    """`agent`, `queue` or `skills`."""
    id: str
    note: str
    skills: tuple[Skill, ...] = ()
    packet: Packet | None = None
    ask_first: bool = False
    seen: int = 0
    """How far the bridge's packet had read; 0 = it had not come."""
    typed: Kept = Kept()
    """What of it was typed, should the bridge refuse."""


class Transferring(Listed[Whom | None]):
    """Left whom, right what goes along; under 100 columns the right side is a page by `tab`."""

    # Before the field sees it: what is typed right after it is for the next field.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "step(1)", show=False, priority=True),
        Binding("shift+tab", "step(-1)", show=False, priority=True),
    ]
    is_typed = True
    is_sent = True
    columns = 98
    rows = 26
    CSS = """
    Transferring .part { height: 1; }
    Transferring Field, Transferring Field:focus { margin: 0; width: 1fr; }
    Transferring #say { height: 1fr; }
    """

    def __init__(
        self,
        place: Workplace,
        row: Row,
        *,
        kept: Kept | None = None,
        keep: Callable[[Kept], None] | None = None,
        is_forced: bool = False,
    ) -> None:
        """`kept`: what was typed the last time; `keep` is told what to keep. `is_forced`: a supervisor gives it to an agent."""
        super().__init__(place)
        self._row = row
        self._kept = kept or Kept()
        self._keep = keep
        self._is_forced = is_forced
        self._known = DirectoryView()
        self._is_known = False
        self._is_asked = False
        self._found = Targets()
        self._ticks = 0

    def content(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="whom"):
                with Horizontal(classes="field"):
                    hint = "name" if self._is_forced else "name, queue or skill"
                    yield field(f"to {self.place.glyphs.prompt} ", id="find", placeholder=hint)
                    count = Painted(ground="bar", id="found")
                    count.styles.width = 12
                    yield count
                yield Painted(ground="bar", id="under")
                yield LineList(ground="bar", id="people")
                yield Painted(ground="bar", id="warned")
            yield Hairline(ground="bar", id="between")
            yield Handing(self.place, self._kept)

    @property
    def _is_narrow(self) -> bool:
        return self.app.size.width < WIDE

    @property
    def _left(self) -> int:
        """Cells of the side where it is chosen whom to ask."""
        return self.cells if self._is_narrow else -(-self.cells * 54 // 100)

    @property
    def handing(self) -> Handing:
        return self.query_one(Handing)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#find", Input).focus()
        self.fill()
        # The list has no cursor before it has cells; an answer may come before that.
        self.call_after_refresh(self.fill)
        begin(self, self._fetch, "directory")
        begin(self, self._fetch_packet, "packet")

    def lay_out(self) -> None:
        super().lay_out()
        # A row between what is chosen and the keys, where rows are not short.
        self.query_one("#dialog-body").styles.padding = (0, 0, int(self.app.size.height >= TALL), 0)
        self.query_one("#whom").styles.width = "1fr" if self._is_narrow else self._left
        self.handing.styles.width = "1fr"
        self.query_one("#between").display = not self._is_narrow
        self.query_one("#warned").display = self._is_narrow
        self.query_one("#between", Hairline).join({}, self.place.glyphs.column)
        self._turn(self._is_on_right())
        under = line(Run("  "), Run(self.place.glyphs.rule * max(0, self._left - 4), "rule"), ground="bar")
        self.query_one("#under", Painted).show(under)
        self.fill()

    def _is_on_right(self) -> bool:
        return self.focused is not None and self.focused in self.handing.stops()

    def _turn(self, to_right: bool) -> None:
        """Under 100 columns one side at a time."""
        self.query_one("#whom").display = not self._is_narrow or not to_right
        self.handing.display = not self._is_narrow or to_right

    def tick(self) -> None:
        """Clocks; and who can take it now."""
        self._ticks += 1
        if self._ticks % FRESH_TICKS == 0 and self.place.is_up:
            begin(self, self._fetch, "directory")
        self.fill()

    def link_changed(self) -> None:
        """Who is there is not sure without a link; when it is back all is asked again."""
        if self.place.is_up:
            begin(self, self._fetch, "directory")
            if not self.handing.is_known:
                begin(self, self._fetch_packet, "packet")
        self.fill()

    async def _fetch(self) -> None:
        answer = await self.place.ask(Directory())
        if isinstance(answer, DirectoryView) and self.is_here:
            self._known, self._is_known = answer, True
        self._is_asked = True
        self.fill()

    async def _fetch_packet(self) -> None:
        answer = await self.place.ask(Handover(conversation=self._row.conv))
        if self.is_here and self.query(Handing):
            self.handing.arrived(answer if isinstance(answer, HandoverView) else None)

    def fill(self, *, is_typed: bool = False) -> None:
        """All that have what was typed; `is_typed`: other words, so the best is chosen again."""
        if not self.is_here or not self.query("#find") or not self.query("#found") or not self.query("#outlook"):
            # Left already, or on the way in or out: its widgets come and go one by one.
            return
        typed = self.query_one("#find", Input).value
        me = self.place.state.me.agent if self.place.state.me is not None else ""
        word = clean_line(self._row.channel)
        found = targets.find(self._known, typed, me, word)
        self._found = Targets(found.agents) if self._is_forced else found
        names = {queue.queue: queue.name for queue in self._known.queues}
        about = About(self._left, word, typed, self._row.viewers, names, self.place.at())
        lines = target_lines.listed(self._found, about)
        count = f"{self._found.total} found" if self._is_known else ""
        self.query_one("#found", Painted).show(line(Run(pad_left(count, 11), "mut"), ground="bar"))
        if not lines:
            lines = [(None, line(Run(f"  {self._why_nobody()}", "mut", "i"), ground="bar"))]
        rev = hash((tuple(lines), self.cells))
        meant = targets.meant(self._found, typed) if is_typed else None
        self.list_of().show(Choices(lines, self.place.glyphs, rev=rev), cursor=meant, from_start=is_typed)
        self._show_target()

    def _why_nobody(self) -> str:
        if self._is_known:
            return "Nobody and no queue or skill has these words."
        if self._is_asked:
            return "Without a link it is not known who is there."
        return f"{self.place.glyphs.waits} asking who is there"

    def _show_target(self) -> None:
        """Everything that depends on whom the cursor is on."""
        target, outlook = self._target(), self._outlook()
        only = ""
        if self._is_forced:
            only = "without asking"
        elif target is not None and target[0] != "agent":
            only = "it leaves you at once"
        elif self._row.state not in ("mine", "consult"):
            only = "no talk before"
        self.handing.ways.offer(only)
        right = self.cells if self._is_narrow else self.cells - self._left - 1
        self.handing.show_target(self._first(), outlook.sentence, right)
        words = outlook.sentence if self._is_narrow else ""
        self.query_one("#warned", Painted).show(line(Run("  "), Run(words, "near"), ground="bar"))
        self.show_title()

    def _target(self) -> tuple[str, str] | None:
        key = self.list_of().cursor
        return (str(key[0]), str(key[1])) if isinstance(key, tuple) else None

    def _called(self) -> str:
        """Of the target, as it is called."""
        target = self._target()
        known = {("agent", one.agent): one.name for one in self._found.agents}
        known |= {("queue", one.queue): one.name for one in self._found.queues}
        return clean_line(known.get(target, target[1]), 60) if target is not None else ""

    def _first(self) -> str:
        """An agent's first name; else the whole name."""
        target = self._target()
        return self._called().split(" ")[0] if target is not None and target[0] == "agent" else self._called()

    def _outlook(self) -> Outlook:
        target = self._target()
        if target is None:
            return Outlook("")
        if self._is_forced:
            return targets.GIVEN
        word = clean_line(self._row.channel)
        return targets.outlook_of(self._found, target, word, self.place.now_ms(), self.place.tz)

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return titles.about("Assign" if self._is_forced else "Transfer", self._row, self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        is_asking = bool(self.query(Ways)) and not self.handing.ways.is_hand_over
        name = self._first()
        verb = "assign" if self._is_forced else "ask" if is_asking else "hand over"
        target = self._target()
        is_named = target is not None and target[0] == "agent" and (is_asking or self._is_forced)
        keys = [Key("tab", "next field", 3)]
        if target is not None:
            keys.insert(0, Key("⏎", f"{verb} {name}" if is_named else verb))
        if target is not None and is_asking:
            keys.append(Key("^b", "hand over", 2))
        return (*keys, Key("esc", "back", 1)), self._outlook().hint

    @on(LineList.Moved)
    @on(Ways.Chosen)
    def _moved(self) -> None:
        self._show_target()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.fill(is_typed=True)

    @on(Input.Submitted)
    @on(LineList.Picked)
    @on(Field.Given)
    def _submitted(self) -> None:
        self._give()

    async def on_key(self, event: events.Key) -> None:
        if event.key == "ctrl+b":
            event.stop()
            self._give(is_hand_over=True)
        elif event.key == "alt+enter" or (event.key == "enter" and isinstance(self.focused, Ways)):
            event.stop()
            self._give()

    def takes_arrows(self) -> bool:
        return super().takes_arrows() and not self._is_on_right()

    def action_step(self, by: int) -> None:
        """To the next field; under 100 columns that turns the page."""
        stops = [self.query_one("#find"), *self.handing.stops()]
        place = stops.index(self.focused) if self.focused in stops else 0
        stop = stops[(place + by) % len(stops)]
        self._turn(stop is not stops[0])
        self.set_focus(stop)
        self.handing.call_after_refresh(self.handing.fit)

    def _give(self, *, is_hand_over: bool = False) -> None:
        target = self._target()
        if target is None:
            return
        skills = next((one.skills for one in self._found.skills if ("skills", one.words) == target), ())
        ask_first = not is_hand_over and not self.handing.ways.is_hand_over
        handing = self.handing
        whom = Whom(*target, handing.note, skills, handing.packet(), ask_first, handing.seen, handing.kept())
        if self._keep is not None:
            self._keep(Kept())
        self.dismiss(whom)

    def action_leave(self) -> None:
        """Nothing is given away; what was typed is kept."""
        if self._keep is not None:
            self._keep(self.handing.kept())
        super().action_leave()
