"""The floor of a supervisor as lines: who is what since when, how full, and what they work on.

The law: it is sorted by who needs help; presence is a sign and a word; a load is a shape, in places by channel or in cost units.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_tui.model import clock, presence
from agent_tui.model.cells import cut, fit, pad_left, width
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import cells_of
from agent_tui.model.queue_lines import MARKS, WIDE
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import Line, Run, line
from agent_tui.model.status_lines import units
from broker_bridge.contract.views import Colleague

SORTS = ("who needs help", "name", "load")
LONG_AWAY_MS = 45 * clock.MINUTE_MS
LONG_WRAP_MS = 2 * clock.MINUTE_MS
MOST_PLACES = 6
"""Places of a channel that are drawn one by one; more are written as figures."""
UNITS_CELLS = 5
SINCE_CELLS = 8
LEAST_OF_NAME = 16
"""Cells of a name that is too long, before the channel word after it stays."""
_STATE_ORDER = {"ready": 2, "busy": 3, "transfer_only": 3, "away": 4, "off": 5}


def need(one: Colleague, now_ms: int) -> int:
    """How much this colleague needs help: 2 late, 1 near, 0 not."""
    if one.due_ms is not None and one.due_ms < now_ms:
        return 2
    if one.state == "silent" or (one.due_ms is not None and one.due_ms - now_ms < clock.MINUTE_MS):
        return 1
    if one.state == "wrap_up":
        end_ms = one.until_ms if one.until_ms is not None else one.since_ms + LONG_WRAP_MS
        return 1 if now_ms > end_ms else 0
    if one.state != "away":
        return 0
    if one.until_ms is not None:
        return 1 if now_ms > one.until_ms else 0
    return 1 if one.since_ms and now_ms - one.since_ms > LONG_AWAY_MS else 0


def sorted_floor(agents: tuple[Colleague, ...], how: str, now_ms: int) -> list[Colleague]:
    """By one of SORTS."""
    if how == "name":
        return sorted(agents, key=lambda one: one.name.casefold())
    if how == "load":
        return sorted(agents, key=lambda one: (-one.load / max(1, one.capacity), one.name))
    return sorted(
        agents,
        key=lambda one: (-need(one, now_ms), _STATE_ORDER.get(one.state, 1), one.due_ms or 1 << 62, one.name),
    )


class Columns(NamedTuple):
    """Cells of the floor's columns, by the board's width and what is known of the loads."""

    cells: int
    name: int
    state: int
    channels: tuple[tuple[str, int], ...]
    """(channel word, cells)."""
    units: int
    """Of the bar of cost units, 0 = not shown."""
    works: int
    """What is left for `works on` and the clock."""


def columns(agents: tuple[Colleague, ...], cells: int) -> Columns:
    """For all rows of the floor: a channel's column stands where anybody has places in it."""
    is_wide = cells >= WIDE
    name, state = max(14, min(20, cells - 60)), (17 if is_wide else 8)
    widths: dict[str, int] = {}
    for one in agents:
        for word, used, places in one.loads:
            shown = places if places <= MOST_PLACES else len(f"{used}/{places}")
            widths[word] = max(widths.get(word, 0), shown, len(word))
    # Where there is little room mail goes first: its load is the least hurry.
    words = [word for word in widths if is_wide or word != "mail"][: 3 if is_wide else 2]
    channels = tuple((word, widths[word]) for word in words)
    shape = UNITS_CELLS if is_wide or len(channels) < 2 else 0
    used = (
        4 + name + 1 + 2 + state + SINCE_CELLS + 2 + sum(size + 1 for _, size in channels) + (shape + 1 if shape else 0)
    )
    return Columns(cells, name, state, channels, shape, max(0, cells - used))


def floor_head(found: Columns) -> Line:
    """The column words of the floor."""
    loads = "".join(f"{fit(word, size)} " for word, size in found.channels)
    loads += f"{fit('load', found.units)} " if found.units else ""
    words = f"    {fit('agent', found.name)} {fit('state', found.state + 2)}{'since':>{SINCE_CELLS}}  {loads}works on"
    return line(Run(fit(words, found.cells), "mut"))


