"""Sealing: words, names and addresses under data keys, one key a customer, one key a day for what is not yet anybody's.

Law: AES-256-GCM with a fresh 96-bit nonce for each box; data keys lie in the KV bucket `keys`, wrapped under the site key, and are
opened only here. A key that is gone (the person was erased) opens as `Words(is_erased=True)`, never as an error. Files are sealed under a
key derived from the site key, because they are kept once for everybody who sent the same bytes; erasing drops the object.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker_bridge.contract import codec
from broker_bridge.contract.facts import AnyFact, Entry
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.daemon.wire import LostRace

CACHED_KEYS = 20_000
NONCE_BYTES = 12
ERASED = Words(is_erased=True)


class KeyBucket(Protocol):
    """What is needed of the KV bucket of keys."""

    async def get(self, key: str) -> tuple[bytes, int] | None: ...

    async def create(self, key: str, value: bytes) -> int: ...

    async def delete(self, key: str, revision: int | None = None) -> None: ...


def derive(site_key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose from the site's key (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(site_key)


class Sealer:
    """Seals and opens. `key` must have been awaited before the words of its name can be sealed."""

    def __init__(self, site_key: bytes, bucket: KeyBucket) -> None:
        """`site_key`: 32 secret bytes, the same on every bridge of a site."""
        self._wrap = AESGCM(derive(site_key, "data keys"))
        self._files = AESGCM(derive(site_key, "files"))
        self._bucket = bucket
        self._keys: OrderedDict[str, AESGCM | None] = OrderedDict()

    async def key(self, name: str, *, create: bool = False) -> AESGCM | None:
        """The data key of a customer or a day; None if it does not exist (any more)."""
        if name in self._keys and (self._keys[name] is not None or not create):
            self._keys.move_to_end(name)
            return self._keys[name]
        found = await self._bucket.get(name)
        if found is None and create:
            fresh = AESGCM.generate_key(256)
            nonce = os.urandom(NONCE_BYTES)
            try:
                await self._bucket.create(name, nonce + self._wrap.encrypt(nonce, fresh, name.encode()))
                return self._keep(name, AESGCM(fresh))
            except LostRace:
                found = await self._bucket.get(name)
        if found is None:
            return self._keep(name, None)
        value = found[0]
        try:
            plain = self._wrap.decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], name.encode())
        except InvalidTag as error:
            raise ValueError(
                "the site key does not open the data keys: it is not the key this site began with"
            ) from error
        return self._keep(name, AESGCM(plain))

    def _keep(self, name: str, key: AESGCM | None) -> AESGCM | None:
        self._keys[name] = key
        if len(self._keys) > CACHED_KEYS:
            self._keys.popitem(last=False)
        return key

    async def destroy(self, name: str) -> None:
        """Erase: the words under this key are gone for good."""
        await self._bucket.delete(name)
        self._keep(name, None)

    def forget(self, name: str) -> None:
        """Another bridge destroyed the key."""
        self._keys.pop(name, None)

    async def seal(self, words: Words, name: str) -> Sealed:
        """`words` under the data key `name`, which is made if there is none."""
        key = await self.key(name, create=True)
        assert key is not None
        return _seal(words, name, key)

    async def open(self, private: Words | Sealed | None) -> Words:
        """The words; `Words(is_erased=True)` without a key or with a box that was tampered with."""
        if not isinstance(private, Sealed):
            return private or Words()
        return _open(private, await self.key(private.key))

    async def seal_entry(self, entry: Entry, name: str) -> Entry:
        """The entry as it may be written: every `words` sealed."""
        key: AESGCM | None = None
        sealed: list[AnyFact] = []
        for fact in entry.facts:
            words = getattr(fact, "words", None)
            if isinstance(words, Words):
                key = key or await self.key(name, create=True)
                assert key is not None
                fact = msgspec.structs.replace(fact, words=_seal(words, name, key))
            sealed.append(fact)
        return msgspec.structs.replace(entry, facts=tuple(sealed)) if key else entry

    async def open_entry(self, entry: Entry) -> Entry:
        """The entry as the fold wants it: every `words` open, or erased."""
        found: list[AnyFact] = []
        is_changed = False
        for fact in entry.facts:
            private = getattr(fact, "words", None)
            if isinstance(private, Sealed):
                is_changed = True
                fact = msgspec.structs.replace(fact, words=_open(private, await self.key(private.key)))
            found.append(fact)
        return msgspec.structs.replace(entry, facts=tuple(found)) if is_changed else entry

    def seal_file(self, data: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._files.encrypt(nonce, data, None)

    def open_file(self, box: bytes) -> bytes:
        """Raises ValueError: it was not sealed here, or was damaged."""
        try:
            return self._files.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], None)
        except InvalidTag as error:
            raise ValueError("the file was not sealed with this site's key, or was damaged") from error


def _seal(words: Words, name: str, key: AESGCM) -> Sealed:
    nonce = os.urandom(NONCE_BYTES)
    return Sealed(key=name, box=nonce + key.encrypt(nonce, codec.encode(words), name.encode()))


def _open(sealed: Sealed, key: AESGCM | None) -> Words:
    if key is None:
        return ERASED
    try:
        plain = key.decrypt(sealed.box[:NONCE_BYTES], sealed.box[NONCE_BYTES:], sealed.key.encode())
        return codec.words(plain)
    except (InvalidTag, codec.Malformed):
        return ERASED
