"""Decide, then append, over a log in memory: races, lost answers, full stores, groups; nothing is written twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
import pytest_asyncio

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import Words
from broker_bridge.daemon.logwriter import Blocked, LogWriter, Overloaded
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.states import CONV, Cell, States
from broker_bridge.daemon.wire import LostRace, Outgoing, Stored, StoreFull, TooLarge, Unknown
from tests.daemon.test_seal import KEY, Bucket
from tests.until import until

EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class Log:
    """LOG in memory: compare-and-set by subject, all or none; `plan` says what goes wrong with the next appends."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.plan: deque[str] = deque()
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_gate = 0

    def last(self, subject: str) -> int:
        return max((seq for seq, (known, _) in enumerate(self.messages, 1) if known == subject), default=0)

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored:
        return await self.publish_batch([msg])

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = 10.0) -> Stored:
        self.at_gate += 1
        await self.gate.wait()
        await asyncio.sleep(0)
        fault = self.plan.popleft() if self.plan else ""
        if fault == "lost":
            raise Unknown("the message was lost on its way")
        if fault == "full":
            raise StoreFull("no room")
        if any(len(msg.body) > 100_000 for msg in msgs):
            raise TooLarge("more than the broker takes")
        if any(self.last(msg.subject) != int(msg.headers[EXPECTED]) for msg in msgs):
            raise LostRace("another was first")
        self.messages += [(msg.subject, msg.body) for msg in msgs]
        self.batches.append(len(msgs))
        if fault == "unanswered":
            raise Unknown("the answer was lost on its way")
        return Stored(len(self.messages), False)

    async def subject_messages(
        self, stream: str, subject: str, *, start_seq: int = 1
    ) -> list[tuple[int, bytes, dict[str, str]]]:
        await asyncio.sleep(0)
        return [(seq, body, {}) for seq, (known, body) in enumerate(self.messages, 1) if known == subject]


