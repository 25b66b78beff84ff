"""What the bridge gives to a channel, in lists: stores once per native id, tells itself what it tells all."""

import hashlib
from collections.abc import Callable

import msgspec

from broker_bridge.channel import SiteFull, SiteUnavailable, Transcript
from broker_bridge.contract.envelopes import Envelope, Said


class SiteInMemory:
    """A `channel.Site`; `heard` is where `tell_all` arrives."""

    def __init__(self) -> None:
        self.envelopes: dict[str, Envelope] = {}
        self.lines: dict[tuple[str, str, str], list[Transcript]] = {}
        self.objects: dict[str, bytes] = {}
        self.typed: list[tuple[str, str, str, bool]] = []
        self.read: list[tuple[str, str, str, int]] = []
        self.heard: list[Callable[[bytes], None]] = []
        self.trouble: SiteFull | SiteUnavailable | None = None

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def intake(self, envelope: Envelope) -> bool:
        self._check()
        if envelope.native in self.envelopes:
            return False
        self.envelopes[envelope.native] = envelope
        item = envelope.item
        assert isinstance(item, Said) and isinstance(item.words, msgspec.Struct)
        lines = self.lines.setdefault((envelope.channel, item.scope, item.sender.address), [])
        number = len(self.envelopes)
        lines.append(
            Transcript(
                seq=number,
                id=f"fact-{number}",
                is_theirs=True,
                name=item.sender.name,
                text=item.words.text,
                at_ms=envelope.received_ms,
                files=item.words.files,
                client_id=item.words.client_id,
            )
        )
        return True

    async def put_object(self, data: bytes) -> str:
        self._check()
        digest = hashlib.sha256(data).hexdigest()
        self.objects[digest] = data
        return digest

    async def get_object(self, digest: str) -> bytes | None:
        self._check()
        return self.objects.get(digest)

    async def transcript(self, channel: str, scope: str, address: str, after_seq: int) -> list[Transcript]:
        self._check()
        return [line for line in self.lines.get((channel, scope, address), []) if line.seq > after_seq]

    async def typing(self, kind: str, scope: str, address: str, on: bool) -> None:
        self.typed.append((kind, scope, address, on))

    async def read_up_to(self, channel: str, scope: str, address: str, seq: int) -> None:
        self.read.append((channel, scope, address, seq))

    async def tell_all(self, channel: str, body: bytes) -> None:
        self._check()
        assert len(body) <= 60_000
        for heard in self.heard:
            heard(body)

    async def load_state(self, channel: str) -> bytes | None:
        return None

    async def save_state(self, channel: str, state: bytes) -> None:
        raise AssertionError("a web chat keeps no cursor")

    def now_ms(self) -> int:
        return 1_790_000_000_000

    def secret(self, reference: str) -> str:
        raise LookupError(reference)

    def site_key(self, purpose: str) -> bytes:
        return hashlib.sha256(purpose.encode()).digest()
