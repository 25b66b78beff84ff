"""Whatever a browser sends, parse gives a frame or a sentence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.channels.webchat import frames
from broker_bridge.channels.webchat.frames import Malformed, clean_file_name, clean_line, clean_page, parse

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
kinds = st.sampled_from(["hello", "say", "typing", "seen", "file", "pong", "welcome", ""])
fields = st.sampled_from(["id", "text", "on", "seq", "name", "token", "session", "last_seq", "page", "v"])


def frame(**body: Any) -> str:
    return json.dumps({"v": 1, **body})


def taken_or_refused(raw: str) -> None:
    try:
        answer: object = parse(raw)
    except Malformed as error:
        answer = error.refused
    if isinstance(answer, frames.Refused):
        assert answer.code and answer.reason.endswith(".") and frames.encode(answer)
    else:
        assert isinstance(answer, frames.ClientFrame)


@given(st.text())
def test_any_text_is_a_frame_or_a_refusal(raw: str) -> None:
    taken_or_refused(raw)


@given(kinds, st.dictionaries(fields, anything), st.sampled_from([1, 2, "1", None]))
def test_any_object_is_a_frame_or_a_refusal(kind: str, body: dict[str, Any], version: Any) -> None:
    taken_or_refused(json.dumps({"v": version, **body, "t": kind}))


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "[]",
        "{}",
        "1" * 9000,
        "[" * 20_000,
        '{"v":1,"t":"say","id":"\ud800"}',
        '"\\ud800"',
        "NaN",
        '{"t":[]}',
    ],
)
def test_what_is_no_frame_is_refused(raw: str) -> None:
    with pytest.raises(Malformed):
        parse(raw)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"t": "say", "id": "abcdefgh", "text": "x" * 8001}, "text_too_long"),
        ({"t": "say", "id": "abcdefgh", "text": "x" * 40_000}, "too_long"),
        ({"t": "say", "id": "abcdefgh", "text": " \n\u200b\u202e"}, "empty"),
        ({"t": "say", "id": "short", "text": "hi"}, "id"),
        ({"t": "say", "id": "../../../etc", "text": "hi"}, "id"),
        ({"t": "say", "id": "abcdefgh", "text": 7}, "unreadable"),
        ({"t": "shout", "id": "abcdefgh"}, "unreadable"),
        ({"t": "seen", "seq": -1}, "unreadable"),
        ({"t": "seen", "seq": 2**60}, "unreadable"),
        ({"t": "pong", "v": 2}, "version"),
    ],
)
def test_each_refusal_has_its_code(body: dict[str, Any], code: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(frame(**body))
    assert caught.value.refused.code == code


def test_a_refused_message_is_named_by_its_id() -> None:
    with pytest.raises(Malformed) as caught:
        parse(frame(t="say", id="abcdefgh", text=["not a text"]))
    assert caught.value.refused.id == "abcdefgh"


def test_the_longest_message_in_any_script_fits() -> None:
    said = parse(json.dumps({"v": 1, "t": "say", "id": "abcdefgh", "text": "\U0001f600" * 8000}, ensure_ascii=False))
    assert isinstance(said, frames.Say) and len(said.text) == 8000


def test_text_is_kept_as_written() -> None:
    said = parse(frame(t="say", id="abcdefgh", text=" <b>\x1b[31m\r\n\u202ehi "))
    assert isinstance(said, frames.Say) and said.text == " <b>\x1b[31m\r\n\u202ehi "


def test_an_unknown_field_is_room_for_growth() -> None:
    assert isinstance(parse(frame(t="pong", color="blue")), frames.Pong)


@given(st.text())
def test_a_name_is_one_harmless_line(name: str) -> None:
    cleaned = clean_line(name, 80)
    assert len(cleaned) <= 80 and not any(ord(letter) < 32 or letter in "\u202e\u2066\x9b" for letter in cleaned)


@pytest.mark.parametrize(
    ("page", "cleaned"),
    [
        ("https://shop.example/cards?x=1#secret", "https://shop.example/cards?x=1"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("", ""),
    ],
)
def test_a_page_is_a_web_address_without_fragment(page: str, cleaned: str) -> None:
    assert clean_page(page) == cleaned


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("..\\..\\boot.ini", "boot.ini"),
        ("../../etc/passwd", "passwd"),
        ("invoice\u202efdp.exe", "invoice fdp.exe"),
        (".bashrc", "bashrc"),
        ("", "file"),
        ("a/..", "file"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ('a<b>"c|.txt', "a_b__c_.txt"),
    ],
)
def test_a_file_name_is_safe_to_show_and_to_save(name: str, cleaned: str) -> None:
    assert clean_file_name(name) == cleaned
