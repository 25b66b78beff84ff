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


class DispositionWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a case ended as, with what must be filled in."""

    name: str
    fields: tuple[str, ...] = ()


class CostWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one conversation takes of an agent."""

    units: int
    idle_counts: bool = True
    """Whether one that waits for its customer takes them too."""


class Desk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How agents work."""

    dispositions: tuple[str | DispositionWords, ...] = ("solved", "answered", "passed on", "no answer needed", "spam")
    """What a case is closed as, the usual one first."""
    offer_timeout_s: Seconds = 20
    """How long an offer rings before the next agent is asked, where the queue says nothing else."""
    silent_grace_s: Annotated[int, Meta(ge=0)] = 300
    """After which the unanswered conversations of a vanished terminal go back to their queue; 0 = never."""
    offers: bool = True
    """False: nobody is offered anything; agents take from the queue themselves."""
    costs: dict[str, int | CostWords] = {}
    """By channel kind; an agent has 100 units unless their own block says otherwise."""
    reasons: tuple[str, ...] = ("break", "lunch", "training", "meeting")
    """Of being away, the usual one first."""
    skills: tuple[str, ...] = ()
    """Every skill that there is."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the dispositions."""
        return tuple(one if isinstance(one, str) else one.name for one in self.dispositions)


class QueueTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is promised; times as `15m`, `1h30m`, or seconds."""

    priority: int = 0
    """1 (first) to 9; 0 = every one that has no target of its own."""
    first_reply: str | int = ""
    next_reply: str | int = ""
    resolution: str | int = ""


class QueueStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to whoever waits too long: exactly one of the three."""

    after_s: int
    widen: int = 0
    queue: str = ""
    alarm: str = ""


class Queue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of waiting cases."""

    name: str
    title: str = ""
    """For people; empty: the name."""
    reply_within_s: Seconds | None = None
    """Target for a first and every further answer; a channel may have its own."""
    target: Annotated[float, Meta(ge=0, le=1)] | tuple[QueueTarget, ...] = ()
    """As a number the same as `service_level`; as tables what is promised, by priority."""
    service_level: float | None = None
    """Share of answers that should be in time."""
    priority: int = 5
    mode: str = "evenly"
    """`evenly`, `in_order` or `everybody`."""
    order: tuple[str, ...] = ()
    """Agents, for `in_order`."""
    needs: tuple[str, ...] = ()
    """Skills, as `swedish 3`; without a level 1."""
    hours: dict[str, Any] = {}
    """`zone`, and by day (`mon`, `mon-fri`) as `08:00-12:00, 13:00-18:00`; empty: always open."""
    holidays: tuple[str, ...] = ()
    """iCalendar files, relative to this file."""
    overflow: tuple[QueueStep, ...] = ()
    affinity_s: int = 30
    responsible_first: bool = True
    offer_s: int | None = None
    """None: the desk's `offer_timeout_s`."""
    auto_accept: tuple[str, ...] = ()
    """Channel kinds."""
    pauses: tuple[str, ...] = ("waiting", "snoozed")
    warn_share: float = 0.25
    wrap_up: str = "optional"
    """`none`, `optional`, `mandatory` or `timed`."""
    wrap_up_s: int = 60
    dispositions: tuple[str | DispositionWords, ...] = ()
    """Empty: the desk's."""
    default_disposition: str = ""
    away_reply: str = ""

    @property
    def shown(self) -> str:
        return self.title or self.name

    @property
    def share(self) -> float:
        """Share of answers that should be in time."""
        if self.service_level is not None:
            return self.service_level
        return float(self.target) if isinstance(self.target, (int, float)) else 0.8


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One colleague. Without a key: as `broker-bridge agent add` let them in."""

    id: str
    name: str = ""
    role: Literal["agent", "supervisor", "admin"] = "agent"
    queues: tuple[str, ...] = ()
    """Empty = every queue."""
    skills: tuple[str, ...] = ()
    """As `swedish 4`; without a level 1."""
    units: int = 100
    """Cost units at once."""
    shift: dict[str, str] = {}
    """When they work, in the words of a queue's `hours`; empty: whenever they are ready."""
    public_key: Annotated[str, Meta(pattern="^(U[A-Z2-7]{55})?$")] = ""
    """Of a pair whose seed only the agent has; empty: the one that is known already."""


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
