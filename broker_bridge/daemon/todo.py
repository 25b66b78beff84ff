"""What is prepared for agents from what the read model holds: the list of tasks, the packet of a transfer.

Law: as reading.py: nothing is changed, and everything that leaves has gone through the rules of what its reader may see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import ConversationId
from broker_bridge.core import afterwork, leaving, notices, packet
from broker_bridge.core import views as rules
from broker_bridge.core.actor import Actor
from broker_bridge.core.notices import Addressed
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.figures import MINE
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.staff import Staff

MOST_TASKS = 500
FIRST_ITEMS = 20
LAST_ITEMS = 200
"""Of a long thread its beginning (the problem) and its end are read."""
OPEN = "done_ms IS NULL"


class Todo:
    """One for each bridge."""

    def __init__(
        self,
        *,
        model: ReadModel,
        reading: Reading,
        staff: Staff,
        drafts: Drafts,
        told: Callable[[Entry, Conversation], tuple[Addressed, ...]] = lambda entry, state: (),
    ) -> None:
        """`told`: the notices of an entry, with the state of its case after it."""
        self._model = model
        self._reading = reading
        self._staff = staff
        self._drafts = drafts
        self._told = told

    def tasks(self, request: c.Tasks, actor: Actor) -> v.TaskPage:
        """Those due first at the top; as many as fit one answer."""
        where, values = _clause(request, actor)
        limit = max(1, min(request.limit, MOST_TASKS))
        page = v.TaskPage(
            tasks=tuple(self._task(row, actor) for row in self._model.tasks(where, values, limit)),
            total=self._model.count_tasks(where, values),
            upto=self._model.position,
        )
        while len(page.tasks) > 1 and len(codec.encode(page)) > c.MAX_ANSWER_BYTES - 4096:
            page = msgspec.structs.replace(page, tasks=page.tasks[: len(page.tasks) // 2])
        return page

    def reminders(self, actor: Actor, since: int) -> list[v.Notice]:
        """Of open tasks, what this agent was to be told after a sequence of LOG and may have missed: nobody was at home to them."""
        concerns = f"({MINE} OR instr(observers, ?) > 0 OR (assignee = '' AND ?)) AND {OPEN} AND due_ms IS NOT NULL"
        values = (actor.agent, actor.agent, f" {actor.agent} ", actor.is_supervisor)
        found: list[v.Notice] = []
        for row in self._model.tasks(concerns, values, MOST_TASKS):
            name, state = str(row[0]), self._reading.state(str(row[1]))
            task = state.tasks.get(name)
            if task is None or not task.is_reminded or task.reminded_seq <= since or task.due_ms is None:
                continue
            fact = f.TaskReminded(task=name, due_ms=task.due_ms)
            addressed = self._told(Entry(at_ms=task.due_ms, by="timer", facts=(fact,)), state)
            found += notices.for_agent(addressed, actor.agent, is_supervisor=actor.is_supervisor)
        return found

    def _task(self, row: tuple[Any, ...], actor: Actor) -> v.TaskView:
        name, conversation, what, made_by, assignee, due_ms, observers, text, number, _, done_ms, is_dropped = row
        state = self._reading.state(conversation)
        known = state.tasks.get(name)
        if known is not None:
            # What is for nobody in particular is for whoever owns the case.
            assignee = leaving.who_has(known, state)
        # Whoever is to call needs the number, whether they own the case or not.
        whole = actor.agent in (assignee, made_by) or rules.sees_addresses(state, actor)
        return v.TaskView(
            task=name,
            conv=conversation,
            what=what,
            text=text,
            number=number if whole or not number else rules.masked(number),
            customer=self._reading.row(conversation, actor).name,
            case=state.number,
            by=self._staff.name_of(made_by) if made_by else "",
            assignee=assignee,
            assignee_name=self._staff.name_of(assignee) if assignee else "",
            due_ms=due_ms,
            observers=tuple(observers.split()),
            is_done=done_ms is not None and not is_dropped,
            is_dropped=bool(is_dropped),
            done_ms=done_ms,
            may_change=known is not None and afterwork.may_change(known, state, actor),
        )

    async def handover(self, conversation: ConversationId, actor: Actor) -> v.HandoverView:
        """What would go along with a transfer."""
        state = self._reading.state(conversation)
        items = self._items(conversation, state, actor)
        known = self._reading.histories.identifiers(state, actor) if state.customer else ()
        draft = await self._drafts.load(actor.agent, conversation)
        return v.HandoverView(
            packet=packet.prefill(items, known),
            case=packet.case_line(items, max(state.messages, _said(items))),
            draft=len(draft.text) if draft is not None else 0,
            seen=state.seen_seq,
            upto=self._model.position,
        )

    def _items(self, conversation: ConversationId, state: Conversation, actor: Actor) -> tuple[v.Item, ...]:
        last = self._model.items(conversation, None, LAST_ITEMS)
        first = self._model.items_after(conversation, 0, FIRST_ITEMS) if len(last) == LAST_ITEMS else []
        known = {item.id for item in last}
        return self._reading.items([*(item for item in first if item.id not in known), *last], state, actor)


def _said(items: tuple[v.Item, ...]) -> int:
    """Messages among the items: those of merged cases are not counted by the state."""
    return sum(item.kind in ("them", "unreadable", "you", "colleague") for item in items)


def _clause(request: c.Tasks, actor: Actor) -> tuple[str, tuple[str, ...]]:
    """Condition and values for a view of the tasks."""
    where: str
    values: tuple[str, ...]
    if request.view == "observed":
        where, values = f"instr(observers, ?) > 0 AND {OPEN}", (f" {actor.agent} ",)
    elif request.view == "all":
        where, values = OPEN, ()
    elif request.view == "done":
        everybody = actor.is_supervisor or request.conversation is not None
        where = "done_ms IS NOT NULL" if everybody else "done_ms IS NOT NULL AND (assignee = ? OR made_by = ?)"
        values = () if everybody else (actor.agent, actor.agent)
    else:
        where, values = f"{MINE} AND {OPEN}", (actor.agent, actor.agent)
    if request.conversation is not None:
        return f"({where}) AND conversation = ?", (*values, request.conversation)
    return f"({where})", values
