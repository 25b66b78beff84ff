"""Who waits, in order, for 100,000 at once: the next one over all groups, and past a whole group when nobody is free for it.

Law: pure; exactly the order of a list sorted by (place, conversation), see `core.waiting`. Places are exact, not approximate: when one of a
customer's conversations comes or goes, the first of theirs in each group moves at once (their others stand behind it in any case, so
theirs need not be known). A round with nobody free costs as much as there are groups, however many wait.
"""

from __future__ import annotations

import heapq
from itertools import islice

from broker_bridge.contract.ids import ConversationId, CustomerId
from broker_bridge.core.moments import Moments
from broker_bridge.core.waiting import Group, Head, Owed, Spot, Strand, Waiting

__all__ = ["Line", "Turn", "Waiting"]


class Heads:
    """The first of each customer in one group, the next of all on top."""

    __slots__ = ("count", "heap")

    def __init__(self) -> None:
        self.heap: list[Head] = []
        """With places that are no longer right among them: those are not their strand's `first`."""
        self.count = 0
        """Strands that have a first one."""

    def top(self) -> Head | None:
        heap = self.heap
        while heap:
            head = heap[0]
            if head[2].first is head:
                return head
            heapq.heappop(heap)
        return None

    def move(self, strand: Strand, first: Spot | None) -> None:
        """This strand's first one stands there now; None: it has none."""
        before = strand.first
        if first is None:
            if before is not None:
                strand.first = None
                self.count -= 1
            return
        if before is None:
            self.count += 1
        elif before[:2] == first:
            return
        strand.first = (*first, strand)
        heapq.heappush(self.heap, strand.first)
        if len(self.heap) > 2 * self.count + 64:
            self.heap = [head for head in self.heap if head[2].first is head]
            heapq.heapify(self.heap)


