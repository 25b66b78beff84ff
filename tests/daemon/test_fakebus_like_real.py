"""The broker in memory answers as nats-server does: random operations, the same on both, every answer compared."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from broker_bridge.daemon import streams
from broker_bridge.daemon.simulation.fakebus import FakeBus, Sky
from broker_bridge.daemon.simulation.fakeserver import Server, Stream
from broker_bridge.daemon.simulation.loop import Process, SimLoop
from broker_bridge.daemon.verbs import Verbs
from broker_bridge.daemon.wire import BusError, Outgoing, api
from tests.daemon.real_broker import RealBroker

EXPECT = "Nats-Expected-Last-Subject-Sequence"
SUBJECTS = ("cc.log.conv.a", "cc.log.conv.b", "cc.log.hand.a")
Op = Callable[[Verbs], Awaitable[Any]]


def server() -> Server:
    """The streams of a bridge, without their troubles."""
    made = Server()
    made.add(Stream("LOG", "cc.log."))
    made.add(Stream("IN", "cc.in.", window_s=600.0))
    made.add(Stream("KV_home", "$KV.home.", newest_only=True))
    made.add_durable("in-00", "IN", ".0", 30.0)
    return made


def on_fake(work: Callable[[Verbs], Awaitable[list[Any]]]) -> list[Any]:
    loop = SimLoop(Random(0))
    sky = Sky(loop, server(), Random(0))
    bus = FakeBus(sky, Process("bridge"))
    try:
        return loop.run_until_complete(work(bus))
    finally:
        loop.end()


def on_real(broker: RealBroker, work: Callable[[Verbs], Awaitable[list[Any]]]) -> list[Any]:
    async def run() -> list[Any]:
        bus = await broker.connect()
        try:
            await streams.ensure(bus, streams.StreamSettings(total_bytes=1 << 30))
            for name in ("LOG", "IN", "KV_home"):
                await api(bus, f"STREAM.DELETE.{name}")
            await streams.ensure(bus, streams.StreamSettings(total_bytes=1 << 30))
            return await work(bus)
        finally:
            await bus.close()

    return asyncio.run(run())


async def _delete(bus: Verbs, stream: str, seq: int) -> bool:
    if isinstance(bus, FakeBus):
        return bus.sky.server.streams[stream].delete(seq)
    try:
        return bool((await api(bus, f"STREAM.MSG.DELETE.{stream}", {"seq": seq}))["success"])
    except BusError:
        return False


def _append(random: Random) -> Op:
    plans = [
        (
            random.choice(SUBJECTS),
            random.choice(("", "", "right", "right", "wrong")),
            random.choice(("", "", "i1", "i2", "i3")),
        )
        for _ in range(random.choice((1, 1, 1, 2, 3, 4)))
    ]

    async def append(bus: Verbs) -> Any:
        msgs = []
        expected: dict[str, str] = {}
        for subject, guard, name in plans:
            headers = {"Nats-Msg-Id": name} if name else {}
            if subject not in expected and guard:
                last = await bus.last_for(subject, "LOG")
                expected[subject] = str((last[0] if last else 0) + (7 if guard == "wrong" else 0))
            if subject in expected and guard:
                headers[EXPECT] = expected[subject]
            elif subject not in expected:
                expected[subject] = ""
            msgs.append(Outgoing(subject, b"x", {key: value for key, value in headers.items() if value}))
        return await bus.publish_batch(msgs)

    return append


def _look(random: Random) -> Op:
    subject = random.choice(SUBJECTS)
    kind = random.randrange(5)

    async def look(bus: Verbs) -> Any:
        if kind == 0:
            return await bus.last_for(subject, "LOG")
        if kind == 1:
            return [(seq, body) for seq, body, _ in await bus.subject_messages("LOG", subject)]
        if kind == 2:
            return await bus.stream_bounds("LOG")
        if kind == 3:
            return await bus.last_for("cc.log.conv.>", "LOG")
        last = await bus.last_for(subject, "LOG")
        return await _delete(bus, "LOG", last[0]) if last else None

    return look


def _purge(random: Random) -> Op:
    subject = random.choice(SUBJECTS)
    return lambda bus: bus.purge("LOG", subject=subject)


def _key(random: Random) -> Op:
    key, deed, offset = random.choice("kl"), random.randrange(6), random.choice((0, 0, 1))

    async def work(bus: Verbs) -> Any:
        bucket = await bus.kv("home")
        entry = await bucket.entry(key)
        if deed == 0:
            return await bucket.create(key, b"new")
        if deed == 1:
            return await bucket.update(key, b"more", entry.revision + offset)
        if deed == 2:
            return await bucket.delete(key, entry.revision + offset)
        if deed == 3:
            return await bucket.put(key, b"put")
        if deed == 4:
            return sorted((one.key, one.value, one.revision) for one in await bucket.entries())
        return (entry.value, entry.revision, await bucket.get(key))

    return work


def _history(seed: int) -> Callable[[Verbs], Awaitable[list[Any]]]:
    random = Random(seed)
    ops = [
        random.choice((_append, _append, _append, _look, _look, _key, _purge if random.random() < 0.2 else _look))
        for _ in range(60)
    ]
    made = [op(random) for op in ops]

    async def play(bus: Verbs) -> list[Any]:
        answers: list[Any] = []
        for number, op in enumerate(made):
            try:
                answers.append((number, ops[number].__name__, await op(bus)))
            except BusError as error:
                answers.append((number, ops[number].__name__, type(error).__name__))
        return answers

    return play


@pytest.mark.parametrize("seed", range(6))
def test_random_operations_have_the_same_answers(shared_broker: RealBroker, seed: int) -> None:
    assert on_fake(_history(seed)) == on_real(shared_broker, _history(seed))


def _lane(seed: int) -> Callable[[Verbs], Awaitable[list[Any]]]:
    """Items come, some are acknowledged, the lane changes hands: what comes again, in which order."""

    async def play(bus: Verbs) -> list[Any]:
        random = Random(seed)
        seen: list[Any] = []
        stored = 0
        for _ in range(5):
            for _ in range(random.randrange(4)):
                stored = (await bus.publish(Outgoing("cc.in.x.x.0", b"%d" % stored))).seq
            acked = {seq for seq in range(1, stored + 1) if random.random() < 0.6}
            pull: Any = bus.pull("IN", "in-00")
            got: list[int] = []
            while stored and (not got or got[-1] < stored):
                try:
                    async with asyncio.timeout(1.0):
                        items = await pull.some()
                except TimeoutError:
                    # All of it is acknowledged.
                    break
                for item in items:
                    got.append(item.seq)
                    if item.seq in acked:
                        await item.ack()
            seen.append(got)
            # An answer on the same connection: the acknowledgments before it have arrived.
            await bus.stream_bounds("IN")
            await pull.close()
        return seen

    return play


@pytest.mark.parametrize("seed", range(3))
def test_a_lane_that_changes_hands_begins_at_the_same_item(shared_broker: RealBroker, seed: int) -> None:
    assert on_fake(_lane(seed)) == on_real(shared_broker, _lane(seed))
