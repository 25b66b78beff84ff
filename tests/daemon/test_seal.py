"""Words under a key: opened by who has it, erased with it, never in the clear, and never under another name's key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import Sealed, Words, opened
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.wire import LostRace

KEY = bytes(range(32))


class Bucket:
    """A bucket of keys in memory."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.asked = 0

    async def get(self, key: str) -> tuple[bytes, int] | None:
        self.asked += 1
        await asyncio.sleep(0)
        return (self.values[key], 1) if key in self.values else None

    async def create(self, key: str, value: bytes) -> int:
        await asyncio.sleep(0)
        if key in self.values:
            raise LostRace(key)
        self.values[key] = value
        return 1

    async def create_all(self, values: Mapping[str, bytes]) -> None:
        if values.keys() & self.values.keys():
            raise LostRace("one is there")
        self.values.update(values)

    async def delete(self, key: str, revision: int | None = None) -> None:
        self.values.pop(key, None)


async def test_sealed_words_open_again_and_show_nothing_meanwhile() -> None:
    bucket = Bucket()
    sealed = await Sealer(KEY, bucket).seal(Words(text="a secret", address="anna@shop.example"), "c1")
    assert b"secret" not in codec.encode(sealed) and b"anna" not in codec.encode(sealed)
    assert (await Sealer(KEY, bucket).open(sealed)).text == "a secret"


async def test_two_bridges_that_need_a_new_key_at_once_agree_on_one() -> None:
    bucket = Bucket()
    one, two = Sealer(KEY, bucket), Sealer(KEY, bucket)
    sealed = await asyncio.gather(*(sealer.seal(Words(text="x"), "c1") for sealer in (one, two)))
    for words in sealed:
        assert (await Sealer(KEY, bucket).open(words)).text == "x"


async def test_without_its_key_a_fact_folds_as_erased() -> None:
    bucket = Bucket()
    sealer = Sealer(KEY, bucket)
    fact = f.Received(
        message="m", item="i", handle="h", channel="post", channel_kind="mail", words=Words(text="gone soon")
    )
    entry = await sealer.seal_entry(Entry(at_ms=1, by="clerk", facts=(fact,)), "c1")
    await sealer.destroy("c1")
    for reader in (sealer, Sealer(KEY, bucket)):
        (read,) = (await reader.open_entry(entry)).facts
        assert isinstance(read, f.Received) and opened(read.words).is_erased


async def test_words_moved_under_another_name_do_not_open() -> None:
    sealer = Sealer(KEY, Bucket())
    sealed = await sealer.seal(Words(text="hers"), "c1")
    await sealer.seal(Words(text="his"), "c2")
    assert isinstance(sealed, Sealed)
    assert (await sealer.open(Sealed(key="c2", box=sealed.box))).is_erased


async def test_a_damaged_box_is_erased_and_no_error() -> None:
    sealer = Sealer(KEY, Bucket())
    sealed = await sealer.seal(Words(text="whole"), "c1")
    for box in (b"", sealed.box[:5], sealed.box[:-1] + b"\0", b"\0" * 60):
        assert (await sealer.open(Sealed(key="c1", box=box))).is_erased


async def test_a_wrong_site_key_is_told_loudly() -> None:
    bucket = Bucket()
    sealed = await Sealer(KEY, bucket).seal(Words(text="x"), "c1")
    with pytest.raises(ValueError, match="site key"):
        await Sealer(bytes(32), bucket).open(sealed)


def test_keys_of_different_purposes_have_nothing_in_common() -> None:
    assert derive(KEY, "handles") != derive(KEY, "data keys") and len(derive(KEY, "x")) == 32
