"""What a bridge's parts are given: `Outside` (what this run stands on), `Terms` (what the configuration says), `Lines` (its channels).

Law: all that differs between a real bridge, a simulated one and one of a test is in here; parts.py makes the same of each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from broker_bridge.contract import ids
from broker_bridge.contract.ids import QueueId
from broker_bridge.contract.policy import DeskRules, QueueRules
from broker_bridge.core.inbound import Source
from broker_bridge.daemon import streams
from broker_bridge.daemon.dispatch import Route
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.lease import LeaseTiming
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.supervise import Supervised
from broker_bridge.daemon.verbs import Verbs


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What one run of a bridge stands on. A simulation has its own of each."""

    boot: str
    """Names this run: claims, leases and the audit chain carry it."""
    bus: Verbs
    buckets: Mapping[str, Kv]
    """See `open_buckets`."""
    sealer: Sealer
    handle_key: bytes
    model: ReadModel
    """Already bound to the stream LOG (`begin_with`)."""
    mint: ids.Mint
    now_ms: Callable[[], int]
    """Milliseconds since 1970."""
    clock: Callable[[], float]
    """Monotonic seconds."""
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    """0 <= x < 1."""
    jump_ms: Callable[[], int] = lambda: 0
    """How far the machine's clock is ahead of `now_ms` (behind, if negative) because it jumped; 0 = all is well."""
    count: Callable[[str], None] = lambda what: None
    """Told of what went wrong and was borne, in the words of the log."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the configuration says of the house."""

    rules: Mapping[QueueId, QueueRules]
    """Every queue, in the order of the configuration; what LOG defines wins."""
    desk: DeskRules
    workers: int
    """Commands of agents that are worked on at once."""
    offers_at_all: bool = True
    """False: agents take from the queue themselves."""
    timing: LeaseTiming | None = None
    lanes: Sequence[int] = range(streams.PARTITIONS)
    dead: Container[str] = ()
    """Boots that surely run no more."""
    is_configured: Callable[[str], bool] = lambda channel: True
    """Whether a channel is in the configuration, working or not."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The channels that could be made, and where items come from."""

    routes: Mapping[str, Route]
    running: Mapping[str, Supervised]
    kinds: Mapping[str, str]
    """Channel name to kind, of those in `routes`."""
    sources: Mapping[str, Source]
    """By channel name, also of channels that could not be made."""
    chat_url: str = ""
