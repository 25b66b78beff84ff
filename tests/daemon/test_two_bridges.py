"""Two bridges on one broker: they share the load, and either may die in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from tests.daemon.site import Site, assert_promises, item
from tests.until import until


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Site, Site]]:
    one = Site(tmp_path)
    one.configure()
    await one.start()
    two = one.peer()
    await two.start()
    await _share(one, {"lane": {8}, "channel": {1}})
    yield one, two
    two.kill()
    one.kill()


async def _held(site: Site) -> dict[str, dict[str, list[str]]]:
    """Names of leases by group and holder."""
    found: dict[str, dict[str, list[str]]] = {}
    async with site.bus() as bus:
        for entry in await (await bus.kv("leases")).entries("lease."):
            _, group, name = entry.key.split(".")
            found.setdefault(group, {}).setdefault((entry.value or b"").decode(), []).append(name)
    return found


async def _share(site: Site, wanted: dict[str, set[int]], bound_s: float = 30.0) -> None:
    """Wait until every group is spread in these portions, and whole."""
    whole = {"lane": 16, "channel": 2}

    async def spread() -> bool:
        held = await _held(site)
        portions = {group: [len(names) for names in held.get(group, {}).values()] for group in wanted}
        return all(set(portions[group]) == wanted[group] and sum(portions[group]) == whole[group] for group in wanted)

    await until(spread, bound_s=bound_s, saying="the leases are not spread")


def _traffic(tag: str, senders: int, each: int) -> list[list[dict[str, Any]]]:
    return [
        [item(f"{tag}-{who}-{n}", f"{tag}{who}", f"{tag} s{who} says {n:03}") for n in range(each)]
        for who in range(senders)
    ]


async def _said(site: Site, traffic: list[list[dict[str, Any]]], channel: str = "fake") -> None:
    async with asyncio.TaskGroup() as crowd:
        for lines in traffic:
            crowd.create_task(site.insist(lines, channel))


async def test_two_bridges_share_lanes_and_channels_and_lose_nothing(pair: tuple[Site, Site]) -> None:
    one, _ = pair
    fake, sure = _traffic("f", 12, 15), _traffic("g", 12, 15)
    await asyncio.gather(_said(one, fake), _said(one, sure, "sure"))
    await assert_promises(one, [line for lines in fake for line in lines])
    await assert_promises(one, [line for lines in sure for line in lines], "sure")


async def test_a_bridge_that_is_stopped_in_the_flow_hands_over_at_once(pair: tuple[Site, Site]) -> None:
    one, two = pair
    fake, sure = _traffic("f", 12, 15), _traffic("g", 12, 15)
    async with asyncio.TaskGroup() as both:
        both.create_task(_said(one, fake))
        both.create_task(_said(one, sure, "sure"))
        both.create_task(_stopped(two))
    await _share(one, {"lane": {16}, "channel": {2}})
    await assert_promises(one, [line for lines in fake for line in lines])
    await assert_promises(one, [line for lines in sure for line in lines], "sure")


async def _stopped(site: Site) -> None:
    assert await site.stop() == 0


@pytest.mark.faults
async def test_a_bridge_killed_in_the_flow_and_started_again_loses_nothing(pair: tuple[Site, Site]) -> None:
    one, two = pair
    two.kill()
    await two.start("in.logged:20")
    await _share(one, {"lane": {8}, "channel": {1}})
    fake, sure = _traffic("f", 16, 10), _traffic("g", 16, 10)
    async with asyncio.TaskGroup() as both:
        both.create_task(_said(one, fake))
        both.create_task(_said(one, sure, "sure"))
        await two.dies()
        await two.start()
    await assert_promises(one, [line for lines in fake for line in lines])
    await assert_promises(one, [line for lines in sure for line in lines], "sure")


@pytest.mark.faults
@pytest.mark.parametrize("point", ["in.before_log", "in.logged", "in.applied", "in.stored"])
async def test_a_bridge_killed_for_good_is_replaced_by_the_other(pair: tuple[Site, Site], point: str) -> None:
    one, two = pair
    two.kill()
    await two.start(f"{point}:5")
    await _share(one, {"lane": {8}, "channel": {1}})
    fake, sure = _traffic("f", 16, 10), _traffic("g", 16, 10)
    async with asyncio.TaskGroup() as both:
        both.create_task(_said(one, fake))
        both.create_task(_said(one, sure, "sure"))
        await two.dies()
    await _share(one, {"lane": {16}, "channel": {2}}, bound_s=60.0)
    await assert_promises(one, [line for lines in fake for line in lines])
    await assert_promises(one, [line for lines in sure for line in lines], "sure")


async def test_fifty_first_messages_at_once_of_each_of_twenty_senders_are_twenty_conversations(
    pair: tuple[Site, Site],
) -> None:
    one, _ = pair
    crowd = [(who, n) for n in range(50) for who in range(20)]
    async with asyncio.TaskGroup() as rush:
        for start in range(0, len(crowd), 5):
            lines = [item(f"{who}-{n}", f"s{who}", f"s{who} n{n}") for who, n in crowd[start : start + 5]]
            rush.create_task(one.insist(lines))
    await one.books()
    opened = [subject for _, subject, entry in await one.log() if subject.startswith("cc.log.conv.")]
    assert len(set(opened)) == 20
    await assert_promises(one, [item(0, "", f"s{who} n{n}") for who, n in crowd])


async def test_a_conversation_has_one_owner_whoever_asks_which_bridge(pair: tuple[Site, Site]) -> None:
    one, _ = pair
    names = [f"agent{n}" for n in range(6)]
    for name in names:
        await one.enroll(name)
    await one.insist([item(n, f"c{n}", f"question {n}") for n in range(10)])
    async with one.agent("agent0") as first:
        await first.row("question 9")
        rows = await first.rows()

    async def take_all(name: str) -> list[str]:
        async with one.agent(name) as agent:
            answers = [await agent.ask(c.Accept(id=agent.new_id(), conversation=row.conv)) for row in rows]
        return [row.conv for row, answer in zip(rows, answers, strict=True) if isinstance(answer, c.Done)]

    taken = await asyncio.gather(*(take_all(name) for name in names))
    assert sorted(conv for convs in taken for conv in convs) == sorted(row.conv for row in rows)


async def test_a_feed_has_one_home_and_counts_without_a_hole(pair: tuple[Site, Site]) -> None:
    one, _ = pair
    await one.enroll("maya")
    heard: list[v.Feed] = []
    async with one.agent("maya") as maya:
        listening = await maya.bus.listen("cc.view.maya.desk", lambda _, body: heard.append(_feed(body)))
        homes = set()
        epochs = []

        async def next_hello(tag: int) -> None:
            welcome = await maya.get(c.Hello(device="t"), v.Welcome)
            homes.add(welcome.bridge)
            epochs.append(welcome.epoch)
            await one.insist([item(f"h{tag}", f"h{tag}", f"hello {tag}")])
            await until(
                lambda: any(feed.epoch == welcome.epoch and feed.rows for feed in heard if _shows(feed, tag)),
                saying=lambda: f"hello {tag} is not in the feed of {welcome.epoch}: {heard}",
            )

        for tag in range(12):
            await next_hello(tag)
        await listening.close()
    assert len(homes) == 2
    for epoch in epochs:
        numbers = [feed.n for feed in heard if feed.epoch == epoch]
        assert numbers == list(range(1, len(numbers) + 1)), (epoch, numbers)
    # Nothing of an older epoch comes once the next feed has begun to speak of something new.
    last = [feed for feed in heard if _shows(feed, 11)]
    assert {feed.epoch for feed in last} == {epochs[-1]}


def _feed(body: bytes) -> v.Feed:
    return codec.feed(body)


def _shows(feed: v.Feed, tag: int) -> bool:
    return any(row.text == f"hello {tag}" for row in feed.rows)
