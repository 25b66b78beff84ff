"""What is being written for which conversation: one buffer each for replies and notes, what was sent, what was stopped.

The law: words are on disk within 300 ms of a pause, leave the buffer only when their command is on disk, and come back into it
when the bridge refuses them.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent_tui.model import deeds
from agent_tui.model.opened import Opened
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Act, Done, Draft, Note, Refusal, Reply
from broker_bridge.contract.ids import ALPHABET, LENGTH
from broker_bridge.contract.views import Answer, Item, Refused

PAUSE_S = 0.3
"""Of typing, before the words go to the disk and to the bridge."""
KEPT_MS = 5_000
"""How long a sent message stands in the thread when the bridge's own item does not come."""


@dataclass(frozen=True)
class Stopped:
    """A reply that the bridge did not send, because somebody wrote meanwhile."""

    act: Reply
    items: tuple[Item, ...]
    sentence: str


@dataclass
class Sent:
    """A reply that the bridge has, until its item arrives."""

    act: Reply | Note
    message: str
    at_ms: int


class Writer:
    """Buffers, by conversation and mode."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.conv = ""
        self.mode = "reply"
        self.text = ""
        self._saved = ""
        self._stopped: dict[str, Stopped] = {}
        self._sent: dict[str, Sent] = {}

    @property
    def stopped(self) -> Stopped | None:
        """Of the open conversation, while a reply is being written."""
        return self._stopped.get(self.conv) if self.mode == "reply" else None

    @property
    def has_sent(self) -> bool:
        """Something that was sent stands in a thread until its item comes."""
        return bool(self._sent)

    def draft(self) -> Draft | None:
        """What is in the buffer, for a bridge that could not be told; None if nothing is."""
        if not self.conv or not self.text.strip():
            return None
        return Draft(conversation=self.conv, text=self.text, mode=self.mode, at_ms=self._place.now_ms())

    def switch(self, opened: Opened | None, mode: str) -> str:
        """Keeps what is written, and gives the words of another buffer."""
        self.save()
        self.conv, self.mode = (opened.conv if opened is not None else ""), mode
        found = self._place.drafts.merged(self.conv, mode, opened.draft if opened is not None else None)
        self.text = self._saved = found.text if found is not None and self.conv else ""
        return self.text

    def take_newer(self, opened: Opened) -> str | None:
        """The bridge's draft, if it is newer than ours and nothing was written since; None = leave the buffer."""
        if opened.conv != self.conv or self.text != self._saved:
            return None
        found = self._place.drafts.merged(self.conv, self.mode, opened.draft)
        text = found.text if found is not None else ""
        if text == self.text:
            return None
        self.text = self._saved = text
        return text

    def save(self) -> Draft | None:
        """To the disk; gives what the bridge should hear, None if nothing changed.

        Raises:
            OSError: the disk does not take it.
        """
        if not self.conv or self.text == self._saved:
            return None
        now_ms = self._place.now_ms()
        self._place.drafts.save(self.conv, self.mode, self.text, now_ms)
        self._saved = self.text
        return Draft(conversation=self.conv, text=self.text, mode=self.mode, at_ms=now_ms)

    def reply(self, opened: Opened, id: str, *, anyway: bool = False, and_next: bool = False) -> Reply | None:
        """The command for the words in the buffer; None if there are none or no way."""
        way = opened.way
        if way is None or not self.text.strip():
            return None
        return deeds.reply(id, opened.row, way, self.text.rstrip(), opened.newest_seq, anyway=anyway, and_next=and_next)

    def note(self, opened: Opened, id: str) -> Note | None:
        return deeds.note(id, opened.row, self.text.rstrip()) if self.text.strip() else None

    def posted(self) -> None:
        """The command is on disk: the buffer and its draft are empty."""
        self._stopped.pop(self.conv, None)
        self._place.drafts.drop(self.conv, self.mode, self._place.now_ms())
        self.text = self._saved = ""

    def settled(self, act: Act, answer: Answer) -> bool:
        """The bridge answered. True if words came back into the open buffer."""
        if not isinstance(act, Reply | Note):
            return False
        if isinstance(answer, Done):
            self._sent[act.id] = Sent(act, answer.message or "", self._place.now_ms())
            return False
        if not isinstance(answer, Refusal):
            return False
        if isinstance(answer, Refused) or answer.code == "changed":
            items = answer.items if isinstance(answer, Refused) else ()
            if isinstance(act, Reply):
                self._stopped[act.conversation] = Stopped(act, items, answer.sentence or "somebody wrote meanwhile")
        return self.give_back(act)

    def give_back(self, act: Reply | Note) -> bool:
        """The words of a command that was not done go before what is written now. True: the open buffer changed."""
        mode = "note" if isinstance(act, Note) else "reply"
        if (act.conversation, mode) == (self.conv, self.mode):
            self.text = _before(act.text, self.text)
            self.save()
            return True
        kept = self._place.drafts.get(act.conversation, mode)
        text = _before(act.text, kept.text if kept is not None else "")
        self._place.drafts.save(act.conversation, mode, text, self._place.now_ms())
        return False

    def forget_stop(self) -> None:
        """The agent read what is new, or threw the reply away."""
        self._stopped.pop(self.conv, None)

    def on_its_way(self, opened: Opened) -> list[Item]:
        """Items for what was pressed and is not in the thread yet, oldest first."""
        acts: list[tuple[Reply | Note, str]] = []
        now_ms = self._place.now_ms()
        here = {item.id for item in opened.items}
        for id, sent in list(self._sent.items()):
            if sent.message in here or now_ms - sent.at_ms > KEPT_MS:
                del self._sent[id]
            elif sent.act.conversation == opened.conv:
                acts.append((sent.act, "sending"))
        waits = "sending" if self._place.is_up else "link"
        acts += [(act, waits) for act in self._place.waits_for(opened.conv) if isinstance(act, Reply | Note)]
        return [self._item(opened, act, delivery, n) for n, (act, delivery) in enumerate(acts)]

    def _item(self, opened: Opened, act: Reply | Note, delivery: str, n: int) -> Item:
        is_note = isinstance(act, Note)
        me = self._place.state.me
        return Item(
            id=act.id,
            seq=deeds.FOREVER_SEQ + n,
            rev=0 if self._place.is_up else 1,
            kind="note" if is_note else "you",
            at_ms=_made_ms(act.id, self._place.now_ms()),
            name=me.name if me is not None else "",
            channel="note" if is_note else opened.way.word if opened.way is not None else "",
            text=act.text,
            delivery="" if is_note else delivery,
        )


def _before(words: str, rest: str) -> str:
    return f"{words}\n{rest}" if rest.strip() and rest.strip() != words.strip() else words


def _made_ms(id: str, otherwise_ms: int) -> int:
    """When a command was made: its id says so."""
    if len(id) != LENGTH or any(letter not in ALPHABET for letter in id[:10]):
        return otherwise_ms
    value = 0
    for letter in id[:10]:
        value = value * 32 + ALPHABET.index(letter)
    return value
