"""One case of one customer: its state. How facts change it: core.conversation; what may be decided on it: core.wishes."""

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
from broker_bridge.contract.policy import Skill
from broker_bridge.core.delivery import Outgoing

NEW = "new"
QUEUED = "queued"
OWNED = "owned"
CLOSED = "closed"
MERGED = "merged"
ERASED = "erased"

REPLIES = ("first", "next")
RESOLUTION = "resolution"


class Offer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    agent: AgentId
    until_ms: int
    reason: str = ""
    is_transfer: bool = False
    is_consult: bool = False
    also: tuple[AgentId, ...] = ()
    """Everybody else who rings."""
    by: AgentId = ""
    units: int = 0
    at_ms: int = 0

    @property
    def everybody(self) -> tuple[AgentId, ...]:
        """All who ring."""
        return (self.agent, *self.also)

    def asks(self, agent: AgentId) -> bool:
        return agent == self.agent or agent in self.also


class Consult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A talk between the owner and a colleague who may take over."""

    agent: AgentId
    since_ms: int
    units: int = 0


class WrapUp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """After-call work that is not done."""

    agent: AgentId
    mode: str
    until_ms: int | None
    began_ms: int
    extended: int = 0

    @property
    def is_binding(self) -> bool:
        """Nothing new is offered before it is done."""
        return self.mode in ("mandatory", "timed")


class Snooze(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    agent: AgentId
    until_ms: int | None
    since_ms: int


class Promise(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One target of the service level."""

    due_ms: int | None
    """None: the clock stands still."""
    from_ms: int = 0
    work_s: int = 0
    left_s: int | None = None
    because: str = ""
    warn_ms: int | None = None
    is_warned: bool = False


