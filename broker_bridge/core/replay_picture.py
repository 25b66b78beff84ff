"""The floor as one policy sees it, from facts alone: seats, presence, loads and the line, and what its router would do when.

Law: chosen is by the router's own index, line and policies. What it would have offered before anybody did holds its places until
something happens to that conversation; nothing else that it would have done changes what comes after.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from broker_bridge.contract.ids import AgentId, ConversationId, QueueId
from broker_bridge.contract.policy import QueueRules, Seat
from broker_bridge.core import hours
from broker_bridge.core.definitions import Policy
from broker_bridge.core.reasons import merit
from broker_bridge.core.replay_plan import Plan
from broker_bridge.core.routing.index import Index, Request
from broker_bridge.core.routing.line import Line
from broker_bridge.core.standing import Standing
from broker_bridge.core.state import OWNED, QUEUED
from broker_bridge.core.waiting import Waiting

ASK_AGAIN_MS = 60_000
"""As the router: who let an offer pass is not asked about the same conversation for a minute."""
HERE = ("ready", "busy", "wrap_up")
"""As the router: presence of somebody who will have time soon."""
MOST_A_ROUND = 500
MOST_MOMENTS = 200
"""Between two entries, of holds that end and queues that open: more would say nothing new."""
MOST_SKIPPED = 3
CLOCK_WENT_BACK_MS = 60_000


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as far as routing is concerned."""

    stand: Standing
    channel: str = ""
    opened_in: QueueId = ""
    came_queue: QueueId = ""
    """Where it was put by somebody, before any overflow step."""
    came_ms: int = 0
    declined: Mapping[AgentId, int] = {}
    passed_by: AgentId = ""
    has_answer: bool = False

    @property
    def waits(self) -> bool:
        return self.stand.status == QUEUED and self.stand.offer is None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Who would be asked, or why nobody."""

    at_ms: int
    queue: QueueId
    agents: tuple[AgentId, ...] = ()
    reason: str = ""
    """Why this agent."""
    waits: str = ""
    """Why nobody."""
    units: int = 0
    again_ms: int = 0
    """Not asked again before; 0: it was not held."""


Knowing = Callable[[Standing], tuple[AgentId, AgentId]]
"""(responsible for the customer, who served them last)."""


class Picture:
    """One policy's floor. `knowing` is asked where no decision recorded it."""

    def __init__(self, plan: Plan, knowing: Knowing) -> None:
        self.plan = plan
        self.policy = plan.policy(Policy())
        self.index = Index()
        self.line = Line()
        self.early: dict[ConversationId, Choice] = {}
        """Offered here before anybody offered it."""
        self._knowing = knowing
        self._known: dict[ConversationId, Case] = {}
        self._places: dict[ConversationId, tuple[tuple[AgentId, int], ...]] = {}
        self._load: Counter[AgentId] = Counter()
        self._reserved: Counter[AgentId] = Counter()
        self._wraps: dict[AgentId, set[ConversationId]] = {}
        self._presence: dict[AgentId, tuple[str, str]] = {}
        self._waits: Counter[QueueId] = Counter()
        self._awaited: dict[ConversationId, Request] = {}
        self._event_ms = 0
        self._is_news = False

    # taking in

    def rule(self, then: Policy, now_ms: int) -> None:
        """The policy in force changed: everything is reckoned anew."""
        self.policy = self.plan.policy(then)
        for case in list(self._known.values()):
            self.note(case, now_ms)

    def seat(self, seat: Seat) -> None:
        self.index.seat(self.plan.seat(seat))
        self._is_news = True

    def present(self, agent: AgentId, state: str, reason: str = "") -> None:
        self._presence[agent] = (state, reason)
        self._show(agent)

    def _show(self, agent: AgentId) -> None:
        state, reason = self._presence.get(agent, ("off", ""))
        if self._wraps.get(agent) and state in ("ready", "busy"):
            state, reason = "wrap_up", ""
        self.index.present(agent, state, reason)
        self._is_news = True

    def note(self, case: Case, now_ms: int) -> None:
        """How a conversation stands now."""
        name = case.stand.id
        self._is_news, self._event_ms = True, now_ms
        self._wrap(self._known.get(name), case)
        self._place(name, self.policy.taken(case.stand))
        before = self.line.get(name)
        if case.waits and name not in self.early:
            waiting, overflow_ms = self.waiting(case, now_ms)
            self.line.put(waiting, overflow_ms=overflow_ms)
            self._waits[waiting.queue] += 1
            if before is not None and before.group != waiting.group:
                self.line.held(name, 0)
        elif case.stand.status in (QUEUED, OWNED):
            self.line.serve(name, case.stand.customer)
        else:
            self.line.drop(name)
        if before is not None:
            self._waits[before.queue] -= 1
        if case.stand.status in (QUEUED, OWNED) or case.stand.wrap is not None:
            self._known[name] = case
        else:
            self._known.pop(name, None)

    def _place(self, name: ConversationId, places: tuple[tuple[AgentId, int], ...]) -> None:
        before = self._places.pop(name, ())
        if places:
            self._places[name] = places
        for agent, units in before:
            self._load[agent] -= units
        for agent, units in places:
            self._load[agent] += units
        for agent in {agent for agent, _ in (*before, *places)}:
            self.index.load(agent, self._load[agent] + self._reserved[agent])

    def _wrap(self, before: Case | None, case: Case) -> None:
        was = before.stand.wrap.agent if before is not None and before.stand.wrap is not None else ""
        wrap = case.stand.wrap
        now = wrap.agent if wrap is not None and wrap.is_binding else ""
        if was and was != now:
            self._wraps.get(was, set()).discard(case.stand.id)
        if now:
            self._wraps.setdefault(now, set()).add(case.stand.id)
        for agent in {was, now} - {""}:
            self._show(agent)

    def settle(self, name: ConversationId) -> Choice | None:
        """Something happened to a conversation that was offered early here: it holds no places any more."""
        early = self.early.pop(name, None)
        if early is not None:
            self._reserve(early, -1)
        return early

    def _reserve(self, choice: Choice, sign: int) -> None:
        for agent in choice.agents:
            self._reserved[agent] += sign * choice.units
            self.index.load(agent, self._load[agent] + self._reserved[agent])

    @contextmanager
    def as_it_was(self) -> Iterator[None]:
        """Without the places of what was offered early here."""
        held = [agent for agent, units in self._reserved.items() if units]
        for agent in held:
            self.index.load(agent, self._load[agent])
        try:
            yield
        finally:
            for agent in held:
                self.index.load(agent, self._load[agent] + self._reserved[agent])

    # how it stands here

    def waiting(self, case: Case, now_ms: int) -> tuple[Waiting, int | None]:
        """It as it waits under this policy, and when its next overflow step is due (None: never, or facts will say so)."""
        stand, overflow_ms = self._stands(case, now_ms)
        rules = self.policy.rules(stand.queue)
        waiting = Waiting(
            conversation=stand.id,
            customer=stand.customer,
            queue=stand.queue,
            needs=self.policy.needs(stand),
            units=self.policy.units(stand),
            mode=rules.mode,
            since_ms=stand.waiting_since_ms or stand.queued_ms,
            within_s=self._within_s(case, stand),
            priority=self.policy.priority(stand),
        )
        return waiting, overflow_ms

    def _stands(self, case: Case, now_ms: int) -> tuple[Standing, int | None]:
        """Where other steps and other channels would have brought it by now."""
        if not self.plan.moves:
            return case.stand, None
        is_first = case.came_queue == case.opened_in
        queue = (self.plan.channels.get(case.channel) if is_first else None) or case.came_queue or case.stand.queue
        since_ms, been = case.came_ms or case.stand.queued_ms, {queue}
        while True:
            widened, taken, due_ms = 0, 0, None
            steps = self.policy.rules(queue).overflow
            for step in steps:
                due_ms = hours.add(self.policy.rules(queue).hours, since_ms, step.after_s)
                if due_ms is None or due_ms > now_ms:
                    break
                taken, widened = taken + 1, widened + step.widen
                if step.queue and step.queue not in been:
                    break
            else:
                due_ms = None
            moved = steps[taken - 1].queue if taken and due_ms is not None and due_ms <= now_ms else ""
            if not moved:
                break
            been.add(moved)
            queue, since_ms = moved, due_ms or since_ms
        changed = {"queue": queue, "queued_ms": since_ms, "steps": taken, "widened": widened}
        return msgspec.structs.replace(case.stand, **changed), due_ms

    def _within_s(self, case: Case, stand: Standing) -> int | None:
        """Its reply target: by another policy the one of that."""
        rules = self.plan.queues.get(stand.queue)
        if rules is None:
            return stand.reply_s
        target = rules.target(self.policy.priority(stand))
        found = target and (target.next_reply_s if case.has_answer else target.first_reply_s)
        return found or stand.reply_s

    # deciding

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
            if at_ms < now_ms - CLOCK_WENT_BACK_MS:
                self._event_ms = at_ms
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
