"""What the daemon asks of its broker: append, read, serve, ask, tell, keys and files.

Law: built on the wire alone, so it knows no library; `Bus` in bus.py adds the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker_bridge.daemon import objects
from broker_bridge.daemon.batch import publish_batch
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.pull import Follow, Pull, newest_from, read_all, read_part
from broker_bridge.daemon.service import Handler, Service
from broker_bridge.daemon.wire import (
    BATCH_S,
    Arrived,
    BusError,
    Closable,
    OnArrival,
    Outgoing,
    Stored,
    Unavailable,
    api,
    last_message,
    stored,
)


@dataclass
class BusStats:
    """Counters since the connection was made."""

    reconnects: int = 0
    published: int = 0
    duplicates: int = 0
    unknown: int = 0
    """Appends and calls that ended in a timeout or a lost connection."""
    dropped: int = 0
    """Core messages (`tell`, acks) that were not sent because there was no connection."""


class Verbs(ABC):
    """Everything a bridge does with its broker, over the primitives of a connection."""

    inbox: str
    stats: BusStats

    @property
    @abstractmethod
    def connected(self) -> bool: ...

    @abstractmethod
    async def send(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None: ...

    @abstractmethod
    async def call(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> Arrived: ...

    @abstractmethod
    async def ready(self, timeout_s: float) -> None: ...

    @abstractmethod
    def expect(self, timeout_s: float, *, skip_empty: bool = False) -> tuple[str, asyncio.Future[Arrived]]: ...

    @abstractmethod
    async def attach(self, subject: str, on_arrival: OnArrival, queue: str = "") -> Closable: ...

    @abstractmethod
    def on_reconnect(self, callback: Callable[[], None]) -> Callable[[], None]: ...

    @abstractmethod
    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> Closable: ...

    @abstractmethod
    def new_name(self, prefix: str) -> str: ...

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored:
        """Append one message to the stream that holds its subject.

        Raises:
            Unavailable, Unknown, LostRace, StoreFull, Rejected, TooLarge: see wire.py.
        """
        answer = await self.call(msg.subject, msg.body, msg.headers, timeout_s)
        told = stored(answer.data)
        self.stats.published += 1
        self.stats.duplicates += told.duplicate
        return told

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = BATCH_S) -> Stored:
        """Append all or none, in one sync to disk; at most 1,000 messages and 4 MiB. `seq` is the last member's.

        Raises:
            Busy, SeenBefore, Unavailable, Unknown, LostRace, StoreFull, Rejected, TooLarge: see wire.py.
        """
        if len(msgs) == 1:
            return await self.publish(msgs[0], timeout_s)
        told = await publish_batch(self, msgs, timeout_s)
        self.stats.published += len(msgs)
        return told

    async def last_for(self, subject: str, stream: str) -> tuple[int, bytes] | None:
        """Sequence and body of the last message on an exact subject, from the stream's leader; None if there is none."""
        found = await last_message(self, stream, subject)
        return None if found is None else (found[0], found[1])

    async def subject_messages(
        self, stream: str, subject: str, *, start_seq: int = 1
    ) -> list[tuple[int, bytes, dict[str, str]]]:
        """All messages of one subject in order: sequence, body, headers."""
        items = await read_all(self, stream, subject, start_seq=start_seq)
        return [(item.seq, item.body, item.headers) for item in items]

    async def subject_part(
        self, stream: str, subject: str, *, start_seq: int, most: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        """The first `most` messages of one subject from a sequence on (sequence, body), and how many there are behind them."""
        items, more = await read_part(self, stream, subject, start_seq=start_seq, most=most)
        return [(item.seq, item.body) for item in items], more

    async def subject_end(self, stream: str, subject: str, most: int) -> list[tuple[int, bytes]]:
        """The newest messages of one subject: at most `most`, and at least half as many if there are."""
        start_seq = await newest_from(self, stream, subject, most)
        found, _ = await self.subject_part(stream, subject, start_seq=start_seq, most=2 * most)
        return found[-most:]

    def pull(self, stream: str, durable: str, *, batch: int = 256, reset: bool = True) -> Pull:
        """Read a durable consumer with acks. `reset` starts it at its ack floor, so that nothing comes out of order."""
        return Pull(self, stream, durable, batch=batch, reset=reset)

    async def follow(self, stream: str, start_seq: int, filter: str | None = None, *, batch: int = 512) -> Follow:
        """Read a stream in order from `start_seq` on, for ever; when it returns, `pending` is known.

        Raises:
            Rejected: no such stream.
            Unknown: the broker does not answer.
        """
        config = {"filter_subject": filter} if filter else {}
        follow = Follow(self, stream, config, start_seq=start_seq, batch=batch)
        try:
            await follow.started()
        except BusError:
            await follow.close()
            raise
        return follow

    async def stream_bounds(self, stream: str) -> tuple[int, int, int]:
        """First sequence, last sequence and number of messages of a stream."""
        state = (await api(self, f"STREAM.INFO.{stream}"))["state"]
        return int(state["first_seq"]), int(state["last_seq"]), int(state["messages"])

    async def stream_created(self, stream: str) -> str:
        """When the stream was made: it names this stream among all that ever had its name."""
        return str((await api(self, f"STREAM.INFO.{stream}"))["created"])

    async def subject_counts(self, stream: str, filter: str) -> dict[str, int]:
        """How many messages each subject has that matches `filter` (wildcards allowed); at most 100,000 subjects are told."""
        told = await api(self, f"STREAM.INFO.{stream}", {"subjects_filter": filter}, 30.0)
        return dict(told["state"].get("subjects") or {})

    async def purge(
        self, stream: str, *, subject: str | None = None, before_seq: int | None = None, keep: int = 0
    ) -> int:
        """Drop messages of an exact subject, or all below a sequence; gives how many.

        Args:
            keep: so many of the newest stay. Not together with `before_seq`: the broker refuses that.
        """
        request: dict[str, Any] = {}
        if subject is not None:
            request["filter"] = subject
        if before_seq is not None:
            request["seq"] = before_seq
        if keep:
            request["keep"] = keep
        return int((await api(self, f"STREAM.PURGE.{stream}", request, 60.0)).get("purged", 0))

    async def serve(
        self,
        subject: str,
        queue: str,
        handler: Handler,
        *,
        workers: int = 64,
        backlog: int = 1024,
        busy: bytes = b"",
        broken: bytes = b"",
    ) -> Service:
        """Answer requests on `subject`, shared with the other members of `queue`; close the result to stop.

        At most `workers` handlers run at once; past `backlog` waiting requests the answer is `busy`, after a bug `broken`.
        """
        service = Service(self, handler, workers=workers, backlog=backlog, busy=busy, broken=broken)
        await service.open(subject, queue)
        return service

    async def request(self, subject: str, body: bytes, timeout_s: float = 5.0) -> bytes:
        """Ask whoever serves `subject`.

        Raises:
            Unavailable: nobody serves it, or no connection.
            Unknown: no answer in time.
        """
        return (await self.call(subject, body, timeout_s=timeout_s)).data

    async def tell(self, subject: str, body: bytes) -> None:
        """Publish without an answer (feeds, beats, signals). Without a connection it is dropped and counted."""
        with contextlib.suppress(Unavailable):
            await self.send(subject, body)

    async def listen(self, subject: str, handler: Callable[[str, bytes], None], queue: str = "") -> Closable:
        """Call `handler(subject, body)` for each core message; it must only take note and return."""
        return await self.attach(subject, lambda message: handler(message.subject, message.data), queue)

    async def kv(self, bucket: str, *, ttl_s: float | None = None, history: int = 1, replicas: int = 1) -> Kv:
        """Open a bucket, making it if it is not there."""
        return await Kv.open(self, bucket, ttl_s=ttl_s, history=history, replicas=replicas)

    async def put_object(
        self, bucket: str, name: str, data: bytes | Sequence[bytes], *, is_sealed: bool = False
    ) -> None:
        """Keep `data` under `name`, its digest (or that of what is sealed in it): putting it again does nothing."""
        await objects.put(self, bucket, name, data, is_sealed=is_sealed)

    async def get_object(self, bucket: str, name: str, *, is_sealed: bool = False) -> bytes | None:
        """The bytes kept under `name`, checked against their digest unless sealed; None if there are none."""
        return await objects.get(self, bucket, name, is_sealed=is_sealed)

    async def delete_object(self, bucket: str, name: str) -> None:
        """Drop what is kept under `name`, if anything."""
        await objects.delete(self, bucket, name)
