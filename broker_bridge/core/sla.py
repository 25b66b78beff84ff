"""Service levels: when an answer is due, and why then.

Law: a due time is the moment until which the promised working time has passed (`core.hours.add`), and its sentence names everything
between the two that was not counted. A stopped clock keeps the working time that was left, and a late one keeps its lateness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

import msgspec

from broker_bridge.contract.policy import Hours
from broker_bridge.core import hours as working
from broker_bridge.core.timetable import DAY_MS

What = Literal["first", "next", "resolution"]
"""The first reply, the reply after it, or the end of the case."""
LUNCH_MIN = (11 * 60, 13 * 60 + 30)
"""A break that begins between these is called lunch, if it takes two hours at most."""
NAMED = 6
"""What was left out is named so often; the rest is counted."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A promise with its end."""

    what: What
    due_ms: int
    from_ms: int
    """When its clock started, or went on."""
    work_s: int
    """Working seconds promised in all."""
    because: str
    """One line for people, times in the queue's zone."""


def due(what: What, hours: Hours | None, from_ms: int, work_s: int, zone: str = "UTC") -> Due | None:
    """The promise of `work_s` working seconds from `from_ms`; None: no end within 400 days, as in a queue that is never open.

    `zone` is for the words only, and only where there are no hours to name one.

    Raises:
        ValueError: work_s < 0.
    """
    due_ms = working.add(hours, from_ms, work_s)
    if due_ms is None:
        return None
    end, start = _both(hours, zone, from_ms, due_ms, has_seconds=work_s < 3600)
    took = f"{_duration(work_s)} of work time" if hours else _duration(work_s)
    because = f"due {end} = {took} from {start}{_exceptions(hours, from_ms, due_ms)}"
    return Due(what=what, due_ms=due_ms, from_ms=from_ms, work_s=work_s, because=because)


