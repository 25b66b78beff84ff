"""What goes wrong in a history: crashes at any step, frozen machines, cut and stalled connections, clocks that jump, full disks.

Law: each trouble is one that a real site has seen or will see; after `end` nothing goes wrong any more, so that all must come to rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from broker_bridge.daemon.simulation import customers
from broker_bridge.daemon.simulation.loop import NOBODY, Process

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.house import House
    from broker_bridge.daemon.simulation.world import World

KINDS = (
    "crash",
    "crash",
    "strike",
    "strike",
    "restart",
    "freeze",
    "clock",
    "cut",
    "stall",
    "outage",
    "weather",
    "weather",
    "full",
    "moods",
    "moods",
    "logoff",
    "doze",
    "usurp",
    "usurp",
)
"""Those that stand here twice come twice as often."""
LONG_SLEEP_S = 30.0
"""Who sleeps so long is given up by the others, and sleeps on although all is well again."""


class Trouble:
    """Of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self._strikes = 0

    async def last(self, seconds: float) -> None:
        """Make trouble, of the kinds that the seed chose, for a while."""
        random = self._random
        end = self._world.loop.now + seconds
        kinds = [kind for kind in KINDS if random.random() < 0.45]
        while self._world.loop.now < end:
            await asyncio.sleep(0.2 + random.random() * 3)
            if kinds:
                kind = kinds[int(random.random() * len(kinds))]
                self._world.books.count(f"trouble {kind}")
                getattr(self, f"_{kind}")()

    def _some_house(self) -> House | None:
        ready = [one for one in self._world.houses.values() if one.is_ready and not one.process.is_dead]
        return ready[int(self._random.random() * len(ready))] if ready else None

    def _crash(self) -> None:
        if (house := self._some_house()) is not None:
            house.process.dies_at = house.process.steps + 1 + int(self._random.random() ** 2 * 3_000)

    def _strike(self) -> None:
        self._strikes += 1

    def called(self, process: Process) -> None:
        """A provider is called: the bridge may die of it."""
        if self._strikes and self._random.random() < 0.5:
            self._strikes -= 1
            process.dies_at = process.steps + 1 + int(self._random.random() ** 2 * 60)

    def _restart(self) -> None:
        if (house := self._some_house()) is not None:
            self._world.loop.call_soon(house.stop, context=house.process.context)

    def _freeze(self) -> None:
        if (house := self._some_house()) is not None:
            self._world.loop.hold(house.process, 0.5 + self._random.random() * 11)

    def _clock(self) -> None:
        if (house := self._some_house()) is not None:
            clocks, name = self._world.clocks, house.name
            if self._random.random() < 0.5:
                clocks[name] = self._random.uniform(-20, 20)
                return
            # An hour or a day, set by hand, and set right again after a while or not at all.
            self._world.books.count("clock set far off")
            clocks[name] = self._random.choice((-86_400.0, -3_600.0, 3_600.0, 86_400.0))
            if self._random.random() < 0.6:
                back_s = 0.5 + self._random.random() * 10
                self._world.loop.call_later(back_s, clocks.__setitem__, name, 0.0, context=NOBODY)

    def _cut(self) -> None:
        found = self._world.sky.connections
        if found:
            found[int(self._random.random() * len(found))].cut()

    def _stall(self) -> None:
        found = self._world.sky.connections
        if found:
            found[int(self._random.random() * len(found))].stall(1 + self._random.random() * 8)

    def _outage(self) -> None:
        if not self._world.sky.is_down:
            self._world.sky.go_down()
            self._world.loop.call_later(0.3 + self._random.random() * 7, self._world.sky.come_back, context=NOBODY)

    def _weather(self) -> None:
        weather, random = self._world.sky.weather, self._random
        weather.slow = random.random() * 0.3
        weather.mute = random.random() * 0.1
        weather.lose = random.random() * 0.1
        weather.busy = random.random() * 0.3
        weather.drop = random.random() * 0.1

    def _full(self) -> None:
        stream = self._world.sky.server.streams[("IN", "LOG")[int(self._random.random() * 2)]]
        stream.is_full = True
        self._world.loop.call_later(
            self._random.random() * 4, lambda: setattr(stream, "is_full", False), context=NOBODY
        )

    def _moods(self) -> None:
        for provider in self._world.providers.values():
            mood, random = provider.mood, self._random
            mood.refuses = random.random() * 0.3
            mood.uncertain = random.random() * 0.2
            mood.hangs = random.random() * 0.1
            mood.loses = random.random() * 0.1
            mood.late = random.random() * 0.2
            mood.slow = random.random() * 0.5

    def _logoff(self) -> None:
        agents = list(self._world.terminals.values())
        if agents:
            agents[int(self._random.random() * len(agents))].process.kill()

    def _doze(self) -> None:
        agents = list(self._world.terminals.values())
        if agents:
            self._world.loop.hold(
                agents[int(self._random.random() * len(agents))].process, 1 + self._random.random() ** 2 * 40
            )

    def _usurp(self) -> None:
        """Every bridge believes that it leads, as one does that slept through the end of its lease; and everybody writes at once."""
        loop, random = self._world.loop, self._random
        for house in self._world.houses.values():
            if house.is_ready and not house.process.is_dead:
                loop.call_soon(house.usurp, context=house.process.context)
        loop.call_later(1 + random.random() * 6, self._depose, context=NOBODY)
        for _ in range(1 + int(random.random() * 4)):
            customers.rush(self._world)

    def _depose(self) -> None:
        for house in self._world.houses.values():
            if house.is_ready and not house.process.is_dead:
                house.step_back()

    def end(self) -> None:
        """All is well again, and stays so."""
        self._world.is_calm = True
        self._depose()
        self._world.sky.weather.calm()
        for stream in self._world.sky.server.streams.values():
            stream.is_full = False
        for provider in self._world.providers.values():
            provider.mood.calm()
        if self._world.sky.is_down:
            self._world.sky.come_back()
        everybody = [house.process for house in self._world.houses.values()]
        everybody += [terminal.process for terminal in self._world.terminals.values()]
        for process in everybody:
            if process.held_until - process.held_since < LONG_SLEEP_S and process.held_until > self._world.loop.now:
                self._world.loop.release(process)
