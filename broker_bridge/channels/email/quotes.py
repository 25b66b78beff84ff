"""Which lines of a reply are new and which quote an earlier mail.

Law: fold, never delete. Every line that is not blank goes to exactly one of `text` and `quote`, in order. In doubt a
line stays visible: inline answers, signatures, and a mail that is nothing but a forward are text.

Two kinds of quotes. *Marked* ones are `>` lines, with the attribution just above; text between and after them is
an answer. *Unmarked* ones run from a header block, an "Original Message" line or a dated attribution to the end.
"""

import re
from typing import NamedTuple

from broker_bridge.channels.email import words

MAX_ATTRIBUTION_LINES = 4
MAX_CHARS = 1024 * 1024
"""A longer body is a log or an attack, not a correspondence: it stays whole."""
MAX_LINE = 1000
"""Longer lines are never taken for an attribution or a header: nobody's name and date are that long."""

_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_MARK = re.compile(r"\s{0,3}>")
_MANGLED_FROM = re.compile(r">From \S")
_WROTE = re.compile(rf"(?i)(?<!\w)(?:{words.WROTE})(?!\w)|{words.WROTE_UNSPACED}")
_THEN_NAME = re.compile(rf"(?i)(?<!\w)(?:{words.WROTE_THEN_NAME})(?:\s+[^\s.!?]+\.?){{1,5}}\s*[:：][\s*_]*$")
_ENDING = re.compile(r"(?:[:：]|[-–—]{2,})[\s*_]*$")
_ADDRESS = re.compile(r"[^\s@<>()\[\]\"]+@[^\s@<>()\[\]\"]+")
_CLOCK = re.compile(r"(?i)(?<![\d:])\d{1,2}[:h]\d{2}(?!\d)|\b(?:klo|kl\.?|um|ore)\s*\d{1,2}\.\d{2}(?!\d)")
_PRONOUN = re.compile(
    r"(?i)(?<!\w)(?:i|we|you|ich|wir|sie|du|ihr|я|мы|вы|ты|jag|vi|ni|jeg|minä|me|te|je|nous|vous|yo|ik|wij|u|ja)\s+"
    rf"(?:already |have |had |har |habe |уже )?(?:{words.WROTE})(?!\w)|(?:{words.WROTE})\s+(?:ich|wir|sie|du|ihr|jag|jeg|vi)(?!\w)"
)
_DATE = re.compile(
    r"(?<!\d)(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})(?!\d)|"
    r"(?<!\d)(?:19|20)\d\d(?:\s?[年г,.]|(?=\W|$))"
)
_OPENER = re.compile(
    r"(?i)[\s*_]*(?:on|at|am|den|le|el|il|em|op|dnia|dne|w dniu|em|il giorno|a|quoting|citat|zitat von|цитирую|em|på|"
    r"в|во|(?:пн|вт|ср|чт|пт|сб|вс|понед|четв|пятн|субб|воскр|mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|ma|ti|ke|to|pe|la|su|"
    r"man|tir|ons|tor|fre|lør|søn|mån|tis|lör|sön|lun|mar|mer|jeu|ven|sam|dim)[a-zа-яäöåøæé]{0,12}[.,]?|\d)(?=[\s,.\d/:-])"
)
_DASHES = "-\u2010-\u2015_="
_RULE = re.compile(rf"\s*[{_DASHES}*]{{3,}}\s*$")
_ORIGINAL = re.compile(
    rf"(?i)[\s*_]*(?:[{_DASHES}]{{2,}}[\s*]*(?:{words.ORIGINAL})[\s*:]*[{_DASHES}]*|-{{3,}}.{{1,80}}(?:{words.WROTE})[\s:]*-{{3,}})[\s*_]*$"
)
_FORWARDED = re.compile(
    rf"(?i)[\s*_]*(?:[{_DASHES}]{{2,}}[\s*]*(?:{words.FORWARDED})[^\n]{{0,200}}|(?:{words.FORWARDED})\s*:)[\s*_]*$"
)
_LABEL = re.compile(
    r"(?i)[\s*_]*(?:"
    + "|".join(f"(?P<{kind}>{labels})" for kind, labels in words.LABELS.items())
    + r")[\s*_]*[:：][\s*_]*(?P<content>.*)"
)


