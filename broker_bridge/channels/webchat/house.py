"""What all sockets and uploads of one web chat share: settings, clock, signer, limits, upload passes, the desk."""

import secrets
from collections.abc import Callable

import msgspec

from broker_bridge.channels.webchat.desk import Desk, StoredFile
from broker_bridge.channels.webchat.sessions import Buckets, Seats, Signer
from broker_bridge.channels.webchat.settings import ChatSettings

PASS_S = 600


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """The right to upload one file."""

    session: str
    nonce: str
    until_ms: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The proof that a file was uploaded in a session. Signed, so it survives a restart of the bridge."""

    session: str
    file: StoredFile


class Passes:
    """One-time upload tokens, and receipts for what was uploaded."""

    def __init__(self, signer: Signer, now_ms: Callable[[], int]) -> None:
        self._signer = signer
        self._now_ms = now_ms
        self._used: dict[str, int] = {}

    def grant(self, session: str) -> str:
        """A token for one upload within ten minutes."""
        until_ms = self._now_ms() + PASS_S * 1000
        ticket = Pass(session=session, nonce=secrets.token_hex(8), until_ms=until_ms)
        return self._signer.sign("upload", msgspec.json.encode(ticket))

    def use(self, token: str) -> str | None:
        """The session that `token` was granted to, once; None if it is forged, too old or used."""
        body = self._signer.open("upload", token)
        now_ms = self._now_ms()
        if body is None:
            return None
        ticket = msgspec.json.decode(body, type=Pass)
        if ticket.until_ms < now_ms or ticket.nonce in self._used:
            return None
        self._used = {nonce: until for nonce, until in self._used.items() if until >= now_ms}
        self._used[ticket.nonce] = ticket.until_ms
        return ticket.session

    def receipt(self, session: str, file: StoredFile) -> str:
        """What the browser shows to send the uploaded `file` as a message."""
        return self._signer.sign("file", msgspec.json.encode(Receipt(session=session, file=file)))

    def file_of(self, token: str, session: str) -> StoredFile | None:
        """The file of a receipt, if it was made here for this session."""
        body = self._signer.open("file", token)
        if body is None:
            return None
        receipt = msgspec.json.decode(body, type=Receipt)
        return receipt.file if receipt.session == session else None


class House:
    """Built once; owns no I/O of its own."""

    def __init__(
        self,
        desk: Desk,
        settings: ChatSettings,
        signer: Signer,
        now_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        self.desk = desk
        self.settings = settings
        self.signer = signer
        self.now_ms = now_ms
        self.monotonic_s = monotonic_s
        self.passes = Passes(signer, now_ms)
        self.seats = Seats(per_address=settings.sockets_per_address, total=settings.sockets_total)
        self.opens = self._buckets(settings.opens_per_s, settings.opens_burst)
        self.says = self._buckets(settings.says_per_s, settings.says_burst)
        self.address_says = self._buckets(settings.address_says_per_s, settings.address_says_burst)
        self.signs = self._buckets(settings.signs_per_s, settings.signs_burst)

    def _buckets(self, per_s: float, burst: int) -> Buckets:
        return Buckets(per_s=per_s, burst=burst, monotonic_s=self.monotonic_s)
