"""Presence as the broker's bucket has it, and what agents choose.

Law: presence is a lease: a terminal that is not heard of for `SILENT_MS` is silent and gets nothing new (what becomes of its work:
handback.py). The newest choice wins, whoever heard the terminal last; no bridge knows a newer one than the bucket for long.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from broker_bridge.contract.ids import AgentId
from broker_bridge.daemon.wire import BusError, LostRace

log = logging.getLogger(__name__)

SILENT_MS = 30_000
PRESENCE_TTL_S = 120.0
MOST_TRIES = 4
"""Of a choice that meets others in the bucket."""
PUT_AGAIN_S = 1.0


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


class Presences:
    """One for each bridge; `run` must be running for choices that the bucket did not take to be put again."""

    def __init__(self, bucket: Bucket, now_ms: Callable[[], int], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._bucket = bucket
        self._now_ms = now_ms
        self._sleep = sleep
        self._presence: dict[AgentId, Presence] = {}
        self._kept_ms: dict[AgentId, int] = {}
        """When each presence was put into the bucket last: what is not renewed there expires."""
        self._newest: dict[AgentId, tuple[int, int]] = {}
        """(revision, `chose_ms`) of the bucket's newest word that is known here."""
        self._choosing: defaultdict[AgentId, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Choices of one agent go into the bucket one after the other."""
        self._owed: dict[AgentId, None] = {}
        """Whose choice the bucket has not, as far as is known here."""
        self._is_owing = asyncio.Event()
        self._came: dict[AgentId, tuple[int, int]] = {}
        """(when a terminal was heard by another bridge's clock, when its word came here by ours)."""
        self.on_change: list[Callable[[AgentId], None]] = []
        """Called when somebody's presence may have changed, but for falling silent, which nobody says."""

    def _changed(self, agent: AgentId) -> None:
        for tell in self.on_change:
            tell(agent)

    def of(self, agent: AgentId) -> Presence:
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
        async with self._choosing[agent]:
            now_ms = self._now_ms()
            known = self._presence.get(agent, OFF)
            if is_next:
                fresh = msgspec.structs.replace(
                    known, next_state=state, next_reason=reason, next_until_ms=until_ms, heard_ms=now_ms
                )
            elif (state, reason, until_ms) == (known.state, known.reason, known.until_ms):
                fresh = msgspec.structs.replace(
                    known, next_state="", next_reason="", next_until_ms=None, heard_ms=now_ms
                )
            else:
                fresh = Presence(state=state, reason=reason, until_ms=until_ms, since_ms=now_ms, heard_ms=now_ms)
            return await self._keep(agent, self._after(known, fresh), is_news=True)

    async def follow(self, agent: AgentId) -> Presence | None:
        """The work in hand is done: the next status, if one was chosen, begins. Whoever is silent is not heard by this."""
        async with self._choosing[agent]:
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

    async def run(self) -> None:
        """Put choices again that the bucket has not, until cancelled: their agent may be heard by another bridge from now on."""
        while True:
            await self._is_owing.wait()
            self._is_owing.clear()
            for agent in list(self._owed):
                self._owed.pop(agent, None)
                known = self._presence.get(agent, OFF)
                is_missing = known.chose_ms > self._newest.get(agent, (0, 0))[1]
                if is_missing and not await self._try(agent, known, is_news=False):
                    # The broker is away: the others would wait as long, each of them.
                    break
            await self._sleep(PUT_AGAIN_S)

    def _after(self, known: Presence, fresh: Presence) -> Presence:
        """As a choice that comes after what is known."""
        return msgspec.structs.replace(fresh, chose_ms=max(self._now_ms(), known.chose_ms + 1))

    async def _keep(self, agent: AgentId, fresh: Presence, *, is_news: bool) -> Presence:
        self._presence[agent] = fresh
        self._changed(agent)
        if is_news or self._now_ms() - self._kept_ms.get(agent, 0) > SILENT_MS // 3:
            await self._try(agent, fresh, is_news=is_news)
        return fresh

    async def _try(self, agent: AgentId, fresh: Presence, *, is_news: bool) -> bool:
        """False: the broker did not answer."""
        now_ms = self._now_ms()
        try:
            if await self._put(agent, fresh, is_news=is_news):
                self._kept_ms[agent] = now_ms
            else:
                self._owe(agent)
        except BusError as error:
            # It may or may not be there.
            log.warning("presence was not kept", extra={"agent": agent, "error": type(error).__name__})
            self._owe(agent)
            return False
        return True

    async def _put(self, agent: AgentId, fresh: Presence, *, is_news: bool) -> bool:
        """Write it after all that the bucket was told before: a bridge that knows less must not overwrite a choice. Raises BusError."""
        for _ in range(MOST_TRIES):
            revision, value = self._newest.get(agent, (0, 0))[0], msgspec.json.encode(fresh)
            try:
                if revision:
                    revision = await self._bucket.update(agent, value, revision)
                else:
                    revision = await self._bucket.create(agent, value)
            except LostRace:
                found = await self._bucket.get(agent)
                self._newest.pop(agent, None)
                if found is not None:
                    self.told(agent, *found)
                if not is_news:
                    return False
                fresh = self._after(self._presence.get(agent, OFF), fresh)
                self._presence[agent] = fresh
                self._changed(agent)
                continue
            self._newest[agent] = max((revision, fresh.chose_ms), self._newest.get(agent, (0, 0)))
            return True
        return False

    def _owe(self, agent: AgentId) -> None:
        self._kept_ms.pop(agent, None)
        self._owed[agent] = None
        self._is_owing.set()

    @property
    def about(self) -> list[AgentId]:
        """Everybody of whom a presence is known."""
        return list(self._presence)

    def told(self, agent: AgentId, value: bytes | None, revision: int = 0) -> None:
        """The bucket says so; the newest choice wins, whoever heard the terminal last."""
        if value is None:
            for kept in (self._newest, self._presence, self._came, self._owed):
                kept.pop(agent, None)
            self._changed(agent)
            return
        try:
            fresh = read(value)
        except msgspec.DecodeError:
            log.error("a presence could not be read", extra={"agent": agent})
            fresh = OFF
        self._newest[agent] = max((revision, fresh.chose_ms), self._newest.get(agent, (0, 0)))
        if fresh is OFF:
            return
        known = self._presence.get(agent, OFF)
        if fresh.heard_ms > known.heard_ms:
            self._came[agent] = (fresh.heard_ms, self._now_ms())
        chosen = fresh if _is_newer(fresh, known) else known
        if chosen is known and self._newest[agent][1] < known.chose_ms:
            # Somebody heard the terminal who did not know of the choice yet, and the bucket has theirs now: ours is put again.
            self._owe(agent)
        self._presence[agent] = msgspec.structs.replace(chosen, heard_ms=max(fresh.heard_ms, known.heard_ms))
        self._changed(agent)


def _is_newer(fresh: Presence, known: Presence) -> bool:
    """Whether the choice of `fresh` is not older: when a terminal was heard says nothing of what its agent chose."""
    if not _is_chosen(known) or not _is_chosen(fresh):
        return not _is_chosen(known)
    if not fresh.chose_ms or not known.chose_ms:
        return fresh.heard_ms >= known.heard_ms
    # Two choices at once: the bucket's order is everybody's.
    return fresh.chose_ms >= known.chose_ms


def _is_chosen(presence: Presence) -> bool:
    """Whether anybody chose it: not where a terminal was only heard of, by a bridge that knew of no choice."""
    return presence.chose_ms > 0 or presence.since_ms > 0
