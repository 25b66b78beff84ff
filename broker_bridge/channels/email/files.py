"""Attachments: names made safe, bytes digested.

Law: a shown name is one path component without control, direction or separator characters. It never decides where
anything is written.
"""

import hashlib
import mimetypes
import re
import unicodedata

from broker_bridge.channels.email import headers, tree
from broker_bridge.channels.email.mail import Attachment

MAX_NAME = 150

_UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f<>:"|?*\u200b-\u200f\u202a-\u202e\u2060-\u2069\u2028\u2029\ufeff\ud800-\udfff]'
)
_TYPES = mimetypes.MimeTypes()
"""Python's own table: not that of the machine, so that the same mail gives the same names everywhere."""
_NAMED = {
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "text/rfc822-headers": "returned-headers.txt",
    "text/calendar": "invitation.ics",
    "application/ms-tnef": "winmail.dat",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-signature": "smime.p7s",
    "text/html": "message.html",
    "text/plain": "text.txt",
}


def clean_name(name: str) -> str:
    """One harmless path component of at most MAX_NAME characters, or '' when nothing is left."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    bare = re.sub(r"\s+", " ", _UNSAFE.sub("", last)).strip(" .")
    if len(bare) <= MAX_NAME:
        return bare
    stem, dot, ending = bare.rpartition(".")
    return stem[: MAX_NAME - 1 - len(ending)] + dot + ending if dot and len(ending) <= 12 else bare[:MAX_NAME]


def given_name(part: tree.Part) -> str:
    """The file name that a part's header gives, cleaned; '' when it gives none."""
    _, disposition = headers.parameters(tree.value(part, "Content-Disposition"))
    _, kind = headers.parameters(tree.value(part, "Content-Type"))
    return clean_name(disposition.get("filename", "")) or clean_name(kind.get("name", ""))


def attachment(
    data: bytes, media_type: str, name: str = "", *, number: int = 1, inline: bool = False, content_id: str = ""
) -> Attachment:
    """An attachment; a nameless one is called by its type and number."""
    shown = clean_name(name) or _NAMED.get(media_type, "")
    if not shown:
        shown = f"attachment-{number}{_TYPES.guess_extension(media_type) or ''}"
    return Attachment(
        name=shown,
        media_type=media_type,
        size_bytes=len(data),
        digest=hashlib.sha256(data).hexdigest(),
        data=data,
        inline=inline,
        content_id=content_id,
    )
