"""Holidays from calendar files: what each maker writes closes what its people mean; what is broken or endless is one sentence."""

import itertools
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker_bridge.contract.policy import Closure
from broker_bridge.daemon.calendars import CalendarError, closures

STOCKHOLM = "Europe/Stockholm"


def ms(text: str, zone: str = STOCKHOLM) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def event(*lines: str, uid: str = "one@example.org", title: str = "Closed") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{title}", *lines, "END:VEVENT"])


def file(folder: Path, *events: str, head: str = "PRODID:-//test//EN") -> Path:
    path = folder / "holidays.ics"
    path.write_text("\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", head, *events, "END:VCALENDAR", ""]), newline="")
    return path


def read(path: Path, zone: str = STOCKHOLM, first: str = "2026-01-01", last: str = "2028-01-01") -> list[str]:
    """Each closure as `title from to` in the queue's zone."""
    found = closures(path, zone, ms(first, zone), ms(last, zone))
    table = ZoneInfo(zone)
    when = [(datetime.fromtimestamp(at / 1000, table) for at in (one.from_ms, one.to_ms)) for one in found]
    return [f"{one.title} {a:%Y-%m-%dT%H:%M} {b:%Y-%m-%dT%H:%M}" for one, (a, b) in zip(found, when, strict=True)]


GOOGLE = """BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALNAME:Holidays in Sweden
X-WR-TIMEZONE:UTC
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261225
DTEND;VALUE=DATE:20261226
DTSTAMP:20261101T101010Z
UID:20261225_abc@google.com
CLASS:PUBLIC
CREATED:20240517T094325Z
DESCRIPTION:Public holiday
LAST-MODIFIED:20240517T094325Z
SEQUENCE:0
STATUS:CONFIRMED
SUMMARY:Christmas Day
TRANSP:TRANSPARENT
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20260606
DTEND;VALUE=DATE:20260607
DTSTAMP:20261101T101010Z
UID:20260606_abc@google.com
SUMMARY:National Day
TRANSP:TRANSPARENT
END:VEVENT
END:VCALENDAR
"""

OUTLOOK = """BEGIN:VCALENDAR
PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN
VERSION:2.0
METHOD:PUBLISH
X-MS-OLK-FORCEINSPECTOROPEN:TRUE
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
CLASS:PUBLIC
DTSTART;TZID="W. Europe Standard Time":20261224T120000
DTEND;TZID="W. Europe Standard Time":20261224T180000
DTSTAMP:20261101T101010Z
LOCATION:Office
PRIORITY:5
SEQUENCE:0
SUMMARY;LANGUAGE=sv:Julafton\\, halvdag med en lång rubrik som Outlook
\tviker
TRANSP:OPAQUE
UID:040000008200E00074C5B7101A82E008
X-MICROSOFT-CDO-BUSYSTATUS:OOF
X-MICROSOFT-CDO-ALLDAYEVENT:FALSE
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID="W. Europe Standard Time":20260302T090000
DTEND;TZID="W. Europe Standard Time":20260302T100000
RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=1MO
EXDATE;TZID="W. Europe Standard Time":20260406T090000
SUMMARY:Company meeting
UID:040000008200E00074C5B7101A82E009
END:VEVENT
END:VCALENDAR
"""

