"""What a router would have done on a past floor by one policy, and when.

Law: chosen is by the router's own index, line and policies; nothing that it would have done changes what comes after, but for the places
of what it would have offered earlier than anybody did.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.core import asking, hours
from broker_bridge.core.reasons import merit
from broker_bridge.core.replay_floor import PastFloor
from broker_bridge.core.replay_plan import Case, Choice, Plan
from broker_bridge.core.routing.index import Index, Request
from broker_bridge.core.standing import Standing

MOST_A_ROUND = 500
MOST_MOMENTS = 200
"""Between two entries, of holds that end and queues that open: more would say nothing new."""
MOST_SKIPPED = 3

Knowing = Callable[[Standing], tuple[AgentId, AgentId]]
"""(responsible for the customer, who served them last)."""


class Picture(PastFloor):
    """One policy's floor and its router."""

    def __init__(self, plan: Plan, knowing: Knowing) -> None:
        """`knowing` is asked where no decision recorded it."""
        super().__init__(plan)
        self._knowing = knowing
        self._awaited: dict[ConversationId, Request] = {}

    def decide(
        self, case: Case, now_ms: int, knows: tuple[AgentId, AgentId] | None = None, *, is_told: bool = True
    ) -> Choice:
        """Whom the router would ask now. `knows`: (responsible, last agent) if that is known. `is_told`: why nobody, too."""
        stand, _ = self._stands(case, now_ms)
        waiting, _ = self.waiting(case, now_ms)
        rules = self.policy.rules(waiting.queue)
        responsible, last = knows or self._knowing(stand)

        def choice(**what: object) -> Choice:
            return Choice(at_ms=now_ms, queue=waiting.queue, units=waiting.units, **what)  # type: ignore[arg-type]

        if not hours.is_open(rules.hours, now_ms):
            return choice(waits=hours.state_in_words(rules.hours, now_ms) if is_told else "closed")
        without = self._without(case, stand, now_ms)
        knowing = (responsible, last)
        request, wait_ms = asking.asking(self.index, waiting, rules, without, knowing, stand.queued_ms, now_ms)
        if wait_ms:
            self._awaited[stand.id] = request
            return choice(waits=f"waits for {request.prefer[0]}, who knows the customer", again_ms=wait_ms)
        agents = _choose(self.index, request)
        if stand.channel_kind in rules.auto_accept:
            # As the router: the machine accepts for the first of them, and no place of the others is taken.
            agents = agents[:1]
        if agents:
            sitting = self.index.sitting(agents[0])
            return choice(agents=agents, reason=merit(sitting, request, responsible, last) if sitting else "")
        again_ms = max(now_ms + 1_000, min(without.values(), default=0))
        return choice(waits=self._nobody(request) if is_told else "nobody", again_ms=again_ms)

    def _without(self, case: Case, stand: Standing, now_ms: int) -> dict[AgentId, int]:
        """Whom not to ask. What a step of this policy brought into another queue began there anew, as the fact would have said."""
        if stand.queued_ms <= case.stand.queued_ms:
            return asking.whom_not_to_ask(case.declined, case.passed_by, stand.queued_ms, now_ms)
        declined = {agent: at_ms for agent, at_ms in case.declined.items() if at_ms >= stand.queued_ms}
        return asking.whom_not_to_ask(declined, "", stand.queued_ms, now_ms)

    def _nobody(self, request: Request) -> str:
        skipped = self.index.explain(request, None).skipped
        if not skipped:
            return "nobody is fit" if self.index.is_any_fit(request) else "nobody works in this queue"
        return "nobody: " + ", ".join(f"{count} {reason}" for reason, count in skipped[:MOST_SKIPPED])

    # time

    def until(self, at_ms: int) -> None:
        """What its router would have done since the last entry, up to this moment."""
        now_ms = self._event_ms
        if at_ms <= now_ms:
            # A clock that went back: the next entry of a conversation sets this one's.
            return
        if self._is_news:
            self._go(now_ms)
        for _ in range(MOST_MOMENTS):
            moment = self._next_ms(now_ms)
            if moment is None or moment > at_ms or not len(self.line):
                break
            now_ms = max(moment, now_ms + 1_000)
            self._go(min(now_ms, at_ms))
        self._event_ms = at_ms

    def _next_ms(self, now_ms: int) -> int | None:
        moments = [self.line.next_moment_ms()]
        for queue, count in self._waits.items():
            if count:
                moments.append(hours.next_change(self.policy.rules(queue).hours, now_ms))
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def _go(self, now_ms: int) -> None:
        """One round of the router."""
        self._is_news = False
        for name in self.line.overflow_due(now_ms):
            self.note(self._known[name], now_ms)
        for name, request in list(self._awaited.items()):
            if name not in self.line or any(self.index.is_fit(one, request) for one in request.prefer):
                self.line.held(name, 0)
                del self._awaited[name]
        turn = self.line.turn(now_ms)
        for _ in range(MOST_A_ROUND):
            waiting = turn.next()
            if waiting is None:
                break
            rules = self.policy.rules(waiting.queue)
            if not hours.is_open(rules.hours, now_ms) or not self.index.is_any_fit(asking.anybody(waiting, rules)):
                turn.skip()
                continue
            choice = self.decide(self._known[waiting.conversation], now_ms, is_told=False)
            if not choice.agents:
                self.line.held(waiting.conversation, choice.again_ms)
                continue
            self.early[waiting.conversation] = choice
            self._waits[waiting.queue] -= 1
            self._reserve(choice, 1)
            self.line.serve(waiting.conversation, waiting.customer)
        self._is_news = False


def _choose(index: Index, request: Request) -> tuple[AgentId, ...]:
    """By the policy of the queue's mode, as the router loads it."""
    policy = importlib.import_module(f"broker_bridge.core.routing.{request.mode}")
    found: tuple[AgentId, ...] = policy.choose(index, request)
    return found
