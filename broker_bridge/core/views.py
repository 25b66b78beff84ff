"""A conversation as one desk sees it: its row, the verbs allowed now, masked addresses.

Law: what a role may see and do is decided here and nowhere else; the desk (daemon) refuses by `core.wishes`, which agrees with `verbs`
(a test holds them together).
"""

from __future__ import annotations

from collections.abc import Callable

from broker_bridge.contract.views import Row
from broker_bridge.core import conversation as conv
from broker_bridge.core import delivery
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.wishes import Actor

VERBS = ("accept", "decline", "reply", "note", "transfer", "take_back", "close", "reopen", "send_again")


def verbs(state: Conversation, actor: Actor) -> tuple[str, ...]:
    """What this colleague may do with it now, in the order of VERBS."""
    if state.status in (conv.NEW, conv.ERASED):
        return ()
    if state.status == conv.CLOSED:
        return ("note", "reopen") if actor.works_on(state.queue) else ("note",)
    is_asked = state.offer is not None and state.offer.agent == actor.agent
    is_owner = state.status == conv.OWNED and state.owner == actor.agent
    found = {"note"}
    if is_asked:
        found |= {"accept", "decline"}
    if state.status == conv.QUEUED and actor.works_on(state.queue):
        found.add("accept")
    if is_owner:
        found |= {"reply", "transfer", "close"}
        if state.offer is not None:
            found.add("take_back")
        if state.stuck:
            found.add("send_again")
    if actor.is_supervisor:
        found |= {"transfer", "close"}
    return tuple(verb for verb in VERBS if verb in found)


def last_delivery(state: Conversation) -> str:
    """Word for the state of our last message, if we spoke last; failures win over everything."""
    if any(one.state == delivery.FAILED for one in state.stuck.values()):
        return "failed"
    if state.stuck:
        return "unknown"
    if state.out:
        return delivery.WORDS[next(reversed(state.out.values())).state]
    if state.text_by in ("them", "note", "event") or not state.ends:
        return ""
    return delivery.WORDS[next(reversed(state.ends.values()))]


def row_state(state: Conversation, actor: Actor) -> str:
    if state.status in (conv.CLOSED, conv.ERASED):
        return "closed"
    if state.offer is not None and state.offer.agent == actor.agent:
        return "ringing"
    if state.status == conv.QUEUED:
        return "queued"
    return "mine" if state.owner == actor.agent else "other"


def shown_name(state: Conversation, actor: Actor, name: str) -> str:
    """The customer's name; where it is an address or holds one, as mail programs like it, masked like an address."""
    if sees_addresses(state, actor):
        return name
    for address in state.handles.values():
        if address and address.casefold() in name.casefold():
            return masked(address)
    return masked(name) if "@" in name else name


def row(
    state: Conversation,
    actor: Actor,
    word: Callable[[str], str],
    name_of: Callable[[str], str],
    customer_name: str = "",
    tier: str = "",
) -> Row:
    """The inbox row for one colleague; typing, viewers and drafts are added by the feeds."""
    by = state.text_by
    if by not in ("them", "note", "event"):
        by = "you" if by == actor.agent else name_of(by)
    offer = state.offer
    waiting = state.waiting_since_ms
    if waiting is None and state.status == conv.QUEUED:
        waiting = state.queued_ms
    return Row(
        conv=state.id,
        rev=state.seq,
        number=state.number,
        name=shown_name(state, actor, customer_name or state.name),
        tier=tier,
        channel=word(state.ways[next(reversed(state.ways))].channel_kind if state.ways else state.channel_kind),
        state=row_state(state, actor),
        queue=state.queue,
        owner=state.owner,
        owner_name=name_of(state.owner) if state.owner else "",
        epoch=state.epoch,
        waiting_since_ms=waiting,
        due_ms=state.due_ms,
        offer_until_ms=offer.until_ms if offer and offer.agent == actor.agent else None,
        offer_reason=offer.reason if offer and offer.agent == actor.agent else "",
        unread=state.unread,
        text=state.text,
        text_by=by,
        delivery=last_delivery(state),
        transfer_to=name_of(offer.agent) if offer and offer.is_transfer else "",
        verbs=verbs(state, actor),
        last_ms=state.last_ms,
    )


def may_read(state: Conversation, actor: Actor) -> bool:
    """Every colleague may read every case: context is what the desk is for. An erased case has nothing left to read."""
    return state.status != conv.NEW


def sees_addresses(state: Conversation, actor: Actor) -> bool:
    """Whole addresses are for whoever answers: the owner, whom it is offered to, its queue while nobody owns it, supervisors."""
    if actor.is_supervisor or state.owner == actor.agent or state.last_owner == actor.agent:
        return True
    if state.offer is not None and state.offer.agent == actor.agent:
        return True
    return state.status == conv.QUEUED and actor.works_on(state.queue)


def masked(address: str) -> str:
    """`anna.berg@example.se` as `a…g@e…e`; other addresses keep two characters at each end."""
    if "@" in address:
        local, _, domain = address.rpartition("@")
        return f"{_ends(local)}@{_ends(domain)}"
    return f"{address[:2]}…{address[-2:]}" if len(address) > 6 else "…"


def _ends(word: str) -> str:
    return f"{word[0]}…{word[-1]}" if len(word) > 2 else "…"
