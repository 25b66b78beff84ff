"""Eight bridges that all believe they lead, and agents who accept, decline, let ring and close at once: one history, no limit exceeded.

The bridges are the product's own parts over one real broker; each has its connection, its picture of the house and a router without a
lease. What LOG holds and what agents were answered goes through `linear`, which knows nothing of how the parts decide.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.envelopes import Envelope, Said
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.policy import Cost, DeskRules, Disposition, QueueRules
from broker_bridge.contract.words import Address, Words
from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.parts import Parts
from broker_bridge.daemon.wire import BusError, Outgoing
from tests.daemon.bridges import bridge_parts
from tests.daemon.linear import DONE, Call, History
from tests.daemon.real_broker import RealBroker
from tests.until import until

ROUTERS = 8
AGENTS = 20
KIND = "fake"
COST = 20
"""Units of a conversation."""
SOLVED = Disposition(name="solved")
PLACES = 3
"""Conversations that an agent can carry at once."""
RINGS_S = 1
_numbers = itertools.count(1)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Board:
    """What LOG says, entry by entry, and what agents were told."""

    log: list[tuple[int, str, Entry]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    known: int = 0
    """The greatest LOG sequence that anybody here was told of."""
    asked: dict[str, asyncio.Queue[tuple[int, str, int]]] = field(default_factory=dict)
    """By agent: (sequence, conversation, until when it rings in ms) of each offer."""
    taken: dict[str, asyncio.Queue[str]] = field(default_factory=dict)
    """By agent: conversations that became theirs."""
    open: set[str] = field(default_factory=set)
    cases: set[str] = field(default_factory=set)
    facts: Counter[str] = field(default_factory=Counter)

    async def follow(self, bus: Bus) -> None:
        async for item in await bus.follow(subjects.LOG, 1):
            entry = codec.entry(item.body)
            self.log.append((item.seq, item.subject, entry))
            self.known = max(self.known, item.seq)
            _, _, kind, name = item.subject.split(".")
            if kind == "conv":
                self._note(item.seq, name, entry)

    def left_open(self) -> str:
        """The last entries of a case that nobody ends."""
        name = min(self.open, default="")
        last = [(seq, entry) for seq, subject, entry in self.log if subject.endswith(f".{name}")][-5:]
        told = [call for call in self.calls if call.conversation == name][-5:]
        return f"{len(self.open)} of {len(self.cases)} are open: {self.facts}; {name}: {told}; {last}"

    def _note(self, seq: int, name: str, entry: Entry) -> None:
        self.cases.add(name)
        for fact in entry.facts:
            self.facts[type(fact).__name__] += 1
            if isinstance(fact, f.Closed):
                self.open.discard(name)
            elif isinstance(fact, f.Opened | f.Reopened | f.Queued):
                self.open.add(name)
            elif isinstance(fact, f.Accepted):
                self.taken[fact.agent].put_nowait(name)
            elif isinstance(fact, f.Offered):
                for agent in (fact.agent, *fact.also):
                    self.asked[agent].put_nowait((seq, name, fact.until_ms))


class Hand:
    """One agent with two hands on two terminals: quick, late, undecided, and sometimes greedy."""

    def __init__(self, name: str, bus: Bus, board: Board, seed: int) -> None:
        self.name = name
        self._bus = bus
        self._board = board
        self._dice = random.Random(seed)
        self._mint = ids.Mint(next(_numbers), 1)
        self._seen = 0
        self._asked = board.asked.setdefault(name, asyncio.Queue())
        self._taken = board.taken.setdefault(name, asyncio.Queue())

    async def work(self) -> None:
        """Take part until cancelled."""
        await until(self._is_in, bound_s=30.0, saying=f"{self.name} is not let in")
        async with asyncio.TaskGroup() as hands:
            hands.create_task(self._stay())
            hands.create_task(self._mind(hands))
            while True:
                seq, conversation, until_ms = await self._asked.get()
                self._seen = max(self._seen, seq)
                hands.create_task(self._answer(conversation, until_ms))

    async def _is_in(self) -> bool:
        if not isinstance(await self._say(c.Hello(device="t")), v.Welcome):
            return False
        return isinstance(await self._say(c.Presence(state="ready")), c.Done)

    async def _stay(self) -> None:
        while True:
            await self._say(c.Alive())
            await asyncio.sleep(8.0)

    async def _mind(self, hands: asyncio.TaskGroup) -> None:
        """What stands in their list, though they were told that they were late: a copy of the command was on its way for longer."""
        while True:
            hands.create_task(self._end(await self._taken.get()))

    async def _end(self, conversation: str) -> None:
        await asyncio.sleep(3.0)
        if conversation in self._board.open:
            await self._do("close", conversation)

    async def _answer(self, conversation: str, until_ms: int) -> None:
        choice = self._dice.random()
        if choice < 0.15:
            await self._do("decline", conversation)
            return
        if choice < 0.25 and self._board.open:
            # A colleague's, perhaps: greedy hands take what rings elsewhere.
            conversation = self._dice.choice(sorted(self._board.open))
        elif choice < 0.40:
            # Just when it has rung out, or a moment before.
            left_ms = until_ms - _now_ms()
            await asyncio.sleep(max(0.0, left_ms + self._dice.uniform(-100.0, 100.0)) / 1000)
        elif choice < 0.50:
            return
        if await self._do("accept", conversation, is_twice=self._dice.random() < 0.3) == DONE:
            await asyncio.sleep(self._dice.uniform(0.0, 0.4))
            await self._do("close", conversation, is_twice=self._dice.random() < 0.2)

    async def _do(self, verb: str, conversation: str, is_twice: bool = False) -> str:
        """Say a command until it is answered, perhaps from both terminals at once; gives `done` or the code of the refusal."""
        wish = self._wish(verb, conversation)
        after, seen = self._board.known, self._seen
        answers = await asyncio.gather(*(self._insist(wish) for _ in range(2 if is_twice else 1)))
        ended_ms = _now_ms()
        told = [
            Call(
                agent=self.name,
                verb=verb,
                id=wish.id,
                conversation=conversation,
                after=after,
                seen=seen,
                ended_ms=ended_ms,
                answer=answer.code if isinstance(answer, c.Refusal) else DONE,
                upto=int(getattr(answer, "upto", 0)),
            )
            for answer in answers
        ]
        newest = max(call.upto for call in told)
        self._seen = max(self._seen, newest)
        self._board.known = max(self._board.known, newest)
        # Of two terminals one may be refused by a bridge that is behind, and the other be served: then it was done.
        done = [call for call in told if call.answer == DONE]
        self._board.calls += done or told
        return DONE if done else told[0].answer

    def _wish(self, verb: str, conversation: str) -> c.Accept | c.Decline | c.Close:
        name = self._mint.new(_now_ms())
        if verb == "accept":
            return c.Accept(id=name, conversation=conversation, min=self._seen)
        if verb == "decline":
            return c.Decline(id=name, conversation=conversation, min=self._seen)
        return c.Close(id=name, conversation=conversation, min=self._seen, disposition="solved")

    async def _insist(self, wish: c.Request) -> object:
        async def answered() -> object | None:
            answer = await self._say(wish)
            return None if isinstance(answer, c.Refusal) and answer.is_retryable else answer

        return await until(answered, bound_s=60.0, saying=f"{self.name} is not answered")

    async def _say(self, request: c.Request) -> object | None:
        try:
            verb = str(request.__struct_config__.tag)
            return codec.answer(await self._bus.request(subjects.do(self.name, verb), codec.encode(request), 10.0))
        except BusError:
            return None


async def _lead_for_ever(bridges: list[Parts]) -> None:
    """Each believes that it alone leads, whatever the lease says."""
    while True:
        for one in bridges:
            one.router.is_leader = True
        await asyncio.sleep(0.05)


async def _furnish(bus: Bus, names: list[str]) -> None:
    """One queue that rings for a moment and wants nothing after the end; what a conversation takes; and agents for a few each."""
    rules = QueueRules(offer_s=RINGS_S, affinity_s=0, responsible_first=False, wrap_up="none", dispositions=(SOLVED,))
    house = DeskRules(costs=(Cost(channel_kind=KIND, units=COST),), dispositions=(SOLVED,))
    furniture: list[tuple[str, str, f.AnyFact]] = [
        ("house", "desk", f.DeskRuled(rules=house)),
        ("queue", "support", f.QueueDefined(rules=rules)),
        *(
            ("agent", name, f.Enrolled(name=name, public_key="U", capacity=PLACES, units=PLACES * COST))
            for name in names
        ),
    ]
    for kind, name, fact in furniture:
        entry = Entry(at_ms=_now_ms(), by="test", facts=(fact,))
        await bus.publish(Outgoing(subjects.log(kind, name), codec.encode(entry)))


@asynccontextmanager
async def _house(folder: Path, agents: int) -> AsyncIterator[tuple[list[Parts], Board]]:
    """Bridges and agents at work."""
    names = [f"agent{number:02}" for number in range(agents)]
    broker = RealBroker(folder / "broker", names)
    broker.start()
    buses: list[Bus] = []
    try:
        buses.append(await broker.connect("board"))
        await streams.ensure(buses[0], streams.StreamSettings())
        await _furnish(buses[0], names)
        bridges = [await bridge_parts(broker, number) for number in range(1, ROUTERS + 1)]
        buses += [one.outside.bus for one in bridges if isinstance(one.outside.bus, Bus)]
        board = Board()
        try:
            async with asyncio.TaskGroup() as crew:
                for one in bridges:
                    await one.start(crew)
                crew.create_task(_lead_for_ever(bridges))
                crew.create_task(board.follow(buses[0]))
                for number, name in enumerate(names):
                    buses.append(await broker.connect_agent(name))
                    crew.create_task(Hand(name, buses[-1], board, number).work())
                yield bridges, board
                raise _Over
        except* _Over:
            pass
    finally:
        for bus in buses:
            await bus.close()
        broker.kill()


class _Over(Exception):
    """Ends everybody's work."""


