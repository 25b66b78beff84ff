"""What arrives is applied once, joins the right case, and never hides behind a sender's own ids."""

import random
from typing import Any

import pytest

from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Receipt
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import PARTITIONS, handle_id, partition
from broker_bridge.contract.words import Address, Words, opened
from broker_bridge.core import conversation as conv
from broker_bridge.core import customer, handle, inbound
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.handle import Handle
from tests.core.world import (
    ANNA,
    BOB,
    CASE,
    POLICY,
    SOURCE,
    START_MS,
    Case,
    closed,
    owned,
    queued,
    replied,
    said,
    stored,
    unreadable,
)


def _arrives(case: Case, native: str, item: Any) -> tuple[f.AnyFact, ...]:
    joined = inbound.follow_up(case.state, stored(native), item, POLICY, case.now_ms)
    if joined is None:
        return ()
    case.add(*joined.conv)
    return joined.conv


def test_the_second_delivery_of_an_item_is_nothing() -> None:
    case = queued()
    assert len(_arrives(case, "17:1", said())) == 1
    assert inbound.follow_up(case.state, stored("17:1"), said(), POLICY, case.now_ms) is None
    assert inbound.follow_up(case.state, stored("17:1"), unreadable(), POLICY, case.now_ms) is None


def test_an_item_s_message_has_the_same_id_whoever_applies_it() -> None:
    assert inbound.message_id(stored("17:1")) == inbound.message_id(stored("17:1"))
    assert inbound.message_id(stored("17:1")) != inbound.message_id(stored("17:2"))


def test_the_same_mail_by_two_routes_is_shown_once() -> None:
    case = queued()
    (first,) = _arrives(case, "17:1", said(mail_id="x1", digest="d1"))
    (second,) = _arrives(case, "99:5", said(mail_id="x1", digest="d1"))
    assert isinstance(first, f.Received)
    assert second == f.DeliveredAgain(message=first.message, item="item-99:5", channel="support")
    assert inbound.follow_up(case.state, stored("99:5"), said(mail_id="x1", digest="d1"), POLICY, case.now_ms) is None


def test_a_foreign_mail_under_a_known_message_id_is_shown() -> None:
    case = queued()
    _arrives(case, "17:1", said(mail_id="x1", digest="d1"))
    (foreign,) = _arrives(case, "17:2", said("now pay here", mail_id="x1", digest="d2"))
    assert isinstance(foreign, f.Received) and opened(foreign.words).text == "now pay here"


def test_a_foreign_mail_does_not_make_the_first_one_appear_twice() -> None:
    case = queued()
    (first,) = _arrives(case, "17:1", said(mail_id="x1", digest="d1"))
    _arrives(case, "17:2", said(mail_id="x1", digest="d2"))
    (copy,) = _arrives(case, "99:5", said(mail_id="x1", digest="d1"))
    assert isinstance(first, f.Received) and isinstance(copy, f.DeliveredAgain) and copy.message == first.message


@pytest.mark.parametrize(("mail_id", "digest"), [("", "d1"), ("x1", ""), ("", "")])
def test_without_both_id_and_digest_every_message_is_shown(mail_id: str, digest: str) -> None:
    case = queued()
    _arrives(case, "1", said(mail_id=mail_id, digest=digest))
    (second,) = _arrives(case, "2", said(mail_id=mail_id, digest=digest))
    assert isinstance(second, f.Received)


def test_what_cannot_be_read_is_a_message_with_its_source() -> None:
    case = queued()
    (fact,) = _arrives(case, "1", unreadable())
    assert isinstance(fact, f.CouldNotBeRead)
    assert (fact.raw, fact.reason) == ("e" * 64, "It has 300 parts; 200 are read.")
    assert case.state.text == "could not be read: It has 300 parts; 200 are read."
    assert case.state.unread == 2


@pytest.mark.parametrize(
    ("after_ms", "is_taken"),
    [(0, True), (inbound.REOPEN_WITHIN_MS - 1, True), (inbound.REOPEN_WITHIN_MS, False), (10**12, False)],
)
def test_a_closed_case_takes_messages_for_two_weeks(after_ms: int, is_taken: bool) -> None:
    case = closed()
    assert inbound.takes(case.state, case.state.closed_ms + after_ms) is is_taken


def test_an_open_case_takes_messages_and_one_that_never_was_or_was_erased_does_not() -> None:
    assert inbound.takes(queued().state, 10**15) and inbound.takes(owned().state, 10**15)
    assert not inbound.takes(conv.begin(CASE), START_MS)
    assert not inbound.takes(owned().add(f.Erased(agent="olga")).state, START_MS)


@pytest.mark.parametrize("case", [Case(), owned().add(f.Erased(agent="olga"))], ids=["never was", "erased"])
def test_nothing_joins_a_case_that_is_not_there_any_more(case: Case) -> None:
    with pytest.raises(LookupError):
        inbound.follow_up(case.state, stored("2"), said(), POLICY, case.now_ms)


