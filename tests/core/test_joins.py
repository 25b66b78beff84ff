"""Merge, un-merge and split over several logs and handles: nothing is lost, and everything comes back."""

import random
from typing import Any

import msgspec
import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.facts import ConversationFact, Entry
from broker_bridge.contract.policy import Cost, DeskRules
from broker_bridge.core import conversation as conv
from broker_bridge.core import handle, joins, timers, wishes
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.decision import Facts
from broker_bridge.core.definitions import Policy
from broker_bridge.core.handle import Handle
from broker_bridge.core.wishes import Actor, House, Place
from tests.core.world import ANNA, BOB, HOUSE, JONAS, LENA, MAYA, OLGA, OPENED, START_MS, is_sentence, received

NOW_MS = START_MS + 600_000
REPLIED = f.Replied(message="r", agent="maya", channel="support", channel_kind="email", handle=ANNA, words=None)


class Site:
    """Cases and handles, and one log for them all."""

    def __init__(self) -> None:
        self.cases: dict[str, Conversation] = {}
        self.handles: dict[str, Handle] = {}
        self.seq = 0

    def add(self, name: str, *facts: ConversationFact) -> None:
        self.seq += 1
        state = self.cases.setdefault(name, conv.begin(name))
        conv.fold(state, Entry(at_ms=START_MS + self.seq * 1000, by="x", facts=facts), self.seq)

    def lead(self, name: str, case: str) -> None:
        self.seq += 1
        state = self.handles.setdefault(name, handle.begin(name))
        handle.fold(state, Entry(at_ms=1, by="x", facts=(f.Began(conversation=case),)), self.seq)

    def opens(self, name: str, hand: str, owner: str = "", due_s: int = 60) -> None:
        due_ms = START_MS + due_s * 1000
        self.add(name, OPENED, received(name, hand), f.Queued(queue="orders"), f.Targeted(what="first", due_ms=due_ms))
        self.lead(hand, name)
        if owner:
            self.add(name, f.Accepted(agent=owner, epoch=1))

    def apply(self, source: str, target: str, joined: joins.Joined) -> None:
        """One batch."""
        if joined.source:
            self.add(source, *joined.source)
        if joined.target:
            self.add(target, *joined.target)
        for name, case in joined.handles:
            self.lead(name, case)

    def merge(self, source: str, target: str, actor: Actor = MAYA) -> joins.Joined | Refusal:
        found = joins.merge(self.cases[source], self.cases[target], self._of(source), actor, HOUSE, NOW_MS)
        if isinstance(found, joins.Joined):
            self.apply(source, target, found)
        return found

    def unmerge(self, source: str, target: str, actor: Actor = MAYA) -> joins.Joined | Refusal:
        found = joins.unmerge(self.cases[source], self.cases[target], self.handles, actor, HOUSE, NOW_MS)
        if isinstance(found, joins.Joined):
            self.apply(source, target, found)
        return found

    def _of(self, name: str) -> dict[str, Handle]:
        return {one: self.handles[one] for one in self.cases[name].handles if one in self.handles}

    def next_goes_to(self, hand: str) -> str:
        return joins.leads_to(self.cases[self.handles[hand].conversation])


def _two(**more: Any) -> Site:
    site = Site()
    site.opens("a", ANNA, "maya")
    site.opens("b", BOB, "maya", **more)
    return site


def refused(found: joins.Joined | Refusal, code: str, words: str) -> None:
    assert isinstance(found, Refusal), found
    assert found.code == code and words in found.sentence and is_sentence(found.sentence), found


def test_the_next_message_of_either_lands_on_the_one_that_goes_on() -> None:
    site = _two()
    site.merge("a", "b")
    assert (site.next_goes_to(ANNA), site.next_goes_to(BOB)) == ("b", "b")
    assert site.cases["a"].status == "merged" and joins.leads_to(site.cases["a"]) == "b"
    assert set(site.cases["b"].handles) == {ANNA, BOB}


def test_what_the_customer_waits_for_comes_along() -> None:
    site = _two(due_s=9_000)
    due_ms, since_ms = site.cases["a"].due_ms, site.cases["a"].waiting_since_ms
    site.merge("a", "b")
    target = site.cases["b"]
    assert (target.due_ms, target.waiting_since_ms, target.unread) == (due_ms, since_ms, 2)
    assert [what for what in ("first", "next") if what in target.promises] == ["first"]


def test_a_promise_that_is_due_later_changes_nothing() -> None:
    site = _two(due_s=5)
    due_ms = site.cases["b"].due_ms
    site.merge("a", "b")
    assert site.cases["b"].due_ms == due_ms


