"""Who types and who looks, now: told between bridges by signals, stored nowhere.

Law: everything here is a hint with an end: a typing mark passes after 8 s, a viewer after 30 s without a new word.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

TYPING_MS = 8_000
VIEWING_MS = 30_000


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One signal about a conversation."""

    conversation: str
    who: str
    """An agent's id, or `customer`."""
    what: str
    """`typing` or `viewing`."""
    on: bool = True


class Paged(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that an agent was given by page: whichever bridge is their home keeps them up to date."""

    who: str
    conversations: tuple[str, ...]


words = msgspec.json.Decoder(Word)
pages = msgspec.json.Decoder(Paged)
CUSTOMER = "customer"


class Attention:
    """Marks by conversation."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._marks: dict[str, dict[tuple[str, str], int]] = {}

    def told(self, word: Word) -> bool:
        """Take a word in; True: what is shown of the conversation changed."""
        marks = self._marks.setdefault(word.conversation, {})
        key = (word.what, word.who)
        was = marks.get(key, 0) > self._now_ms()
        if word.on:
            marks[key] = self._now_ms() + (TYPING_MS if word.what == "typing" else VIEWING_MS)
        else:
            marks.pop(key, None)
            if not marks:
                del self._marks[word.conversation]
        return was != word.on

    def expired(self) -> list[str]:
        """Conversations of which a mark has just passed; call about once a second."""
        now_ms = self._now_ms()
        changed = []
        for conversation, marks in list(self._marks.items()):
            old = [key for key, until in marks.items() if until <= now_ms]
            for key in old:
                del marks[key]
            if old:
                changed.append(conversation)
            if not marks:
                del self._marks[conversation]
        return changed

    def who(self, conversation: str, what: str) -> tuple[str, ...]:
        """Who types in or looks at a conversation."""
        now_ms = self._now_ms()
        marks = self._marks.get(conversation, {})
        return tuple(who for (kind, who), until in marks.items() if kind == what and until > now_ms)
