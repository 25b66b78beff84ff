"""One signed-in IMAP connection with one folder open: the only file that speaks to aioimaplib.

Law: every wait is bounded, and a connection that broke or fell silent is an `ImapLost`, whatever the library was waiting for. What
the library would log (whole mails, addresses) is kept silent.
"""

import asyncio
import base64
import contextlib
import datetime
import logging
import re
import ssl
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import msgspec
from aioimaplib import aioimaplib

from broker_bridge.channels.email.settings import Imap

T = TypeVar("T")

SLACK_S = 15.0
"""Beyond the server's own time: a busy machine is not a broken connection."""
_SIZES = re.compile(rb"\d+ FETCH \((.*)\)", re.DOTALL)
_NEWS = re.compile(rb"\* \d+ (?:EXISTS|RECENT)", re.IGNORECASE)
_DAY = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# It writes every byte received at debug and unexpected lines at info: customers' words.
logging.getLogger("aioimaplib").setLevel(logging.ERROR)


class ImapLost(Exception):
    """The connection broke, fell silent or was ended by the server; a new one resumes."""


class ImapRefused(Exception):
    """The server said no: sign-in, folder, certificate. A full sentence without the password."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One mail of a folder."""

    uid: int
    size_bytes: int
    at_s: int
    """When the server got it, seconds since 1970 (UTC); 0 if it does not say."""


class _Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]
    """Counts news, which the library drops outside of IDLE; without this a mail that comes in between two commands
    would wait for the next one."""

    news = 0

    def _untagged_response(self, line: bytes) -> Any:
        if _NEWS.match(line):
            self.news += 1
        return super()._untagged_response(line)


class _Client(aioimaplib.IMAP4):  # type: ignore[misc]
    def create_client(self, host: str, port: int, loop: Any, conn_lost_cb: Any = None, ssl_context: Any = None) -> None:
        running = asyncio.get_running_loop()
        self.protocol = _Protocol(running, conn_lost_cb)
        self._client_task = running.create_task(
            running.create_connection(lambda: self.protocol, host, port, ssl=ssl_context)
        )


