"""A case in a rough world: any wishes, arrivals, outcomes and receipts, in any order; the promises hold after each."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.envelopes import Receipt
from broker_bridge.contract.facts import ConversationFact, Entry
from broker_bridge.contract.policy import Cost, DeskRules, Disposition, Hours, Skill, Span, Target
from broker_bridge.contract.views import Item
from broker_bridge.contract.words import Address
from broker_bridge.core import conversation as conv
from broker_bridge.core import delivery, inbound, joins, outbound, thread, timers, views, wishes
from broker_bridge.core.decision import Facts
from broker_bridge.core.handle import Handle
from broker_bridge.core.handle import begin as new_handle
from tests.core.world import (
    ACTORS,
    ANNA,
    BOB,
    CASE,
    NAMED,
    OPENED,
    SOURCE,
    Case,
    is_sentence,
    received,
    ruled,
    said,
    stored,
    unreadable,
)

JOINS = ("merge", "unmerge", "split")
"""Decided over two cases: tests.core.test_wishes."""
VERBS = (*(verb for verb in views.VERBS if verb not in JOINS), "see", "change_task", "finish_task")
HOURS = Hours(zone="Europe/Stockholm", week=tuple(Span(day=day, from_min=480, to_min=1080) for day in range(5)))
HOUSE = ruled(
    desk=DeskRules(costs=(Cost(channel_kind="email", units=10), Cost(channel_kind="webchat", units=20))),
    wrap_up="timed",
    targets=(
        Target(first_reply_s=60, next_reply_s=30, resolution_s=600),
        Target(priority=1, first_reply_s=10, resolution_s=60),
    ),
    dispositions=(Disposition(name="solved"), Disposition(name="refunded", fields=("amount",))),
    hours=HOURS,
    away_reply="We are back tomorrow.",
)
AGENTS = st.sampled_from(ACTORS)
PICK = st.integers(min_value=0, max_value=50)


class Story(RuleBasedStateMachine):
    """The log is the truth: each rule decides on the state, appends what came of it, and forgets everything else."""

    def __init__(self) -> None:
        super().__init__()
        self.case = Case()
        self.steps = conv.begin(CASE)
        """The same log folded fact by fact, to see every single move."""
        self.items: dict[str, Item] = {}
        self.calls: list[tuple[str, int]] = []
        """(message, attempt) of provider calls whose outcome has not been told."""
        self.commands = 0
        self.is_idempotent = False
        self.merges = 0
        self.fired: set[str] = set()

    @initialize(is_idempotent=st.booleans(), is_owned=st.booleans())
    def begins(self, is_idempotent: bool, is_owned: bool) -> None:
        self.is_idempotent = is_idempotent
        if is_owned:
            self.arrives(100, ANNA, "", "", "support", True)
            self.append(f.Accepted(agent="maya", epoch=1), by="agent:maya")

    def append(self, *facts: ConversationFact, by: str = "test", command: str = "") -> None:
        self.case.add(*facts, by=by, command=command)
        seq, entry = self.case.log[-1]
        for place, fact in enumerate(entry.facts):
            self._step(fact, entry, seq)
            self._thread(fact, entry, seq, place)

    def _step(self, fact: f.AnyFact, entry: Entry, seq: int) -> None:
        status, before = self.steps.status, self._states()
        conv.fold(self.steps, msgspec.structs.replace(entry, facts=(fact,)), seq)
        assert self.steps.status == status or self.steps.status in conv.STATUSES[status]
        if isinstance(fact, f.Erased):
            return
        for message, state in self._states().items():
            was = before.get(message, delivery.QUEUED)
            assert state == was or state in delivery.MOVES[was], (message, was, state)
            is_back = was in (delivery.FAILED, delivery.UNKNOWN) and state == delivery.QUEUED
            assert not is_back or isinstance(fact, f.SentAgain)

    def _states(self) -> dict[str, str]:
        return self.steps.ends | {message: one.state for message, one in self.steps.out.items()}

    def _thread(self, fact: f.AnyFact, entry: Entry, seq: int, place: int) -> None:
        item = thread.made(fact, entry, seq, place, NAMED)
        if item is not None:
            assert item.id not in self.items, "shown twice"
            self.items[item.id] = item
        news = thread.updated(fact)
        if news is not None and news.message in self.items:
            changed = thread.changed(self.items[news.message], news, seq)
            self.items[news.message] = changed or self.items[news.message]

    # ---- what may happen

    @rule(seconds=st.sampled_from([1, 40, 400, 20 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.case.now_ms += seconds * 1000

    @rule(
        native=st.integers(min_value=0, max_value=8),
        handle=st.sampled_from([ANNA, BOB]),
        mail_id=st.sampled_from(["", "x1", "x2"]),
        digest=st.sampled_from(["", "d1", "d2"]),
        channel=st.sampled_from(["support", "chat"]),
        is_readable=st.booleans(),
    )
    def arrives(self, native: int, handle: str, mail_id: str, digest: str, channel: str, is_readable: bool) -> None:
        state, place = self.case.state, stored(f"n{native}", handle, channel)
        item: Any = said(f"words {native}", mail_id, digest) if is_readable else unreadable()
        if state.status == conv.NEW:
            first = inbound.first_contact(
                new_handle(handle), place, item, SOURCE, CASE, "cust", None, HOUSE.policy, self.case.now_ms
            )
            self.append(*first.conv)
        elif inbound.takes(state, self.case.now_ms):
            joined = inbound.follow_up(state, place, item, HOUSE.policy, self.case.now_ms)
            if joined is not None:
                self.append(*joined.conv, by="clerk")

    @rule(agent=AGENTS, verb=st.sampled_from(VERBS), pick=PICK, is_old=st.booleans(), anyway=st.booleans(), again=PICK)
    def wishes_something(
        self, agent: wishes.Actor, verb: str, pick: int, is_old: bool, anyway: bool, again: int
    ) -> None:
        is_repeated = again < 5 and again < self.commands
        name = f"command-{again if is_repeated else self.commands}"
        self.commands += not is_repeated
        wish = self._wish(verb, name, pick, is_old, anyway)
        was_done = name in self.case.state.commands
        decision = wishes.decide(self.case.state, wish, agent, HOUSE, f"message-of-{name}", self.case.now_ms)
        assert not was_done or (isinstance(decision, Facts) and not decision.facts)
        if isinstance(decision, Refusal):
            assert is_sentence(decision.sentence), decision
        if isinstance(decision, Facts) and decision.facts:
            before = dict(HOUSE.policy.taken(self.case.state))
            self.append(*decision.facts, by=f"agent:{agent.agent}", command=name)
            after = HOUSE.policy.taken(self.case.state)
            assert len(after) == len(dict(after)), "somebody pays twice for one case"
            assert tuple((who, units) for who, units in after if who not in before) == decision.gives

    def _wish(self, verb: str, name: str, pick: int, is_old: bool, anyway: bool) -> c.Act:
        state = self.case.state
        epoch = state.epoch - is_old if pick % 2 else None
        one: dict[str, Any] = {"id": name, "conversation": CASE, "epoch": epoch}
        ours = [*state.stuck, *state.ends, *state.out] or ["nothing"]
        seen = 0 if is_old else state.seq
        to: dict[str, Any] = {"to_queue": "returns"}
        if pick % 3 == 1:
            to = {"to_agent": ACTORS[pick % 4].agent, "ask_first": pick % 2 == 1}
        elif pick % 6 == 5:
            to = {"to_skills": (Skill(name="swedish", level=2),)}
        now_ms = self.case.now_ms
        made: dict[str, Callable[[], c.Act]] = {
            "accept": lambda: c.Accept(**one),
            "decline": lambda: c.Decline(**one),
            "reply": lambda: c.Reply(**one, text="hi", channel=["support", "chat"][pick % 2], seen=seen, anyway=anyway),
            "note": lambda: c.Note(**one, text="psst"),
            "transfer": lambda: c.Transfer(**one, **to),
            "take_back": lambda: c.TakeBack(**one),
            "close": lambda: c.Close(**one, disposition=["", "solved", "refunded", "nonsense"][pick % 4]),
            "force_transfer": lambda: c.Transfer(**one, to_agent=ACTORS[pick % 4].agent, force=True),
            "confirm": lambda: c.Confirm(**one),
            "end_consult": lambda: c.EndConsult(**one),
            "wrap_up": lambda: c.WrapUp(**one, disposition="refunded", fields=(("amount", "5" if pick % 5 else " "),)),
            "more_time": lambda: c.MoreTime(**one),
            "snooze": lambda: c.Snooze(**one, until_ms=now_ms + 60_000 * (pick - 1) if pick % 7 else None),
            "wake": lambda: c.Wake(**one),
            "prioritize": lambda: c.Prioritize(**one, priority=pick % 11),
            "add_task": lambda: c.AddTask(**one, text="call", due_ms=now_ms + 60_000 * pick if pick % 2 else None),
            "change_task": lambda: c.ChangeTask(**one, task=f"command-{pick}", due_ms=now_ms + 60_000 * (pick % 9)),
            "finish_task": lambda: c.FinishTask(**one, task=f"command-{pick}"),
            "observe": lambda: c.Observe(**one, on=pick % 4 != 1),
            "keep_apart": lambda: c.KeepApart(**one, other=state.suggestion or "case-2"),
            "reopen": lambda: c.Reopen(**one),
            "send_again": lambda: c.SendAgain(**one, message=ours[pick % len(ours)]),
            "see": lambda: c.See(**one),
        }
        return made[verb]()

    @precondition(lambda self: self.case.state.status == conv.QUEUED and self.case.state.offer is None)
    @rule(agents=st.lists(AGENTS, min_size=1, max_size=3, unique_by=lambda one: one.agent))
    def is_offered(self, agents: list[wishes.Actor]) -> None:
        names = [one.agent for one in agents]
        offer = f.Offered(agent=names[0], also=tuple(names[1:]), until_ms=self.case.now_ms + 30_000)
        self.append(offer, by="router")

    @precondition(lambda self: self.case.state.offer is not None)
    @rule()
    def offer_expires(self) -> None:
        assert self.case.state.offer is not None
        self.append(f.OfferEnded(agent=self.case.state.offer.agent, reason="expired"), by="timer")

    @precondition(lambda self: timers.first(self.case.state) is not None)
    @rule(is_late=st.booleans(), is_here=st.booleans())
    def a_timer_fires_once(self, is_late: bool, is_here: bool) -> None:
        timer = timers.first(self.case.state)
        assert timer is not None
        if is_late:
            self.case.now_ms = max(self.case.now_ms, timer.due_ms)
        facts = timers.fire(timer, self.case.state, HOUSE, lambda _: is_here, self.case.now_ms)
        assert bool(facts) == (timer.due_ms <= self.case.now_ms)
        if facts:
            self.append(*facts, by="timer", command=timer.command(self.case.state))
            assert timers.first(self.case.state) != timer
            assert timers.fire(timer, self.case.state, HOUSE, lambda _: is_here, self.case.now_ms) == ()

    @precondition(lambda self: self.case.state.status not in (conv.NEW, conv.ERASED, conv.MERGED))
    @rule(agent=AGENTS)
    def goes_on_elsewhere_and_comes_back(self, agent: wishes.Actor) -> None:
        state, other = self.case.state, conv.begin("case-other")
        conv.fold(other, Entry(at_ms=1, by="clerk", facts=(OPENED, received("other", BOB))), 1)
        lead = {ANNA: Handle(id=ANNA, conversation=CASE)}
        merged = joins.merge(state, other, lead, agent, HOUSE)
        if isinstance(merged, Refusal):
            assert is_sentence(merged.sentence), merged
            return
        self.merges += 1
        status, ways, due_ms = state.status, dict(state.ways), state.due_ms
        conv.fold(other, Entry(at_ms=2, by="agent", facts=merged.target), 2)
        self.append(*merged.source, by="agent")
        assert self.case.state.status == conv.MERGED and merged.handles == ((ANNA, "case-other"),)
        lead[ANNA].conversation = "case-other"
        back = joins.unmerge(self.case.state, other, lead, wishes.Actor(agent="olga", name="Olga", role="admin"), HOUSE)
        assert isinstance(back, joins.Joined) and back.handles == ((ANNA, CASE),)
        self.append(*back.source, by="agent")
        assert self.case.state.status == (conv.CLOSED if status == conv.CLOSED else conv.QUEUED)
        assert (self.case.state.ways, self.case.state.due_ms) == (ways, due_ms)

    @precondition(lambda self: self.case.state.owner)
    @rule()
    def the_owner_replies(self) -> None:
        owner = next(one for one in ACTORS if one.agent == self.case.state.owner)
        self.wishes_something(owner, "reply", 0, False, True, 50)

    @precondition(lambda self: self.case.state.stuck and self.case.state.owner)
    @rule()
    def the_owner_sends_again(self) -> None:
        owner = next(one for one in ACTORS if one.agent == self.case.state.owner)
        self.wishes_something(owner, "send_again", 0, False, True, 50)

    @precondition(lambda self: self.case.state.out)
    @rule(is_later=st.booleans())
    def dispatch_looks(self, is_later: bool) -> None:
        self.case.now_ms += 400_000 * is_later
        step, out, _ = outbound.next_step(self.case.state, self.is_idempotent, self.case.now_ms)
        if step == outbound.CLAIM:
            assert out is not None
            claim = outbound.claimed(out, "b1", 30.0, self.case.now_ms)
            self.append(claim, by="dispatch")
            self.calls.append((claim.message, claim.attempt))
        elif step == outbound.GIVE_UP:
            assert out is not None
            self.append(f.SendUnknown(message=out.fact.message, attempt=out.attempt), by="dispatch")

    @precondition(lambda self: self.calls)
    @rule(pick=PICK, outcome=st.sampled_from(["sent", "failed", "for now", "unknown"]), is_told_again=st.booleans())
    def provider_answers(self, pick: int, outcome: str, is_told_again: bool) -> None:
        message, attempt = self.calls[pick % len(self.calls)]
        if not is_told_again:
            self.calls.remove((message, attempt))
        if outcome != "sent" and self.case.state.is_superseded(message, attempt):
            return
        now_ms = self.case.now_ms
        facts: dict[str, ConversationFact] = {
            "sent": f.Sent(message=message, attempt=attempt),
            "unknown": f.SendUnknown(message=message, attempt=attempt),
            "failed": outbound.failed(message, attempt, "refused", "No.", False, None, now_ms, 0.5),
            "for now": outbound.failed(message, attempt, "throttled", "Later.", True, None, now_ms, 0.5),
        }
        self.append(facts[outcome], by="dispatch")

    @rule(native=PICK, pick=PICK, state=st.sampled_from(["delivered", "read", "failed"]))
    def receipt_arrives(self, native: int, pick: int, state: str) -> None:
        known = self.case.state
        ours = [*known.ends, *known.out, "nothing of ours"]
        item = Receipt(sender=Address(address="anna@example.se"), message=ours[pick % len(ours)], state=state)
        try:
            fact = inbound.receipt(known, stored(f"r{native}"), item)
        except LookupError:
            return
        if fact is not None:
            self.append(fact, by="clerk")

    @precondition(lambda self: self.case.state.status not in (conv.NEW, conv.ERASED))
    @rule(chance=st.integers(min_value=0, max_value=30))
    def is_erased(self, chance: int) -> None:
        if chance == 30:
            self.append(f.Erased(agent="olga"), by="cli")

    # ---- what must hold

    @invariant()
    def the_log_folded_anew_is_the_same(self) -> None:
        assert self.case.again() == self.case.state

    @invariant()
    def one_owner_an_epoch_and_epochs_grow(self) -> None:
        epochs = [fact.epoch for _, entry in self.case.log for fact in entry.facts if isinstance(fact, f.Accepted)]
        assert epochs == list(range(1, len(epochs) + 1))
        assert bool(self.case.state.owner) == (self.case.state.status == conv.OWNED)

    @invariant()
    def work_around_the_talk_is_there_only_where_it_belongs(self) -> None:
        state = self.case.state
        assert state.is_open or (state.offer is None and state.consult is None)
        assert state.consult is None or state.status == conv.OWNED
        assert state.snooze is None or state.status == conv.OWNED
        assert state.wrap is None or state.status == conv.CLOSED
        assert not (state.offer and state.consult)

    @invariant()
    def who_waits_is_promised_an_answer_and_nobody_else(self) -> None:
        state = self.case.state
        replies = [what for what in ("first", "next") if what in state.promises]
        if state.is_open:
            assert len(replies) == (state.waiting_since_ms is not None), (state.promises, state.waiting_since_ms)
            assert state.due_ms is not None or not replies
        elif state.status != conv.MERGED:
            assert not state.promises
        whole = state.promises.get("resolution")
        if whole is not None and whole.left_s is not None and not self.merges:
            assert state.snooze is not None or state.waiting_since_ms is None

    @invariant()
    def nothing_is_applied_or_queued_twice(self) -> None:
        facts = [fact for _, entry in self.case.log for fact in entry.facts]
        applied = [item for item in (getattr(fact, "item", "") for fact in facts) if item]
        assert len(applied) == len(set(applied))
        replies = [fact.message for fact in facts if isinstance(fact, f.Replied)]
        assert len(replies) == len(set(replies))

    @invariant()
    def no_attempt_follows_another_without_a_reason(self) -> None:
        open_claims: set[str] = set()
        for fact in (fact for _, entry in self.case.log for fact in entry.facts):
            if isinstance(fact, f.Sending):
                assert self.is_idempotent or fact.message not in open_claims
                open_claims.add(fact.message)
            elif isinstance(fact, f.SentAgain) or (isinstance(fact, f.SendFailed) and fact.retry_at_ms is not None):
                open_claims.discard(fact.message)

    @invariant()
    def one_is_in_flight_and_it_is_the_oldest(self) -> None:
        out = list(self.case.state.out.values())
        assert all(one.state == delivery.QUEUED for one in out[1:])
        assert not set(self.case.state.out) & set(self.case.state.ends)
        assert set(self.case.state.stuck) <= set(self.case.state.ends)
        assert all(one.state == self.case.state.ends[name] for name, one in self.case.state.stuck.items())

    @invariant()
    def no_reply_disappears(self) -> None:
        if self.case.state.status != conv.ERASED:
            replies = {
                fact.message for _, entry in self.case.log for fact in entry.facts if isinstance(fact, f.Replied)
            }
            assert all(self.case.state.delivery_of(message) is not None for message in replies)

    @invariant()
    def the_thread_tells_the_same(self) -> None:
        if self.case.state.status != conv.ERASED:
            shown = {name: item.delivery for name, item in self.items.items() if item.delivery}
            assert shown == {name: delivery.WORDS[state] for name, state in self._states().items()}

    @invariant()
    def the_verbs_shown_are_the_wishes_granted(self) -> None:
        state = self.case.state
        for actor in ACTORS:
            shown = views.row(state, actor, NAMED.word, NAMED.agent).verbs
            for verb in (one for one in views.VERBS if one not in JOINS):
                self._agrees(verb, verb in shown, actor)

    def _agrees(self, verb: str, is_shown: bool, actor: wishes.Actor) -> None:
        state = self.case.state
        wish = self._wish(verb, "never used", 0 if verb == "send_again" else 6, False, True)
        decision = wishes.decide(state, wish, actor, HOUSE, "m", self.case.now_ms)
        is_refused = isinstance(decision, Refusal) and decision.code in ("not_yours", "denied", "late", "unknown")
        if is_shown:
            assert not is_refused, (verb, actor.agent, decision)
        else:
            assert is_refused or decision == Facts(), (verb, actor.agent, decision)


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
