"""Appends on a real server: stored once, refused as a whole, never silently lost."""

import asyncio
import contextlib

import pytest

from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import (
    Bus,
    Busy,
    LostRace,
    Outgoing,
    Refused,
    Rejected,
    SeenBefore,
    StoreFull,
    TooLarge,
    Unavailable,
    Unknown,
)
from broker_bridge.daemon.wire import api
from tests.daemon.real_broker import RealBroker, free_port
from tests.until import until

EXPECT = "Nats-Expected-Last-Subject-Sequence"


def inbound(name: str, partition: int = 0) -> Outgoing:
    return Outgoing(f"cc.in.sms.main.{partition}", name.encode(), {"Nats-Msg-Id": name})


def fact(conversation: str, body: bytes, after: int) -> Outgoing:
    return Outgoing(f"cc.log.conv.{conversation}", body, {EXPECT: str(after)})


async def bodies(bus: Bus, stream: str, subject: str) -> list[bytes]:
    return [body for _, body, _ in await bus.subject_messages(stream, subject)]


async def test_an_append_gives_its_sequence_and_a_repeat_is_told_as_duplicate(bus: Bus) -> None:
    first = await bus.publish(inbound("a"))
    second = await bus.publish(inbound("b"))
    again = await bus.publish(inbound("a"))
    assert (first.seq, first.duplicate) == (1, False)
    assert second.seq == 2
    assert (again.seq, again.duplicate) == (1, True)
    assert bus.stats.duplicates == 1


async def test_many_appends_at_once_each_get_their_own_answer(bus: Bus) -> None:
    answers = await asyncio.gather(*(bus.publish(inbound(f"m{number}")) for number in range(300)))
    assert sorted(answer.seq for answer in answers) == list(range(1, 301))


async def test_a_second_writer_of_one_aggregate_loses_the_race(bus: Bus) -> None:
    stored = await bus.publish(fact("c1", b"one", 0))
    with pytest.raises(LostRace):
        await bus.publish(fact("c1", b"two", 0))
    await bus.publish(fact("c1", b"three", stored.seq))
    assert await bodies(bus, "LOG", "cc.log.conv.c1") == [b"one", b"three"]


async def test_a_batch_is_contiguous_and_gives_its_last_sequence(bus: Bus) -> None:
    await bus.publish(inbound("before"))
    stored = await bus.publish_batch([inbound(f"m{number}", number % 16) for number in range(256)])
    assert stored.seq == 257
    assert (await bus.stream_bounds("IN")) == (1, 257, 257)


async def test_a_batch_with_one_lost_race_stores_nothing(bus: Bus) -> None:
    await bus.publish(fact("c1", b"there", 0))
    batch = [Outgoing("cc.log.hand.h1", b"new", {EXPECT: "0"}), fact("c1", b"late", 0)]
    with pytest.raises(LostRace):
        await bus.publish_batch(batch)
    assert await bus.last_for("cc.log.hand.h1", "LOG") is None
    assert await bodies(bus, "LOG", "cc.log.conv.c1") == [b"there"]


async def test_members_on_one_subject_all_carry_the_sequence_from_before_the_batch(bus: Bus) -> None:
    before = await bus.publish(fact("c1", b"0", 0))
    stored = await bus.publish_batch([fact("c1", b"1", before.seq), fact("c1", b"2", before.seq)])
    assert stored.seq == before.seq + 2
    assert await bodies(bus, "LOG", "cc.log.conv.c1") == [b"0", b"1", b"2"]


async def test_a_batch_that_holds_a_seen_id_fails_whole_and_passes_without_it(bus: Bus) -> None:
    await bus.publish(inbound("seen"))
    with pytest.raises(SeenBefore):
        await bus.publish_batch([inbound("new"), inbound("seen")])
    assert (await bus.stream_bounds("IN"))[2] == 1
    assert not (await bus.publish(inbound("new"))).duplicate
    assert (await bus.publish(inbound("seen"))).duplicate


