"""Drafts in the broker: sealed, one for each agent and conversation, and not dropped by what came late."""

from broker_bridge.contract.views import DraftView
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.seal import Sealer
from tests.daemon.small_house import Bucket


def _drafts() -> tuple[Drafts, Bucket]:
    kept = Bucket()
    return Drafts(kept, Sealer(b"k" * 32, Bucket())), kept


async def test_a_draft_lies_sealed_and_comes_back() -> None:
    drafts, kept = _drafts()
    await drafts.keep("maya", "case1", "Dear Anna", "note", 5)
    assert b"Anna" not in b"".join(kept.values.values())
    assert await drafts.load("maya", "case1") == DraftView(text="Dear Anna", mode="note", at_ms=5)
    assert await drafts.load("ole", "case1") is None


async def test_what_was_drafted_and_said_is_no_draft_any_more() -> None:
    drafts, _ = _drafts()
    await drafts.keep("maya", "case1", "Dear Anna, the f", "reply", 5)
    await drafts.said("maya", "case1", "Dear Anna, the fee is 35 kr.")
    assert await drafts.load("maya", "case1") is None


async def test_a_command_that_comes_a_second_time_leaves_the_next_draft() -> None:
    drafts, _ = _drafts()
    await drafts.keep("maya", "case1", "One more thing", "reply", 9)
    await drafts.said("maya", "case1", "Dear Anna, the fee is 35 kr.")
    assert await drafts.load("maya", "case1") is not None
