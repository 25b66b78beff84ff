"""What the bridge makes of a mail file, for `broker-bridge decode email FILE`: every finding, no attachment bytes."""

from datetime import UTC, datetime

import msgspec

from broker_bridge.channels.email import automatic, mime, references
from broker_bridge.channels.email.mail import Address, Auto, Bounce, Receipt, Unreadable


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a header."""

    name: str
    address: str


class FileSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment without its bytes; `size` in bytes, `digest` SHA-256 in hex."""

    name: str
    media_type: str = msgspec.field(name="type")
    size_bytes: int = msgspec.field(name="size")
    digest: str
    inline: bool


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """All that was understood; with `quarantined` set, only the sender and subject besides."""

    digest: str
    quarantined: str = ""
    """Why the mail would become a "could not be read" row; '' when it was read."""
    from_: Person = msgspec.field(name="from")
    reply_to: tuple[Person, ...] = ()
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    delivered_to: tuple[str, ...] = ()
    return_path: str | None = None
    subject: str = ""
    date: str | None = None
    """The sender's clock in UTC, ISO 8601; None: absent or unreadable."""
    date_ms: int | None = None
    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    thread_hints: tuple[str, ...] = ()
    """Message-IDs that it answers, nearest first: where its case is looked for."""
    reply_tokens: tuple[str, ...] = ()
    """Found, not verified: the key is not needed to decode a file."""
    text: str = ""
    quote: str = ""
    attachments: tuple[FileSeen, ...] = ()
    auto: Auto = ""
    may_auto_reply: bool = False
    why: str = ""
    bounce: Bounce | None = None
    receipt: Receipt | None = None
    warnings: tuple[str, ...] = ()


def describe(raw: bytes) -> Description:
    """What the bytes of one mail mean."""
    mail = mime.parse(raw)
    if isinstance(mail, Unreadable):
        return Description(digest=mail.digest, quarantined=mail.reason, from_=_person(mail.from_), subject=mail.subject)
    may, why = automatic.may_auto_reply(mail)
    return Description(
        digest=mail.digest,
        from_=_person(mail.from_),
        reply_to=tuple(_person(one) for one in mail.reply_to),
        to=tuple(_person(one) for one in mail.to),
        cc=tuple(_person(one) for one in mail.cc),
        delivered_to=mail.delivered_to,
        return_path=mail.return_path,
        subject=mail.subject,
        date=_date(mail.date_ms),
        date_ms=mail.date_ms,
        message_id=mail.message_id,
        in_reply_to=mail.in_reply_to,
        references=mail.references,
        thread_hints=references.thread_hints(mail),
        reply_tokens=references.tokens(mail),
        text=mail.text,
        quote=mail.quote,
        attachments=tuple(
            FileSeen(
                name=one.name,
                media_type=one.media_type,
                size_bytes=one.size_bytes,
                digest=one.digest,
                inline=one.inline,
            )
            for one in mail.attachments
        ),
        auto=mail.auto,
        may_auto_reply=may,
        why=why,
        bounce=mail.bounce,
        receipt=mail.receipt,
        warnings=mail.warnings,
    )


def _person(one: Address) -> Person:
    return Person(name=one.name, address=one.addr)


def _date(at_ms: int | None) -> str | None:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat() if at_ms is not None else None
    except (ValueError, OverflowError, OSError):
        return None
