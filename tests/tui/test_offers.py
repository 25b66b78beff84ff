"""Offers: the card for each kind, several at once, declining with a word, and what is said when a colleague was faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tui.model import clock
from agent_tui.model.frame import Key
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.offer_lines import Beside, card, ended, known, strip
from agent_tui.screens.saying import Saying
from broker_bridge.contract import commands as c
from broker_bridge.contract.views import Case, Identifier, Item, Moment, Profile, Row, ThreadPage
from broker_bridge.contract.words import Packet
from tests.tui import scenes
from tests.tui.test_window import Desk, desk
from tests.until import until

NOW = scenes.NOW_MS
KEYS = (Key("a", "accept"), Key("d", "decline"), Key("w", "why"))
HOSTILE = "Ko\x1b[2J[/]\u202evács 王" + "x" * 90


def row(**more: object) -> Row:
    return msgspec.structs.replace(scenes.KOVACS, **more)


GIVEN = row(offer_kind="transfer", owner="ole", owner_name="Ole Nilsen", offer_reason="")
ASKED = row(offer_kind="consult", owner="ole", owner_name="Ole Nilsen", offer_reason="")
PROBLEM = "The app refuses her since the update; she cannot pay the rent that is due today"


def text(lines: tuple[object, ...]) -> str:
    return "\n".join(one.text for one in lines)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("shown", "beside", "words"),
    [
        (scenes.KOVACS, Beside(), ("Offer  chat    answer in 0:14", "why you hungarian", "back to the queue")),
        (scenes.KOVACS, Beside(of=3), ("Offer 1 of 3  chat       0:14",)),
        (scenes.KOVACS, Beside(page="/app/login"), ("on page /app/login",)),
        (GIVEN, Beside(), ("Transfer  chat", "from    Ole Nilsen gives you", "stays with Ole")),
        (ASKED, Beside(problem=PROBLEM), ("Consult  chat", "Ole Nilsen asks you", "problem The app refuses")),
        (ASKED, Beside(of=2), ("Consult 1 of 2  chat",)),
    ],
)
def test_the_card_says_who_asks_and_what_happens_without_an_answer(
    shown: Row, beside: Beside, words: tuple[str, ...]
) -> None:
    found = text(card(shown, KEYS, NOW, 31, UNICODE, beside))
    for word in words:
        assert word in found


def test_an_offer_of_the_router_has_no_colleagues_problem_line_and_a_long_one_is_cut_after_three_rows() -> None:
    assert "problem" not in text(card(scenes.KOVACS, KEYS, NOW, 31, UNICODE))
    found = card(GIVEN, KEYS, NOW, 31, UNICODE, Beside(problem=PROBLEM * 3))
    assert len(found) == len(card(GIVEN, KEYS, NOW, 31, UNICODE)) + 3 and "…" in text(found)


def test_what_the_colleague_says_and_why_it_is_you_are_told_whole_as_far_as_two_rows_go() -> None:
    words = text(
        card(ASKED, KEYS, NOW, 31, UNICODE, Beside(problem="cannot log in", words="she asks in Hungarian only"))
    )
    assert "says    she asks in Hungarian" in words and "problem cannot log in" in words
    reason = text(card(row(offer_reason="least to do: 20 of 100"), KEYS, NOW, 31, UNICODE))
    assert "why you least to do: 20/100" in reason
    reason = text(card(row(offer_reason="responsible for the customer"), KEYS, NOW, 31, UNICODE))
    assert "why you responsible for the" in reason and "\n         customer" in reason
    assert "asks you: she asks in" in text(strip(ASKED, KEYS, NOW, 60, UNICODE, Beside(words="she asks in Hungarian")))


@pytest.mark.parametrize("cells", [40, 49, 90])
@pytest.mark.parametrize("of", [1, 12])
def test_in_the_strip_the_name_gives_way_and_never_the_channel_or_the_clock(cells: int, of: int) -> None:
    long = row(
        name="Léa Fontaine-Dubois de Montfort et de la Tour d'Auvergne-Lauraguais, née Poniatowska", channel="mail"
    )
    first = strip(long, KEYS, NOW, cells, UNICODE, Beside(of=of))[1]
    assert "…  mail " in first.text and first.text.endswith(" 0:14 ") and first.cells == cells


def test_the_strip_says_why_it_is_you_beside_the_customers_words() -> None:
    long = row(text="Bonjour, " * 9, offer_reason="least to do: 40 of 100, since 9:00")
    assert strip(long, KEYS, NOW, 49, UNICODE)[2].text == " “Bonjour, Bonjour, Bonjou…  least to do: 40/100 "
    narrow = strip(long, KEYS, NOW, 34, UNICODE)[2].text
    assert "least" not in narrow and narrow.startswith(" “Bonjour, Bonjour, Bonjour")


def case(conv: str, at_ms: int, **more: str) -> Case:
    return Case(
        conv=conv, number="K7Q2", text=more.get("text", "the card is gone"), state="closed", at_ms=at_ms, word="mail"
    )


WAYS = (Identifier(word="mail", address="k@example.hu"), Identifier(word="chat", address="visitor 75be"))


@pytest.mark.parametrize(
    ("profile", "who", "before"),
    [
        ({}, "new here", ""),
        ({"identifiers": WAYS}, "new here, visitor 75be", ""),
        ({"open": (case("c-kovacs", NOW),)}, "new here", ""),
        ({"was": (case("c-1", NOW - clock.DAY_MS),)}, "1 case before", "mail 20 Nov the card is gone"),
        (
            {"was": (case("c-1", NOW), case("c-2", NOW - 9 * clock.DAY_MS)), "open": (case("c-3", NOW - 1),), "identifiers": WAYS},
            "3 cases before, visitor 75be",
            "mail 21 Nov the card is gone",
        ),
        ({"was": (case("c-1", NOW, text="a\x1b[2J\n\u202eb"),), "identifiers": (Identifier(word="chat", address="x\x1b[31m"),)},
         None, None),
    ],
)  # fmt: skip
def test_the_card_says_whether_they_were_here_before(
    profile: dict[str, Any], who: str | None, before: str | None
) -> None:
    found = known(Profile(customer="k", rev=1, name="K", **profile), scenes.KOVACS, NOW)
    assert who is None or found == (who, before)
    shown = card(scenes.KOVACS, KEYS, NOW, 31, UNICODE, Beside(who=found[0], before=found[1]))
    assert found[0][:20] in text(shown) and all(one.cells <= 31 and one.text.isprintable() for one in shown)


def test_an_address_that_does_not_fit_is_cut_in_its_middle() -> None:
    shown = text(card(scenes.KOVACS, KEYS, NOW, 31, UNICODE, Beside(who="new here, soren.kjaer@brev.example")))
    assert "new here, soren.kja…v.example" in shown


async def test_who_it_is_is_asked_for_once_an_offer(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        pages = (
            Moment(at_ms=NOW, word="web", text="/app/login", node="event", conv="c-kovacs"),
            Moment(at_ms=NOW - 1, word="web", text="/app", node="event", conv="c-kovacs"),
        )
        other = Moment(at_ms=NOW, word="web", text="/elsewhere", node="event", conv="c-other")
        moments = (Moment(at_ms=NOW, word="chat", text="this case", node="this", conv="c-kovacs"), other, *pages)
        it.fake.profiles["c-kovacs"] = Profile(customer="k", rev=1, name="K", identifiers=WAYS, moments=moments)
        it.fake.feed(scenes.KOVACS)
        await until(lambda: "new here, visitor 75be" in it.text())
        assert "on page /app/login" in it.text()
        it.app.tick()
        await it.pilot.pause()
        assert sum(isinstance(one, c.ProfileOf) and one.conversation == "c-kovacs" for one in it.fake.asked) == 1


def test_the_edge_drains_over_the_time_that_the_offer_had() -> None:
    short = card(scenes.KOVACS, KEYS, NOW, 40, UNICODE, Beside(whole_ms=28_000))[0]
    assert len(short.runs[0].text) == 20
    assert len(card(scenes.KOVACS, KEYS, NOW, 40, UNICODE)[0].runs[0].text) == 28


def test_the_strip_says_a_colleagues_words_before_the_customers() -> None:
    found = text(strip(ASKED, KEYS, NOW, 49, UNICODE, Beside(of=2, problem="cannot log in")))
    assert "Consult 1 of 2  Kovács Eszter" in found and "Ole Nilsen asks you: cannot log in" in found
    assert "Nem tudok" not in found
    assert "“Nem tudok" in text(strip(scenes.KOVACS, KEYS, NOW, 49, UNICODE))


@pytest.mark.parametrize("cells", [28, 31, 33, 39, 48, 49, 66])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_row_is_as_wide_as_asked_whatever_people_are_called(cells: int, glyphs: object) -> None:
    hostile = row(
        name=HOSTILE, owner_name=HOSTILE, text=HOSTILE, queue=HOSTILE, offer_reason=HOSTILE, offer_kind="transfer",
        tier=HOSTILE,
    )  # fmt: skip
    beside = Beside(of=12, problem=HOSTILE * 3, page=HOSTILE)
    for make in (card, strip):
        for line in make(hostile, KEYS, NOW, cells, glyphs, beside):  # type: ignore[arg-type]
            assert line.cells in (0, cells) and (not line.text or line.text.isprintable())


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (scenes.KOVACS, row(state="other", owner="priya", owner_name="Priya Rao"), "Kovács Eszter: Priya took it."),
        (GIVEN, row(state="other", owner="ole", owner_name="Ole Nilsen"), "Kovács Eszter: Ole took it back."),
        (GIVEN, row(state="other", owner="priya", owner_name="Priya Rao"), "Kovács Eszter: Priya took it."),
        (scenes.KOVACS, row(state="closed"), "Kovács Eszter: it was closed meanwhile."),
        (scenes.KOVACS, None, "Kovács Eszter: it is no longer offered to you."),
        (scenes.KOVACS, row(state="mine", owner="maya"), ""),
        (scenes.KOVACS, row(state="ringing", offer_until_ms=NOW + 90_000), ""),
        (scenes.KOVACS, row(state="queued"), ""),
        (scenes.KOVACS, row(state="other", owner="x", owner_name=""), ""),
    ],
)
def test_why_an_offer_is_gone_before_its_time(before: Row, now: Row | None, words: str) -> None:
    assert ended(before, now) == words


def newer(shown: Row, **more: object) -> Row:
    return msgspec.structs.replace(shown, rev=shown.rev + 1, **more)


async def test_a_colleague_was_faster_is_said_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.feed(scenes.KOVACS)
        said: list[str] = []
        it.screen.say = said.append  # type: ignore[method-assign, assignment]
        it.fake.feed(newer(scenes.KOVACS, state="other", owner="priya", owner_name="Priya Rao"))
        await until(lambda: said)
        it.fake.feed(newer(newer(scenes.KOVACS, state="other", owner="priya", owner_name="Priya Rao"), unread=2))
        await it.pilot.pause()
        assert said == ["Kovács Eszter: Priya took it."]


async def test_what_one_took_oneself_on_another_terminal_is_no_news(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.feed(scenes.KOVACS)
        it.fake.feed(newer(scenes.KOVACS, state="mine", owner="maya", owner_name="Maya Lindqvist"))
        await it.pilot.pause()
        assert "took it" not in it.text()


async def test_of_several_offers_the_next_comes_up_when_one_is_answered(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.feed(scenes.KOVACS, row(conv="c-last", name="Last One", offer_until_ms=NOW + 30_000))
        await until(lambda: "Offer 1 of 3" in it.text())
        first = it.screen.offer
        assert first is not None
        await it.press("d")
        act = await it.posted(c.Decline)
        assert (act.conversation, act.reason) == (first.conv, "")
        await until(lambda: "Offer 1 of 2" in it.text())
        assert it.screen.offer is not None and it.screen.offer.conv != first.conv
        it.fake.settle(act, c.Refusal(code="busy", sentence="Try again."))
        await until(lambda: "Offer 1 of 3" in it.text())


async def test_a_card_stays_when_another_begins_to_ring_until_that_one_is_about_to_end(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.screen.ringing.put_away.add("c-piet")
        it.fake.feed(row(offer_kind="consult", owner="ole", owner_name="Ole Nilsen", offer_until_ms=NOW + 120_000))
        await until(lambda: "Consult" in it.text())
        it.fake.feed(row(conv="c-last", name="Last One", offer_until_ms=NOW + 20_000))
        await until(lambda: "Consult 1 of 2" in it.text())
        it.app.place.now_ms = lambda: NOW + 12_500
        it.app.tick()
        await until(lambda: "Offer 1 of 2" in it.text() and "Last One" in it.text())


@pytest.mark.parametrize(("after_ms", "conv"), [(200, "c-kovacs"), (900, "c-last")])
async def test_a_key_pressed_just_when_the_card_changed_means_the_one_before(
    tmp_path: Path, after_ms: int, conv: str
) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        it.fake.feed(row(offer_until_ms=NOW + 120_000))
        await until(lambda: it.screen.offer is not None)
        it.fake.feed(row(conv="c-last", name="Last One", offer_until_ms=NOW + 7_000))
        await until(lambda: it.screen.offer is not None and it.screen.offer.conv == "c-last")
        it.app.place.now_ms = lambda: NOW + after_ms
        await it.press("a")
        assert (await it.posted(c.Accept)).conversation == conv


ENDING = row(offer_until_ms=NOW + 5_000)
NEXT = row(conv="c-last", name="Last One", offer_until_ms=NOW + 90_000)


@pytest.mark.parametrize("others", [(), (NEXT,)])
@pytest.mark.parametrize("key", ["a", "d", "D", "f2", "f3"])
async def test_a_key_pressed_just_when_the_offer_ran_out_answers_no_other_one(
    tmp_path: Path, key: str, others: tuple[Row, ...]
) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        it.fake.feed(ENDING, *others)
        await until(lambda: it.screen.offer is not None and it.screen.offer.conv == "c-kovacs")
        if key.startswith("f"):
            await it.press("r")
            await it.write("half a sentence")
        it.app.place.now_ms = lambda: NOW + 5_100
        await it.press(key)
        await until(lambda: "Kovács Eszter: it is not offered to you any more." in it.text())
        assert not [act for act in it.fake.posted if isinstance(act, c.Accept | c.Decline)]
        assert it.app.screen is it.screen
        if not others:
            return
        it.app.place.now_ms = lambda: NOW + 6_000
        await it.press("f2" if key.startswith("f") else "a")
        assert (await it.posted(c.Accept)).conversation == "c-last"
        if key.startswith("f"):
            assert it.draft == "half a sentence"


async def test_an_offer_made_anew_rings_anew(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        it.fake.feed(scenes.KOVACS)
        await until(lambda: "answer in" in it.text())
        await it.press("d")
        await until(lambda: "answer in" not in it.text())
        it.fake.feed(newer(scenes.KOVACS, offer_until_ms=NOW + 19_000))
        await until(lambda: "answer in 0:19" in it.text())


async def decline_with_a_word(it: Desk, *keys: str) -> c.Decline:
    await it.press(*keys)
    await until(lambda: isinstance(it.app.screen, Saying))
    await it.press("b", "u", "s", "y", "enter")
    found = await it.posted(c.Decline)
    assert isinstance(found, c.Decline)
    return found


async def test_declining_with_a_word(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.feed(GIVEN)
        it.screen.ringing.put_away.add("c-piet")
        act = await decline_with_a_word(it, "D")
        assert (act.conversation, act.reason, act.epoch) == ("c-kovacs", "busy", GIVEN.epoch)


@pytest.mark.parametrize("key", ["shift+f3", "alt+d"])
async def test_declining_with_a_word_while_writing(tmp_path: Path, key: str) -> None:
    async with desk(tmp_path, size=(80, 24)) as it:
        await it.open("c-anna")
        it.fake.feed(GIVEN)
        it.screen.ringing.put_away.add("c-piet")
        await it.press("r")
        await it.write("half a sentence")
        assert (await decline_with_a_word(it, key)).reason == "busy"
        assert it.draft == "half a sentence"


async def test_an_offer_that_ended_while_one_looked_for_a_word_is_not_declined(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.feed(GIVEN)
        it.screen.ringing.put_away.add("c-piet")
        await it.press("D")
        await until(lambda: isinstance(it.app.screen, Saying))
        it.fake.feed(newer(GIVEN, state="other"))
        await it.press("x", "enter")
        await until(lambda: "not offered to you any more" in it.text())
        assert not [act for act in it.fake.posted if isinstance(act, c.Decline)]


async def test_a_colleagues_offer_shows_what_it_is_about(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        note = Item(id="n", seq=99, rev=99, kind="note", at_ms=NOW, packet=Packet(problem="cannot log in"))
        it.fake.pages["c-kovacs"] = ThreadPage(row=ASKED, items=(note,), upto=100)
        it.fake.feed(ASKED)
        await until(lambda: "problem cannot log in" in it.text())
        asked = [one for one in it.fake.asked if isinstance(one, c.Thread) and one.conversation == "c-kovacs"]
        it.app.tick()
        await it.pilot.pause()
        again = [one for one in it.fake.asked if isinstance(one, c.Thread) and one.conversation == "c-kovacs"]
        assert len(asked) == len(again) == 1 and not asked[0].watch


async def test_accepting_a_consult_posts_the_acceptance(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        it.fake.feed(ASKED)
        await until(lambda: "Consult" in it.text())
        await it.press("a")
        act = await it.posted(c.Accept)
        assert (act.conversation, act.epoch) == ("c-kovacs", ASKED.epoch)


LONG = "Kovács Eszter: it was closed meanwhile, and what you typed is kept as the draft of a note there. " * 3


@pytest.mark.parametrize("size", [(120, 40), (180, 50)])
async def test_a_notice_covers_nothing_of_the_card(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size=size) as it:
        await it.open("c-anna")
        it.screen.ringing.put_away.add("c-piet")
        it.screen.say(LONG)
        it.fake.feed(scenes.KOVACS)
        await until(lambda: "no answer: back to the queue" in it.text() and "it was closed meanwhile" in it.text())
        it.screen.say(LONG[:60])
        await until(lambda: it.text().splitlines()[-2].startswith(" ! Kovács"))
        assert "no answer: back to the queue" in it.text()
        await it.press("d")
        await until(lambda: "no answer" not in it.text())
        assert it.screen.query_one("#notice").region.width == size[0]


async def test_a_notice_is_wrapped_anew_when_the_terminal_changes_its_size(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.screen.ringing.put_away.add("c-piet")
        it.screen.sight.offer()
        it.screen.say(LONG[:100])
        await until(lambda: "as the draft of a note there" in it.text())
        await it.pilot.resize_terminal(80, 24)
        await until(lambda: "as the draft of a" in " ".join(it.text().split()) and " note there." in it.text())
