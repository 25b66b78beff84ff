"""Whom to ask about a case, and why: one decision of the router, on paper.

Law: by the queue's rules and mode, among those who are here and have room; the places of whoever is chosen count as taken from then on,
until `undo` or until the floor has taken in what was written. Nothing here writes.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from typing import Any, NamedTuple

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.policy import QueueRules, Why
from broker_bridge.core import asking, hours
from broker_bridge.core.customer import Customer
from broker_bridge.core.routing.index import Request
from broker_bridge.core.state import Conversation
from broker_bridge.core.waiting import Waiting
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.states import CONV, CUST, States

log = logging.getLogger(__name__)

MODES = ("evenly", "in_order", "everybody")


class Question(NamedTuple):
    """A case that waits, and what is asked of the index for it."""

    state: Conversation
    waiting: Waiting
    rules: QueueRules
    request: Request
    wait_ms: int
    """Until when whoever knows the customer is waited for; 0: not at all."""
    responsible: AgentId
    last_agent: AgentId
    """Who served this customer last."""
    now_ms: int


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


class Chooser:
    """One for each bridge."""

    def __init__(self, *, states: States, model: ReadModel, floor: Floor, rulebook: Rulebook) -> None:
        self._states = states
        self._model = model
        self._floor = floor
        self._rulebook = rulebook
        self._policies: dict[str, Any] = {}

    def can_take(self, waiting: Waiting, rules: QueueRules, now_ms: int) -> bool:
        """Whether its queue is open and somebody is free for all of its group."""
        return hours.is_open(rules.hours, now_ms) and self._floor.index.is_any_fit(asking.anybody(waiting, rules))

    def question(self, state: Conversation, waiting: Waiting, rules: QueueRules, now_ms: int) -> Question:
        """As it is asked now."""
        without = asking.whom_not_to_ask(state.declined, state.passed_by, state.queued_ms, now_ms)
        customer: Customer = self._states.cell(CUST, state.customer).state
        knowing = customer.responsible, state.last_owner or self._last_agent(state)
        request, wait_ms = asking.asking(self._floor.index, waiting, rules, without, knowing, state.queued_ms, now_ms)
        return Question(state, waiting, rules, request, wait_ms, *knowing, now_ms)

    def ring(self, question: Question) -> Ring | None:
        """The choice with its reasons, told to the index; None: nobody."""
        asked = self._choose(question.request)
        if not asked:
            return None
        waiting, rules = question.waiting, question.rules
        if question.state.channel_kind in rules.auto_accept:
            # The machine accepts for the first of them at once: it takes no place of the others.
            asked = asked[:1]
        why = self.why(question, asked[0])
        index = self._floor.index
        for agent in asked:
            index.load(agent, self._floor.index_load(agent) + waiting.units)
            index.given(agent)
        return Ring(waiting, rules, asked, why)

    def undo(self, ring: Ring) -> None:
        """It was not written: the places are free again."""
        for agent in ring.asked:
            self._floor.index.load(agent, self._floor.load(agent))

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

    def why(self, question: Question, chosen: AgentId | None) -> Why:
        """The inputs of a decision, before it is told to the index; `chosen` None: nobody yet."""
        waiting, now_ms = question.waiting, question.now_ms
        responsible, last = question.responsible, question.last_agent
        explained = self._floor.index.explain(question.request, chosen, responsible=responsible, last_agent=last)
        return Why(
            policy=self._rulebook.policy.version,
            mode=waiting.mode,
            needs=waiting.needs,
            widened=question.state.widened,
            hours=hours.state_in_words(question.rules.hours, now_ms),
            waited_s=max(0, now_ms - waiting.since_ms) // 1000,
            units=waiting.units,
            last_agent=last,
            responsible=responsible,
            considered=explained.considered,
            skipped=explained.skipped,
        )

    def facts(self, ring: Ring, state: Conversation, now_ms: int) -> tuple[f.ConversationFact, ...]:
        """The offer as it is to be written; none: the queue has closed."""
        if not hours.is_open(ring.rules.hours, now_ms):
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
