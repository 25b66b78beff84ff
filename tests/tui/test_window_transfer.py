"""Transfer and consult as they are pressed: whom, what goes along, how; nothing typed is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_tui.screens.handover import Handing, Ways
from agent_tui.screens.transfer import Transferring
from broker_bridge.contract import commands as c
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import Colleague, DirectoryView, HandoverView, QueueView
from broker_bridge.contract.words import Packet
from tests.tui import fakes, scenes, scenes_transfer
from tests.tui.staged import replaced
from tests.tui.test_window import Desk, desk
from tests.until import until

HOSTILE = "[/] [@click=app.exit]x[/] \x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m \u202eevil 田中 \r\n end"


@asynccontextmanager
async def asked(folder: Path, *, typed: str = "", **more: Any) -> AsyncIterator[Desk]:
    """Anna's case with the transfer open and everything arrived."""
    async with desk(folder, **more) as it:
        it.fake.directory = scenes_transfer.DIRECTORY
        it.fake.handovers["c-anna"] = scenes_transfer.HANDOVER
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "found" in it.text() and handing(it).seen == 17)
        if typed:
            await it.press(*typed)
        yield it


def handing(it: Desk) -> Handing:
    assert isinstance(it.app.screen, Transferring)
    return it.app.screen.handing


async def test_enter_asks_first_with_the_whole_packet(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="pri") as it:
        await until(lambda: "ask Priya" in it.text())
        await it.press("enter")
        act = await it.posted(c.Transfer)
        assert act == c.Transfer(
            id=act.id,
            conversation="c-anna",
            epoch=3,
            to_agent="priya",
            packet=scenes_transfer.PACKET,
            ask_first=True,
            seen=17,
        )


async def test_a_chord_hands_over_without_a_talk(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="jonas") as it:
        await it.press("ctrl+b")
        act = await it.posted(c.Transfer)
        assert (act.to_agent, act.ask_first) == ("jonas", False)


async def test_the_way_is_chosen_in_its_field(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="jonas") as it:
        await it.press("shift+tab")
        assert isinstance(it.app.focused, Ways)
        await it.press("down", "enter")
        act = await it.posted(c.Transfer)
        assert (act.to_agent, act.ask_first) == ("jonas", False)


@pytest.mark.parametrize(
    ("typed", "field", "value"),
    [
        ("lost", "to_queue", "lost"),
        ("fees", "to_queue", "fees"),
        ("loans", "to_queue", "loans"),
        ("fee-w", "to_skills", (Skill(name="fee-waiver"),)),
        ("swed 3 + fees 2", "to_skills", (Skill(name="swedish", level=3), Skill(name="fees", level=2))),
    ],
)
async def test_queues_and_skills_are_only_handed_over(tmp_path: Path, typed: str, field: str, value: object) -> None:
    async with asked(tmp_path, typed=typed) as it:
        if field == "to_skills":
            await it.press(*["down"] * 9)
        await until(lambda: "it leaves you at once" in it.text() and "ask first" not in it.text())
        await it.press("enter")
        act = await it.posted(c.Transfer)
        assert getattr(act, field) == value and not act.ask_first
        assert sum(bool(one) for one in (act.to_agent, act.to_queue, act.to_skills)) == 1


async def test_who_is_away_is_found_and_it_is_said_what_happens(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="hansson") as it:
        await until(lambda: "comes back to you" in it.text())
        assert "away (lunch) until 14:30" in it.text()
        await it.press("enter")
        assert (await it.posted(c.Transfer)).to_agent == "fee"


async def test_tab_goes_through_the_fields_and_what_is_typed_goes_along(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="pri") as it:
        for word in ("A", "B", "C", "D", "E", "F"):
            await it.press("tab", "space", word)
        await it.press("enter")
        act = await it.posted(c.Transfer)
        packet = scenes_transfer.PACKET
        assert act.packet == Packet(
            problem=f"{packet.problem} B",
            tried=f"{packet.tried} C",
            promised=f"{packet.promised} D",
            proved=f"{packet.proved} E",
            open="F",
        )
        assert act.note == "A"


async def test_the_arrows_move_the_list_by_one_and_not_while_a_field_is_written(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="fee") as it:
        await until(lambda: "ask Priya" in it.text())
        await it.press("down")
        await until(lambda: "ask Jonas" in it.text())
        await it.press("tab", "down", "up", "up", "shift+tab", "shift+tab", "down", "up", "enter")
        act = await it.posted(c.Transfer)
        assert (act.to_agent, act.ask_first) == ("jonas", True)


