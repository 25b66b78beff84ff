"""What `why` is told with: who asks, what the house calls things, the live decision, and the steps as they are gathered.

Law: words only; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from broker_bridge.contract.ids import AgentId, ConversationId, QueueId
from broker_bridge.contract.policy import Skill, Why
from broker_bridge.core.definitions import Policy

GAP = "…"
"""Word of a line that says what was left out."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The decision as it would be made now, of a case that waits."""

    why: Why
    wait_ms: int = 0
    """Until when whoever knows the customer is waited for; 0: not at all."""
    waits_for: AgentId = ""
    offers_at_all: bool = True
    """False: agents take from the queue themselves."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what the house calls things."""

    reader: AgentId
    name_of: Callable[[AgentId], str]
    word: Callable[[str], str]
    """Channel kind to its word of four letters."""
    spelled: Callable[[str, str], str]
    """(channel kind, address) as this reader may see it."""
    now_ms: int
    customer: str = ""
    """The customer's name as this reader may see it."""
    proved: Mapping[str, bool] = {}
    """Handles of the customer, and whether each is proved."""
    number_of: Callable[[ConversationId], str] = lambda _: ""
    policy: Policy = Policy()

    def who(self, agent: AgentId) -> str:
        """`you`, or a name."""
        return "you" if agent and agent == self.reader else self.name_of(agent) or "somebody"

    def does(self, agent: AgentId, theirs: str, yours: str) -> str:
        """`Maya has`, `You have`: a sentence may begin with it."""
        return f"You {yours}" if agent and agent == self.reader else f"{self.who(agent)} {theirs}"

    def whose(self, agent: AgentId) -> str:
        """`your`, or `Maya's`."""
        return "your" if agent and agent == self.reader else f"{self.who(agent)}'s"

    def queue(self, queue: QueueId) -> str:
        return self.policy.title(queue)


@dataclass
class Step:
    """One line while it may still change: how an offer ended is said where it was made."""

    at_ms: int
    word: str
    text: str
    mark: str = ""
    tone: str = ""
    tail: str = ""
    """Said after whatever is still added to the text."""
    due_ms: int | None = None
    """Of a target whose clock runs."""
    warn_ms: int | None = None
    short: str = ""
    """The text without the time of a target."""


@dataclass
class Told:
    """All that the entries say."""

    steps: list[Step] = field(default_factory=list)
    why: Why | None = None
    """Inputs of the newest decision of the router, while it is what holds."""
    asked: tuple[AgentId, ...] = ()
    """Who was chosen by it."""
    how: str = ""
    """What decided where it is: `offer`, `took`, `transfer`, `forced`, `confirmed`, `gone`, `reopened`, `split`, `queued`."""
    by: AgentId = ""
    """The colleague who did."""
    reason: str = ""
    """Why it went to the queue."""
    queue_step: Step | None = None
    """The line of the queue that it came into last."""
    left_out: int = 0
    """Entries that were not read."""


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def needs_in_words(needs: tuple[Skill, ...]) -> str:
    """`swedish 3 and fees 2`."""
    return joined([f"{one.name} {one.level}" for one in needs])


def joined(words: list[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def lasting(seconds: int) -> str:
    """`40 s`, `12 min`, `2 h`, `3 days`."""
    seconds = max(0, seconds)
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            count = seconds // size
            return f"{count} day{'s' if count != 1 else ''}" if unit == "day" else f"{count} {unit}"
    return f"{seconds} s"
