"""Holidays from iCalendar files (RFC 5545, as Google, Outlook and Apple write them).

Law: a file is taken as a whole or refused with one sentence: a holiday that was left out silently is a desk that nobody sits at. What
may never end is refused before it is unrolled. All-day events close whole days of the queue's zone, floating times are that zone's,
and what is marked as free time or cancelled closes nothing.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from broker_bridge.contract.policy import Closure

MAX_BYTES = 1 << 20
MAX_EVENTS = 2_000
MAX_CLOSURES = 5_000
BUDGET_S = 10.0
"""For one file. A year of holidays takes 20 ms; a rule that never happens is walked to the year 9999, which takes 2 s at most."""
FIRST_YEAR = 1600
"""Every repetition since the first is walked: daily since then takes a second."""
TITLE = 80
DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
ONLY_WITH = {
    "BYMONTHDAY": ("DAILY", "MONTHLY", "YEARLY"),
    "BYYEARDAY": ("YEARLY",),
    "BYWEEKNO": ("YEARLY",),
    "BYSETPOS": ("MONTHLY", "YEARLY"),
}
"""RFC 5545, 3.3.10; with others the library would search for days that there are none of."""
TIME_PARTS = ("BYHOUR", "BYMINUTE", "BYSECOND")
RULE_PARTS = frozenset(("FREQ", "UNTIL", "COUNT", "INTERVAL", "WKST", "BYDAY", "BYMONTH", *ONLY_WITH, *TIME_PARTS))
TIMES = ("DTSTART", "DTEND", "RDATE", "EXDATE", "RECURRENCE-ID")
NEEDED = frozenset((*TIMES, "DURATION", "RRULE", "STATUS", "TRANSP", "UID", "SEQUENCE"))
BROKEN = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, NotImplementedError)
"""What the two libraries raise at a file that is not as they expect (fuzzed November 2026)."""


class CalendarError(Exception):
    """A calendar file that cannot be used; the text is one sentence that begins with the file."""


def closures(
    path: Path,
    zone: str,
    from_ms: int,
    until_ms: int,
    *,
    takes_free: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Closure, ...]:
    """Every closure of the file that touches [from_ms, until_ms), in order of their beginning, each whole.

    `zone`: the queue's. `takes_free`: whether events that are marked as free time (TRANSP:TRANSPARENT) close too: the holiday
    calendars that Google, Outlook and Apple publish mark every holiday so. Without it a file of nothing else is refused.

    Raises:
        CalendarError: cannot be read, is broken, or is too much (1 MiB, 2,000 events, 5,000 closures, 10 s).
    """
    try:
        return _closures(_text(path), ZoneInfo(zone), (from_ms, until_ms), takes_free, clock)
    except CalendarError as error:
        raise CalendarError(f"{path}: {error}") from None
    except BROKEN as error:
        raise CalendarError(f"{path}: is not a calendar that can be read ({_line(str(error), 120)}).") from error


def _closures(
    text: str, zone: ZoneInfo, window: tuple[int, int], takes_free: bool, clock: Callable[[], float]
) -> tuple[Closure, ...]:
    _refuse_bombs(text)
    events = _events(text)
    standing = [event for event in events if not _is_cancelled(event)]
    if standing and not takes_free and all(_is_free(event) for event in standing):
        raise CalendarError(
            "every event is marked as free time (TRANSP:TRANSPARENT), so none would close the queue: "
            "say that free events count too, or mark the holidays as busy."
        )
    deadline_s = clock() + BUDGET_S
    found: set[tuple[int, int, str]] = set()
    for series in _series(events):
        if clock() > deadline_s:
            raise CalendarError(f"takes longer than {BUDGET_S:.0f} s to read: give its events fewer repetitions.")
        for event in _occurrences(series, zone, window):
            start_ms, end_ms = _interval(event, zone)
            counts = not _is_cancelled(event) and (takes_free or not _is_free(event))
            if counts and start_ms < min(end_ms, window[1]) and end_ms > window[0]:
                found.add((start_ms, end_ms, _title(event)))
        if len(found) > MAX_CLOSURES:
            raise CalendarError(f"has more than {MAX_CLOSURES:,} closures: a queue's holidays are a few dozen.")
    return tuple(Closure(title=title, from_ms=start, to_ms=end) for start, end, title in sorted(found))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CalendarError(f"cannot be read: {error.strerror or type(error).__name__}.") from None
    if len(data) > MAX_BYTES:
        raise CalendarError(f"is larger than {MAX_BYTES >> 20} MiB.")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise CalendarError("is not UTF-8 text: export it again as iCalendar (.ics).") from None
    if not text.upper().startswith("BEGIN:VCALENDAR"):
        raise CalendarError("is not an iCalendar file: that begins with BEGIN:VCALENDAR.")
    if not text.upper().endswith("END:VCALENDAR"):
        raise CalendarError("is cut off: its end (END:VCALENDAR) is missing.")
    # Folded lines are made whole, so that nothing hides behind a fold.
    return re.sub(r"\r?\n[ \t]", "", text)


def _refuse_bombs(text: str) -> None:
    """Before any library sees them, because zones are unrolled as soon as they are parsed."""
    is_zone = False
    for line in text.splitlines():
        head, _, value = line.partition(":")
        name = head.partition(";")[0].upper().strip()
        if name in ("BEGIN", "END") and value.strip().upper() == "VTIMEZONE":
            is_zone = name == "BEGIN"
        elif name in ("RRULE", "EXRULE"):
            _refuse_rule(_rule(value), is_zone=is_zone)


def _rule(value: str) -> dict[str, list[str]]:
    parts = (part.partition("=") for part in value.upper().split(";") if part.strip())
    return {key.strip(): [one.strip() for one in values.split(",")] for key, _, values in parts}


def _refuse_rule(rule: dict[str, list[str]], *, is_zone: bool) -> None:
    frequency = "".join(rule.get("FREQ", []))
    shown = _line(";".join(f"{key}={','.join(values)}" for key, values in rule.items()), 60)
    if frequency not in (("YEARLY",) if is_zone else ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")):
        raise CalendarError(f"repeats too often for a holiday ({shown}): daily is the most.")
    if any(len(rule.get(part, [])) > 1 for part in TIME_PARTS):
        raise CalendarError(f"repeats several times a day ({shown}): daily is the most.")
    if unknown := [key for key in rule if key not in RULE_PARTS or frequency not in ONLY_WITH.get(key, (frequency,))]:
        raise CalendarError(f"repeats in a way that is not known ({unknown[0]} in {shown}).")
    if int("".join(rule.get("INTERVAL", ["1"]))) < 1:
        raise CalendarError(f"repeats without moving on ({shown}).")
    months = [int(month) for month in rule.get("BYMONTH", range(1, 13))]
    days = [abs(int(day)) for day in rule.get("BYMONTHDAY", ["1"])]
    longest = max((DAYS_OF_MONTH[month - 1] for month in months if 1 <= month <= 12), default=0)
    if not any(1 <= day <= longest for day in days):
        raise CalendarError(f"repeats on a day that never comes ({shown}).")


def _events(text: str) -> list[icalendar.Event]:
    """Every event, in the order of the file.

    Raises:
        CalendarError: one of them is broken where it matters.
    """
    calendars = icalendar.Calendar.from_ical(text.encode(), multiple=True)
    found = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    events = [event for event in found if isinstance(event, icalendar.Event)]
    if len(events) != len(re.findall(r"^BEGIN:VEVENT\s*$", text, re.MULTILINE | re.IGNORECASE)):
        raise CalendarError("is broken: an event in it has no end.")
    if len(events) > MAX_EVENTS:
        raise CalendarError(f"has more than {MAX_EVENTS:,} events: a queue's holidays are a few dozen.")
    for event in events:
        _refuse_broken(event)
    return events


def _refuse_broken(event: icalendar.Event) -> None:
    named = f'the event "{_title(event)}"'
    for name, reason in event.errors:
        if str(name).upper() in NEEDED:
            raise CalendarError(f"{named} is broken: {name}: {_line(str(reason), 120)}.")
    if "DTSTART" not in event:
        raise CalendarError(f"{named} does not say when it begins (DTSTART).")
    for name in TIMES:
        for prop in _each(event, name):
            zone = prop.params.get("TZID")
            times = [one.dt for one in getattr(prop, "dts", [prop])]
            if zone and any(isinstance(one, datetime) and one.tzinfo is None for one in times):
                raise CalendarError(f'{named} is in the zone "{_line(str(zone), 60)}", which nobody knows.')
    start, end = event.start, event.end
    if end < start:
        raise CalendarError(f"{named} ends before it begins.")
    if len(_each(event, "RRULE")) > 1:
        raise CalendarError(f"{named} has more than one rule of repetition.")
    repeats = "RRULE" in event or "RDATE" in event
    if repeats and start.year < FIRST_YEAR:
        raise CalendarError(f"{named} repeats since before {FIRST_YEAR}.")
    if repeats and end - start > timedelta(days=366):
        raise CalendarError(f"{named} repeats although it lasts longer than a year.")


def _each(event: icalendar.Event, name: str) -> list[Any]:
    """Every value of a property, in the library's own types, which depend on the file."""
    value: Any = event.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _series(events: list[icalendar.Event]) -> Iterator[list[icalendar.Event]]:
    """Each event with the changes to its repetitions.

    Of versions of one event the newest counts. Several that differ in their beginning and are equally new are different events under
    one UID, which some makers of holiday files write.
    """
    by_uid: dict[str, list[icalendar.Event]] = defaultdict(list)
    for number, event in enumerate(events):
        by_uid[str(event.get("UID") or f"none {number}")].append(event)
    for same in by_uid.values():
        changes = [event for event in same if "RECURRENCE-ID" in event]
        masters = [event for event in same if "RECURRENCE-ID" not in event]
        newest = max((int(event.get("SEQUENCE", 0)) for event in masters), default=0)
        kept = {str(event.start): event for event in masters if int(event.get("SEQUENCE", 0)) == newest}
        if not kept:
            yield changes
        for master in kept.values():
            yield [master, *changes]


