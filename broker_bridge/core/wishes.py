"""What an agent may do with a conversation: wish and state become facts or a refusal.

Law: pure; the log's compare-and-set has the last word, so a decision may be taken again on a newer state. A command whose id is in
the state was done: it is answered as done. Every refusal is a sentence that says what to do next. Talk stands here, passing on in
core.handover, closing and what follows in core.afterwork; merge and split, which decide on several cases at once, in core.joins.

| status  | accept | reply close transfer snooze | note, tasks | reopen | decline take_back |
|---------|--------|-----------------------------|-------------|--------|-------------------|
| queued  | any agent of the queue with room, a supervisor | refused: accept it first | anybody | refused | whoever it is offered to |
| owned   | whom it is offered to | the owner (close, transfer: a supervisor too) | anybody | refused | the same; the owner |
| closed  | refused: reopen it | refused | anybody | anybody of the queue with room | refused |
| merged  | refused: open the other one | refused | refused | refused | refused |
"""

from __future__ import annotations

from collections.abc import Mapping

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import MessageId
from broker_bridge.contract.words import Words
from broker_bridge.core import afterwork, delivery, handover, targets
from broker_bridge.core.actor import (
    Actor,
    House,
    Place,
    Rule,
    ago,
    is_closed,
    is_merged,
    no_colleague,
    no_room,
    not_owner,
    places,
    wrong_epoch,
)
from broker_bridge.core.decision import Changed, Decision, Facts, refuse
from broker_bridge.core.state import CLOSED, ERASED, MERGED, NEW, OWNED, Conversation

__all__ = ["Actor", "House", "Place", "decide"]


def decide(state: Conversation, wish: c.Act, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    """The facts of one agent's command.

    Args:
        message: the id of the message that the wish would make (reply, note); derived from the command, so a repeat is the same.
    """
    if wish.id in state.commands:
        return Facts(message=wish.message if isinstance(wish, c.SendAgain) else message)
    if state.status == NEW:
        return refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
    if state.status == ERASED:
        return refuse("late", "This customer was erased. Nothing can be written here any more.")
    rule = RULES.get(type(wish))
    if rule is None:
        return refuse("bad", "This bridge does not know that command. Ask the operator to update the bridge.")
    return rule(wish, state, actor, house, message, now_ms)


def _accept(
    wish: c.Accept, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if state.status == CLOSED:
        return is_closed(state, house, now_ms, "work on it")
    if state.owner == actor.agent:
        return Facts()
    if state.offer is not None and state.offer.asks(actor.agent):
        return Facts(facts=handover.said_yes(state, actor.agent, house.policy, now_ms))
    if state.status == OWNED:
        owner = house.name_of(state.owner)
        return refuse("late", f"{owner} took this conversation {ago(state.accepted_ms, now_ms)}. Take the next one.")
    if not actor.works_on(state.queue):
        return refuse("denied", f"You do not work on the queue {state.queue}. Ask a supervisor to add you to it.")
    refusal = no_room(actor, state, house)
    if refusal is not None:
        return refusal
    return Facts(
        facts=(f.Accepted(agent=actor.agent, epoch=state.epoch + 1),),
        gives=places(state, house, actor.agent),
    )


def _decline(
    wish: c.Decline, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.offer is None or not state.offer.asks(actor.agent):
        return refuse("late", "This offer is over. There is nothing to decline.")
    words = Words(text=wish.reason[:200]) if wish.reason.strip() else None
    return Facts(facts=(f.OfferEnded(agent=actor.agent, reason="declined", words=words),))


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


def _reply(wish: c.Reply, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    refusal = not_owner(state, actor, house, now_ms, "reply") or wrong_epoch(state, wish)
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
    return Facts(facts=(reply, *targets.on_reply(state, house.policy, now_ms)), message=message)


def _note(wish: c.Note, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if not wish.text.strip():
        return refuse("bad", "The note is empty. Write something first.")
    if len(wish.text) > c.MAX_TEXT:
        return refuse("bad", f"The note has {len(wish.text):,} characters; the limit is {c.MAX_TEXT:,}.")
    if wish.to is not None and wish.to not in house.names:
        return no_colleague(wish.to)
    note = f.Noted(message=message, agent=actor.agent, to=wish.to, words=Words(text=wish.text))
    return Facts(facts=(note,), message=message)


def _reopen(
    wish: c.Reopen, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if state.status != CLOSED:
        owner = house.name_of(state.owner) if state.owner else "the queue"
        return refuse("late", f"This conversation is open already, with {owner}.")
    if not actor.works_on(state.queue):
        return refuse("denied", f"You do not work on the queue {state.queue}. Ask a supervisor to add you to it.")
    refusal = no_room(actor, state, house)
    if refusal is not None:
        return refusal
    back = f.Reopened(agent=actor.agent, queue=state.queue)
    return Facts(
        facts=(back, f.Accepted(agent=actor.agent, epoch=state.epoch + 1)),
        leads_handle=True,
        gives=places(state, house, actor.agent),
    )


def _see(wish: c.See, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if state.owner != actor.agent or not state.unread:
        return Facts()
    return Facts(facts=(f.Seen(agent=actor.agent),))


def _send_again(
    wish: c.SendAgain, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    refusal = not_owner(state, actor, house, now_ms, "send it again")
    if refusal is not None:
        return refusal
    if wish.message not in state.stuck and state.ends.get(wish.message) == delivery.FAILED:
        # It had been sent, so its words are no longer kept with the work that is left.
        return refuse("late", "This message came back after it was sent. Write it again as a new reply.")
    if wish.message not in state.stuck:
        return refuse("late", "This message is not waiting for a decision. Look at its state again.")
    return Facts(facts=(f.SentAgain(message=wish.message, agent=actor.agent),), message=wish.message)


def _keep_apart(
    wish: c.KeepApart, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if state.status == CLOSED:
        return is_closed(state, house, now_ms, "say what it belongs to")
    if wish.other in state.apart:
        return Facts()
    if wish.other != state.suggestion or not wish.other:
        return refuse("late", "Nothing speaks any more for these two being one case. There is nothing to refuse.")
    if state.owner != actor.agent and not actor.works_on(state.queue):
        return refuse("denied", f"You do not work on the queue {state.queue}. Ask a supervisor.")
    return Facts(facts=(f.KeptApart(conversation=wish.other, agent=actor.agent),))


RULES: Mapping[type[c.Act], Rule] = {
    c.Accept: _accept,
    c.Decline: _decline,
    c.Reply: _reply,
    c.Note: _note,
    c.Reopen: _reopen,
    c.See: _see,
    c.SendAgain: _send_again,
    c.KeepApart: _keep_apart,
    **handover.RULES,
    **afterwork.RULES,
}
