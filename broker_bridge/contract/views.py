"""What a desk sees: made by the bridge for one role, masked, with the verbs that are allowed now.

Law: a desk never folds facts; it applies whole rows and items by their `rev` (LOG sequence). An item of a kind that a desk
does not know is a grey line with `text`, which the bridge always fills.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.commands import Done, Refusal
from broker_bridge.contract.ids import AgentId, ConversationId, CustomerId, MessageId, QueueId, TaskId
from broker_bridge.contract.policy import Disposition, Skill
from broker_bridge.contract.words import Address, Packet


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One conversation in the inbox."""

    conv: ConversationId
    rev: int
    number: str = ""
    """`K7Q2M`, for people."""
    name: str = ""
    """The customer, as shown; foreign text."""
    tier: str = ""
    channel: str = ""
    """Channel word of at most four letters: `mail`, `chat`."""
    state: str = "queued"
    """`ringing` (offered to you), `queued`, `mine`, `consult` (a colleague's, and you were asked), `snoozed` (yours),
    `wrap_up` (closed by you, its outcome is still to be written), `other` (a colleague's), `closed`, `merged`."""
    queue: QueueId = ""
    owner: AgentId = ""
    owner_name: str = ""
    epoch: int = 0
    waiting_since_ms: int | None = None
    """Since when the customer waits for us; None = we wait for them."""
    due_ms: int | None = None
    """When the nearest target is missed, if there is one and its clock runs."""
    due_what: str = ""
    """`first`, `next` (reply) or `resolution`."""
    due_because: str = ""
    """How it was reckoned: `due 14:00 = 4 h of work time from 10:00, lunch excluded`."""
    priority: int = 0
    """1 (first) to 9."""
    offer_until_ms: int | None = None
    offer_reason: str = ""
    offer_kind: str = ""
    """`router`, `transfer` or `consult`."""
    snoozed_until_ms: int | None = None
    """None while `snoozed`: until the customer writes."""
    wrap_until_ms: int | None = None
    """None while `wrap_up`: no time-out."""
    wrap_mode: str = ""
    """`optional`, `mandatory` or `timed`."""
    wrap_since_ms: int | None = None
    """When the case was closed and its wrap-up began."""
    consult_with: str = ""
    """Name of the colleague in the talk: the one who was asked, or for them the owner."""
    tasks: int = 0
    """Open follow-up tasks and call-backs of the case."""
    task_due_ms: int | None = None
    merged_into: ConversationId = ""
    merged: tuple[tuple[ConversationId, str], ...] = ()
    """(conversation, number) of cases that go on in this one."""
    suggestion: ConversationId = ""
    """A case that it may belong to: `merge` confirms, `keep_apart` refuses."""
    is_observed: bool = False
    """You follow it."""
    unread: int = 0
    text: str = ""
    """Beginning of the last message, one line, at most 200 characters; foreign text."""
    text_by: str = "them"
    """`them`, `you`, `note`, `event`, or a colleague's name."""
    delivery: str = ""
    """Of the last thing we said: `waits`, `sending`, `sent`, `delivered`, `read`, `failed`, `unknown`."""
    typing: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()
    is_draft: bool = False
    transfer_to: str = ""
    """Name of the colleague who is asked to take it over."""
    transfer_kind: str = ""
    """`transfer` or `consult`, while somebody is asked."""
    verbs: tuple[str, ...] = ()
    last_ms: int = 0


class FileLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    digest: str
    name: str
    media_type: str
    size_bytes: int
    is_inline: bool = False


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One thing in a thread."""

    id: MessageId
    seq: int
    """LOG sequence of its first fact: the order of the thread."""
    rev: int
    """LOG sequence of its last change."""
    kind: str
    """`them`, `you`, `colleague`, `note`, `event`, `unreadable`."""
    at_ms: int
    source_ms: int | None = None
    """When the sender says it was written, if that differs by more than a minute."""
    channel: str = ""
    """Channel word."""
    agent: AgentId = ""
    """Who of ours wrote it."""
    name: str = ""
    text: str = ""
    """At most 20,000 characters; `is_cut` says that there is more."""
    is_cut: bool = False
    quote: str = ""
    subject: str = ""
    address: str = ""
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    files: tuple[FileLine, ...] = ()
    packet: Packet | None = None
    """Of a transfer: what goes along."""
    until_ms: int | None = None
    """Of an event: the moment that it speaks of, to be shown in the reader's zone behind the text."""
    is_automatic: bool = False
    """The machine said it."""
    case: str = ""
    """Number of the case that it came from, if that was merged into this one."""
    delivery: str = ""
    reason: str = ""
    """Why it failed, or why it could not be read."""
    note_to: str = ""
    """Name of the colleague or queue that it is for; `you` for its reader."""
    note_to_agent: AgentId = ""
    page: str = ""
    """The page a visitor wrote from, without its site."""
    has_raw: bool = False


class Reach(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One way to answer this customer, with the rules of its channel."""

    channel: str
    """The configured channel's name."""
    kind: str
    word: str
    address: str
    """Whole, for the composer's `to` line."""
    name: str = ""
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    max_chars: int = 60_000
    is_mail: bool = False
    """Enter breaks the line."""
    is_up: bool = True
    in_reply_to: MessageId | None = None


class DraftView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    text: str
    mode: str = "reply"
    at_ms: int = 0


class ThreadPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="thread", gc=False):
    row: Row
    items: tuple[Item, ...] = ()
    """Oldest first."""
    has_more: bool = False
    upto: int
    seen: int = 0
    """Items of the customer above this sequence are new to the owner."""
    reach: tuple[Reach, ...] = ()
    draft: DraftView | None = None
    dispositions: tuple[str, ...] = ()
    outcomes: tuple[Disposition, ...] = ()
    """Dispositions of its queue with the fields that they ask for, the usual one first."""
    default_outcome: str = ""
    """Used when wrap-up time is up, or nobody chooses."""


class Identifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    word: str
    address: str
    is_proved: bool = False
    reason: str = ""
    """Why it is a guess, if it is."""


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    conv: ConversationId
    number: str
    text: str
    state: str
    at_ms: int
    word: str = ""


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of the timeline."""

    at_ms: int
    word: str
    text: str
    node: str = "talk"
    """`this` (the open case, one row), `talk`, `event`."""
    conv: ConversationId = ""


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="profile", gc=False):
    customer: CustomerId
    rev: int
    name: str
    tier: str = ""
    speaks: str = ""
    about: str = ""
    since_ms: int = 0
    identifiers: tuple[Identifier, ...] = ()
    open: tuple[Case, ...] = ()
    was: tuple[Case, ...] = ()
    files: tuple[FileLine, ...] = ()
    also_here: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = ()
    """Newest first."""
    upto: int = 0


class Colleague(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    agent: AgentId
    name: str
    role: str = "agent"
    state: str = "off"
    """`ready`, `busy`, `away`, `wrap_up`, `transfer_only`, `silent` (terminal gone), `off`."""
    reason: str = ""
    since_ms: int = 0
    until_ms: int | None = None
    """Back at, or end of the wrap-up."""
    next_state: str = ""
    """Taken once the work in hand is done."""
    next_reason: str = ""
    load: int = 0
    """Cost units taken."""
    capacity: int = 0
    """Cost units at once."""
    loads: tuple[tuple[str, int, int], ...] = ()
    """(channel word, conversations owned, places)."""
    skills: tuple[Skill, ...] = ()
    schedule: str = ""
    """`works until 16:00`, `starts Mon 08:00`; empty: no shift is defined."""
    queues: tuple[QueueId, ...] = ()
    works_on: str = ""
    works_on_conv: ConversationId = ""
    works_on_word: str = ""
    due_ms: int | None = None


class QueueView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    queue: QueueId
    name: str
    waiting: int = 0
    oldest_ms: int | None = None
    """Since when the longest waits."""
    ready: int = 0
    service_level: float | None = None
    """0 to 1: answered in time among those due in the last 24 hours; None = nothing was due."""
    target: float = 0.8
    arrivals: tuple[int, ...] = ()
    """Conversations begun in each of the last 12 half hours, oldest first."""
    is_open: bool = True
    hours: str = ""
    """`open until 18:00`, `opens Mon 08:00`; empty = always open."""
    needs: tuple[Skill, ...] = ()


class SkillView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A skill as the target of a transfer."""

    name: str
    ready: int = 0
    """Agents who are ready and have it at any level."""
    least: str = ""
    """Name of the one with the least load."""
    load: int = 0
    """Theirs, in units."""
    capacity: int = 0


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something for the supervisors, newest first."""

    id: str
    at_ms: int
    text: str
    severity: str = "note"
    """`late`, `near` or `note`."""
    conv: ConversationId = ""
    agent: AgentId = ""


class DirectoryView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="directory", gc=False):
    agents: tuple[Colleague, ...] = ()
    queues: tuple[QueueView, ...] = ()
    handled: int = 0
    """Conversations closed in the last 24 hours."""
    handle_time_s: int | None = None
    """Median time from accept to close, of those."""
    alerts: tuple[Moment, ...] = ()
    """Of before there were `notices`; not filled any more."""
    notices: tuple[Alert, ...] = ()
    skills: tuple[SkillView, ...] = ()
    upto: int = 0


class Me(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    agent: AgentId
    name: str
    role: str = "agent"
    state: str = "away"
    """As `Colleague.state`."""
    reason: str = ""
    since_ms: int = 0
    until_ms: int | None = None
    next_state: str = ""
    next_reason: str = ""
    capacity: int = 6
    """Cost units at once."""
    load: int = 0
    """Cost units taken."""
    wrap: ConversationId = ""
    """The case whose outcome has to be written before anything new is offered."""
    tasks: int = 0
    """Open tasks that are yours; those past their time count as `tasks_due` too."""
    tasks_due: int = 0
    loads: tuple[tuple[str, int, int], ...] = ()
    """(channel word, conversations owned, places)."""


class Counts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    mine: int = 0
    queue: int = 0
    all: int = 0
    oldest_ms: int | None = None
    service_level: float | None = None


class Welcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="welcome", gc=False):
    version: int
    epoch: str
    """Names this feed; messages of another epoch are not applied."""
    n: int | None = None
    """Of the last feed message before those that answer this hello: the next is `n` + 1. None: the bridge does not say."""
    me: Me
    upto: int
    bridge: str = ""
    dispositions: tuple[str, ...] = ()
    chat_url: str = ""
    reasons: tuple[str, ...] = ()
    """Of being away."""


class RowPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="rows", gc=False):
    rows: tuple[Row, ...]
    total: int
    upto: int


class Text(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="text", gc=False):
    text: str
    parts: int
    upto: int = 0


class Bytes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="bytes", gc=False):
    data: bytes
    parts: int
    name: str = ""
    media_type: str = ""
    upto: int = 0


class Refused(Refusal, frozen=True, kw_only=True, omit_defaults=True, tag="stopped"):
    """A reply that was stopped because somebody wrote meanwhile, with the new items."""

    items: tuple[Item, ...] = ()


class TaskView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A follow-up task or a call-back."""

    task: TaskId
    conv: ConversationId
    what: str = "task"
    """`task` or `call_back`."""
    text: str = ""
    number: str = ""
    """To call, for a call-back."""
    customer: str = ""
    """As shown; foreign text."""
    case: str = ""
    """`K7Q2M`."""
    by: str = ""
    """Name of who made it."""
    assignee: AgentId = ""
    assignee_name: str = ""
    due_ms: int | None = None
    observers: tuple[AgentId, ...] = ()
    is_done: bool = False
    is_dropped: bool = False
    done_ms: int | None = None
    may_change: bool = False
    """Assignee, maker, owner of the case or a supervisor."""


class TaskPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tasks", gc=False):
    tasks: tuple[TaskView, ...]
    total: int = 0
    upto: int = 0


class HandoverView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="handover", gc=False):
    """A packet as the log suggests it, to be read over and corrected."""

    packet: Packet
    case: str = ""
    """`5 messages, 1 note, 1 file`."""
    draft: int = 0
    """Characters of the asker's draft, which goes along."""
    seen: int = 0
    upto: int = 0


class WhyLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One step on the way to where the conversation is."""

    at_ms: int
    word: str
    """`arrived`, `known`, `queue`, `target`, `offered`, `declined`, `overflow`, `transfer`, …"""
    text: str
    mark: str = ""
    """Short, at the right end: `accepted after 4 s`."""
    tone: str = ""
    """`ok`, `near`, `late` or empty."""
    due_ms: int | None = None
    """Of a target whose clock runs: for a desk that shows it at the right end, in its reader's zone."""
    short: str = ""
    """`text` without that time; empty where there is none."""


class WhyWho(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One agent in the decision."""

    agent: AgentId
    name: str
    state: str
    load: int = 0
    capacity: int = 0
    skills: int = 0
    needed: int = 0
    last_talk: bool = False
    reason: str = ""
    is_fit: bool = False
    is_chosen: bool = False
    place: int = 0
    """In the router's order of those who are fit, from 1; 0: not fit, or there is no order (everybody is asked)."""


class WhyView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="why", gc=False):
    sentence: str
    """`Of the three who are free and fit, you talked with her last.`"""
    lines: tuple[WhyLine, ...] = ()
    who: tuple[WhyWho, ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()
    """(reason, how many agents of the queue), those in `who` not counted."""
    is_live: bool = False
    """Reckoned now: it waits, and nobody has been chosen yet."""
    policy: str = ""
    """`The rules were those of 09:12 today (version 31).`"""
    left_out: int = 0
    """Entries of a very long case that were not looked at; a line says where."""
    rules: tuple[tuple[str, str], ...] = ()
    """(label, words): the rules of its queue as they are now, for whoever wants to read them."""
    upto: int = 0


Answer = (
    Done
    | Refusal
    | Refused
    | Welcome
    | RowPage
    | ThreadPage
    | Profile
    | Text
    | Bytes
    | DirectoryView
    | TaskPage
    | HandoverView
    | WhyView
)


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something that this agent should know now: told once."""

    kind: str
    """`near` (a target), `late`, `reminder`, `woken`, `returned` (an offer or transfer came back), `assigned`, `observed`, `alarm`."""
    text: str
    conv: ConversationId = ""


class Feed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message of `cc.view.<agent>.desk`."""

    epoch: str
    n: int
    """Contiguous in the epoch, from 1, over desk, threads and beats together."""
    upto: int
    """All changes up to this LOG sequence are in this message or earlier ones."""
    is_reset: bool = False
    """Forget all rows first: these are the first of a full set."""
    is_whole: bool = True
    """False: more messages of the same set follow."""
    rows: tuple[Row, ...] = ()
    gone: tuple[ConversationId, ...] = ()
    """No longer in this desk's views."""
    counts: Counts | None = None
    me: Me | None = None
    toast: str = ""
    notices: tuple[Notice, ...] = ()


class ThreadFeed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message of `cc.view.<agent>.thread.<conv>`: changed items in full."""

    epoch: str
    n: int
    upto: int
    conv: ConversationId
    row: Row
    items: tuple[Item, ...] = ()
    seen: int = 0
    reach: tuple[Reach, ...] = ()


class Beat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message a second of `cc.view.<agent>.beat`."""

    epoch: str
    n: int
    """Of the last feed message, not counted itself."""
    upto: int
    at_ms: int
    counts: Counts | None = None
