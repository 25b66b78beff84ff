"""The wrap-up of a case: what was typed, what is still missing, and its lines.

The law: what an outcome asks for must not stay empty, and the form says which; a follow-up that is not understood is never
dropped in silence; what was typed outlives the form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import NamedTuple

from agent_tui.model import clock, when
from agent_tui.model.cells import cut, fit, width
from agent_tui.model.clean import clean_line, clean_typed
from agent_tui.model.frame import Part
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.rows import Moment
from agent_tui.model.runs import Line, Run, line
from broker_bridge.contract.policy import Disposition
from broker_bridge.contract.views import Row

LABEL_CELLS = 12
_NAME_CELLS = 26
MOST_TAGS = 12
MOST_TAG_CHARS = 40
FOLLOW = "follow"
"""Names the follow-up in a `Missing`; a field of the outcome has its own name before it."""


@dataclass
class Form:
    """What was typed so far. It is kept until the wrap-up is done."""

    chosen: int = 0
    values: dict[str, str] = field(default_factory=dict)
    """By the field's name, of every outcome that was looked at."""
    tags: list[str] = field(default_factory=list)
    tag: str = ""
    """Being typed."""
    follow_up: str = ""
    note: str = ""


class Missing(NamedTuple):
    """Why the form cannot end yet, and which field says so."""

    field: str
    """`value:NAME` or FOLLOW."""
    sentence: str


def remark(outcome: Disposition, is_default: bool, mode: str) -> str:
    """`needs an amount`, `used when time is up`."""
    names = [clean_line(name, 30) for name in outcome.fields]
    if len(names) == 1:
        return f"needs {'an' if names[0][:1].casefold() in 'aeiou' else 'a'} {names[0]}"
    if names:
        return f"needs {', '.join(names[:-1])} and {names[-1]}"
    if is_default and mode == "timed":
        return "used when time is up"
    return "used if nobody chooses" if is_default and mode == "optional" else ""


def outcome_line(
    n: int, outcome: Disposition, words: str, cells: int, glyphs: Glyphs, *, is_chosen: bool = False
) -> Line:
    """` 2 Fee waived                needs an amount`: a cell for the bar, then at most `cells`."""
    number = f"{n + 1} " if n < 9 else "  "
    name = clean_line(outcome.name, 80)
    room = cells - 3
    left = fit(name, _NAME_CELLS) if words and width(name) < _NAME_CELLS else f"{name}  " if words else name
    shown = cut(left, room, glyphs.dots)
    rest = cut(words, max(0, room - width(shown)), glyphs.dots)
    return line(
        Run(" "),
        Run(number, "acc", "b"),
        Run(shown, *(("strong", "b") if is_chosen else ())),
        Run(rest, "mut"),
        ground="bar",
    )


def add_tags(form: Form, typed: str) -> str:
    """Takes the finished words of the tag field into the tags; gives what is still being typed."""
    words = clean_typed(typed).replace(",", " ").split(" ")
    for word in words[:-1]:
        _add_tag(form, word)
    return words[-1]


def _add_tag(form: Form, word: str) -> None:
    word = clean_line(word, MOST_TAG_CHARS).lstrip("#")
    if word and len(form.tags) < MOST_TAGS and word.casefold() not in (tag.casefold() for tag in form.tags):
        form.tags.append(word)


def tag_runs(tags: Sequence[str], cells: int, glyphs: Glyphs) -> tuple[Run, ...]:
    """`abroad ×  gold ×  `: the newest, as many as fit into `cells`."""
    found: list[Run] = []
    room = cells
    for place in range(len(tags) - 1, -1, -1):
        words = f"{cut(tags[place], 20, glyphs.dots)} "
        if width(words) + 3 > room - (2 if place else 0):
            return (Run(f"{glyphs.dots} ", "mut"), *found)
        room -= width(words) + 3
        found[:0] = [Run(words), Run(f"{glyphs.remove}  ", "mut")]
    return tuple(found)


def missing(form: Form, outcome: Disposition, now_ms: int, tz: tzinfo = UTC) -> Missing | None:
    """The first thing that keeps the form from ending; None = it may end."""
    for name in outcome.fields:
        if not form.values.get(name, "").strip():
            shown = clean_line(name, 30)
            return Missing(
                f"value:{name}", f"{shown[:1].upper()}{shown[1:]} is missing: {clean_line(outcome.name)} needs it."
            )
    if form.follow_up.strip() and when.parse(form.follow_up, now_ms, tz) is None:
        typed = clean_line(form.follow_up, 30)
        return Missing(FOLLOW, f"“{typed}” is no time to come. Try: tomorrow 10, in 3 d, mon 9:30.")
    return None


def follow_up_said(typed: str, now_ms: int, tz: tzinfo = UTC) -> str:
    """`tomorrow 10:00, in 20 h`; empty while nothing is understood."""
    found = when.parse(typed, now_ms, tz)
    return f"{when.said(found, now_ms, tz)}, {when.left(found, now_ms)}" if found is not None else ""


def draft(form: Form, outcome: Disposition) -> str:
    """All that was typed, as the note that is kept when the time is up; empty if nothing was."""
    parts = [form.note.strip()]
    parts += [f"{name}: {form.values[name].strip()}" for name in outcome.fields if form.values.get(name, "").strip()]
    tags = [*form.tags, form.tag.strip()] if form.tag.strip() else form.tags
    parts += [f"tags: {' '.join(tags)}"] if tags else []
    parts += [f"follow up: {form.follow_up.strip()}"] if form.follow_up.strip() else []
    return "\n".join(part for part in parts if part)


def share_left(row: Row, since_ms: int, now_ms: int) -> float:
    """How much of the wrap-up time is left, 0 to 1; 1 where there is no time-out.

    `since_ms`: when it was first seen, for a bridge that does not say when it began.
    """
    if row.wrap_until_ms is None:
        return 1.0
    whole_ms = max(1, row.wrap_until_ms - (row.wrap_since_ms or since_ms))
    return max(0.0, min(1.0, (row.wrap_until_ms - now_ms) / whole_ms))


def title(row: Row, verb: str, at: Moment) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """`Wrap-up Anna Berg  #K7Q2  closed 14:02` and at the right `next work in 0:38`, or what the countdown means else."""
    left = [Part((Run(f"{verb} ", "strong", "b"), Run(clean_line(row.name) or row.number or clock.UNKNOWN)))]
    if row.number:
        left.append(Part((Run(f"#{clean_line(row.number)}"),), 2))
    if row.state != "wrap_up":
        return tuple(left), ()
    if closed_ms := row.wrap_since_ms or row.last_ms:
        left.append(Part((Run(f"closed {clock.at(closed_ms, at.tz)}"),), 3))
    if row.wrap_until_ms is not None:
        if row.wrap_until_ms <= at.now_ms:
            return tuple(left), (Part((Run("time is up", "near", "b"),)),)
        shown = clock.left(row.wrap_until_ms, at.now_ms)
        # Nothing waits for an optional one: the time only ends it.
        words = "closes itself in " if row.wrap_mode == "optional" else "next work in "
        return tuple(left), (Part((Run(words, "mut"), Run(shown, "near", "b"))),)
    if row.wrap_mode == "mandatory":
        return tuple(left), (Part((Run("work waits for this", "mut"),), 1),)
    return tuple(left), ()
