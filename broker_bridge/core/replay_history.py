"""A site's log read once from its beginning: people, rules and conversations, and two floors of each moment, side by side.

Law: pure; folded is by the folds of the product. Words may stay sealed: none is read but who is responsible for a customer, if it is open.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import AnyFact, Entry
from broker_bridge.contract.ids import AgentId, ConversationId, CustomerId, QueueId
from broker_bridge.contract.words import Words
from broker_bridge.core import colleague, conversation, definitions, shift
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.definitions import DESK, DeskDefinition, Policy, QueueDefinition
from broker_bridge.core.replay_picture import Picture
from broker_bridge.core.replay_plan import Case, Plan
from broker_bridge.core.standing import Standing, standing
from broker_bridge.core.state import CLOSED, Conversation

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


class History:
    """`take` every entry of LOG, in order, from the first on."""

    def __init__(self, plan: Plan, base: Policy) -> None:
        """`base`: what holds where LOG defines nothing."""
        self.then = Picture(Plan(), self._knowing)
        """By the policy in force."""
        self.other = Picture(plan, self._knowing)
        self.people: dict[AgentId, Enrollment] = {}
        self.now_ms = 0
        self.watched_from_ms = 0
        """Before that nobody asks what a router would have done: only what was is taken in."""
        self._base = base
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
        self._rule()

    @property
    def is_watched(self) -> bool:
        return self.now_ms >= self.watched_from_ms

    def take(self, seq: int, kind: str, name: str, entry: Entry) -> None:
        """One message of LOG; `kind` and `name` as in its subject."""
        self.now_ms = entry.at_ms
        if self.is_watched:
            self.then.until(entry.at_ms)
            self.other.until(entry.at_ms)
        if kind == "conv":
            self._conversation(seq, name, entry)
        elif kind == "shift":
            known = self._shifts.setdefault(name, shift.begin_shift(name))
            shift.fold_shift(known, entry, seq)
            self.present(name, known.state, known.reason)
        elif kind == "agent":
            self._agent(seq, name, entry)
        elif kind in ("queue", "house"):
            self._define(seq, kind, name, entry)
        elif kind == "cust":
            self._customer(name, entry)

    # for whoever looks on

    def on_entry(self, seq: int, state: Conversation, entry: Entry) -> None:
        """Something is about to happen to a conversation: `state` is as of before."""

    def on_end_of_wait(self, state: Conversation, entry: Entry) -> None:
        """It waits no more, or waits anew: `state` is as of after. Then what was offered early is forgotten."""

    def state(self, name: ConversationId) -> Conversation:
        """A conversation as of the last entry."""
        found = self._states.get(name)
        if found is None:
            kept = self._closed.pop(name, None)
            found = self._states[name] = _awake(kept) if kept is not None else conversation.begin(name)
        return found

    def case(self, state: Conversation) -> Case:
        """It, as far as routing is concerned."""
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

    def present(self, agent: AgentId, state: str, reason: str = "") -> None:
        """Somebody's presence, from here on."""
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
            picture.rule(then, self.now_ms)

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

    def _conversation(self, seq: int, name: ConversationId, entry: Entry) -> None:
        state = self.state(name)
        self.on_entry(seq, state, entry)
        bare = msgspec.structs.replace(entry, facts=tuple(_bare(fact) for fact in entry.facts))
        state = self._states[name] = conversation.fold(state, bare, seq)
        self._follow(name, entry)
        case = self.case(state)
        if not case.waits or _is_put_anew(entry):
            self.on_end_of_wait(state, entry)
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


def _is_put_anew(entry: Entry) -> bool:
    """Somebody put it into a queue: what would have been offered before is over."""
    by_step = any(isinstance(fact, f.Overflowed) for fact in entry.facts)
    return not by_step and any(isinstance(fact, f.Queued | f.Reopened) for fact in entry.facts)


def _bare(fact: AnyFact) -> AnyFact:
    """The fact without words."""
    return msgspec.structs.replace(fact, words=None) if getattr(fact, "words", None) is not None else fact
