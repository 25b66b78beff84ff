"""How a case stands, as far as the floor is concerned: a small part of its state that 100,000 of can be read at once.

Law: everything here is a copy of the state's; whoever decides looks at the state.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.ids import AgentId, ConversationId, CustomerId, QueueId
from broker_bridge.contract.policy import Skill
from broker_bridge.core import timers
from broker_bridge.core.state import RESOLUTION, Consult, Conversation, Offer, Snooze, WrapUp


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """As of `seq`."""

    id: ConversationId
    seq: int
    status: str
    queue: QueueId = ""
    customer: CustomerId = ""
    channel_kind: str = ""
    owner: AgentId = ""
    last_owner: AgentId = ""
    offer: Offer | None = None
    consult: Consult | None = None
    wrap: WrapUp | None = None
    snooze: Snooze | None = None
    waiting_since_ms: int | None = None
    queued_ms: int = 0
    skills: tuple[Skill, ...] = ()
    steps: int = 0
    widened: int = 0
    priority: int = 0
    reply_s: int | None = None
    """Its reply target."""
    timer: timers.Timer | None = None
    resolve_ms: int | None = None
    """When it must be resolved, if that was promised and the clock runs."""


def standing(state: Conversation) -> Standing:
    """How it stands now."""
    promised = state.promises.get("first") or state.promises.get("next")
    end = state.promises.get(RESOLUTION)
    return Standing(
        id=state.id,
        seq=state.seq,
        status=state.status,
        queue=state.queue,
        customer=state.customer,
        channel_kind=state.channel_kind,
        owner=state.owner,
        last_owner=state.last_owner,
        offer=state.offer,
        consult=state.consult,
        wrap=state.wrap,
        snooze=state.snooze,
        waiting_since_ms=state.waiting_since_ms,
        queued_ms=state.queued_ms,
        skills=state.skills,
        steps=state.steps,
        widened=state.widened,
        priority=state.priority,
        reply_s=promised.work_s if promised else state.reply_within_s,
        timer=timers.first(state),
        resolve_ms=end.due_ms if end is not None else None,
    )


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Standing).decode