def left(hours: Hours | None, now_ms: int, due_ms: int) -> int:
    """Working seconds until it is due, rounded up; once late, minus the real seconds since."""
    if now_ms > due_ms:
        return (due_ms - now_ms) // 1000
    return -(-working.between(hours, now_ms, due_ms) // 1000)


def warn_at(due: Due, hours: Hours | None, share: float) -> int | None:
    """The open moment at which `share` (0 to 1) of the promised time is left, not before `from_ms`; None: no warning (share 0).

    Where that is the very moment of closing it is the next opening: a warning is for people who are there.
    """
    if share <= 0:
        return None
    whole_ms = working.between(hours, due.from_ms, due.due_ms)
    before_ms = whole_ms - min(whole_ms, round(due.work_s * share * 1000))
    at_ms = working.add(hours, due.from_ms, before_ms / 1000)
    opens_ms = None if at_ms is None else working.opens_at(hours, at_ms)
    return due.due_ms if opens_ms is None else min(opens_ms, due.due_ms)


def paused(due: Due, hours: Hours | None, at_ms: int) -> int:
    """Working seconds that are left when the clock stops, for `resumed`; negative if it was late already."""
    return left(hours, at_ms, due.due_ms)


def resumed(what: What, hours: Hours | None, at_ms: int, left_s: int, work_s: int, zone: str = "UTC") -> Due | None:
    """The promise of `work_s` working seconds, of which `left_s` were left when its clock stopped, going on at `at_ms`.

    What was late when it stopped is late by as much. None: no end within 400 days.
    """
    if left_s <= 0:
        start, _ = _both(hours, zone, at_ms - 2 * DAY_MS, at_ms, has_seconds=work_s < 3600)
        late = f"{_duration(-left_s)} late" if left_s else "due"
        because = f"{late} when its clock stopped, and so when it went on {start}"
        return Due(what=what, due_ms=at_ms + left_s * 1000, from_ms=at_ms, work_s=work_s, because=because)
    due_ms = working.add(hours, at_ms, left_s)
    if due_ms is None:
        return None
    end, start = _both(hours, zone, at_ms, due_ms, has_seconds=left_s < 3600)
    took = f"{_duration(left_s)} left of {_duration(work_s)}{' of work time' if hours else ''}"
    because = f"due {end} = {took}, from {start} when its clock went on{_exceptions(hours, at_ms, due_ms)}"
    return Due(what=what, due_ms=due_ms, from_ms=at_ms, work_s=work_s, because=because)


def _both(hours: Hours | None, zone: str, from_ms: int, due_ms: int, *, has_seconds: bool) -> tuple[str, str]:
    """(end, start) in words, both with their dates unless they are on one day."""
    name = hours.zone if hours else zone
    letters = "" if hours or zone != "UTC" else " UTC"
    end = working.moment(name, due_ms, from_ms, has_seconds=has_seconds)
    near_ms = from_ms if end[:1].isdigit() else due_ms
    start = working.moment(name, from_ms, near_ms, has_seconds=has_seconds)
    return end + letters, start + letters


def _duration(seconds: int) -> str:
    """`4 h`, `1 h 30 min`, `90 s` as `1 min 30 s`; seconds only under an hour."""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else seconds, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _exceptions(hours: Hours | None, from_ms: int, due_ms: int) -> str:
    """`, lunch and 2 nights excluded, clocks went back 1 h`; empty if every second counted."""
    if hours is None or due_ms <= from_ms:
        return ""
    times = Counter(name for _, name in sorted(_left_out(hours, from_ms, due_ms)))
    names = [
        f"{number} {name}s" if number > 1 and name in ("night", "weekend") else name for name, number in times.items()
    ]
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
    return f"{f', {listed} excluded' if listed else ''}{_clock_change(hours, from_ms, due_ms)}"


def _left_out(hours: Hours, from_ms: int, due_ms: int) -> Iterator[tuple[int, str]]:
    """(when, what) of everything between the two that was not counted."""
    week = working.planned(hours)
    for closure in hours.closures:
        start, end = max(closure.from_ms, from_ms), min(closure.to_ms, due_ms)
        if working.between(week, start, end):
            yield start, closure.title
    # From a week before, so that the gap which holds the first moment is seen whole.
    planned = working.openings(week, from_ms - 8 * DAY_MS, due_ms)
    for (_, closes), (opens, _) in pairwise(planned):
        start, end = max(closes, from_ms), min(opens, due_ms)
        if start < end and not _is_inside_closures(hours, start, end):
            yield start, _gap(*(working.local(hours.zone, at_ms) for at_ms in (closes, start, opens)))


def _is_inside_closures(hours: Hours, start: int, end: int) -> bool:
    """Whether the night (or the like) lies within a holiday that is named anyway; touching closures count as one."""
    for closure in sorted(hours.closures, key=lambda one: one.from_ms):
        if closure.from_ms > start:
            break
        start = max(start, closure.to_ms)
    return start >= end


def _gap(closes: datetime, start: datetime, opens: datetime) -> str:
    """What people call the time between two openings of the week, of which the part from `start` was waited for."""
    is_midnight = not (closes.hour or closes.minute)
    first = closes.date() + timedelta(days=not is_midnight)
    first = max(first, start.date())
    whole = [(first + timedelta(days=i)).weekday() for i in range((opens.date() - first).days)]
    if set(whole) == {5, 6}:
        return "weekend"
    if whole:
        return working.DAYS[whole[0]] if len(whole) == 1 else f"{len(whole)} closed days"
    if closes.date() != opens.date() or is_midnight:
        is_night = closes.hour >= 15 or is_midnight or start.date() == opens.date()
        return "night" if is_night and opens.hour <= 10 else "closed hours"
    minutes = closes.hour * 60 + closes.minute
    if LUNCH_MIN[0] <= minutes <= LUNCH_MIN[1] and opens - closes <= timedelta(hours=2):
        return "lunch"
    return f"break {closes:%H:%M}-{opens:%H:%M}"


def _clock_change(hours: Hours, from_ms: int, due_ms: int) -> str:
    """Said only where it happened within an opening, and the difference of two clock times is not the work time."""
    for start, end in working.openings(hours, from_ms, due_ms):
        before, after = (working.local(hours.zone, at_ms).utcoffset() or timedelta() for at_ms in (start, end))
        if before != after:
            way = "forward" if after > before else "back"
            return f", clocks went {way} {_duration(round(abs(after - before).total_seconds()))}"
    return ""
