"""What agents were writing, kept in the broker: the terminal may die, the machine may change, the words stay.

Law: sealed under a key of the site; one draft for each agent and conversation; the newer one wins.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from broker_bridge.contract import codec
from broker_bridge.contract.views import DraftView
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.wire import BusError

KEY = "drafts"
_sealed = msgspec.json.Decoder(Sealed)
_draft = msgspec.json.Decoder(DraftView)


class Bucket(Protocol):
    async def get(self, key: str) -> tuple[bytes, int] | None: ...

    async def put(self, key: str, value: bytes) -> int: ...

    async def delete(self, key: str, revision: int | None = None) -> None: ...


class Drafts:
    def __init__(self, bucket: Bucket, sealer: Sealer) -> None:
        self._bucket = bucket
        self._sealer = sealer

    async def load(self, agent: str, conversation: str) -> DraftView | None:
        """None: there is none, or it cannot be had now (the terminal has its own)."""
        try:
            found = await self._bucket.get(f"{agent}.{conversation}")
            if found is None:
                return None
            words = await self._sealer.open(_sealed.decode(found[0]))
            return None if words.is_erased else _draft.decode(words.text.encode())
        except (BusError, msgspec.DecodeError):
            return None

    async def keep(self, agent: str, conversation: str, text: str, mode: str, at_ms: int) -> None:
        """Raises BusError."""
        if not text:
            await self.drop(agent, conversation)
            return
        draft = DraftView(text=text, mode="note" if mode == "note" else "reply", at_ms=at_ms)
        sealed = await self._sealer.seal(Words(text=codec.encode(draft).decode()), KEY)
        await self._bucket.put(f"{agent}.{conversation}", codec.encode(sealed))

    async def said(self, agent: str, conversation: str, text: str) -> None:
        """What was drafted has been said. A draft of other words stays: a repeated command may come after it. Raises BusError."""
        draft = await self.load(agent, conversation)
        if draft is not None and text.strip().startswith(draft.text.strip()):
            await self.drop(agent, conversation)

    async def follow(self, agent: str, source: str, target: str) -> None:
        """The case goes on in another one, and what was being written with it: behind what is being written there. Raises BusError."""
        going = await self.load(agent, source)
        if going is None:
            return
        there = await self.load(agent, target)
        if there is not None and going.text in there.text:
            # A repeated command: it came along the first time.
            return
        text = f"{there.text}\n\n{going.text}" if there is not None else going.text
        await self.keep(agent, target, text, there.mode if there is not None else going.mode, going.at_ms)

    async def drop(self, agent: str, conversation: str) -> None:
        """Raises BusError."""
        if await self._bucket.get(f"{agent}.{conversation}") is not None:
            await self._bucket.delete(f"{agent}.{conversation}")
