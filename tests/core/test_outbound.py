"""One in flight, oldest first, never twice by the machine: the tables of delivery, dispatch and retries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import ConversationFact
from broker_bridge.core import delivery, outbound, retry
from tests.core.world import Case, owned, replied

STATES = list(delivery.MOVES)
A = "message-a"


def sending(attempt: int = 1, deadline_ms: int = 0) -> f.Sending:
    return f.Sending(message=A, attempt=attempt, deadline_ms=deadline_ms, bridge="b")


def no(attempt: int = 1, retry_at_ms: int | None = None) -> f.SendFailed:
    return f.SendFailed(message=A, attempt=attempt, code="refused", reason="No.", retry_at_ms=retry_at_ms)


def yes(attempt: int = 1) -> f.Sent:
    return f.Sent(message=A, attempt=attempt)


def who_knows(attempt: int = 1) -> f.SendUnknown:
    return f.SendUnknown(message=A, attempt=attempt)


AGAIN = f.SentAgain(message=A, agent="maya")
DELIVERED = f.Delivered(message=A)
READ = f.Read(message=A)
BOUNCED = f.Bounced(message=A)


def _case(*facts: ConversationFact) -> Case:
    case = owned().add(replied("a"))
    for fact in facts:
        case.add(fact)
    return case


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to", STATES)
def test_a_message_moves_along_the_table_or_stays(state: str, to: str) -> None:
    expected = {
        "queued": {"sending"},
        "sending": {"sent", "failed", "unknown", "queued", "delivered", "read"},
        "unknown": {"sent", "delivered", "read", "failed", "queued"},
        "sent": {"delivered", "read", "failed"},
        "delivered": {"read", "failed"},
        "read": set(),
        "failed": {"queued"},
    }
    assert delivery.moved(state, to) == (to if to in expected[state] else state)


def test_every_state_has_a_word_and_moves() -> None:
    assert set(delivery.WORDS) == set(delivery.MOVES)
    assert set(delivery.MOVES) - delivery.SETTLED == {"queued", "sending"}


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ((), "queued"),
        ((sending(),), "sending"),
        ((sending(), yes()), "sent"),
        ((sending(), yes(), DELIVERED, READ), "read"),
        ((sending(), yes(), READ, DELIVERED), "read"),
        ((sending(), DELIVERED, yes()), "delivered"),
        ((sending(), READ), "read"),
        ((sending(), no()), "failed"),
        ((sending(), no(retry_at_ms=9)), "queued"),
        ((sending(), no(retry_at_ms=9), sending(2), yes(2)), "sent"),
        ((sending(), who_knows()), "unknown"),
        ((sending(), who_knows(), yes()), "sent"),
        ((sending(), who_knows(), DELIVERED), "delivered"),
        ((sending(), who_knows(), no()), "failed"),
        ((sending(), who_knows(), no(retry_at_ms=9)), "unknown"),
        ((sending(), who_knows(), BOUNCED), "failed"),
        ((sending(), who_knows(), AGAIN), "queued"),
        ((sending(), yes(), BOUNCED), "failed"),
        ((sending(), yes(), DELIVERED, BOUNCED), "failed"),
        ((sending(), no(), AGAIN), "queued"),
        ((sending(), no(), AGAIN, sending(2), yes(2)), "sent"),
        ((sending(), no(), yes()), "failed"),
        ((sending(), yes(), AGAIN), "sent"),
        ((sending(), yes(), who_knows()), "sent"),
        ((sending(), yes(), no()), "sent"),
        ((yes(),), "queued"),
        ((DELIVERED,), "queued"),
        # Late news of an attempt after which another one was claimed.
        ((sending(), who_knows(), AGAIN, sending(2), no(1, retry_at_ms=9)), "sending"),
        ((sending(), who_knows(), AGAIN, sending(2), no(1)), "sending"),
        ((sending(), who_knows(), AGAIN, sending(2), who_knows(1)), "sending"),
        ((sending(), who_knows(), AGAIN, sending(2), yes(1)), "sent"),
        ((sending(), who_knows(), AGAIN, sending(2), who_knows(2), no(1)), "unknown"),
        ((sending(), who_knows(), AGAIN, sending(2), yes(2), no(1)), "sent"),
    ],
)
def test_the_fold_of_outcomes(facts: tuple[ConversationFact, ...], state: str) -> None:
    case = _case(*facts)
    assert case.state.delivery_of(A) == state
    assert (A in case.state.out) is (state in ("queued", "sending"))


@pytest.mark.parametrize(
    ("facts", "is_stuck"),
    [
        ((sending(), no()), True),
        ((sending(), who_knows()), True),
        ((sending(), who_knows(), BOUNCED), True),
        ((sending(), who_knows(), no()), True),
        ((sending(), who_knows(), DELIVERED), False),
        ((sending(), no(retry_at_ms=9)), False),
        ((sending(), yes()), False),
        ((sending(), no(), AGAIN), False),
        # What was sent is let go of: its words are in the log, and an agent writes anew after a bounce.
        ((sending(), yes(), BOUNCED), False),
    ],
)
def test_a_human_decides_about_what_failed_or_is_unknown(facts: tuple[ConversationFact, ...], is_stuck: bool) -> None:
    assert (A in _case(*facts).state.stuck) is is_stuck


def test_a_stuck_reply_says_the_same_as_its_end() -> None:
    case = _case(sending(), who_knows(), BOUNCED)
    assert case.state.ends[A] == "failed"
    assert case.state.stuck[A].state == "failed"


def test_a_superseded_attempt_is_known_as_such() -> None:
    case = _case(sending(), who_knows(), AGAIN, sending(2))
    assert case.state.is_superseded(A, 1)
    assert not case.state.is_superseded(A, 2)
    assert not case.state.is_superseded("message-other", 1)
    case.add(who_knows(2))
    assert case.state.is_superseded(A, 1) and not case.state.is_superseded(A, 2)


@pytest.mark.parametrize(
    ("facts", "is_idempotent", "now_ms", "step", "look_again_ms"),
    [
        ((), False, 100, outbound.CLAIM, 100),
        ((sending(1, 500),), False, 100, outbound.WAIT, 501),
        ((sending(1, 500),), False, 500, outbound.WAIT, 501),
        ((sending(1, 500),), True, 500, outbound.WAIT, 501),
        ((sending(1, 500),), False, 501, outbound.GIVE_UP, 501),
        ((sending(1, 500),), True, 501, outbound.CLAIM, 501),
        ((sending(1, 500), no(retry_at_ms=900)), False, 899, outbound.WAIT, 900),
        ((sending(1, 500), no(retry_at_ms=900)), False, 900, outbound.CLAIM, 900),
        ((sending(1, 500), no()), False, 10**9, outbound.NOTHING, 0),
        ((sending(1, 500), yes()), False, 10**9, outbound.NOTHING, 0),
        ((sending(1, 500), who_knows()), True, 10**9, outbound.NOTHING, 0),
        ((sending(1, 500), no(retry_at_ms=900), sending(2, 800), who_knows(2), AGAIN), False, 100, outbound.CLAIM, 100),
    ],
)
def test_what_dispatch_does_next(
    facts: tuple[ConversationFact, ...], is_idempotent: bool, now_ms: int, step: str, look_again_ms: int
) -> None:
    found, out, again_ms = outbound.next_step(_case(*facts).state, is_idempotent, now_ms)
    assert (found, again_ms) == (step, look_again_ms)
    assert (out is None) is (step == outbound.NOTHING)


def test_a_dead_runs_deadline_is_not_waited_for() -> None:
    state = _case(sending(1, 500)).state
    (out,) = state.out.values()
    assert outbound.next_step(state, False, 100, {out.bridge})[0] == outbound.GIVE_UP
    assert outbound.next_step(state, True, 100, {out.bridge})[0] == outbound.CLAIM
    assert outbound.next_step(state, True, 100, {"another"})[0] == outbound.WAIT


def test_the_second_reply_waits_for_the_first() -> None:
    case = _case().add(replied("b"))
    assert [outbound.next_step(case.state, False, 10**15)[1]] == [case.state.out[A]]
    case.add(sending(1, 10**15 + 1_000))
    assert outbound.next_step(case.state, False, 10**15)[0] == outbound.WAIT
    case.add(yes())
    step, out, _ = outbound.next_step(case.state, False, 10**15)
    assert step == outbound.CLAIM and out is not None and out.fact.message == "message-b"


def test_what_is_sent_again_goes_behind_what_waits() -> None:
    case = _case(sending(), no()).add(replied("b"))
    case.add(AGAIN)
    assert list(case.state.out) == ["message-b", A]


def test_a_claim_counts_attempts_and_leaves_the_provider_five_seconds() -> None:
    case = _case(sending(), no(retry_at_ms=9))
    claim = outbound.claimed(case.state.out[A], "bridge-2", 30.0, 1_000)
    assert claim == f.Sending(message=A, attempt=2, deadline_ms=36_000, bridge="bridge-2")


@pytest.mark.parametrize(
    ("attempt", "retryable", "retry_after_s", "jitter", "wait_ms"),
    [
        (1, True, None, 0.0, 2_000),
        (1, True, None, 1.0, 2_400),
        (2, True, None, 0.0, 4_000),
        (1, True, 60.0, 0.0, 60_000),
        (11, True, 10.0, 0.0, 300_000),
        (retry.MAX_ATTEMPTS, True, None, 0.0, None),
        (1, False, None, 0.0, None),
        (1, False, 60.0, 0.0, None),
    ],
)
def test_when_a_failed_attempt_is_repeated(
    attempt: int, retryable: bool, retry_after_s: float | None, jitter: float, wait_ms: int | None
) -> None:
    fact = outbound.failed(A, attempt, "throttled", "Later.", retryable, retry_after_s, 1_000, jitter)
    assert fact.retry_at_ms == (None if wait_ms is None else 1_000 + wait_ms)
    assert (fact.message, fact.attempt, fact.code, fact.reason) == (A, attempt, "throttled", "Later.")


def test_delays_double_from_two_seconds_to_five_minutes() -> None:
    assert [retry.delay_s(attempt) for attempt in range(1, 13)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]
    assert retry.delay_s(10**6) == 300


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    with pytest.raises(ValueError):
        retry.delay_s(attempt)


@given(
    st.integers(min_value=1, max_value=11), st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=9999)
)
def test_a_retry_is_never_sooner_than_asked(attempt: int, jitter: float, retry_after_s: float) -> None:
    fact = outbound.failed(A, attempt, "throttled", "Later.", True, retry_after_s, 0, jitter)
    assert fact.retry_at_ms is not None
    assert fact.retry_at_ms >= max(retry_after_s, retry.delay_s(attempt)) * 1000 - 1