async def test_enter_gives_and_a_chord_breaks_the_line(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="pri") as it:
        await it.press("tab", "a", "ctrl+j", "b", "alt+enter")
        assert (await it.posted(c.Transfer)).note == "a\nb"


async def test_what_arrives_late_takes_nothing_that_was_typed(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with desk(tmp_path) as it:
        it.fake.directory = scenes_transfer.DIRECTORY

        class Late(fakes.FakeLink):
            async def ask(self, request: Any, timeout_s: float = 5.0) -> Any:
                if isinstance(request, c.Handover):
                    await gate.wait()
                    return scenes_transfer.HANDOVER
                return await super().ask(request, timeout_s)

        it.fake.__class__ = Late
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "asking what is known" in it.text())
        await it.press(*"pri", "tab", "tab", "m", "i", "n", "e")
        gate.set()
        await until(lambda: "answer today" in it.text())
        await it.press("space", "t", "o", "o", "enter")
        act = await it.posted(c.Transfer)
        assert act.packet == replaced(scenes_transfer.PACKET, problem="mine too")


async def test_escape_keeps_what_was_typed_for_the_next_time(tmp_path: Path) -> None:
    async with asked(tmp_path) as it:
        await it.press(
            "tab", "n", "tab", "tab", "X", "shift+tab", "shift+tab", "shift+tab", "shift+tab", "up", "escape"
        )
        await until(lambda: it.app.screen is it.screen)
        assert not it.fake.posted and "kept for the next time" in it.text()
        await it.press("t")
        await until(lambda: "found" in it.text() and handing(it).seen == 17)
        assert handing(it).field("tried").text == f"{scenes_transfer.PACKET.tried}X"
        assert handing(it).field("problem").text == scenes_transfer.PACKET.problem
        await it.press("enter")
        act = await it.posted(c.Transfer)
        assert (act.note, act.ask_first, act.packet) == (
            "n",
            False,
            replaced(scenes_transfer.PACKET, tried=f"{scenes_transfer.PACKET.tried}X"),
        )
        assert not it.screen.handovers


