"""What happens to a case because time has passed: the end of wrap-up and snooze, reminders, warnings.

Law: a timer is derived from the state, never stored beside it; firing it is a fact that ends it, under an id made of case, kind and time.
So it fires once, whoever fires it, and after a restart too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, CommandId
from broker_bridge.core import targets
from broker_bridge.core.actor import House
from broker_bridge.core.state import CLOSED, MERGED, Conversation

Kind = Literal["wrap_up", "snooze", "task", "warning"]


class Timer(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """The first thing that time will do to a case."""

    due_ms: int
    kind: Kind
    name: str = ""
    """Which task, or which target."""

    def command(self, state: Conversation) -> CommandId:
        """The same for whoever fires it."""
        return f"timer:{state.id}:{self.kind}:{self.name}:{self.due_ms}"


def first(state: Conversation) -> Timer | None:
    """The timer that is due next; None: time changes nothing here."""
    if state.status == MERGED:
        return None
    found: list[Timer] = []
    if state.wrap is not None and state.wrap.until_ms is not None and state.status == CLOSED:
        found.append(Timer(due_ms=state.wrap.until_ms, kind="wrap_up"))
    if state.snooze is not None and state.snooze.until_ms is not None:
        found.append(Timer(due_ms=state.snooze.until_ms, kind="snooze"))
    found.extend(
        Timer(due_ms=task.due_ms, kind="task", name=name)
        for name, task in state.tasks.items()
        if task.due_ms is not None and not task.is_reminded
    )
    if state.is_open:
        found.extend(
            Timer(due_ms=promise.warn_ms, kind="warning", name=what)
            for what, promise in state.promises.items()
            if promise.warn_ms is not None and promise.due_ms is not None and not promise.is_warned
        )
    # What was promised, changed, and promised again as before was fired already: it must not stand in the way of the next.
    return min((one for one in found if one.command(state) not in state.commands), default=None)


def fire(
    timer: Timer, state: Conversation, house: House, is_here: Callable[[AgentId], bool], now_ms: int
) -> tuple[f.ConversationFact, ...]:
    """The facts of a timer that is due; none: it is not the first of this state any more."""
    if first(state) != timer or timer.due_ms > now_ms:
        return ()
    if timer.kind == "wrap_up":
        assert state.wrap is not None
        outcome = state.disposition or house.default_outcome(state.queue)
        return (f.WrappedUp(agent=state.wrap.agent, disposition=outcome, tags=state.tags, is_timeout=True),)
    if timer.kind == "snooze":
        woken: tuple[f.ConversationFact, ...] = (
            f.Woken(reason="time"),
            *targets.on_wake(state, house.policy, now_ms),
        )
        if is_here(state.owner):
            return woken
        reason = f"its time came while {house.name_of(state.owner)} was away"
        return (*woken, f.Queued(queue=state.queue, reason=reason, skills=state.skills))
    if timer.kind == "task":
        return (f.TaskReminded(task=timer.name, due_ms=timer.due_ms),)
    promise = state.promises[timer.name]
    assert promise.due_ms is not None
    return (f.Warned(what=timer.name, due_ms=promise.due_ms),)
