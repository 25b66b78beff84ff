"""The table of actions."""

from __future__ import annotations

import typing

import pytest
from textual.keys import _character_to_key

from agent_tui.keys import ACTIONS, OVERLAYS, KeyConflict, KeyTable, KeyTableError, Place, table
from agent_tui.model.frame import Key
from agent_tui.model.keynames import bound, is_chord, parse, shown, twin
from broker_bridge.contract import commands

PLACES: tuple[Place, ...] = typing.get_args(Place)
OWNER = ("reply", "note", "transfer", "close")


def test_every_verb_is_one_of_the_contract() -> None:
    verbs = {kind.__struct_config__.tag for kind in typing.get_args(commands.Wish)}
    assert {action.verb for action in ACTIONS if action.verb} <= verbs


def test_where_text_is_typed_no_letter_acts() -> None:
    keys = table()
    for place in ("composer", "chat"):
        assert [key for key in keys.bindings(place) if len(key) == 1] == []


def test_the_last_place_wins() -> None:
    keys = table()
    assert keys.bindings("list")["o"] == "open_item"
    assert keys.bindings("list", "down")["o"] == "waits"
    assert keys.bindings("composer", "stopped")["up"] == "read_new"


def test_an_offer_is_answered_by_letters_in_a_list_and_by_f_keys_while_writing() -> None:
    keys = table()
    assert keys.bindings("list")["a"] == "accept"
    assert keys.bindings("list")["f2"] == keys.bindings("chat")["f2"] == "accept"
    assert keys.keys_for("offer", ("accept", "decline"))[0] == Key("a", "accept", 1)
    assert [key.key for key in keys.keys_for("offer", ("accept", "decline"), is_typed=True)] == ["f2", "f3", "f4"]


def test_the_key_line_shows_what_the_row_allows() -> None:
    keys = table()
    assert {"reply", "close+next"} <= {key.words for key in keys.keys_for("list", OWNER)}
    assert {"reply", "close", "accept"}.isdisjoint(key.words for key in keys.keys_for("list", ("note",)))


def test_enter_sends_where_the_channel_says_so() -> None:
    keys = table()
    assert Key("⏎", "send", 1) in keys.keys_for("chat", OWNER)
    assert Key("alt+⏎", "send", 1) in keys.keys_for("composer", OWNER)
    assert "enter" not in keys.bindings("composer")
    assert keys.bindings("chat")["enter"] == keys.bindings("composer")["alt+enter"] == "send"


def test_a_supervisors_keys_are_shown_to_supervisors() -> None:
    keys = table()
    assert keys.keys_for("monitor", (), is_supervisor=True)[1] == Key("⏎", "read silently", 1)
    assert "Supervise" not in keys.help()
    assert "Supervise" in keys.help(is_supervisor=True)


@pytest.mark.parametrize("place", [place for place in PLACES if place not in OVERLAYS])
def test_chords_that_terminals_eat_are_never_the_only_way(place: Place) -> None:
    eaten = {"ctrl+s", "ctrl+q", "ctrl+i", "ctrl+m", "ctrl+enter"}
    for action in ACTIONS:
        if place in action.where and action.name != "quit":
            assert not set(action.keys + action.typing) or set(action.keys + action.typing) - eaten, action.name


def test_the_same_physical_key_works_on_a_cyrillic_layout() -> None:
    found = table().bindings("list")
    for latin, cyrillic in [("a", "ф"), ("E", "У"), ("j", "о"), ("colon", "Ж"), ("greater_than_sign", "Ю")]:
        assert found[cyrillic] == found[latin]


def test_every_letter_has_its_twin_in_every_place() -> None:
    keys = table()
    for place in PLACES:
        found = keys.bindings(place)
        for key in list(found):
            name = key.removeprefix("ctrl+")
            if len(name) == 1 and name.isascii() and name.isalpha():
                other = twin(key)
                assert other and found[bound(other)] == found[key]


def test_a_key_that_a_person_chose_wins_over_a_twin() -> None:
    assert table({"note": "ф"}).bindings("list")["ф"] == "note"


def test_keys_can_be_changed() -> None:
    keys = table({"accept": "Y", "close": ["X", "^w"], "unfold": []})
    assert keys.bindings("list")["Y"] == "accept" and "a" not in keys.bindings("list")
    assert keys.bindings("composer")["f2"] == "accept", "its chord stays"
    assert keys.bindings("composer")["ctrl+w"] == keys.bindings("list")["X"] == "close"
    assert "f6" not in keys.bindings("composer")
    assert keys.shown("unfold") == ""
    assert Key("Y", "accept", 1) in keys.keys_for("list", ("accept",))


def test_a_conflict_names_both() -> None:
    with pytest.raises(KeyConflict, match=r"n means two things in the list: reply .* and note"):
        table({"reply": "n"})


def test_swapping_two_keys_is_no_conflict() -> None:
    assert table({"reply": "n", "note": "r"}).bindings("list")["n"] == "reply"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"acept": "a"}, "acept: there is no such action; is it accept?"),
        ({"accept": "hello"}, "accept: 'hello' is no key"),
        ({"accept": ""}, "accept: '' is no key"),
        ({"send": "x"}, "send: it acts while you write"),
    ],
)
def test_a_wrong_change_is_refused_with_its_name(changes: dict[str, str], words: str) -> None:
    with pytest.raises(KeyTableError, match=words.replace("?", r"\?")):
        table(changes)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        *[("a", "a"), ("E", "E"), ("^n", "ctrl+n"), ("Ctrl+N", "ctrl+n"), ("F2", "f2"), ("Esc", "escape")],
        *[("+", "+"), ("ctrl++", "ctrl++"), ("alt+Enter", "alt+enter"), ("/", "/"), ("^", "^")],
    ],
)
def test_keys_may_be_written_as_people_write_them(written: str, key: str) -> None:
    assert parse(written) == key


@pytest.mark.parametrize("character", list("abzAZ09/?:>[]+-_@.,;'\"!#$%&*()=фЖ"))
def test_names_are_those_of_textual(character: str) -> None:
    assert bound(character) == _character_to_key(character)


def test_chords_and_letters_are_told_apart() -> None:
    assert [is_chord(key) for key in ("a", "enter", "shift+tab", "ctrl+n", "f2", "alt+enter", "escape")] == [
        *(False, False, False),
        *(True, True, True, True),
    ]
    assert shown("ctrl+n") == "^n" and shown("pagedown") == "pgdn"


def test_a_table_with_a_conflict_cannot_be_built() -> None:
    with pytest.raises(KeyConflict):
        KeyTable((*ACTIONS, ACTIONS[0].__class__(**{**_fields(), "name": "other"})))


def _fields() -> dict[str, typing.Any]:
    return {name: getattr(ACTIONS[0], name) for name in ACTIONS[0].__struct_fields__}
