"""The agent with the most room, the last one who knew the customer first.

Law: pure; the same inputs choose the same agent. An agent is never offered more than their capacity, owned and ringing together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from broker_bridge.contract.ids import AgentId, QueueId

ASK_AGAIN_MS = 60_000
"""Who let an offer pass is not asked about the same conversation for a minute."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as the router sees them."""

    agent: AgentId
    queues: tuple[QueueId, ...]
    """Empty = every queue."""
    is_ready: bool
    load: int
    """Conversations owned and offered."""
    capacity: int
    idle_since_ms: int
    """When they were last given something: who waits longest comes first among equals."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    agent: AgentId
    reason: str
    """For the agent and the log, in words."""


def choose(
    candidates: Iterable[Candidate],
    queue: QueueId,
    last_agent: AgentId,
    declined: Mapping[AgentId, int],
    now_ms: int,
) -> Choice | None:
    """Whom to ask; None: nobody is free.

    Args:
        last_agent: who served this customer last, or empty.
        declined: who let an offer of this conversation pass, and when.
    """
    free = [
        one
        for one in candidates
        if one.is_ready
        and one.load < one.capacity
        and (not one.queues or queue in one.queues)
        and now_ms - declined.get(one.agent, -ASK_AGAIN_MS) >= ASK_AGAIN_MS
    ]
    if not free:
        return None
    for one in free:
        if one.agent == last_agent:
            return Choice(agent=one.agent, reason="knows the customer")
    best = min(free, key=lambda one: (one.load / one.capacity, one.idle_since_ms, one.agent))
    return Choice(agent=best.agent, reason=f"has room: {best.load} of {best.capacity}")
