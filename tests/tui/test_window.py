"""Every action of the window, pressed as a person would, against a link that keeps what it was given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from agent_tui.app import OneWindow
from agent_tui.model.drafts import Drafts
from broker_bridge.contract import commands as c
from broker_bridge.contract.commands import Done, Refusal
from broker_bridge.contract.views import Refused
from tests.tui import fakes, scenes, scenes_floor
from tests.tui.staged import replaced, window
from tests.until import until


class Desk:
    """A window under test, with shorthands."""

    def __init__(self, app: OneWindow, fake: fakes.FakeLink, pilot: Pilot[None]) -> None:
        self.app, self.fake, self.pilot = app, fake, pilot
        self.screen = app.workstation

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def open(self, conv: str) -> None:
        """The cursor on a conversation, and its page on the screen."""
        self.screen.inbox.list.select(conv)
        await until(lambda: self.screen.reading.opened and self.screen.reading.opened.conv == conv)
        await until(lambda: self.screen.reading.opened and self.screen.reading.opened.is_loaded)

    async def write(self, text: str) -> None:
        """Into the composer, as pasted."""
        assert self.screen.desk.writing is not None
        self.screen.desk.writing.insert(text)
        await self.pilot.pause()

    async def posted(self, kind: type) -> Any:
        """The act of a kind, when it is there."""
        return await until(lambda: next((act for act in self.fake.posted if isinstance(act, kind)), None))

    def text(self) -> str:
        """All that is on the screen."""
        return screen_text(self.app)

    @property
    def draft(self) -> str:
        assert self.screen.desk.writing is not None
        return self.screen.desk.writing.text


def screen_text(app: OneWindow) -> str:
    """The screen's lines as a person sees them."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip)[: width * 2] for strip in lines[:height])


@asynccontextmanager
async def desk(folder: Path, *, size: tuple[int, int] = (120, 40), **more: Any) -> AsyncIterator[Desk]:
    fake = fakes.maya()
    fake.directory = scenes_floor.DIRECTORY
    fake.pages["c-pauline"] = scenes_floor.PAULINE_PAGE
    fake.found = scenes.WAITING
    app, _ = window(folder, fake, **more)
    async with app.run_test(size=size) as pilot:
        found = Desk(app, fake, pilot)
        await until(lambda: fake.is_started and found.screen.desk.writing is not None)
        yield found


async def test_the_first_frame_is_the_last_known_state_and_says_connecting(tmp_path: Path) -> None:
    async with desk(tmp_path, is_up=False) as it:
        assert "connecting" in it.text() and "Anna Berg" in it.text()


async def test_the_window_without_a_network_module_paints_first() -> None:
    import subprocess
    import sys

    code = "import sys, agent_tui.app; sys.exit('nats' in sys.modules or 'textual.widgets._text_area' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_enter_opens_the_conversation_and_marks_it_as_seen(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("enter")
        see = await it.posted(c.See)
        assert (see.conversation, see.epoch) == ("c-anna", 3)
        assert it.screen.focused is it.screen.thread.list
        assert "Shall I switch on" in it.text()