async def test_too_many_open_batches_are_busy_until_they_are_closed(bus: Bus) -> None:
    for number in range(streams.MAX_BATCH_INFLIGHT):
        await bus.send("cc.log.conv.open", b"x", {"Nats-Batch-Id": f"open{number}", "Nats-Batch-Sequence": "1"})
    await bus.flush()
    with pytest.raises(Busy):
        await bus.publish_batch([fact("c1", b"1", 0), fact("c2", b"1", 0)])
    close = {"Nats-Batch-Id": "open7", "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"}
    await bus.call("cc.log.conv.open", b"y", close)
    assert (await bus.publish_batch([fact("c1", b"1", 0), fact("c2", b"1", 0)])).seq == 4


async def test_a_batch_of_one_is_a_plain_append(bus: Bus) -> None:
    assert (await bus.publish_batch([inbound("only")])).seq == 1
    assert (await bus.publish_batch([inbound("only")])).duplicate


async def test_too_large_a_message_or_batch_is_refused_before_it_is_sent(bus: Bus) -> None:
    with pytest.raises(TooLarge):
        await bus.publish(Outgoing("cc.log.conv.big", b"x" * (1024 * 1024 + 1)))
    with pytest.raises(TooLarge):
        await bus.publish_batch([Outgoing("cc.log.conv.big", b"x" * 900_000)] * 5)
    with pytest.raises(ValueError, match="1000"):
        await bus.publish_batch([Outgoing("cc.log.conv.many", b"x")] * 1001)
    assert (await bus.stream_bounds("LOG"))[2] == 0


async def test_a_full_stream_says_so_to_an_append_and_to_a_batch(bus: Bus) -> None:
    config = {"name": "SMALL", "subjects": ["cc.small"], "max_bytes": 3000, "discard": "new", "allow_atomic": True}
    await api(bus, "STREAM.CREATE.SMALL", config)
    await bus.publish(Outgoing("cc.small", b"x" * 2000))
    with pytest.raises(StoreFull):
        await bus.publish(Outgoing("cc.small", b"x" * 2000))
    with pytest.raises(StoreFull):
        await bus.publish_batch([Outgoing("cc.small", b"x" * 1000)] * 3)
    assert (await bus.stream_bounds("SMALL"))[2] == 1


async def test_a_subject_without_a_stream_is_unavailable_at_once(bus: Bus) -> None:
    with pytest.raises(Unavailable):
        await bus.publish(Outgoing("cc.nowhere", b"x"), timeout_s=60)
    with pytest.raises(Unavailable):
        await bus.publish_batch([Outgoing("cc.nowhere", b"x")] * 2, timeout_s=60)


async def test_last_for_gives_the_newest_of_an_exact_subject_or_none(bus: Bus) -> None:
    await bus.publish(Outgoing("cc.log.conv.c1", b"one"))
    newest = await bus.publish(Outgoing("cc.log.conv.c1", b"two"))
    await bus.publish(Outgoing("cc.log.conv.c2", b"other"))
    assert await bus.last_for("cc.log.conv.c1", "LOG") == (newest.seq, b"two")
    assert await bus.last_for("cc.log.conv.c3", "LOG") is None
    with pytest.raises(Rejected):
        await bus.last_for("cc.log.conv.c1", "NOSTREAM")


async def test_subject_messages_gives_bodies_and_headers_in_order(bus: Bus) -> None:
    for number in range(5):
        await bus.publish(Outgoing("cc.log.conv.c1", b"%d" % number, {"Actor": f"ann{number}"}))
        await bus.publish(Outgoing("cc.log.conv.c2", b"no"))
    told = await bus.subject_messages("LOG", "cc.log.conv.c1")
    assert [(seq, body, headers["Actor"]) for seq, body, headers in told] == [
        (2 * number + 1, b"%d" % number, f"ann{number}") for number in range(5)
    ]
    assert await bus.subject_messages("LOG", "cc.log.conv.none") == []


