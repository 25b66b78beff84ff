"""The packet of a transfer as the thread suggests it: so that the customer says nothing twice, and the colleague reads ten seconds.

Law: deterministic; taken from what was written, word for word, never made up; a person reads it over before it goes along. What a
colleague wrote into an earlier packet stays, and only what came after it is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from broker_bridge.contract.views import Identifier, Item
from broker_bridge.contract.words import Packet
from broker_bridge.core.sentences import cut, is_promise, is_question, plain, sentences, substance, together

MOST = 300
"""Characters of a field."""
ENOUGH = 60
"""A problem said in fewer characters is completed by the next message."""
OURS = ("you", "colleague")
MOST_OURS = 20
"""Of what we said and noted: more does not fit anyway."""
MOST_THEIRS = 10

Spoken = tuple[Item, list[str]]


def prefill(items: Sequence[Item], identifiers: Iterable[Identifier] = ()) -> Packet:
    """The packet of a case.

    Args:
        items: of its thread, oldest first, as its reader sees them (`you`, `colleague`, `them`, `note`).
        identifiers: the customer's, masked for the reader.
    """
    earlier, later = _after_packet(items)
    ours = _spoken(later)
    return Packet(
        problem=earlier.problem or _problem(items),
        proved=earlier.proved or _proved(identifiers),
        promised=_added(earlier.promised, _promised(ours)),
        tried=_added(earlier.tried, _tried(ours)),
        open=_open(items),
    )


def case_line(items: Iterable[Item], messages: int | None = None) -> str:
    """`5 messages, 1 note, 1 file`. `messages`: how many there are, if not all are among the items."""
    known = list(items)
    said = sum(item.kind in ("them", "unreadable", *OURS) for item in known) if messages is None else messages
    notes = sum(item.kind == "note" for item in known)
    files = sum(len(item.files) for item in known)
    counts = ((said, "message"), (notes, "note"), (files, "file"))
    return ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in counts if count)


def _after_packet(items: Sequence[Item]) -> tuple[Packet, Sequence[Item]]:
    """The packet that a colleague gave along last, and what came after it."""
    for place in range(len(items) - 1, -1, -1):
        packet = items[place].packet
        if packet is not None:
            return Packet(
                **{name: cut(plain(getattr(packet, name)), MOST) for name in packet.__struct_fields__}
            ), items[place + 1 :]
    return Packet(), items


def _problem(items: Sequence[Item]) -> str:
    """The first words of the customer that say something of the matter; the mail's subject before them."""
    found: list[str] = []
    subject = ""
    for item in items:
        if _is_ours(item) and found:
            break
        if item.kind != "them":
            continue
        subject = subject or _subject(item.subject)
        found += substance(item.text)
        if sum(map(len, found)) >= ENOUGH:
            break
    said = together(found) or _first_words(items)
    if subject and not said.casefold().startswith(subject.casefold()):
        said = f"{subject}: {said}" if said else subject
    return cut(said, MOST)


def _first_words(items: Sequence[Item]) -> str:
    """Whatever the customer said first, if nothing of it says anything of the matter."""
    theirs = [item for item in items if item.kind == "them"][:MOST_THEIRS]
    return next((words for item in theirs if (words := plain(item.text[: 2 * MOST]))), "")


def _subject(subject: str) -> str:
    """Without `Re:` and its likes."""
    words = plain(subject)
    while True:
        head, colon, rest = words.partition(":")
        if not colon or head.strip().casefold() not in ("re", "fw", "fwd", "sv", "vs", "vb", "aw", "wg", "vl", "ha"):
            return words
        words = rest.strip()


def _promised(ours: Iterable[Spoken]) -> list[str]:
    return [one for item, said in ours if item.kind in OURS for one in said if is_promise(one)]


def _tried(ours: Iterable[Spoken]) -> list[str]:
    """What we said that is neither question nor promise, and what colleagues noted."""
    found: list[str] = []
    for item, said in ours:
        if item.kind in OURS:
            found += [one for one in said if not is_question(one) and not is_promise(one)]
            found += [f"sent {plain(file.name)}" for file in item.files[:5]]
        else:
            found += [f"note: {one}" for one in said[:2]]
    return found


def _spoken(items: Sequence[Item]) -> list[Spoken]:
    """The newest of what we said and noted, with its sentences."""
    ours = [item for item in items if _is_ours(item) or (item.kind == "note" and item.packet is None)]
    return [(item, substance(item.text)) for item in ours[-MOST_OURS:]]


def _is_ours(item: Item) -> bool:
    return item.kind in OURS and not item.is_automatic


def _open(items: Sequence[Item]) -> str:
    """Questions of the customer since our last answer; the newest are kept if not all fit."""
    waiting: list[Item] = []
    for item in items:
        if _is_ours(item):
            waiting = []
        elif item.kind == "them":
            waiting.append(item)
    asked = [one for item in waiting[-MOST_THEIRS:] for one in sentences(item.text) if is_question(one)]
    return _newest(list(dict.fromkeys(asked)))


def _proved(identifiers: Iterable[Identifier]) -> str:
    """`mail a…g@e…e ✓, chat visitor 1a2b ✗`, the proved ones first."""
    ranked = sorted(identifiers, key=lambda one: not one.is_proved)
    shown = [plain(f"{one.word} {one.address}") + (" ✓" if one.is_proved else " ✗") for one in ranked[:8]]
    return cut(", ".join(shown), MOST)


def _added(earlier: str, later: list[str]) -> str:
    room = MOST - len(earlier) - 1 if earlier else MOST
    fresh = _newest([one for one in dict.fromkeys(later) if one not in earlier], max(0, room))
    return cut(" ".join(part for part in (earlier, fresh) if part), MOST)


def _newest(found: list[str], most: int = MOST) -> str:
    """As many of the last sentences as fit, in their order; one that alone is too long is cut."""
    kept: list[str] = []
    room = most
    for one in reversed(found):
        if kept and len(one) + 1 > room:
            break
        if room < 20:
            break
        kept.append(cut(one, room))
        room -= len(kept[-1]) + 1
    return cut(together(kept[::-1]), most)
