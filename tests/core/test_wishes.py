"""Every status x wish x actor: facts, or a refusal that is a sentence; and what a desk shows agrees with it."""

from collections.abc import Callable

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import opened
from broker_bridge.core import conversation as conv
from broker_bridge.core import joins, views, wishes
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.decision import Changed, Decision, Facts
from broker_bridge.core.handle import Handle
from broker_bridge.core.wishes import Actor, House
from tests.core.world import (
    ACTORS,
    ANNA,
    BOB,
    CASE,
    HOUSE,
    JONAS,
    LENA,
    MAYA,
    OLGA,
    OPENED,
    START_MS,
    Case,
    closed,
    is_sentence,
    owned,
    queued,
    received,
    replied,
    reply,
)


def _failed(case: Case) -> Case:
    case.add(replied("failed"), f.Sending(message="message-failed", attempt=1, deadline_ms=0, bridge="b"))
    return case.add(f.SendFailed(message="message-failed", attempt=1, code="refused", reason="No."))


def _unread(case: Case) -> Case:
    return case.add(received("unread"))


STATES: dict[str, Callable[[], Case]] = {
    "new": Case,
    "queued": queued,
    "a guess": lambda: queued().add(f.Suggested(conversation=OTHER, reason="the same order")),
    "queued, asked": lambda: queued().add(f.Offered(agent="lena", until_ms=0)),
    "owned": lambda: _unread(_failed(owned())),
    "owned, asked": lambda: _unread(_failed(owned())).add(f.Offered(agent="lena", until_ms=0, is_transfer=True)),
    "all ring": lambda: queued().add(f.Offered(agent="lena", until_ms=0, also=("jonas",))),
    "talking": lambda: _unread(_failed(owned())).add(f.TransferAccepted(agent="lena")),
    "asleep": lambda: _failed(owned()).add(f.Snoozed(agent="maya", until_ms=START_MS + 10**9)),
    "went on here": lambda: queued().add(f.MergedFrom(conversation=GONE, agent="maya", handles=(BOB,))),
    "closed": lambda: _failed(owned()).add(f.Closed(agent="maya", disposition="solved")),
    "wrap-up": lambda: owned().add(
        f.Closed(agent="maya", disposition=""), f.WrapUpBegan(agent="maya", mode="timed", until_ms=START_MS + 10**9)
    ),
    "merged": lambda: queued().add(f.Merged(into=OTHER, agent="maya")),
    "erased": lambda: owned().add(f.Erased(agent="olga")),
}

WISHES: dict[str, Callable[[Case], c.Act]] = {
    "accept": lambda case: c.Accept(id="w", conversation=CASE),
    "decline": lambda case: c.Decline(id="w", conversation=CASE),
    "reply": reply,
    "note": lambda case: c.Note(id="w", conversation=CASE, text="psst"),
    "transfer": lambda case: c.Transfer(id="w", conversation=CASE, to_queue="returns"),
    "take_back": lambda case: c.TakeBack(id="w", conversation=CASE),
    "close": lambda case: c.Close(id="w", conversation=CASE, disposition="solved"),
    "reopen": lambda case: c.Reopen(id="w", conversation=CASE),
    "send_again": lambda case: c.SendAgain(id="w", conversation=CASE, message="message-failed"),
    "see": lambda case: c.See(id="w", conversation=CASE),
    "force_transfer": lambda case: c.Transfer(
        id="w", conversation=CASE, to_agent="jonas" if case.state.owner != "jonas" else "maya", force=True
    ),
    "confirm": lambda case: c.Confirm(id="w", conversation=CASE),
    "end_consult": lambda case: c.EndConsult(id="w", conversation=CASE),
    "wrap_up": lambda case: c.WrapUp(id="w", conversation=CASE, disposition="solved"),
    "more_time": lambda case: c.MoreTime(id="w", conversation=CASE),
    "snooze": lambda case: c.Snooze(id="w", conversation=CASE, until_ms=START_MS + 10**9),
    "wake": lambda case: c.Wake(id="w", conversation=CASE),
    "prioritize": lambda case: c.Prioritize(id="w", conversation=CASE, priority=1),
    "add_task": lambda case: c.AddTask(id="w", conversation=CASE, text="call the shop"),
    "observe": lambda case: c.Observe(id="w", conversation=CASE),
    "keep_apart": lambda case: c.KeepApart(id="w", conversation=CASE, other=case.state.suggestion or OTHER),
}
OTHER = "case-2"
GONE = "case-0"


