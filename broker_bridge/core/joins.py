"""Merge, un-merge and split: decisions over several cases and the handles that point to them, as one batch.

Law: a case that goes on in another one (`merged`) takes no messages: every handle that pointed to it points to the other from the same
batch on (beyond `MOST_HANDLES` the clerk follows `merged_into`). Both heads are in the batch, so of two merges in opposite directions one
loses the race, looks again, and finds that it came true already. Nothing is deleted: un-merge restores what pointed where.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.ids import AgentId, ConversationId, HandleId, MessageId
from broker_bridge.contract.words import Address, Words
from broker_bridge.core import targets
from broker_bridge.core.actor import Actor, House, held, is_merged, not_owner
from broker_bridge.core.decision import refuse
from broker_bridge.core.handle import Handle
from broker_bridge.core.state import CLOSED, MERGED, OWNED, REPLIES, RESOLUTION, Conversation, Promise, Way

MOST_HANDLES = 890
"""With the heads it stays under the 900 messages of one batch of the log writer."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """Facts by aggregate; empty: it had come true already."""

    source: tuple[f.ConversationFact, ...] = ()
    target: tuple[f.ConversationFact, ...] = ()
    handles: tuple[tuple[HandleId, ConversationId], ...] = ()
    """(handle, where its messages go from here on)."""
    gives: tuple[tuple[str, int], ...] = ()


def _may(state: Conversation, actor: Actor) -> bool:
    """Whether they may decide where this case goes on."""
    return actor.is_supervisor or state.owner == actor.agent or (state.status != OWNED and actor.works_on(state.queue))


def merge(
    source: Conversation,
    target: Conversation,
    handles: Mapping[HandleId, Handle],
    actor: Actor,
    house: House,
    now_ms: int = 0,
) -> Joined | Refusal:
    """`source` goes on in `target`. `handles`: those of the source, as they stand."""
    if target.status == MERGED and target.merged_into == source.id:
        # A colleague was faster, in the other direction: the two are one case.
        return Joined()
    if source.status == MERGED and source.merged_into == target.id:
        return Joined()
    if source.id == target.id:
        return refuse("bad", "A case cannot be merged with itself. Choose another one.")
    for state in (source, target):
        if state.status == MERGED:
            return is_merged(state)
    if not target.is_open:
        return refuse("late", f"#{target.number} is closed. Reopen it, or merge in the other direction.")
    if not _may(source, actor):
        owner = house.name_of(source.owner)
        return refuse("not_yours", f"{owner} owns #{source.number}. Ask {owner} to merge it, or to transfer it.")
    if target.owner != actor.agent and not actor.works_on(target.queue):
        return refuse("denied", f"You do not work on the queue of #{target.number}. Ask a supervisor to merge them.")
    if source.out:
        return refuse("busy", "A reply of this case is being sent. Merge it once that is done.")
    if source.wrap is not None and source.wrap.is_binding:
        # Its outcome would never be written.
        who = house.name_of(source.wrap.agent)
        return refuse("busy", f"{who} writes the outcome of #{source.number}. Merge it once that is done.")
    moved = tuple(name for name, one in handles.items() if one.conversation == source.id)[:MOST_HANDLES]
    into = (
        f.MergedFrom(
            conversation=source.id,
            agent=actor.agent,
            number=source.number,
            handles=moved,
            unread=source.unread if source.is_open else 0,
            waiting_since_ms=source.waiting_since_ms if source.is_open else None,
        ),
        *(_joined(way) for way in source.ways.values()),
        *_promises(source, target),
        *_waking(source, target, actor, house, now_ms),
        *(_task(source, task) for task in source.tasks),
        *(f.Observed(agent=one) for one in source.observers if one not in target.observers),
    )
    gone = f.Merged(into=target.id, agent=actor.agent)
    return Joined(source=(gone,), target=into, handles=tuple((name, target.id) for name in moved))


def _joined(way: Way) -> f.WayJoined:
    return f.WayJoined(
        channel=way.channel,
        channel_kind=way.channel_kind,
        handle=way.handle,
        message=way.message,
        words=Words(
            address=way.address,
            name=way.name,
            subject=way.subject,
            mail_id=way.mail_id,
            references=way.references,
            to=tuple(Address(address=address, name=name) for address, name in way.to),
            cc=tuple(Address(address=address, name=name) for address, name in way.cc),
        ),
    )


def _promises(source: Conversation, target: Conversation) -> tuple[f.ConversationFact, ...]:
    """What the source's customer was promised holds on, unless the target promises it sooner."""
    if not source.is_open:
        return ()
    whole = source.promises.get(RESOLUTION)
    kept = (_again(RESOLUTION, whole),) if whole is not None and RESOLUTION not in target.promises else ()
    known = next((target.promises[what] for what in REPLIES if what in target.promises), None)
    for what in REPLIES:
        one = source.promises.get(what)
        if one is None or one.due_ms is None:
            continue
        if known is not None and known.due_ms is not None and known.due_ms <= one.due_ms:
            continue
        return (*kept, _again(what, one))
    return kept


