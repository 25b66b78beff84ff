"""What nobody can read: unknown facts make one case read-only, broken items are kept as work for an operator; the rest goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.daemon import admin
from broker_bridge.daemon.bus import Outgoing
from broker_bridge.daemon.office import DeadLine, Declined
from broker_bridge.daemon.quarantine import REPLAYED
from tests.daemon.site import Agent, Site, assert_promises, item
from tests.until import until


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    made.configure()
    await made.start()
    yield made
    made.kill()


async def _dead(site: Site, count: int) -> list[DeadLine]:
    async def there() -> list[DeadLine] | None:
        lines = await admin.dead_list(site.config)
        return lines if len(lines) >= count else None

    return await until(there, bound_s=20.0, saying=f"{count} items in quarantine")


async def _add_unknown_fact(site: Site, conv: str) -> None:
    """As a bridge of a later version would."""
    entry = {"at_ms": 1, "by": "agent:maya", "facts": [{"kind": "levitated", "height_m": 3}]}
    async with site.bus() as bus:
        subject = f"cc.log.conv.{conv}"
        last = await bus.last_for(subject, "LOG")
        assert last is not None
        headers = {"Nats-Expected-Last-Subject-Sequence": str(last[0])}
        await bus.publish(Outgoing(subject, msgspec.json.encode(entry), headers))


async def _is_read_only(site: Site, conv: str) -> None:
    async with site.agent("maya") as maya:

        async def refused() -> bool:
            answer = await maya.ask(c.Note(id=maya.new_id(), conversation=conv, text="a note"))
            return isinstance(answer, c.Refusal) and "read-only" in answer.sentence

        await until(refused, saying="the case is read-only")


async def test_a_fact_of_a_later_version_makes_its_case_read_only_and_nothing_else(site: Site) -> None:
    await site.enroll("maya", capacity=50)
    await site.insist([item(1, "anna", "from the future")])
    async with site.agent("maya") as maya:
        row = await maya.row("from the future")
        await _add_unknown_fact(site, row.conv)
        await _is_read_only(site, row.conv)
        await maya.get(c.Hello(device="t"), v.Welcome)
        await site.insist([item(2, "bert", "from today")])
        other = await maya.row("from today")
        await until(lambda: _is_ringing(site, other.conv), saying="the other case is offered")
        await maya.accept(other.conv)
        message = await maya.reply(other.conv, "answer")
        await maya.settles(other.conv, message, "sent")
        page = await maya.thread(row.conv)
        assert [one.text for one in page.items if one.kind == "them"] == ["from the future"]
    site.kill()
    await site.start()
    await _is_read_only(site, row.conv)
    await site.insist([item(3, "anna", "are you there?")])
    (line,) = await _dead(site, 1)
    assert "later version" in line.reason
    books = (await site.books())["fake"]
    assert (books.received, books.stored, books.quarantined, books.gap) == (3, 2, 1, 0)


async def _is_ringing(site: Site, conv: str) -> bool:
    return any(
        isinstance(fact, f.Offered)
        for _, subject, entry in await site.log()
        for fact in entry.facts
        if subject.endswith(conv)
    )


async def test_what_is_no_item_at_all_is_kept_shown_and_replayed_and_the_books_balance(site: Site) -> None:
    async with site.bus() as bus:
        for number, body in enumerate((b"\x00\xff garbage", b"{}", b"[]" * 10)):
            await bus.publish(Outgoing(f"cc.in.fake.fake.{number}", body, {"Nats-Msg-Id": f"poison-{number}"}))
    lines = await _dead(site, 3)
    await site.insist([item(1, "anna", "the lane goes on")])
    shown = await admin.dead_show(site.config, lines[0].seq)
    assert shown.raw in (b"\x00\xff garbage", b"{}", b"[]" * 10)
    await admin.dead_replay(site.config, lines[0].seq)
    again = await _dead(site, 4)
    assert [line.is_replayed for line in again] == [True, False, False, False]
    with pytest.raises(Declined, match="replayed already"):
        await admin.dead_replay(site.config, lines[0].seq)
    with pytest.raises(Declined, match="there is no item"):
        await admin.dead_show(site.config, 999)
    books = (await site.books())["fake"]
    assert books.gap == 0 and books.stored == 1 and books.quarantined == books.received - 1
    await assert_promises(site, [item(1, "anna", "the lane goes on")])


async def _notice(site: Site, boss: Agent) -> v.Alert | None:
    view = await boss.get(c.Directory(), v.DirectoryView)
    return next((one for one in view.notices if one.id.startswith("dead:")), None)


async def test_supervisors_are_told_of_it_until_it_was_replayed_or_cleared_away(site: Site) -> None:
    await site.enroll("olga", role="supervisor")
    async with site.agent("olga") as olga:
        await olga.get(c.Hello(), v.Welcome)
        assert await _notice(site, olga) is None

        async def says(words: str) -> v.Alert:
            async def told() -> v.Alert | None:
                found = await _notice(site, olga)
                return found if found is not None and words in found.text else None

            return await until(told, bound_s=20.0, saying=f"no alert says {words!r}")

        await site.insist([{"id": "r1", "from": "anna", "receipt": "read", "message": "nobodys"}])
        first = await says("1 item could not be read or applied, the newest on fake: ")
        assert first.severity == "late" and "did not send" in first.text and "`broker-bridge dead list`" in first.text
        await site.insist([{"id": "r2", "from": "bert", "receipt": "read", "message": "nobodys"}])
        second = await says("2 items could not be read or applied")
        assert second.id != first.id and second.at_ms > first.at_ms
        site.kill()
        await site.start()
        assert (await says("2 items")).id == second.id
        async with site.bus() as bus:
            newest = (await _dead(site, 2))[-1].seq
            # As a replay that came through: nothing new lies there.
            await bus.publish(Outgoing(REPLAYED, str(newest).encode(), {}))
            assert (await says("1 item")).id == f"dead:{newest - 1}"
            await bus.purge("DEAD")

        async def is_over() -> bool:
            return await _notice(site, olga) is None

        await until(is_over, bound_s=20.0, saying="it stays an alert")


async def test_an_item_that_failed_twice_can_be_replayed_until_its_cause_is_repaired(site: Site) -> None:
    await site.insist([{"id": "r1", "from": "anna", "receipt": "read", "message": "nobodys"}])
    (line,) = await _dead(site, 1)
    assert "did not send" in line.reason
    for count in (2, 3):
        await admin.dead_replay(site.config, (await admin.dead_list(site.config))[-1].seq)
        lines = await _dead(site, count)
        assert [one.is_replayed for one in lines] == [True] * (count - 1) + [False]
    books = (await site.books())["fake"]
    assert (books.received, books.quarantined, books.gap) == (1, 1, 0)


async def test_a_replayed_item_is_shown_once_its_cause_is_gone(site: Site) -> None:
    await site.enroll("maya")
    await site.insist([item(1, "anna", "first")])
    async with site.agent("maya") as maya:
        row = await maya.row("first")
        await maya.accept(row.conv)
    await _add_unknown_fact(site, row.conv)
    await _is_read_only(site, row.conv)
    await site.insist([item(2, "anna", "second")])
    (line,) = await _dead(site, 1)
    async with site.bus() as bus:
        # The repair: an operator takes the foreign fact out of the log, and the bridge reads it anew.
        subject = f"cc.log.conv.{row.conv}"
        last = await bus.last_for(subject, "LOG")
        assert last is not None
        await bus.call("$JS.API.STREAM.MSG.DELETE.LOG", msgspec.json.encode({"seq": last[0]}))
    assert await site.stop() == 0
    for file in site.config.state_dir.glob("readmodel.sqlite*"):
        file.unlink()
    await site.start()
    await admin.dead_replay(site.config, line.seq)
    async with site.agent("maya") as maya:
        await maya.row("second")
    await assert_promises(site, [item(1, "anna", "first"), item(2, "anna", "second")])
    books = (await site.books())["fake"]
    assert (books.received, books.stored, books.quarantined) == (2, 2, 0)
