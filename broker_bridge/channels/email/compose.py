"""An outgoing mail as bytes (RFC 5322), ready for SMTP.

Law: the same `Out` gives the same bytes, so a repeated send is the same mail. No field can add a header: line breaks and
control characters are cleaned from display text and refused in addresses and ids. The text goes out as the agent wrote
it; nothing is quoted below it.

Headers are written here and not by the standard library, which encodes long message ids as words (bpo-35805).
"""

import base64
import binascii
import hashlib
import re
from email.utils import formatdate
from urllib.parse import quote

import msgspec

from broker_bridge.channels.email import addresses, automatic, files, headers, plain
from broker_bridge.channels.email.mail import Address
from broker_bridge.channels.email.references import own_message_id

MAX_REFERENCES = 21
"""The first and the last 20: enough for every mail program to thread, short of the line limits of old servers."""
LINE_CHARS = 76

_ID = re.compile(r"[!-;=?-~]{3,900}")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}")
_ATOM_TEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


class Enclosure(msgspec.Struct, frozen=True, kw_only=True):
    """A file to go with a mail."""

    name: str
    media_type: str
    data: bytes


class Out(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to be written. Recipients are exactly those that the agent saw."""

    message: str
    """Our message id; with `domain` it makes the Message-ID."""
    domain: str
    from_: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    reply_to: Address | None = None
    """Usually `references.reply_address`."""
    subject: str = ""
    text: str = ""
    date_ms: int
    """UTC milliseconds."""
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    """The References of the mail being answered, oldest first."""
    attachments: tuple[Enclosure, ...] = ()
    is_auto: bool = False
    """An automatic answer: marked as one, so that no machine answers it (RFC 3834)."""


class NotSendable(ValueError):
    """A field of an `Out` that cannot be written; the text says which, without its content."""


def compose(out: Out) -> bytes:
    """The mail, with CRLF line ends.

    Raises:
        NotSendable: an address or id is malformed, or there is no recipient.
    """
    if not out.to and not out.cc:
        raise NotSendable("The mail has no recipient.")
    own_id = own_message_id(out.message, out.domain)
    lines = [
        f"Date: {formatdate(out.date_ms // 1000)}",
        f"From: {_mailbox(out.from_)}",
        *_list("To", out.to),
        *_list("Cc", out.cc),
        *(_list("Reply-To", (out.reply_to,)) if out.reply_to else []),
        f"Message-ID: <{_id(own_id)}>",
        *_thread(out),
        f"Subject: {_words(headers.one_line(out.subject), first=LINE_CHARS - 9)}",
        *(
            ("Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", f"{automatic.LOOP_HEADER}: {_id(own_id)}")
            if out.is_auto
            else ()
        ),
        "MIME-Version: 1.0",
    ]
    body = _text_part(out.text)
    if out.attachments:
        body = _mixed([body, *map(_file_part, out.attachments)], own_id)
    return "\r\n".join(lines).encode("ascii") + b"\r\n" + body


def recipients(out: Out) -> tuple[str, ...]:
    """The envelope recipients: every To and Cc address, each once.

    Raises:
        NotSendable: an address is malformed.
    """
    return tuple(dict.fromkeys(_addr(one.addr) for one in (*out.to, *out.cc)))


def threaded(in_reply_to: str | None, references: tuple[str, ...]) -> tuple[str, ...]:
    """The References of an answer: those of the mail answered and its own id, capped to the first and the last 20."""
    whole = tuple(dict.fromkeys((*references, *((in_reply_to,) if in_reply_to else ()))))
    return whole if len(whole) <= MAX_REFERENCES else (whole[0], *whole[1 - MAX_REFERENCES :])


def _thread(out: Out) -> list[str]:
    """In-Reply-To and References; foreign ids that no header can carry are left out, ours are always fine."""
    lines: list[str] = []
    if out.in_reply_to and _ID.fullmatch(out.in_reply_to):
        lines.append(f"In-Reply-To: <{out.in_reply_to}>")
    ids = [one for one in threaded(out.in_reply_to, out.references) if _ID.fullmatch(one)]
    if ids:
        lines.append("References: " + "\r\n ".join(f"<{one}>" for one in ids))
    return lines


def _id(value: str) -> str:
    if not _ID.fullmatch(value) or value.count("@") != 1:
        raise NotSendable("The message id is malformed.")
    return value


def _list(name: str, people: tuple[Address, ...]) -> list[str]:
    return [f"{name}: " + ",\r\n ".join(_mailbox(one) for one in people)] if people else []


def _mailbox(one: Address) -> str:
    """`Name <addr>`, folded before the address when the name is long."""
    addr = _addr(one.addr)
    name = headers.one_line(one.name)
    if not name:
        return addr
    if name.isascii() and len(name) <= 60 and "=?" not in name:
        shown = name if _ATOM_TEXT.fullmatch(name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    else:
        shown = _words(name, first=50, always=True)
    return f"{shown}\r\n <{addr}>" if len(shown) + len(addr) > 60 else f"{shown} <{addr}>"


def _addr(value: str) -> str:
    """An address as ASCII; a domain with other letters goes out in its IDNA form."""
    if not value or value != value.strip() or addresses.spec(value) != _domain_lowered(value):
        raise NotSendable("An address is malformed.")
    local, _, domain = value.rpartition("@")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        local.encode("ascii")
    except UnicodeError:
        raise NotSendable("An address has letters that plain mail cannot carry.") from None
    if re.search(r"[\x00-\x1f\x7f]", local + domain) or len(local) > 64:
        raise NotSendable("An address is malformed.")
    return f"{local}@{domain}"


def _domain_lowered(value: str) -> str:
    local, _, domain = value.rpartition("@")
    return f"{local}@{domain.lower()}"


def _words(text: str, *, first: int, always: bool = False) -> str:
    """Text as it is when one short ASCII line carries it, else RFC 2047 words, cut between letters."""
    if not always and text.isascii() and len(text) <= first and "=?" not in text:
        return text
    chunks: list[bytes] = []
    current = b""
    for letter in text.encode("utf-8", "replace").decode("utf-8"):
        data = letter.encode("utf-8")
        if len(current) + len(data) > 33:
            chunks.append(current)
            current = b""
        current += data
    chunks.append(current)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(chunk).decode('ascii')}?=" for chunk in chunks if chunk)


def _text_part(text: str) -> bytes:
    """text/plain with its headers: 7-bit when that is safe, else quoted-printable or base64, whichever is shorter."""
    flat = plain.lines_ended(text).rstrip("\n") + "\n"
    data = flat.encode("utf-8")
    plain_enough = data.isascii() and all(_is_plain(line) for line in flat.split("\n"))
    if plain_enough:
        head = b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        return head + data.replace(b"\n", b"\r\n")
    high = sum(byte > 127 for byte in data)
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    if high * 6 > len(data):
        return head + b"base64\r\n\r\n" + _base64(data.replace(b"\n", b"\r\n"))
    return head + b"quoted-printable\r\n\r\n" + _quoted_printable(data)


def _is_plain(line: str) -> bool:
    """No server on the way has a reason to touch this line."""
    return len(line) <= 900 and not line.startswith(("From ", ".")) and line == line.rstrip() and line.isprintable()


def _quoted_printable(data: bytes) -> bytes:
    encoded = binascii.b2a_qp(data, istext=True, quotetabs=False, header=False).replace(b"\r\n", b"\n")
    lines = [re.sub(rb"\AFrom ", b"=46rom ", re.sub(rb"\A\.", b"=2E", line)) for line in encoded.split(b"\n")]
    return b"\r\n".join(lines)


def _base64(data: bytes) -> bytes:
    encoded = base64.b64encode(data)
    return b"".join(encoded[at : at + LINE_CHARS] + b"\r\n" for at in range(0, len(encoded), LINE_CHARS))


def _file_part(file: Enclosure) -> bytes:
    """An attachment with its name in the two forms that mail programs look for; some take whichever stands first."""
    media_type = file.media_type.lower() if _TYPE.fullmatch(file.media_type.lower()) else "application/octet-stream"
    if media_type.startswith(("multipart/", "message/")):
        media_type = "application/octet-stream"
    name = files.clean_name(file.name).encode("utf-8", "replace").decode("utf-8") or "attachment"
    fallback = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)[:60]
    extended = "".join(_extended(name)) if fallback != name else ""
    disposition = f'attachment{extended};\r\n filename="{fallback}"'
    head = (
        f"Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: {disposition}\r\n\r\n"
    )
    return head.encode("ascii") + _base64(file.data)


def _extended(name: str) -> list[str]:
    """RFC 2231 pieces of a file name, each on a line that is short enough."""
    encoded = quote(name, safe="")
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", encoded)
    if len(pieces) == 1:
        return [f";\r\n filename*=utf-8''{encoded}"]
    return [
        f";\r\n filename*{at}*={chr(39).join(('utf-8', '', '')) if at == 0 else ''}{piece}"
        for at, piece in enumerate(pieces)
    ]


def _mixed(parts: list[bytes], seed: str) -> bytes:
    """The parts with a boundary made from their content; `=_` cannot stand in quoted-printable or base64 lines."""
    digest = hashlib.sha256(seed.encode("ascii") + b"".join(hashlib.sha256(part).digest() for part in parts))
    boundary = f"=_{digest.hexdigest()[:32]}".encode("ascii")
    head = b'Content-Type: multipart/mixed;\r\n boundary="' + boundary + b'"\r\n\r\n'
    return head + b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
