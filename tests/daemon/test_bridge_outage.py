"""kill -9 of nats-server in full flow: what the senders were acknowledged is there, once, in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker_bridge.contract import facts as f
from broker_bridge.contract.words import opened
from tests.daemon.site import Site, assert_promises, item
from tests.until import until


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    made.configure()
    await made.start()
    yield made
    made.kill()


async def _flow(site: Site, senders: int, each: int, outages: int) -> None:
    traffic = [[item(f"{who}-{n}", f"s{who}", f"s{who} says {n:03}") for n in range(each)] for who in range(senders)]
    acknowledged = 0

    async def speak(lines: list[dict[str, str]]) -> None:
        nonlocal acknowledged
        left = lines
        while left:
            told = await site.deliver(left)
            acknowledged += len(told)
            left = left[len(told) :]
            await asyncio.sleep(0.05)

    async def break_broker() -> None:
        for outage in range(outages):
            await _reached(senders * each * (outage + 1) // (outages + 2))
            os.kill(site.broker_pid(), signal.SIGKILL)

    async def _reached(count: int) -> None:
        await until(lambda: acknowledged >= count, bound_s=120.0, saying="the flow stands still")

    # Senders count what they were told line by line, so that the outage really falls into the flow.
    chunks = [[lines[start : start + 5] for start in range(0, each, 5)] for lines in traffic]

    async def one(parts: list[list[dict[str, str]]]) -> None:
        for part in parts:
            await speak(part)

    async with asyncio.TaskGroup() as crowd:
        crowd.create_task(break_broker())
        for parts in chunks:
            crowd.create_task(one(parts))
    await assert_promises(site, [line for lines in traffic for line in lines])
    said: dict[str, list[str]] = {}
    for _, subject, entry in await site.log():
        for fact in entry.facts:
            if isinstance(fact, f.Received):
                said.setdefault(subject, []).append(opened(fact.words).text)
    assert sorted(said.values()) == sorted([line["text"] for line in lines] for lines in traffic)


async def test_a_broker_killed_under_two_thousand_messages_loses_and_doubles_none(site: Site) -> None:
    await _flow(site, senders=40, each=50, outages=1)


@pytest.mark.faults
@pytest.mark.parametrize("turn", range(5))
async def test_a_broker_killed_again_and_again(site: Site, turn: int) -> None:
    await _flow(site, senders=60, each=100, outages=3)


async def test_replies_accepted_around_an_outage_are_sent_once(site: Site) -> None:
    await site.enroll("maya", capacity=100)
    await site.insist([item(n, f"c{n}", f"question {n}") for n in range(20)])
    async with site.agent("maya") as maya:
        await maya.row("question 19")
        rows = await maya.rows()
        for row in rows:
            await maya.accept(row.conv)
        messages = {}
        for number, row in enumerate(rows):
            if number == 10:
                os.kill(site.broker_pid(), signal.SIGKILL)
            messages[row.conv] = await maya.reply_surely(row.conv, f"answer {number}")

        for conv, message in messages.items():
            await maya.settles(conv, message, "sent", bound_s=60.0)
    assert sorted(one["message"] for one in site.provider()) == sorted(messages.values())
    await assert_promises(site, [])
