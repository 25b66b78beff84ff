"""Why a case is where it is: each way that it can come into somebody's hands, told in lines and in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.policy import Considered, Disposition, Hours, QueueRules, Skill, Span, Target, Why
from broker_bridge.contract.policy import Step as Overflow
from broker_bridge.contract.views import WhyLine, WhyView
from broker_bridge.contract.words import Words
from broker_bridge.core import why
from broker_bridge.core.definitions import Policy
from broker_bridge.core.why_terms import lasting
from tests.core.world import (
    ANNA,
    CASE,
    HOUSE,
    JONAS,
    LENA,
    MAYA,
    NAMED,
    OLGA,
    OPENED,
    START_MS,
    Case,
    owned,
    queued,
    received,
    replied,
)

SWEDISH = Skill(name="swedish", level=3)
ALWAYS = "always open"


def considered(agent: str, **more: Any) -> Considered:
    return Considered(agent=agent, state="ready", **({"is_fit": True} | more))


def decision(*fit: Considered, **more: Any) -> Why:
    return Why(considered=fit, hours=ALWAYS, **more)


def asked(case: Case, reader: str = "maya", live: why.Live | None = None, **more: Any) -> WhyView:
    fields: dict[str, Any] = {
        "reader": reader,
        "name_of": HOUSE.name_of,
        "word": NAMED.word,
        "spelled": lambda kind, address: address,
        "now_ms": case.now_ms,
        "customer": "Anna Berg",
        "policy": case.house.policy,
    }
    setting = why.Setting(**(fields | more))
    state, told = why.folded(CASE, case.log, setting)
    assert state == case.state
    return why.view(state, told, setting, live)


def offered(agent: str, reasons: Why | None, seconds: int = 20) -> f.Offered:
    # The entry is one second after the clock of the case.
    return f.Offered(agent=agent, until_ms=START_MS + 2_000 + seconds * 1000, why=reasons)


def rung(agent: str, reasons: Why | None) -> Case:
    return queued().add(offered(agent, reasons), by="router")


def last(view: WhyView, word: str) -> WhyLine:
    found = [one for one in view.lines if one.word == word]
    assert found, view.lines
    return found[-1]


LEAST = considered("maya", load=20, reason="least to do: 20 of 100")
MORE = considered("jonas", load=40, reason="more to do: 40 of 100")


@pytest.mark.parametrize(
    ("fit", "more", "sentence"),
    [
        ((LEAST, MORE), {}, "Of the two who are free and fit, you have the least to do."),
        (
            (considered("maya", load=40), considered("jonas", load=40), considered("lena", load=60)),
            {},
            "Of the three who are free and fit, you have as little to do as anybody, and got nothing for the longest time.",
        ),
        (
            (considered("maya", last_talk=True), MORE),
            {},
            "Of the two who are free and fit, you talked with this customer last.",
        ),
        (
            (considered("maya", is_responsible=True, last_talk=True), MORE),
            {},
            "Of the two who are free and fit, you look after this customer.",
        ),
        (
            (considered("maya", reason="number 1 in the order"), MORE),
            {"mode": "in_order"},
            "Of the two who are free and fit, you come first in the order of the queue.",
        ),
        ((LEAST, considered("lena", is_fit=False)), {}, "You are the only one who is free and fit."),
        (
            (LEAST, *(considered(f"a{number}", load=90) for number in range(8))),
            {},
            "Of all who are free and fit, you have the least to do.",
        ),
    ],
)
def test_the_sentence_says_what_decided(fit: tuple[Considered, ...], more: dict[str, Any], sentence: str) -> None:
    assert asked(rung("maya", decision(*fit, **more))).sentence == sentence


def test_somebody_else_reads_the_name_instead_of_you() -> None:
    case = rung("maya", decision(considered("maya", last_talk=True), MORE))
    assert asked(case, "olga").sentence == "Of the two who are free and fit, Maya talked with this customer last."
    assert last(asked(case, "olga"), "offered").text == "to Maya for 20 s"
    assert last(asked(case), "offered").text == "to you for 20 s"


def test_everybody_is_asked_at_once_until_one_says_yes() -> None:
    reasons = decision(LEAST, MORE, mode="everybody")
    ring = msgspec.structs.replace(offered("maya", reasons), also=("jonas",))
    case = queued().add(ring, by="router")
    assert asked(case).sentence == "Everybody who is free and fit is asked at once: the first yes wins."
    assert last(asked(case), "offered").text == "to you and Jonas for 20 s"
    case.add(f.OfferEnded(agent="maya", reason="declined"), by="agent:maya")
    assert last(asked(case), "declined").text == "by you, without a word, the others ring on"
    assert last(asked(case), "offered").mark == ""
    case.add(f.Accepted(agent="jonas", epoch=1), by="agent:jonas")
    view = asked(case)
    assert view.sentence == "Of the two who are free and fit, Jonas said yes first."
    assert [one.agent for one in view.who if one.is_chosen] == ["jonas"]


def test_the_way_in_is_told_with_channel_identity_queue_and_needs() -> None:
    case = rung("maya", decision(LEAST, needs=(SWEDISH,)))
    view = asked(case, proved={ANNA: True})
    assert [(one.word, one.text, one.mark) for one in view.lines] == [
        ("arrived", "mail → channel support, a new case", f"#{case.state.number}"),
        ("known", "mail hand-anna@example.se is Anna Berg, proved", "✓ sure"),
        ("queue", "→ orders, needs swedish 3, priority 5", ""),
        ("offered", "to you for 20 s", ""),
    ]
    assert last(asked(case), "known").mark == "? not proved"


def test_another_address_that_joins_is_told_and_a_second_message_is_not() -> None:
    case = queued().add(received("again")).add(received("other", handle="hand-bob", channel="chat"))
    words = [one.word for one in asked(case).lines]
    assert words == ["arrived", "known", "queue", "joined", "known"]
    assert last(asked(case), "joined").text == "chat → channel chat, goes on in this case"


def test_an_accepted_offer_bears_how_long_it_took() -> None:
    case = rung("maya", decision(LEAST, MORE))
    case.now_ms += 3_000
    case.do(c.Accept(id="yes", conversation=CASE))
    line = last(asked(case), "offered")
    assert (line.mark, line.tone) == ("accepted after 4 s", "ok")


def test_an_offer_that_the_machine_accepts_says_so() -> None:
    case = queued().add(offered("maya", decision(LEAST, MORE)), f.Accepted(agent="maya", epoch=1), by="router")
    assert last(asked(case), "offered").mark == "accepted by itself"
    assert asked(case).sentence == "Of the two who are free and fit, you have the least to do."


@pytest.mark.parametrize(
    ("fact", "by", "word", "text", "mark"),
    [
        (
            f.OfferEnded(agent="maya", reason="declined", words=Words(text="at the dentist")),
            "agent:maya",
            "declined",
            "by Maya: at the dentist",
            "declined after 1 s",
        ),
        (
            f.OfferEnded(agent="maya", reason="declined"),
            "agent:maya",
            "declined",
            "by Maya, without a word",
            "declined after 1 s",
        ),
        (f.OfferEnded(agent="maya", reason="expired"), "timer", "expired", "Maya did not answer", "expired after 1 s"),
        (
            f.OfferEnded(agent="maya", reason="withdrawn"),
            "timer",
            "withdrawn",
            "Maya's terminal was silent",
            "withdrawn after 1 s",
        ),
        (f.OfferEnded(agent="maya", reason="at lunch"), "timer", "returned", "Maya is at lunch", "returned after 1 s"),
    ],
)
def test_an_offer_that_came_to_nothing_says_why(fact: f.OfferEnded, by: str, word: str, text: str, mark: str) -> None:
    view = asked(rung("maya", decision(LEAST, MORE)).add(fact, by=by), "olga")
    assert last(view, word).text == text
    assert (last(view, "offered").mark, last(view, "offered").tone) == (mark, "near")
    # Nobody is chosen any more.
    assert view.who == ()


def talk(case: Case) -> Case:
    case.do(c.Transfer(id="ask", conversation=CASE, to_agent="lena", ask_first=True, note="look at this"))
    return case


def test_a_talk_is_told_with_each_of_its_three_facts() -> None:
    case = talk(owned())
    assert asked(case).sentence == (
        "You took it from the queue. Lena is asked to take it over, and it stays with you until then."
    )
    assert [one.text for one in asked(case).lines if one.word == "consult"] == [
        "you asked Lena first: look at this",
        "Lena is asked for a talk, for 119 s",
    ]
    case.do(c.Accept(id="yes", conversation=CASE), LENA)
    assert (
        asked(case, "lena").sentence
        == "Maya took it from the queue. Maya and you talk about it, and it stays with Maya."
    )
    case.do(c.Confirm(id="go", conversation=CASE), MAYA)
    assert asked(case, "lena").sentence == "Maya handed it over to you after a talk."
    assert last(asked(case, "lena"), "accepted").text == "You have it: Maya handed over after the talk"


def test_a_talk_that_is_ended_leaves_it_where_it_was() -> None:
    case = talk(owned())
    case.do(c.Accept(id="yes", conversation=CASE), LENA)
    case.do(c.EndConsult(id="end", conversation=CASE, reason="not my field"), LENA)
    assert last(asked(case), "consult").text == "the talk with Lena was ended by Lena: not my field; it stays with you"
    assert asked(case).sentence == "You took it from the queue."


def test_whoever_is_in_the_talk_gets_it_when_the_owner_is_gone() -> None:
    case = talk(owned())
    case.do(c.Accept(id="yes", conversation=CASE), LENA)
    case.add(f.Accepted(agent="lena", epoch=2), by="timer")
    assert asked(case, "lena").sentence == "You have it: Maya was gone, and you were in the talk about it."


def blind(case: Case) -> Case:
    case.do(c.Transfer(id="over", conversation=CASE, to_agent="lena"))
    case.do(c.Accept(id="yes", conversation=CASE), LENA)
    return case


def given_away(case: Case) -> Case:
    case.do(c.Transfer(id="force", conversation=CASE, to_agent="lena", force=True), OLGA)
    return case


def reopened() -> Case:
    case = owned()
    case.do(c.Close(id="end", conversation=CASE, disposition="solved"))
    case.do(c.Reopen(id="again", conversation=CASE), JONAS)
    return case


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (owned, "Maya took it from the queue."),
        (lambda: blind(owned()), "Maya passed it on to Lena, who said yes."),
        (lambda: given_away(owned()), "Olga gave it to Lena without asking."),
        (reopened, "Jonas reopened it."),
        (lambda: owned().add(f.Closed(agent="maya", disposition="solved")), "Maya closed it: solved."),
        (lambda: owned().add(f.Merged(into="other", agent="maya")), "Maya merged it: it goes on in #K7Q2M."),
        (lambda: owned().add(f.Erased(agent="olga")), "The customer was erased."),
        (
            lambda: owned().add(
                f.Queued(queue="orders", reason="Maya's terminal has been silent for 5 minutes"), by="timer"
            ),
            "It came back: Maya's terminal has been silent for 5 minutes. It waits in orders.",
        ),
    ],
)
def test_every_other_way_into_somebodys_hands_has_its_sentence(make: Callable[[], Case], sentence: str) -> None:
    assert asked(make(), "stranger", number_of=lambda _: "K7Q2M").sentence == sentence


NOBODY = decision(needs=(SWEDISH,))


@pytest.mark.parametrize(
    ("live", "sentence"),
    [
        (
            why.Live(
                why=msgspec.structs.replace(NOBODY, skipped=(("full", 2), ("at lunch", 1), ("lacks swedish 3", 3)))
            ),
            "Nobody who has swedish 3 is free: 2 are full, 1 is at lunch.",
        ),
        (
            why.Live(why=msgspec.structs.replace(NOBODY, skipped=(("lacks swedish 3", 2), ("off", 1)))),
            "Nobody who has swedish 3 is here: 2 lack swedish 3, 1 is off.",
        ),
        (why.Live(why=decision(skipped=(("transfer only", 1),))), "Nobody is free: 1 takes transfers only."),
        (why.Live(why=decision()), "Nobody works in this queue."),
        (why.Live(why=Why(hours="closed, opens Mon 08:00")), "Closed: opens Mon 08:00."),
        (
            why.Live(why=Why(hours="closed: Christmas Day, opens 27 Dec 08:00")),
            "Closed: Christmas Day, opens 27 Dec 08:00.",
        ),
        (why.Live(why=Why(hours="never open")), "Closed: this queue never opens."),
        (
            why.Live(why=decision(LEAST), wait_ms=START_MS + 30_000, waits_for="lena"),
            "Lena is waited for until 11:07:10 UTC: they know the customer.",
        ),
        (
            why.Live(why=decision(LEAST), wait_ms=START_MS + 30_000, waits_for="maya"),
            "You are waited for until 11:07:10 UTC: you know the customer.",
        ),
        (why.Live(why=decision(LEAST, MORE)), "Two are free and fit: it is offered in its turn."),
        (
            why.Live(why=decision(LEAST), offers_at_all=False),
            "It waits in orders: agents take from the queue themselves.",
        ),
    ],
)
def test_a_case_that_waits_says_what_it_waits_for(live: why.Live, sentence: str) -> None:
    view = asked(queued(), live=live)
    assert view.sentence == sentence
    assert view.is_live and not any(one.is_chosen for one in view.who)
    assert view.skipped == live.why.skipped


def test_a_time_is_told_in_the_zone_of_the_queue() -> None:
    case = queued()
    week = tuple(Span(day=day, from_min=0, to_min=1440) for day in range(7))
    rules = QueueRules(hours=Hours(zone="Europe/Stockholm", week=week))
    policy = Policy(queues={"orders": rules}, version=31, since_ms=START_MS - 3_600_000)
    live = why.Live(why=decision(LEAST, policy=31), wait_ms=START_MS + 30_000, waits_for="lena")
    view = asked(case, live=live, policy=policy)
    assert view.sentence == "Lena is waited for until 12:07:10: they know the customer."
    assert view.policy == "The rules are those of 11:06 today (version 31)."


@pytest.mark.parametrize(
    ("version", "policy", "words"),
    [
        (0, Policy(), "The rules were those of the configuration."),
        (31, Policy(version=31, since_ms=START_MS), "The rules were those of 11:06 UTC today (version 31)."),
        (
            31,
            Policy(version=31, since_ms=START_MS - 86_400_000 * 3),
            "The rules were those of Sun 15 Nov 11:06 UTC (version 31).",
        ),
        (31, Policy(version=40, since_ms=START_MS), "The rules were those of version 31, changed since (version 40)."),
    ],
)
def test_the_rules_are_named_by_time_and_version(version: int, policy: Policy, words: str) -> None:
    assert asked(rung("maya", decision(LEAST, MORE, policy=version)), policy=policy).policy == words


def target(what: str, due_ms: int, because: str = "due then") -> f.Targeted:
    return f.Targeted(what=what, due_ms=due_ms, because=because, warn_ms=due_ms - 10_000)


def test_a_target_says_how_it_was_reckoned_and_what_became_of_it() -> None:
    case = Case().add(OPENED, received("first"), f.Queued(queue="orders"), target("first", START_MS + 60_000))
    assert last(asked(case), "target").text == "first answer: due then"
    assert last(asked(case, now_ms=START_MS + 55_000), "target").mark == "due soon"
    assert last(asked(case, now_ms=START_MS + 61_000), "target").tone == "late"
    case.add(f.Accepted(agent="maya", epoch=1)).add(replied("one"))
    assert last(asked(case, now_ms=START_MS + 99_000), "target").mark == "answered in time"
    case.add(received("second"), target("next", START_MS + 10_000, "soon"))
    case.now_ms += 20_000
    case.add(replied("two")).add(received("third"), target("next", START_MS + 90_000, "later"))
    # The kept one made room; the missed one stays.
    assert [(one.text, one.mark) for one in asked(case).lines if one.word == "target"] == [
        ("next answer: soon", "answered late"),
        ("next answer: later", ""),
    ]


def test_overflow_sleep_and_priority_are_steps_too() -> None:
    case = queued()
    case.add(f.Overflowed(queue="orders", step=1, widen=1, waited_s=60), by="router")
    case.add(f.Overflowed(queue="orders", step=2, alarm="call somebody", waited_s=120), by="router")
    moved = f.Queued(queue="returns", reason="nobody was free in orders for 180 s")
    case.add(f.Overflowed(queue="orders", step=3, to_queue="returns", waited_s=180), moved, by="router")
    case.do(c.Prioritize(id="first", conversation=CASE, priority=2), LENA)
    case.add(f.Accepted(agent="lena", epoch=1))
    case.do(c.Snooze(id="sleep", conversation=CASE, until_ms=case.now_ms + 7_200_000), LENA)
    case.add(f.Woken(reason="time"))
    assert [(one.word, one.text) for one in asked(case).lines][3:] == [
        ("overflow", "after 1 min, step 1: 1 level less is asked of every skill"),
        ("overflow", "after 2 min, step 2: alarm to the supervisors: call somebody"),
        ("overflow", "after 3 min, step 3: moves to returns"),
        ("queue", "→ returns: nobody was free in orders for 180 s"),
        ("priority", "Lena: priority 2"),
        ("target", "first answer: due 11:07:41 UTC = 1 min from 11:06:41 UTC"),
        ("accepted", "Lena took it from the queue"),
        ("snoozed", "sleeps with Lena for 119 min"),
        ("woken", "its time came"),
    ]


def test_a_long_history_keeps_its_beginning_and_its_end() -> None:
    case = queued()
    for number in range(100):
        case.add(f.Prioritized(agent="maya", priority=number % 9 + 1))
    lines = asked(case).lines
    assert len(lines) == why.MOST_LINES
    assert [one.word for one in lines[:3]] == ["arrived", "known", "queue"]
    assert lines[why.FIRST_LINES].text == "44 steps are left out"
    assert lines[-1].text == "you: priority 1"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (119, "119 s"),
        (60, "1 min"),
        (720, "12 min"),
        (7_300, "2 h"),
        (86_400, "1 day"),
        (200_000, "2 days"),
    ],
)
def test_how_long_something_lasts_is_said_in_one_unit(seconds: int, words: str) -> None:
    assert lasting(seconds) == words


FACTS: tuple[f.ConversationFact, ...] = (
    received("more"),
    f.Queued(queue="returns", reason="back"),
    offered("maya", decision(LEAST)),
    offered("lena", None),
    f.Offered(agent="lena", until_ms=START_MS, is_transfer=True, is_consult=True, by="maya"),
    f.OfferEnded(agent="maya", reason="declined"),
    f.OfferEnded(agent="lena", reason="expired"),
    f.Transferred(agent="maya", to_agent="lena", is_consult=True),
    f.Transferred(agent="maya", to_queue="returns"),
    f.TransferAccepted(agent="lena"),
    f.ConsultEnded(agent="lena"),
    f.Accepted(agent="lena", epoch=2),
    f.Accepted(agent="maya", epoch=3),
    replied("some"),
    f.Closed(agent="maya", disposition="solved"),
    f.Reopened(queue="orders"),
    f.Reopened(agent="maya", queue="orders"),
    f.Snoozed(agent="maya"),
    f.Woken(reason="agent", agent="maya"),
    target("first", START_MS),
    f.Targeted(what="first"),
    f.Targeted(what="resolution", left_s=5, because="stands still"),
    f.Overflowed(queue="orders", step=1, widen=2, waited_s=1),
    f.Merged(into="other", agent="maya"),
    f.Unmerged(conversation="other", agent="maya", is_source=True),
    f.SplitOff(into="other", agent="maya", number="K"),
    f.Suggested(conversation="other", reason="same name"),
    f.CouldNotBeRead(message="u", item="u", handle=ANNA, channel="support", channel_kind="email", reason="odd", raw=""),
)


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(FACTS), min_size=1, max_size=3), st.sampled_from(("timer", "router", "agent:maya"))
        ),
        max_size=12,
    )
)
def test_any_history_at_all_is_explained(history: list[tuple[list[f.ConversationFact], str]]) -> None:
    case = queued()
    for facts, by in history:
        case.add(*facts, by=by)
    for reader in ("maya", "olga"):
        view = asked(case, reader)
        assert view.sentence.endswith(".") and view.sentence[0].isupper() and "  " not in view.sentence
        assert all(one.text and one.word for one in view.lines)


def test_who_stands_in_the_table_is_not_counted_again() -> None:
    full = Considered(agent="bo", state="ready", reason="full")
    live = why.Live(why=decision(full, skipped=(("full", 3), ("off", 1))))
    assert asked(queued(), live=live).skipped == (("full", 2), ("off", 1))


def test_the_time_of_a_running_target_can_stand_beside_its_words() -> None:
    because = "due 14:00 = 4 h of work time from 10:00, lunch excluded"
    case = Case().add(
        OPENED, received("first"), f.Queued(queue="orders"), target("first", START_MS + 60_000, because=because)
    )
    found = last(asked(case), "target")
    assert (found.due_ms, found.text) == (START_MS + 60_000, f"first answer: {because}")
    assert found.short == "first answer: 4 h of work time from 10:00, lunch excluded"
    case.add(f.Accepted(agent="maya", epoch=1)).add(replied("one"))
    kept = last(asked(case), "target")
    assert (kept.mark, kept.due_ms, kept.short) == ("answered in time", None, "")


def test_a_target_whose_words_name_no_time_has_only_its_words() -> None:
    case = Case().add(OPENED, received("first"), f.Queued(queue="orders"), target("first", START_MS + 60_000))
    assert (last(asked(case), "target").due_ms, last(asked(case), "target").short) == (None, "")


@pytest.mark.parametrize(
    ("mode", "second", "places"),
    [
        ("evenly", {}, [1, 2, 0]),
        ("in_order", {}, [1, 2, 0]),
        ("everybody", {}, [0, 0, 0]),
        ("evenly", {"last_talk": True}, [1, 0, 0]),
        ("evenly", {"is_responsible": True}, [1, 0, 0]),
    ],
)
def test_a_place_is_said_only_where_the_router_has_an_order(
    mode: str, second: dict[str, Any], places: list[int]
) -> None:
    why_ = decision(considered("maya"), considered("lena", **second), considered("jonas", is_fit=False), mode=mode)
    assert [one.place for one in asked(rung("maya", why_)).who] == places


def test_the_rules_of_the_queue_are_told_in_words() -> None:
    rules = QueueRules(
        title="Orders and returns",
        needs=(SWEDISH,),
        mode="in_order",
        order=("lena", "maya"),
        auto_accept=("webchat",),
        targets=(Target(first_reply_s=90), Target(priority=1, resolution_s=7200)),
        overflow=(
            Overflow(after_s=60, widen=2),
            Overflow(after_s=180, queue="other"),
            Overflow(after_s=600, alarm="call Sue"),
        ),
        wrap_up="timed",
        wrap_up_s=45,
        dispositions=tuple(Disposition(name=f"outcome {n}") for n in range(1, 61)),
    )
    policy = Policy(queues={"orders": rules}, version=31, since_ms=START_MS)
    told = asked(rung("maya", decision(LEAST, policy=31)), policy=policy).rules
    assert told[:7] == (
        ("queue", "Orders and returns"),
        ("hours", "always open"),
        ("needs", "swedish 3"),
        ("given out", "in order: the first who is free of Lena and you"),
        ("priority", "5 of 9, 1 is first"),
        ("knows them", "the responsible colleague before the last one, waited for up to 30 s if busy"),
        ("an offer", "rings for 20 s; accepted by itself: webchat"),
    )
    assert told[7:-1] == (
        ("promised", "first answer in 90 s"),
        ("promised", "priority 1: the end in 2 h"),
        ("waits long", "after 1 min: 2 levels less is asked of every skill"),
        ("waits long", "after 3 min: moves to other"),
        ("waits long", "after 10 min: alarm: call Sue"),
        ("wrap-up", "45 s, then the next work comes"),
    )
    assert told[-1][0] == "outcomes" and told[-1][1].endswith("outcome 12 and 48 more")


def test_an_empty_policy_has_rules_too() -> None:
    told = dict(asked(rung("maya", decision(LEAST)), policy=Policy()).rules)
    assert told["needs"] == "no skill" and told["wrap-up"] == "an outcome may be written" and "outcomes" not in told
