"""A day routed again: what comes out as it was, what another policy changes, and what cannot be said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import AnyFact
from broker_bridge.contract.facts import Entry as LogEntry
from broker_bridge.contract.ids import short_number
from broker_bridge.contract.policy import (
    Considered,
    Cost,
    DeskRules,
    Hours,
    QueueRules,
    Seat,
    Skill,
    Span,
    Step,
    Target,
    Why,
)
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.core.definitions import Policy
from broker_bridge.core.replay import Plan, Replay, Report
from broker_bridge.core.replay_plan import Difference, Sums
from broker_bridge.daemon.simulation.world import World

START_MS = 1_795_000_000_000
"""A Wednesday, 11:06 UTC."""
CHAT = "webchat"
FEES = Skill(name="fees", level=2)
SECRET = "kroner-and-tears"


class Day:
    """A log, made entry by entry."""

    def __init__(self, **queues: QueueRules) -> None:
        self.base = Policy(queues=queues or {"cards": QueueRules()})
        self.entries: list[tuple[int, str, str, LogEntry]] = []
        self.now_ms = START_MS
        self._queue_of: dict[str, str] = {}

    def put(self, kind: str, name: str, *facts: AnyFact, by: str = "test") -> Day:
        self.entries.append((len(self.entries) + 1, kind, name, LogEntry(at_ms=self.now_ms, by=by, facts=facts)))
        self.later(0.05)
        return self

    def later(self, seconds: float) -> Day:
        self.now_ms += int(seconds * 1000)
        return self

    def agent(self, name: str, *skills: Skill, units: int = 100, state: str = "ready", reason: str = "") -> Day:
        self.put("agent", name, f.Enrolled(name=name.title(), public_key="U", units=units, skills=skills))
        return self.is_now(name, state, reason)

    def is_now(self, name: str, state: str, reason: str = "") -> Day:
        return self.put("shift", name, f.PresenceSet(state=state, reason=reason))

    def case(
        self, name: str, queue: str = "cards", customer: str = "", words: Any = None, channel: str = "chat"
    ) -> Day:
        self._queue_of[name] = queue
        item = f.Received(
            message=f"m-{name}", item=f"i-{name}", handle="h", channel=channel, channel_kind=CHAT, words=words
        )
        opened = f.Opened(
            customer=customer or f"cust-{name}", handle="h", channel=channel, channel_kind=CHAT, queue=queue
        )
        return self.put("conv", name, opened, item, f.Queued(queue=queue), by="clerk")

    def offer(
        self, name: str, *agents: str, seen: tuple[Considered, ...] = (), last: str = "", responsible: str = ""
    ) -> Day:
        """The router asked them."""
        chosen = Considered(agent=agents[0], state="ready", reason="least to do: 0 of 100", is_fit=True)
        why = Why(last_agent=last, responsible=responsible, considered=seen or (chosen,))
        offered = f.Offered(agent=agents[0], also=agents[1:], until_ms=self.now_ms + 20_000, units=20, why=why)
        return self.put("conv", name, offered, by="router")

    def accept(self, name: str, agent: str) -> Day:
        return self.put("conv", name, f.Accepted(agent=agent, epoch=1), by=f"agent:{agent}")

    def again(self, plan: Plan | None = None, **how: Any) -> Report:
        replay = Replay(plan or Plan(), self.base, **how)
        for one in self.entries:
            replay.take(*one)
        return replay.finish()

    def one(self, plan: Plan) -> Difference:
        """The only difference."""
        report = self.again(plan)
        assert len(report.differences) == 1, report
        return report.differences[0]


def cards(**rules: Any) -> Plan:
    return Plan(queues={"cards": QueueRules(**rules)})


def two_at_work() -> Day:
    """Maya, then Ole, who alone knows about fees, and one case offered to Maya."""
    return Day().agent("maya").agent("ole", FEES).case("a").offer("a", "maya").accept("a", "maya")


def test_the_same_policy_gives_the_same_decisions() -> None:
    day = two_at_work().case("b").offer("b", "ole").accept("b", "ole").case("c").offer("c", "maya")
    for plan in (Plan(), Plan(queues=dict(day.base.queues), desk=day.base.desk)):
        report = day.again(plan)
        assert report.all == Sums(decisions=3, reproduced=3, same=3)
        assert report.differences == [] and not report.missed and not report.helped
        assert (report.agents["maya"].offers, report.agents["maya"].offers_then) == (2, 2)


def test_a_needed_skill_changes_who_is_asked_and_says_why() -> None:
    found = two_at_work().one(cards(needs=(FEES,)))
    assert (found.kind, found.was, found.now) == ("agent", ("maya",), ("ole",))
    assert (found.was_reason, found.now_reason) == ("least to do: 0 of 100", "least to do: 0 of 100")
    assert found.number == short_number("a")


@pytest.mark.parametrize(
    ("rules", "asked", "reason"),
    [
        ({"mode": "in_order", "order": ("ole", "maya")}, ("ole",), "number 1 in the order"),
        ({"mode": "everybody"}, ("maya", "ole"), "everybody is asked"),
    ],
)
def test_another_mode_asks_others(rules: dict[str, Any], asked: tuple[str, ...], reason: str) -> None:
    found = two_at_work().one(cards(**rules))
    assert (set(found.now), found.now_reason) == (set(asked), reason)


def test_other_units_make_somebody_full() -> None:
    day = two_at_work()
    plan = Plan(seats={"maya": Seat(agent="maya", units=10)})
    assert day.one(plan).now == ("ole",)
    report = day.again(Plan(desk=DeskRules(costs=(Cost(channel_kind=CHAT, units=100),))))
    assert report.differences == [] and report.agents["maya"].units_then == 20


def test_a_closed_queue_and_a_skill_that_nobody_has_would_have_made_it_wait() -> None:
    sundays = Hours(zone="UTC", week=(Span(day=6, from_min=600, to_min=660),))
    closed = two_at_work().one(cards(hours=sundays))
    assert (closed.kind, closed.now, closed.now_reason) == ("waits", (), "closed, opens Sun 10:00")
    lacking = two_at_work().one(cards(needs=(Skill(name="fees", level=5),)))
    assert lacking.now_reason == "nobody: 2 lacks fees 5"
    report = two_at_work().again(cards(hours=sundays))
    assert (report.all.waits, report.all.same) == (1, 0)
    assert report.agents["maya"].offers_then == 0


def test_who_is_waited_for_is_not_waited_for_by_a_policy_without_affinity() -> None:
    day = Day().agent("maya").agent("ole").is_now("maya", "busy").later(60)
    day.case("a").later(30).offer("a", "ole", last="maya")
    report = day.again(cards(affinity_s=0))
    assert report.all.reproduced == 1
    # Nobody knew of Maya before the decision recorded it: the log of this day alone has no earlier case of hers.
    assert report.differences == []
    day = Day().agent("maya").agent("ole")
    day.case("old", customer="anna").offer("old", "maya").accept("old", "maya")
    day.put("conv", "old", f.Closed(agent="maya", disposition="solved")).is_now("maya", "busy")
    day.case("new", customer="anna").later(30).offer("new", "ole", last="maya")
    found = day.one(cards(affinity_s=0))
    assert (found.kind, found.was, found.now) == ("sooner", ("ole",), ("ole",))
    assert 29_000 < found.sooner_ms <= 30_100
    waits = day.one(cards(affinity_s=300))
    assert waits.now_reason == "waits for maya, who knows the customer"


def test_more_priority_takes_the_place_of_another_case() -> None:
    day = Day(cards=QueueRules(), sales=QueueRules()).agent("maya", units=20, state="away", reason="lunch")
    day.case("a").case("b", queue="sales").later(5).is_now("maya", "ready").offer("a", "maya")
    report = day.again(Plan(queues={"sales": QueueRules(priority=1)}), queue="cards")
    (found,) = report.differences
    assert (found.kind, found.now_reason) == ("waits", "nobody: 1 full")
    both = day.again(Plan(queues={"sales": QueueRules(priority=1)}))
    assert {(one.kind, one.conversation) for one in both.differences} == {("waits", "a")}
    later = day.later(30).accept("b", "lead").again(Plan(queues={"sales": QueueRules(priority=1)}))
    assert [(one.kind, one.conversation, one.now) for one in later.differences] == [
        ("waits", "a", ()),
        ("unasked", "b", ("maya",)),
    ]


def test_what_was_never_offered_and_would_have_been_is_told() -> None:
    day = Day(cards=QueueRules(needs=(FEES,))).agent("maya").case("a").later(120).accept("a", "maya")
    found = day.one(cards())
    assert (found.kind, found.seq, found.was, found.was_reason) == ("unasked", 0, (), "taken by maya")
    assert found.now == ("maya",)
    assert day.again().all == Sums()
    waits = Day(cards=QueueRules(needs=(FEES,))).agent("maya").case("a").later(120).is_now("maya", "ready")
    assert waits.one(cards()).was_reason == "it still waits"


def test_an_earlier_overflow_step_offers_sooner() -> None:
    def steps(after_s: int) -> QueueRules:
        return QueueRules(needs=(FEES,), overflow=(Step(after_s=after_s, widen=2),))

    day = Day(cards=steps(60)).agent("maya").case("a").later(60)
    day.put("conv", "a", f.Overflowed(queue="cards", step=1, widen=2)).offer("a", "maya")
    found = day.one(Plan(queues={"cards": steps(15)}))
    assert (found.kind, round(found.sooner_ms / 1000)) == ("sooner", 45)
    later = day.one(Plan(queues={"cards": steps(90)}))
    assert later.now_reason == "nobody: 1 lacks fees 2"


def test_a_step_into_another_queue_is_followed() -> None:
    day = Day(cards=QueueRules(), sales=QueueRules()).agent("ole", FEES).agent("maya").is_now("ole", "away", "lunch")
    day.case("a").later(0.05).offer("a", "maya")
    plan = Plan(queues={"cards": QueueRules(needs=(FEES,), overflow=(Step(after_s=20, queue="sales"),))})
    assert day.one(plan).now_queue == "cards"
    slow = Day(cards=QueueRules(), sales=QueueRules()).agent("ole", FEES).agent("maya").is_now("maya", "away", "lunch")
    slow.is_now("ole", "away", "lunch").case("a").later(40).is_now("maya", "ready").offer("a", "maya")
    report = slow.again(plan)
    assert report.all.same == 1 and report.moved == 1


def test_another_queue_of_a_channel_decides_by_that_queue() -> None:
    day = Day(cards=QueueRules(), sales=QueueRules(needs=(FEES,))).agent("maya").agent("ole", FEES)
    day.case("a").offer("a", "maya")
    report = day.again(Plan(channels={"chat": "sales"}))
    (found,) = report.differences
    assert (found.now, found.now_queue, report.moved) == (("ole",), "sales", 1)
    assert day.again(Plan(channels={"mail": "sales"})).differences == []


def test_what_no_router_offered_is_no_difference_if_it_should_have_been_by_its_own_policy() -> None:
    day = Day().agent("maya").case("a").later(120).accept("a", "maya")
    assert day.again(cards(mode="everybody")).differences == []


def test_where_the_log_was_no_guide_before_a_moment_only_the_moment_is_compared() -> None:
    day = Day().agent("maya").agent("ole").agent("eve").case("a").later(30)
    day.is_now("eve", "away", "lunch").is_now("maya", "away", "lunch").offer("a", "ole")
    report = day.again(cards(mode="in_order", order=("eve", "ole")))
    assert report.all == Sums(decisions=1, reproduced=1, same=1)


def test_places_of_what_would_have_been_offered_before_hide_no_difference() -> None:
    """By its own policy the replay asks Maya about the loan, so that she is full and the card would have gone to Ole, as by the other
    policy; but it was offered to her in the moment it came, and by the other policy not."""
    day = Day(cards=QueueRules(), loans=QueueRules()).agent("maya", units=20).agent("ole", FEES)
    day.case("loan", queue="loans").later(2).case("card")
    day.later(-0.05).offer("card", "maya")
    assert day.again().all == Sums(decisions=1, reproduced=1, same=1)
    found = day.one(cards(needs=(FEES,)))
    assert (found.kind, found.was, found.now) == ("agent", ("maya",), ("ole",))


def test_who_is_waited_for_would_have_been_asked_as_soon_as_they_had_time() -> None:
    day = Day(cards=QueueRules(needs=(FEES,))).agent("maya").agent("ole").case("old", customer="anna")
    day.accept("old", "maya").put("conv", "old", f.Closed(agent="maya", disposition="solved")).is_now("maya", "busy")
    began_ms = day.now_ms
    day.case("new", customer="anna").later(10).is_now("maya", "ready").later(60).accept("new", "ole")
    found = day.again(cards(affinity_s=300)).differences[-1]
    assert (found.kind, found.now, found.now_reason) == ("unasked", ("maya",), "knows the customer")
    assert 10_000 < found.at_ms - began_ms < 12_000


def test_whose_turn_it_is_follows_from_the_offers() -> None:
    day = Day().agent("maya").agent("ole").case("a").offer("a", "maya").accept("a", "maya")
    day.put("conv", "a", f.Closed(agent="maya", disposition="solved")).case("b").offer("b", "ole")
    report = day.again()
    assert (report.all.reproduced, report.helped) == (2, {})


def test_supervisors_are_not_asked() -> None:
    day = Day().put("agent", "lena", f.Enrolled(name="Lena", public_key="U", role="supervisor"))
    day.is_now("lena", "ready").agent("maya").case("a").offer("a", "maya")
    assert day.again().all == Sums(decisions=1, reproduced=1, same=1)


def test_a_step_that_was_taken_is_not_taken_by_a_policy_that_takes_it_later() -> None:
    def steps(after_s: int) -> QueueRules:
        return QueueRules(needs=(FEES,), overflow=(Step(after_s=after_s, queue="sales"),))

    day = Day(cards=steps(20), sales=QueueRules()).agent("maya").case("a").later(20)
    moved = f.Overflowed(queue="cards", step=1, to_queue="sales")
    day.put("conv", "a", moved, f.Queued(queue="sales")).offer("a", "maya")
    found = day.one(Plan(queues={"cards": steps(600)}))
    assert (found.queue, found.now_queue, found.now_reason) == ("sales", "cards", "nobody: 1 lacks fees 2")


def test_another_target_puts_another_case_first() -> None:
    day = Day(cards=QueueRules(), sales=QueueRules()).agent("maya", units=20, state="away", reason="lunch")
    day.case("a").case("b", queue="sales").later(5).is_now("maya", "ready").offer("a", "maya")
    report = day.again(Plan(queues={"sales": QueueRules(targets=(Target(first_reply_s=60),))}))
    assert {(one.kind, one.conversation) for one in report.differences} == {("waits", "a")}


def test_who_writes_down_an_outcome_or_let_it_pass_is_not_asked() -> None:
    day = Day().agent("ole").case("x").offer("x", "ole").accept("x", "ole").case("y").offer("y", "ole")
    day.accept("y", "ole").agent("maya").case("a").offer("a", "maya").accept("a", "maya")
    wrap = f.WrapUpBegan(agent="maya", mode="mandatory")
    day.put("conv", "a", f.Closed(agent="maya", disposition=""), wrap).case("b").offer("b", "ole").accept("b", "ole")
    assert day.again().helped == {}
    day.put("conv", "a", f.WrappedUp(agent="maya", disposition="solved")).case("c").offer("c", "maya")
    day.put("conv", "c", f.OfferEnded(agent="maya", reason="declined")).offer("c", "ole")
    assert day.again().all == Sums(decisions=6, reproduced=6, same=6)


def test_a_case_that_is_opened_again_is_the_case_that_it_was() -> None:
    costs = DeskRules(costs=(Cost(channel_kind=CHAT, units=60),))
    day = Day().put("house", "desk", f.DeskRuled(rules=costs)).agent("maya").agent("ole", units=50)
    day.case("a").offer("a", "maya").accept("a", "maya")
    day.put("conv", "a", f.Closed(agent="maya", disposition="solved"))
    day.put("conv", "a", f.Reopened(queue="cards"), f.Queued(queue="cards")).offer("a", "maya")
    assert day.again().all == Sums(decisions=2, reproduced=2, same=2)


def test_what_would_have_been_offered_before_somebody_passed_it_on_is_over_then() -> None:
    day = Day(cards=QueueRules(needs=(FEES,)), sales=QueueRules()).agent("maya").case("a").later(60)
    day.put("conv", "a", f.Queued(queue="sales", reason="transferred")).later(30).offer("a", "maya")
    assert day.again(cards()).differences == []


def passed_on(by: str) -> Day:
    """A case that `by` had and passed on to the queue it is in."""
    day = Day().agent("maya").agent("ole", state="away").case("a").offer("a", by).accept("a", by)
    told = f.Transferred(agent=by, to_queue="cards")
    return day.put("conv", "a", told, f.Queued(queue="cards", reason="transferred"))


@pytest.mark.parametrize(("after_s", "reproduced"), [(299.0, 1), (301.0, 2)])
def test_who_passed_it_on_is_asked_after_five_minutes_as_the_router_does(after_s: float, reproduced: int) -> None:
    day = passed_on("maya").later(after_s).offer("a", "maya")
    assert day.again().all.reproduced == reproduced


def test_who_let_it_pass_in_one_queue_is_asked_in_the_next_one_that_another_policy_brings_it_to() -> None:
    day = Day(cards=QueueRules(), sales=QueueRules()).agent("maya").case("a").offer("a", "maya")
    day.put("conv", "a", f.OfferEnded(agent="maya", reason="declined")).later(70).offer("a", "maya")
    found = day.one(cards(overflow=(Step(after_s=20, queue="sales"),)))
    assert (found.kind, found.now, found.now_queue, found.sooner_ms // 1000) == ("sooner", ("maya",), "sales", 40)


def test_a_decision_that_does_not_come_out_is_set_apart() -> None:
    day = two_at_work().case("b").offer("b", "maya")
    report = day.again(cards(needs=(FEES,)))
    assert (report.all.decisions, report.all.reproduced) == (2, 1)
    assert sum(report.missed.values()) == 1
    assert [one.conversation for one in report.differences] == ["a"]
    assert report.agents["maya"].offers == 1


def test_presence_that_no_fact_tells_is_taken_from_the_decision() -> None:
    silent = Considered(agent="maya", state="silent", reason="silent")
    chosen = Considered(agent="ole", state="ready", is_fit=True, reason="least to do: 0 of 100")
    day = Day().agent("maya").agent("ole").case("a").offer("a", "ole", seen=(chosen, silent))
    report = day.again(cards(mode="in_order", order=("maya", "ole")))
    assert (report.all.reproduced, report.helped) == (1, {"presence": 1})
    assert report.differences == []


def test_whose_turn_it_is_is_learned_from_a_decision_of_another_leader() -> None:
    def fit(agent: str) -> Considered:
        return Considered(agent=agent, state="ready", is_fit=True, units=100)

    day = Day().agent("maya").agent("ole").agent("eve")
    day.case("a").offer("a", "eve", seen=(fit("eve"), fit("maya"), fit("ole")))
    report = day.again()
    assert (report.all.reproduced, report.helped) == (1, {"turns": 1})


def test_only_the_time_and_the_queue_that_are_asked_for_count() -> None:
    day = Day(cards=QueueRules(), sales=QueueRules()).agent("maya").agent("ole")
    day.case("a").offer("a", "maya").accept("a", "maya").later(3600)
    noon_ms = day.now_ms
    day.later(7200).case("b", queue="sales").offer("b", "ole")
    assert day.again().all.decisions == 2
    # What was long before is taken in all the same: Maya has a case, so it is Ole.
    assert day.again(since_ms=noon_ms).all == day.again(since_ms=day.now_ms - 1_000).all
    assert day.again(since_ms=noon_ms).all == Sums(decisions=1, reproduced=1, same=1)
    assert day.again(until_ms=noon_ms).all.decisions == 1
    assert list(day.again(queue="sales").queues) == ["sales"]


def test_a_policy_of_the_log_counts_from_when_it_came() -> None:
    day = two_at_work().put("queue", "cards", f.QueueDefined(rules=QueueRules(mode="in_order", order=("maya",))))
    day.case("b").offer("b", "maya")
    assert day.again().all == Sums(decisions=2, reproduced=2, same=2)


def test_words_stay_sealed_and_none_is_in_the_report() -> None:
    day = Day().agent("maya").agent("ole", FEES)
    day.case("a", words=Sealed(key="anna", box=b"x" * 40)).case("b", words=Words(text=SECRET, address=SECRET))
    day.offer("a", "maya").offer("b", "ole")
    told = msgspec.json.encode(day.again(cards(needs=(FEES,)))).decode()
    assert SECRET not in told and "anna" not in told.replace("cust-", "")


def test_clocks_that_are_put_back_and_forward_stop_nothing() -> None:
    day = two_at_work().later(86_400).is_now("ole", "ready").later(-86_400)
    day.case("b").later(40).offer("b", "ole")
    assert day.again().all == Sums(decisions=2, reproduced=2, same=2)
    day = Day(cards=QueueRules(needs=(FEES,))).agent("maya").later(86_400).is_now("maya", "ready").later(-86_400)
    day.case("a").later(60).accept("a", "maya")
    assert day.one(cards()).kind == "unasked"


def test_most_decisions_of_random_histories_come_out_as_they_were() -> None:
    """Bridges that crash, leaders that change, agents who fall silent, rules that change: the replay knows only the log."""
    decisions = reproduced = 0
    for seed in range(6):
        world = World(seed)
        world.play()
        base = Policy(queues=world.rules, desk=world.desk)
        replay = Replay(Plan(), base)
        for message in world.sky.server.streams["LOG"].messages.values():
            _, _, kind, name = message.subject.split(".")
            replay.take(message.seq, kind, name, codec.entry(message.body))
        report = replay.finish()
        # By its own policy nothing differs, whatever was reproduced.
        assert report.differences == [], seed
        assert report.all.same == report.all.reproduced
        decisions += report.all.decisions
        reproduced += report.all.reproduced
    assert decisions > 20
    assert reproduced >= 0.9 * decisions
