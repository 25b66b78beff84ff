"""Foreign text made harmless for a terminal.

The law: whatever a customer, a channel or a server of somebody else wrote passes `clean` or `clean_line` before it is
measured or painted. What comes out has no control character but the newline, no escape sequence, no bidirectional
override, isolate or mark, nothing invisible that a reader could be fooled with, and at most four marks on a letter.
Both functions are idempotent. The original is kept by whoever owns it: cleaning happens at render, never at rest.
"""

import re
from functools import lru_cache
from unicodedata import category

MAX_CHARS = 20_000
"""Characters of one message that are ever painted (1 MB in one widget took 20 s)."""
MAX_LINES = 500
MAX_MARKS = 4
_MARKER_ROOM = 120
_LINE_RAW_CHARS = 2_000
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"

# CSI; then OSC, DCS, SOS, PM and APC with their payload, when they end on the same line (an unterminated one must not
# swallow the message: its introducer alone is dropped below); then the two-character escapes.
_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90-\x9f\n\r]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/][0-~]"
)
_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BAD_ASCII = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_BAD = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bcaf\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ODD = re.compile("[\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff]|[\U0001fffe\U0001ffff]")
# Runs that may hold too many marks: no letter, no space, or the Hangul vowels and finals (no cell of their own).
_PILE = re.compile("(?:[^\\w\\s\x00-\u02ff]|[\u1160-\u11ff\ud7b0-\ud7ff]){5,}")
# A joiner is kept only between two characters that are neither ASCII nor Latin nor space: scripts and emoji.
_LONE_JOINER = re.compile(
    "[\u200c\u200d](?![\u0300-\u1fff\u200c\u200d\u2010-\u2027\u2030-\u2fff\u3001-\U0010ffff])"
    "|(?<![\u0300-\u1fff\u200c\u200d\u2010-\u2027\u2030-\u2fff\u3001-\U0010ffff])[\u200c\u200d]"
)
_JOINER_RUN = re.compile("[\u200c\u200d]{2,}")
_BLANK = re.compile("\\s+")


def clean(text: str) -> str:
    """`text` as it may be painted: at most 20,000 characters and 500 lines, the last of which says what is missing."""
    out = _scrub(text[: MAX_CHARS + 1])
    if len(text) <= MAX_CHARS and len(out) <= MAX_CHARS and out.count("\n") < MAX_LINES:
        return out
    return _capped(out, len(text))


def clean_line(text: str, limit: int = 500) -> str:
    """`text` as one line of at most `limit` characters: every run of white space is one space, none at the ends."""
    return _clean_line(text[:_LINE_RAW_CHARS], limit)


@lru_cache(maxsize=8192)
def _clean_line(text: str, limit: int) -> str:
    return _BLANK.sub(" ", _scrub(text)).strip()[:limit].rstrip()


def clean_typed(text: str) -> str:
    """What is pasted into a field or stands in a draft: nothing is cut off, for it is about to be sent."""
    return _scrub(text)


def _capped(out: str, total_chars: int) -> str:
    lines = out[: MAX_CHARS - _MARKER_ROOM].split("\n")[: MAX_LINES - 1]
    kept = "\n".join(lines)
    missing = max(total_chars, len(out)) - len(kept)
    return f"{kept}\n[{missing:,} more characters are not shown: open the whole message]"


def _scrub(text: str) -> str:
    if text.isascii():
        if text.isprintable():
            return text
        text = _BREAK.sub("\n", _SEQUENCE.sub("", text))
        return _BAD_ASCII.sub("", text).replace("\t", "    ")
    text = _BREAK.sub("\n", _SEQUENCE.sub("", text))
    text = _BAD.sub("", text).replace("\t", "    ")
    text = _PILE.sub(_thinned, _ODD.sub(_UNKNOWN, text))
    return _LONE_JOINER.sub("", _JOINER_RUN.sub("", text))


def _thinned(pile: re.Match[str]) -> str:
    """The run with at most four marks in a row; joiners among surplus marks go too."""
    kept: list[str] = []
    marks = 0
    for char in pile[0]:
        if _is_mark(char):
            marks += 1
            if marks > MAX_MARKS:
                continue
        elif char not in "\u200c\u200d\ufe0f":
            marks = 0
        elif marks >= MAX_MARKS or (kept and kept[-1] == char):
            continue
        kept.append(char)
    return "".join(kept)


def _is_mark(char: str) -> bool:
    return (
        (category(char)[0] == "M" and char != "\ufe0f") or "\u1160" <= char <= "\u11ff" or "\ud7b0" <= char <= "\ud7ff"
    )
