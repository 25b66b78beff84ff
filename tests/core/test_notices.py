"""Who is told what of an entry, and who is not: tables over one case."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.words import Words
from broker_bridge.core import leaving, notices
from tests.core.test_why import FACTS
from tests.core.world import (
    ACTORS,
    ANNA,
    CASE,
    HOUSE,
    LENA,
    MAYA,
    OLGA,
    OPENED,
    START_MS,
    Case,
    owned,
    queued,
    received,
    replied,
)

Told = list[tuple[str, str, str]]


def of(case: Case) -> Told:
    """(who, kind, text) of the case's last entry, for everybody."""
    entry = case.log[-1][1]
    addressed = notices.told(entry, case.state, HOUSE.name_of)
    by = entry.by.removeprefix("agent:")
    return [
        (one.agent, notice.kind, notice.text)
        for one in ACTORS
        for notice in notices.for_agent(addressed, one.agent, is_supervisor=one.is_supervisor, by=by)
    ]


def asked(case: Case, *, first: bool = False) -> Case:
    case.do(c.Transfer(id="ask", conversation=CASE, to_agent="lena", ask_first=first))
    return case


def ended(reason: str, by: str = "timer", text: str = "") -> Case:
    words = Words(text=text) if text else None
    return asked(owned()).add(f.OfferEnded(agent="lena", reason=reason, words=words), by=by)


def warned(case: Case, seconds: int, what: str = "first") -> Case:
    due_ms = case.now_ms + 1_000 + seconds * 1000
    return case.add(f.Warned(what=what, due_ms=due_ms), by="timer")


def with_task(
    what: str = "task", by: str = "jonas", assignee: str = "maya", observers: tuple[str, ...] = ("lena",)
) -> Case:
    task = f.TaskAdded(
        task="t",
        agent=by,
        what=what,
        assignee=assignee,
        due_ms=START_MS,
        observers=observers,
        words=Words(text="ask  the\nshop"),
    )
    return owned().add(task, by=f"agent:{by}")


def let_go(case: Case, agent: str = "jonas") -> Case:
    """Who had tasks here no longer works here."""
    return case.add(*leaving.let_go(case.state, agent), by="timer")


def given_by_force() -> Case:
    case = owned()
    case.do(c.Transfer(id="force", conversation=CASE, to_agent="lena", force=True), OLGA)
    return case


def talked(case: Case) -> Case:
    case.do(c.Accept(id="yes", conversation=CASE), LENA)
    return case


def confirmed() -> Case:
    case = talked(asked(owned(), first=True))
    case.do(c.Confirm(id="go", conversation=CASE), MAYA)
    return case


def followed(*agents: str) -> Case:
    return owned().add(*(f.Observed(agent=one) for one in agents))


