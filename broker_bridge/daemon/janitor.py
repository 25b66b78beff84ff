"""Makes room: in IN what every partition has done and is old, after its counts are facts; in LOG all but each agent's newest place.

Law: only the leader sweeps. The counts are written before anything is purged, with the sequence up to which they count: after a crash
between the two, the next sweep counts only above it, and the ledger does not count what lies below it a second time. Of an agent's load
only the newest sequence says anything (`core.shift.Load`), and that one stays: what the next append expects is not rewound, and whoever is
behind comes to it last.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus, BusError, Item, Outgoing
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import LOAD

log = logging.getLogger(__name__)

KEEP_MS = 7 * 86_400_000
EVERY_S = 3_600.0
MOST = 100_000
"""Messages of one sweep."""
MOST_PLACES = 200
"""Places given to one agent that may lie in LOG: some two days' work. A purge costs as much for two old ones as for hundreds."""
REST_S = 1.0
REST_SHARE = 20.0
"""Between two agents it rests so many times as long as the purge took: appends wait while one runs. Measured on nats-server 2.15.1
with 200,000 messages and 500 agents: a purge of 200 old ones takes 30 to 260 ms, and one append waits as long; back to back all 500
take 13 s, with a median append of 22 ms instead of 1 ms.
"""


@dataclass(frozen=True, slots=True)
class _Done:
    seq: int
    channel: str
    is_stored: bool


class Janitor:
    """`run` until cancelled; sweeps once an hour while `is_leader` says so."""

    def __init__(
        self,
        bus: Bus,
        model: ReadModel,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        is_leader: Callable[[], bool],
        keep_ms: int = KEEP_MS,
    ) -> None:
        self._bus = bus
        self._model = model
        self._now_ms = now_ms
        self._sleep = sleep
        self._is_leader = is_leader
        self._keep_ms = keep_ms

    async def run(self) -> None:
        while True:
            await self._sleep(EVERY_S)
            if self._is_leader():
                try:
                    await self.sweep()
                    await self.sweep_places()
                except (BusError, codec.Malformed) as error:
                    # Malformed: a newer bridge counts in words of its own; it sweeps too.
                    log.warning("sweep put off", extra={"error": type(error).__name__})

    async def sweep(self) -> int:
        """Purge what is done and old; gives how many messages went. Raises BusError."""
        done = await self._old(await streams.ack_floor(self._bus))
        if not done:
            return 0
        last = done[-1].seq
        for channel in {one.channel for one in done}:
            await self._count(channel, [one for one in done if one.channel == channel], last)
        purged = await self._bus.purge(subjects.IN, before_seq=last + 1)
        log.info("swept", extra={"messages": purged, "up_to": last})
        return purged

    async def sweep_places(self) -> int:
        """Purge all but the newest place of whoever was given very many; gives how many messages went. Raises BusError."""
        counts = await self._bus.subject_counts(subjects.LOG, f"cc.log.{LOAD}.*")
        long = sorted((count, subject) for subject, count in counts.items() if count > MOST_PLACES)
        loop, purged = asyncio.get_running_loop(), 0
        for _, subject in reversed(long):
            if not self._is_leader():
                break
            began_s = loop.time()
            purged += await self._bus.purge(subjects.LOG, subject=subject, keep=1)
            await self._sleep(max(REST_S, REST_SHARE * (loop.time() - began_s)))
        if purged:
            log.info("swept", extra={"places": purged})
        return purged

    async def _old(self, floor: int) -> list[_Done]:
        first, _, _ = await self._bus.stream_bounds(subjects.IN)
        reader = await self._bus.follow(subjects.IN, first)
        done: list[_Done] = []
        try:
            while reader.pending and len(done) < MOST:
                for item in await reader.some(512):
                    if item.seq > floor or self._now_ms() - item.at_ms < self._keep_ms:
                        return done
                    done.append(self._judged(item))
        finally:
            await reader.close()
        return done

    def _judged(self, item: Item) -> _Done:
        try:
            stored = codec.stored(item.body)
        except codec.Malformed:
            return _Done(item.seq, item.subject.split(".")[3], False)
        return _Done(item.seq, stored.channel, self._model.is_applied(stored.id))

    async def _count(self, channel: str, done: list[_Done], up_to: int) -> None:
        subject = subjects.log("count", channel)
        known = await self._bus.last_for(subject, subjects.LOG)
        counted_to = max((fact.up_to_seq for fact in _counted(known[1])), default=0) if known else 0
        tally = Counter(one.is_stored for one in done if one.seq > counted_to)
        if not tally:
            return
        fact = f.Counted(channel=channel, stored=tally[True], quarantined=tally[False], up_to_seq=up_to)
        entry = Entry(at_ms=self._now_ms(), by="timer", facts=(fact,))
        headers = {"Nats-Expected-Last-Subject-Sequence": str(known[0] if known else 0)}
        await self._bus.publish(Outgoing(subject, codec.encode(entry), headers))


def _counted(body: bytes) -> list[f.Counted]:
    return [fact for fact in codec.entry(body).facts if isinstance(fact, f.Counted)]
