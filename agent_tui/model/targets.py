"""To whom a case may be given: agents, queues and skills that have what was typed, in the order in which they can take it.

The law: nobody is hidden because they are away or full: they are found, say so, and a sentence says what choosing them does.
Skills are combined as `swedish + fees`, with the least level behind a name: `swedish 3`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import tzinfo
from itertools import product
from typing import NamedTuple

import msgspec

from agent_tui.model import clock
from agent_tui.model.clean import clean_line
from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import Colleague, DirectoryView, QueueView

MOST_COMBINED = 6
"""Combinations of skills that are shown for one typing."""
LEVELS = frozenset("12345")
_ORDER = {"ready": 0, "transfer_only": 1, "wrap_up": 2, "busy": 3, "silent": 4, "away": 5, "off": 6}
_BETWEEN = str.maketrans("›>/", "   ")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})


class Needed(NamedTuple):
    """Skills as a target: who has them all."""

    skills: tuple[Skill, ...]
    ready: int = 0
    least: str = ""
    """Name of the one with the least load."""
    load: int = 0
    places: int = 0

    @property
    def words(self) -> str:
        """`swedish 3 + fees`: what it is called and known by."""
        return " + ".join(f"{one.name} {one.level}" if one.level > 1 else one.name for one in self.skills)


class Targets(NamedTuple):
    """What was found, each group in order."""

    agents: tuple[Colleague, ...] = ()
    queues: tuple[QueueView, ...] = ()
    skills: tuple[Needed, ...] = ()

    @property
    def total(self) -> int:
        return len(self.agents) + len(self.queues) + len(self.skills)


def folded(text: str) -> str:
    """`text` as it is compared: no capitals, no accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char)).translate(_LETTERS)


def find(known: DirectoryView, typed: str, me: AgentId, word: str) -> Targets:
    """All that has every typed word in its name, id, queues or skills.

    With a level behind a skill only who reaches it.
    `word`: channel word of the case: load is told in its places. Who is off shows once something was typed.
    """
    words = [one for one in folded(typed).replace("+", " ").split() if one not in LEVELS]
    names = {queue.queue: queue.name for queue in known.queues}
    leveled = [part for part in needed(typed) if part[1] > 1]
    agents = [
        one
        for one in known.agents
        if one.agent != me and (words or one.state != "off") and _has(words, _words_of(one, names))
        if not leveled or _reaches(one, leveled, names)
    ]
    queues = [one for one in known.queues if _has(words, (one.name, one.queue, *(need.name for need in one.needs)))]
    agents.sort(key=lambda one: (_rank(one, word), _share(one, word), one.name, one.agent))
    queues.sort(key=lambda one: not one.is_open)
    return Targets(tuple(agents), tuple(queues), _skills(known, typed, words, me, word))


def meant(found: Targets, typed: str) -> tuple[str, str] | None:
    """Kind and id of what is called exactly as it was typed: whole names go before parts of words (an agent’s id is often one)."""
    text = _called(typed)
    if not text:
        return None
    named: list[tuple[str, str, tuple[str, ...]]] = [("agent", one.agent, (one.name,)) for one in found.agents]
    named += [("queue", one.queue, (one.queue, one.name)) for one in found.queues]
    named += [("skills", one.words, (one.words,)) for one in found.skills]
    return next(((kind, id) for kind, id, names in named if text in map(_called, names)), None)


def _called(name: str) -> str:
    """As it is said aloud: `cards lost` is `Cards › Lost`."""
    return " ".join(folded(name).translate(_BETWEEN).split())


def places(one: Colleague, word: str) -> tuple[int, int]:
    """(taken, all) places of this colleague for conversations of a channel; in cost units where it is not known."""
    return next(((taken, room) for channel, taken, room in one.loads if channel == word), (one.load, one.capacity))


def is_full(one: Colleague, word: str) -> bool:
    """No room for one more of this channel."""
    taken, room = places(one, word)
    return (bool(room) and taken >= room) or (bool(one.capacity) and one.load >= one.capacity)


def state_word(one: Colleague) -> str:
    """`wrap-up`, `lunch`: at most a word or two; a reason is foreign text."""
    if one.state == "away":
        return clean_line(one.reason, 40) or "away"
    return {"wrap_up": "wrap-up", "transfer_only": "transfer"}.get(one.state, one.state)


class Outlook(NamedTuple):
    """What happens if this target is chosen."""

    hint: str
    """For the key row."""
    sentence: str = ""
    """Where it is not what one expects."""


ASKED = Outlook("stays yours until accepted")
LEAVES = Outlook("leaves you at once")
GIVEN = Outlook("is given without asking")


def outlook(one: Colleague, word: str, now_ms: int, tz: tzinfo) -> Outlook:
    """Of a colleague: asked they are in any case, and who cannot take it sends it back."""
    first = clean_line(one.name, 60).split(" ")[0] or clean_line(one.agent, 30)
    back = f" until {clock.until(one.until_ms, now_ms, tz)}" if one.until_ms is not None else ""
    if one.state == "away":
        reason = clean_line(one.reason, 40)
        why = f"is away{f' ({reason})' if reason else ''}{back}"
    elif one.state == "off":
        why = "is off"
    elif one.state == "silent":
        why = "has no terminal at the moment"
    elif is_full(one, word):
        taken, room = places(one, word)
        why = f"is full, {taken} of {room}"
    else:
        return ASKED
    return Outlook("comes back to you", f"{first} {why}: it comes back to you.")


