"""Working time: when a queue is open, and how much working time lies between two moments.

Law: a moment is open if a clock on the queue's wall shows a time inside a span of that wall's weekday, and no closure holds the
moment. So on the night when clocks go forward an opening 02:00-03:00 does not happen, on the night when they go back it happens
twice, and every duration is real elapsed time. Spans that abut (24:00 and 00:00 of the next day) are one opening.

Moments are ms since 1970 (UTC). `None` for hours = always open. The future is looked at 400 days far. Each function is pure; the
openings of 64 days at a time are remembered for each definition, so that a call is two binary searches (1 to 5 us).
Zones come from the table of `zoneinfo`, which is data here. An unknown zone raises `KeyError` or `ValueError`: `problems` finds it first.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from datetime import datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from broker_bridge.contract.policy import MINUTES_A_DAY, Closure, Hours, Span
from broker_bridge.core.timetable import BLOCK_MS, DAY_MS, timetable, wall

HORIZON_MS = 400 * DAY_MS
"""Further ahead nothing is looked for."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def planned(hours: Hours) -> Hours:
    """The same week without its closures; always the same object for the same hours, so that it is compiled once."""
    return timetable(hours).week


def is_open(hours: Hours | None, at_ms: int) -> bool:
    """Whether offers may ring at this moment. The last moment of a span is closed already."""
    if hours is None:
        return True
    block = timetable(hours).block(at_ms // BLOCK_MS)
    i = bisect_right(block.starts, at_ms) - 1
    return i >= 0 and at_ms < block.ends[i]


def openings(hours: Hours, from_ms: int, until_ms: int) -> list[tuple[int, int]]:
    """Every (opens, closes) between two moments, in order, cut at both."""
    table = timetable(hours)
    found: list[tuple[int, int]] = []
    for index in range(from_ms // BLOCK_MS, -(-until_ms // BLOCK_MS)):
        block = table.block(index)
        for i in range(max(0, bisect_right(block.starts, from_ms) - 1), bisect_left(block.starts, until_ms)):
            start, end = max(block.starts[i], from_ms), min(block.ends[i], until_ms)
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            elif start < end:
                found.append((start, end))
    return found


def next_change(hours: Hours | None, at_ms: int) -> int | None:
    """When it opens or closes next after this moment; None: not within 400 days."""
    if hours is None:
        return None
    change = _closes(hours, at_ms) if is_open(hours, at_ms) else _opens(hours, at_ms)
    return change if change is not None and change - at_ms <= HORIZON_MS else None


def _opens(hours: Hours, at_ms: int) -> int | None:
    table = timetable(hours)
    for index in range(at_ms // BLOCK_MS, (at_ms + HORIZON_MS) // BLOCK_MS + 1):
        block = table.block(index)
        i = bisect_right(block.starts, at_ms)
        if i < len(block.starts):
            return block.starts[i]
    return None


def _closes(hours: Hours, at_ms: int) -> int | None:
    """The end of the opening that holds this moment, over the borders of blocks."""
    table = timetable(hours)
    for index in range(at_ms // BLOCK_MS, (at_ms + HORIZON_MS) // BLOCK_MS + 1):
        block = table.block(index)
        i = bisect_right(block.starts, at_ms) - 1
        if i < 0 or block.ends[i] <= at_ms:
            return at_ms
        at_ms = block.ends[i]
        if at_ms < (index + 1) * BLOCK_MS:
            return at_ms
    return None


def opens_at(hours: Hours | None, at_ms: int) -> int | None:
    """The first open moment from this one on: itself if open; None: not within 400 days."""
    return at_ms if is_open(hours, at_ms) else next_change(hours, at_ms)


def add(hours: Hours | None, from_ms: int, seconds: float) -> int | None:
    """The earliest moment until which that much working time has passed; None: not within 400 days.

    So it is never inside closed time: at most it is the very moment of closing. Nothing added is `from_ms` itself.

    Raises:
        ValueError: seconds < 0.
    """
    if seconds < 0:
        raise ValueError(f"working time runs forward only, not {seconds} s")
    left = round(seconds * 1000)
    if hours is None or not left:
        return from_ms + left
    table = timetable(hours)
    first = from_ms // BLOCK_MS
    left += table.block(first).worked(from_ms)
    for index in range(first, (from_ms + HORIZON_MS) // BLOCK_MS + 1):
        block = table.block(index)
        if left <= block.total:
            i = bisect_left(block.before, left) - 1
            at_ms = block.starts[i] + left - block.before[i]
            return at_ms if at_ms - from_ms <= HORIZON_MS else None
        left -= block.total
    return None


def between(hours: Hours | None, a_ms: int, b_ms: int) -> int:
    """Working ms from `a_ms` to `b_ms`; 0 if that is not after it."""
    if b_ms <= a_ms:
        return 0
    if hours is None:
        return b_ms - a_ms
    table = timetable(hours)
    first, last = a_ms // BLOCK_MS, b_ms // BLOCK_MS
    whole = sum(table.block(index).total for index in range(first, last))
    return whole + table.block(last).worked(b_ms) - table.block(first).worked(a_ms)


def closure_at(hours: Hours | None, at_ms: int) -> Closure | None:
    """The closure that holds a moment; of several the one that ends last."""
    holding = [one for one in hours.closures if one.from_ms <= at_ms < one.to_ms] if hours else []
    return max(holding, key=lambda one: one.to_ms, default=None)


def state_in_words(hours: Hours | None, at_ms: int) -> str:
    """`open until 18:00`, `closed, opens Mon 08:00`, `closed: Christmas Day, opens 27 Dec 08:00`; times in the queue's zone."""
    change = next_change(hours, at_ms)
    if hours is None or (change is None and is_open(hours, at_ms)):
        return "always open"
    closure = closure_at(hours, at_ms)
    if change is None:
        return f"closed: {closure.title}, does not open within 400 days" if closure else "never open"
    is_far = change - at_ms >= 6 * DAY_MS
    if is_open(hours, at_ms):
        return f"open until {moment(hours.zone, change, at_ms, has_date=is_far, has_day=not is_far)}"
    if closure:
        return f"closed: {closure.title}, opens {moment(hours.zone, change, at_ms, has_day=False)}"
    return f"closed, opens {moment(hours.zone, change, at_ms, has_date=is_far, has_day=not is_far)}"


def moment(
    zone: str, at_ms: int, near_ms: int, *, has_day: bool = True, has_date: bool = True, has_seconds: bool = False
) -> str:
    """A moment for people: the time alone if it is on the day of `near_ms`, else `Mon 23 Nov 08:00`, the year if another.

    The midnight that ends the day of `near_ms` is `24:00`; an hour that the wall's clock shows a second time bears its zone's letters.
    """
    table = ZoneInfo(zone)
    at, near = wall(table, at_ms), wall(table, near_ms)
    clock = f"{at:%H:%M:%S}" if has_seconds and at.second else f"{at:%H:%M}"
    if at.fold:
        clock = f"{clock} {at:%Z}"
    if at.date() == near.date():
        return clock
    if at.date() == near.date() + timedelta(days=1) and not (at.hour or at.minute or at.second):
        return "24:00"
    day = [DAYS[at.weekday()]] if has_day else []
    date = [f"{at.day} {MONTHS[at.month - 1]}"] if has_date else []
    year = [str(at.year)] if has_date and at.year != near.year else []
    return " ".join([*day, *date, *year, clock])


def local(zone: str, at_ms: int) -> datetime:
    """What the wall's clock shows."""
    return wall(ZoneInfo(zone), at_ms)


def problems(hours: Hours) -> list[str]:
    """What is wrong with a definition, a sentence each; empty = it may be used."""
    found = [] if hours.zone in _zones() else [_unknown_zone(hours.zone)]
    good: list[Span] = []
    for span in hours.week:
        wrong = _wrong_span(span)
        found += [wrong] if wrong else []
        good += [] if wrong else [span]
    good.sort(key=lambda span: (span.day, span.from_min, span.to_min))
    longest: Span | None = None
    for span in good:
        if longest and longest.day == span.day and span.from_min < longest.to_min:
            found.append(f"{_span(longest)} and {_span(span)} overlap: make them one span.")
        if not longest or longest.day != span.day or span.to_min > longest.to_min:
            longest = span
    for closure in hours.closures:
        if not closure.title.strip():
            found.append("A closure has no title: people are told why it is closed.")
        elif not closure.title.isprintable():
            found.append("The title of a closure is one line of printable characters.")
        if closure.to_ms <= closure.from_ms:
            found.append(f'The closure "{closure.title}" ends before it begins, or is empty.')
    return found


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _unknown_zone(zone: str) -> str:
    near = get_close_matches(zone, sorted(_zones()), n=1)
    hint = f'did you mean "{near[0]}"?' if near else 'it is a name like "Europe/Stockholm".'
    return f'The zone "{zone}" is not known: {hint}'


def _wrong_span(span: Span) -> str:
    if not 0 <= span.day <= 6:
        return f"There is no day {span.day}: 0 is Monday and 6 is Sunday."
    if not (0 <= span.from_min < MINUTES_A_DAY and 0 < span.to_min <= MINUTES_A_DAY):
        return f"{_span(span)} is outside the day: it runs from 00:00 to 24:00."
    if span.from_min == span.to_min:
        return f"{_span(span)} is empty: a whole day is 00:00-24:00."
    if span.from_min > span.to_min:
        return f"{_span(span)} ends before it begins: past midnight is a second span on {DAYS[(span.day + 1) % 7]}."
    return ""


def _span(span: Span) -> str:
    def clock(minutes: int) -> str:
        return f"{minutes // 60:02}:{minutes % 60:02}" if minutes >= 0 else f"minute {minutes}"

    return f"{DAYS[span.day]} {clock(span.from_min)}-{clock(span.to_min)}"
