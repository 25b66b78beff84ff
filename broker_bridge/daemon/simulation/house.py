"""One simulated bridge: every part is the daemon's own, put together as bridge.py does it, over the broker in memory.

Law: nothing here decides anything. What a real bridge keeps on its disk (the read model) is handed to the next run, or lost with it.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from broker_bridge.contract import ids
from broker_bridge.contract.codec import encode
from broker_bridge.contract.commands import Refusal
from broker_bridge.core.inbound import Source
from broker_bridge.core.thread import Named
from broker_bridge.core.wishes import House as Rules
from broker_bridge.daemon.attention import Attention
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.clerk import Clerk
from broker_bridge.daemon.desk import Desk
from broker_bridge.daemon.dispatch import Dispatch, Route
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.duties import Duties
from broker_bridge.daemon.files import Files
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.lease import LeaseTiming
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.outlets import Outlet, Queue
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.router import Router
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.signals import Signals
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.loop import Process
from broker_bridge.daemon.simulation.provider import CHANNELS, Door, SimChannel
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import States
from broker_bridge.daemon.supervise import Supervised
from broker_bridge.daemon.wire import BusError

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

SITE_KEY = b"one key for all simulated sites."
HANDLE_KEY = derive(SITE_KEY, "handles")
QUEUES = ("help", "sales")
QUEUE_OF = {"plain": "help", "sure": "sales"}
DISPOSITIONS = ("solved", "spam")
LANES = 3
OFFER_TIMEOUT_S = 4
SILENT_GRACE_S = 3
TIMING = LeaseTiming(life_s=6.0, renew_s=2.0, stop_s=4.0, check_s=1.0)
EPOCH_MS = 1_795_000_000_000
NAMED = Named(agent=str.title, word=lambda kind: kind[:4])
BUSY = encode(Refusal(code="busy", sentence="Too much to do.", is_retryable=True))
BROKEN = encode(Refusal(code="broken", sentence="The bridge failed on this request."))


class Stopped(Exception):
    """Ends the crew of a bridge that was asked to stop."""


class House:
    """One run of one bridge."""

    def __init__(self, world: World, name: str, run: int, model: ReadModel) -> None:
        self.world = world
        self.name = name
        self.boot = f"{name}r{run}"
        self.process = Process(self.boot)
        self.bus = FakeBus(world.sky, self.process)
        self.process.on_death = self.bus.end
        self.model = model
        self.is_ready = False
        self.random = Random(world.random.random())
        self._mint = ids.Mint(world.next_number(), world.next_number())
        self._stop_wanted = asyncio.Event()

    def now_ms(self) -> int:
        return EPOCH_MS + int((self.world.loop.now + self.world.clocks.get(self.name, 0.0)) * 1000)

    def clock(self) -> float:
        return self.world.loop.now

    def new_id(self) -> str:
        return self._mint.new(self.now_ms())

    def stop(self) -> None:
        """End in order."""
        self._stop_wanted.set()

    async def run(self) -> None:
        """Live until stopped. Raises BusError: no broker; the service manager starts it again."""
        await self._open()
        try:
            async with asyncio.TaskGroup() as crew:
                await self._work(crew)
                await self._stop_wanted.wait()
                await self._drain()
                raise Stopped
        except* Stopped:
            pass

    async def _open(self) -> None:
        bus = self.bus
        self.buckets = {name: await bus.kv(name) for name in ("leases", "home", "presence", "drafts", "keys")}
        self.model.begin_with(await bus.stream_created("LOG"))
        self.sealer = Sealer(SITE_KEY, self.buckets["keys"])
        self.states = States(self.model, self.sealer, bus)
        self.writer = LogWriter(bus, self.states, self.sealer, self.clock, asyncio.sleep)
        self.staff = Staff(self.states, self.model, self.buckets["presence"], self.now_ms)
        self.attention = Attention(self.now_ms)
        self.audit = Audit(bus, self.boot, self.now_ms)
        self.files = Files(bus, self.sealer)
        self.intake = Intake(bus, self.sealer, HANDLE_KEY, self.clock, asyncio.sleep)
        self._make_channels()
        self.follower = Follower(self.model, self.states, self.sealer, NAMED)
        self.reader = await bus.follow("LOG", self.follower.position + 1)
        while self.reader.pending:
            await self.follower.apply(list(await self.reader.some()))
        self.staff.load()
        self._make_desk()
        self._make_workers()

    def _make_channels(self) -> None:
        self.routes: dict[str, Route] = {}
        self.channels: dict[str, Supervised] = {}
        for name, can in CHANNELS.items():
            door = Door(name, self.process, self.intake, self.now_ms)
            channel = SimChannel(name, self.world.providers[name], door, self.world.doors)
            self.routes[name] = Route(channel, can)
            self.channels[name] = Supervised(channel, self.clock, asyncio.sleep, self.random.random)

    def rules(self) -> Rules:
        return Rules(
            names={name: one.name or name for name, one in self.staff.active.items()},
            queues=QUEUES,
            channels={name: name for name in CHANNELS},
            dispositions=DISPOSITIONS,
        )

    def _make_desk(self) -> None:
        self.reading = Reading(
            states=self.states,
            model=self.model,
            staff=self.staff,
            attention=self.attention,
            outlets={name: Outlet(name=name, kind=name, capabilities=can) for name, can in CHANNELS.items()},
            queues=[Queue(name=name, title=name.title()) for name in QUEUES],
            words={name: can.word for name, can in CHANNELS.items()},
            dispositions=DISPOSITIONS,
            is_up=lambda _: True,
            now_ms=self.now_ms,
        )
        self.home = Home(
            reading=self.reading,
            attention=self.attention,
            actor=self.staff.actor,
            tell=self.bus.tell,
            position=lambda: self.follower.position,
            now_ms=self.now_ms,
            clock=self.clock,
            sleep=asyncio.sleep,
        )
        self._homes: dict[str, int] = {}
        self.desk = Desk(
            writer=self.writer,
            follower=self.follower,
            model=self.model,
            reading=self.reading,
            staff=self.staff,
            home=self.home,
            drafts=Drafts(self.buckets["drafts"], self.sealer),
            files=self.files,
            audit=self.audit,
            house=self.rules,
            tell=self.bus.tell,
            move_home=self._move_home,
            bridge=self.boot,
            chat_url="",
            new_id=self.new_id,
            now_ms=self.now_ms,
        )

    def _make_workers(self) -> None:
        self.clerk = Clerk(
            bus=self.bus,
            writer=self.writer,
            states=self.states,
            sealer=self.sealer,
            model=self.model,
            sources={name: Source(queue=QUEUE_OF[name], reply_within_s=60) for name in CHANNELS},
            fallback=Source(queue=QUEUES[0], reply_within_s=None),
            new_id=self.new_id,
            now_ms=self.now_ms,
            sleep=asyncio.sleep,
        )
        self.floor = Floor()
        self.floor.load_all(self.model, self.states)
        self.router = Router(
            writer=self.writer,
            states=self.states,
            model=self.model,
            staff=self.staff,
            floor=self.floor,
            offer_timeout_s=OFFER_TIMEOUT_S,
            silent_grace_s=SILENT_GRACE_S,
            now_ms=self.now_ms,
            sleep=asyncio.sleep,
            clock=self.clock,
        )
        self.dispatch = Dispatch(
            routes=self.routes,
            writer=self.writer,
            states=self.states,
            model=self.model,
            name_of=self.staff.name_of,
            boot=self.boot,
            now_ms=self.now_ms,
            sleep=asyncio.sleep,
            random=self.random.random,
        )
        self.duties = Duties(
            bus=self.bus,
            bucket=self.buckets["leases"],
            boot=self.boot,
            clerk=self.clerk,
            follower=self.follower,
            dispatch=self.dispatch,
            router=self.router,
            channels=self.channels,
            timing=TIMING,
            clock=self.clock,
            partitions=range(LANES),
        )
        self.signals = Signals(
            routes=self.routes, home=self.home, attention=self.attention, reading=self.reading, staff=self.staff
        )
        for listener in (
            self.staff.noticed,
            self.floor.noticed,
            self.dispatch.noticed,
            self.router.noticed,
            self.home.noticed,
        ):
            self.follower.listen(listener)

    async def _work(self, crew: asyncio.TaskGroup) -> None:
        for work in (
            self.writer.run(),
            self.intake.run(),
            self.follower.run(self.reader),
            self.dispatch.run(),
            self.router.run(),
            self.home.run(),
            self.signals.run(),
            self._watch_presence(),
            self._watch_homes(),
        ):
            crew.create_task(work)
        await self.bus.listen("cc.sig.>", self.signals.heard)
        self.service = await self.bus.serve("cc.do.>", "bridges", self.desk.handle, workers=4, busy=BUSY, broken=BROKEN)
        self.duties.start(crew)
        self.is_ready = True

    async def _drain(self) -> None:
        self.dispatch.is_draining = True
        self.intake.is_refusing = True
        try:
            async with asyncio.timeout(15.0):
                await self.duties.stop_renewing()
                await self.service.close()
                await self.duties.close()
                await self.dispatch.idle()
        except (TimeoutError, BusError):
            self.world.books.count("stopped without all farewells")

    async def _move_home(self, agent: str) -> None:
        try:
            self._homes[agent] = await self.buckets["home"].put(f"home.{agent}", self.boot.encode())
        except BusError:
            self.world.books.count("home not told")

    async def _watch_homes(self) -> None:
        async for entry in self.buckets["home"].watch("home."):
            agent = entry.key.removeprefix("home.")
            is_news = entry.revision > self._homes.get(agent, 0)
            if is_news and entry.value is not None and entry.value.decode() != self.boot:
                self.home.close(agent)

    async def _watch_presence(self) -> None:
        async for entry in self.buckets["presence"].watch(""):
            self.staff.told(entry.key, entry.value)
            self.home.counted(entry.key)
