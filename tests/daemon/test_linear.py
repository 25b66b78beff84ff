"""The checker of the races finds what is planted into a history made by hand, and nothing in a right one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from tests.daemon.linear import Call, violations

LogLine = tuple[int, str, Entry]
CAN = {"ann": 2, "bob": 2}
OPENED = f.Opened(customer="cu", handle="ha", channel="fake", channel_kind="fake", queue="support")
ENDED = f.OfferEnded(agent="ann", reason="expired")


def _line(seq: int, *facts: f.AnyFact, case: str = "c1", command: str = "") -> LogLine:
    return seq, f"cc.log.conv.{case}", Entry(at_ms=seq * 1000, by="test", command=command, facts=facts)


def _offered(agent: str, **more: Any) -> f.Offered:
    return f.Offered(agent=agent, until_ms=0, **more)


def _accepted(agent: str, epoch: int = 1) -> f.Accepted:
    return f.Accepted(agent=agent, epoch=epoch)


def _closed(agent: str) -> f.Closed:
    return f.Closed(agent=agent, disposition="solved")


RIGHT = [
    _line(1, OPENED),
    _line(2, _offered("ann")),
    _line(3, f.OfferEnded(agent="ann", reason="declined"), command="no"),
    _line(4, _offered("bob")),
    _line(5, _accepted("bob"), command="yes"),
    _line(6, _closed("bob"), command="end"),
    _line(7, f.Reopened(queue="support"), f.Queued(queue="support")),
    _line(8, _offered("ann")),
    _line(9, _accepted("ann", 2), command="again"),
]
CALL = Call(
    agent="bob", verb="accept", id="yes", conversation="c1", after=4, seen=4, ended_ms=5_500, answer="done", upto=5
)
TOLD = [
    CALL,
    replace(CALL, agent="ann", verb="decline", id="no", after=2, seen=2, upto=3),
    replace(CALL, verb="close", id="end", after=5, seen=5, upto=6, ended_ms=6_500),
    replace(CALL, agent="ann", id="again", after=8, seen=8, upto=9, ended_ms=9_500),
    # A quick hand came late: bob owned it when it was refused.
    replace(CALL, agent="ann", id="late", after=4, seen=4, answer="late"),
    # Said twice: theirs already.
    replace(CALL, id="twice", after=5, seen=5),
    # No answer: nothing is known of it, and whether it was done says LOG alone.
    replace(CALL, id="lost", answer=""),
]


def test_a_right_history_has_nothing_wrong() -> None:
    assert violations(RIGHT, TOLD, CAN) == []


def _many(agent: str, count: int) -> list[LogLine]:
    """Conversations that ring for one agent, all at once."""
    opened = [_line(seq, OPENED, case=f"c{seq}") for seq in range(1, count + 1)]
    return opened + [_line(count + seq, _offered(agent), case=f"c{seq}") for seq in range(1, count + 1)]


@pytest.mark.parametrize(
    ("log", "says"),
    [
        pytest.param(_many("ann", 3), "ann carries 3 of 2", id="rings once too often"),
        pytest.param(
            [*_many("ann", 2), _line(9, OPENED, _accepted("ann"), case="c9")], "ann carries 3 of 2", id="takes too much"
        ),
        pytest.param(
            [*_many("bob", 2), _line(9, OPENED, _offered("ann", also=("bob",)), case="c9")], "bob carries 3", id="also"
        ),
        pytest.param([*RIGHT[:5], _line(6, _accepted("ann"))], "ann and bob own epoch 1", id="two in one epoch"),
        pytest.param([*RIGHT[:5], _line(6, _accepted("ann", 2))], "took it from bob unasked", id="taken away"),
        pytest.param([*RIGHT[:6], _line(7, _accepted("ann", 2))], "took what was closed", id="closed is taken"),
        pytest.param([*RIGHT[:4], _line(5, _accepted("bob", 2))], "epoch 2 after 0", id="an epoch left out"),
        pytest.param([*RIGHT[:2], _line(3, _offered("bob"))], "while it rings for ('ann',)", id="offered twice"),
        pytest.param([*RIGHT[:5], _line(6, _offered("ann"))], "while it was owned", id="an owned one is offered"),
        pytest.param([*RIGHT[:5], _line(6, ENDED)], "that rang for ()", id="an end of no offer"),
        pytest.param([*RIGHT[:5], _line(6, _closed("ann"))], "ann closed what was owned, with bob", id="not theirs"),
        pytest.param([*RIGHT[:6], _line(7, _closed("bob"))], "bob closed what was closed", id="closed twice"),
    ],
)
def test_a_broken_rule_is_found(log: list[LogLine], says: str) -> None:
    found = violations(log, [], CAN)
    assert found
    assert says in found[0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        pytest.param(replace(CALL, agent="ann", id="x", seen=2, after=2), "was never theirs", id="done, not owned"),
        pytest.param(
            replace(CALL, id="x", seen=7, after=7, ended_ms=7_500), "was never theirs", id="owned before only"
        ),
        pytest.param(replace(CALL, id="x", ended_ms=4_500, upto=4), "was never theirs", id="owned later only"),
        pytest.param(replace(CALL, agent="ann"), "says something else", id="a colleague's command"),
        pytest.param(replace(CALL, conversation="c2"), "says something else", id="another conversation's command"),
        pytest.param(replace(CALL, after=5), "before it was said", id="done before it was said"),
        pytest.param(replace(CALL, upto=4), "told up to 4 only", id="done behind what was told"),
        pytest.param(replace(CALL, answer="late"), "refused (late), and done at 5", id="refused and done"),
        pytest.param(replace(CALL, verb="close", id="x"), "LOG has nothing of it", id="done without a trace"),
        pytest.param(
            replace(CALL, agent="ann", id="x", answer="late", seen=7, after=7, ended_ms=8_500),
            "although it could be done",
            id="refused what was free",
        ),
        pytest.param(
            replace(CALL, verb="decline", agent="ann", id="x", answer="late", seen=8, after=8, ended_ms=8_500),
            "although it could be done",
            id="refused to end what rang",
        ),
    ],
)
def test_an_answer_that_fits_nowhere_is_found(call: Call, says: str) -> None:
    found = violations(RIGHT, [call], CAN)
    assert len(found) == 1
    assert says in found[0]


def test_a_command_that_was_done_twice_is_found() -> None:
    found = violations([*RIGHT, _line(10, _closed("ann"), command="yes")], [CALL], CAN)
    assert found == ["bob accept c1: done 2 times, at [5, 10]"]


def test_a_transfer_and_a_talk_take_places_of_both() -> None:
    log = [
        *RIGHT[:5],
        _line(6, _offered("ann", is_transfer=True, is_consult=True)),
        _line(7, f.TransferAccepted(agent="ann")),
        _line(8, _accepted("ann", 2)),
    ]
    assert violations(log, [], CAN) == []
    assert violations(log, [], {"ann": 0, "bob": 1})[0].endswith("ann carries 1 of 0")
    assert violations(log, [], {"ann": 1, "bob": 0})[0].endswith("bob carries 1 of 0")
