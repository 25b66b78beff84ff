"""Nobody is here: the customer is told once while it is closed, machines never, and the promise stays."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import ConversationFact
from broker_bridge.contract.policy import Closure, Hours, Span, Target
from broker_bridge.contract.words import opened
from broker_bridge.core import hours, inbound, outbound
from broker_bridge.core.handle import begin as new_handle
from tests.core.world import ANNA, CASE, SOURCE, Case, at_work, replied, ruled, said, stored, unreadable

HOUR_MS = 3_600_000
WEEK = Hours(zone="UTC", week=tuple(Span(day=day, from_min=480, to_min=1080) for day in range(5)))
TOLD = "We are back on Monday at 8."


def _at(day: int, hour: int, minute: int = 0) -> int:
    """November 2026: the 16th is a Monday."""
    return int(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


FRIDAY_20 = _at(20, 20)


class Mailbox:
    """One case that gets mails."""

    def __init__(self, week: Hours | None = WEEK, away_reply: str = TOLD) -> None:
        self.case = at_work(Case(), ruled(hours=week, away_reply=away_reply, targets=(Target(first_reply_s=7_200),)))
        self.count = 0

    def gets(self, at_ms: int, item: Any = None, channel: str = "support") -> tuple[ConversationFact, ...]:
        """The facts; afterwards it is `at_ms`."""
        self.count += 1
        place = stored(f"n{self.count}", ANNA, channel)
        item = item or said("help", mail_id=f"x{self.count}@example.se")
        policy, case = self.case.house.policy, self.case
        joined: inbound.Joined | None
        if case.state.status == "new":
            joined = inbound.first_contact(new_handle(ANNA), place, item, SOURCE, CASE, "cust", None, policy, at_ms)
        else:
            joined = inbound.follow_up(case.state, place, item, policy, at_ms)
        assert joined is not None
        case.now_ms = at_ms - 1_000
        case.add(*joined.conv)
        return joined.conv

    def is_told(self, at_ms: int, item: Any = None, channel: str = "support") -> bool:
        return any(isinstance(fact, f.Replied) for fact in self.gets(at_ms, item, channel))


def test_a_first_mail_on_friday_night_is_answered_by_the_machine() -> None:
    box = Mailbox()
    told = next(fact for fact in box.gets(FRIDAY_20) if isinstance(fact, f.Replied))
    words = opened(told.words)
    assert (told.automatic, told.agent, told.in_reply_to) == (
        "out of hours",
        "",
        inbound.message_id(stored("n1")),
    )
    assert (words.text, words.subject, words.address) == (TOLD, "Re:", "anna@example.se")
    assert (words.references, words.mail_id) == (("x1@example.se",), "x1@example.se")
    assert [one.address for one in words.to] == ["anna@example.se"] and words.cc == ()
    step, out, _ = outbound.next_step(box.case.state, False, FRIDAY_20)
    assert step == outbound.CLAIM and out is not None and out.fact == told


def test_once_while_it_is_closed_and_again_the_next_time() -> None:
    box = Mailbox()
    assert box.is_told(FRIDAY_20)
    assert not box.is_told(_at(21, 10))
    assert not box.is_told(_at(22, 23))
    assert not box.is_told(_at(23, 7, 59))
    assert not box.is_told(_at(23, 8))
    assert not box.is_told(_at(23, 17, 59))
    assert box.is_told(_at(23, 18))
    assert not box.is_told(_at(24, 5))


def test_never_twice_within_four_hours() -> None:
    box = Mailbox(
        Hours(zone="UTC", week=(Span(day=0, from_min=480, to_min=720), Span(day=0, from_min=780, to_min=810)))
    )
    assert box.is_told(_at(16, 12, 30))
    assert not box.is_told(_at(16, 13, 40))
    assert not box.is_told(_at(16, 16, 29))
    assert box.is_told(_at(16, 16, 30))


def test_a_holiday_is_closed() -> None:
    holiday = Closure(title="Holiday", from_ms=_at(18, 0), to_ms=_at(19, 0))
    assert Mailbox(msgspec.structs.replace(WEEK, closures=(holiday,))).is_told(_at(18, 12))
    assert not Mailbox().is_told(_at(18, 12))


@pytest.mark.parametrize(
    "item",
    [
        msgspec.structs.replace(said(), automatic="auto-replied"),
        msgspec.structs.replace(said(), wants_silence=True),
        unreadable(),
        said(address=""),
    ],
    ids=["of a machine", "asks for silence", "could not be read", "from nowhere"],
)
def test_what_cannot_be_answered_is_not(item: Any) -> None:
    box = Mailbox()
    assert not box.is_told(FRIDAY_20, item)
    assert not box.is_told(FRIDAY_20 + 9 * HOUR_MS, item)
    assert box.is_told(FRIDAY_20 + 10 * HOUR_MS)


def test_two_machines_say_one_word_at_most() -> None:
    box = Mailbox()
    robot = said("I am on holiday, too.")
    told = sum(box.is_told(FRIDAY_20 + minute * 60_000, robot) for minute in range(120))
    assert told == 1


@pytest.mark.parametrize("box", [Mailbox(away_reply=""), Mailbox(week=None)], ids=["no words", "always open"])
def test_nothing_is_said_where_there_is_nothing_to_say(box: Mailbox) -> None:
    assert not box.is_told(FRIDAY_20)


def test_the_customer_still_waits_for_a_person() -> None:
    box = Mailbox()
    box.gets(FRIDAY_20)
    state = box.case.state
    assert (state.waiting_since_ms, state.unread, state.has_answer) == (FRIDAY_20, 1, False)
    assert state.due_ms == _at(23, 10) and "first" in state.promises
    assert (state.text, state.text_by, state.answered) == ("help", "them", 0)
    box.case.add(f.Accepted(agent="maya", epoch=1), replied("a"))
    assert (box.case.state.waiting_since_ms, box.case.state.promises) == (None, {})


def test_a_closed_case_that_is_reopened_by_night_is_told_too() -> None:
    box = Mailbox()
    box.gets(_at(20, 9))
    box.case.add(f.Accepted(agent="maya", epoch=1), f.Closed(agent="maya", disposition="solved"))
    kinds = [type(fact) for fact in box.gets(FRIDAY_20)]
    assert kinds == [f.Reopened, f.Received, f.Queued, f.Targeted, f.Replied]
    assert box.case.state.due_ms is not None


def test_several_lines_of_a_chat_are_one_word() -> None:
    box = Mailbox()
    box.gets(_at(20, 9))
    lines = [(stored(f"c{number}", ANNA, "chat"), said(f"line {number}")) for number in range(4)]
    facts = inbound.follow_ups(box.case.state, lines, box.case.house.policy, FRIDAY_20)
    told = [fact for fact in facts if isinstance(fact, f.Replied)]
    assert [(one.channel, opened(one.words).to) for one in told] == [("chat", ())]
    assert told[0].in_reply_to == inbound.message_id(lines[-1][0])
    box.case.add(*facts)
    assert inbound.follow_ups(box.case.state, lines, box.case.house.policy, FRIDAY_20) == ()


def test_a_clock_that_went_back_says_nothing_twice() -> None:
    box = Mailbox()
    assert box.is_told(FRIDAY_20)
    assert not box.is_told(FRIDAY_20 - 86_400_000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=40 * 60), min_size=1, max_size=40))
def test_whenever_mails_come_each_closed_time_is_told_once_and_every_wait_is_promised(gaps_min: list[int]) -> None:
    box, at_ms, told = Mailbox(), FRIDAY_20, []
    for gap in gaps_min:
        at_ms += gap * 60_000
        is_told = box.is_told(at_ms)
        if is_told:
            assert not hours.is_open(WEEK, at_ms)
            told.append(at_ms)
        elif not hours.is_open(WEEK, at_ms):
            assert told and (
                at_ms - told[-1] < 4 * HOUR_MS or hours.opens_at(WEEK, told[-1]) == hours.opens_at(WEEK, at_ms)
            )
        assert box.case.state.waiting_since_ms is not None and box.case.state.due_ms is not None
    assert len({hours.opens_at(WEEK, one) for one in told}) == len(told)
    assert box.case.again() == box.case.state
