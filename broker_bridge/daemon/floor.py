"""Who has what and what waits, kept up to date entry by entry: the router never scans the read model.

Law: it says what the follower has applied; an offer made on an old picture loses against the log's expected sequence.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable

from broker_bridge.contract.ids import AgentId, ConversationId, QueueId
from broker_bridge.core.conversation import OWNED, QUEUED, Conversation
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import CONV, States


class Floor:
    """Loads of agents and the line of waiting conversations."""

    def __init__(self) -> None:
        self._places: dict[ConversationId, tuple[AgentId, ...]] = {}
        """Who has a place taken by it: its owner, and whom it is offered to."""
        self.load: Counter[AgentId] = Counter()
        self._waiting: dict[ConversationId, tuple[int, QueueId]] = {}
        """Queued without an offer: since when somebody waits (ms), and in which queue."""
        self._rings_until: dict[ConversationId, int] = {}

    def load_all(self, model: ReadModel, states: States) -> None:
        """Begin with everything that is open: from the columns, not from 100,000 states (measured: 3 s of a restart)."""
        unknown: list[ConversationId] = []
        for name, status, queue, owner, offered_to, until_ms, waiting_ms in model.db.execute(
            "SELECT id, status, queue, owner, offered_to, offer_until_ms, waiting_since_ms FROM conversation "
            "WHERE status IN ('queued', 'owned') ORDER BY id"
        ):
            if status == QUEUED and not offered_to and not waiting_ms:
                # Nobody waits in it: since when it is queued stands in its state alone.
                unknown.append(name)
                continue
            places = tuple(agent for agent in (owner if status == OWNED else "", offered_to) if agent)
            self._note(name, places, (waiting_ms, queue) if status == QUEUED and not offered_to else None, until_ms)
        for name in unknown:
            self.saw(states.cell(CONV, name).state)

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        for one in news:
            if one.kind == CONV:
                self.saw(one.cell.state)

    def saw(self, state: Conversation) -> None:
        """Take in how a conversation stands now."""
        places: tuple[AgentId, ...] = ()
        if state.status == OWNED:
            places = (state.owner,)
        if state.offer is not None:
            places = (*places, state.offer.agent)
        is_waiting = state.status == QUEUED and state.offer is None
        waits = (state.waiting_since_ms or state.queued_ms, state.queue) if is_waiting else None
        self._note(state.id, places, waits, state.offer.until_ms if state.offer is not None else None)

    def _note(
        self,
        name: ConversationId,
        places: tuple[AgentId, ...],
        waits: tuple[int, QueueId] | None,
        rings_until_ms: int | None,
    ) -> None:
        for agent in self._places.pop(name, ()):
            self.load[agent] -= 1
        if places:
            self._places[name] = places
            self.load.update(places)
        if waits is not None:
            self._waiting[name] = waits
        else:
            self._waiting.pop(name, None)
        if rings_until_ms is not None:
            self._rings_until[name] = rings_until_ms
        else:
            self._rings_until.pop(name, None)

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting)

    def first_waiting(self, most: int, serves: Callable[[QueueId], bool]) -> list[ConversationId]:
        """Those who wait longest, first, of the queues that somebody `serves`: a long line for nobody starves no other."""
        served = {queue: serves(queue) for queue in {queue for _, queue in self._waiting.values()}}
        line = (name for name, (_, queue) in self._waiting.items() if served[queue])
        return heapq.nsmallest(most, line, key=lambda name: (self._waiting[name], name))

    def held_by(self, agent: AgentId) -> list[ConversationId]:
        """Conversations that an agent owns or is asked to take."""
        return [name for name, places in self._places.items() if agent in places]

    def rung_out(self, now_ms: int) -> list[ConversationId]:
        """Conversations whose offer is over."""
        return [name for name, until_ms in self._rings_until.items() if until_ms <= now_ms]
