"""Who waits is offered to who fits: modes, hours, skills, whoever knows the customer, places, and two leaders at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.policy import Cost, DeskRules, Hours, QueueRules, Skill, Span, Step
from broker_bridge.contract.words import Words
from broker_bridge.core.routing.index import Index
from broker_bridge.core.state import OWNED, QUEUED, Conversation
from broker_bridge.daemon import floor, timekeeper
from broker_bridge.daemon.pen import REST_MS
from tests.daemon.small_house import DESK, Small

CHAT = 20
"""Units of one chat."""


def a_house(agents: tuple[str, ...] = ("ann", "bob"), desk: DeskRules = DESK, **rules: Any) -> Small:
    """Both queues have these rules."""
    small = Small(rules={"orders": QueueRules(**rules), "returns": QueueRules(**rules)}, house_rules=desk)
    for agent in agents:
        small.enroll(agent)
    return small


async def here(small: Small, *agents: str) -> None:
    """They are ready, and known to be."""
    await small.catch_up()
    for agent in agents:
        small.sits(agent)


async def gave_up(small: Small, case: str, agent: str) -> None:
    """One of the agent's earlier cases of the same customer was closed."""
    small.log.put("conv", case, f.Accepted(agent=agent, epoch=1), f.Closed(agent=agent, disposition="solved"))
    await small.catch_up()


# modes


async def test_evenly_asks_whoever_has_the_least_to_do() -> None:
    small = a_house()
    async with small.working():
        await here(small, "ann", "bob")
        for number in range(6):
            small.case(f"case{number}", channel="chat")
            await small.round()
        asked = Counter(small.ringing(f"case{number}") for number in range(6))
        assert asked == {("ann",): 3, ("bob",): 3}
        assert small.floor.load("ann") == small.floor.load("bob") == 3 * CHAT


async def test_in_order_asks_the_first_of_the_order_until_they_are_full() -> None:
    small = a_house(("ann", "bob", "eve"), mode="in_order", order=("eve", "ann"))
    async with small.working():
        await here(small, "ann", "bob", "eve")
        for number in range(18):
            small.case(f"case{number:02}", channel="chat")
        await small.round()
        asked = [small.ringing(f"case{number:02}")[0] for number in range(18)]
        assert asked == ["eve"] * 6 + ["ann"] * 6 + ["bob"] * 6


async def test_everybody_rings_and_the_first_accept_stops_the_others() -> None:
    small = a_house(("ann", "bob", "eve"), mode="everybody")
    async with small.working():
        await here(small, "ann", "bob", "eve")
        small.case("case", channel="chat")
        await small.round()
        assert set(small.ringing("case")) == {"ann", "bob", "eve"}
        first, second = await asyncio.gather(
            small.ask("bob", c.Accept(id="b", conversation="case")),
            small.ask("eve", c.Accept(id="e", conversation="case")),
        )
        assert isinstance(first, c.Done)
        assert isinstance(second, c.Refusal)
        assert "Bob took this conversation" in second.sentence
        state = small.state("case")
        assert (state.status, state.owner, state.offer) == (OWNED, "bob", None)
        assert [small.floor.load(agent) for agent in ("ann", "bob", "eve")] == [0, CHAT, 0]


async def test_whoever_lets_it_pass_stops_ringing_and_the_others_ring_on() -> None:
    small = a_house(("ann", "bob", "eve"), mode="everybody")
    async with small.working():
        await here(small, "ann", "bob", "eve")
        small.case("case", channel="chat")
        await small.round()
        await small.done("ann", c.Decline(id="d", conversation="case"))
        assert set(small.ringing("case")) == {"bob", "eve"}
        assert small.floor.load("ann") == 0


async def test_an_offer_of_a_channel_that_the_machine_accepts_is_theirs_at_once() -> None:
    small = a_house(("ann",), auto_accept=("webchat",))
    async with small.working():
        await here(small, "ann")
        small.case("chat", channel="chat")
        small.case("mail")
        await small.round()
        assert (small.state("chat").owner, small.state("chat").epoch) == ("ann", 1)
        assert small.ringing("mail") == ("ann",)


