"""Three nodes, the one that leads IN and LOG killed in full flow: what the senders were acknowledged is there, once, in order.

The time until the first append that was acknowledged after the kill is printed beside that of a bare publish to a stream of the same
leader; it is no assertion: how long an election takes is the broker's matter (4 to 9 s by its own clock).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from broker_bridge.contract import facts as f
from broker_bridge.contract.words import opened
from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.secrets import Secrets, site_key
from broker_bridge.daemon.wire import BusError, Outgoing, api
from tests.daemon.site import Site, assert_promises, item
from tests.servers.cluster import REPLICAS, Cluster, lead, leader
from tests.until import until

RAW = "RAW"
LED_TOGETHER = ("LOG", "IN", RAW)
"""The worst case: one node leads everything that a message passes."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster")
    try:
        made.start()
        yield made
    finally:
        made.close()


class House:
    """Bridges on a cluster, and what happened to it."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.sites: list[Site] = []
        self.told: dict[str, float] = {}
        self.acknowledged = 0
        self._folder = folder
        self._numbers = itertools.count()

    async def open(self, name: str) -> Site:
        """One more bridge, ready; all share the site key and the bridge's seed."""
        site = Site(self._folder, name)
        kept = self._folder / "kept"
        site_key(kept, "", Secrets(kept))
        for file, text in (("site.key", (kept / "site.key").read_text()), ("bridge.seed", self.cluster.bridge.seed)):
            (site.folder / file).write_text(text)
            (site.folder / file).chmod(0o600)
        site.configure(
            broker=f'mode = "external"\nurl = "{self.cluster.url}"\nseed = "file:bridge.seed"\nreplicas = {REPLICAS}'
        )
        toml = site.folder / "bridge.toml"
        toml.write_text(toml.read_text().replace("[site]\n", '[site]\nkey = "file:site.key"\n'))
        self.sites.append(site)
        await site.start()
        return site

    async def gather_leaders(self, bus: Bus, node: str) -> None:
        """Everything of LED_TOGETHER is led by `node`."""

        async def is_led(stream: str) -> bool:
            if await leader(bus, stream) == node:
                return True
            # A request to step down may be lost with the leader that it went to.
            with contextlib.suppress(BusError):
                await lead(bus, stream, node)
            return await leader(bus, stream) == node

        for stream in LED_TOGETHER:
            await until(partial(is_led, stream), bound_s=60.0, saying=f"{node} does not lead {stream}")

    async def speak(self, lines: list[dict[str, Any]], channel: str) -> None:
        """One sender: says on what was not acknowledged, with the same ids."""
        left = lines
        while left:
            told = await self.sites[0].deliver(left[:5], channel)
            self.acknowledged += len(told)
            left = left[len(told) :]
            await asyncio.sleep(0.02)

    async def reached(self, count: int) -> None:
        await until(lambda: self.acknowledged >= count, bound_s=110.0, saying=lambda: self._stands_still(count))

    def _stands_still(self, count: int) -> str:
        said = "\n".join(f"{site.name}: {site.said()[-3000:]}" for site in self.sites)
        return f"the flow stands still at {self.acknowledged} of {count}\n{said}"

    async def outage(self, bus: Bus, most: int, turn: int, turns: int) -> dict[str, float]:
        """Kill the leader in the middle, start it again later; seconds until what was begun after the kill was acknowledged."""
        await self.reached(most * (turn + 1) // (turns + 2))
        node = await until(lambda: leader(bus, "LOG"), bound_s=30.0)
        await self.gather_leaders(bus, node)
        spare = await self.cluster.connect("raw", without=node)
        try:
            self.cluster.kill(node)
            killed_s, killed_ns = time.monotonic(), time.time_ns()
            async with asyncio.TaskGroup() as probes:
                raw = probes.create_task(self._first_raw(spare))
                heard = probes.create_task(self._first_heard(turn))
            logged_s = await until(lambda: _logged_after(spare, killed_ns), bound_s=90.0, saying="LOG stands still")
        finally:
            await spare.close()
        self.cluster.start_node(node)
        await until(self.cluster.nodes[node].is_healthy, bound_s=60.0, saying=f"{node} does not catch up")
        return {"publish": raw.result() - killed_s, "IN": heard.result() - killed_s, "LOG": logged_s}

    async def _first_raw(self, bus: Bus) -> float:
        """A bare publish with one id, repeated until it is acknowledged; the time of that."""
        number = next(self._numbers)

        async def stored() -> bool:
            try:
                await bus.publish(Outgoing("cc.raw.ref", b"", {"Nats-Msg-Id": f"raw{number}"}), 0.5)
            except BusError:
                return False
            return True

        await until(stored, bound_s=90.0, saying="nothing can be published")
        return time.monotonic()

    async def _first_heard(self, turn: int) -> float:
        """A new sender's message, repeated until a bridge acknowledges it; the time of that."""
        await self.sites[0].insist([item(f"probe-{turn}", f"probe{turn}", f"probe {turn}")])
        return time.monotonic()


async def _logged_after(bus: Bus, since_ns: int) -> float | None:
    """Seconds from a moment (ns since 1970) to the first entry of LOG that its leader took after it; None: none yet."""
    try:
        low, high, _ = await bus.stream_bounds("LOG")
        newest = await _taken_ns(bus, high)
        if newest <= since_ns:
            return None
        while low < high:
            middle = (low + high) // 2
            if await _taken_ns(bus, middle) > since_ns:
                high = middle
            else:
                low = middle + 1
        return (await _taken_ns(bus, high) - since_ns) / 1e9
    except BusError:
        return None


async def _taken_ns(bus: Bus, seq: int) -> int:
    """When the leader took a message of LOG, ns since 1970."""
    stamp = (await api(bus, "STREAM.MSG.GET.LOG", {"seq": seq}))["message"]["time"]
    return int(msgspec.convert(stamp, datetime, strict=False).timestamp() * 1e9)


@pytest_asyncio.fixture
async def house(cluster: Cluster, tmp_path: Path) -> AsyncIterator[House]:
    made = House(cluster, tmp_path)
    yield made
    for site in made.sites:
        site.kill()


@asynccontextmanager
async def _reference(cluster: Cluster) -> AsyncIterator[Bus]:
    """A connection, and the stream that the bare publish goes to."""
    bus = await cluster.connect()
    try:
        wanted = {**streams.stream_configs(streams.StreamSettings(replicas=REPLICAS))[0]}
        wanted |= {"name": RAW, "subjects": ["cc.raw.>"], "max_bytes": 1024**2}
        await api(bus, f"STREAM.CREATE.{RAW}", wanted, 15.0)
        yield bus
    finally:
        await bus.close()


async def _flow(house: House, senders: int, each: int, outages: int = 1) -> list[dict[str, float]]:
    traffic = {
        channel: [
            [item(f"{channel}-{who}-{n}", f"{channel}{who}", f"{channel} s{who} says {n:03}") for n in range(each)]
            for who in range(senders // 2)
        ]
        for channel in ("fake", "sure")
    }
    async with _reference(house.cluster) as bus, asyncio.TaskGroup() as crowd:

        async def outage_after_outage() -> list[dict[str, float]]:
            return [await house.outage(bus, senders * each, turn, outages) for turn in range(outages)]

        took = crowd.create_task(outage_after_outage())
        for channel, lines_of_all in traffic.items():
            for lines in lines_of_all:
                crowd.create_task(house.speak(lines, channel))
    for channel, lines_of_all in traffic.items():
        await assert_promises(house.sites[0], [line for lines in lines_of_all for line in lines], channel)
    said: dict[str, list[str]] = {}
    for _, subject, entry in await house.sites[0].log():
        for fact in entry.facts:
            if isinstance(fact, f.Received) and not opened(fact.words).text.startswith("probe"):
                said.setdefault(subject, []).append(opened(fact.words).text)
    everybody = [[line["text"] for line in lines] for lines_of_all in traffic.values() for lines in lines_of_all]
    assert sorted(said.values()) == sorted(everybody)
    return took.result()


def _print(took: list[dict[str, float]]) -> None:
    for one in took:
        print(", ".join(f"{what} back after {seconds:.2f} s" for what, seconds in one.items()))


async def test_the_leader_of_the_streams_killed_under_load_loses_and_doubles_none(house: House) -> None:
    await house.open("one")
    _print(await _flow(house, senders=20, each=40))


@pytest.mark.faults
@pytest.mark.parametrize("turn", range(3))
async def test_leaders_killed_one_after_the_other_under_two_bridges(house: House, turn: int) -> None:
    await house.open("one")
    await house.open("two")
    _print(await _flow(house, senders=60, each=100, outages=3))
