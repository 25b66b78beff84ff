"""Snooze, wake, why and tasks, pressed as a person would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from agent_tui.screens.dialog import Dialog
from agent_tui.screens.snoozing import Snoozing
from agent_tui.screens.tasking import Finishing, Tasking
from agent_tui.screens.whying import Whying
from broker_bridge.contract import commands as c
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.views import Colleague, DirectoryView, TaskPage
from tests.tui import scenes, scenes_outcome
from tests.tui.scenes import HOUR, NOW_MS, at
from tests.tui.scenes_outcome import TASKS, WHY
from tests.tui.test_window import Desk, desk
from tests.until import until

MORE = (*scenes.OWNER_VERBS, "snooze", "add_task")
ROWS = tuple(replace(row, verbs=MORE) if row.state == "mine" else row for row in scenes.MINE)
SLEEPS = replace(scenes.SNOOZED[0], verbs=("wake", "note"))
BAD = "\x1b[31m[/]\u202e世\x07" * 3
SIZES = [(80, 24), (120, 40), (180, 50)]


@asynccontextmanager
async def anna(folder: Path, **more: Any) -> AsyncIterator[Desk]:
    async with desk(folder, **{"rows": ROWS, **more}) as it:
        it.fake.why, it.fake.tasks = WHY, scenes_outcome.TASK_PAGE
        await it.open("c-anna")
        yield it


async def opens(it: Desk, key: str, kind: type) -> None:
    await it.press(key)
    await until(lambda: isinstance(it.app.screen, kind) and bool(it.app.screen.query("#dialog-keys")))
    await it.pilot.pause()


# Snooze.


@pytest.mark.parametrize(
    ("key", "until_ms"),
    [("1", NOW_MS + HOUR), ("2", at("18:00") - 20_000), ("3", at("09:00", -1) - 20_000), ("4", at("09:00", -2) - 20_000), ("5", None)],
)  # fmt: skip
async def test_a_number_snoozes_at_once(tmp_path: Path, key: str, until_ms: int | None) -> None:
    async with anna(tmp_path) as it:
        await opens(it, "z", Snoozing)
        await it.press(key)
        act = await it.posted(c.Snooze)
        assert (act.conversation, act.epoch, act.until_ms) == ("c-anna", 3, until_ms)


async def test_a_typed_time_is_shown_before_it_counts(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await opens(it, "z", Snoozing)
        await it.press(*"mon", "space", *"9:3")
        await until(lambda: "Mon 23 Nov 09:3" not in it.text() and "not a time to come yet" in it.text())
        await it.press("0")
        await until(lambda: "→ Mon 23 Nov 09:30, in 1 d 19 h" in it.text())
        await it.press("enter")
        assert (await it.posted(c.Snooze)).until_ms == at("09:30", -2) - 20_000


async def test_what_is_no_time_does_not_snooze(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await opens(it, "z", Snoozing)
        await it.press("tab", *"soon", "enter")
        await until(lambda: "“soon” is no time to come" in it.text())
        await it.press("escape")
        await until(lambda: not isinstance(it.app.screen, Dialog))
        assert not [act for act in it.fake.posted if isinstance(act, c.Snooze)]


async def test_z_wakes_what_sleeps(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=(*ROWS, SLEEPS)) as it:
        it.screen.inbox.list.select(SLEEPS.conv)
        await it.pilot.pause()
        it.screen.sight.keys()
        assert "z wake" in it.text()
        await it.press("z")
        assert (await it.posted(c.Wake)).conversation == SLEEPS.conv


# Why.


async def test_why_shows_what_the_bridge_says(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        it.screen.ringing.put_away.add("c-piet")
        await opens(it, "w", Whying)
        await until(lambda: "Why me? Anna Berg" in it.text() and WHY.sentence in it.text())
        shown = it.text()
        assert "41 others: 30 off, 8 full, 3 lack swedish 3" in shown and "version 31" in shown
        assert next(one for one in it.fake.asked if isinstance(one, c.WhyOf)).conversation == "c-anna"


async def test_o_opens_the_rules_of_the_queue_and_goes_back(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        it.fake.why = WHY
        await opens(it, "w", Whying)
        await until(lambda: "o open rules" in it.text())
        await it.press("o")
        await until(lambda: "whoever has the least to do" in it.text() and "o why again" in it.text())
        assert "h whole history" not in it.text() and "you talked with her last" not in it.text()
        await it.press("h", "o")
        await until(lambda: "you talked with her last" in it.text() and "h whole history" in it.text())


async def test_a_bridge_that_tells_no_rules_has_no_key_for_them(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        it.fake.why = replace(WHY, rules=())
        await opens(it, "w", Whying)
        await until(lambda: "you talked with her last" in it.text())
        await it.press("o")
        assert "open rules" not in it.text() and "you talked with her last" in it.text()


async def test_why_nobody_yet(tmp_path: Path) -> None:
    row = replace(scenes.QUEUED[0], due_because=scenes_outcome.BECAUSE)
    async with desk(tmp_path, rows=(row,)) as it:
        it.fake.why = scenes_outcome.LIVE
        await it.press("2")
        await until(lambda: it.screen.inbox.list.cursor == row.conv)
        await opens(it, "w", Whying)
        await until(lambda: "Why nobody yet? Kim Larsson" in it.text() and scenes_outcome.BECAUSE in it.text())


async def test_why_without_a_link_is_what_the_row_knows(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=(scenes.ANNA,), is_up=False) as it:
        await opens(it, "w", Whying)
        await until(lambda: "has waited 3:00" in it.text() and "Without a link only this is known." in it.text())


async def test_why_that_the_bridge_refuses_says_its_sentence(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        it.screen.ringing.put_away.add("c-piet")
        it.fake.answers[c.WhyOf] = lambda _: Refusal(code="denied", sentence="This is not yours to know.")
        await opens(it, "w", Whying)
        await until(lambda: "This is not yours to know." in it.text())


async def test_why_is_copied_as_clean_text(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        it.screen.ringing.put_away.add("c-piet")
        it.fake.why = replace(WHY, sentence=f"Because {BAD}")
        await opens(it, "w", Whying)
        await until(lambda: "Because" in it.text())
        await it.press("y")
        await until(lambda: "copied" in it.text())
        copied = it.app.clipboard
        assert copied.startswith("Why me? Anna Berg") and "41 others" in copied
        assert all(char == "\n" or char.isprintable() for char in copied)


async def test_the_whole_history_is_one_key(tmp_path: Path) -> None:
    lines = tuple(replace(WHY.lines[0], text=f"step {n}") for n in range(40))
    async with anna(tmp_path) as it:
        it.screen.ringing.put_away.add("c-piet")
        it.fake.why = replace(WHY, lines=lines)
        await opens(it, "w", Whying)
        # As many as fit: of 40 some are hidden at any size.
        await until(lambda: "earlier steps" in it.text() and "step 0 " not in it.text())
        await it.press("h")
        await until(lambda: "earlier steps" not in it.text() and "step 0" in it.text())


# Tasks.


async def test_a_task_is_posted_as_it_was_written(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await opens(it, "f", Tasking)
        await until(lambda: any(isinstance(one, c.Directory) for one in it.fake.asked))
        await it.press(*"ask", "tab", *"tomorrow", "space", *"10", "tab", *"priya", "tab", *"ole,", *"jonas")
        await until(lambda: "Priya Rao, ready" in it.text() and "Ole Nilsen, Jonas Feeney" in it.text())
        await it.press("enter")
        act = await it.posted(c.AddTask)
        assert (act.conversation, act.what, act.text, act.assignee) == ("c-anna", "task", "ask", "priya")
        assert (act.due_ms, act.observers) == (at("10:00", -1) - 20_000, ("ole", "jonas"))


async def test_a_task_that_the_bridge_refused_stands_in_the_form_again(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await opens(it, "f", Tasking)
        await it.press(*"look", "tab", *"mon", "space", *"9:30", "enter")
        act = await it.posted(c.AddTask)
        it.fake.settle(act, Refusal(code="full", sentence="There are too many tasks."))
        await until(lambda: "too many tasks" in it.text())
        await opens(it, "f", Tasking)
        await until(lambda: "look" in it.text() and "2026-11-23 09:30" in it.text())
        await it.press("enter")
        again = await until(
            lambda: next((one for one in it.fake.posted[1:] if isinstance(one, c.AddTask) and one is not act), None)
        )
        assert (again.text, again.due_ms) == (act.text, act.due_ms)
        it.fake.settle(again)
        await opens(it, "f", Tasking)
        assert "look" not in it.text()


async def test_a_call_back_has_the_number_of_the_profile_and_needs_its_time(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await until(lambda: it.screen.reading.profile is not None)
        await opens(it, "C", Tasking)
        assert "+46 70 174 06 05" in it.text()
        await it.press("enter")
        await until(lambda: "A call-back needs its time." in it.text())
        await it.press(*"15:30", "enter")
        act = await it.posted(c.AddTask)
        assert (act.what, act.number, act.due_ms) == ("call_back", "+46 70 174 06 05", at("15:30") - 20_000)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ((), "A task needs words"),
        (("a", "tab", *"soon"), "“soon” is no time to come"),
        (("a", "tab", "tab", *"zoe"), "Nobody here is called “zoe”."),
        (("a", "tab", "tab", "tab", *"ole,zoe"), "Nobody here is called “zoe”."),
    ],
)
async def test_what_is_not_understood_is_refused_with_a_sentence(
    tmp_path: Path, keys: tuple[str, ...], sentence: str
) -> None:
    async with anna(tmp_path) as it:
        await opens(it, "f", Tasking)
        await until(lambda: any(isinstance(one, c.Directory) for one in it.fake.asked))
        await it.press(*keys, "enter")
        await until(lambda: sentence in it.text())
        assert not [act for act in it.fake.posted if isinstance(act, c.AddTask)]


async def test_4_shows_the_tasks_and_enter_opens_the_case(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("4")
        await until(lambda: "Mine 4" in it.text() and "Ask the shop" in it.text())
        assert it.screen.where == "tasks" and "space done" in it.text()
        await it.press("j", "j", "enter")
        await until(lambda: it.screen.reading.opened and it.screen.reading.opened.conv == "c-tanaka")
        await it.press("escape")
        await until(lambda: it.screen.where == "tasks")
        await it.press("escape")
        await until(lambda: it.screen.focused is it.screen.inbox.list and "1 Mine" in it.text())


async def test_closing_from_a_tasks_case_goes_on_in_the_conversations(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("4")
        await until(lambda: "Ask the shop" in it.text())
        await it.press("enter")
        await until(lambda: it.screen.where == "thread")
        await it.press("E")
        assert (await it.posted(c.Close)).conversation == "c-anna"
        await until(lambda: it.screen.focused is it.screen.inbox.list)
        assert not it.screen.todo.is_open


async def test_tab_asks_for_the_other_views(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("4", "tab", "tab", "tab", "tab", "shift+tab")
        await until(lambda: [one.view for one in it.fake.asked if isinstance(one, c.Tasks)][-1] == "done")
        views = [one.view for one in it.fake.asked if isinstance(one, c.Tasks)]
        assert views == ["mine", "observed", "all", "done", "mine", "done"]


async def test_space_finishes_with_a_note_and_asks_again_once_it_is_stored(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("4")
        await until(lambda: "Ask the shop" in it.text())
        await opens(it, "space", Finishing)
        await it.press(*"sent", "enter")
        act = await it.posted(c.FinishTask)
        assert (act.conversation, act.task, act.note, act.is_dropped) == ("c-anna", "t-1", "sent", False)
        it.fake.tasks = TaskPage(tasks=TASKS[1:], total=3)
        it.fake.settle(act)
        await until(lambda: "Mine 3" in it.text() and "Ask the shop" not in it.text())


async def test_a_task_is_dropped_by_its_own_key(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("4")
        await until(lambda: "Ask the shop" in it.text())
        await opens(it, "space", Finishing)
        await it.press("f3")
        assert (await it.posted(c.FinishTask)).is_dropped


async def test_change_begins_with_what_the_task_says(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("4", "j", "j")
        await until(lambda: it.screen.todo.chosen() is TASKS[2])
        await opens(it, "R", Tasking)
        await until(lambda: "Maya Lindqvist, ready" in it.text())
        it.app.screen.query_one("#assignee", Input).value = "ole"
        await it.press("enter")
        act = await it.posted(c.ChangeTask)
        assert (act.conversation, act.task, act.text) == ("c-tanaka", "t-3", TASKS[2].text)
        assert (act.assignee, act.due_ms, act.observers) == ("ole", at("15:30") - 20_000, ("ole",))


async def test_a_task_that_is_nobodys_is_given_to_somebody(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        free = replace(TASKS[0], assignee="", assignee_name="")
        it.fake.tasks = TaskPage(tasks=(free,), total=1)
        await it.press("4")
        await until(lambda: it.screen.todo.chosen() == free and "nobody" in it.text())
        await opens(it, "A", Tasking)
        await until(lambda: "Maya Lindqvist" in it.text() or it.app.screen.query_one("#assignee", Input).has_focus)
        await it.press(*"ole", "enter")
        act = await it.posted(c.ChangeTask)
        assert (act.task, act.assignee, act.due_ms) == (free.task, "ole", free.due_ms)


async def test_a_task_of_somebody_else_is_not_changed(tmp_path: Path) -> None:
    async with anna(tmp_path) as it:
        await it.press("4", "G")
        await until(lambda: it.screen.todo.chosen() is TASKS[3])
        await it.press("space")
        await until(lambda: "Only who made it" in it.text())
        assert not isinstance(it.app.screen, Dialog)


async def test_another_count_in_the_feed_asks_again_and_the_status_line_says_it(tmp_path: Path) -> None:
    async with anna(tmp_path, size=(180, 50)) as it:
        await it.press("4")
        await until(lambda: "Ask the shop" in it.text())
        asked = sum(isinstance(one, c.Tasks) for one in it.fake.asked)
        it.fake.feed(me=replace(scenes.ME, tasks=3, tasks_due=1))
        await until(lambda: sum(isinstance(one, c.Tasks) for one in it.fake.asked) == asked + 1)
        await until(lambda: "! 1 of 3 tasks" in it.text())


async def test_the_case_says_how_many_tasks_it_has(tmp_path: Path) -> None:
    row = replace(ROWS[1], tasks=2, task_due_ms=at("15:30"))
    async with desk(tmp_path, rows=(), size=(180, 50)) as it:
        it.fake.pages["c-anna"] = replace(scenes.ANNA_PAGE, row=row)
        it.fake.feed(row)
        await until(lambda: "2 tasks, next 15:30" in it.text())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ascii", [False, True])
async def test_hostile_words_are_harmless_in_every_dialog(tmp_path: Path, size: tuple[int, int], ascii: bool) -> None:
    row = replace(ROWS[1], name=BAD, number=BAD, offer_reason=BAD, due_because=BAD)
    async with desk(tmp_path, rows=(row,), size=size, ascii=ascii) as it:
        who = tuple(replace(one, name=BAD, reason=BAD) for one in WHY.who)
        lines = tuple(replace(one, word=BAD, text=BAD, mark=BAD) for one in WHY.lines)
        it.fake.why = replace(
            WHY, sentence=BAD, who=who, lines=lines, skipped=((BAD, 3),), policy=BAD, rules=((BAD, BAD),)
        )
        one = replace(TASKS[0], text=BAD, customer=BAD, case=BAD, assignee_name=BAD, number=BAD)
        it.fake.tasks = TaskPage(tasks=(one,), total=1)
        it.fake.directory = DirectoryView(agents=(Colleague(agent="x", name=BAD, state=BAD),))
        await until(lambda: it.screen.reading.opened is not None)
        for keys in (("z",), ("w", "h"), ("w", "o"), ("f", "x"), ("C",), ("4",), ("space",), ("R",)):
            await it.press(*keys)
            await it.pilot.pause()
            await it.pilot.pause()
            shown = it.text()
            assert all(char == "\n" or char.isprintable() for char in shown), keys
            if isinstance(it.app.screen, Dialog):
                assert "esc" in shown.splitlines()[-2 if size[0] < 100 else -1] or "esc" in shown
                await it.press("escape")
                await until(lambda: not isinstance(it.app.screen, Dialog))
