"""An agent's day at the real window, at two sizes: what is on the screen, what the bridge stored, and what the customer got."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from tests.daemon.site import Agent
from tests.e2e.house import House, Line, Visitor, is_writing
from tests.e2e.terminal import Terminal
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Day:
    """Two agents at their windows, and a supervisor's eye on what is stored."""

    def __init__(self, house: House, eye: Agent, maya: Terminal, ole: Terminal, line: Line, size: str) -> None:
        self.house, self.eye, self.maya, self.ole, self.size = house, eye, maya, ole, size
        self.line = line
        """Between Maya's window and the broker."""

    def outbox(self) -> bytes:
        """What is on Maya's disk."""
        state = self.house.folder / f"maya-desk{self.maya.columns}" / "state"
        return b"".join(file.read_bytes() for file in state.rglob("outbox-*.jsonl"))

    async def row(self, name: str, **wanted: str) -> v.Row:
        """The bridge's row of a customer, closed ones too, once it is as wanted."""

        async def found() -> v.Row | None:
            page = await self.eye.get(c.Search(text=name), v.RowPage)
            rows = (row for row in page.rows if row.name == name)
            return next((row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())), None)

        return await until(found, saying=lambda: f"no row of {name} is {wanted}\n{self.maya.text}")

    async def texts(self, name: str, kind: str) -> list[str]:
        """What is stored of one kind, in the order of the log."""
        row = await self.row(name)
        return [item.text for item in (await self.eye.thread(row.conv)).items if item.kind == kind]

    async def put_away(self, name: str) -> None:
        """Closed, whatever a test left open: nothing rings at the next one's desk."""
        row = await self.row(name)
        if row.state == "closed":
            return
        async with self.house.site.agent(row.owner or "maya") as owner:
            if not row.owner:
                await owner.accept(row.conv)
            await owner.get(c.Close(id=owner.new_id(), conversation=row.conv, disposition="solved"), c.Done)

    async def write(self, mode: str = "r") -> None:
        """The caret is in the composer."""
        self.maya.press(mode)
        await until(lambda: is_writing(self.maya), saying=lambda: self.maya.text)
        await self.maya.shows("colleagues only" if mode == "n" else "send")

    async def leave(self, window: Terminal) -> None:
        await self.house.to_list(window)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    await made.open()
    try:
        await made.site.enroll("maya", queues=("support",), capacity=50)
        await made.site.enroll("ole", queues=("sales",), capacity=50)
        await made.site.enroll("ines", role="supervisor")
        yield made
    finally:
        made.site.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def day(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Day]:
    columns, rows = request.param
    async with AsyncExitStack() as opened:
        eye = await opened.enter_async_context(house.site.agent("ines"))
        line = await opened.enter_async_context(Line().to(house.broker))
        windows = [
            await opened.enter_async_context(house.window(agent, columns, rows, f"desk{columns}", via))
            for agent, via in (("maya", line), ("ole", None))
        ]
        await asyncio.gather(*(window.shows("● link") for window in windows))
        yield Day(house, eye, windows[0], windows[1], line, f"{columns}x{rows}")


