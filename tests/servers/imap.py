"""An IMAP server that plays a script, byte by byte as it is written there: what no well-behaved server says."""

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

HANG_UP = b"hang up"
SAY_NOTHING = b"say nothing"


@dataclass(slots=True)
class Script:
    """What the server says, by the command's first word (UID commands by both: `UID SEARCH`); `TAG` stands for the command's tag.

    HANG_UP and SAY_NOTHING are answers too. A list is said in turn, its last one again and again. What has no answer is OK.
    """

    answers: dict[str, bytes | list[bytes]] = field(default_factory=dict)
    greeting: bytes = b"* OK hello\r\n"
    capabilities: str = "IMAP4rev1 IDLE AUTH=PLAIN"
    heard: list[str] = field(default_factory=list)
    """Commands without their tags, and lines that followed them."""
    literals: list[bytes] = field(default_factory=list)
    closed: int = 0
    """Connections that the client ended."""
    port: int = 0

    def answer(self, verb: str) -> bytes:
        usual = b"TAG OK done\r\n"
        if verb == "CAPABILITY":
            usual = f"* CAPABILITY {self.capabilities}\r\nTAG OK done\r\n".encode()
        elif verb == "SELECT":
            usual = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] that one\r\nTAG OK [READ-WRITE] open\r\n"
        elif verb == "IDLE":
            usual = b"+ idling\r\n"
        found = self.answers.get(verb, usual)
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[Script]:
    """A server that plays the script to each client."""
    writers: set[asyncio.StreamWriter] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _play(script, reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(client, "127.0.0.1", 0, limit=2**20)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


async def _play(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(script.greeting)
    tag = b""
    while line := await reader.readline():
        text = line.decode().rstrip("\r\n")
        if text == "DONE":
            writer.write(script.answer("DONE").replace(b"TAG", tag))
            continue
        tag = line.split()[0]
        text = text.partition(" ")[2]
        while match := re.search(r"\{(\d+)\}$", text):
            writer.write(b"+ go on\r\n")
            script.literals.append(await reader.readexactly(int(match[1])))
            text = text[: match.start()] + "{}" + (await reader.readline()).decode().rstrip("\r\n")
        words = text.split()
        verb = " ".join(words[:2]) if words[0] == "UID" else words[0]
        script.heard.append(text)
        if verb == "AUTHENTICATE" and await _refuses(script, reader, writer, tag):
            continue
        said = script.answer(verb)
        if said == HANG_UP:
            return
        if said != SAY_NOTHING:
            writer.write(said.replace(b"TAG", tag))
            await writer.drain()
    script.closed += 1


async def _refuses(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tag: bytes) -> bool:
    """Hear the proof; with an answer set for `refusal`, give the reason first and then say no, as XOAUTH2 has it."""
    writer.write(b"+ \r\n")
    script.heard.append(base64.b64decode(await reader.readline()).decode())
    if "refusal" not in script.answers:
        return False
    writer.write(b"+ " + base64.b64encode(script.answer("refusal")) + b"\r\n")
    script.heard.append((await reader.readline()).decode().rstrip("\r\n"))
    writer.write(tag + b" NO no\r\n")
    return True
