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
from typing import Any, NamedTuple

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
from broker_bridge.daemon.pen import Pen
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, CUST, States
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

MOST_A_ROUND = 500
MOST_GROUPS = 16
"""Of those who wait, that are looked through when a case begins; a round looks through all."""
MODES = ("evenly", "in_order", "everybody")
LOOK_AGAIN_MS = 1_000
"""Somebody else may be free by then."""
READ_ONLY_MS = 60_000
"""A case that only a newer bridge may write waits for its lead; it must not take the first place in every round."""


class Ring(NamedTuple):
    """One decision of the router, not yet written."""

    waiting: Waiting
    rules: QueueRules
    asked: tuple[AgentId, ...]
    """At least one."""
    why: Why

    @property
    def gives(self) -> tuple[tuple[AgentId, int], ...]:
        """The places that it takes, in units."""
        return tuple((agent, self.waiting.units) for agent in self.asked)


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
                if not self._can_take(waiting, rules, now_ms):
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
        knowing = self._knowing(state)
        request, wait_ms = self.request(state, waiting, rules, now_ms, knowing)
        if wait_ms:
            self._floor.line.held(waiting.conversation, wait_ms)
            for agent in request.prefer:
                self._awaited.setdefault(agent, {})[waiting.conversation] = request
            return
        ring = self._chosen(state, waiting, rules, request, knowing, now_ms)
        if ring is None:
            # Its group is fit, but for those who let it pass: not held until they are asked again, others come and become free.
            self._floor.line.held(waiting.conversation, now_ms + LOOK_AGAIN_MS)
            return
        self._floor.line.serve(waiting.conversation, waiting.customer)
        crew.create_task(self._write(ring, _stint(state)))

    def at_once(self, state: Conversation, now_ms: int) -> Ring | None:
        """Whom to ask about a case that is just being written, if nobody stands before it; their places count as taken from here on.

        `written` or `undo` must follow. Cases that ring at everybody are left to the round.
        """
        if not self._offers_at_all or not self._is_leader():
            return None
        self._go_on()
        waiting = self._floor.waiting(state)
        rules = self._rulebook.policy.rules(waiting.queue)
        if waiting.mode == "everybody" or not self._can_take(waiting, rules, now_ms) or self._is_anybody_before(now_ms):
            return None
        knowing = self._knowing(state)
        request, wait_ms = self.request(state, waiting, rules, now_ms, knowing)
        return None if wait_ms else self._chosen(state, waiting, rules, request, knowing, now_ms)

    def _can_take(self, waiting: Waiting, rules: QueueRules, now_ms: int) -> bool:
        """Whether its queue is open and somebody is free for all of its group."""
        return hours.is_open(rules.hours, now_ms) and self._floor.index.is_any_fit(asking.anybody(waiting, rules))

    def _is_anybody_before(self, now_ms: int) -> bool:
        """Whether somebody waits who could be offered now, or it would take long to say so."""
        turn = self._floor.line.turn(now_ms)
        for _ in range(MOST_GROUPS):
            waiting = turn.next()
            if waiting is None:
                return False
            if self._can_take(waiting, self._rulebook.policy.rules(waiting.queue), now_ms):
                return True
            turn.skip()
        return True

    def _chosen(
        self,
        state: Conversation,
        waiting: Waiting,
        rules: QueueRules,
        request: Request,
        knowing: tuple[AgentId, AgentId],
        now_ms: int,
    ) -> Ring | None:
        """The choice with its reasons, told to the index; None: nobody."""
        asked = self._choose(request)
        if not asked:
            return None
        if state.channel_kind in rules.auto_accept:
            # The machine accepts for the first of them at once: it takes no place of the others.
            asked = asked[:1]
        why = self.why(state, waiting, rules, request, asked[0], now_ms, knowing)
        index = self._floor.index
        for agent in asked:
            index.load(agent, self._floor.index_load(agent) + waiting.units)
            index.given(agent)
        return Ring(waiting, rules, asked, why)

    def undo(self, ring: Ring) -> None:
        """It was not written: the places are free again."""
        for agent in ring.asked:
            self._floor.index.load(agent, self._floor.load(agent))

    def request(
        self,
        state: Conversation,
        waiting: Waiting,
        rules: QueueRules,
        now_ms: int,
        knowing: tuple[AgentId, AgentId] | None = None,
    ) -> tuple[Request, int]:
        """What is asked of the index, and until when (ms) it is waited for whoever knows the customer (0: not at all)."""
        without = asking.whom_not_to_ask(state.declined, state.passed_by, state.queued_ms, now_ms)
        known = knowing or self._knowing(state)
        return asking.asking(self._floor.index, waiting, rules, without, known, state.queued_ms, now_ms)

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
        knowing: tuple[AgentId, AgentId] | None = None,
    ) -> Why:
        """The inputs of a decision, before it is told to the index; `chosen` None: nobody yet."""
        responsible, last = knowing or self._knowing(state)
        explained = self._floor.index.explain(request, chosen, responsible=responsible, last_agent=last)
        return Why(
            policy=self._rulebook.policy.version,
            mode=waiting.mode,
            needs=waiting.needs,
            widened=state.widened,
            hours=hours.state_in_words(rules.hours, now_ms),
            waited_s=max(0, now_ms - waiting.since_ms) // 1000,
            units=waiting.units,
            last_agent=last,
            responsible=responsible,
            considered=explained.considered,
            skipped=explained.skipped,
        )

    async def _write(self, ring: Ring, stint: tuple[object, ...]) -> None:
        conversation = ring.waiting.conversation

        def make(state: Conversation) -> tuple[tuple[f.ConversationFact, ...], str]:
            # A round may have waited long for the broker: what another leader has offered meanwhile is not known here.
            # And what it asks for may be other skills by now, or the queue may have closed.
            is_same = state.status == QUEUED and state.offer is None and _stint(state) == stint
            return (self.facts(ring, state, self._now_ms()) if is_same else ()), ""

        is_done = False
        try:
            is_done = await self._pen.write(conversation, "router", make, ring.gives)
        except (Overloaded, BusError) as error:
            # It waits on and is tried again; a failed one must not take back the others of its round.
            self.is_hindered = True
            log.warning("routing waits", extra={"error": type(error).__name__})
        if is_done:
            self.made += 1
            return
        self.undo(ring)
        self._floor.again(conversation)

    def facts(self, ring: Ring, state: Conversation, now_ms: int) -> tuple[f.ConversationFact, ...]:
        """The offer as it is to be written; none: this bridge leads no more, or the queue has closed."""
        if not self._is_leader() or not hours.is_open(ring.rules.hours, now_ms):
            return ()
        offered = f.Offered(
            agent=ring.asked[0],
            also=ring.asked[1:],
            until_ms=now_ms + ring.rules.offer_s * 1000,
            reason=ring.why.considered[0].reason if ring.why.considered else "",
            units=ring.waiting.units,
            why=ring.why,
        )
        if state.channel_kind in ring.rules.auto_accept:
            return offered, f.Accepted(agent=ring.asked[0], epoch=state.epoch + 1)
        return (offered,)


def _stint(state: Conversation) -> tuple[object, ...]:
    """What a choice was made by: another wait in a queue, other needs, one more who let it pass make it void."""
    return state.queue, state.queued_ms, state.skills, state.widened, tuple(state.declined)
