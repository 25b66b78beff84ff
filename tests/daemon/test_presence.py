"""Presence: two terminals are one agent, the next status waits for the work in hand, a supervisor's word leaves a record; all are facts."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.policy import QueueRules
from broker_bridge.core.state import OWNED
from broker_bridge.daemon import streams
from broker_bridge.daemon.wire import Entry, Unavailable
from tests.daemon.bridges import bridge_parts
from tests.daemon.real_broker import RealBroker
from tests.daemon.small_house import Small
from tests.until import until

CHAT = 20


async def a_house(**rules: Any) -> Small:
    small = Small(rules={"orders": QueueRules(**rules)})
    for agent in ("ann", "bob"):
        small.enroll(agent)
    small.enroll("olga", role="supervisor")
    await small.catch_up()
    return small


def comings(small: Small, agent: str = "ann") -> list[tuple[str, str]]:
    """What the log says of somebody's day."""
    found = [fact for fact in small.facts("shift", agent) if isinstance(fact, f.PresenceSet)]
    return [(one.state, one.reason) for one in found]


async def sign_in(small: Small, *agents: str) -> None:
    for agent in agents:
        answer = await small.ask(agent, c.Hello())
        assert isinstance(answer, v.Welcome), answer
        await small.catch_up()


async def test_hello_after_off_is_ready_and_work_comes() -> None:
    small = await a_house()
    async with small.working():
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()
        await sign_in(small, "ann")
        assert small.staff.presences.of("ann").state == "ready"
        await small.round()
        assert small.ringing("case") == ("ann",)
        assert comings(small) == [("ready", "")]


async def test_a_terminal_that_comes_back_finds_the_presence_that_was_chosen() -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        await small.done("ann", c.Presence(state="away", reason="lunch", until_ms=small.now_ms + 60_000))
        await sign_in(small, "ann")
        presence = small.staff.presences.of("ann")
        assert (presence.state, presence.reason) == ("away", "lunch")
        small.later(60)
        assert small.staff.presences.of("ann").state == "silent"
        await sign_in(small, "ann")
        assert small.staff.presences.of("ann").reason == "lunch"
        await small.done("ann", c.Presence(state="off"))
        await sign_in(small, "ann")
        assert small.staff.presences.of("ann").state == "ready"
        assert comings(small) == [("ready", ""), ("away", "lunch"), ("off", ""), ("ready", "")]


async def test_a_hello_while_the_bucket_cannot_be_read_makes_nobody_ready_who_is_at_lunch() -> None:
    """A bridge that knew nothing of her yet made her ready, over her own word: she was rung at lunch."""
    small = await a_house()
    other = Small(log=small.log, keys=small.keys, presence=small.presence, boot="other", rules=small.rules)
    async with small.working(), other.working():
        await sign_in(small, "ann")
        await small.done("ann", c.Presence(state="away", reason="lunch"))
        small.presence.trouble.append(Unavailable("no connection"))
        assert (await other.refused("ann", c.Hello())).is_retryable
        small.presence.trouble.append(Unavailable("no connection"))
        assert (await other.refused("ann", c.Alive())).is_retryable
        await sign_in(other, "ann")
        for one in (small, other):
            one.staff.presences.told("ann", small.presence.values["ann"])
            assert one.staff.presences.of("ann").reason == "lunch"


async def test_two_terminals_are_one_agent() -> None:
    """What the one says holds for the other, and one that goes on speaking keeps both here."""
    small = await a_house()
    other = Small(log=small.log, keys=small.keys, presence=small.presence, boot="other", rules=small.rules)
    async with small.working(), other.working():
        await sign_in(small, "ann")
        answer = await other.ask("ann", c.Hello())
        assert isinstance(answer, v.Welcome)
        other.staff.presences.told("ann", small.presence.values["ann"])
        await other.done("ann", c.Presence(state="busy"))
        small.staff.presences.told("ann", small.presence.values["ann"])
        assert small.staff.presences.of("ann").state == "busy"
        for _ in range(10):
            small.later(8)
            other.later(8)
            await other.done("ann", c.Alive())
            small.staff.presences.told("ann", small.presence.values["ann"])
        assert small.staff.presences.of("ann").state == "busy"
        small.case("one", channel="chat")
        small.case("two", channel="chat")
        await small.catch_up()
        await other.catch_up()
        await small.done("ann", c.Accept(id="a1", conversation="one"))
        await other.catch_up()
        await other.done("ann", c.Accept(id="a2", conversation="two"))
        await small.catch_up()
        assert small.floor.load("ann") == other.floor.load("ann") == 2 * CHAT
        assert comings(small) == [("ready", ""), ("busy", "")]


