"""Passing on: three facts, the owner keeps it until the last, and whoever cannot take it is not asked."""

from typing import Any

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.policy import DeskRules, Skill, Target
from broker_bridge.contract.words import Packet, opened
from broker_bridge.core.decision import Decision, Facts
from broker_bridge.core.wishes import Place
from tests.core.world import CASE, JONAS, LENA, MAYA, OLGA, Case, at_work, is_sentence, owned, queued, ruled


def _ask(case: Case, **changes: Any) -> Decision:
    wish = c.Transfer(**{"id": f"ask-{len(case.log)}", "conversation": CASE, "to_agent": "lena"} | changes)
    return case.do(wish)


def _say(case: Case, kind: type[c.Act], actor: Any, **more: Any) -> Decision:
    return case.do(kind(id=f"{kind.__name__}-{len(case.log)}", conversation=CASE, **more), actor)


def _ringing(case: Case) -> list[str]:
    return list(case.state.offer.everybody) if case.state.offer is not None else []


def _kinds(case: Case, since: int) -> list[str]:
    return [type(fact).__name__ for _, entry in case.log[since:] for fact in entry.facts]


def test_offer_yes_and_change_of_hands_are_three_facts() -> None:
    case = owned()
    since = len(case.log)
    _ask(case)
    _say(case, c.Accept, LENA)
    assert _kinds(case, since) == ["Transferred", "Offered", "TransferAccepted", "Accepted"]
    assert (case.state.owner, case.state.epoch, case.state.consult) == ("lena", 2, None)


def test_a_talk_changes_hands_only_when_the_owner_confirms() -> None:
    case = owned()
    _ask(case, ask_first=True)
    _say(case, c.Accept, LENA)
    assert (case.state.owner, case.state.consult and case.state.consult.agent) == ("maya", "lena")
    _say(case, c.Confirm, MAYA)
    assert (case.state.owner, case.state.epoch, case.state.consult) == ("lena", 2, None)


@pytest.mark.parametrize(("actor", "is_granted"), [(MAYA, True), (LENA, True), (OLGA, True), (JONAS, False)])
def test_either_side_and_a_supervisor_end_a_talk_and_the_owner_keeps_it(actor: Any, is_granted: bool) -> None:
    case = owned()
    _ask(case, ask_first=True)
    _say(case, c.Accept, LENA)
    decision = _say(case, c.EndConsult, actor, reason="she knows")
    assert isinstance(decision, Facts) is is_granted
    assert case.state.owner == "maya" and (case.state.consult is None) is is_granted


def test_whoever_is_asked_may_not_confirm_for_the_owner() -> None:
    case = owned()
    _ask(case, ask_first=True)
    _say(case, c.Accept, LENA)
    refusal = _say(case, c.Confirm, LENA)
    assert isinstance(refusal, Refusal) and case.state.owner == "maya"


def test_a_talk_about_a_case_that_nobody_owns_any_more_gives_it_at_once() -> None:
    case = owned()
    _ask(case, ask_first=True)
    asked = case.state.offer
    case.add(f.Queued(queue="orders", reason="gone"))
    case.state.offer = asked
    _say(case, c.Accept, LENA)
    assert (case.state.owner, case.state.consult) == ("lena", None)


def test_the_packet_goes_along() -> None:
    packet = Packet(problem="charged twice", open="which shop?")
    decision = _ask(owned(), packet=packet, note="please", seen=12)
    assert isinstance(decision, Facts)
    passed = decision.facts[0]
    assert isinstance(passed, f.Transferred) and passed.seen == 12
    assert (opened(passed.words).packet, opened(passed.words).text) == (packet, "please")


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        (Place(state="away", words="at lunch until 14:30"), "absent", "Lena is at lunch until 14:30."),
        (Place(state="off"), "absent", "Lena is off."),
        (Place(state="silent"), "absent", "Lena is silent."),
        (Place(load=91), "full", "Lena carries 91 of 100"),
    ],
)
def test_who_is_not_here_or_has_no_room_is_refused_with_the_reason(place: Place, code: str, words: str) -> None:
    case = at_work(owned(), ruled(place=lambda _: place))
    for ask_first in (False, True):
        refusal = _ask(case, ask_first=ask_first)
        assert isinstance(refusal, Refusal) and refusal.code == code
        assert words in refusal.sentence and is_sentence(refusal.sentence)
    assert case.state.owner == "maya" and case.state.offer is None


