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

from agent_tui.demo.manners import Manner
from agent_tui.demo.stories import Story
from agent_tui.link import Link
from agent_tui.model.desk import Applied, DeskState
from agent_tui.model.linked import LinkStatus, NoLink
from agent_tui.model.outbox import Outbox
from agent_tui.settings import Paths
from broker_bridge.contract.commands import (
    Accept,
    Act,
    AddTask,
    Close,
    Confirm,
    Decline,
    FinishTask,
    Handover,
    Note,
    Presence,
    Reply,
    Request,
    Rows,
    Snooze,
    Thread,
    Transfer,
    Typing,
    Unwatch,
    WrapUp,
)
from broker_bridge.contract.ids import ConversationId, Mint
from broker_bridge.contract.views import Answer, HandoverView, Row, RowPage, ThreadFeed, ThreadPage

LOOK_S = 0.4
GLANCE_S = 9.0
"""Between looks at what the others do."""
FIRST_WORDS = "Hello, I have taken over and read what you wrote. One moment, please."
LAST_WORDS = "Thank you, and have a good day."
WAITING_WORDS = ("on the phone with the branch", "in the middle of a complaint", "the one before needs me")
ADVICE = "I know the case: the phone group did not block the card. Block it first, then open the dispute."
USUAL = "solved"
TASK = "Look whether it has arrived"
SNOOZE_S = 90.0
TASK_S = 240.0
BREAK_S = 40.0


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
        self._advised: set[ConversationId] = set()
        self._slept: set[ConversationId] = set()
        self._missed: set[tuple[ConversationId, int | None]] = set()
        self._tasks: dict[str, tuple[ConversationId, float]] = {}
        """Own follow-ups: when they are looked at."""
        self.replies = 0
        self.closed = 0
        self.transfers = 0
        self.declined = 0
        self.missed = 0
        self.is_up = False

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._link.run())
                group.create_task(self._glance())
                group.create_task(self._breaks())
                while True:
                    await asyncio.sleep(LOOK_S * min(1.0, self._pace * 2))
                    if self.is_up:
                        for row in list(self.state.rows.values()):
                            await self._look_at(row)
                        self._look_at_tasks()
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
        if row.conv in self._pending:
            return
        story = self._stories.get(row.name)
        if row.state == "ringing":
            self._answer_offer(row, story)
        elif row.state == "wrap_up":
            if self._is_due(row, "wrap", self._manner.wraps_s):
                self._wrap_up(row)
        elif row.state == "consult":
            await self._advise(row)
        elif row.state == "mine" and (row.transfer_to or row.consult_with):
            if "confirm" in row.verbs and self._is_due(row, "confirm", self._manner.talks_s):
                self._post(Confirm(id=self._link.new_id(), conversation=row.conv, epoch=row.epoch))
        elif row.state == "mine" and row.waiting_since_ms is not None:
            self._due_s.pop((row.conv, "close"), None)
            if self._is_due(row, "answer", self._manner.answers_s):
                await self._answer(row, story)
        elif row.state == "mine":
            self._due_s.pop((row.conv, "answer"), None)
            if self._is_due(row, "close", self._manner.closes_s):
                self._leave(row)

    def _answer_offer(self, row: Row, story: Story | None) -> None:
        rung = (row.conv, row.offer_until_ms)
        if rung in self._missed:
            return
        is_given = row.offer_kind != "router"
        is_known = story is not None or self._manner.takes_strangers or is_given
        if not is_known:
            if self._is_due(row, "decline", (0.5, 1.5)):
                self._decline(row, "for the desk beside me")
        elif self._is_due(row, "accept", self._manner.accepts_s):
            fate = 1.0 if is_given else self._chance.random()
            if fate < self._manner.misses:
                self._missed.add(rung)
                self.missed += 1
            elif fate < self._manner.misses + self._manner.declines:
                self._decline(row, self._chance.choice(WAITING_WORDS))
            else:
                self._post(Accept(id=self._link.new_id(), conversation=row.conv, epoch=row.epoch))

    def _decline(self, row: Row, word: str) -> None:
        self.declined += 1
        self._post(Decline(id=self._link.new_id(), conversation=row.conv, epoch=row.epoch, reason=word))

    async def _advise(self, row: Row) -> None:
        """Asked for a talk: say what one knows, once; who asked then hands over or keeps it."""
        if row.conv in self._advised or not self._is_due(row, "advise", self._manner.answers_s):
            return
        self._advised.add(row.conv)
        self._post(Note(id=self._link.new_id(), conversation=row.conv, text=ADVICE, to=row.owner or None))

    async def _answer(self, row: Row, story: Story | None) -> None:
        """Read the case, type, and answer, hand over or close."""
        page = await self._ask(Thread(conversation=row.conv, limit=50, watch=True))
        if not isinstance(page, ThreadPage) or not page.reach:
            return
        said = sum(1 for item in page.items if item.kind in ("you", "colleague"))
        is_asking = story is not None and bool(story.hand_over) and bool(self._manner.gives_to)
        # The customer has a first answer before somebody else is asked.
        if story is not None and is_asking and said and row.conv not in self._given:
            await self._ask_for_a_talk(row, story)
            return
        advice = story.advice if story is not None else ()
        if said > len(advice):
            self._leave(row)
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

    async def _ask_for_a_talk(self, row: Row, story: Story) -> None:
        """A consult with what the log knows of the case; whoever was asked gets it after the talk."""
        self._given.add(row.conv)
        known = await self._ask(Handover(conversation=row.conv))
        self.transfers += 1
        self._post(
            Transfer(
                id=self._link.new_id(),
                conversation=row.conv,
                epoch=row.epoch,
                to_agent=self._manner.gives_to,
                note=story.hand_over,
                packet=known.packet if isinstance(known, HandoverView) else None,
                ask_first=True,
                seen=known.seen if isinstance(known, HandoverView) else 0,
            )
        )

    def _leave(self, row: Row) -> None:
        """Answered, and nothing came back: it sleeps for a while, or it is done."""
        id = self._link.new_id()
        if row.conv not in self._slept and "snooze" in row.verbs and self._chance.random() < self._manner.snoozes:
            self._slept.add(row.conv)
            until_ms = _now_ms() + int(SNOOZE_S * self._pace * 1000)
            self._post(Snooze(id=id, conversation=row.conv, epoch=row.epoch, until_ms=until_ms))
            return
        if row.conv not in self._tasks and "add_task" in row.verbs and self._chance.random() < self._manner.tasks:
            due_s = TASK_S * self._pace
            self._tasks[id] = (row.conv, time.monotonic() + due_s + self._chance.uniform(5.0, 20.0) * self._pace)
            due_ms = _now_ms() + int(due_s * 1000)
            self._link.post(
                AddTask(id=id, conversation=row.conv, text=TASK, assignee=self.agent, due_ms=due_ms, epoch=row.epoch)
            )
        self._post(Close(id=self._link.new_id(), conversation=row.conv, epoch=row.epoch))
        self.closed += 1

    def _wrap_up(self, row: Row) -> None:
        self._post(WrapUp(id=self._link.new_id(), conversation=row.conv, disposition=USUAL, epoch=row.epoch))

    def _look_at_tasks(self) -> None:
        for task, (conv, due_s) in list(self._tasks.items()):
            if time.monotonic() >= due_s:
                del self._tasks[task]
                self._link.post(FinishTask(id=self._link.new_id(), conversation=conv, task=task, note="it has"))

    async def _breaks(self) -> None:
        """Now and then away with a reason, once the work in hand is done."""
        every_s, length_s = self._manner.break_every_s * self._pace, BREAK_S * self._pace
        while every_s:
            await asyncio.sleep(every_s * self._chance.uniform(0.7, 1.3))
            back_ms = _now_ms() + int(length_s * 1000)
            await self._ask(Presence(state="away", reason=self._manner.reason, until_ms=back_ms))
            await asyncio.sleep(length_s)
            await self._ask(Presence(state="ready"))

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

    async def _ask(self, request: Request) -> Answer | None:
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
