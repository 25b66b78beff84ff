"""Sealing: words, names and addresses under data keys, one key a customer, one key a day for what is not yet anybody's.

Law: AES-256-GCM with a fresh 96-bit nonce for each box; data keys lie in the KV bucket `keys`, wrapped under the site key, and are
opened only here. A key that is gone (the person was erased) opens as `Words(is_erased=True)`, never as an error. Files are sealed under a
key derived from the site key, because they are kept once for everybody who sent the same bytes; erasing drops the object.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker_bridge.contract import codec
from broker_bridge.contract.facts import AnyFact, Entry
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.daemon.wire import BusError, LostRace, Rejected, Unknown

CACHED_KEYS = 20_000
KEYS_AT_ONCE = 256
NONCE_BYTES = 12
PROOF = "site"
"""A data key that seals nothing: it opens under the site's key alone."""
ERASED = Words(is_erased=True)


class KeyBucket(Protocol):
    """What is needed of the KV bucket of keys."""

    async def get(self, key: str) -> tuple[bytes, int] | None: ...

    async def create(self, key: str, value: bytes) -> int: ...

    async def create_all(self, values: Mapping[str, bytes]) -> None: ...

    async def delete(self, key: str, revision: int | None = None) -> None: ...


class WrongSiteKey(ValueError):
    """The key does not open what this site has sealed."""


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
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._fresh: deque[tuple[str, bytes, asyncio.Future[None]]] = deque()
        self._is_creating = False

    async def check(self) -> None:
        """Whether this is the key that the site began with.

        Raises:
            WrongSiteKey: it is not. BusError: nobody can say now.
        """
        await self.key(PROOF, create=True)

    async def key(self, name: str, *, create: bool = False) -> AESGCM | None:
        """The data key of a customer or a day; None if it does not exist (any more)."""
        known = self._keys.get(name)
        if known is not None or (not create and name in self._keys):
            self._keys.move_to_end(name)
            return known
        # After midnight a thousand items want the same new key: one of them asks, the others wait for its answer.
        async with self._asking.setdefault(name, asyncio.Lock()):
            if (known := self._keys.get(name)) is not None:
                return known
            return await self._ask(name, create)

    async def _ask(self, name: str, create: bool) -> AESGCM | None:
        found = await self._bucket.get(name)
        if found is None and create:
            fresh = AESGCM.generate_key(256)
            try:
                await self._bucket.create(name, self._wrapped(name, fresh))
                return self._keep(name, AESGCM(fresh))
            except LostRace:
                found = await self._bucket.get(name)
        if found is None:
            return self._keep(name, None)
        value = found[0]
        try:
            plain = self._wrap.decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], name.encode())
        except InvalidTag as error:
            raise WrongSiteKey(
                "the site key does not open the data keys: it is not the key this site began with"
            ) from error
        return self._keep(name, AESGCM(plain))

    def _wrapped(self, name: str, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._wrap.encrypt(nonce, key, name.encode())

    async def begin(self, name: str) -> None:
        """Make the key of a customer who is new; those that are wanted while a write is under way go together in the next.

        Raises:
            BusError: not confirmed; asking again is right.
        """
        if self._keys.get(name) is not None:
            return
        fresh = AESGCM.generate_key(256)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fresh.append((name, fresh, done))
        if not self._is_creating:
            self._is_creating = True
            try:
                while self._fresh:
                    await self._create_some([self._fresh.popleft() for _ in range(min(KEYS_AT_ONCE, len(self._fresh)))])
            finally:
                self._is_creating = False
                for _, _, waiting in self._fresh:
                    _end(waiting, Unknown("whoever wrote the keys was stopped"))
                self._fresh.clear()
        await done

    async def begin_all(self, names: Sequence[str]) -> None:
        """As `begin`, for at most 256 names that nobody else begins, in one write. Raises BusError."""
        loop = asyncio.get_running_loop()
        if names:
            await self._create_together([(name, AESGCM.generate_key(256), loop.create_future()) for name in names])

    async def _create_some(self, wanted: list[tuple[str, bytes, asyncio.Future[None]]]) -> None:
        try:
            await self._create_together(wanted)
        except BusError as error:
            for _, _, done in wanted:
                _end(done, error)
        except asyncio.CancelledError:
            for _, _, done in wanted:
                _end(done, Unknown("whoever wrote the keys was stopped"))
            raise

    async def _create_together(self, wanted: list[tuple[str, bytes, asyncio.Future[None]]]) -> None:
        values = {name: self._wrapped(name, key) for name, key, _ in wanted}
        if len(values) == len(wanted):
            with contextlib.suppress(LostRace, Rejected):
                await self._bucket.create_all(values)
                for name, key, done in wanted:
                    self._keep(name, AESGCM(key))
                    _end(done)
                return
        # One of them is there already (an append whose end was unknown), or the bucket takes no batches.
        for name, _, done in wanted:
            await self.key(name, create=True)
            _end(done)

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


def _end(done: asyncio.Future[None], error: BaseException | None = None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _seal(words: Words, name: str, key: AESGCM) -> Sealed:
    nonce = os.urandom(NONCE_BYTES)
    return Sealed(key=name, box=nonce + key.encrypt(nonce, codec.encode(words), name.encode()))


def _open(sealed: Sealed, key: AESGCM | None) -> Words:
    if key is None:
        return ERASED
    try:
        plain = key.decrypt(sealed.box[:NONCE_BYTES], sealed.box[NONCE_BYTES:], sealed.key.encode())
        return codec.words(plain)
    except (InvalidTag, ValueError, codec.Malformed):
        # ValueError: a box too short for its nonce.
        return ERASED
