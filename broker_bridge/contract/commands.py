"""What a desk may ask of the bridge: `cc.do.<agent>.<verb>`, the verb being the Struct's tag.

Law: who speaks is in the subject, never here. Every request carries `min`, the LOG sequence that the desk has seen: a bridge
that has not got so far waits half a second, then refuses with `behind`. A command that changes something has an `id` made
once by the desk: repeated with the same id it is done once.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.ids import AgentId, CommandId, ConversationId, CustomerId, MessageId, QueueId
from broker_bridge.contract.words import Address

VERSION = 1
"""Major version of the contract: the same major works both ways."""
MAX_REQUEST_BYTES = 128 * 1024
MAX_ANSWER_BYTES = 256 * 1024
MAX_TEXT = 60_000
"""Characters of one reply or note."""


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="verb"):
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
    """`ready` or `away`."""
    reason: str = ""


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
    to_agent: AgentId | None = None
    to_queue: QueueId | None = None
    note: str = ""


class Close(Act, frozen=True, kw_only=True, omit_defaults=True, tag="close"):
    disposition: str
    note: str = ""


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
    """Correct a customer's `name`, `speaks` or `about`."""

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
)
Wish = Accept | Decline | Reply | Note | Transfer | Close | Reopen | See | SendAgain | TakeBack | Describe
AnyRequest = Question | Wish


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="refused"):
    """No, and what to do: a value, not an exception."""

    code: str
    """`late`, `not_yours`, `changed`, `behind`, `busy`, `bad`, `unknown`, `denied`, `full`, `unavailable`, `version`."""
    sentence: str
    """A full sentence for the person who asked."""
    upto: int = 0
    is_retryable: bool = False
    """The same request may be sent again by the machine."""


class Done(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="done"):
    """It is stored: LOG has it on disk."""

    upto: int
    message: MessageId | None = None
    conversation: ConversationId | None = None
    """The next conversation to open, where the command asked for it."""
