"""A whole site for a benchmark: an embedded broker that syncs every write, and the bridge's real parts, in a folder that goes away.

Law: nothing is stubbed; what is measured is what runs in production, on the disk that holds the folder (a folder in memory would
measure nothing).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from broker_bridge.contract import ids
from broker_bridge.contract.envelopes import Envelope, Said
from broker_bridge.contract.policy import DeskRules, QueueRules
from broker_bridge.contract.words import Address, Words
from broker_bridge.daemon import accounts, streams
from broker_bridge.daemon.broker import Broker, BrokerSettings
from broker_bridge.daemon.bus import Bus, Outgoing
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.parts import Parts, open_buckets
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.wire import api

KIND = "bench"
STORE_BYTES = 8 * 1024**3
_WORDS = ("my card", "was charged", "twice", "in the shop", "at the station", "and nobody", "knows", "why", "please")


@dataclass
class Site:
    """A running broker and one connection of a bridge, streams made."""

    folder: Path
    broker: Broker
    bus: Bus
    seed: str

    async def connect(self, name: str) -> Bus:
        """One more connection of the bridge."""
        return await connected(self.broker.url, self.seed, name)


async def connected(url: str, seed: str, name: str) -> Bus:
    return await Bus.connect(
        url, seed=seed, name=name, inbox_prefix=accounts.INBOX_BRIDGE, on_closed=lambda: None, timeout_s=20.0
    )


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Site]:
    """A site in `folder`; ended with its broker."""
    keys = accounts.make_seed()
    broker = Broker(BrokerSettings(state_dir=folder / "broker", bridges=(keys.public,), max_file_bytes=2 * STORE_BYTES))
    async with broker:
        bus = await connected(broker.url, keys.seed, "bench")
        try:
            await streams.ensure(bus, streams.StreamSettings(total_bytes=STORE_BYTES))
            yield Site(folder, broker, bus, keys.seed)
        finally:
            await bus.close()


async def made(site: Site) -> Parts:
    """A whole bridge but for its channels, over the site's streams, caught up with the log; its parts' `run`s are the caller's."""
    site_key = os.urandom(32)
    buckets = await open_buckets(site.bus)
    model = ReadModel(site.folder / f"readmodel-{os.urandom(3).hex()}.sqlite")
    dice = random.Random()
    outside = Outside(
        boot="bench",
        bus=site.bus,
        buckets=buckets,
        sealer=Sealer(site_key, buckets["keys"]),
        handle_key=derive(site_key, "handles"),
        model=model,
        mint=ids.Mint(random.getrandbits(20), random.getrandbits(40)),
        now_ms=now_ms,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        random=dice.random,
    )
    terms = Terms(rules={"inbox": QueueRules(offer_s=3_600)}, desk=DeskRules(), workers=1)
    parts = Parts(outside, terms, lambda _: Lines(routes={}, running={}, kinds={}, sources={}))
    await parts.catch_up()
    # Each measurement follows the log with a reader of its own.
    await parts._reader.close()
    return parts


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def envelope(native: str, sender: int, text: str = "") -> Envelope:
    """A message of about 200 letters from one of the senders."""
    spoken = text or " ".join(random.choices(_WORDS, k=24))
    return Envelope(
        native=native,
        kind=KIND,
        channel=KIND,
        received_ms=now_ms(),
        item=Said(
            sender=Address(address=f"sender{sender}@example.org", name=f"Sender {sender}"), words=Words(text=spoken)
        ),
    )


async def all_stored(intake: Intake, envelopes: Iterable[Envelope], at_once: int) -> None:
    """Store everything, as busy adapters would: `at_once` items wait for their acknowledgment."""
    rest = iter(envelopes)

    async def adapter() -> None:
        for one in rest:
            await intake.store(one)

    async with asyncio.TaskGroup() as crew:
        for _ in range(at_once):
            crew.create_task(adapter())


async def until(is_so: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Wait, looking every 2 ms. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event, and a poll of 2 ms costs nothing
            await asyncio.sleep(0.002)


async def scratch_stream(bus: Bus, name: str) -> str:
    """A stream like the others, for references; gives the subject to publish on."""
    subject = f"cc.bench.{name}"
    config = {
        "name": f"BENCH_{name}",
        "subjects": [subject],
        "storage": "file",
        "discard": "new",
        "allow_atomic": True,
        "num_replicas": 1,
        "duplicate_window": 600_000_000_000,
    }
    await api(bus, f"STREAM.CREATE.BENCH_{name}", config)
    return subject


async def paced(count: int, rate: float, work: Callable[[int], object]) -> None:
    """Call `work(number)` `count` times at `rate` a second; a late call is made at once, the pace stays."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        ahead_s = began + number / rate - loop.time()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        work(number)


async def bare_acks(bus: Bus, subject: str, count: int, rate: float, body: bytes) -> list[float]:
    """Milliseconds from publish to PubAck, at a pace."""
    found: list[float] = []

    async def one() -> None:
        began = time.perf_counter()
        await bus.publish(Outgoing(subject, body))
        found.append((time.perf_counter() - began) * 1000)

    async with asyncio.TaskGroup() as crew:
        await paced(count, rate, lambda _: crew.create_task(one()))
    return found
