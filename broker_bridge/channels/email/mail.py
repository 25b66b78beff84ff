"""What a mail means, once its bytes are understood: plain frozen shapes, no parsing here.

Law: nothing in these shapes is trusted. `Address.addr` is what the header's syntax says; a display name, an encoded
word or a subject never becomes an address or an id.
"""

from typing import Literal

import msgspec

Auto = Literal["", "auto-replied", "auto-generated", "list", "bulk"]
"""How a mail was made: '' a person as far as one can see; the others by a machine (RFC 3834, List-*, Precedence)."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One mailbox of a header."""

    name: str = ""
    """The display text, decoded. For eyes only: a person is never identified by it."""
    addr: str = ""
    """`local@domain`, the domain in lower case; '' when the header held no readable address."""


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came with a mail."""

    name: str
    """Cleaned: one path component, no control or direction characters, 1 to 150 characters."""
    media_type: str
    size_bytes: int
    digest: str
    """sha256 of `data`, hex."""
    data: bytes
    inline: bool = False
    """Shown inside the text by its sender (a picture of an HTML mail)."""
    content_id: str = ""


class Bounce(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery report (RFC 3464), or an older sort of bounce read as well as it can be."""

    original_message_id: str | None = None
    recipient: str = ""
    """The first recipient with the worst action; '' when the report names none."""
    action: str = ""
    """failed, delayed, delivered, relayed or expanded; '' when unreadable."""
    status: str = ""
    """The enhanced status code, as in 5.1.1; '' when the report has none."""
    diagnostic: str = ""
    recipients: tuple[str, ...] = ()
    """Every recipient with that same action."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A disposition notification (RFC 8098): someone's program says that our mail was displayed, deleted ..."""

    original_message_id: str | None = None
    recipient: str = ""
    disposition: str = ""
    """displayed, deleted, dispatched or processed; '' when unreadable."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that could be read, perhaps with `warnings`."""

    digest: str
    """sha256 of the raw bytes, hex."""
    content_digest: str = ""
    """sha256 of what its sender made (who, when, subject, Message-ID, body), hex: the same in every mailbox it reached."""
    message_id: str | None = None
    """Without angle brackets, as are all message ids here."""
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    """Oldest first; at most 200 (the first and the last 199)."""
    from_: Address = Address()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    delivered_to: tuple[str, ...] = ()
    """Where the transport delivered it (Delivered-To, X-Original-To, Envelope-To), newest hop first."""
    return_path: str | None = None
    """The envelope sender; '' is the null sender of bounces; None when no hop recorded it."""
    subject: str = ""
    date_ms: int | None = None
    """The sender's clock (the Date header), UTC milliseconds; None when absent or unreadable."""
    text: str = ""
    """What is new in this mail, plain text. Not yet safe for a terminal."""
    quote: str = ""
    """What was folded away. Every line of the body is in `text` or here."""
    attachments: tuple[Attachment, ...] = ()
    auto: Auto = ""
    suppress: bool = False
    """The sender asks for no automatic answer, or one of our own loop marks is on it."""
    bounce: Bounce | None = None
    receipt: Receipt | None = None
    warnings: tuple[str, ...] = ()
    """Full sentences about what was broken and how it was read. They hold no customer text."""


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that was not read: it becomes a visible row with the raw source attached."""

    reason: str
    """A full sentence."""
    digest: str
    size_bytes: int
    from_: Address = Address()
    subject: str = ""


class Over(Exception):
    """A limit was passed; the text is a full sentence that names it."""
