"""Follow-up tasks over the life of a bridge: whose they are when a colleague leaves."""

from __future__ import annotations

import time
from pathlib import Path

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.daemon import admin
from tests.daemon.site import Site, item
from tests.until import until

DAY_MS = 86_400_000


async def _let_go(site: Site) -> list[f.TaskChanged]:
    return [fact for _, _, entry in await site.log() for fact in entry.facts if isinstance(fact, f.TaskChanged)]


async def test_the_tasks_of_a_removed_agent_are_the_owners_of_the_case_once_after_a_restart_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure()
    await site.start()
    try:
        for name in ("maya", "ole"):
            await site.enroll(name)
        await site.insist([item(1, "anna", "please call")])
        async with site.agent("maya") as maya:
            row = await maya.row("please call")
            await maya.accept(row.conv)
            due_ms = time.time_ns() // 1_000_000 + DAY_MS
            task = maya.new_id()
            wish = c.AddTask(id=task, conversation=row.conv, text="call her", assignee="ole", due_ms=due_ms)
            await maya.get(wish, c.Done)
            site.kill()
            await site.start()
            # The broker went down with its bridge: whoever is removed now leaves while nobody leads yet.
            await admin.agent_remove(site.config, "ole")

            async def is_mine() -> v.TaskView | None:
                page = await maya.get(c.Tasks(view="mine"), v.TaskPage)
                return next(iter(page.tasks), None)

            found = await until(is_mine, bound_s=60.0, saying="the task is not hers")
            assert (found.task, found.text, found.due_ms, found.assignee) == (task, "call her", due_ms, "maya")
            (changed,) = await _let_go(site)
            assert (changed.task, changed.agent, changed.assignee) == (task, "ole", "")
            site.kill()
            await site.start()
            await maya.get(c.ChangeTask(id=maya.new_id(), conversation=row.conv, task=task, assignee="maya"), c.Done)
        assert [one.assignee for one in await _let_go(site)] == ["", "maya"]
    finally:
        site.kill()
