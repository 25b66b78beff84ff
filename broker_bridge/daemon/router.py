"""The leader's work: offers to agents, timers, and the work of who is gone.

Law: only the holder of the lease `leader` acts; two leaders at once do no harm, because an offer is a fact with the expected
sequence of the case and of each agent's load. What the leader does stands in offers.py, timekeeper.py, handback.py; here is when.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from broker_bridge.contract.ids import AgentId
from broker_bridge.core.definitions import is_idle
from broker_bridge.core.standing import Standing
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.handback import Handback
from broker_bridge.daemon.logwriter import Overloaded
from broker_bridge.daemon.offers import Offers
from broker_bridge.daemon.pen import Pen
from broker_bridge.daemon.shifts import Shifts
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, QUEUE
from broker_bridge.daemon.timekeeper import Timekeeper
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

ROUND_S = 1.0
PAUSE_S = 0.002
MOST_PAUSE_S = 0.02


class Router:
    """Goes its rounds while it leads. `run` must be running."""

    def __init__(
        self,
        *,
        pen: Pen,
        offers: Offers,
        timekeeper: Timekeeper,
        handback: Handback,
        floor: Floor,
        staff: Staff,
        shifts: Shifts,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pen = pen
        self._offers = offers
        self._timekeeper = timekeeper
        self._handback = handback
        self._floor = floor
        self._staff = staff
        self._shifts = shifts
        self._now_ms = now_ms
        self._sleep = sleep
        self._clock = clock
        self._wake = asyncio.Event()
        self._leads = False
        self._gave_back_at = -ROUND_S

    @property
    def is_leader(self) -> bool:
        return self._leads

    @is_leader.setter
    def is_leader(self, leads: bool) -> None:
        if leads and not self._leads:
            self._floor.mend(self._now_ms())
            self._wake.set()
        self._leads = leads

    @property
    def offered(self) -> int:
        """Offers made by this bridge."""
        return self._offers.made

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        if self.is_leader and any(one.kind in (CONV, QUEUE) for one in news):
            self._wake.set()

    async def run(self) -> None:
        """Route until cancelled: at news, and once a second for timers and presence."""
        while True:
            try:
                async with asyncio.timeout(ROUND_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            began = self._clock()
            if self.is_leader:
                try:
                    await self._timekeeper.round()
                    if began - self._gave_back_at >= ROUND_S / 2:
                        # It looks at everybody who has work: not at every word of a customer (10,000 agents: 0.1 s).
                        self._gave_back_at = began
                        await self._handback.round(self._pen.write)
                    await self._let_go()
                    await self._offers.round()
                except (Overloaded, BusError) as error:
                    log.warning("routing waits", extra={"error": type(error).__name__})
                    await self._sleep(1.0)
            else:
                self._handback.forget()
            # Everybody else gets a turn after each round, however many agents and cases there are; but a round may have waited for the
            # broker, and nobody shall wait as long again for the next one.
            took_s = min(self._clock() - began, MOST_PAUSE_S)
            await self._sleep(1.0 if self._offers.is_hindered else max(PAUSE_S, took_s))

    async def _let_go(self) -> None:
        """Whoever chose a next status gets it once nobody waits for them any more, and no outcome has to be written."""
        for agent in sorted(self._floor.leaving):
            held = [self._floor.standing(name) for name in self._floor.held_by(agent)]
            if any(one is not None and _is_at(one, agent) for one in held) or self._floor.wrapping(agent):
                continue
            begun = await self._staff.presences.follow(agent)
            if begun is not None:
                await self._shifts.note(agent, begun.state, begun.reason, begun.until_ms)


def _is_at(one: Standing, agent: AgentId) -> bool:
    """Whether somebody waits for this agent in a case that they have to do with: the customer, whoever offers it, or a colleague."""
    is_in_talk = one.consult is not None and one.consult.agent == agent
    return one.offer is not None or is_in_talk or not is_idle(one)
