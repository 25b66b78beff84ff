"""A desk that stores in lists: what the bridge does over its broker, without one."""

import asyncio
import hashlib
from collections.abc import Sequence

from broker_bridge.channels.webchat.desk import Full, StoredFile, Unavailable
from broker_bridge.channels.webchat.frames import OutMessage


class DeskInMemory:
    """Stores once per `session:client_id`, like the log; `arrivals` counts every attempt."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[str, str]] = []
        self.pages: list[str] = []
        self.names: list[str] = []
        self.typed: list[tuple[str, bool]] = []
        self.seen_marks: list[tuple[str, int]] = []
        self.files: dict[str, tuple[bytes, str, str]] = {}
        self.sessions: dict[str, list[OutMessage]] = {}
        self.trouble: Full | Unavailable | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self._seq = 0

    def said(self, session: str) -> list[str]:
        """The texts that are stored from the visitor, in order."""
        return [message.text for message in self.sessions.get(session, []) if message.sender == "you"]

    def all_said(self) -> list[str]:
        """The stored texts of every visitor."""
        return [text for session in self.sessions for text in self.said(session)]

    @property
    def only_session(self) -> str:
        """The one session that has said something."""
        (session,) = self.sessions
        return session

    def reply(self, session: str, text: str, files: Sequence[StoredFile] = (), at_ms: int = 1_000) -> OutMessage:
        """An agent's message, stored; the test pushes it or leaves it to history."""
        self._seq += 1
        links = tuple(file.link() for file in files)
        message = OutMessage(
            seq=self._seq, id=f"agent-{self._seq:04}", sender="agent", name="Maya", text=text, at_ms=at_ms, files=links
        )
        self.sessions.setdefault(session, []).append(message)
        return message

    async def intake(
        self,
        session: str,
        client_id: str,
        text: str,
        name: str,
        page: str,
        files: Sequence[StoredFile],
        at_ms: int,
    ) -> None:
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        self.arrivals.append((session, client_id))
        self.pages.append(page)
        self.names.append(name)
        known = self.sessions.setdefault(session, [])
        if any(message.id == client_id for message in known):
            return
        self._seq += 1
        links = tuple(file.link() for file in files)
        known.append(
            OutMessage(
                seq=self._seq, id=client_id, sender="you", name=name, text=text, at_ms=at_ms, files=links, state="sent"
            )
        )

    async def history(self, session: str, after_seq: int) -> Sequence[OutMessage]:
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        return [message for message in self.sessions.get(session, []) if message.seq > after_seq]

    async def typing(self, session: str, on: bool) -> None:
        self.typed.append((session, on))

    async def seen(self, session: str, seq: int) -> None:
        self.seen_marks.append((session, seq))

    async def store_file(self, data: bytes, name: str, media_type: str) -> StoredFile:
        if self.trouble is not None:
            raise self.trouble
        digest = hashlib.sha256(data).hexdigest()
        self.files[digest] = (data, name, media_type)
        return StoredFile(digest=digest, name=name, media_type=media_type, size_bytes=len(data))

    async def load_file(self, session: str, digest: str) -> tuple[bytes, str, str] | None:
        own = {link.digest for message in self.sessions.get(session, []) for link in message.files}
        return self.files[digest] if digest in own else None
