"""The sections of bridge.toml, one Struct each: the names, units and defaults that an operator reads in the starter file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
"""0: a free one."""
Seconds = Annotated[int, Meta(gt=0)]


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The house."""

    name: str = "onewindow"
    """Shown to agents."""
    state_dir: str = ""
    """Empty: the service manager's ($STATE_DIRECTORY), else the user's. Relative to this file."""
    language: str = "en"
    """Of the texts that customers see."""
    key: str = ""
    """Reference to the site key (32 bytes, base64); empty: made at the first start in the state directory."""


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The NATS server."""

    mode: Literal["embedded", "external"] = "embedded"
    host: str = "127.0.0.1"
    """Where the embedded one listens."""
    port: Port = 4222
    public_url: str = ""
    """How agents' terminals reach the broker, as `tls://desk.example:4222`; empty: the address it listens on."""
    ca: str = ""
    """Certificates (PEM file) that terminals trust for `public_url`, relative to this file."""
    url: str = ""
    """The external one: `nats://…` or `tls://…`, several parted by commas."""
    seed: str = ""
    """Reference to the bridge's seed at the external one."""
    max_store_gib: Annotated[float, Meta(gt=0)] = 10.0
    """Disk for everything that is kept, GiB."""
    allow_unsynced: bool = False
    """Work with a broker that acknowledges before the disk has it: a power cut then loses acknowledged messages."""
    replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    store_key: str = ""
    """Reference to a key under which the embedded one encrypts its disk; empty: not encrypted."""

    @property
    def max_store_bytes(self) -> int:
        return int(self.max_store_gib * 1024**3)

    @property
    def is_embedded(self) -> bool:
        return self.mode == "embedded"


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Web chat, webhooks, health and metrics."""

    host: str = "127.0.0.1"
    port: Port = 8480
    public_url: str = ""
    """How browsers reach it, as `https://chat.example`; empty: the address it listens on."""


class Desk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How agents work."""

    dispositions: tuple[str, ...] = ("solved", "answered", "passed on", "no answer needed", "spam")
    """What a case is closed as, the usual one first."""
    offer_timeout_s: Seconds = 20
    """How long an offer rings before the next agent is asked."""
    silent_grace_s: Annotated[int, Meta(ge=0)] = 300
    """After which the unanswered conversations of a vanished terminal go back to their queue; 0 = never."""


class Queue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of waiting cases."""

    name: str
    title: str = ""
    """For people; empty: the name."""
    reply_within_s: Seconds | None = None
    """Target for a first and every further answer; a channel may have its own."""
    target: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """Share of answers that should be in time."""

    @property
    def shown(self) -> str:
        return self.title or self.name


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One configured connection."""

    name: str
    kind: str
    """A file in broker_bridge/channels/."""
    queue: str
    reply_within_s: Seconds | None = None
    is_enabled: bool = True
    settings: dict[str, Any] = {}
    """The kind's own; see `channel_settings`."""


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