async def test_where_everybody_rings_what_the_machine_accepts_takes_the_place_of_one_only() -> None:
    """Simulation, seed 21830: the others were taken to carry it too, and were asked about nothing more."""
    small = a_house(("ann", "bob"), auto_accept=("webchat",), mode="everybody")
    async with small.working():
        await here(small, "ann", "bob")
        for number in range(12):
            small.case(f"case{number:02}", channel="chat")
            await small.round()
            await small.catch_up()
        owners = Counter(small.state(f"case{number:02}").owner for number in range(12))
        assert owners == {"ann": 6, "bob": 6}
        given = [fact for number in range(12) for fact in small.facts("conv", f"case{number:02}")]
        assert all(not fact.also for fact in given if isinstance(fact, f.Offered))


# hours


async def test_a_closed_queue_offers_nothing_and_goes_on_when_it_opens() -> None:
    afternoon = Hours(zone="UTC", week=tuple(Span(day=day, from_min=12 * 60, to_min=18 * 60) for day in range(7)))
    small = a_house(("ann",), hours=afternoon)
    async with small.working():
        await here(small, "ann")
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()
        small.later(50 * 60)
        small.sits("ann")
        await small.round()
        assert small.ringing("case") == ()
        small.later(5 * 60)
        small.sits("ann")
        await small.round()
        assert small.ringing("case") == ("ann",)
        offered = small.facts("conv", "case")[-1]
        assert isinstance(offered, f.Offered)
        assert offered.why is not None
        assert offered.why.hours == "open until 18:00"


# skills


async def test_a_need_is_met_by_level_and_widening_asks_for_less() -> None:
    small = a_house((), needs=(Skill(name="swedish", level=3),), overflow=(Step(after_s=60, widen=2),))
    small.enroll("ann", skills=(Skill(name="swedish", level=1),))
    small.enroll("bob", skills=(Skill(name="french", level=5),))
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()
        small.later(60)
        await here(small, "ann", "bob")
        await small.round()
        assert small.ringing("case") == ("ann",)
        offered = small.facts("conv", "case")[-1]
        assert isinstance(offered, f.Offered)
        assert offered.why is not None
        assert (offered.why.widened, offered.why.needs) == (2, (Skill(name="swedish", level=1),))
        assert ("lacks swedish 1", 1) in offered.why.skipped


async def test_who_is_found_by_widening_is_asked_at_once_though_all_others_let_it_pass() -> None:
    small = a_house((), needs=(Skill(name="swedish", level=3),), overflow=(Step(after_s=10, widen=2),))
    small.enroll("ann", skills=(Skill(name="swedish", level=3),))
    small.enroll("bob", skills=(Skill(name="swedish", level=1),))
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case", channel="chat")
        await small.round()
        await small.done("ann", c.Decline(id="d", conversation="case"))
        await small.round()
        assert small.ringing("case") == ()
        small.later(10)
        await small.round()
        assert small.ringing("case") == ("bob",)


async def test_in_the_next_queue_it_is_offered_at_once_though_all_of_the_first_let_it_pass() -> None:
    small = Small(rules={"orders": QueueRules(overflow=(Step(after_s=10, queue="returns"),)), "returns": QueueRules()})
    small.enroll("ann", queues=("orders",))
    small.enroll("bob", queues=("returns",))
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case", channel="chat")
        await small.round()
        await small.done("ann", c.Decline(id="d", conversation="case"))
        await small.round()
        small.later(10)
        await small.round()
        assert (small.state("case").queue, small.ringing("case")) == ("returns", ("bob",))


# whoever knows the customer


