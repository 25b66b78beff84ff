"""kill -9 of the bridge at every named step between a customer and the log: nothing acknowledged is lost, nothing is shown twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.daemon.site import Site, assert_promises, item

POINTS = ("in.before_store", "in.stored", "in.before_log", "in.logged", "in.applied")


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    made.configure()
    yield made
    made.kill()


def _traffic(turn: int, senders: int, each: int) -> list[list[dict[str, Any]]]:
    """What each sender says, in their order."""
    return [
        [item(f"{turn}-{who}-{n}", f"s{who}", f"turn {turn} sender {who} message {n}") for n in range(each)]
        for who in range(senders)
    ]


async def _through_a_crash(site: Site, crash_at: str, traffic: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Everybody writes, the bridge dies at the point and comes back, everybody repeats what was not acknowledged."""
    await site.start(crash_at)
    async with asyncio.TaskGroup() as crowd:
        for lines in traffic:
            crowd.create_task(site.insist(lines))
        await site.dies()
        await site.start()
    return [one for lines in traffic for one in lines]


async def test_a_kill_at_any_step_of_inbound_loses_nothing_and_shows_nothing_twice(site: Site) -> None:
    traffic = _traffic(0, senders=6, each=60)
    await site.start(f"{POINTS[0]}:5")
    async with asyncio.TaskGroup() as crowd:
        for lines in traffic:
            crowd.create_task(site.insist(lines))
        for following in (*(f"{point}:5" for point in POINTS[1:]), ""):
            await site.dies()
            await site.start(following)
    await assert_promises(site, [one for lines in traffic for one in lines])


@pytest.mark.faults
async def test_messages_of_one_sender_keep_their_order_through_crashes(site: Site) -> None:
    said = [item(n, "anna", f"message {n:03}") for n in range(30)]
    await site.start("in.logged:12")
    async with asyncio.TaskGroup() as crowd:
        crowd.create_task(site.insist(said))
        await site.dies()
        await site.start()
    await site.enroll("maya")
    async with site.agent("maya") as maya:
        row = await maya.row("message 029")
        page = await maya.thread(row.conv)
    assert [one.text for one in page.items] == [one["text"] for one in said]


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
async def test_many_kills_at_one_step_of_inbound(site: Site, point: str) -> None:
    said: list[dict[str, Any]] = []
    for turn in range(12):
        said += await _through_a_crash(site, f"{point}:{2 + turn % 6}", _traffic(turn, senders=12, each=12))
        site.kill()
    await site.start()
    await assert_promises(site, said)
