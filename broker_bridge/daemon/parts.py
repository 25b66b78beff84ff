"""The parts of one bridge, put together: here and nowhere else, for a real bridge, a simulated one, and tests of races.

Law: what differs between them comes in from outside (broker, disk, clocks, dice, channels, what the configuration says); what they are made
into does not. Nobody listens to the log before it was read to its head. A new part is made in `Parts` and gets one line in `_crew`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from broker_bridge.contract import codec
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId
from broker_bridge.core import notices, whereabouts
from broker_bridge.core.actor import House, Place
from broker_bridge.core.inbound import Source
from broker_bridge.core.state import Conversation
from broker_bridge.core.thread import Named
from broker_bridge.daemon.acting import Acting
from broker_bridge.daemon.alerts import Alerts
from broker_bridge.daemon.attendance import Attendance
from broker_bridge.daemon.attention import Attention
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.beginnings import Beginnings
from broker_bridge.daemon.choice import Chooser
from broker_bridge.daemon.clerk import Clerk
from broker_bridge.daemon.desk import Desk
from broker_bridge.daemon.dispatch import Dispatch, Route
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.duties import Duties
from broker_bridge.daemon.files import Files
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import Follower, Listener
from broker_bridge.daemon.handback import Handback
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.offers import Offers
from broker_bridge.daemon.outlets import Outlet
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.pen import Pen
from broker_bridge.daemon.presence import Presences
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.router import Router
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.service import Service
from broker_bridge.daemon.shifts import Shifts
from broker_bridge.daemon.signals import Signals
from broker_bridge.daemon.spares import Spares
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import AGENT, States
from broker_bridge.daemon.timekeeper import Timekeeper
from broker_bridge.daemon.todo import Todo
from broker_bridge.daemon.verbs import Verbs
from broker_bridge.daemon.whys import Whys
from broker_bridge.daemon.wire import BusError, Unknown
from broker_bridge.daemon.wire import Entry as KeyEntry

log = logging.getLogger(__name__)

BUCKETS = ("leases", "home", "presence", "drafts", "keys")
CATCH_UP_S = 60.0
"""The longest that one group of entries may take."""
FAREWELL_S = 15.0
"""The longest that an end in order may take."""
BUSY = codec.encode(
    Refusal(code="busy", sentence="The bridge has too much to do. It is tried again.", is_retryable=True)
)
BROKEN = codec.encode(
    Refusal(code="broken", sentence="The bridge failed on this request. The operator finds it in the log.")
)


async def open_buckets(bus: Verbs) -> dict[str, Kv]:
    """The buckets of keys that a bridge needs, by name. Raises BusError."""
    return {name: await bus.kv(name) for name in BUCKETS}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A part's place in the bridge's life."""

    name: str
    load: Callable[[], None] | None = None
    """Called once when the log was read to its head."""
    noticed: Listener | None = None
    """Told of each group that was applied from then on; takes note only."""
    run: Callable[[], Coroutine[Any, Any, None]] | None = None
    """Its work until cancelled."""


