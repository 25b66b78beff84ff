"""What a router would have done on a past floor by one policy, and when.

Law: chosen is by the router's own index, line and policies; nothing that it would have done changes what comes after, but for the places
of what it would have offered earlier than anybody did.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.contract.policy import QueueRules
from broker_bridge.core import hours
from broker_bridge.core.reasons import merit
from broker_bridge.core.replay_floor import PastFloor
from broker_bridge.core.replay_plan import Case, Choice, Plan
from broker_bridge.core.routing.index import Index, Request
from broker_bridge.core.standing import Standing
from broker_bridge.core.waiting import Waiting

ASK_AGAIN_MS = 60_000
"""As the router: who let an offer pass is not asked about the same conversation for a minute."""
HERE = ("ready", "busy", "wrap_up")
"""As the router: presence of somebody who will have time soon."""
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
        request, wait_ms = self._request(case, stand, waiting, rules, now_ms, responsible, last)
        if wait_ms:
            self._awaited[stand.id] = request
            return choice(waits=f"waits for {request.prefer[0]}, who knows the customer", again_ms=wait_ms)
        agents = _choose(self.index, request)
        if agents:
            sitting = self.index.sitting(agents[0])
            return choice(agents=agents, reason=merit(sitting, request, responsible, last) if sitting else "")
        again = [at_ms + ASK_AGAIN_MS for at_ms in case.declined.values()]
        again_ms = max(now_ms + 1_000, min(again, default=0))
        return choice(waits=self._nobody(request) if is_told else "nobody", again_ms=again_ms)

    def _request(
        self,
        case: Case,
        stand: Standing,
        waiting: Waiting,
        rules: QueueRules,
        now_ms: int,
        responsible: AgentId,
        last: AgentId,
    ) -> tuple[Request, int]:
        """As daemon.offers: what is asked, and until when whoever knows the customer is waited for."""
        passed = {agent for agent, at_ms in case.declined.items() if now_ms - at_ms < ASK_AGAIN_MS}
        passed |= {case.passed_by} - {""}
        knowing = (responsible, last) if rules.responsible_first else (last, responsible)
        prefer = tuple(one for one in knowing if one and one not in passed)
        request = _group(waiting, rules, prefer, frozenset(passed))
        until_ms = stand.queued_ms + rules.affinity_s * 1000
        is_early = now_ms < until_ms and not any(self.index.is_fit(one, request) for one in prefer)
        is_worth_it = is_early and any(self._is_coming(one, waiting) for one in prefer)
        return request, until_ms if is_worth_it else 0

    def _is_coming(self, agent: AgentId, waiting: Waiting) -> bool:
        sitting = self.index.sitting(agent)
        return (
            sitting is not None
            and sitting.state in HERE
            and sitting.works_in(waiting.queue)
            and all(sitting.has(need) for need in waiting.needs)
        )

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
            if not hours.is_open(rules.hours, now_ms) or not self.index.is_any_fit(_group(waiting, rules)):
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


def _group(
    waiting: Waiting, rules: QueueRules, prefer: tuple[AgentId, ...] = (), without: frozenset[AgentId] = frozenset()
) -> Request:
    return Request(
        queue=waiting.queue,
        needs=waiting.needs,
        units=waiting.units,
        mode=waiting.mode,
        order=rules.order,
        prefer=prefer,
        without=without,
    )


def _choose(index: Index, request: Request) -> tuple[AgentId, ...]:
    """By the policy of the queue's mode, as the router loads it."""
    policy = importlib.import_module(f"broker_bridge.core.routing.{request.mode}")
    found: tuple[AgentId, ...] = policy.choose(index, request)
    return found
