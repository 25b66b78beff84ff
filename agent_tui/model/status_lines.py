"""The first row of the window: who you are, how loaded, what waits, whether the link holds.

The law: numbers of others carry `~` and presence `◌` when the link is away: what cannot be known is shown as not known.
"""

from __future__ import annotations

from datetime import UTC, tzinfo

from agent_tui.model import clock, task_lines
from agent_tui.model import presence as states
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Part, fitted
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.linked import LinkStatus
from agent_tui.model.runs import Line, Run, line
from broker_bridge.contract.views import Counts, Me

OLD_MS = 120 * clock.SECOND_MS
"""From this wait on, the oldest in the queue is shown in `near`."""


def link_part(status: LinkStatus, now_ms: int, cells: int, glyphs: Glyphs) -> Part:
    """`● link 12 ms`, `○ no link 0:48`, `◌ connecting`."""
    if status.state == "up":
        more = f" {status.round_trip_ms} ms" if cells >= 160 and status.round_trip_ms is not None else ""
        return Part((Run(glyphs.ready, "ok"), Run(" link"), Run(more, "mut")))
    if status.state == "connecting":
        return Part((Run(f"{glyphs.waits} connecting", "near", "b"),))
    words = "not let in" if status.state == "denied" else f"no link {clock.long(now_ms - status.since_ms)}"
    return Part((Run(f"{glyphs.off} {words}", "near", "b"),))


def presence(me: Me, is_known: bool, cells: int, now_ms: int, glyphs: Glyphs) -> tuple[Run, ...]:
    """`Maya ● ready 1:12:40`, `Maya ✗ away lunch 4:10`, `Maya ◐ wrap-up 0:38`."""
    name = clean_line(me.name) or me.agent
    if cells < 160:
        name = name.split(" ")[0]
    reason = clean_line(me.reason, 40) if me.state == "away" else ""
    if not is_known:
        return (Run(f"{name} "), Run(f"{glyphs.waits} {states.word(me.state, reason)}", "mut"))
    sign, role = states.look(me.state, glyphs)
    gap = "  " if cells >= 160 else " "
    # Where there is little room the sign says that one is away, the word says why.
    word = states.word(me.state, reason if cells < 100 else "")
    more = f" {reason}" if reason and cells >= 100 else ""
    span, span_role = _span(me, now_ms, cells)
    return (Run(name + gap), Run(sign, role), Run(f" {word}", "strong", "b"), Run(more), Run(span, span_role))


def _span(me: Me, now_ms: int, cells: int) -> tuple[str, str]:
    """How long it has lasted; of wrap-up with an end, what is left of it, at every width."""
    if me.state == "wrap_up" and me.until_ms is not None:
        return f" {clock.left(me.until_ms, now_ms)}", "strong" if me.until_ms > now_ms else "near"
    return (f" {clock.long(now_ms - me.since_ms)}" if cells >= 100 and me.since_ms else ""), "mut"


def later(me: Me, is_known: bool, tz: tzinfo = UTC) -> tuple[Part, ...]:
    """`back 14:30`, `then lunch`: what comes after the present state."""
    found = []
    if me.state == "away" and me.until_ms is not None:
        found.append(Part((Run("back ", "mut"), Run(clock.at(me.until_ms, tz))), 3))
    if me.next_state:
        word = states.word(me.next_state, me.next_reason)
        found.append(
            Part((Run("then ", "mut"), Run(word, "strong" if is_known else "mut", "b" if is_known else "")), 1)
        )
    return tuple(found)


def units_part(me: Me, cells: int, glyphs: Glyphs) -> tuple[Part, ...]:
    """`load ▮▮▮▯▯ 60`: cost units over all channels, where there is room for it."""
    if cells < 200 or me.capacity <= 0 or not me.load:
        return ()
    role = "near" if me.load >= me.capacity else "text"
    return (Part((Run("load ", "mut"), Run(units(me.load, me.capacity, glyphs), role), Run(f" {me.load}", role)), 5),)


