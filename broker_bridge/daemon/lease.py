"""Leases: which bridge does what, for partitions of IN, channels, the leader's clock, ids.

Law: a lease lives 30 s on the broker, is renewed every 8 s, and its holder stops work 20 s after it last *sent* a renewal that was
confirmed, by its own monotonic clock: so it has stopped before anybody else can hold it. A lease only saves work; correctness
comes from the expected sequence of the log.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from broker_bridge.daemon.kv import Kv, Watch
from broker_bridge.daemon.wire import BusError, LostRace, Unknown

log = logging.getLogger(__name__)

Clock = Callable[[], float]
"""Monotonic seconds."""
Told = Callable[[str], Awaitable[None]]
"""Called with the name of a lease that was gained or lost; when a loss has been told, its work must have stopped."""


@dataclass(frozen=True, kw_only=True)
class LeaseTiming:
    """Seconds. The bucket's own age limit is `life_s`."""

    life_s: float = 30.0
    renew_s: float = 8.0
    stop_s: float = 20.0
    check_s: float = 0.25
    """How often the stop rule is looked at."""


class Lease:
    """One lease of one holder. `holder` must be new at every start of a bridge."""

    def __init__(self, kv: Kv, key: str, holder: str, clock: Clock, timing: LeaseTiming | None = None) -> None:
        self.key = key
        self._kv = kv
        self._holder = holder.encode()
        self._clock = clock
        self._timing = timing or LeaseTiming()
        self._revision = 0
        self._confirmed_at = -math.inf

    @property
    def may_work(self) -> bool:
        """True while nobody else can hold it: less than 20 s since the last confirmed renewal was sent."""
        return self._revision > 0 and self._clock() - self._confirmed_at < self._timing.stop_s

    @property
    def epoch(self) -> int:
        """The revision under which it is held; 0 if it is not."""
        return self._revision

    async def acquire(self) -> bool:
        """Take it if it is free; False if somebody has it or the broker does not say.

        Raises:
            BusError: other than a lost race or an unknown outcome.
        """
        asked_at = self._clock()
        try:
            self._revision = await self._kv.create(self.key, self._holder)
        except LostRace:
            # After an unknown outcome the value may be our own.
            return await self._recognize(asked_at)
        except Unknown:
            return False
        self._confirmed_at = asked_at
        return True

    async def renew(self) -> bool:
        """Keep it; True while it is ours as far as is known. After an unknown outcome `may_work` runs on until 20 s are over.

        Raises:
            BusError: other than a lost race or an unknown outcome.
        """
        if not self._revision:
            return False
        asked_at = self._clock()
        try:
            self._revision = await self._kv.update(self.key, self._holder, self._revision)
        except LostRace:
            if await self._recognize(asked_at):
                return True
            self._revision = 0
            return False
        except Unknown:
            return self.may_work
        self._confirmed_at = asked_at
        return True

    async def release(self) -> None:
        """Give it back, if it is ours; the work under it must have stopped."""
        revision, self._revision = self._revision, 0
        if not revision:
            return
        try:
            await self._kv.delete(self.key, revision)
        except (LostRace, Unknown):
            # Somebody has it already, or it runs out by itself.
            return

    async def _recognize(self, asked_at: float) -> bool:
        """An append of ours whose answer was lost holds the lease; write it again, so that it is confirmed now."""
        try:
            entry = await self._kv.entry(self.key)
            if entry.value != self._holder:
                return False
            self._revision = await self._kv.update(self.key, self._holder, entry.revision)
        except (LostRace, Unknown):
            return False
        self._confirmed_at = asked_at
        return True


