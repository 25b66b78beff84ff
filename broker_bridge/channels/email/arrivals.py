"""One received mail from bytes to the bridge's disk, whichever way it came.

Law: `take` returns when the item is on disk, or raises and nothing may be acknowledged. The source is stored before its
meaning, so that a row always leads to its source; what cannot be read is a row too.
"""

import asyncio
import logging
from collections import Counter

from broker_bridge.channel import Site
from broker_bridge.channels.email import meaning, mime
from broker_bridge.channels.email.mail import Attachment, Mail, Unreadable
from broker_bridge.channels.email.meaning import Ours
from broker_bridge.contract.envelopes import Envelope, Item
from broker_bridge.contract.words import File

KIND = "email"
SMALL_BYTES = 32 * 1024
"""Below this a mail is parsed at once; a larger one would hold up everything else, so it goes to a thread."""
_BUGS = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
NOT_UNDERSTOOD = "The mail was read, but its meaning could not be made out."

log = logging.getLogger("broker_bridge.channels.email")


class Arrivals:
    """Where all mails of one channel go in."""

    def __init__(self, channel: str, site: Site, ours: Ours) -> None:
        self._channel = channel
        self._site = site
        self._ours = ours
        self.counts: Counter[str] = Counter()
        """`stored`, `duplicate`, `unreadable` since the start."""

    async def parse(self, raw: bytes) -> Mail | Unreadable:
        if len(raw) <= SMALL_BYTES:
            return mime.parse(raw)
        return await asyncio.to_thread(mime.parse, raw)

    async def take(self, raw: bytes, native: str, seen: Mail | Unreadable | None = None) -> bool:
        """Store one mail; False: it had been stored before. `seen`: its parse, where that was made already.

        Raises:
            SiteFull, SiteUnavailable: not stored for certain; to be repeated with the same `native`.
        """
        digest = await self._site.put_object(raw)
        return await self._store(await self._meaning(raw, digest, seen or await self.parse(raw)), native)

    async def take_too_large(self, header: bytes, size_bytes: int, limit_bytes: int, native: str) -> bool:
        """A mail that is over the limit, by its header alone. Raises as `take`."""
        digest = await self._site.put_object(header)
        seen = mime.parse(header)
        reason = (
            f"The mail has {size_bytes / 2**20:.1f} MiB; the limit is {limit_bytes // 2**20} MiB. "
            "Only its header was fetched; the mail itself is in the mailbox."
        )
        subject = seen.subject
        row = Unreadable(reason=reason, digest=digest, size_bytes=size_bytes, from_=seen.from_, subject=subject)
        self.counts["unreadable"] += 1
        return await self._store(meaning.unreadable(row, digest, size_bytes), native)

    async def take_withheld(self, uid: int, native: str) -> bool:
        """A mail that its server lists and does not give. Raises as `take`."""
        note = f"The mail server lists mail {uid} of the folder and gives no source of it.\n".encode()
        digest = await self._site.put_object(note)
        reason = f"The mail server lists this mail (number {uid}) but does not give it. Look into the mailbox."
        row = Unreadable(reason=reason, digest=digest, size_bytes=0)
        self.counts["unreadable"] += 1
        return await self._store(meaning.unreadable(row, digest, 0), native)

    async def _meaning(self, raw: bytes, digest: str, seen: Mail | Unreadable) -> Item:
        if isinstance(seen, Mail):
            files = tuple([await self._file(one) for one in seen.attachments[: meaning.MAX_FILES]])
            try:
                return meaning.item(seen, files, digest, self._ours)
            except _BUGS as error:
                # The name of the error only: its text and its frames may hold what a customer wrote.
                log.error("a mail was not understood bytes=%d error=%s", len(raw), type(error).__name__)
                seen = Unreadable(reason=NOT_UNDERSTOOD, digest=digest, size_bytes=len(raw), from_=seen.from_)
        self.counts["unreadable"] += 1
        return meaning.unreadable(seen, digest, len(raw))

    async def _file(self, one: Attachment) -> File:
        digest = await self._site.put_object(one.data)
        return File(
            digest=digest,
            name=meaning.clean(one.name),
            media_type=meaning.clean(one.media_type)[:200],
            size_bytes=one.size_bytes,
            is_inline=one.inline,
        )

    async def _store(self, item: Item, native: str) -> bool:
        envelope = Envelope(native=native, kind=KIND, channel=self._channel, received_ms=self._site.now_ms(), item=item)
        is_new = await self._site.intake(envelope)
        self.counts["stored" if is_new else "duplicate"] += 1
        return is_new
