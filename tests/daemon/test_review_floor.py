"""What must not stop the floor: found by reading router, floor and desk as somebody who wants to break them."""

from __future__ import annotations

from typing import Any

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.policy import Cost, DeskRules, QueueRules, Skill
from broker_bridge.contract.words import Words
from tests.daemon.small_house import NOW_MS, Small

MILLION_YEARS_MS = 10**30


def a_house(*agents: str, **rules: Any) -> Small:
    small = Small(rules={"orders": QueueRules(**rules), "returns": QueueRules(**rules)})
    for agent in agents:
        small.enroll(agent)
    small.enroll("olga", role="supervisor")
    return small


async def here(small: Small, *agents: str) -> None:
    await small.catch_up()
    for agent in agents:
        small.sits(agent)


@pytest.mark.parametrize("until_ms", [MILLION_YEARS_MS, -MILLION_YEARS_MS, 2**63, NOW_MS * 1000, -1])
async def test_a_time_of_being_back_that_is_no_time_is_refused_before_anything_is_kept(until_ms: int) -> None:
    """What no state can hold must never become a fact: every bridge would stop at it, for ever."""
    small = a_house("ann", "bob")
    async with small.working():
        await here(small, "ann", "bob")
        refused = await small.refused("ann", c.Presence(state="away", reason="lunch", until_ms=until_ms))
        assert refused.code == "bad"
        assert small.staff.presences.of("ann").state == "ready"
        await small.done("ann", c.Presence(state="away", reason="lunch", until_ms=NOW_MS + 1_800_000))


@pytest.mark.parametrize(
    "skills",
    [
        (Skill(name="swedish", level=MILLION_YEARS_MS),),
        (Skill(name="swedish", level=6),),
        (Skill(name="swedish", level=0),),
        (Skill(name="s" * 2_000),),
        tuple(Skill(name=f"skill{number}") for number in range(50)),
    ],
)
async def test_skills_that_nobody_can_have_are_refused(skills: tuple[Skill, ...]) -> None:
    small = a_house("ann", "bob")
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case1")
        await small.catch_up()
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        refused = await small.refused("ann", c.Transfer(id="t1", conversation="case1", to_skills=skills))
        assert refused.code == "bad"
        assert small.state("case1").owner == "ann"


async def test_words_that_go_along_have_a_limit() -> None:
    small = a_house("ann", "bob")
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case1")
        await small.catch_up()
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        long = "x" * (c.MAX_TEXT + 1)
        assert (
            await small.refused("ann", c.Transfer(id="t1", conversation="case1", to_queue="returns", note=long))
        ).code == "bad"
        assert (
            await small.refused("ann", c.Close(id="c1", conversation="case1", fields=(("order", long),)))
        ).code == "bad"


async def test_nobody_takes_the_name_of_a_timer() -> None:
    """A timer fires once by its id: whoever wrote a note under it beforehand would silence it."""
    small = a_house("ann")
    async with small.working():
        await here(small, "ann")
        small.case("case1")
        await small.catch_up()
        refused = await small.refused(
            "ann", c.Note(id="timer:case1:overflow:orders:1:5", conversation="case1", text="hm")
        )
        assert refused.code == "bad"


async def test_a_task_does_not_take_the_place_of_somebody_elses_by_its_id() -> None:
    small = a_house("ann", "bob")
    async with small.working():
        await here(small, "ann", "bob")
        small.case("case1")
        small.case("case2")
        await small.catch_up()
        await small.done("ann", c.AddTask(id="task1", conversation="case1", text="call the shop"))
        await small.ask("bob", c.AddTask(id="task1", conversation="case2", text="nothing"))
        await small.catch_up()
        found = await small.ask("ann", c.Tasks())
        assert [(one.text, one.conv) for one in found.tasks] == [("call the shop", "case1")]  # type: ignore[union-attr]


async def test_who_becomes_free_gets_what_another_let_pass_before_a_minute_is_over() -> None:
    small = a_house("ann", "bob")
    async with small.working():
        await here(small, "ann")
        small.case("case1")
        await small.round()
        assert small.ringing("case1") == ("ann",)
        await small.done("ann", c.Decline(id="d1", conversation="case1"))
        await small.round()
        small.later(3)
        small.sits("bob")
        await small.round()
        small.later(1.1)
        await small.round()
        assert small.ringing("case1") == ("bob",)


async def test_who_passed_a_case_on_and_is_the_only_one_is_asked_in_the_end() -> None:
    small = a_house("ann")
    async with small.working():
        await here(small, "ann")
        small.case("case1")
        await small.catch_up()
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        await small.done("ann", c.Transfer(id="t1", conversation="case1", to_queue="returns"))
        await small.round()
        assert small.ringing("case1") == ()
        for _ in range(400):
            small.later(1)
            small.sits("ann")
        await small.round()
        assert small.ringing("case1") == ("ann",)


