"""Bytes of a mail to its meaning.

Law: whatever the bytes are, the result is a `Mail` with warnings or an `Unreadable` with a reason, never an exception and
never silence. Limits are checked while reading. Sender, recipients and ids come from the header's syntax only.
"""

import hashlib
import re
from email.errors import MessageError

from broker_bridge.channels.email import addresses, automatic, body, bounces, charsets, headers, plain, quotes, tree
from broker_bridge.channels.email.mail import Address, Mail, Over, Unreadable

MAX_REFERENCES = 200

_KNOWN_HEADERS = frozenset(
    (
        *(
            "from",
            "to",
            "cc",
            "bcc",
            "sender",
            "reply-to",
            "subject",
            "date",
            "message-id",
            "in-reply-to",
            "references",
        ),
        *("received", "return-path", "delivered-to", "x-original-to", "x-mailer", "dkim-signature"),
        *("mime-version", "content-type", "content-transfer-encoding", "content-disposition"),
    )
)
_DELIVERED = ("Delivered-To", "X-Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Apparently-To")
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, RecursionError, MessageError)
"""What the standard library's parser has raised on hostile input over the years."""
BROKEN_REASON = "The mail is broken in a way that makes its parts impossible to tell apart."


def parse(raw: bytes) -> Mail | Unreadable:
    """The meaning of one mail as it came over the wire or from a file."""
    if not raw.strip():
        return _unreadable(raw, "The mail is empty.")
    if len(raw) > tree.MAX_BYTES:
        return _unreadable(raw, f"The mail is larger than {tree.MAX_BYTES // 2**20} MiB.")
    if raw.count(b"\n") > tree.MAX_LINES:
        return _unreadable(raw, f"The mail has more than {tree.MAX_LINES:,} lines.")
    try:
        return _read(raw)
    except Over as limit:
        return _unreadable(raw, str(limit))
    except _BROKEN:
        return _unreadable(raw, BROKEN_REASON)