def test_the_resolution_that_was_promised_holds_on() -> None:
    site = _two()
    site.add("a", f.Targeted(what="resolution", due_ms=START_MS + 10**7, from_ms=START_MS, work_s=10_000))
    site.merge("a", "b")
    assert site.cases["b"].promises["resolution"].due_ms == START_MS + 10**7


def test_whoever_waits_wakes_the_case_they_come_to_and_its_clock_goes_on() -> None:
    """They had written, and their message slept with the case that it was merged into."""
    site = _two()
    asleep = f.Targeted(what="resolution", from_ms=START_MS, work_s=10_000, left_s=5_000, because="stands still")
    site.add("b", f.Snoozed(agent="maya", until_ms=START_MS + 10**8), asleep)
    site.merge("a", "b")
    target = site.cases["b"]
    assert target.snooze is None and target.waiting_since_ms is not None
    assert target.promises["resolution"].due_ms == NOW_MS + 5_000_000


@pytest.mark.parametrize("facts", [(f.Closed(agent="maya", disposition="spam"),), (REPLIED,)])
def test_a_case_in_which_nobody_waits_wakes_none(facts: tuple[ConversationFact, ...]) -> None:
    site = _two()
    asleep = f.Targeted(what="resolution", from_ms=START_MS, work_s=10_000, left_s=5_000, because="stands still")
    site.add("b", f.Snoozed(agent="maya", until_ms=START_MS + 10**8), asleep)
    site.add("a", *facts)
    site.add("a", f.Sending(message="r", attempt=1, deadline_ms=NOW_MS, bridge="x"), f.Sent(message="r", attempt=1))
    assert isinstance(site.merge("a", "b"), joins.Joined)
    assert site.cases["b"].snooze is not None
    assert site.cases["b"].promises["resolution"].left_s == 5_000


def test_a_closed_case_goes_into_an_open_one_and_comes_back_closed() -> None:
    site = _two()
    site.add("a", f.Closed(agent="maya", disposition="solved"))
    since_ms, unread = site.cases["b"].waiting_since_ms, site.cases["b"].unread
    site.merge("a", "b", JONAS)
    assert site.next_goes_to(ANNA) == "b"
    assert (site.cases["b"].waiting_since_ms, site.cases["b"].unread) == (since_ms, unread)
    site.unmerge("a", "b", JONAS)
    assert (site.cases["a"].status, site.cases["a"].disposition) == ("closed", "solved")
    assert site.next_goes_to(ANNA) == "a"


def test_undoing_a_merge_restores_handles_status_and_ways() -> None:
    site = _two()
    site.add("a", received("chat", ANNA, "chat"))
    ways, due_ms = dict(site.cases["a"].ways), site.cases["a"].due_ms
    site.merge("a", "b")
    site.unmerge("a", "b")
    source = site.cases["a"]
    assert (source.status, source.owner, source.last_owner, source.queue) == ("queued", "", "maya", "orders")
    assert (source.merged_into, source.before_merge, source.ways, source.due_ms) == ("", "", ways, due_ms)
    assert (site.next_goes_to(ANNA), site.next_goes_to(BOB)) == ("a", "b")
    assert site.cases["b"].merged == {} and site.cases["b"].owner == "maya"


def answers(site: Site, name: str) -> None:
    site.add(
        name, REPLIED, f.Sending(message="r", attempt=1, deadline_ms=NOW_MS, bridge="x"), f.Sent(message="r", attempt=1)
    )


def waits(site: Site, name: str) -> bool:
    state = site.cases[name]
    assert (state.waiting_since_ms is not None) == (state.unread > 0) == bool({"first", "next"} & state.promises.keys())
    return state.waiting_since_ms is not None


def test_whoever_waits_goes_back_with_their_case_and_nobody_waits_in_the_other() -> None:
    """It stood there as late, with nobody to answer."""
    site = _two()
    answers(site, "b")
    assert not waits(site, "b")
    site.merge("a", "b")
    assert waits(site, "b")
    site.unmerge("a", "b")
    assert (waits(site, "a"), waits(site, "b")) == (True, False)


def test_who_waited_in_the_other_before_or_wrote_since_waits_on() -> None:
    site = _two()
    site.merge("a", "b")
    site.unmerge("a", "b")
    assert (waits(site, "a"), waits(site, "b")) == (True, True)
    answers(site, "b")
    site.merge("a", "b")
    site.add("b", received("later", BOB))
    site.unmerge("a", "b")
    assert site.cases["b"].waiting_since_ms is not None


