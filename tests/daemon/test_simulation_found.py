"""Bugs that the simulation found, each with the smallest story that shows it. The seeds are those of the day they were found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.envelopes import Receipt, Said
from broker_bridge.contract.envelopes import Stored as EnvelopeStored
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import Address, Words
from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.states import CONV, HAND
from broker_bridge.daemon.wire import Outgoing, Stored
from tests.daemon.small_house import NOW_MS, Bucket, Log, Small
from tests.until import until


class SlowLog(Log):
    """A log whose first batch takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go = asyncio.Event()
        self.batches: list[list[str]] = []

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = 10.0) -> Stored:
        self.batches.append([msg.subject for msg in msgs])
        await self.may_go.wait()
        return await super().publish_batch(msgs)


def _noted(message: str) -> tuple[dict[int, tuple[Entry, str]], None]:
    return {0: (Entry(at_ms=NOW_MS, by="test", facts=(f.Noted(message=message, agent="a"),)), "")}, None


async def test_a_decision_whose_decider_was_stopped_is_not_written_beside_the_next_one() -> None:
    """Seed 87: a lane was lost while its decisions waited behind a slow batch; the next holder decided the same items again."""
    log = SlowLog()
    small = Small(log=log)
    small.enroll("ann")
    writing = asyncio.create_task(small.writer.run())

    async def note(case: str, message: str) -> None:
        async with small.writer.hold((CONV, case)) as cells:
            await small.writer.decide(cells, "", lambda: _noted(message))

    other = asyncio.create_task(note("other", "m0"))
    await until(lambda: log.batches)
    first = asyncio.create_task(note("case", "m1"))
    await until(lambda: small.writer.has_work)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    second = asyncio.create_task(note("case", "m1"))
    log.may_go.set()
    await asyncio.gather(other, second)
    writing.cancel()
    written = [item for item in log.items if item.subject == "cc.log.conv.case"]
    assert len(written) == 1


async def test_items_come_in_order_although_somebody_else_has_an_open_request(bus: Bus) -> None:
    """Seed 27: the last holder of a lane was frozen with its request open, and was given what came after the reset."""
    request = b'{"batch": 3, "expires": 10000000000}'
    gone = f"{bus.inbox}.gone"
    await bus.listen(gone, lambda _subject, _body: None)
    await bus.send("$JS.API.CONSUMER.MSG.NEXT.IN.in-00", request, reply=gone)
    pull = bus.pull("IN", streams.durable(0))
    got: list[int] = []

    async def read() -> None:
        while items := await pull.some():
            got.extend(item.seq for item in items)

    reading = asyncio.create_task(read())
    for number in range(10):
        await bus.publish(Outgoing("cc.in.x.x.0", b"%d" % number))
    await until(lambda: 10 in got, saying=lambda: f"only {got} came")
    reading.cancel()
    await pull.close()
    assert [seq for place, seq in enumerate(got) if seq not in got[:place]] == list(range(1, 11))


async def test_a_handle_that_is_ahead_of_the_follower_leads_to_its_conversation() -> None:
    """Seed 612: after a lost race the handle was read from the log, its conversation was not yet known here, and a second one began."""
    small = Small()
    small.log.put("hand", "h", f.Bound(customer="c", channel_kind="email"), f.Began(conversation="case"))
    small.case("case")
    await small.states.reload(small.states.cell(HAND, "h"))
    said = Said(sender=Address(address="anna@example.se"), words=Words(text="hello again"))
    sealed = await small.sealer.seal(Words(text=codec.encode(said).decode()), "day")
    stored = EnvelopeStored(
        id="item-2", native="2", kind="email", channel="support", handle="h", received_ms=NOW_MS, sealed=sealed
    )
    writing = asyncio.create_task(small.writer.run())
    await small.parts.clerk.apply(stored)
    writing.cancel()
    assert small.log.items[-1].subject == "cc.log.conv.case"
    assert {item.subject for item in small.log.items if ".conv." in item.subject} == {"cc.log.conv.case"}


async def test_a_receipt_that_is_quicker_than_the_follower_finds_its_message() -> None:
    """Seed 50074: it was quarantined as nobody's, because the reply stood in LOG and not yet in this bridge's read model."""
    small = Small()
    small.case("case")
    await small.catch_up()
    replied = f.Replied(message="ours", agent="ann", channel="support", channel_kind="email", handle="hand-case")
    small.log.put("conv", "case", replied, f.Sending(message="ours", attempt=1, deadline_ms=NOW_MS + 9, bridge="boot"))
    small.log.put("conv", "case", f.Sent(message="ours", attempt=1))
    receipt = codec.encode(
        Receipt(sender=Address(address="anna@example.se"), message="ours", state="delivered")
    ).decode()
    stored = EnvelopeStored(
        id="receipt",
        native="r",
        kind="email",
        channel="support",
        handle="hand-case",
        received_ms=NOW_MS,
        sealed=await small.sealer.seal(Words(text=receipt), "day"),
    )
    writing = asyncio.create_task(small.writer.run())
    applying = asyncio.create_task(small.clerk.apply(stored))
    await asyncio.sleep(0)
    await small.catch_up()
    await applying
    writing.cancel()
    assert [type(fact) for fact in small.facts("conv", "case")][-1] is f.Delivered


async def test_a_leader_no_more_offers_nothing_that_it_had_begun_to() -> None:
    """Seed 653: a round of the old leader waited behind a stalled connection, and offered on a picture that was long gone."""
    small = Small()
    small.enroll("ann")
    small.case("case")
    await small.catch_up()
    small.sits("ann")
    router = small.router
    router.is_leader = True
    writing, routing = asyncio.create_task(small.writer.run()), asyncio.create_task(router.run())
    before = len(small.log.items)
    async with small.writer.hold((CONV, "case")):
        await until(lambda: small.states.cell(CONV, "case").lock._waiters, bound_s=5.0)
        router.is_leader = False
    await asyncio.sleep(0)
    async with small.writer.hold((CONV, "case")):
        pass
    writing.cancel()
    routing.cancel()
    assert len(small.log.items) == before


class SlowDrafts(Bucket):
    """A bucket that is read while something else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def get(self, key: str) -> tuple[bytes, int] | None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().get(key)


async def test_a_supervisor_whose_case_is_taken_away_while_it_is_being_read_leaves_a_record_of_the_look() -> None:
    """Seed 30067: it was theirs when the question came, and nobody's when the page was made."""
    drafts = SlowDrafts()
    small = Small(drafts=drafts)
    small.enroll("olga", role="supervisor")
    small.case("case")
    small.log.put("conv", "case", f.Accepted(agent="olga", epoch=1))
    await small.catch_up()

    async def back_to_the_queue() -> None:
        small.log.put("conv", "case", f.Queued(queue="orders", reason="Olga is gone."))
        await small.catch_up()

    drafts.meanwhile = back_to_the_queue
    page = await small.ask("olga", c.Thread(conversation="case", silent=True))
    assert isinstance(page, v.ThreadPage)
    assert page.row.owner == ""
    assert [item for item in small.log.items if item.subject.startswith("cc.audit.") and b"read" in item.body]