def _read(raw: bytes) -> Mail:
    warnings: list[str] = []
    root, budget = _root(raw, warnings)
    found = body.collect(root, budget)
    warnings += found.warnings
    from_ = _sender(root, warnings)
    subject = headers.text(tree.value(root, "Subject"))
    return_path = _return_path(root)
    text, quote = _report_text(found) if found.reports else _folded(found.pieces)
    auto = automatic.classify(lambda name: tree.values(root, name), from_.addr, subject, return_path)
    receipt = bounces.receipt(found.reports, found.returned)
    bounce = bounces.bounce(found.reports, found.returned)
    if bounce is None and receipt is None and auto != "":
        whole = f"{text}\n{quote}"
        bounce = bounces.older(from_, subject, return_path, whole, tree.values(root, "X-Failed-Recipients"))
    own_ids = headers.message_ids(tree.value(root, "Message-ID"))
    answered = headers.message_ids(tree.value(root, "In-Reply-To"))
    return Mail(
        digest=hashlib.sha256(raw).hexdigest(),
        content_digest=_content_digest(root, raw),
        message_id=own_ids[0] if own_ids else None,
        in_reply_to=answered[0] if answered else None,
        references=_references(root),
        from_=from_,
        reply_to=_mailboxes(root, "Reply-To"),
        to=_mailboxes(root, "To"),
        cc=_mailboxes(root, "Cc"),
        delivered_to=_delivered_to(root),
        return_path=return_path,
        subject=subject,
        date_ms=_date_ms(root, warnings),
        text=text,
        quote=quote,
        attachments=tuple(found.attachments),
        auto=auto if auto or bounce is None else "auto-generated",
        suppress=automatic.asks_for_silence(lambda name: tree.values(root, name)),
        bounce=bounce,
        receipt=receipt,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _root(raw: bytes, warnings: list[str]) -> tuple[tree.Part, tree.Budget]:
    """The tree, its header mended or missing."""
    budget = tree.Budget()
    root = tree.read(_without_lead(raw), budget)
    mended = _mended(_without_lead(raw)) if not tree.values(root, "From") else None
    if mended is not None:
        budget = tree.Budget()
        root = tree.read(mended, budget)
        warnings.append("A line of the header is broken; it was skipped.")
    if not any(name.lower() in _KNOWN_HEADERS for name, _ in root.raw_items()):
        budget = tree.Budget()
        root = tree.read(b"\n" + raw, budget)
        warnings.append("The mail has no header; all of it was read as text.")
    warnings += tree.defects(root)
    return root, budget


def _content_digest(root: tree.Part, raw: bytes) -> str:
    """What every delivery of one mail shares: the sender's own header fields and the body, not the hops' marks."""
    whole = hashlib.sha256()
    for name in ("From", "To", "Cc", "Date", "Subject", "Message-ID"):
        for value in tree.values(root, name):
            whole.update(f"{name}:{headers.unfold(value)}\n".encode("utf-8", "surrogateescape"))
    body_bytes = re.split(rb"\r?\n\r?\n", _without_lead(raw), maxsplit=1)[1:]
    for part in body_bytes:
        whole.update(part.replace(b"\r\n", b"\n").rstrip())
    return whole.hexdigest()


def _without_lead(raw: bytes) -> bytes:
    """Without what stands before the header: empty lines, a byte order mark, an escaped mailbox line."""
    bare = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    return re.sub(rb"\A>From [^\r\n]*\r?\n", b"", bare)


def _mended(raw: bytes) -> bytes | None:
    """The mail with broken lines of its header made harmless; None when that does not bring a From to light.

    Old senders wrote a space before the colon; careless gateways put half a line in.
    """
    head, gap, rest = [*re.split(rb"(\r?\n\r?\n)", raw, maxsplit=1), b"", b""][:3]
    if len(head) > tree.MAX_HEADER_BYTES or not re.search(rb"(?im)^from[ \t]*:", head):
        return None
    if not re.search(rb"(?im)^(?:to|date|subject|message-id|received)[ \t]*:", head):
        return None
    lines = [re.sub(rb"\A([!-9;-~]+)[ \t]+:", rb"\1:", line) for line in head.split(b"\n")]
    whole = [line if re.match(rb"[ \t]|[!-9;-~]+:|From ", line) else b"X-Unreadable-Line: " + line for line in lines]
    return b"\n".join(whole) + gap + rest


def _folded(pieces: list[body.Piece]) -> tuple[str, str]:
    """New text and quote of all pieces. Each is folded alone, so that a quote in one does not swallow the next."""
    texts: list[str] = []
    folds: list[str] = []
    for piece in pieces:
        folded = quotes.Folded(piece.text.strip("\n"), "") if piece.is_forward else quotes.fold(piece.text)
        texts.append(folded.text)
        folds.append(folded.quote)
    return "\n\n".join(one for one in texts if one.strip()), "\n\n".join(one for one in folds if one.strip())


def _report_text(found: body.Collected) -> tuple[str, str]:
    """What a server says about a delivery: nothing in it is a quote. Some put their words into the report itself."""
    said = "\n\n".join(piece.text.strip("\n") for piece in found.pieces if piece.text.strip())
    return said or plain.lines_ended(charsets.decode(found.reports[0][1])[0]).strip("\n"), ""


def _sender(root: tree.Part, warnings: list[str]) -> Address:
    """The first mailbox of From that has an address; else its display text alone."""
    found = _mailboxes(root, "From")
    usable = [one for one in found if one.addr]
    if not found:
        warnings.append("The mail does not say who sent it.")
        return Address()
    if not usable:
        warnings.append("The sender's address could not be read; only the name is shown.")
        return found[0]
    if len(usable) > 1:
        warnings.append("The mail names more than one sender; the first is shown.")
    shown = re.search(r"[^\s@<>\"'()]+@[^\s@<>\"'()]+\.\w+", usable[0].name)
    if shown and shown[0].lower() != usable[0].addr.lower():
        warnings.append("The sender's name shows an address that is not the sender's.")
    return usable[0]


def _mailboxes(root: tree.Part, name: str) -> tuple[Address, ...]:
    found = [one for value in tree.values(root, name) for one in addresses.mailboxes(value)]
    return tuple(found[: addresses.MAX_ADDRESSES])


def _delivered_to(root: tree.Part) -> tuple[str, ...]:
    found = [one.addr for name in _DELIVERED for one in _mailboxes(root, name) if one.addr]
    return tuple(dict.fromkeys(found))


def _return_path(root: tree.Part) -> str | None:
    values = tree.values(root, "Return-Path")
    if not values:
        return None
    flat = headers.unfold(values[0])
    if flat.replace(" ", "") == "<>":
        return ""
    found = addresses.mailboxes(flat)
    return found[0].addr if found and found[0].addr else None


def _references(root: tree.Part) -> tuple[str, ...]:
    found = [one for value in tree.values(root, "References") for one in headers.message_ids(value)]
    unique = list(dict.fromkeys(found))
    return tuple(unique if len(unique) <= MAX_REFERENCES else unique[:1] + unique[1 - MAX_REFERENCES :])


def _date_ms(root: tree.Part, warnings: list[str]) -> int | None:
    value = tree.value(root, "Date")
    at_ms = headers.date_ms(value) if value.strip() else None
    if at_ms is None and value.strip():
        warnings.append("The date of the mail could not be read.")
    return at_ms


def _unreadable(raw: bytes, reason: str) -> Unreadable:
    """A row that still shows who wrote about what, if that much can be read."""
    head = re.split(rb"\r?\n\r?\n", raw.lstrip(b"\r\n")[: tree.MAX_HEADER_BYTES], maxsplit=1)[0]
    senders = [one for one in addresses.mailboxes(_peek(head, b"from")) if one.addr or one.name]
    return Unreadable(
        reason=reason,
        digest=hashlib.sha256(raw).hexdigest(),
        size_bytes=len(raw),
        from_=senders[0] if senders else Address(),
        subject=headers.text(_peek(head, b"subject")),
    )


def _peek(head: bytes, name: bytes) -> str:
    match = re.search(rb"(?im)^" + name + rb":[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", head)
    return match[1].decode("ascii", "surrogateescape")[:4000] if match else ""