def _waking(
    source: Conversation, target: Conversation, actor: Actor, house: House, now_ms: int
) -> tuple[f.ConversationFact, ...]:
    """Whoever waits must not sleep with the case that they come to: as if they had written there."""
    if not source.is_open or source.waiting_since_ms is None:
        return ()
    woken = (f.Woken(reason="agent", agent=actor.agent),) if target.snooze is not None else ()
    return (*woken, *targets.on_joined(target, house.policy, now_ms))


def _again(what: str, one: Promise) -> f.Targeted:
    return f.Targeted(
        what=what,
        due_ms=one.due_ms,
        from_ms=one.from_ms,
        work_s=one.work_s,
        left_s=one.left_s,
        because=one.because,
        # Whom it concerns was warned of it once.
        warn_ms=None if one.is_warned else one.warn_ms,
    )


def _task(source: Conversation, name: str) -> f.TaskAdded:
    """The task as it stands; whoever was reminded of it is not reminded again."""
    task = source.tasks[name]
    return f.TaskAdded(
        task=name,
        agent=task.by,
        what=task.what,
        assignee=task.assignee,
        due_ms=task.due_ms,
        observers=task.observers,
        words=Words(text=task.text, address=task.number),
        is_reminded=task.is_reminded,
    )


def _task_back(source: Conversation, target: Conversation, name: str, agent: AgentId) -> tuple[f.ConversationFact, ...]:
    """What became of a task meanwhile: done there is done here, changed there is changed here."""
    there, here = target.tasks.get(name), source.tasks[name]
    if there is None:
        return (f.TaskDone(task=name, agent=agent),)
    if there == msgspec.structs.replace(here, at_ms=there.at_ms, reminded_seq=there.reminded_seq):
        return ()
    return (_task(target, name),)


def unmerge(
    source: Conversation,
    target: Conversation,
    handles: Mapping[HandleId, Handle],
    actor: Actor,
    house: House,
    now_ms: int = 0,
) -> Joined | Refusal:
    """`source` is a case of its own again. `handles`: those that came with it, as they stand."""
    known = target.merged.get(source.id)
    if source.status != MERGED or source.merged_into != target.id or known is None:
        return refuse("late", f"#{source.number} is a case of its own already.")
    if target.status == MERGED:
        return refuse("late", f"#{target.number} goes on in another one itself. Undo that merge first.")
    if not actor.works_on(source.queue) and target.owner != actor.agent:
        return refuse("denied", f"You do not work on the queue {source.queue}. Ask a supervisor.")
    back = tuple(name for name in known.handles if name in handles and handles[name].conversation == target.id)
    undone: tuple[f.ConversationFact, ...] = (
        f.Unmerged(
            conversation=target.id,
            agent=actor.agent,
            is_source=True,
            cases=tuple(source.merged),
            tasks=tuple((name, task.at_ms) for name, task in source.tasks.items() if name in target.tasks),
            is_answered=known.is_waiting and target.waiting_since_ms is None,
        ),
    )
    if source.before_merge != CLOSED:
        undone = (*undone, f.Queued(queue=source.queue, reason="the merge was undone", skills=source.skills))
    undone = (*undone, *(fact for name in source.tasks for fact in _task_back(source, target, name, actor.agent)))
    dropped = tuple(
        f.TaskDone(task=name, agent=actor.agent, is_dropped=True) for name in source.tasks if name in target.tasks
    )
    goes = _goes_with(source.id, target)
    parted = f.Unmerged(conversation=source.id, agent=actor.agent, is_answered=goes)
    stands_still = targets.on_reply(target, house.policy, now_ms) if goes else ()
    return Joined(
        source=undone,
        target=(parted, *stands_still, *dropped),
        handles=tuple((name, source.id) for name in back),
    )


