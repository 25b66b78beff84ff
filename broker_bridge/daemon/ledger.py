"""The books: every inbound item and every reply, counted from the streams themselves.

Law: nothing here believes a counter. received = distinct items in IN plus what the janitor wrote down before it purged; an item is
stored if a fact names it, quarantined if DEAD holds it and no fact does, pending if IN has not acknowledged it; else it is missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec

from broker_bridge.contract import codec, ids
from broker_bridge.contract import facts as f
from broker_bridge.core import delivery
from broker_bridge.daemon.clerk import Dead
from broker_bridge.daemon.office import LedgerLine

_dead = msgspec.json.Decoder(Dead)


class Ledger:
    """Fed with every message of IN, LOG and DEAD, in any order of streams, each stream in its own."""

    def __init__(self) -> None:
        self._received: dict[str, tuple[str, int, int]] = {}
        """Item to (channel, sequence, partition)."""
        self._stored: dict[str, str] = {}
        self._doubled: defaultdict[str, list[str]] = defaultdict(list)
        self._dead: dict[str, str] = {}
        self._counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._counted_to: Counter[str] = Counter()
        """Sequence of IN up to which the janitor's counts stand for the items, by channel."""
        self._shown: Counter[str] = Counter()
        self._replies: dict[str, tuple[str, str]] = {}
        self.unreadable = 0
        """Messages of LOG that this version cannot read."""

    def saw_in(self, seq: int, subject: str, body: bytes) -> None:
        _, _, _, channel, partition = subject.split(".")
        try:
            name = codec.stored(body).id
        except codec.Malformed:
            name = ids.derived("in", str(seq))
        self._received.setdefault(name, (channel, seq, int(partition)))

    def saw_dead(self, body: bytes) -> None:
        try:
            dead = _dead.decode(body)
        except msgspec.DecodeError:
            return
        self._dead[dead.item] = dead.channel

    def saw_log(self, body: bytes) -> None:
        try:
            entry = codec.entry(body)
        except codec.Malformed:
            self.unreadable += 1
            return
        for fact in entry.facts:
            self._saw_fact(fact)

    def _saw_fact(self, fact: f.AnyFact) -> None:
        if isinstance(fact, f.Counted):
            self._counted_to[fact.channel] = max(self._counted_to[fact.channel], fact.up_to_seq)
            self._counted[fact.channel]["stored"] += fact.stored
            self._counted[fact.channel]["quarantined"] += fact.quarantined
        elif isinstance(fact, f.Replied):
            self._replies[fact.message] = (fact.channel, delivery.QUEUED)
        item = getattr(fact, "item", "")
        if item:
            if item in self._stored:
                self._doubled[self._stored[item]].append(item)
            self._stored[item] = getattr(fact, "channel", "")
        if isinstance(fact, (f.Received, f.CouldNotBeRead)):
            self._shown[fact.channel] += 1
        to = _STATE.get(type(fact))
        if isinstance(fact, f.SendFailed):
            to = delivery.FAILED if fact.retry_at_ms is None else delivery.QUEUED
        message = getattr(fact, "message", "")
        if to is not None and message in self._replies:
            channel, state = self._replies[message]
            self._replies[message] = (channel, delivery.moved(state, to))

    def lines(self, ack_floors: Mapping[int, int], known: tuple[str, ...] = ()) -> list[LedgerLine]:
        """The books by channel.

        Args:
            ack_floors: by partition, up to which sequence of IN everything in it is acknowledged.
            known: channels to show even if nothing came.
        """
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        missing: defaultdict[str, list[str]] = defaultdict(list)
        for item, (channel, seq, partition) in self._received.items():
            if seq <= self._counted_to[channel]:
                continue
            books = found[channel]
            books["received"] += 1
            if item in self._stored:
                books["stored"] += 1
            elif item in self._dead:
                books["quarantined"] += 1
            elif seq > ack_floors.get(partition, 0):
                books["pending"] += 1
            else:
                missing[channel].append(item)
        for channel, counted in self._counted.items():
            found[channel]["received"] += counted["stored"] + counted["quarantined"]
            found[channel]["stored"] += counted["stored"]
            found[channel]["quarantined"] += counted["quarantined"]
        replies: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for channel, state in self._replies.values():
            replies[channel][state] += 1
        return [
            _line(
                channel,
                found[channel],
                missing[channel],
                self._doubled[channel],
                self._shown[channel],
                replies[channel],
            )
            for channel in sorted({*found, *replies, *known})
        ]


_STATE: dict[type, str] = {
    f.Sending: delivery.SENDING,
    f.Sent: delivery.SENT,
    f.SendUnknown: delivery.UNKNOWN,
    f.Delivered: delivery.DELIVERED,
    f.Read: delivery.READ,
    f.Bounced: delivery.FAILED,
    f.SentAgain: delivery.QUEUED,
}


def _line(
    channel: str, books: Counter[str], missing: list[str], doubled: list[str], shown: int, replies: Counter[str]
) -> LedgerLine:
    return LedgerLine(
        channel=channel,
        received=books["received"],
        stored=books["stored"],
        quarantined=books["quarantined"],
        pending=books["pending"],
        missing=tuple(missing),
        doubled=tuple(doubled),
        shown=shown,
        queued=replies[delivery.QUEUED] + replies[delivery.SENDING],
        sent=replies[delivery.SENT] + replies[delivery.DELIVERED] + replies[delivery.READ],
        failed=replies[delivery.FAILED],
        unknown=replies[delivery.UNKNOWN],
    )
