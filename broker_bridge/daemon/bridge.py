"""One real bridge: the parts of parts.py over the broker, the disk, the clock and the channels of a configuration.

Law: the order of the start is the order of trust: broker, streams, keys, read model up to the head of the log; only then is anything
heard, answered or sent.
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
from broker_bridge.contract import ids
from broker_bridge.core.inbound import Source
from broker_bridge.daemon import config, lastboot, policyfile, streams
from broker_bridge.daemon.broker import BrokerError
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.clock import Clock
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.dispatch import Route
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.janitor import Janitor
from broker_bridge.daemon.lawgiver import Lawgiver
from broker_bridge.daemon.lease import LeaseTiming
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.parts import Parts, open_buckets
from broker_bridge.daemon.quarantine import Quarantine
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.secrets import Secrets
from broker_bridge.daemon.site import Site
from broker_bridge.daemon.states import AGENT
from broker_bridge.daemon.supervise import Supervised
from broker_bridge.daemon.web import Health, Metrics, Web
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

FILL_EVERY_S = 10.0
WORKERS = 128
"""Commands of agents that are worked on at once."""


class Bridge:
    """Everything of one bridge but the broker. `open`, then `run` until cancelled."""

    def __init__(
        self,
        settings: Config,
        secrets: Secrets,
        site_key: bytes,
        bus: Bus,
        *,
        timing: LeaseTiming | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.boot = f"b{randomness.token_hex(6)}"
        """Names this run: claims, leases and the audit chain carry it."""
        self.bus = bus
        self.clock = clock or Clock()
        self._timing = timing
        self._secrets = secrets
        self._site_key = site_key
        self._stop_wanted = asyncio.Event()
        self._agents_changed = asyncio.Event()
        self.fills: list[streams.Fill] = []
        self.problems: list[str] = []
        """Channels that could not be made, one sentence each."""
        self.on_agents: Callable[[], Awaitable[None]] | None = None
        """Called when somebody was let in or out: the embedded broker learns of it."""

    # making

    async def open(self, progress: Callable[[str], None]) -> None:
        """Make or verify streams, catch up with the log, make every part. Raises BusError, streams.Unfit, OSError."""
        broker, state_dir = self.settings.broker, self.settings.state_dir
        await streams.ensure(
            self.bus, streams.StreamSettings(replicas=broker.replicas, total_bytes=broker.max_store_bytes)
        )
        self._buckets = await open_buckets(self.bus)
        dead = frozenset(lastboot.earlier(state_dir))
        freed = await lastboot.give_back(self._buckets["leases"], state_dir, self.boot)
        if freed:
            log.info("leases of the last run freed", extra={"count": freed})
        sealer = Sealer(self._site_key, self._buckets["keys"])
        await sealer.check()
        self.model = ReadModel(state_dir / "readmodel.sqlite")
        _, head, _ = await self.bus.stream_bounds("LOG")
        self.model.begin_with(await self.bus.stream_created("LOG"), head)
        self.web = Web(self.settings.web.host, self.settings.web.port)
        self.parts = Parts(self._outside(sealer), self._terms(dead), self._make_lines)
        await self.parts.catch_up(progress)
        self.parts.follower.listen(self._noticed)
        self._give_laws()

    def _give_laws(self) -> None:
        """Queues, the house and agents of the configuration, from here on as facts."""
        parts = self.parts
        self.lawgiver = Lawgiver(
            config=self.settings,
            writer=parts.writer,
            states=parts.states,
            model=self.model,
            is_leader=lambda: parts.router.is_leader,
            now_ms=self.clock.now_ms,
        )
        self.lawgiver.load()
        parts.follower.listen(self.lawgiver.noticed)
        parts.alerts.of_policy = self.lawgiver.alarms
        self.quarantine = Quarantine(self.bus, asyncio.sleep)
        parts.alerts.of_dead = lambda: self.quarantine.waiting

    def _outside(self, sealer: Sealer) -> Outside:
        return Outside(
            boot=self.boot,
            bus=self.bus,
            buckets=self._buckets,
            sealer=sealer,
            handle_key=derive(self._site_key, "handles"),
            model=self.model,
            mint=ids.Mint(randomness.randbelow(1 << 20), randomness.randbelow(1 << 40)),
            now_ms=self.clock.now_ms,
            jump_ms=lambda: self.clock.jump_ms,
            clock=time.monotonic,
            sleep=asyncio.sleep,
            random=random.random,
        )

    def _terms(self, dead: frozenset[str]) -> Terms:
        said = self.settings
        laws = policyfile.lawful(said, self.clock.now_ms())
        return Terms(
            rules=laws.queues,
            desk=laws.desk,
            offers_at_all=said.desk.offers,
            workers=WORKERS,
            timing=self._timing,
            dead=dead,
            is_configured=lambda name: said.channel(name) is not None,
        )

    def _make_lines(self, parts: Parts) -> Lines:
        words: dict[str, str] = {}
        site = self._site(parts, words)
        routes: dict[str, Route] = {}
        for one in self.settings.channels:
            if not one.is_enabled:
                continue
            try:
                settings = config.channel_settings(self.settings, one)
                module = channels.load(one.kind)
                made = module.make(one.name, settings, site)
            except (config.ConfigError, LookupError, ValueError) as error:
                # One wrong channel must not take the others down: it is reported, loudly.
                self.problems.append(str(error))
                log.error("channel not started", extra={"channel": one.name})
                continue
            words[one.kind] = module.CAPABILITIES.word
            routes[one.name] = Route(made, module.CAPABILITIES)
        kinds = {one.name: one.kind for one in self.settings.channels if one.name in routes}
        return Lines(
            routes=routes,
            running={
                name: Supervised(route.channel, time.monotonic, asyncio.sleep, random.random)
                for name, route in routes.items()
            },
            kinds=kinds,
            sources={one.name: self._source(one, routes.get(one.name)) for one in self.settings.channels},
            chat_url=self._chat_url(kinds),
        )

    def _site(self, parts: Parts, words: dict[str, str]) -> Site:
        """`words` grows while channels are made."""
        return Site(
            bus=self.bus,
            intake=parts.intake,
            files=parts.files,
            cursors=self._buckets["home"],
            model=parts.model,
            states=parts.states,
            writer=parts.writer,
            secrets=self._secrets,
            site_key=self._site_key,
            handle_key=parts.outside.handle_key,
            words=words,
            kinds={one.name: one.kind for one in self.settings.channels},
            now_ms=self.clock.now_ms,
        )

    def _source(self, one: config.Channel, route: Route | None) -> Source:
        default = route.capabilities.reply_within_s if route else None
        return Source(queue=one.queue, reply_within_s=self.settings.reply_within_s(one) or default)

    def _chat_url(self, kinds: dict[str, str]) -> str:
        base = self.settings.web.public_url or self.web.url
        for name, kind in kinds.items():
            one = self.settings.channel(name)
            if one is not None and kind == "webchat":
                return f"{base}{one.settings.get('path', '/chat')}"
        return ""

    @property
    def chat_url(self) -> str:
        """The page of the first web chat; empty if there is none."""
        return self.parts.lines.chat_url

    def _noticed(self, news: list[News]) -> None:
        if self.on_agents is not None and any(one.kind == AGENT for one in news):
            self._agents_changed.set()

    # running

    async def run(self, ready: Callable[[], None], health: Health, metrics: Metrics) -> None:
        """Work until cancelled; then stop hearing first, finish what is under way, and give leases back."""
        try:
            async with asyncio.TaskGroup() as crew:
                await self._start(crew, health, metrics)
                ready()
                await self._stop_wanted.wait()
                await self.parts.drain(lambda: self.parts.audit.record("stop", self.boot))
                raise _Stopped
        except* _Stopped:
            log.info("stopped", extra={"position": self.parts.follower.position})

    async def _start(self, crew: asyncio.TaskGroup, health: Health, metrics: Metrics) -> None:
        janitor = Janitor(self.bus, self.model, self.clock.now_ms, asyncio.sleep, lambda: self.parts.router.is_leader)
        work: dict[str, Coroutine[Any, Any, None]] = {
            "fill": self._watch_fill(),
            "agents": self._tell_agents(),
            "janitor": janitor.run(),
            "lawgiver": self.lawgiver.run(),
            "quarantine": self.quarantine.run(),
        }
        for name, one in work.items():
            crew.create_task(one, name=name)
        await self.parts.start(crew)
        routes = [route for one in self.parts.lines.routes.values() for route in one.channel.routes()]
        crew.create_task(self.web.run(routes, health, metrics), name="web")
        try:
            await self.parts.audit.record("start", self.boot)
        except BusError as error:
            # A full AUDIT refuses what needs a record, one by one; it must not keep customers out.
            log.error("start not recorded", extra={"error": type(error).__name__})

    def stop(self) -> None:
        """End `run` in order."""
        self._stop_wanted.set()

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
                self.parts.intake.is_refusing = self.parts.dispatch.is_draining or bool(full & {"IN", "LOG"})
                self.parts.desk.is_full = "LOG" in full
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
