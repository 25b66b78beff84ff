"""`broker-bridge run`: start, say so, work, stop in order.

Law: exit 0 after SIGTERM or SIGINT with everything written; 70 when the broker's connection is gone for good (the service manager starts
again); 69 when there is no broker; 78 when the configuration cannot work. Nothing is heard before the log has been read to its head.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from broker_bridge.daemon import accounts, broker, lastboot, sdnotify
from broker_bridge.daemon.bridge import Bridge
from broker_bridge.daemon.broker import Broker, BrokerError, BrokerSettings
from broker_bridge.daemon.bus import Bus, BusError, Refused
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.loops import loop_factory, settle_collector
from broker_bridge.daemon.metrics import CONTENT_TYPE, Metrics
from broker_bridge.daemon.seal import WrongSiteKey
from broker_bridge.daemon.secrets import Secrets, kept, site_key
from broker_bridge.daemon.streams import Unfit
from broker_bridge.daemon.vitals import Vitals

log = logging.getLogger(__name__)

UNAVAILABLE, BROKEN, CONFIG = 69, 70, 78
REFUSALS_FORGIVEN = 2
BRIDGE_SEED = "bridge.seed"
AGENTS = "agents.json"
ENDPOINT = "endpoint.json"
"""In the state directory: where the running bridge's broker and web server are, for the other commands."""


def bridge_seed(config: Config, secrets: Secrets) -> str:
    """The bridge's own seed: by reference for an external broker, else made once. Raises SecretError."""
    if not config.broker.is_embedded:
        return secrets.get(config.broker.seed)
    return kept(config.state_dir / BRIDGE_SEED, lambda: accounts.make_seed().seed)


def broker_settings(config: Config, secrets: Secrets, seed: str) -> BrokerSettings:
    """What the embedded broker is told. Agents come from the log; until it is read, from what it said last time."""
    said = config.broker
    return BrokerSettings(
        state_dir=config.state_dir / "broker",
        bridges=(accounts.public_of(seed),),
        agents=_known_agents(config.state_dir / AGENTS),
        host=said.host,
        port=said.port,
        max_file_bytes=said.max_store_bytes,
        store_key=secrets.get(said.store_key) if said.store_key else None,
    )


async def serve(config: Config) -> int:
    """Run until told to stop; gives the exit code. Raises SecretError."""
    config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        held = lastboot.lock(config.state_dir)
    except lastboot.InUse as error:
        return _say(str(error), UNAVAILABLE)
    with held:
        return await _serve(config)


async def _serve(config: Config) -> int:
    secrets = Secrets(config.path.parent)
    has_data = (config.state_dir / "broker" / "store").exists()
    key = site_key(config.state_dir, config.site.key, secrets, may_make=not has_data)
    seed = bridge_seed(config, secrets)
    embedded = Broker(broker_settings(config, secrets, seed), _progress) if config.broker.is_embedded else None
    try:
        if embedded is not None:
            await embedded.start()
        return await _work(config, secrets, key, seed, embedded)
    except BrokerError as error:
        return _say(str(error), UNAVAILABLE)
    finally:
        if embedded is not None:
            await embedded.stop()


async def connected(
    url: str | Sequence[str], seed: str, name: str, on_closed: Callable[[], None], timeout_s: float = 10.0
) -> Bus:
    """A connection with the bridge's rights. Raises Refused, BusError.

    A broker that reads its users anew refuses whoever knocks at that moment: one refusal is no answer yet.
    """
    for _ in range(REFUSALS_FORGIVEN):
        try:
            return await _connected(url, seed, name, on_closed, timeout_s)
        except Refused:
            await asyncio.sleep(0.3)
    return await _connected(url, seed, name, on_closed, timeout_s)


async def _connected(
    url: str | Sequence[str], seed: str, name: str, on_closed: Callable[[], None], timeout_s: float
) -> Bus:
    return await Bus.connect(
        url, seed=seed, name=name, inbox_prefix=accounts.INBOX_BRIDGE, on_closed=on_closed, timeout_s=timeout_s
    )