def test_a_customer_who_answers_a_closed_case_reopens_it_and_leads_the_handle_there() -> None:
    case = closed()
    joined = inbound.follow_up(case.state, stored("2"), said("still broken"), POLICY, case.now_ms)
    assert joined is not None
    assert [type(fact) for fact in joined.conv] == [f.Reopened, f.Received, f.Queued, f.Targeted]
    assert joined.handle == (f.Began(conversation=CASE),)
    case.add(*joined.conv)
    assert (case.state.status, case.state.queue, case.state.owner, case.state.unread) == ("queued", "orders", "", 2)
    assert (case.state.last_owner, case.state.epoch, case.state.closed_by) == ("maya", 1, "")
    assert case.state.waiting_since_ms == case.now_ms


def test_a_second_copy_of_an_old_mail_reopens_nothing() -> None:
    case = queued()
    _arrives(case, "1", said(mail_id="x1", digest="d1"))
    case.add(f.Accepted(agent="maya", epoch=1), f.Closed(agent="maya", disposition="solved"))
    _arrives(case, "9", said(mail_id="x1", digest="d1"))
    assert case.state.status == "closed"


def test_the_first_message_of_a_stranger_makes_customer_handle_and_case_in_one_batch() -> None:
    joined = inbound.first_contact(
        handle.begin(ANNA), stored("1"), said(), SOURCE, CASE, "cust-new", None, POLICY, START_MS
    )
    assert [type(fact) for fact in joined.conv] == [f.Opened, f.Received, f.Queued, f.Targeted]
    assert [type(fact) for fact in joined.handle] == [f.Bound, f.Began]
    assert [type(fact) for fact in joined.customer] == [f.Created, f.HandleAdded]
    assert (joined.conversation, joined.customer_id) == (CASE, "cust-new")
    person = customer.fold(customer.begin("cust-new"), Entry(at_ms=5, by="clerk", facts=joined.customer), 1)
    assert person.name == "Anna Berg" and person.handles[ANNA].address == "anna@example.se"
    lead = handle.fold(handle.begin(ANNA), Entry(at_ms=5, by="clerk", facts=joined.handle), 1)
    assert (lead.customer, lead.conversation, lead.address) == ("cust-new", CASE, "anna@example.se")


def test_a_known_handle_keeps_its_customer() -> None:
    known = Handle(id=ANNA, customer="cust-7", conversation="case-0", recent=("case-0",))
    joined = inbound.first_contact(known, stored("1"), said(), SOURCE, CASE, "cust-new", None, POLICY, START_MS)
    assert joined.customer == () and joined.customer_id == "cust-7"
    assert joined.handle == (f.Began(conversation=CASE),)
    assert isinstance(joined.conv[0], f.Opened) and joined.conv[0].customer == "cust-7"


def test_an_erased_handle_begins_a_new_person() -> None:
    gone = handle.fold(
        Handle(id=ANNA, customer="cust-7", conversation="case-0", address="anna@example.se", recent=("case-0",)),
        Entry(at_ms=1, by="cli", facts=(f.Erased(agent="olga"),)),
        4,
    )
    assert (gone.customer, gone.conversation, gone.address, gone.recent) == ("", "", "", ())
    joined = inbound.first_contact(gone, stored("1"), said(), SOURCE, CASE, "cust-new", None, POLICY, START_MS)
    assert joined.customer_id == "cust-new" and joined.customer


def test_a_weak_match_is_a_suggestion() -> None:
    joined = inbound.first_contact(
        handle.begin(ANNA), stored("1"), said(), SOURCE, CASE, "c", ("case-0", "same order"), POLICY, START_MS
    )
    assert joined.conv[-1] == f.Suggested(conversation="case-0", reason="same order")


def test_a_handle_remembers_its_last_twenty_cases() -> None:
    state = handle.begin(ANNA)
    for number in range(30):
        began = f.Began(conversation=f"case-{number}")
        state = handle.fold(state, Entry(at_ms=1, by="clerk", facts=(began, began)), number)
    assert state.recent == tuple(f"case-{number}" for number in range(10, 30))
    assert state.conversation == "case-29"


def test_a_participant_is_a_handle_of_the_case_or_an_address_its_mails_went_to() -> None:
    case = owned()
    words = Words(text="hi", to=(Address(address="Bo@Example.SE"),), cc=(Address(address="cc@example.se"),))
    case.add(f.Replied(message="m", agent="maya", channel="support", channel_kind="email", handle=ANNA, words=words))
    assert inbound.is_participant(case.state, ANNA, "whatever")
    assert inbound.is_participant(case.state, BOB, "bo@example.se")
    assert inbound.is_participant(case.state, BOB, "CC@example.se")
    assert not inbound.is_participant(case.state, BOB, "mallory@example.se")


