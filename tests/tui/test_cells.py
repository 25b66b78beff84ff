"""Widths are the terminal's, and no wide character is ever split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agent_tui.model.cells import cut, cut_middle, fit, pad_left, take, take_end, wrap
from agent_tui.model.clean import clean, clean_line

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
