"""Buckets and objects on a real server."""

import asyncio
import contextlib

import pytest

from broker_bridge.daemon.bus import Bus, Entry, LostRace
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.objects import Damaged, digest_name
from broker_bridge.daemon.wire import Outgoing, api
from tests.daemon.real_broker import RealBroker
from tests.until import until


async def test_a_key_is_put_read_updated_and_deleted(bus: Bus) -> None:
    kv = await bus.kv("drafts")
    assert await kv.get("ann.c1") is None
    first = await kv.create("ann.c1", b"hel")
    second = await kv.update("ann.c1", b"hello", first)
    assert await kv.get("ann.c1") == (b"hello", second)
    with pytest.raises(LostRace):
        await kv.update("ann.c1", b"stale", first)
    with pytest.raises(LostRace):
        await kv.create("ann.c1", b"again")
    with pytest.raises(LostRace):
        await kv.delete("ann.c1", first)
    await kv.delete("ann.c1", second)
    assert await kv.get("ann.c1") is None


async def test_a_deleted_key_can_be_created_again_and_its_marker_has_a_revision(bus: Bus) -> None:
    kv = await bus.kv("drafts")
    await kv.create("a", b"1")
    await kv.delete("a")
    marker = await kv.entry("a")
    assert marker.value is None and marker.revision == 2
    assert await kv.create("a", b"2") == 3
    assert await kv.entry("never") == Entry("never", None, 0)


async def test_an_expired_key_is_no_value_and_its_marker_can_be_created_over(bus: Bus) -> None:
    kv = await bus.kv("brief", ttl_s=1.0)
    revision = await kv.put("k", b"short")
    marker = await until(lambda: _marker(kv, "k", revision))
    assert marker.value is None
    assert await kv.get("k") is None
    assert await kv.create("k", b"next") > marker.revision


async def _marker(kv: Kv, key: str, after: int) -> Entry | None:
    entry = await kv.entry(key)
    return entry if entry.value is None and entry.revision > after else None


async def test_keys_and_entries_are_those_with_a_value_below_a_prefix(bus: Bus) -> None:
    kv = await bus.kv("home")
    for key in ("a.1", "a.2", "ab.1", "b"):
        await kv.put(key, key.encode())
    await kv.delete("a.2")
    assert await kv.keys("a.") == ["a.1"]
    assert sorted(await kv.keys()) == ["a.1", "ab.1", "b"]
    assert [(entry.key, entry.value) for entry in await kv.entries("ab.")] == [("ab.1", b"ab.1")]


async def test_a_watch_lists_first_and_then_tells_every_change(bus: Bus) -> None:
    kv = await bus.kv("home")
    await kv.put("a.1", b"one")
    await kv.put("a.gone", b"x")
    await kv.delete("a.gone")
    await kv.put("b.1", b"other")
    watch = kv.watch("a.")
    assert [(entry.key, entry.value) for entry in await watch.listed()] == [("a.1", b"one")]
    revision = await kv.put("a.2", b"two")
    assert await anext(watch) == Entry("a.2", b"two", revision)
    await kv.delete("a.1")
    gone = await anext(watch)
    assert (gone.key, gone.value) == ("a.1", None)
    await watch.close()


async def test_a_watch_tells_when_a_key_expires(bus: Bus) -> None:
    kv = await bus.kv("brief", ttl_s=1.0)
    watch = kv.watch()
    await kv.put("k", b"short")
    assert (await anext(watch)).value == b"short"
    assert await asyncio.wait_for(anext(watch), 10) == Entry("k", None, (await kv.entry("k")).revision)
    await watch.close()


async def test_after_a_restart_a_watch_tells_what_changed_and_what_vanished_meanwhile(
    broker: RealBroker, bus: Bus
) -> None:
    kv = await bus.kv("home")
    for key in ("stays", "changes", "deleted", "purged"):
        await kv.put(key, b"1")
    watch = kv.watch()
    assert len(await watch.listed()) == 4
    # The watch is deaf while another connection changes the bucket: the server is killed before it can be told.
    broker.pause()
    broker.kill()
    broker.start()
    second = await broker.connect("second")
    other = await second.kv("home")
    changed = await other.put("changes", b"2")
    await other.delete("deleted")
    await second.purge("KV_home", subject="$KV.home.purged")
    told: list[Entry] = []

    async def listen() -> None:
        async for entry in watch:
            told.append(entry)

    listening = asyncio.ensure_future(listen())
    await until(lambda: len(told) >= 3, bound_s=20)
    assert Entry("changes", b"2", changed) in told
    assert {entry.key for entry in told if entry.value is None} == {"deleted", "purged"}
    await watch.close()
    await asyncio.wait_for(listening, 5)
    await second.close()


