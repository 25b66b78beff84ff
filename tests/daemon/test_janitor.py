"""What the janitor takes out of LOG: all but the newest place of each agent, and nobody misses them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.facts import Entry
from broker_bridge.daemon import janitor, whatif
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.janitor import MOST_PLACES, REST_S, Janitor
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.wire import LostRace, Outgoing
from tests.daemon.site import Agent, Site, assert_promises, item
from tests.until import until

NOW_MS = 1_795_000_000_000
EXPECT = "Nats-Expected-Last-Subject-Sequence"
LOADS = "cc.log.load.*"


def place(agent: str, expected: int | None = None) -> Outgoing:
    entry = Entry(at_ms=NOW_MS, by="router", facts=(f.Given(conversation="case", units=20),))
    headers = {} if expected is None else {EXPECT: str(expected)}
    return Outgoing(f"cc.log.load.{agent}", codec.encode(entry), headers)


async def give(bus: Bus, agent: str, times: int) -> int:
    """Places given in groups; the sequence of the newest."""
    for done in range(0, times, 500):
        told = await bus.publish_batch([place(agent) for _ in range(min(500, times - done))])
    return told.seq


class Rests:
    """The janitor's sleep: nobody waits, and it is known for how long it would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.leads = True
        self.stops_after = 1_000

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.leads = len(self.seconds) < self.stops_after
        await asyncio.sleep(0)

    def sweeper(self, bus: Bus) -> Janitor:
        return Janitor(bus, ReadModel(None), lambda: NOW_MS, self.sleep, lambda: self.leads)


async def test_all_but_the_newest_place_go_and_the_next_one_is_given_as_if_they_were_there(bus: Bus) -> None:
    newest = await give(bus, "ann", MOST_PLACES + 50)
    few = await give(bus, "bob", MOST_PLACES)
    rests = Rests()
    assert await rests.sweeper(bus).sweep_places() == MOST_PLACES + 49
    assert await bus.subject_counts("LOG", LOADS) == {"cc.log.load.ann": 1, "cc.log.load.bob": MOST_PLACES}
    assert (await bus.last_for("cc.log.load.ann", "LOG") or (0,))[0] == newest
    with pytest.raises(LostRace):
        await bus.publish(place("ann", newest - 1))
    with pytest.raises(LostRace):
        await bus.publish_batch([place("bob", few), place("ann", 0)])
    given = await bus.publish_batch([place("bob", few), place("ann", newest)])
    assert given.seq == few + 2
    assert await rests.sweeper(bus).sweep_places() == MOST_PLACES


async def test_it_rests_after_each_agent_and_stops_when_it_leads_no_more(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for agent, times in (("ann", 210), ("bob", 230), ("eve", 220)):
        await give(bus, agent, times)
    rests = Rests()
    rests.stops_after = 2
    assert await rests.sweeper(bus).sweep_places() == 229 + 219
    assert len(rests.seconds) == 2 and min(rests.seconds) >= REST_S
    counts = await bus.subject_counts("LOG", LOADS)
    assert counts == {"cc.log.load.ann": 210, "cc.log.load.bob": 1, "cc.log.load.eve": 1}
    monkeypatch.setattr(janitor, "REST_SHARE", 1e9)
    slow = Rests()
    await slow.sweeper(bus).sweep_places()
    # The broker took longer than no time at all.
    assert slow.seconds[0] > REST_S


async def test_who_is_behind_reads_on_to_the_newest(bus: Bus) -> None:
    await give(bus, "ann", 400)
    await give(bus, "bob", 400)
    reader = await bus.follow("LOG", 1, batch=32)
    first = await reader.some(10)
    await Rests().sweeper(bus).sweep_places()
    found = [one.seq for one in first]
    while reader.pending:
        found += [one.seq for one in await reader.some(64)]
    assert found == sorted(set(found)) and found[-1] == 800 and 400 in found
    assert len(found) < 200
    await reader.close()


async def test_a_site_goes_on_without_them_and_its_books_and_what_if_say_the_same(tmp_path: Path) -> None:
    one = Site(tmp_path)
    one.configure()
    await one.start()
    await one.enroll("ann")
    said = [item(number, f"c{number}", f"line {number}") for number in range(4)]
    try:
        async with one.agent("ann") as ann:
            await ann.get(c.Hello(), v.Welcome)
            await one.insist(said[:2])
            for number in range(2):
                await _takes(ann, f"line {number}")
        (one.folder / "other.toml").write_text('[[queue]]\nname = "support"\nmode = "in_order"\n')
        asked = whatif.Asked(path=one.folder / "other.toml", since_ms=0)
        async with one.bus() as bus:
            # As in some days: many places given, each under the one before.
            last = await bus.last_for("cc.log.load.ann", "LOG")
            assert last is not None and (await bus.subject_counts("LOG", LOADS))["cc.log.load.ann"] == 2
            seq = last[0]
            for _ in range(MOST_PLACES):
                seq = (await bus.publish(place("ann", seq))).seq
            before = await whatif.replayed(one.config, asked)
            assert await Rests().sweeper(bus).sweep_places() == MOST_PLACES + 1
            assert (await whatif.replayed(one.config, asked)).all == before.all
        assert before.all.decisions == before.all.reproduced == 2
        two = one.peer()
        # A read model that begins now, from what is left.
        await two.start()
        try:
            async with two.agent("ann") as ann:
                await ann.get(c.Hello(), v.Welcome)
                await one.insist(said[2:])
                for number in (2, 3):
                    await _takes(ann, f"line {number}")
            await assert_promises(one, said)
        finally:
            two.kill()
    finally:
        one.kill()


async def _takes(agent: Agent, text: str) -> None:
    """Waits until it rings at them, and takes it."""

    async def rings() -> v.Row | None:
        return next((row for row in await agent.rows() if row.text == text and row.state == "ringing"), None)

    await agent.accept((await until(rings, bound_s=30.0, saying=f"{text} does not ring")).conv)
