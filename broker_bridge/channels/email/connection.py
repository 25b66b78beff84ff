"""E-mail as a channel: in by IMAP or SMTP or both, out by submission.

Law: everything that goes out is decided by what was frozen when the agent pressed send (people, subject, thread, moment), so that
the same reply is always the same mail with the same Message-ID. A copy for the sent folder is a courtesy: made after
the mail was taken, and its failure never touches the outcome.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from broker_bridge.channel import Capabilities, Outbound, SendFailure, Site, SiteUnavailable
from broker_bridge.channels.email import compose, references
from broker_bridge.channels.email.arrivals import Arrivals
from broker_bridge.channels.email.compose import Enclosure, NotSendable, Out
from broker_bridge.channels.email.following import Following
from broker_bridge.channels.email.imap import ImapLost, ImapRefused, Mailbox
from broker_bridge.channels.email.listener import Listener
from broker_bridge.channels.email.mail import Address as OnMail
from broker_bridge.channels.email.meaning import Ours
from broker_bridge.channels.email.settings import Imap, MailSettings
from broker_bridge.channels.email.submission import Submission
from broker_bridge.contract.words import Address, File

KEY_PURPOSE = "mail reply tokens"
FILES_TIMEOUT_S = 12.0
COPIES_WAITING = 50
CAPABILITIES = Capabilities(
    word="mail",
    max_chars=60_000,
    is_mail=True,
    has_receipts=False,  # some servers report, most do not: an agent must not wait for it
    send_timeout_s=155.0,  # the sum of the waits here and in `submission`, and some
    reply_within_s=4 * 3_600,
)

log = logging.getLogger("broker_bridge.channels.email")


class Email:
    """One configured address: a `Channel`."""

    def __init__(self, name: str, settings: MailSettings, site: Site) -> None:
        self.name = name
        self._settings = settings
        self._site = site
        self._key = site.site_key(KEY_PURPOSE)
        ours = Ours(
            domain=settings.domain,
            addresses=settings.own_addresses,
            key=self._key,
            address=settings.address,
            reply_at=f"{settings.reply_local}@{settings.token_domain}",
        )
        self.arrivals = Arrivals(name, site, ours)
        self.following = Following(name, settings.imap, site, self.arrivals) if settings.imap else None
        self._is_listening = False
        self.listener = (
            Listener(settings, settings.listen, self.arrivals, lambda: self._is_listening) if settings.listen else None
        )
        self._submission = Submission(settings.smtp, settings.domain, site.secret) if settings.smtp else None
        self._copies: asyncio.Queue[bytes] = asyncio.Queue(COPIES_WAITING)

    @property
    def own_addresses(self) -> frozenset[str]:
        """Ours, lower case: never among the people of an answer."""
        return self._settings.own_addresses

    async def listen(self, ready: Callable[[], None]) -> None:
        """Hear on every configured way; the first that fails ends it, to be started again.

        Raises:
            ImapLost, ImapRefused, SiteFull, SiteUnavailable, LookupError, OSError
        """
        ways = [one for one in (self.following, self.listener) if one is not None]
        missing = len(ways)

        def one_ready() -> None:
            nonlocal missing
            missing -= 1
            if missing == 0:
                ready()

        self._is_listening = True
        try:
            async with asyncio.TaskGroup() as crew:
                for way in ways:
                    crew.create_task(way.run(one_ready))
                if self._settings.sent_folder and self._settings.imap is not None:
                    crew.create_task(self._keep_copies(self._settings.imap))
        except BaseExceptionGroup as group:
            # The supervisor shows the name of what happened, not of the crew.
            raise group.exceptions[0] from None
        finally:
            self._is_listening = False

    async def send(self, out: Outbound) -> str:
        """Send one mail to all its recipients or to none; gives the mail server's name for it. Raises SendFailure, SendUncertain."""
        if self._submission is None:
            raise SendFailure("misconfigured", "This channel has no mail server for sending (smtp).")
        mail = self._mail(out, await self._enclosures(out.files))
        try:
            raw = compose.compose(mail)
            recipients = compose.recipients(mail)
        except NotSendable as error:
            raise SendFailure("no_recipient" if not (mail.to or mail.cc) else "bad_address", str(error)) from None
        queued = await self._submission.send(self._settings.address, recipients, raw, out.message)
        if self._settings.sent_folder:
            with contextlib.suppress(asyncio.QueueFull):
                self._copies.put_nowait(raw)
        return queued

    async def show_typing(self, address: str, name: str, on: bool) -> None:
        """Mail has no such sign."""

    def heard(self, body: bytes) -> None:
        """Nothing is told between bridges."""

    async def check(self) -> list[str]:
        """Sign in everywhere, read and send nothing."""
        problems = []
        if self._settings.imap is not None:
            problems += await self._check_imap(self._settings.imap)
        if self._submission is None:
            problems.append("Nothing can be answered: smtp is not set.")
        else:
            reason = await self._submission.check()
            problems += [f"Sending: {reason}"] if reason else []
        for what, one in (("imap", self._settings.imap), ("smtp", self._settings.smtp)):
            if one is not None and one.tls == "none" and one.host not in ("127.0.0.1", "::1", "localhost"):
                problems.append(f"{what}: the password and all mails cross the network unencrypted (tls = none).")
        return problems

    def routes(self) -> list[Any]:
        return []

    async def _check_imap(self, imap: Imap) -> list[str]:
        try:
            mailbox = await Mailbox.open(imap, self._site.secret(imap.secret))
        except LookupError as error:
            return [f"Reading: {error.args[0]}"]
        except (ImapLost, ImapRefused) as error:
            return [f"Reading: {error}"]
        try:
            if not mailbox.can_idle:
                return [f"Reading: the IMAP server cannot push (no IDLE); it is asked every {imap.poll_s:g} s."]
            return []
        finally:
            await mailbox.close()

    def _mail(self, out: Outbound, enclosures: tuple[Enclosure, ...]) -> Out:
        settings = self._settings
        to = out.to or ((Address(address=out.address),) if out.address else ())
        reply_to = None
        if settings.reply_tokens:
            address = references.reply_address(out.conversation, self._key, settings.token_domain, settings.reply_local)
            reply_to = OnMail(name=settings.name, addr=address)
        signature = settings.signature.replace("{agent}", out.from_name).strip("\n")
        return Out(
            message=out.message,
            domain=settings.domain,
            from_=OnMail(name=self._from_name(out.from_name), addr=settings.address),
            to=_on_mail(to),
            cc=_on_mail(out.cc),
            reply_to=reply_to,
            subject=out.subject,
            text=f"{out.text}\n\n-- \n{signature}" if signature else out.text,
            date_ms=out.at_ms or self._site.now_ms(),
            in_reply_to=out.in_reply_to or None,
            references=out.references,
            attachments=enclosures,
            is_auto=out.is_automatic,
        )

    def _from_name(self, agent: str) -> str:
        if not (self._settings.shows_agent and agent):
            return self._settings.name
        return f"{agent} via {self._settings.name}" if self._settings.name else agent

    async def _enclosures(self, files: tuple[File, ...]) -> tuple[Enclosure, ...]:
        found = []
        try:
            async with asyncio.timeout(FILES_TIMEOUT_S):
                for file in files:
                    data = await self._site.get_object(file.digest)
                    if data is None:
                        raise SendFailure("refused", "A file of the reply is no longer kept; nothing was sent.")
                    found.append(Enclosure(name=file.name, media_type=file.media_type, data=data))
        except (SiteUnavailable, TimeoutError):
            raise SendFailure(
                "unreachable", "The files of the reply could not be read from the bridge's store."
            ) from None
        return tuple(found)

    async def _keep_copies(self, imap: Imap) -> None:
        """Put what was sent into the sent folder, one connection a mail: rare enough."""
        while True:
            raw = await self._copies.get()
            try:
                mailbox = await Mailbox.open(imap, self._site.secret(imap.secret), folder="")
                try:
                    await mailbox.append(self._settings.sent_folder, raw)
                finally:
                    await mailbox.close()
            except (ImapLost, ImapRefused, LookupError) as error:
                log.warning("copy not kept channel=%s error=%s", self.name, type(error).__name__)


def _on_mail(people: tuple[Address, ...]) -> tuple[OnMail, ...]:
    return tuple(OnMail(name=one.name, addr=one.address) for one in people)
