"""One case of two, two of one, follow and priority: the exact commands, and where the window goes after them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_tui.screens.choose import Choose
from agent_tui.screens.merging import Merging
from agent_tui.screens.splitting import Priority, Splitting
from broker_bridge.contract import commands as c
from broker_bridge.contract.views import Item, Row, ThreadPage
from tests.tui import scenes, scenes_transfer
from tests.tui.scenes_transfer import MERGED_IN, SECOND_CASE, SECOND_NUMBER, SUGGESTED
from tests.tui.staged import replaced
from tests.tui.test_window import Desk, desk
from tests.until import until

SECOND = ("c-2108", SECOND_NUMBER)


async def _anna(it: Desk, row: Row = SUGGESTED, *more: Item) -> None:
    """Her case with everything that can be done to it."""
    it.fake.profiles["c-anna"] = scenes_transfer.PROFILE
    it.fake.pages["c-anna"] = replaced(scenes.ANNA_PAGE, row=row, items=(*scenes.ANNA_ITEMS, *more))
    it.fake.pages["c-2108"] = scenes_transfer.SECOND_PAGE
    it.fake.feed(row)
    await it.open("c-anna")
    await until(lambda: it.screen.reading.profile is not None)


async def _asks_to_merge(it: Desk) -> None:
    await it.press("m")
    await until(lambda: isinstance(it.app.screen, Merging) and "3 messages" in it.text() and "5 messages" in it.text())


async def test_the_suggestion_is_one_key_and_enter(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await until(lambda: f"may belong to #{SECOND_NUMBER}" in it.text())
        await _asks_to_merge(it)
        assert f"merge into #{SECOND_NUMBER}" in it.text()
        await it.press("enter")
        act = await it.posted(c.Merge)
        assert act == c.Merge(id=act.id, conversation="c-anna", into="c-2108", epoch=3)


async def test_no_to_the_suggestion_is_one_key_and_it_is_not_shown_where_nothing_is_suggested(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it, replaced(SUGGESTED, verbs=(*SUGGESTED.verbs, "keep_apart")))
        await until(lambda: "N not the same" in it.text())
        await it.press("N")
        act = await it.posted(c.KeepApart)
        assert act == c.KeepApart(id=act.id, conversation="c-anna", other="c-2108")
        await until(lambda: f"#{SECOND_NUMBER} is another case" in it.text())
        it.fake.feed(replaced(SUGGESTED, rev=102, suggestion=""))
        await until(lambda: "may belong to" not in it.text() and "N not the same" not in it.text())


async def test_tab_turns_it_round(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await _asks_to_merge(it)
        await it.press("tab")
        await until(lambda: "merge into #K7Q2" in it.text())
        await it.press("enter")
        act = await it.posted(c.Merge)
        assert act == c.Merge(id=act.id, conversation="c-2108", into="c-anna", epoch=2)


async def test_another_case_is_found_by_its_number(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        it.fake.found = scenes.COLLEAGUES_OWN
        await it.press("m")
        await until(lambda: isinstance(it.app.screen, Merging))
        await it.press(*"r3x8")
        await until(lambda: "Pauline" in it.text())
        await it.press("enter")
        assert (await it.posted(c.Merge)).into == "c-pauline"


async def test_what_was_merged_leads_to_where_it_goes_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await _asks_to_merge(it)
        await it.press("enter")
        act = await it.posted(c.Merge)
        it.fake.settle(act)
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-2108")


async def test_a_merged_case_of_the_timeline_opens_where_it_goes_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        merged = replaced(SECOND_CASE, conv="c-old", number="0LD00", state="merged", merged_into="c-2108")
        it.fake.pages["c-old"] = ThreadPage(row=merged, upto=100)
        from agent_tui.screens import acts

        acts.open_beside(it.screen, ("moment", "c-old"))
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-2108")
        await until(lambda: f"#0LD00 goes on in #{SECOND_NUMBER}" in it.text())


async def test_cases_that_lead_to_each_other_end_somewhere(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        for one, other in (("c-a", "c-b"), ("c-b", "c-a")):
            row = replaced(SECOND_CASE, conv=one, state="merged", merged_into=other)
            it.fake.pages[one] = ThreadPage(row=row, upto=100)
        from agent_tui.screens import acts

        it.fake.asked.clear()
        acts.open_beside(it.screen, ("moment", "c-a"))
        await until(lambda: sum(isinstance(one, c.Thread) for one in it.fake.asked) >= 5)
        await it.pilot.pause()
        assert it.screen.reading.opened is not None and it.screen.reading.opened.conv == "c-anna"


async def test_the_event_of_a_merge_is_undone_by_a_key(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        row = replaced(SUGGESTED, suggestion="", merged=(SECOND,), verbs=(*SUGGESTED.verbs, "unmerge"))
        await _anna(it, row, MERGED_IN)
        await until(lambda: "U un-merge" in it.text())
        await it.press("U")
        act = await it.posted(c.Unmerge)
        assert act == c.Unmerge(id=act.id, conversation="c-2108")


async def test_of_several_merged_cases_it_is_asked_which(tmp_path: Path) -> None:
    other = replaced(MERGED_IN, id="m-19", seq=19, rev=19, text="44713 was merged in", case="44713")
    merged = (SECOND, ("c-4471", "44713"))
    async with desk(tmp_path) as it:
        row = replaced(SUGGESTED, suggestion="", merged=merged, verbs=(*SUGGESTED.verbs, "unmerge"))
        await _anna(it, row, MERGED_IN, other)
        await it.press("U")
        await until(lambda: isinstance(it.app.screen, Choose) and "#44713" in it.text())
        await it.press("2")
        assert (await it.posted(c.Unmerge)).conversation == "c-4471"


async def test_under_the_cursor_the_event_says_which_of_several_it_is(tmp_path: Path) -> None:
    other = replaced(MERGED_IN, id="m-19", seq=19, rev=19, text="44713 was merged in", case="44713")
    async with desk(tmp_path) as it:
        merged = (SECOND, ("c-4471", "44713"))
        row = replaced(SUGGESTED, suggestion="", merged=merged, verbs=(*SUGGESTED.verbs, "unmerge"))
        await _anna(it, row, MERGED_IN, other)
        await it.press("enter")
        it.screen.thread.list.select("m-19")
        await it.press("U")
        assert (await it.posted(c.Unmerge)).conversation == "c-4471"


@pytest.mark.parametrize(
    "words", ["Maya Lindqvist undid the merge", "Maya Lindqvist split: later messages go on in #N3W"]
)
async def test_what_went_to_another_case_is_gone_from_the_thread(tmp_path: Path, words: str) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await until(lambda: "And can I pay" in it.text())
        gone, stays = scenes.ANNA_ITEMS[-1], scenes.ANNA_ITEMS[:-1]
        said = replaced(gone, id="m-90", seq=90, rev=90, kind="event", name="", text=words)
        it.fake.pages["c-anna"] = replaced(it.fake.pages["c-anna"], items=(*stays, said))
        it.fake.feed_thread(SUGGESTED, said)
        await until(
            lambda: words[:20] in it.text() and it.screen.reading.opened and not it.screen.reading.opened.is_rearranged
        )
        opened = it.screen.reading.opened
        assert opened is not None and gone.id not in [item.id for item in opened.items]
        assert [item.id for item in opened.items] == [*(item.id for item in stays), "m-90"]


async def test_a_merged_case_itself_is_taken_out(tmp_path: Path) -> None:
    row = replaced(SECOND_CASE, rev=200, text="zebra", state="merged", merged_into="c-anna", verbs=("unmerge",))
    async with desk(tmp_path) as it:
        it.fake.found = (row,)
        await it.press("slash", *"zebra")
        await until(lambda: "1 of 1" in it.text())
        it.fake.pages["c-2108"] = ThreadPage(row=row, upto=100)
        await it.press("enter")
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-2108")
        await it.press("U")
        assert (await it.posted(c.Unmerge)).conversation == "c-2108"


async def test_a_split_names_its_first_message_and_opens_the_new_case(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await it.press("enter", "up", "S")
        await until(lambda: isinstance(it.app.screen, Splitting) and "1 message follows" in it.text())
        assert "last year this one" in it.text() and "split off 2" in it.text()
        await it.press("enter", "enter")
        act = await it.posted(c.Split)
        assert act == c.Split(id=act.id, conversation="c-anna", epoch=3, message="m-16")
        assert sum(isinstance(one, c.Split) for one in it.fake.posted) == 1
        new = replaced(scenes.ANNA, conv="c-new", number="NEW11")
        it.fake.pages["c-new"] = ThreadPage(row=new, upto=100)
        it.fake.settle(act, c.Done(upto=200, conversation="c-new"))
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-new")


@pytest.mark.parametrize(("seq", "said"), [(15, "this is none"), (8, "nothing would stay here")])
async def test_where_a_case_cannot_be_split(tmp_path: Path, seq: int, said: str) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await it.press("enter")
        it.screen.thread.list.select(f"m-{seq}")
        await it.press("S")
        await until(lambda: said in it.text())
        assert it.app.screen is it.screen and not [one for one in it.fake.posted if isinstance(one, c.Split)]


async def test_follow_and_no_longer(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await it.press("v")
        assert (await it.posted(c.Observe)).on and "You follow Anna Berg" in it.text()
        it.fake.posted.clear()
        it.fake.feed(replaced(SUGGESTED, rev=300, is_observed=True))
        await until(lambda: it.screen.target is not None and it.screen.target.is_observed)
        await it.press("v")
        assert not (await it.posted(c.Observe)).on


async def test_a_priority_is_one_digit(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await _anna(it)
        await it.press("P")
        await until(lambda: isinstance(it.app.screen, Priority) and "none of its own" in it.text())
        await it.press("0", "2")
        act = await it.posted(c.Prioritize)
        assert (act.conversation, act.epoch, act.priority) == ("c-anna", 3, 2)


@pytest.mark.parametrize("key", ["m", "U", "S", "v", "P", "y", "x"])
async def test_what_the_row_does_not_allow_is_said(tmp_path: Path, key: str) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        await it.press("enter")
        it.fake.posted.clear()
        await it.press(key)
        await until(lambda: "you cannot" in it.text())
        assert not it.fake.posted and it.app.screen is it.screen


HOSTILE = "[/] [@click=app.exit]x[/] \x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m \u202eevil 田中 \r\n end"


@pytest.mark.parametrize("key", ["m", "S", "P"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_hostile_words_stay_words(tmp_path: Path, key: str, size: tuple[int, int]) -> None:
    row = replaced(SUGGESTED, name=HOSTILE, number=HOSTILE, channel=HOSTILE, text=HOSTILE, consult_with=HOSTILE)
    item: Any = replaced(scenes.ANNA_ITEMS[-1], name=HOSTILE, text=HOSTILE, case=HOSTILE, channel=HOSTILE)
    async with desk(tmp_path, size=size) as it:
        await _anna(it, row, item)
        it.fake.pages["c-2108"] = replaced(
            scenes_transfer.SECOND_PAGE, row=replaced(SECOND_CASE, name=HOSTILE, text=HOSTILE)
        )
        await it.press("enter", key)
        await until(lambda: it.app.screen is not it.screen and "evil" in it.text())
        shown = it.text()
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in shown)
        assert "\u202e" not in shown
