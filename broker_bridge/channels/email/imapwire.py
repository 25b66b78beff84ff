"""One connection to an IMAP server: commands out, answers in (RFC 3501, IDLE of RFC 2177).

Law: one command at a time and every wait bounded; a connection that broke, fell silent or spoke nonsense is an `ImapLost`. After a wait
that was cut short nothing more is said on it. Nothing of what passes is logged.
"""

import asyncio
import contextlib
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator

import msgspec

from broker_bridge.channels.email.imapwords import Response, listed

PIECE_BYTES = 64 * 1024
MAX_LINE_BYTES = 16 * 1024 * 1024
"""A search in a folder with two million mails fits."""
MAX_LITERAL_BYTES = 100 * 1024 * 1024
"""Beyond any mail that is asked for: a server that says more has lost its way."""
CLOSE_S = 2.0
_LITERAL = re.compile(rb"\{(\d{1,18})\}$")
_SENTENCE = re.compile(rb"\S+ (?:OK|NO|BAD|BYE) |\+", re.IGNORECASE)
_NEWS = re.compile(rb"\* (\d{1,18}) (EXISTS|EXPUNGE)\s*$", re.IGNORECASE)


class ImapLost(Exception):
    """The connection broke, fell silent or was ended by the server; a new one resumes."""


class ImapRefused(Exception):
    """The server said no: sign-in, folder, certificate. A full sentence without the password."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended."""

    status: str
    """OK, NO or BAD."""
    untagged: tuple[Response, ...]
    """What came before, in order."""


