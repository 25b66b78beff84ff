"""What an inbound item becomes: the rules of the clerk.

Law: an item is applied once, by its id. A mail with the same Message-ID *and* the same digest is the same mail, delivered again; a
Message-ID alone proves nothing (a sender chooses it). A case is joined by the handle, by a signed reply token, or by references
together with a participant check; anything weaker is a suggestion that an agent confirms.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.envelopes import Receipt, Said, Stored, Unreadable
from broker_bridge.contract.ids import ConversationId, CustomerId, HandleId, MessageId, QueueId, derived
from broker_bridge.contract.words import Words
from broker_bridge.core import conversation as conv
from broker_bridge.core import hours, targets
from broker_bridge.core.definitions import Policy
from broker_bridge.core.handle import Handle
from broker_bridge.core.state import Conversation

REOPEN_WITHIN_MS = 14 * 86_400_000
"""A customer who answers a closed case within two weeks reopens it; later it is a new case."""


AWAY_AGAIN_MS = 4 * 3_600_000
"""One address is told that nobody is here once while it is closed, and never twice within four hours."""


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The configured channel an item came by."""

    queue: QueueId
    reply_within_s: int | None


class Joined(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Facts by aggregate; all of them are one batch."""

    conversation: ConversationId
    conv: tuple[f.ConversationFact, ...]
    handle: tuple[f.HandleFact, ...] = ()
    customer: tuple[f.CustomerFact, ...] = ()
    customer_id: CustomerId = ""


def message_id(stored: Stored) -> MessageId:
    """The message's id: the same for the same item, so that applying it twice is the same message."""
    return derived("message", stored.id)


def takes(state: Conversation, now_ms: int) -> bool:
    """Whether a new message of its customer belongs to this conversation."""
    if state.is_open:
        return True
    return state.status == conv.CLOSED and now_ms - state.closed_ms < REOPEN_WITHIN_MS


def is_participant(state: Conversation, handle: HandleId, address: str, ours: frozenset[str] = frozenset()) -> bool:
    """Whether this sender has a part in the case: a handle of it, or somebody its mails were addressed to.

    Args:
        ours: the site's own addresses, lower case: every mail is addressed to one of them, so they prove nothing.
    """
    return handle in state.handles or (address.lower() in state.people and address.lower() not in ours)


def arrived(stored: Stored, item: Said | Unreadable) -> f.ConversationFact:
    """The fact of a message."""
    if isinstance(item, Unreadable):
        return f.CouldNotBeRead(
            message=message_id(stored),
            item=stored.id,
            handle=stored.handle,
            channel=stored.channel,
            channel_kind=stored.kind,
            reason=item.reason,
            raw=item.raw,
            size_bytes=item.size_bytes,
            words=msgspec.structs.replace(item.words, address=item.sender.address, name=item.sender.name),
        )
    return f.Received(
        message=message_id(stored),
        item=stored.id,
        handle=stored.handle,
        channel=stored.channel,
        channel_kind=stored.kind,
        source_ms=item.source_ms,
        digest=item.digest,
        automatic=item.automatic,
        raw=item.raw,
        words=msgspec.structs.replace(item.words, address=item.sender.address, name=item.sender.name),
    )


def follow_up(
    state: Conversation, stored: Stored, item: Said | Unreadable, policy: Policy, now_ms: int
) -> Joined | None:
    """The facts on a conversation that takes the item; None: it was applied before.

    A closed conversation is reopened, and then the handle moves with it. Out of hours the machine says so once.

    Raises:
        LookupError: it was erased or merged meanwhile (or never was): the item belongs to another one. Look where again.
    """
    if state.status in (conv.NEW, conv.ERASED, conv.MERGED):
        raise LookupError("an erased or merged conversation takes no messages")
    if stored.id in state.items:
        return None
    words = item.words
    digest = item.digest if isinstance(item, Said) else ""
    known = state.mails.get((words.mail_id, digest)) if words.mail_id and digest else None
    if known is not None:
        again = f.DeliveredAgain(message=known, item=stored.id, channel=stored.channel)
        return Joined(conversation=state.id, conv=(again,))
    fact = arrived(stored, item)
    is_automatic = isinstance(item, Said) and bool(item.automatic)
    if is_automatic:
        # An out-of-office note joins a closed case and leaves it closed; nobody waits behind it.
        return Joined(conversation=state.id, conv=(fact,))
    promised = targets.on_message(state, policy, now_ms)
    told = _away(state, state.queue, stored, item, policy, now_ms)
    if state.is_open:
        return Joined(conversation=state.id, conv=(fact, *promised, *told))
    back = (f.Reopened(queue=state.queue), fact, f.Queued(queue=state.queue, reason="the customer wrote again"))
    return Joined(conversation=state.id, conv=(*back, *promised, *told), handle=(f.Began(conversation=state.id),))


def follow_ups(
    state: Conversation, arrivals: Iterable[tuple[Stored, Said]], policy: Policy, now_ms: int
) -> tuple[f.ConversationFact, ...]:
    """The facts of several messages on an open conversation, those that were applied before left out.

    None of them is a mail: whether two mails are one is for `follow_up` to say, one by one.
    """
    found = {stored.id: (stored, item) for stored, item in arrivals if stored.id not in state.items}
    if not found:
        return ()
    said = tuple(arrived(stored, item) for stored, item in found.values())
    people = [(stored, item) for stored, item in found.values() if not item.automatic]
    if not people:
        return said
    told = _away(state, state.queue, *people[-1], policy, now_ms)
    return (*said, *targets.on_message(state, policy, now_ms), *told)


def _away(
    state: Conversation | None, queue: QueueId, stored: Stored, item: Said | Unreadable, policy: Policy, now_ms: int
) -> tuple[f.ConversationFact, ...]:
    """The machine's word that nobody is here: once while it is closed, to people only (RFC 3834), never to its own kind."""
    rules = policy.rules(queue)
    if not rules.away_reply or not isinstance(item, Said) or item.automatic or item.wants_silence:
        return ()
    if not item.sender.address:
        return ()
    if hours.is_open(rules.hours, now_ms):
        return ()
    told_ms = state.away_told_ms if state is not None else 0
    if told_ms and now_ms - told_ms < AWAY_AGAIN_MS:
        return ()
    opens_ms = hours.opens_at(rules.hours, now_ms)
    if told_ms and hours.opens_at(rules.hours, told_ms) == opens_ms:
        return ()
    subject = item.words.subject
    if stored.kind == "email" and not subject.lower().startswith("re:"):
        subject = f"Re: {subject}" if subject else "Re:"
    chain = (*item.words.references, item.words.mail_id) if item.words.mail_id else item.words.references
    words = Words(
        text=rules.away_reply,
        subject=subject,
        address=item.sender.address,
        name=item.sender.name,
        to=(item.sender,) if stored.kind == "email" else (),
        references=tuple(dict.fromkeys(chain)),
        mail_id=item.words.mail_id,
    )
    return (
        f.Replied(
            message=derived("away", stored.id),
            agent="",
            channel=stored.channel,
            channel_kind=stored.kind,
            handle=stored.handle,
            in_reply_to=message_id(stored),
            words=words,
            automatic="out of hours",
        ),
    )


def first_contact(
    handle: Handle,
    stored: Stored,
    item: Said | Unreadable,
    source: Source,
    conversation: ConversationId,
    new_customer: CustomerId,
    suggestion: tuple[ConversationId, str] | None,
    policy: Policy,
    now_ms: int,
) -> Joined:
    """A new conversation, and a new customer if the handle has none.

    Args:
        suggestion: (conversation, reason) of a weak match, to be shown and confirmed by an agent.
    """
    sender = Words(address=item.sender.address, name=item.sender.name)
    customer = handle.customer or new_customer
    conv_facts: tuple[f.ConversationFact, ...] = (
        f.Opened(
            customer=customer,
            handle=stored.handle,
            channel=stored.channel,
            channel_kind=stored.kind,
            queue=source.queue,
            reply_within_s=source.reply_within_s,
        ),
        arrived(stored, item),
        f.Queued(queue=source.queue),
        *_promised(conversation, stored, item, source, policy, now_ms),
    )
    if suggestion is not None:
        conv_facts = (*conv_facts, f.Suggested(conversation=suggestion[0], reason=suggestion[1]))
    began = f.Began(conversation=conversation)
    if handle.customer:
        return Joined(conversation=conversation, conv=conv_facts, handle=(began,), customer_id=customer)
    return Joined(
        conversation=conversation,
        conv=conv_facts,
        handle=(f.Bound(customer=customer, channel_kind=stored.kind, words=sender), began),
        customer=(
            f.Created(words=Words(name=item.sender.name or item.sender.address)),
            f.HandleAdded(handle=stored.handle, channel_kind=stored.kind, words=Words(address=item.sender.address)),
        ),
        customer_id=customer,
    )


def _promised(
    conversation: ConversationId, stored: Stored, item: Said | Unreadable, source: Source, policy: Policy, now_ms: int
) -> tuple[f.ConversationFact, ...]:
    """What a first message is promised, and told out of hours."""
    if isinstance(item, Said) and item.automatic:
        return ()
    empty = conv.begin(conversation)
    promised = targets.on_message(empty, policy, now_ms, queue=source.queue, reply_s=source.reply_within_s)
    return (*promised, *_away(None, source.queue, stored, item, policy, now_ms))


def receipt(state: Conversation, stored: Stored, item: Receipt) -> f.ConversationFact | None:
    """The fact of a receipt about one of our messages; None: applied before. Raises LookupError: not a message of this case."""
    if stored.id in state.items:
        return None
    if state.delivery_of(item.message) is None:
        raise LookupError("the receipt names no message of this conversation")
    if item.state == "delivered":
        return f.Delivered(message=item.message, item=stored.id)
    if item.state == "read":
        return f.Read(message=item.message, item=stored.id)
    return f.Bounced(message=item.message, item=stored.id, reason=item.reason)