class Parts:
    """Everything of one bridge between its broker and its channels: make, `catch_up`, `start`, and `drain` at the end."""

    def __init__(self, outside: Outside, terms: Terms, make_lines: Callable[[Parts], Lines]) -> None:
        """`make_lines` is called once, when what channels need is there: model, states, writer, files, intake."""
        self.outside = outside
        self.terms = terms
        self.bus = outside.bus
        self.model = outside.model
        self._homes: dict[str, int] = {}
        """Revision at which each agent's home became this bridge: what the watch tells of earlier moves is history."""
        self._make_ground()
        self.lines = make_lines(self)
        self._words = {kind: self.lines.routes[name].capabilities.word for name, kind in self.lines.kinds.items()}
        self.follower = Follower(
            self.model, self.states, outside.sealer, Named(agent=self._name_in_log, word=self._word)
        )
        self._max_chars = {name: route.capabilities.max_chars for name, route in self.lines.routes.items()}
        self._make_desk()
        self._make_workers()

    def new_id(self) -> str:
        return self.outside.mint.new(self.outside.now_ms())

    # making

    def _make_ground(self) -> None:
        out = self.outside
        self.states = States(self.model, out.sealer, self.bus)
        self.writer = LogWriter(self.bus, self.states, out.sealer, out.clock, out.sleep)
        presences = Presences(out.buckets["presence"], out.now_ms, out.sleep)
        self.staff = Staff(self.states, self.model, presences, out.now_ms)
        self.rulebook = Rulebook(self.states, self.model, self.terms.rules, self.terms.desk)
        self.floor = Floor(self.rulebook, self.staff)
        self.pen = Pen(self.writer, self.floor, out.now_ms, self.staff.room, out.count)
        self.shifts = Shifts(self.writer, out.now_ms)
        self.attention = Attention(out.now_ms)
        self.audit = Audit(self.bus, out.boot, out.now_ms)
        self.files = Files(self.bus, out.sealer)
        self.intake = Intake(self.bus, out.sealer, out.handle_key, out.clock, out.sleep)

    def _make_desk(self) -> None:
        out = self.outside
        self.drafts = Drafts(out.buckets["drafts"], out.sealer)
        self.reading = Reading(
            states=self.states,
            model=self.model,
            staff=self.staff,
            attention=self.attention,
            outlets={name: self._outlet(name, route) for name, route in self.lines.routes.items()},
            rulebook=self.rulebook,
            floor=self.floor,
            words=self._words,
            is_up=self.is_up,
            now_ms=out.now_ms,
        )
        self.alerts = Alerts(
            model=self.model,
            reading=self.reading,
            staff=self.staff,
            floor=self.floor,
            rulebook=self.rulebook,
            now_ms=out.now_ms,
            jump_ms=out.jump_ms,
        )
        self.reading.figures.alerts = self.alerts.of
        self.home = Home(
            reading=self.reading,
            attention=self.attention,
            actor=self.staff.actor,
            tell=self.bus.tell,
            position=lambda: self.follower.position,
            now_ms=out.now_ms,
            clock=out.clock,
            sleep=out.sleep,
            told=self._notices,
        )
        self.acting = Acting(
            writer=self.writer,
            states=self.states,
            model=self.model,
            follower=self.follower,
            floor=self.floor,
            pen=self.pen,
            drafts=self.drafts,
            house=self.house,
            now_ms=out.now_ms,
        )
        self.todo = Todo(
            model=self.model, reading=self.reading, staff=self.staff, drafts=self.drafts, told=self._notices
        )
        attendance = Attendance(
            staff=self.staff,
            shifts=self.shifts,
            rulebook=self.rulebook,
            follower=self.follower,
            home=self.home,
            audit=self.audit,
            now_ms=out.now_ms,
        )
        self.desk = Desk(
            acting=self.acting,
            attendance=attendance,
            rulebook=self.rulebook,
            follower=self.follower,
            model=self.model,
            reading=self.reading,
            staff=self.staff,
            home=self.home,
            drafts=self.drafts,
            files=self.files,
            todo=self.todo,
            why=lambda conversation, actor: self.whys.of(conversation, actor),
            audit=self.audit,
            tell=self.bus.tell,
            move_home=self._move_home,
            bridge=out.boot,
            chat_url=self.lines.chat_url,
            new_id=self.new_id,
            now_ms=out.now_ms,
        )

    def _make_workers(self) -> None:
        out, terms, lines = self.outside, self.terms, self.lines
        self.router = self._make_router()
        self.spares = Spares(out.sealer, self.new_id, out.sleep)
        beginnings = Beginnings(
            writer=self.writer,
            states=self.states,
            spares=self.spares,
            offers=self.offers,
            chooser=self.chooser,
            floor=self.floor,
            pen=self.pen,
            sources=lines.sources,
            fallback=Source(queue=next(iter(terms.rules), "inbox"), reply_within_s=None),
            policy=lambda: self.rulebook.policy,
            new_id=self.new_id,
            now_ms=out.now_ms,
        )
        self.clerk = Clerk(
            bus=self.bus,
            writer=self.writer,
            states=self.states,
            sealer=out.sealer,
            model=self.model,
            beginnings=beginnings,
            read_all_written=lambda: self.duties.read_all_written(),
            now_ms=out.now_ms,
            sleep=out.sleep,
            policy=lambda: self.rulebook.policy,
            ours=frozenset(one.lower() for route in lines.routes.values() for one in _own_addresses(route)),
        )
        self.dispatch = Dispatch(
            routes=lines.routes,
            writer=self.writer,
            states=self.states,
            model=self.model,
            name_of=self.staff.name_of,
            boot=out.boot,
            now_ms=out.now_ms,
            sleep=out.sleep,
            random=out.random,
            dead=terms.dead,
            is_gone=lambda name: self.router.is_leader and not terms.is_configured(name),
        )
        self.duties = Duties(
            bus=self.bus,
            bucket=out.buckets["leases"],
            boot=out.boot,
            clerk=self.clerk,
            follower=self.follower,
            dispatch=self.dispatch,
            router=self.router,
            channels=lines.running,
            timing=terms.timing,
            clock=out.clock,
            partitions=terms.lanes,
        )
        self.signals = Signals(
            routes=lines.routes, home=self.home, attention=self.attention, reading=self.reading, staff=self.staff
        )

    def _make_router(self) -> Router:
        out = self.outside
        self.chooser = Chooser(states=self.states, model=self.model, floor=self.floor, rulebook=self.rulebook)
        self.offers = Offers(
            pen=self.pen,
            states=self.states,
            chooser=self.chooser,
            floor=self.floor,
            rulebook=self.rulebook,
            is_leader=lambda: self.router.is_leader,
            offers_at_all=self.terms.offers_at_all,
            now_ms=out.now_ms,
        )
        self.whys = Whys(
            out,
            states=self.states,
            staff=self.staff,
            rulebook=self.rulebook,
            floor=self.floor,
            chooser=self.chooser,
            reading=self.reading,
            offers_at_all=self.terms.offers_at_all,
        )
        timekeeper = Timekeeper(
            pen=self.pen,
            floor=self.floor,
            staff=self.staff,
            rulebook=self.rulebook,
            house=self.house,
            now_ms=out.now_ms,
        )
        handback = Handback(
            staff=self.staff,
            floor=self.floor,
            rulebook=self.rulebook,
            shifts=self.shifts,
            model=self.model,
            now_ms=out.now_ms,
            clock=out.clock,
        )
        return Router(
            pen=self.pen,
            offers=self.offers,
            timekeeper=timekeeper,
            handback=handback,
            floor=self.floor,
            staff=self.staff,
            shifts=self.shifts,
            now_ms=out.now_ms,
            sleep=out.sleep,
            clock=out.clock,
        )

    def _crew(self) -> tuple[Member, ...]:
        """Who loads, listens and works, in the order in which they do."""
        return (
            Member(name="log writer", run=self.writer.run),
            Member(name="intake", run=self.intake.run),
            Member(name="spares", run=self.spares.run),
            Member(name="follower", run=lambda: self.follower.run(self._reader)),
            Member(name="staff", load=self.staff.load, noticed=self.staff.noticed),
            Member(name="rulebook", load=self.rulebook.load, noticed=self.rulebook.noticed),
            Member(name="floor", load=lambda: self.floor.load_all(self.model, self.states), noticed=self.floor.noticed),
            Member(name="alerts", load=self.alerts.load, noticed=self.alerts.noticed),
            Member(name="dispatch", noticed=self.dispatch.noticed, run=self.dispatch.run),
            Member(name="router", noticed=self.router.noticed, run=self.router.run),
            Member(name="home", noticed=self.home.noticed, run=self.home.run),
            Member(name="signals", run=self.signals.run),
            Member(name="presence", run=self._watch_presence),
            Member(name="choices", run=self.staff.presences.run),
            Member(name="homes", run=self._watch_homes),
        )

    # what the parts ask of each other

    def _outlet(self, name: str, route: Route) -> Outlet:
        return Outlet(
            name=name,
            kind=self.lines.kinds[name],
            capabilities=route.capabilities,
            own_addresses=_own_addresses(route),
        )

    def _notices(self, entry: Entry, state: Conversation) -> tuple[notices.Addressed, ...]:
        return notices.told(entry, state, self.staff.name_of, self.rulebook.policy)

    def _name_in_log(self, agent: str) -> str:
        """An agent's name as of the entry being applied: the same whether the log is followed or read anew."""
        return self.states.cell(AGENT, agent).state.name or agent

    def _word(self, kind: str) -> str:
        """A channel kind's word of four letters."""
        return self._words.get(kind, kind[:4])

    def is_up(self, channel: str) -> bool:
        """Whether a channel can send, as far as this bridge knows."""
        found = self.lines.running.get(channel)
        return found is not None and (found.is_up or not self.duties.is_listening(channel))

    def house(self) -> House:
        """What decisions need to know of the house now."""
        return House(
            names=self.staff.names,
            queues=self.rulebook.queues,
            channels=self.lines.kinds,
            max_chars=self._max_chars,
            policy=self.rulebook.policy,
            place=self._place,
        )

    def _place(self, agent: AgentId) -> Place:
        presence = self.staff.presences.of(agent)
        state = "wrap_up" if self.floor.wrapping(agent) and presence.state in ("ready", "busy") else presence.state
        return Place(
            state=state,
            words=whereabouts.words(
                state, presence.reason, presence.until_ms, self.rulebook.policy, self.outside.now_ms()
            ),
            load=self.floor.load(agent),
            units=self.staff.room(agent),
        )

    # running

    async def catch_up(self, progress: Callable[[str], None] = lambda text: None) -> None:
        """Apply the log up to its head; from then on everybody hears of what is new. Raises BusError."""
        self._reader = await self.bus.follow("LOG", self.follower.position + 1)
        behind = self._reader.pending
        if behind:
            progress(f"reading {behind:,} entries of the log")
        while self._reader.pending:
            try:
                # For each group, not for all: a large site reads for longer, and gets there.
                async with asyncio.timeout(CATCH_UP_S):
                    await self.follower.apply(list(await self._reader.some()))
            except TimeoutError:
                raise Unknown(f"the log could not be read on within {CATCH_UP_S:g} s") from None
        # Before anybody leads: to a leader who knows of nobody, everybody is away.
        for entry in await self.outside.buckets["presence"].entries():
            self.staff.presences.told(entry.key, entry.value, entry.revision)
        crew = self._crew()
        for member in crew:
            if member.load is not None:
                member.load()
        for member in crew:
            if member.noticed is not None:
                self.follower.listen(member.noticed)

    async def start(self, crew: asyncio.TaskGroup) -> None:
        """Everybody works, agents are heard, leases are taken. Raises BusError."""
        for member in self._crew():
            if member.run is not None:
                crew.create_task(member.run(), name=member.name)
        await self.bus.listen("cc.sig.>", self.signals.heard)
        self._service: Service = await self.bus.serve(
            "cc.do.>", "bridges", self.desk.handle, workers=self.terms.workers, busy=BUSY, broken=BROKEN
        )
        self.duties.start(crew)

    async def drain(self, farewell: Callable[[], Awaitable[None]] | None = None) -> None:
        """Hear nothing more, finish what is under way, give leases back, then `farewell`; in a bounded time."""
        self.dispatch.is_draining = True
        self.intake.is_refusing = True
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self.duties.stop_renewing()
                await self._service.close()
                await self.duties.close()
                await self.dispatch.idle()
                if farewell is not None:
                    await farewell()
        except (TimeoutError, BusError) as error:
            self.outside.count("stopped without all farewells")
            log.warning("stopped without all farewells", extra={"error": type(error).__name__})

    async def _move_home(self, agent: str) -> None:
        try:
            self._homes[agent] = await self.outside.buckets["home"].put(f"home.{agent}", self.outside.boot.encode())
        except BusError as error:
            self.outside.count("home not told")
            log.warning("home not told", extra={"agent": agent, "error": type(error).__name__})

    async def _watch_homes(self) -> None:
        async for entry in self.outside.buckets["home"].watch("home."):
            agent = entry.key.removeprefix("home.")
            is_news = entry.revision > self._homes.get(agent, 0)
            if is_news and entry.value is not None and entry.value.decode() != self.outside.boot:
                self.home.close(agent)

    async def _watch_presence(self) -> None:
        async for entry in self.outside.buckets["presence"].watch(""):
            self.presence_came(entry)

    def presence_came(self, entry: KeyEntry) -> None:
        """The bucket has a word of somebody."""
        self.staff.presences.told(entry.key, entry.value, entry.revision)
        if entry.value is not None and self.staff.presences.of(entry.key).state != "silent":
            # Any bridge may have heard the terminal: it is at home here none the less.
            self.home.heard(entry.key)
        self.home.counted(entry.key)


def _own_addresses(route: Route) -> tuple[str, ...]:
    """The site's own addresses of a channel that has some."""
    return tuple(getattr(route.channel, "own_addresses", ()))
