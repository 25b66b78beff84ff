"""Everything that can have happened, by aggregate; what LOG holds, for ever.

Law: facts are past tense and never change their meaning. To grow, add optional fields; never rename, retype or reuse a tag.
A bridge that meets a tag it does not know makes that aggregate read-only for itself (`UnknownFact`).
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.ids import AgentId, CommandId, ConversationId, CustomerId, HandleId, MessageId, QueueId
from broker_bridge.contract.words import Private


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """Something that happened to one aggregate."""


# ---- conversation: cc.log.conv.<id>


class Opened(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="opened"):
    """A case began."""

    customer: CustomerId
    handle: HandleId
    channel: str
    channel_kind: str
    queue: QueueId
    reply_within_s: int | None = None
    """First- and next-reply target that the channel's queue had then."""


class Received(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="received"):
    """The customer said something."""

    message: MessageId
    item: str
    """Id of the inbound item (`Stored.id`): the second delivery of one item is dropped by it."""
    handle: HandleId
    channel: str
    channel_kind: str
    source_ms: int | None = None
    digest: str = ""
    automatic: str = ""
    raw: str = ""
    words: Private | None = None


class DeliveredAgain(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="delivered_again"):
    """The same logical mail came a second time (another mailbox, another route); it is not shown twice."""

    message: MessageId
    item: str
    channel: str


class CouldNotBeRead(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="could_not_be_read"):
    """Something arrived that no rule could read; its source is kept."""

    message: MessageId
    item: str
    handle: HandleId
    channel: str
    channel_kind: str
    reason: str
    raw: str
    size_bytes: int = 0
    words: Private | None = None


class Suggested(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="suggested"):
    """A weak match: this case may belong to another one. An agent decides."""

    conversation: ConversationId
    reason: str


class Queued(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="queued"):
    """It waits for an agent. Whoever owned it does no more."""

    queue: QueueId
    reason: str = ""


class Offered(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="offered"):
    """One agent was asked to take it; nobody's ownership changes yet."""

    agent: AgentId
    until_ms: int
    reason: str = ""
    """Why this agent, in words."""
    is_transfer: bool = False
    """The owner asked (they keep it until the answer), not the router."""


class OfferEnded(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="offer_ended"):
    """The offer came to nothing."""

    agent: AgentId
    reason: str
    """`declined`, `expired` or `withdrawn`."""


class Accepted(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="accepted"):
    """An agent owns it from here, until the next epoch."""

    agent: AgentId
    epoch: int
    """Counts owners: 1 for the first."""


class Replied(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="replied"):
    """An agent answered; the answer is queued for its channel. Recipients are frozen here."""

    message: MessageId
    agent: AgentId
    channel: str
    channel_kind: str
    handle: HandleId
    in_reply_to: MessageId | None = None
    words: Private | None = None


class Sending(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="sending"):
    """A bridge claimed the attempt and is about to call the provider."""

    message: MessageId
    attempt: int
    deadline_ms: int
    bridge: str


class Sent(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="sent"):
    message: MessageId
    attempt: int
    provider_id: str = ""


class SendFailed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="send_failed"):
    """An attempt failed for certain."""

    message: MessageId
    attempt: int
    code: str
    """One of `channel.FAILURES`."""
    reason: str
    """Plain words for the agent."""
    retry_at_ms: int | None = None
    """None = final."""


class SendUnknown(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="send_unknown"):
    """Nobody can know whether it left. A human may send again; the machine does not."""

    message: MessageId
    attempt: int
    reason: str = ""


class Delivered(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="delivered"):
    message: MessageId
    item: str = ""


class Read(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="read"):
    message: MessageId
    item: str = ""


class Bounced(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="bounced"):
    """The provider took it and gave it back later."""

    message: MessageId
    item: str = ""
    reason: str = ""


class SentAgain(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="sent_again"):
    """A human decided to send a failed or unknown message once more."""

    message: MessageId
    agent: AgentId


class Noted(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="noted"):
    """A word between colleagues; never leaves the house."""

    message: MessageId
    agent: AgentId
    to: AgentId | None = None
    words: Private | None = None


class Transferred(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="transferred"):
    """The owner passed it on; stands before the `Queued` or `Offered` that carries it out."""

    agent: AgentId
    to_agent: AgentId | None = None
    to_queue: QueueId | None = None
    words: Private | None = None


class Seen(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="seen"):
    """Its owner looked at all messages so far. Supervisors and visitors never cause it."""

    agent: AgentId


class Closed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="closed"):
    agent: AgentId
    disposition: str
    words: Private | None = None


class Reopened(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="reopened"):
    agent: AgentId | None = None
    """None: the customer wrote again."""
    queue: QueueId


class Erased(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="erased"):
    """The person was erased: the key is gone, this stays the last message of the aggregate."""

    agent: AgentId


# ---- handle: cc.log.hand.<h>


class Bound(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="bound"):
    """This address belongs to a customer."""

    customer: CustomerId
    channel_kind: str
    words: Private | None = None


class Began(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="began"):
    """The address's messages go to this conversation from here on (opened or reopened)."""

    conversation: ConversationId


# ---- customer: cc.log.cust.<id>


class Created(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="created"):
    words: Private | None = None


class HandleAdded(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="handle_added"):
    handle: HandleId
    channel_kind: str
    is_proved: bool = False
    words: Private | None = None


class Described(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="described"):
    """Something about the person changed: `name`, `speaks`, `tier` or `about`; the value is in the words' text."""

    field: str
    agent: AgentId | None = None
    words: Private | None = None


# ---- agent: cc.log.agent.<id>


class Enrolled(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="enrolled"):
    """A colleague may sign in."""

    name: str
    public_key: str
    """NKey user key, `U` and 55 characters."""
    role: str = "agent"
    """`agent`, `supervisor` or `admin`."""
    queues: tuple[QueueId, ...] = ()
    capacity: int = 6
    """Conversations that the router gives at once."""


class Dismissed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="dismissed"):
    """A colleague may no longer sign in."""


# ---- count: cc.log.count.<channel>


class Counted(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="counted"):
    """What left IN for good, so that the ledger still adds up."""

    channel: str
    stored: int
    quarantined: int
    up_to_seq: int


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of a later version: kept, never folded."""

    kind: str


ConversationFact = (
    Opened
    | Received
    | DeliveredAgain
    | CouldNotBeRead
    | Suggested
    | Queued
    | Offered
    | OfferEnded
    | Accepted
    | Replied
    | Sending
    | Sent
    | SendFailed
    | SendUnknown
    | Delivered
    | Read
    | Bounced
    | SentAgain
    | Noted
    | Transferred
    | Seen
    | Closed
    | Reopened
    | Erased
)
HandleFact = Bound | Began
CustomerFact = Created | HandleAdded | Described
AgentFact = Enrolled | Dismissed
AnyFact = ConversationFact | HandleFact | CustomerFact | AgentFact | Counted


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of LOG: the facts of one decision on one aggregate."""

    v: int = 1
    at_ms: int
    """The decider's clock."""
    by: str
    """`agent:maya`, `clerk`, `dispatch`, `router`, `timer`, `cli`."""
    command: CommandId = ""
    """The wish that caused it: present in the fold = done."""
    device: str = ""
    facts: tuple[AnyFact, ...]
