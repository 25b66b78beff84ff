"""Streams, consumers and buckets: made once, checked always, refused when dangerous."""

from typing import Any

import pytest

from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus, Outgoing
from broker_bridge.daemon.streams import Fill, StreamSettings, Unfit
from broker_bridge.daemon.wire import api

SETTINGS = StreamSettings(total_bytes=1024**3)


@pytest.fixture
async def empty(broker: Any) -> Any:
    connection = await broker.connect()
    yield connection
    await connection.close()


async def config(bus: Bus, stream: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api(bus, f"STREAM.INFO.{stream}"))["config"]
    return found


async def test_everything_is_made_once_and_left_alone_after(empty: Bus) -> None:
    assert await streams.ensure(empty, SETTINGS) == [
        f"{name} made" for name in ("IN", "LOG", "CONTEXT", "DEAD", "AUDIT")
    ]
    assert await streams.ensure(empty, SETTINGS) == []
    log = await config(empty, "LOG")
    assert log["subjects"] == ["cc.log.>"]
    assert (log["discard"], log["storage"], log["retention"]) == ("new", "file", "limits")
    assert log["allow_atomic"] is True and not log.get("allow_direct")
    assert log["duplicate_window"] == 120 * 10**9
    assert (await config(empty, "IN"))["duplicate_window"] == 600 * 10**9
    names = (await api(empty, "STREAM.NAMES", {}))["streams"]
    assert {"KV_leases", "KV_home", "KV_presence", "KV_drafts", "KV_keys", "OBJ_files"} <= set(names)


async def test_each_partition_has_one_consumer_that_gets_its_share_of_every_channel(empty: Bus) -> None:
    await streams.ensure(empty, SETTINGS)
    await empty.publish(Outgoing("cc.in.sms.main.15", b"x"))
    await empty.publish(Outgoing("cc.in.mail.help.15", b"y"))
    await empty.publish(Outgoing("cc.in.mail.help.1", b"z"))
    pending = {}
    for partition in range(streams.PARTITIONS):
        info = await api(empty, f"CONSUMER.INFO.IN.{streams.durable(partition)}")
        pending[partition] = info["num_pending"]
        assert info["config"]["ack_policy"] == "explicit"
        assert info["config"]["ack_wait"] == 30 * 10**9
    assert {partition: count for partition, count in pending.items() if count} == {1: 1, 15: 2}


@pytest.mark.parametrize(
    ("stream", "change", "word"),
    [
        ("LOG", {"discard": "old"}, "discard"),
        ("LOG", {"max_age": 3600 * 10**9}, "max_age"),
        ("LOG", {"max_msgs_per_subject": 1}, "max_msgs_per_subject"),
        ("LOG", {"storage": "memory", "max_bytes": 10**6}, "storage"),
        ("LOG", {"subjects": ["cc.log.>", "cc.other"]}, "subjects"),
        ("LOG", {"persist_mode": "async", "allow_atomic": False}, "persist_mode"),
        ("IN", {"retention": "workqueue"}, "retention"),
        ("IN", {"no_ack": True, "allow_atomic": False}, "no_ack"),
        ("AUDIT", {"max_msgs": 1000}, "max_msgs"),
    ],
)
async def test_a_dangerous_difference_is_refused_by_name(
    empty: Bus, stream: str, change: dict[str, Any], word: str
) -> None:
    wanted = next(plan for plan in streams.stream_configs(SETTINGS) if plan["name"] == stream)
    await api(empty, f"STREAM.CREATE.{stream}", {**wanted, **change})
    with pytest.raises(Unfit, match=f"stream {stream} has {word} = "):
        await streams.ensure(empty, SETTINGS)


async def test_harmless_additions_are_made_and_told(empty: Bus) -> None:
    wanted = next(plan for plan in streams.stream_configs(SETTINGS) if plan["name"] == "LOG")
    old = {**wanted, "allow_atomic": False, "max_bytes": 10**6, "duplicate_window": 10**9, "description": "kept"}
    await api(empty, "STREAM.CREATE.LOG", old)
    done = await streams.ensure(empty, SETTINGS)
    assert {line.split(" is now ")[0] for line in done if line.startswith("LOG")} == {
        "LOG: allow_atomic",
        "LOG: max_bytes",
        "LOG: duplicate_window",
    }
    log = await config(empty, "LOG")
    assert log["allow_atomic"] is True and log["max_bytes"] == wanted["max_bytes"] and log["description"] == "kept"


async def test_a_limit_below_what_is_used_is_refused(empty: Bus) -> None:
    await streams.ensure(empty, SETTINGS)
    await empty.publish(Outgoing("cc.dead.x", b"x" * 100_000))
    with pytest.raises(Unfit, match="stream DEAD has max_bytes"):
        await streams.ensure(empty, StreamSettings(total_bytes=10**6))


async def test_fill_levels_say_when_to_alarm_and_when_to_refuse(empty: Bus) -> None:
    await streams.ensure(empty, StreamSettings(total_bytes=2 * 10**6))
    for number in range(9):
        await empty.publish(Outgoing("cc.dead.x", b"%d" % number + b"x" * 9000))
    levels = {fill.stream: fill for fill in await streams.fill_levels(empty)}
    assert levels["DEAD"].is_alarming and not levels["DEAD"].is_refusing
    assert not levels["LOG"].is_alarming
    assert set(levels) == {"IN", "LOG", "CONTEXT", "DEAD", "AUDIT", "OBJ_files"}
    assert Fill("LOG", 95, 100).is_refusing and not Fill("LOG", 94, 100).is_refusing


async def test_the_ack_floor_is_the_slowest_partitions(bus: Bus) -> None:
    for number in range(10):
        await bus.publish(Outgoing(f"cc.in.sms.main.{number % 2}", b"%d" % number))
    fast = bus.pull("IN", "in-00")
    slow = bus.pull("IN", "in-01")
    for item in await _take(fast, 5):
        await item.ack()
    for item in (await _take(slow, 5))[:2]:
        await item.ack()
    await bus.flush()
    # 2 and 4 are done there; 5 is not its own, and 6 is the first that waits.
    assert await streams.ack_floor(bus) == 5
    await fast.close()
    await slow.close()


async def _take(pull: Any, count: int) -> list[Any]:
    items: list[Any] = []
    while len(items) < count:
        items += await pull.some(count - len(items))
    return items
