"""What people wrote, as plain sentences: cleaned of what does harm, without greetings, signatures and hard line ends.

Law: pure and bounded: only the first `MOST_READ` characters of a text are looked at; no character that steers a terminal comes out.
"""

from __future__ import annotations

import re
from itertools import pairwise

from broker_bridge.core import tongues

MOST_READ = 3_000
MOST_JUDGED = 500
"""Of one sentence: what it does stands at its beginning or, for a question, at its end."""
WRAPPED = 45
"""A line of at least so many characters without an end was broken by the program, not by the person."""
_END = re.compile(r"(?<=[.!?…])[\"'”»)\]]?\s+|(?<=[。！？])|\n+")  # noqa: RUF100
_LINK = re.compile(r"https?://\S*|www\.\S+", re.I)
_SIGNATURE = re.compile(r"\n-- ?\n")
_QUESTION = re.compile(r"[?？؟][\"'”»)\]*_~\s🙂😊🙏]*$")
_CLAUSE = re.compile(r"[,;:] | and | und | och | og | ja | и ")
_WORD = re.compile(r"\w+")
_JOINERS = "\u200c\u200d"
_TITLES = re.compile(
    r"(?:\b(?:nr|no|st|dr|mr|mrs|ms|hr|fr|ca|kl|tel|str|bzw|evtl|resp|etc|t\.ex|z\.b|e\.g|i\.e|ул|г|д|руб|т)|\b\w|\d)\.$",
    re.I,
)


def plain(text: str) -> str:
    """One line without control, bidirectional, private and unassigned characters."""
    if not text.isprintable():
        text = "".join(" " if ch.isspace() else ch for ch in text if ch.isspace() or ch.isprintable() or ch in _JOINERS)
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """In order, plain; no empty ones, no signature."""
    body = _SIGNATURE.split("\n" + text[:MOST_READ].replace("\r\n", "\n").replace("\r", "\n"), maxsplit=1)[0]
    found: list[str] = []
    for part in _END.split(_unwrapped(body)):
        words = plain(part or "")
        if not words:
            continue
        # `kl. 14` and `order nr. 7` are no ends.
        if found and _TITLES.search(found[-1]) and not words[:1].isupper():
            found[-1] = f"{found[-1]} {words}"
        else:
            found.append(words)
    return found


def _unwrapped(body: str) -> str:
    lines = [line for line in body.split("\n") if not line.startswith(">")] or [""]
    joined = lines[0]
    for before, line in pairwise(lines):
        is_broken = len(before) >= WRAPPED and before.rstrip()[-1:] not in ".!?…:。！？" and bool(line.strip())
        joined += (" " if is_broken else "\n") + line
    return joined


def substance(text: str) -> list[str]:
    """Sentences that say something of the matter: greetings cut off, thanks and signs of leave left out."""
    found = []
    for one in sentences(text):
        if tongues.SIGN_OFF.match(one) or (one.endswith(",") and tongues.THANKS.match(one)):
            # What follows are names and telephone numbers.
            break
        said = _without_greeting(one)
        if said and not _is_empty(said):
            found.append(said)
    return found


def _without_greeting(one: str) -> str:
    for pattern in (tongues.GREETING, tongues.ASIAN_GREETING):
        hit = pattern.match(one)
        if hit is not None and hit.end():
            rest = one[hit.end() :].lstrip()
            return rest[:1].upper() + rest[1:]
    return one


def _is_empty(said: str) -> bool:
    words = _WORD.findall(said)
    if tongues.THANKS.match(said) and len(words) <= 5:
        return True
    return not words or tongues.NOTHING_SAID.fullmatch(said) is not None


def is_question(sentence: str) -> bool:
    """Whether it asks; a question mark inside an address does not count."""
    return _QUESTION.search(_LINK.sub("x", sentence[-MOST_JUDGED:])) is not None


def is_promise(sentence: str) -> bool:
    """Whether whoever says it promises something."""
    if is_question(sentence):
        return False
    sentence = sentence[:MOST_JUDGED]
    if tongues.WILL.search(sentence):
        return True
    return any(tongues.WHEN.search(part) and not tongues.PAST.search(part) for part in _CLAUSE.split(sentence))


def together(found: list[str]) -> str:
    """One after the other; what has no end of its own gets one."""
    ended = [one if one[-1:] in ".!?…。！？؟" else f"{one};" for one in found]
    return " ".join(ended).rstrip(";")


def cut(text: str, most: int) -> str:
    """At most `most` characters, at the end of a word where there is one near."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    space = kept.rfind(" ")
    return f"{kept[:space] if space > most // 2 else kept}…"