class Line:
    """Everybody who waits, and how much of each customer's is being served."""

    def __init__(self) -> None:
        self._waiting: dict[ConversationId, Waiting] = {}
        self._served: dict[ConversationId, CustomerId] = {}
        self._owed: dict[CustomerId, Owed] = {}
        self._groups: dict[Group, Heads] = {}
        self._held = Moments()
        self._overflow = Moments()
        self._overdue: dict[ConversationId, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, conversation: ConversationId) -> bool:
        """Whether it waits (or is held)."""
        return conversation in self._waiting

    def put(self, waiting: Waiting, *, overflow_ms: int | None = None) -> None:
        """It waits, or waits otherwise than before; a hold goes on. `overflow_ms`: when its queue's next overflow step is due."""
        name = waiting.conversation
        before = self._waiting.get(name)
        self._overdue.pop(name, None)
        self._overflow.set(name, overflow_ms)
        if before == waiting:
            return
        if before is not None:
            self._remove(before, None if name in self._held else before.group)
        self._unserve(name)
        self._waiting[name] = waiting
        self._add(waiting, None if name in self._held else waiting.group)

    def serve(self, conversation: ConversationId, customer: CustomerId) -> None:
        """Somebody has it, or is asked to take it: it waits no more, and the customer's others stand behind it."""
        key = _own(conversation, customer)
        if self._served.get(conversation) == key:
            return
        self.drop(conversation)
        self._served[conversation] = key
        owed = self._owed.setdefault(key, Owed())
        owed.served += 1
        self._settle(key, owed)

    def drop(self, conversation: ConversationId) -> None:
        """It neither waits nor is served any more; unknown ones never did."""
        waiting = self._waiting.pop(conversation, None)
        if waiting is not None:
            self._remove(waiting, None if conversation in self._held else waiting.group)
            self._held.set(conversation, None)
            self._overflow.set(conversation, None)
            self._overdue.pop(conversation, None)
        self._unserve(conversation)

    def held(self, conversation: ConversationId, until_ms: int) -> None:
        """Not offered before that moment, though it keeps its place; a moment that has passed lets it go at the next turn."""
        waiting = self._waiting.get(conversation)
        if waiting is None:
            return
        if conversation not in self._held:
            self._held.set(conversation, until_ms)
            self._remove(waiting, waiting.group)
            self._add(waiting, None)
        self._held.set(conversation, until_ms)

    def turn(self, now_ms: int) -> Turn:
        """Go through those who may be offered now. Use it at once: it knows nothing of groups that come later."""
        for name in self._held.take_due(now_ms):
            waiting = self._waiting[name]
            self._remove(waiting, None)
            self._add(waiting, waiting.group)
        return Turn(self, list(self._groups.values()))

    def get(self, conversation: ConversationId) -> Waiting | None:
        return self._waiting.get(conversation)

    def overflow_due(self, now_ms: int, most: int = 500) -> list[ConversationId]:
        """Those whose next overflow step is due, the longest overdue first; told again until `put` names another moment."""
        self._overdue.update(dict.fromkeys(self._overflow.take_due(now_ms)))
        return list(islice(self._overdue, most))

    def next_moment_ms(self) -> int | None:
        """When a hold ends or an overflow step is due next; None: nothing is to come."""
        moments = [at_ms for at_ms in (self._held.next_ms(), self._overflow.next_ms()) if at_ms is not None]
        return min(moments, default=None)

    def _add(self, waiting: Waiting, group: Group | None) -> None:
        key = _own(waiting.conversation, waiting.customer)
        owed = self._owed.get(key)
        if owed is None:
            owed = self._owed[key] = Owed()
        owed.add(group, (waiting.base_ms, waiting.conversation))
        self._settle(key, owed)

    def _remove(self, waiting: Waiting, group: Group | None) -> None:
        key = _own(waiting.conversation, waiting.customer)
        owed = self._owed[key]
        strand = owed.remove(group, (waiting.base_ms, waiting.conversation))
        if not strand.spots:
            self._move(strand, None)
        self._settle(key, owed)

    def _unserve(self, conversation: ConversationId) -> None:
        key = self._served.pop(conversation, None)
        if key is not None:
            owed = self._owed[key]
            owed.served -= 1
            self._settle(key, owed)

    def _settle(self, key: CustomerId, owed: Owed) -> None:
        """The first of this customer in each group stands where its rank puts it now."""
        for strand in owed.strands:
            self._move(strand, owed.place(strand.spots[0]))
        if owed.is_empty:
            del self._owed[key]

    def _move(self, strand: Strand, first: Spot | None) -> None:
        if strand.group is None:
            return
        heads = self._groups.get(strand.group)
        if heads is None:
            if first is None:
                return
            heads = self._groups[strand.group] = Heads()
        heads.move(strand, first)
        if not heads.count:
            del self._groups[strand.group]


class Turn:
    """One time through the line. `next`, then act on it (`serve`, `held`, `drop`), `skip` its group, or leave it for the next turn."""

    def __init__(self, line: Line, groups: list[Heads]) -> None:
        self._line = line
        self._heap = [(*head[:2], number, head, heads) for number, heads in enumerate(groups) if (head := heads.top())]
        heapq.heapify(self._heap)
        self._last: tuple[int, Head, Heads] | None = None

    def next(self) -> Waiting | None:
        """The next one of all groups that are not skipped; None: the line is through."""
        if self._last is not None:
            number, left, heads = self._last
            head = heads.top()
            if head is left:
                # Left where it is: out of the way until the next turn, however the clock goes.
                self._line.held(left[1], 0)
                head = heads.top()
            if head is not None:
                heapq.heappush(self._heap, (*head[:2], number, head, heads))
            self._last = None
        while self._heap:
            _, conversation, number, known, heads = self._heap[0]
            head = heads.top()
            if head is known:
                heapq.heappop(self._heap)
                self._last = (number, known, heads)
                return self._line.get(conversation)
            if head is None:
                heapq.heappop(self._heap)
            else:
                heapq.heapreplace(self._heap, (*head[:2], number, head, heads))
        return None

    def skip(self) -> None:
        """Nobody is free for the last one's group: none of it comes any more in this turn."""
        self._last = None


def _own(conversation: ConversationId, customer: CustomerId) -> CustomerId:
    """Whose it is; an unknown customer is nobody else."""
    return customer or f"?{conversation}"
