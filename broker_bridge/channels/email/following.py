"""Following a mailbox: every mail exactly once into the bridge, across restarts, lost connections and renumbered folders.

Law: the cursor (UIDVALIDITY and the last UID) moves only after intake returned, and only forward; the unseen mark means nothing. A
native id is `imap:UIDVALIDITY:UID:account`. After a change of UIDVALIDITY the folder is read again from the oldest mail still
remembered, and mails whose content is remembered are passed over; what the server counts and what was taken is
compared every time and a difference is logged.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable

import msgspec

from broker_bridge.channel import Site
from broker_bridge.channels.email.arrivals import Arrivals
from broker_bridge.channels.email.imap import ImapRefused, Mailbox, Size
from broker_bridge.channels.email.mail import Mail
from broker_bridge.channels.email.settings import MAX_MAIL_BYTES, Imap

AT_ONCE = 50
"""Mails asked about in one command."""
REMEMBERED = 500
"""Mails known by content for the day that the folder is renumbered."""
DAY_S = 86_400

log = logging.getLogger("broker_bridge.channels.email")


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """A mail that lies in the bridge."""

    mark: str
    """16 hex characters of its content's digest."""
    at_s: int
    """When the mail server got it."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the folder was taken; the channel's state in the bridge."""

    account: str
    uid_validity: int
    uid: int
    taken: tuple[Taken, ...] = ()
    """The last ones, oldest first."""


_cursors = msgspec.json.Decoder(Cursor)


class Following:
    """The way in by IMAP of one channel."""

    def __init__(self, channel: str, settings: Imap, site: Site, arrivals: Arrivals) -> None:
        self._channel = channel
        self._settings = settings
        self._site = site
        self._arrivals = arrivals
        self._account = hashlib.sha256(f"{settings.user}\0{settings.folder}".encode()).hexdigest()[:8]
        self.counts: Counter[str] = Counter()
        """`listed` by the server, `taken`, `known` (passed over after a renumbering), `gone` (before they could be fetched)."""

    async def run(self, ready: Callable[[], None]) -> None:
        """Follow until cancelled. Raises ImapLost, ImapRefused, SiteFull, SiteUnavailable, LookupError: to be started again."""
        mailbox = await Mailbox.open(self._settings, self._site.secret(self._settings.secret))
        try:
            cursor, known, since_s = await self._resumed(mailbox)
            ready()
            while True:
                before = mailbox.news
                cursor = await self._catch_up(mailbox, cursor, known, since_s)
                known, since_s = frozenset(), 0
                if mailbox.news != before:
                    continue  # It told of something while it answered; that is not told again in IDLE.
                if mailbox.can_idle:
                    await mailbox.wait_for_news()
                else:
                    await asyncio.sleep(self._settings.poll_s)
        finally:
            await mailbox.close()

    async def _resumed(self, mailbox: Mailbox) -> tuple[Cursor, frozenset[str], int]:
        """Where to go on: the cursor, the marks of what need not be taken again, and the day to begin with (0: no limit)."""
        state = await self._site.load_state(self._channel)
        new = Cursor(account=self._account, uid_validity=mailbox.uid_validity, uid=0)
        if state is None:
            days = self._settings.first_days
            return new, frozenset(), self._site.now_ms() // 1000 - days * DAY_S if days else 0
        try:
            old = _cursors.decode(state)
        except msgspec.DecodeError as error:
            raise ImapRefused("The stored position in the mailbox cannot be read; it is not overwritten.") from error
        if (old.account, old.uid_validity) == (new.account, new.uid_validity):
            return old, frozenset(), 0
        since_s = min((one.at_s for one in old.taken if one.at_s), default=0)
        log.warning("mailbox was renumbered channel=%s remembered=%d", self._channel, len(old.taken))
        known = frozenset(one.mark for one in old.taken)
        # One day of room: servers compare SINCE by the date in their own zone.
        return msgspec.structs.replace(new, taken=old.taken), known, max(0, since_s - DAY_S)

    async def _catch_up(self, mailbox: Mailbox, cursor: Cursor, known: frozenset[str], since_s: int) -> Cursor:
        """Take everything that lies beyond the cursor; with `since_s` what is older is passed over."""
        uids = listed = await mailbox.uids_after(cursor.uid)
        if since_s:
            uids = await mailbox.uids_after(cursor.uid, since_s)
            if len(listed) > len(uids):
                log.info("older mails passed over channel=%s count=%d", self._channel, len(listed) - len(uids))
        self.counts["listed"] += len(uids)
        before = self._done()
        for start in range(0, len(uids), AT_ONCE):
            chunk = uids[start : start + AT_ONCE]
            sizes = await mailbox.sizes(chunk)
            for uid in chunk:
                cursor = await self._one(mailbox, cursor, uid, sizes.get(uid), known)
            await self._save(cursor)
        if since_s and listed and listed[-1] > cursor.uid:
            cursor = msgspec.structs.replace(cursor, uid=listed[-1])
            await self._save(cursor)
        if uids:
            done = self._done() - before
            told = log.info if done == len(uids) else log.error
            told("mailbox read channel=%s listed=%d done=%d", self._channel, len(uids), done)
        return cursor

    async def _one(
        self, mailbox: Mailbox, cursor: Cursor, uid: int, size: Size | None, known: frozenset[str]
    ) -> Cursor:
        """Take one mail; gives the cursor behind it."""
        behind = msgspec.structs.replace(cursor, uid=uid)
        native = f"imap:{cursor.uid_validity}:{uid}:{self._account}"
        is_large = size is not None and size.size_bytes > MAX_MAIL_BYTES
        raw = await mailbox.source(uid, header_only=is_large)
        if raw is None:
            await self._missing(mailbox, uid, native)
            return behind
        seen = await self._arrivals.parse(raw)
        mark = (seen.content_digest if isinstance(seen, Mail) else seen.digest)[:16]
        if mark in known:
            self.counts["known"] += 1
            return behind
        if size is not None and is_large:
            await self._arrivals.take_too_large(raw, size.size_bytes, MAX_MAIL_BYTES, native)
        else:
            await self._arrivals.take(raw, native, seen)
        self.counts["taken"] += 1
        if self._settings.mark_seen:
            await mailbox.mark_seen(uid)
        at_s = size.at_s if size is not None else 0
        return msgspec.structs.replace(behind, taken=(*cursor.taken, Taken(mark, at_s))[-REMEMBERED:])

    async def _missing(self, mailbox: Mailbox, uid: int, native: str) -> None:
        """Deleted by somebody between the list and the fetch, or kept from us: then it becomes a row."""
        if uid not in await mailbox.uids_after(uid - 1):
            self.counts["gone"] += 1
            return
        await self._arrivals.take_withheld(uid, native)
        self.counts["taken"] += 1

    def _done(self) -> int:
        return self.counts["taken"] + self.counts["known"] + self.counts["gone"]

    async def _save(self, cursor: Cursor) -> None:
        await self._site.save_state(self._channel, msgspec.json.encode(cursor))
