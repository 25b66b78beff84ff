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
from broker_bridge.core import hours
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.wishes import Actor
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import AGENT, States
from broker_bridge.daemon.wire import BusError, LostRace

log = logging.getLogger(__name__)

SILENT_MS = 30_000
PRESENCE_TTL_S = 120.0
MOST_TRIES = 4
"""Of a choice that meets others in the bucket."""


class Presence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One agent's state, as kept in the bucket `presence`."""

    state: str = "off"
    """`ready`, `busy`, `away`, `transfer_only` or `off`."""
    reason: str = ""
    since_ms: int = 0
    until_ms: int | None = None
    """Back at."""
    next_state: str = ""
    """Taken once the work in hand is done; nothing new is offered until then."""
    next_reason: str = ""
    next_until_ms: int | None = None
    heard_ms: int = 0
    """When the terminal was heard of last."""
    chose_ms: int = 0
    """When the state or the next one was chosen: later than every choice known then, whatever the clock says. 0 = by an older bridge."""


_presences = msgspec.json.Decoder(Presence)
OFF = Presence()


def read(value: bytes) -> Presence:
    """As the bucket has it. Raises msgspec.DecodeError."""
    return _presences.decode(value)


class Bucket(Protocol):
    async def get(self, key: str) -> tuple[bytes, int] | None: ...

    async def create(self, key: str, value: bytes) -> int: ...

    async def update(self, key: str, value: bytes, revision: int) -> int: ...


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
        self._revision: dict[AgentId, int] = {}
        """Of the bucket's newest word that is known here."""
        self._came: dict[AgentId, tuple[int, int]] = {}
        """(when a terminal was heard by another bridge's clock, when its word came here by ours)."""
        self._everybody: dict[AgentId, Enrollment] = {}
        self._active: dict[AgentId, Enrollment] | None = None
        self._names: dict[AgentId, str] | None = None
        self.on_presence: list[Callable[[AgentId], None]] = []
        """Called when somebody's presence may have changed, but for falling silent, which nobody says."""

    def _changed(self, agent: AgentId) -> None:
        for tell in self.on_presence:
            tell(agent)

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
        return hours.next_change(found.shift, self._now_ms()) if found is not None and found.shift is not None else None

    def is_on_shift(self, agent: AgentId) -> bool:
        """Whether the calendar says that they work now, or says nothing."""
        found = self.active.get(agent)
        return found is None or hours.is_open(found.shift, self._now_ms())

    def schedule(self, agent: AgentId) -> str:
        """`works until 16:00`, `starts Mon 08:00`; empty: no shift is defined."""
        found = self.active.get(agent)
        if found is None or found.shift is None:
            return ""
        words = hours.state_in_words(found.shift, self._now_ms())
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

    def presence(self, agent: AgentId) -> Presence:
        """As known now; a terminal that fell silent shows as `silent`."""
        found = self._presence.get(agent, OFF)
        if found.state == "off":
            return found
        told_ms, came_ms = self._came.get(agent, (0, 0))
        # Clocks of two machines may be an hour apart: silence is reckoned by ours, from when the word came.
        heard_ms = came_ms if told_ms == found.heard_ms else found.heard_ms
        if self._now_ms() - heard_ms > SILENT_MS:
            return msgspec.structs.replace(found, state="silent", since_ms=heard_ms + SILENT_MS, heard_ms=heard_ms)
        return found if heard_ms == found.heard_ms else msgspec.structs.replace(found, heard_ms=heard_ms)

    async def look(self, agent: AgentId) -> None:
        """Ask the bucket of somebody who is not known here: a bridge that just began would take who is at lunch for new."""
        if agent in self._presence:
            return
        try:
            found = await self._bucket.get(agent)
        except BusError as error:
            log.warning("presence was not read", extra={"agent": agent, "error": type(error).__name__})
            return
        if found is not None and agent not in self._presence:
            self.told(agent, *found)

    async def heard(self, agent: AgentId) -> Presence:
        """A terminal spoke."""
        known = self._presence.get(agent, OFF)
        fresh = msgspec.structs.replace(known, heard_ms=self._now_ms())
        return await self._keep(agent, fresh, is_news=False)

    async def chose(
        self, agent: AgentId, state: str, reason: str = "", until_ms: int | None = None, *, is_next: bool = False
    ) -> Presence:
        """Its agent changed it (or a supervisor, or the work in hand is done); `is_next`: only after the work in hand."""
        now_ms = self._now_ms()
        known = self._presence.get(agent, OFF)
        if is_next:
            fresh = msgspec.structs.replace(
                known, next_state=state, next_reason=reason, next_until_ms=until_ms, heard_ms=now_ms
            )
        elif (state, reason, until_ms) == (known.state, known.reason, known.until_ms):
            fresh = msgspec.structs.replace(known, next_state="", next_reason="", next_until_ms=None, heard_ms=now_ms)
        else:
            fresh = Presence(state=state, reason=reason, until_ms=until_ms, since_ms=now_ms, heard_ms=now_ms)
        return await self._keep(agent, self._after(known, fresh), is_news=True)

    async def follow(self, agent: AgentId) -> Presence | None:
        """The work in hand is done: the next status, if one was chosen, begins. Whoever is silent is not heard by this."""
        known = self._presence.get(agent, OFF)
        if not known.next_state:
            return None
        fresh = Presence(
            state=known.next_state,
            reason=known.next_reason,
            until_ms=known.next_until_ms,
            since_ms=self._now_ms(),
            heard_ms=known.heard_ms,
        )
        return await self._keep(agent, self._after(known, fresh), is_news=True)

    def _after(self, known: Presence, fresh: Presence) -> Presence:
        """As a choice that comes after what is known."""
        return msgspec.structs.replace(fresh, chose_ms=max(self._now_ms(), known.chose_ms + 1))

    async def _keep(self, agent: AgentId, fresh: Presence, *, is_news: bool) -> Presence:
        now_ms = self._now_ms()
        self._presence[agent] = fresh
        self._changed(agent)
        if not is_news and now_ms - self._kept_ms.get(agent, 0) <= SILENT_MS // 3:
            return fresh
        try:
            if await self._put(agent, fresh, is_news=is_news):
                self._kept_ms[agent] = now_ms
        except BusError as error:
            # It may or may not be there: the next word of the terminal puts it.
            self._kept_ms.pop(agent, None)
            log.warning("presence was not kept", extra={"agent": agent, "error": type(error).__name__})
        return fresh

    async def _put(self, agent: AgentId, fresh: Presence, *, is_news: bool) -> bool:
        """Write it after all that the bucket was told before: a bridge that knows less must not overwrite a choice. Raises BusError."""
        for _ in range(MOST_TRIES):
            revision, value = self._revision.get(agent, 0), msgspec.json.encode(fresh)
            try:
                if revision:
                    revision = await self._bucket.update(agent, value, revision)
                else:
                    revision = await self._bucket.create(agent, value)
            except LostRace:
                found = await self._bucket.get(agent)
                self._revision.pop(agent, None)
                if found is not None:
                    self.told(agent, *found)
                if not is_news:
                    return False
                fresh = self._after(self._presence.get(agent, OFF), fresh)
                self._presence[agent] = fresh
                self._changed(agent)
                continue
            self._revision[agent] = max(revision, self._revision.get(agent, 0))
            return True
        return False

    @property
    def about(self) -> list[AgentId]:
        """Everybody of whom a presence is known."""
        return list(self._presence)

    def told(self, agent: AgentId, value: bytes | None, revision: int = 0) -> None:
        """The bucket says so; the newest choice wins, whoever heard the terminal last."""
        self._revision[agent] = max(revision, self._revision.get(agent, 0))
        if value is None:
            self._revision.pop(agent, None)
            self._presence.pop(agent, None)
            self._came.pop(agent, None)
            self._changed(agent)
            return
        try:
            fresh = read(value)
        except msgspec.DecodeError:
            log.error("a presence could not be read", extra={"agent": agent})
            return
        known = self._presence.get(agent, OFF)
        if fresh.heard_ms > known.heard_ms:
            self._came[agent] = (fresh.heard_ms, self._now_ms())
        chosen = fresh if _is_newer(fresh, known) else known
        if chosen is known and fresh.chose_ms < known.chose_ms:
            # Somebody heard the terminal who did not know of the choice yet, and the bucket has theirs now: ours is put again.
            self._kept_ms.pop(agent, None)
        self._presence[agent] = msgspec.structs.replace(chosen, heard_ms=max(fresh.heard_ms, known.heard_ms))
        self._changed(agent)


def _is_newer(fresh: Presence, known: Presence) -> bool:
    """Whether the choice of `fresh` is not older: when a terminal was heard says nothing of what its agent chose."""
    if not fresh.since_ms or not known.since_ms:
        # One of them was only heard of, by a bridge that knew of no choice.
        return fresh.since_ms >= known.since_ms
    if not fresh.chose_ms or not known.chose_ms:
        return fresh.heard_ms >= known.heard_ms
    # Two choices at once: the bucket's order is everybody's.
    return fresh.chose_ms >= known.chose_ms
