"""The show, second part: a terminal is killed; after the grace its unanswered work rings at a colleague, with the reason."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker_bridge.contract import facts as f
from tests.e2e.crew import Crew, crew, write
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRACE_S = 2
SILENT_BOUND_S = 60.0
"""A terminal counts as gone 30 s after its last word."""
DESK = f'silent_grace_s = {GRACE_S}\nreasons = ["coffee"]'
QUEUES = """
[[queue]]
name = "support"
title = "Support"
mode = "in_order"
order = ["maya", "ole"]
affinity_s = 0
wrap_up = "none"
[[queue]]
name = "sales"
[[queue]]
name = "nobody"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crew]:
    async with crew(tmp_path_factory.mktemp("show"), desk=DESK, queues=QUEUES, windows=("maya", "ole", "ines")) as made:
        yield made


async def test_a_killed_terminal_gives_back_what_is_unanswered_and_keeps_what_is_in_hand(show: Crew) -> None:
    async with show.house.visitor("Anna Berg") as anna, show.house.visitor("Bo Lind") as bo:
        await anna.say("Which fee applies in Tokyo?")
        await show.accept("maya", "Anna Berg")
        await write(show.maya, "None with the gold card.")
        await until(lambda: anna.heard, saying=lambda: show.maya.text)
        await bo.say("Is anybody there?")
        await show.accept("maya", "Bo Lind")
        show.ines.press("M")
        await show.ines.shows("Floor", "Maya")
        show.maya.kill()
        await show.ines.shows("silent", bound_s=SILENT_BOUND_S)
        await show.ole.shows("Bo Lind", "answer in", bound_s=SILENT_BOUND_S)
        # It may be a heartbeat later that the reason is read; it stands in the card and in the log.
        back = await show.why(show.ole, "back to Support", "Maya")
        assert "terminal" in back or "silent" in back, back
        show.ole.press("a")
        await show.row("Bo Lind", owner="ole")
        assert (await show.row("Anna Berg")).owner == "maya"
        (queued,) = [one for one in await show.log(f.Queued) if one.reason]
        assert "terminal" in queued.reason or "silent" in queued.reason, queued
    async with show.house.window("maya", machine="again") as again:
        await again.shows("● link", "Anna Berg")
        show.windows["maya"] = again
        await show.house.to_list(again)
        again.press("3")
        await again.shows("Bo Lind")
        await show.row("Bo Lind", owner="ole")
