"""A broker in memory: streams with their checks, consumers, subscriptions. It decides at once; what is slow or lost is the connection's.

Law: answers are those of nats-server 2.15.1, compared with it operation by operation (tests/daemon/test_fakebus_like_real.py): the expected
sequence is looked at before the message id; an id that was seen fails a batch whole; deleting a subject's newest message rewinds what its
next append is expected to say; what a reset consumer had not got acknowledged comes again, in order.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from broker_bridge.daemon.batch import EXPECT, MAX_BYTES, MAX_MESSAGES
from broker_bridge.daemon.kv import is_marker
from broker_bridge.daemon.wire import (
    LostRace,
    Outgoing,
    Rejected,
    SeenBefore,
    Stored,
    StoreFull,
    TooLarge,
    Unavailable,
)

ID = "Nats-Msg-Id"
BAD_REQUEST_CODE = 10003


@dataclass(slots=True)
class Message:
    seq: int
    subject: str
    body: bytes
    headers: dict[str, str]
    at_s: float


class Taker(Protocol):
    """Whoever pulls from a durable consumer."""

    @property
    def room(self) -> int: ...

    @property
    def is_silent(self) -> bool:
        """Its open request has run out: it asks again as soon as it can."""
        ...

    def give(self, message: Message, number: int) -> None: ...


class Stream:
    """One stream, or the stream behind a bucket."""

    def __init__(
        self,
        name: str,
        subjects: str,
        *,
        window_s: float = 120.0,
        newest_only: bool = False,
        ttl_s: float | None = None,
    ) -> None:
        """`subjects`: what its subjects begin with. `ttl_s`: messages older than that leave a marker, as a bucket's do."""
        self.name = name
        self.subjects = subjects
        self.window_s = window_s
        self.newest_only = newest_only
        self.ttl_s = ttl_s
        self.messages: dict[int, Message] = {}
        self.by_subject: dict[str, list[int]] = {}
        self.last_seq = 0
        self.is_full = False
        self._listeners: list[tuple[str, Callable[[Message], None]]] = []
        self._told: dict[str, list[Callable[[Message], None]]] = {}
        """Who listens, by subject: found once, as subjects come again and again."""
        self.ids: dict[str, tuple[int, float]] = {}

    def listen(self, prefix: str, tell: Callable[[Message], None]) -> Callable[[], None]:
        """Call `tell` with each message that is stored below `prefix`, until what is given back is called."""
        one = (prefix, tell)
        self._listeners.append(one)
        self._told.clear()

        def end() -> None:
            if one in self._listeners:
                self._listeners.remove(one)
                self._told.clear()

        return end

    def _listening(self, subject: str) -> list[Callable[[Message], None]]:
        found = self._told.get(subject)
        if found is None:
            found = self._told[subject] = [tell for prefix, tell in self._listeners if subject.startswith(prefix)]
        return found

    def last(self, subject: str) -> Message | None:
        """The newest message of a subject, which may end in `>`."""
        if subject.endswith(">"):
            found = (one for one in reversed(self.messages.values()) if one.subject.startswith(subject[:-1]))
            return next(found, None)
        seqs = self.by_subject.get(subject)
        return self.messages[seqs[-1]] if seqs else None

    def expected(self, subject: str) -> int:
        found = self.last(subject)
        return found.seq if found else 0

    def _seen(self, msg: Outgoing, now_s: float) -> int:
        name = msg.headers.get(ID)
        known = self.ids.get(name) if name else None
        return known[0] if known is not None and now_s - known[1] < self.window_s else 0

    def _check(self, msg: Outgoing) -> None:
        wanted = msg.headers.get(EXPECT)
        if wanted is not None and int(wanted) != self.expected(msg.subject):
            raise LostRace("wrong last sequence")

    def append(self, msg: Outgoing, now_s: float) -> Stored:
        """One message. Raises LostRace, StoreFull."""
        self._check(msg)
        if seq := self._seen(msg, now_s):
            return Stored(seq, True)
        if self.is_full:
            raise StoreFull("maximum bytes exceeded")
        return Stored(self._store(msg, now_s), False)

    def append_all(self, msgs: Sequence[Outgoing], now_s: float) -> Stored:
        """A batch, all or none. Raises SeenBefore, LostRace, StoreFull."""
        names: set[str] = set()
        guarded: set[str] = set()
        for msg in msgs:
            name = msg.headers.get(ID)
            if name and (name in names or self._seen(msg, now_s)):
                raise SeenBefore("batch publish contains duplicate message id")
            names.add(name or "")
            if msg.subject not in guarded:
                self._check(msg)
                guarded.add(msg.subject)
        if self.is_full:
            raise StoreFull("maximum bytes exceeded")
        return Stored([self._store(msg, now_s) for msg in msgs][-1], False)

    def _store(self, msg: Outgoing, now_s: float) -> int:
        self.last_seq += 1
        if name := msg.headers.get(ID):
            self.ids[name] = (self.last_seq, now_s)
        seqs = self.by_subject.setdefault(msg.subject, [])
        if self.newest_only and seqs:
            del self.messages[seqs.pop()]
        stored = Message(self.last_seq, msg.subject, msg.body, dict(msg.headers), now_s)
        seqs.append(self.last_seq)
        self.messages[self.last_seq] = stored
        for tell in self._listening(msg.subject):
            tell(stored)
        return self.last_seq

    def delete(self, seq: int) -> bool:
        """Take one message out; the newest of its subject rewinds what is expected of the next."""
        found = self.messages.pop(seq, None)
        if found is None:
            return False
        seqs = self.by_subject[found.subject]
        seqs.remove(seq)
        if not seqs:
            del self.by_subject[found.subject]
        return True

    def purge(self, subject: str | None, before_seq: int | None, keep: int = 0) -> int:
        """Raises Rejected: `keep` and a sequence together."""
        if before_seq and keep:
            raise Rejected(BAD_REQUEST_CODE, "bad request")
        doomed = [
            one.seq
            for one in self.messages.values()
            if (subject is None or one.subject == subject) and (before_seq is None or one.seq < before_seq)
        ]
        doomed = doomed[: max(0, len(doomed) - keep)]
        for seq in doomed:
            self.delete(seq)
        return len(doomed)

    def counts(self, filter: str) -> dict[str, int]:
        """How many messages there are of each subject; `filter` may end in `*` or `>`."""
        prefix = filter.rstrip("*>")
        is_exact = prefix == filter
        return {
            subject: len(seqs)
            for subject, seqs in self.by_subject.items()
            if seqs and (subject == filter if is_exact else subject.startswith(prefix))
        }

    def age(self, seq: int, now_s: float) -> None:
        """The life of a bucket's message is over: its key has expired, and a marker says so until that is over too."""
        found = self.messages.get(seq)
        if found is None:
            return
        self.delete(seq)
        if not is_marker(found.headers):
            self._store(Outgoing(found.subject, b"", {"Nats-Marker-Reason": "MaxAge"}), now_s)

    def matching(self, prefix: str, start_seq: int = 1) -> list[Message]:
        """In order. `prefix`: an exact subject, or what subjects begin with (ending in a dot)."""
        if not prefix.endswith("."):
            return [self.messages[seq] for seq in self.by_subject.get(prefix, ()) if seq >= start_seq]
        if self.newest_only:
            found = [self.messages[seqs[-1]] for name, seqs in self.by_subject.items() if name.startswith(prefix)]
            return sorted((one for one in found if one.seq >= start_seq), key=lambda one: one.seq)
        return [one for one in self.messages.values() if one.seq >= start_seq and one.subject.startswith(prefix)]


