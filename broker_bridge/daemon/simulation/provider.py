"""Channels of the simulated site and the providers behind them: kind ones, unreliable ones, and all that a network does in between.

Law: what reached a provider stays there, whatever becomes of the bridge that called; a certain failure never delivered anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from broker_bridge.channel import Capabilities, Outbound, SendFailure, SendUncertain, SiteFull, SiteUnavailable
from broker_bridge.contract.envelopes import Envelope, Item
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.simulation.books import Books, Taken
from broker_bridge.daemon.simulation.loop import NOBODY, Process, SimLoop

SEND_TIMEOUT_S = 2.0
PLAIN = "plain"
SURE = "sure"
CHANNELS = {
    PLAIN: Capabilities(word="plai", send_timeout_s=SEND_TIMEOUT_S, has_receipts=True),
    SURE: Capabilities(word="sure", send_timeout_s=SEND_TIMEOUT_S, has_receipts=True, idempotent_send=True),
}
FAILURES = ("unreachable", "throttled", "rejected_for_now", "bad_address")


@dataclass
class Mood:
    """Shares of calls that end so; the rest goes well."""

    refuses: float = 0.0
    uncertain: float = 0.0
    hangs: float = 0.0
    loses: float = 0.0
    late: float = 0.0
    slow: float = 0.0

    def calm(self) -> None:
        self.refuses = self.uncertain = self.hangs = self.loses = self.late = self.slow = 0.0

    def draw(self, random: Random) -> str:
        at = random.random()
        for fate in ("refuses", "uncertain", "hangs", "loses", "late", "slow"):
            at -= getattr(self, fate)
            if at < 0:
                return fate
        return "goes well"


class Provider:
    """One provider, outside of all bridges."""

    def __init__(self, name: str, loop: SimLoop, random: Random, books: Books) -> None:
        self.name = name
        self.mood = Mood()
        self.on_call: Callable[[Process], None] = lambda process: None
        self.on_taken: Callable[[Outbound], None] = lambda out: None
        self._loop = loop
        self._random = random
        self._books = books
        self._drops_repeats = CHANNELS[name].idempotent_send
        self._keys: set[str] = set()

    async def send(self, process: Process, out: Outbound) -> str:
        """A bridge calls."""
        self.on_call(process)
        fate = self.mood.draw(self._random)
        answer: asyncio.Future[str] = self._loop.create_future()
        if fate != "loses":
            longest_s = {"late": 3 * SEND_TIMEOUT_S, "slow": 0.9 * SEND_TIMEOUT_S}.get(fate, 0.05)
            took_s = longest_s * self._random.random()
            self._loop.call_later(took_s, self._take, process, out, answer, fate, context=NOBODY)
        return await answer

    def _take(self, process: Process, out: Outbound, answer: asyncio.Future[str], fate: str) -> None:
        self._books.count(f"provider {fate}")
        if fate == "refuses":
            code = FAILURES[int(self._random.random() * len(FAILURES))]
            if self._drops_repeats and out.message in self._keys:
                # Who has it does not say that there is no such address; it may still be busy.
                code = "throttled"
            self._end(answer, SendFailure(code, "the provider said no"))
            return
        if fate == "uncertain" and self._random.random() < 0.5:
            self._end(answer, SendUncertain("the line broke"))
            return
        if self._drops_repeats and out.message in self._keys:
            self._books.repeats += 1
        else:
            self._keys.add(out.message)
            is_on_time = not answer.done() and not process.is_dead
            self._books.taken.append(
                Taken(out.message, out.conversation, out.seq, out.text, self.name, self._loop.now, is_on_time)
            )
            self.on_taken(out)
        if fate == "uncertain":
            self._end(answer, SendUncertain("the line broke"))
        elif fate != "hangs":
            self._loop.call_later(
                0.1 * self._random.random() ** 2, self._end, answer, f"p-{out.message}", context=NOBODY
            )

    @staticmethod
    def _end(answer: asyncio.Future[str], what: str | Exception) -> None:
        if answer.done():
            return
        if isinstance(what, Exception):
            answer.set_exception(what)
        else:
            answer.set_result(what)


class Door:
    """Where customers of one channel reach one bridge, while it listens."""

    def __init__(self, channel: str, process: Process, intake: Intake, now_ms: Callable[[], int]) -> None:
        self.channel = channel
        self.process = process
        self._intake = intake
        self._now_ms = now_ms

    async def take(self, native: str, item: Item, done: Callable[[bool], None]) -> None:
        """An item, by the transport's id; `done(True)` is its acknowledgment."""
        envelope = Envelope(
            native=native, kind=self.channel, channel=self.channel, received_ms=self._now_ms(), item=item
        )
        try:
            await self._intake.store(envelope)
        except (SiteFull, SiteUnavailable):
            done(False)
        else:
            done(True)


class SimChannel:
    """A channel of one bridge: listens at a door, sends to a provider."""

    def __init__(self, name: str, provider: Provider, door: Door, doors: list[Door]) -> None:
        self.name = name
        self._provider = provider
        self._door = door
        self._doors = doors

    async def listen(self, ready: Callable[[], None]) -> None:
        self._doors.append(self._door)
        ready()
        try:
            await asyncio.Event().wait()
        finally:
            if self._door in self._doors:
                self._doors.remove(self._door)

    async def send(self, out: Outbound) -> str:
        return await self._provider.send(self._door.process, out)

    async def show_typing(self, address: str, name: str, on: bool) -> None:
        return None

    def heard(self, body: bytes) -> None:
        return None

    async def check(self) -> list[str]:
        return []

    def routes(self) -> list[Any]:
        return []