class Leases:
    """Spreads the named leases of one group evenly over the bridges that are alive.

    Each bridge registers itself; it takes at most ceil(names / alive) and gives back what is too much, after `on_lost`.
    Run it with `await run()` in a TaskGroup, end it by cancelling; call `close` to give everything back at once.
    """

    def __init__(
        self,
        kv: Kv,
        group: str,
        names: Sequence[str],
        holder: str,
        *,
        clock: Clock,
        on_gained: Told,
        on_lost: Told,
        timing: LeaseTiming | None = None,
    ) -> None:
        self._kv = kv
        self._group = group
        self._names = tuple(names)
        self._holder = holder
        self._clock = clock
        self._on_gained = on_gained
        self._on_lost = on_lost
        self._timing = timing or LeaseTiming()
        self._held: dict[str, Lease] = {}
        self._changed = asyncio.Event()

    @property
    def held(self) -> frozenset[str]:
        """Names of the leases under which work may be done now."""
        return frozenset(name for name, lease in self._held.items() if lease.may_work)

    async def run(self) -> None:
        """Renew, take and give back, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(), name=f"leases {self._group}")
            group.create_task(self._stop_in_time(), name=f"lease stop {self._group}")
            group.create_task(self._notice(), name=f"lease watch {self._group}")

    async def set_names(self, names: Sequence[str]) -> None:
        """Change what there is to hold (a channel was added or removed)."""
        self._names = tuple(names)
        for name in set(self._held) - set(names):
            await self._drop(name)
        self._changed.set()

    async def close(self) -> None:
        """Stop all work and give everything back, so that others take over at once."""
        for name in tuple(self._held):
            await self._drop(name)
        try:
            await self._kv.delete(self._node)
        except BusError as error:
            log.warning("lease holder not signed off", extra={"error": type(error).__name__})

    @property
    def _node(self) -> str:
        return f"node.{self._group}.{self._holder}"

    def _key(self, name: str) -> str:
        return f"lease.{self._group}.{name}"

    async def _keep(self) -> None:
        while True:
            self._changed.clear()
            pause_s = self._timing.renew_s
            try:
                await self._round()
            except BusError as error:
                log.warning("leases not renewed", extra={"group": self._group, "error": type(error).__name__})
                pause_s = min(1.0, pause_s)
            try:
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
            # News come in bursts (a bridge that leaves gives back all it had); and a renewal a moment is enough.
            await asyncio.sleep(min(0.05, self._timing.check_s))

    async def _round(self) -> None:
        await self._kv.put(self._node, b"")
        await asyncio.gather(*(self._renew(name) for name in tuple(self._held)))
        alive = await self._kv.keys(f"node.{self._group}.")
        quota = math.ceil(len(self._names) / max(1, len(alive)))
        for name in sorted(self._held)[quota:]:
            await self._drop(name)
        if len(self._held) >= quota:
            return
        taken = set(await self._kv.keys(f"lease.{self._group}."))
        for name in self._names:
            if len(self._held) >= quota:
                return
            if name not in self._held and self._key(name) not in taken:
                await self._take(name)

    async def _take(self, name: str) -> None:
        lease = Lease(self._kv, self._key(name), self._holder, self._clock, self._timing)
        if await lease.acquire():
            self._held[name] = lease
            await self._on_gained(name)

    async def _renew(self, name: str) -> None:
        lease = self._held.get(name)
        if lease is not None and not await lease.renew():
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        lease = self._held.pop(name, None)
        if lease is None:
            return
        can_give_back = lease.may_work
        await self._on_lost(name)
        # One that ran out is not given back: without a connection that would hold up the loss of the others.
        if can_give_back:
            await lease.release()

    async def _stop_in_time(self) -> None:
        while True:
            late = [name for name, lease in self._held.items() if not lease.may_work]
            await asyncio.gather(*(self._drop(name) for name in late))
            await asyncio.sleep(self._timing.check_s)

    async def _notice(self) -> None:
        watch = self._kv.watch(f"lease.{self._group}.")
        nodes = self._kv.watch(f"node.{self._group}.")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._wake_on(watch, only_gone=True))
                group.create_task(self._wake_on(nodes, only_gone=False))
        finally:
            await watch.close()
            await nodes.close()

    async def _wake_on(self, watch: Watch, *, only_gone: bool) -> None:
        known: set[str] = set()
        async for entry in watch:
            is_gone = entry.value is None
            is_new = not is_gone and entry.key not in known
            if is_gone:
                known.discard(entry.key)
            else:
                known.add(entry.key)
            if is_gone or (is_new and not only_gone):
                self._changed.set()