@dataclass
class Durable:
    """One partition's consumer."""

    stream: Stream
    suffix: str
    ack_wait_s: float
    seqs: list[int] = field(default_factory=list)
    """Everything that was ever stored for it."""
    position: int = 0
    waiting: dict[int, float] = field(default_factory=dict)
    """Handed out and not acknowledged: until when it is waited for."""
    given: int = 0
    """Counts what was handed out since the last reset: whoever sees a hole knows that somebody else got something."""
    late: deque[int] = field(default_factory=deque)
    takers: list[Taker] = field(default_factory=list)

    @property
    def floor(self) -> int:
        """Everything up to here is acknowledged."""
        return min(self.waiting) - 1 if self.waiting else self.position

    @property
    def is_done(self) -> bool:
        return not self.waiting and (not self.seqs or self.seqs[-1] <= self.position)

    @property
    def is_asked_again(self) -> bool:
        """Whether there is something that somebody who says nothing at the moment will ask for."""
        is_left = bool(self.late) or (bool(self.seqs) and self.seqs[-1] > self.position)
        return is_left and any(one.is_silent for one in self.takers)

    def saw(self, message: Message) -> None:
        if message.subject.endswith(self.suffix):
            self.seqs.append(message.seq)

    def reset(self) -> None:
        self.position = self.floor
        self.waiting.clear()
        self.given = 0
        self.late.clear()

    def ack(self, seq: int) -> None:
        self.waiting.pop(seq, None)

    def pump(self, now_s: float) -> list[int]:
        """Hand out what there is; gives the sequences whose acknowledgment is now waited for."""
        given: list[int] = []
        while taker := next((one for one in self.takers if one.room > 0), None):
            if self.late:
                seq = self.late.popleft()
                if seq not in self.waiting:
                    continue
            else:
                place = bisect.bisect_right(self.seqs, self.position)
                if place == len(self.seqs):
                    break
                seq = self.position = self.seqs[place]
            message = self.stream.messages.get(seq)
            if message is None:
                self.waiting.pop(seq, None)
                continue
            self.waiting[seq] = now_s + self.ack_wait_s
            self.given += 1
            taker.give(message, self.given)
            given.append(seq)
        return given

    def overdue(self, seq: int, now_s: float) -> bool:
        """Whether a message must be handed out again; if so it is put in line."""
        until = self.waiting.get(seq)
        if until is None or until > now_s + 1e-6 or seq in self.late:
            return False
        self.late.append(seq)
        return True


