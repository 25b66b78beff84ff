"""Time passes: every timer does its work once, whoever fires it, and after a restart too."""

from collections.abc import Callable

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import ConversationFact
from broker_bridge.contract.policy import Disposition, Target
from broker_bridge.core import timers
from tests.core.world import CASE, JONAS, MAYA, START_MS, Case, at_work, closed, owned, queued, received, ruled

LATER = START_MS + 10**8
RULED = ruled(
    wrap_up="timed",
    wrap_up_s=60,
    dispositions=(Disposition(name="refunded"), Disposition(name="solved")),
    default_disposition="solved",
    targets=(Target(resolution_s=600),),
)


def fire(case: Case, is_here: bool = True) -> tuple[ConversationFact, ...]:
    """Whatever is due first, appended."""
    timer = timers.first(case.state)
    assert timer is not None
    facts = timers.fire(timer, case.state, case.house, lambda _: is_here, case.now_ms)
    if facts:
        case.add(*facts, by="timer", command=timer.command(case.state))
    return facts


def _wrap_up() -> Case:
    case = at_work(owned(), RULED)
    case.do(c.Close(id="close", conversation=CASE, tags=("card",)))
    return case


def _asleep() -> Case:
    return at_work(owned().add(f.Snoozed(agent="maya", until_ms=LATER)), RULED)


def _task() -> Case:
    return owned().add(f.TaskAdded(task="t", agent="maya", due_ms=LATER))


def _promised() -> Case:
    return owned().add(f.Targeted(what="first", due_ms=LATER + 5, warn_ms=LATER))


CASES: dict[str, Callable[[], Case]] = {
    "wrap_up": _wrap_up,
    "snooze": _asleep,
    "task": _task,
    "warning": _promised,
}


@pytest.mark.parametrize("kind", CASES)
def test_a_timer_fires_when_it_is_due_and_once(kind: str) -> None:
    case = CASES[kind]()
    timer = timers.first(case.state)
    assert timer is not None and timer.kind == kind
    case.now_ms = timer.due_ms - 1
    assert fire(case) == ()
    case.now_ms = timer.due_ms
    assert len(fire(case)) == 1
    assert timers.first(case.state) is None
    assert timers.fire(timer, case.state, case.house, lambda _: True, LATER * 2) == ()


@pytest.mark.parametrize("kind", CASES)
def test_after_a_restart_the_same_timer_has_the_same_name(kind: str) -> None:
    case = CASES[kind]()
    timer, again = timers.first(case.state), timers.first(case.again())
    assert timer is not None and again is not None
    assert timer.command(case.state) == again.command(case.again())
    case.now_ms = timer.due_ms
    fire(case)
    assert timer.command(case.state) in case.again().commands


def test_of_several_the_first_comes_first() -> None:
    case = _promised().add(f.TaskAdded(task="t", agent="maya", due_ms=LATER - 1))
    case.add(f.TaskAdded(task="u", agent="maya", due_ms=LATER + 1))
    case.now_ms = LATER * 2
    kinds = [type(fact).__name__ for _ in range(3) for fact in fire(case)]
    assert kinds == ["TaskReminded", "Warned", "TaskReminded"] and timers.first(case.state) is None


class TestWrapUp:
    """Nobody chose."""

    def test_the_default_stands(self) -> None:
        case = _wrap_up()
        assert (case.state.disposition, case.state.wrap is not None) == ("", True)
        case.now_ms += 60_000
        (fact,) = fire(case)
        assert fact == f.WrappedUp(agent="maya", disposition="solved", tags=("card",), is_timeout=True)
        assert (case.state.disposition, case.state.tags, case.state.wrap) == ("solved", ("card",), None)

    def test_more_time_puts_it_off(self) -> None:
        case = _wrap_up()
        case.do(c.MoreTime(id="more", conversation=CASE))
        case.now_ms += 60_000
        assert fire(case) == ()
        case.now_ms += 30_000
        assert fire(case)

    @pytest.mark.parametrize("wish", [c.Reopen(id="r", conversation=CASE), None])
    def test_a_case_that_is_open_again_has_none(self, wish: c.Reopen | None) -> None:
        case = _wrap_up()
        if wish is not None:
            case.do(wish, JONAS)
        else:
            case.add(f.Reopened(queue="orders"), received("2"), f.Queued(queue="orders"))
        assert case.state.wrap is None and timers.first(case.state) is None

    def test_a_mandatory_one_waits_for_ever(self) -> None:
        case = closed().add(f.WrapUpBegan(agent="maya", mode="mandatory"))
        assert timers.first(case.state) is None


