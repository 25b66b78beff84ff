"""Handing one mail to the mail server (SMTP submission), with an outcome that is certain wherever it can be.

Law: before the first byte of the content every failure is certain and may be tried again. From that byte on until the
final answer a broken connection is `SendUncertain`; an answer other than 2xx is a certain no. A mail goes to all its recipients or to
none: if one is refused, the transaction is taken back (RSET) before any content leaves.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from broker_bridge.channel import SendFailure, SendUncertain
from broker_bridge.channels.email import outcomes
from broker_bridge.channels.email.settings import Smtp

TURN_TIMEOUT_S = 15.0
"""Waiting for one of the few connections."""
ENVELOPE_TIMEOUT_S = 40.0
"""From connecting to the server's go-ahead for the content."""
CONTENT_TIMEOUT_S = 80.0
"""From the first byte of the content to the final answer."""
FAREWELL_TIMEOUT_S = 2.0

BROKEN = "The connection to the mail server broke after the mail's content had begun to leave."
SILENT = "The mail server did not confirm the mail in time."
STRANGE = "The mail server's answer to the mail was not understood."
NOT_REACHED = "The mail server was not reached."
LOST_BEFORE = "The connection to the mail server broke before the mail left."

_QUEUED = re.compile(r"(?i)\b(?:queued as|id)[ =:]*([A-Za-z0-9._-]{4,64})")


class Submission:
    """The way out of one channel."""

    def __init__(self, settings: Smtp, domain: str, secret: Callable[[str], str]) -> None:
        """`domain`: how we call ourselves in EHLO. `secret`: looks a reference up; raises LookupError."""
        self._settings = settings
        self._domain = domain
        self._secret = secret
        self._room = asyncio.Semaphore(settings.connections)

    async def send(self, envelope_from: str, recipients: tuple[str, ...], raw: bytes, envelope_id: str) -> str:
        """Hand one mail over; gives what the server calls it, or "".

        Raises:
            SendFailure: certainly not taken.
            SendUncertain: nobody can know.
        """
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S):
                await self._room.acquire()
        except TimeoutError:
            raise SendFailure("rejected_for_now", "Too many mails are being sent at once.") from None
        try:
            return await self._in_turn(envelope_from, recipients, raw, envelope_id)
        finally:
            self._room.release()

    async def check(self) -> str:
        """Sign in and ask for nothing; a sentence if that did not work, else empty."""
        client = self._client()
        try:
            async with asyncio.timeout(ENVELOPE_TIMEOUT_S / 2):
                await self._opened(client)
                await client.noop()
        except SendFailure as failure:
            return failure.reason
        except (SMTPException, OSError, TimeoutError):
            return LOST_BEFORE
        finally:
            await _farewell(client)
        return ""

    async def _in_turn(self, envelope_from: str, recipients: tuple[str, ...], raw: bytes, envelope_id: str) -> str:
        client = self._client()
        try:
            try:
                async with asyncio.timeout(ENVELOPE_TIMEOUT_S):
                    await self._opened(client)
                    await self._addressed(client, envelope_from, recipients, len(raw), envelope_id)
                    await _begun(client)
            except SMTPResponseException as error:
                raise outcomes.content(error.code, error.message) from None
            except (SMTPException, OSError, TimeoutError):
                raise SendFailure("unreachable", LOST_BEFORE) from None
            return await _content(client, raw)
        finally:
            await _farewell(client)

    def _client(self) -> SMTP:
        settings = self._settings
        return SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=_context(settings) if settings.tls != "none" else None,
            local_hostname=self._domain,
            timeout=ENVELOPE_TIMEOUT_S,
        )

    async def _opened(self, client: SMTP) -> None:
        """Connected, encrypted as demanded, signed in. Raises SendFailure."""
        try:
            await client.connect()
            await client._ehlo_or_helo_if_needed()
        except SMTPConnectResponseError as error:
            raise outcomes.greeting(error.code, error.message) from None
        except SMTPResponseException as error:
            raise outcomes.greeting(error.code, error.message) from None
        except (SMTPException, OSError) as error:
            if _is_tls(error):
                raise SendFailure("misconfigured", "The mail server's certificate was not accepted.") from None
            if type(error) is SMTPException:
                raise SendFailure("misconfigured", "The mail server does not offer STARTTLS.") from None
            raise SendFailure("unreachable", NOT_REACHED) from None
        if not self._settings.user:
            return
        try:
            password = self._secret(self._settings.password)
        except LookupError:
            raise SendFailure("misconfigured", "The password for the mail server was not found.") from None
        try:
            await client.login(self._settings.user, password)
        except (SMTPAuthenticationError, SMTPResponseException) as error:
            raise outcomes.sign_in(error.code, error.message) from None
        except (ConnectionError, TimeoutError):
            raise SendFailure("unreachable", LOST_BEFORE) from None
        except (SMTPException, ValueError):
            raise SendFailure("misconfigured", "The mail server offers no sign-in that we know.") from None

    async def _addressed(
        self, client: SMTP, envelope_from: str, recipients: tuple[str, ...], size_bytes: int, envelope_id: str
    ) -> None:
        """MAIL and every RCPT accepted. Raises SendFailure; then nothing of the mail has left."""
        limit = client.esmtp_extensions.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size_bytes:
            raise outcomes.too_large(int(limit))
        can_report = client.supports_extension("dsn")
        options = [f"SIZE={size_bytes}"] if client.supports_extension("size") else []
        notify = "SUCCESS,FAILURE,DELAY" if self._settings.delivery_receipts else "FAILURE,DELAY"
        try:
            await client.mail(
                envelope_from, options=[*options, *(["RET=HDRS", f"ENVID={envelope_id}"] if can_report else [])]
            )
        except SMTPSenderRefused as error:
            raise outcomes.sender(error.code, error.message) from None
        refused: list[tuple[int, SendFailure]] = []
        for place, one in enumerate(recipients):
            try:
                await client.rcpt(one, options=[f"NOTIFY={notify}"] if can_report else None)
            except SMTPRecipientRefused as error:
                refused.append((place, outcomes.recipient(error.code, error.message)))
                if error.code == 421:
                    break
        if refused:
            with contextlib.suppress(SMTPException, OSError):
                await client.rset()
            raise outcomes.recipients(refused, len(recipients))