APPLE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Apple Inc.//macOS 15.0//EN
CALSCALE:GREGORIAN
X-WR-CALNAME:US Holidays
X-APPLE-CALENDAR-COLOR:#CC73E1
BEGIN:VEVENT
UID:0A8E1A8E-1A1F-3BE9-8BFA-25D0C31B2C55
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20041125
DURATION:P1D
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH
SUMMARY;LANGUAGE=en:Thanksgiving
TRANSP:OPAQUE
CATEGORIES:Holidays
X-APPLE-UNIVERSAL-ID:7b5cc0dc
END:VEVENT
BEGIN:VEVENT
UID:0A8E1A8E-1A1F-3BE9-8BFA-25D0C31B2C56
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:17760704
RRULE:FREQ=YEARLY
SUMMARY:Independence Day
END:VEVENT
END:VCALENDAR
"""


def test_a_holiday_feed_of_google_closes_its_days_once_free_events_count(tmp_path: Path) -> None:
    path = tmp_path / "google.ics"
    path.write_text(GOOGLE)
    with pytest.raises(CalendarError, match="every event is marked as free time"):
        read(path)
    found = closures(path, STOCKHOLM, ms("2026-01-01"), ms("2027-01-01"), takes_free=True)
    assert [(one.title, one.from_ms, one.to_ms) for one in found] == [
        ("National Day", ms("2026-06-06"), ms("2026-06-07")),
        ("Christmas Day", ms("2026-12-25"), ms("2026-12-26")),
    ]


def test_half_days_and_meetings_of_outlook_close_their_hours(tmp_path: Path) -> None:
    path = tmp_path / "outlook.ics"
    path.write_bytes(b"\xef\xbb\xbf" + OUTLOOK.replace("\n", "\r\n").encode())
    assert read(path) == [
        "Company meeting 2026-03-02T09:00 2026-03-02T10:00",
        "Company meeting 2026-05-04T09:00 2026-05-04T10:00",
        "Julafton, halvdag med en lång rubrik som Outlookviker 2026-12-24T12:00 2026-12-24T18:00",
    ]


def test_repeated_holidays_of_apple_come_every_year(tmp_path: Path) -> None:
    path = tmp_path / "apple.ics"
    path.write_text(APPLE)
    assert read(path, "America/New_York", "2026-01-01", "2028-01-01") == [
        "Independence Day 2026-07-04T00:00 2026-07-05T00:00",
        "Thanksgiving 2026-11-26T00:00 2026-11-27T00:00",
        "Independence Day 2027-07-04T00:00 2027-07-05T00:00",
        "Thanksgiving 2027-11-25T00:00 2027-11-26T00:00",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["DTSTART;VALUE=DATE:20260501"], ["2026-05-01T00:00 2026-05-02T00:00"]),
        (["DTSTART;VALUE=DATE:20260501", "DTEND;VALUE=DATE:20260501"], ["2026-05-01T00:00 2026-05-02T00:00"]),
        (["DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"], ["2026-12-24T00:00 2026-12-27T00:00"]),
        (["DTSTART;VALUE=DATE:20261231", "DURATION:P2D"], ["2026-12-31T00:00 2027-01-02T00:00"]),
        (["DTSTART:20260701T120000", "DTEND:20260701T133000"], ["2026-07-01T12:00 2026-07-01T13:30"]),
        (["DTSTART:20260701T120000Z", "DTEND:20260701T133000Z"], ["2026-07-01T14:00 2026-07-01T15:30"]),
        (["DTSTART:20260701T120000Z", "DURATION:PT90M"], ["2026-07-01T14:00 2026-07-01T15:30"]),
        (
            ["DTSTART;TZID=America/New_York:20260701T120000", "DTEND;TZID=Asia/Tokyo:20260702T020000"],
            ["2026-07-01T18:00 2026-07-01T19:00"],
        ),
        (["DTSTART:20260701T120000"], []),  # takes no time
        (["DTSTART;VALUE=DATE:20260329", "DTEND;VALUE=DATE:20260330"], ["2026-03-29T00:00 2026-03-30T00:00"]),
        (
            ["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=YEARLY;UNTIL=20270501"],
            ["2026-05-01T00:00 2026-05-02T00:00", "2027-05-01T00:00 2027-05-02T00:00"],
        ),
        (
            ["DTSTART;VALUE=DATE:20260501", "RDATE;VALUE=DATE:20260701,20260801", "EXDATE;VALUE=DATE:20260701"],
            ["2026-05-01T00:00 2026-05-02T00:00", "2026-08-01T00:00 2026-08-02T00:00"],
        ),
        (
            ["DTSTART;TZID=Europe/Stockholm:20261020T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2"],
            ["2026-10-20T09:00 2026-10-20T10:00", "2026-10-27T09:00 2026-10-27T10:00"],  # clocks went back between
        ),
        (
            ["DTSTART:20261020T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261021T090000"],
            ["2026-10-20T09:00 2026-10-20T10:00", "2026-10-22T09:00 2026-10-22T10:00"],
        ),
        (
            ["DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"],
            ["2026-02-28T00:00 2026-03-01T00:00", "2027-02-28T00:00 2027-03-01T00:00"],
        ),
        (["DTSTART;VALUE=DATE:20251230", "DTEND;VALUE=DATE:20260103"], ["2025-12-30T00:00 2026-01-03T00:00"]),
        (["DTSTART;VALUE=DATE:20251230", "DTEND;VALUE=DATE:20260101"], []),  # over when the window begins
        (["DTSTART;VALUE=DATE:20280101"], []),
        (["DTSTART;VALUE=DATE:20260501", "STATUS:CANCELLED"], []),
    ],
)
def test_an_event_closes_what_it_says(tmp_path: Path, lines: list[str], expected: list[str]) -> None:
    assert read(file(tmp_path, event(*lines))) == [f"Closed {when}" for when in expected]


def test_free_events_among_busy_ones_close_nothing(tmp_path: Path) -> None:
    busy = event("DTSTART;VALUE=DATE:20260501", uid="a", title="May Day")
    free = event("DTSTART;VALUE=DATE:20260502", "TRANSP:TRANSPARENT", uid="b", title="Ann's birthday")
    assert read(file(tmp_path, busy, free)) == ["May Day 2026-05-01T00:00 2026-05-02T00:00"]


def test_one_repetition_may_move_and_another_be_called_off(tmp_path: Path) -> None:
    weekly = event("DTSTART:20260601T090000", "DTEND:20260601T100000", "RRULE:FREQ=WEEKLY;COUNT=3")
    moved = event("RECURRENCE-ID:20260608T090000", "DTSTART:20260609T110000", "DTEND:20260609T120000", title="Moved")
    called_off = event("RECURRENCE-ID:20260615T090000", "DTSTART:20260615T090000", "DURATION:PT1H", "STATUS:CANCELLED")
    assert read(file(tmp_path, weekly, moved, called_off)) == [
        "Closed 2026-06-01T09:00 2026-06-01T10:00",
        "Moved 2026-06-09T11:00 2026-06-09T12:00",
    ]


def test_the_newest_version_of_an_event_counts(tmp_path: Path) -> None:
    old = event("DTSTART;VALUE=DATE:20260501", "SEQUENCE:0", title="Old")
    new = event("DTSTART;VALUE=DATE:20260504", "SEQUENCE:2", title="New")
    assert read(file(tmp_path, new, old)) == ["New 2026-05-04T00:00 2026-05-05T00:00"]


def test_different_days_under_one_uid_are_all_closed(tmp_path: Path) -> None:
    days = [event(f"DTSTART;VALUE=DATE:2026050{day}") for day in (1, 4)]
    assert [line[7:17] for line in read(file(tmp_path, *days))] == ["2026-05-01", "2026-05-04"]


def test_days_without_a_uid_are_all_closed(tmp_path: Path) -> None:
    days = [event(f"DTSTART;VALUE=DATE:2026050{day}").replace("UID:one@example.org\r\n", "") for day in (1, 4)]
    assert [line[7:17] for line in read(file(tmp_path, *days))] == ["2026-05-01", "2026-05-04"]


def test_two_calendars_in_one_file_both_count(tmp_path: Path) -> None:
    path = file(tmp_path, event("DTSTART;VALUE=DATE:20260501"))
    path.write_text(path.read_text() + path.read_text().replace("one@", "two@").replace("0501", "0601"))
    assert [line[7:17] for line in read(path)] == ["2026-05-01", "2026-06-01"]


def test_a_zone_that_the_file_defines_itself_is_understood(tmp_path: Path) -> None:
    zone = """BEGIN:VTIMEZONE
