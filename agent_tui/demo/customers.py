"""The street before the contact center: customers come, write, wait, react and go.

Law: never more than `MOST_OPEN` at once, and a new one comes only while the desk has room; the same seed gives the same
people in the same order with the same pauses. A person reads before answering and types before a message is there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from agent_tui.demo.chat import ChatVisit
from agent_tui.demo.chatters import CHATTERS
from agent_tui.demo.mailbox import MailVisit, PostOffice
from agent_tui.demo.stories import Line, Mood, Reaction, Story, react
from agent_tui.demo.writers import WRITERS

MOST_OPEN = 9
MOST_CASES = 12
FIRST_GAPS_S = (1.0, 3.0, 4.0, 8.0, 12.0)
"""The desk is alive from the first minute; after these the street is calmer."""
GAP_S = (18.0, 45.0)
LONGEST_TYPING_S = 9.0
LETTERS_A_S = 14.0
NUDGE_S = 80.0
LEAVES_S = 420.0
"""Nobody waits longer for an answer."""
PAUSE_AFTER_S = (4.0, 9.0)
MAIL_PAUSE_S = (9.0, 20.0)


class Visit(Protocol):
    """One customer's way to us."""

    async def say(self, text: str, file: str = "") -> None: ...

    async def hear(self) -> str: ...

    async def type(self, seconds: float) -> None:
        """Spend this time writing, seen or not."""


@dataclass
class Tally:
    """What the street has done, for the summary."""

    came: int = 0
    said_by_chat: int = 0
    said_by_mail: int = 0
    answers: int = 0
    content: int = 0
    """Customers who left with thanks."""


@dataclass(frozen=True, kw_only=True)
class Town:
    """Where the customers live: how they reach us, and how fast their time goes."""

    web: str
    smtp_port: int
    ours: str
    office: PostOffice
    pace: float = 1.0
    """Factor on every pause."""


class _Chatting:
    """A visit by web chat."""

    def __init__(self, visit: ChatVisit, tally: Tally, pace: float) -> None:
        self._visit = visit
        self._tally = tally
        self._pace = pace

    async def say(self, text: str, file: str = "") -> None:
        if text:
            await self._visit.say(text)
            self._tally.said_by_chat += 1
        if file:
            await self._visit.send_file(file)
            self._tally.said_by_chat += 1

    async def hear(self) -> str:
        return await self._visit.heard.get()

    async def type(self, seconds: float) -> None:
        await self._visit.typing(True)
        await asyncio.sleep(seconds * self._pace)
        await self._visit.typing(False)


class _Mailing:
    """A visit by e-mail."""

    def __init__(self, visit: MailVisit, tally: Tally, pace: float) -> None:
        self._visit = visit
        self._tally = tally
        self._pace = pace

    async def say(self, text: str, file: str = "") -> None:
        await self._visit.say(text, file)
        self._tally.said_by_mail += 1

    async def hear(self) -> str:
        return await self._visit.hear()

    async def type(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._pace)


