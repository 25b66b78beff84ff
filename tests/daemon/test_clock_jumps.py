"""The bridge's clock: whatever the wall does, it goes on evenly; what is small it follows, what is large it reports."""

import logging
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.daemon.clock import Clock

START_NS = 1_795_000_000_000_000_000
S = 1_000_000_000
HOUR_S = 3_600


@dataclass
class Machine:
    """Two clocks: one that anybody may set, one that nobody can."""

    wall_ns: int = START_NS
    mono_ns: int = 12_345 * S

    def wall(self) -> int:
        return self.wall_ns

    def monotonic(self) -> float:
        return self.mono_ns / S

    def passes(self, ns: int) -> None:
        self.wall_ns += ns
        self.mono_ns += ns


def _clock(machine: Machine) -> Clock:
    return Clock(machine.wall, machine.monotonic)


def _seconds(machine: Machine, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        machine.passes(S)
        clock.now_ms()


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3 * HOUR_S * S),
        st.one_of(st.just(0), st.integers(-10 * S, 10 * S), st.integers(-40 * 24 * HOUR_S * S, 40 * 24 * HOUR_S * S)),
    ),
    max_size=40,
)
"""(what passes until the next look, by how much the wall is set at that moment), nanoseconds."""


@given(STEPS)
def test_it_never_goes_back_and_never_faster_than_eleven_tenths_nor_slower_than_nine(
    steps: list[tuple[int, int]],
) -> None:
    machine = Machine()
    clock = _clock(machine)
    began_ms, began_ns = clock.now_ms(), machine.mono_ns
    before_ms = began_ms
    for passed_ns, set_ns in steps:
        machine.passes(passed_ns)
        machine.wall_ns += set_ns
        now_ms = clock.now_ms()
        assert now_ms >= before_ms
        assert 0.9 * passed_ns / 1e6 - slack_ms(1) <= now_ms - before_ms <= 1.1 * passed_ns / 1e6 + slack_ms(1)
        before_ms = now_ms
    whole_ms = (machine.mono_ns - began_ns) / 1e6
    slack = slack_ms(len(steps))
    assert 0.9 * whole_ms - slack <= before_ms - began_ms <= 1.1 * whole_ms + slack


def slack_ms(steps: int) -> float:
    """A millisecond for what both ends round off, a microsecond a step for seconds in a float."""
    return 1.0 + 0.001 * steps


@given(st.integers(-5 * S, 5 * S), st.integers(1, 400))
def test_a_small_difference_is_caught_up_with_in_ten_times_its_length_and_without_a_word(
    off_ns: int, every_tenths: int
) -> None:
    machine = Machine()
    clock = _clock(machine)
    machine.wall_ns += off_ns
    for _ in range(520 // every_tenths + 1):
        machine.passes(every_tenths * S // 10)
        clock.now_ms()
    machine.passes(51 * S)
    assert abs(clock.now_ms() - machine.wall_ns // 1_000_000) <= 1
    assert (clock.jumps, clock.jump_ms) == (0, 0)


@given(st.integers(-50_000, 50_000))
def test_a_wall_that_drifts_is_followed_closely(drift_ppm: int) -> None:
    machine = Machine()
    clock = _clock(machine)
    for _ in range(2_000):
        machine.passes(S)
        machine.wall_ns += drift_ppm * 1_000
        assert abs(clock.now_ms() - machine.wall_ns // 1_000_000) <= 1
    assert clock.jumps == 0


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S, 24 * HOUR_S, -24 * HOUR_S, 6, -6])
def test_a_jump_lets_no_minute_pass_and_is_told_once(jump_s: int, caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = _clock(machine)
    _seconds(machine, clock, 10)
    before_ms = clock.now_ms()

    machine.wall_ns += jump_s * S
    with caplog.at_level(logging.ERROR):
        _seconds(machine, clock, 20)

    # An offer that rings for 20 s rings for 18 s at least, and for no more than 22.2.
    assert 18_000 <= clock.now_ms() - before_ms <= 22_000
    assert [record.getMessage() for record in caplog.records] == ["clock jumped"]
    assert clock.jumps == 1
    assert clock.jump_ms == pytest.approx((abs(jump_s) - 2) * 1_000 * (1 if jump_s > 0 else -1), abs=1)


@pytest.mark.parametrize("way", [1, -1])
def test_a_jump_is_absorbed_in_ten_times_its_length(way: int) -> None:
    machine = Machine()
    clock = _clock(machine)
    machine.wall_ns += way * 60 * S
    _seconds(machine, clock, 9 * 60)
    assert clock.jump_ms == pytest.approx(way * 6_000, abs=1)
    _seconds(machine, clock, 60)
    assert abs(clock.now_ms() - machine.wall_ns // 1_000_000) <= 1
    assert (clock.jumps, clock.jump_ms) == (1, 0)


def test_a_second_jump_during_the_first_is_told_too() -> None:
    machine = Machine()
    clock = _clock(machine)
    machine.wall_ns += HOUR_S * S
    _seconds(machine, clock, 5)
    machine.wall_ns += HOUR_S * S
    _seconds(machine, clock, 5)
    assert clock.jumps == 2


def test_a_jump_that_is_set_right_ends_the_alarm_at_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = _clock(machine)
    machine.wall_ns += HOUR_S * S
    _seconds(machine, clock, 5)
    machine.wall_ns -= HOUR_S * S
    caplog.clear()
    with caplog.at_level(logging.INFO):
        _seconds(machine, clock, 5)
    assert [record.getMessage() for record in caplog.records] == ["clock is right again"]
    assert (clock.jumps, clock.jump_ms) == (1, 0)
    assert abs(clock.now_ms() - machine.wall_ns // 1_000_000) <= 1


def test_a_restart_adopts_the_wall_as_it_is() -> None:
    machine = Machine()
    clock = _clock(machine)
    machine.wall_ns += 24 * HOUR_S * S
    machine.passes(S)
    assert clock.now_ms() != machine.wall_ns // 1_000_000
    again = _clock(machine)
    assert again.now_ms() == machine.wall_ns // 1_000_000
    assert (again.jumps, again.jump_ms) == (0, 0)


def test_a_clock_that_nobody_gave_anything_shows_the_time_of_day() -> None:
    before_ms = time.time_ns() // 1_000_000
    now_ms = Clock().now_ms()
    assert before_ms <= now_ms <= time.time_ns() // 1_000_000 + 1
