"""Promises to the customer: begun, kept, paused, resumed and reckoned anew, each as a fact."""

from typing import Any

import msgspec
import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.policy import Target
from broker_bridge.core import inbound, targets
from broker_bridge.core.definitions import Policy
from broker_bridge.core.handle import begin as new_handle
from broker_bridge.core.inbound import Source
from tests.core.world import ANNA, CASE, JONAS, MAYA, OLGA, SOURCE, Case, at_work, reply, ruled, said, stored

GENERAL = Target(first_reply_s=100, next_reply_s=50, resolution_s=1_000)
URGENT = Target(priority=1, first_reply_s=10, resolution_s=60)
RULED = ruled(targets=(GENERAL, URGENT))
LATER_MS = 10**6


def _new(source: Source = SOURCE, house: Any = RULED) -> Case:
    case = at_work(Case(), house)
    item = said("hello")
    joined = inbound.first_contact(
        new_handle(ANNA), stored("1"), item, source, CASE, "cust", None, house.policy, case.now_ms + 1_000
    )
    return case.add(*joined.conv)


def _owned(**more: Any) -> Case:
    return _new(**more).add(f.Accepted(agent="maya", epoch=1))


def _writes(case: Case, native: str, is_automatic: bool = False) -> None:
    item = msgspec.structs.replace(said(native), automatic="auto-replied" if is_automatic else "")
    joined = inbound.follow_up(case.state, stored(native), item, case.house.policy, case.now_ms + 1_000)
    assert joined is not None
    case.add(*joined.conv)


def _answers(case: Case) -> None:
    case.do(reply(case, f"reply-{len(case.log)}", anyway=True), message=f"message-{len(case.log)}")


def _left_s(case: Case, what: str, since_ms: int) -> float | None:
    promise = case.state.promises.get(what)
    return None if promise is None or promise.due_ms is None else (promise.due_ms - since_ms) / 1000


def test_a_first_message_is_promised_a_first_answer_and_an_end() -> None:
    case = _new()
    assert (_left_s(case, "first", case.now_ms), _left_s(case, "resolution", case.now_ms)) == (100, 1_000)
    assert set(case.state.promises) == {"first", "resolution"}


def test_the_queue_s_target_comes_before_the_channel_s_own() -> None:
    assert SOURCE.reply_within_s == 3_600
    case = _new()
    assert _left_s(case, "first", case.now_ms) == 100
    bare = _new(house=ruled())
    assert _left_s(bare, "first", bare.now_ms) == 3_600
    none = _new(Source(queue="orders", reply_within_s=None), ruled())
    assert none.state.promises == {} and none.state.due_ms is None


def test_more_messages_do_not_put_the_promise_off() -> None:
    case = _owned()
    due_ms = case.state.due_ms
    _writes(case, "2")
    assert case.state.due_ms == due_ms


def test_after_an_answer_the_next_message_is_promised_a_next_one() -> None:
    case = _owned()
    _answers(case)
    assert set(case.state.promises) == {"resolution"} and case.state.due_ms is None
    _writes(case, "2")
    assert (_left_s(case, "next", case.now_ms), "first" in case.state.promises) == (50, False)


def test_what_a_machine_writes_is_promised_nothing() -> None:
    case = _owned()
    _answers(case)
    _writes(case, "2", is_automatic=True)
    assert case.state.due_ms is None


def test_the_end_waits_while_we_wait_for_the_customer() -> None:
    case = _owned()
    since_ms = case.now_ms - 1_000
    case.now_ms = since_ms + 400_000
    _answers(case)
    assert case.state.promises["resolution"].left_s == 600
    case.now_ms += 10**9
    _writes(case, "2")
    assert _left_s(case, "resolution", case.now_ms) == 600


def test_a_queue_without_that_pause_lets_the_clock_run() -> None:
    case = _owned(house=ruled(targets=(GENERAL,), pauses=()))
    due_ms = case.state.promises["resolution"].due_ms
    _answers(case)
    case.do(c.Snooze(id="s", conversation=CASE, until_ms=case.now_ms + LATER_MS))
    assert case.state.promises["resolution"].due_ms == due_ms


def test_waking_while_we_wait_for_the_customer_lets_the_clock_stand() -> None:
    case = _owned()
    _answers(case)
    case.do(c.Snooze(id="s", conversation=CASE, until_ms=case.now_ms + LATER_MS))
    case.do(c.Wake(id="w", conversation=CASE))
    assert case.state.promises["resolution"].left_s is not None


def test_what_was_late_stays_late_through_a_sleep() -> None:
    case = _owned()
    case.now_ms += 2_000_000
    case.do(c.Snooze(id="s", conversation=CASE, until_ms=case.now_ms + LATER_MS))
    case.now_ms += 500_000
    case.do(c.Wake(id="w", conversation=CASE))
    left_s = _left_s(case, "resolution", case.now_ms)
    assert left_s is not None and left_s < -900


@pytest.mark.parametrize(("priority", "first_s", "resolution_s"), [(1, 10, 60), (4, 100, 1_000)])
def test_another_priority_is_reckoned_anew_from_when_the_wait_began(
    priority: int, first_s: int, resolution_s: int
) -> None:
    case = _owned()
    since_ms = case.state.waiting_since_ms
    assert since_ms is not None
    case.now_ms += 5_000
    case.do(c.Prioritize(id="p", conversation=CASE, priority=priority), OLGA)
    assert (_left_s(case, "first", since_ms), _left_s(case, "resolution", since_ms)) == (first_s, resolution_s)


def test_a_queue_that_promises_nothing_takes_the_promises_away() -> None:
    case = _owned(source=Source(queue="orders", reply_within_s=None))
    only = msgspec.structs.replace(RULED.policy, queues={"orders": RULED.policy.rules("orders")})
    at_work(case, msgspec.structs.replace(RULED, policy=only))
    case.do(c.Transfer(id="t", conversation=CASE, to_queue="returns"), MAYA)
    assert case.state.promises == {} and case.state.due_ms is None and case.state.waiting_since_ms is not None


def test_who_reopens_a_closed_case_is_promised_a_first_answer_again() -> None:
    case = _owned()
    _answers(case)
    case.do(c.Close(id="x", conversation=CASE, disposition="solved"))
    assert case.state.promises == {}
    _writes(case, "2")
    assert set(case.state.promises) == {"first", "resolution"}
    assert _left_s(case, "first", case.now_ms) == 100


def test_a_case_that_a_colleague_reopens_promises_nothing_by_that() -> None:
    case = _owned()
    case.do(c.Close(id="x", conversation=CASE, disposition="solved"))
    case.do(c.Reopen(id="r", conversation=CASE), JONAS)
    assert case.state.promises == {} and case.state.due_ms is None


def test_an_answer_after_the_queue_s_target_is_late() -> None:
    case = _owned()
    case.now_ms += 101_000
    _answers(case)
    assert (case.state.answered, case.state.answered_late) == (1, 1)


def test_a_case_of_before_there_were_promises_keeps_its_target() -> None:
    case = Case().add(
        f.Opened(customer="c", handle=ANNA, channel="support", channel_kind="email", queue="orders", reply_within_s=60),
        f.Received(message="m", item="i", handle=ANNA, channel="support", channel_kind="email"),
    )
    assert case.state.due_ms == case.now_ms + 60_000
    assert targets.on_reply(case.state, Policy(), case.now_ms) == ()
    assert targets.on_wake(case.state, Policy(), case.now_ms) == ()
