"""Foreign text reaches the terminal only as harmless text."""

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tui.model.clean import MAX_CHARS, MAX_LINES, MAX_MARKS, clean, clean_line

NASTY = "\x00\x07\x08\t\n\r\x0b\x0c\x1b\x7f\x85\x90\x9b\x9c\x9d[]0;31mPX^_\\\u0300\u0301\u0489\u200b\u200c\u200d\u200e"
NASTY += (
    "\u202a\u202e\u2028\u2029\u2060\u2066\u2069\ufe0f\ufeff\u061c\U000e0041\ud800\ue000"
    "\u1160\u11a8\u3164aéя世🙂👨ا \uac00\u0e31"
)
texts = st.one_of(st.text(), st.text(alphabet=NASTY, max_size=60))


@given(texts)
def test_no_control_override_or_invisible_character_comes_out(text: str) -> None:
    out = clean(text)
    assert all(char == "\n" or category(char) not in ("Cc", "Cs", "Co", "Zl", "Zp") for char in out)
    assert not set(out) & set(
        "\u061c\u200b\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff\u202a\u202b\u202c\u202d\u202e"
    )


@given(texts)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert clean_line(clean_line(text)) == clean_line(text)


@given(texts)
def test_a_letter_carries_at_most_four_marks(text: str) -> None:
    marks = 0
    for char in clean(text):
        marks = marks + 1 if category(char)[0] == "M" and char != "\ufe0f" else 0
        assert marks <= MAX_MARKS


@given(texts)
def test_a_clean_line_is_one_line(text: str) -> None:
    out = clean_line(text)
    assert "\n" not in out
    assert out == out.strip()
    assert len(out) <= 500


@pytest.mark.parametrize(
    ("foreign", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]52;c;ZXZpbA==\x07copied", "copied"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title without an end, then words", "]0;title without an end, then words"),
        ("\x1bPq#0;2\x1b\\after", "after"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("a\tb", "a    b"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("pay\u200bpal", "paypal"),
        ("x\u200dy", "xy"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("private \ue000", "private \ufffd"),
        ("[/] [@click=app.quit]x[/]", "[/] [@click=app.quit]x[/]"),
        ("e\u0301\u0301\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301\u0301"),
    ],
)
def test_known_attacks_lose_their_teeth(foreign: str, harmless: str) -> None:
    assert clean(foreign) == harmless


@pytest.mark.parametrize(
    "words", ["👨\u200d👩\u200d👧", "می\u200cخواهم", "क्\u200dष", "❤\ufe0f", "été", "한국어", "ไม่", "‚quoted‘"]
)
def test_scripts_and_emoji_keep_their_joiners(words: str) -> None:
    assert clean(words) == words


def test_a_long_message_is_capped_and_says_what_is_missing() -> None:
    out = clean("x" * 1_000_000)
    assert len(out) <= MAX_CHARS
    assert out.splitlines()[-1].startswith("[980,")


def test_many_lines_are_capped_and_the_cap_is_stable() -> None:
    out = clean("line\n" * 100_000)
    assert out.count("\n") < MAX_LINES
    assert "more characters are not shown" in out.splitlines()[-1]
    assert clean(out) == out
