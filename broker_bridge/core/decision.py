"""What a wish becomes: facts, or a refusal with a sentence."""

from __future__ import annotations

import msgspec

from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.facts import ConversationFact
from broker_bridge.contract.ids import AgentId, MessageId


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The wish is granted; no facts = it had come true already."""

    facts: tuple[ConversationFact, ...] = ()
    message: MessageId | None = None
    leads_handle: bool = False
    """The customer's handle must point to this conversation from here on: one batch with it."""
    gives: tuple[tuple[AgentId, int], ...] = ()
    """(agent, units): places that are taken by this, to be given in the same batch (`facts.Given`)."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A reply was stopped: somebody wrote after `since` (LOG sequence)."""

    since: int
    sentence: str


Decision = Facts | Refusal | Changed


def refuse(code: str, sentence: str) -> Refusal:
    """No, in a full sentence: it may begin with a colleague's id, which is lower case."""
    return Refusal(code=code, sentence=sentence[:1].upper() + sentence[1:])
