"""A small contact center for tests of the rules: people, one case, and short ways to make it happen."""

from collections.abc import Callable
from typing import Any

import msgspec

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Said, Stored, Unreadable
from broker_bridge.contract.facts import ConversationFact, Entry
from broker_bridge.contract.policy import DeskRules, QueueRules
from broker_bridge.contract.words import Address, Words
from broker_bridge.core import conversation as conv
from broker_bridge.core import thread, wishes
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.decision import Decision, Facts
from broker_bridge.core.definitions import Policy
from broker_bridge.core.inbound import Source
from broker_bridge.core.wishes import Actor, House, Place

CASE = "case-1"
ANNA = "hand-anna"
BOB = "hand-bob"
START_MS = 1_795_000_000_000

MAYA = Actor(agent="maya", name="Maya", queues=("orders",))
"""Owns the case wherever somebody does."""
JONAS = Actor(agent="jonas", name="Jonas", queues=("orders", "returns"))
"""A colleague of the same queue."""
LENA = Actor(agent="lena", name="Lena", queues=("returns",))
"""Of another queue; the one who is asked wherever somebody is."""
OLGA = Actor(agent="olga", name="Olga", role="supervisor", queues=("returns",))
ACTORS = (MAYA, JONAS, LENA, OLGA)

HOUSE = House(
    names={one.agent: one.name for one in ACTORS},
    queues=("orders", "returns"),
    channels={"support": "email", "chat": "webchat"},
    dispositions=("solved", "spam"),
    max_chars={"chat": 100},
)
POLICY = Policy()
"""Nothing defined: a queue works by the defaults."""
SOURCE = Source(queue="orders", reply_within_s=3600)
NAMED = thread.Named(agent=HOUSE.name_of, word=lambda kind: {"email": "mail", "webchat": "chat"}.get(kind, kind[:4]))


def received(label: str, handle: str = ANNA, channel: str = "support", **words: Any) -> f.Received:
    return f.Received(
        message=f"message-{label}",
        item=f"item-{label}",
        handle=handle,
        channel=channel,
        channel_kind=HOUSE.channels[channel],
        words=Words(text=f"text of {label}", address=f"{handle}@example.se", **words),
    )


OPENED = f.Opened(
    customer="cust", handle=ANNA, channel="support", channel_kind="email", queue="orders", reply_within_s=60
)


def replied(name: str, agent: str = "maya", channel: str = "support") -> f.Replied:
    kind = HOUSE.channels[channel]
    words = Words(text=f"answer {name}", address="anna@example.se")
    return f.Replied(
        message=f"message-{name}", agent=agent, channel=channel, channel_kind=kind, handle=ANNA, words=words
    )


class Case:
    """One conversation under test: every `add` is one entry of its log."""

    def __init__(self) -> None:
        self.state = conv.begin(CASE)
        self.log: list[tuple[int, Entry]] = []
        self.now_ms = START_MS
        self.house = HOUSE

    def add(self, *facts: ConversationFact, by: str = "test", command: str = "") -> "Case":
        self.now_ms += 1_000
        entry = Entry(at_ms=self.now_ms, by=by, command=command, facts=facts)
        self.log.append((len(self.log) * 3 + 3, entry))
        self.state = conv.fold(self.state, entry, self.log[-1][0])
        return self

    def again(self) -> Conversation:
        """The state folded anew from the log."""
        return conv.fold_all(CASE, self.log)

    def decide(self, wish: c.Act, actor: Actor = MAYA, message: str = "message-new") -> Decision:
        return wishes.decide(self.state, wish, actor, self.house, message, self.now_ms)

    def do(self, wish: c.Act, actor: Actor = MAYA, message: str = "message-new") -> Decision:
        """Decide, and append what was granted."""
        decision = self.decide(wish, actor, message)
        if isinstance(decision, Facts) and decision.facts:
            self.add(*decision.facts, by=f"agent:{actor.agent}", command=wish.id)
        return decision


def ruled(place: Callable[[str], Place] = lambda _: Place(), desk: DeskRules | None = None, **rules: Any) -> House:
    """The house where both queues have these rules."""
    queues = dict.fromkeys(HOUSE.queues, QueueRules(**rules))
    return msgspec.structs.replace(HOUSE, policy=Policy(queues=queues, desk=desk or DeskRules()), place=place)


def at_work(case: Case, house: House) -> Case:
    """The case in this house."""
    case.house = house
    return case


def is_sentence(text: str) -> bool:
    return (
        text[0] == text[0].upper()
        and text[-1] == "."
        and "  " not in text
        and " ." not in text
        and text == text.strip()
    )


def queued() -> Case:
    return Case().add(OPENED, received("first"), f.Queued(queue="orders"))


def owned(by: Actor = MAYA) -> Case:
    return queued().add(f.Accepted(agent=by.agent, epoch=1))


def closed() -> Case:
    return owned().add(f.Closed(agent="maya", disposition="solved"))


def reply(case: Case, name: str = "reply-1", **changes: Any) -> c.Reply:
    """A reply of somebody who has read everything."""
    fields: dict[str, Any] = {
        "id": name,
        "conversation": CASE,
        "text": "hello",
        "channel": "support",
        "seen": case.state.seq,
    }
    return c.Reply(**(fields | changes))


def stored(native: str, handle: str = ANNA, channel: str = "support") -> Stored:
    kind = HOUSE.channels[channel]
    return Stored(
        id=f"item-{native}",
        native=native,
        kind=kind,
        channel=channel,
        handle=handle,
        received_ms=START_MS,
        sealed=Words(),
    )


def said(text: str = "hello", mail_id: str = "", digest: str = "", address: str = "anna@example.se") -> Said:
    return Said(
        sender=Address(address=address, name="Anna Berg"), words=Words(text=text, mail_id=mail_id), digest=digest
    )


def unreadable() -> Unreadable:
    return Unreadable(sender=Address(address="anna@example.se"), reason="It has 300 parts; 200 are read.", raw="e" * 64)
