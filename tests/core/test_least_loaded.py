"""Who is asked: never above capacity, whoever knows the customer first, nobody twice a minute, and all in turn."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.core.routing.least_loaded import ASK_AGAIN_MS, Candidate, Choice, choose

NOW_MS = 1_795_000_000_000
NAMES = ["maya", "jonas", "lena", "olga", "bo"]


def one(agent: str = "maya", **changes: Any) -> Candidate:
    fields: dict[str, Any] = {"queues": (), "is_ready": True, "load": 0, "capacity": 6, "idle_since_ms": 0}
    return Candidate(agent=agent, **(fields | changes))


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        agent=st.sampled_from(NAMES),
        queues=st.lists(st.sampled_from(["orders", "returns"]), max_size=2, unique=True).map(tuple),
        is_ready=st.booleans(),
        load=st.integers(min_value=0, max_value=8),
        capacity=st.integers(min_value=0, max_value=8),
        idle_since_ms=st.integers(min_value=0, max_value=NOW_MS),
    ),
    max_size=5,
    unique_by=lambda candidate: candidate.agent,
)
DECLINED = st.dictionaries(st.sampled_from(NAMES), st.integers(min_value=NOW_MS - 2 * ASK_AGAIN_MS, max_value=NOW_MS))
LAST = st.sampled_from(["", "gone", *NAMES])


def _may(candidate: Candidate, declined: dict[str, int]) -> bool:
    works_here = not candidate.queues or "orders" in candidate.queues
    was_asked = candidate.agent in declined and NOW_MS - declined[candidate.agent] < ASK_AGAIN_MS
    return candidate.is_ready and candidate.load < candidate.capacity and works_here and not was_asked


@given(CANDIDATES, LAST, DECLINED)
def test_only_the_ready_with_room_who_work_there_and_were_not_just_asked(
    candidates: list[Candidate], last: str, declined: dict[str, int]
) -> None:
    choice = choose(candidates, "orders", last, declined, NOW_MS)
    able = {candidate.agent for candidate in candidates if _may(candidate, declined)}
    assert (choice is None) == (not able)
    assert choice is None or (choice.agent in able and choice.reason)
    assert choice is None or last not in able or choice == Choice(agent=last, reason="knows the customer")


@given(CANDIDATES, LAST, DECLINED, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_changes_nothing(
    candidates: list[Candidate], last: str, declined: dict[str, int], chance: Any
) -> None:
    shuffled = list(candidates)
    chance.shuffle(shuffled)
    assert choose(candidates, "orders", last, declined, NOW_MS) == choose(shuffled, "orders", last, declined, NOW_MS)


@given(CANDIDATES, DECLINED)
def test_nobody_who_is_able_has_relatively_less_to_do(candidates: list[Candidate], declined: dict[str, int]) -> None:
    choice = choose(candidates, "orders", "", declined, NOW_MS)
    able = {candidate.agent: candidate for candidate in candidates if _may(candidate, declined)}
    chosen = able[choice.agent] if choice else None
    assert chosen is None or all(
        chosen.load / chosen.capacity <= other.load / other.capacity for other in able.values()
    )


@pytest.mark.parametrize(
    ("candidates", "last", "expected"),
    [
        ([], "", None),
        ([one(is_ready=False)], "maya", None),
        ([one(load=6)], "maya", None),
        ([one(capacity=0)], "", None),
        ([one(queues=("returns",))], "maya", None),
        ([one(load=5), one("jonas")], "maya", "maya"),
        ([one(load=2), one("jonas", load=1)], "", "jonas"),
        ([one(load=2, capacity=10), one("jonas", load=1, capacity=2)], "", "maya"),
        ([one(idle_since_ms=20), one("jonas", idle_since_ms=10)], "", "jonas"),
        ([one(), one("jonas")], "", "jonas"),
    ],
)
def test_who_is_asked(candidates: list[Candidate], last: str, expected: str | None) -> None:
    choice = choose(candidates, "orders", last, {}, NOW_MS)
    assert (choice.agent if choice else None) == expected


@pytest.mark.parametrize(("ago_ms", "is_asked"), [(0, False), (ASK_AGAIN_MS - 1, False), (ASK_AGAIN_MS, True)])
def test_who_let_it_pass_is_asked_again_after_a_minute(ago_ms: int, is_asked: bool) -> None:
    choice = choose([one()], "orders", "maya", {"maya": NOW_MS - ago_ms}, NOW_MS)
    assert (choice is not None) is is_asked


def test_among_equals_everybody_gets_as_many() -> None:
    loads, idle_since = Counter(dict.fromkeys(NAMES, 0)), dict.fromkeys(NAMES, 0)
    for turn in range(25):
        team = [one(name, load=loads[name], idle_since_ms=idle_since[name]) for name in NAMES]
        choice = choose(team, "orders", "", {}, NOW_MS)
        assert choice is not None
        loads[choice.agent] += 1
        idle_since[choice.agent] = turn + 1
    assert set(loads.values()) == {5}


def test_work_that_ends_at_once_goes_round_in_turn() -> None:
    idle_since = dict.fromkeys(NAMES, 0)
    asked = []
    for turn in range(15):
        choice = choose([one(name, idle_since_ms=idle_since[name]) for name in NAMES], "orders", "", {}, NOW_MS)
        assert choice is not None
        idle_since[choice.agent] = turn + 1
        asked.append(choice.agent)
    assert asked == sorted(NAMES) * 3
