"""A first contact is offered in the batch that begins it, if nobody stands before it; else it is written and waits its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Said, Stored
from broker_bridge.contract.policy import Hours, QueueRules, Span
from broker_bridge.contract.words import Address, Words
from broker_bridge.core.definitions import Policy
from broker_bridge.core.replay import Plan, Replay
from broker_bridge.core.state import OWNED, QUEUED, Conversation
from broker_bridge.daemon import wire
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.spares import LEAST, Spares
from broker_bridge.daemon.states import CONV, HAND, LOAD
from tests.daemon.small_house import NOW_MS, Bucket, Small

CHAT = 20


def a_house(*agents: str, units: int = 100, **rules: Any) -> Small:
    small = Small(rules={"orders": QueueRules(**rules)})
    for agent in agents:
        small.enroll(agent, units=units)
    return small


async def leads(small: Small, *agents: str) -> list[list[str]]:
    """It leads, these agents are ready; gives what is written from here on: kinds of aggregates, batch by batch."""
    await small.catch_up()
    small.router._leads = True
    for agent in agents:
        small.sits(agent)
    batches: list[list[str]] = []
    write = small.log.publish_batch

    async def written(msgs: Sequence[wire.Outgoing], timeout_s: float = 10.0) -> wire.Stored:
        found = await write(msgs, timeout_s)
        batches.append([msg.subject.split(".")[2] for msg in msgs])
        return found

    small.log.publish_batch = written  # type: ignore[method-assign]
    return batches


async def comes(small: Small, name: str, sender: str = "") -> Conversation:
    """A chat message of somebody; gives their case."""
    handle = f"hand-{sender or name}"
    said = Said(sender=Address(address=f"{sender or name}@example.se"), words=Words(text=f"hello from {name}"))
    sealed = await small.sealer.seal(Words(text=codec.encode(said).decode()), "day")
    stored = Stored(
        id=f"item-{name}", native=name, kind="webchat", channel="chat", handle=handle, received_ms=NOW_MS, sealed=sealed
    )
    await small.clerk.apply(stored)
    return small.state(small.states.cell(HAND, handle).state.conversation)


def rings_at(state: Conversation) -> tuple[str, ...]:
    return state.offer.everybody if state.offer is not None else ()


def cases(small: Small) -> set[str]:
    return {item.subject for item in small.log.items if item.subject.startswith("cc.log.conv.")}


async def test_case_customer_handle_offer_and_place_are_one_batch() -> None:
    small = a_house("ann")
    async with small.working():
        batches = await leads(small, "ann")
        state = await comes(small, "anna")
        assert rings_at(state) == ("ann",)
        assert batches == [["hand", "conv", "cust", "conv", "load"]]
        await small.catch_up()
        assert small.floor.load("ann") == small.floor.index_load("ann") == CHAT
        assert small.parts.router.offered == 1
        page = await small.ask("ann", c.WhyOf(conversation=state.id))
        assert "ann" in str(page)


async def test_the_same_word_twice_begins_and_rings_once() -> None:
    small = a_house("ann")
    async with small.working():
        await leads(small, "ann")
        first = await comes(small, "anna")
        again = await comes(small, "anna")
        assert first.id == again.id and len(cases(small)) == 1
        assert small.floor.load("ann") == CHAT


async def test_with_nobody_free_it_is_written_and_waits() -> None:
    small = a_house("ann", units=CHAT)
    async with small.working():
        batches = await leads(small, "ann")
        await comes(small, "anna")
        second = await comes(small, "bea")
        assert batches[1] == ["hand", "conv", "cust"]
        assert second.status == QUEUED and rings_at(second) == ()
        # Not only when the follower comes to it: it stands in the line already.
        assert second.id in small.floor.line


async def test_who_waits_comes_before_who_begins() -> None:
    small = a_house("ann", units=CHAT)
    async with small.working():
        await leads(small, "ann")
        first = await comes(small, "anna")
        second = await comes(small, "bea")
        await small.done("ann", c.Accept(id="a", conversation=first.id))
        await small.done("ann", c.Close(id="x", conversation=first.id, epoch=1, disposition="solved"))
        third = await comes(small, "cid")
        assert rings_at(third) == ()
        await small.round()
        assert rings_at(small.state(second.id)) == ("ann",)
        assert rings_at(small.state(third.id)) == ()


async def test_those_who_can_have_nobody_keep_nobody_else_waiting() -> None:
    small = Small(rules={"orders": QueueRules(), "returns": QueueRules()})
    small.enroll("ann", queues=("orders",))
    small.case("case", queue="returns")
    async with small.working():
        await leads(small, "ann")
        assert rings_at(await comes(small, "anna")) == ("ann",)


async def test_two_at_once_for_one_place_ring_once_and_none_is_lost() -> None:
    small = a_house("ann", units=CHAT)
    async with small.working():
        await leads(small, "ann")
        found = await asyncio.gather(*(comes(small, name) for name in ("anna", "bea", "cid")))
        assert sorted(len(rings_at(small.state(one.id))) for one in found) == [0, 0, 1]
        await small.catch_up()
        assert small.floor.load("ann") == small.floor.index_load("ann") == CHAT


async def test_a_load_that_somebody_is_writing_holds_nobody_up() -> None:
    small = a_house("ann")
    async with small.working():
        await leads(small, "ann")
        async with small.writer.hold((LOAD, "ann")):
            async with asyncio.timeout(5.0):
                state = await comes(small, "anna")
            assert rings_at(state) == ()
            assert small.floor.index_load("ann") == 0
        await small.round()
        assert rings_at(small.state(state.id)) == ("ann",)


async def test_a_place_that_another_leader_gave_meanwhile_is_not_given_again() -> None:
    small = a_house("ann", units=CHAT)
    async with small.working():
        await leads(small)
        small.case("theirs", channel="chat")
        await small.catch_up()
        small.floor.line.held("theirs", NOW_MS + 60_000)
        small.sits("ann")
        seal = small.sealer.seal_entry

        async def seal_slowly(entry: Any, name: str) -> Any:
            if small.facts("load", "ann") == []:
                # Between our decision and our write.
                small.log.put("conv", "theirs", f.Offered(agent="ann", until_ms=NOW_MS + 20_000, units=CHAT))
                small.log.put("load", "ann", f.Given(conversation="theirs", units=CHAT))
            return await seal(entry, name)

        small.sealer.seal_entry = seal_slowly  # type: ignore[method-assign]
        state = await comes(small, "anna")
        assert rings_at(state) == () and state.status == QUEUED
        assert len(small.facts("load", "ann")) == 1
        await small.catch_up()
        assert small.floor.load("ann") == small.floor.index_load("ann") == CHAT
        assert len(cases(small)) == 2


async def test_an_end_that_is_unknown_is_looked_up_and_nothing_rings_twice() -> None:
    small = a_house("ann")
    async with small.working():
        await leads(small, "ann")
        write, failures = small.log.publish_batch, [1]

        async def lost(msgs: Sequence[wire.Outgoing], timeout_s: float = 10.0) -> wire.Stored:
            found = await write(msgs, timeout_s)
            if failures:
                failures.clear()
                raise wire.Unknown("no answer")
            return found

        small.log.publish_batch = lost  # type: ignore[method-assign]
        state = await comes(small, "anna")
        await small.catch_up()
        assert rings_at(state) == ("ann",) and len(cases(small)) == 1
        assert len(small.facts("load", "ann")) == 1
        assert small.floor.load("ann") == small.floor.index_load("ann") == CHAT


async def test_a_refused_write_gives_the_place_back() -> None:
    small = a_house("ann")
    async with small.working():
        await leads(small, "ann")

        async def full(msgs: Sequence[wire.Outgoing], timeout_s: float = 10.0) -> wire.Stored:
            raise wire.StoreFull("no room")

        write, small.log.publish_batch = small.log.publish_batch, full  # type: ignore[method-assign]
        with pytest.raises(Exception, match="full"):
            await comes(small, "anna")
        assert small.floor.index_load("ann") == 0
        assert not small.states.cell(LOAD, "ann").lock.locked()
        small.log.publish_batch = write  # type: ignore[method-assign]
        assert rings_at(await comes(small, "anna")) == ("ann",)


async def test_nobody_is_told_that_nobody_is_here_when_the_queue_has_opened_while_the_broker_was_slow() -> None:
    """Seed 9537: decided while it was closed, written while it was open, with the moment of the writing."""
    moment = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    opens = moment.hour * 60 + moment.minute + 1
    soon = Hours(zone="UTC", week=(Span(day=moment.weekday(), from_min=opens, to_min=opens + 30),))
    small = a_house(hours=soon, away_reply="We are away.")
    async with small.working():
        await leads(small)
        small.later(60 - moment.second - 5)
        assert [
            one.agent for one in small.facts("conv", (await comes(small, "bea")).id) if isinstance(one, f.Replied)
        ] == [""]
        write, tried = small.log.publish_batch, []

        async def slow(msgs: Sequence[wire.Outgoing], timeout_s: float = 10.0) -> wire.Stored:
            tried.append(len(msgs))
            if len(tried) == 1:
                small.later(10)
                raise wire.Busy("too many open batches")
            return await write(msgs, timeout_s)

        small.log.publish_batch = slow  # type: ignore[method-assign]
        state = await comes(small, "anna")
        assert not [one for one in small.facts("conv", state.id) if isinstance(one, f.Replied)]


async def test_a_bug_in_the_choice_keeps_no_message_from_being_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was tried three times and put into quarantine."""
    small = a_house("ann")

    def poisoned(*_: Any) -> None:
        raise KeyError("a bug")

    async with small.working():
        await leads(small, "ann")
        with monkeypatch.context() as now:
            now.setattr(small.parts.chooser, "question", poisoned)
            state = await comes(small, "anna")
        assert state.status == QUEUED and rings_at(state) == ()
        assert state.id in small.floor.line


