"""One agent as the log knows them: who may sign in, with which role."""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, QueueId


class Enrollment(msgspec.Struct, kw_only=True):
    """The state of one agent after all facts so far."""

    id: AgentId
    name: str = ""
    public_key: str = ""
    role: str = "agent"
    queues: tuple[QueueId, ...] = ()
    capacity: int = 6
    is_active: bool = False
    seq: int = 0


def begin(agent: AgentId) -> Enrollment:
    return Enrollment(id=agent)


def fold(state: Enrollment, entry: Entry, seq: int) -> Enrollment:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        if isinstance(fact, f.Enrolled):
            state.name, state.public_key, state.role = fact.name, fact.public_key, fact.role
            state.queues, state.capacity = fact.queues, fact.capacity
            state.is_active = True
        elif isinstance(fact, f.Dismissed):
            state.is_active = False
    state.seq = seq
    return state
