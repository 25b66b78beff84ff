"""What a desk may ask of the bridge: `cc.do.<agent>.<verb>`, the verb being the Struct's tag.

Law: who speaks is in the subject, never here. Every request carries `min`, the LOG sequence that the desk has seen: a bridge
that has not got so far waits half a second, then refuses with `behind`. A command that changes something has an `id` made
once by the desk: repeated with the same id it is done once.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.ids import AgentId, CommandId, ConversationId, CustomerId, MessageId, QueueId, TaskId
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.words import Address, Packet

VERSION = 1
"""Major version of the contract: the same major works both ways."""
MAX_REQUEST_BYTES = 128 * 1024
MAX_ANSWER_BYTES = 256 * 1024
MAX_TEXT = 60_000
"""Characters of one reply or note."""


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="verb", gc=False):
    """Anything a desk asks."""

    min: int = 0


class Hello(Request, frozen=True, kw_only=True, omit_defaults=True, tag="hello"):
    """Begin or resume the private feed. The bridge that answers becomes this agent's home."""

    version: int = VERSION
    since: int = 0
    """`upto` of the last feed message applied; 0 = everything."""
    device: str = ""


class Alive(Request, frozen=True, kw_only=True, omit_defaults=True, tag="alive"):
    """The terminal is there: said every 8 s; after 30 s without a word its agent counts as silent."""


class Presence(Request, frozen=True, kw_only=True, omit_defaults=True, tag="presence"):
    state: str
    """`ready`, `busy`, `away`, `transfer_only` or `off`."""
    reason: str = ""
    """Of being away: one of the house's."""
    until_ms: int | None = None
    """Back at, as far as one knows."""
    is_next: bool = False
    """Only once the work in hand is done; until then nothing new is offered. With `ready`: forget the next one."""


class Force(Request, frozen=True, kw_only=True, omit_defaults=True, tag="force"):
    """A supervisor sets a colleague's presence; the audit record is written first."""

    agent: AgentId
    state: str
    reason: str = ""


class WhyOf(Request, frozen=True, kw_only=True, omit_defaults=True, tag="why"):
    """Why this conversation is where it is, and who was skipped for what. Answer: `WhyView`."""

    conversation: ConversationId


class Handover(Request, frozen=True, kw_only=True, omit_defaults=True, tag="handover"):
    """What would go along with a transfer, prefilled from the log. Answer: `HandoverView`."""

    conversation: ConversationId


class Tasks(Request, frozen=True, kw_only=True, omit_defaults=True, tag="tasks"):
    """Follow-up tasks and call-backs, those due first at the top. Answer: `TaskPage`."""

    view: str = "mine"
    """`mine`, `observed`, `all` or `done`."""
    conversation: ConversationId | None = None
    """Only of this case."""
    limit: int = 200


class Rows(Request, frozen=True, kw_only=True, omit_defaults=True, tag="rows"):
    """A page of a view that the feed does not carry whole."""

    view: str
    """`mine`, `queue`, `all` or `closed`."""
    start: int = 0
    limit: int = 100


class Search(Request, frozen=True, kw_only=True, omit_defaults=True, tag="search"):
    """Conversations whose words, names or addresses contain every word of the text, newest first; any script, parts of words."""

    text: str
    limit: int = 50


class Thread(Request, frozen=True, kw_only=True, omit_defaults=True, tag="thread"):
    """A page of a conversation's items, and with `watch` the feed of its changes until `Unwatch`."""

    conversation: ConversationId
    before: int | None = None
    """Items with a smaller sequence; None = the newest."""
    limit: int = 100
    watch: bool = False
    silent: bool = False
    """A supervisor's silent read: nobody is shown as a viewer, an audit record is written first."""


class Unwatch(Request, frozen=True, kw_only=True, omit_defaults=True, tag="unwatch"):
    conversation: ConversationId


class ProfileOf(Request, frozen=True, kw_only=True, omit_defaults=True, tag="profile"):
    """The customer beside a conversation, and their timeline over every channel."""

    conversation: ConversationId
    limit: int = 200


