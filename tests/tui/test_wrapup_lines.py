"""What the wrap-up form asks for and says, as tables."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent_tui.model import wrapup_lines
from agent_tui.model.cells import width
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.rows import Moment
from agent_tui.model.wrapup_lines import Form
from broker_bridge.contract.policy import Disposition
from tests.tui.scenes import NOW_MS
from tests.tui.scenes_outcome import OUTCOMES, WRAPPED

AT = Moment(now_ms=NOW_MS)
SAID = "Waived once more, next time the fee stays."


def words(parts: tuple[object, ...]) -> list[str]:
    return ["".join(run.text for run in part.runs) for part in parts]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "is_default", "mode", "said"),
    [
        (("amount",), False, "timed", "needs an amount"),
        (("reason",), False, "timed", "needs a reason"),
        (("order", "amount"), True, "timed", "needs order and amount"),
        ((), True, "timed", "used when time is up"),
        ((), True, "optional", "used if nobody chooses"),
        ((), True, "mandatory", ""),
        ((), False, "timed", ""),
    ],
)
def test_an_outcome_says_what_it_needs(fields: tuple[str, ...], is_default: bool, mode: str, said: str) -> None:
    assert wrapup_lines.remark(Disposition(name="x", fields=fields), is_default, mode) == said


def test_the_outcomes_are_drawn_as_in_the_picture() -> None:
    found = wrapup_lines.outcome_line(1, OUTCOMES[1], "needs an amount", 55, UNICODE).text
    assert found == " 2 Fee waived                needs an amount"


@given(st.text(alphabet="a \x1b[31m\u202e世🙂\n\t[/]", max_size=90), st.integers(min_value=20, max_value=60))
def test_an_outcome_is_never_wider_than_its_place_and_harmless(name: str, cells: int) -> None:
    found = wrapup_lines.outcome_line(10, Disposition(name=name), "needs an amount", cells, UNICODE)
    assert found.cells <= cells and found.text.isprintable()


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, "next work in 0:38"),
        ({"wrap_until_ms": NOW_MS + 1}, "next work in 0:01"),
        ({"wrap_until_ms": NOW_MS - 1}, "time is up"),
        ({"wrap_until_ms": None, "wrap_mode": "mandatory"}, "work waits for this"),
        ({"wrap_until_ms": None, "wrap_mode": "optional"}, ""),
        ({"state": "mine"}, ""),
    ],
)
def test_the_title_says_what_the_time_does(changes: dict[str, object], right: str) -> None:
    left, ends = wrapup_lines.title(replace(WRAPPED, **changes), "Wrap-up", AT)
    assert words(left)[0] == "Wrap-up Anna Berg"
    assert words(ends) == ([right] if right else [])


def test_the_title_says_when_it_was_closed() -> None:
    assert words(wrapup_lines.title(WRAPPED, "Wrap-up", AT)[0]) == ["Wrap-up Anna Berg", "#K7Q2", "closed 14:02"]


@pytest.mark.parametrize(
    ("form", "outcome", "field"),
    [
        (Form(), OUTCOMES[0], None),
        (Form(), OUTCOMES[1], "value:amount"),
        (Form(values={"amount": "  "}), OUTCOMES[1], "value:amount"),
        (Form(values={"amount": "35 kr"}), OUTCOMES[1], None),
        (Form(values={"amount": "35 kr"}), OUTCOMES[3], "value:order"),
        (Form(follow_up="soon"), OUTCOMES[0], "follow"),
        (Form(follow_up="tomorrow 10"), OUTCOMES[0], None),
        (Form(follow_up="  "), OUTCOMES[0], None),
    ],
)
def test_what_is_missing_is_named(form: Form, outcome: Disposition, field: str | None) -> None:
    found = wrapup_lines.missing(form, outcome, NOW_MS, UTC)
    assert (found.field if found is not None else None) == field


def test_the_refusal_is_a_sentence() -> None:
    found = wrapup_lines.missing(Form(), OUTCOMES[1], NOW_MS, UTC)
    assert found is not None and found.sentence == "Amount is missing: Fee waived needs it."


def test_tags_are_words_each_once() -> None:
    form = Form()
    assert wrapup_lines.add_tags(form, "abroad gold, Gold #fee ne") == "ne"
    assert form.tags == ["abroad", "gold", "fee"]
    for n in range(40):
        wrapup_lines.add_tags(form, f"tag{n} ")
    assert len(form.tags) == wrapup_lines.MOST_TAGS


@given(
    st.lists(st.text(alphabet="ab世🙂", min_size=1, max_size=30), max_size=12), st.integers(min_value=8, max_value=60)
)
def test_tags_fit_and_the_newest_stay(tags: list[str], cells: int) -> None:
    for glyphs in (UNICODE, ASCII):
        runs = wrapup_lines.tag_runs(tags, cells, glyphs)
        text = "".join(run.text for run in runs)
        assert width(text) <= cells + 2
        assert not tags or text.startswith(glyphs.dots) or tags[-1][:3] in text


def test_all_that_was_typed_is_in_the_note_that_is_kept() -> None:
    form = Form(values={"amount": "35 kr", "order": "1"}, tags=["abroad"], tag="go", follow_up="tomorrow 10", note=SAID)
    assert wrapup_lines.draft(form, OUTCOMES[1]) == (f"{SAID}\namount: 35 kr\ntags: abroad go\nfollow up: tomorrow 10")
    assert wrapup_lines.draft(Form(values={"amount": "35"}), OUTCOMES[0]) == ""


def test_the_edge_drains_with_the_time() -> None:
    since_ms = NOW_MS - 22_000
    assert wrapup_lines.share_left(WRAPPED, since_ms, NOW_MS) == pytest.approx(38 / 60)
    assert wrapup_lines.share_left(WRAPPED, since_ms, NOW_MS + 90_000) == 0.0
    assert wrapup_lines.share_left(replace(WRAPPED, wrap_until_ms=None), since_ms, NOW_MS) == 1.0
