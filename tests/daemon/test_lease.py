"""Leases: one holder at a time, work stops before anybody else can hold it, bridges share fairly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.lease import Lease, Leases, LeaseTiming
from tests.daemon.real_broker import RealBroker
from tests.until import until

QUICK = LeaseTiming(life_s=1.5, renew_s=0.2, stop_s=1.0, check_s=0.05)


class HandClock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_only_one_holds_a_lease_until_it_is_given_back(bus: Bus) -> None:
    kv, clock = await bus.kv("leases"), HandClock()
    ours, theirs = Lease(kv, "in.0", "one", clock), Lease(kv, "in.0", "two", clock)
    assert await ours.acquire()
    assert not await theirs.acquire()
    assert (ours.may_work, theirs.may_work) == (True, False)
    assert await ours.renew()
    await ours.release()
    assert await theirs.acquire()
    assert (ours.may_work, theirs.may_work) == (False, True)
    assert theirs.epoch > 0 and ours.epoch == 0


async def test_work_stops_twenty_seconds_after_the_last_renewal(bus: Bus) -> None:
    kv, clock = await bus.kv("leases"), HandClock()
    lease = Lease(kv, "in.0", "one", clock)
    await lease.acquire()
    clock.now_s += 19.9
    assert lease.may_work
    await lease.renew()
    clock.now_s += 19.9
    assert lease.may_work
    clock.now_s += 0.1
    assert not lease.may_work


async def test_a_lease_that_ran_out_is_taken_over_and_its_old_holder_notices(bus: Bus) -> None:
    kv, clock = await bus.kv("brief", ttl_s=1.0), HandClock()
    old, new = Lease(kv, "in.0", "one", clock), Lease(kv, "in.0", "two", clock)
    assert await old.acquire()
    await until(new.acquire)
    assert not await old.renew()
    assert not old.may_work
    await old.release()
    assert await new.renew()


async def test_a_lease_taken_by_an_append_whose_answer_was_lost_is_recognized(broker: RealBroker, bus: Bus) -> None:
    kv, clock = await bus.kv("leases"), HandClock()
    lease = Lease(kv, "in.0", "one", clock)
    await kv.create("in.0", b"one")
    assert await lease.acquire()
    assert lease.may_work
    # A renewal that was stored, but not answered:
    await kv.put("in.0", b"one")
    assert await lease.renew()
    assert lease.may_work


async def test_while_the_broker_is_away_a_holder_works_on_until_the_stop_and_can_go_on_after(
    broker: RealBroker, bus: Bus
) -> None:
    kv, clock = await bus.kv("leases"), HandClock()
    lease = Lease(kv, "in.0", "one", clock)
    await lease.acquire()
    broker.kill()
    await until(lambda: not bus.connected)
    assert await lease.renew()
    clock.now_s += 25
    assert not lease.may_work
    broker.start()
    await until(lambda: bus.connected, bound_s=20)
    assert await lease.renew()
    assert lease.may_work


class Bridge:
    """One bridge's part in a group of leases, that notes what it may work on."""

    def __init__(self, kv: Kv, name: str, names: list[str], working: dict[str, str], clashes: list[str]) -> None:
        self._name = name
        self._working = working
        self._clashes = clashes
        self.leases = Leases(
            kv,
            "in",
            names,
            name,
            clock=asyncio.get_running_loop().time,
            on_gained=self._gained,
            on_lost=self._lost,
            timing=QUICK,
        )

    async def _gained(self, name: str) -> None:
        if name in self._working:
            self._clashes.append(name)
        self._working[name] = self._name

    async def _lost(self, name: str) -> None:
        if self._working.get(name) == self._name:
            del self._working[name]

    def count(self) -> int:
        return list(self._working.values()).count(self._name)


@asynccontextmanager
async def running(bridge: Bridge) -> AsyncIterator[Bridge]:
    task = asyncio.ensure_future(bridge.leases.run())
    try:
        yield bridge
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception():
            raise AssertionError("the leases ended by themselves") from task.exception()


NAMES = [f"{number:02}" for number in range(16)]


async def test_two_bridges_share_sixteen_partitions_and_one_takes_all_when_the_other_leaves(
    broker: RealBroker, bus: Bus
) -> None:
    kv = await bus.kv("quick", ttl_s=QUICK.life_s)
    second = await broker.connect("second")
    working: dict[str, str] = {}
    clashes: list[str] = []
    one = Bridge(kv, "one", NAMES, working, clashes)
    two = Bridge(await second.kv("quick"), "two", NAMES, working, clashes)
    async with running(one):
        await until(lambda: one.count() == 16)
        async with running(two):
            await until(lambda: one.count() == 8 and two.count() == 8)
            assert len(one.leases.held | two.leases.held) == 16
        await two.leases.close()
        await until(lambda: one.count() == 16)
    assert clashes == []
    await second.close()


async def test_a_bridge_that_is_cut_off_stops_before_the_other_takes_over(broker: RealBroker, bus: Bus) -> None:
    kv = await bus.kv("quick", ttl_s=QUICK.life_s)
    second = await broker.connect("second")
    working: dict[str, str] = {}
    clashes: list[str] = []
    one = Bridge(kv, "one", NAMES, working, clashes)
    two = Bridge(await second.kv("quick"), "two", NAMES, working, clashes)
    async with running(one), running(two):
        await until(lambda: one.count() == 8 and two.count() == 8)
        await second.close()
        await until(lambda: two.count() == 0)
        await until(lambda: one.count() == 16)
    assert clashes == []


async def test_leases_survive_a_restart_of_the_server_and_nobody_holds_one_twice(broker: RealBroker, bus: Bus) -> None:
    kv = await bus.kv("quick", ttl_s=QUICK.life_s)
    second = await broker.connect("second")
    working: dict[str, str] = {}
    clashes: list[str] = []
    one = Bridge(kv, "one", NAMES, working, clashes)
    two = Bridge(await second.kv("quick"), "two", NAMES, working, clashes)
    async with running(one), running(two):
        await until(lambda: one.count() == 8 and two.count() == 8)
        broker.kill()
        broker.start()
        await until(lambda: bus.stats.reconnects == second.stats.reconnects == 1, bound_s=20)
        await until(lambda: one.count() == 8 and two.count() == 8, bound_s=20)
    assert clashes == []
    await second.close()


async def test_a_name_that_is_no_longer_there_is_given_back_and_a_new_one_taken(bus: Bus) -> None:
    kv = await bus.kv("quick", ttl_s=QUICK.life_s)
    working: dict[str, str] = {}
    one = Bridge(kv, "one", ["a", "b"], working, [])
    async with running(one):
        await until(lambda: set(working) == {"a", "b"})
        await one.leases.set_names(["b", "c"])
        assert "a" not in working
        await until(lambda: set(working) == {"b", "c"})


def test_the_times_leave_a_gap_between_stopping_and_running_out() -> None:
    timing = LeaseTiming()
    assert timing.renew_s < timing.stop_s < timing.life_s
    with pytest.raises(TypeError):
        LeaseTiming(30.0)  # type: ignore[call-arg]