NUMBER = f"#{queued().state.number}"
ROWS: list[tuple[str, Callable[[], Case], Told]] = [
    (
        "a warning goes to the owner and the supervisors",
        lambda: warned(owned(), 300),
        [
            ("maya", "near", "The first answer is due in 5 min."),
            ("olga", "near", f"{NUMBER} in orders, with Maya: the first answer is due in 5 min."),
        ],
    ),
    (
        "of a case that nobody has only the supervisors are warned",
        lambda: warned(queued(), 90),
        [("olga", "near", f"{NUMBER} in orders, with nobody yet: the first answer is due in 90 s.")],
    ),
    (
        "what is past is late",
        lambda: warned(owned(), -120, "resolution"),
        [
            ("maya", "late", "The end of the case is late by 2 min."),
            ("olga", "late", f"{NUMBER} in orders, with Maya: the end of the case is late."),
        ],
    ),
    (
        "a supervisor who owns it is told once",
        lambda: warned(queued().add(f.Accepted(agent="olga", epoch=1)), 300),
        [("olga", "near", "The first answer is due in 5 min.")],
    ),
    (
        "a reminder goes to whoever does it and to those who follow it",
        lambda: with_task().add(f.TaskReminded(task="t", due_ms=START_MS), by="timer"),
        [("maya", "reminder", "A task is due: ask the shop"), ("lena", "observed", "Maya: a task is due: ask the shop")],
    ),
    (
        "who does it and follows it hears one reminder",
        lambda: with_task("call_back", observers=("maya",)).add(f.TaskReminded(task="t", due_ms=START_MS), by="timer"),
        [("maya", "reminder", "A call-back is due: ask the shop")],
    ),
    (
        "a task of who is gone is the owner's, and whoever made or follows it is told",
        lambda: let_go(with_task(by="lena", assignee="jonas", observers=("olga",))),
        [
            ("maya", "assigned", "Jonas no longer works here: a task of theirs is yours now: ask the shop"),
            ("lena", "observed", "Jonas no longer works here: a task of theirs is Maya's now: ask the shop"),
            ("olga", "observed", "Jonas no longer works here: a task of theirs is Maya's now: ask the shop"),
        ],
    ),
    (
        "in a case that nobody has it is nobody's, and the supervisors know",
        lambda: let_go(with_task(by="jonas", assignee="jonas", observers=()).add(f.Queued(queue="orders"))),
        [
            ("jonas", "observed", "Jonas no longer works here: a task of theirs is nobody's now: ask the shop"),
            ("olga", "observed", "Jonas no longer works here: a task of theirs is nobody's now."),
        ],
    ),
    (
        "a reminder of what nobody has goes to the supervisors",
        lambda: let_go(with_task(observers=()).add(f.Queued(queue="orders")), "maya").add(
            f.TaskReminded(task="t", due_ms=START_MS), by="timer"
        ),
        [("olga", "reminder", "A task is due: ask the shop")],
    ),
    ("a task given by a colleague", with_task, [("maya", "assigned", "Jonas gave you a task: ask the shop")]),
    ("a task for oneself is no news", lambda: with_task(by="maya"), []),
    (
        "a task that only moves with a merge is no news",
        lambda: owned().add(
            f.MergedFrom(conversation="other", agent="jonas"),
            f.TaskAdded(task="t", agent="jonas", assignee="maya"),
            by="agent:jonas",
        ),
        [],
    ),
    (
        "time wakes it",
        lambda: owned().add(f.Snoozed(agent="maya", until_ms=START_MS)).add(f.Woken(reason="time"), by="timer"),
        [("maya", "woken", "Its time has come.")],
    ),
    ("who wakes it knows", lambda: owned().add(f.Woken(reason="agent", agent="maya"), by="agent:maya"), []),
    (
        "declined with a word",
        lambda: ended("declined", "agent:lena", "on a call"),
        [("maya", "returned", "Lena declined: on a call")],
    ),
    (
        "declined without a word",
        lambda: ended("declined", "agent:lena"),
        [("maya", "returned", "Lena declined. It stays yours.")],
    ),
    ("not answered", lambda: ended("expired"), [("maya", "returned", "Lena did not answer. It stays yours.")]),
    ("gone to lunch", lambda: ended("at lunch"), [("maya", "returned", "Lena is at lunch. It stays yours.")]),
    ("vanished", lambda: ended("withdrawn"), [("maya", "returned", "Lena is not there any more. It stays yours.")]),
    ("taken back by the owner themselves", lambda: ended("withdrawn", "agent:maya"), []),
    (
        "an offer of the router that rang out concerns nobody",
        lambda: queued()
        .add(f.Offered(agent="maya", until_ms=START_MS), by="router")
        .add(f.OfferEnded(agent="maya", reason="expired"), by="timer"),
        [],
    ),
    (
        "given by force",
        given_by_force,
        [("maya", "observed", "Olga gave it to Lena."), ("lena", "assigned", "Olga gave it to you.")],
    ),
    ("handed over after a talk", confirmed, [("lena", "assigned", "Maya handed it over to you.")]),
    ("a yes to a transfer", lambda: talked(asked(owned())), [("maya", "observed", "Lena took it over.")]),
    (
        "a yes to a talk",
        lambda: talked(asked(owned(), first=True)),
        [("maya", "observed", "Lena said yes to the talk.")],
    ),
    (
        "the owner is gone in a talk",
        lambda: talked(asked(owned(), first=True)).add(f.Accepted(agent="lena", epoch=2), by="timer"),
        [("lena", "assigned", "It is yours now: who had it is gone.")],
    ),
    (
        "the machine ends a talk",
        lambda: talked(asked(owned(), first=True)).add(f.ConsultEnded(agent="lena", reason="she is gone"), by="timer"),
        [
            ("maya", "returned", "The talk with Lena is over: she is gone. It stays yours."),
            ("lena", "observed", "Maya keeps it: the talk is over: she is gone."),
        ],
    ),
    (
        "work goes back to the queue",
        lambda: owned().add(f.Queued(queue="orders", reason="Maya's terminal has been silent"), by="timer"),
        [("maya", "returned", "It went back to orders: Maya's terminal has been silent.")],
    ),
    (
        "the customer wrote in a followed case",
        lambda: followed("jonas", "maya").add(received("more"), by="clerk"),
        [("jonas", "observed", "The customer wrote.")],
    ),
    ("an out-of-office note is no news", lambda: followed("jonas").add(f.Received(
        message="m", item="i", handle=ANNA, channel="support", channel_kind="email", automatic="auto-replied"), by="clerk"), []),
    (
        "a followed case is closed",
        lambda: followed("jonas", "maya").add(f.Closed(agent="maya", disposition="solved"), by="agent:maya"),
        [("jonas", "observed", "Maya closed it: solved.")],
    ),
    (
        "a followed case is passed on",
        lambda: asked(followed("jonas", "lena")),
        [("jonas", "observed", "Maya passed it on to Lena.")],
    ),
    (
        "an alarm calls the supervisors",
        lambda: queued().add(f.Overflowed(queue="orders", step=1, alarm="help us", waited_s=600), by="router"),
        [("olga", "alarm", f"{NUMBER} in orders has waited 10 min: help us")],
    ),
    ("a wider step calls nobody", lambda: queued().add(f.Overflowed(queue="orders", step=1, widen=1, waited_s=60), by="router"), []),
    ("a first message calls nobody", queued, []),
    ("an answer calls nobody", lambda: owned().add(replied("one"), by="agent:maya"), []),
    ("an accepted offer calls nobody", lambda: owned(), []),
]  # fmt: skip


