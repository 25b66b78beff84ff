"""What goes along: the rows of its fields, its lines in a thread, hints that ask for a decision, cases to merge."""

from __future__ import annotations

import msgspec
import pytest

from agent_tui.model import hints, merge_lines, packet_lines, thread_lines
from agent_tui.model.glyphs import ASCII
from agent_tui.model.hints import HintKeys
from agent_tui.model.rows import Moment
from agent_tui.model.thread_lines import Keys, Place
from broker_bridge.contract.ids import short_number
from broker_bridge.contract.views import Row
from broker_bridge.contract.words import Packet
from tests.tui import scenes, scenes_transfer

AT = Moment(now_ms=scenes.NOW_MS)
HOSTILE = "[/] \x1b]52;c;ZXZpbA==\x07\x9b31m \u202eevil"


@pytest.mark.parametrize(
    ("wanted", "room", "focused", "rows"),
    [
        ((1, 1, 1, 1, 1), 9, -1, (1, 1, 1, 1, 1)),
        ((2, 2, 1, 1, 1), 9, -1, (2, 2, 1, 1, 1)),
        ((9, 1, 1, 1, 1), 7, -1, (3, 1, 1, 1, 1)),
        ((4, 4, 1, 1, 1), 9, 0, (4, 2, 1, 1, 1)),
        ((9, 9, 9, 9, 9), 9, 2, (1, 1, 5, 1, 1)),
        ((9, 9, 9, 9, 9), 3, 2, (1, 1, 1, 1, 1)),
        ((0, 0, 0, 0, 0), 9, -1, (1, 1, 1, 1, 1)),
    ],
)
def test_rows_of_the_fields(wanted: tuple[int, ...], room: int, focused: int, rows: tuple[int, ...]) -> None:
    assert packet_lines.heights(wanted, room, focused) == rows


def test_a_packet_of_nothing_is_none() -> None:
    assert packet_lines.made(dict.fromkeys(packet_lines.FIELDS, " \n")) is None
    assert packet_lines.made({"open": " who paid? "}) == Packet(open="who paid?")


def test_the_packet_is_a_note_with_labels() -> None:
    body = thread_lines.body(scenes_transfer.PACKET_NOTE, Place(cells=52), AT, Keys())
    shown = [line.text for line in body]
    assert shown[0].startswith(" ┆ note Priya Rao → you  14:01")
    assert shown[1] == " ┆ Please look at the waiver of last year."
    assert shown[2] == " ┆ problem  asks for fees abroad, was charged"
    assert any(text.startswith(" ┆ promised answer today before 16:00") for text in shown)
    assert not any("open" in text for text in shown)
    assert {line.ground for line in body} == {"notebg"} and all(line.cells <= 52 for line in body)


def test_a_packet_at_an_event_stands_below_its_line() -> None:
    item = msgspec.structs.replace(scenes_transfer.PACKET_NOTE, kind="event", text="Maya asks Priya", name="Maya")
    shown = [line.text for line in thread_lines.body(item, Place(cells=52), AT, Keys())]
    assert shown[0].endswith("Maya asks Priya") and "note" in shown[1] and "problem" in shown[2]
    assert not thread_lines.is_event(item)


def test_the_signs_of_a_packet_are_ascii_where_ours_are() -> None:
    at = AT._replace(glyphs=ASCII)
    shown = [line.text for line in thread_lines.body(scenes_transfer.PACKET_NOTE, Place(cells=60), at, Keys())]
    assert " : proved   name, phone v  bank id x" in shown


def test_a_hostile_packet_stays_words() -> None:
    packet = Packet(problem=HOSTILE * 30, tried=HOSTILE, proved="\n" * 900, open="田" * 200)
    item = msgspec.structs.replace(scenes_transfer.PACKET_NOTE, packet=packet, case=HOSTILE)
    for line in thread_lines.body(item, Place(cells=40), AT, Keys()):
        assert line.text.isprintable() and line.cells <= 40


