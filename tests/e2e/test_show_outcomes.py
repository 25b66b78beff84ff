"""The show, third part: outcomes by keys and by time-out; what sleeps wakes; what is to be done is said once, whatever dies meanwhile."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from tests.e2e.crew import Crew, crew, write
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

DESK = """dispositions = ["solved", { name = "refunded", fields = ["amount"] }, "spam"]"""
QUEUES = """
[[queue]]
name = "support"
title = "Support"
reply_within_s = 3600
mode = "in_order"
order = ["maya"]
affinity_s = 0
wrap_up = "optional"
[[queue]]
name = "sales"
title = "Sales"
wrap_up = "timed"
wrap_up_s = 3
default_disposition = "solved"
[[queue]]
name = "nobody"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crew]:
    async with crew(tmp_path_factory.mktemp("show"), desk=DESK, queues=QUEUES, windows=("maya",)) as made:
        yield made


async def test_an_outcome_that_asks_for_something_is_not_taken_without_it(show: Crew) -> None:
    async with show.house.visitor("Anna Berg") as anna:
        await anna.say("I want my money back")
        await show.accept("maya", "Anna Berg")
        await write(show.maya, "It is on its way.")
        await until(lambda: anna.heard, saying=lambda: show.maya.text)
        await show.house.to_list(show.maya)
        show.maya.press("e")
        await show.maya.shows("Wrap-up", "outcome", "refunded")
        show.maya.press("2")
        await show.maya.shows("amount")
        show.maya.press("enter")
        await show.maya.shows("Wrap-up", "amount")
        assert await show.log(f.WrappedUp) == []
        show.maya.type("41.20\r")
        await show.maya.hides("esc later")
        await show.row("Anna Berg", state="closed")
        (written,) = await show.log(f.WrappedUp)
        assert (written.agent, written.disposition, written.is_timeout) == ("maya", "refunded", False)


async def test_a_wrap_up_that_nobody_writes_ends_by_itself_with_the_usual_outcome(show: Crew) -> None:
    async with show.house.visitor("Bo Lind") as bo:
        await bo.say("Do you sell houses?")
        await show.accept("maya", "Bo Lind")
        async with show.house.site.agent("maya") as maya:
            row = await show.row("Bo Lind")
            await maya.get(c.Transfer(id=maya.new_id(), conversation=row.conv, to_queue="sales"), c.Done)
            await maya.get(c.Accept(id=maya.new_id(), conversation=row.conv), c.Done)
        await show.row("Bo Lind", owner="maya", queue="sales")
        await until(lambda: show.maya.text.count("Maya took it") == 2, saying=lambda: show.maya.text)
        await show.maya.shows("e close")
        show.maya.press("e")
        await show.maya.shows("Wrap-up", "30 s more")
        await show.maya.hides("Wrap-up")
        await show.row("Bo Lind", state="closed")
        last = (await show.log(f.WrappedUp))[-1]
        assert (last.disposition, last.is_timeout) == ("solved", True)


async def test_what_sleeps_wakes_by_its_time_and_by_the_customer(show: Crew) -> None:
    async with show.house.visitor("Cy Dahl") as cy:
        await cy.say("Call me when the card is there")
        await show.accept("maya", "Cy Dahl")
        await write(show.maya, "I will.")
        await until(lambda: cy.heard, saying=lambda: show.maya.text)
        await show.house.to_list(show.maya)
        show.maya.press("z")
        await show.maya.shows("Snooze", "until they answer")
        show.maya.press("5")
        await show.maya.shows("snoozed")
        await cy.say("It is there!")
        await show.maya.shows("they wait for you 1", "It is there!")
        assert await show.log(f.Woken) == []
        row = await show.row("Cy Dahl")
        async with show.house.site.agent("maya") as maya:
            await maya.get(c.Snooze(id=maya.new_id(), conversation=row.conv, until_ms=_in_ms(4)), c.Done)
        await show.maya.hides("they wait for you 1")
        await show.maya.shows("they wait for you 1")
        assert [one.reason for one in await show.log(f.Woken)] == ["time"]
        await show.put_away("Cy Dahl")


async def test_a_reminder_is_given_once_although_the_bridge_was_killed(show: Crew) -> None:
    async with show.house.visitor("Di Moe") as di:
        await di.say("Please look after my card")
        await show.accept("maya", "Di Moe")
        await show.house.to_list(show.maya)
        show.maya.press("f")
        await show.maya.shows("task", "until")
        show.maya.type("Call the branch")
        show.maya.press("enter")
        await show.maya.hides("keep it")
        show.maya.press("4")
        await show.maya.shows("Call the branch")
        show.maya.press("escape")
        row = await show.row("Di Moe", tasks=1)
        due_ms = _in_ms(4)
        async with show.house.site.agent("maya") as maya:
            page = await maya.get(c.Tasks(), v.TaskPage)
            (task,) = page.tasks
            change = c.ChangeTask(
                id=maya.new_id(), conversation=row.conv, task=task.task, text="Ring the branch", due_ms=due_ms
            )
            await maya.get(change, c.Done)
        show.house.site.kill()
        await show.maya.shows("No link for", bound_s=30.0)
        await until(lambda: _in_ms(0) > due_ms)
        await show.house.site.start()
        await show.maya.shows("● link", bound_s=60.0)
        await show.maya.shows("1 of 1 tasks", bound_s=30.0)
        await _is_reminded_once(show)
        show.house.site.kill()
        await show.house.site.start()
        await show.maya.shows("● link", bound_s=60.0)
        async with show.house.visitor("Ed Ny") as ed:
            # Whatever the new bridge still had to do is done before what comes now.
            await ed.say("Is it open?")
            await show.rings(show.maya, "Ed Ny")
            await _is_reminded_once(show)


async def _is_reminded_once(show: Crew) -> None:
    async def told() -> bool:
        return len(await show.log(f.TaskReminded)) == 1

    await until(told)


def _in_ms(seconds: int) -> int:
    return time.time_ns() // 1_000_000 + seconds * 1_000