async def test_purging_drops_one_subject_or_all_below_a_sequence(bus: Bus) -> None:
    for number in range(6):
        await bus.publish(Outgoing(f"cc.log.conv.c{number % 2}", b"x"))
    assert await bus.purge("LOG", subject="cc.log.conv.c0") == 3
    assert await bus.purge("LOG", before_seq=6) == 2
    assert await bus.stream_bounds("LOG") == (6, 6, 1)


async def test_kill_dash_nine_while_publishing_loses_nothing_and_doubles_nothing(broker: RealBroker, bus: Bus) -> None:
    """The publisher keeps one id an intent and repeats it while the outcome is unknown."""

    async def intend(name: str) -> None:
        while True:
            try:
                await bus.publish(inbound(name), timeout_s=5)
                return
            except Unknown:
                await asyncio.sleep(0.01)

    async def stream_of_intents(writer: int) -> None:
        for number in range(40):
            await intend(f"w{writer}-{number}")

    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(stream_of_intents(writer)) for writer in range(32)]
        await until(lambda: bus.stats.published > 300)
        broker.kill()
        broker.start()
        await until(lambda: all(writer.done() for writer in writers), bound_s=30)
    told = await bodies(bus, "IN", "cc.in.>")
    assert sorted(told) == sorted(f"w{writer}-{number}".encode() for writer in range(32) for number in range(40))
    assert bus.stats.reconnects == 1


async def test_kill_dash_nine_between_batches_keeps_each_batch_whole(broker: RealBroker, bus: Bus) -> None:
    async def append(number: int) -> None:
        members = [fact(f"b{number}-{part}", b"x", 0) for part in range(50)]
        while await bus.last_for(f"cc.log.conv.b{number}-49", "LOG") is None:
            try:
                await bus.publish_batch(members)
            except (Unknown, LostRace):
                await bus.ready(20)

    async def write_all() -> None:
        for number in range(40):
            while True:
                try:
                    await append(number)
                    break
                except Unknown:
                    continue

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(write_all())
        await until(lambda: bus.stats.published >= 300)
        broker.kill()
        broker.start()
        await until(writing.done, bound_s=30)
    told = [seq for seq, _, _ in await bus.subject_messages("LOG", "cc.log.conv.>")]
    assert len(told) == 40 * 50


async def test_a_server_that_stands_still_makes_the_outcome_unknown_and_a_repeat_settles_it(
    broker: RealBroker, bus: Bus
) -> None:
    broker.pause()
    with pytest.raises(Unknown):
        await bus.publish(inbound("late"), timeout_s=0.3)
    broker.resume()
    repeated = await bus.publish(inbound("late"))
    assert repeated.seq == 1 and repeated.duplicate
    assert (await bus.stream_bounds("IN"))[2] == 1