async def test_heartbeats_are_no_facts_and_a_silence_that_ends_is_one() -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        small.case("case", channel="chat")
        await small.round()
        await small.done("ann", c.Accept(id="a", conversation="case"))
        for _ in range(5):
            small.later(8)
            await small.done("ann", c.Alive())
            await small.round()
        assert comings(small) == [("ready", "")]
        small.later(31)
        await small.round()
        small.later(3)
        await small.round()
        await small.done("ann", c.Alive())
        assert comings(small) == [("ready", ""), ("silent", ""), ("ready", "")]


async def test_who_is_silent_is_offered_nothing_though_nobody_says_that_they_fell_silent() -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        small.later(31)
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()
        await small.done("ann", c.Alive())
        await small.round()
        assert small.ringing("case") == ("ann",)


async def test_a_bridge_knows_who_is_here_before_it_may_lead(broker: RealBroker) -> None:
    """Or what wakes while it starts would go back to the queue because its owner is "away"."""
    bus = await broker.connect()
    await streams.ensure(bus, streams.StreamSettings())
    first = await bridge_parts(broker, 1)
    await first.staff.presences.chose("ann", "transfer_only")
    second = await bridge_parts(broker, 2)
    assert second.staff.presences.of("ann").state == "transfer_only"
    for connection in (bus, first.bus, second.bus):
        await connection.close()  # type: ignore[attr-defined]


async def test_a_terminal_is_heard_by_a_bridge_that_is_behind_with_the_log() -> None:
    """A bridge that had much to read refused every sign of life, and took everybody for silent."""
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        for _ in range(4):
            small.later(20)
            await small.done("ann", c.Alive(min=10**9))
            assert small.staff.presences.of("ann").state == "ready"


async def test_a_feed_stays_at_home_while_its_terminal_is_heard_by_other_bridges() -> None:
    """Requests reach any bridge: of ten the home hears every tenth word, and gave feeds up whose terminals sat there."""
    small = await a_house()
    other = Small(log=small.log, keys=small.keys, presence=small.presence, boot="other", rules=small.rules)
    async with small.working(), other.working():
        await sign_in(small, "ann", "bob")
        for _ in range(12):
            for one in (small, other):
                one.later(8)
            await other.done("ann", c.Alive())
            word = Entry("ann", small.presence.values["ann"], small.presence.revisions["ann"])
            small.parts.presence_came(word)
        beating = asyncio.create_task(small.home.run())
        await until(lambda: "bob" not in small.home.feeds)
        assert "ann" in small.home.feeds
        small.later(91)
        small.parts.presence_came(word)
        await until(lambda: "ann" not in small.home.feeds)
        beating.cancel()


# the next status


async def in_hand(small: Small) -> None:
    """Ann has one case, and chose lunch for when it is done."""
    await sign_in(small, "ann")
    small.case("case", channel="chat")
    await small.round()
    await small.done("ann", c.Accept(id="a", conversation="case"))
    await small.done("ann", c.Presence(state="away", reason="lunch", is_next=True))


async def test_the_next_status_begins_when_the_work_in_hand_is_done_and_nothing_new_comes_before() -> None:
    small = await a_house()
    async with small.working():
        await in_hand(small)
        small.case("more", channel="chat")
        for _ in range(3):
            small.later(8)
            await small.done("ann", c.Alive())
            await small.round()
        assert (small.staff.presences.of("ann").state, small.ringing("more")) == ("ready", ())
        assert comings(small) == [("ready", "")]
        reply = c.Reply(id="r", conversation="case", text="yes", channel="chat", seen=small.state("case").seq)
        await small.done("ann", reply)
        await small.round()
        presence = small.staff.presences.of("ann")
        assert (presence.state, presence.reason, presence.next_state) == ("away", "lunch", "")
        assert comings(small) == [("ready", ""), ("away", "lunch")]
        assert small.state("case").status == OWNED


async def test_the_next_status_waits_for_the_outcome_of_what_was_closed() -> None:
    small = await a_house(wrap_up="mandatory")
    async with small.working():
        await in_hand(small)
        await small.done("ann", c.Close(id="close", conversation="case"))
        await small.round()
        assert small.staff.presences.of("ann").state == "ready"
        await small.done("ann", c.WrapUp(id="w", conversation="case", disposition="solved"))
        await small.round()
        assert small.staff.presences.of("ann").state == "away"


