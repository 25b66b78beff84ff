"""The words between the bridge and its broker: messages, answers, errors, and what the parts of the bus ask of the connection.

Law: no library of the broker is imported here; `bus.py` alone speaks it. Errors of JetStream are told apart by their
number (`err_code`), never by their text: the text changes between versions. Numbers read from nats-server 2.15.1.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import msgspec

BATCH_S = 4.0
"""How long an atomic batch is waited for: what was in flight when a leader of three died is not answered, and looked for after this (a
replacement takes 4 to 6 s). Waiting 10 s kept a cluster's bridge back for as long (measured: up to 10.4 s against 5.5 to 9.4).
"""
LOST_RACE_CODES = frozenset({10071, 10164})
SEEN_BEFORE_CODE = 10201
BUSY_CODE = 10210
FULL_CODES = frozenset({10023, 10047, 10077})
"""Resources of the server, of the account, and of the stream itself (its max_bytes, or the disk's own refusal)."""
AWAY_CODES = frozenset({10008, 10009, 10039, 10065, 10074})
"""JetStream is there but cannot say yes or no now: no leader, starting, disabled for a moment."""
NO_MESSAGE_CODE = 10037
NO_STREAM_CODE = 10059
NO_CONSUMER_CODE = 10014


@dataclass(frozen=True, slots=True)
class Stored:
    """JetStream holds the message, synced to disk."""

    seq: int
    """Sequence in the stream; for a batch, of its last member (members are contiguous)."""
    duplicate: bool
    """True if an earlier message had the same id: `seq` is then the earlier one's."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to be appended to a stream, on one exact subject."""

    subject: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a bucket. `value` is None for a delete or expiry marker, whose revision still counts."""

    key: str
    value: bytes | None
    revision: int


class BusError(Exception):
    """Something the broker did not do."""


class LostRace(BusError):
    """Another writer appended first (10071, with replicas 10164). Fold again, decide again."""


class SeenBefore(BusError):
    """A batch held an id that the stream has seen (10201): nothing of it was stored. Publish its members one by one."""


class StoreFull(BusError):
    """The stream or the disk is full: nothing was stored."""


class Unknown(BusError):
    """Timeout or lost connection: the message may or may not be stored. Repeat with the same id only."""


class Unavailable(Unknown):
    """Not sent at all: no connection, or nobody answers on the subject. Nothing was stored."""


class Busy(BusError):
    """Too many open batches (10210): nothing was stored. Wait and repeat."""


class TooLarge(BusError):
    """The message is larger than the broker takes; it was not sent."""


class Refused(BusError):
    """The broker knows the caller and says no: bad credentials, no permission."""


class Rejected(BusError):
    """JetStream answered with an error that has no family of its own; `code` is its err_code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code


class Arrived(Protocol):
    """A message as it came from the connection."""

    subject: str
    reply: str
    data: bytes
    headers: dict[str, str] | None


OnArrival = Callable[[Arrived], None]


class Closable(Protocol):
    async def close(self) -> None: ...


class Wire(Protocol):
    """What the parts of the bus need from the connection."""

    inbox: str
    """This connection's own inbox subject; replies and pulled messages come below it."""

    @property
    def connected(self) -> bool: ...

    async def send(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None: ...

    async def call(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> Arrived: ...

    async def attach(self, subject: str, on_arrival: OnArrival, queue: str = "") -> Closable: ...

    def on_reconnect(self, callback: Callable[[], None]) -> Callable[[], None]: ...

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored: ...

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = BATCH_S) -> Stored: ...

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> Closable: ...

    def new_name(self, prefix: str) -> str: ...


class _Fault(msgspec.Struct, frozen=True, kw_only=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct, frozen=True, kw_only=True):
    seq: int = 0
    duplicate: bool = False
    error: _Fault | None = None


_acks = msgspec.json.Decoder(_Ack)


def raise_fault(code: int, text: str) -> NoReturn:
    """Turn a JetStream error number into one of the exceptions above."""
    if code in LOST_RACE_CODES:
        raise LostRace(text)
    if code == SEEN_BEFORE_CODE:
        raise SeenBefore(text)
    if code == BUSY_CODE:
        raise Busy(text)
    if code in FULL_CODES:
        raise StoreFull(text)
    if code in AWAY_CODES:
        raise Unknown(f"{text} ({code})")
    raise Rejected(code, text)


def stored(body: bytes) -> Stored:
    """Read a PubAck.

    Raises:
        BusError: the answer is an error.
        Unknown: the answer is no PubAck at all.
    """
    try:
        ack = _acks.decode(body)
    except msgspec.DecodeError as error:
        raise Unknown(f"the broker's answer is no acknowledgment: {error}") from error
    if ack.error is not None:
        raise_fault(ack.error.err_code, ack.error.description)
    return Stored(ack.seq, ack.duplicate)


async def api(
    wire: Wire, verb: str, request: Mapping[str, Any] | None = None, timeout_s: float = 5.0
) -> dict[str, Any]:
    """One call of the JetStream API, e.g. `api(wire, "STREAM.INFO.LOG")`; gives its JSON answer.

    Raises:
        Rejected: with the err_code of the answer; LostRace, StoreFull, Busy, Unknown where they apply.
    """
    body = msgspec.json.encode(request) if request is not None else b""
    answer = await wire.call(f"$JS.API.{verb}", body, timeout_s=timeout_s)
    try:
        told: dict[str, Any] = msgspec.json.decode(answer.data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unknown(f"the broker's answer to {verb} cannot be read: {error}") from error
    fault = told.get("error")
    if fault:
        raise_fault(int(fault.get("err_code", 0)), str(fault.get("description", "")))
    return told


async def last_message(wire: Wire, stream: str, subject: str) -> tuple[int, bytes, dict[str, str]] | None:
    """Sequence, body and headers of the last message on an exact subject, read from the stream's leader.

    Direct reads are not used: on three replicas 25 of 6,000 were stale.
    """
    try:
        found = await api(wire, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    except Rejected as error:
        if error.code == NO_MESSAGE_CODE:
            return None
        raise
    message = found["message"]
    body = base64.b64decode(message.get("data") or "")
    return int(message["seq"]), body, _headers(base64.b64decode(message.get("hdrs") or ""))


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return headers
