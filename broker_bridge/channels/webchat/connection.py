"""Web chat as a channel: the desk of its sockets over what the bridge gives (`Site`), and the way back to the browsers.

The law: a visitor's address is the session id, in the scope of this channel; a message's native id is `session:client id`,
so what a browser sends again is stored once. A reply is told to every bridge, since any of them may hold the visitor's
sockets; one who is away finds it in the transcript.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence

import msgspec
from starlette.routing import BaseRoute

from broker_bridge.channel import Capabilities, Outbound, SendFailure, Site, SiteFull, SiteUnavailable, Transcript
from broker_bridge.channels.webchat.desk import Full, StoredFile, Unavailable
from broker_bridge.channels.webchat.frames import MAX_TEXT_CHARS, FileLink, OutMessage
from broker_bridge.channels.webchat.settings import ChatSettings
from broker_bridge.channels.webchat.sockets import Sockets
from broker_bridge.contract.envelopes import Envelope, Said
from broker_bridge.contract.words import Address, File, Words

KIND = "webchat"
CAPABILITIES = Capabilities(
    word="chat",
    max_chars=MAX_TEXT_CHARS,
    has_address=False,  # a session id says nothing to an agent
    has_typing=True,
    has_receipts=True,
    idempotent_send=True,  # browsers know a message again by its id
    send_timeout_s=10.0,
    reply_within_s=120,
)

log = logging.getLogger("broker_bridge.channels.webchat")


class Pushed(msgspec.Struct, frozen=True, kw_only=True, tag="pushed"):
    """To every bridge: show this message."""

    session: str
    message: OutMessage


class Typed(msgspec.Struct, frozen=True, kw_only=True, tag="typed"):
    """To every bridge: an agent types, or stopped."""

    session: str
    name: str
    on: bool


_heard = msgspec.json.Decoder(Pushed | Typed)


class SiteDesk:
    """The sockets' `Desk`, over the bridge."""

    def __init__(self, channel: str, site: Site) -> None:
        self._channel = channel
        self._site = site

    async def intake(
        self,
        session: str,
        client_id: str,
        text: str,
        name: str,
        page: str,
        files: Sequence[StoredFile],
        at_ms: int,
    ) -> None:
        """A visitor who gives no name gets a short one: nobody can read 32 digits in a list."""
        kept = tuple(_file(file) for file in files)
        shown = name or f"Visitor {hashlib.sha256(session.encode()).hexdigest()[:4]}"
        words = Words(text=text, name=shown, address=session, files=kept, client_id=client_id, page=page)
        item = Said(sender=Address(address=session, name=shown), scope=self._channel, words=words)
        native = f"{session}:{client_id}"
        envelope = Envelope(native=native, kind=KIND, channel=self._channel, received_ms=at_ms, item=item)
        try:
            await self._site.intake(envelope)
        except SiteFull:
            raise Full from None
        except SiteUnavailable:
            raise Unavailable from None

    async def history(self, session: str, after_seq: int) -> Sequence[OutMessage]:
        return [_message(line) for line in await self._transcript(session, after_seq)]

    async def typing(self, session: str, on: bool) -> None:
        try:
            await self._site.typing(KIND, self._channel, session, on)
        except SiteUnavailable:
            raise Unavailable from None

    async def seen(self, session: str, seq: int) -> None:
        try:
            await self._site.read_up_to(self._channel, self._channel, session, seq)
        except SiteUnavailable:
            raise Unavailable from None

    async def store_file(self, data: bytes, name: str, media_type: str) -> StoredFile:
        try:
            digest = await self._site.put_object(data)
        except SiteFull:
            raise Full from None
        except SiteUnavailable:
            raise Unavailable from None
        return StoredFile(digest=digest, name=name, media_type=media_type, size_bytes=len(data))

    async def load_file(self, session: str, digest: str) -> tuple[bytes, str, str] | None:
        lines = await self._transcript(session, 0)
        found = next((file for line in lines for file in line.files if file.digest == digest), None)
        if found is None:
            return None
        try:
            data = await self._site.get_object(digest)
        except SiteUnavailable:
            raise Unavailable from None
        return (data, found.name, found.media_type) if data is not None else None

    async def _transcript(self, session: str, after_seq: int) -> list[Transcript]:
        try:
            return await self._site.transcript(self._channel, self._channel, session, after_seq)
        except SiteUnavailable:
            raise Unavailable from None


class WebChat:
    """One configured web chat: a `Channel`."""

    def __init__(self, name: str, settings: ChatSettings, site: Site, monotonic_s: Callable[[], float]) -> None:
        self.name = name
        self._site = site
        self._settings = settings
        keys = [site.site_key("webchat sessions")]
        self.sockets = Sockets(SiteDesk(name, site), settings, keys, now_ms=site.now_ms, monotonic_s=monotonic_s)

    async def listen(self, ready: Callable[[], None]) -> None:
        """Browsers come by the routes; there is nothing else to hear."""
        ready()
        await asyncio.Event().wait()

    async def send(self, out: Outbound) -> str:
        """Tell every bridge; whoever has the visitor's tabs shows it, else history will."""
        links = tuple(_link(file) for file in out.files)
        message = OutMessage(
            seq=out.seq, id=out.message, sender="agent", name=out.from_name, text=out.text, at_ms=out.at_ms, files=links
        )
        try:
            await self._site.tell_all(self.name, msgspec.json.encode(Pushed(session=out.address, message=message)))
        except SiteUnavailable:
            raise SendFailure("unreachable", "The bridge has lost its broker; the message goes out after.") from None
        return ""

    async def show_typing(self, address: str, name: str, on: bool) -> None:
        """A hint; a lost one is followed by the next."""
        await self._site.tell_all(self.name, msgspec.json.encode(Typed(session=address, name=name, on=on)))

    def heard(self, body: bytes) -> None:
        """Show what some bridge told, in the tabs that are open here."""
        try:
            word = _heard.decode(body)
        except msgspec.DecodeError:
            return log.warning("word of another bridge not understood bytes=%d", len(body))
        if isinstance(word, Pushed):
            self.sockets.push(word.session, word.message)
        else:
            self.sockets.push_typing(word.session, word.name, word.on)
        return None

    async def check(self) -> list[str]:
        """What an operator should know before customers do."""
        plain = [origin for origin in self._settings.origins if origin.startswith("http://")]
        return [f"The site {origin} is not encrypted: what visitors write can be read on the way." for origin in plain]

    def routes(self) -> list[BaseRoute]:
        """The page, the script, the socket, files."""
        return self.sockets.routes()


def _file(file: StoredFile) -> File:
    return File(digest=file.digest, name=file.name, media_type=file.media_type, size_bytes=file.size_bytes)


def _link(file: File) -> FileLink:
    return FileLink(digest=file.digest, name=file.name, media_type=file.media_type, size_bytes=file.size_bytes)


def _message(line: Transcript) -> OutMessage:
    return OutMessage(
        seq=line.seq,
        id=line.client_id if line.is_theirs and line.client_id else line.id,
        sender="you" if line.is_theirs else "agent",
        name=line.name,
        text=line.text,
        at_ms=line.at_ms,
        files=tuple(_link(file) for file in line.files),
    )
