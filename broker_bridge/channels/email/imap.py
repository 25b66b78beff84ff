"""One signed-in IMAP connection with one folder open: what following a mailbox needs of a server.

Law: reading changes nothing in the folder, mails are named by UID only, and every way a server can fail is one of two errors:
`ImapLost` (try again) or `ImapRefused` (somebody must change something).
"""

import base64
import re
import ssl
from collections.abc import Sequence

from broker_bridge.channels.email.imapwire import Answer, ImapLost, ImapRefused, Wire
from broker_bridge.channels.email.imapwords import (
    Size,
    fetched,
    imap_day,
    listed,
    number,
    parsed_size,
    quoted,
    utf7,
)
from broker_bridge.channels.email.settings import Imap

__all__ = ["ImapLost", "ImapRefused", "Mailbox", "Size", "utf7"]

_UID_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)


class Mailbox:
    """An open folder. `open` makes one; `close` it always."""

    def __init__(self, wire: Wire, settings: Imap) -> None:
        self._wire = wire
        self._settings = settings
        self.uid_validity = 0

    @classmethod
    async def open(cls, settings: Imap, secret: str, folder: str | None = None) -> "Mailbox":
        """Connect, sign in with the password or token, open the folder (`folder` = "": none).

        Raises:
            ImapLost: not reached.
            ImapRefused: reached, and it said no.
        """
        context = _context(settings)
        at_once = context if settings.tls == "tls" else None
        wire = await Wire.connect(settings.host, settings.port, at_once, settings.timeout_s)
        self = cls(wire, settings)
        try:
            if settings.tls == "starttls":
                await wire.start_tls(context, settings.host)
            await self._sign_in(secret)
            if folder is None or folder:
                await self._select(settings.folder if folder is None else folder)
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self._wire.capabilities

    @property
    def news(self) -> int:
        """Grows with every word of the server that something arrived."""
        return self._wire.news

    async def uids_after(self, uid: int, since_s: int = 0) -> list[int]:
        """UIDs greater than `uid`, ascending; with `since_s` only of mails that the server got on that UTC day or later."""
        since = f" SINCE {imap_day(since_s)}" if since_s else ""
        answer = await self._ok("search", f"UID SEARCH UID {uid + 1}:*{since}".encode("ascii"))
        numbers = (number(word) for word in listed(answer.untagged, b"SEARCH"))
        # `7:*` names the last mail even if its UID is smaller than 7.
        return sorted({one for one in numbers if one is not None and one > uid})

    async def sizes(self, uids: Sequence[int]) -> dict[int, Size]:
        """What the server says of some mails; those that are gone are missing. Some hundreds at once: a command is one line."""
        named = ",".join(str(uid) for uid in uids)
        answer = await self._ok("fetch", f"UID FETCH {named} (UID RFC822.SIZE INTERNALDATE)".encode("ascii"))
        found = (parsed_size(told) for told in fetched(answer.untagged))
        return {one.uid: one for one in found if one is not None}

    async def source(self, uid: int, *, header_only: bool = False) -> bytes | None:
        """The bytes of a mail, its \\Seen mark untouched; None: it is gone."""
        part = "[HEADER]" if header_only else "[]"
        answer = await self._ok("fetch", f"UID FETCH {uid} (UID BODY.PEEK{part})".encode("ascii"))
        for told in fetched(answer.untagged):
            raw = told.get(f"BODY{part}".encode("ascii"))
            if number(told.get(b"UID")) == uid and isinstance(raw, bytes):
                return raw
        return None

    async def mark_seen(self, uid: int) -> None:
        command = f"UID STORE {uid} +FLAGS.SILENT (\\Seen)".encode("ascii")
        await self._ok("store", command, whole_s=self._settings.timeout_s)

    async def append(self, folder: str, raw: bytes) -> None:
        """Put a read mail into a folder."""
        command = b"APPEND %b (\\Seen) {%d}" % (_folder(folder), len(raw))
        await self._ok("append", command, raw)

    async def wait_for_news(self) -> None:
        """Return when something may have arrived, at the latest after `renew_s`. Only with `can_idle`."""
        await self._wire.idle(self._settings.renew_s)

    async def close(self) -> None:
        """End the connection; never raises for a broken one."""
        await self._wire.close()

    async def _sign_in(self, secret: str) -> None:
        if re.search(r"[\r\n\x00\x01]", self._settings.user + secret):
            raise ImapRefused("The IMAP user or the secret for it holds a line break or a control character.")
        await self._wire.ask_capabilities()
        answer = await self._wire.run(*self._proof(secret), whole_s=self._settings.timeout_s)
        if answer.status != "OK":
            what = "token" if self._settings.auth == "xoauth2" else "password"
            raise ImapRefused(f"The IMAP server refused the sign-in: check user and {what}.")
        await self._wire.ask_capabilities()

    def _proof(self, secret: str) -> tuple[bytes, ...]:
        """The command and lines that show who we are, by the best way the server offers."""
        user, offered = self._settings.user, self._wire.capabilities
        if self._settings.auth == "xoauth2":
            token = f"user={user}\x01auth=Bearer {secret}\x01\x01"
            # The empty line answers the reason that a server gives before it says no.
            return b"AUTHENTICATE XOAUTH2", base64.b64encode(token.encode()), b""
        if "AUTH=PLAIN" in offered:
            return b"AUTHENTICATE PLAIN", base64.b64encode(f"\0{user}\0{secret}".encode())
        if "LOGINDISABLED" in offered:
            raise ImapRefused("The IMAP server takes no password on this connection: check imap.tls and imap.auth.")
        # As literals, which hold any letter.
        name, word = user.encode(), secret.encode()
        return b"LOGIN {%d}" % len(name), name + b" {%d}" % len(word), word

    async def _select(self, folder: str) -> None:
        answer = await self._wire.run(b"SELECT " + _folder(folder), whole_s=self._settings.timeout_s)
        if answer.status != "OK":
            raise ImapRefused(f"The IMAP server has no folder {folder!r} that can be opened.")
        found = [match for one in answer.untagged if (match := _UID_VALIDITY.search(one[0]))]
        self.uid_validity = int(found[-1][1]) if found else 0
        if not self.uid_validity:
            raise ImapRefused("The IMAP server gives its folder no UIDVALIDITY; mails could be taken twice.")

    async def _ok(self, what: str, command: bytes, *more: bytes, whole_s: float | None = None) -> Answer:
        answer = await self._wire.run(command, *more, whole_s=whole_s)
        if answer.status != "OK":
            raise ImapLost(f"the server answered {answer.status} to {what}")
        return answer


def _folder(name: str) -> bytes:
    return quoted(utf7(name))


def _context(settings: Imap) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        raise ImapRefused("The file of certificates to trust (imap.ca_file) cannot be read.") from error
