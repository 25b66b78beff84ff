"""The window calls its person: bell, title, notification; and says what changed in its looks."""

from __future__ import annotations

from pathlib import Path

from agent_tui.model.desk import Applied
from agent_tui.model.notifyrules import Notifications, Terminal
from agent_tui.notify import Caller
from agent_tui.screens.listing import LARGE, Listing
from broker_bridge.contract.views import Row
from tests.tui import fakes, scenes
from tests.tui.staged import replaced, window
from tests.tui.test_window import desk
from tests.until import until

HOSTILE = "Ann\x1b]52;c;ZXZpbA==\x07 [/]"


def _offered(row: Row) -> tuple[Applied, dict[str, Row]]:
    return Applied(changed=frozenset((row.conv,))), {row.conv: row}


def test_an_offer_rings_once_and_its_words_stay_inside(tmp_path: Path) -> None:
    app, _ = window(tmp_path)
    written: list[str] = []
    caller = Caller(Notifications(), Terminal(desktop="osc9"), written.append)
    row = replaced(scenes.KOVACS, name=HOSTILE, text="my secret")
    applied, app.place.state.rows = _offered(row)
    words = caller.changed(applied, app.place.state, (), scenes.NOW_MS)
    out = "".join(written)
    assert words == "Offer: Ann [/], chat" and out.startswith("\x07") and "1 ringing" in out
    assert "\x1b]52" not in out and "my secret" not in out


def test_a_call_that_nobody_saw_is_repeated_if_so_set(tmp_path: Path) -> None:
    app, _ = window(tmp_path)
    written: list[str] = []
    caller = Caller(Notifications(repeat_s=10), Terminal(), written.append)
    applied, app.place.state.rows = _offered(scenes.KOVACS)
    caller.changed(applied, app.place.state, (), scenes.NOW_MS)
    written.clear()
    caller.tick(app.place.state, scenes.NOW_MS + 9_000)
    assert not written
    caller.tick(app.place.state, scenes.NOW_MS + 10_000)
    assert written == ["\x07"]
    app.place.state.rows = {}
    caller.tick(app.place.state, scenes.NOW_MS + 30_000)
    assert written == ["\x07"]


async def test_a_call_is_a_sentence_in_the_window(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.app._caller = Caller(Notifications(), Terminal(has_title=False), lambda _: None)
        it.fake.feed(scenes.KOVACS)
        await until(lambda: "Offer: Kovács Eszter, chat" in it.text())


async def test_a_chosen_theme_is_remembered(tmp_path: Path) -> None:
    kept: list[tuple[str, bool]] = []
    async with desk(tmp_path) as it:
        it.app._remember = lambda theme, ascii: kept.append((theme, ascii))
        await it.press("colon", *"theme: day", "enter")
        await until(lambda: kept == [("day", False)])


async def test_a_row_under_the_cursor_keeps_its_group_for_three_seconds(tmp_path: Path) -> None:
    now = [scenes.NOW_MS]
    app, _ = window(tmp_path)
    app.place.now_ms = lambda: now[0]
    listing = Listing(app.place)
    listing.arranged("c-tanaka", 40)
    app.place.state.rows["c-tanaka"] = fakes.newer(scenes.TANAKA, due_ms=None, waiting_since_ms=None)

    def group() -> str:
        source = listing.arranged("c-tanaka", 40)
        return source.group_of(source.index("c-tanaka") or 0)

    assert group() == "due soon"
    now[0] += 2_900
    assert group() == "due soon"
    now[0] += 200
    assert group() == "you wait for them"


def test_a_large_view_shows_the_newest_rows_without_being_arranged_again(tmp_path: Path) -> None:
    app, _ = window(tmp_path, rows=())
    rows = {f"c{n}": replaced(scenes.TANAKA, conv=f"c{n}", last_ms=n) for n in range(LARGE + 5)}
    app.place.state.rows = rows
    listing = Listing(app.place)
    source = listing.arranged(None, 40)
    place = source.index("c7")
    assert place is not None
    rows["c7"] = fakes.newer(rows["c7"], name="Another")
    assert listing.arranged(None, 40) is source and source.row(place).name == "Another"


async def test_the_next_page_of_all_comes_when_the_cursor_nears_the_end(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=()) as it:
        it.fake.all_rows = tuple(
            replaced(scenes.TANAKA, conv=f"c{n}", name=f"Name {n}", due_ms=scenes.NOW_MS + n) for n in range(450)
        )
        await it.press("3")
        await until(lambda: it.screen.listing.total == 450)
        await it.press("G")
        await until(lambda: len(it.screen.listing.rows()) == 400)
        await it.press("G")
        await until(lambda: len(it.screen.listing.rows()) == 450)
