"""The bridge's connection to its broker: the only file on this side that imports nats.

Law: a message is either stored (`Stored`), surely not stored (`LostRace`, `StoreFull`, `Busy`, `SeenBefore`, `Unavailable`), or
`Unknown`; nothing here is repeated under another id, and nothing waits longer than its timeout. Acks are matched in one callback on
an own inbox (measured: 3 to 5 times the speed of `js.publish` on the same connection).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Self

import nats
import nats.errors
from nats.aio.client import Client, Server
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.pull import Follow, Pull
from broker_bridge.daemon.tap import Item
from broker_bridge.daemon.verbs import BusStats, Verbs
from broker_bridge.daemon.wire import (
    Arrived,
    BusError,
    Busy,
    Closable,
    Entry,
    LostRace,
    OnArrival,
    Outgoing,
    Refused,
    Rejected,
    SeenBefore,
    Stored,
    StoreFull,
    TooLarge,
    Unavailable,
    Unknown,
)

__all__ = [
    "Bus",
    "BusError",
    "BusStats",
    "Busy",
    "Entry",
    "Follow",
    "Item",
    "Kv",
    "LostRace",
    "Outgoing",
    "Pull",
    "Refused",
    "Rejected",
    "SeenBefore",
    "StoreFull",
    "Stored",
    "TooLarge",
    "Unavailable",
    "Unknown",
]

log = logging.getLogger(__name__)

PING_INTERVAL_S = 5
MAX_OUTSTANDING_PINGS = 2
RECONNECT_WAIT_S = 1.0
MAX_REFUSALS = 3
"""Reconnects in a row that are refused for bad credentials, before the connection counts as ended."""


class _Client(Client):
    """The library's client with headers read and written in few steps: every message of a batch has four of them."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon and " " not in (name := name.strip()):
                found[name] = value.strip()
        return found

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, str] | None
    ) -> None:
        if not headers:
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise nats.errors.BadHeaderError("a header holds a line break")
        head = f"NATS/1.0\r\n{lines}\r\n".encode()
        command = f"HPUB {subject} {reply} {len(head)} {len(head) + payload_size}\r\n".encode()
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        await self._send_command(b"".join((command, head, payload, b"\r\n")))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()


class _Attached:
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def close(self) -> None:
        with contextlib.suppress(nats.errors.Error):
            await self._subscription.unsubscribe()


class _Work:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    async def close(self) -> None:
        if self._task is asyncio.current_task():
            return
        self._task.cancel()
        await asyncio.wait([self._task])