@pytest.mark.parametrize(("make", "told"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_who_is_told_what(make: Callable[[], Case], told: Told) -> None:
    assert of(make()) == told


def test_nobody_is_told_of_their_own_deed() -> None:
    case = followed("jonas")
    case.do(c.Close(id="end", conversation=CASE, disposition="solved"), MAYA)
    assert [who for who, _, _ in of(case)] == ["jonas"]
    case = followed("olga")
    case.do(c.Close(id="end", conversation=CASE, disposition="solved"), OLGA)
    assert of(case) == []


def test_no_word_and_no_name_of_the_customer_stands_in_a_notice() -> None:
    secret = "Anna Berg +46701740605"
    case = Case().add(OPENED, received("first", name=secret), f.Queued(queue="orders"))
    case.add(f.Accepted(agent="maya", epoch=1)).add(f.Observed(agent="jonas"))
    assert case.state.name == secret
    for fact in (
        received("more", name=secret),
        f.Warned(what="first", due_ms=START_MS),
        f.Closed(agent="maya", disposition="x"),
    ):
        case.add(fact, by="clerk")
        assert of(case)
        assert not any("Anna" in text or "text of" in text for _, _, text in of(case))


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(FACTS), min_size=1, max_size=3), st.sampled_from(("timer", "router", "agent:maya"))
        ),
        max_size=10,
    )
)
def test_any_entry_is_told_without_harm(history: list[tuple[list[f.ConversationFact], str]]) -> None:
    case = followed("jonas", "lena")
    for facts, by in history:
        case.add(*facts, by=by)
        told = of(case)
        assert len({(who, kind) for who, kind, _ in told}) == len(told)
        assert all(text[0].isupper() or text[0] == "#" for _, _, text in told)
        assert not (by == "agent:maya" and any(who == "maya" for who, _, _ in told))