def units(load: int, capacity: int, glyphs: Glyphs, cells: int = 5) -> str:
    """Cost units as a bar of `cells`: anything at all is one cell, all cells are full only when it is full."""
    used = load * cells // capacity if capacity > 0 else 0
    return glyphs.load(max(1 if load > 0 else 0, min(cells, used)), cells)


def load_part(word: str, used: int, places: int, cells: int, glyphs: Glyphs) -> Part:
    """`chat ▮▮▯▯ 2/4`; figures alone below 100 columns, the picture alone below 160."""
    role = "near" if places and used >= places else "text"
    shape = glyphs.load(used, places) if cells >= 100 else ""
    figures = f"{used}/{places}" if cells >= 160 or cells < 100 else ""
    between = " " if shape and figures else ""
    return Part((Run(f"{word} ", "mut"), Run(shape, role), Run(between + figures, role if not shape else "text")), 3)


def queue_part(counts: Counts, is_known: bool, now_ms: int, cells: int) -> tuple[Part, ...]:
    """`queue 7 oldest 2:14   SL 91 %`."""
    sure = "" if is_known else "~"
    flags, role = ("b", "strong") if is_known else ("", "mut")
    runs = [Run("queue " if cells >= 100 else "q ", "mut"), Run(f"{sure}{counts.queue}", role, flags)]
    if counts.oldest_ms is not None:
        waited_ms = now_ms - counts.oldest_ms
        old = ("near", "b") if waited_ms >= OLD_MS and is_known else (role, flags)
        runs.append(Run("  oldest " if cells >= 160 else " oldest " if cells >= 100 else " ", "mut"))
        runs.append(Run(sure + clock.minutes(waited_ms), *old))
    parts = [Part(tuple(runs), 2)]
    if counts.service_level is not None:
        level = Run(f"{sure}{round(counts.service_level * 100)} %", role, flags)
        parts.append(Part((Run("SL ", "mut"), level), 4))
    return tuple(parts)


def status_line(
    me: Me | None, counts: Counts, status: LinkStatus, now_ms: int, cells: int, glyphs: Glyphs, tz: tzinfo = UTC
) -> Line:
    """The whole row, `cells` wide."""
    is_known = status.state == "up"
    brand = (Part((Run("onewindow", "strong", "b"),), 1),) if cells >= 100 else ()
    left: tuple[Part, ...] = brand
    if me is not None:
        left = (*left, Part(presence(me, is_known, cells, now_ms, glyphs)), *later(me, is_known, tz))
        left = (
            *left,
            *units_part(me, cells, glyphs),
            *(load_part(word, used, places, cells, glyphs) for word, used, places in me.loads),
        )
        tasks = task_lines.status_part(me)
        left = (*left, *((tasks,) if tasks is not None else ()))
        left = (*left, *_set_apart(queue_part(counts, is_known, now_ms, cells)))
    words = clock.at_second(now_ms, tz) if cells >= 160 else clock.at(now_ms, tz)
    right = (link_part(status, now_ms, cells, glyphs), Part((Run(words),)))
    runs = fitted(left, right, cells - 2, gap=4 if cells >= 200 else 2)
    return line(Run(glyphs.bar, "acc"), *runs, Run(" "), ground="bar")


def _set_apart(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """One more space before the queue's figures."""
    return tuple(Part((Run(" "), *part.runs), part.rank) for part in parts)


def monitor_line(me: Me | None, status: LinkStatus, now_ms: int, cells: int, glyphs: Glyphs, tz: tzinfo = UTC) -> Line:
    """The status row of a supervisor's screen."""
    left: tuple[Part, ...] = (Part((Run("onewindow", "strong", "b"),), 1),)
    if me is not None:
        left = (*left, Part((Run(clean_line(me.name) or me.agent),)))
    left = (*left, Part((Run(f"{glyphs.reads} ", "whisper"), Run("monitor", "strong", "b"))))
    left = (*left, Part((Run("all queues", "mut"),), 2))
    right = (link_part(status, now_ms, cells, glyphs), Part((Run(f" {clock.at_second(now_ms, tz)}"),)))
    return line(Run(glyphs.bar, "acc"), *fitted(left, right, cells - 2), Run(" "), ground="bar")
