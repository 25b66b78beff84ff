"""Whom a case may be given to: found by any word, in the order in which they can take it."""

from __future__ import annotations

from datetime import UTC

import msgspec
import pytest

from agent_tui.model import target_lines, targets
from agent_tui.model.cells import width
from agent_tui.model.clean import clean_line
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.rows import Moment
from agent_tui.model.target_lines import About
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import Colleague, DirectoryView, QueueView, SkillView
from tests.tui.scenes import NOW_MS
from tests.tui.scenes_transfer import DIRECTORY

HOSTILE = "[/] \x1b]52;c;ZXZpbA==\x07\x9b31m \u202eevil" + "\u0301" * 40


def _found(typed: str) -> targets.Targets:
    return targets.find(DIRECTORY, typed, "maya", "wa")


def _agents(typed: str) -> list[str]:
    return [one.agent for one in _found(typed).agents]


def test_without_a_word_everybody_but_oneself_and_who_is_off_is_there() -> None:
    assert _agents("") == ["priya", "jonas", "ida", "ole", "chen", "bo", "fee"]


@pytest.mark.parametrize(
    ("typed", "agents"),
    [
        ("fee", ["priya", "jonas", "ole", "chen", "fee", "viktor"]),
        ("pri", ["priya"]),
        ("viktor", ["viktor"]),
        ("VIKT", ["viktor"]),
        ("陈", ["chen"]),
        ("complaints", ["ole"]),
        ("jonas swedish", ["jonas"]),
        ("swedish fees", ["jonas"]),
        ("swedish 4", ["jonas", "ida", "bo"]),
        ("swedish 5", []),
        ("fees 2 + swed 4", ["jonas"]),
        ("jonas 5", ["jonas"]),
        ("priya lost", []),
        ("zzz", []),
    ],
)
def test_every_typed_word_is_in_name_queue_or_skill(typed: str, agents: list[str]) -> None:
    assert _agents(typed) == agents


def test_accents_need_not_be_typed() -> None:
    known = DirectoryView(agents=(Colleague(agent="a1", name="Søren Ångström", state="ready"),))
    assert targets.find(known, "soren angstrom", "", "wa").total == 1


@pytest.mark.parametrize(
    ("typed", "words", "ready", "least"),
    [
        ("fee-w", "fee-waiver", 3, "Priya Rao"),
        ("swedish 3", "swedish 3", 1, "Jonas Feeney"),
        ("swedish 5", "swedish 5", 0, ""),
        ("swedish + fees", "swedish + fees", 1, "Jonas Feeney"),
        ("swed 4 + fees 2", "swedish 4 + fees 2", 1, "Jonas Feeney"),
        ("swed 5 + fees 2", "swedish 5 + fees 2", 0, ""),
    ],
)
def test_skills_and_their_combinations(typed: str, words: str, ready: int, least: str) -> None:
    found = _found(typed).skills
    assert found[0].words == words and (found[0].ready, found[0].least) == (ready, least)


def test_a_combination_carries_the_levels() -> None:
    assert _found("swedish 3 + fees").skills[0].skills == (Skill(name="swedish", level=3), Skill(name="fees"))


def test_the_needs_of_a_queue_are_offered_as_a_combination() -> None:
    assert "swedish 3 + fees" in [one.words for one in _found("fees").skills]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("fee", None),
        ("FEES", ("queue", "fees")),
        ("Priya Rao", ("agent", "priya")),
        ("Cards › Lost", ("queue", "lost")),
        ("cards lost", ("queue", "lost")),
        ("swedish", ("skills", "swedish")),
        ("swedish  3", ("skills", "swedish 3")),
        ("swedish 3 + fees", ("skills", "swedish 3 + fees")),
        ("", None),
    ],
)
def test_what_is_called_exactly_so_is_meant(typed: str, meant: tuple[str, str] | None) -> None:
    assert targets.meant(_found(typed), typed) == meant


def test_half_a_combination_is_no_target_of_nothing() -> None:
    assert _found("swedish +").skills[0].words == "swedish"
    assert _found("swedish + nothing").skills == ()


def test_the_same_skill_twice_is_no_combination() -> None:
    assert _found("fees + fees").skills == () or all(len(one.skills) > 1 for one in _found("fees + fees").skills)


