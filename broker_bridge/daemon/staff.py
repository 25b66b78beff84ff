"""Who works here: enrollments as LOG has them.

Law: roles and queues come from LOG alone, never from what a terminal says. Who is here at the moment: presence.py.
"""

from __future__ import annotations

from collections.abc import Callable

from broker_bridge.contract.ids import AgentId
from broker_bridge.core import hours
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.wishes import Actor
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.presence import Presences
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import AGENT, States


class Staff:
    """Everybody, by id."""

    def __init__(self, states: States, model: ReadModel, presences: Presences, now_ms: Callable[[], int]) -> None:
        self._states = states
        self._model = model
        self.presences = presences
        self.now_ms = now_ms
        self._everybody: dict[AgentId, Enrollment] = {}
        self._active: dict[AgentId, Enrollment] | None = None
        self._names: dict[AgentId, str] | None = None

    def load(self) -> None:
        """Take in everybody the read model knows."""
        for name in self._model.names(AGENT):
            self._everybody[name] = self._states.cell(AGENT, name).state
        self._active = self._names = None

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        for one in news:
            if one.kind == AGENT:
                self._everybody[one.name] = one.cell.state
                self._active = self._names = None

    @property
    def active(self) -> dict[AgentId, Enrollment]:
        """Who may sign in; the same object until somebody comes or goes."""
        if self._active is None:
            self._active = {name: one for name, one in self._everybody.items() if one.is_active}
        return self._active

    @property
    def names(self) -> dict[AgentId, str]:
        """Of everybody who may sign in; the same object until somebody comes, goes or is called otherwise."""
        if self._names is None:
            self._names = {name: one.name or name for name, one in self.active.items()}
        return self._names

    def room(self, agent: AgentId) -> int:
        """Cost units that an agent carries at most; 0: not enrolled (any more)."""
        found = self.active.get(agent)
        return found.room if found is not None else 0

    def shift_ends_ms(self, agent: AgentId) -> int | None:
        """When their shift begins or ends next; None: they have none."""
        found = self.active.get(agent)
        return hours.next_change(found.shift, self.now_ms()) if found is not None and found.shift is not None else None

    def is_on_shift(self, agent: AgentId) -> bool:
        """Whether the calendar says that they work now, or says nothing."""
        found = self.active.get(agent)
        return found is None or hours.is_open(found.shift, self.now_ms())

    def schedule(self, agent: AgentId) -> str:
        """`works until 16:00`, `starts Mon 08:00`; empty: no shift is defined."""
        found = self.active.get(agent)
        if found is None or found.shift is None:
            return ""
        words = hours.state_in_words(found.shift, self.now_ms())
        return words.replace("open until", "works until").replace("closed, opens", "starts").replace("opens", "starts")

    def name_of(self, agent: AgentId) -> str:
        found = self._everybody.get(agent)
        return found.name or agent if found else agent

    def actor(self, agent: AgentId) -> Actor | None:
        """Who this is to the rules; None: not enrolled (any more)."""
        found = self._everybody.get(agent)
        if found is None or not found.is_active:
            return None
        return Actor(agent=agent, name=found.name or agent, role=found.role, queues=found.queues)
