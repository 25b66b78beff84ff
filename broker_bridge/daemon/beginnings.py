"""A first contact: case, customer and handle in one batch, and in the same batch the offer, if somebody is free and nobody waits before it.

Law: the offer of a beginning is the router's own decision by the router's own rules, with the places of the agent under the expected
sequence of their load; if it cannot be made at once, for whatever reason, the case is written without it and stands in the line as soon
as it is written. So a customer waits for one write to disk instead of two, and for no round of the router.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Said, Stored, Unreadable
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import ConversationId, CustomerId
from broker_bridge.core import conversation as conv
from broker_bridge.core import inbound
from broker_bridge.core.definitions import Policy
from broker_bridge.core.handle import Handle
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.choice import Chooser, Ring
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.offers import Offers
from broker_bridge.daemon.pen import Pen, given
from broker_bridge.daemon.spares import Spares
from broker_bridge.daemon.states import CONV, CUST, HAND, LOAD, Cell, States

Suggestion = tuple[ConversationId, str]
"""(case, reason) of a weak match."""
FRESH_MS = 100
"""How long a decision may lie before it is written: it stands in the log with the moment at which it was made."""
Entries = dict[int, tuple[Entry, str]]
HAND_AT, CONV_AT, CUST_AT, OFFER_AT, LOAD_AT = range(5)
"""Places of the cells of a decision; the case stands among them twice, since its offer is an entry of its own."""


@dataclass(slots=True)
class _Offer:
    """The router's decision on a case that is being written."""

    ring: Ring
    state: Conversation
    """As it will be when it is written."""
    loads: list[Cell]
    is_in: bool = False
    """It is in what is being written."""
    is_written: bool = False


class Beginnings:
    """One for each bridge."""

    def __init__(
        self,
        *,
        writer: LogWriter,
        states: States,
        spares: Spares,
        offers: Offers,
        chooser: Chooser,
        floor: Floor,
        pen: Pen,
        sources: Mapping[str, inbound.Source],
        fallback: inbound.Source,
        policy: Callable[[], Policy],
        new_id: Callable[[], str],
        now_ms: Callable[[], int],
    ) -> None:
        """`sources`: by channel name; `fallback`: for items of a channel that is no longer set up."""
        self._writer = writer
        self._states = states
        self._spares = spares
        self._offers = offers
        self._chooser = chooser
        self._floor = floor
        self._pen = pen
        self._sources = sources
        self._fallback = fallback
        self._policy = policy
        self._new_id = new_id
        self._now_ms = now_ms
        self._unoffered = 0
        """Cases under way to the line: whoever comes after them is not offered before them."""

    async def begin(
        self, stored: Stored, item: Said | Unreadable, suggestion: Suggestion | None, current: ConversationId
    ) -> bool:
        """Write it; False: the handle no longer points to `current`, look again. Raises Blocked, Overloaded."""
        conversation = self._new_id()
        known = self._states.cell(HAND, stored.handle).state.customer
        customer: CustomerId = known or self._spares.take()
        self._states.begin(CONV, conversation)
        if not known:
            self._states.begin(CUST, customer)
        source = self._sources.get(stored.channel, self._fallback)
        async with self._writer.hold((HAND, stored.handle), (CONV, conversation), (CUST, customer)) as cells:

            def joined(now_ms: int) -> inbound.Joined | None:
                hand: Handle = cells[HAND_AT].state
                if hand.conversation != current or (hand.customer or customer) != customer:
                    return None
                return inbound.first_contact(
                    hand, stored, item, source, conversation, customer, suggestion, self._policy(), now_ms
                )

            began_ms = self._now_ms()
            first, seen = joined(began_ms), cells[HAND_AT].state.seq
            if first is None:
                return False
            async with self._offered(first.conv, cells[CONV_AT]) as offer:

                def decision() -> tuple[Entries, bool]:
                    now_ms, at_ms = self._now_ms(), began_ms
                    made: inbound.Joined | None = first
                    if cells[HAND_AT].state.seq != seen or not 0 <= now_ms - began_ms < FRESH_MS:
                        # It waited, and the queue may have opened meanwhile: nobody is told then that nobody is here.
                        at_ms, made = now_ms, joined(now_ms)
                    if made is None:
                        return {}, False
                    facts = (made.handle, made.conv, made.customer)
                    entries: Entries = {
                        place: (Entry(at_ms=at_ms, by="clerk", facts=of_one), customer)
                        for place, of_one in enumerate(facts)
                        if of_one
                    }
                    return entries | (self._ringing(offer, customer, now_ms) if offer else {}), True

                loads = offer.loads if offer else []
                _, is_done = await self._writer.decide([*cells, cells[CONV_AT], *loads], "", decision)
                if offer:
                    offer.is_written = is_done and offer.is_in
        return is_done

    def _ringing(self, offer: _Offer, customer: CustomerId, now_ms: int) -> Entries:
        """Entries of the offer; none: it can no longer be made, and the case goes into the line."""
        facts = self._offers.facts(offer.ring, offer.state, now_ms)
        offer.is_in = bool(facts) and self._pen.is_room(offer.loads, offer.ring.gives)
        if not offer.is_in:
            return {}
        places = given(offer.state.id, offer.ring.gives, now_ms, "router", LOAD_AT)
        return {OFFER_AT: (Entry(at_ms=now_ms, by="router", facts=facts), customer), **places}

    @asynccontextmanager
    async def _offered(self, facts: tuple[f.ConversationFact, ...], cell: Cell) -> AsyncIterator[_Offer | None]:
        """Whom to ask, with their loads held, for the time of the write; the floor knows afterwards what came of it."""
        offer = self._choice(facts, cell.name) if not self._unoffered else None
        if offer is None:
            self._unoffered += 1
        else:
            for load in offer.loads:
                await load.lock.acquire()
        try:
            yield offer
        finally:
            if cell.state.seq:
                self._floor.saw(cell.state)
            if offer is None:
                self._unoffered -= 1
            else:
                self._ended(offer)

    def _choice(self, facts: tuple[f.ConversationFact, ...], name: ConversationId) -> _Offer | None:
        """Nobody is asked whose load somebody else is just writing: waiting for them would hold up the case itself."""
        now_ms = self._now_ms()
        state: Conversation = conv.fold(conv.begin(name), Entry(at_ms=now_ms, by="clerk", facts=facts), 0)
        # What could not be offered must be stored none the less.
        ring = self._pen.attempt(name, lambda: self._offers.at_once(state, now_ms))
        if ring is None:
            return None
        loads = [self._states.cell(LOAD, agent) for agent in ring.asked]
        if any(load.lock.locked() or load.blocked for load in loads) or not self._pen.is_room(loads, ring.gives):
            self._chooser.undo(ring)
            return None
        return _Offer(ring, state, loads)

    def _ended(self, offer: _Offer) -> None:
        if offer.is_written:
            self._pen.gave(offer.loads, offer.ring.gives)
            self._offers.made += 1
        else:
            self._chooser.undo(offer.ring)
        for load in offer.loads:
            load.lock.release()