class TestSnooze:
    """Its time came."""

    def test_it_wakes_with_its_owner(self) -> None:
        case = _asleep()
        case.now_ms = LATER
        assert fire(case) == (f.Woken(reason="time"),)
        assert (case.state.owner, case.state.snooze) == ("maya", None)

    def test_it_goes_back_to_the_queue_if_the_owner_is_away(self) -> None:
        case = _asleep()
        case.now_ms = LATER
        fire(case, is_here=False)
        assert (case.state.status, case.state.owner, case.state.snooze) == ("queued", "", None)
        back = case.log[-1][1].facts[-1]
        assert back == f.Queued(queue="orders", reason="its time came while Maya was away")

    def test_the_customer_wakes_it_before(self) -> None:
        case = _asleep().add(received("2"))
        assert (case.state.snooze, timers.first(case.state)) == (None, None)

    def test_without_a_time_only_the_customer_wakes_it(self) -> None:
        case = owned().add(f.Snoozed(agent="maya"))
        assert timers.first(case.state) is None

    def test_the_clock_of_the_resolution_goes_on(self) -> None:
        case = at_work(owned(), RULED)
        case.add(f.Targeted(what="resolution", due_ms=case.now_ms + 600_000, from_ms=case.now_ms, work_s=600))
        case.do(c.Snooze(id="s", conversation=CASE, until_ms=LATER))
        assert case.state.promises["resolution"].left_s is not None
        case.now_ms = LATER
        fire(case)
        due_ms = case.state.promises["resolution"].due_ms
        assert due_ms is not None and LATER + 590_000 < due_ms <= LATER + 600_000


class TestTasks:
    """Reminded once, and again only for another time."""

    def test_another_time_reminds_again_and_the_same_does_not(self) -> None:
        case = _task()
        case.now_ms = LATER
        fire(case)
        case.do(c.ChangeTask(id="same", conversation=CASE, task="t", text="x", due_ms=LATER))
        assert timers.first(case.state) is None
        case.do(c.ChangeTask(id="other", conversation=CASE, task="t", due_ms=LATER + 10**6))
        timer = timers.first(case.state)
        assert timer is not None and timer.due_ms == LATER + 10**6

    def test_a_closed_case_reminds_and_a_merged_or_erased_one_does_not(self) -> None:
        task = f.TaskAdded(task="t", agent="maya", due_ms=LATER)
        assert timers.first(closed().add(task).state) is not None
        assert timers.first(queued().add(task, f.Merged(into="case-2", agent="maya")).state) is None
        assert timers.first(queued().add(task, f.Erased(agent="olga")).state) is None

    def test_a_task_that_is_done_reminds_nobody(self) -> None:
        case = _task()
        case.do(c.FinishTask(id="done", conversation=CASE, task="t"), MAYA)
        assert timers.first(case.state) is None


class TestWarnings:
    """Once for every promise."""

    def test_an_answer_in_time_needs_none(self) -> None:
        case = _promised()
        case.add(f.Replied(message="m", agent="maya", channel="support", channel_kind="email", handle="h"))
        assert timers.first(case.state) is None

    def test_a_promise_reckoned_anew_warns_anew(self) -> None:
        case = _promised()
        case.now_ms = LATER
        fire(case)
        case.add(f.Targeted(what="first", due_ms=LATER + 99, warn_ms=LATER + 9))
        timer = timers.first(case.state)
        assert timer is not None and timer.due_ms == LATER + 9

    def test_a_warning_for_an_older_promise_counts_for_nothing(self) -> None:
        case = _promised().add(f.Warned(what="first", due_ms=1))
        assert timers.first(case.state) is not None

    def test_no_share_no_warning_and_a_clock_that_stands_still_has_none(self) -> None:
        case = owned().add(f.Targeted(what="first", due_ms=LATER))
        assert timers.first(case.state) is None
        case.add(f.Targeted(what="resolution", left_s=5, warn_ms=LATER))
        assert timers.first(case.state) is None
