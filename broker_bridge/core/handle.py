"""One address of one channel kind: whose it is, and which conversation its messages join.

Law: opening or reopening a conversation appends to the handle and to the conversation in one batch; so one sender has one
conversation, however many messages arrive at once on however many bridges.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import ConversationId, CustomerId, HandleId
from broker_bridge.contract.words import opened

RECENT = 20


class Handle(msgspec.Struct, kw_only=True):
    """The state of one handle after all facts so far."""

    id: HandleId
    customer: CustomerId = ""
    channel_kind: str = ""
    address: str = ""
    name: str = ""
    conversation: ConversationId = ""
    """Where its next message goes; empty = nowhere yet."""
    recent: tuple[ConversationId, ...] = ()
    """Newest last, at most 20, `conversation` among them."""
    is_erased: bool = False
    seq: int = 0


def begin(handle: HandleId) -> Handle:
    return Handle(id=handle)


def fold(state: Handle, entry: Entry, seq: int) -> Handle:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        if isinstance(fact, f.Bound):
            words = opened(fact.words)
            state.customer, state.channel_kind = fact.customer, fact.channel_kind
            state.address, state.name = words.address, words.name
            state.is_erased = False
        elif isinstance(fact, f.Began):
            state.conversation = fact.conversation
            others = tuple(one for one in state.recent if one != fact.conversation)
            state.recent = (*others, fact.conversation)[-RECENT:]
        elif isinstance(fact, f.Erased):
            state.customer = state.address = state.name = state.conversation = ""
            state.recent = ()
            state.is_erased = True
    state.seq = seq
    return state
