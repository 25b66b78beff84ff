"""A read model made anew from the log is the one that grew with it, whatever was merged, split, put off and done on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import msgspec
import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.core.state import CLOSED, MERGED, NEW, OWNED
from tests.daemon.small_house import Small, message

CASES = ("one", "two", "three", "four")


class Story:
    """What a few people do in an afternoon, drawn from a seed."""

    def __init__(self, small: Small, seed: int) -> None:
        self.small = small
        self.random = Random(seed)
        self.cases = list(CASES)
        self.number = 0
        self.done = Counter[str]()

    def _id(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}"

    def says(self, case: str) -> None:
        """The customer writes: somebody else's bridge appended it."""
        name = self._id("m")
        said = msgspec.structs.replace(
            message(case, text=f"text {name}", channel="chat"), message=name, item=f"i{name}"
        )
        state = self.small.state(case)
        if state.is_open and state.seq <= self.small.follower.position:
            self.small.log.put("conv", case, said)

    def wish(self, case: str) -> c.Act:
        state = self.small.state(case)
        pick = self.random.random()
        if state.status == MERGED:
            return c.Unmerge(id=self._id("u"), conversation=case)
        if state.status == CLOSED:
            return c.Reopen(id=self._id("r"), conversation=case)
        if pick < 0.2:
            others = [one for one in self.cases if one != case]
            return c.Merge(id=self._id("g"), conversation=case, into=self.random.choice(others))
        if pick < 0.35:
            items = [one.id for one in self.small.model.items(case, None, 100) if "-" not in one.id]
            return c.Split(id=self._id("s"), conversation=case, message=self.random.choice(items or ["none"]))
        if pick < 0.6:
            due_ms = self.small.now_ms + 60_000
            return c.AddTask(id=self._id("t"), conversation=case, text="call", due_ms=due_ms, observers=("bob",))
        if pick < 0.7 and state.tasks:
            task = self.random.choice(sorted(state.tasks))
            return c.FinishTask(id=self._id("f"), conversation=case, task=task, is_dropped=pick < 0.65)
        if pick < 0.75 and state.tasks:
            task = self.random.choice(sorted(state.tasks))
            return c.ChangeTask(id=self._id("h"), conversation=case, task=task, text="call again", assignee="bob")
        if pick < 0.8:
            return c.Close(id=self._id("c"), conversation=case, disposition="solved")
        if pick < 0.9:
            return c.Note(id=self._id("n"), conversation=case, text="noted")
        return c.Snooze(id=self._id("z"), conversation=case, until_ms=self.small.now_ms + 60_000)

    async def step(self) -> None:
        """Somebody does something; the follower comes after it, or later."""
        case = self.random.choice(self.cases)
        if self.random.random() < 0.3:
            await self.small.catch_up()
            self.says(case)
            return
        if self.small.state(case).status not in (OWNED, MERGED, CLOSED, NEW):
            await self.small.ask("olga", c.Accept(id=self._id("a"), conversation=case))
        wish = self.wish(case)
        if isinstance(wish, c.Split) or self.random.random() < 0.4:
            await self.small.catch_up()
        answer = await self.small.ask("olga", wish)
        if isinstance(answer, c.Done):
            self.done[type(wish).__name__] += 1
            if isinstance(wish, c.Split) and answer.conversation:
                self.cases.append(answer.conversation)
        self.small.later(self.random.choice((1, 20)))


async def grown(seed: int) -> tuple[Small, Counter[str]]:
    small = Small()
    small.enroll("olga", role="supervisor")
    small.enroll("bob")
    for case in CASES:
        small.case(case, channel="chat", customer="anna")
        small.log.put(
            "hand", f"hand-{case}", f.Bound(customer="anna", channel_kind="webchat"), f.Began(conversation=case)
        )
    await small.catch_up()
    story = Story(small, seed)
    writing = asyncio.create_task(small.writer.run())
    for _ in range(60):
        await story.step()
    writing.cancel()
    await small.catch_up()
    return small, story.done


@pytest.mark.parametrize("seed", range(16))
async def test_a_model_made_anew_is_the_one_that_grew(seed: int) -> None:
    small, _ = await grown(seed)
    for size in (1, 7, 10_000):
        anew = Small(log=small.log, keys=small.keys, boot=f"anew{size}")
        items = [item for item in small.log.items if item.subject.startswith("cc.log.")]
        for start in range(0, len(items), size):
            await anew.follower.apply(items[start : start + size])
        assert anew.model.checksum() == small.model.checksum(), _difference(small, anew)


async def test_the_stories_merge_split_and_undo() -> None:
    """Or the test above would show little."""
    done: Counter[str] = Counter()
    for seed in range(16):
        done += (await grown(seed))[1]
    for kind in ("Merge", "Unmerge", "Split", "AddTask", "FinishTask", "ChangeTask", "Close", "Reopen", "Snooze"):
        assert done[kind] >= 5, done


def _difference(one: Small, other: Small) -> str:
    """The first table and rows that are not equal."""
    for (table,) in one.model.db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    ).fetchall():
        if table.startswith(("words", "sqlite")):
            continue
        rows = [set(map(str, small.model.db.execute(f"SELECT * FROM {table}").fetchall())) for small in (one, other)]
        if rows[0] != rows[1]:
            return f"{table}: {sorted(rows[0] - rows[1])[:2]} {sorted(rows[1] - rows[0])[:2]}"
    return "no table"
