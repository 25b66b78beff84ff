"""A small SMTP server inside the bridge's own loop, for a mail server that hands mail on to us.

Law: 250 after the content only when intake has returned; 452 when the bridge is full, 451 when nobody knows; the same bytes for the
same recipients are the same item. Only our own recipients are accepted: it never relays. aiosmtpd logs addresses: its
loggers are kept silent.
"""

import asyncio
import hashlib
import logging
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP

from broker_bridge.channel import SiteFull, SiteUnavailable
from broker_bridge.channels.email import addresses
from broker_bridge.channels.email.arrivals import Arrivals
from broker_bridge.channels.email.settings import Listen, MailSettings

LINE_BYTES = 256 * 1024
"""RFC 5321 allows 1,000, careless programs write whole HTML pages on one line, and refusing those would lose a customer's mail."""
COMMANDS = 1_000
"""Of one kind in one connection; a mail server that has more to say connects again."""
STORE_TIMEOUT_S = 120.0

# They name peers, senders and recipients.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
logging.getLogger("mail.debug").setLevel(logging.CRITICAL)
log = logging.getLogger("broker_bridge.channels.email")


class Door:
    """Whose mail is accepted."""

    def __init__(self, settings: MailSettings, listen: Listen) -> None:
        self._exact = set(settings.own_addresses)
        self._domains = {one.lower() for one in listen.domains}
        if settings.reply_tokens:
            self._exact.add(f"{settings.reply_local}@{settings.token_domain}")

    def opens(self, recipient: str) -> bool:
        """Also for sub-addresses (`support+anything@`) of what is accepted."""
        local, _, domain = addresses.spec(recipient).lower().rpartition("@")
        return bool(local) and (
            f"{local}@{domain}" in self._exact
            or f"{local.partition('+')[0]}@{domain}" in self._exact
            or domain in self._domains
        )


class _Connection(SMTP):
    """One client."""

    line_length_limit = LINE_BYTES

    def __init__(self, handler: "Listener", **options: Any) -> None:
        self._listener = handler
        self._is_counted = False
        super().__init__(handler, **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._listener.enters(peer):
            # Too early for the session: one line, then the end.
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(b"421 4.7.0 Too many connections, come again later\r\n")
            transport.close()
            self.transport = None
            return
        self._is_counted = True
        self._peer = peer
        self._listener.open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_counted:
            self._listener.leaves(self._peer)
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return super().eof_received() if self._is_counted else None

    def data_received(self, data: bytes) -> None:
        if self._is_counted:
            super().data_received(data)


class Listener:
    """The server of one channel and its SMTP hooks (`handle_*`)."""

    def __init__(self, settings: MailSettings, listen: Listen, arrivals: Arrivals, reads: Callable[[], bool]) -> None:
        """`reads`: whether mail may be taken now (the channel is not stopping)."""
        self._listen = listen
        self._hostname = settings.domain
        self._arrivals = arrivals
        self._reads = reads
        self._door = Door(settings, listen)
        self._peers: Counter[str] = Counter()
        self.open: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self.port = 0
        """Where it listens, once it does."""

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises OSError: the port is taken."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._connection, self._listen.host, self._listen.port)
        self.port = int(server.sockets[0].getsockname()[1])
        log.info("mail server listens host=%s port=%d", self._listen.host, self.port)
        ready()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for transport in tuple(self.open):
                transport.close()

    def enters(self, peer: str) -> bool:
        if sum(self._peers.values()) >= self._listen.connections:
            return False
        if self._peers[peer] >= self._listen.connections_per_address:
            return False
        self._peers[peer] += 1
        return True

    def leaves(self, peer: str) -> None:
        self._peers[peer] -= 1
        if self._peers[peer] <= 0:
            del self._peers[peer]

    def _connection(self) -> _Connection:
        return _Connection(
            self,
            data_size_limit=self._listen.max_bytes,
            enable_SMTPUTF8=True,
            hostname=self._hostname,
            ident="ESMTP",
            timeout=self._listen.timeout_s,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            command_call_limit=COMMANDS,
            loop=asyncio.get_running_loop(),
        )

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if not self._door.opens(address):
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= self._listen.max_recipients:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_VRFY(self, server: Any, session: Any, envelope: Any, address: str) -> str:
        return "252 2.5.2 Send some mail, it will be tried"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        content = bytes(envelope.original_content)
        recipients = sorted({str(one).lower() for one in envelope.rcpt_tos})
        if not self._reads():
            return "451 4.3.2 The bridge is stopping, come again later"
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._arrivals.take(
                    _delivered(content, envelope.mail_from, recipients), _native(content, recipients)
                )
        except SiteFull:
            return "452 4.3.1 No room, come again later"
        except (SiteUnavailable, TimeoutError):
            return "451 4.3.0 Not stored, come again later"
        return "250 2.0.0 Stored"

    async def handle_exception(self, error: Exception) -> str:
        """A bug, or a client that speaks no SMTP: not stored, whatever it was."""
        log.error("smtp session failed error=%s", type(error).__name__)
        return "451 4.3.0 Not understood, come again later"


def _native(content: bytes, recipients: list[str]) -> str:
    """The id of one delivery: what a client repeats after a lost answer has the same."""
    whole = hashlib.sha256(content)
    whole.update("\0".join(recipients).encode("utf-8", "surrogateescape"))
    return f"smtp:{whole.hexdigest()}"


def _delivered(content: bytes, sender: str, recipients: list[str]) -> bytes:
    """The mail with what the transport knows of it, as any mail server puts it at the top; nothing that changes by attempt."""
    bare = "" if sender == "<>" else sender
    lines = [f"Return-Path: <{bare}>", *(f"Delivered-To: {one}" for one in recipients)]
    if any("\r" in line or "\n" in line for line in lines):
        return content
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape") + content