def _open_case(name: str) -> Conversation:
    return conv.fold(conv.begin(name), Entry(at_ms=START_MS, by="clerk", facts=(OPENED, received(name, BOB))), 3)


def _leading(**where: str) -> dict[str, Handle]:
    return {name: Handle(id=name, conversation=case) for name, case in where.items()}


def _merge(case: Case, actor: Actor) -> joins.Joined | Refusal:
    return joins.merge(case.state, _open_case(OTHER), {ANNA: Handle(id=ANNA, conversation=CASE)}, actor, case.house)


def _unmerge(case: Case, actor: Actor) -> joins.Joined | Refusal:
    """Of this case from another one, or of another one from this case."""
    if case.state.merged:
        gone = _open_case(GONE)
        conv.fold(gone, Entry(at_ms=1, by="x", facts=(f.Merged(into=CASE, agent="maya"),)), 9)
        return joins.unmerge(gone, case.state, {}, actor, case.house)
    other = _open_case(OTHER)
    joined = f.MergedFrom(conversation=CASE, agent="maya", handles=(ANNA,))
    conv.fold(other, Entry(at_ms=1, by="x", facts=(joined,)), 9)
    return joins.unmerge(case.state, other, {}, actor, case.house)


def _split(case: Case, actor: Actor) -> joins.Joined | Refusal:
    moved = joins.Moved(from_seq=1, messages=frozenset({"message-first", "message-unread"}), text="x", waits_since_ms=1)
    new = conv.begin("case-new")
    return joins.split(case.state, new, moved, {}, actor, case.house, case.now_ms)


JOINS: dict[str, Callable[[Case, Actor], joins.Joined | Refusal]] = {
    "merge": _merge,
    "unmerge": _unmerge,
    "split": _split,
}

LETTERS = {"late": "L", "not_yours": "N", "denied": "D", "unknown": "U", "bad": "B", "unavailable": "X", "busy": "Y"}

# + facts, . granted and true already, else the first letter of the refusal's code, one column a wish in the order of WISHES and JOINS.
TABLE = """
    new            maya   U U U U U U U U U U U U U U U U U U U U U U U U
    new            jonas  U U U U U U U U U U U U U U U U U U U U U U U U
    new            lena   U U U U U U U U U U U U U U U U U U U U U U U U
    new            olga   U U U U U U U U U U U U U U U U U U U U U U U U
    queued         maya   + L N + N N N L N . N N L L L N N + + + L + L N
    queued         jonas  + L N + N N N L N . N N L L L N N + + + L + L N
    queued         lena   D L N + N N N L N . N N L L L N N D + + L N L N
    queued         olga   + L N + + N + L N . + N L L L N . + + + L + L N
    a guess        maya   + L N + N N N L N . N N L L L N N + + + + + L N
    a guess        jonas  + L N + N N N L N . N N L L L N N + + + + + L N
    a guess        lena   D L N + N N N L N . N N L L L N N D + + D N L N
    a guess        olga   + L N + + N + L N . + N L L L N . + + + + + L N
    queued, asked  maya   + L N + N N N L N . N N L L L N N + + + L + L N
    queued, asked  jonas  + L N + N N N L N . N N L L L N N + + + L + L N
    queued, asked  lena   + + N + N N N L N . N N L L L N N D + + L N L N
    queued, asked  olga   + L N + + N + L N . + N L L L N . + + + L + L N
    owned          maya   . L + + + L + L + + D L L L L + . + + + L + L +
    owned          jonas  L L N + N N N L N . N N L L L N N + + + L N L N
    owned          lena   L L N + N N N L N . N N L L L N N D + + L N L N
    owned          olga   L L N + + N + L N . + N L L L N . + + + L + L N
    owned, asked   maya   . L + + + + + L + + D L L L L + . + + + L + L +
    owned, asked   jonas  L L N + N N N L N . N N L L L N N + + + L N L N
    owned, asked   lena   + + N + N N N L N . N N L L L N N D + + L N L N
    owned, asked   olga   L L N + + N + L N . + N L L L N . + + + L + L N
    all ring       maya   + L N + N N N L N . N N L L L N N + + + L + L N
    all ring       jonas  + + N + N N N L N . N N L L L N N + + + L + L N
    all ring       lena   + + N + N N N L N . N N L L L N N D + + L N L N
    all ring       olga   + L N + + N + L N . + N L L L N . + + + L + L N
    talking        maya   . L + + + L + L + + D + + L L + . + + + L + L +
    talking        jonas  L L N + N N N L N . N N N L L N N + + + L N L N
    talking        lena   L L N + N N N L N . N N + L L N N D + + L N L N
    talking        olga   L L N + + N + L N . + N + L L N . + + + L + L N
    asleep         maya   . L + + + L + L + . D L L L L + + + + + L + L +
    asleep         jonas  L L N + N N N L N . N N L L L N N + + + L N L N
    asleep         lena   L L N + N N N L N . N N L L L N N D + + L N L N
    asleep         olga   L L N + + N + L N . + N L L L N + + + + L + L N
    went on here   maya   + L N + N N N L N . N N L L L N N + + + L + + N
    went on here   jonas  + L N + N N N L N . N N L L L N N + + + L + + N
    went on here   lena   D L N + N N N L N . N N L L L N N D + + L N D N
    went on here   olga   + L N + + N + L N . + N L L L N . + + + L + + N
    closed         maya   L L L + L L L + L . L L L L L L L L + + L + L L
    closed         jonas  L L L + L L L + L . L L L L L L L L + + L + L L
    closed         lena   L L L + L L L D L . L L L L L L L L + + L N L L
    closed         olga   L L L + L L L + L . L L L L L L . L + + L + L L
    wrap-up        maya   L L L + L L L + L . L L L + + L L L + + L Y L L
    wrap-up        jonas  L L L + L L L + L . L L L N N L L L + + L Y L L
    wrap-up        lena   L L L + L L L D L . L L L N N L L L + + L N L L
    wrap-up        olga   L L L + L L L + L . L L L + + L . L + + L Y L L
    merged         maya   L L L L L L L L L . L L L L L L L L L L L . + L
    merged         jonas  L L L L L L L L L . L L L L L L L L L L L . + L
    merged         lena   L L L L L L L L L . L L L L L L L L L L L . D L
    merged         olga   L L L L L L L L L . L L L L L L . L L L L . + L
    erased         maya   L L L L L L L L L L L L L L L L L L L L L U U U
    erased         jonas  L L L L L L L L L L L L L L L L L L L L L U U U
    erased         lena   L L L L L L L L L L L L L L L L L L L L L U U U
    erased         olga   L L L L L L L L L L L L L L L L L L L L L U U U
"""

