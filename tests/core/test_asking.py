"""Whom not to ask, whom first, and how long they are waited for: one rule for the router and for what-if."""

from __future__ import annotations

import inspect

import pytest

from broker_bridge.contract.policy import QueueRules, Seat
from broker_bridge.core import asking, replay_picture
from broker_bridge.core.routing.index import Index
from broker_bridge.core.waiting import Waiting
from broker_bridge.daemon import choice

NOW_MS = 1_795_000_000_000
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("declined", "passed_by", "queued_ago_ms", "not_asked"),
    [
        ({}, "", 0, {}),
        ({"ann": -1}, "", 0, {"ann": MINUTE_MS - 1}),
        ({"ann": -MINUTE_MS + 1, "bob": -MINUTE_MS}, "", 0, {"ann": 1}),
        ({}, "eve", 0, {"eve": 5 * MINUTE_MS}),
        ({}, "eve", 5 * MINUTE_MS - 1, {"eve": 1}),
        ({}, "eve", 5 * MINUTE_MS, {}),
        ({"eve": -1}, "eve", 5 * MINUTE_MS, {"eve": MINUTE_MS - 1}),
        ({"eve": -MINUTE_MS + 10}, "eve", MINUTE_MS, {"eve": 4 * MINUTE_MS}),
    ],
)
def test_who_said_no_rests_a_minute_and_who_passed_it_on_five(
    declined: dict[str, int], passed_by: str, queued_ago_ms: int, not_asked: dict[str, int]
) -> None:
    at_ms = {agent: NOW_MS + since_ms for agent, since_ms in declined.items()}
    found = asking.whom_not_to_ask(at_ms, passed_by, NOW_MS - queued_ago_ms, NOW_MS)
    assert found == {agent: NOW_MS + left_ms for agent, left_ms in not_asked.items()}


@pytest.mark.parametrize(
    ("state", "without", "after_s", "prefer", "until_s"),
    [
        ("ready", {}, 1, ("ann", "bob"), 0),
        ("busy", {}, 1, ("ann", "bob"), 30),
        ("wrap_up", {}, 29, ("ann", "bob"), 30),
        ("busy", {}, 30, ("ann", "bob"), 0),
        ("away", {}, 1, ("ann", "bob"), 0),
        ("busy", {"ann": 1}, 1, ("bob",), 0),
    ],
)
def test_who_knows_the_customer_is_waited_for_while_they_are_here(
    state: str, without: dict[str, int], after_s: int, prefer: tuple[str, ...], until_s: int
) -> None:
    index = Index()
    index.seat(Seat(agent="ann"))
    index.present("ann", state, "")
    waiting = Waiting(conversation="c", queue="cards", units=20, since_ms=NOW_MS)
    now_ms = NOW_MS + after_s * 1000
    rules = QueueRules(affinity_s=30, responsible_first=False)
    request, until_ms = asking.asking(index, waiting, rules, without, ("bob", "ann"), NOW_MS, now_ms)
    assert request.prefer == prefer and request.without == set(without)
    assert until_ms == (NOW_MS + until_s * 1000 if until_s else 0)
    first = asking.asking(index, waiting, QueueRules(responsible_first=True), {}, ("bob", "ann"), NOW_MS, now_ms)
    assert first[0].prefer == ("bob", "ann")


@pytest.mark.parametrize("part", [choice, replay_picture])
def test_the_router_and_what_if_both_ask_by_it_and_hold_no_rule_of_their_own(part: object) -> None:
    text = inspect.getsource(part)  # type: ignore[arg-type]
    assert "asking.whom_not_to_ask(" in text and "asking.asking(" in text
    assert " = Request(" not in text and "return Request(" not in text
