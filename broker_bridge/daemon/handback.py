"""Work of agents who are gone goes back to its queue, with the reason: nobody waits for an empty chair.

Law: an offer leaves whoever went away at once, and a vanished terminal after `OFFER_GRACE_S`; an unanswered conversation goes after the
grace that the policy sets (to the colleague who is in a talk about it, if there is one); what was answered stays for the return. Silence
counts only as long as this leader has seen it itself, by a monotonic clock: a restart, an outage or a jump of the clock sends nothing back
by the hundred. Who was dismissed keeps nothing: their open tasks are for whoever owns the case, or nobody's yet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.core import leaving, targets
from broker_bridge.core.presence import Presence
from broker_bridge.core.seating import label
from broker_bridge.core.standing import Standing
from broker_bridge.core.state import CLOSED, OWNED, Conversation
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.pen import Make
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.shifts import Shifts
from broker_bridge.daemon.staff import Staff

OFFER_GRACE_S = 2.0
TASKS_EVERY_S = 10.0
"""How often it is asked whose tasks there are."""
MOST_TASKS = 200
"""Cases of one round whose tasks are taken from who is gone."""
GONE = ("silent", "off")
TAKES_TRANSFERS = ("ready", "busy", "transfer_only")

Append = Callable[[ConversationId, str, Make], Awaitable[bool]]
"""Conversation, by whom, the facts for its state -> whether they were appended."""


class Handback:
    """Called by the leader's router once a round."""

    def __init__(
        self,
        *,
        staff: Staff,
        floor: Floor,
        rulebook: Rulebook,
        shifts: Shifts,
        model: ReadModel,
        now_ms: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """`clock`: monotonic seconds."""
        self._now_ms = now_ms
        self._staff = staff
        self._floor = floor
        self._rulebook = rulebook
        self._shifts = shifts
        self._model = model
        self._clock = clock
        self._gone_since: dict[AgentId, float] = {}
        self._tasks_at = -TASKS_EVERY_S
        """When it was asked last whose tasks there are."""

    @property
    def _grace_s(self) -> int:
        return self._rulebook.policy.desk.silent_grace_s

    def forget(self) -> None:
        """Another bridge leads: what was seen here is old when this one leads again."""
        self._gone_since.clear()

    async def round(self, append: Append) -> None:
        """Give back what is due. Raises what `append` raises."""
        now, busy = self._clock(), self._floor.busy
        for agent in self._gone_since.keys() - set(busy):
            # Nobody looks whether they come back: the next silence is another one.
            del self._gone_since[agent]
        for agent in busy:
            is_here = agent in self._staff.active
            presence = self._staff.presences.of(agent)
            if is_here and presence.state not in GONE:
                self._gone_since.pop(agent, None)
                if presence.state != "ready":
                    await self._unring(agent, presence, append)
                continue
            gone_s = now - self._gone_since.setdefault(agent, now)
            if not is_here or gone_s >= OFFER_GRACE_S:
                if is_here and presence.state == "silent":
                    await self._shifts.note(agent, "silent")
                await self._give_back(agent, is_here, gone_s, append)
        if now - self._tasks_at >= TASKS_EVERY_S:
            self._tasks_at = now
            await self._let_go(append)

    async def _let_go(self, append: Append) -> None:
        """Open tasks of who was dismissed: asked of the read model, so that none is forgotten over a restart."""
        rows = self._model.db.execute("SELECT DISTINCT assignee FROM task WHERE done_ms IS NULL AND assignee <> ''")
        for agent in {str(row[0]) for row in rows} - self._staff.active.keys():

            def due(state: Conversation, agent: AgentId = agent) -> tuple[tuple[f.ConversationFact, ...], str]:
                return leaving.let_go(state, agent), ""

            found = self._model.db.execute(
                "SELECT DISTINCT conversation FROM task WHERE done_ms IS NULL AND assignee = ? LIMIT ?",
                (agent, MOST_TASKS),
            )
            for (conversation,) in found.fetchall():
                await append(conversation, "timer", due)

    async def _unring(self, agent: AgentId, presence: Presence, append: Append) -> None:
        """Who took a break, or chose to have only transfers, is not rung any more."""
        reason = label(presence.state, presence.reason)

        def due(state: Conversation) -> tuple[tuple[f.ConversationFact, ...], str]:
            offer = state.offer
            if offer is None or not offer.asks(agent) or (offer.is_transfer and presence.state in TAKES_TRANSFERS):
                return (), ""
            if offer.also:
                # The others ring on.
                return (f.OfferEnded(agent=agent, reason="declined"),), ""
            return (f.OfferEnded(agent=agent, reason=reason),), ""

        for conversation in self._floor.held_by(agent):
            one = self._floor.standing(conversation)
            if one is not None and one.offer is not None and one.offer.asks(agent):
                await append(conversation, "timer", due)

    async def _give_back(self, agent: AgentId, is_here: bool, gone_s: float, append: Append) -> None:
        is_over = not is_here or (self._grace_s > 0 and gone_s >= self._grace_s)

        def due(state: Conversation) -> tuple[tuple[f.ConversationFact, ...], str]:
            if state.offer is not None and state.offer.asks(agent):
                reason = "declined" if state.offer.also else "withdrawn"
                return (f.OfferEnded(agent=agent, reason=reason),), ""
            if state.consult is not None and state.consult.agent == agent:
                return (f.ConsultEnded(agent=agent, reason=self._reason(agent, is_here)),), ""
            return self._work(agent, is_here, state) if is_over else (), ""

        for conversation in self._floor.held_by(agent):
            one = self._floor.standing(conversation)
            # Whoever went home may keep hundreds: only what may be due is decided on, round after round.
            if one is not None and _may_be_due(one, agent, is_over=is_over, is_here=is_here):
                await append(conversation, "timer", due)

    def _work(self, agent: AgentId, is_here: bool, state: Conversation) -> tuple[f.ConversationFact, ...]:
        if state.wrap is not None and state.wrap.agent == agent and state.status == CLOSED:
            outcome = state.disposition or self._rulebook.policy.default_outcome(state.queue)
            return (f.WrappedUp(agent=agent, disposition=outcome, tags=state.tags, is_timeout=True),)
        is_unanswered = state.waiting_since_ms is not None or not is_here
        if state.status != OWNED or state.owner != agent or not is_unanswered:
            return ()
        woken = targets.on_wake(state, self._rulebook.policy, self._now_ms()) if state.snooze is not None else ()
        talk = state.consult.agent if state.consult is not None else ""
        if talk in self._staff.active and self._staff.presences.of(talk).state not in GONE:
            return (f.Accepted(agent=talk, epoch=state.epoch + 1), *woken)
        return (f.Queued(queue=state.queue, reason=self._reason(agent, is_here), skills=state.skills), *woken)

    def _reason(self, agent: AgentId, is_here: bool) -> str:
        name = self._staff.name_of(agent)
        if not is_here:
            return f"{name} no longer works here"
        minutes = max(1, self._grace_s // 60)
        return f"{name}'s terminal has been silent for {minutes} minute{'s' if minutes != 1 else ''}"


def _may_be_due(one: Standing, agent: AgentId, *, is_over: bool, is_here: bool) -> bool:
    """Whether something of this agent who is gone may have to go back."""
    if (one.offer is not None and one.offer.asks(agent)) or (one.consult is not None and one.consult.agent == agent):
        return True
    if not is_over:
        return False
    is_wrapping = one.wrap is not None and one.wrap.agent == agent
    return is_wrapping or (one.owner == agent and (one.waiting_since_ms is not None or not is_here))
