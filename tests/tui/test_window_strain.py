"""Forms under strain: hundreds of colleagues and outcomes, a link that goes while they are open, other terminal sizes, foul words."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from agent_tui.model.cells import width
from agent_tui.screens.dialog import Dialog
from agent_tui.screens.handover import Handing
from agent_tui.screens.transfer import Transferring
from broker_bridge.contract import commands as c
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.policy import Disposition, Skill
from broker_bridge.contract.views import Colleague, DirectoryView, HandoverView, QueueView
from broker_bridge.contract.words import Packet
from tests.tui import scenes, scenes_offers, scenes_outcome, scenes_transfer
from tests.tui.test_window import Desk, desk
from tests.tui.test_wrapup import has_form, wrapping
from tests.until import until

SIZES = [(80, 24), (120, 40), (180, 50)]
STATES = ("ready", "wrap_up", "away", "off", "silent", "busy")


def agent(n: int) -> Colleague:
    """One of five hundred; three are called Nilsen."""
    name = f"Agent {n:03d}" if n % 200 else f"Solveig Nilsen{'abc'[n // 200]}"
    skills = (Skill(name="fees", level=1 + n % 5), Skill(name=("swedish", "hungarian", "japanese")[n % 3]))
    return Colleague(
        agent=f"a{n}", name=name, state=STATES[n % 6], loads=(("wa", n % 5, 4),), skills=skills, queues=(f"q{n % 60}",)
    )


CROWD = DirectoryView(
    agents=tuple(agent(n) for n in range(500)),
    queues=tuple(QueueView(queue=f"q{n}", name=f"desk › number {n}", waiting=n) for n in range(60)),
)


def found(it: Desk, id: str) -> str:
    return it.app.screen.query_one(f"#{id}", Input).value


def inside(it: Desk) -> str:
    """The rows of the dialog."""
    box = it.app.screen.query_one("#box").region
    return "\n".join(it.text().splitlines()[box.y : box.bottom])


def last_keys(it: Desk) -> str:
    """The row of keys of the dialog."""
    box = it.app.screen.query_one("#dialog-keys").region
    return it.text().splitlines()[box.y]


@pytest.mark.parametrize("size", SIZES)
async def test_of_five_hundred_colleagues_the_one_is_found_by_typing(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size=size) as it:
        it.fake.directory = CROWD
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "481 found" in it.text() and "↓ " in inside(it) and "ask Agent" in it.text())
        await it.press(*"nilsenb")
        await until(lambda: "1 found" in it.text() and "ask Solveig" in it.text())
        await it.press(*["backspace"] * 7, *"desk", "space", *"number", "space", *"59", "enter")
        act = await it.posted(c.Transfer)
        assert isinstance(act, c.Transfer) and act.to_agent is None and act.to_queue == "q59"


async def test_the_last_of_five_hundred_is_reached_and_what_is_below_is_counted(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.directory = CROWD
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "↓ " in inside(it))
        first = it.text()
        for _ in range(60):
            await it.press("pagedown")
        await until(lambda: "↓ " not in inside(it) and it.text() != first)
        assert "least:" in it.text(), "the skills stand at the end"


async def test_the_boards_of_a_supervisor_count_what_does_not_fit(tmp_path: Path) -> None:
    async with desk(tmp_path, me=scenes.SUPERVISOR) as it:
        it.fake.directory = CROWD
        await it.press("M")
        await until(
            lambda: "334 of 500 working" in it.text() and "↓ 488 more" in it.text() and "↓ 54 more" in it.text()
        )


@pytest.mark.parametrize(("is_ascii", "shown", "other"), [(True, "|", "│"), (False, "│", "|")])
async def test_the_rule_between_the_sides_is_of_this_terminals_signs(
    tmp_path: Path, is_ascii: bool, shown: str, other: str
) -> None:
    async with desk(tmp_path, ascii=is_ascii) as it:
        it.fake.directory = CROWD
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "found" in it.text())
        assert f"{shown}  Goes along" in inside(it) and f"{other}  Goes along" not in inside(it)


async def test_a_level_is_asked_of_whoever_is_found(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.directory = CROWD
        await it.open("c-anna")
        await it.press("t", *"fees", "space", "5")
        await until(lambda: "101 found" in it.text() and "fees 5" in it.text())
        assert "fees 4" not in it.text()


MANY = tuple(
    Disposition(name=f"Outcome {n}", fields=("amount", "order", "reference") if n % 3 == 0 else ()) for n in range(60)
)


@pytest.mark.parametrize("size", [*SIZES, (60, 20)])
async def test_sixty_outcomes_are_counted_reached_and_ended(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size=size) as it:
        page = scenes_outcome.ANNA_WRAP_PAGE
        it.fake.pages["c-anna"] = replace(page, row=scenes_outcome.WRAPPED, outcomes=MANY)
        it.screen.wrapping.open(scenes_outcome.WRAPPED)
        await until(lambda: has_form(it) and "↓ " in inside(it) and "Outcome 0" in it.text())
        await it.press("G")
        await until(lambda: "Outcome 59" in it.text() and "↓ " not in inside(it))
        await it.press("k", "k", "enter")
        await until(lambda: "Amount is missing: Outcome 57 needs it." in it.text())
        await it.press("3", "tab", "4", "tab", "5", "enter")
        act = await it.posted(c.WrapUp)
        assert act.disposition == "Outcome 57"
        assert act.fields == (("amount", "3"), ("order", "4"), ("reference", "5"))


async def test_enter_on_an_outcome_says_what_it_still_needs(tmp_path: Path) -> None:
    async with wrapping(tmp_path) as it:
        await it.press("down", "enter")
        await until(lambda: "Amount is missing: Fee waived needs it." in it.text())


# A link that goes while a form is open.


def lose(it: Desk) -> None:
    it.fake.set_status("down", since_ms=scenes.NOW_MS - 8_000, as_of_ms=scenes.NOW_MS - 8_000)


@pytest.mark.parametrize("size", SIZES)
async def test_a_transfer_outlives_the_link_and_a_refusal(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size=size) as it:
        it.fake.directory = scenes_transfer.DIRECTORY
        it.fake.handovers["c-anna"] = scenes_transfer.HANDOVER
        await it.open("c-anna")
        await it.press("t", *"pri")
        await until(lambda: "ask Priya" in last_keys(it))
        await it.press("tab", *"please", "tab", "X")
        lose(it)
        await until(lambda: "no link: it waits" in last_keys(it))
        await it.press("Y", "shift+tab", "shift+tab")
        assert "● Priya" not in it.text() and "◌ Priya" in it.text(), "what they are by now is not known"
        await it.press("enter")
        act = await it.posted(c.Transfer)
        assert (act.to_agent, act.note) == ("priya", "please") and act.packet.problem.endswith("XY")
        await until(lambda: "Transfer: waits for the link." in it.text())
        assert [one.id for one in it.app.place.outbox.waiting] == [act.id]
        it.fake.set_status("up")
        it.fake.settle(act, Refusal(code="owner", sentence="It is not yours any more."))
        await until(lambda: "It is not yours any more." in it.text())
        await it.press("t")
        await until(lambda: isinstance(it.app.screen, Transferring) and bool(it.app.screen.query("#words")))
        handing = it.app.screen.query_one(Handing)
        await until(lambda: handing.note == "please" and handing.field("problem").text.endswith("XY"))
        assert "no link" not in last_keys(it)


async def test_a_packet_that_could_not_be_asked_for_comes_with_the_link(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.directory = scenes_transfer.DIRECTORY
        it.fake.handovers["c-anna"] = scenes_transfer.HANDOVER
        await it.open("c-anna")
        lose(it)
        await it.press("t", "tab", "tab", *"mine")
        await until(lambda: "not known without a link" in it.text())
        it.fake.set_status("up")
        await until(lambda: "answer today before 16:00" in it.text() and "agents" in it.text())
        assert it.app.screen.query_one(Handing).field("problem").text == "mine"


@pytest.mark.parametrize("size", SIZES)
async def test_a_wrap_up_outlives_the_link(tmp_path: Path, size: tuple[int, int]) -> None:
    async with wrapping(tmp_path, size=size) as it:
        await it.press("2", *"35", "tab", *"gold")
        lose(it)
        await until(lambda: "no link: it waits" in last_keys(it) and "done+next" in last_keys(it))
        await it.press("space", "tab", "tab", *"again")
        assert (found(it, "value-0"), found(it, "note")) == ("35", "again")
        await it.press("enter")
        act = await it.posted(c.WrapUp)
        assert (act.fields, act.tags, act.note) == ((("amount", "35"),), ("gold",), "again")
        await until(lambda: "Wrap up: waits for the link." in it.text())
        assert it.app.place.outbox.waiting[-1].id == act.id


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (("z", "tab", *"mon9:30"), "mon9:30"),
        (("f", *"look"), "look"),
        (("b", "tab", *"30m"), "30m"),
        (("D", *"busy"), "busy"),
    ],
)
async def test_every_form_says_that_it_waits_and_keeps_what_is_typed(
    tmp_path: Path, keys: tuple[str, ...], typed: str
) -> None:
    verbs = (*scenes.ANNA.verbs, "snooze", "add_task")
    async with desk(tmp_path, size=(80, 24), rows=(replace(scenes.ANNA, verbs=verbs), scenes.KOVACS)) as it:
        await it.open("c-anna")
        await it.press(keys[0])
        await until(lambda: isinstance(it.app.screen, Dialog) and bool(it.app.screen.query("#dialog-keys")))
        await it.pilot.pause()
        await it.press(*keys[1:])
        await until(lambda: typed in it.text())
        lose(it)
        await until(lambda: "no link: it waits" in last_keys(it) and typed in it.text())
        it.fake.set_status("up")
        await until(lambda: "no link" not in last_keys(it) and typed in it.text())


# Other sizes.

OPENED = {
    "transfer": (("t", *"fee"), "fee", "ask Priya"),
    "note": (("t", *"pri", "tab", *"hello"), "hello", "ask Priya"),
    "snooze": (("z", "tab", *"mon9:30"), "mon9:30", "esc back"),
    "task": (("f", *"look"), "look", "esc"),
    "presence": (("b", "tab", *"30m"), "30m", "esc"),
    "search": (("slash", *"ann"), "ann", "esc"),
    "palette": (("colon", *"tr"), "tr", "esc"),
    "help": (("question_mark",), "accept", "esc"),
    "why": (("w",), "you talked with her", "esc back"),
    "call-back": (("C", *"call"), "call", "esc"),
}


@pytest.mark.parametrize("theme", ["night", "contrast"])
@pytest.mark.parametrize("name", OPENED)
async def test_a_dialog_outlives_other_sizes(tmp_path: Path, name: str, theme: str) -> None:
    keys, typed, last = OPENED[name]
    verbs = (*scenes.ANNA.verbs, "snooze", "add_task")
    rows = (replace(scenes.ANNA, verbs=verbs), *scenes.MINE[1:])
    async with desk(tmp_path, size=(180, 50), rows=rows, theme=theme) as it:
        it.fake.directory, it.fake.why = scenes_transfer.DIRECTORY, scenes_outcome.WHY
        it.fake.handovers["c-anna"] = scenes_transfer.HANDOVER
        it.screen.ringing.put_away.add("c-piet")
        it.screen.sight.offer()
        await it.open("c-anna")
        await it.press(keys[0])
        await until(lambda: isinstance(it.app.screen, Dialog) and bool(it.app.screen.query("#dialog-keys")))
        await it.pilot.pause()
        await it.press(*keys[1:])
        await until(lambda: typed in it.text() and last in last_keys(it))
        if name == "search":
            await until(lambda: "4 of 4" in inside(it))
        before = it.text()
        for size in ((80, 24), (120, 40), (60, 20), (180, 50)):
            await it.pilot.resize_terminal(*size)
            await until(lambda: typed in it.text() and "esc" in last_keys(it))
            whole = it.text().splitlines()
            assert len(whole) == size[1] and all(width(row) == size[0] for row in whole)
        await until(lambda: it.text() == before, saying=lambda: f"{before}\n---\n{it.text()}")


async def test_a_wrap_up_outlives_other_sizes(tmp_path: Path) -> None:
    async with wrapping(tmp_path, size=(180, 50)) as it:
        await it.press("2", *"35", "tab", *"gold")
        before = it.text()
        for size in ((80, 24), (60, 20), (180, 50)):
            await it.pilot.resize_terminal(*size)
            await until(lambda: "gold" in it.text() and "35" in it.text() and "done+next" in last_keys(it))
        await until(lambda: it.text() == before)


@pytest.mark.parametrize("conv", ["c-kovacs", "c-rosa"])
async def test_a_card_outlives_other_sizes(tmp_path: Path, conv: str) -> None:
    async with desk(tmp_path, size=(180, 50)) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        it.fake.feed(scenes_offers.ASKED if conv == "c-kovacs" else scenes_offers.GIVEN)
        await until(lambda: "no answer: stays with" in it.text())
        before = it.text()
        await it.pilot.resize_terminal(80, 24)
        await until(lambda: "no answer" not in it.text() and "a accept d decline" in it.text())
        await it.pilot.resize_terminal(60, 20)
        await until(lambda: "a accept" in it.text())
        await it.pilot.resize_terminal(180, 50)
        await until(lambda: it.text() == before)


# Foul words.

FAMILY = "👩‍👩‍👧‍👦 🏳️‍🌈 "
FOUL = (
    "\u202eevil\u2066 \U0001f3f4\U000e0067\U000e0062\U000e007f \x1b[2J\x9b31m [/] נקמה العربية "
    "a" + "\u0301" * 40 + "\r\n\t" + "名" * 40 + "x" * 4_000
)


def harmful(shown: str) -> set[str]:
    bad = ("Cc", "Cf", "Cs", "Co")
    return {f"U+{ord(char):04X}" for char in shown if unicodedata.category(char) in bad and char not in "\n\u200d"}


@pytest.mark.parametrize("size", SIZES)
async def test_foul_names_and_packets_change_no_line_of_a_dialog(tmp_path: Path, size: tuple[int, int]) -> None:
    people = tuple(
        replace(one, name=FOUL, reason=FOUL, schedule=FOUL, skills=(Skill(name=FOUL),))
        for one in scenes_transfer.AGENTS
    )
    queues = tuple(replace(one, name=FOUL, hours=FOUL) for one in scenes_transfer.DIRECTORY.queues)
    packet = Packet(problem=FOUL, tried=FOUL, promised=FOUL, proved=FOUL, open=FOUL)
    row = replace(scenes.ANNA, name=FOUL, number=FOUL, verbs=(*scenes.ANNA.verbs, "snooze", "add_task"))
    ringing = replace(scenes_offers.GIVEN, name=FOUL, owner_name=FOUL, text=FOUL, queue=FOUL, tier=FOUL)
    async with desk(tmp_path, size=size, rows=(row, ringing)) as it:
        it.fake.directory = DirectoryView(agents=people, queues=queues)
        it.fake.handovers["c-anna"] = HandoverView(packet=packet, case=FOUL, draft=5, seen=1)
        it.fake.pages["c-rosa"] = replace(scenes_offers.ASKED_PAGE, row=ringing)
        await it.open("c-anna")
        for key in ("t", "tab", "escape", "z", "escape", "f", "escape", "w", "escape", "D", "escape", "b", "escape"):
            await it.press(key)
            await it.pilot.pause()
            rows = it.text().splitlines()
            assert len(rows) == size[1] and {width(one) for one in rows} == {size[0]}, key
            assert harmful(it.text()) == set(), key


@pytest.mark.parametrize("size", SIZES)
async def test_foul_words_in_a_packet_go_along_clean_and_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size=size) as it:
        it.fake.directory = scenes_transfer.DIRECTORY
        it.fake.handovers["c-anna"] = HandoverView(packet=Packet(problem=FOUL), seen=1)
        await it.open("c-anna")
        await it.press("t", *"pri", "tab")
        await until(lambda: "ask Priya" in last_keys(it) and it.app.screen.query_one(Handing).seen == 1)
        await it.press("enter")
        act = await it.posted(c.Transfer)
        assert "x" * 1_000 in act.packet.problem and harmful(act.packet.problem) == set()


@pytest.mark.parametrize("size", SIZES)
async def test_joined_emoji_take_the_cells_that_they_are_given(tmp_path: Path, size: tuple[int, int]) -> None:
    people = tuple(replace(one, name=FAMILY * 9, reason=FAMILY * 9) for one in scenes_transfer.AGENTS)
    async with desk(tmp_path, size=size) as it:
        it.fake.directory = DirectoryView(agents=people)
        it.fake.handovers["c-anna"] = HandoverView(packet=Packet(problem=FAMILY * 40), seen=1)
        await it.open("c-anna")
        await it.press("t")
        await until(lambda: "found" in it.text() and FAMILY.split(" ")[0] in it.text())
        await it.press("tab")
        await it.pilot.pause()
        assert {width(row) for row in it.text().splitlines()} == {size[0]}
