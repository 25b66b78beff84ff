"""What a thread shows for each fact, how news changes it, and what each reader sees of it."""

from typing import Any

import pytest

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import short_number
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import FileLine, Item
from broker_bridge.contract.words import Address, File, Packet, Words
from broker_bridge.core import thread, views
from tests.core.world import NAMED, START_MS

TEXT = Words(text="psst")
OUTCOME = Words(text="paid back", fields=(("amount", "12,50"),))
GONE = Words(is_erased=True)
ALL = Words(
    text="Where is it?",
    quote="> earlier",
    subject="Order 4711",
    name="Anna Berg",
    address="anna@example.se",
    to=(Address(address="help@shop.example"),),
    cc=(Address(address="bo@example.se", name="Bo"),),
    files=(File(digest="a" * 64, name="bill.pdf", media_type="application/pdf", size_bytes=9),),
    warnings=("One.", "Two.", "Three.", "Four."),
)


def _received(words: Words, **more: Any) -> f.Received:
    return f.Received(message="m1", item="i1", handle="h", channel="support", channel_kind="email", words=words, **more)


def _replied(words: Words) -> f.Replied:
    return f.Replied(message="m2", agent="maya", channel="chat", channel_kind="webchat", handle="h", words=words)


def _unreadable() -> f.CouldNotBeRead:
    return f.CouldNotBeRead(
        message="m4",
        item="i4",
        handle="h",
        channel="support",
        channel_kind="email",
        reason="It has 300 parts.",
        raw="e" * 64,
        words=Words(address="anna@example.se"),
    )


def made(fact: f.Fact, at_ms: int = START_MS) -> Item | None:
    return thread.made(fact, Entry(at_ms=at_ms, by="test", facts=()), 42, 3, NAMED)


def item_of(fact: f.Fact) -> Item:
    item = made(fact)
    assert item is not None
    return item


def test_a_message_of_the_customer_is_shown_with_all_that_came_with_it() -> None:
    assert made(_received(ALL, raw="e" * 64)) == Item(
        id="m1",
        seq=42,
        rev=42,
        kind="them",
        at_ms=START_MS,
        channel="mail",
        name="Anna Berg",
        text="Where is it?",
        quote="> earlier",
        subject="Order 4711",
        address="anna@example.se",
        to=ALL.to,
        cc=ALL.cc,
        files=(FileLine(digest="a" * 64, name="bill.pdf", media_type="application/pdf", size_bytes=9),),
        has_raw=True,
        reason="One.; Two.; Three.",
    )


@pytest.mark.parametrize(("apart_ms", "is_shown"), [(0, False), (60_000, False), (60_001, True), (-60_001, True)])
def test_the_time_of_writing_is_shown_where_it_differs_by_more_than_a_minute(apart_ms: int, is_shown: bool) -> None:
    item = item_of(_received(TEXT, source_ms=START_MS - apart_ms))
    assert item.source_ms == (START_MS - apart_ms if is_shown else None)


def test_an_answer_waits_until_news_comes() -> None:
    item = item_of(_replied(TEXT))
    assert (item.id, item.kind, item.agent, item.name) == ("m2", "colleague", "maya", "Maya")
    assert (item.channel, item.text, item.delivery) == ("chat", "psst", "waits")


def test_a_note_names_whom_it_is_for() -> None:
    item = item_of(f.Noted(message="m3", agent="maya", to="jonas", words=TEXT))
    assert (item.kind, item.name, item.note_to, item.text, item.delivery) == ("note", "Maya", "Jonas", "psst", "")
    assert item_of(f.Noted(message="m3", agent="maya", words=TEXT)).note_to == ""


def test_a_word_along_with_a_transfer_is_a_note_for_whoever_gets_it() -> None:
    item = item_of(f.Transferred(agent="maya", to_agent="jonas", words=TEXT))
    assert (item.kind, item.name, item.note_to, item.text) == ("note", "Maya", "Jonas", "psst")
    assert thread.seen_by(item, "jonas", None).note_to == "you"
    assert item_of(f.Transferred(agent="maya", to_queue="returns", words=TEXT)).note_to == "the queue returns"


