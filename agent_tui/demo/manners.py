"""How each colleague of the demo works: their pace, their habits, and how often they fail. Pure: a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a colleague works. Times in seconds, as (least, most)."""

    accepts_s: tuple[float, float] = (7.0, 14.0)
    answers_s: tuple[float, float] = (8.0, 22.0)
    closes_s: tuple[float, float] = (20.0, 45.0)
    gives_to: str = ""
    """Transfers cases with a `hand_over` to this agent."""
    notes_for: str = ""
    """Writes what they know as notes into this agent's cases."""
    takes_strangers: bool = False
    declines: float = 0.0
    """Share of the queue's offers that are declined with a word."""
    misses: float = 0.0
    """Share of the queue's offers that nobody answers."""
    snoozes: float = 0.0
    """Share of the answered cases that sleep until the customer writes, or a while."""
    tasks: float = 0.0
    """Share of the closed cases that leave something to do."""
    wraps_s: tuple[float, float] = (4.0, 12.0)
    talks_s: tuple[float, float] = (12.0, 20.0)
    """How long somebody who was asked is heard before the case changes hands."""
    break_every_s: float = 0.0
    """Between breaks; 0 = none."""
    reason: str = "coffee"


MANNERS = {
    "ole": Manner(
        notes_for="maya", declines=0.12, misses=0.08, snoozes=0.15, tasks=0.1, break_every_s=240.0, reason="coffee"
    ),
    "priya": Manner(gives_to="maya", accepts_s=(4.0, 9.0), declines=0.08, tasks=0.15, snoozes=0.1),
    "tomas": Manner(misses=0.15, break_every_s=300.0, reason="on the phone"),
    "maya": Manner(accepts_s=(2.0, 6.0), takes_strangers=True),
}
DIES = "tomas"
"""Whose terminal vanishes once."""
