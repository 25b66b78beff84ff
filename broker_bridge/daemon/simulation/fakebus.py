"""A connection to the broker in memory: everything takes time, some of it is lost, and the seed says what.

Law: what was sent on one connection arrives in its order or, when the connection is cut, up to some point of it; an answer that is lost
leaves the message stored; a connection that stalls stores after its callers have given up. Nothing here is kinder than TCP and a real
broker, and nothing is worse: a message without an answer raises `Unknown`, what was never sent raises `Unavailable`.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from broker_bridge.daemon.simulation.fakeserver import Message, Stream, checked
from broker_bridge.daemon.simulation.loop import NOBODY, Call, Process
from broker_bridge.daemon.simulation.sky import Came, Sky, Subscription
from broker_bridge.daemon.verbs import BusStats, Verbs
from broker_bridge.daemon.wire import (
    BATCH_S,
    Arrived,
    BusError,
    Closable,
    OnArrival,
    Outgoing,
    Stored,
    Unavailable,
    Unknown,
)

T = TypeVar("T")


class _Work:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    async def close(self) -> None:
        if self._task is asyncio.current_task():
            return
        self._task.cancel()
        await asyncio.wait([self._task])


class FakeBus(Verbs):
    """One connection of one process."""

    def __init__(self, sky: Sky, process: Process) -> None:
        self.sky = sky
        self.process = process
        self.loop = sky.loop
        self.inbox = f"_INBOX.{next(sky.numbers)}"
        self.stats = BusStats()
        self.epoch = 0
        """Counts the connections that were had."""
        self._is_up = not sky.is_down
        self._is_gone = False
        self._up = asyncio.Event()
        if self._is_up:
            self._up.set()
        self._stalled_since = 0.0
        self._stalled_until = 0.0
        self._last_out = 0.0
        self._last_in = 0.0
        self._on_way: deque[tuple[float, Callable[[], None]]] = deque()
        self._coming: list[Callable[[], None]] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._hearing: list[Callable[[], None]] = []
        sky.connections.append(self)
        if sky.is_down:
            self._is_up = False

    # how it fares

    @property
    def connected(self) -> bool:
        return self._is_up

    def cut(self) -> None:
        """The connection is lost: some of what was on its way arrives, none of the answers does."""
        if not self._is_up:
            return
        self._is_up = False
        self._up.clear()
        self.epoch += 1
        self._coming = None
        arrives = int(self.sky.random.random() * (len(self._on_way) + 1))
        on_way, self._on_way = self._on_way, deque()
        for _, (_, deed) in zip(range(arrives), on_way, strict=False):
            deed()
        for answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(Unknown("the connection was lost before the broker answered"))
        self.come_back_soon()

    def stall(self, seconds: float) -> None:
        """Nothing gets through for a while, and then all of it, in order."""
        self._stalled_since = self.loop.now
        self._stalled_until = self.loop.now + seconds

    @property
    def silent_since(self) -> float:
        """Since when nothing can have come from here; now, if something can."""
        now = self.loop.now
        asleep = self.process.held_since if self.process.held_until > now else now
        return min(asleep, self._stalled_since if self._stalled_until > now else now)

    def come_back_soon(self) -> None:
        if not self._is_gone and not self._is_up and not self.sky.is_down:
            self.loop.call_later(0.05 + 1.5 * self.sky.random.random(), self._return, context=NOBODY)

    def _return(self) -> None:
        if self._is_up or self.sky.is_down or self._is_gone:
            return
        self._is_up = True
        self._stalled_until = 0.0
        self.stats.reconnects += 1
        self._up.set()
        for callback in tuple(self._callbacks):
            self.loop.call_soon(callback, context=self.process.context)

    def end(self) -> None:
        """The process is gone, and with it its connection."""
        self.cut()
        self._is_gone = True
        if self in self.sky.connections:
            self.sky.connections.remove(self)
        self.sky.subscriptions[:] = [one for one in self.sky.subscriptions if one.bus is not self]
        for forget in self._hearing:
            forget()
        for durable in self.sky.server.durables.values():
            durable.takers[:] = [one for one in durable.takers if getattr(one, "bus", None) is not self]

    def hear(self, stream: Stream, prefix: str, tell: Callable[[Message], None]) -> Callable[[], None]:
        """Be told at the broker of what is stored, while this connection's process lives."""
        forget = stream.listen(prefix, tell)
        self._hearing.append(forget)
        return forget

    # there and back

    def go(self, deed: Callable[[], None]) -> None:
        """Do `deed` at the broker, after everything that was sent before."""
        at = max(self._last_out, self.loop.now + self.sky.latency(), self._stalled_until)
        # What arrives at one moment is one piece of the stream of bytes, and is read in one go.
        if at != self._last_out or not self._on_way:
            self._last_out = at
            self.loop.call_at(at, self._arrive, context=NOBODY)
        self._on_way.append((at, deed))

    def _arrive(self) -> None:
        on_way, now = self._on_way, self.loop.now
        while on_way and on_way[0][0] <= now:
            on_way.popleft()[1]()
            # A deed may cut this very connection, and then nothing of the old one arrives any more.
            on_way = self._on_way

    def come(self, deed: Callable[[], None]) -> None:
        """Do `deed` here, after everything that came before; lost if the connection is."""
        if not self._is_up:
            return
        at = max(self._last_in, self.loop.now + self.sky.latency(), self._stalled_until)
        if at == self._last_in and self._coming is not None:
            self._coming.append(deed)
            return
        self._last_in = at
        self._coming = [deed]
        self.loop.call_at(at, self._came, self.epoch, self._coming, context=self.process.context)

    def _came(self, epoch: int, deeds: list[Callable[[], None]]) -> None:
        if deeds is self._coming:
            self._coming = None
        for deed in deeds:
            if epoch == self.epoch and self._is_up:
                deed()

    async def ask(self, deed: Callable[[], T], timeout_s: float) -> T:
        """Have something done by the broker, and its answer.

        Raises:
            Unavailable: no connection in time. Unknown: no answer in time. BusError: what the deed raised.
        """
        await self.ready(timeout_s)
        number, answer, timer = self._expect(timeout_s)
        if self.sky.random.random() >= self.sky.weather.lose:
            self.go(functools.partial(self._do, deed, number))
        try:
            found: T = await answer
            return found
        finally:
            timer.cancel()
            self._waiting.pop(number, None)

    def _expect(self, timeout_s: float) -> tuple[int, asyncio.Future[Any], Call]:
        number = next(self.sky.numbers)
        answer: asyncio.Future[Any] = self.loop.create_future()
        self._waiting[number] = answer
        timer = self.loop.call_later(timeout_s, self._give_up, number, timeout_s)
        return number, answer, timer

    def _give_up(self, number: int, timeout_s: float) -> None:
        answer = self._waiting.pop(number, None)
        if answer is not None and not answer.done():
            self.stats.unknown += 1
            answer.set_exception(Unknown(f"no answer from the broker within {timeout_s:g} s"))

    def _do(self, deed: Callable[[], Any], number: int) -> None:
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            self.sky.stored_after_all += 1
        try:
            found, error = deed(), None
        except BusError as raised:
            found, error = None, raised
        if self.sky.random.random() < self.sky.weather.mute:
            return
        self.come(functools.partial(self._answered, number, found, error))

    def _answered(self, number: int, found: Any, error: BusError | None) -> None:
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found)

    # what the verbs are built on

    async def ready(self, timeout_s: float) -> None:
        if self._is_up:
            return
        try:
            async with asyncio.timeout(timeout_s):
                while not self._is_up:
                    await self._up.wait()
        except TimeoutError as error:
            raise Unavailable(f"no connection to the broker for {timeout_s:g} s") from error

    def expect(self, timeout_s: float, *, skip_empty: bool = False) -> tuple[str, asyncio.Future[Arrived]]:
        number, answer, _ = self._expect(timeout_s)
        return f"{self.inbox}.{number}", answer

    async def send(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None:
        if not self._is_up:
            self.stats.dropped += 1
            raise Unavailable("no connection to the broker")
        self.go(functools.partial(self._routed, subject, body, reply))

    def _routed(self, subject: str, body: bytes, reply: str) -> None:
        if subject.startswith("_INBOX."):
            _, owner, number = subject.split(".")
            for one in self.sky.connections:
                if one.inbox == f"_INBOX.{owner}":
                    one.come(functools.partial(one._answered, int(number), Came(subject, "", body), None))
        elif not self.sky.route(subject, body, reply) and reply:
            number = reply.rpartition(".")[2]
            self.come(functools.partial(self._answered, int(number), None, Unavailable("nobody answers")))

    async def call(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> Arrived:
        await self.ready(timeout_s)
        reply, answer = self.expect(timeout_s)
        await self.send(subject, body, headers, reply)
        return await answer

    async def attach(self, subject: str, on_arrival: OnArrival, queue: str = "") -> Closable:
        made = Subscription(self, subject, queue, on_arrival)
        self.sky.subscriptions.append(made)
        return made

    def on_reconnect(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> Closable:
        return _Work(self.loop.start(self.process, work, name))

    def new_name(self, prefix: str) -> str:
        return f"{prefix}{next(self.sky.numbers)}"

    # the verbs that are shorter here

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored:
        told = await self.ask(lambda: self.sky.store([msg]), timeout_s)
        self.stats.published += 1
        self.stats.duplicates += told.duplicate
        return told

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = BATCH_S) -> Stored:
        checked(msgs)
        if len(msgs) == 1:
            return await self.publish(msgs[0], timeout_s)
        return await self.ask(lambda: self.sky.store(msgs), timeout_s)

    async def last(self, stream: str, subject: str) -> Message | None:
        """The newest message of an exact subject."""
        return await self.ask(lambda: self.sky.server.streams[stream].last(subject), 5.0)

    async def last_for(self, subject: str, stream: str) -> tuple[int, bytes] | None:
        found = await self.last(stream, subject)
        return None if found is None else (found.seq, found.body)

    async def subject_messages(
        self, stream: str, subject: str, *, start_seq: int = 1
    ) -> list[tuple[int, bytes, dict[str, str]]]:
        found = await self.ask(lambda: self.sky.server.streams[stream].matching(subject, start_seq), 10.0)
        return [(one.seq, one.body, one.headers) for one in found]

    async def subject_part(
        self, stream: str, subject: str, *, start_seq: int, most: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        found = await self.subject_messages(stream, subject, start_seq=start_seq)
        return [(seq, body) for seq, body, _ in found[:most]], max(0, len(found) - most)

    async def subject_end(self, stream: str, subject: str, most: int) -> list[tuple[int, bytes]]:
        return [(seq, body) for seq, body, _ in (await self.subject_messages(stream, subject))[-most:]]

    async def stream_bounds(self, stream: str) -> tuple[int, int, int]:
        def bounds() -> tuple[int, int, int]:
            found = self.sky.server.streams[stream]
            first = min(found.messages, default=found.last_seq + 1 if found.last_seq else 0)
            return first, found.last_seq, len(found.messages)

        return await self.ask(bounds, 5.0)

    async def stream_created(self, stream: str) -> str:
        return await self.ask(lambda: f"the one and only {stream}", 5.0)

    async def subject_counts(self, stream: str, filter: str) -> dict[str, int]:
        return await self.ask(lambda: self.sky.server.streams[stream].counts(filter), 30.0)

    async def purge(
        self, stream: str, *, subject: str | None = None, before_seq: int | None = None, keep: int = 0
    ) -> int:
        return await self.ask(lambda: self.sky.server.streams[stream].purge(subject, before_seq, keep), 60.0)

    async def put_object(
        self, bucket: str, name: str, data: bytes | Sequence[bytes], *, is_sealed: bool = False
    ) -> None:
        whole = data if isinstance(data, bytes) else b"".join(data)
        await self.ask(lambda: self.sky.server.objects.setdefault((bucket, name), whole), 10.0)

    async def get_object(self, bucket: str, name: str, *, is_sealed: bool = False) -> bytes | None:
        return await self.ask(lambda: self.sky.server.objects.get((bucket, name)), 10.0)

    async def delete_object(self, bucket: str, name: str) -> None:
        await self.ask(lambda: self.sky.server.objects.pop((bucket, name), None), 10.0)

    def pull(self, stream: str, durable: str, *, batch: int = 256, reset: bool = True) -> Any:
        from broker_bridge.daemon.simulation.fakereaders import FakePull

        return FakePull(self, durable, batch=batch, reset=reset)

    async def follow(self, stream: str, start_seq: int, filter: str | None = None, *, batch: int = 512) -> Any:
        from broker_bridge.daemon.simulation.fakereaders import FakeFollow

        follow = FakeFollow(self, stream, start_seq)
        await follow.started()
        return follow

    async def kv(self, bucket: str, *, ttl_s: float | None = None, history: int = 1, replicas: int = 1) -> Any:
        from broker_bridge.daemon.simulation.fakereaders import FakeKv

        return FakeKv(self, bucket)