@pytest.mark.parametrize("state", ["ready", "busy", "transfer_only", "wrap_up"])
def test_who_is_here_may_be_asked(state: str) -> None:
    case = at_work(owned(), ruled(place=lambda _: Place(state=state, load=90)))
    assert isinstance(_ask(case), Facts)


def test_a_second_ask_of_who_rings_already_takes_no_second_place() -> None:
    case = at_work(owned(), ruled(place=lambda _: Place(load=95)))
    case.add(f.Offered(agent="lena", until_ms=9, is_transfer=True, by="maya", units=10))
    decision = _ask(case, ask_first=True)
    assert isinstance(decision, Facts) and decision.gives == ()


def test_nobody_else_is_asked_during_a_talk() -> None:
    case = owned()
    _ask(case, ask_first=True)
    _say(case, c.Accept, LENA)
    refusal = _ask(case, to_agent="jonas")
    assert isinstance(refusal, Refusal) and "Lena is being asked" in refusal.sentence


class TestForce:
    """A supervisor gives it to a colleague without asking."""

    def test_it_is_theirs_at_once_though_they_are_full_or_away(self) -> None:
        case = at_work(owned(), ruled(place=lambda _: Place(state="away", load=100)))
        decision = case.do(c.Transfer(id="t", conversation=CASE, to_agent="jonas", force=True), OLGA)
        assert isinstance(decision, Facts) and decision.gives == (("jonas", 10),)
        assert (case.state.owner, case.state.epoch) == ("jonas", 2)

    def test_a_talk_that_goes_on_is_over(self) -> None:
        case = owned().add(f.TransferAccepted(agent="lena"))
        case.do(c.Transfer(id="t", conversation=CASE, to_agent="jonas", force=True), OLGA)
        assert (case.state.owner, case.state.consult) == ("jonas", None)

    def test_only_a_supervisor_may(self) -> None:
        refusal = _ask(owned(), force=True)
        assert isinstance(refusal, Refusal) and refusal.code == "denied"

    def test_only_to_a_colleague(self) -> None:
        case = owned()
        refusal = case.do(c.Transfer(id="t", conversation=CASE, to_queue="returns", force=True), OLGA)
        assert isinstance(refusal, Refusal) and refusal.code == "bad"


class TestToSkills:
    """To whoever knows something, in the queue that it is in."""

    def test_it_waits_for_the_skills(self) -> None:
        case = owned()
        _ask(case, to_agent=None, to_skills=(Skill(name="swedish", level=3),))
        assert (case.state.status, case.state.queue, case.state.skills) == (
            "queued",
            "orders",
            (Skill(name="swedish", level=3),),
        )
        case.add(f.Queued(queue="orders"))
        assert case.state.skills == ()

    def test_a_skill_that_nobody_defined_is_refused(self) -> None:
        case = at_work(owned(), ruled(desk=DeskRules(skills=("cards",))))
        refusal = _ask(case, to_agent=None, to_skills=(Skill(name="swedish"),))
        assert isinstance(refusal, Refusal) and "no skill swedish" in refusal.sentence


