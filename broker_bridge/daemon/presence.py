"""Presence as the broker's bucket has it, and what agents choose.

Law: presence is a lease: a terminal that is not heard of for `SILENT_MS` is silent and gets nothing new (what becomes of its work:
handback.py). The newest choice wins, whoever heard the terminal last; no bridge knows a newer one than the bucket for long.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

import msgspec

from broker_bridge.contract.ids import AgentId
from broker_bridge.core.presence import OFF, Presence, is_newer, read
from broker_bridge.daemon.wire import BusError, LostRace

log = logging.getLogger(__name__)

SILENT_MS = 30_000
PRESENCE_TTL_S = 120.0
MOST_TRIES = 4
"""Of a choice that meets others in the bucket."""
PUT_AGAIN_S = 1.0


Make = Callable[[Presence], Presence | None]
"""What is known -> what is chosen on it; None: there is nothing to choose any more."""


class _Word(NamedTuple):
    """What the bucket said last of somebody, as far as is known here."""

    revision: int = 0
    chose_ms: int = 0
    heard_ms: int = 0
    """By the clock of whoever wrote it: another value than the word before is another time that the terminal was heard."""


NO_WORD = _Word()


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
        self._newest: dict[AgentId, _Word] = {}
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
            # Of whom only a supervisor spoke, nothing was heard at all.
            since_ms = heard_ms + SILENT_MS if heard_ms else found.since_ms
            return msgspec.structs.replace(found, state="silent", since_ms=since_ms, heard_ms=heard_ms)
        return found if heard_ms == found.heard_ms else msgspec.structs.replace(found, heard_ms=heard_ms)

    async def look(self, agent: AgentId) -> None:
        """Ask the bucket of somebody who is not known here: a bridge that just began would take who is at lunch for new.

        Raises BusError: whether they are at lunch cannot be said.
        """
        if agent in self._presence:
            return
        found = await self._bucket.get(agent)
        if found is not None and agent not in self._presence:
            self.told(agent, *found)

    async def heard(self, agent: AgentId) -> Presence:
        """A terminal spoke."""
        known = self._presence.get(agent, OFF)
        fresh = msgspec.structs.replace(known, heard_ms=self._now_ms())
        self._take(agent, fresh)
        if self._now_ms() - self._kept_ms.get(agent, 0) > SILENT_MS // 3:
            await self._try(agent, fresh)
        return fresh

    async def came(self, agent: AgentId) -> bool:
        """A terminal says hello: who was off is ready; False: they are here already, as they chose to be."""

        def begin(known: Presence) -> Presence | None:
            now_ms = self._now_ms()
            return Presence(state="ready", since_ms=now_ms, heard_ms=now_ms) if known.state == "off" else None

        return await self._choose(agent, begin) is not None

    async def chose(
        self,
        agent: AgentId,
        state: str,
        reason: str = "",
        until_ms: int | None = None,
        *,
        is_next: bool = False,
        is_heard: bool = True,
    ) -> None:
        """Its agent changed it; `is_next`: only after the work in hand. `is_heard` False: a supervisor did, and that says nothing of the
        terminal."""

        def choice(known: Presence) -> Presence:
            now_ms = self._now_ms()
            heard_ms = now_ms if is_heard else known.heard_ms
            if is_next:
                return msgspec.structs.replace(
                    known, next_state=state, next_reason=reason, next_until_ms=until_ms, heard_ms=heard_ms
                )
            if (state, reason, until_ms) == (known.state, known.reason, known.until_ms):
                return msgspec.structs.replace(
                    known, next_state="", next_reason="", next_until_ms=None, heard_ms=heard_ms
                )
            return Presence(state=state, reason=reason, until_ms=until_ms, since_ms=now_ms, heard_ms=heard_ms)

        await self._choose(agent, choice)

    async def follow(self, agent: AgentId) -> Presence | None:
        """The work in hand is done: the next status, if one was chosen, begins. Whoever is silent is not heard by this."""

        def begin(known: Presence) -> Presence | None:
            if not known.next_state:
                return None
            return Presence(
                state=known.next_state,
                reason=known.next_reason,
                until_ms=known.next_until_ms,
                since_ms=self._now_ms(),
                heard_ms=known.heard_ms,
            )

        return await self._choose(agent, begin)

    async def _choose(self, agent: AgentId, make: Make) -> Presence | None:
        """Choose on what is known, and again on what the bucket knows, if that is more: the machine's choice may be void by then, and
        what a choice leaves as it was is as somebody else chose it."""
        async with self._choosing[agent]:
            base = self._presence.get(agent, OFF)
            fresh = make(base)
            if fresh is None:
                return None

            def again(there: Presence) -> Presence | None:
                nonlocal base, fresh
                if is_newer(there, base):
                    base = there
                known = self._presence.get(agent, OFF)
                base = msgspec.structs.replace(base, heard_ms=known.heard_ms)
                fresh = make(base)
                if fresh is None:
                    self._take(agent, base)
                    return None
                fresh = self._after(known, fresh)
                self._take(agent, fresh)
                return fresh

            fresh = self._after(base, fresh)
            self._take(agent, fresh)
            await self._try(agent, fresh, again)
            return fresh

    async def run(self) -> None:
        """Put choices again that the bucket has not, until cancelled: their agent may be heard by another bridge from now on."""
        while True:
            await self._is_owing.wait()
            self._is_owing.clear()
            for agent in list(self._owed):
                if agent not in self._owed:
                    # Their word ended while another one's was put.
                    continue
                del self._owed[agent]
                known = self._presence.get(agent, OFF)
                is_missing = known.chose_ms > self._newest.get(agent, NO_WORD).chose_ms
                if is_missing and not await self._try(agent, known):
                    # The broker is away: the others would wait as long, each of them.
                    break
            await self._sleep(PUT_AGAIN_S)

    def _after(self, known: Presence, fresh: Presence) -> Presence:
        """As a choice that comes after what is known."""
        return msgspec.structs.replace(fresh, chose_ms=max(self._now_ms(), known.chose_ms + 1))

    def _take(self, agent: AgentId, fresh: Presence) -> None:
        self._presence[agent] = fresh
        self._changed(agent)

    async def _try(self, agent: AgentId, fresh: Presence, again: Make | None = None) -> bool:
        """False: the broker did not answer."""
        now_ms = self._now_ms()
        try:
            if await self._put(agent, fresh, again):
                self._kept_ms[agent] = now_ms
            else:
                self._owe(agent)
        except BusError as error:
            # It may or may not be there.
            log.warning("presence was not kept", extra={"agent": agent, "error": type(error).__name__})
            self._owe(agent)
            return False
        return True

    async def _put(self, agent: AgentId, fresh: Presence, again: Make | None) -> bool:
        """Write it after all that the bucket was told before: a bridge that knows less must not overwrite a choice. Raises BusError.

        `again`: what is to be written on what was found there; None: it is no choice, and what was found is newer.
        """
        for _ in range(MOST_TRIES):
            revision, value = self._newest.get(agent, NO_WORD).revision, msgspec.json.encode(fresh)
            try:
                if revision:
                    revision = await self._bucket.update(agent, value, revision)
                else:
                    revision = await self._bucket.create(agent, value)
            except LostRace:
                found = await self._bucket.get(agent)
                known = self._newest.pop(agent, NO_WORD)
                if found is not None:
                    # Whatever revisions were known: this is the one to write on.
                    self._newest[agent] = known._replace(revision=0)
                    self.told(agent, *found)
                if again is None:
                    return False
                decided = again(_read(agent, found[0]) if found is not None else OFF)
                if decided is None:
                    return True
                fresh = decided
                continue
            self._said(agent, revision, fresh)
            return True
        return False

    def _said(self, agent: AgentId, revision: int, word: Presence) -> bool:
        """The bucket has this; whether that is news. Words without a revision are taken as they come."""
        if 0 < revision <= self._newest.get(agent, NO_WORD).revision:
            return False
        self._newest[agent] = _Word(revision, word.chose_ms, word.heard_ms)
        return True

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
            self._expired(agent, revision)
            return
        before = self._newest.get(agent, NO_WORD)
        fresh = _read(agent, value)
        is_news = self._said(agent, revision, fresh) or agent not in self._presence
        if not is_news or fresh is OFF:
            return
        known = self._presence.get(agent, OFF)
        heard_ms = known.heard_ms
        # Not the later one: the clock of whoever heard the terminal may be behind that of whoever heard it before.
        if fresh.heard_ms not in (before.heard_ms, heard_ms):
            heard_ms = fresh.heard_ms
            self._came[agent] = (heard_ms, self._now_ms())
        chosen = fresh if is_newer(fresh, known) else known
        if chosen is known and fresh.chose_ms < known.chose_ms:
            # Somebody heard the terminal who did not know of the choice yet, and the bucket has theirs now: ours is put again.
            self._owe(agent)
        self._take(agent, msgspec.structs.replace(chosen, heard_ms=heard_ms))

    def _expired(self, agent: AgentId, revision: int) -> None:
        if 0 < revision < self._newest.get(agent, NO_WORD).revision:
            return
        self._newest.pop(agent, None)
        if self.of(agent).state not in ("off", "silent"):
            # The terminal is heard, but for long nobody could renew it there: who is at lunch must not be taken for new.
            self._owe(agent)
            return
        for kept in (self._presence, self._came, self._owed):
            kept.pop(agent, None)
        self._changed(agent)


def _read(agent: AgentId, value: bytes) -> Presence:
    """As the bucket has it; what cannot be read says nothing."""
    try:
        return read(value)
    except msgspec.DecodeError:
        log.error("a presence could not be read", extra={"agent": agent})
        return OFF
