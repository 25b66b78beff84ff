"""Closing and what follows: outcomes, wrap-up in four modes, snooze, tasks, priorities, observers."""

from typing import Any

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.policy import Disposition
from broker_bridge.contract.words import opened
from broker_bridge.core import afterwork
from broker_bridge.core.decision import Decision, Facts
from broker_bridge.core.wishes import Actor
from tests.core.world import (
    CASE,
    HOUSE,
    JONAS,
    LENA,
    MAYA,
    OLGA,
    Case,
    at_work,
    closed,
    is_sentence,
    owned,
    queued,
    received,
    reply,
    ruled,
)

OUTCOMES = (Disposition(name="refunded", fields=("amount", "shop")), Disposition(name="solved"))


def _case(mode: str = "timed", **rules: Any) -> Case:
    return at_work(owned(), ruled(wrap_up=mode, wrap_up_s=90, dispositions=OUTCOMES, **rules))


def _do(case: Case, kind: type[c.Act], actor: Actor = MAYA, **more: Any) -> Decision:
    return case.do(kind(id=f"{kind.__name__}-{len(case.log)}", conversation=CASE, **more), actor)


def _refused(decision: Decision, code: str, words: str) -> None:
    assert isinstance(decision, Refusal), decision
    assert decision.code == code and words in decision.sentence and is_sentence(decision.sentence), decision


@pytest.mark.parametrize(
    ("mode", "disposition", "has_wrap", "has_end"),
    [
        ("none", "refunded", False, False),
        ("optional", "refunded", True, True),
        ("mandatory", "", True, False),
        ("timed", "", True, True),
    ],
)
def test_each_mode_of_wrap_up(mode: str, disposition: str, has_wrap: bool, has_end: bool) -> None:
    case = _case(mode)
    _do(case, c.Close)
    wrap = case.state.wrap
    assert (case.state.status, case.state.disposition, wrap is not None) == ("closed", disposition, has_wrap)
    if wrap is not None:
        assert wrap.until_ms == (wrap.began_ms + 90_000 - 1_000 if has_end else None)
        assert wrap.is_binding is (mode in ("mandatory", "timed"))


@pytest.mark.parametrize("mode", ["none", "optional", "mandatory", "timed"])
def test_an_outcome_said_with_the_closing_needs_no_wrap_up(mode: str) -> None:
    case = _case(mode)
    _do(case, c.Close, disposition="solved", note="bye", tags=("a", " a ", "", "b"))
    assert (case.state.disposition, case.state.tags, case.state.wrap) == ("solved", ("a", "b"), None)


def test_a_supervisor_who_closes_somebody_else_s_case_gets_no_wrap_up() -> None:
    case = _case("mandatory")
    _do(case, c.Close, OLGA)
    assert (case.state.closed_by, case.state.disposition, case.state.wrap) == ("olga", "refunded", None)


class TestFields:
    """What an outcome asks for."""

    @pytest.mark.parametrize("kind", [c.Close, c.WrapUp])
    def test_must_be_filled_in(self, kind: type[c.Act]) -> None:
        case = _case()
        if kind is c.WrapUp:
            _do(case, c.Close)
        _refused(_do(case, kind, disposition="refunded"), "bad", "needs amount and shop")
        given: Any = (("amount", " "), ("shop", "x"))
        _refused(_do(case, kind, disposition="refunded", fields=given), "bad", "needs amount.")
        decision = _do(case, kind, disposition="refunded", fields=(("amount", "5"), ("shop", "x"), ("more", "")))
        assert isinstance(decision, Facts)
        fact = decision.facts[0]
        assert isinstance(fact, (f.Closed, f.WrappedUp))
        assert opened(fact.words).fields == (("amount", "5"), ("shop", "x"))

    def test_are_short(self) -> None:
        _refused(_do(_case(), c.Close, disposition="solved", fields=(("a", "x" * 501),)), "bad", "500 characters")

    def test_an_unknown_outcome_names_the_known_ones(self) -> None:
        _refused(_do(_case(), c.Close, disposition="nonsense"), "bad", "refunded, solved")

    def test_where_none_is_defined_one_closes_without(self) -> None:
        case = at_work(owned(), type(HOUSE)(names=HOUSE.names, queues=HOUSE.queues, channels=HOUSE.channels))
        _refused(_do(case, c.Close, disposition="solved"), "bad", "Close it without one.")
        assert isinstance(_do(case, c.Close), Facts)


