"""What one is: the menu of `b`, how states are said, the status line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from agent_tui.model import presence, status_lines
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.linked import LinkStatus
from agent_tui.model.presence import back_ms, back_words, options, wish
from agent_tui.screens.presence import Presencing
from broker_bridge.contract import commands as c
from broker_bridge.contract.views import Counts, Me, Welcome
from tests.tui import scenes
from tests.tui.test_window import Desk, desk
from tests.until import until

NOW = scenes.NOW_MS
MINUTE = scenes.MINUTE
HOSTILE = "lun\x1b[2J[/]\u202e@click=app.exit ch" + "x" * 90


def me(**more: object) -> Me:
    return msgspec.structs.replace(scenes.ME, **more)


@pytest.mark.parametrize(
    ("typed", "minutes"),
    [
        ("30m", 30),
        ("30", 30),
        ("30 min", 30),
        ("1h", 60),
        ("1 h 30", 90),
        ("1h30m", 90),
        ("  45 M ", 45),
        ("24h", 1440),
    ],
)
def test_a_span_is_from_now(typed: str, minutes: int) -> None:
    assert back_ms(typed, NOW) == NOW + minutes * MINUTE


@pytest.mark.parametrize("typed", ["soon", "25:00", "14:60", "0", "0m", "25h", "99999", "h", "14:30:00", "-5", "²"])
def test_what_is_no_time_within_a_day_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        back_ms(typed, NOW)
    assert back_words(typed, NOW) == "type 14:30 or 30m"


def test_a_time_of_day_is_the_next_one() -> None:
    assert back_ms("14:30", NOW) == scenes.at("14:30") - 20_000
    assert back_ms("14.30", NOW) == back_ms("14:30", NOW)
    assert back_ms("13:00", NOW) == scenes.at("13:00", -1) - 20_000
    assert back_ms("", NOW) is None
    assert back_words("14:30", NOW) == "14:30, in 27 m" and back_words("13:00", NOW) == "tomorrow 13:00, in 22 h"


def test_a_time_of_day_counts_in_the_zone_of_the_desk_over_a_change_of_the_clock() -> None:
    zone = ZoneInfo("Europe/Stockholm")
    before = int(datetime(2026, 10, 24, 23, 30, tzinfo=zone).timestamp() * 1000)
    found = back_ms("07:00", before, zone)
    assert found is not None and found - before == int(8.5 * 60) * MINUTE
    spring = int(datetime(2026, 3, 29, 1, 30, tzinfo=zone).timestamp() * 1000)
    gap = back_ms("2:30", spring, zone)
    assert gap is not None and gap > spring and datetime.fromtimestamp(gap / 1000, zone).hour == 3
    first = int(datetime(2026, 10, 25, 2, 45, tzinfo=zone).timestamp() * 1000)
    second = back_ms("2:50", first, zone)
    again = back_ms("2:30", first, zone)
    assert second == first + 5 * MINUTE
    assert again == first + 45 * MINUTE, "the hour comes twice that night"


def test_the_menu_has_the_houses_reasons_and_ready_first() -> None:
    found = options(me(), ("break", "school run"))
    assert [one.words for one in found] == ["ready", "busy", "transfer only", "away: break", "away: school run"]
    assert [one.words for one in options(None, ())][3:] == [f"away: {reason}" for reason in presence.REASONS]


def test_what_is_asked_for_each_choice() -> None:
    away = options(me(), ("lunch",))[3]
    assert wish(away, until_ms=5) == c.Presence(state="away", reason="lunch", until_ms=5)
    assert wish(away, is_next=True) == c.Presence(state="away", reason="lunch", is_next=True)
    busy = options(me(), ())[1]
    assert wish(busy, until_ms=5) == c.Presence(state="busy"), "back at is for being away"
    assert wish(options(me(state="away"), ())[0], is_next=True) == c.Presence(state="ready")


def test_ready_while_something_is_to_come_next_forgets_that() -> None:
    first = options(me(next_state="away", next_reason="lunch"), ())[0]
    assert "not lunch next" in first.remark
    assert wish(first) == c.Presence(state="ready", is_next=True)


def test_a_supervisor_can_set_everything_and_off() -> None:
    assert [one.state for one in presence.forced(("lunch",))] == ["ready", "busy", "transfer_only", "away", "off"]


def test_every_state_has_a_sign_and_a_word() -> None:
    signs = {state: presence.look(state, UNICODE)[0] for state in ("ready", "wrap_up", "silent", "away", "busy", "off")}
    assert signs == {"ready": "●", "wrap_up": "◐", "silent": "◌", "away": "✗", "busy": "○", "off": "○"}
    assert presence.look("transfer_only", ASCII)[0] == "o"
    assert presence.word("transfer_only") == "transfer only" and presence.word("away", "lunch") == "lunch"
    assert presence.word("away", HOSTILE).isprintable()


def status(who: Me, cells: int = 120, state: str = "up") -> str:
    known = LinkStatus(state=state, since_ms=NOW)  # type: ignore[arg-type]
    return status_lines.status_line(who, Counts(), known, NOW, cells, UNICODE).text


@pytest.mark.parametrize(
    ("who", "cells", "words"),
    [
        (me(), 120, "Maya ● ready 1:12:40  chat ▮▮▯▯"),
        (me(), 80, "Maya ● ready  chat 2/4"),
        (me(state="away", reason="lunch", since_ms=NOW - 250_000), 120, "Maya ✗ away lunch 4:10"),
        (me(state="away", reason="lunch"), 80, "Maya ✗ lunch"),
        (me(state="away", reason="lunch", until_ms=scenes.at("14:30")), 120, "back 14:30"),
        (me(state="wrap_up", until_ms=NOW + 38_000), 80, "Maya ◐ wrap-up 0:38"),
        (me(state="wrap_up", until_ms=NOW - 5_000), 120, "Maya ◐ wrap-up 0:00"),
        (me(state="wrap_up", since_ms=NOW - 65_000), 120, "Maya ◐ wrap-up 1:05"),
        (me(state="busy"), 120, "Maya ○ busy"),
        (me(state="transfer_only"), 120, "Maya ○ transfer only"),
        (me(next_state="away", next_reason="lunch"), 80, "Maya ● ready  then lunch"),
        (me(capacity=100, load=60), 200, "load ▮▮▮▯▯ 60"),
    ],
)
def test_the_status_line_says_what_one_is(who: Me, cells: int, words: str) -> None:
    assert words in status(who, cells)


def test_units_are_left_out_where_there_is_little_room() -> None:
    assert "load" not in status(me(capacity=100, load=60), 180)


def test_without_a_link_ones_own_state_is_not_sure() -> None:
    shown = status(me(state="away", reason="lunch"), state="down")
    assert "◌ lunch" in shown and "✗" not in shown


@pytest.mark.parametrize("cells", [60, 80, 100, 119, 120, 160, 180, 200, 240])
def test_the_status_line_is_as_wide_as_asked(cells: int) -> None:
    who = me(state="away", reason=HOSTILE, next_state="away", next_reason=HOSTILE, until_ms=NOW, capacity=100, load=30)
    shown = status_lines.status_line(who, scenes.COUNTS, LinkStatus(state="up", since_ms=NOW), NOW, cells, UNICODE)
    assert shown.cells == cells and shown.text.isprintable()


@pytest.mark.parametrize(
    ("load", "bar"), [(0, "▯▯▯▯▯"), (1, "▮▯▯▯▯"), (60, "▮▮▮▯▯"), (99, "▮▮▮▮▯"), (100, "▮▮▮▮▮"), (140, "▮▮▮▮▮")]
)
def test_units_are_a_bar(load: int, bar: str) -> None:
    assert status_lines.units(load, 100, UNICODE) == bar


async def asked(it: Desk) -> c.Presence:
    found = await until(lambda: next((one for one in it.fake.asked if isinstance(one, c.Presence)), None))
    assert isinstance(found, c.Presence)
    return found


async def menu(it: Desk) -> None:
    await it.press("b")
    await until(lambda: isinstance(it.app.screen, Presencing))


async def test_a_number_chooses_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.app.place.reasons = ("lunch", "school run")
        await menu(it)
        await until(lambda: "away: school run" in it.text())
        await it.press("5")
        assert await asked(it) == c.Presence(state="away", reason="school run")
        await until(lambda: it.app.screen is it.screen)


@pytest.mark.parametrize("again", ["b", "enter", "1", "и"])
async def test_the_same_key_again_is_ready(tmp_path: Path, again: str) -> None:
    async with desk(tmp_path, me=me(state="away", reason="lunch")) as it:
        await menu(it)
        await it.press(again)
        assert await asked(it) == c.Presence(state="ready")


async def test_after_the_work_in_hand(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await menu(it)
        await it.press("space", "4")
        assert await asked(it) == c.Presence(state="away", reason="break", is_next=True)


async def test_back_at_is_shown_as_typed_and_said(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await menu(it)
        await it.press("tab", "3", "0", "m")
        await until(lambda: "14:32, in 30 m" in it.text())
        await it.press("enter")
        assert await asked(it) == c.Presence(state="away", reason="break", until_ms=NOW + 30 * MINUTE)


async def test_a_time_that_is_none_asks_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await menu(it)
        await it.press("tab", "s", "o", "enter")
        await until(lambda: "type 14:30 or 30m" in it.text())
        assert isinstance(it.app.screen_stack[-1], Presencing)
        await it.press("escape")
        await until(lambda: it.app.screen is it.screen)
        assert not [one for one in it.fake.asked if isinstance(one, c.Presence)]


async def test_without_a_link_nothing_changes_and_it_is_said(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.set_status("down")
        await menu(it)
        await it.press("2")
        await until(lambda: "you stay as you are" in it.text())


async def test_a_hostile_reason_is_only_words(tmp_path: Path) -> None:
    async with desk(tmp_path, size=(80, 24)) as it:
        it.app.place.reasons = (HOSTILE,)
        await menu(it)
        shown = it.text()
        assert "\x1b" not in shown and "\u202e" not in shown
        await it.press("4")
        assert (await asked(it)).reason == HOSTILE, "the bridge knows it by its own name"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (180, 50)])
@pytest.mark.parametrize("theme", ["night", "contrast"])
async def test_every_key_of_the_menu_is_in_its_last_row(tmp_path: Path, size: tuple[int, int], theme: str) -> None:
    async with desk(tmp_path, size=size, theme=theme) as it:
        await menu(it)
        keys = ("1-7 choose", "space after the work", "tab back at", "esc back")
        await until(lambda: [words for words in keys if words not in it.text()] == [])


async def test_the_window_knows_the_houses_reasons_from_the_welcome(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        known = Welcome(version=1, epoch="e1", me=scenes.ME, upto=1, reasons=("school run",))
        it.fake.welcome = known  # type: ignore[attr-defined]
        it.fake.set_status("up")
        await menu(it)
        await until(lambda: "away: school run" in it.text())
