"""One bridge put together: every part is made here and handed what it needs.

Law: parts know each other by what they are given, never by import of this file. The order of the start is the order of trust: broker,
streams, keys, read model up to the head of the log; only then is anything heard, answered or sent.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets as randomness
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from broker_bridge import channel as channels
from broker_bridge.contract import codec, ids
from broker_bridge.contract.commands import Refusal
from broker_bridge.core.inbound import Source
from broker_bridge.core.thread import Named
from broker_bridge.core.wishes import House
from broker_bridge.daemon import config, lastboot, streams
from broker_bridge.daemon.attention import Attention
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.broker import BrokerError
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.clerk import Clerk
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.desk import Desk
from broker_bridge.daemon.dispatch import Dispatch, Route
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.duties import Duties
from broker_bridge.daemon.files import Files
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import Follower, News
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.janitor import Janitor
from broker_bridge.daemon.kv import Watch
from broker_bridge.daemon.lease import LeaseTiming
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.outlets import Outlet, Queue
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.router import Router
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.secrets import Secrets
from broker_bridge.daemon.service import Service
from broker_bridge.daemon.signals import Signals
from broker_bridge.daemon.site import Site
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import AGENT, States
from broker_bridge.daemon.supervise import Supervised
from broker_bridge.daemon.web import Health, Metrics, Web
from broker_bridge.daemon.wire import BusError, Unknown

log = logging.getLogger(__name__)

CATCH_UP_S = 60.0
"""The longest that one group of entries may take."""
FILL_EVERY_S = 10.0
BUSY = codec.encode(
    Refusal(code="busy", sentence="The bridge has too much to do. It is tried again.", is_retryable=True)
)
BROKEN = codec.encode(
    Refusal(code="broken", sentence="The bridge failed on this request. The operator finds it in the log.")
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Bridge:
    """Everything of one bridge but the broker. `open`, then `run` until cancelled."""

    def __init__(
        self, settings: Config, secrets: Secrets, site_key: bytes, bus: Bus, *, timing: LeaseTiming | None = None
    ) -> None:
        self.settings = settings
        self.boot = f"b{randomness.token_hex(6)}"
        """Names this run: claims, leases and the audit chain carry it."""
        self.bus = bus
        self._timing = timing
        self._secrets = secrets
        self._site_key = site_key
        self._mint = ids.Mint(randomness.randbelow(1 << 20), randomness.randbelow(1 << 40))
        self.channels: dict[str, Supervised] = {}
        self._homes: dict[str, int] = {}
        """Revision at which each agent's home became this bridge: what the watch tells of earlier moves is history."""
        self._stop_wanted = asyncio.Event()
        self._agents_changed = asyncio.Event()
        self.fills: list[streams.Fill] = []
        self.problems: list[str] = []
        """Channels that could not be made, one sentence each."""
        self.on_agents: Callable[[], Awaitable[None]] | None = None
        """Called when somebody was let in or out: the embedded broker learns of it."""

    def new_id(self) -> str:
        return self._mint.new(now_ms())

    # making

    async def open(self, progress: Callable[[str], None]) -> None:
        """Make or verify streams, catch up with the log, make every part. Raises BusError, streams.Unfit, OSError."""
        broker = self.settings.broker
        await streams.ensure(
            self.bus, streams.StreamSettings(replicas=broker.replicas, total_bytes=broker.max_store_bytes)
        )
        buckets = {name: await self.bus.kv(name) for name in ("leases", "home", "presence", "drafts", "keys")}
        self.buckets = buckets
        self._dead = frozenset(lastboot.earlier(self.settings.state_dir))
        freed = await lastboot.give_back(buckets["leases"], self.settings.state_dir, self.boot)
        if freed:
            log.info("leases of the last run freed", extra={"count": freed})
        self.sealer = Sealer(self._site_key, buckets["keys"])
        await self.sealer.check()
        self.model = ReadModel(self.settings.state_dir / "readmodel.sqlite")
        _, head, _ = await self.bus.stream_bounds("LOG")
        self.model.begin_with(await self.bus.stream_created("LOG"), head)
        self.states = States(self.model, self.sealer, self.bus)
        self.writer = LogWriter(self.bus, self.states, self.sealer, time.monotonic, asyncio.sleep)
        self.staff = Staff(self.states, self.model, buckets["presence"], now_ms)
        self.attention = Attention(now_ms)
        self.audit = Audit(self.bus, self.boot, now_ms)
        self.files = Files(self.bus, self.sealer)
        self.intake = Intake(self.bus, self.sealer, derive(self._site_key, "handles"), time.monotonic, asyncio.sleep)
        self.web = Web(self.settings.web.host, self.settings.web.port)
        self._make_channels()
        self.follower = Follower(self.model, self.states, self.sealer, Named(agent=self._name_in_log, word=self.word))
        await self._catch_up(progress)
        self.staff.load()
        self._make_desk()
        self._make_workers()

    async def _catch_up(self, progress: Callable[[str], None]) -> None:
        """Apply the log up to its head, then go on following."""
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

    def _name_in_log(self, agent: str) -> str:
        """An agent's name as of the entry being applied: the same whether the log is followed or read anew."""
        return self.states.cell(AGENT, agent).state.name or agent

    def word(self, kind: str) -> str:
        """A channel kind's word of four letters."""
        return self._words.get(kind, kind[:4])

    def _make_channels(self) -> None:
        self._words: dict[str, str] = {}
        self._routes: dict[str, Route] = {}
        kinds = {one.name: one.kind for one in self.settings.channels}
        self.site = Site(
            bus=self.bus,
            intake=self.intake,
            files=self.files,
            cursors=self.buckets["home"],
            model=self.model,
            states=self.states,
            writer=self.writer,
            secrets=self._secrets,
            site_key=self._site_key,
            handle_key=derive(self._site_key, "handles"),
            words=self._words,
            kinds=kinds,
            now_ms=now_ms,
        )
        for one in self.settings.channels:
            if not one.is_enabled:
                continue
            try:
                settings = config.channel_settings(self.settings, one)
                module = channels.load(one.kind)
                made = module.make(one.name, settings, self.site)
            except (config.ConfigError, LookupError, ValueError) as error:
                # One wrong channel must not take the others down: it is reported, loudly.
                self.problems.append(str(error))
                log.error("channel not started", extra={"channel": one.name})
                continue
            self._words[one.kind] = module.CAPABILITIES.word
            self._routes[one.name] = Route(made, module.CAPABILITIES)
            self.channels[one.name] = Supervised(made, time.monotonic, asyncio.sleep, random.random)

    def is_up(self, channel: str) -> bool:
        """Whether a channel can send, as far as this bridge knows."""
        found = self.channels.get(channel)
        return found is not None and (found.is_up or not self.duties.is_listening(channel))

    def house(self) -> House:
        return House(
            names={name: one.name or name for name, one in self.staff.active.items()},
            queues=tuple(queue.name for queue in self.settings.queues),
            channels={name: self.settings.channel(name).kind for name in self._routes},  # type: ignore[union-attr]
            dispositions=self.settings.desk.dispositions,
            max_chars={name: route.capabilities.max_chars for name, route in self._routes.items()},
        )

    def _make_desk(self) -> None:
        self.reading = Reading(
            states=self.states,
            model=self.model,
            staff=self.staff,
            attention=self.attention,
            outlets={
                name: Outlet(
                    name=name,
                    kind=self.settings.channel(name).kind,  # type: ignore[union-attr]
                    capabilities=route.capabilities,
                    own_addresses=tuple(getattr(route.channel, "own_addresses", ())),
                )
                for name, route in self._routes.items()
            },
            queues=[Queue(name=one.name, title=one.shown, target=one.target) for one in self.settings.queues],
            words=self._words,
            dispositions=self.settings.desk.dispositions,
            is_up=self.is_up,
            now_ms=now_ms,
        )
        self.home = Home(
            reading=self.reading,
            attention=self.attention,
            actor=self.staff.actor,
            tell=self.bus.tell,
            position=lambda: self.follower.position,
            now_ms=now_ms,
            clock=time.monotonic,
            sleep=asyncio.sleep,
        )
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
            house=self.house,
            tell=self.bus.tell,
            move_home=self._move_home,
            bridge=self.boot,
            chat_url=self.chat_url,
            new_id=self.new_id,
            now_ms=now_ms,
        )

    @property
    def chat_url(self) -> str:
        """The page of the first web chat; empty if there is none."""
        base = self.settings.web.public_url or self.web.url
        for name in self._routes:
            one = self.settings.channel(name)
            if one is not None and one.kind == "webchat":
                return f"{base}{one.settings.get('path', '/chat')}"
        return ""

    def _make_workers(self) -> None:
        sources = {}
        for one in self.settings.channels:
            route = self._routes.get(one.name)
            default = route.capabilities.reply_within_s if route else None
            sources[one.name] = Source(queue=one.queue, reply_within_s=self.settings.reply_within_s(one) or default)
        first_queue = self.settings.queues[0].name if self.settings.queues else "inbox"
        self.clerk = Clerk(
            bus=self.bus,
            writer=self.writer,
            states=self.states,
            sealer=self.sealer,
            model=self.model,
            sources=sources,
            fallback=Source(queue=first_queue, reply_within_s=None),
            new_id=self.new_id,
            now_ms=now_ms,
            sleep=asyncio.sleep,
            ours=frozenset(
                one.lower() for route in self._routes.values() for one in getattr(route.channel, "own_addresses", ())
            ),
        )
        self.floor = Floor()
        self.floor.load_all(self.model, self.states)
        self.router = Router(
            writer=self.writer,
            states=self.states,
            model=self.model,
            staff=self.staff,
            floor=self.floor,
            offer_timeout_s=self.settings.desk.offer_timeout_s,
            silent_grace_s=self.settings.desk.silent_grace_s,
            now_ms=now_ms,
            sleep=asyncio.sleep,
        )
        self.dispatch = Dispatch(
            routes=self._routes,
            writer=self.writer,
            states=self.states,
            model=self.model,
            name_of=self.staff.name_of,
            boot=self.boot,
            now_ms=now_ms,
            sleep=asyncio.sleep,
            random=random.random,
            dead=self._dead,
            is_gone=lambda name: self.router.is_leader and self.settings.channel(name) is None,
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
            timing=self._timing,
        )
        self.signals = Signals(
            routes=self._routes, home=self.home, attention=self.attention, reading=self.reading, staff=self.staff
        )
        for listener in (
            self.staff.noticed,
            self.floor.noticed,
            self.dispatch.noticed,
            self.router.noticed,
            self.home.noticed,
            self._noticed,
        ):
            self.follower.listen(listener)

    def _noticed(self, news: list[News]) -> None:
        if self.on_agents is not None and any(one.kind == AGENT for one in news):
            self._agents_changed.set()

    # running

    async def run(self, ready: Callable[[], None], health: Health, metrics: Metrics) -> None:
        """Work until cancelled; then stop hearing first, finish what is under way, and give leases back."""
        try:
            async with asyncio.TaskGroup() as crew:
                service = await self._start(crew, health, metrics)
                ready()
                await self._stop_wanted.wait()
                await self._drain(service)
                raise _Stopped
        except* _Stopped:
            log.info("stopped", extra={"position": self.follower.position})

    async def _start(self, crew: asyncio.TaskGroup, health: Health, metrics: Metrics) -> Service:
        work: dict[str, Coroutine[Any, Any, None]] = {
            "log writer": self.writer.run(),
            "intake": self.intake.run(),
            "follower": self.follower.run(self._reader),
            "dispatch": self.dispatch.run(),
            "router": self.router.run(),
            "home": self.home.run(),
            "signals": self.signals.run(),
            "presence": self._watch_presence(),
            "homes": self._watch_homes(),
            "fill": self._watch_fill(),
            "agents": self._tell_agents(),
            "janitor": Janitor(self.bus, self.model, now_ms, asyncio.sleep, lambda: self.router.is_leader).run(),
        }
        for name, one in work.items():
            crew.create_task(one, name=name)
        await self.bus.listen("cc.sig.>", self.signals.heard)
        service = await self.bus.serve("cc.do.>", "bridges", self.desk.handle, workers=128, busy=BUSY, broken=BROKEN)
        routes = [route for one in self._routes.values() for route in one.channel.routes()]
        crew.create_task(self.web.run(routes, health, metrics), name="web")
        self.duties.start(crew)
        try:
            await self.audit.record("start", self.boot)
        except BusError as error:
            # A full AUDIT refuses what needs a record, one by one; it must not keep customers out.
            log.error("start not recorded", extra={"error": type(error).__name__})
        return service

    def stop(self) -> None:
        """End `run` in order."""
        self._stop_wanted.set()

    async def _drain(self, service: Service) -> None:
        self.dispatch.is_draining = True
        self.intake.is_refusing = True
        try:
            async with asyncio.timeout(15.0):
                await self.duties.stop_renewing()
                await service.close()
                await self.duties.close()
                await self.dispatch.idle()
                await self.audit.record("stop", self.boot)
        except (TimeoutError, BusError) as error:
            log.warning("stopped without all farewells", extra={"error": type(error).__name__})

    async def _move_home(self, agent: str) -> None:
        try:
            self._homes[agent] = await self.buckets["home"].put(f"home.{agent}", self.boot.encode())
        except BusError as error:
            log.warning("home not told", extra={"agent": agent, "error": type(error).__name__})

    async def _watch_homes(self) -> None:
        watch: Watch = self.buckets["home"].watch("home.")
        async for entry in watch:
            agent = entry.key.removeprefix("home.")
            is_news = entry.revision > self._homes.get(agent, 0)
            if is_news and entry.value is not None and entry.value.decode() != self.boot:
                self.home.close(agent)

    async def _watch_presence(self) -> None:
        watch: Watch = self.buckets["presence"].watch("")
        async for entry in watch:
            self.staff.told(entry.key, entry.value)
            self.home.counted(entry.key)

    async def _watch_fill(self) -> None:
        while True:
            try:
                self.fills = await streams.fill_levels(self.bus)
            except BusError as error:
                log.warning("stream levels unknown", extra={"error": type(error).__name__})
            else:
                full = {fill.stream for fill in self.fills if fill.is_refusing}
                for fill in self.fills:
                    if fill.is_alarming:
                        log.error(
                            "stream nearly full", extra={"stream": fill.stream, "percent": round(fill.share * 100)}
                        )
                self.intake.is_refusing = self.dispatch.is_draining or bool(full & {"IN", "LOG"})
                self.desk.is_full = "LOG" in full
            await asyncio.sleep(FILL_EVERY_S)

    async def _tell_agents(self) -> None:
        while True:
            await self._agents_changed.wait()
            self._agents_changed.clear()
            if self.on_agents is None:
                continue
            try:
                await self.on_agents()
            except (BrokerError, OSError) as error:
                # The embedded broker is just being started again: who may sign in is told once it is back.
                log.warning("agents not told to the broker", extra={"error": type(error).__name__})
                await asyncio.sleep(1.0)
                self._agents_changed.set()


class _Stopped(Exception):
    """Ends the crew of a bridge that was asked to stop."""