class Folded(NamedTuple):
    """The two halves of a body."""

    text: str
    quote: str


class _Lines(NamedTuple):
    """A body's lines, and the same lines without invisible characters, for matching only."""

    shown: list[str]
    bare: list[str]


def fold(body: str) -> Folded:
    """Split a plain text body. `text` is never blank when the body is not: a body that is all quote stays text."""
    if len(body) > MAX_CHARS:
        return Folded(body.strip("\n"), "")
    shown = body.split("\n")
    lines = _Lines(shown, [_INVISIBLE.sub("", line)[: MAX_LINE + 1].replace("\xa0", " ") for line in shown])
    quoted = _marked(lines)
    end = _unmarked_start(lines, quoted)
    quoted.update(range(end, len(shown)))
    text = _squeezed([line for at, line in enumerate(shown) if at not in quoted], shown, quoted)
    if not _own_words(text):
        return Folded(body.strip("\n"), "")
    return Folded(text, "\n".join(line for at, line in enumerate(shown) if at in quoted).strip("\n"))


def _own_words(text: str) -> bool:
    """Whether the visible part says anything besides a signature or a rule."""
    for line in text.split("\n"):
        if words.SIGNATURE.match(line):
            return False
        if line.strip() and not _RULE.match(line):
            return True
    return False


def _squeezed(kept: list[str], shown: list[str], quoted: set[int]) -> str:
    """The kept lines; where a quote was taken out, one blank line is left instead of two."""
    if not quoted:
        return "\n".join(kept).strip("\n")
    out: list[str] = []
    seam = False
    for at, line in enumerate(shown):
        if at in quoted:
            seam = True
        elif seam and not line.strip():
            continue
        else:
            if seam and out and out[-1].strip():
                out.append("")
            seam = False
            out.append(line)
    return "\n".join(out).strip("\n")


def _marked(lines: _Lines) -> set[int]:
    """Line numbers of `>` quotes, their attributions and the blank lines between these."""
    found: set[int] = set()
    for at, line in enumerate(lines.bare):
        if _MARK.match(line) and not _is_mangled_from(lines.bare, at):
            found.add(at)
    for at in sorted(found):
        if at - 1 in found:
            continue
        above = at - 1
        while above >= 0 and not lines.bare[above].strip():
            above -= 1
        if above < 0 or above in found:
            if above >= 0:
                found.update(range(above + 1, at))
            continue
        start = _attribution_start(lines.bare, above, found, is_strict=False)
        if start is None and (_ORIGINAL.match(lines.bare[above]) or _FORWARDED.match(lines.bare[above])):
            start = above
        if start is not None:
            found.update(range(start, at))
    return found


def _is_mangled_from(bare: list[str], at: int) -> bool:
    """`>From ` is how mail boxes escape a line of text that begins with From."""
    if not _MANGLED_FROM.match(bare[at]):
        return False
    around = [bare[near] for near in (at - 1, at + 1) if 0 <= near < len(bare)]
    return not any(_MARK.match(line) for line in around)


def _attribution_start(bare: list[str], last: int, taken: set[int], *, is_strict: bool) -> int | None:
    """The first line of an attribution that ends at line `last`: the shortest run of lines that reads as one."""
    joined = ""
    for first in range(last, max(-1, last - MAX_ATTRIBUTION_LINES), -1):
        if not bare[first].strip() or first in taken or len(bare[first]) > MAX_LINE:
            return None
        joined = f"{bare[first].strip()} {joined}".strip()
        if _is_attribution(joined, is_strict=is_strict):
            return _with_opener(bare, first, last, taken, joined)
    return None