async def test_a_frozen_server_with_unsent_bytes_is_told_as_a_loss_long_before_tcp_gives_up(
    broker: RealBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker_bridge.daemon.bus.PING_INTERVAL_S", 1)
    bus = await broker.connect()
    broker.pause()
    waiting = asyncio.ensure_future(bus.publish(inbound("frozen"), timeout_s=60))
    while bus.connected:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(bus.tell("cc.sig.typing.x", b"x" * 500_000), 0.5)
        await asyncio.sleep(0)
    with pytest.raises(Unknown):
        await asyncio.wait_for(waiting, 10)
    broker.resume()
    await until(lambda: bus.connected, bound_s=20)
    await bus.close()


async def test_without_a_connection_nothing_is_sent_and_nothing_is_kept_for_later(broker: RealBroker, bus: Bus) -> None:
    broker.kill()
    await until(lambda: not bus.connected)
    with pytest.raises(Unavailable):
        await bus.publish(inbound("never"), timeout_s=0.2)
    await bus.tell("cc.view.ann.beat", b"lost")
    assert bus.stats.dropped == 1
    broker.start()
    await until(lambda: bus.stats.reconnects == 1)
    assert (await bus.stream_bounds("IN"))[2] == 0


async def test_an_append_waits_for_a_connection_that_comes_back_in_time(broker: RealBroker, bus: Bus) -> None:
    broker.kill()
    await until(lambda: not bus.connected)
    waiting = asyncio.ensure_future(bus.publish(inbound("patient"), timeout_s=20))
    broker.start()
    assert (await waiting).seq == 1


async def test_a_stranger_is_refused_and_an_absent_broker_is_unavailable(broker: RealBroker) -> None:
    with pytest.raises(Refused):
        await Bus.connect(broker.url, seed=None, name="x", inbox_prefix="_INBOX_BR", on_closed=lambda: None)
    with pytest.raises(Unavailable):
        await Bus.connect(
            f"nats://127.0.0.1:{free_port()}",
            seed=broker.bridge.seed,
            name="x",
            inbox_prefix="_INBOX_BR",
            on_closed=lambda: None,
            timeout_s=0.5,
        )


async def test_requests_are_shared_among_bridges_and_each_is_answered_once(broker: RealBroker, bus: Bus) -> None:
    second = await broker.connect("second")
    ann = await broker.connect_agent("ann")
    served: dict[str, int] = {"one": 0, "two": 0}

    async def answer(name: str, subject: str, body: bytes) -> bytes:
        served[name] += 1
        return f"{subject} {body.decode()}".encode()

    await bus.serve("cc.do.>", "bridges", lambda subject, body, headers: answer("one", subject, body))
    await second.serve("cc.do.>", "bridges", lambda subject, body, headers: answer("two", subject, body))
    await second.flush()
    await bus.flush()
    answers = await asyncio.gather(*(ann.request("cc.do.ann.reply", b"%d" % number) for number in range(100)))
    assert answers == [b"cc.do.ann.reply %d" % number for number in range(100)]
    assert served["one"] + served["two"] == 100 and min(served.values()) > 0
    await ann.close()
    await second.close()


async def test_a_full_backlog_is_answered_busy_and_a_bug_is_answered_too(bus: Bus) -> None:
    gate, begun = asyncio.Event(), asyncio.Event()

    async def slow(subject: str, body: bytes, headers: dict[str, str]) -> bytes:
        begun.set()
        await gate.wait()
        if body == b"0":
            raise RuntimeError("a bug")
        return b"done"

    service = await bus.serve("cc.do.>", "bridges", slow, workers=1, backlog=2, busy=b"busy", broken=b"broken")
    asking = [asyncio.ensure_future(bus.request("cc.do.ann.x", b"0"))]
    await until(begun.is_set)
    asking += [asyncio.ensure_future(bus.request("cc.do.ann.x", b"%d" % number)) for number in range(1, 8)]
    await until(lambda: service.refused_busy == 5)
    gate.set()
    answers = await asyncio.gather(*asking)
    assert sorted(answers) == [b"broken", *[b"busy"] * 5, b"done", b"done"]
    assert service.bugs == 1
    await service.close()
    with pytest.raises(Unavailable):
        await bus.request("cc.do.ann.x", b"9")


async def test_what_is_told_is_heard(bus: Bus) -> None:
    heard: list[tuple[str, bytes]] = []
    await bus.listen("cc.sig.>", lambda subject, body: heard.append((subject, body)))
    await bus.tell("cc.sig.typing.c1", b"now")
    await until(lambda: heard)
    assert heard == [("cc.sig.typing.c1", b"now")]


async def test_a_removed_user_ends_the_connection_for_good_and_it_is_told(broker: RealBroker) -> None:
    told: list[str] = []
    ann = await Bus.connect(
        broker.url,
        seed=broker.agents["ann"].seed,
        name="ann",
        inbox_prefix="_INBOX_ann",
        on_closed=lambda: told.append("closed"),
    )
    broker.stop()
    broker.agents.pop("ann")
    broker.start()
    await until(lambda: told, bound_s=20)
    assert not ann.connected
