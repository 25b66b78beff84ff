"""Everything that can have happened, by aggregate; what LOG holds, for ever.

Law: facts are past tense and never change their meaning. To grow, add optional fields; never rename, retype or reuse a tag.
A bridge that meets a tag it does not know makes that aggregate read-only for itself (`UnknownFact`).
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.ids import (
    AgentId,
    CommandId,
    ConversationId,
    CustomerId,
    HandleId,
    MessageId,
    QueueId,
    TaskId,
)
from broker_bridge.contract.policy import DeskRules, Hours, QueueRules, Skill, Why
from broker_bridge.contract.words import Private


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", gc=False):
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


class KeptApart(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="kept_apart"):
    """An agent said no to a weak match: nobody is asked about these two again. Merging them anyway undoes it."""

    conversation: ConversationId
    """The case that it does not belong to."""
    agent: AgentId


class Queued(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="queued"):
    """It waits for an agent. Whoever owned it does no more."""

    queue: QueueId
    reason: str = ""
    skills: tuple[Skill, ...] = ()
    """Asked for besides what the queue needs: it was passed on to a skill."""


class Offered(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="offered"):
    """One agent was asked to take it; nobody's ownership changes yet."""

    agent: AgentId
    until_ms: int
    reason: str = ""
    """Why this agent, in words."""
    is_transfer: bool = False
    """The owner asked (they keep it until the answer), not the router."""
    is_consult: bool = False
    """A talk first: who says yes joins, and owns it when the owner confirms."""
    also: tuple[AgentId, ...] = ()
    """Everybody else who rings: the first accept wins."""
    by: AgentId = ""
    """The colleague who asked, if it is a transfer."""
    units: int = 0
    """Cost units that it takes of whoever rings."""
    why: Why | None = None
    """The inputs of the router's decision."""


class OfferEnded(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="offer_ended"):
    """The offer came to nothing."""

    agent: AgentId
    reason: str
    """`declined`, `expired`, `withdrawn`, or in words why it cannot be: `at lunch`."""
    words: Private | None = None
    """What whoever declined said about it."""


class TransferAccepted(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="transfer_accepted"):
    """The colleague said yes. Who owns it says the `Accepted` that follows: at once, or when the owner confirms the talk."""

    agent: AgentId


class ConsultEnded(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="consult_ended"):
    """The talk is over and the owner keeps it."""

    agent: AgentId
    """Who was asked."""
    by: AgentId = ""
    """Who ended it; empty: the machine."""
    reason: str = ""


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
    automatic: str = ""
    """Why the machine answered, as `out of hours`; the customer still waits for a person. Empty: an agent wrote it."""


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
    """A word along the way, and the packet."""
    to_skills: tuple[Skill, ...] = ()
    """Whoever has them, in the queue that it is in."""
    is_consult: bool = False
    seen: int = 0
    """LOG sequence up to which the former owner had read."""


class Seen(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="seen"):
    """Its owner looked at all messages so far. Supervisors and visitors never cause it."""

    agent: AgentId


class Closed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="closed"):
    agent: AgentId
    disposition: str
    """Empty if wrap-up has to find it: `WrappedUp` follows."""
    words: Private | None = None
    tags: tuple[str, ...] = ()


class WrapUpBegan(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="wrap_up_began"):
    """After-call work: the case is closed, its outcome is being written down."""

    agent: AgentId
    mode: str
    """`optional`, `mandatory` or `timed`."""
    until_ms: int | None = None


class WrapUpExtended(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="wrap_up_extended"):
    agent: AgentId
    until_ms: int


class WrappedUp(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="wrapped_up"):
    """The outcome is written down."""

    agent: AgentId
    disposition: str
    tags: tuple[str, ...] = ()
    is_timeout: bool = False
    """Nobody chose: the queue's default."""
    words: Private | None = None
    """The note, and the fields that the disposition asks for."""


class Snoozed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="snoozed"):
    """It sleeps with its owner until a time, and at most until the customer writes."""

    agent: AgentId
    until_ms: int | None = None
    """None: only the customer wakes it."""


class Woken(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="woken"):
    reason: str
    """`time`, `agent` or `closed`; a message of the customer wakes without this fact."""
    agent: AgentId = ""


class Prioritized(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="prioritized"):
    agent: AgentId
    priority: int
    """1 (first) to 9."""


class Targeted(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="targeted"):
    """What was promised, reckoned in the working time of its queue as that was defined then."""

    what: str
    """`first`, `next` (reply) or `resolution`."""
    due_ms: int | None = None
    """None: the clock stands still."""
    from_ms: int = 0
    work_s: int = 0
    """The whole target."""
    left_s: int | None = None
    """Working seconds left, while the clock stands still."""
    because: str = ""
    """How it was reckoned, in words."""
    warn_ms: int | None = None


class Warned(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="warned"):
    """Owner and supervisors were told that a target is near."""

    what: str
    due_ms: int


class Overflowed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="overflowed"):
    """It waited too long: the queue's next step was taken."""

    queue: QueueId
    step: int
    """Place in the queue's steps, from 1."""
    widen: int = 0
    to_queue: QueueId = ""
    alarm: str = ""
    waited_s: int = 0


class TaskAdded(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="task_added"):
    """Something to be done about this case, by somebody, until some time."""

    task: TaskId
    agent: AgentId
    what: str = "task"
    """`task` or `call_back`."""
    assignee: AgentId = ""
    """Empty: whoever owns the case."""
    due_ms: int | None = None
    observers: tuple[AgentId, ...] = ()
    words: Private | None = None
    """What is to be done; the number to call as its address."""
    is_reminded: bool = False
    """It came along with a merge, and whoever it is for was told of its time already."""


