"""How a bridge ends and begins: signals drain, kill -9 is survived at once, the log of a whole run names nobody, one bridge a folder."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from broker_bridge.daemon.readmodel import ReadModel
from tests.canary import CANARY
from tests.daemon.site import Site, assert_promises, item
from tests.until import until


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    made.configure()
    await made.start()
    yield made
    made.kill()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_a_send_end_and_writes_its_outcome(site: Site, sign: signal.Signals) -> None:
    await site.enroll("maya")
    await site.insist([item(1, "anna", "question")])
    async with site.agent("maya") as maya:
        row = await maya.row("question")
        await maya.accept(row.conv)
        message = await maya.reply(row.conv, "[slow 1] answer")
        await maya.settles(row.conv, message, "sending")
    assert await site.stop(sign) == 0
    assert [one["message"] for one in site.provider()] == [message]
    await site.start()
    async with site.agent("maya") as maya:
        assert await maya.delivery(row.conv, message) == "sent"
    assert len(site.provider()) == 1


async def test_a_signal_twice_and_a_signal_in_the_flow_end_in_order(site: Site) -> None:
    lines = [item(n, f"s{n % 7}", f"message {n}") for n in range(200)]
    told: list[dict[str, Any]] = []
    await site.insist([item("first", "s0", "the first one")])
    async with _Flow(site, lines, told):
        await until(lambda: len(told) > 20, saying="the flow begins")
        process = site.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert await site.stop() == 0
    await site.start()
    await site.insist(lines)
    await assert_promises(site, lines)


async def test_a_start_right_after_a_kill_works_at_once_and_takes_all_duties(site: Site) -> None:
    await site.insist([item(1, "anna", "before")])
    broker = site.broker_pid()
    site.kill()
    await site.start()
    assert site.broker_pid() != broker
    await site.insist([item(2, "anna", "after")], bound_s=20.0)
    await assert_promises(site, [item(1, "anna", "before"), item(2, "anna", "after")])


async def test_a_second_bridge_on_the_same_folder_is_refused(site: Site) -> None:
    second = Site(site.folder.parent)
    second._starts = 50
    await second.launch()
    process = second.process
    assert process is not None
    await until(lambda: process.poll() is not None, bound_s=30.0)
    assert process.returncode == 69
    assert "another bridge runs with" in second._file("err").read_text()
    await site.insist([item(1, "anna", "still here")])


async def test_a_read_model_made_anew_equals_the_one_that_grew(site: Site) -> None:
    await site.enroll("maya", capacity=50)
    await site.insist([item(n, f"s{n % 9}", f"message {n} of many") for n in range(60)])
    async with site.agent("maya") as maya:
        await maya.row("message 59")
        for number, row in enumerate(await maya.rows()):
            await maya.accept(row.conv)
            message = await maya.reply(row.conv, f"answer {number}")
            await maya.settles(row.conv, message, "sent")
            if number % 3 == 0:
                await maya.get(c.Close(id=maya.new_id(), conversation=row.conv, disposition="solved"), c.Done)
            if number % 3 == 1:
                await maya.get(c.Transfer(id=maya.new_id(), conversation=row.conv, to_queue="sales"), c.Done)
        await maya.get(c.Note(id=maya.new_id(), conversation=(await maya.rows())[0].conv, text="a note"), c.Done)
    assert await site.stop() == 0
    grown = _checksum(site)
    for file in site.config.state_dir.glob("readmodel.sqlite*"):
        file.unlink()
    await site.start()
    assert await site.stop() == 0
    assert _checksum(site) == grown


async def test_a_damaged_read_model_is_made_anew(site: Site) -> None:
    await site.enroll("maya")
    await site.insist([item(1, "anna", "before the damage")])
    async with site.agent("maya") as maya:
        await maya.row("before the damage")
    site.kill()
    path = site.config.state_dir / "readmodel.sqlite"
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(b"this is no database" * 1000)
    await site.start()
    async with site.agent("maya") as maya:
        await maya.row("before the damage")


def _checksum(site: Site) -> str:
    model = ReadModel(site.config.state_dir / "readmodel.sqlite")
    try:
        return model.checksum()
    finally:
        model.close()


async def test_no_word_address_or_secret_is_in_what_a_bridge_writes_to_its_log(site: Site) -> None:
    await site.enroll("maya")
    async with site.agent("maya") as maya:
        await site.insist([item(1, CANARY.address, CANARY.text, name=CANARY.text)])
        row = await maya.row(CANARY.text)
        await maya.accept(row.conv)
        for text in (CANARY.text, f"[fail bad_address] {CANARY.text}", f"[uncertain] {CANARY.text}"):
            message = await maya.reply(row.conv, text)
            await _called(site, message)
        await maya.get(c.Note(id=maya.new_id(), conversation=row.conv, text=CANARY.text), c.Done)
        await maya.ask(c.Search(text=CANARY.text))
        await maya.ask(c.Draft(conversation=row.conv, text=CANARY.secret))
        await maya.ask(c.Close(id=maya.new_id(), conversation=row.conv, disposition=CANARY.text))
        await maya.ask(c.Presence(state=CANARY.text))
        await maya.bus.request("cc.do.maya.reply", json.dumps({"verb": "reply", "text": CANARY.text}).encode())
        await maya.bus.request(f"cc.do.maya.{CANARY.secret}", b"{}")
    await site.insist([{"id": "x", "from": CANARY.address, "receipt": "delivered", "message": CANARY.secret}])
    os.kill(site.broker_pid(), signal.SIGKILL)
    await site.insist([item(2, CANARY.address, CANARY.text + " again")])
    await site.books()
    site.kill()
    await site.start()
    assert await site.stop() == 0
    assert CANARY.found_in(site.said()) == []
    assert CANARY.found_in((site.config.state_dir / "broker" / "nats.log").read_bytes()) == []
    seeds = (site.config.state_dir / "bridge.seed").read_text().strip()
    assert seeds not in site.said()


async def _called(site: Site, message: str) -> None:
    await until(lambda: any(one["message"] == message for one in site.calls()), saying="it is sent")


async def test_words_and_addresses_are_sealed_on_disk(site: Site) -> None:
    await site.insist([item(1, CANARY.address, CANARY.text, name=CANARY.text)])
    await site.books()
    assert await site.stop() == 0
    store = site.config.state_dir / "broker" / "store"
    for file in store.rglob("*"):
        if file.is_file():
            assert CANARY.found_in(file.read_bytes()) == [], file
    with sqlite3.connect(site.config.state_dir / "readmodel.sqlite") as database:
        assert database.execute("SELECT COUNT(*) FROM item").fetchone() == (1,)


class _Flow:
    """Lines said one by one in the background until the connection ends."""

    def __init__(self, site: Site, lines: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
        self._site, self._lines, self._told = site, lines, told

    async def __aenter__(self) -> None:
        async def speak() -> None:
            for line in self._lines:
                got = await self._site.deliver([line])
                self._told += got
                if not got:
                    return

        self._task = asyncio.create_task(speak())

    async def __aexit__(self, *_: object) -> None:
        await self._task


async def test_presence_of_a_silent_desk_is_not_kept_by_a_restart(site: Site) -> None:
    await site.enroll("maya")
    async with site.agent("maya") as maya:
        welcome = await maya.get(c.Hello(device="t"), v.Welcome)
        assert welcome.me.state == "ready"
    site.kill()
    await site.start()
    await site.insist([item(1, "anna", "who is there")])
    async with site.agent("maya") as maya:
        row = await maya.row("who is there")
        assert row.state in ("queued", "ringing")