async def known_by_ann(small: Small) -> None:
    """Ann had this customer last; her hands are full with mails and chats of others."""
    small.case("before", customer="anna", channel="chat")
    await gave_up(small, "before", "ann")
    for number in range(6):
        small.case(f"other{number}", channel="chat")
        small.log.put("conv", f"other{number}", f.Accepted(agent="ann", epoch=1))
    await here(small, "ann", "bob")
    small.case("case", customer="anna", channel="chat")


async def test_a_busy_last_agent_is_waited_for_and_then_somebody_else_is_asked() -> None:
    small = a_house(affinity_s=30)
    async with small.working():
        await known_by_ann(small)
        for _ in range(3):
            await small.round()
            small.later(9)
            await here(small, "ann", "bob")
        assert small.ringing("case") == ()
        small.later(3)
        await small.round()
        assert small.ringing("case") == ("bob",)


async def test_a_last_agent_who_becomes_free_meanwhile_is_asked_at_once() -> None:
    small = a_house(affinity_s=30)
    async with small.working():
        await known_by_ann(small)
        await small.round()
        small.later(5)
        await small.round()
        assert small.ringing("case") == ()
        small.log.put("conv", "other0", f.Closed(agent="ann", disposition="solved"))
        await small.round()
        assert small.ringing("case") == ("ann",)


async def test_a_queue_that_waits_for_nobody_any_more_offers_what_waited() -> None:
    """The rule was changed because people waited too long for whom they knew: those who waited went on waiting for them."""
    small = a_house(affinity_s=600)
    async with small.working():
        await known_by_ann(small)
        await small.round()
        small.log.put("queue", "orders", f.QueueDefined(rules=QueueRules(title="Orders", affinity_s=0)))
        small.later(2)
        await here(small, "ann", "bob")
        await small.round()
        assert small.ringing("case") == ("bob",)


async def test_a_last_agent_who_is_not_here_is_not_waited_for() -> None:
    small = a_house(affinity_s=30)
    async with small.working():
        await known_by_ann(small)
        small.sits("ann", "away", "lunch")
        await small.round()
        assert small.ringing("case") == ("bob",)


async def test_a_free_last_agent_comes_before_one_with_less_to_do() -> None:
    small = a_house()
    async with small.working():
        small.case("before", customer="anna", channel="chat")
        await gave_up(small, "before", "ann")
        small.case("hers", channel="chat")
        small.log.put("conv", "hers", f.Accepted(agent="ann", epoch=1))
        await here(small, "ann", "bob")
        small.case("case", customer="anna", channel="chat")
        await small.round()
        assert small.ringing("case") == ("ann",)


@pytest.mark.parametrize(("is_first", "asked"), [(True, "eve"), (False, "ann")])
async def test_the_responsible_colleague_comes_first_where_the_queue_says_so(is_first: bool, asked: str) -> None:
    small = a_house(("ann", "bob", "eve"), responsible_first=is_first)
    async with small.working():
        small.case("before", customer="anna", channel="chat")
        await gave_up(small, "before", "ann")
        small.log.put(
            "cust", "anna", f.Created(), f.Described(field="responsible", agent="olga", words=Words(text="eve"))
        )
        await here(small, "ann", "bob", "eve")
        small.case("case", customer="anna", channel="chat")
        await small.round()
        assert small.ringing("case") == (asked,)
        offered = small.facts("conv", "case")[-1]
        assert isinstance(offered, f.Offered)
        assert offered.why is not None
        assert (offered.why.responsible, offered.why.last_agent) == ("eve", "ann")


async def test_whoever_passed_it_on_to_the_queue_is_not_asked() -> None:
    small = a_house()
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case", channel="chat")
        small.log.put("conv", "case", f.Accepted(agent="ann", epoch=1))
        await small.catch_up()
        await small.done("ann", c.Transfer(id="t", conversation="case", to_queue="orders"))
        for _ in range(3):
            await small.round()
            assert small.ringing("case") == ("bob",)
            await small.done("bob", c.Decline(id=f"d{small.now_ms}", conversation="case"))
            small.later(61)
            await here(small, "ann", "bob")


# places


