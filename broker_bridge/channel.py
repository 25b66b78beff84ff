"""What a channel provides, and what it may rely on. One file (or package) a kind under `channels/`, loaded by name.

Law: a channel knows its provider and nothing else: no NATS, no facts, no other channel. `parse` and `render` are pure. What
it hears it gives to `Site.intake`, and only when that has returned is the item stored on disk: then, and not before, the
provider is told (250, 2xx, the cursor, the offset).

A channel's module has: `Settings` (a msgspec Struct, the TOML section), `CAPABILITIES`, `def make(name, settings, site)
-> Channel`, and `def describe(raw: bytes) -> msgspec.Struct` for `broker-bridge decode`.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from broker_bridge.contract.envelopes import Envelope
from broker_bridge.contract.ids import ConversationId, HandleId, MessageId
from broker_bridge.contract.words import Address, File

FAILURES = {
    "unreachable": True,
    "throttled": True,
    "rejected_for_now": True,
    "bad_address": False,
    "refused": False,
    "too_large": False,
    "not_permitted": False,
    "no_recipient": False,
    "misconfigured": True,
}
"""The closed list of send failures, and whether trying again makes sense."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    word: str
    """The channel's word in lists, at most four letters."""
    max_chars: int = 60_000
    is_mail: bool = False
    """To, cc and subject; Enter breaks the line."""
    has_address: bool = True
    """Its addresses mean something to people; False: desks see `visitor 3f2a`, four characters of it."""
    has_typing: bool = False
    has_receipts: bool = False
    idempotent_send: bool = False
    """The provider drops the second send with the same key, so a doubtful one may be repeated."""
    send_timeout_s: float = 30.0
    """The longest a call to the provider may take; dispatch gives it 5 s more before it calls the outcome unknown."""
    reply_within_s: int | None = None
    """Default target for an answer."""


class SendFailure(Exception):
    """The provider said no, or nothing had left yet: for certain not delivered."""

    def __init__(self, code: str, reason: str, retry_after_s: float | None = None) -> None:
        """`code`: a key of FAILURES. `reason`: plain words for an agent, without addresses."""
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def retryable(self) -> bool:
        return FAILURES[self.code]


class SendUncertain(Exception):
    """It may have left: the connection broke after the first byte of the content."""


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be sent, with everything frozen at the moment the agent pressed send."""

    message: MessageId
    """Also the idempotency key."""
    conversation: ConversationId
    handle: HandleId
    address: str
    """The handle's address, as the channel spells it."""
    text: str
    subject: str = ""
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    files: tuple[File, ...] = ()
    from_name: str = ""
    """The agent, as customers see them."""
    in_reply_to: str = ""
    """Message-ID of the mail being answered."""
    references: tuple[str, ...] = ()
    at_ms: int = 0
    seq: int = 0
    """LOG sequence of the reply."""
    is_automatic: bool = False
    """No person wrote it: marked as such, where the channel can, so that no machine answers it (RFC 3834)."""


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the customer's side sees it (web chat's history)."""

    seq: int
    id: str
    is_theirs: bool
    name: str
    text: str
    at_ms: int
    files: tuple[File, ...] = ()
    client_id: str = ""


class Site(Protocol):
    """What the daemon gives to a channel."""

    async def intake(self, envelope: Envelope) -> bool:
        """Store one item; returns when it is on disk. False: it had been stored before (a duplicate by id).

        Raises:
            SiteFull: the store is full; the provider must keep the item (452, 503).
            SiteUnavailable: not stored for certain or not known; the provider must repeat with the same native id.
        """

    async def put_object(self, data: bytes) -> str:
        """Keep bytes under their digest (SHA-256, hex), which is returned; sealed on disk."""

    async def get_object(self, digest: str) -> bytes | None: ...

    async def transcript(self, channel: str, scope: str, address: str, after_seq: int) -> list[Transcript]:
        """What was said to and by this address on this channel, oldest first, after a sequence."""

    async def typing(self, kind: str, scope: str, address: str, on: bool) -> None:
        """The customer is typing, or stopped."""

    async def read_up_to(self, channel: str, scope: str, address: str, seq: int) -> None:
        """The customer has read everything of ours up to this sequence."""

    async def tell_all(self, channel: str, body: bytes) -> None:
        """Call `heard(body)` of this channel on every bridge, this one too; a hint, not stored (at most 60 kB)."""

    async def load_state(self, channel: str) -> bytes | None:
        """The channel's own cursor (IMAP uidvalidity:uid), kept by the bridge."""

    async def save_state(self, channel: str, state: bytes) -> None: ...

    def now_ms(self) -> int: ...

    def secret(self, reference: str) -> str:
        """A secret by reference (`keyring:service/name`, `file:path`, `env:NAME`).

        Raises:
            LookupError: with a sentence that names where it was looked for.
        """

    def site_key(self, purpose: str) -> bytes:
        """32 bytes derived from the site's key for one purpose (reply tokens, session tokens)."""


class SiteFull(Exception):
    """No room: nothing was stored."""


class SiteUnavailable(Exception):
    """Not stored, or not known to be."""


class Channel(Protocol):
    """One configured connection."""

    name: str

    async def listen(self, ready: Callable[[], None]) -> None:
        """Hear until cancelled; call `ready` when able to. An exception ends it and the daemon starts it again with backoff."""

    async def send(self, out: Outbound) -> str:
        """Send one message; returns the provider's id (or "").

        Raises:
            SendFailure: for certain not sent.
            SendUncertain: nobody can know.
        """

    async def show_typing(self, address: str, name: str, on: bool) -> None:
        """Tell the customer that an agent types, where the channel can."""

    def heard(self, body: bytes) -> None:
        """What `Site.tell_all` of some bridge said; must only take note."""

    async def check(self) -> list[str]:
        """Sentences about what would not work with the real servers; empty = all well."""

    def routes(self) -> list[Any]:
        """Starlette routes to be served by the bridge's web server; empty for most."""


Maker = Callable[[str, Any, Site], Channel]
Waiter = Callable[[], Awaitable[None]]


def load(kind: str) -> Any:
    """The module of a channel kind.

    Raises:
        LookupError: there is no such kind here, or a library that it needs is not installed; the message says which.
    """
    try:
        return importlib.import_module(f"broker_bridge.channels.{kind}")
    except ModuleNotFoundError as error:
        if error.name == f"broker_bridge.channels.{kind}":
            raise LookupError(f"no channel kind {kind!r}") from None
        raise LookupError(
            f"channel kind {kind!r} needs the package {error.name!r}: install onewindow[bridge,{kind}]"
        ) from None