class Wire:
    """A connection. `connect` makes one; `close` it always."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silence_s: float) -> None:
        self._reader = reader
        self._writer = writer
        self._plain_writer = writer
        """Kept: when it is collected, it closes what lies below the encryption."""
        self._silence_s = silence_s
        self._buffer = bytearray()
        self._commands = 0
        self._exists = -1
        self._is_free = False
        """The last answer came whole, so another command may be said."""
        self.news = 0
        """Grows with every word of the server that something arrived, whatever it was answering."""
        self.capabilities: frozenset[str] = frozenset()

    @classmethod
    async def connect(cls, host: str, port: int, context: ssl.SSLContext | None, silence_s: float) -> "Wire":
        """Connect and hear the greeting; `context`: encrypted from the first byte. `silence_s`: the longest pause within an answer.

        Raises:
            ImapLost, ImapRefused
        """
        try:
            async with asyncio.timeout(silence_s):
                with _handshake():
                    reader, writer = await asyncio.open_connection(host, port, ssl=context)
        except TimeoutError as error:
            raise ImapLost("the server was not reached (TimeoutError)") from error
        self = cls(reader, writer, silence_s)
        try:
            async with self._whole(silence_s):
                greeting = (await self._response(silence_s))[0].upper()
            if not greeting.startswith(b"* OK"):
                # PREAUTH too: it would keep STARTTLS from happening.
                raise ImapRefused("The IMAP server does not let anybody sign in on this connection.")
            self._is_free = True
        except BaseException:
            await self.close()
            raise
        return self

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on encrypted. Raises ImapLost, ImapRefused."""
        if (await self.run(b"STARTTLS", whole_s=self._silence_s)).status != "OK":
            raise ImapRefused("The IMAP server does not offer STARTTLS.")
        self._is_free = False
        loop = asyncio.get_running_loop()
        # A new reader: bytes that came before the handshake are nobody's word.
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        self._buffer.clear()
        async with self._whole(self._silence_s):
            with _handshake():
                transport = await loop.start_tls(self._writer.transport, protocol, context, server_hostname=host)
        if transport is None:
            raise ImapLost("the connection broke")
        protocol.connection_made(transport)
        self._reader = reader
        self._writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._is_free = True

    async def ask_capabilities(self) -> None:
        """To be asked again after STARTTLS and after the sign-in: what a server can do is often told only then."""
        answer = await self.run(b"CAPABILITY", whole_s=self._silence_s)
        told = listed(answer.untagged, b"CAPABILITY")
        self.capabilities = frozenset(one.decode("ascii", "replace").upper() for one in told)

    async def run(self, command: bytes, *more: bytes, whole_s: float | None = None) -> Answer:
        """Say a command, give the answer. `more`: lines or literals, one for each time the server asks for more.

        Without `whole_s` only silence counts, so that a large mail over a slow line may take long.

        Raises:
            ImapLost
        """
        rest = deque(more)
        async with self._whole(whole_s):
            tag = await self._begin(command)
            untagged = []
            while True:
                response = await self._response(self._silence_s)
                if response[0].startswith(b"+"):
                    if not rest:
                        raise ImapLost("the server asked for more than there is")
                    await self._write(rest.popleft() + b"\r\n")
                elif (status := _status(response, tag)) is None:
                    untagged.append(response)
                else:
                    self._is_free = True
                    return Answer(status=status, untagged=tuple(untagged))

    async def idle(self, longest_s: float) -> None:
        """Wait until the server tells news, at most so long. Raises ImapLost."""
        before = self.news
        async with self._whole(self._silence_s):
            tag = await self._begin(b"IDLE")
            while not (response := await self._response(self._silence_s))[0].startswith(b"+"):
                self._must_go_on(response, tag)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                while self.news == before:
                    self._must_go_on(await self._response(None), tag)
        async with self._whole(self._silence_s):
            await self._write(b"DONE\r\n")
            while _status(await self._response(self._silence_s), tag) is None:
                pass
            self._is_free = True

    async def close(self) -> None:
        """End the connection, politely only between two commands; never raises for a broken one."""
        try:
            with contextlib.suppress(ImapLost):
                await self.run(b"LOGOUT", whole_s=CLOSE_S)
        finally:
            self._writer.transport.abort()

    def _must_go_on(self, response: Response, tag: bytes) -> None:
        if _status(response, tag) is not None:
            raise ImapLost("the server ended the waiting")

    async def _begin(self, command: bytes) -> bytes:
        """Say a command; gives its tag."""
        if not self._is_free:
            raise ImapLost("an earlier answer was cut short")
        self._is_free = False
        self._commands += 1
        tag = b"W%d" % self._commands
        await self._write(tag + b" " + command + b"\r\n")
        return tag

    async def _write(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            try:
                async with asyncio.timeout(self._silence_s):
                    self._writer.write(data[start : start + PIECE_BYTES])
                    await self._writer.drain()
            except OSError as error:
                raise ImapLost(f"the connection broke ({type(error).__name__})") from error

    async def _response(self, silence_s: float | None) -> Response:
        """The next one, taken from the buffer only when it is whole: a wait that is cut short loses nothing.

        Raises:
            TimeoutError: silence.
            ImapLost: broken, ended or out of bounds.
        """
        parts: list[bytes] = []
        at = 0
        while True:
            end = await self._line_end(at, silence_s)
            line = bytes(self._buffer[at:end])
            parts.append(line)
            at = end + 2
            # A sentence for people may end like a literal.
            match = None if len(parts) == 1 and _SENTENCE.match(line) else _LITERAL.search(line)
            if match is None:
                break
            end = at + int(match[1])
            if end > MAX_LITERAL_BYTES:
                raise ImapLost("the server announced more than a mail can be")
            while len(self._buffer) < end:
                await self._receive(silence_s)
            with memoryview(self._buffer) as view:
                parts.append(bytes(view[at:end]))
            at = end
        del self._buffer[:at]
        self._note(parts[0])
        return tuple(parts)

    async def _line_end(self, at: int, silence_s: float | None) -> int:
        searched = at
        while (end := self._buffer.find(b"\r\n", searched)) < 0:
            searched = max(at, len(self._buffer) - 1)
            if len(self._buffer) - at > MAX_LINE_BYTES:
                raise ImapLost("the server said an endless line")
            await self._receive(silence_s)
        return end

    async def _receive(self, silence_s: float | None) -> None:
        async with asyncio.timeout(silence_s):
            try:
                data = await self._reader.read(PIECE_BYTES)
            except OSError as error:
                raise ImapLost(f"the connection broke ({type(error).__name__})") from error
        if not data:
            raise ImapLost("the connection broke")
        self._buffer += data

    def _note(self, line: bytes) -> None:
        """What may come at any time."""
        if line[:5].upper() == b"* BYE":
            raise ImapLost("the server ended the connection")
        match = _NEWS.match(line)
        if match is None:
            return
        # The same count again is no news: some servers repeat it in every answer. After a deletion it may be.
        count = int(match[1]) if match[2].upper() == b"EXISTS" else -1
        if count not in (-1, self._exists):
            self.news += 1
        self._exists = count

    @contextlib.asynccontextmanager
    async def _whole(self, whole_s: float | None) -> AsyncIterator[None]:
        """Not longer than this, and no silence inside."""
        try:
            async with asyncio.timeout(whole_s):
                yield
        except TimeoutError:
            raise ImapLost(f"no answer within {whole_s or self._silence_s:g} s") from None


def _status(response: Response, tag: bytes) -> str | None:
    """OK, NO or BAD if this ends the command."""
    said, _, rest = response[0].partition(b" ")
    return rest.split(b" ")[0].decode("ascii", "replace").upper() if said == tag else None


@contextlib.contextmanager
def _handshake() -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise ImapRefused(
            f"The IMAP server's certificate was not accepted: {error.verify_message.rstrip('.')}."
        ) from error
    except ssl.SSLError as error:
        raise ImapRefused(f"No encryption with the IMAP server: {error.reason or 'TLS failed'}.") from error
    except OSError as error:
        raise ImapLost(f"the server was not reached ({type(error).__name__})") from error
