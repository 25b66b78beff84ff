"""What is being written, on disk: one file for each conversation and mode, replaced whole on every pause.

Law: a draft outlives kill -9 and a power cut. The newest writing wins over the bridge's copy, and an emptied draft is
a writing too: it is kept as empty until it is old, so that the bridge's older words do not come back.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent_tui.model import kept
from broker_bridge.contract.codec import encode
from broker_bridge.contract.ids import ConversationId
from broker_bridge.contract.subjects import token
from broker_bridge.contract.views import DraftView

EMPTY_KEPT_MS = 7 * 24 * 3_600_000
MODES = ("reply", "note")


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One draft as it lies on disk."""

    conversation: ConversationId
    mode: str = "reply"
    text: str = ""
    at_ms: int = 0


_drafts = msgspec.json.Decoder(Draft)


class Drafts:
    """The drafts of one agent on this machine."""

    def __init__(self, folder: Path, now_ms: int) -> None:
        """Read what is there; empty drafts older than a week are dropped, files that cannot be read are left alone."""
        self._folder = kept.folder(folder)
        self._known: dict[tuple[ConversationId, str], Draft] = {}
        for path in sorted(folder.glob("*.json")):
            draft = _read(path)
            if draft is None:
                continue
            if not draft.text and now_ms - draft.at_ms > EMPTY_KEPT_MS:
                kept.remove(path)
                continue
            self._known[draft.conversation, draft.mode] = draft

    def save(self, conversation: ConversationId, mode: str, text: str, at_ms: int) -> None:
        """On disk when this returns. The same text again writes nothing.

        Raises:
            OSError: the disk is full or cannot be written: tell the agent.
        """
        old = self._known.get((conversation, mode))
        if old is not None and old.text == text:
            return
        if old is None and not text:
            return
        draft = Draft(conversation=conversation, mode=mode, text=text, at_ms=at_ms)
        kept.write(self._path(conversation, mode), encode(draft))
        self._known[conversation, mode] = draft

    def drop(self, conversation: ConversationId, mode: str, at_ms: int) -> None:
        """It was sent or thrown away."""
        self.save(conversation, mode, "", at_ms)

    def get(self, conversation: ConversationId, mode: str = "reply") -> Draft | None:
        """The local draft, if it has words."""
        draft = self._known.get((conversation, mode))
        return draft if draft is not None and draft.text else None

    def merged(self, conversation: ConversationId, mode: str, theirs: DraftView | None) -> DraftView | None:
        """The newer of the local draft and the bridge's; None if that one is empty. At the same moment ours wins."""
        ours = self._known.get((conversation, mode))
        if theirs is not None and theirs.mode != mode:
            theirs = None
        if ours is not None and (theirs is None or ours.at_ms >= theirs.at_ms):
            return DraftView(text=ours.text, mode=mode, at_ms=ours.at_ms) if ours.text else None
        return theirs if theirs is not None and theirs.text else None

    def all(self) -> list[Draft]:
        """Every draft that has words, newest first."""
        return sorted((draft for draft in self._known.values() if draft.text), key=lambda draft: -draft.at_ms)

    def _path(self, conversation: ConversationId, mode: str) -> Path:
        return self._folder / f"{token(conversation)}.{token(mode)}.json"


def _read(path: Path) -> Draft | None:
    data = kept.read(path)
    try:
        return _drafts.decode(data) if data is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
