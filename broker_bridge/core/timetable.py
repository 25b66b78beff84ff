"""The openings of a queue, worked out 64 days at a time and remembered.

Law: what is remembered follows from the definition alone, so that every caller may take it for a pure function. A moment is in the week
if a clock on the queue's wall shows a time inside a span of that day; `core.hours` says what follows from it when clocks change.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from broker_bridge.contract.policy import Hours

MINUTE_MS = 60_000
DAY_MS = 86_400_000
BLOCK_MS = 64 * DAY_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS, LAST_MS = -62_000_000_000_000, 253_000_000_000_000
"""Years 5 to 9987: offsets outside are taken from the edge, because the library's dates end there."""


class Block(NamedTuple):
    """The openings of 64 days, in order."""

    starts: list[int]
    ends: list[int]
    before: list[int]
    """Working ms of the block before each opening."""
    total: int

    def worked(self, at_ms: int) -> int:
        """Working ms of the block until a moment in it."""
        i = bisect_right(self.starts, at_ms) - 1
        return self.before[i] + min(at_ms, self.ends[i]) - self.starts[i] if i >= 0 else 0


class Timetable:
    """One definition, compiled."""

    def __init__(self, hours: Hours) -> None:
        self.zone = ZoneInfo(hours.zone)
        self.week = msgspec.structs.replace(hours, closures=()) if hours.closures else hours
        self.days = tuple(
            _merged((s.from_min * MINUTE_MS, s.to_min * MINUTE_MS) for s in hours.week if s.day == day)
            for day in range(7)
        )
        self.closed = _merged((closure.from_ms, closure.to_ms) for closure in hours.closures)
        self._blocks: dict[int, Block] = {}

    def block(self, index: int) -> Block:
        known = self._blocks.get(index)
        if known is None:
            if len(self._blocks) >= 64:
                self._blocks.clear()
            known = self._blocks[index] = self._build(index * BLOCK_MS, (index + 1) * BLOCK_MS)
        return known

    def _build(self, begin: int, end: int) -> Block:
        openings = _without(_merged(self._by_the_wall(begin, end)), self.closed)
        starts = [opening[0] for opening in openings]
        ends = [opening[1] for opening in openings]
        before: list[int] = []
        total = 0
        for start, stop in openings:
            before.append(total)
            total += stop - start
        return Block(starts, ends, before, total)

    def _by_the_wall(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The week's spans between two moments, as the wall's clock shows them; closures are not looked at."""
        for start, stop, offset in self._offsets(begin, end):
            for day in range((start + offset) // DAY_MS, (stop - 1 + offset) // DAY_MS + 1):
                midnight = day * DAY_MS - offset
                for a, b in self.days[(day + 3) % 7]:  # 1 January 1970 was a Thursday
                    opens, closes = max(midnight + a, start), min(midnight + b, stop)
                    if opens < closes:
                        yield opens, closes

    def _offsets(self, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(from, to, ms ahead of UTC): asked once a day, and the day of a change is halved until the moment is found."""
        start, offset = begin, self._offset(begin)
        for probe in range(begin + DAY_MS, end + DAY_MS, DAY_MS):
            after = self._offset(probe)
            if after == offset:
                continue
            low, high = probe - DAY_MS, probe
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
            if high < end:
                yield start, high, offset
                start, offset = high, after
        yield start, end, offset

    def _offset(self, at_ms: int) -> int:
        ahead = wall(self.zone, min(max(at_ms, FIRST_MS), LAST_MS)).utcoffset() or timedelta()
        return ahead // timedelta(milliseconds=1)


_compiled = functools.lru_cache(maxsize=256)(Timetable)
_at_hand: dict[int, tuple[Hours, Timetable]] = {}
"""By identity, which the kept definition holds: to hash 100 closures takes longer than the answer."""


def timetable(hours: Hours) -> Timetable:
    """The compiled definition; `KeyError` (or `ValueError`) if its zone is unknown."""
    known = _at_hand.get(id(hours))
    if known is not None:
        return known[1]
    if len(_at_hand) >= 256:
        _at_hand.clear()
    table = _compiled(hours)
    _at_hand[id(hours)] = (hours, table)
    return table


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, without empty ones; those that touch are one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _without(spans: list[tuple[int, int]], holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of ordered spans outside ordered holes."""
    left: list[tuple[int, int]] = []
    i = 0
    for start, end in spans:
        while i < len(holes) and holes[i][1] <= start:
            i += 1
        at = i
        while at < len(holes) and holes[at][0] < end:
            if start < holes[at][0]:
                left.append((start, holes[at][0]))
            start = holes[at][1]
            at += 1
        if start < end:
            left.append((start, end))
    return left


def wall(zone: ZoneInfo, at_ms: int) -> datetime:
    """What a clock on a wall there shows."""
    return (EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
