"""What an agent may do with a conversation: wish and state become facts or a refusal.

Law: pure; the log's compare-and-set has the last word, so a decision may be taken again on a newer state. A command whose id is in
the state was done: it is answered as done. Every refusal is a sentence that says what to do next.

| status  | accept | reply close transfer | note | reopen | decline take_back |
|---------|--------|----------------------|------|--------|-------------------|
| queued  | any agent of the queue, a supervisor | refused: accept it first | anybody | refused | whoever it is offered to |
| owned   | whom it is offered to | the owner (close, transfer: a supervisor too) | anybody | refused | the same; the owner |
| closed  | refused: reopen it | refused | anybody | anybody of the queue | refused |
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, MessageId, QueueId
from broker_bridge.contract.words import Words
from broker_bridge.core import conversation as conv
from broker_bridge.core import delivery
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.decision import Changed, Decision, Facts, refuse

TRANSFER_OFFER_MS = 120_000
"""How long a colleague may think about a transfer; the owner keeps the case meanwhile."""


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


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs to know of the world besides the conversation."""

    names: Mapping[AgentId, str]
    """Every colleague who may sign in."""
    queues: tuple[QueueId, ...]
    channels: Mapping[str, str]
    """Configured channels: name to kind."""
    dispositions: tuple[str, ...]
    max_chars: Mapping[str, int] = {}
    """Longest reply, by channel name."""

    def name_of(self, agent: AgentId) -> str:
        return self.names.get(agent) or agent or "somebody"


def decide(state: Conversation, wish: c.Act, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    """The facts of one agent's command.

    Args:
        message: the id of the message that the wish would make (reply, note); derived from the command, so a repeat is the same.
    """
    if wish.id in state.commands:
        return Facts(message=wish.message if isinstance(wish, c.SendAgain) else message)
    if state.status == conv.NEW:
        return refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
    if state.status == conv.ERASED:
        return refuse("late", "This customer was erased. Nothing can be written here any more.")
    return _wish(wish, state, actor, house, message, now_ms)


def _ago(since_ms: int, now_ms: int) -> str:
    seconds = max(0, now_ms - since_ms) // 1000
    if seconds < 60:
        return f"{seconds} seconds ago" if seconds != 1 else "a second ago"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} minutes ago" if minutes != 1 else "a minute ago"
    hours = minutes // 60
    return f"{hours} hours ago" if hours != 1 else "an hour ago"


def _closed(state: Conversation, house: House, now_ms: int, what: str) -> Decision:
    who = house.name_of(state.closed_by)
    return refuse("late", f"{who} closed this conversation {_ago(state.closed_ms, now_ms)}. Reopen it to {what}.")


def _not_owner(state: Conversation, actor: Actor, house: House, now_ms: int, what: str) -> Decision | None:
    """A refusal unless the actor owns the open conversation."""
    if state.status == conv.CLOSED:
        return _closed(state, house, now_ms, what)
    if state.status == conv.QUEUED:
        return refuse("not_yours", f"Nobody owns this conversation yet. Accept it first, then {what}.")
    if state.owner != actor.agent:
        owner = house.name_of(state.owner)
        return refuse(
            "not_yours",
            f"{owner} took this conversation {_ago(state.accepted_ms, now_ms)}. Write a note, or ask {owner} to transfer it.",
        )
    return None


def _wrong_epoch(state: Conversation, wish: c.Act) -> Decision | None:
    if wish.epoch is None or wish.epoch == state.epoch:
        return None
    return refuse("late", "This conversation changed hands since you saw it. Look at it again, then repeat.")


