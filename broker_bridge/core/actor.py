"""Who wishes, what the house is, and the refusals that many wishes share. All of them are sentences that say what to do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from broker_bridge.contract import commands as c
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.ids import AgentId, MessageId, QueueId
from broker_bridge.contract.policy import TOTAL_UNITS, Disposition
from broker_bridge.core.decision import Decision, refuse
from broker_bridge.core.definitions import Policy
from broker_bridge.core.state import CLOSED, MERGED, QUEUED, Conversation

LONGEST_AHEAD_MS = 366 * 86_400_000
"""Nothing is put off for longer than a year."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who wishes."""

    agent: AgentId
    name: str
    role: str = "agent"
    queues: tuple[QueueId, ...] = ()
    """Empty = every queue."""

    @property
    def is_supervisor(self) -> bool:
        return self.role in ("supervisor", "admin")

    def works_on(self, queue: QueueId) -> bool:
        return not self.queues or queue in self.queues or self.is_supervisor


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A colleague as a decision sees them: are they here, and have they room."""

    state: str = "ready"
    """As `views.Colleague.state`."""
    words: str = ""
    """`at lunch until 14:30`; for sentences."""
    load: int = 0
    """Units taken."""
    units: int = TOTAL_UNITS

    @property
    def is_here(self) -> bool:
        return self.state in ("ready", "busy", "transfer_only", "wrap_up")

    def has_room(self, units: int) -> bool:
        return self.load + units <= self.units


def _roomy(_agent: AgentId) -> Place:
    return Place()


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs to know of the world besides the conversation."""

    names: Mapping[AgentId, str]
    """Every colleague who may sign in."""
    queues: tuple[QueueId, ...]
    channels: Mapping[str, str]
    """Configured channels: name to kind."""
    dispositions: tuple[str, ...] = ()
    """Where neither queue nor desk defines any."""
    max_chars: Mapping[str, int] = {}
    """Longest reply, by channel name."""
    policy: Policy = Policy()
    place: Callable[[AgentId], Place] = _roomy

    def name_of(self, agent: AgentId) -> str:
        return self.names.get(agent) or agent or "somebody"

    def outcomes(self, queue: QueueId) -> tuple[Disposition, ...]:
        return self.policy.outcomes(queue) or tuple(Disposition(name=one) for one in self.dispositions)

    def default_outcome(self, queue: QueueId) -> str:
        return self.policy.default_outcome(queue) or next(iter(self.dispositions), "")


Rule: TypeAlias = "Callable[[Any, Conversation, Actor, House, MessageId, int], Decision]"
"""Wish, state, who, the house, id of the message it would make, now (ms) -> facts or a refusal."""


def ago(since_ms: int, now_ms: int) -> str:
    """`a minute ago`."""
    seconds = max(0, now_ms - since_ms) // 1000
    if seconds < 60:
        return f"{seconds} seconds ago" if seconds != 1 else "a second ago"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} minutes ago" if minutes != 1 else "a minute ago"
    hours = minutes // 60
    return f"{hours} hours ago" if hours != 1 else "an hour ago"


def is_closed(state: Conversation, house: House, now_ms: int, what: str) -> Refusal:
    who = house.name_of(state.closed_by)
    return refuse("late", f"{who} closed this conversation {ago(state.closed_ms, now_ms)}. Reopen it to {what}.")


def no_colleague(agent: AgentId) -> Refusal:
    return refuse("bad", f"There is no colleague {agent or 'without a name'}. Pick one from the list.")


def is_merged(state: Conversation) -> Refusal:
    return refuse("late", "This conversation goes on in another one. Open that one.")


def not_owner(state: Conversation, actor: Actor, house: House, now_ms: int, what: str) -> Refusal | None:
    """A refusal unless the actor owns the open conversation."""
    if state.status == MERGED:
        return is_merged(state)
    if state.status == CLOSED:
        return is_closed(state, house, now_ms, what)
    if state.status == QUEUED:
        return refuse("not_yours", f"Nobody owns this conversation yet. Accept it first, then {what}.")
    if state.owner != actor.agent:
        owner = house.name_of(state.owner)
        return refuse(
            "not_yours",
            f"{owner} took this conversation {ago(state.accepted_ms, now_ms)}. Write a note, or ask {owner} to transfer it.",
        )
    return None


def wrong_epoch(state: Conversation, wish: c.Act) -> Refusal | None:
    """The one who wishes saw it with another owner: refused even where the sequence fits."""
    if wish.epoch is None or wish.epoch == state.epoch:
        return None
    return refuse("late", "This conversation changed hands since you saw it. Look at it again, then repeat.")


def held(state: Conversation, house: House, agent: AgentId) -> int:
    """Units of this colleague that the conversation has taken already."""
    return sum(units for one, units in house.policy.taken(state) if one == agent)


def places(state: Conversation, house: House, agent: AgentId) -> tuple[tuple[AgentId, int], ...]:
    """What is to be given (`Facts.gives`) when this colleague gets it, or rings: nothing that they have already."""
    return () if held(state, house, agent) else ((agent, house.policy.units(state)),)


def no_room(actor: Actor, state: Conversation, house: House) -> Refusal | None:
    """A refusal if they carry too much to take it of their own accord; supervisors know what they do."""
    if actor.is_supervisor:
        return None
    place, units = house.place(actor.agent), house.policy.units(state)
    if place.has_room(units - held(state, house, actor.agent)):
        return None
    return refuse(
        "full",
        f"You carry {place.load} of {place.units} and this takes {units}. Close, snooze or pass on something first.",
    )
