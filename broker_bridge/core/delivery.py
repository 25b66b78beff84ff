"""The life of one outgoing message.

Law, as a table: a state moves only along `MOVES`; news that would move it backwards is kept as a fact and changes nothing. Later
evidence wins over `unknown`. Only a human's `SentAgain` leaves `failed` or `unknown` for `queued`.

    queued   -> sending                      a bridge claimed the attempt
    sending  -> sent failed unknown queued   the outcome; queued = will be tried again
    sending  -> delivered read               the receipt overtook the outcome
    unknown  -> sent delivered read failed   later evidence
    sent     -> delivered read failed        failed = it bounced
    delivered-> read failed
    failed, unknown -> queued                a human sends again
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.facts import Replied

QUEUED = "queued"
SENDING = "sending"
SENT = "sent"
DELIVERED = "delivered"
READ = "read"
FAILED = "failed"
UNKNOWN = "unknown"

MOVES: dict[str, frozenset[str]] = {
    QUEUED: frozenset({SENDING}),
    SENDING: frozenset({SENT, FAILED, UNKNOWN, QUEUED, DELIVERED, READ}),
    UNKNOWN: frozenset({SENT, DELIVERED, READ, FAILED, QUEUED}),
    SENT: frozenset({DELIVERED, READ, FAILED}),
    DELIVERED: frozenset({READ, FAILED}),
    READ: frozenset(),
    FAILED: frozenset({QUEUED}),
}

SETTLED = frozenset({SENT, DELIVERED, READ, FAILED, UNKNOWN})
"""Nothing more is done about it by the machine."""

WORDS = {
    QUEUED: "waits",
    SENDING: "sending",
    SENT: SENT,
    DELIVERED: DELIVERED,
    READ: READ,
    FAILED: FAILED,
    UNKNOWN: UNKNOWN,
}
"""What a desk calls each state."""


def moved(state: str, to: str) -> str:
    """The state after news of `to`: unchanged where the table has no such move."""
    return to if to in MOVES[state] else state


class Outgoing(msgspec.Struct, kw_only=True):
    """One reply that is not settled yet, or was settled lately; changed in place by the fold."""

    fact: Replied
    seq: int
    at_ms: int
    state: str = QUEUED
    attempt: int = 0
    due_ms: int = 0
    """Not tried before this moment."""
    deadline_ms: int = 0
    """Of the attempt under way: past it, without an outcome, nobody knows."""
    bridge: str = ""
    """Which boot of which bridge claimed the attempt."""
    reason: str = ""
