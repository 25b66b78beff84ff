"""One simulated bridge: the parts of parts.py, as a real bridge has them, over the broker in memory.

Law: nothing here decides anything. What a real bridge keeps on its disk (the read model) is handed to the next run, or lost with it.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from broker_bridge.contract import ids
from broker_bridge.core.inbound import Source
from broker_bridge.core.routing.index import Request
from broker_bridge.core.thread import Named
from broker_bridge.daemon.choice import Question, Ring
from broker_bridge.daemon.clock import Clock
from broker_bridge.daemon.dispatch import Route
from broker_bridge.daemon.lease import LeaseTiming
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.parts import Parts, open_buckets
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.simulation import houserules
from broker_bridge.daemon.simulation.fairness import better_right
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.loop import Process
from broker_bridge.daemon.simulation.provider import CHANNELS, Door, SimChannel
from broker_bridge.daemon.supervise import Supervised

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

SITE_KEY = b"one key for all simulated sites."
HANDLE_KEY = derive(SITE_KEY, "handles")
QUEUE_OF = {"plain": houserules.HELP, "sure": houserules.SALES}
LANES = 3
TIMING = LeaseTiming(life_s=6.0, renew_s=2.0, stop_s=4.0, check_s=1.0)
EPOCH_MS = 1_795_000_000_000
NAMED = Named(agent=str.title, word=lambda kind: kind[:4])


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
        self.now_ms = Clock(self._wall_ns, self.clock).now_ms

    def _wall_ns(self) -> int:
        """The wall as somebody may have set it; the bridge goes by its own clock, as a real one does."""
        return self.world.begin_ms * 1_000_000 + int(
            (self.world.loop.now + self.world.clocks.get(self.name, 0.0)) * 1e9
        )

    def _terms(self) -> Terms:
        return Terms(
            rules=self.world.rules,
            desk=self.world.desk,
            workers=4,
            timing=TIMING,
            lanes=range(LANES),
            dead=self.world.dead_boots(self.name),
        )

    def clock(self) -> float:
        return self.world.loop.now

    def stop(self) -> None:
        """End in order."""
        self._stop_wanted.set()

    def usurp(self) -> None:
        """Believe that this bridge leads, whatever its lease says; who slept until all was well again does no more."""
        if not self.world.is_calm:
            self.parts.router.is_leader = True

    def step_back(self) -> None:
        """Lead only under the lease."""
        leading = self.parts.duties._leading
        self.parts.router.is_leader = leading is not None and leading.done()

    async def run(self) -> None:
        """Live until stopped. Raises BusError: no broker; the service manager starts it again."""
        await self._open()
        try:
            async with asyncio.TaskGroup() as crew:
                await self.parts.start(crew)
                self.is_ready = True
                await self._stop_wanted.wait()
                await self.parts.drain()
                raise Stopped
        except* Stopped:
            pass

    async def _open(self) -> None:
        buckets = await open_buckets(self.bus)
        self.model.begin_with(await self.bus.stream_created("LOG"))
        outside = Outside(
            boot=self.boot,
            bus=self.bus,
            buckets=buckets,
            sealer=Sealer(SITE_KEY, buckets["keys"]),
            handle_key=HANDLE_KEY,
            model=self.model,
            mint=self._mint,
            now_ms=self.now_ms,
            clock=self.clock,
            sleep=asyncio.sleep,
            random=self.random.random,
            count=self.world.books.count,
        )
        self.parts = Parts(outside, self._terms(), self._make_lines)
        # What the checkers ask a bridge for.
        self.states, self.staff = self.parts.states, self.parts.staff
        self.follower, self.reading = self.parts.follower, self.parts.reading
        self._watch_choices()
        await self.parts.catch_up()

    def _watch_choices(self) -> None:
        """Whoever is chosen is ready, and whoever they are chosen for comes first, as far as this bridge knows at that moment: nobody
        can tell afterwards what it knew."""
        right = self.parts.chooser._choose

        def choose(request: Request) -> tuple[str, ...]:
            asked = right(request)
            for agent in asked:
                known = self.staff.presences._presence.get(agent)
                if known is None or known.state != "ready" or known.next_state:
                    self.world.books.problems.append(f"offer: {self.boot} chose {agent}, who is {known}")
            return asked

        self.parts.chooser._choose = choose  # type: ignore[method-assign]
        right_of_all = self.parts.chooser.ring

        def ring(question: Question) -> Ring | None:
            better = better_right(self.parts, question.waiting, self.now_ms())
            found = right_of_all(question)
            if found is not None:
                self.world.books.count("choices by place")
                if better:
                    self.world.books.problems.append(
                        f"fairness: {self.boot} chose for {question.state.id}, but {better}"
                    )
            return found

        self.parts.chooser.ring = ring  # type: ignore[method-assign]

    def _make_lines(self, parts: Parts) -> Lines:
        routes = {}
        for name, can in CHANNELS.items():
            door = Door(name, self.process, parts.intake, self.now_ms)
            routes[name] = Route(SimChannel(name, self.world.providers[name], door, self.world.doors), can)
        return Lines(
            routes=routes,
            running={
                name: Supervised(route.channel, self.clock, asyncio.sleep, self.random.random)
                for name, route in routes.items()
            },
            kinds={name: name for name in CHANNELS},
            sources={name: Source(queue=QUEUE_OF[name], reply_within_s=60) for name in CHANNELS},
        )
