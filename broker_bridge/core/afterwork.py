"""Closing and what comes after: wrap-up, snooze, follow-up tasks, call-backs, who follows, what comes first.

Law: a case is closed once; its outcome is written with the closing or in the wrap-up, by whoever closed it, and if nobody does the queue's
default stands. A time-out is a fact like any other, made by `core.timers`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.ids import AgentId, MessageId
from broker_bridge.contract.words import Words
from broker_bridge.core import targets
from broker_bridge.core.actor import (
    LONGEST_AHEAD_MS,
    Actor,
    House,
    Rule,
    is_closed,
    is_merged,
    no_colleague,
    not_owner,
    wrong_epoch,
)
from broker_bridge.core.decision import Decision, Facts, refuse
from broker_bridge.core.leaving import who_has
from broker_bridge.core.state import CLOSED, MERGED, Conversation, Task

MORE_TIME_MS = 30_000
MORE_TIMES = 10
MAX_TASK = 2_000
"""Characters."""
MAX_TASKS = 100
"""Open ones of one case."""
MAX_FIELD = 500


def _outcome(
    disposition: str, fields: tuple[tuple[str, str], ...], state: Conversation, house: House
) -> Refusal | None:
    """A refusal unless the case may end as this, with all that it asks for."""
    outcomes = {one.name: one for one in house.outcomes(state.queue)}
    if not outcomes and not disposition:
        # Nothing can be chosen: nobody is held in a wrap-up that has no end.
        return None
    if not outcomes:
        return refuse("bad", "This queue has no dispositions. Close it without one.")
    if disposition not in outcomes:
        known = ", ".join(outcomes)
        return refuse("bad", f"There is no disposition {disposition!r}. Choose one of: {known}.")
    given = {name: value for name, value in fields if value.strip()}
    missing = [name for name in outcomes[disposition].fields if name not in given]
    if missing:
        return refuse("bad", f"{disposition} needs {' and '.join(missing)}. Fill that in.")
    return None


def _too_long(fields: tuple[tuple[str, str], ...]) -> Refusal | None:
    if any(len(name) > MAX_FIELD or len(value) > MAX_FIELD for name, value in fields) or len(fields) > 50:
        return refuse("bad", f"A field takes {MAX_FIELD} characters. Write the rest into the note.")
    return None


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip()[:40] for one in tags if one.strip()))[:20]


def _words(note: str, fields: tuple[tuple[str, str], ...]) -> Words | None:
    kept = tuple((name, value) for name, value in fields if value.strip())
    return Words(text=note, fields=kept) if note.strip() or kept else None


def _close(wish: c.Close, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    leads = actor.is_supervisor and state.is_open
    refusal = None if leads else not_owner(state, actor, house, now_ms, "close it again")
    refusal = refusal or wrong_epoch(state, wish) or _too_long(wish.fields)
    if refusal is not None:
        return refusal
    if len(wish.note) > c.MAX_TEXT:
        return refuse("bad", f"The note has {len(wish.note):,} characters; the limit is {c.MAX_TEXT:,}.")
    words, tags = _words(wish.note, wish.fields), _tags(wish.tags)
    if wish.disposition:
        refusal = _outcome(wish.disposition, wish.fields, state, house)
        if refusal is not None:
            return refusal
        return Facts(facts=(f.Closed(agent=actor.agent, disposition=wish.disposition, words=words, tags=tags),))
    rules = house.policy.rules(state.queue)
    usual = house.default_outcome(state.queue)
    if rules.wrap_up == "none" or state.owner != actor.agent:
        return Facts(facts=(f.Closed(agent=actor.agent, disposition=usual, words=words, tags=tags),))
    is_timed = rules.wrap_up in ("timed", "optional")
    return Facts(
        facts=(
            f.Closed(
                agent=actor.agent, disposition=usual if rules.wrap_up == "optional" else "", words=words, tags=tags
            ),
            f.WrapUpBegan(
                agent=actor.agent,
                mode=rules.wrap_up,
                until_ms=now_ms + rules.wrap_up_s * 1000 if is_timed else None,
            ),
        )
    )


def _not_in_wrap_up(state: Conversation, actor: Actor, house: House) -> Refusal | None:
    if state.wrap is None and state.status == CLOSED:
        how = state.disposition or "closed"
        return refuse("late", f"The wrap-up is over: it was written down as {how}. Write a note for what is missing.")
    if state.wrap is None:
        return refuse("late", "This conversation is open again. There is no wrap-up now.")
    if state.wrap.agent != actor.agent and not actor.is_supervisor:
        return refuse(
            "not_yours", f"{house.name_of(state.wrap.agent)} closed this conversation and writes its outcome."
        )
    return None


def _wrap_up(
    wish: c.WrapUp, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    refusal = (
        _not_in_wrap_up(state, actor, house)
        or _too_long(wish.fields)
        or _outcome(wish.disposition, wish.fields, state, house)
    )
    if refusal is not None:
        return refusal
    if len(wish.note) > c.MAX_TEXT:
        return refuse("bad", f"The note has {len(wish.note):,} characters; the limit is {c.MAX_TEXT:,}.")
    done = f.WrappedUp(
        agent=actor.agent,
        disposition=wish.disposition,
        tags=_tags(wish.tags),
        words=_words(wish.note, wish.fields),
    )
    return Facts(facts=(done,))


def _more_time(
    wish: c.MoreTime, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    refusal = _not_in_wrap_up(state, actor, house)
    if refusal is not None:
        return refusal
    assert state.wrap is not None
    if state.wrap.until_ms is None:
        return refuse("bad", "This wrap-up has no time-out. Take the time you need.")
    if state.wrap.extended >= MORE_TIMES:
        return refuse("bad", "The wrap-up was extended ten times. Choose an outcome, or write a note.")
    return Facts(facts=(f.WrapUpExtended(agent=actor.agent, until_ms=state.wrap.until_ms + MORE_TIME_MS),))


def _wrong_time(at_ms: int | None, now_ms: int) -> Refusal | None:
    if at_ms is not None and not now_ms < at_ms <= now_ms + LONGEST_AHEAD_MS:
        return refuse("bad", "Choose a time that is still to come, within a year.")
    return None


def _snooze(
    wish: c.Snooze, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    refusal = (
        not_owner(state, actor, house, now_ms, "snooze it")
        or wrong_epoch(state, wish)
        or _wrong_time(wish.until_ms, now_ms)
    )
    if refusal is not None:
        return refusal
    if wish.until_ms is None and state.waiting_since_ms is not None:
        return refuse("bad", "They wait for your answer: answer first, or choose a time.")
    asleep = f.Snoozed(agent=actor.agent, until_ms=wish.until_ms)
    return Facts(facts=(asleep, *targets.on_snooze(state, house.policy, now_ms)))


def _wake(wish: c.Wake, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int) -> Decision:
    if not actor.is_supervisor:
        refusal = not_owner(state, actor, house, now_ms, "wake it")
        if refusal is not None:
            return refusal
    if state.snooze is None:
        return Facts()
    woken = f.Woken(reason="agent", agent=actor.agent)
    return Facts(facts=(woken, *targets.on_wake(state, house.policy, now_ms)))


def _prioritize(
    wish: c.Prioritize, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if state.status == CLOSED:
        return is_closed(state, house, now_ms, "change its priority")
    if not 1 <= wish.priority <= 9:
        return refuse("bad", "A priority is 1 (first) to 9.")
    if state.owner != actor.agent and not actor.works_on(state.queue):
        return refuse("denied", f"You do not work on the queue {state.queue}. Ask a supervisor.")
    fact = f.Prioritized(agent=actor.agent, priority=wish.priority)
    return Facts(facts=(fact, *targets.on_change(state, house.policy, now_ms, priority=wish.priority)))


def _task_problem(
    text: str, assignee: AgentId, observers: Collection[AgentId], due_ms: int | None, house: House, now_ms: int
) -> Refusal | None:
    for one in (*([assignee] if assignee else []), *observers):
        if one not in house.names:
            return no_colleague(one)
    if len(text) > MAX_TASK or len(observers) > 20:
        return refuse("bad", f"A task takes {MAX_TASK:,} characters and 20 observers. Shorten it.")
    return _wrong_time(due_ms, now_ms)


def _add_task(
    wish: c.AddTask, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if wish.what not in ("task", "call_back"):
        return refuse("bad", "A task is a task or a call_back.")
    if wish.what == "task" and not wish.text.strip():
        return refuse("bad", "Say what is to be done.")
    if wish.what == "call_back" and wish.due_ms is None:
        return refuse("bad", "Say when to call.")
    if wish.id in state.tasks:
        # It came along with a merge: nobody changes a task by adding it again.
        return refuse("late", "This task is here already.")
    if len(state.tasks) >= MAX_TASKS:
        return refuse("bad", f"This case has {MAX_TASKS} open tasks. Finish some first.")
    refusal = _task_problem(wish.text + wish.number, wish.assignee, wish.observers, wish.due_ms, house, now_ms)
    if refusal is not None:
        return refusal
    added = f.TaskAdded(
        task=wish.id,
        agent=actor.agent,
        what=wish.what,
        assignee=wish.assignee or state.owner or actor.agent,
        due_ms=wish.due_ms,
        observers=wish.observers,
        words=Words(text=wish.text, address=wish.number),
    )
    return Facts(facts=(added,))


def may_change(task: Task, state: Conversation, actor: Actor) -> bool:
    """Who made it, who does it, who owns the case, and supervisors; what nobody has, whoever works on the queue."""
    is_free = not who_has(task, state) and actor.works_on(state.queue)
    return is_free or actor.is_supervisor or actor.agent in (task.by, task.assignee, state.owner)


def _task_of(task: str, state: Conversation, actor: Actor, house: House) -> Refusal | Task:
    if state.status == MERGED:
        # Its tasks went along.
        return is_merged(state)
    found = state.tasks.get(task)
    if found is None:
        return refuse("late", "This task is done already, or was dropped.")
    if not may_change(found, state, actor):
        who = who_has(found, state)
        whose = f"{house.name_of(who)}'s" if who else "nobody's, in a queue that you do not work on"
        return refuse("denied", f"This task is {whose}. Ask them, or whoever owns the case.")
    return found


def _change_task(
    wish: c.ChangeTask, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    found = _task_of(wish.task, state, actor, house)
    if isinstance(found, Refusal):
        return found
    if found.what == "call_back" and wish.due_ms is None:
        return refuse("bad", "Say when to call.")
    due_ms = None if wish.due_ms == found.due_ms else wish.due_ms
    refusal = _task_problem(wish.text + wish.number, wish.assignee, wish.observers, due_ms, house, now_ms)
    if refusal is not None:
        return refusal
    changed = f.TaskChanged(
        task=wish.task,
        agent=actor.agent,
        assignee=wish.assignee or found.assignee,
        due_ms=wish.due_ms,
        observers=wish.observers,
        words=Words(text=wish.text or found.text, address=wish.number or found.number),
    )
    return Facts(facts=(changed,))


def _finish_task(
    wish: c.FinishTask, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    found = _task_of(wish.task, state, actor, house)
    if isinstance(found, Refusal):
        return found
    words = Words(text=wish.note[:MAX_TASK]) if wish.note.strip() else None
    return Facts(facts=(f.TaskDone(task=wish.task, agent=actor.agent, is_dropped=wish.is_dropped, words=words),))


def _observe(
    wish: c.Observe, state: Conversation, actor: Actor, house: House, message: MessageId, now_ms: int
) -> Decision:
    if state.status == MERGED:
        return is_merged(state)
    if (actor.agent in state.observers) == wish.on:
        return Facts()
    return Facts(facts=(f.Observed(agent=actor.agent, on=wish.on),))


RULES: Mapping[type[c.Act], Rule] = {
    c.Close: _close,
    c.WrapUp: _wrap_up,
    c.MoreTime: _more_time,
    c.Snooze: _snooze,
    c.Wake: _wake,
    c.Prioritize: _prioritize,
    c.AddTask: _add_task,
    c.ChangeTask: _change_task,
    c.FinishTask: _finish_task,
    c.Observe: _observe,
}
