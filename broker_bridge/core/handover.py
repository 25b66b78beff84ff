"""Passing a case on: to a colleague, a queue or a skill, with or without a talk before.

Law: offer, yes and the change of hands are three facts (`Offered`, `TransferAccepted`, `Accepted`); the old owner keeps it until the last.
Who is not here or has no room is refused at once, with the reason; who says no, or does not answer, gives it back with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, MessageId, QueueId
from broker_bridge.contract.words import Words
from broker_bridge.core import targets
from broker_bridge.core.actor import Actor, House, Rule, held, is_merged, no_colleague, not_owner, places, wrong_epoch
from broker_bridge.core.decision import Decision, Facts, refuse
from broker_bridge.core.definitions import Policy
from broker_bridge.core.state import MERGED, OWNED, Conversation

TRANSFER_OFFER_MS = 120_000
"""How long a colleague may think about a transfer; the owner keeps the case meanwhile."""
MOST_SKILLS = 10
MAX_SKILL = 64
MAX_PACKET = 4_000
"""Characters of one field of a packet."""


def _transfer(
    wish: c.Transfer, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    leads = actor.is_supervisor and state.is_open
    refusal = None if leads else not_owner(state, actor, house, now_ms, "transfer it")
    refusal = refusal or wrong_epoch(state, wish) or _target(wish, state, actor, house)
    if refusal is not None:
        return refusal
    passed = f.Transferred(
        agent=actor.agent,
        to_agent=wish.to_agent,
        to_queue=wish.to_queue,
        to_skills=wish.to_skills,
        is_consult=wish.ask_first,
        seen=wish.seen,
        words=_along(wish),
    )
    if wish.to_agent is not None:
        return _to_agent(wish, passed, state, actor, house, now_ms)
    queue = wish.to_queue or state.queue
    moved = targets.on_change(state, house.policy, now_ms, queue=queue) if queue != state.queue else ()
    woken = _woken(state, house.policy, now_ms, queue)
    return Facts(facts=(passed, f.Queued(queue=queue, reason="transferred", skills=wish.to_skills), *woken, *moved))


def _woken(state: Conversation, policy: Policy, now_ms: int, queue: QueueId = "") -> tuple[f.ConversationFact, ...]:
    """Whoever gets it gets it awake: the clock of the resolution, if it stood still for the sleep, goes on."""
    return targets.on_wake(state, policy, now_ms, queue) if state.snooze is not None else ()


def _along(wish: c.Transfer) -> Words | None:
    if not wish.note.strip() and wish.packet is None:
        return None
    return Words(text=wish.note, packet=wish.packet)


def _to_agent(
    wish: c.Transfer, passed: f.Transferred, state: Conversation, actor: Actor, house: House, now_ms: int
) -> Decision:
    assert wish.to_agent is not None
    units = house.policy.units(state)
    if wish.force:
        taken = f.Accepted(agent=wish.to_agent, epoch=state.epoch + 1)
        gives = places(state, house, wish.to_agent)
        return Facts(facts=(passed, taken, *_woken(state, house.policy, now_ms)), gives=gives)
    offer = f.Offered(
        agent=wish.to_agent,
        until_ms=now_ms + TRANSFER_OFFER_MS,
        reason=f"{actor.name} asks you to {'talk about it' if wish.ask_first else 'take it over'}",
        is_transfer=True,
        is_consult=wish.ask_first,
        by=actor.agent,
        units=units,
    )
    # Who was asked before is asked no more: an offer does not vanish without a word.
    asked = state.offer
    over = (f.OfferEnded(agent=asked.agent, reason="withdrawn"),) if asked is not None else ()
    return Facts(facts=(passed, *over, offer), gives=places(state, house, wish.to_agent))


def _target(wish: c.Transfer, state: Conversation, actor: Actor, house: House) -> c.Refusal | None:
    """A refusal if it cannot go where it shall."""
    chosen = [one for one in (wish.to_agent, wish.to_queue, wish.to_skills or None) if one is not None]
    if len(chosen) != 1:
        return refuse("bad", "Choose one colleague, one queue or skills to transfer to.")
    if len(wish.note) > c.MAX_TEXT:
        return refuse("bad", f"The note has {len(wish.note):,} characters; the limit is {c.MAX_TEXT:,}.")
    if wish.packet is not None and any(
        len(getattr(wish.packet, name)) > MAX_PACKET for name in wish.packet.__struct_fields__
    ):
        return refuse("bad", f"A part of the packet has more than {MAX_PACKET:,} characters. Shorten it.")
    if wish.force and not actor.is_supervisor:
        return refuse("denied", "Only a supervisor may hand over without asking. Ask first, or choose a queue.")
    if (wish.ask_first or wish.force) and wish.to_agent is None:
        return refuse("bad", "Only a colleague can be asked first. Choose one, or hand over.")
    if wish.to_agent is not None:
        return _colleague(wish, state, house)
    if wish.to_queue is not None and wish.to_queue not in house.queues:
        return refuse("bad", f"There is no queue {wish.to_queue or 'without a name'}. Pick one from the list.")
    known = house.policy.desk.skills
    if len(wish.to_skills) > MOST_SKILLS:
        return refuse("bad", f"At most {MOST_SKILLS} skills can be asked for. Choose fewer.")
    for skill in wish.to_skills:
        if not 1 <= skill.level <= 5 or len(skill.name) > MAX_SKILL:
            return refuse("bad", "The level of a skill is 1 (a little) to 5 (expert). Choose one.")
        if known and skill.name not in known:
            return refuse("bad", f"There is no skill {skill.name or 'without a name'}. Pick one from the list.")
    return None


def _colleague(wish: c.Transfer, state: Conversation, house: House) -> c.Refusal | None:
    assert wish.to_agent is not None
    name = house.name_of(wish.to_agent)
    if wish.to_agent not in house.names:
        return no_colleague(wish.to_agent)
    if wish.to_agent == state.owner:
        return refuse("bad", "This conversation is theirs already.")
    if wish.force:
        return None
    if state.consult is not None:
        return refuse("bad", f"{house.name_of(state.consult.agent)} is being asked. End that talk first.")
    place = house.place(wish.to_agent)
    if not place.is_here:
        return refuse(
            "absent", f"{name} is {place.words or place.state}. It stays yours; choose somebody else or a queue."
        )
    if not place.has_room(house.policy.units(state) - held(state, house, wish.to_agent)):
        return refuse(
            "full", f"{name} carries {place.load} of {place.units} and has no room. Choose somebody else or a queue."
        )
    return None


def _take_back(
    wish: c.TakeBack, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    refusal = not_owner(state, actor, house, now_ms, "take the transfer back")
    if refusal is not None:
        return refusal
    if state.offer is None:
        return refuse("late", "No transfer is open any more. There is nothing to take back.")
    return Facts(facts=(f.OfferEnded(agent=state.offer.agent, reason="withdrawn"),))


def _confirm(
    wish: c.Confirm, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    refusal = not_owner(state, actor, house, now_ms, "hand it over") or wrong_epoch(state, wish)
    if refusal is not None:
        return refusal
    if state.consult is None:
        return refuse("late", "Nobody is in the talk any more. It stays yours.")
    taken = f.Accepted(agent=state.consult.agent, epoch=state.epoch + 1)
    return Facts(facts=(taken, *_woken(state, house.policy, now_ms)))


def _end_consult(
    wish: c.EndConsult, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if state.consult is None:
        return refuse("late", "The talk is over already.")
    if actor.agent not in (state.owner, state.consult.agent) and not actor.is_supervisor:
        return refuse("not_yours", "Only the two in the talk may end it.")
    ended = f.ConsultEnded(agent=state.consult.agent, by=actor.agent, reason=wish.reason[:200])
    return Facts(facts=(ended,))


def said_yes(state: Conversation, agent: AgentId, policy: Policy, now_ms: int) -> tuple[f.ConversationFact, ...]:
    """The facts of an accepted offer."""
    assert state.offer is not None
    taken = f.Accepted(agent=agent, epoch=state.epoch + 1)
    if not state.offer.is_transfer:
        return (taken,)
    yes = f.TransferAccepted(agent=agent)
    # Without an owner there is nobody to talk with: it is theirs.
    if state.offer.is_consult and state.status == OWNED:
        return (yes,)
    return (yes, taken, *_woken(state, policy, now_ms))


RULES: Mapping[type[c.Act], Rule] = {
    c.Transfer: _transfer,
    c.TakeBack: _take_back,
    c.Confirm: _confirm,
    c.EndConsult: _end_consult,
}