class Bridge:
    """The writing half of a bridge."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.now_s = 0.0
        sealer = Sealer(KEY, Bucket())
        self.states = States(ReadModel(None), sealer, log)
        self.writer = LogWriter(log, self.states, sealer, lambda: self.now_s, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)

    async def note(self, conv: str, command: str, text: str = "x") -> int:
        """A command that adds one note."""
        async with self.writer.hold((CONV, conv)) as cells:
            seq, _ = await self.writer.decide(cells, command, lambda: (_noted(cells[0], command, text), None))
        return seq


def _noted(cell: Cell, command: str, text: str) -> Mapping[int, tuple[Entry, str]]:
    if command in cell.state.commands:
        return {}
    fact = f.Noted(message=f"m-{command}", agent="maya", words=Words(text=text))
    return {0: (Entry(at_ms=1, by="agent:maya", command=command, facts=(fact,)), "")}


@pytest.fixture
def log() -> Log:
    return Log()


@contextlib.asynccontextmanager
async def _running(bridge: Bridge) -> AsyncIterator[Bridge]:
    task = asyncio.create_task(bridge.writer.run())
    try:
        yield bridge
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest_asyncio.fixture
async def one(log: Log) -> AsyncIterator[Bridge]:
    async with _running(Bridge(log)) as bridge:
        yield bridge


@pytest_asyncio.fixture
async def two(log: Log) -> AsyncIterator[Bridge]:
    async with _running(Bridge(log)) as bridge:
        yield bridge


def _commands(log: Log) -> list[str]:
    return [codec.entry(body).command for _, body in log.messages]


@pytest.mark.parametrize("fault", ["unanswered", "lost"])
async def test_a_command_whose_answer_was_lost_is_written_once(log: Log, one: Bridge, fault: str) -> None:
    log.plan.extend([fault])
    assert await one.note("c1", "k1") == 1
    assert _commands(log) == ["k1"]


async def test_a_race_that_was_lost_is_decided_again_on_what_the_winner_wrote(
    log: Log, one: Bridge, two: Bridge
) -> None:
    await one.note("c1", "k1")
    assert await two.note("c1", "k2") == 2
    assert two.writer.races == 1
    assert set(two.states.cell(CONV, "c1").state.commands) == {"k1", "k2"}


async def test_many_commands_on_two_bridges_are_each_written_once(log: Log, one: Bridge, two: Bridge) -> None:
    log.plan.extend(["", "unanswered", "lost", "", "", "unanswered"] * 3)
    notes = [bridge.note(f"c{n % 3}", f"k{n}") for n in range(30) for bridge in (one, two)]
    await asyncio.gather(*notes)
    assert sorted(_commands(log)) == sorted(f"k{n}" for n in range(30))


async def _first(log: Log, bridge: Bridge) -> asyncio.Task[int]:
    """A command whose batch is being written until the gate opens."""
    log.gate.clear()
    log.at_gate = 0
    task = asyncio.create_task(bridge.note("c-first", "k-first"))
    await until(lambda: log.at_gate, saying="the first batch is under way")
    return task


async def test_what_arrives_while_a_batch_is_written_goes_together(log: Log, one: Bridge) -> None:
    first = await _first(log, one)
    notes = [asyncio.create_task(one.note(f"c{n}", f"k{n}")) for n in range(19)]
    await until(lambda: len(one.writer._waiting) == 19, saying="the others wait")
    log.gate.set()
    assert sorted(await asyncio.gather(first, *notes)) == list(range(1, 21))
    assert log.batches == [1, 19]


async def test_one_stale_decision_does_not_take_its_group_with_it(log: Log, one: Bridge, two: Bridge) -> None:
    await one.note("stale", "k0")
    first = await _first(log, two)
    notes = [asyncio.create_task(two.note(f"c{n}", f"k{n}")) for n in range(1, 5)]
    notes.append(asyncio.create_task(two.note("stale", "k9")))
    await until(lambda: len(two.writer._waiting) == 5, saying="the others wait")
    log.gate.set()
    await asyncio.gather(first, *notes)
    assert sorted(_commands(log)) == ["k-first", "k0", "k1", "k2", "k3", "k4", "k9"]


async def test_an_entry_that_is_too_large_fails_alone(log: Log, one: Bridge) -> None:
    first = await _first(log, one)
    large = asyncio.create_task(one.note("c1", "k1", "x" * 200_000))
    small = asyncio.create_task(one.note("c2", "k2"))
    await until(lambda: len(one.writer._waiting) == 2, saying="both wait")
    log.gate.set()
    done = await asyncio.gather(first, large, small, return_exceptions=True)
    assert isinstance(done[1], TooLarge)
    assert sorted(_commands(log)) == ["k-first", "k2"]


async def test_a_full_log_is_told_at_once(log: Log, one: Bridge) -> None:
    log.plan.append("full")
    with pytest.raises(Overloaded, match="full"):
        await one.note("c1", "k1")
    assert await one.note("c1", "k1") == 1


async def test_a_broker_that_stays_away_is_waited_for_fifteen_seconds(log: Log, one: Bridge) -> None:
    log.plan.extend(["lost"] * 200)
    with pytest.raises(Overloaded):
        await one.note("c1", "k1")
    assert one.now_s <= 30
    assert log.messages == []


async def test_a_fact_of_a_later_version_blocks_its_aggregate_and_no_other(log: Log, one: Bridge) -> None:
    await one.note("c1", "k1")
    log.messages.append(("cc.log.conv.c1", b'{"at_ms":1,"by":"x","facts":[{"kind":"levitated"}]}'))
    with pytest.raises(Blocked, match="later version"):
        await one.note("c1", "k2")
    assert await one.note("c2", "k3") == 3


async def test_a_reload_does_not_undo_what_the_follower_did_meanwhile(log: Log, one: Bridge, two: Bridge) -> None:
    await two.note("c1", "k1")
    cell = one.states.cell(CONV, "c1")
    reading = asyncio.create_task(one.states.reload(cell))
    real = log.subject_messages
    read = await real("LOG", "cc.log.conv.c1")
    await two.note("c1", "k2")
    for seq, (_, body) in enumerate(log.messages, 1):
        one.states.fold(cell, codec.entry(body), seq)
    assert len(read) == 1 and cell.state.seq == 2
    await reading
    assert set(cell.state.commands) == {"k1", "k2"} and cell.state.seq == 2
