"""What machines write to us: shown, but nobody waits behind it; and what our own addresses prove."""

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.words import Address
from broker_bridge.core import conversation as conv
from broker_bridge.core import inbound
from tests.core.world import BOB, POLICY, START_MS, Case, closed, owned, received, reply, said, stored


def out_of_office() -> f.Received:
    return msgspec.structs.replace(received("away"), automatic="auto-replied")


def test_an_automatic_reply_starts_no_clock() -> None:
    case = owned()
    case.do(reply(case))
    case.add(out_of_office())
    assert case.state.waiting_since_ms is None
    assert case.state.unread == 1


def test_an_automatic_reply_joins_a_closed_case_and_leaves_it_closed() -> None:
    case = closed()
    item = msgspec.structs.replace(said(), automatic="auto-replied")
    joined = inbound.follow_up(case.state, stored("away"), item, POLICY, case.now_ms)
    assert joined is not None
    assert [type(fact) for fact in joined.conv] == [f.Received]
    assert not joined.handle
    assert case.add(*joined.conv).state.status == conv.CLOSED


def test_our_own_mailbox_is_nobodys_proof() -> None:
    case: Case = owned().add(
        received("to-us", to=(Address(address="support@example.com"), Address(address="kirsten@example.dk")))
    )
    ours = frozenset({"support@example.com"})
    assert not inbound.is_participant(case.state, BOB, "Support@example.com", ours)
    assert inbound.is_participant(case.state, BOB, "kirsten@example.dk", ours)


def test_an_answer_after_its_target_counts_as_late() -> None:
    case = owned()
    case.now_ms = START_MS + 120_000
    case.do(reply(case))
    assert (case.state.answered, case.state.answered_late) == (1, 1)
