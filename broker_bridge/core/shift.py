"""When a colleague was there, and the places that were given to them: two small aggregates beside `core.colleague`."""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId


class Shift(msgspec.Struct, kw_only=True):
    """What a colleague said last about being there."""

    id: AgentId
    state: str = "off"
    reason: str = ""
    until_ms: int | None = None
    since_ms: int = 0
    seq: int = 0


def begin_shift(agent: str) -> Shift:
    return Shift(id=agent)


def fold_shift(state: Shift, entry: Entry, seq: int) -> Shift:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        if isinstance(fact, f.PresenceSet):
            state.state, state.reason, state.until_ms = fact.state, fact.reason, fact.until_ms
            state.since_ms = entry.at_ms
    state.seq = seq
    return state


class Load(msgspec.Struct, kw_only=True):
    """The order in which places of one agent were given: its sequence is what counts.

    How many are taken stands in the conversations (`Policy.taken`); whoever gives expects the last sequence that they have taken
    into account, so that nobody gives on an old picture.
    """

    id: AgentId
    seq: int = 0


def begin_load(agent: str) -> Load:
    return Load(id=agent)


def fold_load(state: Load, entry: Entry, seq: int) -> Load:
    """`state` after one message of LOG; the same object."""
    state.seq = seq
    return state
