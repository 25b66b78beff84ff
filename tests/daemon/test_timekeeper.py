"""What time does to conversations: each thing once, in time, after a restart too, and no jump of a clock does it by the hundred."""

from __future__ import annotations

from typing import Any

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.policy import Disposition, Hours, QueueRules, Span, Step, Target
from broker_bridge.core import conversation as conv
from broker_bridge.core import targets
from broker_bridge.core.state import CLOSED, OWNED, QUEUED
from broker_bridge.daemon.clock import Clock
from tests.daemon.small_house import NOW_MS, Small

MINUTE_MS = 60_000
HOUR_S = 3_600
WEEK = tuple(Span(day=day, from_min=8 * 60, to_min=12 * 60) for day in range(5))
MORNINGS = Hours(zone="UTC", week=WEEK)
"""NOW_MS is a Wednesday, 11:06:40: 53:20 minutes are left of it."""


def a_house(**rules: Any) -> Small:
    small = Small(rules={"orders": QueueRules(**rules), "returns": QueueRules()})
    for agent in ("ann", "bob"):
        small.enroll(agent)
    small.case("case", channel="chat")
    return small


async def here(small: Small, *agents: str) -> None:
    for agent in agents:
        small.sits(agent)


async def owned(small: Small, by: str = "ann") -> None:
    """Nothing is offered by itself: what happens is time's."""
    small.parts.offers._offers_at_all = False
    await small.catch_up()
    await here(small, "ann", "bob")
    await small.done(by, c.Accept(id="accept", conversation="case"))


async def after(small: Small, seconds: float, *agents: str) -> None:
    small.later(seconds)
    await here(small, *agents)
    await small.round()


def told(small: Small, kind: type[f.Fact], case: str = "case") -> list[f.Fact]:
    return [fact for fact in small.facts("conv", case) if isinstance(fact, kind)]


def again(small: Small) -> Small:
    """The bridge after a restart."""
    fresh = Small(log=small.log, keys=small.keys, presence=small.presence, rules=small.rules, now_ms=small.now_ms)
    fresh.parts.offers._offers_at_all = False
    return fresh


# offers


async def test_an_offer_that_rang_out_comes_back_and_goes_to_the_next_one() -> None:
    small = a_house(offer_s=20)
    async with small.working():
        await here(small, "ann", "bob")
        await small.round()
        (asked,) = small.ringing("case")
        await after(small, 19, "ann", "bob")
        assert small.ringing("case") == (asked,)
        await after(small, 2, "ann", "bob")
        assert told(small, f.OfferEnded) == [f.OfferEnded(agent=asked, reason="expired")]
        assert small.ringing("case") == tuple({"ann", "bob"} - {asked})


async def test_a_transfer_that_nobody_answers_stays_with_its_owner() -> None:
    small = a_house()
    async with small.working():
        await owned(small)
        await small.done("ann", c.Transfer(id="t", conversation="case", to_agent="bob"))
        await after(small, 119, "ann", "bob")
        assert small.ringing("case") == ("bob",)
        await after(small, 2, "ann", "bob")
        assert (small.state("case").owner, small.ringing("case")) == ("ann", ())
        assert small.floor.load("bob") == 0


# snooze


async def test_a_snooze_ends_once_also_after_a_restart() -> None:
    small = a_house()
    async with small.working():
        await owned(small)
        await small.done("ann", c.Snooze(id="s", conversation="case", until_ms=small.now_ms + 10 * MINUTE_MS))
        await after(small, 599, "ann")
        assert told(small, f.Woken) == []
    fresh = again(small)
    async with fresh.working():
        await after(fresh, 2, "ann")
        assert told(fresh, f.Woken) == [f.Woken(reason="time")]
        assert (fresh.state("case").owner, fresh.state("case").snooze) == ("ann", None)
        await after(fresh, 2, "ann")
    third = again(fresh)
    async with third.working():
        await after(third, HOUR_S, "ann")
        assert len(told(third, f.Woken)) == 1


async def test_what_wakes_while_its_owner_is_away_goes_back_to_the_queue() -> None:
    small = a_house()
    async with small.working():
        await owned(small)
        await small.done("ann", c.Snooze(id="s", conversation="case", until_ms=small.now_ms + MINUTE_MS))
        small.later(61)
        small.sits("ann", "away", "lunch")
        await small.round()
        assert (small.state("case").status, small.state("case").last_owner) == (QUEUED, "ann")
        assert told(small, f.Queued)[-1] == f.Queued(queue="orders", reason="its time came while Ann was away")


# tasks


