"""From a channel into IN: sealed, synced to disk, and only then acknowledged upstream.

Law: `store` returns when the item is on disk, or raises; the same native id always makes the same item. What arrived while the last
batch was being written goes together, at most one batch in flight; nothing waits for a batch to fill.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from broker_bridge.channel import SiteFull, SiteUnavailable
from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract.envelopes import Envelope, Item, Stored
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.daemon import crash
from broker_bridge.daemon.logwriter import Appends
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.wire import BusError, Busy, LostRace, Outgoing, SeenBefore, StoreFull, TooLarge, Unknown

log = logging.getLogger(__name__)

GROUP = 512
GROUP_BYTES = 3 * 1024 * 1024
MAX_SEALED_BYTES = 450_000
"""With base64 and a copy in DEAD this stays below the broker's max_payload of 1 MB."""
CUT_CHARS = 10_000
PATIENCE_S = 15.0
"""A leader change of three replicas takes 4 to 6 s; after this the provider is told to come again."""


def day_key(at_ms: int) -> str:
    """The data key of IN and DEAD on one day (UTC)."""
    return _named_day(at_ms // 86_400_000)


@functools.lru_cache(64)
def _named_day(day: int) -> str:
    return f"day-{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"


@dataclass(slots=True)
class _Waiting:
    msg: Outgoing
    done: asyncio.Future[bool]


class Intake:
    """One writer of IN in a bridge. `run` must be running."""

    def __init__(
        self,
        bus: Appends,
        sealer: Sealer,
        handle_key: bytes,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`clock`: monotonic seconds. `handle_key`: the site's key for handle ids."""
        self._bus = bus
        self._sealer = sealer
        self._handle_key = handle_key
        self._clock = clock
        self._sleep = sleep
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self.received: Counter[str] = Counter()
        """Items stored since the start, by channel."""
        self.duplicates: Counter[str] = Counter()
        self.is_refusing = False
        """IN is nearly full: nothing new is taken."""

    async def sealed(self, envelope: Envelope) -> Stored:
        """The item as it lies in IN, cut if it is larger than the broker takes in one message."""
        stored = await self._sealed(envelope, envelope.item)
        if len(stored.sealed.box if isinstance(stored.sealed, Sealed) else b"") > MAX_SEALED_BYTES:
            log.warning("item cut", extra={"channel": envelope.channel})
            stored = await self._sealed(envelope, _cut(envelope.item))
        return stored

    async def _sealed(self, envelope: Envelope, item: Item) -> Stored:
        handle = ids.handle_id(self._handle_key, envelope.kind, item.scope, item.sender.address)
        words = Words(text=codec.encode(item).decode())
        return Stored(
            id=ids.derived(envelope.kind, envelope.channel, envelope.native),
            native=ids.derived("native", envelope.native),
            kind=envelope.kind,
            channel=envelope.channel,
            handle=handle,
            received_ms=envelope.received_ms,
            sealed=await self._sealer.seal(words, day_key(envelope.received_ms)),
        )

    async def store(self, envelope: Envelope) -> bool:
        """Store one item; False: the stream had it already.

        Raises:
            SiteFull: no room.
            SiteUnavailable: not confirmed within 15 s; repeat with the same native id.
        """
        if self.is_refusing:
            raise SiteFull("the store for inbound messages is nearly full")
        try:
            stored = await self.sealed(envelope)
        except BusError as error:
            raise SiteUnavailable("the broker does not answer") from error
        subject = subjects.inbound(stored.kind, stored.channel, ids.partition(stored.handle))
        waiting = _Waiting(
            Outgoing(subject, codec.encode(stored), {"Nats-Msg-Id": stored.id}),
            asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(waiting)
        self._wake.set()
        is_new = await waiting.done
        (self.received if is_new else self.duplicates)[envelope.channel] += 1
        return is_new

    async def run(self) -> None:
        """Write groups until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._write(self._next_group())
        finally:
            for waiting in self._waiting:
                _end(waiting, SiteUnavailable("the bridge is stopping"))
            self._waiting.clear()

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        names: set[str] = set()
        size = 0
        while self._waiting and len(group) < GROUP:
            msg = self._waiting[0].msg
            size += len(msg.body)
            # The same id twice in one batch would fail it whole (10201).
            if group and (size > GROUP_BYTES or msg.headers["Nats-Msg-Id"] in names):
                break
            names.add(msg.headers["Nats-Msg-Id"])
            group.append(self._waiting.popleft())
        return group

    async def _write(self, group: list[_Waiting]) -> None:
        try:
            await self._write_patiently(group)
        except asyncio.CancelledError:
            for waiting in group:
                _end(waiting, SiteUnavailable("the bridge is stopping"))
            raise

    async def _write_patiently(self, group: list[_Waiting]) -> None:
        started = self._clock()
        while True:
            crash.point("in.before_store")
            try:
                stored = await self._bus.publish_batch([waiting.msg for waiting in group])
            except (SeenBefore, LostRace):
                for waiting in group:
                    await self._write_patiently([waiting])
                return
            except StoreFull:
                for waiting in group:
                    _end(waiting, SiteFull("the store for inbound messages is full"))
                return
            except (Unknown, Busy):
                # Unknown: it may be stored. The same ids again, never new ones; then the upstream repeats.
                if self._clock() - started > PATIENCE_S:
                    for waiting in group:
                        _end(waiting, SiteUnavailable("the broker did not confirm for 15 s"))
                    return
                await self._sleep(0.3)
                continue
            except (TooLarge, BusError) as error:
                if len(group) > 1:
                    for waiting in group:
                        await self._write_patiently([waiting])
                    return
                log.error("an item could not be stored", extra={"error": type(error).__name__})
                _end(group[0], SiteUnavailable(f"the broker refused it ({type(error).__name__})"))
                return
            crash.point("in.stored")
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_result(not stored.duplicate)
            return


def _cut(item: Item) -> Item:
    """The item with so little text that it fits; the whole is in its source, where the channel keeps one."""
    words = item.words
    short = msgspec.structs.replace(
        words,
        text=words.text[:CUT_CHARS],
        quote="",
        subject=words.subject[:500],
        to=words.to[:50],
        cc=words.cc[:50],
        files=words.files[:100],
        references=words.references[-20:],
        warnings=(*words.warnings[:5], "It was too large and is cut here; the whole is in its source."),
    )
    return msgspec.structs.replace(item, words=short)


def _end(waiting: _Waiting, error: Exception) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        waiting.done.set_exception(error)