async def _work(config: Config, secrets: Secrets, key: bytes, seed: str, embedded: Broker | None) -> int:
    url: str | Sequence[str] = embedded.url if embedded else [part.strip() for part in config.broker.url.split(",")]
    try:
        bus = await connected(url, seed, "bridge", _end_at_once)
    except Refused as error:
        return _say(str(error), CONFIG)
    except BusError as error:
        return _say(str(error), UNAVAILABLE)
    try:
        if embedded is not None:
            broker.check_synced(await embedded.varz(), allow_unsynced=config.broker.allow_unsynced)
        bridge = Bridge(config, secrets, key, bus)
        try:
            await bridge.open(_progress)
        except (Unfit, WrongSiteKey) as error:
            return _say(str(error), CONFIG)
        except OSError as error:
            return _say(
                f"the web server cannot listen on {config.web.host}:{config.web.port}: {error.strerror}", UNAVAILABLE
            )
        except BusError as error:
            return _say(f"the broker does not do its part: {error}", UNAVAILABLE)
        settle_collector()
        await _run(config, bridge, embedded, url)
        return 0
    finally:
        await bus.close()


async def _run(config: Config, bridge: Bridge, embedded: Broker | None, url: str | Sequence[str]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, bridge.stop)
    loop.add_signal_handler(signal.SIGHUP, bridge.lawgiver.look)

    async def tell_agents() -> None:
        if embedded is not None:
            users = [accounts.AgentUser(name, one.public_key) for name, one in bridge.parts.staff.active.items()]
            await embedded.set_agents(users)
            _write_private(config.state_dir / AGENTS, {user.id: user.public for user in users})

    bridge.on_agents = tell_agents
    await tell_agents()
    endpoint = {"broker": url if isinstance(url, str) else ",".join(url), "web": bridge.web.url, "pid": os.getpid()}

    def ready() -> None:
        _write_private(config.state_dir / ENDPOINT, endpoint)
        sdnotify.ready(f"ready at {bridge.web.url}")
        chat = bridge.chat_url
        print(
            f"broker-bridge: ready. broker {endpoint['broker']}, web {bridge.web.url}"
            + (f", chat {chat}" if chat else "")
        )
        for problem in bridge.problems:
            print(f"broker-bridge: {problem}", file=sys.stderr)
        sys.stdout.flush()

    vitals = Vitals(bridge)
    metrics = Metrics(vitals)
    watchdog = asyncio.create_task(_watchdog(bridge))
    try:
        await bridge.run(ready, vitals.health, lambda: (metrics.render(), CONTENT_TYPE))
    finally:
        sdnotify.stopping()
        watchdog.cancel()
        await asyncio.wait([watchdog])
        bridge.model.close()


async def _watchdog(bridge: Bridge) -> None:
    """Pings the service manager, but only after a round trip to the broker."""
    every_s = sdnotify.watchdog_every_s()
    while every_s is not None:
        try:
            await bridge.bus.flush()
        except BusError:
            log.warning("no round trip to the broker")
        else:
            sdnotify.watchdog()
        await asyncio.sleep(every_s)


def _known_agents(path: Path) -> tuple[accounts.AgentUser, ...]:
    """Who could sign in when the bridge ran last, so that terminals are let in while the log is still being read."""
    try:
        found = json.loads(path.read_text("utf-8"))
        users = tuple(accounts.AgentUser(str(name), str(public)) for name, public in found.items())
        accounts.accounts_block((), users)
    except (OSError, ValueError, AttributeError):
        return ()
    return users


def _write_private(path: Path, content: object) -> None:
    """Replace a file of the state directory, 0600."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content), "utf-8")
    fresh.chmod(0o600)
    fresh.replace(path)


def _progress(text: str) -> None:
    log.info("starting", extra={"step": text})
    sdnotify.status(text)


def _end_at_once() -> None:
    log.error("the connection to the broker ended for good")
    os._exit(BROKEN)


def _say(sentence: str, code: int) -> int:
    print(f"broker-bridge: {sentence}", file=sys.stderr)
    return code


def main(config: Config) -> int:
    """Run the bridge of this configuration; gives the exit code. Raises SecretError."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serve(config))