def _goes_with(name: ConversationId, target: Conversation) -> bool:
    """Whether only whoever came with this case waits in `target`."""
    known = target.merged[name]
    is_alone = not any(one.is_waiting for other, one in target.merged.items() if other != name)
    is_since = target.last_in_seq > known.seq
    return bool(known.seq and known.is_waiting and not known.was_waiting and is_alone and not is_since)


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with a split, as the thread has it."""

    from_seq: int
    messages: frozenset[MessageId]
    """All that go."""
    text: str
    """Of the last one."""
    waits_since_ms: int | None
    """Since when the customer waits for an answer to them."""
    unread: int = 0


def split(
    source: Conversation,
    new: Conversation,
    moved: Moved,
    handles: Mapping[HandleId, Handle],
    actor: Actor,
    house: House,
    now_ms: int,
) -> Joined | Refusal:
    """Messages from one on become a case of their own (`new`, empty so far), owned by whoever splits; in the queue, if that is more than
    they can carry."""
    refusal = not_owner(source, actor, house, now_ms, "split it")
    if refusal is not None:
        return refusal
    if source.out:
        return refuse("busy", "A reply of this case is being sent. Split it once that is done.")
    ways = [way for way in source.ways.values() if way.message in moved.messages]
    ways = ways or list(source.ways.values())[-1:]
    if not moved.messages or not ways:
        return refuse("bad", "No message of the customer would go. Choose an earlier one.")
    last = ways[-1]
    pointing = tuple(
        way.handle for way in ways if way.handle in handles and handles[way.handle].conversation == source.id
    )
    since_ms, moved_ms = source.waiting_since_ms, moved.waits_since_ms
    stays = since_ms is not None and (moved_ms is None or since_ms < moved_ms)
    gone = f.SplitOff(into=new.id, agent=actor.agent, number=new.number, from_seq=moved.from_seq, is_waiting=stays)
    is_theirs = _has_room_for_both(source, last.channel_kind, moved, actor, house, stays=stays)
    began = (
        f.Opened(
            customer=source.customer,
            handle=last.handle,
            channel=last.channel,
            channel_kind=last.channel_kind,
            queue=source.queue,
            reply_within_s=source.reply_within_s,
        ),
        *(_joined(way) for way in ways),
        f.SplitFrom(
            conversation=source.id,
            agent=actor.agent,
            number=source.number,
            from_seq=moved.from_seq,
            unread=moved.unread,
            waiting_since_ms=moved.waits_since_ms,
            words=Words(name=source.name, text=moved.text),
        ),
        *(_promises(source, new) if moved.waits_since_ms is not None else ()),
        f.Queued(
            queue=source.queue, reason="split" if is_theirs else f"{actor.name} has no room for what was split off"
        ),
        *((f.Accepted(agent=actor.agent, epoch=1),) if is_theirs else ()),
    )
    return Joined(
        source=(gone,),
        target=began,
        handles=tuple((name, new.id) for name in dict.fromkeys(pointing)),
        gives=((actor.agent, house.policy.desk.cost(last.channel_kind).units),) if is_theirs else (),
    )


def _has_room_for_both(
    source: Conversation, kind: str, moved: Moved, actor: Actor, house: House, *, stays: bool
) -> bool:
    """Whether whoever splits can carry the new case beside the old one; supervisors know what they do."""
    if actor.is_supervisor:
        return True
    desk = house.policy.desk
    new, old = desk.cost(kind), desk.cost(source.channel_kind)
    wanted = new.units if new.idle_counts or moved.waits_since_ms is not None else 0
    # Where idle cases take no place, the old one gives its place back when whoever waits goes along.
    is_idle_then = source.last_in_seq >= moved.from_seq and not stays
    freed = held(source, house, actor.agent) if is_idle_then and not old.idle_counts else 0
    return not wanted or house.place(actor.agent).has_room(wanted - freed)


def leads_to(state: Conversation) -> ConversationId:
    """Where a message for this case goes on: itself, unless it was merged."""
    return state.merged_into if state.status == MERGED else state.id
