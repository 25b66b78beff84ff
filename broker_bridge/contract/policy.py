"""How the house works: queues, skills, hours, targets and capacity, as an operator defines them and LOG keeps them.

Law: a definition is data that was checked as a whole (`core.policy.problems`) before it became a fact; nobody decides by half of it.
Times of the day are minutes after midnight in the zone of their calendar; a level is 1 (a little) to 5 (expert).
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract.ids import AgentId, QueueId

TOTAL_UNITS = 100
"""What one agent can carry, unless their own definition says otherwise."""
OTHER_COST = 20
"""Cost units of one conversation of a channel kind that no policy names."""
MINUTES_A_DAY = 1440


class Skill(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Held by an agent, or needed by a conversation (then `level` is the least)."""

    name: str
    level: int = 1
    """1 to 5."""


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Open every week on one day."""

    day: int
    """0 = Monday to 6."""
    from_min: int
    """0 to 1439."""
    to_min: int
    """1 to 1440, after `from_min`: past midnight is a second span of the next day."""


class Closure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Closed once although the week says open: a holiday, a company meeting."""

    title: str
    from_ms: int
    to_ms: int
    """Exclusive."""


class Hours(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """When a queue works. No span at all = never open."""

    zone: str
    """IANA name, as `Europe/Stockholm`."""
    week: tuple[Span, ...]
    closures: tuple[Closure, ...] = ()
    """In order; may overlap."""


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is promised to whom waits. Seconds count as working time if the queue has hours."""

    priority: int = 0
    """Of the conversations that it is for, 1 (first) to 9; 0 = every one that has no target of its own."""
    first_reply_s: int | None = None
    next_reply_s: int | None = None
    resolution_s: int | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What happens to a conversation that waits too long in a queue. Exactly one of the three."""

    after_s: int
    """Since it came into this queue."""
    widen: int = 0
    """Levels that are asked less of every needed skill; a need at 0 is dropped."""
    queue: QueueId = ""
    """Moves there."""
    alarm: str = ""
    """A word to the supervisors."""


class Disposition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a case ended as."""

    name: str
    fields: tuple[str, ...] = ()
    """Asked for, and must not stay empty."""


class Cost(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one conversation of a channel kind takes of an agent."""

    channel_kind: str
    units: int
    """1 to 100."""
    idle_counts: bool = True
    """Whether one that waits for its customer, or sleeps, takes them too."""


DEFAULT_COSTS = {
    "voice": Cost(channel_kind="voice", units=100),
    "webchat": Cost(channel_kind="webchat", units=20),
    # Whoever waits for an answer by mail does nothing meanwhile.
    "email": Cost(channel_kind="email", units=10, idle_counts=False),
}


class QueueRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of waiting conversations."""

    title: str = ""
    """For people; empty: the name."""
    priority: int = 5
    """1 (first) to 9, for conversations that have none of their own: each step counts as a minute of waiting."""
    mode: str = "evenly"
    """`evenly` (least load), `in_order` (the first free of `order`) or `everybody` (all ring, the first accept wins)."""
    order: tuple[AgentId, ...] = ()
    """For `in_order`; who is not named comes after those who are."""
    needs: tuple[Skill, ...] = ()
    hours: Hours | None = None
    """None = always open. Hours hold back offers, never messages."""
    overflow: tuple[Step, ...] = ()
    """In order of `after_s`."""
    affinity_s: int = 30
    """How long the agent who knows the customer is waited for, if they are here but busy; 0 = not at all."""
    responsible_first: bool = True
    """Whether the customer's responsible colleague comes before the last one."""
    offer_s: int = 20
    """How long an offer rings."""
    auto_accept: tuple[str, ...] = ()
    """Channel kinds whose offers are accepted by the machine."""
    targets: tuple[Target, ...] = ()
    pauses: tuple[str, ...] = ("waiting", "snoozed")
    """When the clock of the resolution stands still: `waiting` (for the customer), `snoozed`."""
    warn_share: float = 0.25
    """A warning goes out when this share of a target is left; 0 = none."""
    service_level: float = 0.8
    """Share of answers that should be in time."""
    wrap_up: str = "optional"
    """`none`, `optional`, `mandatory` or `timed` (mandatory, with the default at the time-out)."""
    wrap_up_s: int = 60
    """Of `timed`."""
    dispositions: tuple[Disposition, ...] = ()
    """The usual one first; empty: the desk's."""
    default_disposition: str = ""
    """Used when nobody chooses; empty: the first."""
    away_reply: str = ""
    """What a customer is told once who writes out of hours; empty = nothing."""

    def target(self, priority: int) -> Target | None:
        """The target for conversations of this priority."""
        general = None
        for one in self.targets:
            if one.priority == priority:
                return one
            if not one.priority:
                general = one
        return general


class DeskRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What holds for the whole house."""

    costs: tuple[Cost, ...] = ()
    reasons: tuple[str, ...] = ("break", "lunch", "training", "meeting")
    """Of being away, the usual one first."""
    dispositions: tuple[Disposition, ...] = ()
    skills: tuple[str, ...] = ()
    """Every skill that there is."""
    silent_grace_s: int = 300
    """After which unanswered work of a vanished terminal goes back; 0 = never."""

    def cost(self, channel_kind: str) -> Cost:
        for one in self.costs:
            if one.channel_kind == channel_kind:
                return one
        return DEFAULT_COSTS.get(channel_kind) or Cost(channel_kind=channel_kind, units=OTHER_COST)


class Seat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One agent to the router: what LOG says of them."""

    agent: AgentId
    queues: tuple[QueueId, ...] = ()
    """Empty = every queue."""
    skills: tuple[Skill, ...] = ()
    units: int = TOTAL_UNITS
    """Cost units at once."""
    shift: Hours | None = None
    """When they work: outside it they are given nothing, though their terminal be open. None = whenever they are ready."""


class Considered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One agent in a routing decision."""

    agent: AgentId
    state: str
    """Presence as of then."""
    load: int = 0
    """Units taken."""
    units: int = TOTAL_UNITS
    skills: int = 0
    """Needed skills that they have at the level."""
    last_talk: bool = False
    """They had this customer last."""
    is_responsible: bool = False
    reason: str = ""
    """Why chosen, or why skipped: `full`, `at lunch`, `in wrap-up`, `declined a minute ago`, `lacks swedish 3`."""
    is_fit: bool = False
    """They could have been chosen."""


class Why(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The inputs of one routing decision."""

    policy: int = 0
    """LOG sequence of the newest definition that was in force."""
    mode: str = "evenly"
    needs: tuple[Skill, ...] = ()
    """As they were asked for, after widening."""
    widened: int = 0
    hours: str = ""
    """`open`, or since when and until when it is closed, in words."""
    waited_s: int = 0
    units: int = 0
    """What the conversation takes."""
    last_agent: AgentId = ""
    responsible: AgentId = ""
    considered: tuple[Considered, ...] = ()
    """The chosen one first, then the fit, then the nearest of the others; at most 12."""
    skipped: tuple[tuple[str, int], ...] = ()
    """(reason, how many agents of the queue), the considered ones included; the most common first."""
