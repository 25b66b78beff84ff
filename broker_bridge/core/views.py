"""A conversation as one desk sees it: its row, the verbs allowed now, masked addresses.

Law: what a role may see and do is decided here and nowhere else; the desk (daemon) refuses by `core.wishes`, which agrees with `verbs`
(a test holds them together).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker_bridge.contract.views import Row
from broker_bridge.core import conversation as conv
from broker_bridge.core import delivery
from broker_bridge.core.actor import Actor
from broker_bridge.core.state import Conversation, Offer

VERBS = (
    "accept",
    "decline",
    "reply",
    "note",
    "transfer",
    "force_transfer",
    "take_back",
    "confirm",
    "end_consult",
    "close",
    "wrap_up",
    "more_time",
    "snooze",
    "wake",
    "reopen",
    "send_again",
    "prioritize",
    "merge",
    "keep_apart",
    "unmerge",
    "split",
    "add_task",
    "observe",
)


def verbs(state: Conversation, actor: Actor) -> tuple[str, ...]:
    """What this colleague may do with it now, in the order of VERBS."""
    if state.status in (conv.NEW, conv.ERASED):
        return ()
    is_of_queue = actor.works_on(state.queue)
    if state.status == conv.MERGED:
        return ("unmerge",) if is_of_queue else ()
    found = _of_closed(state, actor) if state.status == conv.CLOSED else _of_open(state, actor)
    found |= {"note", "add_task", "observe"}
    if state.merged and is_of_queue:
        found.add("unmerge")
    return tuple(verb for verb in VERBS if verb in found)


def _of_closed(state: Conversation, actor: Actor) -> set[str]:
    found = {"reopen", "merge"} if actor.works_on(state.queue) else set()
    if state.wrap is not None and state.wrap.is_binding:
        found.discard("merge")
    if state.wrap is not None and (state.wrap.agent == actor.agent or actor.is_supervisor):
        found.add("wrap_up")
        if state.wrap.until_ms is not None:
            found.add("more_time")
    return found


def _of_open(state: Conversation, actor: Actor) -> set[str]:
    found: set[str] = set()
    if state.offer is not None and state.offer.asks(actor.agent):
        found |= {"accept", "decline"}
    if actor.works_on(state.queue):
        found.add("prioritize")
        if state.status == conv.QUEUED:
            found |= {"accept", "merge"}
    if state.consult is not None and (state.consult.agent == actor.agent or actor.is_supervisor):
        found.add("end_consult")
    if state.status == conv.OWNED and state.owner == actor.agent:
        found |= _of_owner(state)
    if state.suggestion and (state.owner == actor.agent or actor.works_on(state.queue)):
        found.add("keep_apart")
    if actor.is_supervisor:
        found |= {"transfer", "force_transfer", "close", "merge"} | ({"wake"} if state.snooze is not None else set())
    return found


def _of_owner(state: Conversation) -> set[str]:
    found = {"reply", "transfer", "close", "snooze", "prioritize", "merge", "split"}
    if state.snooze is not None:
        found.add("wake")
    if state.offer is not None:
        found.add("take_back")
    if state.consult is not None:
        found |= {"confirm", "end_consult"}
    if state.stuck:
        found.add("send_again")
    return found


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


def concerned(state: Conversation) -> frozenset[str]:
    """Whose own list it stands in: the owner, whoever rings, talks along or writes the outcome."""
    found = {state.owner} if state.status == conv.OWNED else set()
    if state.offer is not None:
        found.update(state.offer.everybody)
    if state.consult is not None:
        found.add(state.consult.agent)
    if state.wrap is not None and state.status == conv.CLOSED:
        found.add(state.wrap.agent)
    return frozenset(found)


def row_state(state: Conversation, actor: Actor) -> str:
    if state.status == conv.CLOSED and state.wrap is not None and state.wrap.agent == actor.agent:
        return "wrap_up"
    if state.status in (conv.CLOSED, conv.ERASED):
        return "closed"
    if state.status == conv.MERGED:
        return "merged"
    if state.offer is not None and state.offer.asks(actor.agent):
        return "ringing"
    if state.status == conv.QUEUED:
        return "queued"
    if state.consult is not None and state.consult.agent == actor.agent:
        return "consult"
    if state.owner == actor.agent:
        return "snoozed" if state.snooze is not None else "mine"
    return "other"


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
    offer = state.offer if state.offer is not None and state.offer.asks(actor.agent) else None
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
        **_due(state),
        priority=state.priority,
        offer_until_ms=offer.until_ms if offer else None,
        offer_reason=offer.reason if offer else "",
        offer_kind=_offer_kind(offer),
        **_work(state, actor, name_of),
        unread=state.unread,
        text=state.text,
        text_by=by,
        delivery=last_delivery(state),
        transfer_to=name_of(state.offer.agent) if state.offer and state.offer.is_transfer else "",
        transfer_kind=_offer_kind(state.offer) if state.offer and state.offer.is_transfer else "",
        verbs=verbs(state, actor),
        last_ms=state.last_ms,
    )


def _offer_kind(offer: Offer | None) -> str:
    if offer is None:
        return ""
    if not offer.is_transfer:
        return "router"
    return "consult" if offer.is_consult else "transfer"


def _due(state: Conversation) -> dict[str, Any]:
    """The target that is missed next; of a case of before there were promises, the answer."""
    nearest = state.nearest
    if nearest is None:
        return {"due_ms": state.due_ms if state.is_open else None}
    what, promise = nearest
    return {"due_ms": promise.due_ms, "due_what": what, "due_because": promise.because}


def _work(state: Conversation, actor: Actor, name_of: Callable[[str], str]) -> dict[str, Any]:
    """Wrap-up, snooze, talk, tasks and merge, as far as they are there."""
    found: dict[str, Any] = {}
    if state.snooze is not None:
        found["snoozed_until_ms"] = state.snooze.until_ms
    if state.wrap is not None and state.wrap.agent == actor.agent:
        wrap = state.wrap
        found |= {"wrap_until_ms": wrap.until_ms, "wrap_mode": wrap.mode, "wrap_since_ms": wrap.began_ms}
    if state.consult is not None:
        other = state.owner if state.consult.agent == actor.agent else state.consult.agent
        found["consult_with"] = name_of(other)
    if state.tasks:
        dues = [one.due_ms for one in state.tasks.values() if one.due_ms is not None]
        found |= {"tasks": len(state.tasks), "task_due_ms": min(dues, default=None)}
    if state.merged_into or state.suggestion:
        found |= {"merged_into": state.merged_into, "suggestion": state.suggestion}
    if state.merged:
        found["merged"] = tuple((name, one.number) for name, one in state.merged.items())
    if actor.agent in state.observers:
        found["is_observed"] = True
    return found


def may_read(state: Conversation, actor: Actor) -> bool:
    """Every colleague may read every case: context is what the desk is for. An erased case has nothing left to read."""
    return state.status != conv.NEW


def sees_addresses(state: Conversation, actor: Actor) -> bool:
    """Whole addresses are for whoever answers: the owner, whom it is offered to, its queue while nobody owns it, supervisors."""
    if actor.is_supervisor or state.owner == actor.agent or state.last_owner == actor.agent:
        return True
    if state.offer is not None and state.offer.asks(actor.agent):
        return True
    if state.consult is not None and state.consult.agent == actor.agent:
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
