"""What facts do to the read model beside a thread's items: tasks, and items that move with a merge or a split.

Law: from the entry and the state after it alone, so that a model made anew comes out equal.
"""

from __future__ import annotations

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import opened
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.readmodel import ReadModel


def apply(model: ReadModel, state: Conversation, fact: f.Fact, entry: Entry, seq: int) -> None:
    """`state`: of the case that the fact stands in, perhaps ahead of its entry: good for its names alone."""
    if isinstance(fact, (f.TaskAdded, f.TaskChanged)):
        _task(model, state, fact, entry)
    elif isinstance(fact, f.TaskDone):
        model.end_task(fact.task, state.id, entry.at_ms, fact.is_dropped)
    elif isinstance(fact, f.MergedFrom):
        model.move_items("conversation = ?", (fact.conversation,), state.id, seq, fact.number)
    elif isinstance(fact, f.Unmerged) and fact.is_source:
        # With everything that had been merged into it before. Not from the state: that may be ahead of this entry.
        homes = (state.id, *fact.cases)
        marks = ", ".join("?" for _ in homes)
        model.move_items(f"conversation = ? AND home IN ({marks})", (fact.conversation, *homes), state.id, seq, "")
        for task, at_ms in fact.tasks:
            model.keep_task(task, state.id, {"done_ms": None, "is_dropped": False, "at_ms": at_ms})
    elif isinstance(fact, f.SplitOff):
        # Events stay where they happened: only what somebody said has an id of its own.
        model.move_items(
            "conversation = ? AND seq >= ? AND instr(id, '-') = 0",
            (state.id, fact.from_seq),
            fact.into,
            seq,
            "",
            fact.into,
        )


def _task(model: ReadModel, state: Conversation, fact: f.TaskAdded | f.TaskChanged, entry: Entry) -> None:
    words = opened(fact.words)
    values: dict[str, object] = {
        "assignee": fact.assignee,
        "due_ms": fact.due_ms,
        "observers": f" {' '.join(fact.observers)} " if fact.observers else "",
        "text": words.text,
        "number": words.address,
    }
    if isinstance(fact, f.TaskAdded):
        is_move = any(isinstance(one, (f.MergedFrom, f.Unmerged)) for one in entry.facts)
        if not is_move and model.count_tasks("id = ? AND conversation <> ?", (fact.task, state.id)):
            # Its id is a command's, which an agent chooses: nobody takes the place of a task elsewhere by it.
            return
        values |= {"what": fact.what, "made_by": fact.agent, "at_ms": entry.at_ms}
    model.keep_task(fact.task, state.id, values)
