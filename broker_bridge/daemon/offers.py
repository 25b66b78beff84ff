"""Who waits is offered to who fits: one round of the router.

Law: a conversation rings at one agent (or at all, where its queue says so) at a time; whoever knows the customer is waited for as long as
the queue says, if they are here; a closed queue offers nothing. Every offer keeps the inputs of its decision.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
from collections.abc import Callable
from typing import Any

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.contract.policy import QueueRules, Why
from broker_bridge.core import asking, hours
from broker_bridge.core.customer import Customer
from broker_bridge.core.routing.index import Request
from broker_bridge.core.seating import READY
from broker_bridge.core.state import QUEUED, Conversation
from broker_bridge.core.waiting import Waiting
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.logwriter import Overloaded
from broker_bridge.daemon.pen import Make, Pen
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, CUST, States
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

MOST_A_ROUND = 500
MODES = ("evenly", "in_order", "everybody")
LOOK_AGAIN_MS = 1_000
"""Somebody else may be free by then."""
READ_ONLY_MS = 60_000
"""A case that only a newer bridge may write waits for its lead; it must not take the first place in every round."""


class Offers:
    """The leader's; `round` is called by the router."""

    def __init__(
        self,
        *,
        pen: Pen,
        states: States,
        model: ReadModel,
        staff: Staff,
        floor: Floor,
        rulebook: Rulebook,
        is_leader: Callable[[], bool],
        offers_at_all: bool,
        now_ms: Callable[[], int],
    ) -> None:
        """`offers_at_all` False: agents take from the queue themselves."""
        self._pen = pen
        self._states = states
        self._model = model
        self._staff = staff
        self._floor = floor
        self._rulebook = rulebook
        self._is_leader = is_leader
        self._offers_at_all = offers_at_all
        self._now_ms = now_ms
        self._policies: dict[str, Any] = {}
        self._awaited: dict[AgentId, dict[ConversationId, Request]] = {}
        """Who knows a customer and is waited for, and for what."""
        self.is_hindered = False
        """The broker did not take an offer of the last round."""
        self.made = 0

    async def round(self) -> None:
        """Offer what can be offered. Chosen one after the other, appended together: a round is one write to disk, or few."""
        self.is_hindered = False
        if not self._offers_at_all or not len(self._floor.line):
            return
        now_ms = self._now_ms()
        self._go_on()
        turn = self._floor.line.turn(now_ms)
        async with asyncio.TaskGroup() as crew:
            for _ in range(MOST_A_ROUND):
                waiting = turn.next()
                if waiting is None:
                    return
                rules = self._rulebook.policy.rules(waiting.queue)
                if not hours.is_open(rules.hours, now_ms) or not self._floor.index.is_any_fit(
                    asking.anybody(waiting, rules)
                ):
                    turn.skip()
                    continue
                self._one(waiting, rules, now_ms, crew)

    def _one(self, waiting: Waiting, rules: QueueRules, now_ms: int, crew: asyncio.TaskGroup) -> None:
        cell = self._states.cell(CONV, waiting.conversation)
        if cell.blocked:
            self._floor.line.held(waiting.conversation, now_ms + READ_ONLY_MS)
            return
        state: Conversation = cell.state
        if state.status != QUEUED or state.offer is not None:
            # Decided on since: the follower brings it.
            self._floor.saw(state)
            self._floor.line.held(waiting.conversation, now_ms + LOOK_AGAIN_MS)
            return
        request, wait_ms = self.request(state, waiting, rules, now_ms)
        if wait_ms:
            self._floor.line.held(waiting.conversation, wait_ms)
            for agent in request.prefer:
                self._awaited.setdefault(agent, {})[waiting.conversation] = request
            return
        asked = self._choose(request)
        if not asked:
            # Its group is fit, but for those who let it pass: not held until they are asked again, others come and become free.
            self._floor.line.held(waiting.conversation, now_ms + LOOK_AGAIN_MS)
            return
        why = self.why(state, waiting, rules, request, asked[0], now_ms)
        index = self._floor.index
        for agent in asked:
            index.load(agent, self._floor.index_load(agent) + waiting.units)
            index.given(agent)
        self._floor.line.serve(waiting.conversation, waiting.customer)
        crew.create_task(self._ring(waiting, self._offer(waiting, rules, asked, why, _stint(state)), asked))

    def request(self, state: Conversation, waiting: Waiting, rules: QueueRules, now_ms: int) -> tuple[Request, int]:
        """What is asked of the index, and until when (ms) it is waited for whoever knows the customer (0: not at all)."""
        without = asking.whom_not_to_ask(state.declined, state.passed_by, state.queued_ms, now_ms)
        knowing = self._knowing(state)
        return asking.asking(self._floor.index, waiting, rules, without, knowing, state.queued_ms, now_ms)

    def _go_on(self) -> None:
        """What waited for somebody who has time now, or has gone, is held back no more. Costs as much as there are such agents."""
        for agent in list(self._awaited):
            sitting = self._floor.index.sitting(agent)
            is_here = sitting is not None and sitting.state in asking.HERE
            if sitting is not None and is_here and (sitting.state != READY or sitting.free <= 0):
                continue
            cases = self._awaited[agent]
            for conversation, request in list(cases.items()):
                is_fit = self._floor.index.is_fit(agent, request)
                # Who went meanwhile is not waited for.
                if is_here and not is_fit and conversation in self._floor.line:
                    continue
                self._floor.line.held(conversation, 0)
                del cases[conversation]
            if not cases:
                del self._awaited[agent]

    def _knowing(self, state: Conversation) -> tuple[AgentId, AgentId]:
        """(responsible, who served this customer last)."""
        customer: Customer = self._states.cell(CUST, state.customer).state
        return customer.responsible, state.last_owner or self._last_agent(state)

    def _last_agent(self, state: Conversation) -> AgentId:
        """Who served this customer last, in an earlier case."""
        for name in self._model.ids("customer = ? AND id <> ? ORDER BY last_ms DESC", (state.customer, state.id), 5):
            earlier: Conversation = self._states.cell(CONV, name).state
            if earlier.owner or earlier.last_owner:
                return earlier.owner or earlier.last_owner
        return ""

    def _choose(self, request: Request) -> tuple[AgentId, ...]:
        policy = self._policies.get(request.mode)
        if policy is None:
            name = f"broker_bridge.core.routing.{request.mode}"
            if request.mode not in MODES and importlib.util.find_spec(name) is None:
                # A definition of a newer bridge: given out by the usual rule instead of not at all.
                log.error("a queue's mode is not known here", extra={"queue": request.queue})
                name = "broker_bridge.core.routing.evenly"
            policy = importlib.import_module(name)
            self._policies[request.mode] = policy
        found: tuple[AgentId, ...] = policy.choose(self._floor.index, request)
        return found

    def why(
        self,
        state: Conversation,
        waiting: Waiting,
        rules: QueueRules,
        request: Request,
        chosen: AgentId | None,
        now_ms: int,
    ) -> Why:
        """The inputs of a decision, before it is told to the index; `chosen` None: nobody yet."""
        customer: Customer = self._states.cell(CUST, state.customer).state
        last = state.last_owner or self._last_agent(state)
        explained = self._floor.index.explain(request, chosen, responsible=customer.responsible, last_agent=last)
        return Why(
            policy=self._rulebook.policy.version,
            mode=waiting.mode,
            needs=waiting.needs,
            widened=state.widened,
            hours=hours.state_in_words(rules.hours, now_ms),
            waited_s=max(0, now_ms - waiting.since_ms) // 1000,
            units=waiting.units,
            last_agent=last,
            responsible=customer.responsible,
            considered=explained.considered,
            skipped=explained.skipped,
        )

    async def _ring(self, waiting: Waiting, offer: Make, asked: tuple[AgentId, ...]) -> None:
        gives = tuple((agent, waiting.units) for agent in asked)
        is_done = False
        try:
            is_done = await self._pen.write(waiting.conversation, "router", offer, gives)
        except (Overloaded, BusError) as error:
            # It waits on and is tried again; a failed one must not take back the others of its round.
            self.is_hindered = True
            log.warning("routing waits", extra={"error": type(error).__name__})
        if is_done:
            self.made += 1
            return
        for agent in asked:
            self._floor.index.load(agent, self._floor.load(agent))
        self._floor.again(waiting.conversation)

    def _offer(
        self, waiting: Waiting, rules: QueueRules, asked: tuple[AgentId, ...], why: Why, stint: tuple[object, ...]
    ) -> Make:
        def make(state: Conversation) -> tuple[tuple[f.ConversationFact, ...], str]:
            # A round may have waited long for the broker: what another leader has offered meanwhile is not known here.
            # And what it asks for may be other skills by now, or the queue may have closed.
            is_same = state.status == QUEUED and state.offer is None and _stint(state) == stint
            now_ms = self._now_ms()
            if not self._is_leader() or not is_same or not hours.is_open(rules.hours, now_ms):
                return (), ""
            offered = f.Offered(
                agent=asked[0],
                also=asked[1:],
                until_ms=now_ms + rules.offer_s * 1000,
                reason=why.considered[0].reason if why.considered else "",
                units=waiting.units,
                why=why,
            )
            if state.channel_kind in rules.auto_accept:
                return (offered, f.Accepted(agent=asked[0], epoch=state.epoch + 1)), ""
            return (offered,), ""

        return make


def _stint(state: Conversation) -> tuple[object, ...]:
    """What a choice was made by: another wait in a queue, other needs, one more who let it pass make it void."""
    return state.queue, state.queued_ms, state.skills, state.widened, tuple(state.declined)
