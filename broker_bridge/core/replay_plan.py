"""Another policy to route a day again by, what it is asked about, and what came of it.

Law: what the other policy does not name stays as it was then. Nothing here holds a word of a customer.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from broker_bridge.contract.ids import AgentId, ConversationId, QueueId
from broker_bridge.contract.policy import DeskRules, QueueRules, Seat
from broker_bridge.core.definitions import Policy
from broker_bridge.core.standing import Standing
from broker_bridge.core.state import QUEUED


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be otherwise; an empty one is the policy that was in force."""

    queues: Mapping[QueueId, QueueRules] = {}
    desk: DeskRules | None = None
    seats: Mapping[AgentId, Seat] = {}
    channels: Mapping[str, QueueId] = {}
    """Channel to the queue that it would bring into."""

    @property
    def moves(self) -> bool:
        """Whether a case may stand elsewhere than the facts say."""
        return bool(self.queues or self.channels)

    def policy(self, then: Policy) -> Policy:
        """This over what was in force."""
        return Policy(
            queues={**then.queues, **self.queues},
            desk=self.desk or then.desk,
            version=then.version,
            since_ms=then.since_ms,
        )

    def seat(self, seat: Seat) -> Seat:
        return self.seats.get(seat.agent, seat)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as far as routing is concerned."""

    stand: Standing
    channel: str = ""
    opened_in: QueueId = ""
    came_queue: QueueId = ""
    """Where it was put by somebody, before any overflow step."""
    came_ms: int = 0
    declined: Mapping[AgentId, int] = {}
    passed_by: AgentId = ""
    has_answer: bool = False

    @property
    def waits(self) -> bool:
        return self.stand.status == QUEUED and self.stand.offer is None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Who would be asked, or why nobody."""

    at_ms: int
    queue: QueueId
    agents: tuple[AgentId, ...] = ()
    reason: str = ""
    """Why this agent."""
    waits: str = ""
    """Why nobody."""
    units: int = 0
    again_ms: int = 0
    """Not asked again before; 0: it was not held."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that would have been another."""

    at_ms: int
    seq: int
    """LOG sequence of the offer; 0: it was never offered."""
    conversation: ConversationId
    number: str
    queue: QueueId
    kind: str
    """`agent`, `waits`, `sooner` (the same agent), or `unasked`: it was never offered, and would have been."""
    was: tuple[AgentId, ...]
    was_reason: str
    now: tuple[AgentId, ...]
    now_reason: str
    """Why they, or why nobody."""
    now_queue: QueueId
    sooner_ms: int = 0


class Sums(msgspec.Struct, kw_only=True):
    """Of one queue, or of all."""

    decisions: int = 0
    reproduced: int = 0
    """Decided again by the policy in force then, the same came out. Only these are compared."""
    same: int = 0
    other_agent: int = 0
    waits: int = 0
    """Would not have been offered to anybody then."""
    sooner: int = 0
    """Would have been offered earlier, to whomever."""
    unasked: int = 0
    """Were never offered, and would have been."""


class Given(msgspec.Struct, kw_only=True):
    """What one agent was offered, and would have been, in the decisions that are compared."""

    offers: int = 0
    units: int = 0
    offers_then: int = 0
    """By the other policy."""
    units_then: int = 0


class Report(msgspec.Struct, kw_only=True):
    """What `Replay` found."""

    since_ms: int
    until_ms: int
    all: Sums
    queues: dict[QueueId, Sums]
    agents: dict[AgentId, Given]
    helped: dict[str, int]
    """Of the reproduced ones, those for which the facts alone were not enough, by what the decision's own record added."""
    missed: dict[str, int]
    """Decisions that did not come out as they were, by what is known of the cause."""
    differences: list[Difference]
    names: dict[AgentId, str]
    entries: int = 0
    unread: int = 0
    """Entries with facts of a later version."""
    moved: int = 0
    """Decisions on cases that another channel setting would have brought into another queue."""
