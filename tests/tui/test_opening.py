"""Opening a desk, and what is there before the link."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_tui import settings
from agent_tui.keeper import Keeper, KeeperError, make_seed
from agent_tui.keys import KeyConflict
from agent_tui.link import Link, NoLink
from agent_tui.model.glyphs import ASCII
from agent_tui.opening import NotLoggedIn, Opening, local_zone, open_desk
from agent_tui.settings import Paths, Settings
from broker_bridge.contract.commands import Accept, Directory
from broker_bridge.contract.views import Row
from tests.tui.bridge import Heard
from tests.tui.test_login import SERVER, NoRing
from tests.until import until

MAYA = Settings(server=SERVER, agent="maya")


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return Paths(config=tmp_path / "config", state=tmp_path / "state")


def opened(where: Paths, chosen: Settings = MAYA, **environ: str) -> Opening:
    return open_desk(chosen, where, environ, ring=NoRing())


def test_the_rows_of_the_last_run_are_there_at_once(where: Paths) -> None:
    first = opened(where)
    first.place.state.rows["c"] = Row(conv="c", rev=1, name="Anna Berg")
    first.place.state.as_of_ms, first.place.state.upto = 77, 5
    first.close()
    again = opened(where)
    assert [row.name for row in again.place.state.rows.values()] == ["Anna Berg"]
    assert again.place.status.state == "connecting" and again.place.status.as_of_ms == 77
    assert again.desk_paths.snapshot.stat().st_mode & 0o777 == 0o600
    again.close()


def test_a_start_that_never_got_a_link_keeps_the_older_snapshot(where: Paths) -> None:
    first = opened(where)
    first.place.state.rows["c"], first.place.state.upto = Row(conv="c", rev=1), 5
    first.save_snapshot()
    first.place.state.rows.clear()
    first.save_snapshot()
    first.close()
    again = opened(where)
    assert list(again.place.state.rows) == ["c"]
    again.close()


def test_a_colleague_on_the_same_machine_sees_nothing_of_it(where: Paths) -> None:
    first = opened(where)
    first.place.state.rows["c"] = Row(conv="c", rev=1)
    first.place.outbox.put(Accept(id="a", conversation="c"))
    first.close()
    other = opened(where, Settings(server=SERVER, agent="ole"))
    assert other.place.state.rows == {} and other.place.outbox.waiting == []
    other.close()


def test_a_desk_without_a_name_is_not_opened(where: Paths) -> None:
    with pytest.raises(NotLoggedIn, match="agent-tui login"):
        opened(where, Settings())
    with pytest.raises(KeyConflict):
        opened(where, Settings(server=SERVER, agent="maya", keys={"reply": "n"}))


def test_the_glyphs_follow_the_locale(where: Paths) -> None:
    desk = opened(where, LC_ALL="C")
    assert desk.place.glyphs is ASCII
    desk.close()


async def test_without_a_key_the_window_opens_and_says_why(where: Paths) -> None:
    desk, heard = opened(where), Heard()
    link = desk.link(heard)
    running = asyncio.create_task(link.run())
    await until(lambda: heard.states() == ["denied"])
    assert "agent-tui login" in heard.statuses[0].sentence
    act = Accept(id=link.new_id(), conversation="c")
    link.post(act)
    assert desk.place.outbox.waiting == [act]
    with pytest.raises(NoLink, match="no key"):
        await link.ask(Directory())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    desk.close()


def test_with_a_key_there_is_a_link(where: Paths) -> None:
    seed = make_seed()
    Keeper(where, {}, NoRing()).keep("maya", SERVER, seed)
    desk = opened(where)
    assert isinstance(desk.link(Heard()), Link)
    assert seed not in repr(desk)
    desk.close()


def test_a_key_that_others_can_read_stops_the_start(where: Paths) -> None:
    Keeper(where, {}, NoRing()).keep("maya", SERVER, make_seed())
    where.desk("maya", SERVER).seed.chmod(0o604)
    with pytest.raises(KeeperError):
        opened(where)


def test_looks_are_remembered(where: Paths) -> None:
    desk = opened(where)
    desk.remember_looks("day", True)
    desk.close()
    assert (settings.load(where).theme, settings.load(where).ascii) == ("day", True)


def test_dates_follow_the_rules_of_their_season() -> None:
    zone = local_zone({"TZ": "Europe/Stockholm"})
    hours = [datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(zone).hour for month in (1, 7)]
    assert hours == [13, 14]
    assert local_zone({"TZ": "No/Where"}, Path("nowhere")).utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001
