"""Keeps one task for each channel: a crash is logged, counted and started again with backoff; the others never notice."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from broker_bridge.channel import Channel

log = logging.getLogger(__name__)

LONGEST_S = 60.0
STEADY_S = 120.0
"""A channel that worked for so long starts its backoff anew."""


class Supervised:
    """One channel's listening."""

    def __init__(
        self,
        channel: Channel,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
    ) -> None:
        self.channel = channel
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self.is_up = False
        self.crashes = 0
        self.problem = ""
        """Name of the error of the last crash; empty while up."""

    def _ready(self) -> None:
        self.is_up = True
        self.problem = ""
        log.info("channel up", extra={"channel": self.channel.name})

    async def run(self) -> None:
        """Listen until cancelled."""
        pause_s = 1.0
        while True:
            began = self._clock()
            try:
                await self.channel.listen(self._ready)
                self.problem = "it stopped listening"
            except Exception as error:
                # The outermost loop of one channel: its bugs and its provider's faults stay its own.
                self.problem = type(error).__name__
                self.crashes += 1
                log.exception("channel crashed", extra={"channel": self.channel.name, "crashes": self.crashes})
            finally:
                self.is_up = False
            if self._clock() - began > STEADY_S:
                pause_s = 1.0
            await self._sleep(pause_s * (1 + 0.3 * self._random()))
            pause_s = min(LONGEST_S, pause_s * 2)
