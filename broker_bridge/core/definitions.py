"""Queues and the desk as LOG defines them, and the policy that they are together.

Law: what was not defined works by the defaults of `contract.policy`: a queue that a channel names is a queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import DeskRules, Disposition, QueueRules, Skill
from broker_bridge.core.state import OWNED, Consult, Offer, Snooze, WrapUp

DESK = "desk"
"""Name of the one aggregate of its kind: `cc.log.house.desk`."""
USUAL = QueueRules()


class QueueDefinition(msgspec.Struct, kw_only=True):
    """One queue after all facts so far."""

    id: QueueId
    rules: QueueRules = USUAL
    source: str = ""
    is_active: bool = False
    at_ms: int = 0
    seq: int = 0


def begin_queue(queue: str) -> QueueDefinition:
    return QueueDefinition(id=queue)


def fold_queue(state: QueueDefinition, entry: Entry, seq: int) -> QueueDefinition:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        if isinstance(fact, f.QueueDefined):
            state.rules, state.is_active, state.at_ms = fact.rules, True, entry.at_ms
            # What the file said last is remembered through changes by command: only a changed file counts again.
            state.source = fact.source or state.source
        elif isinstance(fact, f.QueueRemoved):
            state.is_active, state.at_ms = False, entry.at_ms
    state.seq = seq
    return state


class DeskDefinition(msgspec.Struct, kw_only=True):
    """The rules of the house after all facts so far."""

    id: str
    rules: DeskRules = DeskRules()
    source: str = ""
    at_ms: int = 0
    seq: int = 0


def begin_desk(name: str) -> DeskDefinition:
    return DeskDefinition(id=name)


def fold_desk(state: DeskDefinition, entry: Entry, seq: int) -> DeskDefinition:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        if isinstance(fact, f.DeskRuled):
            state.rules, state.at_ms = fact.rules, entry.at_ms
            state.source = fact.source or state.source
    state.seq = seq
    return state


class Stands(Protocol):
    """What is asked of a case here: its state, or how it stands for the floor."""

    @property
    def status(self) -> str: ...
    @property
    def queue(self) -> QueueId: ...
    @property
    def channel_kind(self) -> str: ...
    @property
    def owner(self) -> AgentId: ...
    @property
    def offer(self) -> Offer | None: ...
    @property
    def consult(self) -> Consult | None: ...
    @property
    def wrap(self) -> WrapUp | None: ...
    @property
    def snooze(self) -> Snooze | None: ...
    @property
    def waiting_since_ms(self) -> int | None: ...
    @property
    def skills(self) -> tuple[Skill, ...]: ...
    @property
    def widened(self) -> int: ...
    @property
    def priority(self) -> int: ...


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All definitions in force."""

    queues: Mapping[QueueId, QueueRules] = {}
    desk: DeskRules = DeskRules()
    version: int = 0
    """LOG sequence of the newest definition."""
    since_ms: int = 0

    def rules(self, queue: QueueId) -> QueueRules:
        return self.queues.get(queue, USUAL)

    def outcomes(self, queue: QueueId) -> tuple[Disposition, ...]:
        """What a case of this queue may be closed as, the usual one first."""
        return self.rules(queue).dispositions or self.desk.dispositions

    def default_outcome(self, queue: QueueId) -> str:
        """Used when nobody chooses; empty if there is none at all."""
        found = self.outcomes(queue)
        return self.rules(queue).default_disposition or (found[0].name if found else "")

    def title(self, queue: QueueId) -> str:
        return self.rules(queue).title or queue

    def priority(self, state: Stands) -> int:
        return state.priority or self.rules(state.queue).priority

    def needs(self, state: Stands) -> tuple[Skill, ...]:
        """Skills that whoever takes it must have now: the queue's and its own, lowered as far as it was widened."""
        if not state.skills and not state.widened:
            # Nearly all of 100,000 that wait: the queue's own tuple.
            return self.rules(state.queue).needs
        wanted: dict[str, int] = {}
        for one in (*self.rules(state.queue).needs, *state.skills):
            wanted[one.name] = max(one.level, wanted.get(one.name, 0))
        return tuple(
            Skill(name=name, level=level - state.widened)
            for name, level in sorted(wanted.items())
            if level > state.widened
        )

    def units(self, state: Stands) -> int:
        """Cost units that it takes of whoever works on it."""
        return self.desk.cost(state.channel_kind).units

    def taken(self, state: Stands) -> tuple[tuple[AgentId, int], ...]:
        """(agent, units) of everybody who has places taken by it: its owner, whoever rings, talks along or wraps up."""
        cost = self.desk.cost(state.channel_kind)
        found: list[tuple[AgentId, int]] = []
        if state.status == OWNED and (cost.idle_counts or not is_idle(state)):
            found.append((state.owner, cost.units))
        if state.offer is not None:
            found.extend((agent, cost.units) for agent in state.offer.everybody)
        if state.consult is not None:
            found.append((state.consult.agent, cost.units))
        if state.wrap is not None and state.wrap.is_binding:
            found.append((state.wrap.agent, cost.units))
        return tuple(found)


def is_idle(state: Stands) -> bool:
    """Nobody of ours has to do anything about it now."""
    return state.snooze is not None or state.waiting_since_ms is None