PEOPLE = {one.agent: one for one in ACTORS}
CELLS = [
    (line[:19].strip(), line[19:26].strip(), wish, letter)
    for line in TABLE.splitlines()
    if line.strip()
    for wish, letter in zip([*WISHES, *JOINS], line[26:].split(), strict=True)
]


def _letter(decision: Decision | joins.Joined) -> str:
    if isinstance(decision, joins.Joined):
        return "+" if decision.source or decision.target else "."
    if isinstance(decision, Refusal):
        return LETTERS[decision.code]
    if isinstance(decision, Changed):
        return "changed"
    return "+" if decision.facts else "."


def _tried(case: Case, verb: str, actor: Actor) -> Decision | joins.Joined:
    if verb not in JOINS:
        return case.decide(WISHES[verb](case), actor)
    if case.state.status in ("new", "erased"):
        # The desk finds no such case, and has nothing to decide on.
        return Refusal(code="unknown", sentence="There is no such conversation.")
    return JOINS[verb](case, actor)


@pytest.mark.parametrize(("state", "agent", "wish", "expected"), CELLS)
def test_what_each_actor_may_do_in_each_status(state: str, agent: str, wish: str, expected: str) -> None:
    case = STATES[state]()
    decision = _tried(case, wish, PEOPLE[agent])
    assert _letter(decision) == expected
    if isinstance(decision, Refusal):
        assert is_sentence(decision.sentence), decision.sentence


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("actor", ACTORS, ids=lambda one: one.agent)
def test_the_verbs_of_a_row_are_the_wishes_that_are_granted(state: str, actor: Actor) -> None:
    case = STATES[state]()
    shown = views.verbs(case.state, actor)
    granted = tuple(verb for verb in views.VERBS if _letter(_tried(case, verb, actor)) == "+")
    assert shown == granted


