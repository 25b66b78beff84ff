"""The broker in memory answers as nats-server does: random operations, the same on both, every answer compared."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from broker_bridge.daemon import streams
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.fakeserver import Server, Stream
from broker_bridge.daemon.simulation.loop import Process, SimLoop
from broker_bridge.daemon.simulation.sky import Sky
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
    subject = random.choice((*SUBJECTS, None))
    share = random.choice((None, 0.5, 0.9))
    # The newest of a subject are kept by subject alone, as the janitor does it.
    keep = random.choice((0, 0, 1, 1, 2, 5)) if subject is not None else 0
    counted = random.choice((*SUBJECTS, "cc.log.conv.*", "cc.log.>"))

    async def purge(bus: Verbs) -> Any:
        newest = await bus.last_for("cc.log.>", "LOG")
        if newest is None:
            return None
        # Never all of a stream by sequence: where the newest message had been deleted before, the server (2.15.1) brings what it
        # purged back with the next append.
        before_seq = None if share is None else int(newest[0] * share)
        gone = await bus.purge("LOG", subject=subject, before_seq=before_seq or None, keep=keep)
        return gone, sorted((await bus.subject_counts("LOG", counted)).items())

    return purge


def _arrive(random: Random) -> Op:
    """What comes in: under ids that are the stream's, not the subject's."""
    subject = random.choice(("cc.in.a.b.0", "cc.in.a.b.1", "cc.in.c.d.0", "cc.nowhere"))
    name = random.choice(("", "n1", "n2", "n3", "n4"))
    return lambda bus: bus.publish(Outgoing(subject, b"in", {"Nats-Msg-Id": name} if name else {}))


def _twins(random: Random) -> Op:
    """A batch that is sent a second time, as a retry would: with the same ids, or with none."""
    subjects = [random.choice(SUBJECTS) for _ in range(random.choice((2, 3)))]
    names = [random.choice(("", f"t{random.randrange(4)}")) for _ in subjects]

    async def twice(bus: Verbs) -> Any:
        msgs = [
            Outgoing(subject, b"twin", {"Nats-Msg-Id": name} if name else {})
            for subject, name in zip(subjects, names, strict=True)
        ]
        told: list[Any] = []
        for _ in range(2):
            try:
                told.append(await bus.publish_batch(msgs))
            except BusError as error:
                told.append(type(error).__name__)
        return told

    return twice


def _keys_at_once(random: Random) -> Op:
    names = random.sample("klmno", random.choice((1, 2, 3)))

    async def create(bus: Verbs) -> Any:
        return await (await bus.kv("home")).create_all(dict.fromkeys(names, b"made"))

    return create


async def _everything(bus: Verbs) -> list[Any]:
    """The streams, message by message."""
    found: list[Any] = []
    for stream, subjects in (("LOG", SUBJECTS), ("IN", ("cc.in.a.b.0", "cc.in.a.b.1", "cc.in.c.d.0"))):
        found.append(await bus.stream_bounds(stream))
        for subject in subjects:
            found += [
                (subject, seq, body, headers.get("Nats-Msg-Id"))
                for seq, body, headers in await bus.subject_messages(stream, subject)
            ]
    bucket = await bus.kv("home")
    return [*found, *sorted((one.key, one.value, one.revision) for one in await bucket.entries())]


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
        random.choice(
            (
                *(_append, _append, _append, _look, _look, _key, _arrive, _arrive),
                *(_twins if random.random() < 0.4 else _append, _keys_at_once if random.random() < 0.3 else _key),
                _purge if random.random() < 0.3 else _look,
            )
        )
        for _ in range(80)
    ]
    made = [op(random) for op in ops]

    async def play(bus: Verbs) -> list[Any]:
        answers: list[Any] = []
        for number, op in enumerate(made):
            try:
                answers.append((number, ops[number].__name__, await op(bus)))
            except BusError as error:
                answers.append((number, ops[number].__name__, type(error).__name__))
        return [*answers, *await _everything(bus)]

    return play


@pytest.mark.parametrize("seed", range(8))
def test_random_operations_have_the_same_answers(shared_broker: RealBroker, seed: int) -> None:
    assert on_fake(_history(seed)) == on_real(shared_broker, _history(seed))


@pytest.mark.faults
@pytest.mark.parametrize("first", range(100, 500, 20))
def test_many_random_operations_have_the_same_answers(shared_broker: RealBroker, first: int) -> None:
    for seed in range(first, first + 20):
        assert on_fake(_history(seed)) == on_real(shared_broker, _history(seed)), f"seed {seed}"


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


COME_S = 5.0
"""Within which the real server must have handed out what it owes."""


class Lane:
    """One partition as a bridge reads it: what was handed out, and what is still to be acknowledged."""

    def __init__(self, bus: Verbs, *, is_reset: bool) -> None:
        self.bus = bus
        self.pull: Any = None
        self.open: dict[int, Any] = {}
        """Handed out and not acknowledged, by sequence."""
        self.stored: list[int] = []
        self.owed: set[int] = set()
        """Stored and not acknowledged in any life of the reader."""
        self.seen: list[Any] = []
        self._is_reset = is_reset

    async def begin(self) -> None:
        """A new holder: everything from the first item on that was not acknowledged comes again."""
        if self.pull is not None:
            # An answer on the same connection: the acknowledgments before it have arrived.
            await self.bus.stream_bounds("IN")
            await self.pull.close()
        self.pull = self.bus.pull("IN", "in-00", reset=self._is_reset)
        again = [seq for seq in self.stored if self.owed and seq >= min(self.owed)]
        self.open.clear()
        self.owed.update(again)
        await self.take(len(again))

    async def take(self, number: int) -> None:
        got: list[int] = []
        while len(got) < number:
            try:
                async with asyncio.timeout(COME_S):
                    items = await self.pull.some()
            except TimeoutError:
                got.append(-1)
                break
            for item in items:
                got.append(item.seq)
                self.open[item.seq] = item
        self.seen.append(got)
        assert -1 not in got, f"{number} items are owed, and only {got[:-1]} came"

    async def store(self, number: int) -> None:
        for _ in range(number):
            seq = (await self.bus.publish(Outgoing("cc.in.x.x.0", b"item"))).seq
            await self.bus.publish(Outgoing("cc.in.x.x.1", b"of another lane"))
            self.stored.append(seq)
            self.owed.add(seq)
        await self.take(number)

    async def ack(self, seqs: list[int]) -> None:
        for seq in seqs:
            await self.open.pop(seq).ack()
            self.owed.discard(seq)

    async def refuse(self, seq: int) -> None:
        """It comes again at once."""
        await self.open.pop(seq).nak()
        await self.take(1)

    async def clear(self) -> None:
        """What the janitor does: everything below the first that is owed goes."""
        await self.bus.stream_bounds("IN")
        below = min(self.owed, default=self.stored[-1] + 1 if self.stored else 1)
        self.seen.append(("purged", await self.bus.purge("IN", before_seq=below)))
        self.stored = [seq for seq in self.stored if seq >= below]


def _lane_of_many_deeds(seed: int) -> Callable[[Verbs], Awaitable[list[Any]]]:
    async def play(bus: Verbs) -> list[Any]:
        random = Random(seed)
        lane = Lane(bus, is_reset=True)
        await lane.begin()
        for _ in range(25):
            deed, share = random.random(), random.random()
            some = sorted(seq for seq in lane.open if random.random() < share)
            if deed < 0.35:
                await lane.store(1 + random.randrange(3))
            elif deed < 0.65:
                random.shuffle(some)
                await lane.ack(some)
            elif deed < 0.75 and some:
                await lane.refuse(some[0])
            elif deed < 0.8 and some:
                await lane.open[some[0]].in_progress()
            elif deed < 0.88:
                await lane.clear()
            else:
                await lane.begin()
        await lane.begin()
        await lane.pull.close()
        return [*lane.seen, await bus.stream_bounds("IN")]

    return play


@pytest.mark.parametrize("seed", range(4))
def test_a_lane_hands_out_the_same_items_whatever_is_done_to_it(shared_broker: RealBroker, seed: int) -> None:
    assert on_fake(_lane_of_many_deeds(seed)) == on_real(shared_broker, _lane_of_many_deeds(seed))


@pytest.mark.faults
@pytest.mark.parametrize("first", range(100, 200, 20))
def test_a_lane_hands_out_the_same_items_in_many_histories(shared_broker: RealBroker, first: int) -> None:
    for seed in range(first, first + 20):
        assert on_fake(_lane_of_many_deeds(seed)) == on_real(shared_broker, _lane_of_many_deeds(seed)), f"seed {seed}"


def _fake(latency_s: float, seed: int = 0) -> tuple[SimLoop, Sky, FakeBus]:
    loop = SimLoop(Random(seed))
    sky = Sky(loop, server(), Random(seed))
    sky.weather.latency_s = latency_s
    return loop, sky, FakeBus(sky, Process("bridge"))


@pytest.mark.parametrize("seed", range(60))
def test_what_is_stored_while_a_follower_begins_is_read(seed: int) -> None:
    """Seed 2597: the answer of the beginning was older than what had been told since, and took its place."""
    loop, sky, bus = _fake(1.0, seed)

    async def play() -> None:
        loop.call_later(2 * Random(seed).random(), sky.store, [Outgoing("cc.log.conv.a", b"x")])
        follow = await bus.follow("LOG", 1)
        async with asyncio.timeout(30.0):
            assert [one.seq for one in await follow.some()] == [1]

    try:
        loop.run_until_complete(play())
    finally:
        loop.end()


def test_whoever_was_silent_for_longer_than_a_request_lives_asks_again() -> None:
    """Seed 6975: what came to a partition in such a silence lay there until the next item came."""
    loop, sky, bus = _fake(0.01)

    async def play() -> None:
        pull = bus.pull("IN", "in-00")
        await asyncio.sleep(1.0)
        bus.stall(10.0)
        await asyncio.sleep(8.0)
        sky.store([Outgoing("cc.in.chat.0", b"x")])
        async with asyncio.timeout(30.0):
            assert [one.seq for one in await pull.some()] == [1]

    try:
        loop.run_until_complete(play())
    finally:
        loop.end()