class TaskChanged(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="task_changed"):
    """As `TaskAdded`: all of it stands anew."""

    task: TaskId
    agent: AgentId
    assignee: AgentId = ""
    due_ms: int | None = None
    observers: tuple[AgentId, ...] = ()
    words: Private | None = None


class TaskDone(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="task_done"):
    task: TaskId
    agent: AgentId
    is_dropped: bool = False
    """It is not to be done any more."""
    words: Private | None = None


class TaskReminded(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="task_reminded"):
    """Its time came, and whoever it is for was told: once."""

    task: TaskId
    due_ms: int


class Observed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="observed"):
    """A colleague follows the case, or no longer does."""

    agent: AgentId
    on: bool = True


class Merged(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="merged"):
    """This case goes on in another one. Its messages are shown there."""

    into: ConversationId
    agent: AgentId


class MergedFrom(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="merged_from"):
    """Another case goes on in this one."""

    conversation: ConversationId
    agent: AgentId
    number: str = ""
    handles: tuple[HandleId, ...] = ()
    unread: int = 0
    waiting_since_ms: int | None = None
    """Since when the customer waits there."""


class WayJoined(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="way_joined"):
    """A way to reach the customer that came with a merge or a split."""

    channel: str
    channel_kind: str
    handle: HandleId
    message: MessageId
    words: Private | None = None


class Unmerged(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="unmerged"):
    """A merge was undone; stands in both cases."""

    conversation: ConversationId
    """The other one."""
    agent: AgentId
    is_source: bool = False
    """This is the case that had gone into the other."""
    cases: tuple[ConversationId, ...] = ()
    """Those that had been merged into this one before: what was said in them comes back with it."""
    tasks: tuple[tuple[TaskId, int], ...] = ()
    """(task, when it was made in ms) of those that come back as they are."""
    is_answered: bool = False
    """Nobody waits in this case any more: whoever did has gone with the other one, or was answered there."""


class SplitOff(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="split_off"):
    """Messages of this case go on in a case of their own."""

    into: ConversationId
    agent: AgentId
    number: str = ""
    from_seq: int = 0
    """LOG sequence of the first message that goes."""
    is_waiting: bool = False
    """The customer waits for an answer to what stays, too."""


class SplitFrom(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="split_from"):
    """This case began with messages of another one."""

    conversation: ConversationId
    agent: AgentId
    number: str = ""
    from_seq: int = 0
    unread: int = 0
    waiting_since_ms: int | None = None
    words: Private | None = None
    """Name of the customer and the last text, for the row."""


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
    """Conversations at once, where `units` is 0: facts of before there were units."""
    units: int = 0
    """Cost units at once."""
    skills: tuple[Skill, ...] = ()
    shift: Hours | None = None
    """When they work; None = whenever they are ready."""
    source: str = ""
    """Digest of the definition file's block that it was taken from; empty: by command."""


class Dismissed(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="dismissed"):
    """A colleague may no longer sign in."""


# ---- shift: cc.log.shift.<agent>


class PresenceSet(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="presence_set"):
    """A colleague came, went, or takes another kind of work; heartbeats are not facts."""

    state: str
    """`ready`, `busy`, `away`, `transfer_only`, `silent` or `off`."""
    reason: str = ""
    until_ms: int | None = None
    by: AgentId = ""
    """A supervisor who set it; empty: themselves, or the machine."""


# ---- load: cc.log.load.<agent>


class Given(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="given"):
    """Places of an agent were given to a conversation: in one batch with the fact that takes them.

    Whoever gives must have seen all that was given before (the expected sequence): so no limit is ever exceeded, however many give at once.
    """

    conversation: ConversationId
    units: int


# ---- queue: cc.log.queue.<id>, house: cc.log.house.desk


class QueueDefined(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="queue_defined"):
    """A queue exists, and works like this from here on."""

    rules: QueueRules
    source: str = ""
    """Digest of the definition file's block that it was taken from; empty: by command."""


class QueueRemoved(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="queue_removed"):
    """Nothing is put into it any more."""


class DeskRuled(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="desk_ruled"):
    """What holds for all queues."""

    rules: DeskRules
    source: str = ""


# ---- count: cc.log.count.<channel>


class Counted(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="counted"):
    """What left IN for good, so that the ledger still adds up."""

    channel: str
    stored: int
    quarantined: int
    up_to_seq: int


class Unknown(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fact of a later version: kept, never folded."""

    kind: str


ConversationFact = (
    Opened
    | Received
    | DeliveredAgain
    | CouldNotBeRead
    | Suggested
    | KeptApart
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
    | TransferAccepted
    | ConsultEnded
    | WrapUpBegan
    | WrapUpExtended
    | WrappedUp
    | Snoozed
    | Woken
    | Prioritized
    | Targeted
    | Warned
    | Overflowed
    | TaskAdded
    | TaskChanged
    | TaskDone
    | TaskReminded
    | Observed
    | Merged
    | MergedFrom
    | WayJoined
    | Unmerged
    | SplitOff
    | SplitFrom
)
HandleFact = Bound | Began
CustomerFact = Created | HandleAdded | Described
AgentFact = Enrolled | Dismissed
PolicyFact = QueueDefined | QueueRemoved | DeskRuled
AnyFact = ConversationFact | HandleFact | CustomerFact | AgentFact | PresenceSet | Given | PolicyFact | Counted


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message of LOG: the facts of one decision on one aggregate."""

    v: int = 1
    at_ms: int
    """The decider's clock."""
    by: str
    """`agent:maya`, `clerk`, `dispatch`, `router`, `timer`, `cli`, `file` (a definition)."""
    command: CommandId = ""
    """The wish that caused it: present in the fold = done."""
    device: str = ""
    facts: tuple[AnyFact, ...]
