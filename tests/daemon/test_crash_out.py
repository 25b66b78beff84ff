"""kill -9 of the bridge at every named step between a reply and the customer: never sent twice, never without an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from tests.daemon.site import Agent, Site, assert_promises, item
from tests.until import until

POINTS = ("out.told", "out.claimed", "out.in_call", "out.called", "out.before_claim")
"""In this order one run may follow the other at once: only the last leaves work that would pass the next run's point."""
SURE_ENDS = {
    "out.before_claim": "sent",
    "out.claimed": "unknown",
    "out.in_call": "unknown",
    "out.called": "unknown",
    "out.told": "sent",
}
"""What must be shown at last where the provider does not drop repeats."""


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    made.configure()
    await made.start()
    await made.enroll("maya", capacity=100)
    yield made
    made.kill()


async def _reply_through_a_crash(
    site: Site, point: str, channel: str, tag: str, following: str = ""
) -> tuple[str, str]:
    """A reply whose sending the kill interrupts, in a run that has this point; gives conversation and message."""
    await site.insist([item(f"{tag}-{channel}", f"{tag}-{channel}", f"question {tag} {channel}")], channel)
    async with site.agent("maya") as maya:
        row = await maya.row(f"question {tag} {channel}")
        await maya.accept(row.conv)
        reply = c.Reply(id=maya.new_id(), conversation=row.conv, text=f"answer {tag}", channel=channel, anyway=True)
    async with asyncio.TaskGroup() as both:
        asked = both.create_task(site.insist_as("maya", reply))
        await site.dies()
        await site.start(following)
    done = asked.result()
    assert isinstance(done, c.Done) and done.message, done
    if not following and (SURE_ENDS[point] == "sent" or channel == "sure"):
        # What is still to be sent would pass the next crash point in place of the next reply.
        async with site.agent("maya") as maya:
            await maya.settles(row.conv, done.message, "sent")
    return row.conv, done.message


async def _end_of(maya: Agent, conv: str, message: str) -> str:
    async def settled() -> str | None:
        state = await maya.delivery(conv, message)
        return state if state not in ("waits", "sending", "") else None

    return await until(settled, bound_s=60.0, saying="the reply has no end")


async def test_a_kill_at_any_step_of_sending_sends_nothing_twice_and_every_reply_gets_an_end(site: Site) -> None:
    site.kill()
    await site.start(POINTS[0])
    unsure = {}
    for point, following in zip(POINTS, (*POINTS[1:], ""), strict=True):
        unsure[point] = await _reply_through_a_crash(site, point, "fake", point.replace(".", "-"), following)
    site.kill()
    await site.start("out.in_call")
    sure = await _reply_through_a_crash(site, "out.in_call", "sure", "again")
    async with site.agent("maya") as maya:
        assert {point: await _end_of(maya, *one) for point, one in unsure.items()} == SURE_ENDS
        assert await _end_of(maya, *sure) == "sent"
    assert [one["message"] for one in site.provider("sure")] == [sure[1]]
    assert [one["message"] for one in site.calls("sure") if "repeat" in one] == [sure[1]]
    await assert_promises(site, [])
    await assert_promises(site, [], "sure")


@pytest.mark.faults
@pytest.mark.parametrize("channel", ["fake", "sure"])
@pytest.mark.parametrize("point", POINTS)
async def test_many_kills_at_one_step_of_sending(site: Site, point: str, channel: str) -> None:
    replies = []
    for turn in range(8):
        site.kill()
        await site.start(point)
        replies.append(await _reply_through_a_crash(site, point, channel, f"t{turn}"))
    async with site.agent("maya") as maya:
        ends = [await _end_of(maya, *one) for one in replies]
    assert set(ends) == {SURE_ENDS[point] if channel == "fake" else "sent"}
    await assert_promises(site, [], channel)
