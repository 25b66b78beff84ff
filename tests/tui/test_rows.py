"""An inbox row says what must be done, in exactly its cells, at every width."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tui.model import rows
from agent_tui.model.glyphs import ASCII
from agent_tui.model.inbox import Inbox
from agent_tui.model.rows import Moment
from broker_bridge.contract.views import Row

NOW = 1_795_269_731_000
AT = Moment(now_ms=NOW)
MINUTE = 60_000


def _row(**fields: object) -> Row:
    return msgspec.convert(
        {"conv": "c1", "rev": 1, "name": "Anna Berg", "channel": "wa", "state": "mine", **fields}, Row
    )


ANNA = _row(
    text="And can I pay 1 万円 in a shop?", due_ms=NOW - 42_000, waiting_since_ms=NOW - 9, unread=1, typing=("Anna",)
)


def test_a_late_row_is_drawn_as_in_the_picture() -> None:
    assert rows.first_line(ANNA, 35, "", AT).text == " !! Anna Berg           wa   -0:42 "
    assert rows.second_line(ANNA, 35, "acc", AT).text == "▌   And can I pay 1 万…  ✎ Anna +1 "


def test_the_chip_takes_the_margin() -> None:
    chip = rows.first_line(ANNA, 35, "", AT).runs[-1]
    assert (chip.text, chip.role) == (" -0:42 ", "chip.late")


def test_ascii_changes_our_signs_and_no_width() -> None:
    plain = Moment(now_ms=NOW, glyphs=ASCII)
    assert rows.second_line(ANNA, 35, "acc", plain).text == ">   And can I pay 1 万~  / Anna +1 "


@pytest.mark.parametrize(
    ("fields", "group", "word"),
    [
        ({"state": "ringing", "offer_until_ms": NOW + 14_000}, "ringing", "0:14"),
        ({"due_ms": NOW - 42_000, "waiting_since_ms": NOW}, "late", "-0:42"),
        ({"due_ms": NOW - 12 * MINUTE, "waiting_since_ms": NOW}, "late", "-12 m"),
        ({"due_ms": NOW + 250_000, "waiting_since_ms": NOW}, "due soon", "4:10"),
        ({"due_ms": NOW + 3_600_000, "waiting_since_ms": NOW - 12 * MINUTE}, "they wait for you", "12 m"),
        ({"waiting_since_ms": NOW - 120 * MINUTE}, "they wait for you", "2 h"),
        ({"last_ms": NOW - 3 * MINUTE}, "you wait for them", "3 m"),
        ({}, "you wait for them", "?"),
        ({"state": "snoozed", "snoozed_until_ms": NOW + 88 * MINUTE}, "snoozed", "15:30"),
        ({"state": "snoozed"}, "snoozed", "…"),
        ({"state": "wrap_up", "wrap_until_ms": NOW + 38_000, "due_ms": NOW - 1}, "wrap-up", "0:38"),
        ({"state": "wrap_up", "last_ms": NOW - 3 * MINUTE}, "wrap-up", "3 m"),
        ({"state": "merged", "last_ms": NOW - 3 * MINUTE, "due_ms": NOW - 1}, "closed", "3 m"),
        ({"state": "closed", "last_ms": NOW - 1500 * MINUTE}, "closed", "1 d"),
    ],
)
def test_a_row_has_one_group_and_one_clock(fields: dict[str, object], group: str, word: str) -> None:
    row = _row(**fields)
    assert rows.group(row, NOW) == group
    assert rows.clock_of(row, AT).word == word


def test_groups_stand_in_order_and_within_them_who_has_waited_longest() -> None:
    found = rows.arrange(
        [
            _row(conv="snoozed", state="snoozed"),
            _row(conv="ten", waiting_since_ms=NOW - 10 * MINUTE),
            _row(conv="hour", waiting_since_ms=NOW - 60 * MINUTE),
            _row(conv="target", waiting_since_ms=NOW, due_ms=NOW + 30 * MINUTE),
            _row(conv="late1", waiting_since_ms=NOW, due_ms=NOW - 1),
            _row(conv="late2", waiting_since_ms=NOW, due_ms=NOW - 2),
            _row(conv="rings", state="ringing"),
        ],
        NOW,
    )
    assert [(name, [row.conv for row in members]) for name, members in found] == [
        ("ringing", ["rings"]),
        ("late", ["late2", "late1"]),
        ("they wait for you", ["target", "hour", "ten"]),
        ("snoozed", ["snoozed"]),
    ]


def test_a_held_row_stays_in_its_group_while_the_cursor_is_on_it() -> None:
    found = rows.arrange([ANNA, _row(conv="c2")], NOW, held={"c1": "due soon"})
    assert [name for name, _ in found] == ["due soon", "you wait for them"]


def test_the_next_change_by_time_alone_is_known() -> None:
    row = _row(waiting_since_ms=NOW, due_ms=NOW + 6 * MINUTE)
    change = rows.next_change_ms(row, NOW)
    assert change is not None
    assert rows.group(row, change - 1) == "they wait for you"
    assert rows.group(row, change) == "due soon"
    later = rows.next_change_ms(row, change)
    assert later is not None
    assert (rows.group(row, later - 1), rows.group(row, later)) == ("due soon", "late")


def test_without_a_link_nothing_rings_for_sure_and_nobody_types() -> None:
    down = Moment(now_ms=NOW, has_link=False, as_of_ms=NOW - 49_000)
    ringing = _row(state="ringing", offer_until_ms=NOW + 14_000)
    assert rows.clock_of(ringing, down).word == "?"
    assert "was ringing at 14:01:22" in rows.second_line(ringing, 35, "", down).text
    assert rows.head("ringing", 1, down).text == "    ringing, not sure 1"
    assert "✎" not in rows.second_line(ANNA, 35, "", down).text


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"text_by": "you", "delivery": "read"}, " ✓✓ "),
        ({"text_by": "you", "delivery": "sent"}, " ✓ "),
        ({"text_by": "you", "delivery": "failed"}, " ✗ failed "),
        ({"is_draft": True}, " ✎ draft "),
        ({"viewers": ("Ole Nilsen",)}, " ◉ Ole "),
        ({"unread": 140}, " +99 "),
    ],
)
def test_who_and_unread_stand_at_the_end(fields: dict[str, object], end: str) -> None:
    assert rows.second_line(_row(**fields), 35, "", AT).text.endswith(end)


hostile = st.text(alphabet="a \x1b[31m\u202e世🙂\n\t[/]", max_size=40)


@given(
    st.builds(
        Row,
        conv=st.just("c"),
        rev=st.just(1),
        name=hostile,
        channel=hostile,
        text=hostile,
        text_by=hostile,
        state=st.sampled_from(
            ["ringing", "queued", "mine", "other", "closed", "snoozed", "wrap_up", "merged", "new state"]
        ),
        unread=st.integers(min_value=0, max_value=1_000),
        due_ms=st.none() | st.integers(min_value=NOW - 10**10, max_value=NOW + 10**10),
        waiting_since_ms=st.none() | st.just(NOW - 5),
        delivery=st.sampled_from(["", "read", "failed", "unknown", "?"]),
        typing=st.lists(hostile, max_size=2).map(tuple),
    ),
    st.integers(min_value=23, max_value=60),
)
def test_both_lines_are_exactly_as_wide_as_the_pane_and_harmless(row: Row, cells: int) -> None:
    for found in (rows.first_line(row, cells, "", AT), rows.second_line(row, cells, "acc", AT)):
        assert found.cells == cells
        assert found.text.isprintable()


@given(st.integers(min_value=23, max_value=60))
def test_mark_channel_clock_and_unread_are_never_cut(cells: int) -> None:
    first, second = rows.first_line(ANNA, cells, "", AT).text, rows.second_line(ANNA, cells, "", AT).text
    assert "!!" in first and "wa" in first and "-0:42" in first
    assert "+1" in second


def test_the_inbox_indexes_lines_of_heads_rows_and_gaps() -> None:
    inbox = Inbox([("late", [ANNA]), ("snoozed", [_row(conv="c2"), _row(conv="c3")])], AT)
    assert inbox.lines(35) == 3 + 1 + 5
    assert [slot.item for slot in inbox.page(0, 99, 35)] == [-1, 0, 0, -1, -1, 1, 1, 2, 2]
    assert [inbox.span(item, 35) for item in range(3)] == [(1, 2), (5, 2), (7, 2)]
    assert [inbox.index(inbox.key(item)) for item in range(3)] == [0, 1, 2]
    assert inbox.index("gone") is None


def test_a_small_screen_drops_the_blank_rows_between_groups() -> None:
    inbox = Inbox([("late", [ANNA]), ("snoozed", [_row(conv="c2")])], AT, is_airy=False)
    assert [slot.item for slot in inbox.page(0, 99, 35)] == [-1, 0, 0, -1, 1, 1]


def test_a_tick_changes_the_stamp_of_a_running_clock_only() -> None:
    inbox = Inbox([("late", [ANNA]), ("snoozed", [_row(conv="c2", state="snoozed", snoozed_until_ms=NOW)])], AT)
    before = inbox.page(0, 99, 35)
    inbox.tick(Moment(now_ms=NOW + 1_000))
    after = inbox.page(0, 99, 35)
    assert [old.stamp == new.stamp for old, new in zip(before, after, strict=True)] == [
        True, False, False, True, True, True, True,
    ]  # fmt: skip
