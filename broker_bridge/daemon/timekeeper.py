"""What time does to conversations, fired by the leader: offers that rang out, timers of the cases, overflow steps of the queues.

Law: each is a wish that the case itself decides on (`core.timers`, `floor.is_over`): fired twice, or late after a restart, it happens once.
"""

from __future__ import annotations

from collections.abc import Callable

from broker_bridge.contract import facts as f
from broker_bridge.core import hours, targets, timers
from broker_bridge.core.actor import House
from broker_bridge.core.state import QUEUED, Conversation
from broker_bridge.daemon.floor import Floor, is_over
from broker_bridge.daemon.logwriter import Overloaded
from broker_bridge.daemon.pen import Make, Pen
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.wire import BusError

MOST_A_ROUND = 500
AT_WORK = ("ready", "busy", "transfer_only", "wrap_up", "silent")
"""Silent for a moment is not gone: what becomes of the work of who stays silent is the hand-back's, after its grace."""


class Timekeeper:
    """The leader's; `round` is called by the router."""

    def __init__(
        self,
        *,
        pen: Pen,
        floor: Floor,
        staff: Staff,
        rulebook: Rulebook,
        house: Callable[[], House],
        now_ms: Callable[[], int],
    ) -> None:
        self._pen = pen
        self._floor = floor
        self._staff = staff
        self._rulebook = rulebook
        self._house = house
        self._now_ms = now_ms
        self.fired = 0

    async def round(self) -> None:
        """Fire what is due. Raises Overloaded, BusError: what was not fired is due again."""
        now_ms = self._now_ms()
        self._floor.fall_silent(now_ms)
        await self._each(self._floor.rung_out(now_ms, MOST_A_ROUND), self._rang_out, "timer")
        await self._each(self._floor.due_timers(now_ms, MOST_A_ROUND), self._timer, "timer")
        await self._each(self._floor.line.overflow_due(now_ms, MOST_A_ROUND), self._step, "router")

    async def _each(self, names: list[str], make: Make, by: str) -> None:
        for place, name in enumerate(names):
            try:
                if await self._pen.write(name, by, make):
                    self.fired += 1
                else:
                    # Not due any more, or not yet: its moment is set anew.
                    self._floor.again(name)
            except (Overloaded, BusError):
                for left in names[place:]:
                    self._floor.again(left)
                raise

    def _rang_out(self, state: Conversation) -> tuple[tuple[f.ConversationFact, ...], str]:
        if not is_over(state, self._now_ms()) or state.offer is None:
            return (), ""
        return (f.OfferEnded(agent=state.offer.agent, reason="expired"),), ""

    def _timer(self, state: Conversation) -> tuple[tuple[f.ConversationFact, ...], str]:
        timer = timers.first(state)
        if timer is None:
            return (), ""
        return timers.fire(timer, state, self._house(), self._is_here, self._now_ms()), timer.command(state)

    def _is_here(self, agent: str) -> bool:
        return agent in self._staff.active and self._staff.presences.of(agent).state in AT_WORK

    def _step(self, state: Conversation) -> tuple[tuple[f.ConversationFact, ...], str]:
        policy = self._rulebook.policy
        rules = policy.rules(state.queue)
        if state.status != QUEUED or state.offer is not None or state.steps >= len(rules.overflow):
            return (), ""
        step, number = rules.overflow[state.steps], state.steps + 1
        now_ms = self._now_ms()
        due_ms = hours.add(rules.hours, state.queued_ms, step.after_s)
        if due_ms is None or due_ms > now_ms:
            return (), ""
        waited_s = max(0, now_ms - state.queued_ms) // 1000
        taken = f.Overflowed(
            queue=state.queue,
            step=number,
            widen=step.widen,
            to_queue=step.queue,
            alarm=step.alarm,
            waited_s=waited_s,
        )
        command = f"timer:{state.id}:overflow:{state.queue}:{number}:{state.queued_ms}"
        if not step.queue:
            return (taken,), command
        reason = f"nobody was free in {policy.title(state.queue)} for {waited_s} s"
        moved = f.Queued(queue=step.queue, reason=reason, skills=state.skills)
        return (taken, moved, *targets.on_change(state, policy, now_ms, queue=step.queue)), command
