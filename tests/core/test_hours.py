"""Working time: hand tables, properties, and the same answers as a walk over a wall's clock, minute by minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker_bridge.contract.policy import Closure, Hours, Span
from broker_bridge.core import hours as working
from broker_bridge.core.timetable import DAY_MS

STOCKHOLM, SAO_PAULO, LORD_HOWE = "Europe/Stockholm", "America/Sao_Paulo", "Australia/Lord_Howe"
KATHMANDU, KIRITIMATI, SAMOA = "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Apia"
MINUTE = 60_000
HOUR_S = 3600
ALWAYS = tuple(Span(day=day, from_min=0, to_min=1440) for day in range(7))


def ms(text: str, zone: str = STOCKHOLM, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


def said(at_ms: int | None, zone: str = STOCKHOLM) -> str:
    return "never" if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


def minutes(text: str) -> tuple[int, int]:
    first, last = ([int(part) for part in clock.split(":")] for clock in text.split("-"))
    return first[0] * 60 + first[1], last[0] * 60 + last[1]


def week(days: range, *clocks: str) -> tuple[Span, ...]:
    return tuple(Span(day=day, from_min=a, to_min=b) for day in days for a, b in map(minutes, clocks))


def closed(title: str, first: str, last: str, zone: str = STOCKHOLM) -> Closure:
    return Closure(title=title, from_ms=ms(first, zone), to_ms=ms(last, zone))


OFFICE = Hours(
    zone=STOCKHOLM,
    week=week(range(5), "08:00-12:00", "13:00-18:00"),
    closures=(
        closed("Christmas Day", "2026-12-25", "2026-12-26"),
        closed("Boxing Day", "2026-12-26", "2026-12-27"),
        closed("Company meeting", "2026-11-24T15:00", "2026-11-24T16:00"),
    ),
)
NONSTOP = Hours(zone=STOCKHOLM, week=ALWAYS)
NEVER = Hours(zone=STOCKHOLM, week=())


def nights(zone: str = STOCKHOLM) -> Hours:
    """Open 02:00-03:00 every day."""
    return Hours(zone=zone, week=week(range(7), "02:00-03:00"))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T07:59", False),
        ("2026-11-23T08:00", True),
        ("2026-11-23T11:59", True),
        ("2026-11-23T12:00", False),
        ("2026-11-23T17:59", True),
        ("2026-11-23T18:00", False),
        ("2026-11-22T10:00", False),  # Sunday
        ("2026-11-24T15:30", False),  # the meeting
        ("2026-11-24T16:00", True),
        ("2026-12-25T10:00", False),
    ],
)
def test_it_is_open_as_the_week_and_its_closures_say(at: str, expected: bool) -> None:
    assert working.is_open(OFFICE, ms(at)) is expected


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        (None, "2026-11-23T10:00", "always open"),
        (NONSTOP, "2026-11-23T10:00", "always open"),
        (NEVER, "2026-11-23T10:00", "never open"),
        (OFFICE, "2026-11-23T17:00", "open until 18:00"),
        (OFFICE, "2026-11-23T12:30", "closed, opens 13:00"),
        (OFFICE, "2026-11-23T18:30", "closed, opens Tue 08:00"),
        (OFFICE, "2026-11-20T18:30", "closed, opens Mon 08:00"),
        (OFFICE, "2026-11-24T15:30", "closed: Company meeting, opens 16:00"),
        (OFFICE, "2026-12-25T10:00", "closed: Christmas Day, opens 28 Dec 08:00"),
        (OFFICE, "2026-12-27T10:00", "closed, opens Mon 08:00"),
        (Hours(zone=STOCKHOLM, week=week(range(5), "00:00-24:00")), "2026-11-27T10:00", "open until 24:00"),
        (Hours(zone=STOCKHOLM, week=week(range(5), "00:00-24:00")), "2026-11-26T10:00", "open until Sat 00:00"),
        (
            Hours(zone=STOCKHOLM, week=week(range(1), "08:00-12:00")),
            "2026-12-28T13:00",
            "closed, opens 4 Jan 2027 08:00",
        ),
        (
            Hours(zone=STOCKHOLM, week=ALWAYS, closures=(closed("Fire", "2026-01-01", "2029-01-01"),)),
            "2026-11-23T10:00",
            "closed: Fire, does not open within 400 days",
        ),
    ],
)
def test_the_state_is_said_in_words(hours: Hours | None, at: str, expected: str) -> None:
    assert working.state_in_words(hours, ms(at)) == expected


def test_words_use_the_queues_own_clock() -> None:
    office = Hours(zone=KIRITIMATI, week=week(range(5), "08:00-18:00"))
    monday_there = ms("2026-11-22T20:00", "UTC")  # 10:00 on Monday, 14 hours ahead
    assert working.state_in_words(office, monday_there) == "open until 18:00"


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-11-23T09:00", 2, "2026-11-23T11:00"),
        ("2026-11-23T10:00", 4, "2026-11-23T15:00"),  # lunch
        ("2026-11-23T10:00", 7, "2026-11-23T18:00"),  # due when it closes, not when it opens again
        ("2026-11-23T10:00", 7.5, "2026-11-24T08:30"),
        ("2026-11-24T14:00", 2, "2026-11-24T17:00"),  # the meeting
        ("2026-11-20T17:00", 2, "2026-11-23T09:00"),  # weekend
        ("2026-11-21T03:00", 1, "2026-11-23T09:00"),
        ("2026-12-24T17:00", 2, "2026-12-28T09:00"),  # two holidays and what is left of a weekend
        ("2026-12-25T12:00", 0, "2026-12-25T12:00"),
        ("2026-11-23T00:00", 4000, "never"),
    ],
)
def test_working_time_is_added(start: str, hours: float, expected: str) -> None:
    assert said(working.add(OFFICE, ms(start), hours * HOUR_S)) == expected


# Each of these went wrong in a public issue of another desk (complaints U31): zammad 390 and 3180, GLPI 22678 and osTicket 6847.
HOLIDAYS = (closed("St. Martin", "2016-11-11", "2016-11-12"), closed("Volkstrauertag", "2016-11-13", "2016-11-14"))


@pytest.mark.parametrize(
    ("hours", "start", "work_h", "expected"),
    [
        (
            Hours(zone="Europe/Berlin", week=week(range(7), "09:00-21:00"), closures=HOLIDAYS),
            "2016-11-09T23:00",
            36,
            "2016-11-14T21:00",
        ),
        (NONSTOP, "2020-09-04T23:30", 1, "2020-09-05T00:30"),
        (NONSTOP, "2020-09-04T23:59", 24 * 7, "2020-09-11T23:59"),
        (Hours(zone=STOCKHOLM, week=week(range(5), "08:00-18:00")), "2026-11-23T17:00", 4, "2026-11-24T11:00"),
        (
            Hours(
                zone=STOCKHOLM,
                week=week(range(5), "09:00-18:00"),
                closures=tuple(
                    closed("Lunch", f"2026-11-{day}T13:00", f"2026-11-{day}T14:00") for day in range(23, 28)
                ),
            ),
            "2026-11-23T12:30",
            9,
            "2026-11-24T14:30",
        ),
        (
            Hours(zone=STOCKHOLM, week=week(range(7), "21:00-24:00", "00:00-02:00")),
            "2026-11-23T23:00",
            2,
            "2026-11-24T01:00",
        ),
    ],
)
def test_what_other_desks_got_wrong_comes_out_right(hours: Hours, start: str, work_h: float, expected: str) -> None:
    assert said(working.add(hours, ms(start), work_h * HOUR_S)) == expected


@pytest.mark.parametrize(
    ("zone", "day", "work_min"),
    [
        (STOCKHOLM, "2026-03-29", 0),  # 02:00-03:00 does not happen
        (STOCKHOLM, "2026-10-25", 120),  # it happens twice
        (STOCKHOLM, "2026-10-26", 60),
        (LORD_HOWE, "2026-10-04", 30),  # clocks go half an hour, at 02:00
        (LORD_HOWE, "2026-04-05", 60),  # back at 02:00 to 01:30: the opening comes once
        (SAO_PAULO, "2018-11-04", 60),
        (KATHMANDU, "2026-03-29", 60),
    ],
)
def test_an_opening_on_the_night_of_a_clock_change_is_what_the_wall_shows(zone: str, day: str, work_min: int) -> None:
    start = ms(f"{day}T00:30", zone) - 90 * MINUTE
    assert working.between(nights(zone), start, start + 8 * 60 * MINUTE) == work_min * MINUTE


def test_a_day_has_as_much_working_time_as_it_has_time() -> None:
    assert working.between(NONSTOP, ms("2026-03-29"), ms("2026-03-30")) == 23 * 60 * MINUTE
    assert working.between(NONSTOP, ms("2026-10-25"), ms("2026-10-26")) == 25 * 60 * MINUTE
    assert said(working.add(NONSTOP, ms("2026-03-29"), 4 * HOUR_S)) == "2026-03-29T05:00"


def test_a_midnight_that_does_not_happen_opens_at_one() -> None:
    office = Hours(zone=SAO_PAULO, week=week(range(6, 7), "00:00-02:00"))
    assert said(working.opens_at(office, ms("2018-11-03T12:00", SAO_PAULO)), SAO_PAULO) == "2018-11-04T01:00"
    assert working.between(office, ms("2018-11-03", SAO_PAULO), ms("2018-11-05", SAO_PAULO)) == 60 * MINUTE


def test_a_weekday_that_a_country_skipped_was_never_open() -> None:
    fridays = Hours(zone=SAMOA, week=week(range(4, 5), "00:00-24:00"))
    start, end = ms("2011-12-28T12:00", SAMOA), ms("2012-01-02T12:00", SAMOA)
    assert working.between(fridays, start, end) == 0


def test_spans_that_meet_at_midnight_are_one_opening() -> None:
    office = Hours(zone=STOCKHOLM, week=(Span(day=0, from_min=1200, to_min=1440), Span(day=1, from_min=0, to_min=120)))
    assert said(working.next_change(office, ms("2026-11-23T21:00"))) == "2026-11-24T02:00"
    assert working.openings(office, ms("2026-11-23"), ms("2026-11-29")) == [
        (ms("2026-11-23T20:00"), ms("2026-11-24T02:00"))
    ]


def test_changes_are_found_one_after_the_other() -> None:
    found, at_ms = [], ms("2026-12-24T07:00")
    for _ in range(5):
        at_ms = working.next_change(OFFICE, at_ms) or 0
        found.append(said(at_ms))
    assert found == ["2026-12-24T08:00", "2026-12-24T12:00", "2026-12-24T13:00", "2026-12-24T18:00", "2026-12-28T08:00"]


def test_nothing_is_looked_for_beyond_400_days() -> None:
    a_long_time = closed("Renovation", "2026-11-23", "2027-12-29")
    later = closed("Renovation", "2026-11-23", "2028-01-03")
    there, gone = (Hours(zone=STOCKHOLM, week=ALWAYS, closures=(one,)) for one in (a_long_time, later))
    start = ms("2026-11-25")
    assert said(working.opens_at(there, start)) == "2027-12-29T00:00"
    assert working.opens_at(gone, start) is None and working.add(gone, start, 1) is None
    assert working.add(NEVER, start, 1) is None and working.next_change(NEVER, start) is None
    assert working.next_change(NONSTOP, start) is None
    assert working.add(NONSTOP, start, 400 * 24 * HOUR_S) == start + working.HORIZON_MS
    assert working.add(NONSTOP, start, 400 * 24 * HOUR_S + 1) is None


def test_the_horizon_is_400_days_from_any_day() -> None:
    for day in range(70):
        start = ms("2026-11-25") + day * DAY_MS
        opens = start + working.HORIZON_MS
        there, gone = (
            Hours(zone=STOCKHOLM, week=ALWAYS, closures=(Closure(title="Move", from_ms=start, to_ms=end),))
            for end in (opens, opens + 1)
        )
        assert working.opens_at(there, start) == opens and working.opens_at(gone, start) is None
        assert working.add(gone, start, 1) is None


def test_a_queue_that_never_closes_has_one_opening() -> None:
    start, end = ms("2026-01-01"), ms("2026-12-31")
    assert working.openings(NONSTOP, start, end) == [(start, end)]
    late = Hours(zone=STOCKHOLM, week=ALWAYS, closures=(closed("Move", "2026-12-30", "2026-12-31"),))
    assert said(working.next_change(late, start)) == "2026-12-30T00:00"


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="forward only"):
        working.add(OFFICE, 0, -1)
    assert working.between(OFFICE, ms("2026-11-24"), ms("2026-11-23")) == 0


def test_without_hours_every_second_counts() -> None:
    assert working.add(None, 5, 1.5) == 1505 and working.between(None, 5, 1505) == 1500
    assert working.is_open(None, 0) and working.opens_at(None, 7) == 7 and working.next_change(None, 7) is None


def test_years_at_the_edge_of_the_calendar_are_answered() -> None:
    for at_ms in (-62_135_596_800_000, 253_402_300_799_999, 10**16, -(10**16)):
        assert working.between(NONSTOP, at_ms, at_ms + 1000) == 1000


@pytest.mark.parametrize(
    ("hours", "sentences"),
    [
        (OFFICE, []),
        (NEVER, []),
        (NONSTOP, []),
        (
            Hours(zone="Europe/Stokholm", week=()),
            ['The zone "Europe/Stokholm" is not known: did you mean "Europe/Stockholm"?'],
        ),
        (Hours(zone="", week=()), ['The zone "" is not known: it is a name like "Europe/Stockholm".']),
        (
            Hours(zone="../../etc/passwd", week=()),
            ['The zone "../../etc/passwd" is not known: it is a name like "Europe/Stockholm".'],
        ),
        (
            Hours(zone="UTC", week=(Span(day=7, from_min=0, to_min=1),)),
            ["There is no day 7: 0 is Monday and 6 is Sunday."],
        ),
        (
            Hours(zone="UTC", week=(Span(day=0, from_min=1080, to_min=480),)),
            ["Mon 18:00-08:00 ends before it begins: past midnight is a second span on Tue."],
        ),
        (
            Hours(zone="UTC", week=(Span(day=0, from_min=480, to_min=480),)),
            ["Mon 08:00-08:00 is empty: a whole day is 00:00-24:00."],
        ),
        (
            Hours(zone="UTC", week=(Span(day=2, from_min=480, to_min=1500),)),
            ["Wed 08:00-25:00 is outside the day: it runs from 00:00 to 24:00."],
        ),
        (
            Hours(zone="UTC", week=(Span(day=2, from_min=-1, to_min=60),)),
            ["Wed minute -1-01:00 is outside the day: it runs from 00:00 to 24:00."],
        ),
        (
            Hours(zone="UTC", week=week(range(1), "12:00-15:00", "08:00-12:30")),
            ["Mon 08:00-12:30 and Mon 12:00-15:00 overlap: make them one span."],
        ),
        (
            Hours(zone="UTC", week=(), closures=(Closure(title="Move", from_ms=5, to_ms=5),)),
            ['The closure "Move" ends before it begins, or is empty.'],
        ),
        (
            Hours(zone="UTC", week=(), closures=(Closure(title=" ", from_ms=5, to_ms=6),)),
            ["A closure has no title: people are told why it is closed."],
        ),
        (
            Hours(zone="UTC", week=(), closures=(Closure(title="A\nB", from_ms=5, to_ms=6),)),
            ["The title of a closure is one line of printable characters."],
        ),
    ],
)
def test_problems_are_sentences(hours: Hours, sentences: list[str]) -> None:
    assert working.problems(hours) == sentences


def test_a_span_inside_another_that_began_earlier_is_found() -> None:
    office = Hours(zone="UTC", week=week(range(1), "08:00-18:00", "09:00-10:00", "11:00-12:00"))
    assert len(working.problems(office)) == 2


# Properties. Days of clock changes are drawn often.
MOMENTS = st.one_of(
    st.integers(ms("2018-01-01"), ms("2030-01-01")),
    st.builds(
        lambda text, minute: ms(text, "UTC") + minute * MINUTE,
        st.sampled_from(
            ["2026-03-28", "2026-10-24", "2018-11-03", "2018-02-17", "2026-04-04", "2026-10-03", "2026-12-24"]
        ),
        st.integers(0, 3 * 1440),
    ),
)
CLOCKS = st.one_of(st.sampled_from([0, 60, 120, 150, 180, 480, 720, 780, 1080, 1439, 1440]), st.integers(0, 1440))
SPANS = st.builds(
    lambda day, a, b: Span(day=day, from_min=min(a, b), to_min=max(a, b)), st.integers(0, 6), CLOCKS, CLOCKS
)
CLOSURES = st.builds(
    lambda start, length: Closure(title="Closed", from_ms=start, to_ms=start + length * MINUTE),
    MOMENTS,
    st.sampled_from([1, 90, 1440, 4 * 1440]),
)
HOURS = st.builds(
    Hours,
    zone=st.sampled_from([STOCKHOLM, SAO_PAULO, LORD_HOWE, KATHMANDU, KIRITIMATI, "America/Los_Angeles", "UTC"]),
    week=st.one_of(st.just(ALWAYS), st.just(OFFICE.week), st.lists(SPANS, max_size=8).map(tuple)),
    closures=st.lists(CLOSURES, max_size=4).map(tuple),
)
WORK_S = st.one_of(st.integers(0, 40 * HOUR_S), st.sampled_from([60, HOUR_S, 8 * HOUR_S]))


def wall_says_open(hours: Hours, at_ms: int) -> bool:
    """The law, word for word and slow."""
    wall = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(hours.zone))
    minute = wall.hour * 60 + wall.minute
    in_week = any(span.day == wall.weekday() and span.from_min <= minute < span.to_min for span in hours.week)
    return in_week and not any(one.from_ms <= at_ms < one.to_ms for one in hours.closures)


@settings(max_examples=200, deadline=None)
@given(HOURS, MOMENTS, st.integers(1, 2 * 1440))
def test_the_walls_clock_gives_the_same_working_time(hours: Hours, start: int, length_min: int) -> None:
    start -= start % MINUTE
    hours = Hours(
        zone=hours.zone,
        week=hours.week,
        closures=tuple(
            Closure(title="C", from_ms=one.from_ms // MINUTE * MINUTE, to_ms=one.to_ms // MINUTE * MINUTE)
            for one in hours.closures
        ),
    )
    walk = [wall_says_open(hours, start + i * MINUTE) for i in range(length_min)]
    assert [working.is_open(hours, start + i * MINUTE) for i in range(length_min)] == walk
    assert working.between(hours, start, start + length_min * MINUTE) == sum(walk) * MINUTE
    changes = [i for i in range(1, length_min) if walk[i] != walk[i - 1]]
    if changes:
        assert working.next_change(hours, start) == start + changes[0] * MINUTE
    if sum(walk):
        last = length_min - walk[::-1].index(True)
        assert working.add(hours, start, sum(walk) * 60) == start + last * MINUTE


@given(HOURS, MOMENTS, WORK_S)
def test_what_was_added_lies_between(hours: Hours, start: int, work_s: int) -> None:
    end = working.add(hours, start, work_s)
    assume(end is not None)
    assert end is not None and end >= start
    assert working.between(hours, start, end) == work_s * 1000
    if work_s:
        assert working.is_open(hours, end - 1)  # never inside closed time: at most the moment of closing
        assert working.between(hours, start, end - 1) == work_s * 1000 - 1


@given(HOURS, MOMENTS, WORK_S, WORK_S)
def test_adding_twice_is_adding_the_sum(hours: Hours, start: int, a_s: int, b_s: int) -> None:
    first = working.add(hours, start, a_s)
    whole = working.add(hours, start, a_s + b_s)
    assume(first is not None and whole is not None)
    assert first is not None and working.add(hours, first, b_s) == whole


@given(HOURS, MOMENTS, MOMENTS, WORK_S)
def test_who_comes_later_is_due_later(hours: Hours, a: int, b: int, work_s: int) -> None:
    first, second = working.add(hours, min(a, b), work_s), working.add(hours, max(a, b), work_s)
    assume(first is not None and second is not None)
    assert first is not None and second is not None and first <= second


@given(HOURS, MOMENTS, MOMENTS, MOMENTS)
def test_working_time_is_the_sum_of_its_parts(hours: Hours, a: int, b: int, c: int) -> None:
    first, middle, last = sorted((a, b, c))
    parts = working.between(hours, first, middle) + working.between(hours, middle, last)
    assert working.between(hours, first, last) == parts <= last - first


@given(HOURS, MOMENTS)
def test_the_next_change_is_a_change_and_the_next(hours: Hours, at_ms: int) -> None:
    change = working.next_change(hours, at_ms)
    assume(change is not None)
    assert change is not None and change > at_ms
    now = working.is_open(hours, at_ms)
    assert working.is_open(hours, change - 1) is now and working.is_open(hours, change) is not now
    assert working.between(hours, at_ms, change) == (change - at_ms if now else 0)
    assert working.opens_at(hours, at_ms) == (at_ms if now else change)


@given(HOURS, MOMENTS)
def test_an_equal_definition_gives_the_same_answers(hours: Hours, at_ms: int) -> None:
    again = Hours(zone=hours.zone, week=hours.week, closures=hours.closures)
    assert working.add(again, at_ms, 3600) == working.add(hours, at_ms, 3600)
    assert working.state_in_words(again, at_ms) == working.state_in_words(hours, at_ms)
