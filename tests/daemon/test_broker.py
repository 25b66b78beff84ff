"""The embedded broker: starts, is synced, heals, gives its store to the next bridge, lets agents in and out."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broker_bridge.daemon import streams
from broker_bridge.daemon.access import AgentUser, Keys, make_seed
from broker_bridge.daemon.broker import (
    Broker,
    BrokerError,
    BrokerSettings,
    check_synced,
    find_server,
)
from broker_bridge.daemon.bus import Bus, Outgoing, Refused, Unknown
from tests.daemon.real_broker import free_port
from tests.until import until

BRIDGE = make_seed()


def settings(directory: Path, **more: Any) -> BrokerSettings:
    return BrokerSettings(state_dir=directory, bridges=[BRIDGE.public], **more)


async def connect(broker: Broker, keys: Keys = BRIDGE, inbox: str = "_INBOX_BR") -> Bus:
    return await Bus.connect(broker.url, seed=keys.seed, name="test", inbox_prefix=inbox, on_closed=lambda: None)


@pytest_asyncio.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(settings(tmp_path / "state")) as broker:
        yield broker


async def test_it_starts_synced_with_private_files_and_ends_its_process(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    broker = Broker(settings(directory))
    await broker.start()
    pid = broker.pid
    assert pid is not None
    check_synced(await broker.varz(), allow_unsynced=False)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "nats.conf").stat().st_mode) == 0o600
    await broker.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert broker.pid is None


async def test_the_port_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with Broker(settings(tmp_path)) as broker:
        first = broker.url
    async with Broker(settings(tmp_path)) as broker:
        assert broker.url == first


async def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        async with Broker(settings(tmp_path)) as broker:
            bus = await connect(broker)
            await streams.ensure(bus, streams.StreamSettings())
            assert (await bus.publish(Outgoing("cc.log.conv.c1", b"x"))).seq == expected
            await bus.close()


async def test_a_server_that_is_killed_is_started_again_and_clients_come_back(embedded: Broker) -> None:
    bus = await connect(embedded)
    await streams.ensure(bus, streams.StreamSettings())
    await bus.publish(Outgoing("cc.log.conv.c1", b"before"))
    assert embedded.pid is not None
    os.kill(embedded.pid, signal.SIGKILL)
    await until(lambda: embedded.restarts == bus.stats.reconnects == 1, bound_s=20)
    assert await _append_patiently(bus, b"after") == 2
    await bus.close()


async def _append_patiently(bus: Bus, body: bytes) -> int:
    while True:
        try:
            message = Outgoing("cc.log.conv.c1", body, {"Nats-Msg-Id": body.decode()})
            return (await bus.publish(message, timeout_s=15)).seq
        except Unknown:
            continue


async def test_a_second_bridge_in_the_same_directory_is_refused_and_does_no_harm(embedded: Broker) -> None:
    pid = embedded.pid
    with pytest.raises(BrokerError, match="another bridge"):
        await Broker(settings(embedded.settings.state_dir)).start()
    assert embedded.pid == pid
    bus = await connect(embedded)
    await bus.close()


async def test_a_configured_port_that_is_taken_is_refused_with_a_sentence(embedded: Broker, tmp_path: Path) -> None:
    port = int(embedded.url.rpartition(":")[2])
    with pytest.raises(BrokerError, match=f"port {port} .* is in use"):
        await Broker(settings(tmp_path / "other", port=port)).start()


async def test_a_broken_configuration_is_told_in_the_servers_words(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a directory")
    with pytest.raises(BrokerError, match="ended at once"):
        await Broker(settings(tmp_path)).start()


async def test_a_configuration_that_the_server_cannot_read_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker_bridge.daemon.broker.server_config", lambda *_: "jetstream: no_such_word\n")
    with pytest.raises(BrokerError, match="no_such_word"):
        await Broker(settings(tmp_path)).start()


PARENT = """
import asyncio, sys
from pathlib import Path
from broker_bridge.daemon.broker import Broker, BrokerSettings

async def main():
    broker = Broker(BrokerSettings(state_dir=Path(sys.argv[1]), bridges=[sys.argv[2]]))
    await broker.start()
    print(broker.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_after_kill_dash_nine_of_the_bridge_the_server_ends_and_a_new_start_works(tmp_path: Path) -> None:
    script = tmp_path / "bridge.py"
    script.write_text(PARENT)
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "state"), BRIDGE.public],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    async with Broker(settings(tmp_path / "state")) as broker:
        assert broker.pid != server
        bus = await connect(broker)
        await bus.close()
    await until(lambda: not _is_alive(server))


