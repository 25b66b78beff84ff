"""The window under quick hands and a list that changes by itself: what a key means is what is in sight."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual import events
from textual.widgets import Input

from agent_tui.model import composer_lines
from agent_tui.panes.lines import LineList
from broker_bridge.contract import commands as c
from broker_bridge.contract.views import Reach
from tests.tui import fakes, scenes
from tests.tui.test_window import Desk, desk
from tests.tui.test_wrapup import wrapping
from tests.until import until

CONV = "c-soren"


def key_line(it: Desk) -> str:
    return it.text().splitlines()[-1]


def agrees(it: Desk) -> bool:
    opened = it.screen.reading.opened
    return opened is not None and opened.conv == it.screen.inbox.list.cursor


async def test_letters_that_follow_the_reply_key_at_once_are_text(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        for letter in "read me":
            it.app.post_message(events.Key(letter if letter != " " else "space", letter))
        await until(lambda: it.draft == "ead me")
        assert not [act for act in it.fake.posted if not isinstance(act, c.See)]


def at_once(it: Desk, *keys: str) -> None:
    """All of them before the window has looked at the first, as a slow line brings them."""
    for key in keys:
        it.app.post_message(events.Key(key, key if len(key) == 1 else None))


def held(it: Desk, id: str) -> str:
    found = it.app.screen.query(f"#{id}")
    return found.first(Input).value if found else ""


async def test_a_wrap_up_that_is_typed_in_one_go_lands_in_its_fields(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        at_once(it, "2", *"35", "tab", *"gold", "tab", *"mon", "tab", *"once", "shift+tab", "9")
        await until(lambda: held(it, "note") == "once")
        assert (held(it, "value-0"), held(it, "tag"), held(it, "follow")) == ("35", "gold", "mon9")


@pytest.mark.parametrize(("keys", "typed"), [((*"today15:30",), "today15:30"), (("tab", *"30m"), "30m")])
async def test_a_snooze_that_is_typed_in_one_go_is_the_time_that_was_typed(
    tmp_path: Path, keys: tuple[str, ...], typed: str
) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("z")
        await until(lambda: bool(it.app.screen.query("#until")))
        await it.pilot.pause()
        at_once(it, *keys)
        await until(lambda: held(it, "until") == typed)


async def test_when_one_is_back_is_typed_right_after_tab(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.press("b")
        await until(lambda: bool(it.app.screen.query("#back")))
        await it.pilot.pause()
        at_once(it, "tab", *"30m")
        await until(lambda: held(it, "back") == "30m")


async def test_a_conversation_that_somebody_took_gives_its_place_to_the_one_under_the_cursor(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open(CONV)
        it.fake.feed(gone=(CONV,))
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv != CONV)
        assert it.screen.reading.opened is not None
        assert it.screen.reading.opened.conv == it.screen.inbox.list.cursor


async def test_what_is_being_read_stays_when_somebody_takes_it_and_the_list_agrees_on_return(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open(CONV)
        await it.press("enter")
        it.fake.feed(gone=(CONV,))
        await until(lambda: it.screen.inbox.list.cursor != CONV)
        assert it.screen.reading.opened is not None and it.screen.reading.opened.conv == CONV
        await it.press("escape")
        await until(lambda: agrees(it))


async def test_the_key_line_says_whom_a_key_accepts(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        it.fake.feed(scenes.KOVACS)
        await until(lambda: "accept Kovács" in key_line(it))


async def test_with_nothing_open_the_key_line_has_no_key_for_a_conversation(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=()) as it:
        await until(lambda: "presence" in key_line(it))
        shown = key_line(it)
        assert not [word for word in ("open", "save", "unfold", "raw", "why", "profile") if word in shown]


async def test_who_is_away_is_told_the_key_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        me = it.app.place.state.me
        assert me is not None
        it.fake.feed(me=msgspec.structs.replace(me, state="away"))
        await until(lambda: "ready again" in key_line(it))


async def test_what_happens_in_a_case_is_fetched_for_its_profile_and_typing_is_not(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await until(lambda: any(isinstance(request, c.ProfileOf) for request in it.fake.asked))

        def asked() -> int:
            return sum(isinstance(request, c.ProfileOf) for request in it.fake.asked)

        before = asked()
        it.fake.feed(fakes.newer(scenes.ANNA, typing=("Ole",)))
        it.fake.feed(msgspec.structs.replace(scenes.ANNA, rev=scenes.ANNA.rev + 2, last_ms=scenes.NOW_MS + 1))
        await until(lambda: asked() > before)
        assert asked() == before + 1


async def test_a_search_begins_at_its_best_hit_after_every_word(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.press("slash", "a")
        found = it.app.screen.query_one("#results", LineList)
        await until(lambda: found.cursor is not None)
        await it.press("down", "n")
        await until(lambda: found.cursor_item == 0)


@pytest.mark.parametrize("cells", [32, 34, 49, 52, 66, 90])
def test_name_channel_and_address_of_a_reply_are_never_cut(cells: int) -> None:
    reach = Reach(channel="mail", kind="email", word="mail", name="Grace O'Neill", address="grace.oneill@box.example")
    lines = composer_lines.to_lines(reach, cells)
    text = " ".join("".join(run.text for run in line.runs) for line in lines)
    assert all(word in text for word in ("Grace O'Neill", "mail", "grace.oneill@box.example"))
