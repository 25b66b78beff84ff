"""What the desk knows: rows by conversation, who I am, counts, and how far the feed has been applied.

Law: a message of the feed is applied only if it is the next one (`n` + 1 of the same epoch); anything else is a hole,
and a hole applies nothing: the answer to the next hello brings it. A row is replaced only by one whose `rev` is not
older. A full set is collected aside and takes effect when it is whole, so a screen never shows half of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

import msgspec

from broker_bridge.contract.codec import encode
from broker_bridge.contract.ids import ConversationId
from broker_bridge.contract.views import Beat, Counts, Feed, Me, Notice, Row, ThreadFeed, Welcome

SNAPSHOT_VERSION = 1
MOST_TOLD = 500
"""Notices that are remembered, so that none is told twice."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one message of the feed changed. `not applied` is false when there is nothing to paint."""

    changed: frozenset[ConversationId] = frozenset()
    gone: frozenset[ConversationId] = frozenset()
    is_reset: bool = False
    """A full set took effect: what came before is forgotten."""
    hole: bool = False
    """Something was missed: nothing was applied, say hello again."""
    is_me_changed: bool = False
    is_counts_changed: bool = False
    toast: str = ""
    notices: tuple[Notice, ...] = ()
    """To tell now; none of them was told before."""
    before: Mapping[ConversationId, Row] = field(default_factory=dict)
    """The rows of `changed` and `gone` as they were; absent = they are new."""

    def __bool__(self) -> bool:
        parts = (self.changed, self.gone, self.is_reset, self.hole, self.is_me_changed, self.is_counts_changed)
        return any(parts) or bool(self.toast) or bool(self.notices)


NOTHING = Applied()
HOLE = Applied(hole=True)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last known state on disk: rows as they were listed, no thread."""

    v: int = SNAPSHOT_VERSION
    agent: str
    as_of_ms: int
    me: Me | None = None
    counts: Counts = Counts()
    rows: tuple[Row, ...] = ()


_snapshots = msgspec.json.Decoder(Snapshot)


def _haste(row: Row) -> tuple[bool, bool, float]:
    """Ringing first, the own before others', then by the moment that the customer waits since or is answered by."""
    moment = row.due_ms or row.waiting_since_ms
    return row.state != "ringing", row.state != "mine", float("inf") if moment is None else moment


