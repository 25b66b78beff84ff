"""Rows of tasks, names that are typed, and what is said of a case's tasks: tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent_tui.model import clock, task_lines, why_lines
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.rows import Moment
from broker_bridge.contract.views import Me, Row, TaskView, WhyLine, WhyView, WhyWho
from tests.tui import scenes_floor
from tests.tui.scenes import ANNA, MINUTE, NOW_MS, at
from tests.tui.scenes_outcome import LIVE, TASKS, WHY

AT = Moment(now_ms=NOW_MS)
BAD = st.text(alphabet="a \x1b[31m\u202e世🙂\n\t[/]", max_size=60)


@pytest.mark.parametrize(
    ("task", "first", "second"),
    [
        (TASKS[0], " !! Anna Berg           task -12 m ", "    Ask the shop for the second r… "),
        (TASKS[1], " !  Inês Costa          call  4:00 ", "    wants a call after her meeting "),
        (TASKS[3], "    Grace O’Neill       task   Mon ", "    Send the yearly letter   Priya "),
        (replace(TASKS[3], is_done=True, done_ms=at("13:00")),
         "    Grace O’Neill       task 13:00 ", "    Send the yearly letter  ✓ done "),
        (replace(TASKS[3], due_ms=None), "    Grace O’Neill       task       ", "    Send the yearly letter   Priya "),
    ],
)  # fmt: skip
def test_a_task_is_drawn_as_a_row_of_the_inbox(task: TaskView, first: str, second: str) -> None:
    assert task_lines.first_line(task, 35, "", AT).text == first
    assert task_lines.second_line(task, 35, "", AT, "maya").text == second


@given(
    st.builds(TaskView, task=st.just("t"), conv=st.just("c"), text=BAD, number=BAD, customer=BAD, case=BAD, assignee=BAD,
              assignee_name=BAD, what=st.sampled_from(["task", "call_back", "?"]), is_done=st.booleans(), is_dropped=st.booleans(),
              due_ms=st.none() | st.integers(min_value=NOW_MS - 10**10, max_value=NOW_MS + 10**10)),
    st.integers(min_value=23, max_value=60),
)  # fmt: skip
def test_both_lines_are_exactly_as_wide_as_the_pane_and_harmless(task: TaskView, cells: int) -> None:
    for found in (task_lines.first_line(task, cells, "", AT), task_lines.second_line(task, cells, "acc", AT, "maya")):
        assert found.cells == cells and found.text.isprintable()


@pytest.mark.parametrize(
    ("typed", "agents"),
    [
        ("priya", ["priya"]),
        ("rao", ["priya"]),
        ("chen", ["chen"]),
        ("陈伟", ["chen"]),
        ("fee", ["fee", "jonas"]),
        ("lind", ["bo", "maya"]),
        ("li bo", ["bo"]),
        ("zoe", []),
        ("", []),
    ],
)
def test_a_typed_name_means_these(typed: str, agents: list[str]) -> None:
    assert [one.agent for one in task_lines.matched(typed, scenes_floor.AGENTS)] == agents


@pytest.mark.parametrize(
    ("tasks", "due_ms", "words"),
    [
        (0, None, ""),
        (1, None, "1 task"),
        (1, at("15:30"), "1 task 15:30"),
        (2, at("15:30"), "2 tasks, next 15:30"),
        (2, NOW_MS - 12 * MINUTE, "2 tasks, next -12 m"),
    ],
)
def test_a_case_says_its_tasks(tasks: int, due_ms: int | None, words: str) -> None:
    assert task_lines.case_words(replace(ANNA, tasks=tasks, task_due_ms=due_ms), AT) == words


@pytest.mark.parametrize(("tasks", "due", "words"), [(0, 0, None), (3, 0, "tasks 3"), (3, 2, "! 2 of 3 tasks")])
def test_the_status_line_marks_what_is_due(tasks: int, due: int, words: str | None) -> None:
    found = task_lines.status_part(Me(agent="m", name="M", tasks=tasks, tasks_due=due))
    assert ("".join(run.text for run in found.runs) if found is not None else None) == words


# Why.


def texts(view: WhyView, row: Row, cells: int, **more: Any) -> list[str]:
    return [one.text for one in why_lines.lines(view, row, "maya", cells, AT, **more)]


def test_why_is_drawn_as_in_the_picture() -> None:
    found = texts(WHY, ANNA, 92)
    assert found[0] == "  Of the three who are free and fit, you talked with her last."
    assert found[2].startswith("  13:59:20  arrived      wa → channel support-wa, a new case") and found[2].endswith(
        "#K7Q2"
    )
    assert "    who             load          skills   last talk  place  why (not)" in found
    assert "▌ ● you             ▮▮▯▯ 2/4      2 of 2   with you      1   knows the customer" in found
    assert "  ◐ Ole Nilsen      ▮▮▯▯ 2/4      1 of 2                 -   in wrap-up until 13:59:20" in found


def test_the_time_of_a_target_stands_at_the_right_end_and_its_words_are_not_cut_for_it() -> None:
    late = next(line for line in texts(WHY, ANNA, 92) if "  target  " in line)
    assert "first answer: 2 min of work time from 13:59:38 " in late and late.endswith("late, due 14:01:29")
    tomorrow = replace(WHY.lines[3], due_ms=NOW_MS + clock.DAY_MS, tone="", mark="")
    (shown,) = [line for line in texts(replace(WHY, lines=(tomorrow,)), ANNA, 92) if "  target  " in line]
    assert shown.endswith(f"due {clock.short_date(NOW_MS + clock.DAY_MS, NOW_MS)} 14:02")
    kept = replace(WHY.lines[3], due_ms=None, short="", mark="answered in time", tone="ok")
    (shown,) = [line for line in texts(replace(WHY, lines=(kept,)), ANNA, 92) if "  target  " in line]
    assert "first answer: due 14:01:38 = 2 min" in shown and shown.endswith("answered in time")


def test_without_an_order_there_is_no_column_for_it() -> None:
    everybody = replace(WHY, who=tuple(replace(one, place=0) for one in WHY.who))
    assert "    who             load          skills   last talk  why (not)" in texts(everybody, ANNA, 92)


@pytest.mark.parametrize(
    ("room", "shown", "hidden"), [(0, 6, "↑ 14 earlier steps"), (25, 13, "↑ 7 earlier steps"), (36, 20, "")]
)
def test_as_many_steps_stand_there_as_the_terminal_has_room_for(room: int, shown: int, hidden: str) -> None:
    steps = tuple(WhyLine(at_ms=NOW_MS, word="priority", text=f"step {n}") for n in range(20))
    found = texts(replace(WHY, lines=steps, skipped=()), ANNA, 92, room=room)
    assert sum("priority" in line for line in found) == shown
    assert any("step 19" in line for line in found) and (
        f"  {hidden}" in found if hidden else "↑" not in "".join(found)
    )
    assert room == 0 or len(found) <= room


def test_one_step_that_is_left_out_is_one_step() -> None:
    steps = tuple(WhyLine(at_ms=NOW_MS, word="priority", text=f"step {n}") for n in range(7))
    assert "  ↑ 1 earlier step" in texts(replace(WHY, lines=steps), ANNA, 92)


def test_the_rules_say_each_label_once() -> None:
    found = [one.text for one in why_lines.rules_lines(WHY, 92)]
    assert "  promised      first answer in 2 min" in found and "                priority 1: the end in 2 h" in found


@pytest.mark.parametrize(
    ("view", "row", "head"),
    [
        (WHY, ANNA, "Why me?"),
        (LIVE, ANNA, "Why nobody yet?"),
        (replace(WHY, who=(replace(WHY.who[1], is_chosen=True),)), ANNA, "Why Priya?"),
        (replace(WHY, who=()), replace(ANNA, state="queued"), "Why?"),
        (None, replace(ANNA, state="ringing"), "Why me?"),
    ],
)
def test_the_title_asks_what_is_answered(view: WhyView | None, row: Row, head: str) -> None:
    assert why_lines.title(row, view, "maya") == head


def test_units_are_shown_in_quarters() -> None:
    one = replace(WHY.who[0], load=45, capacity=100)
    assert any("▮▮▯▯ 45/100" in line for line in texts(replace(WHY, who=(one,)), ANNA, 92))


@given(
    st.builds(
        WhyView,
        sentence=BAD,
        lines=st.lists(st.builds(WhyLine, at_ms=st.just(NOW_MS), word=BAD, text=BAD, mark=BAD, tone=BAD, short=BAD,
                                due_ms=st.none() | st.just(NOW_MS)), max_size=3).map(tuple),
        who=st.lists(st.builds(WhyWho, agent=BAD, name=BAD, state=BAD, reason=BAD, load=st.integers(0, 999),
                               capacity=st.integers(0, 999), place=st.integers(0, 99), is_chosen=st.booleans()), max_size=3).map(tuple),
        rules=st.lists(st.tuples(BAD, BAD), max_size=3).map(tuple),
        skipped=st.lists(st.tuples(BAD, st.integers(1, 99)), max_size=3).map(tuple),
        policy=BAD,
        is_live=st.booleans(),
    ),
    st.sampled_from([40, 56, 78, 92, 108]),
    st.booleans(),
)  # fmt: skip
def test_nothing_of_why_is_wider_than_its_place_or_harmful(view: WhyView, cells: int, is_whole: bool) -> None:
    for glyphs in (UNICODE, ASCII):
        moment = Moment(now_ms=NOW_MS, glyphs=glyphs)
        shown = why_lines.lines(view, ANNA, "maya", cells, moment, is_whole=is_whole)
        for found in (*shown, *why_lines.rules_lines(view, cells)):
            assert found.cells <= cells and found.text.isprintable()
