"""How the bridge is, for operators and their machines: `/healthz`, `/metrics`."""

from __future__ import annotations

from broker_bridge.daemon.bridge import Bridge
from broker_bridge.daemon.metrics import ChannelCounts, QueueLevel, Snapshot

LAG_ALLOWED = 5_000
"""Entries of the log that a healthy bridge may be behind."""


class Vitals:
    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def snapshot(self) -> Snapshot:
        """Numbers that are at hand."""
        bridge = self._bridge
        now = bridge.clock.now_ms()
        queues = {}
        for queue in bridge.parts.reading.figures.queue_levels():
            oldest_s = (now - queue.oldest_ms) / 1000 if queue.oldest_ms else 0.0
            queues[queue.queue] = QueueLevel(waiting=queue.waiting, oldest_s=oldest_s)
        return Snapshot(
            channels={name: self._channel(name) for name in bridge.parts.lines.running},
            queues=queues,
            log_seq=bridge.parts.follower.position + bridge.parts.follower.behind,
            follower_seq=bridge.parts.follower.position,
            conversations_open=bridge.model.count("status IN ('queued', 'owned')"),
            lost_races=bridge.parts.writer.races,
            reconnects=bridge.bus.stats.reconnects,
            feed_clients=len(bridge.parts.home.feeds),
            agents_ready=sum(
                1 for name in bridge.parts.staff.active if bridge.parts.staff.presences.of(name).state == "ready"
            ),
            fills={fill.stream: fill.share for fill in bridge.fills},
            is_connected=bridge.bus.connected,
            clock_jump_s=bridge.clock.jump_ms / 1000,
        )

    def _channel(self, name: str) -> ChannelCounts:
        bridge = self._bridge
        return ChannelCounts(
            received=bridge.parts.intake.received[name] + bridge.parts.intake.duplicates[name],
            stored=bridge.parts.clerk.stored[name],
            quarantined=bridge.parts.clerk.quarantined[name],
            duplicates=bridge.parts.intake.duplicates[name],
            sent=bridge.parts.dispatch.sent[name],
            failed=bridge.parts.dispatch.failed[name],
            unknown=bridge.parts.dispatch.unknown[name],
            is_up=bridge.parts.lines.running[name].is_up,
        )

    def health(self) -> tuple[bool, dict[str, object]]:
        """Whether messages can be taken and shown now, and what is wrong if not."""
        bridge = self._bridge
        down = sorted(name for name, one in bridge.parts.lines.running.items() if one.problem)
        full = sorted(fill.stream for fill in bridge.fills if fill.is_refusing)
        is_well = bridge.bus.connected and bridge.parts.follower.behind < LAG_ALLOWED and not full
        return is_well, {
            "is_well": is_well,
            "is_connected": bridge.bus.connected,
            "behind": bridge.parts.follower.behind,
            "position": bridge.parts.follower.position,
            "streams_full": full,
            "channels_down": down,
            "problems": len(bridge.problems),
            "policy_problems": len(bridge.lawgiver.alarms()),
            "clock_jump_ms": bridge.clock.jump_ms,
        }