@pytest.mark.parametrize(
    "wish",
    [
        {"to_agent": ""},
        {"to_agent": None, "to_queue": ""},
        {"to_agent": None},
        {"to_agent": "lena", "to_skills": (Skill(name="x"),)},
        {"to_agent": None, "to_queue": "returns", "ask_first": True},
        {"packet": Packet(tried="x" * 4_001)},
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(wish: dict[str, Any]) -> None:
    refusal = _ask(owned(), **wish)
    assert isinstance(refusal, Refusal) and refusal.code == "bad" and is_sentence(refusal.sentence)


class TestEverybodyRings:
    """The first accept wins."""

    def test_one_who_declines_leaves_the_others_ringing(self) -> None:
        case = queued().add(f.Offered(agent="maya", until_ms=9, also=("jonas", "lena")))
        _say(case, c.Decline, MAYA, reason="lunch")
        assert _ringing(case) == ["jonas", "lena"]
        _say(case, c.Decline, LENA)
        assert _ringing(case) == ["jonas"]
        _say(case, c.Decline, JONAS)
        assert case.state.offer is None and set(case.state.declined) == {"maya", "lena", "jonas"}

    def test_the_first_accept_wins_and_the_second_is_told(self) -> None:
        case = queued().add(f.Offered(agent="maya", until_ms=9, also=("jonas",)))
        decision = _say(case, c.Accept, JONAS)
        assert isinstance(decision, Facts) and decision.gives == ()
        refusal = _say(case, c.Accept, MAYA)
        assert isinstance(refusal, Refusal) and "Jonas took this conversation" in refusal.sentence

    def test_time_up_is_up_for_all(self) -> None:
        case = queued().add(f.Offered(agent="maya", until_ms=9, also=("jonas",)))
        case.add(f.OfferEnded(agent="maya", reason="expired"))
        assert case.state.offer is None and set(case.state.declined) == {"maya", "jonas"}


class TestAsleep:
    """Whoever gets a case gets it awake: its clock goes on."""

    def _case(self) -> Case:
        case = at_work(owned(), ruled(targets=(Target(resolution_s=600),)))
        case.add(f.Targeted(what="resolution", due_ms=case.now_ms + 600_000, from_ms=case.now_ms, work_s=600))
        case.do(c.Snooze(id="s", conversation=CASE, until_ms=case.now_ms + 3_600_000))
        case.now_ms += 1_000_000
        assert case.state.promises["resolution"].due_ms is None
        return case

    def _runs(self, case: Case) -> None:
        assert case.state.snooze is None
        promise = case.state.promises["resolution"]
        assert promise.due_ms is not None and 590_000 < promise.due_ms - case.now_ms <= 600_000

    @pytest.mark.parametrize("queue", ["orders", "returns"])
    def test_by_a_queue(self, queue: str) -> None:
        case = self._case()
        _ask(case, to_agent=None, to_queue=queue)
        self._runs(case)

    def test_by_a_yes(self) -> None:
        case = self._case()
        _ask(case)
        assert case.state.snooze is not None
        _say(case, c.Accept, LENA)
        self._runs(case)

    def test_by_a_confirmed_talk(self) -> None:
        case = self._case()
        _ask(case, ask_first=True)
        _say(case, c.Accept, LENA)
        assert case.state.snooze is not None
        _say(case, c.Confirm, MAYA)
        self._runs(case)

    def test_by_force(self) -> None:
        case = self._case()
        case.do(c.Transfer(id="t", conversation=CASE, to_agent="jonas", force=True), OLGA)
        self._runs(case)


class TestRoom:
    """Who is full takes nothing more of their own accord."""

    def test_a_pull_from_the_queue_is_refused(self) -> None:
        case = at_work(queued(), ruled(place=lambda _: Place(load=91)))
        refusal = _say(case, c.Accept, MAYA)
        assert isinstance(refusal, Refusal) and refusal.code == "full" and is_sentence(refusal.sentence)
        assert "91 of 100" in refusal.sentence and "takes 10" in refusal.sentence

    def test_just_enough_is_enough(self) -> None:
        case = at_work(queued(), ruled(place=lambda _: Place(load=90)))
        decision = _say(case, c.Accept, MAYA)
        assert isinstance(decision, Facts) and decision.gives == (("maya", 10),)

    def test_a_supervisor_takes_it_anyway(self) -> None:
        case = at_work(queued(), ruled(place=lambda _: Place(load=100)))
        assert isinstance(_say(case, c.Accept, OLGA), Facts)

    def test_who_writes_the_outcome_of_it_has_the_place_to_reopen_it(self) -> None:
        case = at_work(owned(), ruled(place=lambda _: Place(load=100), wrap_up="mandatory"))
        _say(case, c.Close, MAYA)
        decision = _say(case, c.Reopen, MAYA)
        assert isinstance(decision, Facts) and decision.gives == ()
        assert (case.state.owner, case.state.wrap) == ("maya", None)
