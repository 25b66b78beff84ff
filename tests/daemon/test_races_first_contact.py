"""Many first messages of one sender at once, over every bridge at once: one conversation each, nothing lost, nobody's words out of order.

The senders' messages go into IN over as many intakes as there are bridges (a webhook may come to any of them); the bridges share
the lanes. In order means: as IN has them, since what one sender sends at once on several ways has no order of its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Envelope, Said
from broker_bridge.contract.words import Address, Words, opened
from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.secrets import Secrets, site_key
from tests.daemon.bridges import bridge_parts
from tests.daemon.real_broker import RealBroker
from tests.daemon.site import Site
from tests.until import until

SENDERS = 100
EACH = 50
LANES = 16


def _first_words(who: int, number: int) -> Envelope:
    words = Words(text=f"s{who} says {number}", name=f"s{who}", address=f"s{who}")
    return Envelope(
        native=f"{who}-{number}",
        kind="fake",
        channel="fake",
        received_ms=time.time_ns() // 1_000_000,
        item=Said(sender=Address(address=f"s{who}", name=f"s{who}"), words=words),
    )


@asynccontextmanager
async def _bridges(folder: Path, count: int) -> AsyncIterator[list[Site]]:
    """Bridges on one broker that have parted the lanes evenly."""
    one = Site(folder)
    sites = [one]
    try:
        one.configure()
        await one.start()
        for name in ("two", "three", "four")[: count - 1]:
            sites.append(one.peer(name))
            await sites[-1].start()
        await until(lambda: _are_parted(one, count), bound_s=60.0, saying="the lanes are not parted")
        yield sites
    finally:
        # The first one has the broker.
        for site in reversed(sites):
            site.kill()


async def _are_parted(site: Site, count: int) -> bool:
    async with site.bus() as bus:
        held = [entry.value for entry in await (await bus.kv("leases")).entries("lease.lane.")]
    return Counter(Counter(held).values()) == {LANES // count: count}


@asynccontextmanager
async def _intakes(site: Site, buses: Sequence[Bus]) -> AsyncIterator[list[Intake]]:
    """What a bridge takes customers' words in with, one for each connection."""
    key = site_key(site.config.state_dir, site.config.site.key, Secrets(site.folder), may_make=False)
    made = [
        Intake(bus, Sealer(key, await bus.kv("keys")), derive(key, "handles"), time.monotonic, asyncio.sleep)
        for bus in buses
    ]
    running = [asyncio.create_task(one.run()) for one in made]
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _rush(site: Site, doors: int) -> float:
    """Everything at once, each sender over every door; gives the seconds until all was acknowledged."""
    crowd = [(who, number) for who in range(SENDERS) for number in range(EACH)]
    random.Random(doors).shuffle(crowd)
    async with AsyncExitStack() as stack:
        buses = [await stack.enter_async_context(site.bus()) for _ in range(doors)]
        intakes = await stack.enter_async_context(_intakes(site, buses))
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as rush:
            for place, (who, number) in enumerate(crowd):
                rush.create_task(intakes[place % len(intakes)].store(_first_words(who, number)))
        return time.monotonic() - began_s


async def _order_in_store(site: Site) -> dict[str, list[str]]:
    """Ids of the items of IN by handle, in the order of the stream."""
    found: dict[str, list[str]] = {}
    async with site.bus() as bus:
        reader = await bus.follow("IN", 1)
        while reader.pending:
            for item in await reader.some():
                stored = codec.stored(item.body)
                found.setdefault(stored.handle, []).append(stored.id)
        await reader.close()
    return found


