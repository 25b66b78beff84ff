"""The streams, consumers, buckets and the object store of a bridge: made if absent, checked if present.

Law: a stream that exists with a setting under which messages could be lost, overwritten or acknowledged too early is refused with a
sentence that names stream and setting; what only adds (a larger limit, a longer window, more replicas, atomic batches) is updated.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from broker_bridge.contract import subjects
from broker_bridge.daemon import objects
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.wire import NO_STREAM_CODE, Rejected, Wire, api

log = logging.getLogger(__name__)

PARTITIONS = 16
ACK_WAIT_S = 30.0
MAX_ACK_PENDING = 2048
"""Messages of one partition that may be worked on at once; a pull never asks for more than its batch."""
FILES = "files"
ALARM_SHARE = 0.80
REFUSE_SHARE = 0.95
MAX_BATCH_INFLIGHT = 50

_NS = 1_000_000_000
_SHARES = {
    subjects.IN: 0.20,
    subjects.LOG: 0.40,
    subjects.CONTEXT: 0.10,
    subjects.DEAD: 0.05,
    subjects.AUDIT: 0.05,
    FILES: 0.15,
}
"""Parts of the disk; what is left is for buckets."""
_WINDOWS_S = {
    subjects.IN: 600.0,
    subjects.LOG: 120.0,
    subjects.CONTEXT: 120.0,
    subjects.DEAD: 120.0,
    subjects.AUDIT: 120.0,
}
"""How long a stream remembers message ids: 240 bytes of memory each, so minutes. The long memory is the fold."""
_FILTERS = {
    subjects.IN: "cc.in.>",
    subjects.LOG: "cc.log.>",
    subjects.CONTEXT: "cc.ctx.>",
    subjects.DEAD: "cc.dead.>",
    subjects.AUDIT: "cc.audit.>",
}
_BUCKETS_TTL_S: dict[str, float | None] = {
    "leases": 30.0,
    "home": None,
    "presence": 120.0,
    "drafts": 30 * 86400.0,
    "keys": None,
}
_FIXED: dict[str, Any] = {
    "retention": "limits",
    "storage": "file",
    "discard": "new",
    "max_age": 0,
    "max_msgs": -1,
    "max_msgs_per_subject": -1,
    "no_ack": False,
    "sealed": False,
    "persist_mode": "default",
    "mirror": None,
    "sources": None,
    "deny_purge": False,
}
"""What must be as it is here; a value that the server leaves out counts as equal."""
_WHY = {
    "retention": "messages would vanish when a consumer acknowledges them",
    "storage": "messages would not survive a restart",
    "discard": "a full stream would drop its oldest messages instead of refusing new ones",
    "max_age": "messages would vanish with age",
    "max_msgs": "the stream would be full by count",
    "max_msgs_per_subject": "facts of one conversation would be refused or dropped",
    "no_ack": "nothing would be acknowledged",
    "sealed": "nothing can be written",
    "persist_mode": "messages would be acknowledged before they are on disk",
    "mirror": "a mirror cannot be written to",
    "sources": "messages from elsewhere would mix in",
    "deny_purge": "the janitor could not make room",
    "subjects": "messages would go elsewhere or nowhere",
    "num_replicas": "fewer copies than exist now",
    "max_bytes": "the stream would be full at once",
}


class Unfit(Exception):
    """A stream exists with a setting that the bridge cannot work with; the text names both."""


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """What the configuration says about the streams."""

    replicas: int = 1
    total_bytes: int = 20 * 1024**3
    """Disk for everything; each stream takes its share. At most the broker's `max_file`."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a stream is."""

    stream: str
    used_bytes: int
    max_bytes: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.used_bytes / self.max_bytes if self.max_bytes > 0 else 0.0

    @property
    def is_alarming(self) -> bool:
        return self.share >= ALARM_SHARE

    @property
    def is_refusing(self) -> bool:
        """True when new inbound and commands are to be refused; results of sends are still taken."""
        return self.share >= REFUSE_SHARE


def durable(partition: int) -> str:
    """The consumer of one partition of IN."""
    return f"in-{partition:02}"


def stream_configs(settings: StreamSettings) -> list[dict[str, Any]]:
    """The five streams, as the JetStream API wants them (times in ns)."""
    return [
        {
            "name": name,
            "subjects": [subject],
            "retention": "limits",
            "storage": "file",
            "discard": "new",
            "num_replicas": settings.replicas,
            "max_bytes": int(settings.total_bytes * _SHARES[name]),
            "duplicate_window": int(_WINDOWS_S[name] * _NS),
            "allow_atomic": True,
            "allow_direct": False,
        }
        for name, subject in _FILTERS.items()
    ]


