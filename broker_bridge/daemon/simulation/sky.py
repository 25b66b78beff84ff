"""What all connections of one history share: the server, the weather between, and who listens.

Law: chance is drawn here and from the seed alone; what comes to whom, and when it is too late, is the server's and the clock's.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from broker_bridge.daemon.simulation.fakeserver import Durable, Server, Stream
from broker_bridge.daemon.simulation.loop import NOBODY, SimLoop
from broker_bridge.daemon.wire import Busy, OnArrival, Outgoing, Stored

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.fakebus import FakeBus


ASKED_AGAIN_S = 1.0
"""How long after a silence, at most, somebody asks again for items."""


@dataclass
class Weather:
    """How bad things are. Seconds and probabilities; all zeros are a calm day."""

    latency_s: float = 0.001
    slow: float = 0.0
    """Share of messages that take up to a hundred times as long."""
    mute: float = 0.0
    """Share of answers that never come although the deed is done."""
    lose: float = 0.0
    """Share of requests that never get there."""
    busy: float = 0.0
    """Share of batches that are turned away (10210)."""
    drop: float = 0.0
    """Share of core messages that a slow consumer loses."""

    def calm(self) -> None:
        self.slow = self.mute = self.lose = self.busy = self.drop = 0.0


@dataclass
class Sky:
    """What all connections of one history share."""

    loop: SimLoop
    server: Server
    random: Random
    weather: Weather = field(default_factory=Weather)
    connections: list[FakeBus] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    is_down: bool = False
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    stored_after_all: int = 0
    """What was done when nobody waited for the answer any more."""
    _lives: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)
    """Bucket to (when its time is over, sequence) of what was written."""
    _asking: set[str] = field(default_factory=set)
    """Partitions that are looked at again soon."""
    duplicates: int = 0
    """Messages that a stream knew already."""

    def latency(self) -> float:
        draw, weather = self.random.random, self.weather
        took_s = weather.latency_s * (0.2 + draw())
        return took_s * (1 + 99 * draw()) if weather.slow and draw() < weather.slow else took_s

    def go_down(self) -> None:
        """The server is stopped: every connection is lost."""
        self.is_down = True
        for one in list(self.connections):
            one.cut()

    def come_back(self) -> None:
        self.is_down = False
        for one in list(self.connections):
            one.come_back_soon()

    def pump(self, durable: Durable) -> None:
        """Hand out, and look again when an acknowledgment is late."""
        for seq in durable.pump(self.loop.now):
            self.loop.call_later(durable.ack_wait_s, self._late, durable, seq, context=NOBODY)
        if durable.is_asked_again and durable.suffix not in self._asking:
            self._asking.add(durable.suffix)
            self.loop.call_later(ASKED_AGAIN_S, self._asked, durable, context=NOBODY)

    def _asked(self, durable: Durable) -> None:
        self._asking.discard(durable.suffix)
        self.pump(durable)

    def _late(self, durable: Durable, seq: int) -> None:
        until = durable.waiting.get(seq)
        if until is not None and until > self.loop.now + 1e-6:
            self.loop.call_at(until, self._late, durable, seq, context=NOBODY)
        elif durable.overdue(seq, self.loop.now):
            self.pump(durable)

    def store(self, msgs: Sequence[Outgoing]) -> Stored:
        if len(msgs) > 1 and self.random.random() < self.weather.busy:
            raise Busy("too many open batches")
        before = self.server.of_subject(msgs[0].subject)
        told = self.server.store(msgs, self.loop.now)
        self.duplicates += told.duplicate
        if before.ttl_s is not None:
            self._expire_later(before, told.seq)
        if before.name == "IN":
            for durable in self.server.durables.values():
                self.pump(durable)
        return told

    def _expire_later(self, stream: Stream, seq: int) -> None:
        """One timer a bucket: nearly all keys are renewed before their time is over."""
        assert stream.ttl_s is not None
        line = self._lives.setdefault(stream.name, deque())
        line.append((self.loop.now + stream.ttl_s, seq))
        if len(line) == 1:
            self.loop.call_later(stream.ttl_s, self._expire, stream, line, context=NOBODY)

    def _expire(self, stream: Stream, line: deque[tuple[float, int]]) -> None:
        now = self.loop.now
        while line and (line[0][0] <= now or line[0][1] not in stream.messages):
            seq = line[0][1]
            if seq in stream.messages:
                stream.age(seq, now)
                if stream.last_seq in stream.messages and stream.last_seq > line[-1][1]:
                    # The marker that it leaves lives as long.
                    line.append((now + (stream.ttl_s or 0.0), stream.last_seq))
            line.popleft()
        if line:
            self.loop.call_at(line[0][0], self._expire, stream, line, context=NOBODY)

    def route(self, subject: str, body: bytes, reply: str) -> bool:
        """A core message: to every listener, and to one of each queue group. False: nobody listens."""
        found = [one for one in self.subscriptions if one.matches(subject)]
        groups: dict[str, list[Subscription]] = {}
        for one in found:
            if one.queue:
                groups.setdefault(one.queue, []).append(one)
            else:
                one.give(subject, body, reply)
        for members in groups.values():
            members[int(self.random.random() * len(members))].give(subject, body, reply)
        return bool(found)


@dataclass(slots=True)
class Came:
    """A core message as it arrives."""

    subject: str
    reply: str
    data: bytes
    headers: dict[str, str] | None = None


class Subscription:
    def __init__(self, bus: FakeBus, pattern: str, queue: str, take: OnArrival) -> None:
        self.bus = bus
        self.queue = queue
        self._take = take
        self._is_whole = pattern.endswith(">")
        self._pattern = pattern[:-1] if self._is_whole else pattern

    def matches(self, subject: str) -> bool:
        return subject.startswith(self._pattern) if self._is_whole else subject == self._pattern

    def give(self, subject: str, body: bytes, reply: str) -> None:
        sky = self.bus.sky
        if sky.random.random() < sky.weather.drop:
            return
        self.bus.come(functools.partial(self._take, Came(subject, reply, body)))

    async def close(self) -> None:
        if self in self.bus.sky.subscriptions:
            self.bus.sky.subscriptions.remove(self)