async def test_a_task_is_reminded_of_once_and_again_when_it_is_moved() -> None:
    small = a_house()
    async with small.working():
        await owned(small)
        due_ms = small.now_ms + 10 * MINUTE_MS
        await small.done("ann", c.AddTask(id="task", conversation="case", text="call the shop", due_ms=due_ms))
        await after(small, 599, "ann")
        assert told(small, f.TaskReminded) == []
        for _ in range(3):
            await after(small, 1, "ann")
        assert told(small, f.TaskReminded) == [f.TaskReminded(task="task", due_ms=due_ms)]
        later_ms = small.now_ms + MINUTE_MS
        await small.done(
            "ann", c.ChangeTask(id="move", conversation="case", task="task", text="call the shop", due_ms=later_ms)
        )
    fresh = again(small)
    async with fresh.working():
        for _ in range(3):
            await after(fresh, 61, "ann")
        assert told(fresh, f.TaskReminded)[1:] == [f.TaskReminded(task="task", due_ms=later_ms)]


async def test_a_task_of_a_closed_case_is_reminded_of() -> None:
    small = a_house()
    async with small.working():
        await owned(small)
        due_ms = small.now_ms + MINUTE_MS
        await small.done("ann", c.AddTask(id="task", conversation="case", text="call the shop", due_ms=due_ms))
        await small.done("ann", c.Close(id="close", conversation="case", disposition="solved"))
    fresh = again(small)
    async with fresh.working():
        await after(fresh, 61, "ann")
        assert told(fresh, f.TaskReminded) == [f.TaskReminded(task="task", due_ms=due_ms)]


# targets


def targeted(small: Small, warn_ms: int, due_ms: int, what: str = "next") -> None:
    small.log.put("conv", "case", f.Targeted(what=what, due_ms=due_ms, from_ms=NOW_MS, work_s=600, warn_ms=warn_ms))


async def test_a_warning_comes_once_before_the_breach() -> None:
    small = a_house()
    async with small.working():
        await owned(small)
        due_ms = small.now_ms + 10 * MINUTE_MS
        targeted(small, small.now_ms + 7 * MINUTE_MS, due_ms)
        await after(small, 419, "ann")
        assert told(small, f.Warned) == []
        for _ in range(3):
            await after(small, 2, "ann")
        assert told(small, f.Warned) == [f.Warned(what="next", due_ms=due_ms)]


async def test_a_warning_that_was_given_does_not_stand_in_the_way_of_what_is_due_later() -> None:
    """There and back again: the case is promised the same a second time, and was warned of it already."""
    small = a_house()
    async with small.working():
        await owned(small)
        warn_ms, due_ms = small.now_ms + MINUTE_MS, small.now_ms + 5 * MINUTE_MS
        targeted(small, warn_ms, due_ms)
        await after(small, 61, "ann")
        targeted(small, warn_ms + 2 * MINUTE_MS, due_ms + 2 * MINUTE_MS)
        targeted(small, warn_ms, due_ms)
        await small.catch_up()
        await small.done("ann", c.Snooze(id="s", conversation="case", until_ms=small.now_ms + MINUTE_MS))
        count = len(small.log.items)
        await after(small, 1, "ann")
        assert len(small.log.items) == count
        await after(small, 61, "ann")
        assert told(small, f.Woken) == [f.Woken(reason="time")]
        assert len(told(small, f.Warned)) == 1


async def test_a_new_case_is_warned_of_in_the_working_time_of_its_queue() -> None:
    """One hour of work from 11:06 on a Wednesday that ends at 12:00: due on Thursday at 8:06, warned of at a quarter of it left."""
    small = a_house(hours=MORNINGS, targets=(Target(first_reply_s=HOUR_S),))
    async with small.working():
        await owned(small)
        promised = targets.on_message(conv.begin("case"), small.rulebook.policy, small.now_ms, queue="orders")
        small.log.put("conv", "case", *promised)
        await small.catch_up()
        await after(small, 44 * 60, "ann")
        assert told(small, f.Warned) == []
        await after(small, 2 * 60, "ann")
        assert len(told(small, f.Warned)) == 1


# wrap-up


async def test_a_wrap_up_that_nobody_writes_ends_as_the_default() -> None:
    small = a_house(
        wrap_up="timed",
        wrap_up_s=60,
        dispositions=(Disposition(name="solved"), Disposition(name="open end")),
        default_disposition="open end",
    )
    async with small.working():
        await owned(small)
        await small.done("ann", c.Close(id="close", conversation="case", tags=("vip",)))
        assert small.floor.wrapping("ann") == "case"
        await after(small, 59, "ann")
        assert small.state("case").wrap is not None
        await after(small, 2, "ann")
        state = small.state("case")
        assert (state.status, state.wrap, state.disposition, state.tags) == (CLOSED, None, "open end", ("vip",))
        assert told(small, f.WrappedUp) == [
            f.WrappedUp(agent="ann", disposition="open end", tags=("vip",), is_timeout=True)
        ]
        assert (small.floor.wrapping("ann"), small.floor.load("ann")) == ("", 0)