def test_the_bridge_knows_more_agents_than_this_desk() -> None:
    known = DirectoryView(skills=(SkillView(name="fees", ready=400, least="Ann", load=10, capacity=100),))
    assert targets.find(known, "fees", "maya", "wa").skills[0] == targets.Needed(
        (Skill(name="fees"),), 400, "Ann", 10, 100
    )


@pytest.mark.parametrize(
    ("agent", "hint", "sentence"),
    [
        ("priya", "stays yours until accepted", ""),
        ("ole", "stays yours until accepted", ""),
        ("fee", "comes back to you", "Fee is away (lunch) until 14:30: it comes back to you."),
        ("chen", "comes back to you", "Chen is full, 4 of 4: it comes back to you."),
        ("bo", "comes back to you", "Bo has no terminal at the moment: it comes back to you."),
        ("viktor", "comes back to you", "Viktor is off: it comes back to you."),
    ],
)
def test_it_is_said_what_choosing_them_does(agent: str, hint: str, sentence: str) -> None:
    one = next(one for one in DIRECTORY.agents if one.agent == agent)
    assert targets.outlook(one, "wa", NOW_MS, UTC) == (hint, sentence)


def test_full_in_one_channel_is_not_full_in_another() -> None:
    chen = next(one for one in DIRECTORY.agents if one.agent == "chen")
    assert targets.is_full(chen, "wa") and not targets.is_full(chen, "mail")
    whole = msgspec.structs.replace(chen, load=100)
    assert targets.is_full(whole, "mail")


def _lines(typed: str, cells: int = 52, glyphs: object = UNICODE) -> list[str]:
    at = Moment(now_ms=NOW_MS, glyphs=glyphs)  # type: ignore[arg-type]
    names = {queue.queue: queue.name for queue in DIRECTORY.queues}
    about = About(cells, "wa", typed, ("Ole",), names, at)
    return [line.text for _, line in target_lines.listed(_found(typed), about)]


def test_the_list_is_as_drawn() -> None:
    shown = _lines("fee")
    assert shown[:7] == [
        "   agents",
        " ● Priya Rao          ready    ▮▯▯▯ 1/4  fee-waiver",
        " ● Jonas Feeney       ready    ▮▮▮▯ 3/4      fees 2",
        " ◐ Ole Nilsen         wrap-up  ▮▮▯▯ 2/4  reads this",
        " ● Chen Wei 陈伟      ready    ▮▮▮▮ 4/4        full",
        " ✗ Fee Hansson        lunch    back 14:30    fees 2",
        " ○ Viktor Olsson      off                    fees 2",
    ]
    assert " ≡ cards › fees       3 wait   ▃▄▆▄▃ 2:14   SL 91 %" in shown
    assert " ≡ loans › fees       closed   opens 08:00" in shown
    assert " # swedish 3 + fees   1 ready  least: Jonas     3/4" in shown


@pytest.mark.parametrize("cells", [24, 40, 52, 80, 140])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_no_line_is_wider_than_its_side(cells: int, glyphs: object) -> None:
    assert all(width(text) <= max(cells, 45) for text in _lines("", cells, glyphs))


def test_hostile_names_stay_inside_their_cells() -> None:
    agent = Colleague(
        agent="x", name=HOSTILE, state="away", reason=HOSTILE, skills=(Skill(name=HOSTILE),), until_ms=NOW_MS
    )
    known = DirectoryView(
        agents=(agent, msgspec.structs.replace(agent, agent="y", state="ready")),
        queues=(QueueView(queue="q", name=HOSTILE, is_open=False, hours=HOSTILE), QueueView(queue="r", name=HOSTILE)),
        skills=(SkillView(name=HOSTILE, least=HOSTILE, ready=2),),
    )
    about = About(52, "wa", "", (), {}, Moment(now_ms=NOW_MS))
    for _, line in target_lines.listed(targets.find(known, "", "", "wa"), about):
        assert line.text.isprintable() and width(line.text) <= 52
    found = targets.outlook(agent, "wa", NOW_MS, UTC)
    assert found.sentence == clean_line(found.sentence, 1_000)
