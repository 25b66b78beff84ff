"""Who is next: the order of a sorted list, one loud customer holds nobody up, nobody waits for ever, groups are skipped whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker_bridge.contract.policy import Skill
from broker_bridge.core.routing.line import Line, Waiting
from broker_bridge.core.waiting import RANK_MS

NOW_MS = 1_795_000_000_000
MINUTE_MS = 60_000


def one(conversation: str, **changes: Any) -> Waiting:
    fields: dict[str, Any] = {"customer": f"of {conversation}", "queue": "orders", "units": 10, "since_ms": NOW_MS}
    return Waiting(conversation=conversation, **(fields | changes))


def through(line: Line, now_ms: int = NOW_MS) -> list[str]:
    """All that may be offered, in order."""
    turn, names = line.turn(now_ms), []
    while (head := turn.next()) is not None:
        names.append(head.conversation)
    return names


class Naive:
    """The same by looking at everything."""

    def __init__(self) -> None:
        self.waiting: dict[str, Waiting] = {}
        self.served: dict[str, str] = {}
        self.until_ms: dict[str, int] = {}

    def place(self, name: str) -> tuple[int, str]:
        mine = self.waiting[name]
        within_s = 600 if mine.within_s is None else mine.within_s
        rank = 0
        if mine.customer:
            others = [other for other in self.waiting.values() if other.customer == mine.customer]
            rank = sum((other.base_ms, other.conversation) < (mine.base_ms, name) for other in others)
            rank += sum(customer == mine.customer for customer in self.served.values())
        return mine.since_ms + within_s * 1000 + (mine.priority - 1) * MINUTE_MS + rank * 2 * MINUTE_MS, name

    def order(self, now_ms: int) -> list[str]:
        return sorted((name for name in self.waiting if self.until_ms.get(name, 0) <= now_ms), key=self.place)


NAMES = st.sampled_from([f"c{number}" for number in range(12)])
CUSTOMERS = st.sampled_from(["", "ann", "bo", "cy"])


class SameAsASortedList(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.line, self.naive, self.now_ms = Line(), Naive(), NOW_MS

    @rule(
        name=NAMES,
        customer=CUSTOMERS,
        queue=st.sampled_from(["orders", "returns"]),
        units=st.sampled_from([10, 20]),
        since_ms=st.integers(min_value=0, max_value=40).map(lambda steps: NOW_MS - steps * 30_000),
        within_s=st.sampled_from([None, 0, 60, 600]),
        priority=st.integers(min_value=1, max_value=9),
        needs=st.sampled_from([(), (Skill(name="swedish", level=3),)]),
    )
    def put(self, name: str, customer: str, **fields: Any) -> None:
        waiting = Waiting(conversation=name, customer=customer, **fields)
        self.line.put(waiting)
        self.naive.waiting[name] = waiting
        self.naive.served.pop(name, None)

    @rule(name=NAMES, customer=CUSTOMERS)
    def serve(self, name: str, customer: str) -> None:
        self.line.serve(name, customer)
        self.naive.waiting.pop(name, None)
        self.naive.until_ms.pop(name, None)
        self.naive.served[name] = customer

    @rule(name=NAMES)
    def drop(self, name: str) -> None:
        self.line.drop(name)
        for known in (self.naive.waiting, self.naive.served, self.naive.until_ms):
            known.pop(name, None)

    @rule(name=NAMES, wait_ms=st.integers(min_value=-5, max_value=50_000))
    def hold(self, name: str, wait_ms: int) -> None:
        self.line.held(name, self.now_ms + wait_ms)
        if name in self.naive.waiting:
            self.naive.until_ms[name] = self.now_ms + wait_ms

    @rule(later_ms=st.integers(min_value=0, max_value=60_000))
    def time_goes(self, later_ms: int) -> None:
        self.now_ms += later_ms

    @rule(served=st.lists(st.booleans(), max_size=12))
    def some_are_served_in_one_turn(self, served: list[bool]) -> None:
        turn = self.line.turn(self.now_ms)
        left: list[str] = []
        for is_served in served:
            order = [name for name in self.naive.order(self.now_ms) if name not in left]
            head = turn.next()
            assert (head.conversation if head else None) == (order[0] if order else None)
            if head is None:
                return
            if is_served:
                self.serve(head.conversation, head.customer)
            else:
                left.append(head.conversation)

    @invariant()
    def the_order_is_the_same(self) -> None:
        assert through(self.line, self.now_ms) == self.naive.order(self.now_ms)
        assert len(self.line) == len(self.naive.waiting)


TestSameAsASortedList = SameAsASortedList.TestCase


def test_the_one_due_first_comes_first_and_priority_counts_a_minute_a_step() -> None:
    line = Line()
    line.put(one("late", since_ms=NOW_MS + 1, within_s=600))
    line.put(one("early", within_s=600))
    line.put(one("no target", since_ms=NOW_MS + 2))
    line.put(one("urgent", since_ms=NOW_MS + 4 * MINUTE_MS - 1, priority=1))
    line.put(one("promised soon", since_ms=NOW_MS + 5 * MINUTE_MS - 2, within_s=60))
    assert through(line) == ["promised soon", "urgent", "early", "late", "no target"]


@pytest.mark.parametrize("is_loud_first", [True, False])
def test_a_loud_customer_is_ahead_of_another_by_one_conversation_every_two_minutes(is_loud_first: bool) -> None:
    line = Line()
    loud = [one(f"loud {number:03}", customer="loud", since_ms=NOW_MS) for number in range(100)]
    quiet = one("quiet", since_ms=NOW_MS + 10 * MINUTE_MS)
    for waiting in [*loud, quiet] if is_loud_first else [quiet, *loud]:
        line.put(waiting)
    # At 0, 2, 4, 6, 8 and (older, by name) 10 minutes; not the other 94.
    assert through(line).index("quiet") == 6


def test_what_is_served_counts_and_makes_room_when_it_is_done() -> None:
    line = Line()
    line.serve("in hand", "loud")
    line.put(one("loud 1", customer="loud"))
    line.put(one("quiet", since_ms=NOW_MS + MINUTE_MS))
    assert through(line) == ["quiet", "loud 1"]
    line.drop("in hand")
    assert through(line) == ["loud 1", "quiet"]


def test_the_later_ones_move_up_when_an_earlier_one_leaves_even_in_another_queue() -> None:
    line = Line()
    line.put(one("first", customer="loud", queue="returns"))
    line.put(one("second", customer="loud", since_ms=NOW_MS + 1))
    line.put(one("quiet", since_ms=NOW_MS + MINUTE_MS))
    assert through(line) == ["first", "quiet", "second"]
    line.drop("first")
    assert through(line) == ["second", "quiet"]


@given(
    st.lists(st.tuples(st.sampled_from(["loud", "b", "c", ""]), st.integers(min_value=1, max_value=9)), max_size=60),
    st.integers(min_value=1, max_value=9),
)
def test_nobody_is_overtaken_by_whoever_comes_after_their_place(arrivals: list[tuple[str, int]], priority: int) -> None:
    line = Line()
    mine = one("mine", customer="me", priority=priority)
    line.put(mine)
    bound_ms = NOW_MS + 600_000 + (priority - 1) * MINUTE_MS
    for number, (customer, urgency) in enumerate(arrivals):
        line.put(one(f"n{number}", customer=customer, priority=urgency, within_s=0, since_ms=bound_ms + 1 + number))
    assert through(line)[0] == "mine"


def test_in_a_flood_of_urgent_work_the_least_urgent_is_served_within_its_bound() -> None:
    line, now_ms, count = Line(), NOW_MS, 0
    line.put(one("least", priority=9, within_s=600))
    while "least" in line and now_ms <= NOW_MS + 60 * MINUTE_MS:
        for _ in range(2):
            # Twice as much comes as is served, all of it more urgent.
            count += 1
            line.put(one(f"n{count}", priority=1, within_s=600, since_ms=now_ms))
        head = line.turn(now_ms).next()
        assert head is not None
        line.serve(head.conversation, head.customer)
        line.drop(head.conversation)
        now_ms += 10_000
    # 48 come in its eight minutes of priority, two every ten seconds: 96, served one every ten seconds.
    assert "least" not in line and now_ms - NOW_MS <= 2 * 8 * MINUTE_MS + 20_000


def test_one_that_is_held_keeps_its_rank_and_comes_back_by_itself() -> None:
    line = Line()
    line.put(one("first", customer="loud"))
    line.put(one("second", customer="loud", since_ms=NOW_MS + 1))
    line.put(one("quiet", since_ms=NOW_MS + MINUTE_MS))
    line.held("first", NOW_MS + 5_000)
    assert line.next_moment_ms() == NOW_MS + 5_000
    assert through(line, NOW_MS + 4_999) == ["quiet", "second"]
    assert through(line, NOW_MS + 5_000) == ["first", "quiet", "second"]


def test_a_hold_outlives_news_of_the_same_conversation_and_ends_with_its_wait() -> None:
    line = Line()
    line.put(one("a"))
    line.held("a", NOW_MS + 5_000)
    line.put(one("a", priority=1))
    assert through(line) == []
    line.serve("a", "of a")
    line.put(one("a"))
    assert through(line) == ["a"]


def test_a_group_for_which_nobody_is_free_is_skipped_whole() -> None:
    line = Line()
    for number in range(50):
        line.put(one(f"swedish {number}", needs=(Skill(name="swedish", level=3),)))
        line.put(one(f"plain {number:02}", since_ms=NOW_MS + number))
    turn, asked, given_away = line.turn(NOW_MS), [], []
    while (head := turn.next()) is not None:
        asked.append(head.conversation)
        if head.needs:
            turn.skip()
        else:
            line.serve(head.conversation, head.customer)
            given_away.append(head.conversation)
    assert given_away == [f"plain {number:02}" for number in range(50)]
    assert len(asked) == 51 and len(line) == 50


def test_one_that_is_left_in_a_turn_comes_again_in_the_next_even_if_the_clock_went_back() -> None:
    line = Line()
    line.put(one("a"))
    line.put(one("b", since_ms=NOW_MS + 1))
    assert through(line, NOW_MS) == ["a", "b"]
    assert through(line, NOW_MS - 86_400_000) == ["a", "b"]


def test_a_turn_bears_that_things_leave_between_two_steps() -> None:
    line = Line()
    for name in "abcd":
        line.put(one(name))
    turn = line.turn(NOW_MS)
    first = turn.next()
    assert first is not None and first.conversation == "a"
    line.drop("a")
    line.drop("b")
    line.serve("c", "of c")
    last = turn.next()
    assert last is not None and last.conversation == "d"
    line.drop("d")
    assert turn.next() is None


def test_an_overflow_step_is_told_until_another_is_named() -> None:
    line = Line()
    line.put(one("a"), overflow_ms=NOW_MS + 10)
    line.put(one("b"), overflow_ms=NOW_MS + 5)
    line.put(one("c"))
    line.held("a", NOW_MS + 60_000)
    assert line.overflow_due(NOW_MS + 4) == []
    assert line.overflow_due(NOW_MS + 10) == ["b", "a"]
    assert line.overflow_due(NOW_MS + 10, most=1) == ["b"]
    line.put(one("b"), overflow_ms=NOW_MS + 20)
    line.drop("a")
    assert line.overflow_due(NOW_MS + 19) == []
    assert line.overflow_due(NOW_MS + 20) == ["b"]
    line.put(one("b"))
    assert line.overflow_due(NOW_MS + 99) == []


def test_what_leaves_is_forgotten_altogether() -> None:
    line = Line()
    for number in range(500):
        line.put(one(f"n{number}", customer=f"k{number % 50}", queue=f"q{number % 7}"), overflow_ms=NOW_MS + number)
        line.held(f"n{number}", NOW_MS + number % 3)
    for number in range(500):
        line.serve(f"n{number}", f"k{number % 50}")
    for number in range(500):
        line.drop(f"n{number}")
    assert through(line, NOW_MS + 999) == [] and len(line) == 0
    assert not (line._waiting or line._served or line._owed or line._groups or line._held or line._overflow)


def test_a_hundred_thousand_are_served_in_order_and_a_round_for_nobody_asks_once_a_group() -> None:
    line, naive = Line(), Naive()
    for number in range(100_000):
        since_ms = NOW_MS + (number * 7919) % 100_003
        waiting = one(f"n{number:06}", customer="", queue=f"q{number % 20}", since_ms=since_ms, priority=number % 9 + 1)
        line.put(waiting)
        naive.waiting[waiting.conversation] = waiting
    expected = naive.order(NOW_MS)
    turn, asked = line.turn(NOW_MS), 0
    while turn.next() is not None:
        asked += 1
        turn.skip()
    assert asked == 20
    turn = line.turn(NOW_MS)
    for name in expected[:2_000]:
        head = turn.next()
        assert head is not None and head.conversation == name
        line.serve(name, "")
    assert len(line) == 98_000


def test_one_customer_with_twenty_thousand_is_no_burden() -> None:
    line = Line()
    for number in range(20_000):
        line.put(one(f"n{number:06}", customer="loud", queue=f"q{number % 3}", since_ms=NOW_MS + number))
    line.put(one("quiet", since_ms=NOW_MS + 5))
    for _ in range(3):
        head = line.turn(NOW_MS).next()
        assert head is not None
        line.serve(head.conversation, head.customer)
    served = line._owed["loud"].served
    assert served == 2 and "quiet" not in line
    head = line.turn(NOW_MS).next()
    assert head is not None and head.conversation == "n000002"
    assert line._owed["loud"].rank((head.base_ms, head.conversation)) == 2 and RANK_MS == 2 * MINUTE_MS