class Street:
    """Lets customers come. `run` must be running."""

    def __init__(self, town: Town, open_cases: Callable[[], int], seed: int) -> None:
        """`open_cases`: how many conversations the desk has now."""
        self._town = town
        self._open_cases = open_cases
        self._seed = seed
        self._chance = random.Random(seed)
        self._here: set[str] = set()
        self._chats: dict[str, ChatVisit] = {}
        self.tally = Tally()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            gaps = iter(FIRST_GAPS_S)
            for number, story in enumerate(self._order()):
                await asyncio.sleep((next(gaps, None) or self._chance.uniform(*GAP_S)) * self._town.pace)
                await self._room(story)
                self._here.add(story.name)
                self.tally.came += 1
                group.create_task(self._visit(story, random.Random(f"{self._seed}:{number}"), group))

    async def _room(self, story: Story) -> None:
        """Wait until the desk has room, and the same person is not here already."""
        while True:
            if story.name not in self._here and len(self._here) < MOST_OPEN and self._open_cases() < MOST_CASES:
                return
            await asyncio.sleep(max(0.2, self._town.pace))

    def _order(self) -> list[Story]:
        """Everybody in their first story, chats and mails mixed; then again and again with what comes up later."""
        chatters, writers = list(CHATTERS[4:]), list(WRITERS[1:])
        self._chance.shuffle(chatters)
        self._chance.shuffle(writers)
        # The first five are always the same: a chat, a mail, and three scripts in the list.
        first = [CHATTERS[0], WRITERS[0], CHATTERS[1], CHATTERS[2], CHATTERS[3]]
        rest = [story for pair in zip(chatters, [*writers, *([None] * 9)], strict=False) for story in pair if story]
        people = [*first, *rest]
        return people + [_later(story) for _ in range(200) for story in people if story.again]

    async def _visit(self, story: Story, chance: random.Random, group: asyncio.TaskGroup) -> None:
        try:
            visit: Visit
            if story.way == "chat":
                chat = self._chats.get(story.name)
                if chat is None:
                    chat = ChatVisit(self._town.web, story.name, story.page, f"demo{len(self._chats):03d}-{self._seed}")
                    self._chats[story.name] = chat
                    group.create_task(chat.run())
                visit = _Chatting(chat, self.tally, self._town.pace)
            else:
                visit = self._mail(story)
            await self._live(story, visit, chance)
        finally:
            self._here.discard(story.name)

    def _mail(self, story: Story) -> _Mailing:
        town = self._town
        return _Mailing(MailVisit(story, town.office, town.smtp_port, town.ours), self.tally, town.pace)

    async def _live(self, story: Story, visit: Visit, chance: random.Random) -> None:
        """One customer from the first word to the thanks."""
        for number, line in enumerate(story.opening):
            # The first words stood ready when they came in: nobody has seen them type.
            if number or line.is_dropped:
                await self._pause(line.after_s * chance.uniform(0.8, 1.3))
                await visit.type(typing_s(line.text))
            if line.is_dropped:
                continue
            await visit.say(line.text, line.file)
        mood = Mood(story)
        while True:
            answer = await self._answer(story, visit)
            if answer is None:
                return
            self.tally.answers += 1
            await self._pause(chance.uniform(*(MAIL_PAUSE_S if story.way == "mail" else PAUSE_AFTER_S)))
            reaction = react(mood, answer)
            if reaction.by_mail:
                # What was asked in the chat is answered by mail; what comes back is heard there.
                visit = self._mail(story)
                await self._pause(chance.uniform(*MAIL_PAUSE_S))
            await _do(reaction, visit)
            if reaction.is_end:
                self.tally.content += 1
                return

    async def _answer(self, story: Story, visit: Visit) -> str | None:
        """What an agent writes next; None: the customer has waited long enough."""
        for wait_s, words in ((NUDGE_S, story.nudge), (LEAVES_S, "")):
            try:
                async with asyncio.timeout(wait_s * self._town.pace):
                    return await visit.hear()
            except TimeoutError:
                if words:
                    await visit.type(typing_s(words))
                    await visit.say(words)
        return None

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._town.pace)


async def _do(reaction: Reaction, visit: Visit) -> None:
    for number, text in enumerate(reaction.say):
        await visit.type(typing_s(text))
        is_last = number == len(reaction.say) - 1
        await visit.say(text, reaction.file if is_last else "")
    if reaction.file and not reaction.say:
        await visit.say("", reaction.file)


def typing_s(text: str) -> float:
    """How long a person writes on this, seconds."""
    return min(LONGEST_TYPING_S, 1.0 + len(text) / LETTERS_A_S)


def _later(story: Story) -> Story:
    """The same person on another day."""
    return replace(story, opening=(Line(text=story.again),), subject="", note="", hand_over="")