@pytest.mark.parametrize(("state", "kind"), [("delivered", f.Delivered), ("read", f.Read), ("failed", f.Bounced)])
def test_a_receipt_is_news_about_a_message_of_ours_once(state: str, kind: type) -> None:
    case = owned().add(replied("a"), f.Sending(message="message-a", attempt=1, deadline_ms=0, bridge="b"))
    item = Receipt(sender=Address(address="anna@example.se"), message="message-a", state=state)
    fact = inbound.receipt(case.state, stored("r1"), item)
    assert isinstance(fact, kind)
    assert fact is not None
    case.add(fact)
    assert inbound.receipt(case.state, stored("r1"), item) is None


def test_a_receipt_for_somebody_else_s_message_is_refused() -> None:
    with pytest.raises(LookupError):
        inbound.receipt(
            owned().state,
            stored("r1"),
            Receipt(sender=Address(address="a@b.se"), message="message-first", state="read"),
        )


def test_memory_of_items_is_a_thousand_at_least_and_eight_days() -> None:
    case = queued()
    for number in range(1_100):
        _arrives(case, f"old-{number}", said())
    assert len(case.state.items) == 1_101
    case.now_ms += 9 * 86_400_000
    _arrives(case, "new", said())
    assert len(case.state.items) == conv.ITEM_MEMORY
    assert "item-new" in case.state.items and "item-old-0" not in case.state.items


class _Clerks:
    """Two bridges: each decides on what it read a while ago, and the log refuses whoever is behind."""

    def __init__(self) -> None:
        self.handles: list[Entry] = []
        self.cases: dict[str, list[Entry]] = {}

    def read(self) -> tuple[Handle, Conversation | None]:
        lead = handle.begin(ANNA)
        for seq, entry in enumerate(self.handles, 1):
            handle.fold(lead, entry, seq)
        if not lead.conversation:
            return lead, None
        log = self.cases[lead.conversation]
        return lead, conv.fold_all(lead.conversation, enumerate(log, 1))

    def append(self, joined: inbound.Joined, lead_seq: int, case_seq: int) -> bool:
        log = self.cases.get(joined.conversation, [])
        if (joined.handle and len(self.handles) != lead_seq) or len(log) != case_seq:
            return False
        self.cases[joined.conversation] = [*log, Entry(at_ms=START_MS, by="clerk", facts=joined.conv)]
        if joined.handle:
            self.handles.append(Entry(at_ms=START_MS, by="clerk", facts=joined.handle))
        return True

    def decide(self, lead: Handle, case: Conversation | None, native: str, item: Any, fresh: str) -> Any:
        if case is None:
            return inbound.first_contact(
                lead, stored(native), item, SOURCE, fresh, f"cust-{fresh}", None, POLICY, START_MS
            )
        return inbound.follow_up(case, stored(native), item, POLICY, START_MS)


@pytest.mark.parametrize("seed", range(4))
def test_arrivals_shuffled_doubled_and_raced_by_two_clerks_give_one_case(seed: int) -> None:
    chance = random.Random(seed)
    arrivals = [f"n{number}" for number in range(60)] * 2
    chance.shuffle(arrivals)
    house = _Clerks()
    stale: list[tuple[Handle, Conversation | None]] = [house.read(), house.read()]
    refused = 0
    for count, native in enumerate(arrivals):
        bridge = chance.randrange(2)
        while True:
            lead, case = stale[bridge]
            joined = house.decide(lead, case, native, said(native), f"case-{count}-{bridge}")
            if joined is None or house.append(joined, lead.seq, case.seq if case else 0):
                break
            refused += 1
            stale[bridge] = house.read()
    assert refused
    (case_log,) = house.cases.values()
    shown = [fact.item for entry in case_log for fact in entry.facts if isinstance(fact, f.Received)]
    assert sorted(shown) == sorted({f"item-{native}" for native in arrivals})
    assert sum(isinstance(fact, f.Opened) for entry in case_log for fact in entry.facts) == 1


def test_a_thousand_shuffled_arrivals_are_one_case_with_a_thousand_messages() -> None:
    arrivals = [f"n{number}" for number in range(1_000)] * 2
    random.Random(7).shuffle(arrivals)
    case = Case()
    lead = handle.begin(ANNA)
    for native in arrivals:
        if not lead.conversation:
            joined = inbound.first_contact(
                lead, stored(native), said(native), SOURCE, CASE, "cust", None, POLICY, START_MS
            )
            handle.fold(lead, Entry(at_ms=case.now_ms, by="clerk", facts=joined.handle), 1)
            case.add(*joined.conv)
        else:
            _arrives(case, native, said(native))
    assert case.state.messages == 1_000 and case.state.unread == 1_000
    assert case.again() == case.state


def test_all_that_one_sender_says_goes_down_one_lane() -> None:
    lanes = {
        partition(handle_id(b"k" * 32, "email", "", spelling)) for spelling in ("Anna@x.se", "anna@X.SE ", "ANNA@x.se")
    }
    assert len(lanes) == 1 and lanes <= set(range(PARTITIONS))