class Bus(Verbs):
    """One connection. Make it with `Bus.connect`, end it with `close`."""

    def __init__(self, client: Client, name: str, inbox_prefix: str, on_closed: Callable[[], None]) -> None:
        """Shape only; use `connect`."""
        self.inbox = f"{inbox_prefix}.{secrets.token_hex(6)}"
        self.stats = BusStats()
        self.refusals: deque[str] = deque(maxlen=100)
        """What the broker forbade this connection to publish or subscribe, latest last."""
        self._client = client
        self._name = name
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Arrived]] = {}
        self._up = asyncio.Event()
        self._reconnect_callbacks: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._was_up = False
        self._was_refused = asyncio.Event()
        self._last_error = ""
        self._on_closed = on_closed
        self._refused = 0
        self._answers = f"{self.inbox}.a"

    @classmethod
    async def connect(
        cls,
        url: str | Sequence[str],
        *,
        seed: str | None,
        name: str,
        inbox_prefix: str,
        on_closed: Callable[[], None],
        timeout_s: float = 10.0,
    ) -> Self:
        """Connect and stay connected: after a loss it tries for ever, about once a second.

        `on_closed` runs once if the connection ends for good without `close` (the user was removed): end the process.

        Raises:
            Refused: the broker does not know the seed.
            Unavailable: no broker within `timeout_s`.
        """
        bus = cls(_Client(), name, inbox_prefix, on_closed)
        opening = asyncio.ensure_future(bus._open([url] if isinstance(url, str) else list(url), seed, inbox_prefix))
        refused = asyncio.ensure_future(bus._was_refused.wait())
        try:
            await asyncio.wait([opening, refused], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if bus._was_refused.is_set():
                raise Refused(f"the broker refused the credentials of {name}")
            if not opening.done():
                raise Unavailable(f"no broker within {timeout_s:g} s ({bus._last_error or 'no answer'})")
            opening.result()
        except (nats.errors.Error, OSError) as error:
            raise Unavailable(f"no broker ({type(error).__name__})") from error
        finally:
            refused.cancel()
            if not opening.done():
                opening.cancel()
                await asyncio.wait([opening])
        bus._was_up = True
        bus._up.set()
        bus.spawn(bus._cut_dead_socket(), "dead socket")
        await bus._client.subscribe(f"{bus._answers}.*", cb=bus._on_answer)
        return bus

    async def _open(self, urls: list[str], seed: str | None, inbox_prefix: str) -> None:
        await self._client.connect(
            urls,
            nkeys_seed_str=seed,
            name=self._name,
            inbox_prefix=inbox_prefix,
            error_cb=self._on_error,
            closed_cb=self._on_end,
            disconnected_cb=self._on_loss,
            reconnected_cb=self._on_return,
            connect_timeout=2,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.3,  # type: ignore[arg-type]
            reconnect_to_server_handler=_choose_server,
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=MAX_OUTSTANDING_PINGS,
            pending_size=8 * 1024 * 1024,
            flush_timeout=5.0,
            skip_subject_validation=True,
        )

    # What the verbs and the readers are built on (the `Wire` protocol).

    @property
    def connected(self) -> bool:
        """True if the connection is up, as far as is known here."""
        return self._client.is_connected and self._up.is_set()

    def new_name(self, prefix: str) -> str:
        """A name that no other connection and no other call makes."""
        return f"{prefix}{secrets.token_hex(6)}{next(self._numbers)}"

    async def send(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None:
        """Put a message on the connection; nothing is buffered for a later connection.

        Raises:
            Unavailable: no connection.
            TooLarge: past the broker's max_payload.
        """
        if not self.connected:
            self.stats.dropped += 1
            raise Unavailable("no connection to the broker")
        try:
            await self._client.publish(subject, body, reply, dict(headers) if headers else None)
        except nats.errors.MaxPayloadError as error:
            raise TooLarge(f"{len(body)} bytes are more than the broker takes ({self._client.max_payload})") from error
        except nats.errors.Error as error:
            raise Unavailable(f"the message was not sent ({type(error).__name__})") from error

    def expect(self, timeout_s: float, *, skip_empty: bool = False) -> tuple[str, asyncio.Future[Arrived]]:
        """A reply subject and the answer that will come to it; after `timeout_s` the future raises Unknown.

        With `skip_empty`, an answer without a body is not the answer yet.
        """
        token = f"{'e' if skip_empty else 'r'}{next(self._numbers)}"
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Arrived] = loop.create_future()
        self._waiting[token] = future
        timer = loop.call_later(timeout_s, self._give_up, token, timeout_s)

        def forget(_: asyncio.Future[Arrived]) -> None:
            timer.cancel()
            self._waiting.pop(token, None)

        future.add_done_callback(forget)
        return f"{self._answers}.{token}", future

    async def ready(self, timeout_s: float) -> None:
        """Wait for the connection.

        Raises:
            Unavailable: still none after `timeout_s`.
        """
        if self.connected:
            return
        try:
            async with asyncio.timeout(timeout_s):
                while not self.connected:
                    # Between a loss and its callback the event still says up: look again soon.
                    await (asyncio.sleep(0.01) if self._up.is_set() else self._up.wait())
        except TimeoutError as error:
            raise Unavailable(f"no connection to the broker for {timeout_s:g} s") from error

    async def call(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> Arrived:
        """Send a request and wait for its one answer.

        Raises:
            Unavailable: no connection, or nobody serves the subject.
            Unknown: no answer in time.
        """
        await self.ready(timeout_s)
        reply, answer = self.expect(timeout_s)
        try:
            await self.send(subject, body, headers, reply)
            return await answer
        finally:
            answer.cancel()

    async def attach(self, subject: str, on_arrival: OnArrival, queue: str = "") -> Closable:
        """Call `on_arrival` for each message on `subject`; it must only take note and return."""

        async def take(message: Msg) -> None:
            on_arrival(message)

        await self.ready(5.0)
        subscription = await self._client.subscribe(subject, queue=queue, cb=take)
        return _Attached(subscription)

    def on_reconnect(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after every reconnect; gives the function that ends it."""
        self._reconnect_callbacks.append(callback)
        return lambda: self._reconnect_callbacks.remove(callback) if callback in self._reconnect_callbacks else None

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> Closable:
        """Run `work` until it ends, is closed, or the bus is closed. A bug in it reaches the loop's exception handler."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return _Work(task)

    async def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until the broker has seen everything that was sent.

        Raises:
            Unknown: it did not say so in time.
        """
        try:
            # The client writes its PING past its own buffer: what lies there goes out during the first round.
            if self._client.pending_data_size:
                await self._client.flush(int(timeout_s) or 1)
            await self._client.flush(int(timeout_s) or 1)
        except (nats.errors.Error, TimeoutError) as error:
            raise Unknown("the broker did not answer the flush") from error

    async def close(self) -> None:
        """End all readers and services, then the connection. `on_closed` is not called."""
        self._is_closing = True
        for task in tuple(self._tasks):
            await _Work(task).close()
        if self._client.is_connected:
            with contextlib.suppress(Unknown):
                await self.flush(2.0)
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(5.0):
                await self._client.close()
        self._go_down()

    drain = close

    # The connection's own callbacks.

    async def _on_answer(self, message: Msg) -> None:
        token = message.subject[len(self._answers) + 1 :]
        future = self._waiting.get(token)
        if future is None or future.done():
            return
        if not message.data:
            status = message.headers.get("Status") if message.headers else None
            if status == "503":
                future.set_exception(Unavailable("nobody answers on the subject"))
                return
            if token.startswith("e"):
                return
        future.set_result(message)

    def _give_up(self, token: str, timeout_s: float) -> None:
        future = self._waiting.get(token)
        if future is not None and not future.done():
            self.stats.unknown += 1
            future.set_exception(Unknown(f"no answer from the broker within {timeout_s:g} s"))

    async def _cut_dead_socket(self) -> None:
        """The client closes a lost connection politely: with unsent bytes and a silent peer that lasts until TCP gives up, minutes
        in which it does not reconnect (seen with a frozen server). So the socket is cut if the loss is not told within two seconds.
        """
        rounds = 0
        while True:
            await asyncio.sleep(1.0)
            rounds = rounds + 1 if self._client.is_reconnecting and self._up.is_set() else 0
            writer = getattr(self._client._transport, "_io_writer", None)
            if rounds >= 2 and writer is not None:
                log.warning("dead connection cut", extra={"connection": self._name})
                writer.transport.abort()

    def _go_down(self) -> None:
        self._up.clear()
        for future in tuple(self._waiting.values()):
            if not future.done():
                self.stats.unknown += 1
                future.set_exception(Unknown("the connection was lost before the broker answered"))

    async def _on_error(self, error: Exception) -> None:
        text = str(error).lower()
        self._last_error = type(error).__name__
        log.warning("broker connection error", extra={"error": self._last_error, "connection": self._name})
        if "permissions violation" in text:
            self.refusals.append(str(error))
        if isinstance(error, nats.errors.AuthorizationError) or "authorization" in text:
            self._was_refused.set()
            self._refused += 1
            # A broker that knew us and refuses us again and again: once may be a configuration half changed.
            if self._was_up and self._refused == MAX_REFUSALS:
                self.spawn(self._client.close(), "refused")

    async def _on_end(self) -> None:
        self._go_down()
        if not self._is_closing:
            self._is_closing = True
            self._on_closed()

    async def _on_loss(self) -> None:
        self._go_down()

    async def _on_return(self) -> None:
        self._refused = 0
        self.stats.reconnects += 1
        self._up.set()
        for callback in tuple(self._reconnect_callbacks):
            callback()


def _choose_server(pool: list[Server], _info: dict[str, Any]) -> tuple[Server, float]:
    """The server that failed least, and the seconds to wait before trying it: about a second, at once the first time."""
    server = min(pool, key=lambda candidate: candidate.reconnects)
    jitter = random.random()
    return server, 0.2 * jitter if server.reconnects == 0 else RECONNECT_WAIT_S + 0.5 * jitter
