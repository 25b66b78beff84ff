"""Ids of customers to come, whose data keys lie on disk already: a first contact waits for one synced write instead of two.

Law: a spare is given to one customer or to nobody; what is left when the bridge stops are keys that seal nothing. How many are kept follows
the demand, so that a quiet site makes hardly any.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from broker_bridge.contract.ids import CustomerId
from broker_bridge.daemon.seal import KEYS_AT_ONCE, Sealer
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

LEAST = 4
MOST = KEYS_AT_ONCE
"""One batch of the bucket."""
PAUSE_S = 1.0


class Spares:
    """One for each bridge; `run` must be running for there to be any."""

    def __init__(
        self, sealer: Sealer, new_id: Callable[[], CustomerId], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._sealer = sealer
        self._new_id = new_id
        self._sleep = sleep
        self._ready: deque[CustomerId] = deque()
        self._wanted = asyncio.Event()
        self._taken = 0
        """Since the last filling."""

    def take(self) -> CustomerId:
        """An id for a new customer: of a spare, or a fresh one whose key is made when it is written."""
        self._taken += 1
        if len(self._ready) <= self._taken:
            self._wanted.set()
        return self._ready.popleft() if self._ready else self._new_id()

    async def run(self) -> None:
        """Keep about twice as many as were taken since the last look, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            missing = min(MOST, max(LEAST, 2 * self._taken)) - len(self._ready)
            self._taken = 0
            names = [self._new_id() for _ in range(missing)]
            try:
                await self._sealer.begin_all(names)
            except BusError as error:
                # Whether they lie there is not known: those ids are given to nobody.
                log.warning("no spare keys", extra={"error": type(error).__name__})
                await self._sleep(PAUSE_S)
            else:
                self._ready.extend(names)