async def test_more_time_is_more_time() -> None:
    small = a_house(wrap_up="timed", wrap_up_s=60)
    async with small.working():
        await owned(small)
        await small.done("ann", c.Close(id="close", conversation="case"))
        await small.done("ann", c.MoreTime(id="more", conversation="case"))
        await after(small, 89, "ann")
        assert small.state("case").wrap is not None
        await after(small, 2, "ann")
        assert small.state("case").wrap is None


async def test_a_mandatory_wrap_up_waits_for_ever() -> None:
    small = a_house(wrap_up="mandatory")
    async with small.working():
        await owned(small)
        await small.done("ann", c.Close(id="close", conversation="case"))
        await after(small, 86_400, "ann")
        assert small.state("case").wrap is not None


# overflow


async def test_overflow_takes_its_steps_in_working_time() -> None:
    """30 minutes are up at 11:36; 60 minutes at 8:06 on Thursday, since nobody works in the afternoon."""
    steps = (
        Step(after_s=1_800, widen=1),
        Step(after_s=3_600, alarm="somebody waits"),
        Step(after_s=3_700, queue="returns"),
    )
    small = a_house(hours=MORNINGS, overflow=steps)
    small.parts.offers._offers_at_all = False
    async with small.working():
        await after(small, 1_799)
        assert told(small, f.Overflowed) == []
        await after(small, 2)
        assert [fact.widen for fact in told(small, f.Overflowed) if isinstance(fact, f.Overflowed)] == [1]
        await after(small, 12 * HOUR_S)
        assert len(told(small, f.Overflowed)) == 1
        await after(small, 8 * HOUR_S + 1_800)
        alarms = [fact.alarm for fact in told(small, f.Overflowed) if isinstance(fact, f.Overflowed)]
        assert alarms == ["", "somebody waits"]
        await after(small, 100)
        assert small.state("case").queue == "returns"
        last = told(small, f.Queued)[-1]
        assert isinstance(last, f.Queued)
        assert last.reason.startswith("nobody was free in orders for ")


async def test_a_step_is_taken_once_though_two_leaders_take_it() -> None:
    small = a_house(overflow=(Step(after_s=60, alarm="somebody waits"),))
    other = Small(log=small.log, keys=small.keys, rules=small.rules, boot="other")
    async with small.working(), other.working():
        for one in (small, other):
            one.parts.offers._offers_at_all = False
            one.later(61)
        await small.round()
        await other.round()
        assert len(told(small, f.Overflowed)) == 1


async def test_what_was_taken_meanwhile_takes_no_step() -> None:
    small = a_house(overflow=(Step(after_s=60, queue="returns"),))
    async with small.working():
        await owned(small)
        await after(small, HOUR_S, "ann")
        assert (small.state("case").queue, small.state("case").status) == ("orders", OWNED)


# clocks


class Hands:
    """A wall that is set by hand, over a clock that cannot be."""

    def __init__(self, small: Small) -> None:
        self.small = small
        self.away_s = 0.0
        self.clock = Clock(wall_ns=self.wall_ns, monotonic=lambda: self.small.clock_s)

    def wall_ns(self) -> int:
        return int((NOW_MS / 1000 + self.small.clock_s + self.away_s) * 1_000_000_000)


@pytest.mark.parametrize("jump_s", [HOUR_S, 24 * HOUR_S, -HOUR_S, -24 * HOUR_S])
async def test_a_jump_of_the_clock_lets_nothing_expire(jump_s: int) -> None:
    small = a_house(offer_s=20, wrap_up="timed", wrap_up_s=60, overflow=(Step(after_s=600, alarm="late"),))
    hands = Hands(small)
    small.wall = hands.clock.now_ms
    names = ["case", *(f"case{number}" for number in range(9))]
    for name in names[1:]:
        small.case(name, channel="chat")
    async with small.working():
        for agent in ("ann", "bob"):
            await small.staff.presences.chose(agent, "ready")
        await small.round()
        assert all(small.ringing(name) for name in names)
        taken = names.pop()
        (owner,) = small.ringing(taken)
        await small.done(owner, c.Accept(id="a", conversation=taken))
        await small.done(owner, c.Snooze(id="s", conversation=taken, until_ms=small.now() + 30 * MINUTE_MS))
        count = len(small.log.items)
        hands.away_s = jump_s
        for _ in range(8):
            await _heard_after(small, 2)
        assert len(small.log.items) == count
        # They ring out all the same: the clock catches up at a tenth of its pace at most.
        await _heard_after(small, 7)
        assert all(told(small, f.OfferEnded, name) for name in names)
        assert (told(small, f.Woken, taken), small.state(taken).owner) == ([], owner)


async def _heard_after(small: Small, seconds: float) -> None:
    small.clock_s += seconds
    for agent in ("ann", "bob"):
        await small.staff.presences.heard(agent)
    await small.round()
