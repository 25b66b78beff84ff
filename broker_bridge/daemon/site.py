"""What the daemon gives to its channels: the Protocol `channel.Site`, over this bridge.

Law: nothing that a channel hears is acknowledged before it is on disk, and a channel sees only what its own handles said and were told.
"""

from __future__ import annotations

from collections.abc import Callable

from broker_bridge.channel import SiteFull, SiteUnavailable, Transcript
from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Envelope
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.views import Item
from broker_bridge.contract.words import File
from broker_bridge.daemon.attention import CUSTOMER, Word
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.files import Files
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.logwriter import Blocked, LogWriter, Overloaded
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import derive
from broker_bridge.daemon.secrets import Secrets
from broker_bridge.daemon.states import CONV, HAND, States
from broker_bridge.daemon.wire import BusError, StoreFull

MOST_TRANSCRIPT = 500
UNREAD = ("sent", "delivered", "sending")


class Site:
    """One for all channels of a bridge."""

    def __init__(
        self,
        *,
        bus: Bus,
        intake: Intake,
        files: Files,
        cursors: Kv,
        model: ReadModel,
        states: States,
        writer: LogWriter,
        secrets: Secrets,
        site_key: bytes,
        handle_key: bytes,
        words: dict[str, str],
        kinds: dict[str, str],
        now_ms: Callable[[], int],
    ) -> None:
        """`words`: channel kind to word; `kinds`: channel name to kind."""
        self._bus = bus
        self._intake = intake
        self._files = files
        self._cursors = cursors
        self._model = model
        self._states = states
        self._writer = writer
        self._secrets = secrets
        self._site_key = site_key
        self._handle_key = handle_key
        self._words = words
        self._kinds = kinds
        self._now_ms = now_ms

    async def intake(self, envelope: Envelope) -> bool:
        return await self._intake.store(envelope)

    async def put_object(self, data: bytes) -> str:
        try:
            return await self._files.put(data)
        except StoreFull as error:
            raise SiteFull("the store for files is full") from error
        except BusError as error:
            raise SiteUnavailable("the file was not stored for certain") from error

    async def get_object(self, digest: str) -> bytes | None:
        try:
            return await self._files.get(digest)
        except BusError as error:
            raise SiteUnavailable("the store for files does not answer") from error

    def _handle(self, channel: str, scope: str, address: str) -> str:
        return ids.handle_id(self._handle_key, self._kinds[channel], scope, address)

    async def transcript(self, channel: str, scope: str, address: str, after_seq: int) -> list[Transcript]:
        word = self._words[self._kinds[channel]]
        hand = self._states.cell(HAND, self._handle(channel, scope, address)).state
        found: list[Item] = []
        for conversation in hand.recent:
            found.extend(
                item
                for item in self._lines_of(conversation, after_seq)
                if item.channel == word
                and (item.kind == "colleague" or (item.kind == "them" and item.address == address))
            )
        found.sort(key=lambda item: item.seq)
        return [self._line(item) for item in found[-MOST_TRANSCRIPT:]]

    def _lines_of(self, conversation: str, after_seq: int) -> list[Item]:
        """What is newer than a sequence; from the beginning, only the newest."""
        if after_seq:
            return self._model.items_after(conversation, after_seq, MOST_TRANSCRIPT)
        return self._model.items(conversation, None, MOST_TRANSCRIPT)

    def _line(self, item: Item) -> Transcript:
        named = self._model.hinted("client", item.id) if item.kind == "them" else []
        return Transcript(
            seq=item.seq,
            id=item.id,
            is_theirs=item.kind == "them",
            name="" if item.is_automatic else item.name,
            text=item.text,
            at_ms=item.at_ms,
            files=tuple(
                File(digest=one.digest, name=one.name, media_type=one.media_type, size_bytes=one.size_bytes)
                for one in item.files
            ),
            client_id=named[0][1] if named else "",
        )

    async def typing(self, kind: str, scope: str, address: str, on: bool) -> None:
        handle = ids.handle_id(self._handle_key, kind, scope, address)
        conversation = self._states.cell(HAND, handle).state.conversation
        if conversation:
            word = Word(conversation=conversation, who=CUSTOMER, what="typing", on=on)
            await self._bus.tell(subjects.signal("typing", "0"), codec.encode(word))

    async def read_up_to(self, channel: str, scope: str, address: str, seq: int) -> None:
        word = self._words[self._kinds[channel]]
        hand = self._states.cell(HAND, self._handle(channel, scope, address)).state
        for conversation in hand.recent[-2:]:
            unread = [
                item.id
                for item in self._model.items(conversation, seq + 1, 50)
                if item.kind == "colleague" and item.channel == word and item.delivery in UNREAD
            ]
            if unread:
                await self._mark_read(conversation, unread)

    async def _mark_read(self, conversation: str, messages: list[str]) -> None:
        async with self._writer.hold((CONV, conversation)) as cells:

            def decision() -> tuple[dict[int, tuple[Entry, str]], None]:
                state = cells[0].state
                facts = tuple(f.Read(message=one) for one in messages if state.delivery_of(one) in UNREAD)
                if not facts:
                    return {}, None
                return {0: (Entry(at_ms=self._now_ms(), by="clerk", facts=facts), state.customer)}, None

            try:
                await self._writer.decide(cells, "", decision)
            except (Overloaded, Blocked, BusError) as error:
                raise SiteUnavailable("the receipt was not stored") from error

    async def tell_all(self, channel: str, body: bytes) -> None:
        await self._bus.tell(subjects.signal("channel", channel), body)

    async def load_state(self, channel: str) -> bytes | None:
        try:
            found = await self._cursors.get(f"cursor.{channel}")
        except BusError as error:
            raise SiteUnavailable("the cursor could not be read") from error
        return found[0] if found else None

    async def save_state(self, channel: str, state: bytes) -> None:
        try:
            await self._cursors.put(f"cursor.{channel}", state)
        except BusError as error:
            raise SiteUnavailable("the cursor was not stored for certain") from error

    def now_ms(self) -> int:
        return self._now_ms()

    def secret(self, reference: str) -> str:
        return self._secrets.get(reference)

    def site_key(self, purpose: str) -> bytes:
        return derive(self._site_key, f"channel {purpose}")
