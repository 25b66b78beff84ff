"""When a promise to the customer begins, stands still, goes on and is reckoned anew: service levels as facts.

Law: a promise is reckoned once, by the rules that were in force then, and the fact keeps the result with its explanation; the fold
never looks at a clock or at hours. Functions give the facts that belong into the entry which causes them; each is called with the state
before that entry.
"""

from __future__ import annotations

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import QueueId
from broker_bridge.contract.policy import QueueRules, Target
from broker_bridge.core import sla
from broker_bridge.core.definitions import Policy
from broker_bridge.core.state import CLOSED, REPLIES, RESOLUTION, Conversation, Promise

Facts = tuple[f.ConversationFact, ...]


def on_message(
    state: Conversation, policy: Policy, now_ms: int, queue: QueueId = "", reply_s: int | None = None
) -> Facts:
    """The customer wrote, and a person is expected to answer.

    Args:
        queue: where a new case goes. reply_s: the channel's own target, for a new case.
    """
    rules = policy.rules(queue or state.queue)
    target = rules.target(state.priority or rules.priority)
    found: list[f.ConversationFact] = []
    if state.waiting_since_ms is None:
        found += _reply(state, rules, target, now_ms, now_ms, reply_s)
    kept = state.promises.get(RESOLUTION)
    if kept is None and target is not None and target.resolution_s:
        found += _started(RESOLUTION, rules, now_ms, target.resolution_s)
    elif kept is not None and kept.left_s is not None:
        found += _resumed(rules, kept, now_ms)
    return tuple(found)


def on_joined(state: Conversation, policy: Policy, now_ms: int) -> Facts:
    """A case in which the customer waits came to it: the clock of the resolution, if it stood still, goes on."""
    kept = state.promises.get(RESOLUTION)
    return tuple(_resumed(policy.rules(state.queue), kept, now_ms)) if kept and kept.left_s is not None else ()


def on_reply(state: Conversation, policy: Policy, now_ms: int) -> Facts:
    """We answered, and wait for the customer."""
    return _paused(state, policy.rules(state.queue), "waiting", now_ms)


def on_snooze(state: Conversation, policy: Policy, now_ms: int) -> Facts:
    """It sleeps. Whoever waits for an answer waits on: only the clock of the resolution may stand still."""
    return _paused(state, policy.rules(state.queue), "snoozed", now_ms)


def on_wake(state: Conversation, policy: Policy, now_ms: int, queue: QueueId = "") -> Facts:
    """It is awake again, and the customer has not written. `queue`: where it goes by that, if it goes."""
    rules = policy.rules(queue or state.queue)
    kept = state.promises.get(RESOLUTION)
    waits_for_them = state.waiting_since_ms is None and state.has_answer and "waiting" in rules.pauses
    if kept is None or kept.left_s is None or waits_for_them:
        return ()
    return tuple(_resumed(rules, kept, now_ms))


def on_change(state: Conversation, policy: Policy, now_ms: int, queue: QueueId = "", priority: int = 0) -> Facts:
    """Another queue or another priority: what runs is reckoned anew from when it began."""
    rules = policy.rules(queue or state.queue)
    target = rules.target(priority or state.priority or rules.priority)
    found: list[f.ConversationFact] = []
    if state.waiting_since_ms is not None:
        found += _reply(state, rules, target, state.waiting_since_ms, now_ms, None)
        running = next((what for what in REPLIES if what in state.promises), "")
        if running and not found:
            found.append(f.Targeted(what=running))
    kept = state.promises.get(RESOLUTION)
    if kept is not None:
        if target is None or not target.resolution_s:
            found.append(f.Targeted(what=RESOLUTION))
        elif kept.left_s is None and (target.resolution_s != kept.work_s or queue):
            found += _started(RESOLUTION, rules, kept.from_ms, target.resolution_s)
    return tuple(found)


def _reply(
    state: Conversation, rules: QueueRules, target: Target | None, from_ms: int, now_ms: int, reply_s: int | None
) -> list[f.ConversationFact]:
    # Whoever reopens a closed case waits for a first answer again.
    is_answered = state.has_answer and state.status != CLOSED
    what = "next" if is_answered else "first"
    promised = target and (target.next_reply_s if is_answered else target.first_reply_s)
    # The channel's own target (every kind has one) is for queues that promise nothing themselves.
    work_s = promised or reply_s or state.reply_within_s
    return _started(what, rules, from_ms, work_s) if work_s else []


def _started(what: str, rules: QueueRules, from_ms: int, work_s: int) -> list[f.ConversationFact]:
    due = sla.due(what, rules.hours, from_ms, work_s)  # type: ignore[arg-type]
    if due is None:
        return []
    return [_fact(due, rules)]


def _fact(due: sla.Due, rules: QueueRules) -> f.Targeted:
    return f.Targeted(
        what=due.what,
        due_ms=due.due_ms,
        from_ms=due.from_ms,
        work_s=due.work_s,
        because=due.because,
        warn_ms=sla.warn_at(due, rules.hours, rules.warn_share),
    )


def _resumed(rules: QueueRules, kept: Promise, now_ms: int) -> list[f.ConversationFact]:
    assert kept.left_s is not None
    due = sla.resumed(RESOLUTION, rules.hours, now_ms, kept.left_s, kept.work_s)  # type: ignore[arg-type]
    return [_fact(due, rules)] if due is not None else []


def _paused(state: Conversation, rules: QueueRules, pause: str, now_ms: int) -> Facts:
    kept = state.promises.get(RESOLUTION)
    if kept is None or kept.due_ms is None or pause not in rules.pauses:
        return ()
    due = sla.Due(what=RESOLUTION, due_ms=kept.due_ms, from_ms=kept.from_ms, work_s=kept.work_s, because=kept.because)  # type: ignore[arg-type]
    left_s = sla.paused(due, rules.hours, now_ms)
    why = "we wait for the customer" if pause == "waiting" else "it sleeps"
    return (
        f.Targeted(
            what=RESOLUTION, from_ms=kept.from_ms, work_s=kept.work_s, left_s=left_s, because=f"stands still: {why}"
        ),
    )
