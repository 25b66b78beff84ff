"""What a terminal is told of reminders after a hello, and that no message claims more than was told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.words import Words
from tests.daemon.small_house import NOW_MS, Small


@pytest.fixture
async def small() -> AsyncIterator[Small]:
    """Maya owns a case with a task for Lena that Olga follows, and Lena was reminded of it."""
    made = Small()
    for agent, role in (("maya", "agent"), ("lena", "agent"), ("olga", "supervisor")):
        made.enroll(agent, role)
    made.case("case", channel="chat")
    words = Words(text="call the bank")
    task = f.TaskAdded(task="t", agent="maya", assignee="lena", due_ms=NOW_MS - 1_000, observers=("olga",), words=words)
    made.log.put("conv", "case", f.Accepted(agent="maya", epoch=1), task)
    made.log.put("conv", "case", f.TaskReminded(task="t", due_ms=NOW_MS - 1_000))
    async with made.working():
        yield made


async def told(small: Small, agent: str, since: int) -> list[tuple[str, str]]:
    """(kind, text) of the notices in the answer to a hello."""
    small.home.close(agent)
    assert isinstance(await small.ask(agent, c.Hello(since=since)), v.Welcome)
    small.told.clear()
    await small.home.flush(small.home.feeds[agent])
    feeds = [codec.feed(body) for subject, body in small.told if subject == f"cc.view.{agent}.desk"]
    return [(one.kind, one.text) for feed in feeds for one in feed.notices]


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("lena", [("reminder", "A task is due: call the bank")]),
        ("olga", [("observed", "Lena: a task is due: call the bank")]),
        ("maya", []),
    ],
)
async def test_whoever_it_concerns_and_was_told_less_hears_of_it_once(
    small: Small, agent: str, expected: list[tuple[str, str]]
) -> None:
    seq = small.state("case").tasks["t"].reminded_seq
    assert seq == small.state("case").seq
    assert await told(small, agent, seq - 1) == expected
    assert await told(small, agent, seq) == []
    # Whoever begins anew has the count in the status line.
    assert await told(small, agent, 0) == []


@pytest.mark.parametrize(
    "fact",
    [
        f.TaskDone(task="t", agent="lena"),
        f.TaskChanged(task="t", agent="maya", assignee="lena", due_ms=NOW_MS + 10**9, words=Words(text="later")),
    ],
)
async def test_what_is_done_or_due_later_is_no_news(small: Small, fact: f.ConversationFact) -> None:
    small.log.put("conv", "case", fact)
    await small.catch_up()
    assert await told(small, "lena", 1) == []


async def test_a_reminder_that_waits_to_be_told_is_not_added_and_not_claimed(small: Small) -> None:
    small.log.put("conv", "case", f.TaskChanged(task="t", agent="maya", assignee="lena", due_ms=NOW_MS - 500))
    await small.catch_up()
    assert isinstance(await small.ask("lena", c.Hello(since=1)), v.Welcome)
    feed = small.home.feeds["lena"]
    await small.home.flush(feed)
    before = small.follower.position
    small.log.put("conv", "case", f.TaskReminded(task="t", due_ms=NOW_MS - 500))
    await small.catch_up()
    assert len(feed.notices) == 1
    # A beat now would be believed, should the bridge die before the notice leaves.
    assert small.home._upto(feed) == before < small.follower.position
    assert isinstance(await small.ask("lena", c.Hello(since=before)), v.Welcome)
    assert len(feed.notices) == 1
    await small.home.flush(feed)
    assert small.home._upto(feed) == small.follower.position