def test_an_item_of_a_merged_case_shows_its_number() -> None:
    item = msgspec.structs.replace(scenes.ANNA_ITEMS[6], case="R3X8M")
    for kind in ("them", "you", "note"):
        found = thread_lines.body(msgspec.structs.replace(item, kind=kind), Place(cells=52), AT, Keys())
        assert "#R3X8M" in found[0].text, kind
    assert not thread_lines.shares_header(scenes.ANNA_ITEMS[6], item)


def test_the_line_of_a_merge_offers_its_way_back() -> None:
    (line,) = thread_lines.body(scenes_transfer.MERGED_IN, Place(cells=52), AT, Keys())
    assert line.text.endswith("U un-merge") and "was merged in" in line.text


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (scenes.ANNA, []),
        (scenes_transfer.ASKED, [("→ asking Priya", "T take back")]),
        (scenes_transfer.TALKING, [("↔ Priya is with you", "y hand over  x keep it")]),
        (scenes_transfer.CONSULTED, [("↔ with Priya: you were asked", "x end the talk")]),
        (scenes_transfer.SUGGESTED, [(f"? may belong to #{short_number('c-2108')}", "m merge")]),
        (
            msgspec.structs.replace(scenes_transfer.TALKING, suggestion="c-2108", verbs=()),
            [("↔ Priya is with you", "you"), (f"? may belong to #{short_number('c-2108')}", short_number("c-2108"))],
        ),
    ],
)
def test_what_asks_for_a_decision(row: Row, shown: list[tuple[str, str]]) -> None:
    found = [line.text.strip() for line in hints.hints(row, HintKeys(), 52, AT)]
    assert len(found) == len(shown)
    for text, (begin, end) in zip(found, shown, strict=True):
        assert text.startswith(begin) and text.endswith(end)


@pytest.mark.parametrize("cells", [20, 49, 52, 66])
def test_hints_fit(cells: int) -> None:
    row = msgspec.structs.replace(scenes_transfer.TALKING, consult_with=HOSTILE * 9, suggestion="c-2108")
    assert all(line.cells <= cells and line.text.isprintable() for line in hints.hints(row, HintKeys(), cells, AT))


def _groups(typed: str = "", found: tuple[Row, ...] = ()) -> list[tuple[str, list[str]]]:
    groups = merge_lines.offered(scenes_transfer.SUGGESTED, scenes.ROWS, scenes_transfer.PROFILE, found, typed)
    return [(title, [pick.conv for pick in picks]) for title, picks in groups]


def test_the_suggestion_goes_first_then_the_customers_open_cases_and_never_itself() -> None:
    assert _groups() == [("it may belong to", ["c-2108"]), ("open cases of Anna Berg", ["c-4471"])]


def test_a_search_finds_other_cases_by_number_or_name() -> None:
    assert _groups("pauline") == [("found", ["c-pauline"])]
    assert _groups("#r3x8") == [("found", ["c-pauline"])]
    merged = msgspec.structs.replace(scenes_transfer.SECOND_CASE, conv="c-x", name="Pauline", state="merged")
    assert _groups("pauline", (merged,)) == [("found", ["c-pauline"])]


@pytest.mark.parametrize("cells", [60, 80, 98])
def test_both_cases_stand_side_by_side(cells: int) -> None:
    one = merge_lines.of_row(scenes.ANNA)._replace(messages="5 messages")
    other = merge_lines.of_row(scenes_transfer.SECOND_CASE)
    rows = merge_lines.both(other, one, cells, AT)
    assert len({line.cells for line in rows}) == 1 and cells - 1 <= rows[0].cells <= cells
    assert rows[0].text.index("ends here") < rows[0].text.index("→") < rows[0].text.index("goes on")
    assert "5 messages" in rows[4].text


def test_messages_are_counted_without_events() -> None:
    assert merge_lines.counted(scenes.ANNA_ITEMS, False) == "5 messages"
    assert merge_lines.counted(scenes.ANNA_ITEMS[:7], True) == "2+ messages"
    assert merge_lines.counted(scenes.ANNA_ITEMS[6:7], False) == "1 message"
