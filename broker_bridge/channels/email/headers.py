"""Header values as they came, unfolded and decoded without trusting their syntax.

The standard library's structured header parser raises on many broken headers, so values are taken raw (8-bit bytes as
surrogates) and read here. Law: nothing raises; what cannot be decoded is shown as it came.
"""

import binascii
import calendar
import re
from email.utils import parsedate_tz
from urllib.parse import unquote_to_bytes

from broker_bridge.channels.email import charsets

_WORD = re.compile(
    r"=\?([\w.:+-]{1,60})(?:\*[\w-]*)?\?([bBqQ])\?(.{0,2000}?)\?=(?=[\s\"'(),;:<>\[\]]|=\?|$)", re.DOTALL
)
_LOOSE_WORD = re.compile(r"=\?([\w.:+-]{1,60})(?:\*[\w-]*)?\?([bBqQ])\?([^?]*)(?:\?=|\?$|$)", re.DOTALL)
_ID = re.compile(r"<([^<>]{1,900})>")
_PARAMETER = re.compile(r"([^\s=;\"]{1,60}) ?= ?(?:\"((?:[^\"\\]|\\.)*)\"?|([^;]*))")


def unfold(value: str) -> str:
    """One line, without the line breaks that folding or a forger put there."""
    return re.sub(r"[\r\n]+[ \t]*", " ", value).replace("\t", " ").strip()


def raw_bytes(value: str) -> bytes:
    """The bytes that a header value came as."""
    return value.encode("utf-8", "surrogateescape")


def eight_bit(value: str) -> str:
    """A value without surrogates: stray 8-bit bytes are guessed as text is."""
    if value.isascii():
        return value
    return charsets.decode(raw_bytes(value))[0]


def text(value: str) -> str:
    """Display text of a header: encoded words (RFC 2047, also broken ones) decoded, one line, no control characters."""
    flat = unfold(value)
    pattern = _WORD if _WORD.search(flat) else _LOOSE_WORD
    out: list[str] = []
    pending: list[tuple[str, bytes]] = []
    end = 0
    for match in pattern.finditer(flat):
        between = flat[end : match.start()]
        if between.strip() or not pending:
            out += [_joined(pending), eight_bit(between)]
            pending = []
        pending.append((match[1].lower(), _word_bytes(match[2], match[3])))
        end = match.end()
    out += [_joined(pending), eight_bit(flat[end:])]
    return one_line("".join(out))


def one_line(value: str) -> str:
    """No control characters and no runs of spaces."""
    return re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", value).strip()


def _joined(words: list[tuple[str, bytes]]) -> str:
    """Neighboring words of one charset are one run of bytes: some senders cut in the middle of a letter."""
    out: list[str] = []
    run = b""
    for index, (charset, data) in enumerate(words):
        run += data
        if index + 1 == len(words) or words[index + 1][0] != charset:
            out.append(charsets.decode(run, charset)[0])
            run = b""
    return "".join(out)


def _word_bytes(encoding: str, payload: str) -> bytes:
    data = raw_bytes(payload)
    if encoding in "qQ":
        return re.sub(rb"=([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), data.replace(b"_", b" "))
    return base64_bytes(data)


def base64_bytes(data: bytes) -> bytes:
    """Base64 that may be unpadded, wrapped, dirty or several pieces in a row."""
    out: list[bytes] = []
    bare = re.sub(rb"[^A-Za-z0-9+/=]", b"", data)
    for piece in re.findall(rb"[A-Za-z0-9+/]+", bare if bare.count(b"=") < 1000 else bare.replace(b"=", b"")):
        whole = piece[:-1] if len(piece) % 4 == 1 else piece
        try:
            out.append(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)))
        except binascii.Error:
            continue
    return b"".join(out)


def message_ids(value: str) -> tuple[str, ...]:
    """The ids of a Message-ID, In-Reply-To or References value, in its order, without brackets, each once."""
    flat = unfold(value)
    found = [re.sub(r"\s+", "", eight_bit(match)) for match in _ID.findall(flat)]
    if not found:
        found = [eight_bit(word.strip(",;<>")) for word in flat.split() if "@" in word and len(word) <= 900]
    return tuple(dict.fromkeys(one for one in found if one))


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """The leading token of a Content-Type-like header (lower case) and its parameters, RFC 2231 pieces put together."""
    head, _, rest = re.sub(r"\s+", " ", unfold(value)).partition(";")
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for match in _PARAMETER.finditer(rest):
        name = match[1].lower()
        content = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else (match[3] or "").strip()
        split = re.fullmatch(r"([^*]+)(?:\*(\d{1,3}))?(\*?)", name)
        if split and "*" in name:
            pieces.setdefault(split[1], []).append((int(split[2] or 0), bool(split[3]), content))
        else:
            plain.setdefault(name, text(content))
    for name, parts in pieces.items():
        plain[name] = _extended(sorted(parts, key=lambda part: part[0]))
    return head.strip().lower(), plain


def _extended(parts: list[tuple[int, bool, str]]) -> str:
    """RFC 2231: charset'language'percent-encoded, over several numbered pieces."""
    charset, data = "", b""
    for index, (_, encoded, content) in enumerate(parts):
        if encoded and index == 0 and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        data += unquote_to_bytes(raw_bytes(content)) if encoded else raw_bytes(content)
    shown = charsets.decode(data, charset)[0]
    return text(shown) if "=?" in shown else one_line(shown)


def date_ms(value: str) -> int | None:
    """UTC milliseconds of a Date header, or None when it cannot be understood or lies outside 1970 to 2199."""
    flat = unfold(value)
    if not flat.isascii() or len(flat) > 200:
        return None
    try:
        parts = parsedate_tz(flat)
        if parts is None or not 1970 <= parts[0] < 2200 or not 1 <= parts[1] <= 12 or not 1 <= parts[2] <= 31:
            return None
        if not (0 <= parts[3] < 24 and 0 <= parts[4] < 60 and 0 <= parts[5] <= 60):
            return None
        at_ms = (calendar.timegm((*parts[:6], 0, 1, 0)) - (parts[9] or 0)) * 1000
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at_ms if at_ms >= 0 else None
