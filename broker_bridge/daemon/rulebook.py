"""The policy in force: what the configuration says, and over it what LOG says.

Law: definitions in LOG win, for every bridge alike; the last good ones stay in force whatever a file says later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from broker_bridge.contract.ids import QueueId
from broker_bridge.contract.policy import DeskRules, QueueRules
from broker_bridge.core.definitions import DESK, DeskDefinition, Policy, QueueDefinition
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import HOUSE, QUEUE, States


class Rulebook:
    """One for each bridge."""

    def __init__(self, states: States, model: ReadModel, base: Mapping[QueueId, QueueRules], desk: DeskRules) -> None:
        """`base`, `desk`: what holds where LOG defines nothing."""
        self._states = states
        self._model = model
        self._base = base
        self._desk = desk
        self._defined: dict[QueueId, QueueDefinition] = {}
        self.policy = Policy(queues=dict(base), desk=desk)
        self.queues: tuple[QueueId, ...] = tuple(base)
        """Every queue that something may be put into."""
        self.on_change: list[Callable[[], None]] = []
        """Called after a definition changed."""

    def load(self) -> None:
        """Take in every definition that the read model knows."""
        for name in self._model.names(QUEUE):
            self._defined[name] = self._states.cell(QUEUE, name).state
        self._reckon()

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        is_changed = False
        for one in news:
            if one.kind == QUEUE:
                self._defined[one.name] = one.cell.state
                is_changed = True
            is_changed = is_changed or one.kind == HOUSE
        if is_changed:
            self._reckon()

    def definition(self, queue: QueueId) -> QueueDefinition | None:
        """What LOG says of a queue; None: nothing."""
        return self._defined.get(queue)

    @property
    def desk(self) -> DeskDefinition:
        """What LOG says of the house; sequence 0: nothing."""
        found: DeskDefinition = self._states.cell(HOUSE, DESK).state
        return found

    def _reckon(self) -> None:
        queues = dict(self._base)
        for name, one in self._defined.items():
            if one.is_active:
                queues[name] = one.rules
            else:
                queues.pop(name, None)
        desk = self.desk
        newest = [(desk.seq, desk.at_ms), *((one.seq, one.at_ms) for one in self._defined.values())]
        version, since_ms = max(newest)
        self.queues = tuple(queues)
        self.policy = Policy(
            queues=queues, desk=desk.rules if desk.seq else self._desk, version=version, since_ms=since_ms
        )
        for tell in self.on_change:
            tell()
