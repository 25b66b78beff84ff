"""Which earlier mail a mail answers: message ids, and reply tokens that we signed.

Law: a message id in a header is a hint that anyone can forge or copy; the caller checks the participants too. A signed
token in the address proves only that its holder once got a mail of that conversation from us.
"""

import base64
import hashlib
import hmac
import re

from broker_bridge.channels.email.mail import Mail

MAX_ID_CHARS = 38
"""A local part has at most 64 characters (RFC 5321): `reply+`, the id, 20 of the signature."""
SIGNATURE_CHARS = 20
"""100 bits of the HMAC in base 32."""

_ID = re.compile(r"[0-9a-z]{1,38}")
_TOKEN = re.compile(r"(?i)(?:^|[<\s,])[a-z0-9._-]{1,20}\+([0-9a-z]{21,58})@([a-z0-9.-]{1,253})")
_OWN = re.compile(r"([0-9a-z]{1,60})@([^@\s]{1,253})")


def thread_hints(mail: Mail) -> tuple[str, ...]:
    """Candidate ids of the mails that this one answers or reports on, the nearest first, each once."""
    found: list[str] = []
    for report in (mail.bounce, mail.receipt):
        if report is not None and report.original_message_id:
            found.append(report.original_message_id)
    if mail.in_reply_to:
        found.append(mail.in_reply_to)
    found += reversed(mail.references)
    return tuple(one for one in dict.fromkeys(found) if one != mail.message_id)


def own_message_id(message: str, domain: str) -> str:
    """The Message-ID (without brackets) of our message: the same for the same message, so a repeated send is seen as one."""
    return f"{message}@{domain}"


def own_message(message_id: str, domain: str) -> str | None:
    """Our message that a Message-ID names, if it has our shape and domain. Nobody signs a Message-ID: look it up."""
    match = _OWN.fullmatch(message_id.strip("<>"))
    return match[1] if match and match[2].lower() == domain.lower() else None


def sign(conversation_id: str, key: bytes) -> str:
    """A token that names a conversation and cannot be made without the key; lower case letters and digits.

    Raises:
        ValueError: the id is not 1 to 38 lower case letters and digits, or the key is shorter than 16 bytes.
    """
    if not _ID.fullmatch(conversation_id):
        raise ValueError("a conversation id is 1 to 38 lower case letters and digits")
    if len(key) < 16:
        raise ValueError("the key for reply tokens needs at least 16 bytes")
    return conversation_id + _signature(conversation_id, key)


def verify(token: str, key: bytes) -> str | None:
    """The conversation of a token, in any letter case; None when it is not ours."""
    bare = token.strip().lower()
    if len(key) < 16 or not bare.isascii():
        return None
    conversation, signature = bare[:-SIGNATURE_CHARS], bare[-SIGNATURE_CHARS:]
    if not _ID.fullmatch(conversation):
        return None
    return conversation if hmac.compare_digest(signature, _signature(conversation, key)) else None


def reply_address(conversation_id: str, key: bytes, domain: str, local: str = "reply") -> str:
    """`reply+TOKEN@domain`, where answers of this conversation come in.

    Raises:
        ValueError: as `sign`, or the local part would pass 64 characters.
    """
    whole = f"{local}+{sign(conversation_id, key)}"
    if len(whole) > 64:
        raise ValueError("the local part of the reply address would be longer than 64 characters")
    return f"{whole}@{domain}"


def tokens(mail: Mail) -> tuple[str, ...]:
    """Everything in the recipients and references that looks like a reply token, in that order; not yet verified."""
    places = [*mail.delivered_to, *(one.addr for one in (*mail.to, *mail.cc)), *thread_hints(mail)]
    return tuple(dict.fromkeys(match[1].lower() for place in places for match in _TOKEN.finditer(place)))


def conversation(mail: Mail, key: bytes) -> str | None:
    """The conversation of the first genuine token of a mail."""
    return next((found for token in tokens(mail) if (found := verify(token, key)) is not None), None)


def _signature(conversation_id: str, key: bytes) -> str:
    digest = hmac.new(key, b"reply-token\x00" + conversation_id.encode("ascii"), hashlib.sha256).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:SIGNATURE_CHARS]
