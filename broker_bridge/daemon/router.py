"""The leader's work: offers to agents, and timers.

Law: only the holder of the lease `leader` acts; two leaders at once do no harm, because an offer is a fact with an expected sequence. A
conversation is offered to one agent at a time; an offer that nobody answered goes back and says so.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.core.conversation import QUEUED, Conversation
from broker_bridge.core.routing.least_loaded import Candidate
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.handback import Handback
from broker_bridge.daemon.logwriter import Blocked, LogWriter, Overloaded
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, States
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

ROUND_S = 1.0
PAUSE_S = 0.002
MOST_A_ROUND = 500


class Router:
    """Offers what waits to who has room. `run` must be running."""

    def __init__(
        self,
        *,
        writer: LogWriter,
        states: States,
        model: ReadModel,
        staff: Staff,
        floor: Floor,
        offer_timeout_s: int,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        policy: str = "least_loaded",
        clock: Callable[[], float] = time.monotonic,
        silent_grace_s: int = 0,
    ) -> None:
        """`policy`: a module of core.routing. `offer_timeout_s` 0 = nothing is offered, agents take from the queue.
        `silent_grace_s`: after which unanswered work of a vanished terminal goes back; 0 = never.
        """
        self._writer = writer
        self._states = states
        self._model = model
        self._staff = staff
        self._floor = floor
        self._offer_timeout_ms = offer_timeout_s * 1000
        self._now_ms = now_ms
        self._sleep = sleep
        self._policy: Any = importlib.import_module(f"broker_bridge.core.routing.{policy}")
        self._given_ms: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._clock = clock
        self._is_hindered = False
        self._handback = Handback(staff=staff, floor=floor, grace_s=silent_grace_s, clock=clock)
        self.is_leader = False
        self.offered = 0

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        if self.is_leader and any(one.kind == CONV for one in news):
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
                    await self._end_offers()
                    await self._handback.round(self._append)
                    await self._offer()
                except (Overloaded, BusError) as error:
                    log.warning("routing waits", extra={"error": type(error).__name__})
                    await self._sleep(1.0)
            else:
                self._handback.forget()
            # At most half of the time goes into rounds, however many agents and cases there are.
            took_s = self._clock() - began
            await self._sleep(1.0 if self._is_hindered else max(PAUSE_S, took_s))
            self._is_hindered = False

    async def _end_offers(self) -> None:
        now_ms = self._now_ms()
        for name in self._floor.rung_out(now_ms)[:MOST_A_ROUND]:

            def over(state: Conversation) -> f.ConversationFact | None:
                if state.offer is None or state.offer.until_ms > self._now_ms():
                    return None
                return f.OfferEnded(agent=state.offer.agent, reason="expired")

            await self._append(name, "timer", over)

    def _candidates(self) -> list[Candidate]:
        return [
            Candidate(
                agent=name,
                queues=one.queues,
                is_ready=self._staff.presence(name).state == "ready",
                load=self._floor.load[name],
                capacity=one.capacity,
                idle_since_ms=self._given_ms.get(name, 0),
            )
            for name, one in self._staff.active.items()
            if one.role == "agent"
        ]

    async def _offer(self) -> None:
        if not self._offer_timeout_ms:
            return
        if not self._floor.has_waiting:
            return
        candidates = {one.agent: one for one in self._candidates()}
        free = [one for one in candidates.values() if one.is_ready and one.load < one.capacity]
        if not free:
            return

        def serves(queue: str) -> bool:
            return any(not one.queues or queue in one.queues for one in free)

        async with asyncio.TaskGroup() as crew:
            # Chosen one after the other, appended together: the offers of a round are one write to disk.
            for name in self._floor.first_waiting(MOST_A_ROUND, serves):
                state: Conversation = self._states.cell(CONV, name).state
                if state.status != QUEUED or state.offer is not None:
                    continue
                last = state.last_owner or self._last_agent(state)
                choice = self._policy.choose(candidates.values(), state.queue, last, state.declined, self._now_ms())
                if choice is None:
                    continue
                taken = candidates[choice.agent]
                candidates[taken.agent] = Candidate(
                    agent=taken.agent,
                    queues=taken.queues,
                    is_ready=True,
                    load=taken.load + 1,
                    capacity=taken.capacity,
                    idle_since_ms=self._now_ms(),
                )
                crew.create_task(self._ring(name, choice))

    async def _ring(self, name: str, choice: Any) -> None:
        def offer(state: Conversation) -> f.ConversationFact | None:
            # A round may have waited long for the broker: what another leader has offered meanwhile is not known here.
            if not self.is_leader or state.status != QUEUED or state.offer is not None:
                return None
            until_ms = self._now_ms() + self._offer_timeout_ms
            return f.Offered(agent=choice.agent, until_ms=until_ms, reason=choice.reason)

        try:
            if await self._append(name, "router", offer):
                self.offered += 1
                self._given_ms[choice.agent] = self._now_ms()
        except (Overloaded, BusError) as error:
            # It waits on and is tried again; a failed one must not take back the others of its round.
            self._is_hindered = True
            log.warning("routing waits", extra={"error": type(error).__name__})

    def _last_agent(self, state: Conversation) -> str:
        """Who served this customer last, in an earlier case."""
        for name in self._model.ids("customer = ? AND id <> ? ORDER BY last_ms DESC", (state.customer, state.id), 5):
            earlier: Conversation = self._states.cell(CONV, name).state
            if earlier.owner or earlier.last_owner:
                return earlier.owner or earlier.last_owner
        return ""

    async def _append(self, name: str, by: str, make: Callable[[Conversation], f.ConversationFact | None]) -> bool:
        async with self._writer.hold((CONV, name)) as cells:

            def decision() -> tuple[dict[int, tuple[Entry, str]], bool]:
                state: Conversation = cells[0].state
                fact = make(state)
                if fact is None:
                    return {}, False
                return {0: (Entry(at_ms=self._now_ms(), by=by, facts=(fact,)), state.customer)}, True

            try:
                _, is_done = await self._writer.decide(cells, "", decision)
            except Blocked:
                # Read-only here; the others must not wait behind it.
                return False
            # Not only when the follower comes to it: the next round must not give the same place away again.
            self._floor.saw(cells[0].state)
        return is_done
