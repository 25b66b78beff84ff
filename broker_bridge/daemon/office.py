"""What the command line asks of a site that runs: the words, and the errors that are not bugs. `daemon/admin.py` does it.

Law: the command line decides nothing; it shows what it got. What it shows is for operators, and foreign text in it is escaped.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.daemon.config import Config


class NotRunning(Exception):
    """No bridge has been started with this configuration, or its broker does not answer; the text says what to do."""


class Declined(Exception):
    """It was asked for something that cannot be done; a full sentence."""


class NewAgent(msgspec.Struct, frozen=True, kw_only=True):
    """Who shall be let in."""

    agent: AgentId
    name: str
    public_key: str
    role: str = "agent"
    queues: tuple[QueueId, ...] = ()
    """Empty = every queue."""
    capacity: int = 6


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """An agent who may sign in now."""

    server: str
    """Where terminals connect: `broker.public_url`, else the address the broker listens on."""
    is_new: bool
    """False: the agent was known, and has the new key and settings from now on."""
    accounts: str = ""
    """For an external broker: the accounts block to be put into its configuration; empty for the embedded one."""


class AgentLine(msgspec.Struct, frozen=True, kw_only=True):
    agent: AgentId
    name: str
    role: str
    queues: tuple[QueueId, ...]
    capacity: int
    public_key: str
    is_online: bool = False


class DeadLine(msgspec.Struct, frozen=True, kw_only=True):
    """A work item: something that could not be read or applied."""

    seq: int
    """Its number in DEAD: the ID of `dead show` and `dead replay`."""
    at_ms: int
    channel: str
    reason: str
    size_bytes: int
    is_replayed: bool = False


class DeadItem(msgspec.Struct, frozen=True, kw_only=True):
    line: DeadLine
    raw: bytes
    """As it came from outside."""


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One channel's books, from the beginning: received = stored + quarantined + pending, or items are missing."""

    channel: str
    received: int
    stored: int
    quarantined: int
    pending: int
    """In IN, not yet applied."""
    missing: tuple[str, ...] = ()
    """Ids of items that were received and are nowhere."""
    doubled: tuple[str, ...] = ()
    """Ids of items that became two messages."""
    shown: int = 0
    """Messages of customers in conversations."""
    queued: int = 0
    """Replies that wait or are being sent."""
    sent: int = 0
    """Replies that the provider took, or that are known to have arrived."""
    failed: int = 0
    unknown: int = 0
    """Replies whose end nobody can know."""

    @property
    def gap(self) -> int:
        return self.received - self.stored - self.quarantined - self.pending


class Office(Protocol):
    """`daemon/admin.py`: each function connects as the bridge does, asks, and leaves.

    Raises, all of them:
        NotRunning: there is nobody to ask.
        Declined: no such agent, no such item, already replayed.
        BusError: the broker did not do it.
    """

    async def agent_add(self, config: Config, new: NewAgent) -> Added: ...

    async def agent_list(self, config: Config) -> list[AgentLine]: ...

    async def agent_remove(self, config: Config, agent: AgentId) -> None: ...

    async def dead_list(self, config: Config) -> list[DeadLine]: ...

    async def dead_show(self, config: Config, seq: int) -> DeadItem: ...

    async def dead_replay(self, config: Config, seq: int) -> None: ...

    async def audit(self, config: Config) -> list[LedgerLine]: ...
