"""What would be in force if a file's policy were taken: its blocks where they are new, else what LOG says; and what is wrong with that.

Law: a change by command holds until the file's block changes, so the two are always judged together. What is wrong with an agent or a
queue that is not the file's keeps the file from nothing: it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import QueueRules, Seat
from broker_bridge.core import policy
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.definitions import DESK, DeskDefinition, QueueDefinition
from broker_bridge.core.problem import Problem
from broker_bridge.daemon import policyfile
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.policyfile import Laws
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import AGENT, HOUSE, QUEUE, States

Sources = Mapping[tuple[str, str], str]
"""(kind, name of the aggregate) to the digest of the file's block."""


def sources_of(laws: Laws) -> dict[tuple[str, str], str]:
    found = {(HOUSE, DESK): policyfile.digest(laws.desk)}
    found |= {(QUEUE, name): policyfile.digest(rules) for name, rules in laws.queues.items()}
    return found | {(AGENT, name): policyfile.digest(one) for name, one in laws.agents.items()}


class Lawbook:
    """Definitions as LOG has them."""

    def __init__(self, states: States, model: ReadModel) -> None:
        self._states = states
        self._model = model

    @property
    def queues(self) -> list[QueueId]:
        """Every queue that was ever defined."""
        return self._model.names(QUEUE)

    @property
    def agents(self) -> list[AgentId]:
        """Everybody who was ever enrolled."""
        return self._model.names(AGENT)

    def queue(self, name: QueueId) -> QueueDefinition:
        found: QueueDefinition = self._states.cell(QUEUE, name).state
        return found

    def agent(self, name: AgentId) -> Enrollment:
        found: Enrollment = self._states.cell(AGENT, name).state
        return found

    @property
    def desk(self) -> DeskDefinition:
        found: DeskDefinition = self._states.cell(HOUSE, DESK).state
        return found

    def source(self, kind: str, name: str) -> str:
        """Of the block that was taken last; empty: none ever."""
        return str(self._states.cell(kind, name).state.source)

    def open_in(self, queue: QueueId) -> int:
        """Conversations that are not closed."""
        return self._model.count("status IN ('queued', 'owned') AND queue = ?", (queue,))

    def problems(self, config: Config, laws: Laws) -> list[Problem]:
        """All that is wrong with what would be in force."""
        sources = sources_of(laws)
        people = {name: self.agent(name) for name in self.agents}
        seats: dict[AgentId, Seat] = {name: one.seat for name, one in people.items() if one.is_active}
        for name, colleague in laws.agents.items():
            known = people.get(name)
            if known is None or known.source != sources[AGENT, name]:
                seats[name] = colleague.seat
        queues = dict(self._queues(laws.queues, sources))
        found = policy.problems(
            queues,
            laws.desk if self.desk.source != sources[HOUSE, DESK] else self.desk.rules,
            list(seats.values()),
            lines=policyfile.lines_of(config),
            kinds=policyfile.kinds_of(config),
            known={*people, *laws.agents} if people else None,
        )
        theirs = [f"agent {name}:" for name in seats if name not in laws.agents]
        theirs += [f"queue {name}:" for name in queues if name not in laws.queues]
        return [*laws.problems, *(_softer(one, tuple(theirs)) for one in found)]

    def _queues(self, said: Mapping[QueueId, QueueRules], sources: Sources) -> Iterator[tuple[QueueId, QueueRules]]:
        for name, rules in said.items():
            known = self.queue(name)
            if known.source != sources[QUEUE, name]:
                yield name, rules
            elif known.is_active:
                yield name, known.rules
        for name in self.queues:
            known = self.queue(name)
            if name not in said and known.is_active and known.source in policyfile.BY_COMMAND:
                yield name, known.rules


def _softer(problem: Problem, theirs: tuple[str, ...]) -> Problem:
    if problem.is_warning or not problem.key.startswith(theirs):
        return problem
    return Problem(key=problem.key, sentence=problem.sentence, is_warning=True)
