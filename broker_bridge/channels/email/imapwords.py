"""IMAP's words (RFC 3501, read November 2026) as bytes: what is said to a server, and what is read out of its answers. No I/O.

Law: nothing that is put into a command can become a second one, and what is inside a mail is never read as the server's own word.
"""

import base64
import datetime
import re
from collections.abc import Iterable, Iterator

import msgspec

Response = tuple[bytes, ...]
"""One answer of the server without its line ends: text, literal, text, literal, ..., text."""
Word = bytes | None | list["Word"]
"""What a FETCH answers: a word or a literal, NIL, or a list of those."""

_WORD = re.compile(rb'\s*(?:([()])|"([^"\\]*(?:\\.[^"\\]*)*)"|(\{\d+\}$)|([^\s()"]+))', re.DOTALL)
_FETCH = re.compile(rb"\* \d+ FETCH (?=\()", re.IGNORECASE)
_DEEPEST = 20
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One mail of a folder."""

    uid: int
    size_bytes: int
    at_s: int
    """When the server got it, seconds since 1970 (UTC); 0 if it does not say."""


def quoted(word: str) -> bytes:
    """A name for a command.

    Raises:
        ValueError: it holds what a quoted string cannot.
    """
    if re.search(r"[^\x20-\x7e]", word):
        raise ValueError("only printable ASCII can be quoted")
    return b'"' + re.sub(r'(["\\])', r"\\\1", word).encode("ascii") + b'"'


def utf7(folder: str) -> str:
    """A folder's name as IMAP writes it (RFC 3501, 5.1.3): `Отправленные` is `&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-`."""

    def encoded(match: re.Match[str]) -> str:
        packed = base64.b64encode(match[0].encode("utf-16-be")).decode("ascii")
        return f"&{packed.rstrip('=').replace('/', ',')}-"

    return re.sub(r"[^\x20-\x7e]+", encoded, folder.replace("&", "&-"))


def imap_day(at_s: int) -> str:
    """`21-Nov-2026`, the UTC day; servers compare in their own zone, so callers leave a day of room."""
    day = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def listed(responses: Iterable[Response], kind: bytes) -> Iterator[bytes]:
    """The words behind every `* KIND`, as the numbers of a SEARCH."""
    for response in responses:
        words = response[0].split()
        if len(words) > 1 and words[0] == b"*" and words[1].upper() == kind:
            yield from words[2:]


def fetched(responses: Iterable[Response]) -> Iterator[dict[bytes, Word]]:
    """What is told of each mail, by upper-case key. Answers that cannot be understood are left out."""
    for response in responses:
        match = _FETCH.match(response[0])
        if match is None:
            continue
        told = _parsed((response[0][match.end() :], *response[1:]))
        if told is not None:
            keys = [one.upper() if isinstance(one, bytes) else b"" for one in told[::2]]
            yield dict(zip(keys, told[1::2], strict=False))


def number(word: Word) -> int | None:
    """A count of the server, if it is one."""
    return int(word) if isinstance(word, bytes) and len(word) < 20 and word.isdigit() else None


def parsed_size(told: dict[bytes, Word]) -> Size | None:
    """One answer to FETCH (UID RFC822.SIZE INTERNALDATE)."""
    uid, size_bytes = number(told.get(b"UID")), number(told.get(b"RFC822.SIZE"))
    if uid is None or size_bytes is None:
        return None
    return Size(uid=uid, size_bytes=size_bytes, at_s=_internal_s(told.get(b"INTERNALDATE")))


def _parsed(parts: Response) -> list[Word] | None:
    """The one list that the parts make; None: they do not."""
    stack: list[list[Word]] = [[]]
    for place in range(0, len(parts), 2):
        text = parts[place].rstrip()
        at = 0
        while at < len(text):
            match = _WORD.match(text, at)
            if match is None:
                return None
            at = match.end()
            bracket, string, literal, atom = match.groups()
            if bracket == b"(":
                if len(stack) > _DEEPEST:
                    return None
                stack.append([])
            elif bracket:
                if len(stack) == 1:
                    return None
                done = stack.pop()
                stack[-1].append(done)
            elif literal:
                if place + 1 == len(parts):
                    return None
                stack[-1].append(parts[place + 1])
            elif string is not None:
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", string, flags=re.DOTALL))
            else:
                stack[-1].append(None if atom.upper() == b"NIL" else atom)
    told = stack[0][0] if len(stack) == 1 and stack[0] else None
    return told if isinstance(told, list) else None


def _internal_s(value: Word) -> int:
    if not isinstance(value, bytes):
        return 0
    try:
        return int(datetime.datetime.strptime(value.decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z").timestamp())
    except (ValueError, OverflowError):
        return 0