def test_what_could_not_be_read_says_why_and_keeps_its_source() -> None:
    item = item_of(_unreadable())
    assert (item.kind, item.text, item.has_raw) == ("unreadable", "could not be read: It has 300 parts.", True)


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (f.Accepted(agent="maya", epoch=1), "Maya took it"),
        (f.Transferred(agent="maya", to_agent="jonas"), "Maya transfers it to Jonas"),
        (f.Transferred(agent="maya", to_queue="returns"), "Maya transfers it to the queue returns"),
        (f.OfferEnded(agent="lena", reason="declined"), "Lena: offer declined"),
        (f.Closed(agent="maya", disposition="solved"), "Maya closed it: solved"),
        (f.Closed(agent="maya", disposition="solved", words=TEXT), "Maya closed it: solved. psst"),
        (
            f.Queued(queue="orders", reason="Maya no longer works here"),
            "back to the queue orders: Maya no longer works here",
        ),
        (f.Reopened(agent="jonas", queue="orders"), "Jonas reopened it"),
        (f.Reopened(queue="orders"), "reopened: the customer wrote again"),
        (f.Suggested(conversation="case-0", reason="same order"), "may belong to another case: same order"),
        (f.DeliveredAgain(message="m1", item="i2", channel="sales"), "the same mail arrived again by sales"),
        (f.Erased(agent="olga"), "the customer was erased"),
        (f.OfferEnded(agent="lena", reason="declined", words=TEXT), "Lena: offer declined: psst"),
        (f.Transferred(agent="maya", to_agent="jonas", is_consult=True), "Maya asks Jonas"),
        (
            f.Transferred(agent="maya", to_skills=(Skill(name="swedish", level=3),)),
            "Maya transfers it to whoever knows swedish 3",
        ),
        (f.TransferAccepted(agent="jonas"), "Jonas said yes"),
        (f.ConsultEnded(agent="jonas", by="maya"), "the talk with Jonas is over"),
        (f.ConsultEnded(agent="jonas", reason="solved"), "the talk with Jonas is over: solved"),
        (f.Closed(agent="maya", disposition=""), "Maya closed it"),
        (
            f.WrappedUp(agent="maya", disposition="refunded", tags=("card",), words=OUTCOME),
            "Maya: outcome refunded, amount 12,50, card. paid back",
        ),
        (f.WrappedUp(agent="maya", disposition="solved", is_timeout=True), "time is up: outcome solved"),
        (f.Snoozed(agent="maya"), "Maya snoozed it until they answer"),
        (f.Snoozed(agent="maya", until_ms=5), "Maya snoozed it"),
        (f.Woken(reason="agent", agent="maya"), "Maya woke it"),
        (f.Woken(reason="time"), "awake again: its time came"),
        (f.Prioritized(agent="olga", priority=1), "Olga: priority 1"),
        (f.KeptApart(agent="maya", conversation="case-2"), f"Maya: it does not belong to #{short_number('case-2')}"),
        (f.Overflowed(queue="orders", step=1, widen=1, waited_s=60), "waited 60 s: asks 1 less of every skill"),
        (
            f.Overflowed(queue="orders", step=2, to_queue="returns", waited_s=9),
            "waited 9 s: moves to the queue returns",
        ),
        (f.Overflowed(queue="orders", step=3, alarm="too long", waited_s=90), "waited 90 s: alarm: too long"),
        (f.TaskAdded(task="t", agent="maya", words=TEXT, assignee="jonas"), "Maya: task for Jonas: psst"),
        (
            f.TaskAdded(task="t", agent="maya", what="call_back", words=Words(address="+46 8")),
            "Maya: call back +46 8",
        ),
        (f.TaskDone(task="t", agent="maya", words=TEXT), "Maya: task done: psst"),
        (f.TaskDone(task="t", agent="maya", is_dropped=True), "Maya: task dropped"),
        (f.TaskReminded(task="t", due_ms=9), "a task is due"),
        (f.MergedFrom(conversation="case-2", agent="maya", number="K7Q2M"), "Maya: #K7Q2M was merged in"),
        (f.Unmerged(conversation="case-2", agent="maya"), "Maya undid the merge"),
        (
            f.SplitOff(into="case-2", agent="maya", number="K7Q2M", from_seq=9),
            "Maya split: later messages go on in #K7Q2M",
        ),
        (f.SplitFrom(conversation="case-2", agent="maya", number="K7Q2M"), "split from #K7Q2M"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_event_is_a_short_line(fact: f.Fact, text: str) -> None:
    item = item_of(fact)
    assert (item.kind, item.text, item.id, item.seq, item.rev) == ("event", text, "42-3", 42, 42)
    assert item.name == NAMED.agent(item.agent) if item.agent else item.name == ""


def test_a_packet_goes_along_whole_and_is_named_for_its_reader() -> None:
    packet = Packet(problem="charged twice", promised="money back")
    item = item_of(f.Transferred(agent="maya", to_agent="jonas", is_consult=True, words=Words(packet=packet)))
    assert (item.kind, item.packet, item.note_to_agent, item.text) == ("note", packet, "jonas", "Maya asks Jonas")


def test_a_word_of_the_machine_is_no_colleague_s() -> None:
    words = Words(text="We are back on Monday.")
    item = item_of(
        f.Replied(
            message="m9",
            agent="",
            channel="chat",
            channel_kind="webchat",
            handle="h",
            words=words,
            automatic="out of hours",
        )
    )
    assert (item.is_automatic, item.name, item.delivery) == (True, "answered by itself: out of hours", "waits")
    assert thread.seen_by(item, "maya", None).kind == "colleague"


def test_an_event_with_a_time_carries_it() -> None:
    assert item_of(f.Snoozed(agent="maya", until_ms=5)).until_ms == 5
    assert item_of(f.TaskAdded(task="t", agent="maya", due_ms=7, words=TEXT)).until_ms == 7
    assert item_of(f.TaskReminded(task="t", due_ms=9)).until_ms == 9


SILENT = [
    # Told by the case that it goes on in.
    f.Merged(into="case-2", agent="maya"),
    f.Opened(customer="c", handle="h", channel="support", channel_kind="email", queue="orders"),
    f.Queued(queue="orders"),
    f.Offered(agent="maya", until_ms=0),
    f.Seen(agent="maya"),
    f.WrapUpBegan(agent="maya", mode="timed"),
    f.WrapUpExtended(agent="maya", until_ms=9),
    f.Targeted(what="first", due_ms=9),
    f.Warned(what="first", due_ms=9),
    f.TaskChanged(task="t", agent="maya"),
    f.Observed(agent="olga"),
    f.WayJoined(channel="chat", channel_kind="webchat", handle="h", message="m"),
]
NEWS = {
    f.Sending(message="m2", attempt=1, deadline_ms=0, bridge="b"): "sending",
    f.Sent(message="m2", attempt=1): "sent",
    f.SendFailed(message="m2", attempt=1, code="refused", reason="No."): "failed",
    f.SendUnknown(message="m2", attempt=1): "unknown",
    f.Delivered(message="m2"): "delivered",
    f.Read(message="m2"): "read",
    f.Bounced(message="m2", reason="Full."): "failed",
    f.SentAgain(message="m2", agent="maya"): "waits",
}


@pytest.mark.parametrize("fact", [*SILENT, *NEWS], ids=lambda one: type(one).__name__)
def test_other_facts_add_nothing(fact: f.Fact) -> None:
    assert made(fact) is None


def test_every_fact_of_a_conversation_is_shown_told_or_silent_on_purpose() -> None:
    tried = {type(one) for one in (*SILENT, *NEWS)}
    shown = {
        f.Received,
        f.Replied,
        f.Noted,
        f.CouldNotBeRead,
        f.Accepted,
        f.Transferred,
        f.OfferEnded,
        f.Closed,
        f.Reopened,
        f.TransferAccepted,
        f.ConsultEnded,
        f.WrappedUp,
        f.Snoozed,
        f.Woken,
        f.Prioritized,
        f.KeptApart,
        f.Overflowed,
        f.TaskAdded,
        f.TaskDone,
        f.TaskReminded,
        f.MergedFrom,
        f.Unmerged,
        f.SplitOff,
        f.SplitFrom,
    }
    assert tried | shown | {f.Suggested, f.DeliveredAgain, f.Erased} == set(f.ConversationFact.__args__)


def _in_state(word: str) -> Item:
    return Item(id="m2", seq=42, rev=42, kind="colleague", at_ms=0, delivery=word)


@pytest.mark.parametrize(
    ("before", "fact", "after"),
    [
        ("waits", f.Sending(message="m2", attempt=1, deadline_ms=0, bridge="b"), "sending"),
        ("sending", f.Sent(message="m2", attempt=1), "sent"),
        ("sending", f.SendFailed(message="m2", attempt=1, code="throttled", reason="Wait.", retry_at_ms=5), "waits"),
        ("sending", f.SendFailed(message="m2", attempt=1, code="refused", reason="No."), "failed"),
        ("unknown", f.SendFailed(message="m2", attempt=1, code="refused", reason="No."), "failed"),
        ("unknown", f.SendFailed(message="m2", attempt=1, code="throttled", reason="Wait.", retry_at_ms=5), None),
        ("sent", f.SendFailed(message="m2", attempt=1, code="refused", reason="No."), None),
        ("sending", f.SendUnknown(message="m2", attempt=1), "unknown"),
        ("unknown", f.Sent(message="m2", attempt=1), "sent"),
        ("sent", f.Delivered(message="m2"), "delivered"),
        ("read", f.Delivered(message="m2"), None),
        ("delivered", f.Read(message="m2"), "read"),
        ("sent", f.Bounced(message="m2", reason="Full."), "failed"),
        ("failed", f.SentAgain(message="m2", agent="maya"), "waits"),
        ("read", f.SentAgain(message="m2", agent="maya"), None),
        ("", f.Delivered(message="m2"), None),
    ],
)
def test_news_moves_an_item_or_changes_nothing(before: str, fact: f.Fact, after: str | None) -> None:
    news = thread.updated(fact)
    assert news is not None and news.message == "m2"
    changed = thread.changed(_in_state(before), news, 50)
    assert (changed.delivery if changed else None) == after
    assert changed is None or (changed.rev, changed.seq) == (50, 42)


@pytest.mark.parametrize("fact", [*SILENT, _received(TEXT), _replied(TEXT)], ids=lambda one: type(one).__name__)
def test_other_facts_are_no_news(fact: f.Fact) -> None:
    assert thread.updated(fact) is None


def test_an_item_says_why_it_failed_and_forgets_it_when_it_is_sent_again() -> None:
    failed = thread.updated(f.SendFailed(message="m2", attempt=1, code="refused", reason="No such mailbox."))
    again = thread.updated(f.SentAgain(message="m2", agent="maya"))
    assert failed is not None and again is not None
    item = thread.changed(_in_state("sending"), failed, 50)
    assert item is not None and item.reason == "No such mailbox."
    item = thread.changed(item, again, 51)
    assert item is not None and item.reason == ""


@pytest.mark.parametrize(("length", "is_cut"), [(20_000, False), (20_001, True), (64_000, True)])
def test_a_long_message_is_cut_and_says_so(length: int, is_cut: bool) -> None:
    words = Words(text="x" * length, quote="y" * length)
    for fact in (_received(words), _replied(words), f.Noted(message="m3", agent="maya", words=words)):
        item = item_of(fact)
        assert (len(item.text), item.is_cut) == (min(length, thread.MAX_ITEM_TEXT), is_cut)
        assert len(item.quote) <= thread.MAX_ITEM_TEXT


def test_words_of_an_erased_person_are_shown_as_erased() -> None:
    for fact in (_received(GONE), _replied(GONE), f.Noted(message="m3", agent="maya", words=GONE)):
        assert item_of(fact).text == "erased"


# ---- readers


def test_one_s_own_words_are_yours_and_a_colleague_s_are_theirs() -> None:
    item = item_of(_replied(TEXT))
    assert thread.seen_by(item, "maya", None).kind == "you"
    assert thread.seen_by(item, "jonas", None) == item
    note = item_of(f.Noted(message="m3", agent="maya", words=TEXT))
    assert thread.seen_by(note, "maya", None).kind == "note"


def test_whoever_may_see_addresses_sees_the_item_as_it_is() -> None:
    item = item_of(_received(ALL))
    assert thread.seen_by(item, "maya", None) is item


@pytest.mark.parametrize(
    "name", ["", "anna@example.se", "ANNA@example.se", "'anna@example.se'", "anna@example.se (Anna)"]
)
def test_no_whole_address_is_left_when_addresses_are_masked(name: str) -> None:
    to = (Address(address="bo@example.se", name=name and "Bo@Example.se"),)
    words = Words(text="hi", name=name, address="anna@example.se", to=to, cc=to)
    seen = thread.seen_by(item_of(_received(words)), "jonas", views.masked)
    left = repr((seen.name, seen.address, seen.to, seen.cc)).lower()
    assert "anna@example" not in left and "bo@example" not in left
    assert seen.address == "a…a@e…e"


def test_a_name_that_is_no_address_stays_when_addresses_are_masked() -> None:
    seen = thread.seen_by(item_of(_received(ALL)), "jonas", views.masked)
    assert (seen.name, seen.cc[0].name, seen.text) == ("Anna Berg", "Bo", "Where is it?")


def test_masking_makes_no_address_where_there_is_none() -> None:
    item = item_of(_replied(Words(text="hi", to=(Address(address="bo@example.se"),))))
    assert thread.seen_by(item, "jonas", views.masked).address == ""
