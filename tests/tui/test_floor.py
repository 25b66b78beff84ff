"""A supervisor's boards as tables: who needs help, how full people are, whether queues are open, what is alarming."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent_tui.model import alerts, floor, floor_figures, queue_lines
from agent_tui.model.glyphs import ASCII, UNICODE, Glyphs
from agent_tui.model.rows import Moment
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import Alert, Colleague, DirectoryView, QueueView
from tests.tui import scenes, scenes_floor

NOW = scenes.NOW_MS
SECOND, MINUTE, HOUR = scenes.SECOND, scenes.MINUTE, scenes.HOUR
AT = Moment(now_ms=NOW)
HOSTILE = "Ann\x1b[2J[/]\u202ea 王\u0301" + "x" * 90
LOADS = (("chat", 2, 4), ("mail", 3, 6), ("call", 0, 1))


def who(**more: Any) -> Colleague:
    known = {"agent": "bo", "name": "Bo Lind", "state": "ready", "since_ms": NOW - MINUTE, "capacity": 100, **more}
    return Colleague(**known)


def row(one: Colleague, cells: int = 70) -> str:
    return floor.floor_row(one, floor.columns((one,), cells), AT).text


@pytest.mark.parametrize(
    ("one", "weight"),
    [
        (who(), 0),
        (who(due_ms=NOW - 1), 2),
        (who(due_ms=NOW + 59 * SECOND), 1),
        (who(due_ms=NOW + 2 * MINUTE), 0),
        (who(state="silent"), 1),
        (who(state="wrap_up", until_ms=NOW + 1), 0),
        (who(state="wrap_up", until_ms=NOW - 1), 1),
        (who(state="wrap_up", since_ms=NOW - MINUTE), 0),
        (who(state="wrap_up", since_ms=NOW - 3 * MINUTE), 1),
        (who(state="away", since_ms=NOW - HOUR), 1),
        (who(state="away", since_ms=NOW - HOUR, until_ms=NOW + 1), 0),
        (who(state="away", since_ms=NOW, until_ms=NOW - 1), 1),
        (who(state="off", since_ms=NOW - 9 * HOUR), 0),
    ],
)
def test_who_needs_help(one: Colleague, weight: int) -> None:
    assert floor.need(one, NOW) == weight


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (who(state="away", reason="lunch", until_ms=scenes.at("14:30")), "✗ lunch       1:00  ▯▯▯▯▯ back 14:30"),
        (who(state="busy"), "○ busy"),
        (who(state="transfer_only"), "○ transfers"),
        (who(state="silent"), "◌ silent"),
        (who(state="wrap_up", works_on="closed Hanna", until_ms=NOW + 38 * SECOND), "closed Hanna"),
        (who(state="wrap_up", until_ms=NOW + 38 * SECOND), " 0:38 "),
        (who(next_state="away"), "● then away"),
        (who(load=60), "▮▮▮▯▯"),
        (who(load=100), "▮▮▮▮▮ full"),
        (who(load=100, works_on="Anna Berg"), "▮▮▮▮▮ Anna Berg"),
        (who(load=2, capacity=4), "▮▮▯▯"),
        (who(loads=LOADS), "▮▮▯▯ ▯"),
        (who(loads=(("chat", 7, 12),)), "7/12"),
        (who(state="off", until_ms=scenes.at("16:00")), "starts 16:00"),
    ],
)
def test_a_colleagues_row(one: Colleague, words: str) -> None:
    assert words in row(one)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (who(loads=LOADS, works_on="Pauline Roux", works_on_word="chat"), " Pauline Roux  chat "),
        (who(loads=LOADS, works_on="Anna Berg", works_on_word="wa", due_ms=NOW - 42 * SECOND), " Anna Berg  wa  -0:42 "),
        (who(loads=LOADS, works_on="Kim Larsson", works_on_word="chat", due_ms=NOW + 31 * SECOND), " Kim Larsson     0:31 "),
        (who(loads=LOADS, works_on="Pauline de Roux-Lafayette", works_on_word="chat"), " Pauline de Roux-Laf… "),
        (who(loads=LOADS, since_ms=NOW - 10 * HOUR, next_state="away"), "● then a… 10:00:00 "),
    ],
)  # fmt: skip
def test_a_name_is_whole_where_there_are_cells_for_it_and_goes_before_the_channel_word(
    one: Colleague, words: str
) -> None:
    assert words in row(one)


def test_with_room_the_state_says_both_and_every_channel_has_its_column() -> None:
    found = row(who(next_state="away", loads=LOADS, load=60), 106)
    assert "ready then away" in found and "▮▮▯▯ ▮▮▮▯▯▯ ▯    ▮▮▮▯▯" in found
    head = floor.floor_head(floor.columns((who(loads=LOADS),), 106)).text
    assert head.split() == ["agent", "state", "since", "chat", "mail", "call", "load", "works", "on"]
    assert "mail" not in floor.floor_head(floor.columns((who(loads=LOADS),), 70)).text


@pytest.mark.parametrize("cells", [70, 80, 94, 106, 120])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_row_of_the_floor_is_as_wide_as_the_board(cells: int, glyphs: Glyphs) -> None:
    odd = who(
        name=HOSTILE,
        reason=HOSTILE,
        since_ms=NOW - 1000 * HOUR,
        works_on=HOSTILE,
        works_on_word="chat",
        due_ms=NOW - 1,
        next_state=HOSTILE,
    )
    people = (*scenes_floor.AGENTS, odd, who(state=HOSTILE, loads=(("fb", 9, 99),)))
    columns = floor.columns(people, cells)
    at = Moment(now_ms=NOW, glyphs=glyphs)
    for one in people:
        found = floor.floor_row(one, columns, at)
        assert found.cells == cells and found.text.isprintable()
    assert floor.floor_head(columns).cells == cells


def queue(**more: Any) -> QueueView:
    return QueueView(**{"queue": "fees", "name": "cards › fees", "service_level": 0.9, **more})


@pytest.mark.parametrize(
    ("one", "weight", "words"),
    [
        (queue(waiting=3), 0, "90 %"),
        (queue(service_level=0.5), 2, "!!"),
        (queue(oldest_ms=NOW - 3 * MINUTE), 1, "3:00"),
        (queue(is_open=False, hours="opens 08:00", service_level=0.1, oldest_ms=NOW - HOUR), 0, "closed, opens 08:00"),
        (queue(is_open=False), 0, "closed"),
        (queue(service_level=None), 0, "?"),
    ],
)
def test_a_queues_row(one: QueueView, weight: int, words: str) -> None:
    assert queue_lines.weight_of(one, NOW) == weight
    assert words in queue_lines.queue_row(one, 70, AT).text


def test_what_a_queue_needs_stands_where_there_is_room() -> None:
    one = queue(
        needs=(Skill(name="swedish", level=3), Skill(name="fees")), hours="open until 18:00", arrivals=(1,) * 12
    )
    assert "swedish 3 + fees, until" in queue_lines.queue_row(one, 110, AT).text
    assert "swedish" not in queue_lines.queue_row(one, 70, AT).text
    shut = msgspec.structs.replace(one, is_open=False, hours="opens Mon 08:00")
    wide = queue_lines.queue_row(shut, 106, AT).text
    assert "closed, opens Mon 08:00" in wide
    assert wide.index("swedish 3 + fees") == queue_lines.queue_row(one, 106, AT).text.index("swedish 3 + fees")
    assert wide.index("swedish 3 + fees") == queue_lines.queue_head(106).text.index("needs, hours")
    assert "closed, opens Mon 08:00" in queue_lines.queue_row(shut, 70, AT).text


@pytest.mark.parametrize("cells", [70, 80, 94, 100, 106, 120, 141])
def test_no_row_of_a_queue_is_wider_than_the_board(cells: int) -> None:
    odd = queue(name=HOSTILE, hours=HOSTILE, needs=(Skill(name=HOSTILE, level=5),), arrivals=(9,) * 12, waiting=9999)
    for one in (*scenes_floor.QUEUES, odd, msgspec.structs.replace(odd, is_open=False)):
        found = queue_lines.queue_row(one, cells, AT)
        assert found.cells <= cells and found.text.isprintable()


def test_a_closed_queue_is_not_the_one_that_waits_longest() -> None:
    known = DirectoryView(
        queues=(queue(name="shut", is_open=False, oldest_ms=NOW - 9 * HOUR), queue(name="open", oldest_ms=NOW - MINUTE))
    )
    assert "1:00  open" in floor_figures.figures(known, 120, AT)[1].text


def test_the_arrivals_of_all_queues_are_shown_though_one_has_none() -> None:
    known = DirectoryView(queues=(queue(arrivals=(0, 0, 5)), queue(arrivals=()), queue(arrivals=(5,))))
    assert f"0  {UNICODE.sparkline((0, 0, 10))}" in floor_figures.figures(known, 120, AT)[1].text


TOLD = (
    Alert(id="1", at_ms=NOW - MINUTE, text="for knowing"),
    Alert(id="2", at_ms=NOW - 2 * MINUTE, text="near", severity="near"),
    Alert(id="3", at_ms=NOW - 3 * MINUTE, text="late", severity="late"),
    Alert(id="4", at_ms=NOW - MINUTE, text="later", severity="late"),
)


def test_the_worst_and_newest_alert_stands_first_and_what_was_seen_last() -> None:
    known = DirectoryView(notices=TOLD)
    assert [one.text for one in alerts.alerts(known, AT)] == ["later", "late", "near", "for knowing"]
    found = alerts.alerts(known, AT, {("told", "4")})
    assert [one.text for one in found] == ["late", "near", "for knowing", "later"]
    assert (found[-1].weight, found[-1].shown_weight) == (2, 0)
    assert "!!" not in alerts.alert_row(found[-1], 70, AT).text


def test_what_the_bridge_tells_is_not_told_again_by_the_boards() -> None:
    late = who(agent="ole", name="Ole", works_on="Anna", works_on_conv="c-anna", due_ms=NOW - SECOND)
    known = DirectoryView(agents=(who(state="silent"), late), queues=(queue(name="fees", service_level=0.1),))
    assert [one.text.split(" ")[0] for one in alerts.alerts(known, AT)] == ["fees:", "Anna", "Bo"]
    told = (
        Alert(id="1", at_ms=NOW, text="Bo is silent", agent="bo"),
        Alert(id="2", at_ms=NOW, text="Anna is late", conv="c-anna"),
        Alert(id="3", at_ms=NOW, text="fees: 10 %, under 80 %"),
    )
    assert len(alerts.alerts(msgspec.structs.replace(known, notices=told), AT)) == 3


KEYS = {"read_silently": "⏎", "give_now": "g", "alert_seen": "x"}


@pytest.mark.parametrize(
    ("alert", "help"),
    [
        (Alert(id="1", at_ms=0, text="x", conv="c"), ("⏎", "read")),
        (Alert(id="1", at_ms=0, text="x", agent="bo"), ("g", "give now")),
        (Alert(id="1", at_ms=0, text="x", agent="ole"), ("⏎", "read")),
        (Alert(id="1", at_ms=0, text="x"), ("", "")),
        (Alert(id="1", at_ms=0, text="x", agent="nobody"), ("", "")),
    ],
)
def test_an_alert_says_the_key_that_helps(alert: Alert, help: tuple[str, str]) -> None:
    people = (who(state="silent"), who(agent="ole", works_on_conv="c-x"))
    known = DirectoryView(agents=people, notices=(alert,))
    (found,) = [one for one in alerts.alerts(known, AT) if one.key == ("told", "1")]
    assert alerts.helpful(found, known, KEYS) == help


@pytest.mark.parametrize("cells", [47, 70, 80, 106])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_an_alert_is_never_wider_than_the_board(cells: int, glyphs: Glyphs) -> None:
    known = DirectoryView(notices=(Alert(id=HOSTILE, at_ms=NOW, text=HOSTILE * 5, severity="late", conv="c"),))
    (found,) = alerts.alerts(known, AT)
    shown = alerts.alert_row(found, cells, Moment(now_ms=NOW, glyphs=glyphs), ("⏎", "read"))
    assert shown.cells <= cells and shown.text.isprintable() and shown.text.rstrip().endswith("read")
