"""Widths are the terminal's, and no wide character is ever split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agent_tui.model.cells import cut, cut_middle, fit, pad_left, take, take_end, unbroken, wrap
from agent_tui.model.clean import clean, clean_line
from agent_tui.model.runs import Line, Run
from agent_tui.paint import strip_of
from agent_tui.themes import load

words = st.text(alphabet="ab  ,。世界カー🙂é\u0301👨\u200d👩- \n", max_size=80).map(clean)


@given(words.map(clean_line), st.integers(min_value=0, max_value=20))
def test_what_is_cut_fits(text: str, cells: int) -> None:
    assert cell_len(cut(text, cells)) <= cells
    assert cell_len(take(text, cells)) <= cells
    assert cell_len(take_end(text, cells)) <= cells
    assert cell_len(cut_middle(text, cells)) <= cells
    assert cell_len(fit(text, cells)) == cells


@given(words, st.integers(min_value=2, max_value=20))
def test_wrapped_lines_fit_and_lose_no_word(text: str, cells: int) -> None:
    lines = wrap(text, cells)
    assert all(cell_len(line) <= cells for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "cells", "lines"),
    [
        ("Hi! I am in Tokyo next week.", 14, ("Hi! I am in", "Tokyo next", "week.")),
        ("", 10, ("",)),
        ("a\n\nb", 10, ("a", "", "b")),
        ("abcdefghij", 4, ("abcd", "efgh", "ij")),
        ("see abcdefghij", 4, ("see", "abcd", "efgh", "ij")),
        ("カードがまだ届きません", 8, ("カードが", "まだ届き", "ません")),
        ("  indented words", 10, ("  indented", "words")),
    ],
)
def test_wrapping_breaks_where_a_reader_would(text: str, cells: int, lines: tuple[str, ...]) -> None:
    assert wrap(text, cells) == lines


def test_the_odd_cell_of_a_wide_character_becomes_a_space() -> None:
    assert fit("And can I pay 1 万円 in a shop", 20) == "And can I pay 1 万… "
    assert cut("And can I pay 1 万円", 15) == "And can I pay…"


def test_an_identifier_is_cut_in_the_middle() -> None:
    assert cut_middle("anna.berg@example.se", 11) == "anna.…le.se"


def test_numbers_are_padded_at_their_left() -> None:
    assert pad_left("12 m", 6) == "  12 m"


def test_a_mark_after_a_space_makes_no_line_wider() -> None:
    assert all(cell_len(one) <= 2 for one in wrap("。 \u0301", 2))


@given(words.map(clean_line))
def test_what_stands_in_one_cell_stands_in_one_piece(text: str) -> None:
    pieces = unbroken(text)
    assert "".join(pieces) == text
    assert sum(map(cell_len, pieces)) == cell_len(text)


@pytest.mark.parametrize(
    ("text", "cell", "before"),
    [
        ("ab\u0301\u0302cd", 2, "ab\u0301\u0302"),
        ("x👩\u200d👩\u200d👧 y", 3, "x👩\u200d👩\u200d👧"),
        ("plain", 2, "pl"),
    ],
)
def test_a_painted_line_that_is_cut_keeps_marks_with_their_letter(text: str, cell: int, before: str) -> None:
    strip = strip_of(Line((Run(text),)), 10, load("night"))
    left, right = strip.divide([cell, 10])
    assert left.text == before
    assert (left.cell_length, right.cell_length) == (cell, 10 - cell) and cell_len(right.text) == 10 - cell
