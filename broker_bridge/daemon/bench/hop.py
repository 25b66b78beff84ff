"""Rows 1 and 2: what comes in, and how fast it becomes facts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.daemon import streams
from broker_bridge.daemon.bench.figures import Row, by_ratio, median, rounded
from broker_bridge.daemon.bench.site import (
    KIND,
    Site,
    all_stored,
    envelope,
    made,
    now_ms,
    scratch_stream,
    until,
)
from broker_bridge.daemon.bus import Bus, Outgoing
from broker_bridge.daemon.intake import GROUP
from broker_bridge.daemon.parts import Parts
from broker_bridge.daemon.wire import api

ADAPTERS = 2048
"""Items that wait for their acknowledgment at once."""
ROUNDS = 3
ROUTED_AGENTS = 50
SENDERS_SHARE = 5
"""Every fifth message is the first of its sender."""


@asynccontextmanager
async def running(*work: Any) -> Any:
    """Tasks for the time of a block."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def row1(site: Site, count: int) -> Row:
    """Adapter -> IN, sealed, acknowledged, synced; rounds alternate with the references."""
    parts = await made(site)
    subject = await scratch_stream(site.bus, "raw")
    real: list[float] = []
    raw: list[float] = []
    single: list[float] = []
    async with running(parts.intake.run()):
        bodies = await _bodies(parts, count)
        for turn in range(ROUNDS):
            items = [envelope(f"r1-{turn}-{number}", number % (count // SENDERS_SHARE)) for number in range(count)]
            began = time.perf_counter()
            await all_stored(parts.intake, items, ADAPTERS)
            real.append(count / (time.perf_counter() - began))
            raw.append(await _batches(site.bus, subject, bodies, turn))
            single.append(await _singles(site.bus, subject, bodies[: max(100, count // 10)], turn))
    parts.model.close()
    figure = "adapter -> IN, sealed, acknowledged"
    return Row(
        row=1,
        what="adapter -> IN, acknowledged, synced on every write",
        checks=(
            by_ratio(figure, median(real), "/s", f"raw atomic batches of {GROUP}", median(raw), "more", 0.8),
            by_ratio(figure, median(real), "/s", "one by one publishes", median(single), "more", 3.0),
        ),
        more={"items": count, "bytes_each": len(bodies[0]), "best": rounded(max(real)), "best_raw": rounded(max(raw))},
    )


async def _bodies(parts: Parts, count: int) -> list[bytes]:
    return [codec.encode(await parts.intake.sealed(envelope(f"b{number}", number))) for number in range(count)]


async def _batches(bus: Bus, subject: str, bodies: Sequence[bytes], turn: int) -> float:
    """Messages a second in atomic batches as large as intake's, one in flight."""
    msgs = [Outgoing(subject, body, {"Nats-Msg-Id": f"{turn}-{number}"}) for number, body in enumerate(bodies)]
    began = time.perf_counter()
    for start in range(0, len(msgs), GROUP):
        await bus.publish_batch(msgs[start : start + GROUP])
    return len(msgs) / (time.perf_counter() - began)


async def _singles(bus: Bus, subject: str, bodies: Sequence[bytes], turn: int) -> float:
    began = time.perf_counter()
    for number, body in enumerate(bodies):
        await bus.publish(Outgoing(subject, body, {"Nats-Msg-Id": f"s{turn}-{number}"}))
    return len(bodies) / (time.perf_counter() - began)


async def row2(site: Site, count: int) -> Row:
    """The whole inbound hop with the router on, against the bare consume and the library's own fetch and publish."""
    await _enroll(site, 20 * ROUNDS * count)
    parts = await made(site)
    parts.router.is_leader = True
    real: list[float] = []
    first: list[float] = []
    raw: list[float] = []
    library: list[float] = []
    subject = await scratch_stream(site.bus, "hop")
    reader = await site.bus.follow("LOG", (await site.bus.stream_bounds("LOG"))[1] + 1)
    pulls = [site.bus.pull("IN", streams.durable(number)) for number in range(streams.PARTITIONS)]
    lanes = [parts.clerk.take(pull) for pull in pulls]
    await api(site.bus, "STREAM.PURGE.IN")
    mix, new = [], []
    await _all_ready(parts)
    async with running(
        parts.intake.run(),
        parts.writer.run(),
        parts.follower.run(reader),
        parts.router.run(),
        parts.spares.run(),
        *lanes,
    ):
        # The lanes are up when one item has gone through each; their start is not what is measured.
        await _through(site, parts, [envelope(f"w{number}", number) for number in range(64)])
        await _routed(site, parts)
    for pull in pulls:
        await pull.close()
    await reader.close()
    senders = max(1, count // SENDERS_SHARE)
    for turn in range(ROUNDS):
        mix = [envelope(f"r2-{turn}-{number}", 10_000 * (turn + 1) + number % senders) for number in range(count)]
        new = [envelope(f"n2-{turn}-{number}", 1_000_000 * (turn + 1) + number) for number in range(count // 4)]
        real.append(await _hop(site, parts, mix))
        raw.append(await _consumed(site.bus, f"raw{turn}", count))
        library.append(await _by_library(site.bus, f"lib{turn}", subject, max(64, count // 5)))
        await api(site.bus, "STREAM.PURGE.IN")
        first.append(await _hop(site, parts, new))
        await api(site.bus, "STREAM.PURGE.IN")
    parts.model.close()
    figure = "consume, decode, identity, decide, append, read model, route, ack"
    return Row(
        row=2,
        what="whole inbound hop",
        checks=(
            by_ratio(figure, median(real), "/s", "raw explicit-ack consume", median(raw), "more", 0.25),
            by_ratio(figure, median(real), "/s", "nats-py fetch + publish", median(library), "more", 3.0),
        ),
        more={
            "items": count,
            "senders": senders,
            "first_contacts_only": rounded(median(first)),
            "agents": ROUTED_AGENTS,
            "offers": parts.router.offered,
            "best": rounded(max(real)),
        },
    )


async def _enroll(site: Site, units: int) -> None:
    """Agents who have room for everything that comes."""
    for number in range(ROUTED_AGENTS):
        name = f"agent{number}"
        entry = Entry(at_ms=now_ms(), by="bench", facts=(f.Enrolled(name=name, public_key="U", units=units),))
        await site.bus.publish(Outgoing(subjects.log("agent", name), codec.encode(entry)))


async def _all_ready(parts: Parts) -> None:
    for number in range(ROUTED_AGENTS):
        await parts.staff.presences.chose(f"agent{number}", "ready")


async def _through(site: Site, parts: Parts, items: Sequence[Any]) -> None:
    before = sum(parts.clerk.stored.values())
    await all_stored(parts.intake, items, ADAPTERS)
    await until(lambda: sum(parts.clerk.stored.values()) - before >= len(items))


async def _hop(site: Site, parts: Parts, items: Sequence[Any]) -> float:
    """Items a second from a full IN to the last fact in the read model: everything acknowledged, every case offered to somebody."""
    async with running(parts.intake.run()):
        await all_stored(parts.intake, items, ADAPTERS)
    before = sum(parts.clerk.stored.values())
    await _all_ready(parts)
    reader = await site.bus.follow("LOG", parts.follower.position + 1)
    began = time.perf_counter()
    pulls = [site.bus.pull("IN", streams.durable(number)) for number in range(streams.PARTITIONS)]
    lanes = [parts.clerk.take(pull) for pull in pulls]
    async with running(parts.writer.run(), parts.follower.run(reader), parts.router.run(), parts.spares.run(), *lanes):
        await until(lambda: sum(parts.clerk.stored.values()) - before >= len(items))
        await _routed(site, parts)
        took_s = time.perf_counter() - began
    await site.bus.flush()
    for pull in pulls:
        await pull.close()
    await reader.close()
    return len(items) / took_s


async def _routed(site: Site, parts: Parts) -> None:
    """Until the read model knows everything, and every case was offered to somebody: once, for nobody says no here."""
    _, last, _ = await site.bus.stream_bounds("LOG")
    await until(lambda: parts.follower.position >= last)
    cases = parts.model.count("customer <> ''")
    await until(lambda: parts.router.offered >= cases)
    _, last, _ = await site.bus.stream_bounds("LOG")
    await until(lambda: parts.follower.position >= last)


async def _consumer(bus: Bus, name: str) -> None:
    config = {"durable_name": name, "ack_policy": "explicit", "max_ack_pending": 4096, "filter_subject": "cc.in.>"}
    await api(bus, f"CONSUMER.DURABLE.CREATE.IN.{name}", {"stream_name": "IN", "config": config})


async def _consumed(bus: Bus, name: str, count: int) -> float:
    """What lies in IN, taken and acknowledged, and nothing else."""
    await _consumer(bus, name)
    began = time.perf_counter()
    pull = bus.pull("IN", name)
    taken = 0
    while taken < count:
        for item in await pull.some():
            await item.ack()
            taken += 1
    await bus.flush()
    took_s = time.perf_counter() - began
    await pull.close()
    return count / took_s


async def _by_library(bus: Bus, name: str, subject: str, count: int) -> float:
    """The same as everybody would write it with the library: fetch, publish, ack, one by one."""
    await _consumer(bus, name)
    context = bus._client.jetstream()  # the reference is the library itself, over the same connection
    subscription = await context.pull_subscribe_bind(durable=name, stream="IN")
    began = time.perf_counter()
    taken = 0
    while taken < count:
        for message in await subscription.fetch(min(256, count - taken), timeout=5):
            stored = codec.stored(message.data)
            await context.publish(subject, message.data, headers={"Nats-Msg-Id": f"{name}-{ids.derived(stored.id)}"})
            await message.ack()
            taken += 1
    took_s = time.perf_counter() - began
    await subscription.unsubscribe()
    return count / took_s


__all__ = ["KIND", "row1", "row2", "running", "subjects"]