def floor_row(one: Colleague, found: Columns, at: Instant) -> Line:
    """`!! Maya Lindqvist ● ready  1:12:40 ▮▮▯▯  Anna Berg  wa  -0:42`."""
    now_ms = at.now_ms
    weight = need(one, now_ms)
    is_calm = one.state in ("away", "off")
    # The time of a state is marked where the state itself is what is wrong.
    is_long = weight == 1 and one.state in ("silent", "wrap_up", "away")
    sign, role = presence.look(one.state, at.glyphs)
    since = clock.long(now_ms - one.since_ms) if one.since_ms and one.state != "off" else ""
    # The state has what the time leaves it, so that a long one is whole and the two never touch.
    wider = width(since) - SINCE_CELLS + 1
    right = _clock(one, at)
    # The chip of a late one has a ground of its own, and begins after a blank.
    room = max(0, found.works - cells_of(right) - (weight == 2))
    name = fit(clean_line(one.name), found.name, at.glyphs.dots)
    calm = "mut" if is_calm else "text"
    return line(
        Run(" "),
        MARKS[weight],
        Run(" "),
        Run(f"{name} ", "mut" if is_calm else "strong", "b" if weight else ""),
        Run(f"{sign} ", "near" if weight == 1 and one.state == "wrap_up" else role),
        Run(fit(_state(one, found.state - wider), found.state - wider, at.glyphs.dots), calm),
        Run(pad_left(since, SINCE_CELLS + wider), "near" if is_long else calm, "b" if is_long else ""),
        Run("  "),
        *_loads(one, found, at),
        Run(fit(_works(one, room, at), found.works - cells_of(right)), calm),
        *right,
    )


def _state(one: Colleague, room: int) -> str:
    """`ready`, `lunch`, `ready then away`: the sign says what is, so in little room what comes next goes first."""
    word = presence.word(one.state, one.reason)
    if one.state == "transfer_only" and width(word) > room:
        word = "transfers"
    if not one.next_state:
        return word
    then = f"then {presence.word(one.next_state)}"
    both = f"{word} {then}"
    return both if width(both) <= room else then


def _loads(one: Colleague, found: Columns, at: Instant) -> tuple[Run, ...]:
    if one.state == "off":
        return (Run(" " * (sum(size + 1 for _, size in found.channels) + (found.units + 1 if found.units else 0))),)
    by_word = {word: (used, places) for word, used, places in one.loads}
    calm = "mut" if one.state == "away" else "text"
    runs = []
    for word, size in found.channels:
        used, places = by_word.get(word, (0, 0))
        shape = at.glyphs.load(used, places) if places <= MOST_PLACES else f"{used}/{places}"
        runs.append(Run(fit(shape, size) + " ", "near" if places and used >= places and places > 1 else calm))
    if found.units:
        is_small = one.capacity <= UNITS_CELLS
        shape = at.glyphs.load(one.load, one.capacity) if is_small else units(one.load, one.capacity, at.glyphs)
        is_full = one.capacity > 0 and one.load >= one.capacity
        runs.append(Run(fit(shape, found.units) + " ", "near" if is_full else calm))
    return tuple(runs)


def _works(one: Colleague, room: int, at: Instant) -> str:
    """`Anna Berg  wa`, `back 14:30`, `starts 16:00`, `full`, or until when they work."""
    works = clean_line(one.works_on)
    if not works:
        if one.until_ms is not None and one.state in ("away", "off"):
            return f"{'back' if one.state == 'away' else 'starts'} {clock.at(one.until_ms, at.tz)}"
        is_full = one.state == "ready" and 0 < one.capacity <= one.load
        return "full" if is_full else cut(clean_line(one.schedule, 60), max(0, room), at.glyphs.dots)
    word = f"  {clean_line(one.works_on_word)}" if one.works_on_word else ""
    left = room - width(word)
    if left < width(works) and (width(works) <= room or left < LEAST_OF_NAME):
        # The channel goes before the name is cut.
        word = ""
    return cut(works, max(0, room - width(word)), at.glyphs.dots) + word


def _clock(one: Colleague, at: Instant) -> tuple[Run, ...]:
    """The nearest target of what they work on, or what is left of the wrap-up; a late one's chip takes the margin too."""
    if one.state == "wrap_up" and one.until_ms is not None and one.until_ms > at.now_ms:
        return (Run(f" {clock.left(one.until_ms, at.now_ms)}", "mut"), Run(" "))
    if one.due_ms is None:
        return (Run(" "),)
    word = clock.due(one.due_ms, at.now_ms)
    if one.due_ms < at.now_ms:
        return (Run(f" {word} ", "chip.late", "b"),)
    is_near = one.due_ms - at.now_ms < clock.MINUTE_MS
    return (Run(f" {word}", "near" if is_near else "mut", "b" if is_near else ""), Run(" "))
