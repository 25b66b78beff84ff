"""What is wrong with a definition: where, in a sentence, and whether it may be used all the same.

Law: a problem never repeats free text that an operator did not write as a name; a word that is not known is answered with the nearest one.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

import msgspec

MOST_KNOWN = 8


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an operator should change."""

    key: str
    """`queue support: needs number 2`, `desk.costs`, `agent ole: skills`."""
    sentence: str
    is_warning: bool = False
    """It works, but surely not as meant."""

    def __str__(self) -> str:
        return f"{self.key}: {self.sentence}"


def nearest(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, else the words that there are, else nothing."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not known:
        return ""
    shown = sorted(known)[:MOST_KNOWN]
    return f"; known here: {', '.join(shown)}{', …' if len(known) > MOST_KNOWN else ''}"


def shown(word: str) -> str:
    """A name in quotes, printable and not long."""
    return repr(word[:80])


def is_line(text: str) -> bool:
    """One line of printable characters, or nothing."""
    return not text or text.isprintable()
