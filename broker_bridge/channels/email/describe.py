"""What the bridge makes of a mail file, for `broker-bridge decode email FILE`: every finding, no attachment bytes."""

import msgspec

from broker_bridge.channels.email import automatic, mime, references
from broker_bridge.channels.email.mail import Address, Auto, Bounce, Receipt, Unreadable


class FileSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment without its bytes."""

    name: str
    media_type: str
    size_bytes: int
    digest: str
    inline: bool


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """All that was understood; with `quarantined` set, only the sender and subject besides."""

    digest: str
    quarantined: str = ""
    """Why the mail would become a "could not be read" row; '' when it was read."""
    from_: Address = Address()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    delivered_to: tuple[str, ...] = ()
    return_path: str | None = None
    subject: str = ""
    date_ms: int | None = None
    message_id: str | None = None
    thread_hints: tuple[str, ...] = ()
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
        return Description(digest=mail.digest, quarantined=mail.reason, from_=mail.from_, subject=mail.subject)
    may, why = automatic.may_auto_reply(mail)
    return Description(
        digest=mail.digest,
        from_=mail.from_,
        reply_to=mail.reply_to,
        to=mail.to,
        cc=mail.cc,
        delivered_to=mail.delivered_to,
        return_path=mail.return_path,
        subject=mail.subject,
        date_ms=mail.date_ms,
        message_id=mail.message_id,
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
