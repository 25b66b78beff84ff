"""The two readers of a stream: `Pull` (a durable consumer whose items are acknowledged) and `Follow` (ordered, from a sequence).

Law of Pull: the consumer is reset at every start and after every lost connection. Without it the broker redelivers out of
order (measured: 11-15 before 4-10); with it everything above the ack floor comes again, in order, and applying is idempotent. A hole in
the consumer's count means that somebody else was given an item (the last holder of a lease, whose request was still open): reset again.
Law of Follow: items come in stream order without a hole; after any loss the reading goes on behind the last item.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Self

from broker_bridge.daemon.tap import Item, Tap
from broker_bridge.daemon.wire import Unknown, Wire, api

FOLLOW_IDLE_S = 60.0
"""A consumer of a follower that nobody pulls from is removed by the server after this."""


class _Reader:
    """Items one by one (`async for`) or in groups (`some`)."""

    _tap: Tap

    def __init__(self) -> None:
        self._handy: deque[Item] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        if not self._handy:
            self._handy.extend(await self.some(64))
        if not self._handy:
            raise StopAsyncIteration
        return self._handy.popleft()

    async def some(self, limit: int = 256) -> list[Item]:
        """At least one item, at most `limit`, in order, as soon as there is one; an empty list only after close.

        Raises:
            Rejected: the consumer or its stream is gone for good.
        """
        if self._handy:
            return [self._handy.popleft() for _ in range(min(limit, len(self._handy)))]
        return await self._tap.some(limit)

    async def close(self) -> None:
        await self._tap.close()

    @property
    def restarts(self) -> int:
        """How often the reading had to start over (lost connection, lost consumer)."""
        return max(0, self._tap.restarts)


class Pull(_Reader):
    """Items of one durable consumer with explicit acks.

    After a restart, items that were handed out and not acknowledged come again: `async for` and `some` may give an item
    whose twin is still being worked on.
    """

    def __init__(self, wire: Wire, stream: str, durable: str, *, batch: int, reset: bool) -> None:
        super().__init__()
        self._wire = wire
        self._stream = stream
        self._durable = durable
        self._reset = reset
        self._last_consumer_seq = 0
        self._tap = Tap(wire, stream, self._prepare, batch=batch, keep_queued=False, accept=self._accept)

    def _accept(self, item: Item) -> bool:
        if self._reset and item.consumer_seq != self._last_consumer_seq + 1:
            return False
        self._last_consumer_seq = item.consumer_seq
        return True

    async def _prepare(self) -> str:
        self._handy.clear()
        self._last_consumer_seq = 0
        # Asked first: a reset of a consumer that is not there is never answered.
        await api(self._wire, f"CONSUMER.INFO.{self._stream}.{self._durable}")
        if self._reset:
            await api(self._wire, f"CONSUMER.RESET.{self._stream}.{self._durable}")
        return self._durable


class Follow(_Reader):
    """Items of a stream in order. `pending` says how many were behind the last item that was handed out."""

    def __init__(self, wire: Wire, stream: str, config: dict[str, Any], *, start_seq: int, batch: int) -> None:
        """`config` is the part of the consumer's configuration that says what to deliver, without where to start."""
        super().__init__()
        self._wire = wire
        self._stream = stream
        self._config = config
        self._last_seq = max(0, start_seq - 1)
        self._last_consumer_seq = 0
        self._last_seq_seen = False
        self._pending = 0
        self._name = ""
        self._tap = Tap(wire, stream, self._prepare, batch=batch, keep_queued=True, accept=self._accept)

    @property
    def pending(self) -> int:
        """Items behind the last one handed out, as far as the server has said: 0 means caught up."""
        return self._pending

    async def started(self, timeout_s: float = 10.0) -> None:
        """Wait until reading has begun; from then on `pending` means something.

        Raises:
            Rejected: no such stream.
            Unknown: the broker does not answer.
        """
        await self._tap.started(timeout_s)

    async def some(self, limit: int = 256) -> list[Item]:
        items = await super().some(limit)
        if items:
            self._pending = items[-1].pending
        return items

    async def __anext__(self) -> Item:
        item = await super().__anext__()
        self._pending = item.pending
        return item

    async def close(self) -> None:
        await super().close()
        if self._name and self._wire.connected:
            await self._wire.send(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")

    def _accept(self, item: Item) -> bool:
        if item.consumer_seq != self._last_consumer_seq + 1:
            return False
        self._last_consumer_seq = item.consumer_seq
        self._last_seq = item.seq
        self._last_seq_seen = True
        return True

    async def _prepare(self) -> str:
        self._name = self._wire.new_name("f")
        self._last_consumer_seq = 0
        told = await create_reader(
            self._wire,
            self._stream,
            self._name,
            {**self._config, "deliver_policy": "by_start_sequence", "opt_start_seq": self._last_seq + 1},
        )
        if not self._last_seq_seen:
            self._pending = int(told.get("num_pending", 0))
        return self._name


async def create_reader(wire: Wire, stream: str, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Create an ordered, unacknowledged consumer in the server's memory; gives the API's answer (`num_pending`...).

    Raises:
        Rejected: no such stream.
    """
    filters = config.get("filter_subject")
    request = {
        "stream_name": stream,
        "action": "create",
        "config": {
            "name": name,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": int(FOLLOW_IDLE_S * 1e9),
            **config,
        },
    }
    verb = f"CONSUMER.CREATE.{stream}.{name}"
    if isinstance(filters, str):
        verb += f".{filters}"
    return await api(wire, verb, request)


async def read_all(
    wire: Wire, stream: str, subject: str, *, start_seq: int = 1, batch: int = 256, timeout_s: float = 10.0
) -> list[Item]:
    """Every message of one subject (wildcards allowed), in order, that is there now.

    Raises:
        Rejected: no such stream.
        Unknown: the reading took longer than `timeout_s`.
    """
    follow = Follow(wire, stream, {"filter_subject": subject}, start_seq=start_seq, batch=batch)
    items: list[Item] = []
    try:
        async with asyncio.timeout(timeout_s):
            await follow.started(timeout_s)
            while follow.pending > 0:
                items.extend(await follow.some(batch))
    except TimeoutError as error:
        raise Unknown(f"reading {stream} took longer than {timeout_s:g} s") from error
    finally:
        await follow.close()
    return items


async def read_part(
    wire: Wire, stream: str, subject: str, *, start_seq: int, most: int, timeout_s: float = 10.0
) -> tuple[list[Item], int]:
    """The first `most` messages of one subject from a sequence on, and how many there are behind them.

    Raises:
        Rejected, Unknown: as `read_all`.
    """
    follow = Follow(wire, stream, {"filter_subject": subject}, start_seq=start_seq, batch=min(256, most))
    items: list[Item] = []
    try:
        async with asyncio.timeout(timeout_s):
            await follow.started(timeout_s)
            while follow.pending > 0 and len(items) < most:
                items.extend(await follow.some(most - len(items)))
            return items, follow.pending
    except TimeoutError as error:
        raise Unknown(f"reading {stream} took longer than {timeout_s:g} s") from error
    finally:
        await follow.close()


async def newest_from(wire: Wire, stream: str, subject: str, most: int) -> int:
    """A sequence from which on a subject has at most `most` messages, and where it can be at least half as many.

    The broker reads forwards only, and says how many there would be: so it is asked at some places, each time for half of what is left
    (about ten questions in a long stream).
    """
    state = (await api(wire, f"STREAM.INFO.{stream}"))["state"]
    low, high = int(state["first_seq"]), int(state["last_seq"]) + 1
    middle = low
    while True:
        count = await _count_from(wire, stream, subject, middle)
        if count > most:
            low = middle
        else:
            high = middle
            if middle == int(state["first_seq"]) or count * 2 >= most:
                return high
        if high - low <= 1:
            return high
        middle = (low + high) // 2


async def _count_from(wire: Wire, stream: str, subject: str, start_seq: int) -> int:
    name = wire.new_name("n")
    config = {"filter_subject": subject, "deliver_policy": "by_start_sequence", "opt_start_seq": max(1, start_seq)}
    told = await create_reader(wire, stream, name, config)
    await wire.send(f"$JS.API.CONSUMER.DELETE.{stream}.{name}")
    return int(told.get("num_pending", 0))
