"""Whether an agent is here and what they chose, as the bucket `presence` keeps it, and which of two words of it holds.

Law: pure. The newest choice holds, whoever heard the terminal last.
"""

from __future__ import annotations

import msgspec


class Presence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One agent's state, as kept in the bucket `presence`."""

    state: str = "off"
    """`ready`, `busy`, `away`, `transfer_only` or `off`."""
    reason: str = ""
    since_ms: int = 0
    until_ms: int | None = None
    """Back at."""
    next_state: str = ""
    """Taken once the work in hand is done; nothing new is offered until then."""
    next_reason: str = ""
    next_until_ms: int | None = None
    heard_ms: int = 0
    """When the terminal was heard of last."""
    chose_ms: int = 0
    """When the state or the next one was chosen: later than every choice known then, whatever the clock says. 0 = by an older bridge."""


_presences = msgspec.json.Decoder(Presence)
OFF = Presence()


def read(value: bytes) -> Presence:
    """As the bucket has it. Raises msgspec.DecodeError."""
    return _presences.decode(value)


def is_newer(fresh: Presence, known: Presence) -> bool:
    """Whether the choice of `fresh` is not older: when a terminal was heard says nothing of what its agent chose."""
    if not is_chosen(known) or not is_chosen(fresh):
        return not is_chosen(known)
    if not fresh.chose_ms or not known.chose_ms:
        return fresh.heard_ms >= known.heard_ms
    # Two choices at once: the bucket's order is everybody's.
    return fresh.chose_ms >= known.chose_ms


def is_chosen(presence: Presence) -> bool:
    """Whether anybody chose it: not where a terminal was only heard of, by a bridge that knew of no choice."""
    return presence.chose_ms > 0 or presence.since_ms > 0
