"""One person: their name and the addresses that are theirs."""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import CustomerId, HandleId
from broker_bridge.contract.words import opened

FIELDS = ("name", "speaks", "about", "tier", "responsible")


class Owned(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An address of this person."""

    handle: HandleId
    channel_kind: str
    address: str
    is_proved: bool


class Customer(msgspec.Struct, kw_only=True):
    """The state of one customer after all facts so far."""

    id: CustomerId
    name: str = ""
    speaks: str = ""
    about: str = ""
    tier: str = ""
    responsible: str = ""
    """Id of the colleague who looks after them."""
    handles: dict[HandleId, Owned] = {}
    since_ms: int = 0
    is_erased: bool = False
    commands: dict[str, int] = {}
    seq: int = 0


def begin(customer: CustomerId) -> Customer:
    return Customer(id=customer)


def fold(state: Customer, entry: Entry, seq: int) -> Customer:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        if isinstance(fact, f.Created):
            state.since_ms = entry.at_ms
            state.name = opened(fact.words).name
        elif isinstance(fact, f.HandleAdded):
            owned = Owned(
                handle=fact.handle,
                channel_kind=fact.channel_kind,
                address=opened(fact.words).address,
                is_proved=fact.is_proved,
            )
            state.handles[fact.handle] = owned
        elif isinstance(fact, f.Described) and fact.field in FIELDS:
            setattr(state, fact.field, opened(fact.words).text)
        elif isinstance(fact, f.Erased):
            state.handles = {}
            state.name = state.speaks = state.about = state.tier = state.responsible = ""
            state.is_erased = True
    if entry.command:
        state.commands[entry.command] = entry.at_ms
        if len(state.commands) > 200:
            del state.commands[next(iter(state.commands))]
    state.seq = seq
    return state
