"""The words for policy that an operator writes: `swedish 3`, `1h30m`, opening hours by day.

Law: what cannot be read raises ValueError with what to write instead; what can be read but makes no sense is core.policy's to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from broker_bridge.contract.policy import Hours, Skill, Span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_SKILL = re.compile(r"(?P<name>\S(?:.*?\S)?)(?:\s+(?P<level>-?\d{1,6}))?")
_TIME = re.compile(r"(?:(?P<h>\d{1,5})\s*h)?\s*(?:(?P<m>\d{1,5})\s*m)?\s*(?:(?P<s>\d{1,7})\s*s)?")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


def skill(text: str) -> Skill:
    """`swedish 3`; without a level 1. Raises ValueError."""
    match = _SKILL.fullmatch(text.strip())
    if match is None:
        raise ValueError('write a skill and its level, as "swedish 3"')
    return Skill(name=match["name"], level=int(match["level"] or 1))


def skill_words(one: Skill) -> str:
    return f"{one.name} {one.level}"


def seconds(value: str | int) -> int | None:
    """`15m`, `1h30m`, `90s` or a number of seconds; None for nothing. Raises ValueError."""
    if isinstance(value, int):
        return value
    text = value.strip()
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError('write a time as "15m", "4h", "1h30m" or "90s"')
    return int(match["h"] or 0) * 3600 + int(match["m"] or 0) * 60 + int(match["s"] or 0)


def time_words(total_s: int) -> str:
    """`1h30m`."""
    parts = ((total_s // 3600, "h"), (total_s // 60 % 60, "m"), (total_s % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def opening_hours(words: Mapping[str, Any], *, has_holidays: bool) -> Hours:
    """`zone` and the days. With holidays and no day: open always but on those. Raises ValueError: key first, then the sentence."""
    zone = words.get("zone")
    if not isinstance(zone, str) or not zone:
        raise ValueError('zone: say where the clock hangs, as zone = "Europe/Stockholm"')
    week = [span for key, value in words.items() if key != "zone" for span in _spans(key, value)]
    if not week:
        if len(words) > 1 or not has_holidays:
            raise ValueError('no day says when it is open: write mon-fri = "08:00-18:00"')
        week = [Span(day=day, from_min=0, to_min=1440) for day in range(7)]
    return Hours(zone=zone, week=tuple(sorted(week, key=lambda one: (one.day, one.from_min, one.to_min))))


def _spans(key: str, value: object) -> Iterator[Span]:
    days = _days(key)
    values: list[Any] = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str)]
    if len(texts) != len(values):
        raise ValueError(f'{key}: write it as "08:00-12:00, 13:00-18:00"')
    for part in ",".join(texts).split(","):
        if not part.strip():
            continue
        match = _SPAN.fullmatch(part.strip())
        if match is None or int(match[2]) > 59 or int(match[4]) > 59:
            raise ValueError(f'{key}: write it as "08:00-12:00, 13:00-18:00"')
        for day in days:
            yield Span(day=day, from_min=int(match[1]) * 60 + int(match[2]), to_min=int(match[3]) * 60 + int(match[4]))


def _days(key: str) -> list[int]:
    first, parted, last = key.partition("-")
    if first not in DAYS or (parted and last not in DAYS):
        raise ValueError(f"{key}: there is no such day; use zone, {', '.join(DAYS)}, or a range as mon-fri")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    if end < begin:
        raise ValueError(f"{key}: the range runs backwards; a week begins on mon")
    return list(range(begin, end + 1))


def wall(zone: str) -> ZoneInfo | None:
    """The clock of a zone; None: there is no such zone."""
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return None


def hours_words(hours: Hours) -> dict[str, str]:
    """As `opening_hours` reads it; without the closures."""
    words = {"zone": hours.zone}
    for day, name in enumerate(DAYS):
        spans = [f"{_clock(one.from_min)}-{_clock(one.to_min)}" for one in hours.week if one.day == day]
        if spans:
            words[name] = ", ".join(spans)
    return words


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
