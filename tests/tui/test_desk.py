"""What the feed does to the desk's state."""

from __future__ import annotations

import pytest

from agent_tui.model.desk import DeskState
from broker_bridge.contract.views import Beat, Counts, Feed, Me, Notice, Row, ThreadFeed, Welcome

ME = Me(agent="maya", name="Maya Lindqvist")


def row(conv: str, rev: int, **more: object) -> Row:
    return Row(conv=conv, rev=rev, **more)  # type: ignore[arg-type]


def feed(n: int, *rows: Row, upto: int = 0, epoch: str = "e", **more: object) -> Feed:
    return Feed(epoch=epoch, n=n, upto=upto, rows=rows, **more)  # type: ignore[arg-type]


def beat(n: int, upto: int = 0, epoch: str = "e", counts: Counts | None = None) -> Beat:
    return Beat(epoch=epoch, n=n, upto=upto, at_ms=0, counts=counts)


@pytest.fixture
def state() -> DeskState:
    """Two rows, in step at n=1."""
    desk = DeskState()
    desk.welcome(Welcome(version=1, epoch="e", n=0, me=ME, upto=10))
    desk.apply_feed(feed(1, row("a", 5), row("b", 6), upto=10, is_reset=True))
    return desk


def test_a_full_set_is_the_desk(state: DeskState) -> None:
    assert list(state.rows) == ["a", "b"]
    assert (state.n, state.upto, state.me) == (1, 10, ME)


def test_the_next_message_is_applied_with_what_was_before(state: DeskState) -> None:
    applied = state.apply_feed(feed(2, row("a", 11, unread=1), row("c", 12), upto=12, gone=("b", "nobody")))
    assert applied.changed == {"a", "c"}
    assert applied.gone == {"b"}
    assert applied.before == {"a": row("a", 5), "b": row("b", 6)}
    assert list(state.rows) == ["a", "c"] and state.upto == 12


def test_an_older_row_does_not_replace_a_newer_one(state: DeskState) -> None:
    applied = state.apply_feed(feed(2, row("a", 4, name="old"), upto=12))
    assert state.rows["a"].name == "" and not applied.changed


def test_typing_changes_a_row_of_the_same_rev(state: DeskState) -> None:
    assert state.apply_feed(feed(2, row("a", 5, typing=("Anna",)), upto=10)).changed == {"a"}
    assert state.rows["a"].typing == ("Anna",)


def test_an_equal_row_is_no_change(state: DeskState) -> None:
    assert not state.apply_feed(feed(2, row("a", 5), upto=10))


def test_a_hole_applies_nothing_and_does_not_move(state: DeskState) -> None:
    applied = state.apply_feed(feed(3, row("a", 20), upto=20))
    assert applied.hole
    assert (state.n, state.upto, state.rows["a"].rev) == (1, 10, 5)


def test_a_message_seen_before_is_no_change(state: DeskState) -> None:
    assert not state.apply_feed(feed(1, row("a", 50), upto=50))
    assert state.rows["a"].rev == 5


def test_another_epoch_is_a_hole_unless_it_begins_with_a_full_set(state: DeskState) -> None:
    assert state.apply_feed(feed(2, row("a", 20), epoch="f")).hole
    assert state.apply_feed(feed(1, row("a", 20), epoch="f")).hole
    applied = state.apply_feed(feed(1, row("z", 20), epoch="f", upto=20, is_reset=True))
    assert applied.is_reset and list(state.rows) == ["z"] and state.epoch == "f"


def test_a_set_in_parts_takes_effect_when_it_is_whole(state: DeskState) -> None:
    assert not state.apply_feed(feed(2, row("x", 1), upto=30, is_reset=True, is_whole=False))
    assert list(state.rows) == ["a", "b"] and state.upto == 10
    state.apply_thread(ThreadFeed(epoch="e", n=3, upto=30, conv="x", row=row("x", 2)))
    applied = state.apply_feed(feed(4, row("b", 6), upto=31))
    assert applied.is_reset
    assert applied.changed == {"x"} and applied.gone == {"a"}
    assert state.rows == {"x": row("x", 2), "b": row("b", 6)} and state.upto == 31


def test_a_full_set_may_bring_older_rows(state: DeskState) -> None:
    state.apply_feed(feed(2, row("a", 1), upto=2, is_reset=True))
    assert state.rows == {"a": row("a", 1)} and state.upto == 2


def test_a_part_of_a_change_set_does_not_promise_the_rest(state: DeskState) -> None:
    state.apply_feed(feed(2, row("a", 40), upto=40, is_whole=False))
    assert state.upto == 10
    state.apply_feed(feed(3, row("b", 39), upto=40))
    assert state.upto == 40


def test_a_broken_off_set_is_forgotten_with_the_next_welcome(state: DeskState) -> None:
    state.apply_feed(feed(2, row("x", 1), upto=30, is_reset=True, is_whole=False))
    state.welcome(Welcome(version=1, epoch="e", n=7, me=ME, upto=30))
    state.apply_feed(feed(8, row("a", 30), upto=30))
    assert list(state.rows) == ["a", "b"] and state.upto == 30


