"""What is being written outlives kill -9, follows its writer to another machine, and is gone when it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from tests.daemon.site import Agent
from tests.e2e.house import House, is_writing
from tests.e2e.terminal import Terminal
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    await made.open()
    try:
        await made.site.enroll("maya", capacity=50)
        yield made
    finally:
        made.site.kill()


async def _taken(house: House, maya: Agent, *names: str) -> dict[str, str]:
    """These customers wrote and are Maya's; their conversations by name."""
    found = {}
    for name in names:
        async with house.visitor(name) as visitor:
            await visitor.say(f"{name} asks")
        row = await house.sees(maya, lambda row, name=name: row.name == name)
        await maya.accept(row.conv)
        found[name] = row.conv
    return found


async def _stored(maya: Agent, conv: str, mode: str = "reply") -> str:
    """The bridge's copy of the draft."""
    draft = (await maya.get(c.Thread(conversation=conv), v.ThreadPage)).draft
    return draft.text if draft is not None and draft.mode == mode else ""


async def _write(window: Terminal, name: str, text: str) -> None:
    """Open the conversation of `name` and write, without sending."""
    await _open(window, name)
    window.press("r")
    await until(lambda: is_writing(window), saying=lambda: window.text)
    window.type(text)
    await window.shows(text)


async def _open(window: Terminal, name: str) -> None:
    window.press("/")
    await window.shows("newest first")
    window.type(name)
    await window.shows("1 of 1")
    window.press("enter")
    await window.hides("newest first")
    await window.shows(f"to {name}", f"{name} asks")


async def _leave(house: House, window: Terminal) -> None:
    await house.to_list(window)


async def test_a_draft_survives_kill_9_of_the_window_and_follows_to_another_machine(house: House) -> None:
    async with house.site.agent("maya") as maya:
        convs = await _taken(house, maya, "Anna Nine")
        async with house.window("maya", machine="first") as window:
            await window.shows("● link", "Anna Nine")
            await _write(window, "Anna Nine", "The fee in Tokyo is")
            window.type(" two percent — 手数料")
            await window.shows("two percent")

            async def is_stored() -> bool:
                return await _stored(maya, convs["Anna Nine"]) == "The fee in Tokyo is two percent — 手数料"

            await until(is_stored, saying="the bridge has no copy of the draft")
            window.kill()
        async with house.window("maya", machine="first") as window:
            await window.shows("● link", "Anna Nine")
            await _open(window, "Anna Nine")
            await window.shows("The fee in Tokyo is two percent — 手数料")
        async with house.window("maya", machine="second") as window:
            await window.shows("● link", "Anna Nine")
            await _open(window, "Anna Nine")
            await window.shows("The fee in Tokyo is two percent — 手数料")


async def test_a_draft_that_the_bridge_never_got_survives_on_this_machine(house: House) -> None:
    async with house.site.agent("maya") as maya:
        await _taken(house, maya, "Anna Local")
        async with house.window("maya", machine="local") as window:
            await window.shows("● link", "Anna Local")
            await _write(window, "Anna Local", "only here")
            drafts = house.folder / "maya-local" / "state" / "desks"
            await until(lambda: any(b"only here" in file.read_bytes() for file in drafts.rglob("drafts/*.json")))
            window.kill()
        async with house.window("maya", machine="local", ONEWINDOW_SEED="") as window:
            # Without a key there is no link: what is shown comes from this machine alone.
            await window.shows("Anna Local")
            await until(lambda: any("Anna Local" in line for line in window.lines[3:]), saying=lambda: window.text)


async def test_two_conversations_keep_their_drafts_apart_and_sending_leaves_none(house: House) -> None:
    async with house.site.agent("maya") as maya:
        convs = await _taken(house, maya, "Anna One", "Bo Two")
        async with house.visitor("Cy Three") as cy, house.window("maya", machine="two") as window:
            await cy.say("Cy Three asks")
            row = await house.sees(maya, lambda row: row.name == "Cy Three")
            await maya.accept(row.conv)
            await window.shows("● link", "Cy Three")
            await _write(window, "Anna One", "first words")
            await _leave(house, window)
            await _write(window, "Bo Two", "second words")
            await _leave(house, window)
            await _write(window, "Cy Three", "third words")
            window.press("enter")
            await until(lambda: cy.heard, saying=lambda: window.text)
            await _leave(house, window)
            await _open(window, "Anna One")
            await window.shows("first words")
            await window.hides("second words", "third words")
            await _open(window, "Bo Two")
            await window.shows("second words")
            await window.hides("first words", "third words")
            window.kill()
        assert cy.heard == ["third words"]
        assert await _stored(maya, convs["Anna One"]) == "first words"
        assert await _stored(maya, convs["Bo Two"]) == "second words"

        async def is_gone() -> bool:
            return await _stored(maya, row.conv) == ""

        await until(is_gone, saying="the bridge keeps a draft of what was sent")
        async with house.window("maya", machine="two") as window:
            await window.shows("● link", "Cy Three")
            await _open(window, "Cy Three")
            await window.shows("third words")
            at = next(n for n, line in enumerate(window.lines) if "to Cy Three" in line)
            assert not any("third words" in line for line in window.lines[at:]), window.text