def _is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def test_a_server_left_behind_with_our_store_is_ended_before_a_new_one_starts(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    async with Broker(settings(directory)):
        pass
    left = subprocess.Popen([str(find_server()), "-c", str(directory / "nats.conf")], stderr=subprocess.DEVNULL)
    try:
        await until(lambda: (directory / "nats.pid").exists() and (directory / "nats.pid").read_text() == str(left.pid))
        told: list[str] = []
        # Reaped here at once, as init would.
        reaping = asyncio.get_running_loop().run_in_executor(None, left.wait)
        async with Broker(settings(directory), told.append) as broker:
            assert broker.pid != left.pid
        await asyncio.wait_for(reaping, 10)
    finally:
        left.kill()
        left.wait()
    assert any("left behind" in line for line in told)


async def test_an_agent_is_let_in_and_out_while_the_others_stay(embedded: Broker) -> None:
    ann, bob = make_seed(), make_seed()
    bridge = await connect(embedded)
    with pytest.raises(Refused):
        await connect(embedded, ann, "_INBOX_ann")
    await embedded.set_agents([AgentUser("ann", ann.public), AgentUser("bob", bob.public)])
    closed: list[str] = []
    ann_bus = await _connect_soon(embedded, ann, "ann", closed)
    bob_bus = await _connect_soon(embedded, bob, "bob", closed)
    await embedded.set_agents([AgentUser("bob", bob.public)])
    await until(lambda: not ann_bus.connected, bound_s=2)
    await until(lambda: closed == ["ann"])
    for bus in (bridge, bob_bus):
        await bus.flush()
        assert bus.stats.reconnects == 0
        await bus.close()


async def test_agents_who_are_let_in_already_cost_no_reload(tmp_path: Path) -> None:
    ann, bob = (AgentUser(name, make_seed().public) for name in ("ann", "bob"))
    async with Broker(BrokerSettings(state_dir=tmp_path, bridges=[make_seed().public], agents=(ann, bob))) as broker:
        loaded = (await broker.varz())["config_load_time"]
        await broker.set_agents([bob, ann])
        assert (await broker.varz())["config_load_time"] == loaded
        await broker.set_agents([ann])
        assert (await broker.varz())["config_load_time"] != loaded


async def _connect_soon(broker: Broker, keys: Keys, agent: str, closed: list[str]) -> Bus:
    async def attempt() -> Bus | None:
        try:
            return await Bus.connect(
                broker.url,
                seed=keys.seed,
                name=agent,
                inbox_prefix=f"_INBOX_{agent}",
                on_closed=lambda: closed.append(agent),
            )
        except Refused:
            return None

    return await until(attempt)


async def test_a_store_with_a_key_opens_only_with_that_key(tmp_path: Path) -> None:
    async with Broker(settings(tmp_path, store_key="s3cret")) as broker:
        bus = await connect(broker)
        await streams.ensure(bus, streams.StreamSettings())
        await bus.publish(Outgoing("cc.log.conv.c1", b"find-me-on-disk"))
        await bus.close()
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert files and not any(b"find-me-on-disk" in path.read_bytes() for path in files)
    assert "s3cret" not in (tmp_path / "nats.conf").read_text()
    async with Broker(settings(tmp_path, store_key="s3cret")) as broker:
        bus = await connect(broker)
        assert await bus.last_for("cc.log.conv.c1", "LOG") == (1, b"find-me-on-disk")
        await bus.close()


async def test_an_unsynced_server_is_refused_unless_it_is_wanted(tmp_path: Path) -> None:
    port, monitor = free_port(), free_port()
    config = tmp_path / "plain.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\nhttp: "127.0.0.1:{monitor}"\njetstream {{ store_dir: {json.dumps(str(tmp_path))} }}'
    )
    plain = subprocess.Popen([str(find_server()), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        broker = Broker(settings(tmp_path))
        broker._monitor_port = monitor
        varz = await until(lambda: _varz(broker))
    finally:
        plain.kill()
        plain.wait()
    with pytest.raises(BrokerError, match="sync_interval"):
        check_synced(varz, allow_unsynced=False)
    check_synced(varz, allow_unsynced=True)
    with pytest.raises(BrokerError, match="without JetStream"):
        check_synced({}, allow_unsynced=True)


async def _varz(broker: Broker) -> dict[str, Any] | None:
    try:
        return await broker.varz()
    except BrokerError:
        return None
