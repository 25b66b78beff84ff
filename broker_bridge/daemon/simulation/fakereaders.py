"""Reading from the broker in memory: partitions of IN, the log in order, buckets of keys.

Law: as pull.py and kv.py: a pull is reset at its start and after every lost connection; a follower goes on behind its last item without a
hole; a watch lists anew after a loss and reports what changed or vanished meanwhile. The methods that only append are those of `Kv`.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from typing import Any

from broker_bridge.daemon.kv import Kv, Watch, is_marker
from broker_bridge.daemon.pull import Follow, Pull
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.fakeserver import Message
from broker_bridge.daemon.simulation.loop import NOBODY
from broker_bridge.daemon.wire import BusError, Entry, Unknown

EXPIRES_S = 3.0
"""How long an open request of a bridge that says nothing is served: shorter than its lease lives, as on a real broker."""


class FakeItem:
    """One message of IN, with its acknowledgment."""

    __slots__ = ("_pull", "body", "consumer_seq", "headers", "seq", "subject")

    def __init__(self, pull: FakePull, message: Message, number: int) -> None:
        self._pull = pull
        self.seq = message.seq
        self.subject = message.subject
        self.body = message.body
        self.headers = message.headers
        self.consumer_seq = number

    async def ack(self) -> None:
        self._pull.say(self.seq, "ack")

    async def in_progress(self) -> None:
        self._pull.say(self.seq, "progress")

    async def term(self) -> None:
        self._pull.say(self.seq, "ack")

    async def nak(self, delay_s: float = 0.0) -> None:
        self._pull.say(self.seq, "nak")


class FakePull(Pull):
    """One partition, with acks."""

    def __init__(self, bus: FakeBus, durable: str, *, batch: int, reset: bool) -> None:
        self.bus = bus
        self._name = durable
        self._limit = batch
        self._reset = reset
        self._queue: deque[FakeItem] = deque()
        self._given = 0
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()
        self._is_closed = False
        self._handy = deque()
        self._run = 0
        self._last_consumer_seq = 0
        self._accepts: Callable[[FakeItem], bool] = self._in_turn
        self._forget = bus.on_reconnect(self._lost.set)
        self._work = bus.spawn(self._keep_open(), f"pull {durable}")

    @property
    def room(self) -> int:
        """What it has asked for and not got; a request of somebody who is silent runs out."""
        return 0 if self.is_silent else self._limit - self._given

    @property
    def is_silent(self) -> bool:
        return self.bus.loop.now - self.bus.silent_since > EXPIRES_S

    def give(self, message: Message, number: int) -> None:
        """The broker hands out."""
        self._given += 1
        self.bus.come(functools.partial(self._came, self._run, FakeItem(self, message, number)))

    def _came(self, run: int, item: FakeItem) -> None:
        if run != self._run or self._is_closed or self._lost.is_set():
            return
        if not self._accepts(item):
            self._lost.set()
            return
        self._queue.append(item)
        self._arrived.set()

    def _in_turn(self, item: FakeItem) -> bool:
        if self._reset and item.consumer_seq != self._last_consumer_seq + 1:
            return False
        self._last_consumer_seq = item.consumer_seq
        return True

    async def _keep_open(self) -> None:
        durable = self.bus.sky.server.durables[self._name]

        def begin() -> None:
            if self._is_closed:
                return
            if self._reset:
                durable.reset()
            if self not in durable.takers:
                durable.takers.append(self)
            self._given = 0
            self.bus.loop.call_soon(self.bus.sky.pump, durable, context=NOBODY)

        while True:
            await self._lost.wait()
            self._queue.clear()
            if self in durable.takers:
                durable.takers.remove(self)
            self._lost.clear()
            self._run += 1
            self._last_consumer_seq = 0
            try:
                await self.bus.ask(begin, 5.0)
            except BusError:
                self._lost.set()
                await asyncio.sleep(0.1)

    def say(self, seq: int, word: str) -> None:
        """An acknowledgment, put on the connection and not waited for."""
        if self.bus.connected:
            self.bus.go(functools.partial(self._said, seq, word))

    def _said(self, seq: int, word: str) -> None:
        sky = self.bus.sky
        durable = sky.server.durables[self._name]
        if word == "ack":
            durable.ack(seq)
        elif word == "progress" and seq in durable.waiting:
            durable.waiting[seq] = sky.loop.now + durable.ack_wait_s
        elif word == "nak" and seq in durable.waiting:
            durable.late.append(seq)
            sky.pump(durable)

    async def some(self, limit: int = 256) -> Any:
        while not self._queue:
            if self._is_closed:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._given -= len(taken)
        if self.bus.connected:
            self.bus.go(lambda: self.bus.sky.pump(self.bus.sky.server.durables[self._name]))
        return taken

    async def close(self) -> None:
        self._is_closed = True
        self._forget()
        await self._work.close()
        durable = self.bus.sky.server.durables[self._name]
        if self in durable.takers:
            durable.takers.remove(self)
        self._arrived.set()


class FakeFollow(Follow):
    """A stream in order."""

    def __init__(self, bus: FakeBus, stream: str, start_seq: int) -> None:
        self._bus = bus
        self._source = bus.sky.server.streams[stream]
        self._position = start_seq - 1
        self._visible = 0
        self._arrived = asyncio.Event()
        self._is_closed = False
        self._handy = deque()
        self._forget = bus.hear(self._source, "", self._stored)
        bus.on_reconnect(self._look)

    @property
    def pending(self) -> int:
        return max(0, self._visible - self._position)

    async def started(self, timeout_s: float = 10.0) -> None:
        # What was stored while the answer was on its way may have been seen before it.
        self._saw(await self._bus.ask(lambda: self._source.last_seq, timeout_s))

    def _stored(self, message: Message) -> None:
        self._bus.come(functools.partial(self._saw, message.seq))

    def _look(self) -> None:
        self._bus.come(lambda: self._saw(self._source.last_seq))

    def _saw(self, seq: int) -> None:
        self._visible = max(self._visible, seq)
        self._arrived.set()

    async def some(self, limit: int = 256) -> Any:
        while self._visible <= self._position:
            if self._is_closed:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        upto = min(self._visible, self._position + limit)
        found = [
            self._source.messages[seq] for seq in range(self._position + 1, upto + 1) if seq in self._source.messages
        ]
        self._position = upto
        return found

    async def close(self) -> None:
        self._is_closed = True
        self._forget()
        self._arrived.set()


class FakeKv(Kv):
    """A bucket."""

    def __init__(self, bus: FakeBus, bucket: str) -> None:
        super().__init__(bus, bucket)
        self._bus = bus

    async def entry(self, key: str) -> Entry:
        found = await self._bus.last(self._stream, self._prefix + key)
        return Entry(key, None, 0) if found is None else self._read(found)

    def _read(self, found: Message) -> Entry:
        value = None if is_marker(found.headers) else found.body
        return Entry(found.subject[len(self._prefix) :], value, found.seq)

    async def entries(self, prefix: str = "") -> list[Entry]:
        stream = self._bus.sky.server.streams[self._stream]
        found = await self._bus.ask(lambda: stream.matching(self._prefix + prefix), 10.0)
        return [entry for entry in map(self._read, found) if entry.value is not None]

    def watch(self, prefix: str = "") -> Watch:
        return FakeWatch(self._bus, self._stream, self._prefix + prefix, self._read)


class FakeWatch(Watch):
    """Changes of keys."""

    def __init__(self, bus: FakeBus, stream: str, prefix: str, to_entry: Callable[[Any], Entry]) -> None:
        self._bus = bus
        self._source = bus.sky.server.streams[stream]
        self._begins = prefix
        self._read: Callable[[Any], Entry] = to_entry
        self._known = {}
        self._ready = deque()
        self._arrived = asyncio.Event()
        self._is_closed = False
        self._is_listed = False
        self._end_hearing = bus.hear(self._source, prefix, self._stored)
        self._forget = bus.on_reconnect(self._list)
        self._list()

    def _list(self) -> None:
        if self._bus.connected:
            self._bus.go(lambda: self._bus.come(functools.partial(self._came, self._source.matching(self._begins))))

    def _came(self, found: list[Message]) -> None:
        gone = set(self._known) - {self._read(one).key for one in found}
        for message in found:
            self._saw(message)
        for key in sorted(gone):
            del self._known[key]
            self._ready.append(Entry(key, None, 0))
        self._is_listed = True
        self._arrived.set()

    def _stored(self, message: Message) -> None:
        self._bus.come(functools.partial(self._saw, message))

    def _saw(self, message: Message) -> None:
        entry = self._read(message)
        if entry.revision <= self._known.get(entry.key, 0):
            return
        if entry.value is None:
            if self._known.pop(entry.key, None) is None:
                return
        else:
            self._known[entry.key] = entry.revision
        self._ready.append(entry)
        self._arrived.set()

    async def listed(self, timeout_s: float = 10.0) -> list[Entry]:
        try:
            async with asyncio.timeout(timeout_s):
                while not self._is_listed:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as error:
            raise Unknown(f"{self._source.name} was not listed within {timeout_s:g} s") from error
        entries = {entry.key: entry for entry in self._ready}
        self._ready.clear()
        return [entry for entry in entries.values() if entry.value is not None]

    async def __anext__(self) -> Entry:
        while not self._ready:
            if self._is_closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._ready.popleft()

    async def close(self) -> None:
        self._is_closed = True
        self._forget()
        self._end_hearing()
        self._arrived.set()