@functools.singledispatch
def _wish(wish: c.Act, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    return refuse("bad", "This bridge does not know that command. Ask the operator to update the bridge.")


@_wish.register
def _(wish: c.Accept, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if state.status == conv.CLOSED:
        return _closed(state, house, now_ms, "work on it")
    if state.owner == actor.agent:
        return Facts()
    is_asked = state.offer is not None and state.offer.agent == actor.agent
    if state.status == conv.OWNED and not is_asked:
        owner = house.name_of(state.owner)
        return refuse("late", f"{owner} took this conversation {_ago(state.accepted_ms, now_ms)}. Take the next one.")
    if not is_asked and not actor.works_on(state.queue):
        return refuse("denied", f"You do not work on the queue {state.queue}. Ask a supervisor to add you to it.")
    return Facts(facts=(f.Accepted(agent=actor.agent, epoch=state.epoch + 1),))


@_wish.register
def _(wish: c.Decline, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if state.offer is None or state.offer.agent != actor.agent:
        return refuse("late", "This offer is over. There is nothing to decline.")
    return Facts(facts=(f.OfferEnded(agent=actor.agent, reason="declined"),))


def _people_of(wish: c.Reply, state: Conversation) -> Words:
    way = state.ways[wish.channel]
    subject = way.subject
    if way.channel_kind == "email" and not subject.lower().startswith("re:"):
        subject = f"Re: {subject}" if subject else "Re:"
    chain = tuple(dict.fromkeys((*way.references, way.mail_id))) if way.mail_id else way.references
    return Words(
        text=wish.text,
        subject=subject,
        address=way.address,
        name=way.name,
        to=wish.to,
        cc=wish.cc,
        references=chain,
        mail_id=way.mail_id,
    )


def _stopped(wish: c.Reply, state: Conversation, actor: Actor, house: House) -> Decision | None:
    """A stop, if the customer or a colleague wrote after what the agent had seen."""
    if wish.anyway:
        return None
    if state.last_in_seq > wish.seen:
        return Changed(since=wish.seen, sentence=f"{state.name or 'The customer'} wrote after you began.")
    for agent, seq in state.last_by_agent.items():
        if agent != actor.agent and seq > wish.seen:
            return Changed(since=wish.seen, sentence=f"{house.name_of(agent)} wrote after you began.")
    return None


@_wish.register
def _(wish: c.Reply, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    refusal = _not_owner(state, actor, house, now_ms, "reply") or _wrong_epoch(state, wish)
    if refusal is not None:
        return refusal
    if not wish.text.strip():
        return refuse("bad", "The reply is empty. Write something first.")
    limit = min(c.MAX_TEXT, house.max_chars.get(wish.channel, c.MAX_TEXT))
    if len(wish.text) > limit:
        return refuse(
            "bad",
            f"The reply has {len(wish.text):,} characters; {wish.channel} takes {limit:,}. Shorten it or attach a file.",
        )
    if wish.channel not in state.ways:
        return refuse(
            "bad",
            f"This customer has not written by {wish.channel} in this case. Choose a channel that the composer offers.",
        )
    if wish.channel not in house.channels:
        return refuse("unavailable", f"The channel {wish.channel} is no longer set up. Choose another one.")
    stop = _stopped(wish, state, actor, house)
    if stop is not None:
        return stop
    way = state.ways[wish.channel]
    reply = f.Replied(
        message=message,
        agent=actor.agent,
        channel=wish.channel,
        channel_kind=way.channel_kind,
        handle=way.handle,
        in_reply_to=way.message,
        words=_people_of(wish, state),
    )
    return Facts(facts=(reply,), message=message)


@_wish.register
def _(wish: c.Note, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if not wish.text.strip():
        return refuse("bad", "The note is empty. Write something first.")
    if len(wish.text) > c.MAX_TEXT:
        return refuse("bad", f"The note has {len(wish.text):,} characters; the limit is {c.MAX_TEXT:,}.")
    if wish.to is not None and wish.to not in house.names:
        return refuse("bad", f"There is no colleague {wish.to}. Pick one from the list.")
    note = f.Noted(message=message, agent=actor.agent, to=wish.to, words=Words(text=wish.text))
    return Facts(facts=(note,), message=message)


def _target(wish: c.Transfer, state: Conversation, house: House) -> Decision | None:
    if (wish.to_agent is None) == (wish.to_queue is None):
        return refuse("bad", "Choose one colleague or one queue to transfer to.")
    if wish.to_agent is not None and wish.to_agent not in house.names:
        return refuse("bad", f"There is no colleague {wish.to_agent}. Pick one from the list.")
    if wish.to_agent is not None and wish.to_agent == state.owner:
        return refuse("bad", "This conversation is theirs already.")
    if wish.to_queue is not None and wish.to_queue not in house.queues:
        return refuse("bad", f"There is no queue {wish.to_queue}. Pick one from the list.")
    return None


@_wish.register
def _(wish: c.Transfer, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if not (actor.is_supervisor and state.is_open):
        refusal = _not_owner(state, actor, house, now_ms, "transfer it") or _wrong_epoch(state, wish)
        if refusal is not None:
            return refusal
    refusal = _target(wish, state, house)
    if refusal is not None:
        return refusal
    words = Words(text=wish.note) if wish.note.strip() else None
    passed = f.Transferred(agent=actor.agent, to_agent=wish.to_agent, to_queue=wish.to_queue, words=words)
    if wish.to_queue is not None:
        return Facts(facts=(passed, f.Queued(queue=wish.to_queue, reason="transferred")))
    assert wish.to_agent is not None
    offer = f.Offered(
        agent=wish.to_agent,
        until_ms=now_ms + TRANSFER_OFFER_MS,
        reason=f"{actor.name} asks you to take it over",
        is_transfer=True,
    )
    return Facts(facts=(passed, offer))


@_wish.register
def _(wish: c.TakeBack, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    refusal = _not_owner(state, actor, house, now_ms, "take the transfer back")
    if refusal is not None:
        return refusal
    if state.offer is None:
        return refuse("late", "No transfer is open any more. There is nothing to take back.")
    return Facts(facts=(f.OfferEnded(agent=state.offer.agent, reason="withdrawn"),))


@_wish.register
def _(wish: c.Close, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if not (actor.is_supervisor and state.is_open):
        refusal = _not_owner(state, actor, house, now_ms, "close it again") or _wrong_epoch(state, wish)
        if refusal is not None:
            return refusal
    if wish.disposition not in house.dispositions:
        known = ", ".join(house.dispositions)
        return refuse("bad", f"There is no disposition {wish.disposition!r}. Choose one of: {known}.")
    words = Words(text=wish.note) if wish.note.strip() else None
    return Facts(facts=(f.Closed(agent=actor.agent, disposition=wish.disposition, words=words),))


@_wish.register
def _(wish: c.Reopen, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if state.status != conv.CLOSED:
        owner = house.name_of(state.owner) if state.owner else "the queue"
        return refuse("late", f"This conversation is open already, with {owner}.")
    if not actor.works_on(state.queue):
        return refuse("denied", f"You do not work on the queue {state.queue}. Ask a supervisor to add you to it.")
    back = f.Reopened(agent=actor.agent, queue=state.queue)
    return Facts(facts=(back, f.Accepted(agent=actor.agent, epoch=state.epoch + 1)), leads_handle=True)


@_wish.register
def _(wish: c.See, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if state.owner != actor.agent or not state.unread:
        return Facts()
    return Facts(facts=(f.Seen(agent=actor.agent),))


@_wish.register
def _(wish: c.SendAgain, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    refusal = _not_owner(state, actor, house, now_ms, "send it again")
    if refusal is not None:
        return refusal
    if wish.message not in state.stuck and state.ends.get(wish.message) == delivery.FAILED:
        # It had been sent, so its words are no longer kept with the work that is left.
        return refuse("late", "This message came back after it was sent. Write it again as a new reply.")
    if wish.message not in state.stuck:
        return refuse("late", "This message is not waiting for a decision. Look at its state again.")
    return Facts(facts=(f.SentAgain(message=wish.message, agent=actor.agent),), message=wish.message)
