"""The composer at work: fills the text area, saves on every pause, sends, and brings words back that were not sent.

The law: what is typed is on disk within a third of a second of a pause, and on the bridge when there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.timer import Timer

from agent_tui.keys import Place
from agent_tui.model.frame import Key
from agent_tui.model.opened import Opened
from agent_tui.panes.composer import Composer, Writ
from agent_tui.screens.writer import PAUSE_S, Writer
from broker_bridge.contract.commands import Act, Draft, Note, Reply, Typing
from broker_bridge.contract.views import Answer, Row

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation
    from agent_tui.writing import Writing

TYPING_MS = 4_000
"""How often a customer is told that somebody types."""
DISK_FULL = "The disk takes no more: what you write is not kept. Make room, then write on."


class WritingDesk:
    """One for each workstation."""

    def __init__(self, screen: Workstation) -> None:
        self._screen = screen
        self.writer = Writer(screen.place)
        self._pause: Timer | None = None
        self._typed_ms = 0

    @property
    def _composer(self) -> Composer:
        return self._screen.composer

    @property
    def writing(self) -> Writing | None:
        return self._composer.writing if self._screen.is_mounted else None

    @property
    def has_focus(self) -> bool:
        writing = self.writing
        return writing is not None and self._screen.focused is writing

    @property
    def enter_sends(self) -> bool:
        """Chat, and no note: `enter` sends; otherwise it breaks the line."""
        opened = self._screen.reading.opened
        way = opened.way if opened is not None else None
        return self.writer.mode == "reply" and way is not None and not way.is_mail

    @property
    def is_at_top(self) -> bool:
        """The caret stands in the first line."""
        writing = self.writing
        return writing is not None and writing.cursor_at_first_line

    async def begin(self) -> None:
        """After the first paint: the text area."""
        writing = await self._composer.add_writing()
        writing.load(self.writer.text)

    def switch(self, opened: Opened | None, mode: str) -> None:
        """Another buffer; the one before is kept."""
        self._save()
        text = self.writer.switch(opened, mode)
        if self.writing is not None:
            self.writing.load(text)
        self.show()

    def focus(self, mode: str) -> None:
        """Write a reply or a note for the open conversation."""
        if self.writer.mode != mode:
            self.switch(self._screen.reading.opened, mode)
        if self.writing is not None:
            # At once: `focus()` would wait behind the letters that were typed after the key, and they would act.
            self._screen.set_focus(self.writing)

    def leave(self) -> None:
        """The words go to the disk; another conversation may open."""
        self._save()

    def changed(self) -> None:
        """Something was typed."""
        writing = self.writing
        if writing is None or writing.text == self.writer.text:
            return
        self.writer.text = writing.text
        self._composer.show_count(self._screen.place.glyphs)
        if self._pause is not None:
            self._pause.stop()
        self._pause = self._screen.set_timer(PAUSE_S, self._save)
        now_ms = self._screen.place.now_ms()
        if self.writer.mode == "reply" and self.writer.conv and now_ms - self._typed_ms > TYPING_MS:
            self._typed_ms = now_ms
            self._tell(Typing(conversation=self.writer.conv, on=True))

    def _save(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        try:
            draft = self.writer.save()
        except OSError:
            self._screen.say(DISK_FULL)
            return
        if draft is not None:
            self._tell(draft)

    def _tell(self, question: Draft | Typing) -> None:
        """What the bridge should know and nobody waits for."""
        self._screen.run_worker(self._screen.place.ask(question), group="telling")

    def send(self, *, anyway: bool = False, and_next: bool = False) -> bool:
        """Post what is in the buffer; true if it is on disk."""
        opened, place = self._screen.reading.opened, self._screen.place
        if opened is None or place.link is None:
            return False
        if self.writing is not None:
            self.writer.text = self.writing.text
        act: Act | None
        if self.writer.mode == "note":
            act = self.writer.note(opened, place.link.new_id())
        else:
            act = self._checked(opened, anyway=anyway, and_next=and_next)
        return act is not None and self._post(act)

    def _checked(self, opened: Opened, *, anyway: bool, and_next: bool) -> Reply | None:
        """The reply, or None with a sentence why not."""
        screen, link = self._screen, self._screen.place.link
        row = screen.listing.row(opened.conv) or opened.row
        if link is None or not self.writer.text.strip():
            return None
        if "reply" not in row.verbs or opened.way is None:
            screen.say(why_none(row, screen))
            return None
        if len(self.writer.text) > opened.way.max_chars:
            screen.say(f"This channel takes {opened.way.max_chars:,} characters: make it shorter.")
            return None
        return self.writer.reply(opened, link.new_id(), anyway=anyway, and_next=and_next)

    def _post(self, act: Act) -> bool:
        link = self._screen.place.link
        if link is None:
            return False
        try:
            link.post(act)
            self.writer.posted()
        except OSError:
            self._screen.say(DISK_FULL)
            return False
        if self.writing is not None:
            self.writing.load("")
        if self._typed_ms:
            self._typed_ms = 0
            self._tell(Typing(conversation=act.conversation, on=False))
        self._tell(
            Draft(conversation=act.conversation, text="", mode=self.writer.mode, at_ms=self._screen.place.now_ms())
        )
        self._screen.sight.thread()
        self._screen.sight.status()
        return True

    def linked(self) -> None:
        """The link is back: the bridge hears what was written meanwhile."""
        draft = self.writer.draft()
        if draft is not None:
            self._tell(draft)

    def settled(self, act: Act, answer: Answer) -> None:
        """Words of a refused reply come back."""
        if self.writer.settled(act, answer) and self.writing is not None:
            self.writing.load(self.writer.text)
        opened = self._screen.reading.opened
        stopped = self.writer.stopped
        if opened is not None and stopped is not None and stopped.act is act:
            opened.add_items(stopped.items)

    def give_back(self, act: Reply | Note) -> None:
        """A reply that was taken back."""
        if self.writer.give_back(act) and self.writing is not None:
            self.writing.load(self.writer.text)

    def show(self) -> None:
        """The rows around the text."""
        screen = self._screen
        opened = screen.reading.opened
        if opened is not None and opened.is_loaded and not self.has_focus:
            text = self.writer.take_newer(opened)
            if text is not None and self.writing is not None:
                self.writing.load(text)
        self._composer.display = opened is not None
        self._composer.show(self._writ(opened), screen.place.glyphs, screen.place.tz)
        if self.writing is not None:
            self.writing.set_class(self.writer.mode == "note", "-note")
        screen.join()

    def _writ(self, opened: Opened | None) -> Writ:
        place = self._screen.place
        if opened is None:
            return Writ(mode="none", why_none="")
        row = self._screen.listing.row(opened.conv) or opened.row
        verb = self.writer.mode
        if verb not in row.verbs or (verb == "reply" and opened.way is None):
            return Writ(mode="none", why_none=why_none(row, self._screen))
        stopped = self.writer.stopped
        return Writ(
            mode=verb,
            reach=opened.way,
            stopped=stopped.items if stopped is not None else (),
            sentence=stopped.sentence if stopped is not None else "",
            has_link=place.is_up,
            keys=self._keys(stopped is not None),
        )

    def _keys(self, is_stopped: bool) -> tuple[Key, ...]:
        table = self._screen.keys
        where: Place = "chat" if self.enter_sends else "composer"
        if is_stopped:
            return table.keys_for("stopped", ())
        names: tuple[str, ...] = ("send", "send_next", "newline") if self.enter_sends else ("send", "send_next")
        if self.writer.mode == "note":
            names = ("send",)
        return tuple(Key(table.shown(name, where), table[name].label, 1 + n) for n, name in enumerate(names))


def why_none(row: Row, screen: Workstation) -> str:
    """Why nobody can reply now, and the key that helps."""
    keys = screen.keys
    if row.state == "ringing":
        return f"{keys.shown('accept')} takes the offer"
    if row.state == "queued":
        return f"waits in the queue: {keys.shown('accept')} takes it"
    if row.state == "closed":
        return f"closed: {keys.shown('reopen')} opens it again"
    if row.state == "wrap_up":
        return f"closed: {keys.shown('close')} writes its outcome"
    if row.state == "merged":
        return "it goes on in another case"
    if row.state in ("other", "consult"):
        return f"with {row.owner_name or 'a colleague'}: {keys.shown('note')} writes a note"
    return "no way to answer is known yet" if "reply" in row.verbs else "you may read this, not answer it"
