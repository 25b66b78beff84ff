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


async def test_a_bridge_that_was_frozen_does_not_put_an_older_draft_over_a_newer_one() -> None:
    """Found by the simulation: the newer one had been acknowledged by the next bridge."""
    drafts, kept = _drafts()
    await drafts.keep("maya", "case1", "Dear", "reply", 1)

    async def next_bridge() -> None:
        await drafts.keep("maya", "case1", "Dear Anna, thank you", "reply", 9)

    kept.before_writing = next_bridge
    await drafts.keep("maya", "case1", "Dear Anna", "reply", 5)
    assert await drafts.load("maya", "case1") == DraftView(text="Dear Anna, thank you", at_ms=9)


async def test_of_two_first_drafts_the_newer_one_stays() -> None:
    for first, second in ((5, 9), (9, 5)):
        drafts, kept = _drafts()

        async def other(drafts: Drafts = drafts, at_ms: int = first) -> None:
            await drafts.keep("maya", "case1", f"text of {at_ms}", "reply", at_ms)

        kept.before_writing = other
        await drafts.keep("maya", "case1", f"text of {second}", "reply", second)
        assert await drafts.load("maya", "case1") == DraftView(text="text of 9", at_ms=9)


async def test_a_draft_that_was_dropped_does_not_come_back_late() -> None:
    drafts, _ = _drafts()
    await drafts.keep("maya", "case1", "Dear Anna", "reply", 5)
    await drafts.keep("maya", "case1", "", "reply", 9)
    await drafts.keep("maya", "case1", "Dear", "reply", 4)
    assert await drafts.load("maya", "case1") is None
    await drafts.keep("maya", "case1", "Once more", "reply", 10)
    assert await drafts.load("maya", "case1") == DraftView(text="Once more", at_ms=10)


async def test_a_draft_that_was_said_does_not_come_back_late() -> None:
    drafts, _ = _drafts()
    await drafts.keep("maya", "case1", "Dear Anna", "reply", 5)
    await drafts.said("maya", "case1", "Dear Anna, yes.")
    await drafts.keep("maya", "case1", "Dear", "reply", 4)
    assert await drafts.load("maya", "case1") is None


async def test_what_is_being_written_while_something_was_said_stays() -> None:
    drafts, kept = _drafts()
    await drafts.keep("maya", "case1", "Dear Anna", "reply", 5)

    async def writes_on() -> None:
        await drafts.keep("maya", "case1", "By the way", "reply", 6)

    kept.before_writing = writes_on
    await drafts.said("maya", "case1", "Dear Anna")
    assert await drafts.load("maya", "case1") == DraftView(text="By the way", at_ms=6)


async def test_a_draft_goes_along_behind_what_is_being_written_there() -> None:
    drafts, _ = _drafts()
    await drafts.keep("maya", "gone", "and the receipt", "reply", 3)
    await drafts.keep("maya", "stays", "Dear Anna", "note", 8)
    for _ in range(2):
        await drafts.follow("maya", "gone", "stays")
    assert await drafts.load("maya", "stays") == DraftView(text="Dear Anna\n\nand the receipt", mode="note", at_ms=8)


async def test_a_draft_that_cannot_be_read_makes_room() -> None:
    drafts, kept = _drafts()
    await kept.put("maya.case1", b"no draft")
    assert await drafts.load("maya", "case1") is None
    await drafts.keep("maya", "case1", "Dear Anna", "reply", 1)
    assert await drafts.load("maya", "case1") is not None