class TestWrapUp:
    """By whoever closed it."""

    def test_the_outcome_is_written_once(self) -> None:
        case = _case()
        _do(case, c.Close)
        _do(case, c.WrapUp, disposition="solved", note="told her", tags=("x",))
        assert (case.state.disposition, case.state.tags, case.state.wrap) == ("solved", ("x",), None)
        _refused(_do(case, c.WrapUp, disposition="solved"), "late", "written down as solved")

    def test_not_by_somebody_else(self) -> None:
        case = _case()
        _do(case, c.Close)
        _refused(_do(case, c.WrapUp, JONAS, disposition="solved"), "not_yours", "Maya closed this conversation")
        assert isinstance(_do(case, c.WrapUp, OLGA, disposition="solved"), Facts)

    def test_not_once_it_is_open_again(self) -> None:
        case = _case()
        _do(case, c.Close)
        _do(case, c.Reopen, JONAS)
        _refused(_do(case, c.WrapUp, disposition="solved"), "late", "open again")
        assert case.state.disposition == ""

    def test_thirty_seconds_more_ten_times(self) -> None:
        case = _case()
        _do(case, c.Close)
        assert case.state.wrap is not None and case.state.wrap.until_ms is not None
        until_ms = case.state.wrap.until_ms
        for _ in range(10):
            assert isinstance(_do(case, c.MoreTime), Facts)
        assert case.state.wrap.until_ms == until_ms + 300_000
        _refused(_do(case, c.MoreTime), "bad", "ten times")

    def test_what_has_no_end_is_not_put_off(self) -> None:
        case = _case("mandatory")
        _do(case, c.Close)
        _refused(_do(case, c.MoreTime), "bad", "no time-out")


class TestSnooze:
    """Out of sight until a time, and at most until they answer."""

    @pytest.mark.parametrize("ahead_ms", [0, -1, 366 * 86_400_000 + 1])
    def test_only_to_a_time_that_comes(self, ahead_ms: int) -> None:
        case = owned()
        _refused(_do(case, c.Snooze, until_ms=case.now_ms + ahead_ms), "bad", "still to come")

    def test_without_a_time_only_once_they_have_their_answer(self) -> None:
        case = owned()
        _refused(_do(case, c.Snooze), "bad", "answer first")
        case.do(reply(case))
        assert isinstance(_do(case, c.Snooze), Facts)
        assert case.state.snooze is not None and case.state.snooze.until_ms is None

    def test_an_automatic_mail_does_not_wake_it_and_a_word_of_the_customer_does(self) -> None:
        case = owned().add(f.Snoozed(agent="maya", until_ms=10**15))
        note = f.Received(
            message="m", item="i", handle="h", channel="s", channel_kind="email", automatic="auto-replied"
        )
        assert case.add(note).state.snooze is not None
        assert case.add(received("2")).state.snooze is None

    def test_the_owner_keeps_it_and_wakes_it(self) -> None:
        case = owned()
        _do(case, c.Snooze, until_ms=case.now_ms + 5_000)
        assert (case.state.status, case.state.owner) == ("owned", "maya")
        _refused(_do(case, c.Wake, JONAS), "not_yours", "Maya took this conversation")
        _do(case, c.Wake)
        assert case.state.snooze is None
        assert _do(case, c.Wake) == Facts()

    def test_the_customer_who_waits_is_late_though_it_sleeps(self) -> None:
        case = owned().add(f.Targeted(what="first", due_ms=10**15))
        _do(case, c.Snooze, until_ms=case.now_ms + 5_000)
        assert case.state.promises["first"].due_ms == 10**15


