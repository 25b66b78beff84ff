"""What the web chat needs from the bridge behind it. The chat knows no broker: the bridge implements this.

The law: `intake` returns only when the message is stored durably; the browser is told "said" only after that.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from broker_bridge.channels.webchat.frames import FileLink, OutMessage


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the object store, known by the digest of its bytes."""

    digest: str
    name: str
    media_type: str
    size_bytes: int

    def link(self) -> FileLink:
        """The file as a visitor sees it."""
        return FileLink(digest=self.digest, name=self.name, media_type=self.media_type, size_bytes=self.size_bytes)


class Full(Exception):
    """The store takes nothing more at the moment; the visitor's browser keeps the message and tries again."""


class Unavailable(Exception):
    """The store cannot be reached, or did not answer in time: the message may or may not be stored."""


class Desk(Protocol):
    """The bridge, as the web chat sees it. Every method may raise `Unavailable`."""

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
        """Store a visitor's message under the native id `session:client_id`; a repeated id is stored once.

        Raises:
            Full: nothing more can be stored.
        """

    async def history(self, session: str, after_seq: int) -> Sequence[OutMessage]:
        """Both sides' messages of this session that are newer than `after_seq`, oldest first."""

    async def typing(self, session: str, on: bool) -> None:
        """Tell the agents who look at this conversation that the visitor types."""

    async def seen(self, session: str, seq: int) -> None:
        """The visitor has seen everything up to `seq`."""

    async def store_file(self, data: bytes, name: str, media_type: str) -> StoredFile:
        """Keep an upload in the object store.

        Raises:
            Full: nothing more can be stored.
        """

    async def load_file(self, session: str, digest: str) -> tuple[bytes, str, str] | None:
        """Bytes, name and media type of a file of this session's conversation; None for any other."""