def test_a_beat_says_what_is_missing(state: DeskState) -> None:
    assert state.apply_beat(beat(1, upto=15)) is False
    assert state.upto == 15
    assert state.apply_beat(beat(2)) is True
    assert state.apply_beat(beat(1, epoch="f")) is True
    assert state.upto == 15


def test_counts_come_with_beats_and_feeds(state: DeskState) -> None:
    state.apply_beat(beat(1, counts=Counts(mine=3)))
    assert state.counts.mine == 3
    assert state.apply_feed(feed(2, counts=Counts(mine=4))).is_counts_changed
    assert not state.apply_feed(feed(3, counts=Counts(mine=4)))


def test_a_welcome_that_says_where_the_feed_stands_leaves_no_hole_unseen(state: DeskState) -> None:
    state.welcome(Welcome(version=1, epoch="g", n=4, me=ME, upto=10))
    assert not state.apply_feed(feed(4, row("a", 90), epoch="g"))
    assert state.apply_feed(feed(6, row("a", 90), epoch="g")).hole
    assert state.apply_feed(feed(5, row("a", 91), epoch="g", upto=91)).changed == {"a"}


def test_without_that_the_first_message_is_taken_as_it_comes(state: DeskState) -> None:
    state.welcome(Welcome(version=1, epoch="g", me=ME, upto=10))
    assert state.apply_feed(feed(9, row("a", 90), epoch="g", upto=90)).changed == {"a"}
    assert state.apply_feed(feed(11, row("a", 91), epoch="g")).hole


def test_a_conversation_that_is_only_read_does_not_come_into_the_desk(state: DeskState) -> None:
    assert not state.apply_thread(ThreadFeed(epoch="e", n=2, upto=12, conv="z", row=row("z", 12)))
    assert "z" not in state.rows and (state.n, state.upto) == (2, 12)
    assert state.apply_thread(ThreadFeed(epoch="e", n=3, upto=13, conv="a", row=row("a", 13))).changed == {"a"}


def test_a_snapshot_shows_the_rows_and_asks_for_everything(state: DeskState) -> None:
    state.counts = Counts(mine=2)
    kept = state.snapshot("maya", 777)
    again = DeskState()
    assert again.restore(kept, "maya")
    assert (again.rows, again.me, again.counts, again.as_of_ms) == (state.rows, ME, Counts(mine=2), 777)
    assert (again.upto, again.epoch) == (0, "")


@pytest.mark.parametrize("kept", [b"", b"{", b"\xff", b'{"v":99,"agent":"maya","as_of_ms":1}', b"[]"])
def test_a_snapshot_that_cannot_be_used_is_as_none(kept: bytes) -> None:
    desk = DeskState()
    assert not desk.restore(kept, "maya")
    assert desk.rows == {}


def test_a_colleagues_snapshot_is_not_shown(state: DeskState) -> None:
    assert not DeskState().restore(state.snapshot("maya", 1), "ole")


LATE = Notice(kind="late", text="Anna Berg is late.", conv="a")
BACK = Notice(kind="returned", text="Ole is at lunch: it stays yours.", conv="b")


def test_a_notice_is_told_with_its_message(state: DeskState) -> None:
    applied = state.apply_feed(feed(2, notices=(LATE, BACK)))
    assert applied.notices == (LATE, BACK) and applied


def test_a_notice_is_told_once_though_the_feed_is_resumed(state: DeskState) -> None:
    state.apply_feed(feed(2, notices=(LATE,)))
    state.welcome(Welcome(version=1, epoch="g", n=0, me=ME, upto=10))
    first = state.apply_feed(feed(1, epoch="g", notices=(LATE, BACK), is_whole=False))
    second = state.apply_feed(feed(2, epoch="g", notices=(LATE,)))
    assert first.notices == (BACK,) and second.notices == ()


def test_the_same_thing_happening_again_is_told_again(state: DeskState) -> None:
    state.apply_feed(feed(2, notices=(BACK,)))
    assert state.apply_feed(feed(3, notices=(BACK,))).notices == (BACK,)
    state.welcome(Welcome(version=1, epoch="g", n=0, me=ME, upto=10))
    state.apply_feed(feed(1, epoch="g"))
    assert state.apply_feed(feed(2, epoch="g", notices=(BACK,))).notices == (BACK,)


def test_a_full_set_in_parts_tells_its_notices_once(state: DeskState) -> None:
    first = state.apply_feed(feed(2, upto=30, is_reset=True, is_whole=False, notices=(LATE,)))
    last = state.apply_feed(feed(3, upto=30, notices=(BACK,)))
    assert (first.notices, last.notices) == ((LATE,), (BACK,))


def test_a_message_seen_before_tells_nothing_again(state: DeskState) -> None:
    state.apply_feed(feed(2, notices=(LATE,)))
    assert not state.apply_feed(feed(2, notices=(LATE,)))
