"""The floor of a past moment as one policy sees it, from facts alone: seats, presence, loads and the line.

Law: as daemon.floor, but for time: nothing here is now. What was offered early holds its places until something happens to that
conversation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from broker_bridge.contract.ids import AgentId, ConversationId, QueueId
from broker_bridge.contract.policy import Seat
from broker_bridge.core import hours
from broker_bridge.core.definitions import Policy
from broker_bridge.core.replay_plan import Case, Choice, Plan
from broker_bridge.core.routing.index import Index
from broker_bridge.core.routing.line import Line
from broker_bridge.core.standing import Standing
from broker_bridge.core.state import OWNED, QUEUED
from broker_bridge.core.waiting import Waiting


class PastFloor:
    """Agents and conversations as of the last entry."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.policy = plan.policy(Policy())
        self.index = Index()
        self.line = Line()
        self.early: dict[ConversationId, Choice] = {}
        """Offered here before anybody offered it."""
        self._known: dict[ConversationId, Case] = {}
        self._places: dict[ConversationId, tuple[tuple[AgentId, int], ...]] = {}
        self._load: Counter[AgentId] = Counter()
        self._reserved: Counter[AgentId] = Counter()
        self._wraps: dict[AgentId, set[ConversationId]] = {}
        self._presence: dict[AgentId, tuple[str, str]] = {}
        self._waits: Counter[QueueId] = Counter()
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
    def as_it_was(self, among: Mapping[ConversationId, Choice] | None = None) -> Iterator[None]:
        """Without the places of what was offered early here; `among`: of these alone."""
        held = self._reserved if among is None else self._held_by(self.early.keys() & among.keys())
        held = Counter({agent: units for agent, units in held.items() if units})
        for agent, units in held.items():
            self.index.load(agent, self._load[agent] + self._reserved[agent] - units)
        try:
            yield
        finally:
            for agent in held:
                self.index.load(agent, self._load[agent] + self._reserved[agent])

    def _held_by(self, names: Iterable[ConversationId]) -> Counter[AgentId]:
        """Units of each agent that these hold, offered early."""
        found: Counter[AgentId] = Counter()
        for name in names:
            choice = self.early[name]
            found.update(dict.fromkeys(choice.agents, choice.units))
        return found

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
