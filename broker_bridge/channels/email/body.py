"""From the tree of parts to readable text and files.

Law: every part ends up in the text or among the attachments; of alternatives that say the same, one is shown.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

from broker_bridge.channels.email import addresses, charsets, files, headers, html, plain, tree, words
from broker_bridge.channels.email.mail import Attachment

_TEXT = frozenset(("text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "text/x-markdown"))
_SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_MARKUP = re.compile(r"(?is)^\s*(?:<!doctype html|<html|<head|<body|<div|<table|<p>|<br)")
_META = re.compile(rb"(?i)<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:+-]{1,40})")


@dataclass(kw_only=True)
class Piece:
    """A run of text that one part gave."""

    source: str
    is_html: bool = False
    is_forward: bool = False
    """The text of a mail attached to this one: it is content, so it is never folded."""

    @cached_property
    def text(self) -> str:
        """Plain text. HTML is converted only when somebody looks: mostly the plain alternative is taken."""
        return html.to_text(self.source) if self.is_html else self.source

    @cached_property
    def words(self) -> int:
        """How many words there are; for HTML a quick estimate."""
        return len(re.findall(r"\w+", html.tags_stripped(self.source) if self.is_html else self.source))


@dataclass(kw_only=True)
class Collected:
    """What has been found so far."""

    pieces: list[Piece] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reports: list[tuple[str, bytes]] = field(default_factory=list)
    """(media type, bytes) of delivery reports and disposition notifications."""
    returned: list[bytes] = field(default_factory=list)
    """Mails, or their headers, that a report gives back."""


def collect(root: tree.Part, budget: tree.Budget) -> Collected:
    """Text pieces and attachments of a whole mail, in its order."""
    out = Collected()
    _walk(root, out, budget, is_report=False, is_related=False)
    is_empty = not out.attachments and not any(piece.words for piece in out.pieces)
    if is_empty and isinstance(root.preamble, str) and root.preamble.strip():
        out.pieces.append(Piece(source=plain.lines_ended(headers.eight_bit(root.preamble))))
    return out


def _walk(part: tree.Part, out: Collected, budget: tree.Budget, *, is_report: bool, is_related: bool) -> None:
    parts = tree.children(part)
    kind = part.media_type()
    if not parts:
        _leaf(part, out, budget, is_report=is_report, is_related=is_related)
    elif kind == "multipart/alternative":
        _alternative(parts, out, budget, is_report=is_report)
    else:
        for at, child in enumerate(parts):
            related = kind == "multipart/related" and at > 0
            _walk(child, out, budget, is_report=is_report or kind == "multipart/report", is_related=related)


def _alternative(parts: tuple[tree.Part, ...], out: Collected, budget: tree.Budget, *, is_report: bool) -> None:
    """Take the plain text, or the HTML when the plain text says nothing."""
    sides: list[Collected] = []
    for part in parts:
        side = Collected()
        _walk(part, side, budget, is_report=is_report, is_related=False)
        sides.append(side)
        out.attachments += side.attachments
        out.warnings += side.warnings
        out.reports += side.reports
        out.returned += side.returned
    plains = [side for side in sides if side.pieces and not any(piece.is_html for piece in side.pieces)]
    rich = [side for side in sides if any(piece.is_html for piece in side.pieces)]
    if not rich or (plains and not _says_less(_words(plains), _words(rich[-1:]), plains)):
        seen: set[str] = set()
        for piece in (piece for side in plains for piece in side.pieces):
            if piece.text.strip() not in seen:
                out.pieces.append(piece)
            seen.add(piece.text.strip())
    else:
        out.pieces += rich[-1].pieces


def _words(sides: list[Collected]) -> int:
    return sum(piece.words for side in sides for piece in side.pieces)


def _says_less(plain_words: int, rich_words: int, plains: list[Collected]) -> bool:
    """Whether the plain alternative is empty, a stub, or so much shorter that it cannot say the same."""
    if rich_words == 0:
        return False
    stub = any(words.NO_TEXT_HERE.search(piece.text) for side in plains for piece in side.pieces)
    return plain_words == 0 or (stub and plain_words < 60) or (rich_words > 30 and plain_words * 5 < rich_words)


def _leaf(part: tree.Part, out: Collected, budget: tree.Budget, *, is_report: bool, is_related: bool) -> None:
    kind = part.media_type()
    name = files.given_name(part)
    disposition = headers.parameters(tree.value(part, "Content-Disposition"))[0]
    data, warning = tree.content(part)
    if warning:
        out.warnings.append(warning)
    if kind == "application/pgp-encrypted" or (kind in _SEALED and not _is_signed_only(part)):
        out.warnings.append("The mail is encrypted; its text is in the attached file.")
    if kind.startswith("multipart/"):
        kind = "text/html" if _MARKUP.match(data[:500].decode("latin-1")) else "text/plain"
    if kind in ("message/rfc822", "message/global", "message/news"):
        _mail_within(data, name, out, budget, depth=part.depth + 1, is_report=is_report)
        return
    if kind in ("message/delivery-status", "message/global-delivery-status", "message/disposition-notification"):
        out.reports.append((kind, data))
    elif is_report and kind in ("text/rfc822-headers", "message/global-headers"):
        out.returned.append(data)
    is_first = not any(piece.words for piece in out.pieces)
    is_text = kind in _TEXT and disposition != "attachment" and not is_related and (not name or is_first)
    if is_text:
        _add_text(part, kind, data, out, budget)
    if (not is_text and (data or name)) or name:
        content_id = "".join(headers.message_ids(tree.value(part, "Content-ID"))[:1])
        inline = disposition != "attachment" and (is_related or bool(content_id) or disposition == "inline")
        number = len(out.attachments) + 1
        out.attachments.append(files.attachment(data, kind, name, number=number, inline=inline, content_id=content_id))


def _is_signed_only(part: tree.Part) -> bool:
    return headers.parameters(tree.value(part, "Content-Type"))[1].get("smime-type", "") == "signed-data"


def _add_text(part: tree.Part, kind: str, data: bytes, out: Collected, budget: tree.Budget) -> None:
    _, parameters = headers.parameters(tree.value(part, "Content-Type"))
    charset = parameters.get("charset", "")
    is_html = kind == "text/html"
    meta = _META.search(data[:4096]) if is_html and not charset else None
    text, warning = charsets.decode(data, meta[1].decode("ascii") if meta else charset)
    if warning:
        out.warnings.append(warning)
    text = plain.lines_ended(text)
    if is_html:
        budget.html_chars += len(text)
        if budget.html_chars > html.MAX_CHARS:
            out.warnings.append("The HTML text is longer than 2 MiB; the whole of it is attached.")
            out.attachments.append(files.attachment(data, kind))
            text = text[: max(0, len(text) + html.MAX_CHARS - budget.html_chars)]
        out.pieces.append(Piece(source=text, is_html=True))
        return
    if kind in ("text/enriched", "text/richtext"):
        text = html.tags_stripped(text)
    if parameters.get("format", "").lower() == "flowed":
        text = plain.unflow(text, delete_space=parameters.get("delsp", "").lower() == "yes")
    text, found = plain.without_uuencoded(text)
    for name, content in found:
        out.attachments.append(files.attachment(content, "application/octet-stream", name))
    out.pieces.append(Piece(source=text))


def _mail_within(data: bytes, name: str, out: Collected, budget: tree.Budget, *, depth: int, is_report: bool) -> None:
    """A mail attached to this one: kept whole as a file, its words shown, its own files kept too."""
    root = tree.read(data.lstrip(b"\r\n"), budget, depth)
    subject = headers.text(tree.value(root, "Subject"))
    shown = files.clean_name(re.sub(r"[/\\]", "-", subject))[:100] or re.sub(r"\.eml$", "", name) or "attached mail"
    out.attachments.append(files.attachment(data, "message/rfc822", f"{shown}.eml"))
    if is_report:
        out.returned.append(data)
        return
    inner = collect(root, budget)
    out.warnings += inner.warnings
    out.attachments += inner.attachments
    senders = addresses.mailboxes(tree.value(root, "From"))
    lines = [
        "---------- Forwarded message ----------",
        *(
            f"From: {' '.join(part for part in (one.name, f'<{one.addr}>' if one.addr else '') if part)}"
            for one in senders[:1]
        ),
        f"Date: {headers.text(tree.value(root, 'Date'))}",
        f"Subject: {subject}",
        "",
    ]
    text = "\n".join(lines + [piece.text for piece in inner.pieces])
    out.pieces.append(Piece(source=text, is_forward=True))
