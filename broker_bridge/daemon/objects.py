"""Attachments by digest: whole files in chunks, compatible with the broker's own object stores.

Law: a name is the SHA-256 of the bytes, so putting twice does nothing, and what is read is checked against its name. The description is
written last: a file whose chunks were only half stored does not exist.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from broker_bridge.daemon.pull import read_all
from broker_bridge.daemon.wire import NO_STREAM_CODE, Outgoing, Rejected, Wire, api, last_message

CHUNK_BYTES = 128 * 1024
MAX_OBJECT_BYTES = 25 * 1024 * 1024
SEAL_BYTES = 64
"""What sealing may add."""
WINDOW = 8
"""Chunks on their way at once."""


class Damaged(Exception):
    """What was read is not what its name says."""


def digest_name(data: bytes) -> str:
    """The name under which `data` is kept: its SHA-256, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


async def put(wire: Wire, bucket: str, name: str, data: bytes | Sequence[bytes], *, is_sealed: bool = False) -> None:
    """Keep `data` (at most 25 MiB and a little) under its digest `name`; sealed, the name is the digest of what is inside.

    Raises:
        ValueError: too large, or the name is not the digest.
        BusError: not stored, or unknown; putting again is safe.
    """
    whole = data if isinstance(data, bytes) else b"".join(data)
    if len(whole) > MAX_OBJECT_BYTES + SEAL_BYTES * is_sealed:
        raise ValueError(f"{len(whole)} bytes are more than an attachment may have ({MAX_OBJECT_BYTES})")
    if not is_sealed and digest_name(whole) != name:
        raise ValueError("the name of an object is the SHA-256 of its bytes")
    if await _described(wire, bucket, name) is not None:
        return
    nuid = wire.new_name("o")

    async def store(chunk: bytes) -> None:
        await wire.publish(Outgoing(f"$O.{bucket}.C.{nuid}", chunk), 10.0)

    # In order: the server stores in the order of arrival, and the connection keeps the order in which they are sent.
    chunks = [whole[start : start + CHUNK_BYTES] for start in range(0, len(whole), CHUNK_BYTES)]
    for start in range(0, len(chunks), WINDOW):
        await asyncio.gather(*(store(chunk) for chunk in chunks[start : start + WINDOW]))
    description = {
        "name": name,
        "bucket": bucket,
        "nuid": nuid,
        "size": len(whole),
        "chunks": len(chunks),
        "digest": "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(whole).digest()).decode(),
        "mtime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "options": {"max_chunk_size": CHUNK_BYTES},
    }
    await _describe(wire, bucket, name, description)


async def get(wire: Wire, bucket: str, name: str, *, is_sealed: bool = False) -> bytes | None:
    """The bytes kept under `name`; None if there are none. Sealed ones are checked by whoever opens them.

    Raises:
        Damaged: they are not what the name says.
    """
    description = await _described(wire, bucket, name)
    if description is None:
        return None
    items = []
    if description["chunks"]:
        items = await read_all(wire, f"OBJ_{bucket}", f"$O.{bucket}.C.{description['nuid']}", batch=16, timeout_s=30.0)
    whole = b"".join(item.body for item in items)
    if not is_sealed and digest_name(whole) != name:
        raise Damaged(f"object {name} has {len(whole)} bytes that do not match its digest")
    return whole


async def delete(wire: Wire, bucket: str, name: str) -> None:
    """Drop the bytes and leave a note that the name is deleted; nothing happens if there are none."""
    description = await _described(wire, bucket, name)
    if description is None:
        return
    await _describe(wire, bucket, name, {**description, "deleted": True, "size": 0, "chunks": 0, "digest": ""})
    await api(wire, f"STREAM.PURGE.OBJ_{bucket}", {"filter": f"$O.{bucket}.C.{description['nuid']}"})


async def ensure(wire: Wire, bucket: str, *, replicas: int, max_bytes: int) -> None:
    """Make the store if it is not there."""
    try:
        await api(wire, f"STREAM.INFO.OBJ_{bucket}")
    except Rejected as error:
        if error.code != NO_STREAM_CODE:
            raise
        await api(wire, f"STREAM.CREATE.OBJ_{bucket}", store_config(bucket, replicas, max_bytes))


def store_config(bucket: str, replicas: int, max_bytes: int) -> dict[str, Any]:
    """The stream behind a store, as the JetStream API wants it."""
    return {
        "name": f"OBJ_{bucket}",
        "subjects": [f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"],
        "discard": "new",
        "storage": "file",
        "num_replicas": replicas,
        "max_bytes": max_bytes,
        "allow_rollup_hdrs": True,
        "allow_direct": False,
    }


async def _described(wire: Wire, bucket: str, name: str) -> dict[str, Any] | None:
    found = await last_message(wire, f"OBJ_{bucket}", _meta_subject(bucket, name))
    if found is None:
        return None
    description: dict[str, Any] = msgspec.json.decode(found[1], type=dict[str, Any])
    return None if description.get("deleted") else description


async def _describe(wire: Wire, bucket: str, name: str, description: dict[str, Any]) -> None:
    body = msgspec.json.encode(description)
    await wire.publish(Outgoing(_meta_subject(bucket, name), body, {"Nats-Rollup": "sub"}))


def _meta_subject(bucket: str, name: str) -> str:
    return f"$O.{bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"
