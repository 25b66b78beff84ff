"""Who works here: enrollments as LOG has them, and presence as the broker's bucket has it.

Law: roles and queues come from LOG alone, never from what a terminal says. Presence is a lease: a terminal that is not heard of for
`SILENT_MS` is silent and gets nothing new; what becomes of its work: handback.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from broker_bridge.contract.ids import AgentId
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.wishes import Actor
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import AGENT, States
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

SILENT_MS = 30_000
PRESENCE_TTL_S = 120.0


class Presence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One agent's state, as kept in the bucket `presence`."""

    state: str = "off"
    """`ready`, `away` or `off`."""
    reason: str = ""
    since_ms: int = 0
    heard_ms: int = 0
    """When the terminal was heard of last."""


_presences = msgspec.json.Decoder(Presence)
OFF = Presence()


class Bucket(Protocol):
    async def put(self, key: str, value: bytes) -> int: ...


class Staff:
    """Everybody, by id."""

    def __init__(self, states: States, model: ReadModel, bucket: Bucket, now_ms: Callable[[], int]) -> None:
        self._states = states
        self._model = model
        self._bucket = bucket
        self._now_ms = now_ms
        self._presence: dict[AgentId, Presence] = {}
        self._kept_ms: dict[AgentId, int] = {}
        """When each presence was put into the bucket last: what is not renewed there expires."""
        self._everybody: dict[AgentId, Enrollment] = {}

    def load(self) -> None:
        """Take in everybody the read model knows."""
        for name in self._model.names(AGENT):
            self._everybody[name] = self._states.cell(AGENT, name).state

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        for one in news:
            if one.kind == AGENT:
                self._everybody[one.name] = one.cell.state

    @property
    def active(self) -> dict[AgentId, Enrollment]:
        return {name: one for name, one in self._everybody.items() if one.is_active}

    def name_of(self, agent: AgentId) -> str:
        found = self._everybody.get(agent)
        return found.name or agent if found else agent

    def actor(self, agent: AgentId) -> Actor | None:
        """Who this is to the rules; None: not enrolled (any more)."""
        found = self._everybody.get(agent)
        if found is None or not found.is_active:
            return None
        return Actor(agent=agent, name=found.name or agent, role=found.role, queues=found.queues)

    def presence(self, agent: AgentId) -> Presence:
        """As known now; a terminal that fell silent shows as `silent`."""
        found = self._presence.get(agent, OFF)
        if found.state != "off" and self._now_ms() - found.heard_ms > SILENT_MS:
            return msgspec.structs.replace(found, state="silent", since_ms=found.heard_ms + SILENT_MS)
        return found

    async def heard(self, agent: AgentId, state: str | None = None, reason: str = "") -> Presence:
        """A terminal spoke; with `state`, its agent changed it."""
        now_ms = self._now_ms()
        known = self._presence.get(agent, OFF)
        fresh = msgspec.structs.replace(known, heard_ms=now_ms)
        if state is not None and (state, reason) != (known.state, known.reason):
            fresh = Presence(state=state, reason=reason, since_ms=now_ms, heard_ms=now_ms)
        self._presence[agent] = fresh
        if state is not None or now_ms - self._kept_ms.get(agent, 0) > SILENT_MS // 3:
            try:
                await self._bucket.put(agent, msgspec.json.encode(fresh))
                self._kept_ms[agent] = now_ms
            except BusError as error:
                log.warning("presence was not kept", extra={"agent": agent, "error": type(error).__name__})
        return fresh

    def told(self, agent: AgentId, value: bytes | None) -> None:
        """The bucket says so; a newer word of our own wins."""
        if value is None:
            self._presence.pop(agent, None)
            return
        try:
            fresh = _presences.decode(value)
        except msgspec.DecodeError:
            log.error("a presence could not be read", extra={"agent": agent})
            return
        if fresh.heard_ms >= self._presence.get(agent, OFF).heard_ms:
            self._presence[agent] = fresh
