"""Two cases that may become one: which ones are offered, and both side by side with what happens to each.

The law: the suggestion stands first; a case is never offered to itself; the one that goes on is named in words, not by its place alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.cells import fit, pad_left, width
from agent_tui.model.clean import clean_line
from agent_tui.model.hints import number_of
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.targets import folded
from broker_bridge.contract.views import Case, Item, Profile, Row

TALK = frozenset(("them", "you", "colleague", "bot"))
_STATES = {
    "mine": "yours",
    "queued": "in the queue",
    "other": "a colleague’s",
    "snoozed": "asleep",
    "wrap_up": "wrap-up",
}


class Pick(NamedTuple):
    """One case as it is shown."""

    conv: str
    number: str
    name: str = ""
    channel: str = ""
    state: str = ""
    text: str = ""
    at_ms: int = 0
    epoch: int | None = None
    """Owner's epoch, if its row is known."""
    messages: str = ""
    """`12 messages`, if its thread is known."""


def of_row(row: Row) -> Pick:
    """As a row says."""
    return Pick(
        row.conv,
        clean_line(row.number, 12) or number_of(row.conv).lstrip("#"),
        clean_line(row.name, 80),
        clean_line(row.channel, 8),
        clean_line(row.owner_name, 30)
        if row.state == "other" and row.owner_name
        else _STATES.get(row.state, row.state),
        clean_line(row.text),
        row.last_ms,
        row.epoch,
    )


def of_case(case: Case, name: str) -> Pick:
    """As the customer's profile says."""
    state = _STATES.get(case.state, clean_line(case.state, 20))
    return Pick(
        case.conv, clean_line(case.number, 12), name, clean_line(case.word, 8), state, clean_line(case.text), case.at_ms
    )


def counted(items: Sequence[Item], has_more: bool) -> str:
    """`12 messages`; `100+ messages` where there are more than are here."""
    count = sum(item.kind in TALK for item in items)
    return f"{count}{'+' if has_more else ''} message{'' if count == 1 and not has_more else 's'}"


def offered(
    row: Row, rows: Iterable[Row], profile: Profile | None, found: Iterable[Row], typed: str
) -> list[tuple[str, list[Pick]]]:
    """The groups to choose from: the suggestion, the customer's open cases, what a search found.

    `rows`: those that are here; `found`: what the bridge answered to `typed`.
    """
    known = {one.conv: one for one in (*found, *rows)}
    seen = {row.conv}
    groups: list[tuple[str, list[Pick]]] = []

    def add(title: str, picks: Iterable[Pick]) -> None:
        fresh = []
        for pick in picks:
            if pick.conv not in seen and _fits(pick, typed):
                seen.add(pick.conv)
                fresh.append(pick)
        if fresh:
            groups.append((title, fresh))

    if row.suggestion:
        case = next((one for one in profile.open if one.conv == row.suggestion), None) if profile is not None else None
        other = known.get(row.suggestion)
        pick = Pick(row.suggestion, number_of(row.suggestion).lstrip("#"))
        if case is not None:
            pick = of_case(case, clean_line(row.name, 80))
        add("it may belong to", (of_row(other) if other is not None else pick,))
    cases = profile.open if profile is not None else ()
    name = clean_line(profile.name, 80) if profile is not None else ""
    add(
        f"open cases of {name}",
        (of_row(known[case.conv]) if case.conv in known else of_case(case, name) for case in cases),
    )
    if typed.strip():
        add("found", (of_row(one) for one in (*found, *rows) if one.state not in ("merged", "ringing")))
    return groups


def _fits(pick: Pick, typed: str) -> bool:
    text = folded(" ".join((pick.number, pick.name, pick.text, pick.channel)))
    return all(word in text for word in folded(typed).replace("#", " ").split())


def choice(pick: Pick, cells: int, at: Instant) -> Line:
    """One row of the list: number, name, channel, state, text, when."""
    when = clock.short_date(pick.at_ms, at.now_ms, at.tz) if pick.at_ms else ""
    room = max(0, cells - 56)
    return line(
        Run("  "),
        Run(fit(f"#{pick.number}", 8), "text"),
        Run(fit(pick.name, 18, at.glyphs.dots) + " ", "strong"),
        Run(fit(pick.channel, 5), "mut"),
        Run(fit(pick.state, 12, at.glyphs.dots) + " ", "mut"),
        Run(fit(pick.text, room, at.glyphs.dots)),
        Run(pad_left(when, 7), "mut"),
        ground="bar",
    )


def both(goes_on: Pick, ends: Pick | None, cells: int, at: Instant) -> tuple[Line, ...]:
    """The two side by side: left the one that ends, right the one that goes on."""
    half = (cells - 4 - 3) // 2
    left = _block(ends, "ends here", "its messages and ways go along", half, at)
    right = _block(goes_on, "goes on", "keeps its number and its owner", half, at)
    arrow = at.glyphs.to
    rows = []
    for place, (one, other) in enumerate(zip(left, right, strict=True)):
        rows.append(
            line(Run("  "), *one, Run(f" {arrow if place == 0 else ' '} ", "acc", "b"), *other, Run("  "), ground="bar")
        )
    return tuple(rows)


def _block(pick: Pick | None, title: str, what: str, cells: int, at: Instant) -> list[tuple[Run, ...]]:
    """Six rows of exactly `cells`."""
    if pick is None:
        rows = [(Run(title, "mut", "b"),), (Run("choose a case", "mut", "i"),), (), (), (), ()]
        return [_filled(runs, cells) for runs in rows]
    dots = at.glyphs.dots
    name = fit(pick.name or f"#{pick.number}", max(0, cells), dots).rstrip()
    facts = "  ".join(word for word in (pick.channel, f"#{pick.number}", pick.state) if word)
    role = "acc" if title == "goes on" else "mut"
    rows = [
        (Run(title, role, "b"),),
        (Run(name, "strong", "b"),),
        (Run(fit(facts, cells, dots).rstrip(), "mut"),),
        (Run(fit(f"“{pick.text}”" if pick.text else "", cells, dots).rstrip()),),
        (Run(pick.messages or f"{at.glyphs.waits} messages", "mut"),),
        (Run(fit(what, cells, dots).rstrip(), "mut", "i"),),
    ]
    return [_filled(runs, cells) for runs in rows]


def _filled(runs: tuple[Run, ...], cells: int) -> tuple[Run, ...]:
    return (*runs, Run(" " * max(0, cells - sum(width(run.text) for run in runs))))


def head(words: str) -> Line:
    """The line over a group."""
    return line(Run("  "), Run(words, "mut", "b"), ground="bar")


NONE = BLANK._replace(ground="bar")
