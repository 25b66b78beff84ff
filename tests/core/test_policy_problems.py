"""What is wrong with a policy as a whole: each fault found, by its key, and nothing found where nothing is wrong."""

import msgspec
import pytest

from broker_bridge.contract.policy import (
    Closure,
    Cost,
    DeskRules,
    Disposition,
    Hours,
    QueueRules,
    Seat,
    Skill,
    Span,
    Step,
    Target,
)
from broker_bridge.core.policy import Problem, problems

DESK = DeskRules(skills=("swedish", "fees"), dispositions=(Disposition(name="solved"),))
KINDS = ("email", "webchat", "voice")
MAYA = Seat(agent="maya", skills=(Skill(name="swedish", level=3),))
WEEK = (Span(day=0, from_min=480, to_min=720), Span(day=0, from_min=780, to_min=1080))
WHOLE = QueueRules(
    title="Support",
    priority=3,
    mode="in_order",
    order=("maya",),
    needs=(Skill(name="swedish", level=4),),
    hours=Hours(zone="Europe/Stockholm", week=WEEK, closures=(Closure(title="Christmas", from_ms=1, to_ms=2),)),
    overflow=(Step(after_s=60, widen=1), Step(after_s=60, alarm="a long line"), Step(after_s=90, queue="sales")),
    targets=(Target(first_reply_s=900, resolution_s=14_400), Target(priority=1, first_reply_s=300)),
    wrap_up="timed",
    dispositions=(Disposition(name="sold", fields=("amount",)), Disposition(name="solved")),
    default_disposition="solved",
    auto_accept=("webchat",),
)


def found(rules: QueueRules, desk: DeskRules = DESK, seats: tuple[Seat, ...] = (MAYA,)) -> list[Problem]:
    return problems({"support": rules, "sales": QueueRules()}, desk, seats, kinds=KINDS, known={"maya", "left"})


def errors(rules: QueueRules, desk: DeskRules = DESK) -> list[str]:
    return [str(one) for one in found(rules, desk) if not one.is_warning]


def test_a_whole_policy_that_uses_everything_is_clean() -> None:
    lines = [("webchat", "support"), ("email", "sales")]
    policy = {"support": WHOLE, "sales": QueueRules()}
    assert problems(policy, DESK, [MAYA], lines=lines, kinds=KINDS, known={"maya"}) == []


def test_the_defaults_are_clean() -> None:
    assert problems({"support": QueueRules()}, DeskRules()) == []


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"needs": (Skill(name="swedisch", level=3),)}, "needs number 1", "did you mean 'swedish'?"),
        (
            {"needs": (Skill(name="swedish", level=6),)},
            "needs number 1",
            "a level is 1 (a little) to 5 (expert), not 6",
        ),
        ({"needs": (Skill(name="fees"), Skill(name="fees", level=2))}, "needs", "stands there twice"),
        ({"mode": "in order"}, "mode", "use one of evenly, in_order, everybody; did you mean 'in_order'?"),
        ({"wrap_up": "forced"}, "wrap_up", "use one of none, optional, mandatory, timed"),
        ({"pauses": ("wating",)}, "pauses", "did you mean 'waiting'?"),
        ({"auto_accept": ("webchat", "telex")}, "auto_accept", "there is no channel kind 'telex'"),
        ({"order": ("maja",)}, "order", "there is no agent 'maja'; did you mean 'maya'?"),
        ({"priority": 0}, "priority", "use 1 (first) to 9, not 0"),
        ({"affinity_s": -1}, "affinity_s", "0 (not at all) or more"),
        ({"affinity_s": 10**30}, "affinity_s", "at most a year"),
        ({"wrap_up_s": 10**30}, "wrap_up_s", "at most a year"),
        ({"overflow": (Step(after_s=10**30, alarm="x"),)}, "overflow number 1", "at most a year"),
        ({"overflow": (Step(after_s=9, widen=10**30),)}, "overflow number 1", "widen is 1 to 5 levels"),
        ({"targets": (Target(first_reply_s=10**30),)}, "target number 1: first_reply", "at most a year"),
        ({"offer_s": 0}, "offer_s", "an offer rings 1 to 3600 seconds"),
        ({"wrap_up_s": -5}, "wrap_up_s", "at least a second"),
        ({"warn_share": 1.5}, "warn_share", "a share is 0 to 1, not 1.5"),
        ({"service_level": -0.1}, "service_level", "a share is 0 to 1"),
        ({"targets": (Target(first_reply_s=0),)}, "target number 1: first_reply", "at least a second"),
        ({"targets": (Target(),)}, "target number 1", "it promises nothing"),
        ({"targets": (Target(priority=10, first_reply_s=1),)}, "target number 1", "a priority is 1 (first) to 9"),
        ({"targets": (Target(first_reply_s=1), Target(next_reply_s=1))}, "target", "general target stands there twice"),
        ({"overflow": (Step(after_s=60, queue="sale"),)}, "overflow number 1", "did you mean 'sales'?"),
        ({"overflow": (Step(after_s=60, widen=1, queue="sales"),)}, "overflow number 1", "exactly one of"),
        ({"overflow": (Step(after_s=60),)}, "overflow number 1", "exactly one of"),
        ({"overflow": (Step(after_s=-1, alarm="x"),)}, "overflow number 1", "at least a second"),
        (
            {"overflow": (Step(after_s=90, alarm="x"), Step(after_s=60, alarm="y"))},
            "overflow number 2",
            "it comes after a step of 90 s",
        ),
        ({"overflow": (Step(after_s=9, queue="support"),)}, "overflow", "in a circle: support to support"),
        ({"default_disposition": "solvd"}, "default_disposition", "did you mean 'solved'?"),
        (
            {"default_disposition": "sold"},
            "default_disposition",
            "asks for amount, which nobody fills in at the time-out",
        ),
        ({"default_disposition": ""}, "default_disposition", "'sold' asks for amount"),
        ({"dispositions": (Disposition(name=" "),)}, "dispositions", "has a name"),
        ({"title": "a\x1b[2J"}, "title", "one line of printable"),
    ],
)
def test_one_fault_is_found_by_its_key(change: dict[str, object], key: str, words: str) -> None:
    said = errors(msgspec.structs.replace(WHOLE, **change))
    assert any(one.startswith(f"queue support: {key}: ") and words in one for one in said), said


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (Hours(zone="Europe/Stokholm", week=WEEK), 'did you mean "Europe/Stockholm"?'),
        (Hours(zone="UTC", week=(*WEEK, Span(day=0, from_min=700, to_min=800))), "overlap: make them one span"),
        (Hours(zone="UTC", week=(Span(day=0, from_min=1320, to_min=120),)), "past midnight is a second span"),
    ],
)
def test_hours_that_overlap_or_make_no_sense_are_found(hours: Hours, words: str) -> None:
    (said, *_) = errors(msgspec.structs.replace(WHOLE, hours=hours))
    assert said.startswith("queue support: hours: ") and words in said


