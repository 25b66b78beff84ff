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
from broker_bridge.daemon.wire import Outgoing


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

    async def record(self, what: str, who: str, about: str = "", code: str = "") -> None:
        """Write one record; returns when it is on disk. Raises BusError."""
        async with self._lock:
            record = Record(
                at_ms=self._now_ms(), n=self._n + 1, what=what, who=who, about=about, code=code, before=self._before
            )
            body = msgspec.json.encode(record)
            await self._bus.publish(
                Outgoing(subjects.audit(self._boot), body, {"Nats-Msg-Id": f"audit-{self._boot}-{record.n}"})
            )
            self._n, self._before = record.n, hashlib.sha256(body).hexdigest()

    async def refused(self, agent: str, verb: str, code: str) -> None:
        await self.record("refused", agent, verb[:40], code)

    async def read(self, agent: str, conversation: str) -> None:
        """A supervisor reads without being seen."""
        await self.record("read", agent, conversation)