async def test_a_case_that_is_read_only_here_does_not_hold_up_the_others() -> None:
    """One place is left, and the first in line can be given to nobody by this bridge."""
    small = a_house("ann")
    async with small.working():
        await here(small, "ann")
        small.case("aheld")
        small.case("busy", channel="chat")
        for number in range(5):
            small.case(f"full{number}", channel="chat")
            small.log.put("conv", f"full{number}", f.Accepted(agent="ann", epoch=1))
        await small.catch_up()
        small.states.cell("conv", "aheld").blocked = "a fact of a later version"
        small.log.put("conv", "aheld", f.Prioritized(agent="olga", priority=1))
        for _ in range(3):
            small.later(1.1)
            small.sits("ann")
            await small.round()
        assert small.ringing("busy") == ("ann",)


async def test_an_agent_who_was_moved_to_another_queue_sees_what_waits_there() -> None:
    small = a_house("bob")
    small.enroll("ann", queues=("orders",))
    small.case("case1", queue="orders")
    small.case("case2", queue="returns")
    async with small.working():
        await here(small, "ann", "bob")
        await small.ask("ann", c.Hello())
        feed = small.home.feeds["ann"]
        await small.home.flush(feed)
        assert feed.known == {"case1"}
        small.enroll("ann", queues=("returns",))
        await small.catch_up()
        await small.home.flush(feed)
        told = [body for subject, body in small.told if subject == "cc.view.ann.desk"][-2:]
        assert any(b'"case2"' in body for body in told)
        assert feed.known == {"case2"}


async def test_what_was_said_in_a_case_that_was_merged_is_erased_with_its_own_customer() -> None:
    small = a_house("ann")
    small.case("case1", customer="cust-a")
    small.case("case2", customer="cust-b", channel="chat")
    async with small.working():
        await here(small, "ann")
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        await small.done("ann", c.Accept(id="a2", conversation="case2"))
        await small.done("ann", c.Merge(id="m1", conversation="case2", into="case1"))
        assert small.model.whole("case1", "message-case2") is not None
        small.log.put("conv", "case2", f.Erased(agent="olga"))
        await small.catch_up()
        assert small.model.item("message-case2") is None
        assert small.model.item("message-case1") is not None


async def test_erasing_the_case_that_another_went_into_leaves_the_others_words() -> None:
    small = a_house("ann")
    small.case("case1", customer="cust-a")
    small.case("case2", customer="cust-b", channel="chat")
    async with small.working():
        await here(small, "ann")
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        await small.done("ann", c.Accept(id="a2", conversation="case2"))
        await small.done("ann", c.Merge(id="m1", conversation="case2", into="case1"))
        small.log.put("conv", "case1", f.Erased(agent="olga"))
        await small.catch_up()
        assert small.model.item("message-case1") is None
        assert small.model.item("message-case2") is not None


async def test_a_case_does_not_go_into_one_of_a_queue_that_is_not_ones_own() -> None:
    small = a_house("bob")
    small.enroll("ann", queues=("orders",))
    small.case("case1", queue="orders")
    small.case("case2", queue="returns")
    async with small.working():
        await here(small, "ann", "bob")
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        await small.done("bob", c.Accept(id="b1", conversation="case2"))
        refused = await small.refused("ann", c.Merge(id="m1", conversation="case1", into="case2"))
        assert refused.code == "denied"
        assert small.state("case1").owner == "ann"


async def test_presence_that_this_bridge_has_not_heard_of_yet_is_asked_for_not_overwritten() -> None:
    """A bridge that just started hears a terminal before the bucket has told it who is at lunch."""
    first = a_house("ann")
    async with first.working():
        await here(first, "ann")
        await first.done("ann", c.Presence(state="away", reason="lunch"))
    second = Small(boot="second", log=first.log, keys=first.keys, presence=first.presence, rules=first.rules)
    async with second.working():
        await second.ask("ann", c.Alive())
        await second.ask("ann", c.Hello())
        assert second.staff.presences.of("ann").state == "away"
        assert b"lunch" in second.presence.values["ann"]


async def test_who_is_gone_and_has_nothing_due_costs_no_decision() -> None:
    small = a_house("ann")
    async with small.working():
        await here(small, "ann")
        for number in range(5):
            small.case(f"case{number}")
            small.log.put(
                "conv",
                f"case{number}",
                f.Accepted(agent="ann", epoch=1),
                f.Replied(
                    message=f"out{number}",
                    agent="ann",
                    channel="support",
                    channel_kind="email",
                    handle=f"hand-case{number}",
                    words=Words(text="here you are"),
                ),
            )
        await small.catch_up()
        held = []
        hold = small.writer.hold
        small.writer.hold = lambda *wanted: held.append(wanted) or hold(*wanted)  # type: ignore[method-assign,func-returns-value]
        small.later(600)
        for _ in range(5):
            small.later(1)
            await small.round()
        assert not [wanted for wanted in held if wanted[0][0] == "conv"]
        assert small.state("case0").owner == "ann"


async def test_a_mandatory_wrap_up_without_any_outcome_to_choose_has_an_end() -> None:
    small = Small(rules={"orders": QueueRules(wrap_up="mandatory")}, house_rules=DeskRules())
    small.enroll("ann")
    async with small.working():
        await here(small, "ann")
        small.case("case1")
        await small.catch_up()
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        await small.done("ann", c.Close(id="c1", conversation="case1"))
        await small.ask("ann", c.WrapUp(id="w1", conversation="case1", disposition=""))
        await small.catch_up()
        assert small.floor.wrapping("ann") == ""