NIGHT = Hours(zone="UTC", week=(Span(day=0, from_min=0, to_min=1),))


@pytest.mark.parametrize(
    ("rules", "is_leading"),
    [({"hours": NIGHT}, True), ({"mode": "everybody"}, True), ({}, False)],
    ids=["the queue is closed", "everybody is asked", "another bridge leads"],
)
async def test_what_is_not_for_a_beginning_is_left_to_the_round(rules: dict[str, Any], is_leading: bool) -> None:
    small = a_house("ann", **rules)
    async with small.working():
        batches = await leads(small, "ann")
        small.router._leads = is_leading
        state = await comes(small, "anna")
        assert rings_at(state) == ()
        assert batches == [["hand", "conv", "cust"]]
        await small.round()
        assert rings_at(small.state(state.id)) == (("ann",) if "hours" not in rules else ())


async def test_a_channel_that_accepts_by_itself_does_so_here_too() -> None:
    small = a_house("ann", auto_accept=("webchat",))
    async with small.working():
        await leads(small, "ann")
        state = await comes(small, "anna")
        assert state.status == OWNED and state.owner == "ann" and state.epoch == 1


async def test_whoever_knows_the_customer_is_waited_for_here_too() -> None:
    small = a_house("ann", "bob", affinity_s=60)
    async with small.working():
        await leads(small, "ann", "bob")
        first = await comes(small, "anna", sender="anna")
        (knows,) = rings_at(first)
        await small.done(knows, c.Accept(id="a", conversation=first.id))
        await small.done(knows, c.Close(id="x", conversation=first.id, epoch=1, disposition="solved"))
        small.later(15 * 86_400)
        small.sits("ann")
        small.sits("bob")
        small.sits(knows, "busy")
        second = await comes(small, "anna again", sender="anna")
        assert second.id != first.id and rings_at(second) == ()
        small.sits(knows)
        await small.round()
        assert rings_at(small.state(second.id)) == (knows,)


