"""What the window and the link tell each other: the words that need no network.

Law: the window never waits for the link. It is told; it asks in a worker; what it posts is on disk before anything
else.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from agent_tui.model.desk import Applied
from broker_bridge.contract.commands import Act
from broker_bridge.contract.views import Answer, ThreadFeed

State = Literal["connecting", "up", "down", "denied"]


class NoLink(Exception):
    """Nobody answered: the server or the bridge is away. The sentence is for the person."""


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the link is, for the banner and the status line."""

    state: State = "connecting"
    since_ms: int
    """When it became so."""
    as_of_ms: int = 0
    """What is on the screen was true then: the last beat or feed message, or the snapshot of the last run."""
    round_trip_ms: int | None = None
    """To the server and back; None = not measured."""
    sentence: str = ""
    """A full sentence for the person; it says what to do where something can be done."""


class Listener(Protocol):
    """Who is told what comes over the link, always on the event loop that runs the link."""

    def link_changed(self, status: LinkStatus) -> None: ...

    def desk_changed(self, applied: Applied) -> None:
        """The desk's state has already changed; `applied` names what to paint."""

    def thread_changed(self, feed: ThreadFeed) -> None:
        """Changed items of a watched conversation, in full. After an outage it brings the newest page again."""

    def settled(self, act: Act, answer: Answer) -> None:
        """The bridge answered a posted wish; it is no longer in the outbox."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The waits of a link, in seconds. The contract's numbers; tests shorten them."""

    connect_s: float = 5.0
    hello_s: float = 2.0
    silence_s: float = 3.0
    """Without a beat for so long, say hello again (the bridge beats once a second)."""
    retry_s: float = 1.0
    """Between tries; the jitter comes on top, so that 500 desks do not return in the same moment."""
    most_retry_s: float = 15.0
    denied_retry_s: float = 5.0
    """Somebody may be letting us in right now, but nothing else will."""
    answer_s: float = 5.0
    measure_s: float = 5.0
    alive_s: float = 8.0
    """Between words that the terminal is there; after 30 s without one its agent counts as silent."""
    keep_s: float = 5.0
    """Between snapshots for the next start."""
