"""Work of agents who are gone goes back to its queue, with the reason: nobody waits for an empty chair.

Law: an offer leaves a vanished terminal after `OFFER_GRACE_S`, an unanswered conversation after the grace that the configuration sets; what
was answered stays for the return. Silence counts only as long as this leader has seen it itself, by a monotonic clock: a restart, an
outage or a jump of the clock sends nothing back by the hundred. Who was dismissed keeps nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.core.conversation import OWNED, Conversation
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.staff import Staff

OFFER_GRACE_S = 2.0
GONE = ("silent", "off")

Make = Callable[[Conversation], f.ConversationFact | None]
Append = Callable[[ConversationId, str, Make], Awaitable[bool]]
"""Conversation, by whom, the fact for its state (None: nothing to do) -> whether it was appended."""


class Handback:
    """Called by the leader's router once a round."""

    def __init__(self, *, staff: Staff, floor: Floor, grace_s: int, clock: Callable[[], float]) -> None:
        """`grace_s` 0 = silent agents keep everything. `clock`: monotonic seconds."""
        self._staff = staff
        self._floor = floor
        self._grace_s = grace_s
        self._clock = clock
        self._gone_since: dict[AgentId, float] = {}

    def forget(self) -> None:
        """Another bridge leads: what was seen here is old when this one leads again."""
        self._gone_since.clear()

    async def round(self, append: Append) -> None:
        """Give back what is due. Raises what `append` raises."""
        now = self._clock()
        for agent in [agent for agent, load in self._floor.load.items() if load > 0]:
            is_here = agent in self._staff.active
            if is_here and self._staff.presence(agent).state not in GONE:
                self._gone_since.pop(agent, None)
                continue
            gone_s = now - self._gone_since.setdefault(agent, now)
            if not is_here or gone_s >= OFFER_GRACE_S:
                await self._give_back(agent, is_here, gone_s, append)

    async def _give_back(self, agent: AgentId, is_here: bool, gone_s: float, append: Append) -> None:
        is_over = not is_here or (self._grace_s > 0 and gone_s >= self._grace_s)

        def due(state: Conversation) -> f.ConversationFact | None:
            if state.offer is not None and state.offer.agent == agent:
                return f.OfferEnded(agent=agent, reason="withdrawn")
            is_unanswered = state.waiting_since_ms is not None or not is_here
            if is_over and state.status == OWNED and state.owner == agent and is_unanswered:
                return f.Queued(queue=state.queue, reason=self._reason(agent, is_here))
            return None

        for conversation in self._floor.held_by(agent):
            await append(conversation, "timer", due)

    def _reason(self, agent: AgentId, is_here: bool) -> str:
        name = self._staff.name_of(agent)
        if not is_here:
            return f"{name} no longer works here"
        return f"{name}'s terminal has been silent for {max(1, self._grace_s // 60)} minutes"
