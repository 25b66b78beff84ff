"""From a reply to its end: certain failures, doubtful ends, receipts that come early or late. A real bridge and a provider of the tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from tests.daemon.site import Agent, Site, assert_promises, item
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    made.configure()
    await made.start()
    await made.enroll("maya", capacity=100)
    yield made
    made.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def maya(site: Site) -> AsyncIterator[Agent]:
    async with site.agent("maya") as agent:
        yield agent


async def _case(site: Site, maya: Agent, name: str) -> str:
    await site.insist([item(name, name, f"question of {name}")])
    row = await maya.row(f"question of {name}")
    await maya.accept(row.conv)
    return row.conv


async def _reason(maya: Agent, conv: str, message: str) -> str:
    page = await maya.thread(conv)
    return next(one.reason for one in page.items if one.id == message)


async def test_a_refusal_for_good_is_shown_as_failed_with_its_reason(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "final")
    message = await maya.reply(conv, "[fail bad_address]")
    await maya.settles(conv, message, "failed")
    assert await _reason(maya, conv, message) == "the provider said no"
    assert len([one for one in site.calls() if one["message"] == message]) == 1


async def test_a_passing_failure_is_tried_again_by_the_machine(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "passing")
    message = await maya.reply(conv, "[fail throttled 1]")
    await maya.settles(conv, message, "sent")
    facts = [
        fact for _, _, entry in await site.log() for fact in entry.facts if getattr(fact, "message", "") == message
    ]
    failed = next(fact for fact in facts if isinstance(fact, f.SendFailed))
    claims = [fact for fact in facts if isinstance(fact, f.Sending)]
    assert failed.retry_at_ms is not None and [claim.attempt for claim in claims] == [1, 2]
    # The second deadline is counted from a moment after the time of the retry.
    assert claims[1].deadline_ms - 7_000 >= failed.retry_at_ms


async def test_a_doubtful_send_is_unknown_until_a_human_sends_again(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "doubt")
    message = await maya.reply(conv, "[uncertain 1]")
    await maya.settles(conv, message, "unknown")
    assert Counter(one["message"] for one in site.provider())[message] == 1
    await maya.get(c.SendAgain(id=maya.new_id(), conversation=conv, message=message), c.Done)
    await maya.settles(conv, message, "sent")
    late = await maya.get(c.SendAgain(id=maya.new_id(), conversation=conv, message=message), c.Refusal)
    assert late.code == "late"


async def test_a_provider_that_does_not_answer_leaves_the_end_unknown(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "hang")
    message = await maya.reply(conv, "[slow 60]")
    await maya.settles(conv, message, "unknown")
    assert "in time" in await _reason(maya, conv, message)


async def test_a_receipt_that_comes_before_the_answer_of_the_provider_is_kept(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "early")
    message = await maya.reply(conv, "[slow 1]")
    await maya.settles(conv, message, "sending")
    await site.insist([{"id": "receipt-early", "from": "early", "receipt": "delivered", "message": message}])
    await maya.settles(conv, message, "delivered")
    await until(lambda: any(one["message"] == message for one in site.provider()), saying="the call ends")

    async def is_told() -> bool:
        return any(
            isinstance(fact, f.Sent) and fact.message == message
            for _, _, entry in await site.log()
            for fact in entry.facts
        )

    await until(is_told, saying="the outcome is written")
    assert await maya.delivery(conv, message) == "delivered"


async def test_later_evidence_ends_a_doubt(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "late")
    message = await maya.reply(conv, "[uncertain 1]")
    await maya.settles(conv, message, "unknown")
    await site.insist([{"id": "receipt-late", "from": "late", "receipt": "read", "message": message}])
    await maya.settles(conv, message, "read")
    refused = await maya.get(c.SendAgain(id=maya.new_id(), conversation=conv, message=message), c.Refusal)
    assert refused.code == "late"
    assert Counter(one["message"] for one in site.provider())[message] == 1


async def test_a_bounce_turns_sent_into_failed_and_asks_for_a_new_reply(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "bounce")
    message = await maya.reply(conv, "hello")
    await maya.settles(conv, message, "sent")
    await site.insist(
        [{"id": "bounce-1", "from": "bounce", "receipt": "failed", "why": "mailbox full", "message": message}]
    )
    await maya.settles(conv, message, "failed")
    assert await _reason(maya, conv, message) == "mailbox full"
    refused = await maya.get(c.SendAgain(id=maya.new_id(), conversation=conv, message=message), c.Refusal)
    assert "new reply" in refused.sentence
    anew = await maya.reply(conv, "hello again")
    await maya.settles(conv, anew, "sent")


async def test_a_receipt_told_twice_changes_nothing_the_second_time(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "twice")
    message = await maya.reply(conv, "hello")
    await maya.settles(conv, message, "sent")
    receipt = {"id": "receipt-twice", "from": "twice", "receipt": "delivered", "message": message}
    await site.insist([receipt])
    await site.insist([receipt])
    await maya.settles(conv, message, "delivered")
    delivered = [
        fact
        for _, _, entry in await site.log()
        for fact in entry.facts
        if isinstance(fact, f.Delivered) and fact.message == message
    ]
    assert len(delivered) == 1


async def test_replies_of_one_case_leave_in_the_order_they_were_written(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "order")
    texts = ["[slow 0.5] first", "second", "[slow 0.2] third", "fourth"]
    messages = [await maya.reply(conv, text) for text in texts]
    await maya.settles(conv, messages[-1], "sent")
    ours = [one for one in site.provider() if one["message"] in messages]
    assert [one["text"] for one in ours] == texts


async def test_a_slow_customer_does_not_hold_up_another(site: Site, maya: Agent) -> None:
    slow, quick = await _case(site, maya, "slow"), await _case(site, maya, "quick")
    waits = await maya.reply(slow, "[slow 1.5]")
    await maya.settles(slow, waits, "sending")
    goes = await maya.reply(quick, "hello")
    await maya.settles(quick, goes, "sent")
    assert await maya.delivery(slow, waits) == "sending"
    await maya.settles(slow, waits, "sent")


async def test_a_command_repeated_with_its_id_is_one_reply(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "repeat")
    reply = c.Reply(id=maya.new_id(), conversation=conv, text="once", channel="fake", anyway=True)
    answers = [await maya.get(reply, c.Done) for _ in range(5)]
    assert len({answer.message for answer in answers}) == 1
    message = answers[0].message or ""
    await maya.settles(conv, message, "sent")
    page = await maya.thread(conv)
    assert [one.text for one in page.items if one.kind == "you"] == ["once"]
    assert Counter(one["message"] for one in site.provider())[message] == 1


async def test_a_reply_stops_for_what_the_agent_has_not_seen(site: Site, maya: Agent) -> None:
    conv = await _case(site, maya, "stop")
    seen = (await maya.thread(conv)).upto
    await site.insist([item("stop-2", "stop", "wait, one more thing")])
    await maya.row("wait, one more thing")
    reply = c.Reply(id=maya.new_id(), conversation=conv, text="old answer", channel="fake", seen=seen)
    stopped = await maya.get(reply, v.Refused)
    assert stopped.code == "changed" and [one.text for one in stopped.items] == ["wait, one more thing"]
    assert not [one for one in site.provider() if one["text"] == "old answer"]


async def test_the_books_balance_after_all_this(site: Site) -> None:
    line = (await site.books())["fake"]
    assert (line.gap, line.missing, line.doubled) == (0, (), ())
    replied = [fact for _, _, entry in await site.log() for fact in entry.facts if isinstance(fact, f.Replied)]
    assert line.queued == 0
    assert line.sent + line.failed + line.unknown == len([fact for fact in replied if fact.channel == "fake"])


async def test_the_books_are_the_promises(tmp_path: Path) -> None:
    """The checker itself: it must see a message that was shown twice."""
    planted = Site(tmp_path)
    planted.configure()
    await planted.start()
    try:
        await planted.insist([item(1, "anna", "the same"), item(2, "anna", "the same")])
        with pytest.raises(AssertionError, match="doubled"):
            await assert_promises(planted, [])
        with pytest.raises(AssertionError, match="lost"):
            await assert_promises(planted, [item(3, "anna", "never said")])
    finally:
        planted.kill()