class TestTasks:
    """Something to do about the case, by somebody."""

    def _added(self, **more: Any) -> Case:
        case = owned()
        assert isinstance(case.do(c.AddTask(id="t", conversation=CASE, text="call", **more), JONAS), Facts)
        return case

    def test_it_is_its_command_s_and_the_owner_s_unless_said_otherwise(self) -> None:
        assert self._added().state.tasks["t"].assignee == "maya"
        assert self._added(assignee="lena").state.tasks["t"].assignee == "lena"
        case = queued()
        _do(case, c.AddTask, JONAS, text="x")
        assert [task.assignee for task in case.state.tasks.values()] == ["jonas"]

    @pytest.mark.parametrize(
        ("wish", "words"),
        [
            ({}, "Say what is to be done."),
            ({"what": "call_back"}, "Say when to call."),
            ({"what": "dance", "text": "x"}, "A task is"),
            ({"text": "x" * 2_001}, "2,000"),
            ({"text": "x", "assignee": "nobody"}, "no colleague nobody"),
            ({"text": "x", "observers": ("",)}, "no colleague without a name"),
            ({"text": "x", "due_ms": 1}, "still to come"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, wish: dict[str, Any], words: str) -> None:
        _refused(_do(owned(), c.AddTask, **wish), "bad", words)

    @pytest.mark.parametrize(("actor", "may"), [(MAYA, True), (JONAS, True), (OLGA, True), (LENA, False)])
    @pytest.mark.parametrize("kind", [c.ChangeTask, c.FinishTask])
    def test_maker_assignee_owner_and_supervisors_change_it(self, kind: type[c.Act], actor: Actor, may: bool) -> None:
        decision = _do(self._added(), kind, actor, task="t")
        assert isinstance(decision, Facts) is may
        if not may:
            _refused(decision, "denied", "Maya's")

    def test_it_is_done_once(self) -> None:
        case = self._added()
        _do(case, c.FinishTask, task="t", note="she called")
        assert not case.state.tasks
        _refused(_do(case, c.FinishTask, task="t"), "late", "done already")

    def test_a_call_back_keeps_a_time(self) -> None:
        case = self._added(what="call_back", number="+46 8", due_ms=1_795_000_100_000)
        _refused(_do(case, c.ChangeTask, task="t"), "bad", "Say when to call.")
        _do(case, c.ChangeTask, task="t", due_ms=1_795_000_200_000)
        task = case.state.tasks["t"]
        assert (task.number, task.text, task.due_ms) == ("+46 8", "call", 1_795_000_200_000)

    def test_a_hundred_are_enough(self) -> None:
        case = owned()
        for _ in range(afterwork.MAX_TASKS):
            assert isinstance(_do(case, c.AddTask, text="x"), Facts)
        _refused(_do(case, c.AddTask, text="x"), "bad", "100 open tasks")

    def test_it_outlives_closing(self) -> None:
        case = self._added().add(f.Closed(agent="maya", disposition="solved"))
        assert isinstance(_do(case, c.FinishTask, task="t"), Facts)


@pytest.mark.parametrize("priority", [0, 10, -1])
def test_a_priority_is_one_to_nine(priority: int) -> None:
    _refused(_do(owned(), c.Prioritize, priority=priority), "bad", "1 (first) to 9")


def test_a_priority_of_its_own_stays_when_the_case_moves() -> None:
    case = owned()
    _do(case, c.Prioritize, priority=2)
    _do(case, c.Transfer, to_queue="returns")
    assert case.state.priority == 2 and HOUSE.policy.priority(case.state) == 2
    assert HOUSE.policy.priority(queued().state) == 5


def test_following_a_case_is_on_or_off() -> None:
    case = closed()
    _do(case, c.Observe, LENA)
    assert _do(case, c.Observe, LENA) == Facts()
    assert list(case.state.observers) == ["lena"]
    _do(case, c.Observe, LENA, on=False)
    assert not case.state.observers