async def test_a_watch_of_an_emptied_bucket_tells_that_all_is_gone(broker: RealBroker, bus: Bus) -> None:
    kv = await bus.kv("home")
    await kv.put("only", b"1")
    watch = kv.watch()
    assert len(await watch.listed()) == 1
    waiting = asyncio.ensure_future(anext(watch))
    broker.kill()
    broker.start()
    second = await broker.connect("second")
    # Whichever comes first, the purge or the new listing, the key is told as gone.
    await second.purge("KV_home", subject="$KV.home.only")
    await bus.ready(15)
    broker.kill()
    broker.start()
    gone = await asyncio.wait_for(waiting, 20)
    assert (gone.key, gone.value) == ("only", None)
    await watch.close()
    await second.close()


async def test_an_object_is_kept_once_under_its_digest(bus: Bus) -> None:
    data = bytes(range(256)) * 4096
    name = digest_name(data)
    await bus.put_object("files", name, data)
    used = (await bus.stream_bounds("OBJ_files"))[2]
    await bus.put_object("files", name, [data[:1000], data[1000:]])
    assert (await bus.stream_bounds("OBJ_files"))[2] == used == 9
    assert await bus.get_object("files", name) == data
    await bus.delete_object("files", name)
    await bus.delete_object("files", name)
    assert await bus.get_object("files", name) is None
    assert (await bus.stream_bounds("OBJ_files"))[2] == 1
    await bus.put_object("files", name, data)
    assert await bus.get_object("files", name) == data


async def test_an_empty_object_and_an_unknown_one_differ(bus: Bus) -> None:
    await bus.put_object("files", digest_name(b""), b"")
    assert await bus.get_object("files", digest_name(b"")) == b""
    assert await bus.get_object("files", digest_name(b"other")) is None


async def test_an_object_needs_its_digest_as_its_name_and_at_most_25_mib(bus: Bus) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        await bus.put_object("files", "invoice.pdf", b"x")
    big = b"x" * (25 * 1024 * 1024 + 1)
    with pytest.raises(ValueError, match="more than"):
        await bus.put_object("files", digest_name(big), big)


async def test_a_damaged_object_is_not_handed_out(bus: Bus) -> None:
    data = b"a" * 300_000
    await bus.put_object("files", digest_name(data), data)
    await api(bus, "STREAM.UPDATE.OBJ_files", await _without_protection(bus))
    await api(bus, "STREAM.MSG.DELETE.OBJ_files", {"seq": 2})
    with pytest.raises(Damaged):
        await bus.get_object("files", digest_name(data))


async def _without_protection(bus: Bus) -> dict[str, object]:
    config: dict[str, object] = (await api(bus, "STREAM.INFO.OBJ_files"))["config"]
    return {**config, "deny_delete": False}


async def test_a_large_object_passes_within_the_servers_limit_for_one_connection(bus: Bus) -> None:
    data = bytes(range(256)) * (40 * 1024)
    await bus.put_object("files", digest_name(data), data)
    assert await bus.get_object("files", digest_name(data)) == data
    assert bus.stats.reconnects == 0


async def test_the_brokers_own_client_reads_what_we_wrote(bus: Bus) -> None:
    """Compatible: an operator looks with the usual tools."""
    kv = await bus.kv("home")
    await kv.put("ann", b"bridge-1")
    raw = await api(bus, "STREAM.INFO.KV_home")
    assert raw["config"]["subjects"] == ["$KV.home.>"]
    with contextlib.suppress(LostRace):
        await bus.publish(Outgoing("$KV.home.bob", b"bridge-2"))
    assert sorted(await kv.keys()) == ["ann", "bob"]