def _transfer(**changes: str | None) -> c.Transfer:
    return c.Transfer(id="w", conversation=CASE, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda case: reply(case, text=" \n"), "bad", "empty"),
        (lambda case: reply(case, text="x" * (c.MAX_TEXT + 1)), "bad", "60,001"),
        (lambda case: reply(case, channel="chat"), "bad", "has not written by chat"),
        (lambda case: c.Note(id="w", conversation=CASE, text="\t"), "bad", "empty"),
        (lambda case: c.Note(id="w", conversation=CASE, text="x" * (c.MAX_TEXT + 1)), "bad", "60,000"),
        (lambda case: c.Note(id="w", conversation=CASE, text="x", to="nobody"), "bad", "nobody"),
        (lambda case: _transfer(), "bad", "one colleague, one queue or skills"),
        (lambda case: _transfer(to_agent="jonas", to_queue="returns"), "bad", "one colleague, one queue or skills"),
        (lambda case: _transfer(to_agent="nobody"), "bad", "no colleague nobody"),
        (lambda case: _transfer(to_queue="nowhere"), "bad", "no queue nowhere"),
        (lambda case: _transfer(to_agent="maya"), "bad", "already"),
        (lambda case: c.Close(id="w", conversation=CASE, disposition="whatever"), "bad", "solved, spam"),
        (lambda case: c.SendAgain(id="w", conversation=CASE, message="message-first"), "late", "not waiting"),
        (
            lambda case: c.Describe(id="w", conversation=CASE, customer="cust", field="name", text="x"),
            "bad",
            "does not know",
        ),
        (lambda case: reply(case, epoch=7), "late", "changed hands"),
        (lambda case: c.Transfer(id="w", conversation=CASE, to_queue="returns", epoch=0), "late", "changed hands"),
        (lambda case: c.Close(id="w", conversation=CASE, disposition="solved", epoch=0), "late", "changed hands"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_in_a_sentence(
    make: Callable[[Case], c.Act], code: str, words: str
) -> None:
    case = owned()
    decision = case.decide(make(case))
    assert isinstance(decision, Refusal)
    assert decision.code == code and words in decision.sentence
    assert is_sentence(decision.sentence)


def test_a_channel_that_is_no_longer_set_up_is_unavailable() -> None:
    case = owned()
    house = House(names=HOUSE.names, queues=HOUSE.queues, channels={}, dispositions=())
    decision = wishes.decide(case.state, reply(case), MAYA, house, "m", case.now_ms)
    assert isinstance(decision, Refusal) and decision.code == "unavailable" and is_sentence(decision.sentence)


def test_a_channel_with_short_messages_refuses_a_long_one() -> None:
    case = owned().add(received("2", channel="chat"))
    refusal = case.decide(reply(case, channel="chat", text="x" * 101))
    assert isinstance(refusal, Refusal) and "takes 100" in refusal.sentence
    assert isinstance(case.decide(reply(case, channel="chat", text="x" * 100)), Facts)


@pytest.mark.parametrize("closer", ["", "gone.colleague", "ann"])
@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 119, 3_599, 3_600, 7_200, 90_000, -5])
def test_a_late_refusal_is_a_sentence_whoever_closed_it_whenever(closer: str, seconds: int) -> None:
    case = owned().add(f.Closed(agent=closer, disposition="solved"))
    case.now_ms += seconds * 1000
    refusal = case.decide(reply(case))
    assert isinstance(refusal, Refusal) and is_sentence(refusal.sentence)
    assert "Reopen it to reply." in refusal.sentence


def test_a_command_repeated_is_done_once_and_answered_alike() -> None:
    case = owned()
    wish = reply(case)
    first = case.do(wish, message="message-a")
    second = case.do(wish, message="message-a")
    assert isinstance(first, Facts) and len(first.facts) == 1
    assert second == Facts(message="message-a")
    assert list(case.state.out) == ["message-a"]


WHERE = {
    "confirm": "talking",
    "keep_apart": "a guess",
    "end_consult": "talking",
    "wake": "asleep",
    "wrap_up": "wrap-up",
    "more_time": "wrap-up",
}
"""States in which they are granted to Maya, where it is not `owned`."""
NOT_HERS = ("decline", "take_back", "reopen", "accept", "force_transfer")


@pytest.mark.parametrize("verb", [verb for verb in WISHES if verb not in NOT_HERS])
def test_every_command_of_an_owner_is_done_once(verb: str) -> None:
    case = STATES[WHERE.get(verb, "owned")]()
    wish = WISHES[verb](case)
    first = case.do(wish, message="message-failed")
    length = len(case.log)
    second = case.do(wish, message="message-failed")
    assert isinstance(first, Facts) and first.facts
    assert isinstance(second, Facts) and second.facts == ()
    assert len(case.log) == length
    if first.message:
        assert second.message == first.message


def test_a_command_is_done_once_though_the_case_was_closed_meanwhile() -> None:
    case = owned()
    wish = reply(case)
    case.do(wish)
    case.do(c.Close(id="close", conversation=CASE, disposition="solved"))
    assert case.decide(wish) == Facts(message="message-new")


