"""The customers' side of e-mail: a server that takes what the bridge sends, and mail programs that answer it.

Law: a mail is filed before it is acknowledged (250), so that what the bridge believes to be delivered can be read in
the folder. An answer threads as a real mail program's does: In-Reply-To, References, and a quote below.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
from collections import defaultdict
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from agent_tui.demo.stories import Story, papers

LOCAL_HOST = "127.0.0.1"
RETRY_S = 2.0
_QUOTE = re.compile(r"^(>.*|On .* wrote:)$", re.MULTILINE)


class PostOffice:
    """Takes every mail that leaves the bridge, files it, and puts it into its recipient's box."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._boxes: defaultdict[str, asyncio.Queue[EmailMessage]] = defaultdict(asyncio.Queue)
        self._server: asyncio.Server | None = None
        self._filed = 0
        self.port = 0

    async def open(self) -> None:
        """Listen on a free port of the loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, LOCAL_HOST, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def filed(self) -> int:
        """Mails in the folder."""
        return self._filed

    def box(self, address: str) -> asyncio.Queue[EmailMessage]:
        """What has come for one customer."""
        return self._boxes[address.lower()]

    def _protocol(self) -> SMTP:
        return SMTP(self, hostname="customers.example", enable_SMTPUTF8=True, loop=asyncio.get_running_loop())

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd's name for it: one mail has come."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        self._filed += 1
        first = re.sub(r"[^A-Za-z0-9._-]", "_", envelope.rcpt_tos[0] if envelope.rcpt_tos else "nobody")
        path = self._folder / f"{self._filed:04d}-{first[:80]}.eml"
        await asyncio.to_thread(path.write_bytes, raw)
        mail = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(raw)
        for address in envelope.rcpt_tos:
            self.box(address).put_nowait(mail)
        return "250 filed"


class MailVisit:
    """One customer's mail program."""

    def __init__(self, story: Story, office: PostOffice, smtp_port: int, ours: str) -> None:
        """`smtp_port`: where the bridge listens. `ours`: the address of the contact center."""
        self._story = story
        self._office = office
        self._smtp_port = smtp_port
        self._ours = ours
        self._last: EmailMessage | None = None
        self.said = 0
        """Mails that the bridge has acknowledged with 250."""

    async def say(self, text: str, file: str = "") -> None:
        """Write a mail, an answer where there is something to answer; returns when the bridge has taken it."""
        mail = self._mail(text, file)
        while True:
            try:
                await asyncio.to_thread(self._hand_over, mail)
            except (OSError, smtplib.SMTPException):
                await asyncio.sleep(RETRY_S)  # the bridge is away or asks for patience: a mail server tries again
            else:
                self.said += 1
                return

    async def hear(self) -> str:
        """The next answer, without what it quotes."""
        self._last = await self._office.box(self._story.address).get()
        return words_of(self._last)

    def _mail(self, text: str, file: str) -> EmailMessage:
        mail = EmailMessage()
        local, _, domain = self._story.address.partition("@")
        mail["From"] = Address(self._story.name, local, domain)
        mail["To"] = self._ours
        mail["Date"] = format_datetime(datetime.now().astimezone())
        mail["Message-ID"] = make_msgid(domain=domain)
        if self._last is None:
            mail["Subject"] = self._story.subject
            mail.set_content(text)
        else:
            subject = str(self._last["Subject"] or self._story.subject)
            mail["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
            answered = str(self._last["Message-ID"] or "").strip()
            mail["In-Reply-To"] = answered
            mail["References"] = f"{self._last['References'] or self._last['In-Reply-To'] or ''} {answered}".strip()
            mail.set_content(f"{text}\n\n{self._quote(self._last)}\n")
        if file:
            data, media_type = papers(file)
            main, _, sub = media_type.partition("/")
            mail.add_attachment(data, maintype=main, subtype=sub, filename=file)
        return mail

    def _quote(self, mail: EmailMessage) -> str:
        body: Any = mail.get_body(("plain",))
        lines = body.get_content().rstrip().splitlines() if body is not None else []
        sender = str(mail["From"] or self._ours)
        head = self._story.wrote.format(date=datetime.now().astimezone().strftime("%d.%m.%Y %H:%M"), name=sender)
        return "\n".join((head, *(f"> {line}" for line in lines)))

    def _hand_over(self, mail: EmailMessage) -> None:
        """Raises OSError or SMTPException: the bridge has not taken it."""
        with smtplib.SMTP(LOCAL_HOST, self._smtp_port, timeout=20) as smtp:
            smtp.send_message(mail, self._story.address, [self._ours])


def words_of(mail: EmailMessage) -> str:
    """What a mail says itself, without the lines that it quotes."""
    body: Any = mail.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    return _QUOTE.sub("", text).strip()
