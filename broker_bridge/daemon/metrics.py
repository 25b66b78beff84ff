"""/metrics: what the bridge counts, in Prometheus' text format.

Law: pulled, never pushed: the numbers are read from the bridge at the moment of a scrape, so nothing can drift and nothing costs between
scrapes. Labels are names from the configuration; no id, address or text is ever a label. received = stored + quarantined +
duplicates + pending holds for every channel, and `broker-bridge audit` proves it from the streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class ChannelCounts:
    """One channel since this bridge started; the parts of the bridge count here."""

    received: int = 0
    """Items that came in, also for the second time."""
    stored: int = 0
    """Became facts of a conversation."""
    quarantined: int = 0
    """Could not be read or applied: work items in DEAD."""
    duplicates: int = 0
    """Had been stored before."""
    sent: int = 0
    failed: int = 0
    """Attempts that failed for certain."""
    unknown: int = 0
    """Nobody can know whether it left."""
    is_up: bool = False
    """It listens, on this bridge."""


@dataclass(slots=True)
class QueueLevel:
    waiting: int = 0
    """Conversations without an owner."""
    oldest_s: float = 0.0
    """How long the first in the line has waited."""


@dataclass(slots=True)
class Snapshot:
    """All numbers at one moment."""

    channels: Mapping[str, ChannelCounts] = field(default_factory=dict)
    queues: Mapping[str, QueueLevel] = field(default_factory=dict)
    log_seq: int = 0
    """Head of LOG, as far as this bridge knows."""
    follower_seq: int = 0
    """Up to where the read model is."""
    conversations_open: int = 0
    lost_races: int = 0
    """Appends that another bridge was faster with; each was decided again."""
    reconnects: int = 0
    feed_clients: int = 0
    """Terminals that this bridge is home to."""
    agents_ready: int = 0
    fills: Mapping[str, float] = field(default_factory=dict)
    """How full each stream is, 0 to 1."""
    is_connected: bool = False
    clock_jump_s: float = 0.0
    """How far the machine's clock is ahead of the bridge's because it jumped; 0 = it did not, or that is absorbed."""


class Stats(Protocol):
    """The bridge, as the metrics see it."""

    def snapshot(self) -> Snapshot:
        """Numbers that are at hand: it is called on the event loop and must not wait."""


class Metrics:
    """The registry of one bridge."""

    def __init__(self, stats: Stats) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Bridge(stats))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """The page, as CONTENT_TYPE."""
        return generate_latest(self._registry)


class _Bridge(Collector):
    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def describe(self) -> Iterator[Metric]:
        """Nothing: without this the registry would read the bridge while it is still being built."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        now = self._stats.snapshot()
        yield from _channels(now.channels)
        yield from _queues(now.queues)
        yield from _bridge(now)


def _channels(channels: Mapping[str, ChannelCounts]) -> Iterator[Metric]:
    for name, text in (
        ("received", "Items that came in, also repeated ones."),
        ("stored", "Items that became part of a conversation."),
        ("quarantined", "Items that could not be read or applied."),
        ("duplicates", "Items that had been stored before."),
        ("sent", "Messages that a provider took."),
        ("failed", "Attempts to send that failed for certain."),
        ("unknown", "Attempts to send whose outcome nobody can know."),
    ):
        family = CounterMetricFamily(f"onewindow_channel_{name}", text, labels=["channel"])
        for channel, counts in channels.items():
            family.add_metric([channel], getattr(counts, name))
        yield family
    up = GaugeMetricFamily("onewindow_channel_up", "1 if this bridge listens on the channel.", labels=["channel"])
    for channel, counts in channels.items():
        up.add_metric([channel], float(counts.is_up))
    yield up


def _queues(queues: Mapping[str, QueueLevel]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("onewindow_queue_waiting", "Conversations without an owner.", labels=["queue"])
    oldest = GaugeMetricFamily("onewindow_queue_oldest_seconds", "Wait of the first in the line.", labels=["queue"])
    for queue, level in queues.items():
        waiting.add_metric([queue], level.waiting)
        oldest.add_metric([queue], level.oldest_s)
    yield from (waiting, oldest)


def _bridge(now: Snapshot) -> Iterator[Metric]:
    for name, text, value in (
        ("log_sequence", "Head of the log.", now.log_seq),
        (
            "follower_lag",
            "Messages of the log that the read model has not seen.",
            max(0, now.log_seq - now.follower_seq),
        ),
        ("conversations_open", "Conversations that are not closed.", now.conversations_open),
        ("feed_clients", "Terminals that this bridge feeds.", now.feed_clients),
        ("agents_ready", "Agents who take conversations.", now.agents_ready),
        ("broker_connected", "1 if the bridge is connected to its broker.", int(now.is_connected)),
        ("clock_jump_seconds", "How far the machine's clock is ahead because it jumped; 0 is well.", now.clock_jump_s),
    ):
        yield GaugeMetricFamily(f"onewindow_{name}", text, value=value)
    yield CounterMetricFamily("onewindow_lost_races", "Appends that another bridge was faster with.", now.lost_races)
    yield CounterMetricFamily("onewindow_broker_reconnects", "Times the broker was found again.", now.reconnects)
    fill = GaugeMetricFamily("onewindow_stream_fill_ratio", "How full a stream is, 0 to 1.", labels=["stream"])
    for stream, share in now.fills.items():
        fill.add_metric([stream], share)
    yield fill
