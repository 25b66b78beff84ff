"""Due times: right to the second, and their sentence names what was left out."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker_bridge.contract.policy import Hours, Span
from broker_bridge.core import hours as working
from broker_bridge.core import sla
from tests.core.test_hours import HOUR_S, HOURS, MOMENTS, NEVER, NONSTOP, OFFICE, STOCKHOLM, closed, ms, said, week

WORK_S = st.integers(1, 60 * HOUR_S)


def due(hours: Hours | None, start: str, work_s: float) -> sla.Due:
    found = sla.due("first", hours, ms(start), round(work_s))
    assert found is not None
    return found


DAY = week(range(7), "08:00-20:00")
LATE = Hours(zone=STOCKHOLM, week=week(range(7), "08:00-12:00", "15:00-15:30", "15:45-24:00"))
LONG = Hours(
    zone=STOCKHOLM,
    week=week(range(7), "09:00-17:00"),
    closures=tuple(closed(f"Day {day}", f"2026-11-{day}", f"2026-11-{day + 1}") for day in range(10, 29, 2)),
)
CHRISTMAS = Hours(zone=STOCKHOLM, week=DAY, closures=(closed("Christmas break", "2026-12-24", "2027-01-02"),))


@pytest.mark.parametrize(
    ("hours", "start", "work_s", "because"),
    [
        (OFFICE, "2026-11-23T08:00", 4 * HOUR_S, "due 12:00 = 4 h of work time from 08:00"),
        (OFFICE, "2026-11-23T10:00", 3 * HOUR_S, "due 14:00 = 3 h of work time from 10:00, lunch excluded"),
        (OFFICE, "2026-11-23T13:59:02", 90, "due 14:00:32 = 1 min 30 s of work time from 13:59:02"),
        (
            OFFICE,
            "2026-11-23T17:00",
            1.5 * HOUR_S,
            "due Tue 24 Nov 08:30 = 1 h 30 min of work time from Mon 23 Nov 17:00, night excluded",
        ),
        (
            OFFICE,
            "2026-11-20T17:00",
            2 * HOUR_S,
            "due Mon 23 Nov 09:00 = 2 h of work time from Fri 20 Nov 17:00, weekend excluded",
        ),
        (
            OFFICE,
            "2026-11-21T14:30",  # came on Saturday
            HOUR_S,
            "due Mon 23 Nov 09:00 = 1 h of work time from Sat 21 Nov 14:30, weekend excluded",
        ),
        (OFFICE, "2026-11-23T03:00", HOUR_S, "due 09:00 = 1 h of work time from 03:00, night excluded"),
        (OFFICE, "2026-11-24T03:00", HOUR_S, "due 09:00 = 1 h of work time from 03:00, night excluded"),
        (
            OFFICE,
            "2026-11-22T12:00",
            HOUR_S,
            "due Mon 23 Nov 09:00 = 1 h of work time from Sun 22 Nov 12:00, Sun excluded",
        ),
        (
            Hours(zone=STOCKHOLM, week=week(range(7), "12:00-20:00")),
            "2026-11-23T07:00",
            HOUR_S,
            "due 13:00 = 1 h of work time from 07:00, closed hours excluded",
        ),
        (OFFICE, "2026-11-23T12:15", HOUR_S, "due 14:00 = 1 h of work time from 12:15, lunch excluded"),
        (OFFICE, "2026-11-24T14:00", 2 * HOUR_S, "due 17:00 = 2 h of work time from 14:00, Company meeting excluded"),
        (
            OFFICE,
            "2026-12-24T17:00",
            2 * HOUR_S,
            "due Mon 28 Dec 09:00 = 2 h of work time from Thu 24 Dec 17:00, night, Christmas Day and weekend excluded",
        ),
        (
            OFFICE,
            "2026-12-03T10:00",
            40 * HOUR_S,
            "due Wed 9 Dec 15:00 = 40 h of work time from Thu 3 Dec 10:00, lunch, 3 nights and weekend excluded",
        ),
        (
            CHRISTMAS,
            "2026-12-23T19:00",
            2 * HOUR_S,
            "due Sat 2 Jan 2027 09:00 = 2 h of work time from Wed 23 Dec 2026 19:00, 2 nights and Christmas break excluded",
        ),
        (
            Hours(zone=STOCKHOLM, week=week(range(6), "08:00-20:00")),
            "2026-11-21T19:00",
            2 * HOUR_S,
            "due Mon 23 Nov 09:00 = 2 h of work time from Sat 21 Nov 19:00, Sun excluded",
        ),
        (
            Hours(zone=STOCKHOLM, week=week(range(2), "08:00-12:00")),
            "2026-11-24T11:00",
            2 * HOUR_S,
            "due Mon 30 Nov 09:00 = 2 h of work time from Tue 24 Nov 11:00, 5 closed days excluded",
        ),
        (
            LATE,
            "2026-11-23T11:00",
            10 * HOUR_S,
            "due Tue 24 Nov 08:15 = 10 h of work time from Mon 23 Nov 11:00, break 12:00-15:00, break 15:30-15:45 and night excluded",
        ),
        (LATE, "2026-11-23T23:00", HOUR_S, "due 24:00 = 1 h of work time from 23:00"),
        (NONSTOP, "2020-09-04T23:30", HOUR_S, "due Sat 5 Sep 00:30 = 1 h of work time from Fri 4 Sep 23:30"),
        (NONSTOP, "2026-03-29T00:00", 4 * HOUR_S, "due 05:00 = 4 h of work time from 00:00, clocks went forward 1 h"),
        (
            NONSTOP,
            "2026-10-25T00:00",
            3.5 * HOUR_S,
            "due 02:30 CET = 3 h 30 min of work time from 00:00, clocks went back 1 h",
        ),
        (None, "2026-11-23T11:00", 4 * HOUR_S, "due 14:00 UTC = 4 h from 10:00 UTC"),
        (None, "2026-11-23T22:00", 25 * HOUR_S, "due Tue 24 Nov 22:00 UTC = 25 h from Mon 23 Nov 21:00 UTC"),
    ],
)
def test_a_due_time_explains_itself(hours: Hours | None, start: str, work_s: float, because: str) -> None:
    assert due(hours, start, work_s).because == because


def test_a_long_list_of_exceptions_is_counted() -> None:
    because = due(LONG, "2026-11-09T16:00", 11 * 8 * HOUR_S).because
    assert because.endswith(", 21 nights, Day 10, Day 12, Day 14, Day 16 and 6 more excluded")


def test_without_hours_the_words_may_use_another_zone() -> None:
    found = sla.due("next", None, ms("2026-11-23T11:00"), 4 * HOUR_S, zone=STOCKHOLM)
    assert found is not None and found.because == "due 15:00 = 4 h from 11:00" and found.what == "next"


def test_a_queue_that_never_opens_promises_nothing() -> None:
    assert sla.due("first", NEVER, ms("2026-11-23T11:00"), 60) is None
    assert sla.resumed("first", NEVER, ms("2026-11-23T11:00"), 60, 60) is None


@pytest.mark.parametrize(
    ("now", "expected_s"),
    [
        ("2026-11-23T17:00", 2 * HOUR_S),
        ("2026-11-23T18:00", HOUR_S),
        ("2026-11-24T03:00", HOUR_S),  # nothing passes at night
        ("2026-11-24T08:59:59", 1),
        ("2026-11-24T09:00", 0),
        ("2026-11-24T09:00:10", -10),
        ("2026-11-24T19:00", -10 * HOUR_S),  # late is late by real time
    ],
)
def test_what_is_left_is_working_time_until_it_is_late(now: str, expected_s: int) -> None:
    assert sla.left(OFFICE, ms(now), due(OFFICE, "2026-11-23T17:00", 2 * HOUR_S).due_ms) == expected_s


def test_a_moment_before_it_is_due_something_is_left_and_a_moment_after_it_is_late() -> None:
    promise = due(OFFICE, "2026-11-23T17:00", 60)
    assert [sla.left(OFFICE, promise.due_ms + at_ms, promise.due_ms) for at_ms in (-1, 0, 1)] == [1, 0, -1]


@pytest.mark.parametrize(
    ("start", "work_s", "share", "expected"),
    [
        ("2026-11-23T14:00", 4 * HOUR_S, 0.25, "2026-11-23T17:00"),
        ("2026-11-23T17:00", 4 * HOUR_S, 0.25, "2026-11-24T10:00"),  # GLPI 22678 warned at midnight
        ("2026-11-23T17:00", 2 * HOUR_S, 0.5, "2026-11-24T08:00"),  # not when everybody leaves
        ("2026-11-20T17:30", 2 * HOUR_S, 0.5, "2026-11-23T08:30"),
        ("2026-11-21T12:00", HOUR_S, 1, "2026-11-23T08:00"),
        ("2026-11-21T12:00", HOUR_S, 5, "2026-11-23T08:00"),
        ("2026-11-23T14:00", 4 * HOUR_S, 0, "never"),
    ],
)
def test_a_warning_comes_in_working_time(start: str, work_s: int, share: float, expected: str) -> None:
    assert said(sla.warn_at(due(OFFICE, start, work_s), OFFICE, share)) == expected


def test_a_stopped_clock_goes_on_with_what_was_left() -> None:
    promise = due(OFFICE, "2026-11-23T10:00", 4 * HOUR_S)
    left_s = sla.paused(promise, OFFICE, ms("2026-11-23T11:00"))
    again = sla.resumed("resolution", OFFICE, ms("2026-11-24T17:30"), left_s, promise.work_s)
    assert again is not None and left_s == 3 * HOUR_S and said(again.due_ms) == "2026-11-25T10:30"
    assert again.because == (
        "due Wed 25 Nov 10:30 = 3 h left of 4 h of work time, from Tue 24 Nov 17:30 when its clock went on, night excluded"
    )
    assert said(sla.warn_at(again, OFFICE, 0.25)) == "2026-11-25T09:30"


def test_pauses_over_a_weekend_cost_nothing() -> None:
    """GLPI 10594: a case that waited for its customer over the weekend got the weekend twice."""
    promise = due(OFFICE, "2026-11-20T17:00", 2 * HOUR_S)
    left_s = sla.paused(promise, OFFICE, ms("2026-11-20T18:30"))
    again = sla.resumed("first", OFFICE, ms("2026-11-23T07:00"), left_s, promise.work_s)
    assert again is not None and again.due_ms == promise.due_ms


def test_what_was_late_when_it_stopped_is_as_late_when_it_goes_on() -> None:
    promise = due(OFFICE, "2026-11-23T10:00", HOUR_S)
    left_s = sla.paused(promise, OFFICE, ms("2026-11-23T11:05"))
    again = sla.resumed("first", OFFICE, ms("2026-11-25T09:00"), left_s, promise.work_s)
    assert again is not None and said(again.due_ms) == "2026-11-25T08:55"
    assert again.because == "5 min late when its clock stopped, and so when it went on Wed 25 Nov 09:00"
    assert sla.left(OFFICE, ms("2026-11-25T09:00"), again.due_ms) == -300


@given(HOURS, MOMENTS, WORK_S)
def test_a_promise_is_its_working_time_and_one_line(hours: Hours, start: int, work_s: int) -> None:
    promise = sla.due("first", hours, start, work_s)
    assume(promise is not None)
    assert promise is not None and working.between(hours, start, promise.due_ms) == work_s * 1000
    assert sla.left(hours, start, promise.due_ms) == work_s
    assert promise.because.startswith("due ") and "\n" not in promise.because and len(promise.because) < 300
    assert ("excluded" in promise.because) is (promise.due_ms - start > work_s * 1000)


@given(HOURS, MOMENTS, WORK_S, MOMENTS, st.integers(0, 7 * 24 * HOUR_S))
def test_a_pause_moves_the_end_by_the_working_time_that_it_took(
    hours: Hours, start: int, work_s: int, stops: int, pause_s: int
) -> None:
    promise = sla.due("resolution", hours, start, work_s)
    assume(promise is not None)
    assert promise is not None
    stops = min(max(start, stops), promise.due_ms - 1) // 1000 * 1000
    goes_on = stops + pause_s * 1000
    again = sla.resumed("resolution", hours, goes_on, sla.paused(promise, hours, stops), work_s)
    assume(again is not None)
    assert again is not None and again.due_ms >= promise.due_ms
    took = working.between(hours, promise.due_ms, again.due_ms)
    lasted = working.between(hours, stops, goes_on)
    assert 0 <= took - lasted < 1000  # what was left was rounded up


@given(HOURS, MOMENTS, WORK_S, st.floats(0.01, 1))
def test_a_warning_is_open_time_with_the_share_left(hours: Hours, start: int, work_s: int, share: float) -> None:
    promise = sla.due("first", hours, start, work_s)
    assume(promise is not None)
    assert promise is not None
    at_ms = sla.warn_at(promise, hours, share)
    assert at_ms is not None and start <= at_ms < promise.due_ms and working.is_open(hours, at_ms)
    assert abs(working.between(hours, at_ms, promise.due_ms) - work_s * share * 1000) <= 1


@given(HOURS, MOMENTS, WORK_S)
def test_less_is_left_as_time_passes(hours: Hours, start: int, work_s: int) -> None:
    promise = sla.due("first", hours, start, work_s)
    assume(promise is not None)
    assert promise is not None
    step = max(1, (promise.due_ms - start) // 20)
    course = [sla.left(hours, start + i * step, promise.due_ms) for i in range(25)]
    assert course == sorted(course, reverse=True)


def test_spans_of_one_minute_are_enough() -> None:
    tiny = Hours(zone=STOCKHOLM, week=tuple(Span(day=day, from_min=1439, to_min=1440) for day in range(7)))
    assert said(due(tiny, "2026-11-23T23:59", 180).due_ms) == "2026-11-26T00:00"