def test_commands_of_the_last_week_are_remembered_and_older_ones_go() -> None:
    case = owned()
    for number in range(70):
        case.do(c.Note(id=f"old-{number}", conversation=CASE, text="x"))
    assert "old-0" in case.state.commands
    case.now_ms += 8 * 86_400_000
    case.do(c.Note(id="new", conversation=CASE, text="x"))
    assert set(case.state.commands) == {"new"}


class TestStoppedReply:
    """Somebody wrote after what the agent had on screen."""

    def test_the_customer_wrote_meanwhile(self) -> None:
        case = owned()
        wish = reply(case)
        case.add(received("2", name="Anna Berg"))
        assert case.decide(wish) == Changed(since=wish.seen, sentence="Anna Berg wrote after you began.")

    def test_a_colleague_wrote_meanwhile(self) -> None:
        case = owned()
        wish = reply(case)
        case.do(c.Note(id="note", conversation=CASE, text="careful"), JONAS)
        assert case.decide(wish) == Changed(since=wish.seen, sentence="Jonas wrote after you began.")

    def test_one_s_own_words_stop_nothing(self) -> None:
        case = owned()
        wish = reply(case)
        case.do(c.Note(id="note", conversation=CASE, text="for later"), MAYA)
        assert isinstance(case.decide(wish), Facts)

    def test_anyway_sends(self) -> None:
        case = owned()
        seen = case.state.seq
        case.add(received("2"))
        case.do(c.Note(id="note", conversation=CASE, text="careful"), JONAS)
        assert isinstance(case.decide(reply(case, seen=seen)), Changed)
        assert isinstance(case.decide(reply(case, seen=seen, anyway=True)), Facts)

    def test_a_second_copy_of_a_mail_stops_nothing(self) -> None:
        case = owned()
        wish = reply(case)
        case.add(f.DeliveredAgain(message="message-first", item="copy", channel="support"))
        assert isinstance(case.decide(wish), Facts)

    def test_whoever_looks_again_may_send(self) -> None:
        case = owned().add(received("2"))
        assert isinstance(case.decide(reply(case, seen=case.state.seq)), Facts)


def test_the_owner_keeps_the_case_until_the_colleague_accepts() -> None:
    case = owned()
    case.do(c.Transfer(id="t", conversation=CASE, to_agent="lena", note="you know them"))
    assert (case.state.owner, case.state.offer and case.state.offer.agent) == ("maya", "lena")
    case.do(c.Decline(id="d", conversation=CASE), LENA)
    assert (case.state.owner, case.state.offer) == ("maya", None)
    case.do(c.Transfer(id="t2", conversation=CASE, to_agent="lena"))
    case.do(c.Accept(id="a", conversation=CASE), LENA)
    assert (case.state.owner, case.state.epoch, case.state.last_owner) == ("lena", 2, "maya")


def test_of_two_who_accept_the_second_is_told_who_was_first() -> None:
    case = queued()
    case.do(c.Accept(id="a", conversation=CASE), MAYA)
    refusal = case.decide(c.Accept(id="b", conversation=CASE), JONAS)
    assert isinstance(refusal, Refusal)
    assert refusal.sentence == "Maya took this conversation 0 seconds ago. Take the next one."


def test_reopening_takes_the_case_and_leads_its_handle() -> None:
    case = closed()
    decision = case.do(c.Reopen(id="r", conversation=CASE), JONAS)
    assert isinstance(decision, Facts) and decision.leads_handle
    assert (case.state.status, case.state.owner, case.state.epoch) == ("owned", "jonas", 2)


def test_a_supervisor_takes_a_case_out_of_an_owner_s_hands() -> None:
    moved, ended = owned(), owned()
    moved.do(c.Transfer(id="t", conversation=CASE, to_queue="returns"), OLGA)
    assert (moved.state.status, moved.state.queue, moved.state.owner) == ("queued", "returns", "")
    ended.do(c.Close(id="t", conversation=CASE, disposition="spam"), OLGA)
    assert (ended.state.status, ended.state.closed_by) == ("closed", "olga")


def test_a_reply_by_mail_goes_on_with_the_subject_and_the_chain() -> None:
    case = owned().add(received("2", subject="Order 4711", mail_id="x2@example.se"))
    decision = case.decide(reply(case))
    assert isinstance(decision, Facts)
    (fact,) = decision.facts
    assert isinstance(fact, f.Replied) and fact.in_reply_to == "message-2"
    words = opened(fact.words)
    assert (words.subject, words.references, words.mail_id) == ("Re: Order 4711", ("x2@example.se",), "x2@example.se")