class Message(Request, frozen=True, kw_only=True, omit_defaults=True, tag="message"):
    """One whole message: the pager's text, a page of it at a time."""

    conversation: ConversationId
    message: MessageId
    part: int = 0
    """Pages of 100,000 characters."""
    raw: bool = False
    """The raw source instead of the text."""


class FilePart(Request, frozen=True, kw_only=True, omit_defaults=True, tag="file"):
    """128 KiB of an attachment of this conversation."""

    conversation: ConversationId
    digest: str
    part: int = 0


class Directory(Request, frozen=True, kw_only=True, omit_defaults=True, tag="directory"):
    """Colleagues and queues, for transfers and for a supervisor's floor."""


class Typing(Request, frozen=True, kw_only=True, omit_defaults=True, tag="typing"):
    conversation: ConversationId
    on: bool


class Draft(Request, frozen=True, kw_only=True, omit_defaults=True, tag="draft"):
    """Keep what is being written; an empty text drops it."""

    conversation: ConversationId
    text: str
    mode: str = "reply"
    """`reply` or `note`."""
    at_ms: int = 0


class Act(Request, frozen=True, kw_only=True, omit_defaults=True):
    """A command: it changes a conversation, once."""

    id: CommandId
    conversation: ConversationId
    epoch: int | None = None
    """Owner epoch that the desk saw; None where it does not matter."""


class Accept(Act, frozen=True, kw_only=True, omit_defaults=True, tag="accept"):
    """Take an offer, or take from the queue."""


class Decline(Act, frozen=True, kw_only=True, omit_defaults=True, tag="decline"):
    reason: str = ""
    """A word about it, at most 200 characters."""


class Reply(Act, frozen=True, kw_only=True, omit_defaults=True, tag="reply"):
    """Answer the customer. What was shown is frozen in: channel, people, and how far the agent had read."""

    text: str
    channel: str
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    in_reply_to: MessageId | None = None
    seen: int = 0
    """LOG sequence of the newest item that the agent had on screen."""
    anyway: bool = False
    """Send although somebody wrote after `seen`."""
    next: bool = False


class Note(Act, frozen=True, kw_only=True, omit_defaults=True, tag="note"):
    text: str
    to: AgentId | None = None


class Transfer(Act, frozen=True, kw_only=True, omit_defaults=True, tag="transfer"):
    """Exactly one of agent, queue and skills."""

    to_agent: AgentId | None = None
    to_queue: QueueId | None = None
    to_skills: tuple[Skill, ...] = ()
    note: str = ""
    packet: Packet | None = None
    ask_first: bool = False
    """A talk before it changes hands (to an agent only): the owner confirms or keeps it."""
    seen: int = 0
    """LOG sequence of the newest item that the agent had on screen."""
    force: bool = False
    """A supervisor gives it to the agent without asking."""


class Confirm(Act, frozen=True, kw_only=True, omit_defaults=True, tag="confirm"):
    """The owner hands over to the colleague who said yes."""


class EndConsult(Act, frozen=True, kw_only=True, omit_defaults=True, tag="end_consult"):
    """Either side ends the talk; the owner keeps it."""

    reason: str = ""


class Close(Act, frozen=True, kw_only=True, omit_defaults=True, tag="close"):
    """With a disposition and its fields it is done; without, the queue's wrap-up begins (or its default is used)."""

    disposition: str = ""
    note: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    """(name, value) of what the disposition asks for."""
    tags: tuple[str, ...] = ()
    next: bool = False
    """`Done.conversation` names the next one that waits for this agent."""


class WrapUp(Act, frozen=True, kw_only=True, omit_defaults=True, tag="wrap_up"):
    """The outcome of a closed case, by whoever closed it."""

    disposition: str
    note: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    next: bool = False


class MoreTime(Act, frozen=True, kw_only=True, omit_defaults=True, tag="more_time"):
    """30 s more for the wrap-up, ten times at most."""


class Snooze(Act, frozen=True, kw_only=True, omit_defaults=True, tag="snooze"):
    """Out of sight until a time; the customer's next message ends it in any case."""

    until_ms: int | None = None


class Wake(Act, frozen=True, kw_only=True, omit_defaults=True, tag="wake"):
    pass


