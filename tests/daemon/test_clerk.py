"""From IN into LOG on a real site: an item is applied once however often it lies in IN, and joins the case it belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.words import opened
from broker_bridge.daemon import admin, visiting
from broker_bridge.daemon.bus import Outgoing
from tests.daemon.site import Site, assert_promises, item

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    made.configure()
    await made.start()
    await made.enroll("maya", capacity=50)
    yield made
    made.kill()


async def test_an_item_that_lies_in_the_stream_twice_is_shown_once(site: Site) -> None:
    said = [item(f"twice-{n}", f"twice{n % 3}", f"twice {n}") for n in range(12)]
    await site.insist(said)
    async with site.bus() as bus:
        copies = [one async for one in visiting.all_items(bus, "IN", "cc.in.>")]
        for number, one in enumerate(copies):
            # As after the stream has forgotten the id: the provider repeats, and it is stored a second time.
            await bus.publish(Outgoing(one.subject, one.body, {"Nats-Msg-Id": f"copy-{number}"}))
    await assert_promises(site, said)


async def test_a_repeat_within_the_window_is_told_as_a_duplicate(site: Site) -> None:
    line = item("window", "window", "said once")
    assert [one["new"] for one in await site.deliver([line, line, line])] == [True, False, False]


async def test_a_customer_who_writes_after_the_end_reopens_the_case(site: Site) -> None:
    await site.insist([item("end-1", "ender", "before the end")])
    async with site.agent("maya") as maya:
        row = await maya.row("before the end")
        await maya.accept(row.conv)
        await maya.get(c.Close(id=maya.new_id(), conversation=row.conv, disposition="solved"), c.Done)
        await site.insist([item("end-2", "ender", "after the end")])
        again = await maya.row("after the end")
    assert again.conv == row.conv and again.state in ("queued", "ringing")


async def test_messages_of_one_sender_stand_in_the_order_of_their_acknowledgment(site: Site) -> None:
    said = [item(f"order-{n}", "orderly", f"order {n:03}") for n in range(100)]
    await site.insist(said)
    await site.books()
    texts = [
        opened(fact.words).text
        for _, _, entry in await site.log()
        for fact in entry.facts
        if isinstance(fact, f.Received) and opened(fact.words).text.startswith("order ")
    ]
    assert texts == [one["text"] for one in said]


async def test_a_receipt_for_a_message_that_is_not_ours_is_kept_for_an_operator(site: Site) -> None:
    before = len(await admin.dead_list(site.config))
    await site.insist([{"id": "stray", "from": "stray", "receipt": "delivered", "message": "nobodys"}])
    books = (await site.books())["fake"]
    assert len(await admin.dead_list(site.config)) == before + 1
    assert books.gap == 0
