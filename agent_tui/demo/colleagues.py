"""The colleagues: agents without a window, at desks as real as the one with it.

Law: they know what every agent knows: their rows, the threads, the directory. They act by the same commands over the
same link. Who is not from a story (somebody who opened the chat by hand) is left to the person at the window.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from agent_tui.demo.stories import Story
from agent_tui.link import Link
from agent_tui.model.desk import Applied, DeskState
from agent_tui.model.linked import LinkStatus, NoLink
from agent_tui.model.outbox import Outbox
from agent_tui.settings import Paths
from broker_bridge.contract.commands import (
    Accept,
    Act,
    Close,
    Decline,
    Note,
    Reply,
    Rows,
    Thread,
    Transfer,
    Typing,
    Unwatch,
)
from broker_bridge.contract.ids import ConversationId, Mint
from broker_bridge.contract.views import Answer, Row, RowPage, ThreadFeed, ThreadPage

LOOK_S = 0.4
GLANCE_S = 9.0
"""Between looks at what the others do."""
FIRST_WORDS = "Hello, I have taken over and read what you wrote. One moment, please."
LAST_WORDS = "Thank you, and have a good day."


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a colleague works. Times in seconds, as (least, most)."""

    accepts_s: tuple[float, float] = (7.0, 14.0)
    answers_s: tuple[float, float] = (8.0, 22.0)
    closes_s: tuple[float, float] = (20.0, 45.0)
    gives_to: str = ""
    """Transfers cases with a `hand_over` to this agent."""
    notes_for: str = ""
    """Writes what they know as notes into this agent's cases."""
    takes_strangers: bool = False