def test_of_two_who_came_the_one_who_stays_waits_on() -> None:
    site = _two()
    answers(site, "b")
    site.opens("c", "hand-c", "maya")
    site.merge("a", "b")
    site.merge("c", "b")
    site.unmerge("a", "b")
    assert (waits(site, "a"), waits(site, "b")) == (True, True)
    site.unmerge("c", "b")
    assert (waits(site, "c"), waits(site, "b")) == (True, False)


def test_who_was_answered_in_the_other_case_does_not_wait_when_they_come_back() -> None:
    site = _two()
    site.merge("a", "b")
    answers(site, "b")
    site.unmerge("a", "b")
    assert (waits(site, "a"), waits(site, "b")) == (False, False)


def test_a_handle_that_went_elsewhere_meanwhile_is_left_there() -> None:
    site = _two()
    site.merge("a", "b")
    site.opens("later", ANNA)
    site.unmerge("a", "b")
    assert site.next_goes_to(ANNA) == "later"


def test_opposite_merges_give_one_result() -> None:
    for first, second in (("a", "b"), ("b", "a")):
        site = _two()
        assert isinstance(site.merge(first, second), joins.Joined)
        again = site.merge(second, first, OLGA)
        assert again == joins.Joined()
        assert site.merge(first, second) == joins.Joined()
        assert {site.next_goes_to(ANNA), site.next_goes_to(BOB)} == {second}
        assert [one.status for one in site.cases.values()].count("merged") == 1


def test_a_batch_decided_on_old_heads_is_lost_so_both_are_in_it() -> None:
    site = _two()
    found = joins.merge(site.cases["a"], site.cases["b"], site.handles, MAYA, HOUSE)
    assert isinstance(found, joins.Joined) and found.source and found.target


def test_a_case_cannot_go_into_itself_a_closed_one_or_one_that_went_on() -> None:
    site = _two()
    refused(site.merge("a", "a"), "bad", "itself")
    site.opens("c", "hand-c")
    site.add("c", f.Closed(agent="jonas", disposition="x"))
    refused(site.merge("a", "c"), "late", "Reopen it, or merge in the other direction.")
    site.opens("d", "hand-d", "maya")
    site.merge("d", "b")
    refused(site.merge("a", "d"), "late", "goes on in another one")
    refused(site.merge("d", "a"), "late", "goes on in another one")


def test_only_who_may_decide_merges_a_case() -> None:
    site = _two()
    refused(site.merge("a", "b", JONAS), "not_yours", "Maya owns #")
    refused(site.merge("a", "b", LENA), "not_yours", "Maya owns #")
    assert isinstance(site.merge("a", "b", OLGA), joins.Joined)


def test_a_reply_on_its_way_goes_first() -> None:
    site = _two()
    reply = f.Replied(message="m", agent="maya", channel="support", channel_kind="email", handle=ANNA)
    site.add("a", reply)
    refused(site.merge("a", "b"), "busy", "is being sent")
    site.add("a", f.Sending(message="m", attempt=1, deadline_ms=0, bridge="b"), f.Sent(message="m", attempt=1))
    assert isinstance(site.merge("a", "b"), joins.Joined)


def test_an_outcome_that_has_to_be_written_is_written_first() -> None:
    site = _two()
    site.add("a", f.Closed(agent="maya", disposition=""), f.WrapUpBegan(agent="maya", mode="mandatory"))
    refused(site.merge("a", "b", JONAS), "busy", "Maya writes the outcome of #")
    site.add("a", f.WrappedUp(agent="maya", disposition="solved"))
    assert isinstance(site.merge("a", "b", JONAS), joins.Joined)


def test_a_merge_inside_a_merge_is_undone_from_the_outside() -> None:
    site = _two()
    site.opens("c", "hand-c", "maya")
    site.merge("a", "b")
    site.merge("b", "c")
    assert {site.next_goes_to(ANNA), site.next_goes_to(BOB)} == {"c"}
    refused(site.unmerge("a", "b"), "late", "Undo that merge first.")
    site.unmerge("b", "c")
    site.unmerge("a", "b")
    assert (site.next_goes_to(ANNA), site.next_goes_to(BOB), site.next_goes_to("hand-c")) == ("a", "b", "c")