async def _begun(client: SMTP) -> None:
    """DATA, and the server's go-ahead. Raises SMTPResponseException: it gave none."""
    answer = await client.execute_command(b"DATA")
    if answer.code != 354:
        raise SMTPResponseException(answer.code, answer.message)


async def _content(client: SMTP, raw: bytes) -> str:
    """The content and the final answer. What breaks here is uncertain."""
    protocol = client.protocol
    if protocol is None or not protocol.is_connected:
        raise SendFailure("unreachable", LOST_BEFORE)
    try:
        async with asyncio.timeout(CONTENT_TIMEOUT_S):
            protocol.write(_dotted(raw))
            answer = await protocol.read_response()
    except SMTPResponseException:
        raise SendUncertain(STRANGE) from None
    except TimeoutError:
        raise SendUncertain(SILENT) from None
    except (SMTPException, OSError):
        raise SendUncertain(BROKEN) from None
    if 200 <= answer.code < 300:
        queued = _QUEUED.search(answer.message)
        return queued[1] if queued else ""
    if 400 <= answer.code < 600:
        raise outcomes.content(answer.code, answer.message)
    raise SendUncertain(STRANGE)


def _dotted(raw: bytes) -> bytes:
    """The content as it goes over the wire: a dot before each line that begins with one, and the end."""
    lines = raw.replace(b"\r\n.", b"\r\n..")
    whole = b"." + lines if lines.startswith(b".") else lines
    return whole + (b".\r\n" if whole.endswith(b"\r\n") else b"\r\n.\r\n")


async def _farewell(client: SMTP) -> None:
    """QUIT where that is still possible, quickly; the outcome is known already."""
    try:
        if client.is_connected:
            async with asyncio.timeout(FAREWELL_TIMEOUT_S):
                await client.quit()
    except (SMTPException, OSError, TimeoutError):
        pass
    finally:
        client.close()


def _is_tls(error: BaseException | None) -> bool:
    """Whether a TLS failure lies below an error."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _context(settings: Smtp) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError:
        raise SendFailure("misconfigured", "The file of certificates to trust (smtp.ca_file) cannot be read.") from None
