"""One agent as the log knows them: who may sign in, with which role."""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import OTHER_COST, Hours, Seat, Skill


class Enrollment(msgspec.Struct, kw_only=True):
    """The state of one agent after all facts so far."""

    id: AgentId
    name: str = ""
    public_key: str = ""
    role: str = "agent"
    queues: tuple[QueueId, ...] = ()
    capacity: int = 6
    units: int = 0
    """As enrolled; `room` is what counts."""
    skills: tuple[Skill, ...] = ()
    shift: Hours | None = None
    source: str = ""
    is_active: bool = False
    seq: int = 0

    @property
    def room(self) -> int:
        """Cost units at once. Who was enrolled before there were units has their places times the usual cost."""
        return self.units or self.capacity * OTHER_COST

    @property
    def seat(self) -> Seat:
        return Seat(agent=self.id, queues=self.queues, skills=self.skills, units=self.room, shift=self.shift)


def begin(agent: AgentId) -> Enrollment:
    return Enrollment(id=agent)


def fold(state: Enrollment, entry: Entry, seq: int) -> Enrollment:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        if isinstance(fact, f.Enrolled):
            state.name, state.public_key, state.role = fact.name, fact.public_key, fact.role
            state.queues, state.capacity = fact.queues, fact.capacity
            state.units, state.skills, state.shift = fact.units, fact.skills, fact.shift
            state.source = fact.source or state.source
            state.is_active = True
        elif isinstance(fact, f.Dismissed):
            state.is_active = False
    state.seq = seq
    return state
