"""How facts of the work around the talk change a case: consult, wrap-up, snooze, targets, overflow, tasks, merge and split.

Law: as core.conversation: deterministic and total, nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.words import opened
from broker_bridge.core.state import (
    CLOSED,
    MERGED,
    QUEUED,
    RESOLUTION,
    Consult,
    Conversation,
    MergedCase,
    Offer,
    Promise,
    Snooze,
    Task,
    Way,
    WrapUp,
)

MOST_WIDENED = 100
"""Levels: no skill has as many, and no state has room for every number that an entry could hold."""
FIRST_WAIT = ("first", "next")


def rings_on(offer: Offer, others: tuple[AgentId, ...]) -> Offer:
    """The offer without whoever let it pass; there is somebody left."""
    return msgspec.structs.replace(offer, agent=others[0], also=others[1:])


def _transfer_accepted(fact: f.TransferAccepted, state: Conversation, entry: Entry, seq: int) -> None:
    units = state.offer.units if state.offer is not None else 0
    state.offer = None
    state.consult = Consult(agent=fact.agent, since_ms=entry.at_ms, units=units)


def _consult_ended(fact: f.ConsultEnded, state: Conversation, entry: Entry, seq: int) -> None:
    state.consult = None


def _wrap_up_began(fact: f.WrapUpBegan, state: Conversation, entry: Entry, seq: int) -> None:
    state.wrap = WrapUp(agent=fact.agent, mode=fact.mode, until_ms=fact.until_ms, began_ms=entry.at_ms)


def _wrap_up_extended(fact: f.WrapUpExtended, state: Conversation, entry: Entry, seq: int) -> None:
    if state.wrap is not None:
        state.wrap = msgspec.structs.replace(state.wrap, until_ms=fact.until_ms, extended=state.wrap.extended + 1)


def _wrapped_up(fact: f.WrappedUp, state: Conversation, entry: Entry, seq: int) -> None:
    state.wrap = None
    if state.status == CLOSED:
        state.disposition = fact.disposition
        state.tags = fact.tags


def _snoozed(fact: f.Snoozed, state: Conversation, entry: Entry, seq: int) -> None:
    state.snooze = Snooze(agent=fact.agent, until_ms=fact.until_ms, since_ms=entry.at_ms)


def _woken(fact: f.Woken, state: Conversation, entry: Entry, seq: int) -> None:
    state.snooze = None
    state.last_ms = entry.at_ms


def _prioritized(fact: f.Prioritized, state: Conversation, entry: Entry, seq: int) -> None:
    state.priority = fact.priority


def _targeted(fact: f.Targeted, state: Conversation, entry: Entry, seq: int) -> None:
    if fact.due_ms is None and fact.left_s is None:
        # No target (any more): the case moved to a queue that promises none.
        state.promises.pop(fact.what, None)
        return
    if fact.what != RESOLUTION:
        for what in FIRST_WAIT:
            state.promises.pop(what, None)
    state.promises[fact.what] = Promise(
        due_ms=fact.due_ms,
        from_ms=fact.from_ms,
        work_s=fact.work_s,
        left_s=fact.left_s,
        because=fact.because,
        warn_ms=fact.warn_ms,
    )


def _warned(fact: f.Warned, state: Conversation, entry: Entry, seq: int) -> None:
    promise = state.promises.get(fact.what)
    if promise is not None and promise.due_ms == fact.due_ms:
        state.promises[fact.what] = msgspec.structs.replace(promise, is_warned=True)


def _overflowed(fact: f.Overflowed, state: Conversation, entry: Entry, seq: int) -> None:
    state.steps = fact.step
    state.widened = min(MOST_WIDENED, state.widened + fact.widen)


def _task_added(fact: f.TaskAdded, state: Conversation, entry: Entry, seq: int) -> None:
    words = opened(fact.words)
    state.tasks[fact.task] = Task(
        by=fact.agent,
        what=fact.what,
        assignee=fact.assignee,
        due_ms=fact.due_ms,
        observers=fact.observers,
        text=words.text,
        number=words.address,
        at_ms=entry.at_ms,
        is_reminded=fact.is_reminded,
    )


def _task_changed(fact: f.TaskChanged, state: Conversation, entry: Entry, seq: int) -> None:
    task = state.tasks.get(fact.task)
    if task is None:
        return
    words = opened(fact.words)
    state.tasks[fact.task] = msgspec.structs.replace(
        task,
        assignee=fact.assignee,
        due_ms=fact.due_ms,
        observers=fact.observers,
        text=words.text,
        number=words.address,
        is_reminded=task.is_reminded and fact.due_ms == task.due_ms,
    )


def _task_done(fact: f.TaskDone, state: Conversation, entry: Entry, seq: int) -> None:
    state.tasks.pop(fact.task, None)


def _task_reminded(fact: f.TaskReminded, state: Conversation, entry: Entry, seq: int) -> None:
    task = state.tasks.get(fact.task)
    if task is not None and task.due_ms == fact.due_ms:
        state.tasks[fact.task] = msgspec.structs.replace(task, is_reminded=True, reminded_seq=seq)


def _observed(fact: f.Observed, state: Conversation, entry: Entry, seq: int) -> None:
    others = tuple(one for one in state.observers if one != fact.agent)
    state.observers = (*others, fact.agent) if fact.on else others


def _kept_apart(fact: f.KeptApart, state: Conversation, entry: Entry, seq: int) -> None:
    if state.suggestion == fact.conversation:
        state.suggestion = ""
    state.apart = (*(one for one in state.apart if one != fact.conversation), fact.conversation)


def _merged(fact: f.Merged, state: Conversation, entry: Entry, seq: int) -> None:
    state.before_merge = state.status
    state.status = MERGED
    state.merged_into = fact.into
    state.last_owner = state.owner or state.last_owner
    state.owner = ""
    state.offer = state.consult = state.snooze = state.wrap = None


def _waited_itself(state: Conversation) -> bool:
    """Whether somebody waits who did not come with another case."""
    if state.waiting_since_ms is None:
        return False
    came = [one for one in state.merged.values() if one.is_waiting]
    return not came or any(one.was_waiting or state.last_in_seq > one.seq for one in came)


def _merged_from(fact: f.MergedFrom, state: Conversation, entry: Entry, seq: int) -> None:
    state.merged[fact.conversation] = MergedCase(
        number=fact.number,
        handles=fact.handles,
        at_ms=entry.at_ms,
        seq=seq,
        is_waiting=fact.waiting_since_ms is not None,
        was_waiting=_waited_itself(state),
    )
    if state.suggestion == fact.conversation:
        state.suggestion = ""
    state.apart = tuple(one for one in state.apart if one != fact.conversation)
    for handle in fact.handles:
        state.handles.setdefault(handle, "")
    state.unread += fact.unread
    if fact.waiting_since_ms is not None:
        since = state.waiting_since_ms
        state.waiting_since_ms = fact.waiting_since_ms if since is None else min(since, fact.waiting_since_ms)
    state.last_ms = entry.at_ms


def _way_joined(fact: f.WayJoined, state: Conversation, entry: Entry, seq: int) -> None:
    words = opened(fact.words)
    state.handles[fact.handle] = words.address
    known = state.ways.get(fact.channel)
    if known is not None and known.message > fact.message:
        return
    if words.mail_id:
        state.people.setdefault(words.address.lower(), words.name)
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
        references=words.references,
        to=tuple((one.address, one.name) for one in words.to),
        cc=tuple((one.address, one.name) for one in words.cc),
    )


def _unmerged(fact: f.Unmerged, state: Conversation, entry: Entry, seq: int) -> None:
    if fact.is_source:
        state.status = CLOSED if state.before_merge == CLOSED else QUEUED
        state.merged_into = state.before_merge = ""
    else:
        state.merged.pop(fact.conversation, None)
    if fact.is_answered:
        _nobody_waits(state)


def _nobody_waits(state: Conversation) -> None:
    state.waiting_since_ms = None
    state.unread = 0
    for what in FIRST_WAIT:
        state.promises.pop(what, None)


def _split_off(fact: f.SplitOff, state: Conversation, entry: Entry, seq: int) -> None:
    state.last_ms = entry.at_ms
    if state.last_in_seq >= fact.from_seq and not fact.is_waiting:
        # Whoever waits, waits there.
        _nobody_waits(state)


def _split_from(fact: f.SplitFrom, state: Conversation, entry: Entry, seq: int) -> None:
    words = opened(fact.words)
    state.split_from = fact.conversation
    # Whoever split it knows the customer: asked first, if it waits.
    state.last_owner = fact.agent
    state.name = words.name or state.name
    state.text = words.text or state.text
    state.unread = fact.unread
    state.waiting_since_ms = fact.waiting_since_ms
    state.last_in_seq = state.last_in_seq or seq
    state.last_ms = entry.at_ms


Apply = Callable[[Any, Conversation, Entry, int], None]
APPLY: Mapping[type[f.Fact], Apply] = {
    f.TransferAccepted: _transfer_accepted,
    f.ConsultEnded: _consult_ended,
    f.WrapUpBegan: _wrap_up_began,
    f.WrapUpExtended: _wrap_up_extended,
    f.WrappedUp: _wrapped_up,
    f.Snoozed: _snoozed,
    f.Woken: _woken,
    f.Prioritized: _prioritized,
    f.Targeted: _targeted,
    f.Warned: _warned,
    f.Overflowed: _overflowed,
    f.TaskAdded: _task_added,
    f.TaskChanged: _task_changed,
    f.TaskDone: _task_done,
    f.TaskReminded: _task_reminded,
    f.Observed: _observed,
    f.KeptApart: _kept_apart,
    f.Merged: _merged,
    f.MergedFrom: _merged_from,
    f.WayJoined: _way_joined,
    f.Unmerged: _unmerged,
    f.SplitOff: _split_off,
    f.SplitFrom: _split_from,
}
"""What each kind of fact does."""