def test_a_circle_of_overflow_is_told_once_with_its_way() -> None:
    ring = {
        name: QueueRules(overflow=(Step(after_s=60, queue=following),))
        for name, following in (("lead", "a"), ("a", "b"), ("b", "c"), ("c", "a"))
    }
    said = [str(one) for one in problems(ring, DESK) if "circle" in one.sentence]
    assert said == ["queue a: overflow: it goes in a circle: a to b to c to a; nobody would ever get it out"]


def test_a_step_after_the_move_is_never_reached_so_it_closes_no_circle() -> None:
    policy = {
        "a": QueueRules(overflow=(Step(after_s=60, queue="b"), Step(after_s=90, queue="a"))),
        "b": QueueRules(),
    }
    (only,) = problems(policy, DESK)
    assert only.is_warning and "never reached" in only.sentence


@pytest.mark.parametrize(
    ("units", "queues", "is_wrong"),
    [(100, (), False), (50, (), True), (100, ("sales",), False), (79, ("support",), True)],
)
def test_a_channel_that_is_too_big_for_every_agent_of_its_queue_is_refused(
    units: int, queues: tuple[str, ...], is_wrong: bool
) -> None:
    desk = DeskRules(costs=(Cost(channel_kind="webchat", units=80),))
    seats = [Seat(agent="ole", units=units, queues=queues)]
    said = problems({"support": QueueRules(), "sales": QueueRules()}, desk, seats, lines=[("webchat", "support")])
    wrong = [str(one) for one in said if not one.is_warning]
    assert bool(wrong) == is_wrong
    assert all(one.startswith("desk.costs.webchat: a webchat conversation takes 80 units") for one in wrong)


@pytest.mark.parametrize(
    ("desk", "said"),
    [
        (
            DeskRules(costs=(Cost(channel_kind="webchat", units=101),)),
            "desk.costs.webchat: a conversation takes 1 to 100",
        ),
        (DeskRules(costs=(Cost(channel_kind="webchta", units=9),)), "desk.costs.webchta: there is no channel kind"),
        (DeskRules(reasons=("lunch", "lunch")), "desk.reasons: 'lunch' stands there twice"),
        (DeskRules(skills=("",)), "desk.skills: each is one line"),
        (
            DeskRules(dispositions=(Disposition(name="a"), Disposition(name="a"))),
            "desk.dispositions: 'a' stands there twice",
        ),
        (DeskRules(silent_grace_s=-1), "desk.silent_grace_s: it is 0 (never)"),
    ],
)
def test_faults_of_the_house_are_found(desk: DeskRules, said: str) -> None:
    (only,) = problems({"support": QueueRules()}, desk, kinds=KINDS)
    assert str(only).startswith(said)


@pytest.mark.parametrize(
    ("seat", "said"),
    [
        (Seat(agent="ole", units=0), "agent ole: units: use 1 to 10000, not 0"),
        (
            Seat(agent="ole", queues=("suport",)),
            "agent ole: queues: there is no queue 'suport'; did you mean 'support'?",
        ),
        (Seat(agent="ole", skills=(Skill(name="fee"),)), "agent ole: skills number 1: there is no skill 'fee'"),
        (Seat(agent="ole", skills=(Skill(name="fees", level=0),)), "agent ole: skills number 1: a level is 1"),
    ],
)
def test_faults_of_an_agent_are_found(seat: Seat, said: str) -> None:
    policy = {"support": QueueRules()}
    wrong = [str(one) for one in problems(policy, DESK, [MAYA, seat], kinds=KINDS) if not one.is_warning]
    assert len(wrong) == 1 and wrong[0].startswith(said)


@pytest.mark.parametrize(
    ("level", "widen", "is_met"), [(3, 0, True), (4, 0, False), (4, 1, True), (5, 1, False), (5, 2, True)]
)
def test_needs_that_nobody_of_the_queue_ever_has_are_a_warning(level: int, widen: int, is_met: bool) -> None:
    steps = (Step(after_s=60, widen=widen),) if widen else ()
    said = found(QueueRules(needs=(Skill(name="swedish", level=level),), overflow=steps))
    assert [one.key for one in said if one.is_warning] == ([] if is_met else ["queue support: needs"])


def test_an_agent_who_left_may_stand_in_an_order_and_without_the_log_an_unknown_one_is_a_warning() -> None:
    rules = QueueRules(mode="in_order", order=("left", "maya"))
    assert found(rules) == []
    (only,) = problems({"support": rules}, DESK, [MAYA])
    assert only.is_warning and "there is no agent 'left'" in only.sentence
