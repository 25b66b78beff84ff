"""`check`: the configuration tried with the real servers, before customers depend on it.

Law: nothing is made or changed, here or there; every finding is a sentence, and one that fails keeps the others from nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from broker_bridge import channel as kinds
from broker_bridge.channel import Channel as OpenChannel
from broker_bridge.channel import SiteUnavailable, Transcript
from broker_bridge.contract.envelopes import Envelope
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon.config import Channel, Config, ConfigError
from broker_bridge.daemon.secrets import SecretError, Secrets, site_key

CHANNEL_TIMEOUT_S = 30.0
BROKER_TIMEOUT_S = 60.0

Verdict = Literal["ok", "note", "misconfigured", "unreachable"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    """`broker`, `channel support-mail`, `site key`."""
    verdict: Verdict
    """`note`: works, and should be known."""
    sentence: str


class CheckingSite:
    """A `Site` that stores nothing: channels only need its secrets to be tried."""

    def __init__(self, secrets: Secrets, key: bytes) -> None:
        self._secrets = secrets
        self._key = key

    def secret(self, reference: str) -> str:
        return self._secrets.get(reference)

    def site_key(self, purpose: str) -> bytes:
        from broker_bridge.daemon.seal import derive

        return derive(self._key, purpose)

    def now_ms(self) -> int:
        import time

        return int(time.time() * 1000)

    async def intake(self, envelope: Envelope) -> bool:
        raise SiteUnavailable("nothing is stored during a check")

    async def put_object(self, data: bytes) -> str:
        raise SiteUnavailable("nothing is stored during a check")

    async def get_object(self, digest: str) -> bytes | None:
        return None

    async def transcript(self, channel: str, scope: str, address: str, after_seq: int) -> list[Transcript]:
        return []

    async def typing(self, kind: str, scope: str, address: str, on: bool) -> None:
        return

    async def read_up_to(self, channel: str, scope: str, address: str, seq: int) -> None:
        return

    async def load_state(self, channel: str) -> bytes | None:
        return None

    async def save_state(self, channel: str, state: bytes) -> None:
        raise SiteUnavailable("nothing is stored during a check")


async def check(
    config: Config, agents: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Finding]:
    """Findings as they come. `agents`: names and references to seeds, for the permissions of an external broker."""
    secrets = Secrets(config.path.parent, environ)
    yield _state_dir(config.state_dir)
    key, finding = _site_key(config, secrets)
    yield finding
    async for finding in _broker(config, secrets, agents):
        yield finding
    yield _web(config)
    site = CheckingSite(secrets, key)
    for one in config.channels:
        async for finding in _channel(config, one, site):
            yield finding


def _state_dir(folder: Path) -> Finding:
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Finding(
            what="state", verdict="misconfigured", sentence=f"{folder} cannot be written: no right to {nearest}"
        )
    return Finding(what="state", verdict="ok", sentence=f"{folder}{'' if nearest == folder else ' will be made'}")


def _site_key(config: Config, secrets: Secrets) -> tuple[bytes, Finding]:
    what = "site key"
    unmade = bytes(32)
    if not config.site.key and not (config.state_dir / "site.key").exists():
        verdict: Verdict = "ok" if config.broker.is_embedded else "note"
        words = "will be made at the first start; keep a copy of it, without it the data cannot be read"
        if not config.broker.is_embedded:
            words += ". All bridges of this site need the same one: set site.key"
        return unmade, Finding(what=what, verdict=verdict, sentence=words)
    try:
        key = site_key(config.state_dir, config.site.key, secrets, may_make=False)
    except SecretError as error:
        return unmade, Finding(what=what, verdict="misconfigured", sentence=str(error))
    return key, Finding(what=what, verdict="ok", sentence="found")


async def _broker(config: Config, secrets: Secrets, agents: Mapping[str, str]) -> AsyncIterator[Finding]:
    if config.broker.is_embedded:
        yield _embedded(config)
        return
    try:
        seed = secrets.get(config.broker.seed)
        seeds = {name: secrets.get(reference) for name, reference in agents.items()}
    except SecretError as error:
        yield Finding(what="broker", verdict="misconfigured", sentence=str(error))
        return
    from broker_bridge.daemon.checkbroker import external

    try:
        async with asyncio.timeout(BROKER_TIMEOUT_S):
            found = await external(config.broker, seed, seeds)
    except TimeoutError:
        found = [("unreachable", f"no end of the check within {BROKER_TIMEOUT_S:g} s")]
    for verdict, sentence in found:
        yield Finding(what="broker", verdict=verdict, sentence=sentence)


def _embedded(config: Config) -> Finding:
    from broker_bridge.daemon.broker import BrokerError, find_server

    try:
        find_server()
    except BrokerError as error:
        return Finding(what="broker", verdict="misconfigured", sentence=str(error))
    if config.broker.port and not _is_free(config.broker.host, config.broker.port):
        sentence = f"port {config.broker.port} on {config.broker.host} is in use; fine if it is this bridge that runs"
        return Finding(what="broker", verdict="note", sentence=sentence)
    sentence = f"the embedded server is here, and {'its port' if config.broker.port else 'a port'} is free"
    return Finding(what="broker", verdict="ok", sentence=sentence)


def _web(config: Config) -> Finding:
    host, port = config.web.host, config.web.port
    if port and not _is_free(host, port):
        sentence = f"port {port} on {host} is in use; fine if it is this bridge that runs"
        return Finding(what="web", verdict="note", sentence=sentence)
    return Finding(what="web", verdict="ok", sentence=f"{host} port {port} is free" if port else f"{host}, a free port")


async def _channel(config: Config, one: Channel, site: CheckingSite) -> AsyncIterator[Finding]:
    what = f"channel {one.name}"
    if not one.is_enabled:
        yield Finding(what=what, verdict="note", sentence="is not enabled")
        return
    try:
        settings = configuration.channel_settings(config, one)
        channel: OpenChannel = kinds.load(one.kind).make(one.name, settings, site)
        async with asyncio.timeout(CHANNEL_TIMEOUT_S):
            problems = await channel.check()
    except (ConfigError, LookupError, ValueError) as error:
        yield Finding(what=what, verdict="misconfigured", sentence=str(error.args[0] if error.args else error))
        return
    except TimeoutError:
        yield Finding(what=what, verdict="unreachable", sentence=f"no answer within {CHANNEL_TIMEOUT_S:g} s")
        return
    for problem in problems:
        yield Finding(what=what, verdict="unreachable", sentence=problem)
    if not problems:
        yield Finding(what=what, verdict="ok", sentence=f"{one.kind} into queue {one.queue}")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
