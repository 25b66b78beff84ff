"""Closing a case and its wrap-up form, pressed as a person would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from agent_tui.screens.dialog import Dialog
from agent_tui.screens.wrapup import WrappingUp
from broker_bridge.contract import commands as c
from broker_bridge.contract.commands import Refusal
from tests.tui import fakes, scenes
from tests.tui.scenes_outcome import ANNA_WRAP_PAGE, OUTCOMES, WRAPPED
from tests.tui.test_window import Desk, desk
from tests.until import until


def has_form(it: Desk) -> bool:
    return isinstance(it.app.screen, WrappingUp) and bool(it.app.screen.query("#note"))


def types_in(it: Desk) -> str:
    focused = it.app.screen.focused
    return focused.id or "" if isinstance(focused, Input) else ""


@asynccontextmanager
async def anna(folder: Path, **more: Any) -> AsyncIterator[Desk]:
    async with desk(folder, **more) as it:
        it.fake.pages["c-anna"] = ANNA_WRAP_PAGE
        await it.open("c-anna")
        await it.screen.reading.fetch()
        yield it


@asynccontextmanager
async def wrapping(folder: Path, **more: Any) -> AsyncIterator[Desk]:
    """Closed by the key, and the bridge says that the wrap-up runs."""
    async with anna(folder, **more) as it:
        await it.press("e")
        await it.posted(c.Close)
        it.fake.feed(WRAPPED)
        await until(lambda: has_form(it))
        await it.pilot.pause()
        yield it


async def test_e_closes_without_an_outcome_and_the_form_opens_when_the_wrap_up_began(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("e")
        act = await it.posted(c.Close)
        assert (act.conversation, act.epoch, act.disposition) == ("c-anna", 3, "")
        assert not isinstance(it.app.screen, Dialog)
        it.fake.feed(WRAPPED)
        await until(lambda: has_form(it))
        await until(lambda: "next work in 0:38" in it.text() and "closed 14:02" in it.text())
        assert "needs an amount" in it.text() and "used when time is up" in it.text()


async def test_a_queue_without_a_wrap_up_opens_nothing(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("e")
        await it.posted(c.Close)
        it.fake.feed(fakes.newer(scenes.ANNA, state="closed", verbs=("reopen",)))
        await it.pilot.pause()
        it.fake.feed(replace(WRAPPED, rev=WRAPPED.rev + 2))
        await it.pilot.pause()
        assert not isinstance(it.app.screen, Dialog), "a later wrap-up is not the one that was asked for here"


async def test_a_wrap_up_of_another_terminal_opens_nothing_here(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        it.fake.feed(WRAPPED)
        await it.pilot.pause()
        assert not isinstance(it.app.screen, Dialog)
        await it.press("j")
        it.app.tick()
        await until(lambda: "wrap-up 1" in it.text())


async def test_the_whole_form_is_one_act_and_the_follow_up_one_task(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        await it.press("2")
        await until(lambda: types_in(it) == "value-0")
        await it.press(*"35.00", "tab", *"abroad", "space", *"gold", "tab", *"tomorrow", "space", *"10")
        await until(lambda: "tomorrow 10:00, in 19 h 57 m" in it.text())
        await it.press("tab", *"Waived", "enter")
        act = await it.posted(c.WrapUp)
        assert (act.conversation, act.epoch, act.disposition) == ("c-anna", 3, "Fee waived")
        assert (act.fields, act.tags, act.note) == ((("amount", "35.00"),), ("abroad", "gold"), "Waived")
        task = await it.posted(c.AddTask)
        assert (task.conversation, task.what, task.assignee) == ("c-anna", "task", "maya")
        assert task.due_ms == scenes.at("10:00", -1) - 20_000 and task.text == "Follow up: Waived"
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-tanaka")
        assert not act.next, "the next one was opened here"


async def test_the_bridge_names_the_next_one_where_none_waits_here(tmp_path: Path) -> None:
    async with wrapping(tmp_path, rows=(scenes.ANNA,)) as it:
        await it.press("enter")
        act = await it.posted(c.WrapUp)
        assert act.next and act.disposition == "Fee explained"


async def test_an_outcome_without_its_field_does_not_end_and_says_which(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        await it.press("4", "enter")
        await until(lambda: "Order is missing: Dispute opened needs it." in it.text())
        assert types_in(it) == "value-1" and not [act for act in it.fake.posted if isinstance(act, c.WrapUp)]
        await it.press(*"55-2108", "enter")
        await until(lambda: "Amount is missing" in it.text())
        await it.press("9", "enter")
        assert (await it.posted(c.WrapUp)).fields == (("order", "55-2108"), ("amount", "9"))


async def test_a_follow_up_that_is_not_understood_is_not_dropped(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        it.app.screen.query_one("#follow", Input).focus()
        await it.press(*"soon", "enter")
        await until(lambda: "“soon” is no time to come" in it.text())
        assert not [act for act in it.fake.posted if isinstance(act, c.WrapUp | c.AddTask)]


async def test_backspace_takes_the_last_tag_off(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        it.app.screen.query_one("#tag", Input).focus()
        await it.press(*"abroad", "space", *"gold", "space")
        await until(lambda: "abroad ×  gold ×" in it.text())
        await it.press("backspace", "a", "backspace", "enter")
        assert (await it.posted(c.WrapUp)).tags == ("abroad",)


@pytest.mark.parametrize("key", ["plus", "f2"])
async def test_more_time_is_one_key_and_the_clock_follows(tmp_path: Path, key: str) -> None:
    async with wrapping(tmp_path) as it:
        if key == "f2":
            it.app.screen.query_one("#note", Input).focus()
        await it.press(key)
        assert (await it.posted(c.MoreTime)).conversation == "c-anna"
        it.fake.feed(fakes.newer(WRAPPED, wrap_until_ms=scenes.NOW_MS + 68_000))
        await until(lambda: "next work in 1:08" in it.text())


async def test_later_leaves_the_row_and_e_opens_it_with_what_was_typed(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        await it.press("2", *"35")
        it.app.screen.query_one("#note", Input).focus()
        await it.press(*"again", "escape")
        await until(lambda: not isinstance(it.app.screen, Dialog))
        await it.press("j")
        it.app.tick()
        await until(lambda: "wrap-up 1" in it.text())
        it.screen.inbox.list.select("c-anna")
        await it.press("e")
        await until(lambda: has_form(it) and "again" in it.text())
        await it.press("enter")
        act = await it.posted(c.WrapUp)
        assert (act.disposition, act.fields, act.note) == ("Fee waived", (("amount", "35"),), "again")


async def test_time_that_runs_out_closes_the_form_and_what_was_typed_is_the_draft_of_a_note(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        it.app.screen.query_one("#note", Input).focus()
        await it.press(*"half")
        it.fake.feed(fakes.newer(WRAPPED, state="closed", verbs=("reopen",)))
        await until(lambda: not isinstance(it.app.screen, Dialog))
        await until(lambda: "time of Anna Berg is up. What you typed is kept" in it.text())
        kept = it.app.place.drafts.get("c-anna", "note")
        assert kept is not None and kept.text == "half"
        assert not [act for act in it.fake.posted if isinstance(act, c.WrapUp)]


async def test_a_form_that_was_put_off_when_its_time_ran_out_is_kept_as_a_note_too(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        it.app.screen.query_one("#note", Input).focus()
        await it.press(*"half", "escape")
        await until(lambda: not isinstance(it.app.screen, Dialog))
        it.fake.feed(fakes.newer(WRAPPED, state="closed", verbs=("reopen",)))
        await until(lambda: "What you typed is kept" in it.text())
        kept = it.app.place.drafts.get("c-anna", "note")
        assert kept is not None and kept.text == "half"


async def test_an_outcome_that_the_bridge_refuses_stands_in_the_form_again(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        await it.press("2", *"35")
        it.app.screen.query_one("#note", Input).focus()
        await it.press(*"again", "enter")
        act = await it.posted(c.WrapUp)
        it.fake.settle(act, Refusal(code="bad", sentence="The amount is no number."))
        await until(lambda: "The amount is no number." in it.text())
        it.screen.inbox.list.select("c-anna")
        await it.press("e")
        await until(lambda: has_form(it) and "again" in it.text() and "35" in it.text())


async def test_an_outcome_that_came_too_late_is_the_draft_of_a_note(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        it.app.screen.query_one("#note", Input).focus()
        await it.press(*"half", "enter")
        act = await it.posted(c.WrapUp)
        it.fake.feed(fakes.newer(WRAPPED, state="closed", verbs=("reopen",)))
        it.fake.settle(act, Refusal(code="late", sentence="The time is up."))
        await until(lambda: it.app.place.drafts.get("c-anna", "note"))


async def test_without_word_from_the_bridge_the_form_closes_soon_after_its_time(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        it.app.place.now_ms = lambda: scenes.NOW_MS + 39_000
        it.app.tick()
        await until(lambda: "time is up" in it.text())
        it.app.place.now_ms = lambda: scenes.NOW_MS + 42_000
        it.app.tick()
        await until(lambda: not isinstance(it.app.screen, Dialog) and "wrap-up time of Anna Berg is up." in it.text())


async def test_a_form_does_not_open_over_words_for_somebody_else(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("e")
        await it.posted(c.Close)
        await it.open("c-soren")
        await it.press("r", "H", "i")
        it.fake.feed(WRAPPED)
        await until(lambda: "wrap-up of Anna Berg waits" in it.text())
        assert it.draft == "Hi" and not isinstance(it.app.screen, Dialog)


async def test_close_and_next_closes_as_usual_and_opens_the_next(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("E")
        act = await it.posted(c.Close)
        assert (act.disposition, act.fields) == ("Fee explained", ())
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv != "c-anna")


async def test_close_and_next_asks_for_the_fields_of_the_usual_outcome_before_it_closes(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        it.fake.pages["c-anna"] = replace(ANNA_WRAP_PAGE, outcomes=(OUTCOMES[1], OUTCOMES[0]))
        await it.screen.reading.fetch()
        await it.press("E")
        await until(lambda: has_form(it) and "Close Anna Berg" in it.text())
        assert not [act for act in it.fake.posted if isinstance(act, c.Close)]
        await it.press("1", *"9 kr", "enter")
        act = await it.posted(c.Close)
        assert (act.disposition, act.fields, act.epoch) == ("Fee waived", (("amount", "9 kr"),), 3)


async def test_a_form_for_a_case_whose_page_is_not_here_fetches_its_outcomes(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=()) as it:
        it.fake.pages["c-anna"] = replace(ANNA_WRAP_PAGE, row=WRAPPED)
        it.fake.feed(WRAPPED)
        await until(lambda: it.screen.inbox.list.cursor == "c-anna")
        await it.press("e")
        await until(lambda: has_form(it) and "needs an amount" in it.text())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20)])
async def test_hostile_words_are_harmless_and_every_key_is_in_the_last_row(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    bad = "\x1b[31m[/]\u202e世\x07" * 3
    row = replace(WRAPPED, name=bad, number=bad)
    outcomes = tuple(replace(one, name=f"{bad}{n}", fields=(bad,)) for n, one in enumerate(OUTCOMES))
    async with desk(tmp_path, rows=(row,), size=size) as it:
        it.fake.pages["c-anna"] = replace(ANNA_WRAP_PAGE, row=row, outcomes=outcomes)
        it.screen.wrapping.open(row)
        await until(lambda: has_form(it))
        await it.pilot.pause()
        shown = it.text()
        assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown
        assert all(word in shown for word in ("1-5 outcome", "done+next", "esc later"))
