"""The log of a site, routed again by another policy: each decision of the router beside what it would have been.

Law: pure, and honest about itself: each decision is made again by the policy in force then, too, and only those that come out as they
were are compared. The situation is the one that was: what the other policy would have changed in one decision changes no later one.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, ConversationId, QueueId
from broker_bridge.contract.policy import Considered
from broker_bridge.core.definitions import Policy
from broker_bridge.core.replay_history import History
from broker_bridge.core.replay_plan import Case, Choice, Difference, Given, Plan, Report, Sums
from broker_bridge.core.state import QUEUED, Conversation

__all__ = ["Plan", "Replay", "Report"]

SOONER_MS = 1_000
"""A router goes its rounds once a second: what is sooner by less is nothing."""
WARM_UP_MS = 3_600_000
"""So long before the first decision that counts the routers go their rounds: turns and presence are learned by then."""
Knows = tuple[AgentId, AgentId]
"""(responsible, last agent) of the customer."""


class Replay(History):
    """`take` every entry, then `finish`."""

    def __init__(
        self, plan: Plan, base: Policy, *, since_ms: int = 0, until_ms: int | None = None, queue: QueueId = ""
    ) -> None:
        """`base`: what holds where LOG defines nothing. Only decisions between the two moments (of this queue) count."""
        super().__init__(plan, base)
        self._since_ms = since_ms
        self.watched_from_ms = since_ms - WARM_UP_MS
        self._until_ms = until_ms
        self._queue = queue
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

    def take(self, seq: int, kind: str, name: str, entry: Entry) -> None:
        self.report.entries += 1
        super().take(seq, kind, name, entry)

    def finish(self) -> Report:
        """The report; what still waits and would have been offered is told, too."""
        self.report.until_ms = self._until_ms or self.now_ms
        for name in list(self.other.early):
            self._never_asked(self.state(name), "it still waits")
        self.report.names = {name: one.name or name for name, one in self.people.items()}
        return self.report

    def on_entry(self, seq: int, state: Conversation, entry: Entry) -> None:
        offered = _offer_of_the_router(entry)
        if offered is not None and not self.is_watched:
            self._gave((offered.agent, *offered.also))
        elif offered is not None:
            self._decided(seq, state, entry.at_ms, offered)

    def on_end_of_wait(self, state: Conversation, entry: Entry) -> None:
        is_waiting = state.status == QUEUED and state.offer is None
        if _offer_of_the_router(entry) is None and not is_waiting:
            self._never_asked(state, _what_became(state))

    def _counts(self, at_ms: int, queue: QueueId) -> bool:
        is_in_time = at_ms >= self._since_ms and (self._until_ms is None or at_ms <= self._until_ms)
        return is_in_time and (not self._queue or queue == self._queue)

    def _sums(self, queue: QueueId) -> tuple[Sums, Sums]:
        return self.report.all, self.report.queues.setdefault(queue, Sums())

    def _decided(self, seq: int, state: Conversation, at_ms: int, offered: f.Offered) -> None:
        """The router asked somebody: who would it have been?"""
        why = offered.why
        assert why is not None
        case = self.case(state)
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
        self._gave(asked)

    def _gave(self, asked: tuple[AgentId, ...]) -> None:
        for picture in (self.then, self.other):
            for agent in asked:
                picture.index.given(agent)

    def _again(
        self,
        case: Case,
        at_ms: int,
        knows: Knows,
        asked: tuple[AgentId, ...],
        considered: tuple[Considered, ...],
    ) -> tuple[str, str]:
        """(what had to be added for it to come out as it was, why it does not come out): both empty if facts were enough."""
        early = self.then.early.get(case.stand.id)
        with self.then.as_it_was():
            # Chosen together, written one after the other: then the replay's own round says it, not this moment.
            is_out = self._comes_out(case, at_ms, knows, asked) or (
                early is not None and set(early.agents) == set(asked)
            )
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

    def _comes_out(self, case: Case, at_ms: int, knows: Knows, asked: tuple[AgentId, ...]) -> bool:
        return set(self.then.decide(case, at_ms, knows, is_told=False).agents) == set(asked)

    def _mend_presence(self, considered: tuple[Considered, ...]) -> bool:
        """Heartbeats and next statuses are no facts: take presence as the decision recorded it."""
        is_changed = False
        for one in considered:
            sitting = self.then.index.sitting(one.agent)
            if sitting is not None and sitting.state != one.state:
                self.present(one.agent, one.state)
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

    def _compare(self, seq: int, case: Case, at_ms: int, knows: Knows, offered: f.Offered) -> None:
        name, asked = case.stand.id, (offered.agent, *offered.also)
        early = self.then.early.get(name)
        if early is not None and set(early.agents) != set(asked):
            # The pictures were wrong about what came before this moment: only the moment itself is compared.
            then = msgspec.structs.replace(early, agents=asked, at_ms=at_ms)
            with self.other.as_it_was():
                other = self.other.decide(case, at_ms, knows)
        else:
            with self.then.as_it_was():
                # As it was made again just now: with the places of others' early offers it may come out otherwise.
                then = early or self.then.decide(case, at_ms, knows)
            with self.other.as_it_was(self.then.early):
                # What both would have offered early nobody did: it says nothing of the other policy.
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
                    number=self.state(case.stand.id).number,
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

    def _never_asked(self, state: Conversation, became: str) -> None:
        """It is no longer there to be offered, and only the other policy's router would have offered it."""
        name: ConversationId = state.id
        choice = self.other.early.get(name)
        if choice is None or name in self.then.early or self.now_ms - choice.at_ms <= SOONER_MS:
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


def _what_became(state: Conversation) -> str:
    return f"taken by {state.owner}" if state.owner else state.status
