"""Whoever knows the customer, else the one with the least to do.

Law: pure; asks the index and nothing else.
"""

from __future__ import annotations

from broker_bridge.contract.ids import AgentId
from broker_bridge.core.routing.index import Index, Request


def choose(index: Index, request: Request) -> tuple[AgentId, ...]:
    """Whom to ring: one, or nobody."""
    agent = index.evenly(request)
    return (agent,) if agent else ()
