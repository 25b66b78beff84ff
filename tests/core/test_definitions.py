"""Queues, the desk, agents and shifts as the log defines them, and what a case takes of whom."""

from collections.abc import Callable

import pytest

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import AnyFact, Entry
from broker_bridge.contract.policy import Cost, DeskRules, Disposition, QueueRules, Skill, Target
from broker_bridge.core import colleague, definitions, shift
from broker_bridge.core.definitions import Policy
from tests.core.world import Case, closed, owned, queued, replied


def _entry(*facts: AnyFact, at_ms: int = 7) -> Entry:
    return Entry(at_ms=at_ms, by="cli", facts=facts)


def test_a_queue_is_defined_changed_removed_and_defined_again() -> None:
    state = definitions.begin_queue("orders")
    assert (state.is_active, state.rules) == (False, QueueRules())
    definitions.fold_queue(state, _entry(f.QueueDefined(rules=QueueRules(priority=3), source="ab")), 1)
    assert (state.is_active, state.rules.priority, state.source, state.at_ms, state.seq) == (True, 3, "ab", 7, 1)
    definitions.fold_queue(state, _entry(f.QueueDefined(rules=QueueRules(priority=4))), 2)
    assert (state.rules.priority, state.source) == (4, "ab")
    definitions.fold_queue(state, _entry(f.QueueRemoved()), 3)
    assert not state.is_active
    definitions.fold_queue(state, _entry(f.QueueDefined(rules=QueueRules())), 4)
    assert state.is_active


def test_the_desk_is_ruled() -> None:
    state = definitions.begin_desk("desk")
    definitions.fold_desk(state, _entry(f.DeskRuled(rules=DeskRules(reasons=("tea",)), source="ab")), 1)
    definitions.fold_desk(state, _entry(f.DeskRuled(rules=DeskRules(reasons=("rain",)))), 2)
    assert (state.rules.reasons, state.source, state.seq) == (("rain",), "ab", 2)


def test_a_shift_is_what_was_said_last() -> None:
    state = shift.begin_shift("maya")
    assert state.state == "off"
    shift.fold_shift(state, _entry(f.PresenceSet(state="away", reason="lunch", until_ms=99)), 1)
    assert (state.state, state.reason, state.until_ms, state.since_ms) == ("away", "lunch", 99, 7)
    shift.fold_shift(state, _entry(f.PresenceSet(state="ready"), at_ms=8), 2)
    assert (state.state, state.reason, state.until_ms, state.since_ms, state.seq) == ("ready", "", None, 8, 2)
    load = shift.fold_load(shift.begin_load("maya"), _entry(f.Given(conversation="c", units=20)), 5)
    assert load.seq == 5


@pytest.mark.parametrize(("units", "capacity", "room"), [(0, 6, 120), (80, 6, 80), (0, 3, 60)])
def test_who_was_enrolled_before_there_were_units_has_places_of_the_usual_cost(
    units: int, capacity: int, room: int
) -> None:
    enrolled = f.Enrolled(name="Maya", public_key="U", units=units, capacity=capacity, skills=(Skill(name="x"),))
    state = colleague.fold(colleague.begin("maya"), _entry(enrolled), 1)
    assert (state.room, state.seat.units, state.seat.skills) == (room, room, (Skill(name="x"),))


class TestNeeds:
    """Skills of the queue and of the case, lowered as far as it was widened."""

    POLICY = Policy(queues={"orders": QueueRules(needs=(Skill(name="swedish", level=3), Skill(name="cards", level=1)))})

    def _needs(self, case: Case) -> dict[str, int]:
        return {one.name: one.level for one in self.POLICY.needs(case.state)}

    def test_both_together_the_higher_level_counts(self) -> None:
        wanted = (Skill(name="cards", level=4), Skill(name="swedish", level=1), Skill(name="law"))
        case = queued().add(f.Queued(queue="orders", skills=wanted))
        assert self._needs(case) == {"swedish": 3, "cards": 4, "law": 1}

    def test_each_step_lowers_all_and_drops_what_is_at_nothing(self) -> None:
        case = queued().add(f.Overflowed(queue="orders", step=1, widen=1))
        assert self._needs(case) == {"swedish": 2}
        case.add(f.Overflowed(queue="orders", step=2, widen=2))
        assert self._needs(case) == {} and case.state.steps == 2

    @pytest.mark.parametrize("fact", [f.Queued(queue="orders"), f.Accepted(agent="maya", epoch=1)])
    def test_another_wait_begins_with_all_of_them(self, fact: f.ConversationFact) -> None:
        case = queued().add(f.Overflowed(queue="orders", step=1, widen=1), fact)
        assert self._needs(case) == {"swedish": 3, "cards": 1} and case.state.steps == 0


