"""Buckets of keys: leases, homes, presence, drafts, data keys. Compatible with the broker's own key-value buckets.

Law: everything is read from the leader (direct reads were stale on three replicas). A delete or expiry marker is no value, but its
revision counts: `create` over a marker is an update of the marker. A watch is a hint that repairs itself: after every reconnect it lists
the bucket anew and reports what changed or vanished meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Self

from broker_bridge.daemon.pull import create_reader, read_all
from broker_bridge.daemon.tap import Item, Tap
from broker_bridge.daemon.wire import (
    NO_STREAM_CODE,
    Entry,
    LostRace,
    Outgoing,
    Rejected,
    Unknown,
    Wire,
    api,
    last_message,
)

MARKER_S = 60.0
"""How long the marker of an expired key stays for watchers to see."""
_EXPECT = "Nats-Expected-Last-Subject-Sequence"


class Kv:
    """One bucket. Keys are made of letters, digits, `-`, `_`, `=`, `/` and dots between parts."""

    def __init__(self, wire: Wire, bucket: str) -> None:
        self._wire = wire
        self._stream = f"KV_{bucket}"
        self._prefix = f"$KV.{bucket}."

    @classmethod
    async def open(cls, wire: Wire, bucket: str, *, ttl_s: float | None, history: int, replicas: int) -> Self:
        """Open the bucket, making it if it is not there."""
        try:
            await api(wire, f"STREAM.INFO.KV_{bucket}")
        except Rejected as error:
            if error.code != NO_STREAM_CODE:
                raise
            await api(wire, f"STREAM.CREATE.KV_{bucket}", bucket_config(bucket, ttl_s, history, replicas))
        return cls(wire, bucket)

    async def entry(self, key: str) -> Entry:
        """The key as it stands; revision 0 if it never was, value None if it is deleted or expired."""
        found = await last_message(self._wire, self._stream, self._prefix + key)
        if found is None:
            return Entry(key, None, 0)
        revision, body, headers = found
        return Entry(key, None if is_marker(headers) else body, revision)

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Value and revision; None if there is no value (see `entry` for the revision of a marker)."""
        entry = await self.entry(key)
        return None if entry.value is None else (entry.value, entry.revision)

    async def put(self, key: str, value: bytes) -> int:
        """Write without asking what is there; gives the revision."""
        return (await self._wire.publish(Outgoing(self._prefix + key, value))).seq

    async def create(self, key: str, value: bytes) -> int:
        """Write if there is no value; gives the revision.

        Raises:
            LostRace: there is a value.
        """
        try:
            return await self.update(key, value, 0)
        except LostRace:
            entry = await self.entry(key)
            if entry.value is not None or entry.revision == 0:
                raise
        return await self.update(key, value, entry.revision)

    async def create_all(self, values: Mapping[str, bytes]) -> None:
        """Write keys that never were, up to 1,000 of them, all or none, in one sync.

        Raises:
            LostRace: one of them is or was there.
            Rejected: the bucket was made without atomic batches.
        """
        await self._wire.publish_batch(
            [Outgoing(self._prefix + key, value, {_EXPECT: "0"}) for key, value in values.items()]
        )

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Write if `revision` is still the last one; gives the new revision.

        Raises:
            LostRace: it is not.
        """
        return (await self._wire.publish(Outgoing(self._prefix + key, value, {_EXPECT: str(revision)}))).seq

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Delete; with a revision, only if it is still the last one.

        Raises:
            LostRace: it is not.
        """
        headers = {"KV-Operation": "DEL"}
        if revision is not None:
            headers[_EXPECT] = str(revision)
        await self._wire.publish(Outgoing(self._prefix + key, b"", headers))

    async def entries(self, prefix: str = "") -> list[Entry]:
        """All keys with a value, below `prefix` (whole parts: `"node."`), each as it stands."""
        latest: dict[str, Entry] = {}
        for item in await read_all(self._wire, self._stream, f"{self._prefix}{prefix}>", batch=1000):
            entry = self._entry(item)
            latest[entry.key] = entry
        return [entry for entry in latest.values() if entry.value is not None]

    async def keys(self, prefix: str = "") -> list[str]:
        """All keys with a value, below `prefix`."""
        return [entry.key for entry in await self.entries(prefix)]

    def watch(self, prefix: str = "") -> Watch:
        """Follow the keys below `prefix`: first all that there are, then every change."""
        return Watch(self._wire, self._stream, f"{self._prefix}{prefix}>", self._entry)

    def _entry(self, item: Item) -> Entry:
        value = None if is_marker(item.headers) else item.body
        return Entry(item.subject[len(self._prefix) :], value, item.seq)


