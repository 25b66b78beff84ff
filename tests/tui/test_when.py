"""A time as it is typed: what is meant, and what is not understood."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tui.model import when

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NEW_YORK = ZoneInfo("America/New_York")


def ms(text: str, zone: ZoneInfo = STOCKHOLM, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


SATURDAY = ms("2026-11-21T14:02:11")


@pytest.mark.parametrize(
    ("typed", "then"),
    [
        ("tomorrow 10", "2026-11-22T10:00"),
        ("Tomorrow  at 10:15", "2026-11-22T10:15"),
        ("tomorrow", "2026-11-22T09:00"),
        ("tomorrow morning", "2026-11-22T09:00"),
        ("tomorrow, 10", "2026-11-22T10:00"),
        ("10 tomorrow", "2026-11-22T10:00"),
        ("in 3 d", "2026-11-24T14:02:11"),
        ("3 days", "2026-11-24T14:02:11"),
        ("in 3 d 10:00", "2026-11-24T10:00"),
        ("in 2 weeks", "2026-12-05T14:02:11"),
        ("in 45 m", "2026-11-21T14:47:11"),
        ("1h30m", "2026-11-21T15:32:11"),
        ("1 h 30 min", "2026-11-21T15:32:11"),
        ("1.5 h", "2026-11-21T15:32:11"),
        ("1,5 h", "2026-11-21T15:32:11"),
        ("in an hour", "2026-11-21T15:02:11"),
        ("30m", "2026-11-21T14:32:11"),
        ("mon 9:30", "2026-11-23T09:30"),
        ("monday", "2026-11-23T09:00"),
        ("9:30 mon", "2026-11-23T09:30"),
        ("9:30 on monday", "2026-11-23T09:30"),
        ("next mon 9:30", "2026-11-23T09:30"),
        ("sat 15", "2026-11-21T15:00"),
        ("sat 9", "2026-11-28T09:00"),
        ("sat", "2026-11-28T09:00"),
        ("next sat 15", "2026-11-28T15:00"),
        ("tues 8", "2026-11-24T08:00"),
        ("15:30", "2026-11-21T15:30"),
        ("15.30", "2026-11-21T15:30"),
        ("15", "2026-11-21T15:00"),
        ("at 15", "2026-11-21T15:00"),
        ("3 pm", "2026-11-21T15:00"),
        ("3:30pm", "2026-11-21T15:30"),
        ("12 am", "2026-11-22T00:00"),
        ("9", "2026-11-22T09:00"),
        ("13:59", "2026-11-22T13:59"),
        ("today 18", "2026-11-21T18:00"),
        ("this evening", "2026-11-21T18:00"),
        ("28 nov", "2026-11-28T09:00"),
        ("28 November 14:00", "2026-11-28T14:00"),
        ("nov 28 14:00", "2026-11-28T14:00"),
        ("28.11. 14", "2026-11-28T14:00"),
        ("28.11.2026", "2026-11-28T09:00"),
        ("2026-12-01 8:05", "2026-12-01T08:05"),
        ("3 jan", "2027-01-03T09:00"),
        ("3 jan 2027 16", "2027-01-03T16:00"),
    ],
)  # fmt: skip
def test_what_is_typed_is_a_moment(typed: str, then: str) -> None:
    assert when.parse(typed, SATURDAY, STOCKHOLM) == ms(then)


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "soon", "25:00", "9:75", "13 pm", "0 am", "today 9", "today", "this morning", "yesterday", "in", "in 3",
        "0 m", "in 0 d", "-3 d", "in 800 d", "in 9999 w", "32 nov", "29 feb", "2026-13-01", "2025-01-01", "21 nov 2029",
        "mon tue", "t 9", "mon 9:30 or so", "in 1.5 d", "in 3 h 10:00", "1" * 70, "[/]", "\x1b[31m9", "9999-99-99", "nov 28 77",
    ],
)  # fmt: skip
def test_what_is_not_understood_or_past_is_nothing(typed: str) -> None:
    assert when.parse(typed, SATURDAY, STOCKHOLM) is None


def test_days_keep_the_time_of_day_when_the_clocks_change_and_hours_do_not() -> None:
    before = ms("2026-10-24T14:00")
    assert when.parse("in 1 d", before, STOCKHOLM) == ms("2026-10-25T14:00")
    assert ms("2026-10-25T14:00") - before == 25 * 3_600_000
    assert when.parse("in 24 h", before, STOCKHOLM) == ms("2026-10-25T13:00")
    spring = ms("2026-03-28T14:00")
    assert when.parse("tomorrow 14", spring, STOCKHOLM) == ms("2026-03-29T14:00")
    assert ms("2026-03-29T14:00") - spring == 23 * 3_600_000


def test_a_time_that_the_clocks_skip_is_the_moment_after_the_change() -> None:
    found = when.parse("2:30", ms("2026-03-28T23:00"), STOCKHOLM)
    assert found == ms("2026-03-29T03:30")
    assert found is not None and when.said(found, ms("2026-03-28T23:00"), STOCKHOLM) == "tomorrow 03:30"


def test_a_time_that_comes_twice_is_the_first_that_is_still_to_come() -> None:
    assert when.parse("2:30", ms("2026-10-24T23:00"), STOCKHOLM) == ms("2026-10-25T02:30", fold=0)
    between = ms("2026-10-25T02:45", fold=0)
    assert when.parse("2:30", between, STOCKHOLM) == ms("2026-10-25T02:30", fold=1)
    after = ms("2026-10-25T02:45", fold=1)
    assert when.parse("2:30", after, STOCKHOLM) == ms("2026-10-26T02:30")
    assert when.parse("1:30", ms("2026-11-01T01:45", NEW_YORK), NEW_YORK) == ms("2026-11-01T01:30", NEW_YORK, fold=1)


def test_midnight_and_the_end_of_the_year() -> None:
    late = ms("2026-12-31T23:59")
    assert when.parse("0:00", late, STOCKHOLM) == ms("2027-01-01T00:00")
    assert when.parse("tomorrow 0", late, STOCKHOLM) == ms("2027-01-01T00:00")
    assert when.parse("in 1 d", late, STOCKHOLM) == ms("2027-01-01T23:59")
    assert when.parse("29 feb", ms("2028-01-01T08:00"), STOCKHOLM) == ms("2028-02-29T09:00")


@given(
    st.sampled_from(["tomorrow 10", "in 3 d", "mon 9:30", "15:30", "1 h 30 m", "sun 2:30", "2:30", "next fri", "in 2 w", "3 jan"]),
    st.integers(min_value=ms("2020-01-01"), max_value=ms("2035-01-01")),
    st.sampled_from([STOCKHOLM, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata"), ZoneInfo("UTC")]),
)  # fmt: skip
def test_what_is_understood_is_always_to_come_and_within_a_year(typed: str, now_ms: int, zone: ZoneInfo) -> None:
    found = when.parse(typed, now_ms, zone)
    assert found is not None
    assert now_ms < found <= now_ms + when.MOST_DAYS * 86_400_000


@given(st.text(max_size=80))
def test_nothing_that_is_typed_breaks_it(typed: str) -> None:
    found = when.parse(typed, SATURDAY, STOCKHOLM)
    assert found is None or found > SATURDAY


@given(st.integers(min_value=ms("2020-01-01"), max_value=ms("2035-01-01")))
def test_there_are_always_five_times_to_choose_and_all_are_to_come(now_ms: int) -> None:
    found = when.presets(now_ms, STOCKHOLM)
    assert len(found) == 5 and found[4].until_ms is None
    assert all(one.until_ms is not None and one.until_ms > now_ms for one in found[:4])
    assert len({one.until_ms for one in found}) == 5
    monday = found[3].until_ms
    assert monday is not None and datetime.fromtimestamp(monday / 1000, STOCKHOLM).strftime("%a %H:%M") == "Mon 09:00"


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("2026-11-21T15:30", "today 15:30"),
        ("2026-11-22T10:00", "tomorrow 10:00"),
        ("2026-11-23T09:30", "Mon 23 Nov 09:30"),
        ("2027-01-03T09:00", "Sun 3 Jan 2027 09:00"),
    ],
)
def test_a_moment_is_said_whole(then: str, words: str) -> None:
    assert when.said(ms(then), SATURDAY, STOCKHOLM) == words


def test_how_far_away_is_said_in_two_steps() -> None:
    minute = timedelta(minutes=1) // timedelta(milliseconds=1)
    assert [when.left(n * minute, 0) for n in (5, 60, 90, 1440, 1440 + 61)] == [
        "in 5 m", "in 1 h", "in 1 h 30 m", "in 1 d", "in 1 d 1 h"]  # fmt: skip
