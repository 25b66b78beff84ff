"""When the desk calls its person, and what it writes to which terminal."""

from __future__ import annotations

import pytest

from agent_tui.model.desk import Applied
from agent_tui.model.notifyrules import (
    Call,
    Notifications,
    Terminal,
    calls,
    is_due_again,
    sequences,
    terminal,
    title,
)
from broker_bridge.contract.views import Row

CALL = Call(event="offered", conversation="c", title="Offer", body="Anna Berg, chat")
LOUD = Notifications()


def row(**more: object) -> Row:
    return Row(**{"conv": "c", "rev": 1, "name": "Anna Berg", "channel": "chat", **more})  # type: ignore[arg-type]


MINE = row(state="mine", epoch=1)


@pytest.mark.parametrize(
    ("old", "new", "event"),
    [
        (None, row(state="ringing", offer_until_ms=9), "offered"),
        (row(state="queued"), row(state="ringing", offer_until_ms=9), "offered"),
        (row(state="ringing", offer_until_ms=9), row(state="ringing", offer_until_ms=9, unread=1), None),
        (row(state="ringing", offer_until_ms=9), row(state="ringing", offer_until_ms=20), "offered"),
        (row(state="other", owner="ole"), row(state="ringing", owner="ole", offer_until_ms=9), "transfer"),
        (None, MINE, "assigned"),
        (row(state="queued"), MINE, "assigned"),
        (row(state="closed"), MINE, None),
        (MINE, row(state="mine", epoch=1, text_by="them", unread=1), "customer_wrote"),
        (MINE, row(state="mine", epoch=1, text_by="note", unread=1), None),
        (row(state="mine", epoch=1, transfer_to="Ole"), MINE, "transfer"),
        (row(state="mine", epoch=1, transfer_to="Ole"), row(state="other", epoch=2, owner="ole"), None),
        (None, row(state="queued"), None),
        (row(state="other"), row(state="other", unread=5, text_by="them"), None),
    ],
)
def test_what_calls(old: Row | None, new: Row, event: str | None) -> None:
    applied = Applied(changed=frozenset({"c"}), before={"c": old} if old else {})
    assert [call.event for call in calls(applied, {"c": new})] == ([event] if event else [])


def test_getting_what_was_asked_for_is_no_news() -> None:
    assert calls(Applied(changed=frozenset({"c"})), {"c": MINE}, asked={"c"}) == []


def test_the_first_full_set_calls_for_what_rings_now_alone() -> None:
    rows = {"c": MINE, "d": row(conv="d", state="ringing", offer_until_ms=9)}
    found = calls(Applied(changed=frozenset(rows), is_reset=True), rows)
    assert [call.conversation for call in found] == ["d"]


def test_the_most_urgent_comes_first() -> None:
    rows = {"a": row(conv="a", state="mine"), "b": row(conv="b", state="ringing")}
    assert [call.event for call in calls(Applied(changed=frozenset(rows)), rows)] == ["offered", "assigned"]


def test_a_call_carries_no_words_of_the_customer_and_no_control_characters() -> None:
    hostile = row(state="ringing", name="A\x1b]52;c;eA==\x07\u202eB\n" + "x" * 500, text="my PIN is 1234")
    (call,) = calls(Applied(changed=frozenset({"c"})), {"c": hostile})
    assert "PIN" not in call.body and call.body.isprintable()
    assert len(call.body) < 80
    out = sequences(call, LOUD, Terminal(desktop="osc777"))
    assert out.count("\x1b") == 1


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, Terminal()),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Terminal(desktop="osc9")),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Terminal(desktop="osc777")),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, Terminal(desktop="osc777")),
        ({"TERM": "foot"}, Terminal(desktop="osc777")),
        ({"TERM": "xterm-kitty"}, Terminal(desktop="osc99")),
        ({"TERM": "tmux-256color", "TMUX": "x", "TERM_PROGRAM": "tmux"}, Terminal(desktop="osc9", wrapped="tmux")),
        ({"TERM": "screen.xterm", "STY": "1"}, Terminal(wrapped="screen")),
        ({"TERM": "linux"}, Terminal(has_title=False)),
        ({}, Terminal(has_title=False)),
    ],
)
def test_terminals_are_told_apart(environ: dict[str, str], expected: Terminal) -> None:
    assert terminal(environ) == expected


@pytest.mark.parametrize(
    ("around", "out"),
    [
        (Terminal(), "\a"),
        (Terminal(desktop="osc9"), "\a\x1b]9;Offer: Anna Berg, chat\a"),
        (Terminal(desktop="osc777"), "\a\x1b]777;notify;Offer;Anna Berg, chat\a"),
        (
            Terminal(desktop="osc99"),
            "\a\x1b]99;i=onewindow:d=0;Offer\x1b\\\x1b]99;i=onewindow:p=body;Anna Berg, chat\x1b\\",
        ),
        (Terminal(desktop="osc9", wrapped="tmux"), "\a\x1bPtmux;\x1b\x1b]9;Offer: Anna Berg, chat\a\x1b\\"),
    ],
)
def test_what_is_written(around: Terminal, out: str) -> None:
    assert sequences(CALL, LOUD, around) == out


def test_what_is_switched_off_is_not_written() -> None:
    around = Terminal(desktop="osc9")
    assert sequences(CALL, LOUD, around, is_bell_on=False).startswith("\x1b]9")
    assert sequences(CALL, Notifications(offered=("toast",)), around) == ""


def test_the_title_counts() -> None:
    assert title(Terminal(), 0, 0) == "\x1b]2;onewindow\a"
    assert title(Terminal(), 2, 3) == "\x1b]2;(2 ringing, 3 new) onewindow\a"
    assert title(Terminal(has_title=False), 2, 3) == ""


def test_repeating_is_a_choice() -> None:
    assert not is_due_again(0, 10**9, LOUD)
    often = Notifications(repeat_s=30)
    assert [is_due_again(0, at_ms, often) for at_ms in (29_999, 30_000)] == [False, True]