@pytest_asyncio.fixture(loop_scope="module")
async def anna(day: Day, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    """A customer with a name of her own in each test, accepted and open at Maya's desk."""
    name = f"Anna {zlib.crc32(request.node.name.encode()) % 9000 + 1000}"
    async with day.house.visitor(name) as visitor:
        visitor.name = name
        await visitor.say("Which fee applies in Tokyo?")
        await day.house.take(day.maya, name)
        await day.maya.shows("Which fee applies in Tokyo?")
        try:
            yield visitor
        finally:
            await day.put_away(name)


async def _hears(day: Day, anna: Visitor, count: int) -> None:
    await until(lambda: len(anna.heard) >= count, saying=lambda: f"{anna.heard}\n{day.maya.text}")


async def test_a_line_and_enter_in_one_write_send_exactly_that_line(day: Day, anna: Visitor) -> None:
    lines = [f"{n}: Hello Anna, let me look at that for you. ¿Qué? 万円 ✓" for n in range(5)]
    await day.write()
    for number, line in enumerate(lines):
        day.maya.type(f"{line}\r")
        await _hears(day, anna, number + 1)
    assert anna.heard == lines
    assert await day.texts(anna.name, "colleague") == lines


async def test_three_lines_with_enter_in_one_write_are_three_messages_in_order(day: Day, anna: Visitor) -> None:
    await day.write()
    day.maya.type("one is sent\rtwo is sent\rthree is sent\r")
    await _hears(day, anna, 3)
    assert anna.heard == ["one is sent", "two is sent", "three is sent"]


async def test_a_note_stays_with_colleagues_and_a_close_with_its_outcome(day: Day, anna: Visitor) -> None:
    await day.write("n")
    day.maya.type("check the gold card first")
    day.maya.press("alt+enter")
    await day.maya.shows("check the gold card first", "colleagues only")

    async def is_noted() -> bool:
        return await day.texts(anna.name, "note") == ["check the gold card first"]

    await until(is_noted)
    await day.leave(day.maya)
    await day.maya.shows("e close")
    day.maya.press("e")
    await day.maya.shows("Wrap-up", "2 answered", "done+next")
    day.maya.press("2", "enter")
    await until(lambda: _outcomes(day, anna.name), saying=lambda: day.maya.text)
    await day.row(anna.name, state="closed")
    day.maya.press("/")
    await day.maya.shows("newest first")
    day.maya.type(anna.name)
    await day.maya.shows("1 of 1", "closed")
    day.maya.press("enter")
    await day.maya.shows("closed: R opens it again")
    day.maya.press("R")
    await day.row(anna.name, state="other", owner="maya")
    await day.maya.shows(f"to {anna.name}")
    assert anna.heard == []


async def _outcomes(day: Day, name: str) -> int:
    """How often its end as `answered` is in the thread."""
    row = await day.row(name)
    items = (await day.eye.thread(row.conv)).items
    return sum(item.kind == "event" and "answered" in item.text for item in items)


async def test_a_transfer_stays_until_the_colleague_accepts_it_in_the_second_window(day: Day, anna: Visitor) -> None:
    day.maya.press("t")
    await day.maya.shows("Transfer", "Ole")
    day.maya.type("ole")
    await day.maya.shows("ask Ole", "1 found")
    day.maya.press("ctrl+b")
    await day.row(anna.name, owner="maya", transfer_to="Ole")
    await day.ole.shows("Transfer", anna.name)
    day.ole.press("a")
    await day.row(anna.name, owner="ole", transfer_to="")
    await day.ole.shows(f"to {anna.name}")
    await day.maya.shows("with Ole: n writes a note")
    day.ole.press("r")
    await until(lambda: is_writing(day.ole), saying=lambda: day.ole.text)
    day.ole.type("Ole here now\r")
    await until(lambda: anna.heard, saying=lambda: day.ole.text)
    assert anna.heard == ["Ole here now"]
    await day.leave(day.ole)


async def test_a_transfer_to_a_queue_leaves_at_once_and_another_takes_it(day: Day, anna: Visitor) -> None:
    day.maya.press("t")
    await day.maya.shows("Transfer", "sales")
    day.maya.type("sales")
    await day.maya.shows("leaves you at once", "hand over")
    day.maya.press("enter")
    await day.row(anna.name, owner="", queue="sales", state="queued")
    await day.house.take(day.ole, anna.name)
    await day.row(anna.name, owner="ole")


async def test_a_key_pressed_again_before_the_dialog_is_gone_acts_once_and_leaves_the_program_alive(
    day: Day, anna: Visitor
) -> None:
    for key, title in (
        ("/", "newest first"),
        (":", "Command"),
        ("t", "Transfer"),
        ("z", "Snooze"),
        ("?", "find a key"),
    ):
        day.maya.press(key)
        await day.maya.shows(title, "esc back")  # painted whole: what hides below was there
        day.maya.press("escape", "escape", "escape")
        await day.maya.hides("esc back")
        await day.maya.shows(f"to {anna.name}")
    day.maya.press("e")
    await day.maya.shows("Wrap-up", "2 answered", "done+next")
    day.maya.press("2", "enter", "enter", "enter")
    await until(lambda: _outcomes(day, anna.name), saying=lambda: day.maya.text)
    assert await _outcomes(day, anna.name) == 1
    day.maya.press("?")
    await day.maya.shows("find a key")
    day.maya.press("escape")
    await day.maya.hides("find a key")


async def test_search_finds_a_part_of_a_word_in_cyrillic_and_two_letters_of_chinese(day: Day, anna: Visitor) -> None:
    mark = day.size.replace("x", "")
    async with day.house.visitor(f"Ольга {mark}") as olga, day.house.visitor(f"Wei {mark}") as wei:
        await olga.say(f"Когда откроют накопительный счёт {mark}?")
        await wei.say("请问外币兑换手续费是多少")
        await day.row(olga.name)
        await day.row(wei.name)
        for words, name, shown in (
            (f"опительн {mark}", olga.name, "Ольга"),
            ("兑换", wei.name, "兑换"),
            (anna.name, anna.name, anna.name),
        ):
            day.maya.press("/")
            await day.maya.shows("Search")
            day.maya.type(words)
            await day.maya.shows(f"{name} ")
            await day.maya.shows("1 of 1" if name != wei.name else shown)
            day.maya.press("enter")
            await day.maya.hides("newest first")
            await day.maya.shows(name)
        for name in (olga.name, wei.name):
            await day.put_away(name)
        day.maya.press("1")


async def test_a_reply_that_crosses_a_new_message_is_stopped_and_can_be_sent_anyway(day: Day, anna: Visitor) -> None:
    """The line holds the message back, so that it cannot have been seen when enter is pressed."""
    await day.write()
    day.maya.type("The fee is 2 %.")
    await day.maya.shows("The fee is 2 %.")
    day.line.hold()
    await anna.say("Wait, I meant Osaka!")
    await day.row(anna.name, text="Wait, I meant Osaka!", owner="maya")
    day.maya.press("enter")
    await until(lambda: b"The fee is 2 %." in day.outbox(), saying=lambda: day.maya.text)
    day.line.release()
    await day.maya.shows("Not sent", "Wait, I meant Osaka!", "send anyway")
    assert await day.texts(anna.name, "colleague") == [] and anna.heard == []
    day.maya.press("ctrl+y")
    await until(lambda: anna.heard, saying=lambda: day.maya.text)
    assert anna.heard == ["The fee is 2 %."]
    await day.maya.hides("Not sent")
