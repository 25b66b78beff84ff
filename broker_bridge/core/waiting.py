"""One waiting conversation, and those of one customer: how far each is put back behind the others.

Law: a conversation's place is its reply target's moment, plus a minute for each step of priority, plus two minutes for every conversation
of the same customer that comes before it or is being served. So a customer with a hundred conversations holds up nobody for long, and
since the place does not move back for whoever comes after it, nobody waits for ever.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import msgspec

from broker_bridge.contract.ids import ConversationId, CustomerId, QueueId
from broker_bridge.contract.policy import Skill

NO_TARGET_S = 600
PRIORITY_MS = 60_000
RANK_MS = 120_000

Group = tuple[QueueId, tuple[Skill, ...], int, str]
"""(queue, needs, units, mode): who is fit for one of them is fit for all, but for those who let one pass."""
Spot = tuple[int, ConversationId]
"""(place without the rank in ms, conversation)."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A conversation that nobody has and nobody is asked to take."""

    conversation: ConversationId
    customer: CustomerId = ""
    """Empty = unknown: a customer of its own."""
    queue: QueueId
    needs: tuple[Skill, ...] = ()
    """After widening."""
    units: int
    mode: str = "evenly"
    since_ms: int
    """Since when its customer waits."""
    within_s: int | None = None
    """The reply target; None = none (600 s)."""
    priority: int = 5
    """1 (first) to 9."""

    @property
    def group(self) -> Group:
        return (self.queue, self.needs, self.units, self.mode)

    @property
    def base_ms(self) -> int:
        """Its place without the rank."""
        within_s = NO_TARGET_S if self.within_s is None else self.within_s
        return self.since_ms + within_s * 1000 + (self.priority - 1) * PRIORITY_MS


class Strand:
    """One customer's conversations in one group, in order. Only the first of them can be the next of the group."""

    __slots__ = ("first", "group", "spots")

    def __init__(self, group: Group | None) -> None:
        """`group` None = those that are held."""
        self.group = group
        self.spots: list[Spot] = []
        self.first: Head | None = None
        """What the group's heap has of it."""

    def __lt__(self, other: object) -> bool:
        """Heaps compare strands only where one conversation is in them twice, and then it does not matter."""
        return False


Head = tuple[int, ConversationId, Strand]
"""(place in ms, conversation, where it is the first)."""


class Owed:
    """What one customer has here."""

    __slots__ = ("served", "strands")

    def __init__(self) -> None:
        self.served = 0
        """Conversations that somebody has, or is asked to take."""
        self.strands: list[Strand] = []

    @property
    def is_empty(self) -> bool:
        return not self.served and not self.strands

    def rank(self, spot: Spot) -> int:
        """How many of theirs come before: all that are served, and those that wait (held ones too) with an earlier spot."""
        return self.served + sum(bisect_left(strand.spots, spot) for strand in self.strands)

    def place(self, spot: Spot) -> Spot:
        """Where it stands among everybody's."""
        return spot[0] + self.rank(spot) * RANK_MS, spot[1]

    def add(self, group: Group | None, spot: Spot) -> Strand:
        for strand in self.strands:
            if strand.group == group:
                break
        else:
            strand = Strand(group)
            # Most customers have one conversation: lists of one that have never grown take half the memory.
            strand.spots = [spot]
            self.strands = [*self.strands, strand]
            return strand
        insort(strand.spots, spot)
        return strand

    def remove(self, group: Group | None, spot: Spot) -> Strand:
        """The strand that it was in; an empty one is gone."""
        strand = next(strand for strand in self.strands if strand.group == group)
        del strand.spots[bisect_left(strand.spots, spot)]
        if not strand.spots:
            self.strands.remove(strand)
        return strand
