"""Records of what leaves no fact: refusals, supervisors' reads, configuration.

Law: a record is on disk before its effect is acknowledged; each carries the digest of the one before it, so that a missing one shows.
A command's own record is its entry in LOG.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

import msgspec

from broker_bridge.contract import subjects
from broker_bridge.daemon.logwriter import Appends
from broker_bridge.daemon.wire import Outgoing, Unknown


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of AUDIT."""

    at_ms: int
    n: int
    """From 1 in this boot of the bridge."""
    what: str
    """`refused`, `read`, `start`, `stop`, `enrolled`, `dismissed`, `replayed`."""
    who: str
    about: str = ""
    code: str = ""
    before: str = ""
    """SHA-256 of the record before, hex."""


class Audit:
    """The chain of one boot."""

    def __init__(self, bus: Appends, boot: str, now_ms: Callable[[], int]) -> None:
        self._bus = bus
        self._boot = boot
        self._now_ms = now_ms
        self._n = 0
        self._before = ""
        self._lock = asyncio.Lock()
        self._doubtful: Outgoing | None = None
        """The last record, if nobody said whether it was stored."""

    async def record(self, what: str, who: str, about: str = "", code: str = "") -> None:
        """Write one record; returns when it is on disk. Raises BusError."""
        async with self._lock:
            if self._doubtful is not None:
                # Its number is its id: another record under it would be dropped as the same one.
                await self._write(self._doubtful)
            record = Record(
                at_ms=self._now_ms(), n=self._n + 1, what=what, who=who, about=about, code=code, before=self._before
            )
            body = msgspec.json.encode(record)
            await self._write(
                Outgoing(subjects.audit(self._boot), body, {"Nats-Msg-Id": f"audit-{self._boot}-{record.n}"})
            )

    async def _write(self, record: Outgoing) -> None:
        try:
            await self._bus.publish(record)
        except Unknown:
            self._doubtful = record
            raise
        self._doubtful = None
        self._n, self._before = self._n + 1, hashlib.sha256(record.body).hexdigest()

    async def refused(self, agent: str, verb: str, code: str) -> None:
        await self.record("refused", agent, verb[:40], code)

    async def read(self, agent: str, conversation: str) -> None:
        """A supervisor reads without being seen."""
        await self.record("read", agent, conversation)