async def test_a_reply_carries_what_was_shown(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("No fee with Gold.")
        await it.press("enter")
        reply = await it.posted(c.Reply)
        assert (reply.conversation, reply.epoch, reply.text) == ("c-anna", 3, "No fee with Gold.")
        assert (reply.channel, reply.to, reply.seen) == ("support-wa", scenes.ANNA_REACH[0].to, 17)
        assert not reply.anyway and not reply.next and it.draft == ""
        assert "No fee with Gold." in it.text(), "what was sent stands in the thread at once"


async def test_letters_are_text_in_the_composer_and_f_keys_act(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.feed(scenes.KOVACS)
        await it.open("c-anna")
        await it.press("r", "a", "d", "e", "t")
        assert it.draft == "adet" and not it.fake.posted[1:]
        await it.press("f2")
        assert (await it.posted(c.Accept)).conversation in ("c-kovacs", "c-piet")


async def test_mail_breaks_the_line_with_enter_and_sends_with_alt_enter(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-soren")
        await it.press("r")
        await it.write("Dear Søren")
        await it.press("enter", "x", "alt+enter")
        reply = await it.posted(c.Reply)
        assert reply.text == "Dear Søren\nx"
        assert reply.cc == scenes.SOREN_REACH[0].cc and reply.in_reply_to == "m-21"


async def test_what_was_typed_just_before_enter_is_sent_whole(tmp_path: Path) -> None:
    words = "With Gold the first two withdrawals a month are free."
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        for letter in words:
            it.app.post_message(events.Key(letter, letter))
        it.app.post_message(events.Key("enter", "\r"))
        for letter in "And":
            it.app.post_message(events.Key(letter, letter))
        assert (await it.posted(c.Reply)).text == words
        await until(lambda: it.draft == "And")


def test_escape_and_return_is_alt_enter_where_the_terminal_knows_no_better() -> None:
    from textual._xterm_parser import XTermParser

    import agent_tui.writing  # noqa: F401

    keys = [event.key for event in XTermParser().feed("\x1b\r") if isinstance(event, events.Key)]
    assert keys == ["alt+enter"]


async def test_a_note_goes_to_colleagues_only(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("n")
        await it.write("fee waived before")
        await it.press("alt+enter")
        note = await it.posted(c.Note)
        assert (note.conversation, note.text) == ("c-anna", "fee waived before")
        assert not any(isinstance(act, c.Reply) for act in it.fake.posted)


async def test_reply_and_note_are_two_buffers(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("to her")
        await it.press("escape", "n")
        assert it.draft == ""
        await it.write("to us")
        await it.press("escape", "r")
        assert it.draft == "to her"


async def test_send_and_next_opens_the_next_that_waits(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("done")
        await it.press("ctrl+n")
        assert (await it.posted(c.Reply)).next
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-tanaka")


async def test_a_stopped_send_brings_the_words_back_and_one_key_sends_anyway(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-soren")
        await it.press("r")
        await it.write("Dear Søren")
        await it.press("alt+enter")
        first = await it.posted(c.Reply)
        it.fake.settle(first, Refused(code="changed", sentence="wrote", items=(scenes.SOREN_LATER,)))
        await it.pilot.pause()
        assert it.draft == "Dear Søren"
        assert "Not sent: Søren wrote at 14:02" in it.text() and "not sent" in it.text()
        await it.press("ctrl+y")
        again = it.fake.last(c.Reply)
        assert again.anyway and again.id != first.id and again.seen == 22 and it.draft == ""
        assert "Not sent" not in it.text()


async def test_a_second_enter_after_a_stop_does_not_send_by_accident(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("words")
        await it.press("enter")
        first = await it.posted(c.Reply)
        it.fake.settle(first, Refused(code="changed", sentence="wrote", items=()))
        await it.pilot.pause()
        await it.press("enter")
        assert it.fake.last(c.Reply) is first and it.draft == "words"


async def test_a_refused_reply_comes_back_with_the_reason(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("words")
        await it.press("enter")
        it.fake.settle(await it.posted(c.Reply), Refusal(code="not_yours", sentence="Ann closed this. Reopen it."))
        await it.pilot.pause()
        assert it.draft == "words" and "Ann closed this. Reopen it." in it.text()


@pytest.mark.parametrize(("key", "kind"), [("a", c.Accept), ("d", c.Decline)])
async def test_an_offer_is_taken_or_declined_from_the_list(tmp_path: Path, key: str, kind: type) -> None:
    async with desk(tmp_path) as it:
        it.fake.feed(scenes.KOVACS)
        it.screen.ringing.put_away.add("c-piet")
        await until(lambda: "Nem tudok" in it.text() and "Offer" in it.text())
        await it.open("c-anna")
        await it.press(key)
        assert (await it.posted(kind)).conversation == "c-kovacs"
        assert it.screen.focused is it.screen.inbox.list, "an offer never takes the focus"


async def test_what_was_accepted_opens_by_itself(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.screen.inbox.list.select("c-piet")
        await it.press("a")
        act = await it.posted(c.Accept)
        it.fake.feed(fakes.newer(scenes.PIET, state="mine", verbs=scenes.OWNER_VERBS, offer_until_ms=None))
        it.fake.settle(act, Done(upto=200))
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-piet")


async def test_taking_from_the_queue(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=scenes.ROWS) as it:
        await it.press("2")
        it.screen.inbox.list.select("c-queue-1")
        await it.press("a")
        assert (await it.posted(c.Accept)).conversation == "c-queue-1"


async def test_views_on_number_keys(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=scenes.ROWS) as it:
        await it.press("2")
        assert "Kim Larsson" in it.text() and "Søren Kjær" not in it.text()
        await it.press("3")
        await until(lambda: any(isinstance(request, c.Rows) for request in it.fake.asked))
        await it.press("1")
        assert "Søren Kjær" in it.text() and "Kim Larsson" not in it.text()


async def test_the_same_keys_on_a_cyrillic_layout(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("к")
        assert it.screen.desk.has_focus


async def test_transfer_to_a_colleague_with_a_note(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "Priya Rao" in it.text())
        await it.press("p", "r", "i", "y", "tab", "l", "o", "o", "k", "alt+enter")
        act = await it.posted(c.Transfer)
        assert (act.conversation, act.epoch, act.to_agent, act.to_queue, act.note) == (
            "c-anna",
            3,
            "priya",
            None,
            "look",
        )


async def test_transfer_to_a_queue(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "Priya Rao" in it.text())
        await it.press(*"loans", "enter")
        act = await it.posted(c.Transfer)
        assert (act.to_agent, act.to_queue) == (None, "loans")


async def test_close_and_next_is_one_key(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("E")
        assert (await it.posted(c.Close)).disposition == "Fee explained"
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv != "c-anna")


async def test_reopen_and_take_back_and_send_again(tmp_path: Path) -> None:
    row = replaced(scenes.ANNA, verbs=("reopen", "take_back", "send_again"))
    async with desk(tmp_path, rows=(row,)) as it:
        failed = replaced(scenes.ANNA_ITEMS[7], delivery="failed")
        it.fake.pages["c-anna"] = replaced(scenes.ANNA_PAGE, row=row, items=(failed,))
        await it.open("c-anna")
        # It may have opened by itself before the page was another.
        await it.screen.reading.fetch()
        await it.press("R", "T", "A")
        assert (await it.posted(c.Reopen)).epoch == 3
        assert (await it.posted(c.TakeBack)).conversation == "c-anna"
        assert (await it.posted(c.SendAgain)).message == failed.id


async def test_what_a_row_does_not_allow_is_said_and_not_posted(tmp_path: Path) -> None:
    row = replaced(scenes.ANNA, state="other", owner_name="Ole Nilsen", verbs=("note",))
    async with desk(tmp_path, rows=(row,)) as it:
        await it.press("3")
        it.screen.inbox.list.select("c-anna")
        await it.press("e")
        assert "with Ole Nilsen" in it.text() and not it.fake.posted


async def test_search_opens_what_was_found(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.press("slash", *"счёт")
        await until(lambda: any(isinstance(request, c.Search) for request in it.fake.asked))
        await until(lambda: "Ольга" in it.text())
        await it.press("enter")
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-olga")
        assert it.fake.asked[-1] and next(one for one in it.fake.asked if isinstance(one, c.Search)).text


async def test_the_palette_does_what_its_words_say(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.press("colon", *"theme: day", "enter")
        await until(lambda: it.app.theme == "day")
        await it.press("colon", *"contrast", "enter")
        await until(lambda: it.app.theme == "contrast")


async def test_help_shows_the_keys_and_finds_one(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.press("question_mark")
        await until(lambda: "transfer to a colleague" in it.text())
        await it.press(*"unfold")
        await until(lambda: "unfold a quote" in it.text() and "transfer to" not in it.text())
        await it.press("escape")
        assert it.app.screen is it.screen


async def test_ascii_changes_our_signs_and_not_their_words(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.screen.ringing.put_away.add("c-piet")
        await it.open("c-anna")
        await it.press("colon", *"ascii", "enter")
        await until(lambda: "▌" not in it.text() and "│" not in it.text())
        assert "田中" in it.text()


async def test_unfolding_a_quote(tmp_path: Path) -> None:
    async with desk(tmp_path, size=(120, 60)) as it:
        await it.open("c-soren")
        assert "line 3 of what" not in it.text()
        await it.press("greater_than_sign")
        assert "line 3 of what" in it.text()


async def test_the_next_channel_is_in_the_reply(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("c", "r")
        assert "anna.berg@example.se" in it.text()
        await it.write("by mail")
        await it.press("alt+enter")
        assert (await it.posted(c.Reply)).channel == "support-mail"


async def test_older_pages_come_when_the_top_is_reached(tmp_path: Path) -> None:
    async with desk(tmp_path, size=(80, 24)) as it:
        newest = replaced(scenes.ANNA_PAGE, has_more=True, items=scenes.ANNA_ITEMS[5:])
        older = replaced(scenes.ANNA_PAGE, items=scenes.ANNA_ITEMS[:5], has_more=False)
        it.fake.answers[c.Thread] = lambda request: newest if request.before is None else older
        await it.open("c-anna")
        await it.press("enter", "g")
        await until(lambda: it.screen.reading.opened and len(it.screen.reading.opened.items) == len(scenes.ANNA_ITEMS))


async def test_a_new_message_appears_in_the_open_thread(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-soren")
        it.fake.feed_thread(scenes.SOREN, scenes.SOREN_LATER)
        await until(lambda: "I found the second" in it.text())


async def test_profile_and_timeline_are_one_key_away_at_80_columns(tmp_path: Path) -> None:
    async with desk(tmp_path, size=(80, 24)) as it:
        await it.open("c-anna")
        assert "Swedish" not in it.text()
        await it.press("p")
        await until(lambda: "Swedish, English" in it.text() and "Timeline" in it.text())
        await it.press("escape")
        await until(lambda: "Swedish" not in it.text())


async def test_under_80_columns_one_pane_at_a_time(tmp_path: Path) -> None:
    async with desk(tmp_path, size=(60, 20)) as it:
        assert "Søren Kjær" in it.text()
        it.screen.inbox.list.select("c-anna")
        await it.press("enter")
        await until(lambda: "And can I pay" in it.text() and "Søren" not in it.text())
        await it.press("escape")
        await until(lambda: "Søren Kjær" in it.text())


async def test_drafts_are_on_disk_after_a_pause_and_on_the_bridge(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("half a thought")
        await until(lambda: Drafts(tmp_path / "drafts", scenes.NOW_MS).get("c-anna"))
        sent = await until(lambda: next((one for one in it.fake.asked if isinstance(one, c.Draft)), None))
        assert (sent.conversation, sent.text, sent.mode) == ("c-anna", "half a thought", "reply")
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        assert it.draft == "half a thought"


async def test_leaving_asks_once_when_a_draft_is_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("half")
        await it.press("ctrl+q")
        await until(lambda: "1 draft stays" in it.text())
        await it.press("escape")
        assert it.app.screen is it.screen and it.draft == "half"
