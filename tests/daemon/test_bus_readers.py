"""Reading streams on a real server: in order, without a hole, over restarts of the server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_bridge.daemon.bus import Bus, Item, Outgoing, Rejected
from broker_bridge.daemon.pull import Pull
from tests.daemon.real_broker import RealBroker
from tests.until import until


async def fill(bus: Bus, count: int, start: int = 0, partition: int = 0) -> None:
    members = [Outgoing(f"cc.in.sms.main.{partition}", b"%d" % number) for number in range(start, start + count)]
    for begin in range(0, count, 500):
        await bus.publish_batch(members[begin : begin + 500])


async def take(pull: Pull, count: int, *, ack: bool = True) -> list[int]:
    numbers: list[int] = []
    while len(numbers) < count:
        for item in await asyncio.wait_for(pull.some(count - len(numbers)), 15):
            numbers.append(int(item.body))
            if ack:
                await item.ack()
    return numbers


async def test_a_pull_gives_its_partition_in_order_and_only_once_when_acknowledged(bus: Bus) -> None:
    await fill(bus, 1500)
    await fill(bus, 10, partition=1)
    pull = bus.pull("IN", "in-00", batch=100)
    assert await take(pull, 1500) == list(range(1500))
    await fill(bus, 5, start=1500)
    assert await take(pull, 5) == [1500, 1501, 1502, 1503, 1504]
    await pull.close()
    await bus.flush()
    await fill(bus, 1, start=9000)
    again = bus.pull("IN", "in-00")
    assert await take(again, 1) == [9000]
    await again.close()


async def test_an_item_says_what_it_is(bus: Bus) -> None:
    await bus.publish(Outgoing("cc.in.mail.help.3", b"body", {"Nats-Msg-Id": "m1"}))
    pull = bus.pull("IN", "in-03")
    async for item in pull:
        assert (item.subject, item.body, item.seq, item.delivered) == ("cc.in.mail.help.3", b"body", 1, 1)
        assert item.headers["Nats-Msg-Id"] == "m1"
        assert item.pending == 0
        break
    await pull.close()


async def test_a_take_over_gives_what_was_not_acknowledged_again_in_order(bus: Bus) -> None:
    """Without the reset of the consumer the unacknowledged ones would come last."""
    await fill(bus, 20)
    first = bus.pull("IN", "in-00", batch=12)
    items: list[Item] = []
    while len(items) < 12:
        items += await first.some(12 - len(items))
    for item in items[:4]:
        await item.ack()
    await bus.flush()
    await first.close()
    second = bus.pull("IN", "in-00")
    assert await take(second, 16) == list(range(4, 20))
    await second.close()


async def test_a_refused_item_comes_again_and_a_terminated_one_does_not(bus: Bus) -> None:
    await fill(bus, 2)
    pull = bus.pull("IN", "in-00")
    first, second = [item async for item in _some(pull, 2)]
    await second.term()
    await first.in_progress()
    await first.nak()
    (again,) = [item async for item in _some(pull, 1)]
    assert (again.body, again.delivered) == (b"0", 2)
    await again.ack()
    await fill(bus, 1, start=7)
    assert await take(pull, 1) == [7]
    await pull.close()


async def test_a_pull_goes_on_after_the_server_was_killed_and_loses_nothing(broker: RealBroker, bus: Bus) -> None:
    await fill(bus, 600)
    pull = bus.pull("IN", "in-00", batch=64)
    seen = await take(pull, 200)
    broker.kill()
    broker.start()
    await until(lambda: bus.stats.reconnects == 1)
    await fill(bus, 100, start=600)
    while len(set(seen)) < 700:
        seen += await take(pull, 1)
    after_restart = seen[200:]
    assert set(seen) == set(range(700))
    # What comes after a restart comes in order; only what was handed out before it may come twice.
    assert after_restart == sorted(after_restart)
    assert pull.restarts == 1
    await pull.close()


async def test_a_pull_survives_a_server_that_stood_still(broker: RealBroker, bus: Bus) -> None:
    pull = bus.pull("IN", "in-00")
    await fill(bus, 3)
    assert await take(pull, 3) == [0, 1, 2]
    broker.pause()
    broker.resume()
    await fill(bus, 3, start=3)
    assert await take(pull, 3) == [3, 4, 5]
    await pull.close()


async def test_a_pull_of_a_consumer_that_is_not_there_says_so(bus: Bus) -> None:
    pull = bus.pull("IN", "in-99")
    with pytest.raises(Rejected):
        await asyncio.wait_for(pull.some(), 5)
    await pull.close()


async def test_closing_a_pull_ends_the_reader_that_waits(bus: Bus) -> None:
    pull = bus.pull("IN", "in-00")
    waiting = asyncio.ensure_future(pull.some())
    await asyncio.sleep(0)
    await pull.close()
    assert await asyncio.wait_for(waiting, 5) == []


async def test_large_messages_stay_below_what_the_server_lets_a_connection_hold(bus: Bus) -> None:
    """16 MB through a server that cuts off a connection with 4 MB unsent."""
    for number in range(20):
        await bus.publish(Outgoing("cc.in.mail.help.0", b"%d " % number + b"x" * 800_000))
    pull = bus.pull("IN", "in-00")
    numbers: list[int] = []
    while len(numbers) < 20:
        for item in await asyncio.wait_for(pull.some(), 15):
            numbers.append(int(item.body.split()[0]))
            await item.ack()
    assert numbers == list(range(20))
    assert bus.stats.reconnects == 0
    await pull.close()


async def test_a_follower_reads_from_a_sequence_and_knows_when_it_has_caught_up(bus: Bus) -> None:
    for number in range(10):
        await bus.publish(Outgoing(f"cc.log.conv.c{number}", b"%d" % number))
    follow = await bus.follow("LOG", 4)
    assert follow.pending == 7
    seen = []
    while follow.pending > 0:
        seen += [(item.seq, item.subject) for item in await follow.some(3)]
    assert seen == [(seq, f"cc.log.conv.c{seq - 1}") for seq in range(4, 11)]
    await bus.publish(Outgoing("cc.log.conv.new", b"x"))
    assert (await anext(follow)).seq == 11
    await follow.close()


async def test_a_follower_with_a_filter_skips_the_rest(bus: Bus) -> None:
    for number in range(6):
        await bus.publish(Outgoing(f"cc.log.{'conv' if number % 2 else 'cust'}.x", b""))
    follow = await bus.follow("LOG", 1, "cc.log.conv.>")
    assert follow.pending == 3
    assert [item.seq for item in [await anext(follow), await anext(follow), await anext(follow)]] == [2, 4, 6]
    await follow.close()


async def test_a_follower_of_an_empty_stream_has_caught_up_at_once(bus: Bus) -> None:
    follow = await bus.follow("LOG", 1)
    assert follow.pending == 0
    await follow.close()
    with pytest.raises(Rejected):
        await bus.follow("NOSTREAM", 1)


async def test_a_follower_goes_on_behind_its_last_item_after_the_server_was_killed_twice(
    broker: RealBroker, bus: Bus
) -> None:
    follow = await bus.follow("LOG", 1)
    seen: list[int] = []

    async def read() -> None:
        async for item in follow:
            seen.append(item.seq)

    reading = asyncio.ensure_future(read())
    restarted: list[int] = []
    for number in range(3):
        if number:
            broker.kill()
            broker.start()
            restarted.append(number)
            await until(lambda: bus.stats.reconnects == len(restarted))
        for begin in range(0, 1000, 250):
            await bus.publish_batch([Outgoing(f"cc.log.conv.c{begin}", b"x")] * 250)
    await until(lambda: len(seen) >= 3000, bound_s=20)
    assert seen == list(range(1, 3001))
    await follow.close()
    await asyncio.wait_for(reading, 5)


async def _some(pull: Pull, count: int) -> AsyncIterator[Item]:
    taken = 0
    while taken < count:
        for item in await asyncio.wait_for(pull.some(count - taken), 15):
            taken += 1
            yield item
