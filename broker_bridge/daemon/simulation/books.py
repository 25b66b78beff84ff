"""What the world saw with its own eyes: what was promised to customers and agents, what providers were given.

Law: written at the moment it happens, never changed afterwards; the checkers believe it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Spoken:
    """One inbound item, as its sender knows it."""

    native: str
    channel: str
    address: str
    text: str
    began_s: float
    acknowledged_s: float | None = None
    is_receipt: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that a provider accepted for delivery."""

    message: str
    conversation: str
    seq: int
    text: str
    channel: str
    at_s: float
    is_on_time: bool
    """The bridge that called was alive and waiting when it was accepted."""


@dataclass(slots=True)
class Promised:
    """A command that an agent was told is done."""

    command: str
    agent: str
    verb: str
    conversation: str
    message: str | None
    text: str = ""
    epoch: int | None = None


@dataclass
class Books:
    spoken: dict[str, Spoken] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    repeats: int = 0
    """Second sends of one key that an idempotent provider dropped."""
    promised: dict[str, Promised] = field(default_factory=dict)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    """(agent, verb, code) of refusals that must stand in AUDIT."""
    silent: list[tuple[str, str]] = field(default_factory=list)
    """(supervisor, conversation) of silent reads that were answered."""
    drafts: dict[tuple[str, str], str] = field(default_factory=dict)
    """(agent, conversation) to the draft that was kept last, as far as its terminal can know."""
    carried: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(agent, conversation) to the drafts that a merge was told to have taken there."""
    problems: list[str] = field(default_factory=list)
    """What must not happen and was seen while it happened."""
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
