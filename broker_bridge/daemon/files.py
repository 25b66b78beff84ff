"""Attachments and raw sources, kept once under their digest, sealed on disk.

Law: a file's name is the SHA-256 of its bytes in the clear; it is checked on the way out.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import Protocol

from broker_bridge.daemon.seal import Sealer

BUCKET = "files"
_CACHE_BYTES = 64 * 1024 * 1024


class Objects(Protocol):
    async def put_object(self, bucket: str, name: str, data: bytes, *, is_sealed: bool = False) -> None: ...

    async def get_object(self, bucket: str, name: str, *, is_sealed: bool = False) -> bytes | None: ...


class Files:
    """Puts and gets, with the last few kept in memory: a terminal asks for a file part by part."""

    def __init__(self, bus: Objects, sealer: Sealer) -> None:
        self._bus = bus
        self._sealer = sealer
        self._recent: OrderedDict[str, bytes] = OrderedDict()

    async def put(self, data: bytes) -> str:
        """Keep the bytes; gives their digest when they are on disk.

        Raises:
            ValueError: more than 25 MiB. BusError: not stored, or unknown; putting again is safe.
        """
        name = hashlib.sha256(data).hexdigest()
        sealed = await asyncio.to_thread(self._sealer.seal_file, data)
        await self._bus.put_object(BUCKET, name, sealed, is_sealed=True)
        return name

    async def get(self, name: str) -> bytes | None:
        """The bytes; None if there are none (any more) or they are not what the name says. Raises BusError."""
        if name in self._recent:
            self._recent.move_to_end(name)
            return self._recent[name]
        box = await self._bus.get_object(BUCKET, name, is_sealed=True)
        if box is None:
            return None
        try:
            data = await asyncio.to_thread(self._sealer.open_file, box)
        except ValueError:
            return None
        if hashlib.sha256(data).hexdigest() != name:
            return None
        self._recent[name] = data
        while sum(map(len, self._recent.values())) > _CACHE_BYTES:
            self._recent.popitem(last=False)
        return data
