"""What a customer of the demo wants, and how they take an answer. Pure: a table and a fold, no clock and no network.

Law: what a customer says next depends on the words of the agent's answer alone, so that every story can be played on
paper. Nobody is left without a reaction: what fits no expectation is met with a polite question, and after a few
answers everybody is content and goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

PATIENCE_ANSWERS = 4
"""So many answers, and a customer thanks and goes whatever they said."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that a customer says of their own accord."""

    text: str
    after_s: float = 3.0
    """Pause before it."""
    file: str = ""
    """Name of a file in `papers` that goes with it."""
    is_dropped: bool = False
    """They type it and then do not send it."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a customer says when an answer has one of these words in it."""

    words: tuple[str, ...]
    """Any of them, anywhere in the answer, whatever the case; empty = every answer."""
    say: tuple[str, ...]
    """One message each."""
    file: str = ""
    by_mail: bool = False
    """They answer by e-mail although they were asked in the chat."""
    is_end: bool = False
    """They are content with that."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """One customer and what brings them here."""

    name: str
    address: str
    way: Literal["chat", "mail"]
    opening: tuple[Line, ...]
    turns: tuple[Turn, ...] = ()
    otherwise: tuple[str, ...]
    """To answers that fit nothing, in this order."""
    thanks: str
    """Their last word, with the rating."""
    advice: tuple[str, ...]
    """What a good colleague answers, in the customer's language, one for each turn."""
    page: str = ""
    """The page they write from."""
    subject: str = ""
    wrote: str = "On {date}, {name} wrote:"
    """How their mail program introduces a quote."""
    nudge: str = ""
    """When nobody answers; empty: they just wait."""
    again: str = ""
    """What they come back with on another day."""
    note: str = ""
    """What a colleague knows about them and writes as a note."""
    hand_over: str = ""
    """With these words a colleague transfers the case to the agent at the window."""


@dataclass
class Mood:
    """How far a customer is in their story."""

    story: Story
    heard: int = 0
    used: set[int] = field(default_factory=set)
    puzzled: int = 0


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """What a customer does about an answer."""

    say: tuple[str, ...]
    file: str = ""
    by_mail: bool = False
    is_end: bool = False


def react(mood: Mood, answer: str) -> Reaction:
    """The customer's next words; `mood` goes on."""
    story = mood.story
    mood.heard += 1
    said = answer.casefold()
    for number, turn in enumerate(story.turns):
        if number in mood.used or not (not turn.words or any(word.casefold() in said for word in turn.words)):
            continue
        mood.used.add(number)
        end = (story.thanks,) if turn.is_end else ()
        return Reaction(say=(*turn.say, *end), file=turn.file, by_mail=turn.by_mail, is_end=turn.is_end)
    if mood.puzzled < len(story.otherwise) and mood.heard < PATIENCE_ANSWERS:
        mood.puzzled += 1
        return Reaction(say=(story.otherwise[mood.puzzled - 1],))
    return Reaction(say=(story.thanks,), is_end=True)


def papers(name: str) -> tuple[bytes, str]:
    """The bytes and the media type of a file that a customer sends: small, and really what its name says."""
    if name.endswith(".pdf"):
        return _pdf(name), "application/pdf"
    if name.endswith(".png"):
        return _PNG, "image/png"
    return name.encode(), "text/plain"


_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
"""One red dot."""


def _pdf(title: str) -> bytes:
    """A page that says its own name."""
    words = title.encode("ascii", "replace").replace(b"(", b"").replace(b")", b"")
    content = b"BT /F1 24 Tf 72 720 Td (" + words + b") Tj ET"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    return body + head + table + b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(body)
