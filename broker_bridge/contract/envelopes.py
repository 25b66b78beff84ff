"""What a channel hands to intake: one inbound item, and how it lies in IN.

Law: an item's `native` id comes from the transport (IMAP uidvalidity:uid, digest of the bytes received, session:client id,
a signed event id), never from a header that a sender chose.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.ids import HandleId, MessageId
from broker_bridge.contract.words import Address, Private, Words


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="said", gc=False):
    """A customer's message."""

    sender: Address
    scope: str = ""
    """Parts addresses that mean different people on different channels; see `ids.handle_id`."""
    words: Words
    source_ms: int | None = None
    """When the sender says it was written."""
    digest: str = ""
    """SHA-256 of the logical content, where one message may be delivered several times (mail)."""
    token: str = ""
    """The conversation named by a verified reply token, or empty."""
    automatic: str = ""
    """`auto-replied`, `auto-generated`, `list`, `bulk` or empty (RFC 3834 and kin): never answered by a machine."""
    raw: str = ""
    """Digest of the raw source in the object store, where the channel keeps it."""
    wants_silence: bool = False
    """No machine may answer although a person seems to have written: a no-reply address, a loop mark, a header that says so."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="receipt", gc=False):
    """News about a message that we sent."""

    sender: Address
    """The customer whose handle decides the lane."""
    scope: str = ""
    message: MessageId
    """Ours; a channel that knows only the provider's id puts that into `provider_id`."""
    provider_id: str = ""
    state: str
    """`delivered`, `read` or `failed`."""
    reason: str = ""
    words: Words = Words()
    raw: str = ""


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="unreadable", gc=False):
    """Something arrived that could not be read. It becomes a visible row with its raw source."""

    sender: Address
    """Whoever it seems to be from; address `unknown` if that cannot be told."""
    scope: str = ""
    reason: str
    """A full sentence, for the agent."""
    raw: str
    """Digest of the bytes in the object store."""
    size_bytes: int = 0
    words: Words = Words()


Item = Said | Receipt | Unreadable


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One inbound item before it is sealed: what intake takes from a channel."""

    native: str
    """The transport's own id of this delivery; with the channel's name it is unique for ever."""
    kind: str
    channel: str
    received_ms: int
    item: Item


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message of IN."""

    v: int = 1
    id: str
    """`derived(kind, channel, native)`: the same for the same delivery, whoever stores it, however often."""
    native: str
    kind: str
    channel: str
    handle: HandleId
    received_ms: int
    sealed: Private
    """A `Words` whose text is the JSON of the Item, sealed with the key of the day."""
