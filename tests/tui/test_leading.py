"""What a supervisor does on the floor, pressed as a person would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tui.panes.lines import LineList
from agent_tui.screens.monitor import Monitor
from agent_tui.screens.presence import Presencing
from agent_tui.screens.sure import Sure
from broker_bridge.contract import commands as c
from broker_bridge.contract.views import Alert, Row, RowPage
from tests.tui import scenes, scenes_floor
from tests.tui.test_window import Desk, desk
from tests.until import until

HOSTILE = "Ann\x1b[2J[/]\u202ea 王" + "x" * 90


class Floor:
    """The monitor under test."""

    def __init__(self, it: Desk, monitor: Monitor) -> None:
        self.it, self.monitor = it, monitor

    def choose(self, agent: str) -> None:
        self.monitor.query_one("#floor-list", LineList).select(("agent", agent))

    async def asked(self, kind: type) -> Any:
        return await until(lambda: next((one for one in self.it.fake.asked if isinstance(one, kind)), None))


@asynccontextmanager
async def floor(folder: Path, **more: Any) -> AsyncIterator[Floor]:
    async with desk(folder, me=scenes.SUPERVISOR, **more) as it:
        await it.press("M")
        await until(lambda: isinstance(it.app.screen, Monitor) and it.app.screen.is_known)
        assert isinstance(it.app.screen, Monitor)
        await until(lambda: "Bo Lind" in it.text())
        yield Floor(it, it.app.screen)


def bos(n: int, **more: object) -> Row:
    known = {"conv": f"c-bo-{n}", "rev": 1, "name": f"Customer {n}", "channel": "chat", "state": "other", "owner": "bo"}
    return msgspec.convert({**known, "epoch": n, "queue": "fees", "verbs": ("transfer",), **more}, Row)


async def test_a_colleagues_state_is_set(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        on.choose("jonas")
        await on.it.press("f")
        await until(lambda: isinstance(on.it.app.screen, Presencing) and "Jonas Feeney is to be" in on.it.text())
        assert "back at" not in on.it.text() and "after the work" not in on.it.text() and "now ready" in on.it.text()
        await on.it.press("5")
        assert await on.asked(c.Force) == c.Force(agent="jonas", state="away", reason="lunch")
        await until(lambda: "Jonas Feeney: lunch." in on.it.text())


async def test_a_refusal_to_set_a_state_is_said(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        on.it.fake.answers[c.Force] = lambda request: c.Refusal(code="denied", sentence="Not of your site.")
        on.choose("jonas")
        await on.it.press("f")
        await until(lambda: isinstance(on.it.app.screen, Presencing))
        await on.it.press("1")
        await until(lambda: "Not of your site." in on.it.text())


async def test_what_is_read_is_assigned_to_a_colleague(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        on.choose("ole")
        await on.it.press("A")
        await until(lambda: "Read a conversation first" in on.it.text())
        await on.it.press("enter")
        await until(lambda: "Three payments this morning" in on.it.text())
        await on.it.press("A")
        await until(lambda: "Assign Pauline Roux" in on.it.text())
        await until(lambda: "Priya Rao" in on.it.text())
        await on.it.press(*"ida")
        await until(lambda: "1 found" in on.it.text())
        await on.it.press("enter")
        act = await on.it.posted(c.Transfer)
        assert (act.conversation, act.to_agent, act.force, act.ask_first) == ("c-pauline", "ida", True, False)
        assert (act.epoch, act.seen) == (3, 34)


async def test_what_may_not_be_assigned_is_not(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        page = scenes_floor.PAULINE_PAGE
        on.it.fake.pages["c-pauline"] = msgspec.structs.replace(
            page, row=msgspec.structs.replace(page.row, rev=200, verbs=("note",))
        )
        on.choose("ole")
        await on.it.press("enter")
        await until(lambda: "Three payments this morning" in on.it.text())
        await on.it.press("A")
        await until(lambda: "cannot be assigned now" in on.it.text())


@pytest.mark.parametrize("yes", ["y", "н"])
async def test_a_silent_agents_work_goes_back_to_its_queues_when_confirmed(tmp_path: Path, yes: str) -> None:
    async with floor(tmp_path) as on:
        rows = (bos(1), bos(2, queue="mail"), bos(3, owner="ole"), bos(4, verbs=()), bos(5, queue=""))
        on.it.fake.all_rows = rows
        on.choose("bo")
        await on.it.press("g")
        await until(
            lambda: isinstance(on.it.app.screen, Sure) and "Give back 2 conversations of Bo Lind" in on.it.text()
        )
        shown = on.it.text()
        assert "Customer 1" in shown and "cards › fees" in shown and "1 more came from no queue" in shown
        await on.it.press("enter")
        assert not on.it.fake.posted, "only yes is yes"
        await on.it.press(yes, yes)
        await until(lambda: len(on.it.fake.posted) == 2)
        given = [(act.conversation, act.to_queue, act.epoch, act.force) for act in on.it.fake.posted]
        assert given == [("c-bo-1", "fees", 1, False), ("c-bo-2", "mail", 2, False)]
        assert len({act.id for act in on.it.fake.posted}) == 2


async def test_nothing_is_given_back_without_yes(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        on.it.fake.all_rows = (bos(1),)
        on.choose("bo")
        await on.it.press("g")
        await until(lambda: isinstance(on.it.app.screen, Sure))
        await on.it.press("escape")
        await until(lambda: on.it.app.screen == on.monitor)
        assert not on.it.fake.posted


async def test_all_pages_are_looked_through(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        rows = (*(bos(n, owner="ole") for n in range(399)), bos(999))
        on.it.fake.answers[c.Rows] = lambda request: RowPage(
            rows=rows[request.start : request.start + request.limit], total=len(rows), upto=1
        )
        on.choose("bo")
        await on.it.press("g")
        await until(lambda: "Give back 1 conversation of Bo Lind" in on.it.text())


@pytest.mark.parametrize(
    ("agent", "words"), [("jonas", "Jonas Feeney is here"), ("viktor", "nothing that can go back"), ("fee", "is here")]
)
async def test_who_is_here_keeps_their_work(tmp_path: Path, agent: str, words: str) -> None:
    async with floor(tmp_path) as on:
        on.choose(agent)
        await on.it.press("g")
        await until(lambda: words in on.it.text())
        assert not on.it.fake.posted and on.it.app.screen == on.monitor


async def test_without_a_link_it_is_not_known_what_to_give_back(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        on.choose("bo")
        on.it.fake.set_status("down")
        await on.it.press("g")
        await until(lambda: "Without a link" in on.it.text())


async def test_a_refused_transfer_is_said_on_the_floor(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        on.it.fake.all_rows = (bos(1),)
        on.choose("bo")
        await on.it.press("g")
        await until(lambda: isinstance(on.it.app.screen, Sure))
        await on.it.press("y")
        act = await on.it.posted(c.Transfer)
        on.it.fake.settle(act, c.Refusal(code="changed", sentence="Ole has it now."))
        await until(lambda: "Ole has it now." in on.it.text())


async def test_an_alert_is_seen_and_stays_seen_when_the_floor_is_opened_again(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        await until(lambda: "Alerts  3 open" in on.it.text())
        await on.it.press("x")
        await until(lambda: "Alerts  2 open" in on.it.text())
        await on.it.press("tab", "tab", "x")
        await until(lambda: "Alerts  1 open" in on.it.text())
        await on.it.press("escape")
        await until(lambda: on.it.app.screen is on.it.screen)
        await on.it.press("M")
        await until(lambda: "Alerts  1 open" in on.it.text())


async def test_an_alert_leads_to_its_conversation(tmp_path: Path) -> None:
    async with floor(tmp_path) as on:
        alert = Alert(id="z", at_ms=scenes.NOW_MS, text="Look here", severity="late", conv="c-pauline")
        on.it.fake.directory = msgspec.structs.replace(scenes_floor.DIRECTORY, notices=(alert,))
        on.monitor.fetch_soon()
        await until(lambda: "Look here" in on.it.text())
        await on.it.press("tab", "tab")
        on.monitor.query_one("#alerts-list", LineList).select(("alert", ("told", "z")))
        await on.it.press("enter")
        await until(lambda: "Three payments this morning" in on.it.text())
        asked = [one for one in on.it.fake.asked if isinstance(one, c.Thread) and one.conversation == "c-pauline"]
        assert asked and all(one.silent for one in asked)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (180, 50)])
async def test_the_keys_work_at_every_size_and_hostile_names_are_only_names(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with floor(tmp_path, size=size) as on:
        agents = tuple(
            msgspec.structs.replace(one, name=HOSTILE, works_on=HOSTILE) if one.agent == "bo" else one
            for one in scenes_floor.AGENTS
        )
        on.it.fake.directory = msgspec.structs.replace(scenes_floor.DIRECTORY, agents=agents)
        on.it.fake.all_rows = (bos(1, name=HOSTILE, channel=HOSTILE, queue=HOSTILE),)
        on.monitor.fetch_soon()
        await until(lambda: "Bo Lind  " not in on.it.text())
        on.choose("bo")
        await on.it.press("g")
        await until(lambda: "y give back" in on.it.text())
        assert "\x1b" not in on.it.text() and "\u202e" not in on.it.text()
        await on.it.press("escape", "f")
        await until(lambda: "is to be" in on.it.text() and "esc back" in on.it.text())
        assert "\x1b" not in on.it.text() and "\u202e" not in on.it.text()