async def test_a_case_that_rang_at_once_folds_alike_from_the_log() -> None:
    small = a_house("ann")
    async with small.working():
        await leads(small, "ann")
        state = await comes(small, "anna")
        await small.catch_up()
        cell = small.states.cell(CONV, state.id)
        before = codec.encode(cell.state.offer)
        await small.states.reload(cell)
        assert codec.encode(cell.state.offer) == before


async def test_what_if_makes_the_decisions_of_beginnings_again() -> None:
    small = a_house("ann", "bob", "eve")
    async with small.working():
        await leads(small, "ann", "bob", "eve")
        for number in range(9):
            small.later(3)
            for agent in ("ann", "bob", "eve"):
                small.sits(agent)
            assert rings_at(await comes(small, f"sender{number}"))
    replay = Replay(Plan(), Policy(queues={"orders": QueueRules()}))
    for item in small.log.items:
        _, _, kind, name = item.subject.split(".")
        replay.take(item.seq, kind, name, codec.entry(item.body))
    told = replay.finish()
    assert (told.all.decisions, told.all.reproduced) == (9, 9), told.missed


# spare keys


class Keys(Bucket):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    async def create_all(self, values: Any) -> None:
        self.writes += 1
        await super().create_all(values)


async def ready(spares: Spares, bound: int = 200) -> None:
    for _ in range(bound):
        await asyncio.sleep(0)


def shelf(keys: Bucket, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Spares:
    numbers = iter(range(10_000))
    return Spares(Sealer(b"k" * 32, keys), lambda: f"cust{next(numbers)}", sleep)


async def test_spares_have_their_keys_on_disk_and_are_given_once() -> None:
    keys = Keys()
    spares = shelf(keys)
    running = asyncio.create_task(spares.run())
    first = spares.take()
    await ready(spares)
    assert first not in keys.values and len(keys.values) == LEAST and keys.writes == 1
    taken = [spares.take() for _ in range(LEAST)]
    assert set(taken) == set(keys.values)
    await ready(spares)
    assert not set(taken) & {spares.take() for _ in range(20)}
    running.cancel()


async def test_a_quiet_site_makes_no_keys_and_a_loud_one_more() -> None:
    keys = Keys()
    spares = shelf(keys)
    running = asyncio.create_task(spares.run())
    await ready(spares)
    assert not keys.values
    for _ in range(10):
        for _ in range(50):
            spares.take()
        await ready(spares)
    assert 50 <= len(spares._ready) <= 256
    running.cancel()


async def test_spares_whose_write_has_no_known_end_are_given_to_nobody() -> None:
    keys = Keys()

    async def no_answer() -> None:
        raise wire.Unknown("no answer")

    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)
        await asyncio.sleep(0)

    spares = shelf(keys, sleep)
    keys.before_writing = no_answer
    running = asyncio.create_task(spares.run())
    spares.take()
    await ready(spares)
    assert paused and not spares._ready
    spares.take()
    await ready(spares)
    assert len(spares._ready) == LEAST
    running.cancel()
