"""Who is chosen: what looking at every agent would choose, never above their units, everybody in turn, and a reason for each."""

from __future__ import annotations

import importlib
from collections import Counter
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker_bridge.contract.policy import Seat, Skill
from broker_bridge.core import bitsets
from broker_bridge.core import order as orders
from broker_bridge.core.reasons import FULL, NOT_HERE
from broker_bridge.core.routing.index import MOST_CONSIDERED, Index, Request

NAMES = [f"agent{number}" for number in range(9)]
QUEUES = ["orders", "returns", "claims"]
SKILLS = ["swedish", "hardware"]
STATES = ["ready", "busy", "away", "wrap_up", "transfer_only", "silent", "off"]


def need(name: str, level: int) -> Skill:
    return Skill(name=name, level=level)


def ask(**changes: Any) -> Request:
    fields: dict[str, Any] = {"queue": "orders", "units": 10}
    return Request(**(fields | changes))


def crew(*names: str, **seat: Any) -> Index:
    index = Index()
    for name in names:
        index.seat(Seat(agent=name, **seat))
        index.present(name, "ready")
    return index


class Desk:
    """One agent to the scan."""

    def __init__(self) -> None:
        self.seat: Seat | None = None
        self.load, self.state, self.given = 0, "off", 0

    def is_fit(self, request: Request) -> bool:
        seat = self.seat
        if seat is None or self.state != "ready" or seat.agent in request.without:
            return False
        if seat.queues and request.queue not in seat.queues:
            return False
        for wanted in request.needs:
            level = max((min(5, skill.level) for skill in seat.skills if skill.name == wanted.name), default=0)
            if wanted.level > level and wanted.level > 0:
                return False
        return self.load + request.units <= seat.units

    @property
    def level(self) -> int:
        assert self.seat is not None
        return max(0, min(100, self.load * 100 // self.seat.units)) if self.seat.units > 0 else 100


class Scan:
    """The same by looking at everybody."""

    def __init__(self) -> None:
        self.desks = {name: Desk() for name in NAMES}
        self.turn = 0

    def order(self, request: Request) -> list[str]:
        fit = [name for name, desk in self.desks.items() if desk.is_fit(request)]
        return sorted(fit, key=lambda name: (self.desks[name].level, self.desks[name].given))

    def choose(self, request: Request) -> str | None:
        fit = self.order(request)
        for name in request.prefer:
            if name in fit:
                return name
        if request.mode == "in_order":
            for name in request.order:
                if name in fit:
                    return name
        return fit[0] if fit else None


REQUESTS = st.builds(
    Request,
    queue=st.sampled_from([*QUEUES, "unheard of"]),
    needs=st.lists(
        st.builds(Skill, name=st.sampled_from([*SKILLS, "chess"]), level=st.integers(min_value=0, max_value=6)),
        max_size=3,
    ).map(tuple),
    units=st.sampled_from([0, 10, 20, 100]),
    mode=st.sampled_from(["evenly", "in_order", "everybody"]),
    order=st.lists(st.sampled_from([*NAMES, "nobody"]), max_size=6).map(tuple),
    prefer=st.lists(st.sampled_from([*NAMES, "nobody"]), max_size=2).map(tuple),
    without=st.frozensets(st.sampled_from([*NAMES, "nobody"]), max_size=4),
)
SEATS = st.builds(
    Seat,
    agent=st.sampled_from(NAMES),
    queues=st.lists(st.sampled_from(QUEUES), max_size=2).map(tuple),
    skills=st.lists(
        st.builds(Skill, name=st.sampled_from(SKILLS), level=st.integers(min_value=0, max_value=7)), max_size=3
    ).map(tuple),
    units=st.sampled_from([0, 20, 100, 100, 100, 250]),
)


class SameAsAScan(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.index, self.scan = Index(), Scan()

    @rule(seat=SEATS)
    def somebody_sits_down_or_changes(self, seat: Seat) -> None:
        self.index.seat(seat)
        desk = self.scan.desks[seat.agent]
        if desk.seat is None:
            self.scan.turn += 1
            desk.given = self.scan.turn
        desk.seat = seat

    @rule(seats=st.lists(SEATS, max_size=9))
    def a_team_comes(self, seats: list[Seat]) -> None:
        for seat in seats:
            self.somebody_sits_down_or_changes(seat)
            self.somebody_is_present(seat.agent, "ready", "")

    @rule(name=st.sampled_from(NAMES))
    def somebody_leaves(self, name: str) -> None:
        self.index.leave(name)
        self.scan.desks[name].seat = None

    @rule(name=st.sampled_from(NAMES), state=st.sampled_from(["ready", *STATES]), reason=st.sampled_from(["", "lunch"]))
    def somebody_is_present(self, name: str, state: str, reason: str) -> None:
        self.index.present(name, state, reason)
        self.scan.desks[name].state = state

    @rule(name=st.sampled_from(NAMES), units=st.integers(min_value=0, max_value=12).map(lambda tens: tens * 10))
    def work_changes(self, name: str, units: int) -> None:
        self.index.load(name, units)
        self.scan.desks[name].load = units

    @rule(name=st.sampled_from(NAMES))
    def somebody_is_given(self, name: str) -> None:
        self.index.given(name)
        if self.scan.desks[name].seat is not None:
            self.scan.turn += 1
            self.scan.desks[name].given = self.scan.turn

    @rule(request=REQUESTS)
    def work_is_given_away(self, request: Request) -> None:
        chosen = self.index.choose(request)
        assert chosen == self.scan.choose(request)
        if chosen is not None:
            desk = self.scan.desks[chosen]
            assert desk.seat is not None and desk.load + request.units <= desk.seat.units
            self.work_changes(chosen, desk.load + request.units)
            self.somebody_is_given(chosen)

    @rule(request=REQUESTS)
    def all_answers_are_the_same(self, request: Request) -> None:
        order = self.scan.order(request)
        assert self.index.fit(request) == order
        assert self.index.fit(request, most=2) == order[:2]
        assert self.index.is_any_fit(request) == bool(order)
        assert [name for name in NAMES if self.index.is_fit(name, request)] == sorted(order)

    @rule(request=REQUESTS, last=st.sampled_from(["", *NAMES]))
    def the_explanation_agrees(self, request: Request, last: str) -> None:
        chosen = self.index.choose(request)
        considered, skipped = self.index.explain(request, chosen, last_agent=last)
        assert (considered[0].agent if chosen else None) == chosen
        assert len({one.agent for one in considered}) == len(considered) <= MOST_CONSIDERED
        assert all(one.is_fit == self.scan.desks[one.agent].is_fit(request) and one.reason for one in considered)
        # Nine agents fit in: everybody of the queue is named, and each counted under the reason that stands beside them.
        here = {name for name, desk in self.scan.desks.items() if _works_in(desk.seat, request.queue)}
        assert here - {one.agent for one in considered} == set() or len(considered) >= 8
        fit = len(self.scan.order(request))
        assert sum(count for _, count in skipped) + fit == len(here)
        if here <= {one.agent for one in considered}:
            told = Counter(one.reason.split(":")[0] for one in considered if not one.is_fit and one.reason != NOT_HERE)
            assert told == dict(skipped)
        assert [count for _, count in skipped] == sorted((count for _, count in skipped), reverse=True)

    @invariant()
    def no_set_holds_who_is_not_there(self) -> None:
        numbers = [one.number for name in NAMES if (one := self.index.sitting(name))]
        everybody = bitsets.of(numbers, len(self.index._by_number))
        sets = [self.index._everywhere, *self.index._queues.values(), *self.index._skills.values()]
        sets += [*self.index._labels.values(), *self.index._open.values()]
        assert all(bits | everybody == everybody for bits in sets)


def _works_in(seat: Seat | None, queue: str) -> bool:
    return seat is not None and (not seat.queues or queue in seat.queues)


SameAsAScan.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSameAsAScan = SameAsAScan.TestCase


class SameWithFewTurns(SameAsAScan):
    """Turns are numbered anew after every 15, and hardly any are compared one by one."""

    FEW = MappingProxyType({"DIGIT_BITS": 1, "DIGITS": 3, "TOGETHER": 1, "FEW": 1})

    def __init__(self) -> None:
        self.kept = {name: getattr(orders, name) for name in self.FEW}
        for name, few in self.FEW.items():
            setattr(orders, name, few)
        super().__init__()

    def teardown(self) -> None:
        for name, usual in self.kept.items():
            setattr(orders, name, usual)


SameWithFewTurns.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestSameWithFewTurns = SameWithFewTurns.TestCase


def test_the_least_relative_load_is_chosen() -> None:
    index = crew("small", units=50)
    index.seat(Seat(agent="large", units=200))
    index.present("large", "ready")
    index.load("small", 20)
    index.load("large", 70)
    assert index.choose(ask()) == "large"
    index.load("large", 90)
    assert index.choose(ask()) == "small"


def test_nobody_is_given_more_than_their_units() -> None:
    index, loads = crew("a", "b", units=100), Counter({"a": 0, "b": 0})
    while (chosen := index.choose(ask(units=30))) is not None:
        loads[chosen] += 30
        index.load(chosen, loads[chosen])
        index.given(chosen)
    assert loads == {"a": 90, "b": 90}
    assert index.choose(ask(units=11)) is None and index.choose(ask(units=10)) == "a"


@pytest.mark.parametrize(
    ("needs", "chosen"),
    [
        ((need("swedish", 1),), "some"),
        ((need("swedish", 3),), "some"),
        ((need("swedish", 4),), "expert"),
        ((need("swedish", 5),), "expert"),
        ((need("swedish", 6),), None),
        ((need("swedish", 3), need("hardware", 1)), "expert"),
        ((need("chess", 1),), None),
        ((need("chess", 0),), "none"),
    ],
)
def test_a_skill_serves_its_own_level_and_those_below(needs: tuple[Skill, ...], chosen: str | None) -> None:
    index = crew("none")
    index.load("none", 10)
    for name, load, skills in (
        ("expert", 90, (need("swedish", 5), need("hardware", 1))),
        ("some", 50, (need("swedish", 3),)),
    ):
        index.seat(Seat(agent=name, skills=skills))
        index.present(name, "ready")
        index.load(name, load)
    assert index.choose(ask(needs=needs)) == chosen


def test_work_that_ends_at_once_goes_round_in_turn() -> None:
    index, asked = crew("a", "b", "c"), []
    for _ in range(9):
        chosen = index.choose(ask())
        assert chosen is not None
        asked.append(chosen)
        index.given(chosen)
    assert asked == ["a", "b", "c"] * 3


def test_the_turns_survive_being_numbered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("DIGIT_BITS", 1), ("DIGITS", 2), ("TOGETHER", 1)):
        monkeypatch.setattr(orders, name, few)
    index, asked = crew("a", "b", "c", "d"), []
    for _ in range(100):
        chosen = index.choose(ask())
        assert chosen is not None
        asked.append(chosen)
        index.given(chosen)
    assert asked == ["a", "b", "c", "d"] * 25


def test_in_order_takes_the_first_free_then_those_who_are_not_named() -> None:
    index = crew("a", "b", "c", "d")
    request = ask(mode="in_order", order=("c", "gone", "b"))
    asked = []
    for _ in range(4):
        chosen = index.choose(request)
        assert chosen is not None
        asked.append(chosen)
        index.load(chosen, 100)
    assert asked == ["c", "b", "a", "d"] and index.choose(request) is None
    index.leave("c")
    index.load("b", 0)
    index.seat(Seat(agent="gone"))
    index.present("gone", "ready")
    assert index.choose(request) == "gone"


def test_who_knows_the_customer_comes_first_if_they_may() -> None:
    index = crew("a", "b", "c")
    index.load("b", 90)
    assert index.choose(ask(prefer=("nobody", "b", "c"))) == "b"
    index.load("b", 91)
    assert index.choose(ask(prefer=("nobody", "b", "c"))) == "c"
    assert index.choose(ask(prefer=("b", "c"), without=frozenset({"c"}))) == "a"


def test_work_and_presence_known_before_the_seat_count_from_its_start_and_after_its_return() -> None:
    index = Index()
    index.present("a", "ready")
    index.load("a", 95)
    assert index.choose(ask(units=1)) is None
    index.seat(Seat(agent="a"))
    assert index.choose(ask(units=10)) is None and index.choose(ask(units=5)) == "a"
    index.leave("a")
    index.leave("a")
    assert index.choose(ask(units=5)) is None and "a" not in index
    index.load("a", 0)
    index.seat(Seat(agent="a"))
    assert index.choose(ask(units=100)) == "a"


@pytest.mark.parametrize(
    ("mode", "fields", "rung"),
    [
        ("evenly", {}, ("b",)),
        ("evenly", {"units": 101}, ()),
        ("in_order", {"order": ("c", "a")}, ("c",)),
        ("in_order", {"units": 101}, ()),
        ("everybody", {}, ("b", "c", "a")),
        ("everybody", {"prefer": ("a",)}, ("a",)),
        ("everybody", {"without": frozenset({"b"})}, ("c", "a")),
        ("everybody", {"units": 101}, ()),
    ],
)
def test_a_queues_mode_is_a_file_that_says_whom_to_ring(
    mode: str, fields: dict[str, Any], rung: tuple[str, ...]
) -> None:
    index = crew("a", "b", "c")
    for name, load in (("a", 30), ("b", 10), ("c", 20)):
        index.load(name, load)
    policy = importlib.import_module(f"broker_bridge.core.routing.{mode}")
    assert policy.choose(index, ask(mode=mode, **fields)) == rung


def test_everybody_rings_fifty_at_most_and_those_with_the_least_to_do() -> None:
    names = [f"a{number:04}" for number in range(3_000)]
    index = crew(*names)
    for number, name in enumerate(names):
        index.load(name, number * 7919 % 100)
    rung = index.fit(ask(units=0))
    assert rung == sorted(names, key=lambda name: (int(name[1:]) * 7919 % 100, name))[:50]


def test_each_one_passed_over_has_one_plain_reason() -> None:
    index = crew("chosen", "busier", "later", "full", "passed", "unskilled", skills=(need("swedish", 3),))
    index.seat(Seat(agent="unskilled", skills=(need("swedish", 2),)))
    index.seat(Seat(agent="elsewhere", queues=("claims",)))
    for name, state, reason in (
        ("lunch", "away", "lunch"),
        ("doctor", "away", "doctor"),
        ("away", "away", ""),
        ("wrap", "wrap_up", ""),
        ("guest", "transfer_only", ""),
        ("gone", "silent", ""),
        ("home", "off", ""),
    ):
        index.seat(Seat(agent=name, skills=(need("swedish", 4),)))
        index.present(name, state, reason)
    index.load("chosen", 20)
    index.load("later", 20)
    index.given("later")
    index.load("busier", 40)
    index.load("full", 91)
    request = ask(needs=(need("swedish", 3),), without=frozenset({"passed"}))
    assert index.choose(request) == "chosen"
    considered, skipped = index.explain(request, "chosen", last_agent="elsewhere", responsible="lunch")
    assert [(one.agent, one.reason) for one in considered] == [
        ("chosen", "least to do: 20 of 100"),
        ("later", "their turn comes later"),
        ("busier", "more to do: 40 of 100"),
        ("lunch", "at lunch"),
        ("elsewhere", "does not work in this queue"),
        ("full", "full: 91 of 100"),
        ("passed", "let it pass a minute ago"),
        ("wrap", "in wrap-up"),
        ("guest", "transfer only"),
        ("away", "away"),
        ("doctor", "away: doctor"),
        ("gone", "silent"),
    ]
    assert [one.is_fit for one in considered] == [True] * 3 + [False] * 9
    assert considered[3].is_responsible and considered[4].last_talk and considered[4].skills == 0
    assert dict(skipped) == Counter(
        [
            "at lunch",
            "away",
            "away: doctor",
            FULL,
            "in wrap-up",
            "lacks swedish 3",
            "let it pass a minute ago",
            "off",
            "silent",
            "transfer only",
        ]
    )


def test_an_explanation_of_thousands_counts_all_and_shows_twelve_with_room_for_who_was_passed_over() -> None:
    index = crew(*(f"a{number}" for number in range(2_000)))
    for number in range(500):
        index.load(f"a{number}", 95)
        index.present(f"a{number + 500}", "away", "lunch")
    considered, skipped = index.explain(ask(), index.choose(ask()))
    assert skipped == (("at lunch", 500), ("full", 500))
    assert [one.is_fit for one in considered] == [True] * 8 + [False] * 4
    assert index.explain(ask(queue="orders", units=200), None).skipped == (("full", 1500), ("at lunch", 500))


@given(st.sets(st.integers(min_value=0, max_value=2_999)), st.integers(min_value=1, max_value=12), st.data())
def test_numbers_kept_by_binary_digits_are_sorted_like_numbers(members: set[int], width: int, data: Any) -> None:
    planes = bitsets.Planes(width, 3_000)
    values = {member: data.draw(st.integers(min_value=0, max_value=2**width - 1)) for member in sorted(members)[:40]}
    filled = bitsets.Planes(width, 3_000)
    filled.fill(values)
    for member, value in values.items():
        planes.change(member, 0, value)
    assert planes.zeros == filled.zeros
    some = bitsets.of(values, 3_000)
    assert bitsets.members(some) == sorted(values, reverse=True)
    best = bitsets.least(some, planes.zeros)
    assert {member for member in values if best >> member & 1} == {
        member for member in values if values[member] == min(values.values())
    }