class Prioritize(Act, frozen=True, kw_only=True, omit_defaults=True, tag="prioritize"):
    priority: int


class AddTask(Act, frozen=True, kw_only=True, omit_defaults=True, tag="add_task"):
    """Something to do about this case. Its id is the command's."""

    what: str = "task"
    """`task` or `call_back`."""
    text: str = ""
    number: str = ""
    """To call; empty: as the case says."""
    assignee: AgentId = ""
    """Empty: whoever owns the case."""
    due_ms: int | None = None
    observers: tuple[AgentId, ...] = ()


class ChangeTask(Act, frozen=True, kw_only=True, omit_defaults=True, tag="change_task"):
    """All of it anew."""

    task: TaskId
    text: str = ""
    number: str = ""
    assignee: AgentId = ""
    due_ms: int | None = None
    observers: tuple[AgentId, ...] = ()


class FinishTask(Act, frozen=True, kw_only=True, omit_defaults=True, tag="finish_task"):
    task: TaskId
    note: str = ""
    is_dropped: bool = False


class Observe(Act, frozen=True, kw_only=True, omit_defaults=True, tag="observe"):
    """Follow a case, read only, or no longer."""

    on: bool = True


class Merge(Act, frozen=True, kw_only=True, omit_defaults=True, tag="merge"):
    """This case goes on in another one; its messages and ways come along."""

    into: ConversationId


class KeepApart(Act, frozen=True, kw_only=True, omit_defaults=True, tag="keep_apart"):
    """No: this case does not belong to the one that it may belong to. Nobody is asked again."""

    other: ConversationId
    """As the row's `suggestion` named it."""


class Unmerge(Act, frozen=True, kw_only=True, omit_defaults=True, tag="unmerge"):
    """Undo: `conversation` is the case that had gone into another."""


class Split(Act, frozen=True, kw_only=True, omit_defaults=True, tag="split"):
    """This message and all later ones become a case of their own, owned by whoever splits."""

    message: MessageId


class Reopen(Act, frozen=True, kw_only=True, omit_defaults=True, tag="reopen"):
    pass


class See(Act, frozen=True, kw_only=True, omit_defaults=True, tag="see"):
    """The owner has looked at everything up to now."""


class SendAgain(Act, frozen=True, kw_only=True, omit_defaults=True, tag="send_again"):
    """A failed or unknown message once more: a human's decision."""

    message: MessageId


class TakeBack(Act, frozen=True, kw_only=True, omit_defaults=True, tag="take_back"):
    """Withdraw an open transfer offer."""


class Describe(Act, frozen=True, kw_only=True, omit_defaults=True, tag="describe"):
    """Correct a customer's `name`, `speaks` or `about`, or name the `responsible` colleague (an agent's id)."""

    customer: CustomerId
    field: str
    text: str


Question = (
    Hello
    | Alive
    | Presence
    | Rows
    | Search
    | Thread
    | Unwatch
    | ProfileOf
    | Message
    | FilePart
    | Directory
    | Typing
    | Draft
    | Force
    | WhyOf
    | Handover
    | Tasks
)
Wish = (
    Accept
    | Decline
    | Reply
    | Note
    | Transfer
    | Close
    | Reopen
    | See
    | SendAgain
    | TakeBack
    | Describe
    | Confirm
    | EndConsult
    | WrapUp
    | MoreTime
    | Snooze
    | Wake
    | Prioritize
    | AddTask
    | ChangeTask
    | FinishTask
    | Observe
    | Merge
    | KeepApart
    | Unmerge
    | Split
)
AnyRequest = Question | Wish


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="refused", gc=False):
    """No, and what to do: a value, not an exception."""

    code: str
    """`late`, `not_yours`, `changed`, `behind`, `busy`, `bad`, `unknown`, `denied`, `full`, `absent`, `unavailable`, `version`."""
    sentence: str
    """A full sentence for the person who asked."""
    upto: int = 0
    is_retryable: bool = False
    """The same request may be sent again by the machine."""


class Done(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="done", gc=False):
    """It is stored: LOG has it on disk."""

    upto: int
    message: MessageId | None = None
    conversation: ConversationId | None = None
    """The next conversation to open, where the command asked for it."""