async def _assert_one_conversation_each(site: Site) -> None:
    line = (await site.books())["fake"]
    assert (line.gap, line.missing, line.doubled, line.quarantined) == (0, (), (), 0), line
    said: dict[str, list[f.Received]] = {}
    began: Counter[str] = Counter()
    customers: Counter[str] = Counter()
    for _, subject, entry in await site.log():
        for fact in entry.facts:
            if isinstance(fact, f.Received):
                said.setdefault(subject, []).append(fact)
            elif isinstance(fact, f.Began):
                began[subject] += 1
            elif isinstance(fact, f.Created):
                customers[subject] += 1
    assert len(said) == SENDERS
    assert sum(len(facts) for facts in said.values()) == SENDERS * EACH
    assert list(began.values()) == [1] * SENDERS
    assert list(customers.values()) == [1] * SENDERS
    stored = await _order_in_store(site)
    for facts in said.values():
        (handle,) = {fact.handle for fact in facts}
        assert [fact.item for fact in facts] == stored[handle]
    texts = Counter(opened(fact.words).text for facts in said.values() for fact in facts)
    assert texts == Counter(f"s{who} says {number}" for who in range(SENDERS) for number in range(EACH))


async def test_first_messages_that_every_bridge_applies_at_once_are_one_conversation_each(broker: RealBroker) -> None:
    """No lane, no lease: the log alone keeps four clerks from opening a case twice and from hearing a word twice."""
    async with AsyncExitStack() as stack:
        first = await broker.connect("test")
        stack.push_async_callback(first.close)
        await streams.ensure(first, streams.StreamSettings())
        clerks = [await bridge_parts(broker, number) for number in range(1, 5)]
        for one in clerks:
            assert isinstance(one.bus, Bus)
            stack.push_async_callback(one.bus.close)
        items = [await clerks[0].intake.sealed(_first_words(who, n)) for who in range(25) for n in range(12)]
        work = [(one, item) for one in clerks for item in items]
        random.Random(4).shuffle(work)
        try:
            async with asyncio.TaskGroup() as crew:
                for one in clerks:
                    await one.start(crew)
                async with asyncio.TaskGroup() as rush:
                    for one, item in work:
                        rush.create_task(one.clerk.apply(item))
                raise _Over
        except* _Over:
            pass
        said: dict[str, list[str]] = {}
        reader = await first.follow("LOG", 1)
        while reader.pending:
            for entry_item in await reader.some():
                for fact in codec.entry(entry_item.body).facts:
                    if isinstance(fact, f.Received):
                        said.setdefault(entry_item.subject, []).append(fact.item)
        await reader.close()
        races = sum(one.writer.races for one in clerks)
    assert races > 0, "nobody met anybody: there was no race"
    assert len(said) == 25
    assert sorted(item for heard in said.values() for item in heard) == sorted(item.id for item in items)


class _Over(Exception):
    """Ends the bridges' work."""


async def _race(folder: Path, bridges: int) -> None:
    async with _bridges(folder, bridges) as sites:
        began_s = time.monotonic()
        acknowledged_s = await _rush(sites[0], bridges)
        await sites[0].books()
        settled_s = time.monotonic() - began_s
        await _assert_one_conversation_each(sites[0])
        print(
            f"{bridges} bridges: {SENDERS * EACH} messages of {SENDERS} senders acknowledged in {acknowledged_s:.1f} s, "
            f"all in {SENDERS} conversations {settled_s:.1f} s after the first"
        )


async def test_fifty_first_messages_at_once_of_each_of_a_hundred_senders_are_a_hundred_conversations(
    tmp_path: Path,
) -> None:
    await _race(tmp_path, bridges=2)


@pytest.mark.faults
async def test_first_messages_at_once_over_four_bridges_are_one_conversation_each(tmp_path: Path) -> None:
    await _race(tmp_path, bridges=4)


@pytest.mark.faults
async def test_first_messages_while_a_bridge_is_killed_are_one_conversation_each(tmp_path: Path) -> None:
    async with _bridges(tmp_path, 4) as sites:
        async with asyncio.TaskGroup() as both:
            both.create_task(_rush(sites[0], 4))
            both.create_task(_killed_in_the_flow(sites[0], sites[-1]))
        await _assert_one_conversation_each(sites[0])


async def _killed_in_the_flow(site: Site, victim: Site) -> None:
    async def is_flowing() -> bool:
        async with site.bus() as bus:
            return (await bus.stream_bounds("LOG"))[2] > SENDERS

    await until(is_flowing, bound_s=60.0, saying="nothing flows")
    victim.kill()