class Mailbox:
    """An open folder. `open` makes one; `close` it always."""

    def __init__(self, client: Any, lost: asyncio.Future[None], settings: Imap) -> None:
        self._client = client
        self._lost = lost
        self._settings = settings
        self.uid_validity = 0
        self.exists = 0

    @classmethod
    async def open(cls, settings: Imap, password: str, folder: str | None = None) -> "Mailbox":
        """Connect, sign in, open the folder (`folder` = "": none).

        Raises:
            ImapLost: not reached.
            ImapRefused: reached, and it said no.
        """
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[None] = loop.create_future()

        def on_lost(_: Exception | None) -> None:
            if not lost.done():
                lost.set_result(None)

        context = _context(settings)
        client = _Client(
            settings.host,
            settings.port,
            timeout=settings.timeout_s,
            conn_lost_cb=on_lost,
            ssl_context=context if settings.tls == "tls" else None,
        )
        self = cls(client, lost, settings)
        try:
            await self._greeted()
            if settings.tls == "starttls":
                await self._start_tls(context)
            await self._sign_in(password)
            if folder is None or folder:
                await self._select(settings.folder if folder is None else folder)
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def can_idle(self) -> bool:
        return bool(self._client.has_capability("IDLE"))

    @property
    def news(self) -> int:
        """Grows with every word of the server that something arrived."""
        return int(self._client.protocol.news)

    async def uids_after(self, uid: int, since_s: int = 0) -> list[int]:
        """UIDs greater than `uid`, ascending; with `since_s` only of mails that the server got on that UTC day or later."""
        criteria = ["UID", f"{uid + 1}:*"]
        if since_s:
            criteria += ["SINCE", imap_day(since_s)]
        answer = await self._ok(self._client.uid_search(*criteria, charset=None), "search")
        found: set[int] = set()
        for line in answer.lines[:-1]:
            found.update(int(word) for word in bytes(line).split() if word.isdigit())
        # `7:*` names the last mail even if its UID is smaller than 7.
        return sorted(one for one in found if one > uid)

    async def sizes(self, uids: Sequence[int]) -> dict[int, Size]:
        """What the server says of some mails; those that are gone are missing. At most 50 at once: the library recurses by line."""
        named = ",".join(str(uid) for uid in uids)
        answer = await self._ok(self._client.uid("FETCH", named, "(UID RFC822.SIZE INTERNALDATE)"), "fetch")
        found: dict[int, Size] = {}
        for line in answer.lines:
            size = parsed_size(bytes(line))
            if size is not None:
                found[size.uid] = size
        return found

    async def source(self, uid: int, *, header_only: bool = False) -> bytes | None:
        """The bytes of a mail, its \\Seen mark untouched; None: it is gone."""
        part = "BODY.PEEK[HEADER]" if header_only else "BODY.PEEK[]"
        answer = await self._ok(self._client.uid("FETCH", str(uid), f"(UID {part})"), "fetch")
        literals = [bytes(line) for line in answer.lines if isinstance(line, bytearray)]
        if literals:
            return literals[0]
        # A short one may come as a quoted string.
        for line in answer.lines:
            match = re.search(rb'BODY\[[A-Z]*\] "((?:[^"\\]|\\.)*)"', bytes(line))
            if match:
                return re.sub(rb"\\(.)", rb"\1", match[1])
        return None

    async def mark_seen(self, uid: int) -> None:
        await self._ok(
            self._client.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Seen)"), "store", self._settings.timeout_s
        )

    async def append(self, folder: str, raw: bytes) -> None:
        """Put a read mail into a folder."""
        await self._ok(self._client.append(raw, _quoted(utf7(folder)), flags="(\\Seen)"), "append")

    async def wait_for_news(self) -> None:
        """Return when something may have arrived, at the latest after `renew_s`. Only with `can_idle`."""
        before = self.news
        renew_s = self._settings.renew_s
        idle = await self._bounded(self._client.idle_start(timeout=renew_s), self._settings.timeout_s)
        try:
            while self.news == before:
                pushed = await self._bounded(self._client.wait_server_push(renew_s + SLACK_S), renew_s + 2 * SLACK_S)
                if pushed == aioimaplib.STOP_WAIT_SERVER_PUSH or any(b"EXISTS" in one.upper() for one in pushed):
                    break
                if any(one.upper().startswith(b"BYE") for one in pushed):
                    raise ImapLost("the server ended the connection")
        finally:
            if self._client.has_pending_idle():
                self._client.idle_done()
        await self._bounded(idle, self._settings.timeout_s)

    async def close(self) -> None:
        """End the connection; never raises for a broken one."""
        protocol = self._client.protocol
        with contextlib.suppress(ImapLost, ImapRefused):
            if protocol.state in ("AUTH", "SELECTED") and not self._lost.done():
                await self._bounded(self._client.logout(), 2.0)
        for task in (self._client._client_task, *self._client.tasks, *protocol.tasks):
            task.cancel()
        if self._client._idle_waiter is not None:
            self._client._idle_waiter.cancel()
        if protocol.transport is not None:
            protocol.transport.abort()

    async def _greeted(self) -> None:
        try:
            await self._bounded(self._client.wait_hello_from_server(), self._settings.timeout_s)
        except ssl.SSLError as error:
            raise ImapRefused(
                f"The IMAP server's certificate was not accepted: {error.reason or 'TLS failed'}."
            ) from error

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        protocol = self._client.protocol
        command = aioimaplib.Command("STARTTLS", protocol.new_tag(), loop=protocol.loop)
        await self._ok(protocol.execute(command), "starttls", self._settings.timeout_s)
        # Bytes that came before the handshake are nobody's word.
        protocol.incomplete_line = b""
        loop = asyncio.get_running_loop()
        try:
            protocol.transport = await self._bounded(
                loop.start_tls(protocol.transport, protocol, context, server_hostname=self._settings.host),
                self._settings.timeout_s,
            )
        except ssl.SSLError as error:
            raise ImapRefused(
                f"The IMAP server's certificate was not accepted: {error.reason or 'TLS failed'}."
            ) from error
        await self._bounded(protocol.capability(), self._settings.timeout_s)

    async def _sign_in(self, password: str) -> None:
        user = self._settings.user
        try:
            answer = await self._bounded(self._client.login(_quoted(user), password), self._settings.timeout_s)
        except ValueError as error:
            raise ImapRefused("The IMAP user or password holds a line break.") from error
        if answer.result != "OK":
            raise ImapRefused("The IMAP server refused the sign-in: check user and password.")
        # What a server can do is often told only to those who are signed in.
        await self._bounded(self._client.protocol.capability(), self._settings.timeout_s)

    async def _select(self, folder: str) -> None:
        answer = await self._bounded(self._client.select(_quoted(utf7(folder))), self._settings.timeout_s)
        if answer.result != "OK":
            raise ImapRefused(f"The IMAP server has no folder {folder!r} that can be opened.")
        for line in answer.lines:
            text = bytes(line)
            if match := re.search(rb"\[UIDVALIDITY (\d+)\]", text):
                self.uid_validity = int(match[1])
            if match := re.fullmatch(rb"(\d+) EXISTS", text):
                self.exists = int(match[1])
        if not self.uid_validity:
            raise ImapRefused("The IMAP server gives its folder no UIDVALIDITY; mails could be taken twice.")

    async def _ok(self, command: Awaitable[Any], what: str, timeout_s: float | None = None) -> Any:
        """The answer of a command. Without `timeout_s` the library's clock counts, which starts anew with every piece, so
        that a large mail over a slow line may take long."""
        answer = await self._bounded(command, timeout_s)
        if answer.result != "OK":
            raise ImapLost(f"the server answered {answer.result} to {what}")
        return answer

    async def _bounded(self, waiting: Awaitable[T], timeout_s: float | None) -> T:
        """The result, or ImapLost as soon as the connection is gone or `timeout_s` is over (None: the library's own clock)."""
        task = asyncio.ensure_future(waiting)
        try:
            waited: set[asyncio.Future[Any]] = {task, self._lost}
            await asyncio.wait(waited, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if not task.done() or task.cancelled():
            raise ImapLost("the connection broke" if self._lost.done() else f"no answer within {timeout_s:g} s")
        try:
            return task.result()
        except (aioimaplib.AioImapException, TimeoutError) as error:
            raise ImapLost(f"the connection failed ({type(error).__name__})") from None
        except ssl.SSLError:
            raise
        except OSError as error:
            raise ImapLost(f"the server was not reached ({type(error).__name__})") from error


def parsed_size(line: bytes) -> Size | None:
    """One answer to FETCH (UID RFC822.SIZE INTERNALDATE), in any order of its fields."""
    match = _SIZES.match(line)
    if match is None:
        return None
    uid = re.search(rb"\bUID (\d+)", match[1])
    size = re.search(rb"\bRFC822\.SIZE (\d+)", match[1])
    if uid is None or size is None:
        return None
    at = re.search(rb'\bINTERNALDATE "([^"]+)"', match[1])
    return Size(uid=int(uid[1]), size_bytes=int(size[1]), at_s=_internal_s(at[1]) if at else 0)


def imap_day(at_s: int) -> str:
    """`21-Nov-2026`, the UTC day; servers compare in their own zone, so callers leave a day of room."""
    day = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
    return f"{day.day}-{_DAY[day.month - 1]}-{day.year}"


def _internal_s(value: bytes) -> int:
    try:
        return int(datetime.datetime.strptime(value.decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z").timestamp())
    except (ValueError, OverflowError):
        return 0


def utf7(folder: str) -> str:
    """A folder's name as IMAP writes it (RFC 3501, 5.1.3): `Отправленные` is `&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-`."""

    def encoded(match: re.Match[str]) -> str:
        packed = base64.b64encode(match[0].encode("utf-16-be")).decode("ascii")
        return f"&{packed.rstrip('=').replace('/', ',')}-"

    return re.sub(r"[^\x20-\x7e]+", encoded, folder.replace("&", "&-"))


def _quoted(word: str) -> str:
    return str(aioimaplib.quoted(word))


def _context(settings: Imap) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        raise ImapRefused("The file of certificates to trust (imap.ca_file) cannot be read.") from error