def test_a_guess_that_was_refused_is_not_made_again_and_can_be_undone_by_merging() -> None:
    site = _two()
    guess = f.Suggested(conversation="a", reason="the same order")
    site.add("b", guess)
    assert site.cases["b"].suggestion == "a"
    wish = c.KeepApart(id="no", conversation="b", other="a")
    decision = wishes.decide(site.cases["b"], wish, MAYA, HOUSE, "m", START_MS)
    assert decision == Facts(facts=(f.KeptApart(conversation="a", agent="maya"),))
    site.add("b", *decision.facts)
    site.add("b", guess)
    assert (site.cases["b"].suggestion, site.cases["b"].apart) == ("", ("a",))
    again = c.KeepApart(id="no2", conversation="b", other="a")
    assert wishes.decide(site.cases["b"], again, MAYA, HOUSE, "m", START_MS) == Facts()
    other = c.KeepApart(id="no3", conversation="b", other="c")
    refused(wishes.decide(site.cases["b"], other, MAYA, HOUSE, "m", START_MS), "late", "Nothing speaks")  # type: ignore[arg-type]
    site.merge("a", "b")
    assert site.cases["b"].apart == () and "a" in site.cases["b"].merged


def test_an_undone_merge_is_not_undone_twice() -> None:
    site = _two()
    site.merge("a", "b")
    refused(site.unmerge("a", "b", LENA), "denied", "You do not work on the queue orders.")
    site.unmerge("a", "b")
    refused(site.unmerge("a", "b"), "late", "case of its own already")
    refused(site.unmerge("b", "a"), "late", "case of its own already")


class TestTasks:
    """They go along, remind once, and come back as they stand."""

    def _site(self) -> Site:
        site = _two()
        site.add("a", f.TaskAdded(task="t", agent="maya", assignee="jonas", due_ms=START_MS + 9))
        return site

    def test_who_was_reminded_is_not_reminded_again(self) -> None:
        site = self._site()
        site.add("a", f.TaskReminded(task="t", due_ms=START_MS + 9))
        site.merge("a", "b")
        assert site.cases["b"].tasks["t"].is_reminded
        site.unmerge("a", "b")
        assert site.cases["a"].tasks["t"].is_reminded and not site.cases["b"].tasks

    def test_who_is_reminded_there_is_not_reminded_here_again(self) -> None:
        site = self._site()
        site.merge("a", "b")
        assert timers.first(site.cases["a"]) is None
        site.add("b", f.TaskReminded(task="t", due_ms=START_MS + 9))
        site.unmerge("a", "b")
        assert site.cases["a"].tasks["t"].is_reminded

    def test_what_was_done_there_is_done(self) -> None:
        site = self._site()
        site.merge("a", "b")
        site.add("b", f.TaskDone(task="t", agent="jonas"))
        site.unmerge("a", "b")
        assert not site.cases["a"].tasks and not site.cases["b"].tasks

    def test_what_was_changed_there_is_changed(self) -> None:
        site = self._site()
        site.merge("a", "b")
        site.add("b", f.TaskChanged(task="t", agent="olga", assignee="lena", due_ms=START_MS + 99))
        site.unmerge("a", "b")
        task = site.cases["a"].tasks["t"]
        assert (task.assignee, task.due_ms, task.by) == ("lena", START_MS + 99, "maya")

    def test_a_merged_case_s_own_tasks_are_changed_where_it_goes_on(self) -> None:
        site = self._site()
        site.merge("a", "b")
        wish = c.FinishTask(id="w", conversation="a", task="t")
        refusal = wishes.decide(site.cases["a"], wish, JONAS, HOUSE, "m", START_MS)
        assert isinstance(refusal, Refusal) and "goes on in another one" in refusal.sentence