async def test_a_house_of_thousands_has_a_directory_that_fits_and_names_whoever_is_here() -> None:
    small = Small(rules={"orders": QueueRules(), "returns": QueueRules()})
    for number in range(3_000):
        small.enroll(f"agent{number:04}", queues=("orders",), skills=(Skill(name="swedish", level=3),))
    small.enroll("olga", role="supervisor")
    await small.catch_up()
    for agent in ("agent2998", "agent2999"):
        small.sits(agent)
    found = await small.ask("olga", c.Directory())
    assert isinstance(found, v.DirectoryView)
    assert {"agent2998", "agent2999"} <= {one.agent for one in found.agents}
    assert [(one.queue, one.ready) for one in found.queues] == [("orders", 2), ("returns", 0)]
    assert [(one.name, one.ready) for one in found.skills] == [("swedish", 2)]


async def test_another_queue_of_the_policy_does_not_move_who_waits_here() -> None:
    """Of 100,000 that wait, each definition would cost seconds in which nobody is answered."""
    small = a_house("ann")
    small.case("case1", queue="orders")
    small.case("case2", queue="returns")
    async with small.working():
        await small.catch_up()
        noted: list[str] = []
        note = small.floor._note
        small.floor._note = lambda one: noted.append(one.id) or note(one)  # type: ignore[method-assign,func-returns-value]
        small.log.put("queue", "returns", f.QueueDefined(rules=QueueRules(needs=(Skill(name="swedish", level=2),))))
        await small.catch_up()
        assert noted == ["case2"]
        small.log.put("house", "desk", f.DeskRuled(rules=DeskRules(costs=(Cost(channel_kind="email", units=50),))))
        await small.catch_up()
        assert noted == ["case2", "case1", "case2"]
        waiting = small.floor.line.get("case1")
        assert waiting is not None
        assert waiting.units == 50


@pytest.mark.parametrize("apart_s", [3_600, -3_600])
async def test_a_bridge_whose_clock_is_an_hour_off_takes_nobody_for_silent(apart_s: int) -> None:
    first = a_house("ann")
    first.case("case1")
    second = Small(boot="second", log=first.log, keys=first.keys, presence=first.presence, rules=first.rules)
    second.later(apart_s)
    async with first.working(), second.working():
        for _ in range(70):
            first.later(8)
            second.later(8)
            await first.ask("ann", c.Alive() if first.staff.presences.about else c.Hello())
            second.staff.presences.told("ann", first.presence.values["ann"])
            if first.state("case1").owner != "ann":
                await first.done("ann", c.Accept(id="a1", conversation="case1"))
            await second.catch_up()
            await second.round()
            assert second.staff.presences.of("ann").state == "ready"
        assert second.state("case1").owner == "ann"
        for _ in range(60):
            second.later(8)
            await second.round()
        assert second.staff.presences.of("ann").state == "silent"
        assert second.state("case1").status == "queued"


async def test_after_a_lost_race_a_load_is_not_read_from_its_beginning() -> None:
    small = a_house("ann")
    for number in range(50):
        small.log.put("load", "ann", f.Given(conversation=f"case{number}", units=10))
    await small.catch_up()
    cell = small.states.cell("load", "ann")
    last = small.log.put("load", "ann", f.Given(conversation="case50", units=10))
    read: list[int] = []
    messages = small.log.subject_messages

    async def counted(stream: str, subject: str, *, start_seq: int = 1) -> list[tuple[int, bytes, dict[str, str]]]:
        found = await messages(stream, subject, start_seq=start_seq)
        read.append(len(found))
        return found

    small.log.subject_messages = counted  # type: ignore[method-assign]
    await small.states.reload(cell)
    assert (cell.state.seq, read) == (last.seq, [1])
    await small.states.reload(cell)
    assert (cell.state.seq, read) == (last.seq, [1, 0])


async def test_a_merge_that_is_refused_leaves_no_words_for_one_customer_in_the_case_of_another() -> None:
    small = a_house("ann")
    small.case("case1", customer="cust-a")
    small.case("case2", customer="cust-b")
    async with small.working():
        await here(small, "ann")
        await small.done("ann", c.Accept(id="a1", conversation="case1"))
        await small.done("ann", c.Accept(id="a2", conversation="case2"))
        await small.done("ann", c.Draft(conversation="case1", text="Dear Anna", at_ms=NOW_MS))
        await small.done("ann", c.Close(id="c2", conversation="case2", disposition="solved"))
        await small.refused("ann", c.Merge(id="m1", conversation="case1", into="case2"))
        assert await small.parts.drafts.load("ann", "case2") is None
        await small.done("ann", c.Reopen(id="r2", conversation="case2"))
        await small.done("ann", c.Merge(id="m2", conversation="case1", into="case2"))
        draft = await small.parts.drafts.load("ann", "case2")
        assert draft is not None and draft.text == "Dear Anna"
