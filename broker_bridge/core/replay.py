"""The log of a site, routed again by another policy: each decision of the router beside what it would have been.

Law: pure, and honest about itself: each decision is made again by the policy in force then, too, and only those that come out as they
were are compared. The situation is the one that was: what the other policy would have changed in one decision changes no later one.
Entries come from LOG's first on, in order; words may stay sealed (only who is responsible for a customer is read, if it is open).
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import AnyFact, Entry
from broker_bridge.contract.ids import AgentId, ConversationId, CustomerId, QueueId
from broker_bridge.contract.policy import Considered
from broker_bridge.contract.words import Words
from broker_bridge.core import colleague, conversation, definitions, shift
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.definitions import DESK, DeskDefinition, Policy, QueueDefinition
from broker_bridge.core.replay_picture import Case, Choice, Picture
from broker_bridge.core.replay_plan import Difference, Given, Plan, Report, Sums
from broker_bridge.core.standing import Standing, standing
from broker_bridge.core.state import CLOSED, Conversation

__all__ = ["Plan", "Replay", "Report"]

SOONER_MS = 1_000
"""A router goes its rounds once a second: what is sooner by less is nothing."""
MOST_EARLIER = 5
"""As the router: cases of a customer that are asked for who served them."""

_asleep = msgspec.msgpack.Encoder().encode
_awake = msgspec.msgpack.Decoder(Conversation).decode


class _Came(msgspec.Struct):
    """How a conversation came to where it waits."""

    channel: str = ""
    opened_in: QueueId = ""
    queue: QueueId = ""
    at_ms: int = 0


class Replay:
    """`take` every entry, then ask for the `report`."""

    def __init__(
        self, plan: Plan, base: Policy, *, since_ms: int = 0, until_ms: int | None = None, queue: QueueId = ""
    ) -> None:
        """`base`: what holds where LOG defines nothing. Only decisions between the two moments (of this queue) count."""
        self._base = base
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._queue = queue
        self.then = Picture(Plan(), self._knowing)
        self.other = Picture(plan, self._knowing)
        self.people: dict[AgentId, Enrollment] = {}
        self._shifts: dict[AgentId, shift.Shift] = {}
        self._queues: dict[QueueId, QueueDefinition] = {}
        self._desk: DeskDefinition = definitions.begin_desk(DESK)
        self._states: dict[ConversationId, Conversation] = {}
        self._closed: dict[ConversationId, bytes] = {}
        """States of closed cases, folded small."""
        self._came: dict[ConversationId, _Came] = {}
        self._responsible: dict[CustomerId, AgentId] = {}
        self._cases_of: dict[CustomerId, dict[ConversationId, AgentId]] = {}
        """Who had each case of a customer last; the latest touched last."""
        self._now_ms = 0
        self.report = Report(
            since_ms=since_ms,
            until_ms=until_ms or 0,
            all=Sums(),
            queues={},
            agents={},
            helped={},
            missed={},
            differences=[],
            names={},
        )
        self._rule()

    def take(self, seq: int, kind: str, name: str, entry: Entry) -> None:
        """One message of LOG; `kind` and `name` as in its subject."""
        self.report.entries += 1
        self._now_ms = entry.at_ms
        self.then.until(entry.at_ms)
        self.other.until(entry.at_ms)
        if kind == "conv":
            self._conversation(seq, name, entry)
        elif kind == "shift":
            known = self._shifts.setdefault(name, shift.begin_shift(name))
            shift.fold_shift(known, entry, seq)
            self._present(name, known.state, known.reason)
        elif kind == "agent":
            self._agent(seq, name, entry)
        elif kind in ("queue", "house"):
            self._define(seq, kind, name, entry)
        elif kind == "cust":
            self._customer(name, entry)

    def finish(self) -> Report:
        """The report; what still waits and would have been offered is told, too."""
        if self._until_ms is None or self._until_ms >= self._now_ms:
            self.report.until_ms = self._until_ms or self._now_ms
        for name in list(self.other.early):
            self._never_asked(name, "still waits")
        self.report.names = {name: one.name or name for name, one in self.people.items()}
        return self.report

    # what the pictures are made of

    def _present(self, agent: AgentId, state: str, reason: str = "") -> None:
        for picture in (self.then, self.other):
            picture.present(agent, state, reason)

    def _agent(self, seq: int, name: AgentId, entry: Entry) -> None:
        state = colleague.fold(self.people.setdefault(name, colleague.begin(name)), entry, seq)
        for picture in (self.then, self.other):
            if state.is_active and state.role == "agent":
                picture.seat(state.seat)
            else:
                picture.index.leave(name)

    def _define(self, seq: int, kind: str, name: str, entry: Entry) -> None:
        if kind == "queue":
            definitions.fold_queue(self._queues.setdefault(name, definitions.begin_queue(name)), entry, seq)
        else:
            definitions.fold_desk(self._desk, entry, seq)
        self._rule()

    def _rule(self) -> None:
        queues = {name: rules for name, rules in self._base.queues.items() if name not in self._queues}
        queues |= {name: one.rules for name, one in self._queues.items() if one.is_active}
        then = Policy(
            queues=queues,
            desk=self._desk.rules if self._desk.seq else self._base.desk,
            version=max(self._desk.seq, *(one.seq for one in self._queues.values()), 0),
        )
        for picture in (self.then, self.other):
            picture.rule(then, self._now_ms)

    def _customer(self, name: CustomerId, entry: Entry) -> None:
        for fact in entry.facts:
            if isinstance(fact, f.Described) and fact.field == "responsible" and isinstance(fact.words, Words):
                self._responsible[name] = fact.words.text
            elif isinstance(fact, f.Erased):
                self._responsible.pop(name, None)

    def _knowing(self, stand: Standing) -> tuple[AgentId, AgentId]:
        last = stand.last_owner
        if not last and stand.customer:
            others = [
                agent for case, agent in reversed(self._cases_of.get(stand.customer, {}).items()) if case != stand.id
            ]
            last = next((agent for agent in others[:MOST_EARLIER] if agent), "")
        return self._responsible.get(stand.customer, ""), last

    # conversations

    def _state(self, name: ConversationId) -> Conversation:
        found = self._states.get(name)
        if found is None:
            kept = self._closed.pop(name, None)
            found = self._states[name] = _awake(kept) if kept is not None else conversation.begin(name)
        return found

    def _conversation(self, seq: int, name: ConversationId, entry: Entry) -> None:
        state = self._state(name)
        offered = _offer_of_the_router(entry)
        if offered is not None:
            self._decided(seq, state, entry.at_ms, offered)
        bare = msgspec.structs.replace(entry, facts=tuple(_bare(fact) for fact in entry.facts))
        state = self._states[name] = conversation.fold(state, bare, seq)
        self._follow(name, entry)
        case = self._case(state)
        if not case.waits or _is_put_anew(entry):
            if offered is None and not case.waits:
                self._never_asked(name, _what_became(state))
            self.then.settle(name)
            self.other.settle(name)
        for picture in (self.then, self.other):
            picture.note(case, entry.at_ms)
        if state.customer:
            cases = self._cases_of.setdefault(state.customer, {})
            cases.pop(name, None)
            cases[name] = state.owner or state.last_owner
        if state.status == CLOSED and state.wrap is None:
            self._closed[name] = _asleep(self._states.pop(name))

    def _follow(self, name: ConversationId, entry: Entry) -> None:
        came = self._came.setdefault(name, _Came())
        by_step = any(isinstance(fact, f.Overflowed) and fact.to_queue for fact in entry.facts)
        for fact in entry.facts:
            if isinstance(fact, f.Opened):
                came.channel, came.opened_in = fact.channel, fact.queue
                came.queue, came.at_ms = fact.queue, entry.at_ms
            elif isinstance(fact, f.Queued) and not by_step:
                came.queue, came.at_ms = fact.queue, entry.at_ms

    def _case(self, state: Conversation) -> Case:
        came = self._came.get(state.id, _Came())
        return Case(
            stand=standing(state),
            channel=came.channel,
            opened_in=came.opened_in,
            came_queue=came.queue,
            came_ms=came.at_ms,
            declined=dict(state.declined),
            passed_by=state.passed_by,
            has_answer=state.has_answer,
        )

    # decisions

    def _counts(self, at_ms: int, queue: QueueId) -> bool:
        is_in_time = at_ms >= self._since_ms and (self._until_ms is None or at_ms <= self._until_ms)
        return is_in_time and (not self._queue or queue == self._queue)

    def _sums(self, queue: QueueId) -> tuple[Sums, Sums]:
        return self.report.all, self.report.queues.setdefault(queue, Sums())

    def _decided(self, seq: int, state: Conversation, at_ms: int, offered: f.Offered) -> None:
        """The router asked somebody: who would it have been?"""
        why = offered.why
        assert why is not None
        case = self._case(state)
        knows = (why.responsible, why.last_agent)
        asked = (offered.agent, *offered.also)
        helped, missed = self._again(case, at_ms, knows, asked, why.considered)
        if self._counts(at_ms, state.queue):
            if missed and why.policy != self.then.policy.version:
                missed = "a definition that came at the same time"
            sums = self._sums(state.queue)
            for one in sums:
                one.decisions += 1
                one.reproduced += not missed
            for key, counts in ((helped, self.report.helped), (missed, self.report.missed)):
                if key:
                    counts[key] = counts.get(key, 0) + 1
            if not missed:
                self._compare(seq, case, at_ms, knows, offered)
        for picture in (self.then, self.other):
            for agent in asked:
                picture.index.given(agent)

    def _again(
        self,
        case: Case,
        at_ms: int,
        knows: tuple[AgentId, AgentId],
        asked: tuple[AgentId, ...],
        considered: tuple[Considered, ...],
    ) -> tuple[str, str]:
        """(what had to be added for it to come out as it was, why it does not come out): both empty if facts were enough."""
        with self.then.as_it_was():
            is_out = self._comes_out(case, at_ms, knows, asked)
            # What was recorded is the truth, also where it made no difference here.
            is_mended = self._mend_presence(considered)
            if is_out or (is_mended and self._comes_out(case, at_ms, knows, asked)):
                return ("" if is_out else "presence"), ""
            is_equal = self._mend_turns(asked[0], considered)
            if is_equal and self._comes_out(case, at_ms, knows, asked):
                return "turns", ""
            for one in considered:
                sitting = self.then.index.sitting(one.agent)
                if sitting is not None and (sitting.load, sitting.units) != (one.load, one.units):
                    return "", "loads that were known otherwise then"
            return "", "the order among equals" if is_equal else "something that no fact tells"

    def _comes_out(self, case: Case, at_ms: int, knows: tuple[AgentId, AgentId], asked: tuple[AgentId, ...]) -> bool:
        return set(self.then.decide(case, at_ms, knows, is_told=False).agents) == set(asked)

    def _mend_presence(self, considered: tuple[Considered, ...]) -> bool:
        """Heartbeats and next statuses are no facts: take presence as the decision recorded it."""
        is_changed = False
        for one in considered:
            sitting = self.then.index.sitting(one.agent)
            if sitting is not None and sitting.state != one.state:
                self._present(one.agent, one.state)
                is_changed = True
        return is_changed

    def _mend_turns(self, chosen: AgentId, considered: tuple[Considered, ...]) -> bool:
        """Whose turn it is among equals is each leader's own memory: learn it from the decision."""
        best = self.then.index.sitting(chosen)
        if best is None:
            return False
        is_changed = False
        for one in considered:
            sitting = self.then.index.sitting(one.agent)
            if one.is_fit and one.agent != chosen and sitting is not None and sitting.level == best.level:
                for picture in (self.then, self.other):
                    picture.index.given(one.agent)
                is_changed = True
        return is_changed

    def _compare(self, seq: int, case: Case, at_ms: int, knows: tuple[AgentId, AgentId], offered: f.Offered) -> None:
        name, asked = case.stand.id, (offered.agent, *offered.also)
        early = self.then.early.get(name)
        if early is not None and set(early.agents) != set(asked):
            # The pictures were wrong about what came before this moment: only the moment itself is compared.
            then = msgspec.structs.replace(early, agents=asked, at_ms=at_ms)
            with self.other.as_it_was():
                other = self.other.decide(case, at_ms, knows)
        else:
            then = early or self.then.decide(case, at_ms, knows)
            other = self.other.early.get(name) or self.other.decide(case, at_ms, knows)
        self._add(seq, case, at_ms, offered, then, other)

    def _add(self, seq: int, case: Case, at_ms: int, offered: f.Offered, then: Choice, other: Choice) -> None:
        asked, queue = (offered.agent, *offered.also), case.stand.queue
        self.report.moved += other.queue != then.queue
        sooner_ms = min(at_ms, then.at_ms) - other.at_ms if other.agents else 0
        is_sooner = sooner_ms > SOONER_MS
        is_same = set(other.agents) in (set(asked), set(then.agents))
        kind = (
            "waits" if not other.agents and not is_same else "agent" if not is_same else "sooner" if is_sooner else ""
        )
        for one in self._sums(queue):
            one.same += is_same
            one.waits += kind == "waits"
            one.other_agent += kind == "agent"
            one.sooner += is_sooner
        self._give(asked, offered.units, asked if is_same else other.agents, offered.units if is_same else other.units)
        if kind:
            why = offered.why
            self.report.differences.append(
                Difference(
                    at_ms=at_ms,
                    seq=seq,
                    conversation=case.stand.id,
                    number=self._state(case.stand.id).number,
                    queue=queue,
                    kind=kind,
                    was=asked,
                    was_reason=why.considered[0].reason if why is not None and why.considered else offered.reason,
                    now=other.agents,
                    now_reason=other.reason or other.waits,
                    now_queue=other.queue,
                    sooner_ms=sooner_ms if is_sooner else 0,
                )
            )

    def _give(self, was: tuple[AgentId, ...], units: int, now: tuple[AgentId, ...], units_now: int) -> None:
        agents = self.report.agents
        for agent in was:
            given = agents.setdefault(agent, Given())
            given.offers, given.units = given.offers + 1, given.units + units
        for agent in now:
            given = agents.setdefault(agent, Given())
            given.offers_then, given.units_then = given.offers_then + 1, given.units_then + units_now

    def _never_asked(self, name: ConversationId, became: str) -> None:
        """It is no longer there to be offered, and only the other policy's router would have offered it."""
        choice = self.other.early.get(name)
        state = self._state(name)
        if choice is None or name in self.then.early or self._now_ms - choice.at_ms <= SOONER_MS:
            return
        if not self._counts(choice.at_ms, choice.queue):
            return
        for one in self._sums(choice.queue):
            one.unasked += 1
        self._give((), 0, choice.agents, choice.units)
        self.report.differences.append(
            Difference(
                at_ms=choice.at_ms,
                seq=0,
                conversation=name,
                number=state.number,
                queue=state.queue or choice.queue,
                kind="unasked",
                was=(),
                was_reason=became,
                now=choice.agents,
                now_reason=choice.reason,
                now_queue=choice.queue,
            )
        )


def _offer_of_the_router(entry: Entry) -> f.Offered | None:
    for fact in entry.facts:
        if isinstance(fact, f.Offered) and not fact.is_transfer and fact.why is not None:
            return fact
    return None


def _is_put_anew(entry: Entry) -> bool:
    """Somebody put it into a queue: what would have been offered before is over."""
    by_step = any(isinstance(fact, f.Overflowed) for fact in entry.facts)
    return not by_step and any(isinstance(fact, f.Queued | f.Reopened) for fact in entry.facts)


def _what_became(state: Conversation) -> str:
    return f"taken by {state.owner}" if state.owner else state.status


def _bare(fact: AnyFact) -> AnyFact:
    """The fact without words."""
    return msgspec.structs.replace(fact, words=None) if getattr(fact, "words", None) is not None else fact
