"""What the command line asks of a site that runs: the words, and the errors that are not bugs. `daemon/admin.py` does it.

Law: the command line decides nothing; it shows what it got. What it shows is for operators, and foreign text in it is escaped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import msgspec

from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import QueueRules, Skill
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
    """Conversations at once, where `units` is 0."""
    units: int = 0
    skills: tuple[Skill, ...] = ()


class AgentWish(msgspec.Struct, frozen=True, kw_only=True):
    """What shall change about somebody who may sign in; None: stays."""

    agent: AgentId
    name: str | None = None
    role: str | None = None
    queues: tuple[QueueId, ...] | None = None
    skills: tuple[str, ...] | None = None
    """As `swedish 4`."""
    units: int | None = None
    public_key: str | None = None


class QueueWish(msgspec.Struct, frozen=True, kw_only=True):
    """A queue that shall be, or be otherwise."""

    queue: QueueId
    words: dict[str, Any]
    """As in a block `[[queue]]`; what is not named stays."""
    folder: Path
    """Calendar files are relative to it."""
    is_new: bool
    is_whole: bool = False
    """What is not named takes its default instead."""


class QueueLine(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as it is in force."""

    queue: QueueId
    rules: QueueRules
    is_of_file: bool
    """A block of bridge.toml stands for it; a command may have changed it since."""


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
    units: int = 0
    """Cost units at once, whether given or reckoned from `capacity`."""
    skills: tuple[Skill, ...] = ()


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


class Registry(Protocol):
    """`daemon/registry.py`: definitions by command, each checked with the whole policy before it becomes a fact. Raises as `Office`.

    Functions that change something give warnings, one sentence each.
    """

    async def queue_list(self, config: Config) -> list[QueueLine]: ...

    async def queue_set(self, config: Config, wish: QueueWish) -> list[str]: ...

    async def queue_remove(self, config: Config, queue: QueueId) -> None: ...

    async def agent_set(self, config: Config, wish: AgentWish) -> list[str]: ...
