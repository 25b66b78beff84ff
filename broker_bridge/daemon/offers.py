"""Who waits is offered to who fits: one round of the router.

Law: a conversation rings at one agent (or at all, where its queue says so) at a time; whoever knows the customer is waited for as long as
the queue says, if they are here; a closed queue offers nothing. Every offer keeps the inputs of its decision.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.contract.policy import QueueRules
from broker_bridge.core import asking
from broker_bridge.core.routing.index import Request
from broker_bridge.core.seating import READY
from broker_bridge.core.state import QUEUED, Conversation
from broker_bridge.core.waiting import Waiting
from broker_bridge.daemon.choice import Chooser, Ring
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.logwriter import Overloaded
from broker_bridge.daemon.pen import Pen
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.states import CONV, States
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

MOST_A_ROUND = 500
MOST_GROUPS = 16
"""Of those who wait, that are looked through when a case begins; a round looks through all."""
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
        chooser: Chooser,
        floor: Floor,
        rulebook: Rulebook,
        is_leader: Callable[[], bool],
        offers_at_all: bool,
        now_ms: Callable[[], int],
    ) -> None:
        """`offers_at_all` False: agents take from the queue themselves."""
        self._pen = pen
        self._states = states
        self._chooser = chooser
        self._floor = floor
        self._rulebook = rulebook
        self._is_leader = is_leader
        self._offers_at_all = offers_at_all
        self._now_ms = now_ms
        self._awaited: dict[AgentId, dict[ConversationId, Request]] = {}
        """Who knows a customer and is waited for, and for what."""
        self.is_hindered = False
        """The broker did not take an offer of the last round."""
        self.made = 0
        rulebook.on_change.append(self._wait_for_nobody)

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
                if not self._chooser.can_take(waiting, rules, now_ms):
                    turn.skip()
                    continue
                self._pen.attempt(waiting.conversation, partial(self._one, waiting, rules, now_ms, crew))

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
        question = self._chooser.question(state, waiting, rules, now_ms)
        if question.wait_ms:
            self._floor.line.held(waiting.conversation, question.wait_ms)
            for agent in question.request.prefer:
                self._awaited.setdefault(agent, {})[waiting.conversation] = question.request
            return
        ring = self._chooser.ring(question)
        if ring is None:
            # Its group is fit, but for those who let it pass: not held until they are asked again, others come and become free.
            self._floor.line.held(waiting.conversation, now_ms + LOOK_AGAIN_MS)
            return
        self._floor.line.serve(waiting.conversation, waiting.customer)
        crew.create_task(self._write(ring, _stint(state)))

    def at_once(self, state: Conversation, now_ms: int) -> Ring | None:
        """Whom to ask about a case that is just being written, if nobody stands before it; their places count as taken from here on.

        `Chooser.undo` must follow if it is not written. Cases that ring at everybody are left to the round.
        """
        if not self._offers_at_all or not self._is_leader():
            return None
        self._go_on()
        waiting = self._floor.waiting(state)
        rules = self._rulebook.policy.rules(waiting.queue)
        if waiting.mode == "everybody" or not self._chooser.can_take(waiting, rules, now_ms):
            return None
        if self._is_anybody_before(now_ms):
            return None
        question = self._chooser.question(state, waiting, rules, now_ms)
        return None if question.wait_ms else self._chooser.ring(question)

    def _is_anybody_before(self, now_ms: int) -> bool:
        """Whether somebody waits who could be offered now, or it would take long to say so."""
        turn = self._floor.line.turn(now_ms)
        for _ in range(MOST_GROUPS):
            waiting = turn.next()
            if waiting is None:
                return False
            if self._chooser.can_take(waiting, self._rulebook.policy.rules(waiting.queue), now_ms):
                return True
            turn.skip()
        return True

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

    def _wait_for_nobody(self) -> None:
        """The rules changed: whom a case waited for by the old ones, it may not wait for by the new ones. The next round says so."""
        for cases in self._awaited.values():
            for conversation in cases:
                self._floor.line.held(conversation, 0)
        self._awaited.clear()

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
        self._chooser.undo(ring)
        self._floor.again(conversation)

    def facts(self, ring: Ring, state: Conversation, now_ms: int) -> tuple[f.ConversationFact, ...]:
        """The offer as it is to be written; none: this bridge leads no more, or the queue has closed."""
        return self._chooser.facts(ring, state, now_ms) if self._is_leader() else ()


def _stint(state: Conversation) -> tuple[object, ...]:
    """What a choice was made by: another wait in a queue, other needs, one more who let it pass make it void."""
    return state.queue, state.queued_ms, state.skills, state.widened, tuple(state.declined)
