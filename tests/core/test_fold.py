"""The fold refuses nothing: any facts, in any order, give a state, and always the same one."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.core import colleague, conversation, customer, handle, outbound, thread, views
from tests.contract.shapes import WORD, any_of
from tests.core.world import ACTORS, CASE, NAMED, Case, closed, owned, received, replied

LOGS: Any = st.lists(any_of(Entry, WORD, without=(Sealed,)), max_size=25)


@settings(max_examples=150, deadline=None)
@given(LOGS)
def test_any_facts_in_any_order_fold_alike_and_can_be_shown(log: list[Entry]) -> None:
    state = conversation.begin(CASE)
    for seq, entry in enumerate(log, 1):
        conversation.fold(state, entry, seq)
        outbound.next_step(state, False, entry.at_ms)
        for actor in ACTORS:
            views.row(state, actor, NAMED.word, NAMED.agent)
    assert state == conversation.fold_all(CASE, enumerate(log, 1))
    assert not set(state.out) & set(state.ends)
    assert set(state.stuck) <= set(state.ends)


@settings(max_examples=80, deadline=None)
@given(LOGS)
def test_any_facts_fold_into_the_other_aggregates(log: list[Entry]) -> None:
    for seq, entry in enumerate(log, 1):
        assert handle.fold(handle.begin("h"), entry, seq).seq == seq
        assert customer.fold(customer.begin("c"), entry, seq).seq == seq
        assert colleague.fold(colleague.begin("a"), entry, seq).seq == seq


@settings(max_examples=80, deadline=None)
@given(LOGS)
def test_any_fact_can_be_told_in_a_thread(log: list[Entry]) -> None:
    for seq, entry in enumerate(log, 1):
        for place, fact in enumerate(entry.facts):
            item = thread.made(fact, entry, seq, place, NAMED)
            news = thread.updated(fact)
            assert item is None or item.rev == seq
            if item is not None and news is not None:
                thread.changed(item, news, seq)


@settings(max_examples=60, deadline=None)
@given(LOGS)
def test_what_went_over_the_wire_folds_like_what_did_not(log: list[Entry]) -> None:
    sent = [codec.entry(codec.encode(entry)) for entry in log]
    assert conversation.fold_all(CASE, enumerate(sent, 1)) == conversation.fold_all(CASE, enumerate(log, 1))


def test_two_states_share_nothing() -> None:
    one, other = owned(), owned()
    one.add(received("2", name="Bo"), replied("a"))
    assert other.state.out == {} and "item-2" not in other.state.items
    assert conversation.begin(CASE).items == {}


def test_facts_of_an_erased_person_fold_like_any_other() -> None:
    gone = Words(is_erased=True)
    fact = f.Received(message="m", item="i", handle="h", channel="support", channel_kind="email", words=gone)
    case = Case().add(f.Opened(customer="c", handle="h", channel="support", channel_kind="email", queue="orders"), fact)
    assert (case.state.status, case.state.unread, case.state.text) == ("queued", 1, "")


def test_erasing_leaves_nothing_but_the_number_and_the_epoch() -> None:
    case = owned().add(replied("a"), f.Sending(message="message-a", attempt=1, deadline_ms=0, bridge="b"))
    number = case.state.number
    case.add(f.Erased(agent="olga"), command="erase")
    clean = conversation.begin(CASE)
    clean.status, clean.epoch, clean.seq, clean.commands = "erased", 1, case.state.seq, case.state.commands
    assert case.state == clean and case.state.number == number


def test_a_case_that_reopens_by_itself_has_no_owner() -> None:
    assert owned().add(f.Reopened(queue="orders")).state.owner == ""
    assert closed().add(f.Reopened(queue="orders")).state.status == "queued"


def test_the_clock_of_an_answer_runs_from_the_first_unanswered_message() -> None:
    case = owned()
    first_ms = case.state.opened_ms
    case.add(received("2"))
    assert (case.state.waiting_since_ms, case.state.due_ms) == (first_ms, first_ms + 60_000)
    case.add(replied("a"))
    assert (case.state.waiting_since_ms, case.state.due_ms) == (None, None)
    case.add(received("3"))
    assert (case.state.waiting_since_ms, case.state.due_ms) == (case.now_ms, case.now_ms + 60_000)


def test_unread_counts_until_the_owner_looks_or_answers() -> None:
    case = owned().add(received("2"))
    assert case.state.unread == 2
    case.add(f.Seen(agent="maya"))
    assert (case.state.unread, case.state.seen_seq) == (0, case.state.seq)
    case.add(received("3"))
    assert case.state.unread == 1
    case.add(replied("a"))
    assert case.state.unread == 0


def test_a_preview_is_one_short_line() -> None:
    assert conversation.preview("  Guten\n\n Tag\t!  ") == "Guten Tag !"
    assert len(conversation.preview("x" * 100_000)) == conversation.PREVIEW


def test_an_agent_is_enrolled_changed_and_dismissed() -> None:
    enrolled = f.Enrolled(name="Maya", public_key="U" * 56, role="supervisor", queues=("orders",), capacity=3)
    state = colleague.fold(colleague.begin("maya"), Entry(at_ms=1, by="cli", facts=(enrolled,)), 1)
    assert (state.name, state.role, state.queues, state.capacity, state.is_active) == (
        "Maya",
        "supervisor",
        ("orders",),
        3,
        True,
    )
    assert not colleague.fold(state, Entry(at_ms=2, by="cli", facts=(f.Dismissed(),)), 2).is_active


def test_a_customer_is_described_only_in_the_fields_that_people_may_write() -> None:
    facts = tuple(
        f.Described(field=field, words=Words(text="x")) for field in (*customer.FIELDS, "id", "handles", "seq")
    )
    state = customer.fold(customer.begin("c"), Entry(at_ms=1, by="cli", command="k", facts=facts), 7)
    assert (state.name, state.speaks, state.about, state.tier) == ("x", "x", "x", "x")
    assert (state.id, state.handles, state.seq, state.commands) == ("c", {}, 7, {"k": 1})


@settings(max_examples=60, deadline=None)
@given(LOGS)
def test_a_state_put_aside_comes_back_as_it_was(log: list[Entry]) -> None:
    state = conversation.fold_all(CASE, enumerate(log, 1))
    kept = msgspec.msgpack.encode(state)
    assert msgspec.msgpack.decode(kept, type=conversation.Conversation) == state


def test_a_state_put_aside_folds_on() -> None:
    case = owned().add(received("2", mail_id="x1"), replied("a"))
    case.add(
        f.Sending(message="message-a", attempt=1, deadline_ms=5, bridge="b"),
        f.SendUnknown(message="message-a", attempt=1),
    )
    back = msgspec.msgpack.decode(msgspec.msgpack.encode(case.state), type=conversation.Conversation)
    case.add(f.SentAgain(message="message-a", agent="maya"), received("3", mail_id="x2"))
    seq, entry = case.log[-1]
    assert conversation.fold(back, entry, seq) == case.state