def queue_outlook(one: QueueView) -> Outlook:
    """Of a queue."""
    if one.is_open:
        return LEAVES
    hours = clean_line(one.hours, 40).removeprefix("closed").lstrip(", :")
    return Outlook(LEAVES.hint, f"Closed{f', {hours}' if hours else ''}: it waits there until then.")


def skills_outlook(one: Needed) -> Outlook:
    """Of skills."""
    return LEAVES if one.ready else Outlook(LEAVES.hint, "Nobody who is ready has this: it waits until somebody is.")


def needed(text: str) -> tuple[tuple[str, int], ...]:
    """(folded words, least level) of each part of `swedish 3 + fees`."""
    found = []
    for part in text.split("+"):
        words = folded(part).split()
        level = int(words.pop()) if len(words) > 1 and words[-1] in LEVELS else 1
        if words:
            found.append((" ".join(words), level))
    return tuple(found)


def _skills(known: DirectoryView, typed: str, words: list[str], me: AgentId, word: str) -> tuple[Needed, ...]:
    names = sorted({one.name for one in known.skills} | {skill.name for one in known.agents for skill in one.skills})
    parts = needed(typed)
    found: list[tuple[Skill, ...]] = []
    if len(parts) > 1:
        matches = [[Skill(name=name, level=level) for name in _named(names, text)] for text, level in parts]
        found = [one for one in product(*matches) if len({skill.name for skill in one}) == len(one)]
    else:
        level = parts[0][1] if parts else 1
        found = [(Skill(name=name, level=level),) for name in (_named(names, parts[0][0]) if parts else names)]
        found += _of_queues(known.queues, words)
    unique = list(dict.fromkeys(found))
    return tuple(_counted(known, one, me, word) for one in (unique[:MOST_COMBINED] if len(parts) > 1 else unique))


def _of_queues(queues: Iterable[QueueView], words: list[str]) -> list[tuple[Skill, ...]]:
    """Combinations that a queue asks for: who takes its work is who may be meant."""
    return [one.needs for one in queues if len(one.needs) > 1 and words and _has(words, (s.name for s in one.needs))]


def _named(names: Iterable[str], text: str) -> list[str]:
    """Those that have every word; the exact one first, then those that begin so."""
    words = text.split()
    hits = [name for name in names if _has(words, (name,))]
    return sorted(hits, key=lambda name: (folded(name) != text, not folded(name).startswith(text), name))


def _counted(known: DirectoryView, needs: tuple[Skill, ...], me: AgentId, word: str) -> Needed:
    """Who of the ready has them all; the bridge's own count where it knows of more agents than this desk."""
    ready = [one for one in known.agents if one.state == "ready" and _holds(one, needs)]
    fit = [one for one in ready if one.agent != me]
    best = min(fit, key=lambda one: (_share(one, word), one.name), default=None)
    taken, room = places(best, word) if best is not None else (0, 0)
    counted = Needed(needs, len(fit), best.name if best is not None else "", taken, room)
    told = next((one for one in known.skills if len(needs) == 1 and one.name == needs[0].name), None)
    if told is not None and needs[0].level == 1 and told.ready > len(ready):
        return Needed(needs, told.ready, told.least, told.load, told.capacity)
    return counted


def _holds(one: Colleague, needs: tuple[Skill, ...]) -> bool:
    levels = {skill.name: skill.level for skill in one.skills}
    return all(levels.get(need.name, 0) >= need.level for need in needs)


def _reaches(one: Colleague, leveled: list[tuple[str, int]], names: dict[QueueId, str]) -> bool:
    """Has each typed skill at its level; a word that is of the name or of a queue has none."""
    others = _words_of(msgspec.structs.replace(one, skills=()), names)
    return all(
        _has(text.split(), others)
        or any(skill.level >= level and _has(text.split(), (skill.name,)) for skill in one.skills)
        for text, level in leveled
    )


def _words_of(one: Colleague, names: dict[QueueId, str]) -> tuple[str, ...]:
    queues = [name for queue in one.queues for name in (queue, names.get(queue, ""))]
    return (one.name, one.agent, *queues, *(skill.name for skill in one.skills))


def _has(words: list[str], where: Iterable[str]) -> bool:
    if not words:
        return True
    texts = [folded(text) for text in where]
    return all(any(word in text for text in texts) for word in words)


def _rank(one: Colleague, word: str) -> int:
    if one.state == "ready" and is_full(one, word):
        return 2
    return _ORDER.get(one.state, 4)


def _share(one: Colleague, word: str) -> float:
    taken, room = places(one, word)
    return taken / max(1, room)


def outlook_of(found: Targets, target: tuple[str, str], word: str, now_ms: int, tz: tzinfo) -> Outlook:
    """Of a target as it is chosen: kind and id (of skills their words)."""
    agent = next((one for one in found.agents if ("agent", one.agent) == target), None)
    if agent is not None:
        return outlook(agent, word, now_ms, tz)
    queue = next((one for one in found.queues if ("queue", one.queue) == target), None)
    if queue is not None:
        return queue_outlook(queue)
    skills = next((one for one in found.skills if ("skills", one.words) == target), None)
    return skills_outlook(skills) if skills is not None else LEAVES
