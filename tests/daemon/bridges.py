"""The product's own parts of a bridge over a real broker, in this process: for races that need many bridges and few processes."""

from __future__ import annotations

import asyncio
import random
import time

from broker_bridge.contract import ids, subjects
from broker_bridge.daemon.outlets import Queue
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.parts import Parts, open_buckets
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer, derive
from tests.daemon.real_broker import RealBroker

KEY = b"r" * 32
"""Of the site: every bridge of a broker has the same."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def bridge_parts(broker: RealBroker, number: int, offer_timeout_s: int = 20) -> Parts:
    """One bridge without channels, caught up with the log; the streams must be there. Start it with `Parts.start`, close its bus."""
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
    terms = Terms(
        queues=[Queue(name="support", title="Support", target=0.8)],
        dispositions=("solved",),
        offer_timeout_s=offer_timeout_s,
        silent_grace_s=0,
        workers=64,
    )
    parts = Parts(outside, terms, lambda _: Lines(routes={}, running={}, kinds={}, sources={}))
    await parts.catch_up()
    return parts
