"""bridge.toml: what an operator says about the site, its broker, its queues and its channels.

Law: an unknown setting, a name that no subject can carry, a queue that does not exist are refused with a sentence that names file and
place. No secret stands in this file, only references to secrets (secrets.py). The settings of one channel are decoded by its own
kind, one by one (`channel_settings`): a wrong one is reported and keeps nobody else from working.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from broker_bridge import channel as channel_kinds
from broker_bridge.contract import subjects
from broker_bridge.daemon.secrets import SCHEMES
from broker_bridge.daemon.sections import Agent, Broker, Channel, Desk, Log, Queue, Site, Web
from broker_bridge.daemon.strict import ConfigError, decode, nearest

__all__ = [
    "Agent",
    "Broker",
    "Channel",
    "Config",
    "ConfigError",
    "Desk",
    "Log",
    "Queue",
    "Site",
    "Web",
    "channel_problems",
    "channel_settings",
    "find",
    "from_table",
    "load",
]

CONFIG_VARIABLE = "BROKER_BRIDGE_CONFIG"
FILE_NAME = "bridge.toml"

_BROKER_URL = re.compile(r"(nats|tls)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
"""The same that a terminal takes."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """bridge.toml as it is written."""

    site: Site = Site()
    broker: Broker = Broker()
    web: Web = Web()
    desk: Desk = Desk()
    queue: tuple[Queue, ...] = ()
    agent: tuple[Agent, ...] = ()
    channel: tuple[Channel, ...] = ()
    log: Log = Log()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A checked bridge.toml."""

    path: Path
    """The file; relative paths in it are relative to its folder."""
    state_dir: Path
    """Made by `run`, mode 0700."""
    site: Site
    broker: Broker
    web: Web
    desk: Desk
    queues: tuple[Queue, ...]
    agents: tuple[Agent, ...]
    channels: tuple[Channel, ...]
    """Also those that are not enabled."""
    log: Log

    def queue(self, name: str) -> Queue | None:
        return next((queue for queue in self.queues if queue.name == name), None)

    def channel(self, name: str) -> Channel | None:
        return next((one for one in self.channels if one.name == name), None)

    def reply_within_s(self, channel: Channel) -> int | None:
        """The channel's target, else its queue's; None: the kind's (`CAPABILITIES.reply_within_s`)."""
        queue = self.queue(channel.queue)
        return channel.reply_within_s or (queue.reply_within_s if queue else None)


def find(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The file to read: as given, $BROKER_BRIDGE_CONFIG, ./bridge.toml, the user's, the machine's.

    Raises:
        ConfigError: there is none; the sentence says where was looked.
    """
    named = given or environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    places = [
        Path(FILE_NAME),
        platformdirs.user_config_path("onewindow") / FILE_NAME,
        Path("/etc/onewindow") / FILE_NAME,
    ]
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ConfigError(f"no configuration: looked for {looked}. Make one with `broker-bridge init FOLDER`.")


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The file's Config. The channels' own settings are not looked at yet.

    Raises:
        ConfigError: it cannot be read, or says something impossible.
    """
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    return from_table(table, path, environ)


def from_table(table: Mapping[str, Any], path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """As `load`, of what a file at `path` would say. Raises ConfigError."""
    file = decode(table, _File, str(path))
    problem = next(_contradictions(file), None)
    if problem is not None:
        raise ConfigError(f"{path}: {problem}")
    return Config(
        path=path.absolute(),
        state_dir=_state_dir(file.site.state_dir, path, environ),
        site=file.site,
        broker=file.broker,
        web=file.web,
        desk=file.desk,
        queues=file.queue,
        agents=file.agent,
        channels=file.channel,
        log=file.log,
    )


def channel_settings(config: Config, one: Channel) -> Any:
    """The channel's settings as its kind's `Settings`.

    Raises:
        ConfigError: no such kind, a library is missing, or a setting is wrong; the others are not concerned.
    """
    try:
        kind = channel_kinds.load(one.kind)
    except LookupError as error:
        raise ConfigError(f"{config.path}: channel {one.name}: {error.args[0]}") from None
    return decode(one.settings, kind.Settings, str(config.path), f"channel {one.name}: settings")


def channel_problems(config: Config) -> list[str]:
    """One sentence for each enabled channel that could not be started as it is configured."""
    problems = []
    for one in config.channels:
        if one.is_enabled:
            try:
                channel_settings(config, one)
            except ConfigError as error:
                problems.append(str(error))
    return problems


def _contradictions(file: _File) -> Iterator[str]:
    """What each setting allows and together makes no sense."""
    queues = [queue.name for queue in file.queue]
    yield from _bad_names("queue", queues)
    yield from _bad_names("agent", [one.id for one in file.agent])
    yield from _bad_names("channel", [one.name for one in file.channel])
    for one in file.channel:
        if not one.kind.isidentifier():
            yield f"channel {one.name}: kind: use the name of a kind, as email"
        if one.queue not in queues:
            yield f"channel {one.name}: queue: there is no queue {one.queue!r}{nearest(one.queue, queues)}"
    if not queues:
        yield "queue: at least one is needed; every case waits in one"
    if not file.desk.dispositions:
        yield "desk.dispositions: at least one is needed, or no case could be closed"
    yield from _broker_contradictions(file.broker)
    for url in filter(None, [*(part.strip() for part in file.broker.url.split(",")), file.broker.public_url]):
        if not _BROKER_URL.fullmatch(url):
            key = "public_url" if url == file.broker.public_url else "url"
            yield f"broker.{key}: use an address as nats://host:4222 or tls://host:4222, without a password"
    if file.web.public_url and not file.web.public_url.startswith(("https://", "http://")):
        yield "web.public_url: use an address as https://host"
    for key, reference in _references(file):
        if reference and reference.partition(":")[0] not in SCHEMES:
            # The value is not repeated: it may be the secret itself.
            yield f"{key}: not a reference to a secret; write one of {', '.join(f'{name}:…' for name in SCHEMES)}"


def _bad_names(what: str, names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        try:
            subjects.token(name)
        except ValueError:
            yield f"{what} {name[:80]!r}: name: use 1 to 64 letters, digits, '-' and '_'"
        if name in seen:
            yield f"{what} {name}: there are two of this name"
        seen.add(name)


def _broker_contradictions(broker: Broker) -> Iterator[str]:
    if not broker.is_embedded:
        if not broker.url:
            yield 'broker.url: needed with mode = "external"'
        if not broker.seed:
            yield 'broker.seed: needed with mode = "external"; a reference as "file:bridge.seed"'
        if broker.store_key:
            yield "broker.store_key: the external broker keeps its own disk; set its encryption there"
        return
    for key, value in (("url", broker.url), ("seed", broker.seed)):
        if value:
            yield f'broker.{key}: only for mode = "external"; the embedded broker makes its own'
    if broker.replicas > 1:
        yield 'broker.replicas: the embedded broker is one server; more copies need mode = "external"'


def _references(file: _File) -> Iterator[tuple[str, str]]:
    yield "site.key", file.site.key
    yield "broker.seed", file.broker.seed
    yield "broker.store_key", file.broker.store_key


def _state_dir(said: str, path: Path, environ: Mapping[str, str]) -> Path:
    if said:
        return path.absolute().parent / Path(said).expanduser()
    managed = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if managed:
        return Path(managed)
    import platformdirs

    return platformdirs.user_state_path("onewindow-bridge")
