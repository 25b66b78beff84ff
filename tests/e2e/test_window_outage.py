"""The broker and the bridge are killed under a running window: nothing that was written is lost, and nothing leaves twice."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.e2e.house import House, Visitor, is_writing
from tests.e2e.terminal import Terminal
from tests.until import until

NO_LINK = "no link"
RETURN_S = 45.0
"""The bridge starts its broker again, and everybody connects again."""


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.open()
    try:
        await made.site.enroll("maya", capacity=50)
        yield made
    finally:
        made.site.kill()


async def _begin(house: House, window: Terminal, anna: Visitor) -> None:
    """Anna's question is open at Maya's desk, and the caret in the composer."""
    await window.shows("● link")
    await anna.say("Which fee applies in Tokyo?")
    await house.take(window, anna.name)
    await window.shows("Which fee applies in Tokyo?")
    window.press("r")
    await until(lambda: is_writing(window), saying=lambda: window.text)


def _outbox(house: House) -> bytes:
    """What waits on this machine's disk."""
    state = house.folder / "maya-desk" / "state"
    return b"".join(file.read_bytes() for file in state.rglob("outbox-*.jsonl"))


async def test_a_killed_broker_is_a_banner_and_a_reply_written_meanwhile_leaves_once(house: House) -> None:
    async with house.window("maya") as window, house.visitor("Anna Berg") as anna, house.visitor("Bo Lind") as bo:
        await _begin(house, window, anna)
        # The bridge stands still, so that the outage lasts until the reply is written.
        assert house.site.process is not None
        bridge = house.site.process.pid
        os.kill(bridge, signal.SIGSTOP)
        try:
            os.kill(house.site.broker_pid(), signal.SIGKILL)
            await window.shows(NO_LINK, "No link for")
            window.type("No fee with the gold card.\r")
            await window.shows("No fee with the gold card.", "waits for the link", "1 reply waits")
            assert b"No fee with the gold card." in _outbox(house) and anna.heard == []
        finally:
            os.kill(bridge, signal.SIGCONT)
        await window.shows("● link", bound_s=RETURN_S)
        await until(lambda: anna.heard, bound_s=RETURN_S, saying=lambda: window.text)
        await window.hides("waits for the link", "No link for")
        await window.shows("✓ sent")
        await bo.say("Are you there again?")
        await window.shows("Bo Lind", bound_s=RETURN_S)
        await anna.say("Thank you!")
        await window.shows("Thank you!")
        assert anna.heard == ["No fee with the gold card."]
        assert b"No fee with the gold card." not in _outbox(house) or b"settled" in _outbox(house)


async def test_a_killed_bridge_comes_back_to_words_kept_and_a_window_that_catches_up(house: House) -> None:
    async with house.window("maya") as window:
        async with house.visitor("Anna Berg") as anna:
            await _begin(house, window, anna)
            token = anna.tab.token
            house.site.kill()
            await window.shows("No link for", bound_s=20.0)
            window.type("Sent while the bridge is dead.\r")
            await window.shows("Sent while the bridge is dead.", "waits for the link")
            window.type("and a draft that stays")
            await window.shows("and a draft that stays")
            drafts = house.folder / "maya-desk" / "state"
            await until(lambda: any(b"draft that stays" in file.read_bytes() for file in drafts.rglob("*.json")))
        window.kill()
    await house.site.start()
    async with house.visitor("Anna Berg", token=token) as anna, house.visitor("Cy Dahl") as cy:
        await cy.say("I came while nobody was there.")
        async with house.window("maya") as window:
            await window.shows("● link", "Cy Dahl", bound_s=RETURN_S)
            await until(lambda: anna.heard, bound_s=RETURN_S, saying=lambda: window.text)
            await anna.say("Hello? I came back.")
            window.press("/")
            await window.shows("newest first")
            window.type("Anna Berg")
            await window.shows("1 of 1")
            window.press("enter")
            await window.shows("Sent while the bridge is dead.", "and a draft that stays", "Hello? I came back.")
            await window.hides("waits for the link")
        assert anna.heard == ["Sent while the bridge is dead."]
