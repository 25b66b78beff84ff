"""One case of one customer: its state, and how facts change it.

Law: `fold` is deterministic and total: facts of the log, in their order, always give the same state, and no fact is refused
here. Rules stand in `core.wishes`, which decides what may become a fact. `fold` changes the state in place: a conversation may have
100,000 messages, so nothing here grows with their number but two bounded memories of ids and one word for each reply.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import HandleId, MessageId, short_number
from broker_bridge.contract.words import opened
from broker_bridge.core import delivery, folds
from broker_bridge.core.delivery import Outgoing
from broker_bridge.core.state import CLOSED, ERASED, MERGED, NEW, OWNED, QUEUED, REPLIES, Conversation, Offer, Way

__all__ = ["CLOSED", "ERASED", "MERGED", "NEW", "OWNED", "QUEUED", "Conversation", "Offer", "Way", "begin", "fold"]

STATUSES: dict[str, frozenset[str]] = {
    NEW: frozenset({QUEUED, OWNED}),
    QUEUED: frozenset({QUEUED, OWNED, CLOSED, MERGED, ERASED}),
    OWNED: frozenset({OWNED, QUEUED, CLOSED, MERGED, ERASED}),
    CLOSED: frozenset({QUEUED, OWNED, MERGED, ERASED}),
    MERGED: frozenset({QUEUED, CLOSED, ERASED}),
    ERASED: frozenset({QUEUED}),
}
"""From which status to which; a test holds the fold to it."""

COMMAND_MEMORY_MS = 7 * 86_400_000
ITEM_MEMORY_MS = 8 * 86_400_000
ITEM_MEMORY = 1_000
PREVIEW = 200
TRANSFERRED = "transferred"
"""Reason of a `Queued` that a colleague caused."""


def begin(conversation: str) -> Conversation:
    return Conversation(id=conversation, number=short_number(conversation))


def fold(state: Conversation, entry: Entry, seq: int) -> Conversation:
    """`state` after one message of LOG; the same object."""
    for fact in entry.facts:
        _apply(fact, state, entry, seq)
    if entry.command:
        state.commands[entry.command] = entry.at_ms
    if len(state.commands) > 64:
        _forget(state.commands, entry.at_ms - COMMAND_MEMORY_MS, len(state.commands))
    if len(state.items) > ITEM_MEMORY:
        _forget(state.items, entry.at_ms - ITEM_MEMORY_MS, len(state.items) - ITEM_MEMORY)
    state.seq = seq
    return state


def fold_all(conversation: str, entries: Iterable[tuple[int, Entry]]) -> Conversation:
    """The state after a whole history of (sequence, entry)."""
    return functools.reduce(lambda state, pair: fold(state, pair[1], pair[0]), entries, begin(conversation))


def _forget(memory: dict[str, int], before_ms: int, most: int) -> None:
    """Drop the oldest ids, at most `most`, as long as they are older than `before_ms`."""
    old: list[str] = []
    for key, at_ms in memory.items():
        if at_ms >= before_ms or len(old) >= most:
            break
        old.append(key)
    for key in old:
        del memory[key]


def preview(text: str) -> str:
    """One line of at most 200 characters."""
    return " ".join(text[: PREVIEW * 4].split())[:PREVIEW]


@functools.singledispatch
def _apply(fact: f.Fact, state: Conversation, entry: Entry, seq: int) -> None:
    """Work around the talk stands in core.folds; facts of other aggregates in this log change nothing here."""
    apply = folds.APPLY.get(type(fact))
    if apply is not None:
        apply(fact, state, entry, seq)


@_apply.register
def _(fact: f.Opened, state: Conversation, entry: Entry, seq: int) -> None:
    state.status = QUEUED
    state.customer = fact.customer
    state.handle = fact.handle
    state.channel = fact.channel
    state.channel_kind = fact.channel_kind
    state.queue = fact.queue
    state.reply_within_s = fact.reply_within_s
    state.opened_ms = entry.at_ms


def _came_in(
    state: Conversation, entry: Entry, seq: int, handle: HandleId, item: str, *, is_automatic: bool = False
) -> None:
    state.items[item] = entry.at_ms
    state.messages += 1
    state.unread += 1
    state.last_in_seq = seq
    state.last_ms = entry.at_ms
    if state.waiting_since_ms is None and not is_automatic:
        # Nobody waits behind an out-of-office note.
        state.waiting_since_ms = entry.at_ms
    state.text_by = "them"
    state.handles.setdefault(handle, "")
    if not is_automatic:
        state.snooze = None


@_apply.register
def _(fact: f.Received, state: Conversation, entry: Entry, seq: int) -> None:
    words = opened(fact.words)
    _came_in(state, entry, seq, fact.handle, fact.item, is_automatic=bool(fact.automatic))
    state.text = preview(words.text or words.subject or (words.files[0].name if words.files else ""))
    state.name = words.name or state.name or words.address
    state.handles[fact.handle] = words.address
    for person in (*words.to, *words.cc):
        state.people[person.address.lower()] = person.name
    if words.mail_id:
        state.mails.pop((words.mail_id, fact.digest), None)
        state.mails[words.mail_id, fact.digest] = fact.message
        if len(state.mails) > ITEM_MEMORY:
            del state.mails[next(iter(state.mails))]
    state.ways.pop(fact.channel, None)
    state.ways[fact.channel] = Way(
        channel=fact.channel,
        channel_kind=fact.channel_kind,
        handle=fact.handle,
        message=fact.message,
        address=words.address,
        name=words.name,
        subject=words.subject,
        mail_id=words.mail_id,
        references=words.references[-20:],
        to=tuple((person.address, person.name) for person in words.to),
        cc=tuple((person.address, person.name) for person in words.cc),
    )


@_apply.register
def _(fact: f.DeliveredAgain, state: Conversation, entry: Entry, seq: int) -> None:
    state.items[fact.item] = entry.at_ms


@_apply.register
def _(fact: f.CouldNotBeRead, state: Conversation, entry: Entry, seq: int) -> None:
    words = opened(fact.words)
    _came_in(state, entry, seq, fact.handle, fact.item)
    state.text = preview(f"could not be read: {fact.reason}")
    state.name = state.name or words.name or words.address
    if words.address:
        state.handles[fact.handle] = words.address


@_apply.register
def _(fact: f.Transferred, state: Conversation, entry: Entry, seq: int) -> None:
    state.passed_by = fact.agent


@_apply.register
def _(fact: f.Queued, state: Conversation, entry: Entry, seq: int) -> None:
    state.steps = state.widened = 0
    if fact.reason != TRANSFERRED:
        state.passed_by = ""
    state.status = QUEUED
    state.queue = fact.queue
    state.skills = fact.skills
    state.last_owner = state.owner or state.last_owner
    state.owner = ""
    state.offer = state.consult = state.snooze = None
    state.declined = {}
    state.queued_ms = entry.at_ms
    state.queued_seq = seq


@_apply.register
def _(fact: f.Offered, state: Conversation, entry: Entry, seq: int) -> None:
    state.offer = Offer(
        agent=fact.agent,
        until_ms=fact.until_ms,
        reason=fact.reason,
        is_transfer=fact.is_transfer,
        is_consult=fact.is_consult,
        also=fact.also,
        by=fact.by,
        units=fact.units,
        at_ms=entry.at_ms,
    )


@_apply.register
def _(fact: f.OfferEnded, state: Conversation, entry: Entry, seq: int) -> None:
    ringing = state.offer
    gone = fact.agent if fact.reason == "declined" else ""
    others = tuple(one for one in ringing.everybody if one != gone) if ringing and ringing.also and gone else ()
    for one in (fact.agent,) if others or ringing is None else ringing.everybody:
        state.declined[one] = entry.at_ms
    state.offer = folds.rings_on(ringing, others) if ringing and others else None


@_apply.register
def _(fact: f.Accepted, state: Conversation, entry: Entry, seq: int) -> None:
    state.status = OWNED
    state.last_owner = state.owner or state.last_owner
    state.owner = fact.agent
    state.epoch = fact.epoch
    state.offer = state.consult = state.wrap = state.snooze = None
    state.declined = {}
    state.steps = state.widened = 0
    state.accepted_ms = entry.at_ms


@_apply.register
def _(fact: f.Replied, state: Conversation, entry: Entry, seq: int) -> None:
    words = opened(fact.words)
    state.out[fact.message] = Outgoing(fact=fact, seq=seq, at_ms=entry.at_ms)
    state.messages += 1
    if fact.automatic:
        # The customer still waits for a person.
        state.away_told_ms = entry.at_ms
        return
    if state.due_ms is not None:
        state.answered += 1
        state.answered_late += entry.at_ms > state.due_ms
    for what in REPLIES:
        state.promises.pop(what, None)
    state.has_answer = True
    state.waiting_since_ms = None
    state.unread = 0
    state.seen_seq = seq
    state.last_ms = entry.at_ms
    state.text = preview(words.text)
    state.text_by = fact.agent
    state.last_by_agent[fact.agent] = seq
    for person in (*words.to, *words.cc):
        state.people[person.address.lower()] = person.name


def _settle(state: Conversation, message: MessageId, to: str) -> None:
    """Move a reply to a state, and out of `out` once nothing is left to do."""
    waiting = state.out.get(message)
    if waiting is not None:
        waiting.state = delivery.moved(waiting.state, to)
        if waiting.state in delivery.SETTLED:
            del state.out[message]
            state.ends[message] = waiting.state
            if waiting.state in (delivery.FAILED, delivery.UNKNOWN):
                state.stuck[message] = waiting
    elif message in state.ends:
        state.ends[message] = delivery.moved(state.ends[message], to)
        if state.ends[message] not in (delivery.FAILED, delivery.UNKNOWN):
            state.stuck.pop(message, None)
        elif message in state.stuck:
            state.stuck[message].state = state.ends[message]


@_apply.register
def _(fact: f.Sending, state: Conversation, entry: Entry, seq: int) -> None:
    waiting = state.out.get(fact.message)
    if waiting is None:
        return
    waiting.state = delivery.SENDING
    waiting.attempt = fact.attempt
    waiting.deadline_ms = fact.deadline_ms
    waiting.bridge = fact.bridge


@_apply.register
def _(fact: f.Sent, state: Conversation, entry: Entry, seq: int) -> None:
    _settle(state, fact.message, delivery.SENT)


@_apply.register
def _(fact: f.SendFailed, state: Conversation, entry: Entry, seq: int) -> None:
    if state.is_superseded(fact.message, fact.attempt):
        return
    waiting = state.out.get(fact.message)
    if fact.retry_at_ms is None:
        # What was sent meanwhile is not undone by the end of an older attempt; only a bounce does that.
        if waiting is not None or state.ends.get(fact.message) == delivery.UNKNOWN:
            _settle(state, fact.message, delivery.FAILED)
    elif waiting is not None:
        waiting.state = delivery.moved(waiting.state, delivery.QUEUED)
        waiting.due_ms = fact.retry_at_ms
        waiting.reason = fact.reason


@_apply.register
def _(fact: f.SendUnknown, state: Conversation, entry: Entry, seq: int) -> None:
    if state.is_superseded(fact.message, fact.attempt):
        return
    _settle(state, fact.message, delivery.UNKNOWN)


def _news(state: Conversation, entry: Entry, item: str, message: MessageId, to: str) -> None:
    if item:
        state.items[item] = entry.at_ms
    _settle(state, message, to)


@_apply.register
def _(fact: f.Delivered, state: Conversation, entry: Entry, seq: int) -> None:
    _news(state, entry, fact.item, fact.message, delivery.DELIVERED)


@_apply.register
def _(fact: f.Read, state: Conversation, entry: Entry, seq: int) -> None:
    _news(state, entry, fact.item, fact.message, delivery.READ)


@_apply.register
def _(fact: f.Bounced, state: Conversation, entry: Entry, seq: int) -> None:
    _news(state, entry, fact.item, fact.message, delivery.FAILED)
    state.last_ms = entry.at_ms


@_apply.register
def _(fact: f.SentAgain, state: Conversation, entry: Entry, seq: int) -> None:
    again = state.stuck.pop(fact.message, None)
    if again is None:
        return
    del state.ends[fact.message]
    again.state = delivery.QUEUED
    again.due_ms = 0
    state.out[fact.message] = again


@_apply.register
def _(fact: f.Noted, state: Conversation, entry: Entry, seq: int) -> None:
    state.last_by_agent[fact.agent] = seq
    state.last_ms = entry.at_ms


@_apply.register
def _(fact: f.Suggested, state: Conversation, entry: Entry, seq: int) -> None:
    if fact.conversation not in state.apart:
        state.suggestion = fact.conversation


@_apply.register
def _(fact: f.Seen, state: Conversation, entry: Entry, seq: int) -> None:
    state.unread = 0
    state.seen_seq = seq


@_apply.register
def _(fact: f.Closed, state: Conversation, entry: Entry, seq: int) -> None:
    state.status = CLOSED
    state.last_owner = state.owner or state.last_owner
    state.owner = ""
    state.offer = state.consult = state.snooze = None
    state.promises = {}
    state.tags = fact.tags
    state.closed_ms = entry.at_ms
    state.closed_by = fact.agent
    state.disposition = fact.disposition
    state.waiting_since_ms = None
    state.last_ms = entry.at_ms


@_apply.register
def _(fact: f.Reopened, state: Conversation, entry: Entry, seq: int) -> None:
    state.status = QUEUED
    state.queue = fact.queue
    state.owner = ""
    state.closed_by = ""
    state.disposition = ""
    state.wrap = None
    state.has_answer = False


@_apply.register
def _(fact: f.Erased, state: Conversation, entry: Entry, seq: int) -> None:
    erased = begin(state.id)
    erased.epoch = state.epoch
    for field in state.__struct_fields__:
        setattr(state, field, getattr(erased, field))
    state.status = ERASED
    state.seq = seq
