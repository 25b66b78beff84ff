"""A time as a person types it: `tomorrow 10`, `in 3 d`, `mon 9:30`, `15:30`, `28 nov 14:00`.

The law: pure (now and the zone are arguments); what is not understood, is past or more than a year away is None, never a guess.
Hours and minutes from now are counted on the clock of the world; days keep the time of day, across a change of the clocks too.
A time that the clocks skip is read as the same moment after the change; one that comes twice is the first that is still to come.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from agent_tui.model import clock

MOST_DAYS = 366
MORNING, AFTERNOON, EVENING = time(9), time(14), time(18)
_PARTS = {"morning": MORNING, "afternoon": AFTERNOON, "evening": EVENING, "tonight": time(20), "noon": time(12)}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_UNITS_MS = {"m": clock.MINUTE_MS, "h": clock.HOUR_MS}
_UNITS_DAYS = {"d": 1, "w": 7}
_SPAN = re.compile(r"(\d{1,4}(?:[.,]\d)?) ?(minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)(?![a-z])")
_TIME = re.compile(r"(?:at )?(\d{1,2})(?:[:.h](\d{2}))? ?(am|pm|h|o'clock)?$")
_MONTH = r"(?:(\d{1,2})\.? ([a-z]{3,9})|([a-z]{3,9}) (\d{1,2})(?!\d|[:.]\d))(?: (\d{4}))?"
_NAMED_DATE = re.compile(rf"{_MONTH}\b")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})\b")
_DOT_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})?(?!\d)")


class Preset(NamedTuple):
    """A time that one key chooses."""

    words: str
    until_ms: int | None
    """None = until they answer."""


def parse(typed: str, now_ms: int, tz: tzinfo = UTC) -> int | None:
    """The moment that is meant, in ms since 1970, after `now_ms`; None if it is not understood or out of range."""
    text = " ".join(typed.casefold().replace(",", " , ").split()).replace(" , ", ",").strip(" ,")
    text = re.sub(r",(?!\d)|(?<!\d),", " ", text)
    if not text or len(text) > 60:
        return None
    try:
        found = _span(text, now_ms, tz)
        if found is None:
            found = _day_and_time(text, now_ms, tz)
    except (ValueError, OverflowError, OSError):
        return None
    if found is None or not now_ms < found <= now_ms + MOST_DAYS * clock.DAY_MS:
        return None
    return found


def presets(now_ms: int, tz: tzinfo = UTC) -> tuple[Preset, ...]:
    """What a snooze offers: always five, so that a number always means the same kind of time."""
    now = clock.local(now_ms, tz)
    today = now.date()
    if now.time() < time(13, 30):
        part = Preset("this afternoon 14:00", _moment(today, AFTERNOON, now_ms, tz))
    elif now.time() < time(17, 30):
        part = Preset("this evening 18:00", _moment(today, EVENING, now_ms, tz))
    else:
        part = Preset("tomorrow afternoon 14:00", _moment(today + timedelta(days=1), AFTERNOON, now_ms, tz))
    monday = today + timedelta(days=(7 - today.weekday()) or 7)
    far = Preset("Monday 9:00", _moment(monday, MORNING, now_ms, tz))
    if monday == today + timedelta(days=1):
        # Tomorrow stands there already.
        far = Preset("Monday in a week 9:00", _moment(monday + timedelta(days=7), MORNING, now_ms, tz))
    return (
        Preset("1 h", now_ms + clock.HOUR_MS),
        part,
        Preset("tomorrow 9:00", _moment(today + timedelta(days=1), MORNING, now_ms, tz)),
        far,
        Preset("until they answer", None),
    )


def said(moment_ms: int, now_ms: int, tz: tzinfo = UTC) -> str:
    """`today 15:30`, `tomorrow 10:00`, `Mon 23 Nov 09:30`, with the year if it is another: date and time, whole."""
    then, now = clock.local(moment_ms, tz), clock.local(now_ms, tz)
    days = (then.date() - now.date()).days
    if days in (0, 1):
        return f"{('today', 'tomorrow')[days]} {then:%H:%M}"
    words = f"{_DAYS[then.weekday()][:3].capitalize()} {clock.date(moment_ms, tz)}"
    return f"{words} {then.year if then.year != now.year else ''}".rstrip() + f" {then:%H:%M}"


def typed(moment_ms: int, tz: tzinfo = UTC) -> str:
    """`2026-11-28 14:00`: the moment as `parse` reads it, to the minute."""
    return f"{clock.local(moment_ms, tz):%Y-%m-%d %H:%M}"


def left(moment_ms: int, now_ms: int) -> str:
    """`in 45 m`, `in 1 d 19 h`: how far away."""
    minutes = max(0, moment_ms - now_ms) // clock.MINUTE_MS
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"in {days} d" + (f" {hours} h" if hours else "")
    if hours:
        return f"in {hours} h" + (f" {minutes % 60} m" if minutes % 60 else "")
    return f"in {minutes} m"


def _span(text: str, now_ms: int, tz: tzinfo) -> int | None:
    """`in 3 d`, `1 h 30 m`, `2 weeks`, `in 3 d at 10`."""
    rest, is_marked = (text[3:], True) if text.startswith("in ") else (text, False)
    if is_marked and rest.strip() in ("an hour", "half an hour", "a day", "a week"):
        rest = {"an hour": "1 h", "half an hour": "30 m", "a day": "1 d", "a week": "1 w"}[rest.strip()]
    days, span_ms, has_any = 0.0, 0.0, False
    while (match := _SPAN.match(rest)) is not None:
        number, unit = float(match[1].replace(",", ".")), match[2][0]
        # `15 h` and `9 m` are spans only after `in` or with a unit that no clock has: `15h` alone is a time in many countries.
        days += number * _UNITS_DAYS.get(unit, 0)
        span_ms += number * _UNITS_MS.get(unit, 0)
        rest, has_any = rest[match.end() :].removeprefix(",").strip().removeprefix("and ").strip(), True
    if not has_any:
        return None
    if days != int(days):
        return None
    if rest:
        found = _time(rest)
        if found is None or span_ms or not days:
            return None
        return _moment(clock.local(now_ms, tz).date() + timedelta(days=int(days)), found, now_ms, tz)
    if days:
        now = clock.local(now_ms, tz)
        now_ms = _at(now.date() + timedelta(days=int(days)), now.time(), now_ms, tz)
    return now_ms + round(span_ms)


def _day_and_time(text: str, now_ms: int, tz: tzinfo) -> int | None:
    """A day, a time, or both in either order."""
    now = clock.local(now_ms, tz)
    text = text.removeprefix("on ")
    first = _day(text, now.date())
    if first is None:
        return _time_first(text, now, now_ms, tz)
    day, rest, is_weekday = first
    moment = _time(rest) if rest else MORNING
    if moment is None or (day == now.date() and not rest and not is_weekday):
        return None
    found = _moment(day, moment, now_ms, tz)
    if found <= now_ms and is_weekday:
        found = _moment(day + timedelta(days=7), moment, now_ms, tz)
    return found


def _time_first(text: str, now: datetime, now_ms: int, tz: tzinfo) -> int | None:
    """`15:30` (tomorrow, if that is past), `10 tomorrow`, `9:30 on mon`."""
    moment = _time(text)
    if moment is not None:
        found = _moment(now.date(), moment, now_ms, tz)
        is_part = text.removeprefix("this ") in _PARTS
        return found if found > now_ms or is_part else _moment(now.date() + timedelta(days=1), moment, now_ms, tz)
    words = text.split(" ")
    for place in range(1, len(words)):
        moment, rest = _time(" ".join(words[:place])), " ".join(words[place:])
        day = _day(rest.removeprefix("on "), now.date())
        if moment is not None and day is not None and not day[1]:
            found = _moment(day[0], moment, now_ms, tz)
            return found if found > now_ms or not day[2] else _moment(day[0] + timedelta(days=7), moment, now_ms, tz)
    return None


def _day(text: str, today: date) -> tuple[date, str, bool] | None:
    """The day that `text` begins with, what follows it, and whether it comes again every week."""
    word, _, rest = text.partition(" ")
    is_next = word == "next"
    if is_next:
        word, _, rest = rest.partition(" ")
    if not is_next:
        if word == "today":
            return today, rest, False
        if word in ("tomorrow", "tmr", "tom"):
            return today + timedelta(days=1), rest, False
        if (dated := _dated(text, today)) is not None:
            return (*dated, False)
    if len(word) < 3:
        return None
    names = [place for place, name in enumerate(_DAYS) if name.startswith(word.rstrip("."))]
    if len(names) != 1:
        return None
    ahead = (names[0] - today.weekday()) % 7
    if is_next and ahead == 0:
        ahead = 7
    return today + timedelta(days=ahead), rest, not is_next


def _dated(text: str, today: date) -> tuple[date, str] | None:
    """`28 nov`, `nov 28 2027`, `2026-11-28`, `28.11.`; without a year the next one.

    Raises:
        ValueError: there is no such day.
    """
    if (match := _ISO_DATE.match(text)) is not None:
        return date(int(match[1]), int(match[2]), int(match[3])), text[match.end() :].strip()
    if (match := _DOT_DATE.match(text)) is not None:
        return _next(int(match[1]), int(match[2]), match[3], today), text[match.end() :].strip()
    match = _NAMED_DATE.match(text)
    name = (match[2] or match[3])[:3] if match is not None else ""
    if match is None or name not in _MONTHS:
        return None
    day = int(match[1] or match[4])
    return _next(day, _MONTHS.index(name) + 1, match[5], today), text[match.end() :].strip()


def _next(day: int, month: int, year: str | None, today: date) -> date:
    if year:
        return date(int(year), month, day)
    found = date(today.year, month, day)
    return found if found >= today else date(today.year + 1, month, day)


def _time(text: str) -> time | None:
    """`15`, `15:30`, `9.30`, `3 pm`, `morning`, `noon`."""
    text = text.removeprefix("this ").removeprefix("in the ").removeprefix("at ")
    if text in _PARTS:
        return _PARTS[text]
    match = _TIME.match(text)
    if match is None:
        return None
    hour, minute = int(match[1]), int(match[2] or 0)
    if match[3] in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[3] == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _moment(day: date, moment: time, now_ms: int, tz: tzinfo) -> int:
    return _at(day, moment, now_ms, tz)


def _at(day: date, moment: time, now_ms: int, tz: tzinfo) -> int:
    """The wall clock's moment in ms; of an hour that comes twice the first that is after `now_ms`."""
    first = datetime.combine(day, moment, tz)
    found = round(first.replace(fold=0).timestamp() * 1000)
    return found if found > now_ms else round(first.replace(fold=1).timestamp() * 1000)