async def test_the_next_status_waits_for_the_end_of_a_talk() -> None:
    """The customer had their answer, so nobody was thought to wait: whoever was asked went home in the middle of the talk."""
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        small.case("case", channel="chat")
        await small.round()
        await small.done("ann", c.Accept(id="a", conversation="case"))
        reply = c.Reply(id="r", conversation="case", text="wait", channel="chat", seen=small.state("case").seq)
        await small.done("ann", reply)
        await sign_in(small, "bob")
        await small.done("ann", c.Transfer(id="t", conversation="case", to_agent="bob", ask_first=True))
        await small.done("bob", c.Accept(id="b", conversation="case"))
        await small.done("bob", c.Presence(state="off", is_next=True))
        await small.round()
        assert small.staff.presences.of("bob").state == "ready"
        await small.done("ann", c.EndConsult(id="e", conversation="case"))
        await small.round()
        assert small.staff.presences.of("bob").state == "off"


async def test_ready_forgets_the_next_status() -> None:
    small = await a_house()
    async with small.working():
        await in_hand(small)
        await small.done("ann", c.Presence(state="ready", is_next=True))
        await small.done("ann", c.Close(id="close", conversation="case", disposition="solved"))
        await small.round()
        assert small.staff.presences.of("ann").state == "ready"
        small.case("more", channel="chat")
        await small.round()
        assert small.ringing("more") == ("ann",)


# by a supervisor


async def test_a_supervisors_word_is_recorded_before_it_holds_and_says_who() -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        await small.done("olga", c.Force(agent="ann", state="away", reason="training"))
        assert small.staff.presences.of("ann").reason == "training"
        record = next(
            item for item in small.log.items if item.subject.startswith("cc.audit.") and b"forced" in item.body
        )
        fact = [one for one in small.facts("shift", "ann") if isinstance(one, f.PresenceSet)][-1]
        told = next(item for item in small.log.items if item.subject == "cc.log.shift.ann" and b"training" in item.body)
        assert record.seq < told.seq
        assert b"olga" in record.body
        assert b"ann" in record.body
        assert fact == f.PresenceSet(state="away", reason="training", by="olga")


async def test_a_supervisors_word_makes_no_vanished_terminal_ring() -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        small.later(31)
        await small.done("olga", c.Force(agent="ann", state="busy"))
        await small.done("olga", c.Force(agent="ann", state="ready"))
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()
        await small.done("ann", c.Alive())
        await small.round()
        assert small.ringing("case") == ("ann",)


async def test_a_supervisors_word_that_cannot_be_recorded_does_not_hold() -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        small.audit.record = _broken  # type: ignore[assignment, method-assign]
        answer = await small.ask("olga", c.Force(agent="ann", state="away", reason="training"))
        assert isinstance(answer, c.Refusal)
        assert answer.is_retryable
        assert small.staff.presences.of("ann").state == "ready"


async def _broken(*_: object) -> None:
    raise Unavailable("no connection")


@pytest.mark.parametrize(
    ("who", "agent", "state", "reason", "code"),
    [
        ("bob", "ann", "away", "lunch", "denied"),
        ("olga", "nobody", "away", "lunch", "bad"),
        ("olga", "ann", "asleep", "", "bad"),
        ("olga", "ann", "away", "a walk", "bad"),
        ("olga", "ann", "silent", "", "bad"),
    ],
)
async def test_nobody_else_sets_anybodys_presence_and_nothing_unknown_is_set(
    who: str, agent: str, state: str, reason: str, code: str
) -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        refusal = await small.refused(who, c.Force(agent=agent, state=state, reason=reason))
        assert refusal.code == code
        assert small.staff.presences.of("ann").state == "ready"
        assert comings(small) == [("ready", "")]


@pytest.mark.parametrize(("state", "reason"), [("wrap_up", ""), ("silent", ""), ("", ""), ("away", "a walk")])
async def test_what_comes_by_itself_cannot_be_chosen(state: str, reason: str) -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        assert (await small.refused("ann", c.Presence(state=state, reason=reason))).code == "bad"
        assert small.staff.presences.of("ann").state == "ready"


async def test_a_presence_that_cannot_be_read_changes_nothing_and_a_gone_one_is_off() -> None:
    small = await a_house()
    async with small.working():
        await sign_in(small, "ann")
        small.staff.presences.told("ann", b"no presence")
        assert small.staff.presences.of("ann").state == "ready"
        small.staff.presences.told("ann", msgspec.json.encode({"state": "away", "heard_ms": 1}))
        assert small.staff.presences.of("ann").state == "ready"
        small.later(120)
        small.staff.presences.told("ann", None)
        assert small.staff.presences.of("ann").state == "off"
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()
