"""Who should know what of an entry, now: reminders, warnings, what came back, what was given, what happens in followed cases.

Law: pure; one entry is told once, by whoever is home to the agent. Nobody is told of their own deed, nor twice of one thing. No words of
the customer and no name of theirs stand in a notice: the window knows the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.views import Notice
from broker_bridge.contract.words import opened
from broker_bridge.core.definitions import Policy
from broker_bridge.core.leaving import who_has
from broker_bridge.core.state import Conversation, Task
from broker_bridge.core.why_terms import capital, lasting

MOST_TEXT = 300
TARGETS = {"first": "The first answer", "next": "The answer", "resolution": "The end of the case"}


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """A notice and whom it is for."""

    notice: Notice
    agents: frozenset[AgentId] = frozenset()
    to_supervisors: bool = False


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """One entry with what it is told by."""

    entry: Entry
    state: Conversation
    """After the entry."""
    name_of: Callable[[AgentId], str]
    policy: Policy

    @property
    def by(self) -> AgentId:
        by = self.entry.by
        return by.removeprefix("agent:") if by.startswith("agent:") else ""

    def has(self, *kinds: type[f.Fact]) -> bool:
        return any(isinstance(fact, kinds) for fact in self.entry.facts)

    def note(self, kind: str, text: str, *agents: AgentId, supervisors: bool = False) -> Addressed:
        notice = Notice(kind=kind, text=capital(text)[:MOST_TEXT], conv=self.state.id)
        return Addressed(notice=notice, agents=frozenset(agents) - {self.by, ""}, to_supervisors=supervisors)


def told(
    entry: Entry, state: Conversation, name_of: Callable[[AgentId], str], policy: Policy | None = None
) -> tuple[Addressed, ...]:
    """The notices of an entry, the most particular first: who is told one thing by two of them hears the first.

    Args:
        state: of its case, after it; it may be ahead by entries that follow.
    """
    teller = Teller(entry=entry, state=state, name_of=name_of, policy=policy or Policy())
    found = [one for fact in entry.facts for one in _of(fact, teller)]
    return tuple(one for one in found if one.agents or one.to_supervisors)


def for_agent(
    addressed: tuple[Addressed, ...], agent: AgentId, *, is_supervisor: bool, by: AgentId = ""
) -> list[Notice]:
    """Those that this colleague is told, one of each kind."""
    found: dict[str, Notice] = {}
    for one in addressed:
        if agent in one.agents or (is_supervisor and one.to_supervisors and agent != by):
            found.setdefault(one.notice.kind, one.notice)
    # Whoever is concerned themselves need not hear it as an onlooker too.
    if len(found) > 1:
        found.pop("observed", None)
    return list(found.values())


def _of(fact: f.Fact, teller: Teller) -> Iterator[Addressed]:
    tell = TELL.get(type(fact))
    if tell is not None:
        yield from tell(fact, teller)


def _warned(fact: f.Warned, teller: Teller) -> Iterator[Addressed]:
    state = teller.state
    what = TARGETS.get(fact.what, "A target")
    where = f"#{state.number} in {teller.policy.title(state.queue)}"
    left_s = round((fact.due_ms - teller.entry.at_ms) / 1000)
    with_whom = f", with {teller.name_of(state.owner)}" if state.owner else ", with nobody yet"
    if left_s <= 0:
        yield teller.note("late", f"{what} is late by {lasting(-left_s)}.", state.owner)
        yield teller.note("late", f"{where}{with_whom}: {what[:1].lower()}{what[1:]} is late.", supervisors=True)
        return
    yield teller.note("near", f"{what} is due in {lasting(left_s)}.", state.owner)
    yield teller.note(
        "near", f"{where}{with_whom}: {what[:1].lower()}{what[1:]} is due in {lasting(left_s)}.", supervisors=True
    )


def _reminded(fact: f.TaskReminded, teller: Teller) -> Iterator[Addressed]:
    task = teller.state.tasks.get(fact.task)
    if task is None:
        return
    what = "A call-back is due" if task.what == "call_back" else "A task is due"
    said = f": {' '.join(task.text.split())}" if task.text.strip() else "."
    who = who_has(task, teller.state)
    yield teller.note("reminder", f"{what}{said}", who, supervisors=not who)
    whose = teller.name_of(who) if who else "Nobody's yet"
    yield teller.note("observed", f"{whose}: {what[:1].lower()}{what[1:]}{said}", *task.observers)


def _woken(fact: f.Woken, teller: Teller) -> Iterator[Addressed]:
    if fact.reason == "time" and not teller.has(f.Queued):
        yield teller.note("woken", "Its time has come.", teller.state.owner)


def _offer_ended(fact: f.OfferEnded, teller: Teller) -> Iterator[Addressed]:
    """Of a transfer: its owner keeps it, and hears why."""
    state = teller.state
    if not state.owner or state.owner == fact.agent:
        return
    name = teller.name_of(fact.agent)
    said = opened(fact.words).text.strip()
    if fact.reason == "declined":
        text = f"{name} declined" + (f": {said}" if said else ". It stays yours.")
    elif fact.reason == "expired":
        text = f"{name} did not answer. It stays yours."
    elif fact.reason == "withdrawn":
        text = f"{name} is not there any more. It stays yours."
    else:
        text = f"{name} is {fact.reason}. It stays yours."
    yield teller.note("returned", text, state.owner)


def _consult_ended(fact: f.ConsultEnded, teller: Teller) -> Iterator[Addressed]:
    state = teller.state
    why = f": {fact.reason}" if fact.reason else ""
    if not state.owner:
        return
    yield teller.note(
        "returned", f"The talk with {teller.name_of(fact.agent)} is over{why}. It stays yours.", state.owner
    )
    yield teller.note("observed", f"{teller.name_of(state.owner)} keeps it: the talk is over{why}.", fact.agent)


def _transfer_accepted(fact: f.TransferAccepted, teller: Teller) -> Iterator[Addressed]:
    if not teller.has(f.Accepted):
        yield teller.note("observed", f"{teller.name_of(fact.agent)} said yes to the talk.", teller.state.owner)


def _queued(fact: f.Queued, teller: Teller) -> Iterator[Addressed]:
    state = teller.state
    if teller.by or not fact.reason or teller.has(f.Opened, f.Reopened, f.Overflowed):
        return
    title = teller.policy.title(fact.queue)
    yield teller.note("returned", f"It went back to {title}: {fact.reason}.", state.last_owner)


def _accepted(fact: f.Accepted, teller: Teller) -> Iterator[Addressed]:
    """What one gets without having said yes to it now."""
    state = teller.state
    if teller.has(f.Transferred):
        giver = teller.by or next(one.agent for one in teller.entry.facts if isinstance(one, f.Transferred))
        yield teller.note("assigned", f"{teller.name_of(giver)} gave it to you.", fact.agent)
        yield teller.note(
            "observed", f"{teller.name_of(giver)} gave it to {teller.name_of(fact.agent)}.", state.last_owner
        )
    elif teller.has(f.TransferAccepted):
        yield teller.note("observed", f"{teller.name_of(fact.agent)} took it over.", state.last_owner)
    elif teller.has(f.Offered, f.Reopened, f.Opened):
        pass
    elif teller.by and teller.by != fact.agent:
        yield teller.note("assigned", f"{teller.name_of(teller.by)} handed it over to you.", fact.agent)
    elif teller.entry.by == "timer":
        yield teller.note("assigned", "It is yours now: who had it is gone.", fact.agent)
    if teller.has(f.Transferred, f.TransferAccepted) or state.last_owner not in ("", fact.agent):
        yield teller.note("observed", f"{teller.name_of(fact.agent)} has it now.", *state.observers)


def _transferred(fact: f.Transferred, teller: Teller) -> Iterator[Addressed]:
    name = teller.name_of(fact.agent)
    if fact.to_agent:
        where = teller.name_of(fact.to_agent)
    else:
        where = teller.policy.title(fact.to_queue) if fact.to_queue else "whoever has the skill"
    text = f"{name} asked {where} about it." if fact.is_consult else f"{name} passed it on to {where}."
    yield teller.note("observed", text, *(one for one in teller.state.observers if one != fact.to_agent))


def _received(fact: f.Received, teller: Teller) -> Iterator[Addressed]:
    state = teller.state
    # An out-of-office note is not worth a call; the owner sees the row itself.
    if not fact.automatic:
        yield teller.note("observed", "The customer wrote.", *(one for one in state.observers if one != state.owner))


def _closed(fact: f.Closed, teller: Teller) -> Iterator[Addressed]:
    outcome = f": {fact.disposition}" if fact.disposition else ""
    yield teller.note("observed", f"{teller.name_of(fact.agent)} closed it{outcome}.", *teller.state.observers)


def _overflowed(fact: f.Overflowed, teller: Teller) -> Iterator[Addressed]:
    if fact.alarm:
        where = f"#{teller.state.number} in {teller.policy.title(fact.queue)}"
        yield teller.note("alarm", f"{where} has waited {lasting(fact.waited_s)}: {fact.alarm}", supervisors=True)


def _task_added(fact: f.TaskAdded, teller: Teller) -> Iterator[Addressed]:
    # With a merge tasks only move.
    if teller.has(f.MergedFrom, f.Unmerged):
        return
    what = "a call-back" if fact.what == "call_back" else "a task"
    said = " ".join(opened(fact.words).text.split())
    yield teller.note(
        "assigned", f"{teller.name_of(fact.agent)} gave you {what}" + (f": {said}" if said else "."), fact.assignee
    )


def _task_changed(fact: f.TaskChanged, teller: Teller) -> Iterator[Addressed]:
    task = teller.state.tasks.get(fact.task)
    said = " ".join(opened(fact.words).text.split())
    if task is not None and not fact.assignee and not teller.by:
        yield from _let_go(fact, task, f": {said}" if said else ".", teller)
        return
    if task is None or task.by == fact.assignee:
        return
    text = f"{teller.name_of(fact.agent)} changed a task of yours" + (f": {said}" if said else ".")
    yield teller.note("assigned", text, fact.assignee)


def _let_go(fact: f.TaskChanged, task: Task, said: str, teller: Teller) -> Iterator[Addressed]:
    """Who had it no longer works here."""
    gone = f"{teller.name_of(fact.agent)} no longer works here"
    owner = teller.state.owner
    yield teller.note("assigned", f"{gone}: a task of theirs is yours now{said}", owner)
    whose = f"{teller.name_of(owner)}'s now" if owner else "nobody's now"
    yield teller.note("observed", f"{gone}: a task of theirs is {whose}{said}", task.by, *task.observers)
    if not owner:
        yield teller.note("observed", f"{gone}: a task of theirs is nobody's now.", supervisors=True)


TELL: Mapping[type[f.Fact], Callable[[Any, Teller], Iterator[Addressed]]] = {
    f.Warned: _warned,
    f.TaskReminded: _reminded,
    f.Woken: _woken,
    f.OfferEnded: _offer_ended,
    f.TransferAccepted: _transfer_accepted,
    f.ConsultEnded: _consult_ended,
    f.Queued: _queued,
    f.Accepted: _accepted,
    f.Transferred: _transferred,
    f.Received: _received,
    f.Closed: _closed,
    f.Overflowed: _overflowed,
    f.TaskAdded: _task_added,
    f.TaskChanged: _task_changed,
}
"""What each kind of fact tells."""
