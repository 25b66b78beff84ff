"""A row for one desk: its state, its words, and no address for those who need none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract import facts as f
from broker_bridge.contract.views import Row
from broker_bridge.core import views
from broker_bridge.core.wishes import Actor
from tests.core.world import JONAS, LENA, MAYA, NAMED, OLGA, Case, closed, owned, queued, received, replied


def row(case: Case, actor: Actor = MAYA, customer_name: str = "") -> Row:
    return views.row(case.state, actor, NAMED.word, NAMED.agent, customer_name)


def _asked(agent: str = "lena") -> f.Offered:
    return f.Offered(agent=agent, until_ms=99, reason="knows the customer", is_transfer=True)


def test_the_state_of_a_row_depends_on_who_looks() -> None:
    assert row(queued()).state == "queued"
    assert row(owned()).state == "mine" and row(owned(), JONAS).state == "other"
    assert row(closed()).state == "closed"
    asked = owned().add(_asked())
    assert row(asked, LENA).state == "ringing" and row(asked, MAYA).state == "mine"
    assert row(owned().add(f.Erased(agent="olga"))).state == "closed"


def test_an_offer_is_told_to_whom_it_is_made_and_a_transfer_names_them_to_all() -> None:
    case = owned().add(_asked())
    assert (row(case, LENA).offer_until_ms, row(case, LENA).offer_reason) == (99, "knows the customer")
    assert (row(case, MAYA).offer_until_ms, row(case, MAYA).offer_reason) == (None, "")
    assert row(case, MAYA).transfer_to == "Lena"


def test_a_row_says_who_spoke_last() -> None:
    case = owned()
    assert row(case).text_by == "them"
    case.add(replied("a"))
    assert (row(case).text_by, row(case, JONAS).text_by, row(case).text) == ("you", "Maya", "answer a")


def test_a_row_shows_the_end_of_our_last_message_and_failures_above_all() -> None:
    case = owned()
    assert row(case).delivery == ""
    case.add(replied("a"))
    assert row(case).delivery == "waits"
    case.add(f.Sending(message="message-a", attempt=1, deadline_ms=0, bridge="b"))
    assert row(case).delivery == "sending"
    case.add(f.Sent(message="message-a", attempt=1))
    assert row(case).delivery == "sent"
    case.add(received("2"))
    assert row(case).delivery == ""
    case.add(replied("b"), f.Sending(message="message-b", attempt=1, deadline_ms=0, bridge="b"))
    case.add(f.SendUnknown(message="message-b", attempt=1), received("3"))
    assert row(case).delivery == "unknown"
    case.add(f.Bounced(message="message-b", reason="Full."))
    assert row(case).delivery == "failed"


@pytest.mark.parametrize(
    ("actor", "is_queued", "is_owned", "is_asked", "was_owned"),
    [
        (MAYA, True, True, True, True),
        (JONAS, True, False, False, False),
        (LENA, False, False, True, False),
        (OLGA, True, True, True, True),
    ],
    ids=lambda one: getattr(one, "agent", None),
)
def test_who_sees_whole_addresses(
    actor: Actor, is_queued: bool, is_owned: bool, is_asked: bool, was_owned: bool
) -> None:
    assert views.sees_addresses(queued().state, actor) is is_queued
    assert views.sees_addresses(owned().state, actor) is is_owned
    assert views.sees_addresses(owned().add(_asked()).state, actor) is is_asked
    assert views.sees_addresses(closed().state, actor) is was_owned


@pytest.mark.parametrize("customer_name", ["", "hand-anna@example.se", "HAND-anna@example.se"])
def test_a_customer_without_a_name_is_masked_for_those_who_see_no_addresses(customer_name: str) -> None:
    assert row(owned(), JONAS, customer_name).name.lower() == "h…a@e…e"
    assert row(owned(), MAYA, customer_name).name == (customer_name or "hand-anna@example.se")


def test_a_customer_s_name_is_shown_to_all() -> None:
    assert row(owned().add(received("2", name="Anna Berg")), JONAS).name == "Anna Berg"
    assert row(owned(), JONAS, "Anna B.").name == "Anna B."


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("anna.berg@example.se", "a…g@e…e"),
        ("ab@example.se", "…@e…e"),
        ("a@b", "…@…"),
        ("@", "…@…"),
        ("a@b@c.se", "a…b@c…e"),
        ("+4915112345678", "+4…78"),
        ("visitor", "vi…or"),
        ("123456", "…"),
        ("", "…"),
    ],
)
def test_masked_addresses(address: str, shown: str) -> None:
    assert views.masked(address) == shown


@given(st.text())
def test_masking_keeps_four_letters_at_most(address: str) -> None:
    assert len(views.masked(address).replace("…", "").replace("@", "")) <= 4 + address.count("@")


def test_every_colleague_may_read_a_case_that_exists() -> None:
    assert not views.may_read(Case().state, OLGA)
    assert all(views.may_read(owned().state, actor) for actor in (MAYA, JONAS, LENA, OLGA))


def test_a_row_waits_since_the_customer_wrote_or_since_it_was_queued() -> None:
    case = queued()
    assert row(case).waiting_since_ms == case.state.opened_ms
    case.add(f.Accepted(agent="maya", epoch=1), replied("a"))
    assert row(case).waiting_since_ms is None
    case.add(f.Queued(queue="returns"))
    assert row(case).waiting_since_ms == case.now_ms