def _occurrences(series: list[icalendar.Event], zone: ZoneInfo, window: tuple[int, int]) -> list[icalendar.Event]:
    calendar = icalendar.Calendar()
    for number, event in enumerate(series):
        if "UID" not in event:
            event.add("UID", f"none {number}")
        calendar.add_component(event)
    start, stop = (datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone) for at_ms in window)
    a_day = timedelta(days=1)
    found = recurring_ical_events.of(calendar).between(start - a_day, stop + a_day)
    return [event for event in found if isinstance(event, icalendar.Event)]


def _interval(event: icalendar.Event, zone: ZoneInfo) -> tuple[int, int]:
    """ms, the end exclusive. An all-day event without length is that day: some makers write its last day as the end."""
    start, end = event.start, event.end
    if not isinstance(start, datetime):
        end = max(end, start + timedelta(days=1))
    return _ms(start, zone), _ms(end, zone)


def _ms(at: date, zone: ZoneInfo) -> int:
    moment = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day, tzinfo=zone)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)


def _is_free(event: icalendar.Event) -> bool:
    return str(event.get("TRANSP", "")).strip().upper() == "TRANSPARENT"


def _is_cancelled(event: icalendar.Event) -> bool:
    return str(event.get("STATUS", "")).strip().upper() == "CANCELLED"


def _title(event: icalendar.Event) -> str:
    titles = _each(event, "SUMMARY")
    return _line(str(titles[0]) if titles else "", TITLE) or "closed day"


def _line(text: str, most: int) -> str:
    """One line of printable characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]