async def ensure(wire: Wire, settings: StreamSettings) -> list[str]:
    """Make or check everything; gives what was made or changed, one line each.

    Raises:
        Unfit: a stream is there with a dangerous setting.
        BusError: the broker does not answer, or has no room.
    """
    done: list[str] = []
    for config in stream_configs(settings):
        done += await _ensure_stream(wire, config)
    await asyncio.gather(*(_ensure_consumer(wire, partition) for partition in range(PARTITIONS)))
    await asyncio.gather(
        *(
            Kv.open(wire, bucket, ttl_s=ttl_s, history=1, replicas=settings.replicas)
            for bucket, ttl_s in _BUCKETS_TTL_S.items()
        )
    )
    await objects.ensure(wire, FILES, replicas=settings.replicas, max_bytes=int(settings.total_bytes * _SHARES[FILES]))
    for line in done:
        log.info("stream", extra={"change": line})
    return done


async def fill_levels(wire: Wire) -> list[Fill]:
    """How full each stream and the object store is."""
    levels = []
    for stream in (*_FILTERS, f"OBJ_{FILES}"):
        info = await api(wire, f"STREAM.INFO.{stream}")
        levels.append(Fill(stream, int(info["state"]["bytes"]), int(info["config"]["max_bytes"])))
    return levels


async def ack_floors(wire: Wire) -> dict[int, int]:
    """By partition, the sequence of IN up to which everything in it is done."""
    _, head = await _bounds(wire, subjects.IN)
    floors = {}
    for partition in range(PARTITIONS):
        info = await api(wire, f"CONSUMER.INFO.{subjects.IN}.{durable(partition)}")
        is_done = not info.get("num_pending") and not info.get("num_ack_pending")
        # The floor of a partition stands at its own last message; with nothing left to do it is not in the way.
        floors[partition] = head if is_done else int(info["ack_floor"]["stream_seq"])
    return floors


async def ack_floor(wire: Wire) -> int:
    """The sequence of IN up to which every partition is done: what lies below may be purged."""
    return min((await ack_floors(wire)).values())


async def _bounds(wire: Wire, stream: str) -> tuple[int, int]:
    state = (await api(wire, f"STREAM.INFO.{stream}"))["state"]
    return int(state["first_seq"]), int(state["last_seq"])


async def _ensure_stream(wire: Wire, wanted: dict[str, Any]) -> list[str]:
    name = wanted["name"]
    try:
        info = await api(wire, f"STREAM.INFO.{name}")
    except Rejected as error:
        if error.code != NO_STREAM_CODE:
            raise
        await api(wire, f"STREAM.CREATE.{name}", wanted, 15.0)
        return [f"{name} made"]
    current = info["config"]
    _refuse_dangers(name, current, wanted, int(info["state"]["bytes"]))
    changes = _additions(current, wanted)
    if not changes:
        return []
    await api(wire, f"STREAM.UPDATE.{name}", {**current, **changes}, 15.0)
    return [f"{name}: {setting} is now {value}" for setting, value in changes.items()]


def _refuse_dangers(name: str, current: dict[str, Any], wanted: dict[str, Any], used_bytes: int) -> None:
    for setting, right in _FIXED.items():
        value = current.get(setting, right)
        if value != right and not (not value and not right):
            raise Unfit(_sentence(name, setting, value, right))
    if current.get("subjects") != wanted["subjects"]:
        raise Unfit(_sentence(name, "subjects", current.get("subjects"), wanted["subjects"]))
    if int(current.get("num_replicas", 1)) > wanted["num_replicas"]:
        raise Unfit(_sentence(name, "num_replicas", current["num_replicas"], wanted["num_replicas"]))
    if current.get("max_bytes") != wanted["max_bytes"] and used_bytes >= wanted["max_bytes"]:
        raise Unfit(_sentence(name, "max_bytes", f"{used_bytes} used", wanted["max_bytes"]))


def _sentence(name: str, setting: str, value: object, right: object) -> str:
    return (
        f"stream {name} has {setting} = {value!r} where the bridge needs {right!r} ({_WHY[setting]}); "
        f"correct the stream or the configuration"
    )


def _additions(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    settings = ("num_replicas", "max_bytes", "duplicate_window", "allow_atomic", "allow_direct")
    return {name: wanted[name] for name in settings if current.get(name, False) != wanted[name]}


async def _ensure_consumer(wire: Wire, partition: int) -> None:
    name, subject = durable(partition), subjects.inbound_filter(partition)
    request = {
        "stream_name": subjects.IN,
        "config": {
            "durable_name": name,
            "name": name,
            "filter_subject": subject,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": int(ACK_WAIT_S * _NS),
            "max_ack_pending": MAX_ACK_PENDING,
            "max_deliver": -1,
            "replay_policy": "instant",
        },
    }
    await api(wire, f"CONSUMER.CREATE.{subjects.IN}.{name}.{subject}", request)