class Server:
    """All streams, buckets and objects of one broker."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
        self.durables: dict[str, Durable] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self._of: dict[str, Stream] = {}

    def add(self, stream: Stream) -> Stream:
        self.streams[stream.name] = stream
        self._of.clear()
        return stream

    def add_durable(self, name: str, stream: str, suffix: str, ack_wait_s: float) -> Durable:
        made = self.durables[name] = Durable(self.streams[stream], suffix, ack_wait_s)
        self.streams[stream].listen("", made.saw)
        return made

    def of_subject(self, subject: str) -> Stream:
        """Raises Unavailable: no stream takes it."""
        if (known := self._of.get(subject)) is not None:
            return known
        for stream in self.streams.values():
            if subject.startswith(stream.subjects):
                self._of[subject] = stream
                return stream
        raise Unavailable("nobody answers on the subject")

    def store(self, msgs: Sequence[Outgoing], now_s: float) -> Stored:
        """Append one, or a batch. Raises BusError as the real one does."""
        if len(msgs) == 1:
            return self.of_subject(msgs[0].subject).append(msgs[0], now_s)
        return self.of_subject(msgs[0].subject).append_all(msgs, now_s)


def checked(msgs: Sequence[Outgoing]) -> None:
    """What is refused before anything is sent. Raises ValueError, TooLarge."""
    if not 1 <= len(msgs) <= MAX_MESSAGES:
        raise ValueError(f"a batch holds at most {MAX_MESSAGES} messages, not {len(msgs)}")
    if len(msgs) > 1 and sum(len(msg.body) for msg in msgs) > MAX_BYTES:
        raise TooLarge("more bytes than a batch takes")
