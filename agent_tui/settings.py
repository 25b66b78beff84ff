"""What a person set: settings.toml, what the program remembers by itself, and where files lie.

Law: settings.toml belongs to the person and is never written; what a key press or `login` chose is remembered beside
it and gives way to it. An error names the file and the key. No seed, password or token is read from settings.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from agent_tui.model import kept
from agent_tui.model.notifyrules import Notifications
from broker_bridge.contract.ids import derived

CONFIG_VARIABLE = "ONEWINDOW_CONFIG_DIR"
STATE_VARIABLE = "ONEWINDOW_STATE_DIR"
THEMES = ("night", "day", "contrast", "ansi")


class SettingsError(Exception):
    """A sentence that names the file and the key."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """settings.toml. Everything is optional."""

    server: str = ""
    """`nats://host:port` or `tls://host:port`."""
    agent: str = ""
    theme: str = "night"
    """The name of a file in themes/."""
    ascii: bool | Literal["auto"] = "auto"
    """Our glyphs in ASCII; `auto`: where the locale is not UTF-8."""
    keys: dict[str, str | list[str]] = {}
    """Action name to key or keys; see `agent-tui keys`."""
    bell: bool = True
    notifications: Notifications = Notifications()
    seconds: bool = False
    """The clock of the status line shows seconds."""
    ca: str = ""
    """Certificates (PEM) that `tls://` trusts instead of the system's."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the program wrote down by itself."""

    server: str = ""
    agent: str = ""
    name: str = ""
    """The agent's name, for greetings before the link is up."""
    ca: str = ""
    theme: str = ""
    ascii: bool | None = None


class DeskPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one agent at one server."""

    folder: Path

    @property
    def snapshot(self) -> Path:
        return self.folder / "snapshot.json"

    @property
    def outbox(self) -> Path:
        """A folder: one file for each terminal."""
        return self.folder / "outbox"

    @property
    def drafts(self) -> Path:
        return self.folder / "drafts"

    @property
    def seed(self) -> Path:
        """The seed, where there is no keyring: 0600."""
        return self.folder / "seed"


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    config: Path
    state: Path

    @property
    def settings(self) -> Path:
        return self.config / "settings.toml"

    @property
    def remembered(self) -> Path:
        return self.state / "remembered.json"

    @property
    def log(self) -> Path:
        return self.state / "agent-tui.log"

    def desk(self, agent: str, server: str) -> DeskPaths:
        """What one identity wrote must never leave as another: each pair of agent and server has its own folder."""
        name = re.sub(r"[^A-Za-z0-9_-]", "_", agent)[:40]
        return DeskPaths(folder=self.state / "desks" / f"{name}-{derived('desk', agent, server)[:8]}")


def paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """Where this person's files lie; ONEWINDOW_CONFIG_DIR moves all of them, ONEWINDOW_STATE_DIR those that we write."""
    config, state = environ.get(CONFIG_VARIABLE, ""), environ.get(STATE_VARIABLE, "")
    if config:
        return Paths(config=Path(config), state=Path(state or Path(config) / "state"))
    import platformdirs

    return Paths(
        config=platformdirs.user_config_path("onewindow"),
        state=Path(state) if state else platformdirs.user_state_path("onewindow"),
    )


def load(where: Paths) -> Settings:
    """settings.toml over what is remembered over the defaults.

    Raises:
        SettingsError: the file cannot be read, or a key is unknown or of the wrong type.
    """
    try:
        table = tomllib.loads((kept.read(where.settings) or b"").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{where.settings}: not valid TOML: {error}") from error
    except OSError as error:
        raise SettingsError(f"{where.settings}: cannot be read: {error.strerror}") from error
    known = remembered(where)
    chosen = {name: value for name in ("server", "agent", "ca", "theme") if (value := getattr(known, name))}
    if known.ascii is not None:
        chosen["ascii"] = known.ascii
    if "server" in table and table["server"] != known.server:
        chosen.pop("ca", None)
    try:
        settings = msgspec.convert(chosen | table, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where.settings}: {_in_words(str(error))}") from error
    if settings.server:
        try:
            check_server(settings.server)
        except ValueError as error:
            raise SettingsError(f"{where.settings}: server: {error}") from error
    return settings


def remembered(where: Paths) -> Remembered:
    """What was chosen by keys and by login. A file that cannot be read is as none: it is only convenience."""
    try:
        return msgspec.json.decode(kept.read(where.remembered) or b"{}", type=Remembered)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError):
        return Remembered()


def remember(where: Paths, known: Remembered) -> None:
    """Write it down for the next start. Raises OSError."""
    kept.write(where.remembered, msgspec.json.format(msgspec.json.encode(known)))


def check_server(server: str) -> str:
    """`server`, if it is an address that can be connected to.

    Raises:
        ValueError: with what is wrong, in words.
    """
    match = re.fullmatch(r"(nats|tls)://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", server)
    if match is None:
        raise ValueError(f"{server[:80]!r} is not like nats://host:4222 or tls://host:4222")
    if match[2] and not 0 < int(match[2]) < 65536:
        raise ValueError(f"the port of {server!r} is not between 1 and 65535")
    return server


def wants_ascii(settings: Settings, environ: Mapping[str, str] = os.environ) -> bool:
    """ASCII glyphs: as set, else where the locale says that the terminal does not read UTF-8."""
    if settings.ascii != "auto":
        return bool(settings.ascii)
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return bool(locale) and "utf" not in locale.lower().replace("-", "")


def _in_words(error: str) -> str:
    """`Expected `bool`, got `str` - at `$.bell`` with the key first, as in the file."""
    text, _, place = error.partition(" - at `$")
    key = place.strip("`").lstrip(".")
    if match := re.search(r"unknown field `([^`]+)`", text):
        inside = f" in [{key}]" if key else ""
        return f"{match[1]}: there is no such key{inside}"
    return f"{key or 'the file'}: {text.replace('`', '')}"
