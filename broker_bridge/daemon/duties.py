"""What this bridge does because it holds a lease: lanes of IN, channels, the leader's work.

Law: work under a lease has stopped before the lease is given back; a lease saves work, the log's expected sequence keeps order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from broker_bridge.daemon import streams
from broker_bridge.daemon.clerk import Clerk
from broker_bridge.daemon.dispatch import Dispatch
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.lease import Leases, LeaseTiming, Told
from broker_bridge.daemon.pull import Pull
from broker_bridge.daemon.router import Router
from broker_bridge.daemon.supervise import Supervised
from broker_bridge.daemon.verbs import Verbs
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

CATCH_UP_S = 10.0


class Duties:
    """The three groups of leases of one bridge."""

    def __init__(
        self,
        *,
        bus: Verbs,
        bucket: Kv,
        boot: str,
        clerk: Clerk,
        follower: Follower,
        dispatch: Dispatch,
        router: Router,
        channels: Mapping[str, Supervised],
        timing: LeaseTiming | None = None,
        clock: Callable[[], float] = time.monotonic,
        partitions: Sequence[int] = range(streams.PARTITIONS),
    ) -> None:
        """`clock`: monotonic seconds. `partitions`: the lanes of IN that there are; a simulation has fewer."""
        self._bus = bus
        self._bucket = bucket
        self._boot = boot
        self._clerk = clerk
        self._follower = follower
        self._dispatch = dispatch
        self._router = router
        self._channels = channels
        self._timing = timing
        self._clock = clock
        self._lanes: dict[str, tuple[Pull, asyncio.Task[None]]] = {}
        self._listening: dict[str, asyncio.Task[None]] = {}
        self._leading: asyncio.Task[None] | None = None
        self._renewing: list[asyncio.Task[None]] = []
        lanes = [f"{number:02}" for number in partitions]
        self._leases = [
            self._group("lane", lanes, self._lane_gained, self._lane_lost),
            self._group("channel", list(channels), self._channel_gained, self._channel_lost),
            self._group("leader", ["leader"], self._leader_gained, self._leader_lost),
        ]

    def _group(self, name: str, names: list[str], gained: Told, lost: Told) -> Leases:
        return Leases(
            self._bucket,
            name,
            names,
            self._boot,
            clock=self._clock,
            on_gained=gained,
            on_lost=lost,
            timing=self._timing,
        )

    def start(self, crew: asyncio.TaskGroup) -> None:
        """Take part in the spreading of leases."""
        self._crew = crew
        self._renewing = [crew.create_task(leases.run(), name="leases") for leases in self._leases]

    def is_listening(self, channel: str) -> bool:
        """Whether this bridge holds a channel."""
        return channel in self._listening

    async def stop_renewing(self) -> None:
        """Take nothing more; what is held stays until `close`."""
        for task in self._renewing:
            task.cancel()
        if self._renewing:
            await asyncio.wait(self._renewing)

    async def close(self) -> None:
        """End all work under leases and give them back, so that others take over at once."""
        for leases in self._leases:
            await leases.close()

    async def _lane_gained(self, name: str) -> None:
        pull = self._bus.pull("IN", streams.durable(int(name)))
        self._lanes[name] = (pull, self._crew.create_task(self._work_lane(pull), name=f"lane {name}"))

    async def _work_lane(self, pull: Pull) -> None:
        """Take a partition, once all that its last holder wrote has been read: an old state knows less of what was applied."""
        await self.read_all_written()
        await self._clerk.take(pull)

    async def read_all_written(self) -> None:
        """Until the read model knows everything that stands in LOG now, however long that takes."""
        while True:
            try:
                # Not the stream's own last sequence: the newest message may have been deleted, and nobody could reach it.
                newest = await self._bus.last_for("cc.log.>", "LOG")
            except BusError as error:
                log.warning("work under a lease waits", extra={"error": type(error).__name__})
                await asyncio.sleep(1.0)
                continue
            if newest is None or await self._follower.wait_for(newest[0], CATCH_UP_S):
                return

    async def _lane_lost(self, name: str) -> None:
        pull, task = self._lanes.pop(name)
        task.cancel()
        await asyncio.wait([task])
        await pull.close()

    async def _channel_gained(self, name: str) -> None:
        self._listening[name] = self._crew.create_task(self._channels[name].run(), name=f"channel {name}")
        self._dispatch.hold(name, True)

    async def _channel_lost(self, name: str) -> None:
        self._dispatch.hold(name, False)
        task = self._listening.pop(name)
        task.cancel()
        await asyncio.wait([task])

    async def _leader_gained(self, _name: str) -> None:
        self._leading = self._crew.create_task(self._lead(), name="leader")

    async def _lead(self) -> None:
        """Route, once all that the last leader offered has been read: an old picture of loads would offer too much."""
        await self.read_all_written()
        self._router.is_leader = True
        self._dispatch.look_at_gone()

    async def _leader_lost(self, _name: str) -> None:
        self._router.is_leader = False
        task, self._leading = self._leading, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