async def _customers(bridges: list[Parts], board: Board, senders: int, waves: int) -> None:
    """Everybody writes, and writes again when half of the earlier waves is done: cases are joined, reopened, and left alone."""
    for wave in range(waves):
        async with asyncio.TaskGroup() as crowd:
            for who in range(senders):
                crowd.create_task(bridges[who % len(bridges)].intake.store(_words(who, wave)))
        await until(partial(_are_closed, board, (wave + 1) * senders // 2), bound_s=110.0, saying=lambda: board.facts)
    await until(
        lambda: len(board.cases) == senders and not board.open,
        bound_s=110.0,
        saying=board.left_open,
    )


def _are_closed(board: Board, count: int) -> bool:
    return board.facts["Closed"] >= count


def _words(who: int, wave: int) -> Envelope:
    name = f"s{who}"
    said = Said(sender=Address(address=name, name=name), words=Words(text=f"{name} {wave}", name=name, address=name))
    return Envelope(native=f"{who}-{wave}", kind=KIND, channel=KIND, received_ms=_now_ms(), item=said)


async def _race(folder: Path, senders: int, waves: int) -> None:
    async with _house(folder, AGENTS) as (bridges, board):
        began_s = time.monotonic()
        await _customers(bridges, board, senders, waves)
        took_s = time.monotonic() - began_s
        races = sum(one.writer.races for one in bridges)
        offered = [one.router.offered for one in bridges]
    history = History(Counter(dict.fromkeys(board.asked, PLACES * COST)), lambda kind: COST)
    for seq, subject, entry in board.log:
        history.add(seq, subject, entry)
    answers = Counter((call.verb, call.answer) for call in board.calls)
    print(
        f"{ROUTERS} routers, {AGENTS} agents, {senders} cases: {len(board.log)} entries and {len(board.calls)} answers in "
        f"{took_s:.1f} s, {races} races lost; offers by router {offered}; facts {dict(board.facts)}; answers {dict(answers)}; "
        f"most carried {max(history.most.values(), default=0) // COST} of {PLACES}, too much {len(history.exceeded)} times"
    )
    assert races > 0, "nobody met anybody: there was no race"
    assert sum(count > 0 for count in offered) > 1, "only one router ever won an offer: there was no race"
    assert answers["accept", DONE] >= senders
    assert history.broken == []
    assert history.answers(board.calls) == []
    assert history.exceeded == []


async def test_eight_leaders_and_twenty_agents_own_once_and_never_exceed_a_limit(tmp_path: Path) -> None:
    await _race(tmp_path, senders=60, waves=2)


@pytest.mark.faults
async def test_eight_leaders_and_twenty_agents_through_a_long_day(tmp_path: Path) -> None:
    await _race(tmp_path, senders=200, waves=5)
