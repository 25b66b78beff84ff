"""All who may take it ring, and the first who accepts has it; whoever knows the customer is asked alone.

Law: pure; asks the index and nothing else.
"""

from __future__ import annotations

from broker_bridge.contract.ids import AgentId
from broker_bridge.core.routing.index import Index, Request


def choose(index: Index, request: Request) -> tuple[AgentId, ...]:
    """Whom to ring: those with the least to do first, at most 50, or nobody."""
    agent = index.preferred(request)
    return (agent,) if agent else tuple(index.fit(request))