ALWAYS = Policy(desk=DeskRules(costs=(Cost(channel_kind="email", units=10),)))
BUSY_ONLY = Policy()
"""Mail that waits for its customer takes nothing."""

TAKEN: list[tuple[str, Callable[[], Case], dict[str, int], dict[str, int]]] = [
    ("in the queue", queued, {}, {}),
    ("owned, they wait", owned, {"maya": 10}, {"maya": 10}),
    ("owned, we wait", lambda: owned().add(replied("a")), {"maya": 10}, {}),
    ("asleep", lambda: owned().add(f.Snoozed(agent="maya", until_ms=9)), {"maya": 10}, {}),
    (
        "all ring",
        lambda: queued().add(f.Offered(agent="maya", until_ms=9, also=("lena", "jonas"))),
        {"maya": 10, "lena": 10, "jonas": 10},
        {"maya": 10, "lena": 10, "jonas": 10},
    ),
    (
        "a transfer rings",
        lambda: owned().add(replied("a"), f.Offered(agent="lena", until_ms=9, is_transfer=True)),
        {"maya": 10, "lena": 10},
        {"lena": 10},
    ),
    (
        "they talk",
        lambda: owned().add(f.TransferAccepted(agent="lena")),
        {"maya": 10, "lena": 10},
        {"maya": 10, "lena": 10},
    ),
    (
        "mandatory wrap-up",
        lambda: closed().add(f.WrapUpBegan(agent="maya", mode="mandatory")),
        {"maya": 10},
        {"maya": 10},
    ),
    ("optional wrap-up", lambda: closed().add(f.WrapUpBegan(agent="maya", mode="optional")), {}, {}),
    ("closed", closed, {}, {}),
    ("merged", lambda: owned().add(f.Merged(into="case-2", agent="maya")), {}, {}),
    ("erased", lambda: owned().add(f.Erased(agent="olga")), {}, {}),
]


@pytest.mark.parametrize(("make", "always", "busy"), [one[1:] for one in TAKEN], ids=[one[0] for one in TAKEN])
def test_what_a_case_takes_of_whom(make: Callable[[], Case], always: dict[str, int], busy: dict[str, int]) -> None:
    state = make().state
    assert dict(ALWAYS.taken(state)) == always
    assert dict(BUSY_ONLY.taken(state)) == busy


def test_costs_are_the_desk_s_else_the_kind_s_else_the_usual() -> None:
    desk = DeskRules(costs=(Cost(channel_kind="email", units=33),))
    assert [desk.cost(kind).units for kind in ("email", "voice", "webchat", "pigeon")] == [33, 100, 20, 20]


def test_the_target_of_a_priority_is_its_own_else_the_general_one() -> None:
    general, own = Target(first_reply_s=9), Target(priority=1, first_reply_s=1)
    rules = QueueRules(targets=(general, own))
    assert (rules.target(1), rules.target(5)) == (own, general)
    assert QueueRules(targets=(own,)).target(5) is None


def test_outcomes_are_the_queue_s_else_the_desk_s() -> None:
    solved, sold = Disposition(name="solved"), Disposition(name="sold")
    desk = DeskRules(dispositions=(solved,))
    queues = {"shop": QueueRules(dispositions=(sold, solved), default_disposition="solved", title="The shop")}
    policy = Policy(desk=desk, queues=queues)
    assert (policy.outcomes("shop"), policy.outcomes("orders")) == ((sold, solved), (solved,))
    assert (policy.default_outcome("shop"), policy.default_outcome("orders")) == ("solved", "solved")
    assert Policy().default_outcome("orders") == ""
    assert (policy.title("shop"), policy.title("orders")) == ("The shop", "orders")
