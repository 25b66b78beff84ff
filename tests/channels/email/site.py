"""What the bridge gives to a mail channel, in memory: stores once by native id, keeps objects and the cursor."""

import hashlib

from broker_bridge.channel import SiteFull, SiteUnavailable, Transcript
from broker_bridge.contract.envelopes import Envelope, Receipt, Said, Unreadable

NOW_MS = 1_795_000_000_000


class SiteInMemory:
    """A `channel.Site`. `trouble` is raised by intake; `lost_answers` stores and then says that it does not know."""

    def __init__(self) -> None:
        self.envelopes: dict[str, Envelope] = {}
        self.deliveries: list[str] = []
        """Every native id that intake saw, also again."""
        self.objects: dict[str, bytes] = {}
        self.state: bytes | None = None
        self.states: list[bytes] = []
        self.trouble: SiteFull | SiteUnavailable | None = None
        self.lost_answers = 0
        self.now = NOW_MS

    @property
    def items(self) -> list[Said | Receipt | Unreadable]:
        return [one.item for one in self.envelopes.values()]

    @property
    def said(self) -> list[Said]:
        return [one for one in self.items if isinstance(one, Said)]

    @property
    def subjects(self) -> list[str]:
        return [one.words.subject for one in self.items]

    async def intake(self, envelope: Envelope) -> bool:
        self.deliveries.append(envelope.native)
        if self.trouble is not None:
            raise self.trouble
        is_new = envelope.native not in self.envelopes
        self.envelopes.setdefault(envelope.native, envelope)
        if self.lost_answers:
            self.lost_answers -= 1
            raise SiteUnavailable("the answer was lost")
        return is_new

    async def put_object(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.objects[digest] = data
        return digest

    async def get_object(self, digest: str) -> bytes | None:
        return self.objects.get(digest)

    async def transcript(self, channel: str, scope: str, address: str, after_seq: int) -> list[Transcript]:
        return []

    async def typing(self, kind: str, scope: str, address: str, on: bool) -> None:
        raise AssertionError("mail has no typing")

    async def read_up_to(self, channel: str, scope: str, address: str, seq: int) -> None:
        raise AssertionError("mail has no watermark")

    async def tell_all(self, channel: str, body: bytes) -> None:
        raise AssertionError("nothing is told between bridges")

    async def load_state(self, channel: str) -> bytes | None:
        return self.state

    async def save_state(self, channel: str, state: bytes) -> None:
        self.state = state
        self.states.append(state)

    def now_ms(self) -> int:
        return self.now

    def secret(self, reference: str) -> str:
        if reference != "env:MAIL":
            raise LookupError(f"no secret {reference}")
        return "secret"

    def site_key(self, purpose: str) -> bytes:
        return hashlib.sha256(purpose.encode()).digest()