@pytest.mark.parametrize("units", [100, 50, 19])
async def test_nobody_is_offered_more_than_their_units(units: int) -> None:
    small = a_house(())
    small.enroll("ann", units=units)
    async with small.working():
        await here(small, "ann")
        for number in range(8):
            small.case(f"case{number}", channel="chat")
        for _ in range(3):
            await small.round()
        assert sum(bool(small.ringing(f"case{number}")) for number in range(8)) == units // CHAT
        assert small.floor.load("ann") <= units


async def test_an_idle_mail_takes_no_place_and_an_idle_chat_does() -> None:
    small = a_house((), desk=DeskRules(costs=(Cost(channel_kind="email", units=50, idle_counts=False),)))
    small.enroll("ann", units=100)
    async with small.working():
        await here(small, "ann")
        for number in range(2):
            small.case(f"mail{number}")
            small.log.put("conv", f"mail{number}", f.Accepted(agent="ann", epoch=1))
        await small.catch_up()
        assert small.floor.load("ann") == 100
        sent = c.Reply(id="r", conversation="mail0", text="yes", channel="support", seen=small.state("mail0").seq)
        await small.done("ann", sent)
        assert small.floor.load("ann") == 50


async def test_two_leaders_at_once_never_give_more_than_the_units() -> None:
    """Both lead, each has other cases before it, neither follows the log before both have offered: the agent's load decides."""
    first = a_house(())
    first.enroll("ann", units=100)
    first.enroll("bob", units=60)
    for number in range(30):
        first.case(f"case{number:02}", channel="chat")
    second = Small(log=first.log, keys=first.keys, presence=first.presence, boot="other", rules=first.rules)
    for small in (first, second):
        await small.catch_up()
        small.sits("ann")
        small.sits("bob")
        small.router.is_leader = True
    for number in range(30):
        (first if number % 2 else second).floor.line.drop(f"case{number:02}")
    writing = [asyncio.create_task(small.writer.run()) for small in (first, second)]
    try:
        for _ in range(4):
            await asyncio.gather(first.parts.offers.round(), second.parts.offers.round())
            for small in (first, second):
                await small.catch_up()
    finally:
        for task in writing:
            task.cancel()
    rung = Counter(agent for number in range(30) for agent in first.ringing(f"case{number:02}"))
    assert rung == {"ann": 5, "bob": 3}
    assert first.floor.load("ann") == second.floor.load("ann") == 100
    given = first.facts("load", "ann")
    assert len(given) == 5
    assert {first.ringing(f"case{number:02}") for number in range(30)} == {("ann",), ("bob",), ()}


async def test_a_place_that_is_not_there_is_not_given_whoever_asks_for_it() -> None:
    small = a_house(())
    small.enroll("ann", units=30)
    small.case("hers", channel="chat")
    small.log.put("conv", "hers", f.Accepted(agent="ann", epoch=1))
    small.case("case", channel="chat")
    offered = f.Offered(agent="ann", until_ms=small.now_ms + 20_000, units=CHAT)
    async with small.working():
        assert not await small.parts.pen.write("case", "router", lambda _: ((offered,), ""), (("ann", CHAT),))
        assert small.ringing("case") == ()
        assert await small.parts.pen.write("case", "router", lambda _: ((offered,), ""), (("ann", 10),))
        assert small.ringing("case") == ("ann",)


# saying no


async def test_a_decline_keeps_its_word_and_asks_the_next_one() -> None:
    small = a_house()
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case", channel="chat")
        await small.round()
        (asked,) = small.ringing("case")
        await small.done(asked, c.Decline(id="d", conversation="case", reason="I know her privately"))
        ended = [fact for fact in small.facts("conv", "case") if isinstance(fact, f.OfferEnded)]
        assert [(one.agent, one.reason) for one in ended] == [(asked, "declined")]
        page = await small.ask(asked, c.Thread(conversation="case"))
        assert "I know her privately" in str(page)
        await small.round()
        assert small.ringing("case") == tuple({"ann", "bob"} - {asked})


