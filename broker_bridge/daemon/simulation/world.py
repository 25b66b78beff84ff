"""One history: a site, its people, its troubles, then calm until nothing moves any more, then the checks. All of it from one seed.

Law: trouble ends after a while, as it does in life; what must hold then is in checkers.py. What is drawn is drawn from the seed alone, so a
seed that failed fails again (with PYTHONHASHSEED=0, which `broker-bridge simulate` sets: sets of names have no order of their own).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.core import presence
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.simulation import checkers, customers, houserules
from broker_bridge.daemon.simulation.books import Books
from broker_bridge.daemon.simulation.fakeserver import Message, Server, Stream
from broker_bridge.daemon.simulation.house import EPOCH_MS, LANES, House
from broker_bridge.daemon.simulation.loop import NOBODY, Restless, SimLoop
from broker_bridge.daemon.simulation.people import Terminal
from broker_bridge.daemon.simulation.provider import CHANNELS, Door, Provider
from broker_bridge.daemon.simulation.shelf import ShelfModel
from broker_bridge.daemon.simulation.sky import Sky
from broker_bridge.daemon.simulation.trouble import Trouble
from broker_bridge.daemon.wire import BusError, Outgoing, StoreFull

IN_WINDOW_S = 4.0
"""Shorter than on a real broker, so that the long memory (the fold) is needed."""
LEASE_TTL_S = 6.0
SETTLE_S = 150.0
SMALL_JUMP_S = 60.0
STILL_S = 2.5
"""Nothing was written for so long: it is quiet."""


@dataclass
class Outcome:
    """What became of one seed."""

    seed: int
    problems: list[str]
    """Broken promises, one sentence each; empty = all held."""
    counts: dict[str, int] = field(default_factory=dict)
    virtual_s: float = 0.0
    steps: int = 0
    entries: int = 0


class World:
    """Everything of one history."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.loop = SimLoop(Random(self.random.random()))
        self.books = Books()
        self.sky = Sky(self.loop, _server(), Random(self.random.random()))
        self.clocks: dict[str, float] = {}
        self.doors: list[Door] = []
        self.providers = {name: Provider(name, self.loop, self.random, self.books) for name in CHANNELS}
        for name, provider in self.providers.items():
            provider.on_call = lambda process: self._trouble.called(process)
            provider.on_taken = lambda out, name=name: customers.receipts(self, name, out.message, out.address)  # type: ignore[misc]
        self.houses: dict[str, House] = {}
        self.models: dict[str, ReadModel] = {}
        self.terminals: dict[str, Terminal] = {}
        self.agents: dict[str, str] = {}
        """Agent to role."""
        self.doubtful: set[tuple[str, str]] = set()
        """(agent, conversation) whose draft may still change."""
        is_plain = self.random.random() < 0.15
        """As houses were before there were skills and hours."""
        self.begin_ms = EPOCH_MS + int(self.random.random() * 60_000)
        """Milliseconds since 1970 when the history begins."""
        self._agents = 1 + int(self.random.random() ** 1.2 * 5)
        self._is_plain = is_plain
        self.desk = houserules.desk(self.random, is_plain=is_plain)
        self.rules = houserules.queues(self.random, self.begin_ms, self._agents, is_plain=is_plain)
        self.presences: list[tuple[float, str, presence.Presence]] = []
        """(when, agent, what) of what the bucket was told."""
        self._boots: dict[str, list[str]] = {}
        """Bridge to its runs, as its disk remembers them."""
        self.calm_at_s = 8 + self.random.random() * 14
        """When trouble ends (virtual seconds)."""
        self.is_calm = False
        self.is_over = False
        self._numbers = itertools.count(1)
        self._newcomers = iter(range(customers.MOST, customers.ADDRESSES))
        self._leader = b""
        self._leaders = -1
        """How often another bridge took the lead; the first one is no change."""
        self.sky.server.streams["KV_leases"].listen("$KV.leases.lease.leader.", self._leads)
        self.sky.server.streams["KV_presence"].listen("$KV.presence.", self._present)
        self._trouble = Trouble(self)
        self._begun: set[asyncio.Task[None]] = set()
        self._keepers: list[asyncio.Task[None]] = []

    def next_number(self) -> int:
        return next(self._numbers)

    def next_new_customer(self) -> int | None:
        """The number of one who never wrote; None: there are no more."""
        return next(self._newcomers, None)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Something outside that must come to its end before it is quiet."""
        task: asyncio.Task[None] = self.loop.create_task(work, context=NOBODY.copy())
        self._begun.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._begun.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.books.problems.append(f"the simulation itself: {_told(error)}")

    # the history

    def play(self) -> Outcome:
        logging.disable(logging.CRITICAL)
        self.loop.set_exception_handler(self._complained)
        try:
            asyncio.set_event_loop(None)
            self.loop.run_until_complete(self._play())
        except Restless as error:
            self.books.problems.append(f"no rest: {error}")
        finally:
            self.is_over = True
            self.loop.end()
            for model in self.models.values():
                model.close()
            logging.disable(logging.NOTSET)
        for what, number in (
            ("answers that nobody waited for", self.sky.stored_after_all),
            ("duplicates dropped by the broker", self.sky.duplicates),
            ("repeats dropped by a provider", self.books.repeats),
            ("leader changes", max(0, self._leaders)),
            ("bridge crashes", self.books.counts.get("bridge killed", 0)),
            ("clock jumps", self.books.counts.get("trouble clock", 0)),
        ):
            self.books.counts[f"{checkers.HAPPENED}{what}"] = number
        log = self.sky.server.streams["LOG"]
        return Outcome(self.seed, self.books.problems, self.books.counts, self.loop.now, self.loop.steps, log.last_seq)

    def _complained(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        is_lost = "Future exception" in str(context.get("message"))
        if error is not None and not is_lost and not _is_of_the_broker(error):
            self.books.problems.append(f"unhandled: {context.get('message')}: {_told(error)}")

    async def _play(self) -> None:
        random = self.random
        self.sky.weather.latency_s = 0.0005 * 40 ** random.random()
        self._enroll(self._agents)
        self.begin(self._change_rules())
        for number in range(1 + int(random.random() * 2.3)):
            self._keepers.append(self.loop.create_task(self._keep_house(f"b{number}", random.random() * 2)))
        for agent in self.agents:
            self._keepers.append(self.loop.create_task(self._keep_terminal(agent)))
        for number in range(1 + int(random.random() ** 2 * customers.MOST)):
            self.begin(customers.customer(self, number, customers.handles_of(number, random)))
        await self._trouble.last(self.calm_at_s)
        self._trouble.end()
        while not await self._stands_still():
            pass
        if not self.books.problems:
            await checkers.check(self)

    async def _stands_still(self) -> bool:
        """Wait for rest and stop everybody; False: something was still on its way, and they go on."""
        await self._until_quiet()
        log = self.sky.server.streams["LOG"]
        seen = log.last_seq
        everybody = [house.process for house in self.houses.values()]
        everybody += [terminal.process for terminal in self.terminals.values()]
        for process in everybody:
            self.loop.hold(process, 1e9)
        await asyncio.sleep(1.0)
        if log.last_seq == seen or self.books.problems:
            return True
        for process in everybody:
            self.loop.release(process)
        return False

    def _enroll(self, number: int) -> None:
        for place in range(number):
            agent = f"agent{place}"
            is_lead = place == 3 or (place == 2 and self.random.random() < 0.5)
            self.agents[agent] = "supervisor" if is_lead else "agent"
            enrolled = houserules.enrolled(agent, self.agents[agent], self.random, is_plain=self._is_plain)
            self._define("agent", agent, enrolled)

    def _define(self, kind: str, name: str, fact: f.AnyFact) -> None:
        """Somebody at the command line."""
        entry = Entry(at_ms=self.begin_ms + int(self.loop.now * 1000), by="test", facts=(fact,))
        self.sky.server.store([Outgoing(subjects.log(kind, name), codec.encode(entry))], self.loop.now)

    async def _change_rules(self) -> None:
        """A queue works otherwise from some moment on."""
        for _ in range(int(self.random.random() * 2.5)):
            await asyncio.sleep(1 + self.random.random() * (self.calm_at_s - 1))
            if self._is_plain or self.loop.now > self.calm_at_s:
                return
            name = (houserules.HELP, houserules.SALES)[int(self.random.random() * 2)]
            rules = houserules.queue(name, self.random, self.begin_ms, self._agents)
            try:
                self._define("queue", name, f.QueueDefined(rules=rules))
            except StoreFull:
                continue
            self.books.count("rules changed")

    def _present(self, message: Message) -> None:
        agent = message.subject.removeprefix("$KV.presence.")
        told = presence.read(message.body) if message.body else presence.OFF
        self.presences.append((self.loop.now, agent, told))

    def chosen(self, agent: str) -> tuple[float, presence.Presence]:
        """(when it was said last, the newest choice) as far as the bucket was told of it."""
        found = (0.0, presence.OFF)
        for told_s, who, told in self.presences:
            if who == agent and (told is presence.OFF or told.chose_ms >= found[1].chose_ms):
                found = (told_s, told)
        return found

    def dead_boots(self, name: str) -> tuple[str, ...]:
        """Earlier runs of a bridge that its disk still tells of."""
        return tuple(self._boots.get(name, ())[:-1])

    def _leads(self, message: Message) -> None:
        if message.body and message.body != self._leader:
            self._leader = message.body
            self._leaders += 1

    # bridges

    async def _keep_house(self, name: str, wait_s: float) -> None:
        """As a service manager does."""
        await asyncio.sleep(wait_s)
        for run in itertools.count(1):
            model = self.models.get(name) or ShelfModel()
            self.models[name] = model
            if abs(self.clocks.get(name, 0.0)) > SMALL_JUMP_S:
                # A restart adopts the wall; whoever set it an hour off has noticed by then.
                self.clocks[name] = 0.0
            house = House(self, name, run, model)
            self._boots.setdefault(name, []).append(house.boot)
            self.houses[name] = house
            ended: asyncio.Future[None] = self.loop.create_future()

            def died(house: House = house, ended: asyncio.Future[None] = ended) -> None:
                house.bus.end()
                if not ended.done():
                    ended.set_result(None)

            house.process.on_death = died
            task = self.loop.start(house.process, house.run(), house.boot)
            task.add_done_callback(lambda _, died=died: died(), context=NOBODY.copy())  # type: ignore[misc]
            await ended
            house.is_ready = False
            house.process.kill()
            self.doors[:] = [door for door in self.doors if door.process is not house.process]
            self._why(task)
            self._after_death(name, model)
            await asyncio.sleep(0.2 + self.random.random() * (1.0 if self.is_calm else 5.0))

    def _why(self, task: asyncio.Task[None]) -> None:
        if not task.done():
            self.books.count("bridge killed")
        elif task.cancelled():
            self.books.problems.append("a bridge cancelled itself")
        elif (error := task.exception()) is not None and not _is_of_the_broker(error):
            self.books.problems.append(f"a bridge ended: {_told(error)}")
        else:
            self.books.count("bridge ended")

    def _after_death(self, name: str, model: ReadModel) -> None:
        """What its disk holds: all that was committed, or, where the machine was lost, nothing."""
        model._rows.clear()
        model._db.rollback()
        if self.random.random() < 0.25:
            model.close()
            del self.models[name]
            self._boots.pop(name, None)
            self.books.count("read model lost")

    # terminals

    async def _keep_terminal(self, agent: str) -> None:
        run = 0
        while True:
            await asyncio.sleep(self.random.random() * 2)
            run += 1
            terminal = Terminal(self, agent, run, is_supervisor=self.agents[agent] == "supervisor")
            self.terminals[agent] = terminal
            ended: asyncio.Future[None] = self.loop.create_future()

            def died(terminal: Terminal = terminal, ended: asyncio.Future[None] = ended) -> None:
                terminal.bus.end()
                if not ended.done():
                    ended.set_result(None)

            terminal.process.on_death = died
            task = self.loop.start(terminal.process, terminal.run(), terminal.process.name)
            task.add_done_callback(lambda _, died=died: died(), context=NOBODY.copy())  # type: ignore[misc]
            await ended
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                self.books.problems.append(f"a terminal ended: {_told(error)}")
            self.books.count("terminal killed")

    # rest

    async def _until_quiet(self) -> None:
        log = self.sky.server.streams["LOG"]
        end = self.loop.now + SETTLE_S
        still_since, seen = self.loop.now, -1
        while self.loop.now < end:
            await asyncio.sleep(0.5)
            if log.last_seq != seen or self._unrest():
                still_since, seen = self.loop.now, log.last_seq
            elif self.loop.now - still_since >= STILL_S:
                return
        self.books.problems.append(f"no rest: {self._unrest() or 'entries without end'}")

    def _unrest(self) -> str:
        """What is still under way, or nothing."""
        if self._begun:
            return f"{len(self._begun)} customers are not acknowledged"
        if not all(durable.is_done for durable in self.sky.server.durables.values()):
            return "IN holds items that are not acknowledged"
        if not any(house.is_ready and house.parts.router.is_leader for house in self.houses.values()):
            return "nobody leads"
        head = self.sky.server.streams["LOG"].last_seq
        for house in self.houses.values():
            if not house.is_ready or house.process.held_until > self.loop.now:
                return f"{house.boot} is not up"
            if any(cell.lock.locked() for cell in house.states._cells.values()):
                return f"{house.boot} writes"
            if house.follower.position != head:
                return f"{house.boot} follows at {house.follower.position} of {head}"
            if house.model.count("out_channel <> ''"):
                return "replies without an end"
        for terminal in self.terminals.values():
            if terminal.process.held_until > self.loop.now or terminal.process.is_dead:
                return f"{terminal.process.name} sleeps"
            if not terminal.is_in_step(head):
                return f"the desk of {terminal.process.name} is behind"
        return ""


def _server() -> Server:
    server = Server()
    server.add(Stream("LOG", "cc.log."))
    server.add(Stream("IN", "cc.in.", window_s=IN_WINDOW_S))
    server.add(Stream("DEAD", "cc.dead."))
    server.add(Stream("AUDIT", "cc.audit."))
    for bucket in ("home", "presence", "drafts", "keys"):
        server.add(Stream(f"KV_{bucket}", f"$KV.{bucket}.", newest_only=True))
    server.add(Stream("KV_leases", "$KV.leases.", newest_only=True, ttl_s=LEASE_TTL_S))
    for lane in range(LANES):
        server.add_durable(f"in-{lane:02}", "IN", f".{lane}", 30.0)
    return server


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-1_500:]


def _is_of_the_broker(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of_the_broker(one) for one in error.exceptions)
    return isinstance(error, BusError)


def play(seed: int) -> Outcome:
    """One history."""
    return World(seed).play()
