"""Mail servers to send to: a sink that takes everything (aiosmtpd), and one that plays a script, down to hanging up mid-sentence."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass(slots=True)
class Got:
    """One mail that the sink took."""

    sender: str
    recipients: list[str]
    raw: bytes


class Sink:
    """Takes every mail and keeps it."""

    def __init__(self) -> None:
        self.mails: list[Got] = []
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(Got(envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.original_content)))
        return "250 2.0.0 Ok: queued as 4XyZ9"


@contextlib.asynccontextmanager
async def sink(tls: ssl.SSLContext | None = None) -> AsyncIterator[Sink]:
    """A running sink; with `tls` it demands STARTTLS."""
    taking = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(taking, hostname="sink.example", loop=loop, tls_context=tls, require_starttls=tls is not None),
        "127.0.0.1",
        0,
    )
    taking.port = server.sockets[0].getsockname()[1]
    try:
        yield taking
    finally:
        server.close()


HANG_UP = "hang up"
SAY_NOTHING = "say nothing"


@dataclass(slots=True)
class Script:
    """What the server says. Stages: greeting, EHLO, MAIL, RCPT, DATA, half (the content has begun), end (after the final dot).

    `answers` by stage or, for one recipient, `RCPT address`; HANG_UP and SAY_NOTHING are answers too.
    """

    answers: dict[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    heard: list[str] = field(default_factory=list)
    """Command lines, in order."""
    contents: list[bytes] = field(default_factory=list)
    port: int = 0

    def answer(self, stage: str, usual: str) -> str:
        return self.answers.get(stage, usual)


class _HungUp(Exception):
    pass


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[Script]:
    """A server that plays the script to each client."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(_HungUp, ConnectionError, asyncio.IncompleteReadError):
            await _play(script, reader, writer)
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0, limit=2**20)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()


async def _play(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def say(stage: str, usual: str) -> str:
        text = script.answer(stage, usual)
        if text == HANG_UP:
            raise _HungUp
        if text != SAY_NOTHING:
            writer.write(text.encode() + b"\r\n")
            await writer.drain()
        return text

    await say("greeting", "220 scripted.example ESMTP")
    while line := (await reader.readline()).decode():
        script.heard.append(line.strip())
        verb = line.split()[0].upper()
        if verb == "EHLO":
            usual = "\r\n".join(f"250-{one}" for one in ("scripted.example", *script.extensions)) + "\r\n250 HELP"
            await say("EHLO", usual)
        elif verb == "RCPT":
            address = line.partition("<")[2].partition(">")[0]
            stage = f"RCPT {address}" if f"RCPT {address}" in script.answers else "RCPT"
            await say(stage, "250 OK")
        elif verb == "DATA":
            if (await say("DATA", "354 go on")).startswith("354"):
                await _take_content(script, reader, say)
        else:
            await say(verb, "221 bye" if verb == "QUIT" else "250 OK")


async def _take_content(script: Script, reader: asyncio.StreamReader, say: Any) -> None:
    if script.answers.get("half") == HANG_UP:
        await reader.readline()
        raise _HungUp
    content = await reader.readuntil(b"\r\n.\r\n")
    script.contents.append(content)
    await say("end", "250 2.0.0 Ok: queued as 77AB12")