class Colleague:
    """One scripted agent. `run` must be running."""

    def __init__(
        self,
        *,
        server: str,
        agent: str,
        seed: str,
        where: Paths,
        stories: Mapping[str, Story],
        manner: Manner,
        chance: random.Random,
        pace: float = 1.0,
    ) -> None:
        desk = where.desk(agent, server)
        self.agent = agent
        self.state = DeskState()
        self._outbox = Outbox(desk.outbox)
        self._link = Link(
            server=server,
            agent=agent,
            seed=seed,
            state=self.state,
            outbox=self._outbox,
            listener=self,
            now_ms=_now_ms,
            device="demo",
            mint=Mint(chance.getrandbits(20), chance.getrandbits(40)),
        )
        self._stories = stories
        self._manner = manner
        self._chance = chance
        self._pace = pace
        self._due_s: dict[tuple[ConversationId, str], float] = {}
        self._pending: set[ConversationId] = set()
        self._noted: set[ConversationId] = set()
        self._given: set[ConversationId] = set()
        self.replies = 0
        self.closed = 0
        self.transfers = 0
        self.is_up = False

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._link.run())
                group.create_task(self._glance())
                while True:
                    await asyncio.sleep(LOOK_S * min(1.0, self._pace * 2))
                    if self.is_up:
                        for row in list(self.state.rows.values()):
                            await self._look_at(row)
        finally:
            self._outbox.close()

    # What the link tells.

    def link_changed(self, status: LinkStatus) -> None:
        self.is_up = status.state == "up"

    def desk_changed(self, applied: Applied) -> None:
        pass

    def thread_changed(self, feed: ThreadFeed) -> None:
        pass

    def settled(self, act: Act, answer: Answer) -> None:
        self._pending.discard(act.conversation)

    # What a colleague does.

    async def _look_at(self, row: Row) -> None:
        if row.conv in self._pending or (row.state == "mine" and row.transfer_to):
            return
        story = self._stories.get(row.name)
        if row.state == "ringing":
            self._answer_offer(row, story)
        elif row.state == "mine" and row.waiting_since_ms is not None:
            self._due_s.pop((row.conv, "close"), None)
            if self._is_due(row, "answer", self._manner.answers_s):
                await self._answer(row, story)
        elif row.state == "mine":
            self._due_s.pop((row.conv, "answer"), None)
            if self._is_due(row, "close", self._manner.closes_s):
                self._close(row)

    def _answer_offer(self, row: Row, story: Story | None) -> None:
        is_known = story is not None or self._manner.takes_strangers or bool(row.transfer_to)
        if not is_known:
            if self._is_due(row, "decline", (0.5, 1.5)):
                self._post(Decline(id=self._link.new_id(), conversation=row.conv, reason="for the desk beside me"))
        elif self._is_due(row, "accept", self._manner.accepts_s):
            self._post(Accept(id=self._link.new_id(), conversation=row.conv, epoch=row.epoch))

    async def _answer(self, row: Row, story: Story | None) -> None:
        """Read the case, type, and answer, hand over or close."""
        page = await self._ask(Thread(conversation=row.conv, limit=50, watch=True))
        if not isinstance(page, ThreadPage) or not page.reach:
            return
        if story is not None and story.hand_over and self._manner.gives_to and row.conv not in self._given:
            self._given.add(row.conv)
            self.transfers += 1
            self._post(
                Transfer(
                    id=self._link.new_id(),
                    conversation=row.conv,
                    epoch=row.epoch,
                    to_agent=self._manner.gives_to,
                    note=story.hand_over,
                )
            )
            return
        said = sum(1 for item in page.items if item.kind in ("you", "colleague"))
        advice = story.advice if story is not None else ()
        if said > len(advice):
            self._close(row)
            return
        text = advice[said] if said < len(advice) else (LAST_WORDS if said else FIRST_WORDS)
        await self._typing(row.conv, len(text) / 30)
        reach = page.reach[0]
        self._post(
            Reply(
                id=self._link.new_id(),
                conversation=row.conv,
                epoch=page.row.epoch,
                text=text,
                channel=reach.channel,
                to=reach.to,
                cc=reach.cc,
                in_reply_to=reach.in_reply_to,
                seen=page.upto,
                anyway=True,
            )
        )
        self.replies += 1
        await self._ask(Unwatch(conversation=row.conv))

    def _close(self, row: Row) -> None:
        self._post(Close(id=self._link.new_id(), conversation=row.conv, disposition="solved", epoch=row.epoch))
        self.closed += 1

    async def _typing(self, conversation: ConversationId, seconds: float) -> None:
        await self._ask(Typing(conversation=conversation, on=True))
        await asyncio.sleep(min(6.0, seconds) * self._pace)
        await self._ask(Typing(conversation=conversation, on=False))

    async def _glance(self) -> None:
        """Now and then look at what the others do, and leave what one knows as a note."""
        while True:
            await asyncio.sleep(GLANCE_S * self._pace)
            if not self._manner.notes_for or not self.is_up:
                continue
            page = await self._ask(Rows(view="all"))
            for row in page.rows if isinstance(page, RowPage) else ():
                story = self._stories.get(row.name)
                if story is None or not story.note or row.conv in self._noted or row.owner != self._manner.notes_for:
                    continue
                self._noted.add(row.conv)
                await self._ask(Thread(conversation=row.conv, watch=True))
                await asyncio.sleep(6.0 * self._pace)
                self._post(Note(id=self._link.new_id(), conversation=row.conv, text=story.note, to=row.owner))
                await self._ask(Unwatch(conversation=row.conv))
                break

    async def _ask(self, request: Thread | Unwatch | Typing | Rows) -> Answer | None:
        with contextlib.suppress(NoLink):
            return await self._link.ask(request)
        return None

    def _post(self, act: Act) -> None:
        self._pending.add(act.conversation)
        self._link.post(act)

    def _is_due(self, row: Row, what: str, wait_s: tuple[float, float]) -> bool:
        """True once the pause before this step, drawn when it was first seen, is over."""
        now_s = time.monotonic()
        key = (row.conv, what)
        if key not in self._due_s:
            self._due_s[key] = now_s + self._chance.uniform(*wait_s) * self._pace
        if now_s < self._due_s[key]:
            return False
        del self._due_s[key]
        return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
