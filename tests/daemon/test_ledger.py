"""The books from the streams alone: what they call stored, quarantined, pending, missing and doubled."""

from __future__ import annotations

import msgspec

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Stored
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.daemon.clerk import Dead
from broker_bridge.daemon.ledger import Ledger
from broker_bridge.daemon.office import LedgerLine

SEALED = Sealed(key="day-2026-11-21", box=b"\0" * 28)


def _in(name: str) -> bytes:
    return codec.encode(
        Stored(id=name, native=name, kind="mail", channel="post", handle="h1", received_ms=1, sealed=SEALED)
    )


def _received(name: str, message: str = "m") -> bytes:
    fact = f.Received(
        message=message + name, item=name, handle="h1", channel="post", channel_kind="mail", words=Words(text="x")
    )
    return codec.encode(Entry(at_ms=1, by="clerk", facts=(fact,)))


def _dead(name: str) -> bytes:
    return msgspec.json.encode(
        Dead(item=name, channel="post", source="in", subject="cc.in.mail.post.0", seq=1, reason="r", at_ms=1, body=b"")
    )


def _entry(*facts: f.AnyFact) -> bytes:
    return codec.encode(Entry(at_ms=1, by="dispatch", facts=facts))


def _replied(message: str) -> f.Replied:
    return f.Replied(
        message=message, agent="maya", channel="post", channel_kind="mail", handle="h1", words=Words(text="x")
    )


def _line(ledger: Ledger, floor: int) -> LedgerLine:
    (line,) = ledger.lines({0: floor})
    return line


def test_what_is_in_the_log_is_stored_and_what_is_acknowledged_and_nowhere_is_missing() -> None:
    ledger = Ledger()
    for seq, name in enumerate(("a", "b", "c", "d"), 1):
        ledger.saw_in(seq, "cc.in.mail.post.0", _in(name))
    ledger.saw_log(_received("a"))
    ledger.saw_dead(_dead("b"))
    line = _line(ledger, floor=3)
    assert (line.received, line.stored, line.quarantined, line.pending) == (4, 1, 1, 1)
    assert (line.missing, line.gap) == (("c",), 1)


def test_an_item_shown_twice_is_named() -> None:
    ledger = Ledger()
    ledger.saw_in(1, "cc.in.mail.post.0", _in("a"))
    ledger.saw_log(_received("a", "m1"))
    ledger.saw_log(_received("a", "m2"))
    assert _line(ledger, floor=1).doubled == ("a",)


def test_the_same_item_twice_in_the_stream_is_received_once() -> None:
    ledger = Ledger()
    ledger.saw_in(1, "cc.in.mail.post.0", _in("a"))
    ledger.saw_in(2, "cc.in.mail.post.0", _in("a"))
    ledger.saw_log(_received("a"))
    line = _line(ledger, floor=2)
    assert (line.received, line.stored, line.gap) == (1, 1, 0)


def test_a_replayed_item_that_was_stored_at_last_is_no_longer_quarantined() -> None:
    ledger = Ledger()
    ledger.saw_in(1, "cc.in.mail.post.0", _in("a"))
    ledger.saw_dead(_dead("a"))
    ledger.saw_in(2, "cc.in.mail.post.0", _in("a"))
    ledger.saw_log(_received("a"))
    line = _line(ledger, floor=2)
    assert (line.received, line.stored, line.quarantined, line.gap) == (1, 1, 0, 0)


def test_each_reply_is_counted_in_its_last_state() -> None:
    ledger = Ledger()
    for message in ("r1", "r2", "r3", "r4", "r5"):
        ledger.saw_log(_entry(_replied(message)))
    sending = {name: f.Sending(message=name, attempt=1, deadline_ms=1, bridge="b") for name in ("r2", "r3", "r4", "r5")}
    for claim in sending.values():
        ledger.saw_log(_entry(claim))
    ledger.saw_log(_entry(f.Sent(message="r2", attempt=1)))
    ledger.saw_log(_entry(f.SendUnknown(message="r3", attempt=1)))
    ledger.saw_log(_entry(f.SendFailed(message="r4", attempt=1, code="refused", reason="no")))
    ledger.saw_log(_entry(f.SendFailed(message="r5", attempt=1, code="throttled", reason="later", retry_at_ms=9)))
    line = _line(ledger, floor=0)
    assert (line.queued, line.sent, line.unknown, line.failed) == (2, 1, 1, 1)


def test_unreadable_messages_are_counted_and_stop_nothing() -> None:
    ledger = Ledger()
    ledger.saw_in(1, "cc.in.mail.post.0", b"garbage")
    ledger.saw_dead(b"garbage")
    ledger.saw_log(b"garbage")
    line = _line(ledger, floor=0)
    assert ledger.unreadable == 1 and (line.received, line.pending) == (1, 1)
