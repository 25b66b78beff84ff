"""Clock words are short and never lie."""

import pytest

from agent_tui.model import clock

M, H, D = clock.MINUTE_MS, clock.HOUR_MS, clock.DAY_MS
NOW = 1_795_269_731_000  # Saturday 21 November 2026, 14:02:11 UTC


@pytest.mark.parametrize(
    ("left_ms", "words"),
    [(250_000, "4:10"), (38_000, "0:38"), (1, "0:01"), (0, "0:00"), (-42_000, "-0:42"), (-1, "-0:01"),
     (-9 * M - 59_000, "-9:59"), (-10 * M, "-10 m"), (-12 * M, "-12 m"), (-3 * H, "-3 h"), (-2 * D, "-2 d"),
     (59 * M, "59:00"), (2 * H, "2 h")],
)  # fmt: skip
def test_the_target_counts_down_then_says_how_late(left_ms: int, words: str) -> None:
    assert clock.due(NOW + left_ms, NOW) == words


@pytest.mark.parametrize(
    ("span_ms", "words"), [(0, "0 m"), (12 * M, "12 m"), (2 * H, "2 h"), (30 * H, "1 d"), (-5, "0 m")]
)
def test_waiting_is_told_in_the_largest_whole_unit(span_ms: int, words: str) -> None:
    assert clock.waited(span_ms) == words


@pytest.mark.parametrize(("offset_ms", "words"), [(88 * M, "15:30"), (2 * D, "Mon"), (21 * D, "12 Dec")])
def test_sleep_ends_at_a_time_a_day_or_a_date(offset_ms: int, words: str) -> None:
    assert clock.until(NOW + offset_ms, NOW) == words


def test_an_unknown_time_is_shown_as_unknown() -> None:
    assert clock.until(None, NOW) == "?"


@pytest.mark.parametrize(
    ("ago_ms", "words", "head"),
    [(0, "today", "today"), (D, "Friday 20 November", "Friday"), (3 * D, "Wednesday 18 November", "Wednesday"),
     (9 * D, "Thursday 12 November", "November"), (40 * D, "Monday 12 October", "before"),
     (400 * D, "Friday 17 October 2025", "before")],
)  # fmt: skip
def test_days_have_names(ago_ms: int, words: str, head: str) -> None:
    assert clock.day(NOW - ago_ms, NOW) == words
    assert clock.period(NOW - ago_ms, NOW) == head


def test_long_states_show_hours() -> None:
    assert clock.long(4_360_000) == "1:12:40"
    assert clock.long(250_000) == "4:10"