class TestSplit:
    """This message and all later ones become a case of their own."""

    def _split(self, site: Site, actor: Actor = MAYA, house: House = HOUSE, **moved: Any) -> joins.Joined | Refusal:
        source = site.cases["a"]
        what: dict[str, Any] = {
            "from_seq": source.last_in_seq,
            "messages": frozenset({"message-2"}),
            "text": "text of 2",
            "waits_since_ms": None,
        }
        found = joins.split(
            source, conv.begin("new"), joins.Moved(**(what | moved)), site.handles, actor, house, START_MS
        )
        if isinstance(found, joins.Joined):
            site.cases["new"] = conv.begin("new")
            site.apply("a", "new", found)
        return found

    def _site(self) -> Site:
        site = _two()
        site.add("a", received("2", BOB, "chat"))
        site.lead(BOB, "a")
        return site

    def test_the_new_case_is_owned_and_the_address_leads_to_it(self) -> None:
        site = self._site()
        found = self._split(site, waits_since_ms=START_MS + 5, unread=1)
        assert isinstance(found, joins.Joined) and found.gives == (("maya", 20),)
        new = site.cases["new"]
        assert (new.status, new.owner, new.epoch, new.split_from, new.unread) == ("owned", "maya", 1, "a", 1)
        assert (new.waiting_since_ms, new.text, list(new.ways)) == (START_MS + 5, "text of 2", ["chat"])
        assert (site.next_goes_to(BOB), site.next_goes_to(ANNA)) == ("new", "a")

    def test_whoever_waited_before_waits_on_in_the_old_case_too(self) -> None:
        site = self._site()
        since_ms, due_ms = site.cases["a"].waiting_since_ms, site.cases["a"].due_ms
        self._split(site, waits_since_ms=START_MS + 10**6)
        assert (site.cases["a"].waiting_since_ms, site.cases["a"].due_ms) == (since_ms, due_ms)
        assert site.cases["new"].due_ms is not None

    @pytest.mark.parametrize(
        ("load", "idle_counts", "waits", "is_theirs"),
        [
            (80, True, True, True),
            (81, True, True, False),
            # What nobody waits for takes no place where idle cases take none.
            (100, False, False, True),
            (81, True, False, False),
            # Who waits goes along, and so does the place.
            (100, False, True, True),
        ],
    )
    def test_what_the_splitter_cannot_carry_waits_in_the_queue(
        self, load: int, idle_counts: bool, waits: bool, is_theirs: bool
    ) -> None:
        site = self._site()
        costs = tuple(Cost(channel_kind=kind, units=20, idle_counts=idle_counts) for kind in ("email", "webchat"))
        house = msgspec.structs.replace(
            HOUSE, policy=Policy(desk=DeskRules(costs=costs)), place=lambda _: Place(load=load, units=100)
        )
        found = self._split(site, house=house, waits_since_ms=site.cases["a"].waiting_since_ms if waits else None)
        assert isinstance(found, joins.Joined)
        new = site.cases["new"]
        assert (new.status, new.owner, new.last_owner) == (
            ("owned", "maya", "maya") if is_theirs else ("queued", "", "maya")
        )
        assert found.gives == ((("maya", 20),) if is_theirs else ())
        reason = next(fact.reason for fact in found.target if isinstance(fact, f.Queued))
        assert reason == ("split" if is_theirs else "Maya has no room for what was split off")

    def test_a_supervisor_who_splits_knows_what_they_do(self) -> None:
        site = Site()
        site.opens("a", ANNA, "olga")
        site.add("a", received("2", BOB, "chat"))
        house = msgspec.structs.replace(HOUSE, place=lambda _: Place(load=100, units=100))
        assert isinstance(self._split(site, OLGA, house), joins.Joined)
        assert site.cases["new"].owner == "olga"

    def test_whoever_waits_only_for_what_goes_waits_there(self) -> None:
        site = self._site()
        since_ms, due_ms = site.cases["a"].waiting_since_ms, site.cases["a"].due_ms
        self._split(site, waits_since_ms=since_ms)
        assert (site.cases["a"].waiting_since_ms, site.cases["a"].due_ms, site.cases["a"].promises) == (None, None, {})
        assert (site.cases["new"].waiting_since_ms, site.cases["new"].due_ms) == (since_ms, due_ms)

    def test_it_is_refused_to_others_and_without_a_message(self) -> None:
        site = self._site()
        refused(self._split(site, JONAS), "not_yours", "Maya took this conversation")
        refused(self._split(site, messages=frozenset()), "bad", "No message of the customer would go.")

    def test_an_address_that_is_not_known_is_no_obstacle(self) -> None:
        site = self._site()
        del site.handles[BOB]
        assert isinstance(self._split(site), joins.Joined)


@pytest.mark.parametrize("seed", range(30))
def test_any_merges_and_undoings_keep_every_address_leading_to_an_open_case(seed: int) -> None:
    chance, site = random.Random(seed), Site()
    names = ["a", "b", "c", "d"]
    for name in names:
        site.opens(name, f"hand-{name}")
    for _ in range(40):
        source, target = chance.sample(names, 2)
        step = chance.choice([site.merge, site.merge, site.unmerge])
        found = step(source, target, OLGA)
        if isinstance(found, Refusal):
            assert is_sentence(found.sentence), found
        for name in names:
            where = site.handles[f"hand-{name}"].conversation
            assert site.cases[where].is_open, (source, target)
    # Undone from the outside in, all is as it was.
    for _ in names:
        for name in names:
            into = site.cases[name].merged_into
            if into:
                site.unmerge(name, into, OLGA)
    assert {name: site.handles[f"hand-{name}"].conversation for name in names} == {name: name for name in names}
    assert all(not case.merged and case.is_open for case in site.cases.values())
