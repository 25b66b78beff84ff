"""What the checkers are given: a history's log, opened and folded once, and what stood when.

Law: nothing here judges.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.policy import QueueRules
from broker_bridge.core import conversation as conv
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.definitions import Policy
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.house import NAMED, SITE_KEY
from broker_bridge.daemon.simulation.loop import Process
from broker_bridge.daemon.simulation.shelf import ShelfModel
from broker_bridge.daemon.states import AGENT, CONV, KINDS, QUEUE, States

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of one conversation, with the state before it and after it."""

    seq: int
    name: str
    entry: Entry
    before: Conversation
    after: Conversation
    at_ms: int
    """When the broker stored it, by the true time."""


@dataclass
class Evidence:
    """A history's log, opened and folded once for all checkers."""

    world: World
    entries: list[tuple[int, str, str, Entry]] = field(default_factory=list)
    """(sequence, aggregate kind, name, entry)."""
    states: dict[tuple[str, str], object] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)
    """Key of the bucket to the words in it."""
    rebuilt: str = ""
    """Checksum of a read model made anew."""
    homes: dict[str, str] = field(default_factory=dict)
    """Message to the case in which that read model shows it."""
    defined: list[tuple[int, str, QueueRules]] = field(default_factory=list)
    """(sequence, queue, rules)."""

    def say(self, sentence: str) -> None:
        self.world.books.problems.append(sentence)

    def conversations(self) -> list[Conversation]:
        return [state for (kind, _), state in self.states.items() if kind == CONV and isinstance(state, Conversation)]

    def agent(self, name: str) -> Enrollment:
        found = self.states[AGENT, name]
        assert isinstance(found, Enrollment)
        return found

    def facts(self) -> list[tuple[int, str, Entry, f.AnyFact]]:
        """(sequence, name, entry, fact) of every conversation."""
        return [
            (seq, name, entry, fact) for seq, kind, name, entry in self.entries if kind == CONV for fact in entry.facts
        ]

    @functools.cached_property
    def moments(self) -> list[Moment]:
        """Every entry of every conversation."""
        log = self.world.sky.server.streams["LOG"].messages
        folded: dict[str, Conversation] = {}
        copies: dict[str, Conversation] = {}
        found = []
        for seq, kind, name, entry in self.entries:
            if kind != CONV:
                continue
            state = folded.setdefault(name, conv.begin(name))
            before = copies.get(name) or _copy(state)
            conv.fold(state, entry, seq)
            copies[name] = _copy(state)
            at_ms = self.world.begin_ms + int(log[seq].at_s * 1000)
            found.append(Moment(seq, name, entry, before, copies[name], at_ms))
        return found

    def policy(self, version: int) -> Policy:
        """The rules as somebody knew them who had seen the log up to `version`."""
        queues = dict(self.world.rules)
        for seq, queue, rules in self.defined:
            if seq <= version:
                queues[queue] = rules
        return Policy(queues=queues, desk=self.world.desk, version=version)

    def policies(self, seq: int) -> list[Policy]:
        """Every policy that somebody may have gone by who wrote the entry `seq`: bridges learn of new rules at their own pace."""
        return [self.policy(version) for version in (0, *(at for at, _, _ in self.defined if at < seq))]


def _copy(state: Conversation) -> Conversation:
    """As it stands now, as far as checkers look."""
    kept = copy.copy(state)
    for name in ("promises", "declined", "tasks", "merged", "handles"):
        setattr(kept, name, dict(getattr(state, name)))
    return kept


async def gather(world: World) -> Evidence:
    """All of it, from the broker."""
    evidence = Evidence(world)
    bus = FakeBus(world.sky, Process("inspector"))
    sealer = Sealer(SITE_KEY, await bus.kv("keys"))
    log = world.sky.server.streams["LOG"]
    for message in log.messages.values():
        kind, _, name = message.subject.removeprefix("cc.log.").partition(".")
        entry = await sealer.open_entry(codec.entry(message.body))
        evidence.entries.append((message.seq, kind, name, entry))
        if kind == QUEUE:
            evidence.defined += [
                (message.seq, name, one.rules) for one in entry.facts if isinstance(one, f.QueueDefined)
            ]
        if kind in KINDS:
            state = evidence.states.get((kind, name))
            if state is None:
                state = KINDS[kind].begin(name)
            evidence.states[kind, name] = KINDS[kind].fold(state, entry, message.seq)
    drafts = Drafts(await bus.kv("drafts"), sealer)
    for agent, conversation in {**world.books.drafts, **world.books.carried}:
        draft = await drafts.load(agent, conversation)
        evidence.drafts[f"{agent}.{conversation}"] = draft.text if draft else ""
    model = ShelfModel()
    model.begin_with(await bus.stream_created("LOG"))
    states = States(model, sealer, bus)
    await Follower(model, states, sealer, NAMED).apply(tuple(log.messages.values()))
    evidence.rebuilt = model.checksum()
    for _, _, _, fact in evidence.facts():
        if isinstance(fact, (f.Received, f.Replied, f.Noted)):
            evidence.homes[fact.message] = model.home_of(fact.message)
    model.close()
    return evidence