class DeskState:
    """The rows of one desk and the place in its feed."""

    def __init__(self) -> None:
        self.rows: dict[ConversationId, Row] = {}
        self.me: Me | None = None
        self.counts = Counts()
        self.epoch = ""
        self.n = 0
        """Number of the last message applied, in `epoch`."""
        self.upto = 0
        """Every change up to this LOG sequence is in `rows`; 0 = nothing of this process's life."""
        self.as_of_ms = 0
        """When this was last known to be true, by the desk's clock; set by whoever applies, and by `restore`."""
        self._is_open = False
        """The next message of this epoch is taken as it comes: the bridge did not say where its feed stood."""
        self._aside: dict[ConversationId, Row] | None = None
        self._told: deque[Notice] = deque(maxlen=MOST_TOLD)
        self._is_catching_up = False
        """What comes now answers a hello: it may hold what was told before the link went."""

    def welcome(self, welcome: Welcome) -> Applied:
        """Take the feed that a hello was answered with. Rows stay as they are until its messages come."""
        self._aside = None
        self._is_catching_up = True
        self.epoch = welcome.epoch
        self.n = welcome.n or 0
        self._is_open = welcome.n is None
        is_new = welcome.me != self.me
        self.me = welcome.me
        return Applied(is_me_changed=is_new)

    def begin_again(self) -> None:
        """Ask for everything next time; the rows stay in sight until a full set replaces them."""
        self.upto = 0
        self._aside = None

    def apply_feed(self, feed: Feed) -> Applied:
        """Apply one message of `cc.view.<agent>.desk`."""
        if feed.epoch != self.epoch and feed.is_reset and feed.n == 1:
            # Another terminal of this agent began a new feed with a full set: it serves us as well.
            self.epoch, self.n, self._is_catching_up = feed.epoch, 0, True
        if (step := self._step(feed.epoch, feed.n)) is not None:
            return step
        if feed.is_reset:
            self._aside = {}
        is_me = feed.me is not None and feed.me != self.me
        self.me = feed.me or self.me
        is_counts = self._count(feed.counts)
        news = self._news(feed)
        if self._aside is not None:
            return self._fill_aside(self._aside, feed, is_me, is_counts, news)
        before, changed = self._put(feed.rows)
        gone = frozenset(conv for conv in feed.gone if conv in self.rows)
        before |= {conv: self.rows.pop(conv) for conv in gone}
        self._advance(feed.upto if feed.is_whole else 0)
        return Applied(
            changed=changed - gone,
            gone=gone,
            is_me_changed=is_me,
            is_counts_changed=is_counts,
            toast=feed.toast,
            notices=news,
            before=before,
        )

    def apply_thread(self, feed: ThreadFeed) -> Applied:
        """Apply the row of one message of `cc.view.<agent>.thread.<conv>`; its items are the thread's own affair.

        A conversation that is not in this desk's views (a supervisor reads it) does not come into them by this.
        """
        if (step := self._step(feed.epoch, feed.n)) is not None:
            return step
        self._advance(feed.upto)
        if self._aside is not None:
            if feed.conv in self._aside:
                self._aside[feed.conv] = feed.row
            return NOTHING
        before, changed = self._put((feed.row,) if feed.conv in self.rows else ())
        return Applied(changed=changed, before=before)

    def apply_beat(self, beat: Beat) -> bool:
        """True if the beat tells of messages that did not come."""
        if beat.epoch != self.epoch:
            return True
        if self._is_open:
            self.n, self._is_open = beat.n, False
        if beat.n > self.n:
            return True
        if beat.n == self.n:
            self._advance(beat.upto)
        self._count(beat.counts)
        return False

    def snapshot(self, agent: str, as_of_ms: int, most: int | None = None) -> bytes:
        """What to keep for the first paint of the next start; of a long list the `most` rows that have waited longest."""
        rows: Iterable[Row] = self.rows.values()
        if most is not None and len(self.rows) > most:
            rows = nsmallest(most, rows, key=_haste)
        return encode(Snapshot(agent=agent, as_of_ms=as_of_ms, me=self.me, counts=self.counts, rows=tuple(rows)))

    def restore(self, kept: bytes, agent: str) -> bool:
        """Show what was kept. The place in the feed is not restored: the first hello of a process asks for everything.

        False, and nothing changes, if it is another agent's, of another version, or cannot be read.
        """
        try:
            snapshot = _snapshots.decode(kept)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if snapshot.v != SNAPSHOT_VERSION or snapshot.agent != agent:
            return False
        self.rows = {row.conv: row for row in snapshot.rows}
        self.me, self.counts, self.as_of_ms = snapshot.me, snapshot.counts, snapshot.as_of_ms
        return True

    def _step(self, epoch: str, n: int) -> Applied | None:
        """None if this message is the next, with `n` moved on; otherwise what to answer for it."""
        if epoch != self.epoch:
            return HOLE
        if self._is_open:
            self._is_open = False
        elif n <= self.n:
            return NOTHING
        elif n > self.n + 1:
            return HOLE
        self.n = n
        return None

    def _advance(self, upto: int) -> None:
        # While a set is being collected the rows do not hold what `upto` would promise.
        if self._aside is None and upto > self.upto:
            self.upto = upto

    def _count(self, counts: Counts | None) -> bool:
        if counts is None or counts == self.counts:
            return False
        self.counts = counts
        return True

    def _put(self, rows: Iterable[Row]) -> tuple[dict[ConversationId, Row], frozenset[ConversationId]]:
        before: dict[ConversationId, Row] = {}
        changed = set()
        for row in rows:
            old = self.rows.get(row.conv)
            # Typing, viewers and drafts change a row without a fact: the same rev may say something new.
            if old is not None and (row.rev < old.rev or row == old):
                continue
            if old is not None:
                before.setdefault(row.conv, old)
            self.rows[row.conv] = row
            changed.add(row.conv)
        return before, frozenset(changed)

    def _news(self, feed: Feed) -> tuple[Notice, ...]:
        """Notices that were not told: the answer to a hello repeats what the bridge cannot know to have arrived."""
        found = tuple(one for one in feed.notices if not (self._is_catching_up and one in self._told))
        self._told.extend(found)
        if feed.is_whole:
            self._is_catching_up = False
        return found

    def _fill_aside(
        self, aside: dict[ConversationId, Row], feed: Feed, is_me: bool, is_counts: bool, news: tuple[Notice, ...]
    ) -> Applied:
        aside.update((row.conv, row) for row in feed.rows)
        for conv in feed.gone:
            aside.pop(conv, None)
        if not feed.is_whole:
            return Applied(is_me_changed=is_me, is_counts_changed=is_counts, toast=feed.toast, notices=news)
        before, self.rows, self._aside = self.rows, aside, None
        self.upto = feed.upto
        return Applied(
            changed=frozenset(conv for conv, row in aside.items() if before.get(conv) != row),
            gone=frozenset(before.keys() - aside.keys()),
            is_reset=True,
            is_me_changed=is_me,
            is_counts_changed=is_counts,
            toast=feed.toast,
            notices=news,
            before=before,
        )
