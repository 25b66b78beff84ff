"""What is being written outlives kill -9, follows its writer to another machine, and is gone when it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from tests.daemon.site import Agent
from tests.e2e.house import House, is_writing, of
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
        row = await house.sees(maya, of(name))
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


async def test_drafts_of_two_conversations_survive_kill_9_follow_to_another_machine_and_leave_when_sent(
    house: House,
) -> None:
    async with house.site.agent("maya") as maya, house.visitor("Cy Three") as cy:
        await cy.say("Cy Three asks")
        await maya.accept((await house.sees(maya, of("Cy Three"))).conv)
        convs = await _taken(house, maya, "Anna One", "Bo Two")
        convs["Cy Three"] = (await house.sees(maya, of("Cy Three"))).conv
        async with house.window("maya", machine="first") as window:
            await window.shows("● link", "Cy Three")
            await _write(window, "Cy Three", "third words")
            await until(lambda: _stored_is(maya, convs["Cy Three"], "third words"), saying="no copy before sending")
            window.press("enter")
            await until(lambda: cy.heard, saying=lambda: window.text)
            await house.to_list(window)
            await _write(window, "Bo Two", "second words")
            await house.to_list(window)
            await _write(window, "Anna One", "first words — 手数料")
            await until(
                lambda: _stored_is(maya, convs["Anna One"], "first words — 手数料"), saying="no copy at the bridge"
            )
            window.kill()
        await until(lambda: _stored_is(maya, convs["Bo Two"], "second words"))
        await until(lambda: _stored_is(maya, convs["Cy Three"], ""), saying="the bridge keeps what was sent")
        for machine in ("first", "second"):
            async with house.window("maya", machine=machine) as window:
                await window.shows("● link", "Cy Three")
                await _open(window, "Anna One")
                assert "first words — 手数料" in await _composed(window, "Anna One", "first words")
                await _open(window, "Bo Two")
                assert "second words" in await _composed(window, "Bo Two", "second words")
                await _open(window, "Cy Three")
                await window.shows("third words")
                assert "words" not in await _composed(window, "Cy Three", "send")
        assert cy.heard == ["third words"]


async def _stored_is(maya: Agent, conv: str, text: str) -> bool:
    return await _stored(maya, conv) == text


async def _composed(window: Terminal, name: str, words: str) -> str:
    """The composer, once it holds `words`."""

    def found() -> str | None:
        at = next((n for n, line in enumerate(window.lines) if f"to {name}" in line), len(window.lines))
        below = "\n".join(window.lines[at:])
        return below if words in below else None

    return await until(found, saying=lambda: window.text)
