"""The product's own parts of a bridge over a real broker, in this process: for races that need many bridges and few processes."""

from __future__ import annotations

import asyncio
import random
import time

from broker_bridge.contract import ids, subjects
from broker_bridge.contract.policy import DeskRules, QueueRules
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.parts import Parts, open_buckets
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer, derive
from tests.daemon.real_broker import RealBroker

KEY = b"r" * 32
"""Of the site: every bridge of a broker has the same."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def bridge_parts(broker: RealBroker, number: int) -> Parts:
    """One bridge without channels, caught up with the log; the streams must be there. Start it with `Parts.start`, close its bus.

    It has one queue, `support`, with the usual rules where LOG has none.
    """
    bus = await broker.connect(f"bridge{number}")
    buckets = await open_buckets(bus)
    model = ReadModel(None)
    _, head, _ = await bus.stream_bounds(subjects.LOG)
    model.begin_with(await bus.stream_created(subjects.LOG), head)
    outside = Outside(
        boot=f"b{number}",
        bus=bus,
        buckets=buckets,
        sealer=Sealer(KEY, buckets["keys"]),
        handle_key=derive(KEY, "handles"),
        model=model,
        mint=ids.Mint(number, number),
        now_ms=now_ms,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        random=random.Random(number).random,
    )
    terms = Terms(rules={"support": QueueRules()}, desk=DeskRules(), workers=64)
    parts = Parts(outside, terms, lambda _: Lines(routes={}, running={}, kinds={}, sources={}))
    await parts.catch_up()
    return parts
