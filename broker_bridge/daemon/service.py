"""Requests and answers: one subject served by a queue group of bridges.

Law: the connection's callback only enqueues (it runs one at a time); the backlog is bounded and a full one is answered `busy` at
once, so that nobody waits for an answer that will not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from broker_bridge.daemon.wire import Arrived, BusError, Closable, Wire

Handler = Callable[[str, bytes, dict[str, str]], Awaitable[bytes]]
"""(subject, body, headers) -> answer."""

log = logging.getLogger(__name__)


class Service:
    """One served subject. Opened by `Bus.serve`."""

    def __init__(self, wire: Wire, handler: Handler, *, workers: int, backlog: int, busy: bytes, broken: bytes) -> None:
        self._wire = wire
        self._handler = handler
        self._workers = workers
        self._busy = busy
        self._broken = broken
        self._queue: asyncio.Queue[Arrived] = asyncio.Queue(backlog)
        self._subscription: Closable | None = None
        self._crew: list[Closable] = []
        self.refused_busy = 0
        self.bugs = 0

    async def open(self, subject: str, queue: str) -> None:
        self._crew = [self._wire.spawn(self._work(), f"serve {number}") for number in range(self._workers)]
        self._subscription = await self._wire.attach(subject, self._on_arrival, queue)

    async def close(self) -> None:
        """Take no more requests, finish those that wait (up to 5 s), then stop."""
        if self._subscription is not None:
            await self._subscription.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await self._queue.join()
        for worker in self._crew:
            await worker.close()

    def _on_arrival(self, message: Arrived) -> None:
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.refused_busy += 1
            self._wire.spawn(self._answer(message, self._busy), "busy")

    async def _work(self) -> None:
        while True:
            message = await self._queue.get()
            try:
                answer = await self._handler(message.subject, message.data, message.headers or {})
            except Exception:
                # The outermost loop of a service: a bug in one request must not end the others.
                self.bugs += 1
                log.exception("request failed")
                answer = self._broken
            finally:
                self._queue.task_done()
            await self._answer(message, answer)

    async def _answer(self, message: Arrived, answer: bytes) -> None:
        if not message.reply:
            return
        try:
            await self._wire.send(message.reply, answer)
        except BusError as error:
            log.warning("answer not sent", extra={"error": type(error).__name__, "size_bytes": len(answer)})