async def test_without_a_link_it_can_be_written_and_says_what_is_not_known(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.set_status("down", since_ms=scenes.NOW_MS, as_of_ms=scenes.NOW_MS)
        await it.press("t")
        await until(lambda: "not known without a link" in it.text())
        await it.press("enter")
        assert not it.fake.posted and isinstance(it.app.screen, Transferring)


async def test_who_becomes_full_while_it_is_open_says_so_and_the_cursor_stays(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="fee") as it:
        await it.press("down")
        await until(lambda: "ask Jonas" in it.text())
        agents = tuple(
            replaced(one, loads=(("wa", 4, 4),)) if one.agent == "jonas" else one for one in scenes_transfer.AGENTS
        )
        it.fake.directory = replaced(scenes_transfer.DIRECTORY, agents=agents)
        for _ in range(5):
            it.app.tick()
        await until(lambda: "Jonas is full, 4 of 4" in it.text())
        await it.press("enter")
        assert (await it.posted(c.Transfer)).to_agent == "jonas"


LONG = "She was charged twice on the second of November and once more on the third, " * 12


async def test_a_packet_that_does_not_fit_says_that_there_is_more_and_not_where_it_is_written(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="pri") as it:
        it.app.screen.query_one("#find").focus()
        for name in ("problem", "tried"):
            handing(it).field(name).load(LONG)
        await until(lambda: it.text().count("…") >= 2 and it.text().count("She was charged") == 2)
        problem = handing(it).field("problem")
        assert problem.render_line(problem.size.height - 1).text.rstrip().endswith("…")
        assert "…" not in problem.render_line(0).text
        problem.load("short")
        await until(lambda: "short" in it.text())
        assert "…" not in problem.render_line(0).text
        problem.load(LONG)
        problem.focus()
        await until(lambda: problem.has_focus and problem.scroll_offset.y > 0)
        assert "…" not in problem.render_line(problem.size.height - 1).text


@pytest.mark.parametrize("size", [(120, 40), (180, 50), (100, 30)])
@pytest.mark.parametrize("theme", ["night", "contrast"])
async def test_the_keys_of_the_transfer_stand_alone(tmp_path: Path, size: tuple[int, int], theme: str) -> None:
    async with asked(tmp_path, typed="fee", size=size, theme=theme) as it:
        handing(it).field("problem").load(LONG)
        await it.pilot.pause()
        box = it.app.screen.query_one("#box").content_region
        above = it.text().splitlines()[box.bottom - 2][box.x : box.right]
        assert "ask Priya" in it.text().splitlines()[box.bottom - 1] and not above.strip()


async def test_without_a_target_no_key_gives_it_away(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="nobody") as it:
        await until(
            lambda: "0 found" in it.text() and "^b hand over" not in it.text() and "tab next field" in it.text()
        )
        await it.press("ctrl+b", "enter")
        assert isinstance(it.app.screen, Transferring) and not it.fake.posted


async def test_two_pages_at_80_columns(tmp_path: Path) -> None:
    async with asked(tmp_path, typed="pri", size=(80, 24)) as it:
        assert "agents" in it.text() and "Goes along" not in it.text()
        await it.press("tab")
        await until(lambda: "Goes along" in it.text() and "Say to Priya" in it.text() and "ask first" in it.text())
        assert "agents" not in it.text() and "ask Priya" in it.text()
        await it.press(*["tab"] * 7)
        await until(lambda: "agents" in it.text() and "Goes along" not in it.text())
        await it.press("enter")
        assert (await it.posted(c.Transfer)).packet == scenes_transfer.PACKET


async def test_a_case_that_is_not_yours_is_not_talked_over_first(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=scenes.QUEUED, me=scenes.ME) as it:
        it.fake.directory = scenes_transfer.DIRECTORY
        await it.press("2")
        await it.open("c-queue-0")
        await it.press("t")
        await until(lambda: "found" in it.text() and "ask first" not in it.text())
        await it.press(*"pri", "enter")
        assert not (await it.posted(c.Transfer)).ask_first


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_hostile_words_stay_words_in_the_transfer(tmp_path: Path, size: tuple[int, int]) -> None:
    agent = Colleague(agent="evil", name=HOSTILE, state="ready", skills=(Skill(name=HOSTILE),), queues=("q",))
    packet = Packet(problem=HOSTILE, tried=HOSTILE, promised=HOSTILE, proved=HOSTILE, open=HOSTILE)
    async with desk(tmp_path, size=size) as it:
        it.fake.directory = DirectoryView(agents=(agent,), queues=(QueueView(queue="q", name=HOSTILE, hours=HOSTILE),))
        it.fake.handovers["c-anna"] = HandoverView(packet=packet, case=HOSTILE, draft=5, seen=1)
        await it.open("c-anna")
        await it.press("t", "tab")
        await until(lambda: "evil" in it.text() and handing(it).seen == 1)
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in it.text())
        assert "\u202e" not in it.text()
        await it.press("enter")
        act = await it.posted(c.Transfer)
        assert act.to_agent == "evil" and "\x1b" not in act.packet.problem


async def _shown(it: Desk, row: Any) -> None:
    it.fake.feed(row)
    await until(lambda: it.screen.inbox.list.source.index(row.conv) is not None)
    await until(lambda: it.screen.listing.row(row.conv) == row)
    await it.open(row.conv)


async def test_an_open_question_is_taken_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _shown(it, scenes_transfer.ASKED)
        await until(lambda: "asking Priya" in it.text())
        await it.press("T")
        assert (await it.posted(c.TakeBack)).conversation == "c-anna"


@pytest.mark.parametrize(("key", "kind"), [("y", c.Confirm), ("x", c.EndConsult)])
async def test_the_owner_hands_over_or_keeps_it(tmp_path: Path, key: str, kind: type) -> None:
    async with desk(tmp_path) as it:
        await _shown(it, scenes_transfer.TALKING)
        await until(lambda: "Priya is with you" in it.text() and "y hand over" in it.text())
        await it.press(key)
        act = await it.posted(kind)
        assert (act.conversation, act.epoch) == ("c-anna", 3)


async def test_who_was_asked_sees_the_packet_and_may_end_the_talk(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.pages["c-asked"] = scenes_transfer.CONSULTED_PAGE
        await _shown(it, scenes_transfer.CONSULTED)
        await until(lambda: "with Priya: you were asked" in it.text() and "promised answer today" in it.text())
        assert "hand over" not in it.text()
        await it.press("y")
        assert "you cannot hand over now" in it.text() and not it.fake.posted
        await it.press("x")
        assert (await it.posted(c.EndConsult)).conversation == "c-asked"
