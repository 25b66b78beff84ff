"""What agents were writing, kept in the broker: the terminal may die, the machine may change, the words stay.

Law: sealed under a key of the site; one draft for each agent and conversation; the newer one wins, also against a bridge that was frozen
while it kept an older one: nothing is written but over what was read, and what was dropped leaves an empty draft behind, with its moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from broker_bridge.contract import codec
from broker_bridge.contract.views import DraftView
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.wire import BusError, LostRace

KEY = "drafts"
TRIES = 8
_sealed = msgspec.json.Decoder(Sealed)
_draft = msgspec.json.Decoder(DraftView)

Make = Callable[[DraftView | None], DraftView | None]
"""What is kept -> what shall be kept instead; None: it stays as it is."""


class Bucket(Protocol):
    async def get(self, key: str) -> tuple[bytes, int] | None: ...

    async def create(self, key: str, value: bytes) -> int: ...

    async def update(self, key: str, value: bytes, revision: int) -> int: ...


class Drafts:
    def __init__(self, bucket: Bucket, sealer: Sealer) -> None:
        self._bucket = bucket
        self._sealer = sealer

    async def load(self, agent: str, conversation: str) -> DraftView | None:
        """None: there is none, or it cannot be had now (the terminal has its own)."""
        try:
            return await self._kept(agent, conversation)
        except BusError:
            return None

    async def _kept(self, agent: str, conversation: str) -> DraftView | None:
        """Raises BusError."""
        found = await self._bucket.get(f"{agent}.{conversation}")
        kept = await self._opened(found[0]) if found is not None else None
        return kept if kept is not None and kept.text else None

    async def keep(
        self, agent: str, conversation: str, text: str, mode: str, at_ms: int, now_ms: int | None = None
    ) -> None:
        """An empty text drops it; what is older than what is kept changes nothing. Raises BusError.

        Args:
            at_ms: when it was written, by the terminal's clock.
            now_ms: by ours: what claims to be of later is of now, lest it shuts out the drafts of another terminal, but never older
                than what it takes the place of; our clock may be behind that of the bridge which kept this.
        """

        def newer(kept: DraftView | None) -> DraftView | None:
            kept_ms = kept.at_ms if kept is not None else 0
            if kept_ms > at_ms or (not text and (kept is None or not kept.text)):
                return None
            as_of_ms = at_ms if now_ms is None else min(at_ms, max(now_ms, kept_ms))
            return DraftView(text=text, mode=_mode(mode), at_ms=as_of_ms)

        await self._change(agent, conversation, newer)

    async def said(self, agent: str, conversation: str, text: str) -> None:
        """What was drafted has been said. A draft of other words stays: a repeated command may come after it. Raises BusError."""

        def without(kept: DraftView | None) -> DraftView | None:
            if kept is None or not kept.text or not text.strip().startswith(kept.text.strip()):
                return None
            return msgspec.structs.replace(kept, text="")

        await self._change(agent, conversation, without)

    async def follow(self, agent: str, source: str, target: str) -> None:
        """The case goes on in another one, and what was being written with it: behind what is being written there. Raises BusError."""
        going = await self._kept(agent, source)
        if going is None:
            return

        def both(there: DraftView | None) -> DraftView | None:
            if there is None or not there.text:
                return going
            if going.text in there.text:
                # A repeated command: it came along the first time.
                return None
            text = f"{there.text}\n\n{going.text}"
            return DraftView(text=text, mode=there.mode, at_ms=max(there.at_ms, going.at_ms))

        await self._change(agent, target, both)

    async def _change(self, agent: str, conversation: str, make: Make) -> None:
        """Read, decide, write over what was read; again if somebody was faster. Raises BusError."""
        key = f"{agent}.{conversation}"
        for _ in range(TRIES):
            found = await self._bucket.get(key)
            draft = make(await self._opened(found[0]) if found is not None else None)
            if draft is None:
                return
            sealed = codec.encode(await self._sealer.seal(Words(text=codec.encode(draft).decode()), KEY))
            with contextlib.suppress(LostRace):
                if found is None:
                    await self._bucket.create(key, sealed)
                else:
                    await self._bucket.update(key, sealed, found[1])
                return
        raise LostRace(f"{TRIES} races for a draft were lost in a row")

    async def _opened(self, value: bytes) -> DraftView | None:
        """None: it cannot be read any more, and whatever comes may take its place. Raises BusError."""
        try:
            words = await self._sealer.open(_sealed.decode(value))
            return None if words.is_erased else _draft.decode(words.text.encode())
        except msgspec.DecodeError:
            return None


def _mode(mode: str) -> str:
    return "note" if mode == "note" else "reply"