async def test_who_let_it_pass_is_asked_again_after_a_minute() -> None:
    small = a_house(("ann",))
    async with small.working():
        await here(small, "ann")
        small.case("case", channel="chat")
        await small.round()
        await small.done("ann", c.Decline(id="d", conversation="case"))
        for _ in range(5):
            small.later(11)
            await here(small, "ann")
            await small.round()
            assert small.ringing("case") == ()
        small.later(6)
        await here(small, "ann")
        await small.round()
        assert small.ringing("case") == ("ann",)


# size


async def test_ten_thousand_waiting_and_nobody_free_cost_a_round_a_question_for_each_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = a_house(("ann",))
    for number in range(10_000):
        small.case(f"case{number:05}", queue="orders" if number % 2 else "returns", channel="chat")
    await here(small, "ann")
    small.sits("ann", "away", "lunch")
    asked = Counter[str]()
    for name in ("is_any_fit", "is_fit", "fit", "evenly", "explain"):
        kept = getattr(Index, name)

        def counting(self: Index, *args: Any, name: str = name, kept: Any = kept, **more: Any) -> Any:
            asked[name] += 1
            return kept(self, *args, **more)

        monkeypatch.setattr(Index, name, counting)
    for _ in range(3):
        await small.parts.offers.round()
    assert asked == {"is_any_fit": 3 * 2}
    assert small.state("case00000").status == QUEUED


async def test_a_leader_that_was_never_one_offers_nothing() -> None:
    small = a_house(("ann",))
    small.case("case", channel="chat")
    async with small.working():
        await here(small, "ann")
        assert not small.router.is_leader
        await small.parts.offers.round()
        await small.catch_up()
        assert small.ringing("case") == ()
        assert small.floor.index_load("ann") == 0
        await small.round()
        assert small.ringing("case") == ("ann",)


async def test_who_takes_from_the_queue_themselves_is_not_rung() -> None:
    small = a_house(("ann",))
    small.parts.offers._offers_at_all = False
    small.case("case", channel="chat")
    async with small.working():
        await here(small, "ann")
        await small.round()
        assert small.ringing("case") == ()
        await small.done("ann", c.Accept(id="a", conversation="case"))
        assert small.state("case").owner == "ann"


async def test_a_bug_in_the_decision_on_one_case_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended the router, and with it the bridge, and then that of the next leader."""
    small = a_house()
    question = small.parts.chooser.question

    def poisoned(state: Conversation, *more: Any) -> Any:
        if state.id == "poison":
            raise KeyError("a bug")
        return question(state, *more)

    async with small.working():
        await here(small, "ann", "bob")
        small.case("poison", channel="chat")
        small.case("case", channel="chat")
        monkeypatch.setattr(small.parts.chooser, "question", poisoned)
        await small.round()
        assert (bool(small.ringing("case")), small.ringing("poison")) == (True, ())
        monkeypatch.undo()
        await small.round()
        assert small.ringing("poison") == ()
        small.later(REST_MS / 1000 + 1)
        await here(small, "ann", "bob")
        await small.round()
        assert small.ringing("poison")


async def test_a_bug_in_what_time_does_to_one_case_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    small = a_house()
    async with small.working():
        await here(small, "ann", "bob")
        for name in ("poison", "case"):
            small.case(name, channel="chat")
        await small.round()
        over = floor.is_over

        def poisoned(state: Conversation, now_ms: int) -> bool:
            if state.id == "poison":
                raise KeyError("a bug")
            return over(state, now_ms)

        monkeypatch.setattr(timekeeper, "is_over", poisoned)
        small.later(21)
        await small.router._timekeeper.round()
        assert small.ringing("case") == () and small.ringing("poison")
        monkeypatch.undo()
        await small.router._timekeeper.round()
        assert small.ringing("poison")
        small.later(REST_MS / 1000 + 1)
        await small.router._timekeeper.round()
        assert small.ringing("poison") == ()
