"""What the bridge tells: by which means, once, in words; and what of it may leave the window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agent_tui.model.desk import Applied, DeskState
from agent_tui.model.notifyrules import TOLD, Call, Event, Notifications, Terminal, calls, sequences, title
from agent_tui.notify import MOST_SAID, SAME_MS, Caller
from broker_bridge.contract.views import Notice, Row
from tests.tui import scenes
from tests.tui.staged import replaced
from tests.tui.test_window import desk
from tests.until import until

NOW = scenes.NOW_MS
HOSTILE = "An\x1b]52;c;eA==\x07\u202ena\n[/]" + "x" * 400
MINE = Row(conv="c", rev=1, name="Anna Berg", channel="wa", state="mine", epoch=1)
OLE = Notice(kind="returned", text="Ole is at lunch: it stays yours.", conv="c")


def told(*notices: Notice, rows: Mapping[str, Row] | None = None, before: Row | None = None) -> list[Call]:
    known = {"c": MINE} if rows is None else rows
    changed = frozenset({"c"}) if before is not None else frozenset()
    was = {"c": before} if before is not None else {}
    return calls(Applied(notices=notices, changed=changed, before=was), known)


@pytest.mark.parametrize("kind", sorted(TOLD))
def test_every_notice_has_a_title_and_settings_of_its_own(kind: Event) -> None:
    (call,) = told(Notice(kind=kind, text="words", conv="c"))
    assert call.event == kind and call.title and "toast" in Notifications().means(kind)
    assert call.said == f"{call.title}: Anna Berg, wa. words"
    assert sequences(call, replaced(Notifications(), **{kind: ()}), Terminal(desktop="osc9")) == ""


def test_a_notice_of_a_kind_that_is_not_known_does_nothing() -> None:
    assert told(Notice(kind="from_the_future", text="words")) == []


def test_what_came_back_says_why_in_words() -> None:
    (call,) = told(OLE)
    assert call.words == "Came back: Anna Berg, wa. Ole is at lunch: it stays yours."


def test_a_person_is_named_once() -> None:
    (call,) = told(Notice(kind="late", text="Anna Berg waits since 14:00.", conv="c"))
    assert call.words == "Late: Anna Berg waits since 14:00."


def test_the_row_and_its_notice_call_once() -> None:
    given = Row(conv="c", rev=1, state="mine", epoch=1, transfer_to="Ole")
    assert [call.event for call in told(before=given)] == ["transfer"]
    assert [call.event for call in told(OLE, before=given)] == ["returned"]
    queued = Row(conv="c", rev=1, state="queued")
    assert [call.event for call in told(Notice(kind="assigned", text="yours", conv="c"), before=queued)] == ["assigned"]


def test_the_words_of_a_case_do_not_leave_the_window() -> None:
    (call,) = told(Notice(kind="reminder", text="my PIN is 1234", conv="c"))
    out = sequences(call, Notifications(), Terminal(desktop="osc9"))
    assert "PIN" in call.words and out == "\a\x1b]9;Reminder: Anna Berg, wa\a"
    (strange,) = told(Notice(kind="alarm", text="Lena owes 200", conv="not-known"))
    assert "Lena" not in sequences(strange, Notifications(), Terminal(desktop="osc777"))


def test_an_alarm_of_the_house_says_what_it_is() -> None:
    (call,) = told(Notice(kind="alarm", text="support-mail is down"))
    assert "Alarm: support-mail is down" in sequences(call, Notifications(), Terminal(desktop="osc9"))


@pytest.mark.parametrize("around", [Terminal(desktop=one) for one in ("osc9", "osc777", "osc99", "")])
def test_hostile_words_stay_words(around: Terminal) -> None:
    for notice in (Notice(kind="alarm", text=HOSTILE), Notice(kind="late", text=HOSTILE, conv="c")):
        (call,) = told(notice, rows={"c": Row(conv="c", rev=1, name=HOSTILE, channel="wa", state="mine")})
        assert call.words.isprintable() and len(call.words) < 420
        out = sequences(call, Notifications(late=("desktop",)), around)
        assert "\x1b]52" not in out and out.count("\x1b]") == {"": 0, "osc99": 2}.get(around.desktop, 1)


def test_the_title_counts_what_nobody_saw() -> None:
    assert title(Terminal(), 1, 0, 2) == "\x1b]2;(1 ringing, 2 to see) onewindow\a"


class Told:
    """A caller, its desk, and what it wrote."""

    def __init__(self, settings: Notifications | None = None) -> None:
        self.written: list[str] = []
        self.state = DeskState()
        self.state.rows = {"c": MINE}
        self.caller = Caller(settings or Notifications(), Terminal(), self.written.append)

    def tell(self, applied: Applied, at_ms: int = NOW) -> str:
        return self.caller.changed(applied, self.state, (), at_ms)


def test_a_row_that_comes_after_its_notice_does_not_call_again() -> None:
    it = Told()
    assert it.tell(Applied(notices=(OLE,)))
    it.caller.seen("c")
    given = Row(conv="c", rev=0, state="mine", epoch=1, transfer_to="Ole")
    row = Applied(changed=frozenset({"c"}), before={"c": given})
    assert it.tell(row, NOW + SAME_MS - 1) == ""
    assert it.tell(row, NOW + SAME_MS) == "Transfer: Anna Berg, wa"


def test_the_same_notice_twice_is_told_twice() -> None:
    it = Told()
    assert it.tell(Applied(notices=(OLE,))) and it.tell(Applied(notices=(OLE,)), NOW + 1_000)


def test_many_at_once_are_counted() -> None:
    it = Told()
    many = tuple(Notice(kind="near", text=f"number {n}", conv=f"x{n}") for n in range(MOST_SAID + 4))
    words = it.tell(Applied(notices=many))
    assert words.count("Due soon:") == MOST_SAID and words.endswith("and 4 more")


def test_a_notice_is_repeated_until_it_is_seen_if_so_set() -> None:
    it = Told(Notifications(repeat_s=10))
    it.tell(Applied(notices=(OLE,)))
    it.written.clear()
    it.caller.tick(it.state, NOW + 10_000)
    it.caller.tick(it.state, NOW + 20_000)
    assert it.written == ["\a", "\a"]
    it.caller.seen("another")
    it.caller.tick(it.state, NOW + 30_000)
    assert it.written == ["\a"] * 3
    it.caller.seen("c")
    it.caller.tick(it.state, NOW + 40_000)
    assert it.written[3:] == ["\x1b]2;onewindow\a"], "nothing rings again, and the title has nothing to see"


def test_once_is_once_unless_set_otherwise() -> None:
    it = Told()
    it.tell(Applied(notices=(OLE,)))
    it.written.clear()
    it.caller.tick(it.state, NOW + 600_000)
    assert it.written == []


def test_a_sentence_of_the_bridge_is_not_said_again_in_other_words_but_a_notice_is() -> None:
    it = Told()
    mine = Applied(changed=frozenset({"c"}), toast="Anna Berg is yours now.")
    assert it.tell(mine) == ""
    assert it.tell(Applied(toast="x", notices=(OLE,)))


async def test_a_notice_stands_in_the_window_and_a_key_sees_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        written: list[str] = []
        it.app._caller = Caller(Notifications(repeat_s=5), Terminal(), written.append)
        await it.open("c-anna")
        it.fake.feed(notices=(Notice(kind="returned", text="Ole is at lunch: it stays yours.", conv="c-anna"),))
        await until(lambda: "Came back: Anna Berg, wa. Ole is at lunch: it stays yours." in it.text())
        assert "1 to see" in "".join(written)
        await it.press("j")
        it.app.tick()
        assert written[-1].startswith("\x1b]2;(") and "to see" not in written[-1]


async def test_a_supervisor_on_the_floor_is_told_there(tmp_path: Path) -> None:
    async with desk(tmp_path, me=scenes.SUPERVISOR) as it:
        it.app._caller = Caller(Notifications(), Terminal(has_title=False), lambda _: None)
        await it.press("M")
        await until(lambda: "Floor" in it.text())
        it.fake.feed(notices=(Notice(kind="alarm", text="complaints: 5 wait longer than 10 m"),))
        await until(lambda: "Alarm: complaints: 5 wait" in it.text())