class Watch:
    """Changes of keys, `async for entry in watch`; a deleted, expired or vanished key comes with value None."""

    def __init__(self, wire: Wire, stream: str, subject: str, to_entry: Callable[[Item], Entry]) -> None:
        self._wire = wire
        self._stream = stream
        self._subject = subject
        self._to_entry = to_entry
        self._known: dict[str, int] = {}
        self._unlisted: set[str] = set()
        self._to_list = 0
        self._ready: deque[Entry] = deque()
        self._last_consumer_seq = 0
        self._tap = Tap(wire, stream, self._prepare, batch=1000, keep_queued=False, accept=self._accept)

    async def listed(self, timeout_s: float = 10.0) -> list[Entry]:
        """The first listing: every key with a value. Call it before iterating, which then gives the changes.

        Raises:
            Rejected: no such bucket.
            Unknown: the broker does not answer.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._tap.started(timeout_s)
                while self._to_list:
                    await self._advance()
        except TimeoutError as error:
            raise Unknown(f"{self._stream} was not listed within {timeout_s:g} s") from error
        entries = {entry.key: entry for entry in self._ready}
        self._ready.clear()
        return [entry for entry in entries.values() if entry.value is not None]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        while not self._ready:
            await self._advance()
            if self._tap.is_closed:
                raise StopAsyncIteration
        return self._ready.popleft()

    async def _advance(self) -> None:
        for item in await self._tap.some(1000):
            self._take(self._to_entry(item))

    async def close(self) -> None:
        await self._tap.close()

    def _take(self, entry: Entry) -> None:
        is_news = self._known.get(entry.key) != entry.revision
        self._unlisted.discard(entry.key)
        if entry.value is None:
            is_news = self._known.pop(entry.key, None) is not None
        else:
            self._known[entry.key] = entry.revision
        if is_news:
            self._ready.append(entry)
        if self._to_list:
            self._to_list -= 1
            if not self._to_list:
                self._report_vanished()

    def _report_vanished(self) -> None:
        for key in self._unlisted:
            del self._known[key]
            self._ready.append(Entry(key, None, 0))
        self._unlisted.clear()

    def _accept(self, item: Item) -> bool:
        if item.consumer_seq != self._last_consumer_seq + 1:
            return False
        self._last_consumer_seq = item.consumer_seq
        return True

    async def _prepare(self) -> str:
        self._last_consumer_seq = 0
        name = self._wire.new_name("w")
        config: dict[str, Any] = {"deliver_policy": "last_per_subject", "filter_subject": self._subject}
        told = await create_reader(self._wire, self._stream, name, config)
        self._unlisted = set(self._known)
        self._to_list = int(told.get("num_pending", 0))
        if not self._to_list:
            self._report_vanished()
            self._tap.wake()
        return name


def is_marker(headers: dict[str, str]) -> bool:
    """True for a delete, a purge, or what the server leaves behind when a key expires."""
    return "KV-Operation" in headers or "Nats-Marker-Reason" in headers


def bucket_config(bucket: str, ttl_s: float | None, history: int, replicas: int) -> dict[str, Any]:
    """The stream behind a bucket, as the JetStream API wants it (times in ns)."""
    config: dict[str, Any] = {
        "name": f"KV_{bucket}",
        "subjects": [f"$KV.{bucket}.>"],
        "max_msgs_per_subject": history,
        "discard": "new",
        "storage": "file",
        "num_replicas": replicas,
        "deny_delete": True,
        "allow_rollup_hdrs": True,
        "allow_atomic": True,
        "allow_direct": False,
        "duplicate_window": int(min(ttl_s or 120.0, 120.0) * 1e9),
    }
    if ttl_s is not None:
        config["max_age"] = int(ttl_s * 1e9)
        config["allow_msg_ttl"] = True
        config["subject_delete_marker_ttl"] = int(max(1.0, min(ttl_s, MARKER_S)) * 1e9)
    return config