def _with_opener(bare: list[str], first: int, last: int, taken: set[int], joined: str) -> int:
    """Reach up to the line that opens the attribution (`On Tue, 25 Sep 2012`) when the run begins in its middle."""
    if _OPENER.match(joined):
        return first
    for start in range(first - 1, max(-1, last - MAX_ATTRIBUTION_LINES), -1):
        if not bare[start].strip() or start in taken or len(bare[start]) > MAX_LINE:
            break
        dated = _CLOCK.search(bare[start]) or _DATE.search(bare[start])
        if _OPENER.match(bare[start]) and dated and not re.search(r"[.!?]\s*$", bare[start]):
            return start
    return first


def _is_attribution(line: str, *, is_strict: bool) -> bool:
    """Whether one joined line says who wrote what follows.

    Strict (nothing marks what follows as a quote): it must end in a colon and carry a date or time, and an address or
    a word for writing besides. Else a word for writing is enough in a short line, or a date with an address.
    """
    if len(line) > MAX_LINE:
        return False
    ending = _ENDING.search(line)
    wrote = _WROTE.search(line)
    dated = _CLOCK.search(line) or _DATE.search(line)
    address = _ADDRESS.search(line)
    if is_strict:
        if not ending or not dated or (_PRONOUN.search(line) and not address):
            return False
        after = line[wrote.end() :] if wrote else ""
        near_end = wrote is not None and (
            len(after) <= 4
            or bool(_DATE.search(after) or _ADDRESS.search(after))
            or bool(_OPENER.match(line) and _THEN_NAME.search(line))
        )
        closing = re.search(r"[>)\]]\s*(?:\S+\s*)?[:：][\s*_]*$", line) and _OPENER.match(line)
        return bool((near_end and (address or _CLOCK.search(line))) or (address and closing))
    if wrote and (ending or line.rstrip(" *_").lower().endswith(wrote[0].lower())):
        return bool(dated or address or len(line.split()) <= 8)
    return bool(ending and address and (dated or _OPENER.match(line)))


def _unmarked_start(lines: _Lines, marked: set[int]) -> int:
    """The line from which everything is an unmarked quote; the number of lines when there is none."""
    bare = lines.bare
    labels = [_LABEL.match(line) if ":" in line or "：" in line else None for line in bare]
    for at, line in enumerate(bare):
        if at in marked or not line.strip() or len(line) > MAX_LINE:
            continue
        start = None
        if _ORIGINAL.match(line) or _FORWARDED.match(line) or _is_header_block(labels, at):
            start = at
        elif _ENDING.search(line):
            start = _attribution_start(bare, at, marked, is_strict=True)
        if start is not None:
            return _with_rule_above(bare, start)
    return len(bare)


def _with_rule_above(bare: list[str], start: int) -> int:
    """Blank lines and a ruled line just above belong to what they set off."""
    above = start - 1
    while above >= 0 and not bare[above].strip():
        above -= 1
    return above if above >= 0 and _RULE.match(bare[above]) else start


def _is_header_block(labels: list[re.Match[str] | None], at: int) -> bool:
    """Whether the header of another mail begins here: From with two more kinds, one of them a subject or an address.

    A form that a customer fills in (`From: Oslo`, `To: Bergen`) has neither address nor subject.
    """
    first = labels[at]
    if first is None or _kind(first) in ("cc", "other", "to"):
        return False
    kinds: dict[str, str] = {}
    misses = 0
    for match in labels[at : at + 16]:
        if match is not None:
            kinds.setdefault(_kind(match), match["content"])
            misses = 0
        else:
            misses += 1
        if misses > 2:
            break
    has_sender = "from" in kinds and bool(kinds.keys() & {"sent", "to"})
    return has_sender and len(kinds) >= 3 and ("subject" in kinds or bool(_ADDRESS.search(kinds["from"])))


def _kind(label: re.Match[str]) -> str:
    return next(kind for kind in words.LABELS if label[kind] is not None)
