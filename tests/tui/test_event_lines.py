"""Events as lines: the moment behind the words, whole reasons, one line for what another channel did."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from agent_tui.model.event_lines import event_lines, is_rearranged, moment_words
from agent_tui.model.rows import Moment
from agent_tui.model.runs import Run
from broker_bridge.contract.views import Item

OSLO = ZoneInfo("Europe/Oslo")


def ms(words: str) -> int:
    return int(datetime.fromisoformat(words).replace(tzinfo=OSLO).timestamp() * 1000)


AT_MS = ms("2026-11-22 14:02")


def event(text: str, until: str | None = None, channel: str = "") -> Item:
    until_ms = ms(until) if until is not None else None
    return Item(id="e", seq=1, rev=1, kind="event", at_ms=AT_MS, text=text, until_ms=until_ms, channel=channel)


def shown(item: Item, cells: int, *acts: Run) -> list[str]:
    at = Moment(AT_MS, OSLO)
    return ["".join(run.text for run in line.runs).rstrip() for line in event_lines(item, cells, at, acts)]


@pytest.mark.parametrize(
    ("text", "until", "words"),
    [
        ("Maya snoozed it", "2026-11-22 15:30", " until 15:30"),
        ("Maya snoozed it", "2026-11-23 09:00", " until Mon 09:00"),
        ("Maya snoozed it until they answer", None, ""),
        ("Maya: task for Ole: send the form", "2026-11-28 09:00", ", due Sat 09:00"),
        ("Maya: task for Ole: send the form", "2026-11-29 09:00", ", due 29 Nov 09:00"),
        ("Maya: task", "2027-01-04 09:00", ", due 4 Jan 2027 09:00"),
        ("Maya: task", "2026-11-20 09:00", ", due 20 Nov 09:00"),
        ("Maya took it", None, ""),
    ],
)
def test_the_moment_is_told_from_the_day_of_the_event_in_the_readers_zone(
    text: str, until: str | None, words: str
) -> None:
    assert moment_words(event(text, until), OSLO) == words


def test_a_long_reason_is_whole_and_stands_under_its_beginning() -> None:
    assert shown(event("back to the queue cards: Ole Nilsen has been away without a word for 300 s"), 52) == [
        "   14:02  back to the queue cards: Ole Nilsen has",
        "          been away without a word for 300 s",
    ]


def test_three_lines_are_the_most_and_the_cut_is_said() -> None:
    rows = shown(event("word " * 60), 40)
    assert len(rows) == 3 and rows[-1].endswith("…") and all(len(row) < 40 for row in rows)


def test_what_another_channel_did_is_one_line() -> None:
    assert shown(event("visited /cards/abroad, /cards/tariffs, /cards/gold", channel="web"), 40) == [
        "   14:02  web  visited /cards/abroad,…"
    ]


def test_the_key_stands_at_the_end_of_the_first_line() -> None:
    rows = shown(event("Maya Lindqvist: #K7Q2M was merged in"), 52, Run("U", "acc", "b"), Run(" un-merge", "mut"))
    assert rows == ["   14:02  Maya Lindqvist: #K7Q2M was     U un-merge", "          merged in"]


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("Maya undid the merge", True),
        ("Maya split: later messages go on in #R3X8", True),
        ("Maya: #R3X8 was merged in", False),
        ("split from #K7Q2M", False),
    ],
)
def test_after_which_events_older_items_are_elsewhere(text: str, is_it: bool) -> None:
    assert is_rearranged(event(text)) == is_it