class MergedCase(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A case that goes on in this one."""

    number: str
    handles: tuple[HandleId, ...]
    """Whose messages went there, and come here now."""
    at_ms: int
    seq: int = 0
    """0 = it was folded before the following was kept."""
    is_waiting: bool = False
    """Its customer waited."""
    was_waiting: bool = False
    """Here somebody waited before it came."""


class Task(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something to be done; the open ones are kept here, the done ones by the read model."""

    by: AgentId
    what: str
    assignee: AgentId
    due_ms: int | None
    observers: tuple[AgentId, ...]
    text: str
    number: str
    at_ms: int
    is_reminded: bool = False
    reminded_seq: int = 0
    """Sequence of the reminder; 0: it was not reminded of here."""


class Way(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One way the customer has reached us in this case."""

    channel: str
    channel_kind: str
    handle: HandleId
    message: MessageId
    """The last message that came this way."""
    address: str
    name: str
    subject: str
    mail_id: str
    references: tuple[str, ...]
    to: tuple[tuple[str, str], ...]
    cc: tuple[tuple[str, str], ...]


class Conversation(msgspec.Struct, kw_only=True):
    """The state of one case after all facts so far."""

    id: str
    number: str = ""
    status: str = NEW
    customer: CustomerId = ""
    handle: HandleId = ""
    channel: str = ""
    channel_kind: str = ""
    queue: QueueId = ""
    reply_within_s: int | None = None
    owner: AgentId = ""
    epoch: int = 0
    offer: Offer | None = None
    last_owner: AgentId = ""
    skills: tuple[Skill, ...] = ()
    """Asked for besides what the queue needs."""
    priority: int = 0
    """0 = the queue's."""
    steps: int = 0
    """Overflow steps taken since it came into this queue."""
    widened: int = 0
    """Levels that are asked less of every skill."""
    passed_by: AgentId = ""
    """Who passed it on to the queue that it waits in: not asked again first."""
    consult: Consult | None = None
    wrap: WrapUp | None = None
    snooze: Snooze | None = None
    promises: dict[str, Promise] = {}
    """By `first`, `next`, `resolution`."""
    has_answer: bool = False
    """A person has answered in this case."""
    tasks: dict[TaskId, Task] = {}
    observers: tuple[AgentId, ...] = ()
    away_told_ms: int = 0
    """When the machine last said that nobody is here."""
    merged_into: ConversationId = ""
    before_merge: str = ""
    """Status before it went into another case."""
    merged: dict[ConversationId, MergedCase] = {}
    """Cases that go on here."""
    split_from: ConversationId = ""
    suggestion: ConversationId = ""
    apart: tuple[ConversationId, ...] = ()
    """Cases that it does not belong to, though something speaks for it: an agent said so."""
    tags: tuple[str, ...] = ()
    declined: dict[AgentId, int] = {}
    """Who let an offer pass since it was queued last, and when (ms)."""
    opened_ms: int = 0
    answered: int = 0
    """Waits that ended with an answer, and had a target."""
    answered_late: int = 0
    queued_ms: int = 0
    queued_seq: int = 0
    """Sequence of the entry that put it into its queue; 0 = it was folded before that was kept."""
    accepted_ms: int = 0
    closed_ms: int = 0
    closed_by: AgentId = ""
    disposition: str = ""
    waiting_since_ms: int | None = None
    unread: int = 0
    seen_seq: int = 0
    name: str = ""
    text: str = ""
    text_by: str = "them"
    """`them`, `note`, `event`, or an agent's id."""
    last_ms: int = 0
    last_in_seq: int = 0
    """Sequence of the customer's last message."""
    last_by_agent: dict[AgentId, int] = {}
    """Sequence of each colleague's last reply or note."""
    out: dict[MessageId, Outgoing] = {}
    """Replies with work left, in order."""
    ends: dict[MessageId, str] = {}
    """State of every settled reply."""
    stuck: dict[MessageId, Outgoing] = {}
    """Replies that failed or whose end is unknown: a human may send them again."""
    ways: dict[str, Way] = {}
    """By channel name, the latest used last."""
    handles: dict[HandleId, str] = {}
    """Handles of the case and their addresses."""
    people: dict[str, str] = {}
    """Addresses that took part in mails (lower case), for the participant check."""
    mails: dict[tuple[str, str], MessageId] = {}
    """(Message-ID, digest) to message, bounded: one logical mail is shown once, whatever a stranger sends under the same id."""
    commands: dict[CommandId, int] = {}
    items: dict[str, int] = {}
    messages: int = 0
    seq: int = 0
    """Sequence of the last entry folded: what the next append expects."""

    @property
    def is_open(self) -> bool:
        return self.status in (QUEUED, OWNED)

    @property
    def due_ms(self) -> int | None:
        """When the answer is late, if somebody waits and there is a target."""
        for what in REPLIES:
            if what in self.promises:
                return self.promises[what].due_ms
        if self.waiting_since_ms is None or self.reply_within_s is None:
            return None
        # A case of before there were promises as facts.
        return self.waiting_since_ms + self.reply_within_s * 1000

    @property
    def nearest(self) -> tuple[str, Promise] | None:
        """(what, promise) of the target that is missed next."""
        running = [(one.due_ms, what) for what, one in self.promises.items() if one.due_ms is not None]
        if not running or not self.is_open:
            return None
        what = min(running)[1]
        return what, self.promises[what]

    def delivery_of(self, message: MessageId) -> str | None:
        """State of one of our messages, None if it is not ours."""
        waiting = self.out.get(message)
        return waiting.state if waiting else self.ends.get(message)

    def is_superseded(self, message: MessageId, attempt: int) -> bool:
        """Whether a later attempt was claimed: a failure of this one says nothing about the newer one, and is not appended."""
        claimed = self.out.get(message) or self.stuck.get(message)
        return claimed is not None and attempt < claimed.attempt

    def next_out(self) -> Outgoing | None:
        """The oldest reply with work left: the only one that may be touched, so that order is kept."""
        return next(iter(self.out.values()), None)