TZID:Our own
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0500
TZOFFSETTO:+0500
END:STANDARD
END:VTIMEZONE"""
    lines = ("DTSTART;TZID=Our own:20260601T120000", "DTEND;TZID=Our own:20260601T130000")
    assert read(file(tmp_path, zone, event(*lines))) == ["Closed 2026-06-01T09:00 2026-06-01T10:00"]


@pytest.mark.parametrize(
    ("zone", "day", "first", "hours"),
    [
        ("America/Sao_Paulo", "20181104", "2018-11-04T01:00", 23),  # its midnight did not happen
        ("Australia/Lord_Howe", "20261004", "2026-10-04T00:00", 23.5),
        ("Asia/Kathmandu", "20261004", "2026-10-04T00:00", 24),
        ("Pacific/Kiritimati", "20261004", "2026-10-04T00:00", 24),
        ("Europe/Stockholm", "20261025", "2026-10-25T00:00", 25),
    ],
)
def test_an_all_day_event_is_the_whole_day_of_the_queues_zone(
    tmp_path: Path, zone: str, day: str, first: str, hours: float
) -> None:
    path = file(tmp_path, event(f"DTSTART;VALUE=DATE:{day}"))
    (found,) = closures(path, zone, ms("2018-01-01", zone), ms("2028-01-01", zone))
    assert (found.from_ms, found.to_ms - found.from_ms) == (ms(first, zone), hours * 3_600_000)


def test_titles_are_one_line_of_printable_characters(tmp_path: Path) -> None:
    path = file(tmp_path, event("DTSTART;VALUE=DATE:20260501", title="A\\nB \x1b[31m\u202ered " + "x" * 200))
    (found,) = closures(path, STOCKHOLM, ms("2026-01-01"), ms("2027-01-01"))
    assert found.title == ("A B [31m red " + "x" * 200)[:80]


BOMBS = [
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;COUNT=3",
    "freq=hourly",
    "FREQ=DAILY;BYHOUR=1,2,3",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYMONTH=4,6;BYMONTHDAY=31",
    "FREQ=DAILY;BYSETPOS=2",
    "FREQ=WEEKLY;BYWEEKNO=54",
    "FREQ=YEARLY;BYEASTER=1",
    "FREQ=DAILY;BYMONTH=13",
    "FREQ=NEVER",
    "COUNT=3",
]


@pytest.mark.parametrize("rule", BOMBS)
def test_a_rule_that_may_never_end_is_refused_unread(tmp_path: Path, rule: str) -> None:
    path = file(tmp_path, event("DTSTART;VALUE=DATE:20260501", f"RRULE:{rule}"))
    with pytest.raises(CalendarError, match=r"holidays\.ics: repeats .+\.$"):
        read(path)


def test_a_bomb_behind_a_folded_line_or_in_a_zone_is_found(tmp_path: Path) -> None:
    folded = event("DTSTART;VALUE=DATE:20260501", "RRU\r\n LE:FREQ=SEC\r\n\tONDLY")
    zone = "BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:00010101T000000\nRRULE:FREQ=DAILY\nEND:STANDARD\nEND:VTIMEZONE"
    with pytest.raises(CalendarError, match="too often"):
        read(file(tmp_path, folded))
    with pytest.raises(CalendarError, match="too often"):
        read(file(tmp_path, zone, event("DTSTART;VALUE=DATE:20260501")))


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = file(tmp_path, *(event("DTSTART;VALUE=DATE:20260501", uid=f"{i}") for i in range(5)))
    ticks = itertools.count(0.0, 4.0)
    with pytest.raises(CalendarError, match="takes longer than 10 s"):
        closures(path, STOCKHOLM, ms("2026-01-01"), ms("2027-01-01"), clock=lambda: next(ticks))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "is not an iCalendar file"),
        (b"<!DOCTYPE html><html>", "is not an iCalendar file"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:2026", "is cut off"),
        (
            b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260501\r\nEND:VCALENDAR",
            "an event in it has no end",
        ),
        ("BEGIN:VCALENDAR\r\nX:Ä\r\nEND:VCALENDAR".encode("latin-1"), "is not UTF-8"),
        (b"BEGIN:VCALENDAR\r\nwhat is this\r\nEND:VCALENDAR", "is not a calendar that can be read"),
        (b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 3000 + b"END:VCALENDAR", "an event in it has no end"),
        (b"BEGIN:VCALENDAR\r\nX:" + b"x" * (1 << 20) + b"\r\nEND:VCALENDAR", "is larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_calendar_is_one_sentence(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "broken.ics"
    path.write_bytes(text)
    with pytest.raises(CalendarError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ") and sentence in str(error.value)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["DTSTART;VALUE=DATE:20261301"], 'the event "Closed" is broken: DTSTART'),
        (["DTSTART:tomorrow"], 'the event "Closed" is broken: DTSTART'),
        (["DTEND;VALUE=DATE:20261201"], "does not say when it begins"),
        (["DTSTART;VALUE=DATE:20260502", "DTEND;VALUE=DATE:20260501"], "ends before it begins"),
        (["DTSTART:20260501T120000", "DTEND;VALUE=DATE:20260502"], "is not a calendar that can be read"),
        (["DTSTART;TZID=Mars/Base:20260501T120000"], 'in the zone "Mars/Base", which nobody knows'),
        (["DTSTART;VALUE=DATE:20260501", "EXDATE;TZID=Mars/Base:20260501T120000"], 'in the zone "Mars/Base"'),
        (["DTSTART;VALUE=DATE:20260501", "DURATION:P400D", "RRULE:FREQ=DAILY"], "lasts longer than a year"),
        (["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"], "more than one rule"),
        (["DTSTART;VALUE=DATE:10660101", "RRULE:FREQ=DAILY"], "repeats since before 1600"),
        (["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=YEARLY;COUNT=many"], "RRULE"),
        (["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=YEARLY;INTERVAL=often"], "is not a calendar that can be read"),
    ],
)
def test_a_broken_event_is_named(tmp_path: Path, lines: list[str], sentence: str) -> None:
    with pytest.raises(CalendarError) as error:
        read(file(tmp_path, event(*lines)))
    assert sentence in str(error.value)


def test_what_is_broken_beside_the_point_does_no_harm(tmp_path: Path) -> None:
    lines = ("DTSTART;VALUE=DATE:20260501", "LAST-MODIFIED:yesterday", "GEO:here", "X-FOO;BAR=1:baz")
    assert read(file(tmp_path, event(*lines))) == ["Closed 2026-05-01T00:00 2026-05-02T00:00"]


def test_more_closures_than_anybody_has_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path, event("DTSTART:19900101T000000", "DURATION:PT1H", "RRULE:FREQ=DAILY"))
    with pytest.raises(CalendarError, match="more than 5,000 closures"):
        read(path, first="2000-01-01", last="2026-01-01")


def test_more_events_than_anybody_has_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path, *["BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260501\r\nEND:VEVENT"] * 2001)
    with pytest.raises(CalendarError, match="more than 2,000 events"):
        read(path)


def test_a_missing_file_and_a_folder_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(CalendarError, match=r"none\.ics: cannot be read: No such file"):
        read(tmp_path / "none.ics")
    with pytest.raises(CalendarError, match="cannot be read"):
        read(tmp_path)


def outcome(path: Path) -> tuple[tuple[Closure, ...] | None, str]:
    try:
        return closures(path, STOCKHOLM, ms("2026-01-01"), ms("2027-01-01"), takes_free=True), ""
    except CalendarError as error:
        return None, str(error)


PIECES = st.sampled_from(
    [
        *OUTLOOK.splitlines(),
        *APPLE.splitlines(),
        *GOOGLE.splitlines(),
        *(f"RRULE:{rule}" for rule in BOMBS),
        "DTSTART:00010101T000000",
        "DTSTART:99991231T235959Z",
        "DURATION:-P1D",
        "DURATION:P99999999D",
        "DTEND;VALUE=PERIOD:x/y",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260302T090000",
        "RDATE:",
        "RDATE;VALUE=PERIOD:20260301T090000Z/PT2H",
        "EXDATE:20260302",
        "SEQUENCE:-",
        "UID:",
        "SUMMARY:twice",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([GOOGLE, OUTLOOK, APPLE]),
    st.lists(st.tuples(st.integers(0, 50), PIECES), max_size=4),
    st.booleans(),
)
def test_a_mangled_file_is_read_or_is_one_sentence(
    tmp_path: Path, text: str, changes: list[tuple[int, str]], instead: bool
) -> None:
    lines = text.splitlines()
    for at, piece in changes:
        place = 1 + at % (len(lines) - 2)
        lines[place : place + instead] = [piece]
    path = tmp_path / "mangled.ics"
    path.write_text("\r\n".join(lines), newline="")
    found, sentence = outcome(path)
    assert (found is None) == (sentence.startswith(f"{path}: ") and "\n" not in sentence)
    assert all(one.from_ms < one.to_ms and one.title for one in found or ())
