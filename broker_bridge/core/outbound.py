"""The outbound rule: what dispatch may do with the next reply of a conversation, and what the outcome becomes.

Law: one in flight a conversation, oldest first. `Sending` is the claim. A claim whose outcome is missing is repeated
only where the channel's send is idempotent; otherwise it is `unknown` once its deadline is past. Never sent twice by the machine.
"""

from __future__ import annotations

from collections.abc import Container

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import MessageId
from broker_bridge.core import delivery
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.delivery import Outgoing
from broker_bridge.core.retry import MAX_ATTEMPTS, delay_s

CLAIM = "claim"
WAIT = "wait"
GIVE_UP = "give_up"
NOTHING = "nothing"
LONGEST_CALL_MS = 15 * 60_000
"""A deadline further ahead was set by a clock that was put back since: nobody waits a day for it."""


def next_step(
    state: Conversation, is_idempotent: bool, now_ms: int, dead: Container[str] = ()
) -> tuple[str, Outgoing | None, int]:
    """What to do now: (step, the reply, when to look again in ms).

    Steps: `claim` = append Sending, then call the provider; `wait` = look again at the time given; `give_up` = append SendUnknown;
    `nothing` = no work.

    Args:
        dead: boots that surely run no more: nobody is still calling the provider for them, so their deadline is not waited for.
    """
    out = state.next_out()
    if out is None:
        return NOTHING, None, 0
    if out.state == delivery.QUEUED:
        return (CLAIM, out, now_ms) if out.due_ms <= now_ms else (WAIT, out, out.due_ms)
    is_of_another_clock = out.deadline_ms - now_ms > LONGEST_CALL_MS
    if now_ms <= out.deadline_ms and out.bridge not in dead and not is_of_another_clock:
        return WAIT, out, out.deadline_ms + 1
    return (CLAIM, out, now_ms) if is_idempotent else (GIVE_UP, out, now_ms)


def claimed(out: Outgoing, bridge: str, timeout_s: float, now_ms: int) -> f.Sending:
    """The claim of the next attempt; its deadline leaves 5 s beyond the provider's timeout."""
    return f.Sending(
        message=out.fact.message,
        attempt=out.attempt + 1,
        deadline_ms=now_ms + int(timeout_s * 1000) + 5_000,
        bridge=bridge,
    )


def failed(
    message: MessageId,
    attempt: int,
    code: str,
    reason: str,
    retryable: bool,
    retry_after_s: float | None,
    now_ms: int,
    jitter: float,
) -> f.SendFailed:
    """The fact of a certain failure, with the time of the next try where one makes sense. `jitter`: 0 to 1."""
    retry_at_ms = None
    if retryable and attempt < MAX_ATTEMPTS:
        wait_s = max(delay_s(attempt), retry_after_s or 0.0) * (1 + 0.2 * jitter)
        retry_at_ms = now_ms + int(wait_s * 1000)
    return f.SendFailed(message=message, attempt=attempt, code=code, reason=reason, retry_at_ms=retry_at_ms)
