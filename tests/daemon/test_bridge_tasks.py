"""Follow-up tasks over the life of a bridge: whose they are when a colleague leaves, and that nobody misses a reminder."""

from __future__ import annotations

import time
from pathlib import Path

from agent_tui.model.desk import DeskState
from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.daemon import admin
from tests.daemon.site import Agent, Site, item
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


class Window:
    """What a terminal is told over its life, by the model that the window has."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.state = DeskState()
        self.told: list[v.Notice] = []
        self._n = 0

    async def hello(self, since: int | None = None) -> None:
        """As the window says it after a silence; what comes from here on is applied."""
        upto = self.state.upto if since is None else since
        self.state.welcome(await self.agent.get(c.Hello(since=upto, min=upto), v.Welcome))
        self._n = self.state.n

    def hear(self, subject: str, body: bytes) -> None:
        if subject.endswith(".beat"):
            self.state.apply_beat(codec.beat(body))
        elif subject.endswith(".desk"):
            self.told += self.state.apply_feed(codec.feed(body)).notices

    def is_answered(self) -> bool:
        """Whether a message came since the hello."""
        return self.state.n > self._n

    def reminders(self) -> list[str]:
        return [one.text for one in self.told if one.kind == "reminder"]


async def _reminded(site: Site) -> bool:
    return any(isinstance(fact, f.TaskReminded) for _, _, entry in await site.log() for fact in entry.facts)


async def test_a_reminder_that_came_while_the_bridge_was_started_again_is_told_once_after_the_hello(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    site.configure()
    await site.start()
    try:
        await site.enroll("maya")
        await site.insist([item(1, "anna", "please call")])
        async with site.agent("maya") as maya:
            window = Window(maya)
            listening = await maya.bus.listen("cc.view.maya.>", window.hear)
            await window.hello()
            row = await maya.row("please call")
            await maya.accept(row.conv)
            due_ms = time.time_ns() // 1_000_000 + 2_000
            wish = c.AddTask(id=maya.new_id(), conversation=row.conv, text="call her", due_ms=due_ms)
            added = await maya.get(wish, c.Done)
            await until(lambda: window.state.upto >= added.upto, saying="the window was not told of the task")
            site.kill()
            assert not window.reminders()
            await site.start()
            await until(lambda: _reminded(site), bound_s=60.0, saying="nobody was reminded")
            # Only now the window notices that it heard nothing for a while.
            assert not window.reminders()
            await window.hello()
            await until(window.reminders, bound_s=20.0, saying="the reminder was missed")
            for since in (None, window.state.upto, 0):
                await window.hello(since)
                await until(window.is_answered, saying="no answer to the hello")
            assert window.reminders() == ["A task is due: call her"]
            await listening.close()
    finally:
        site.kill()
