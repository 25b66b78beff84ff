"""What becomes of the tasks of a colleague who no longer works here: whoever owns the case has them, or nobody yet.

Law: only the assignee changes. A task keeps its time, so a reminder that has not come yet still comes, to whoever has it then.
"""

from __future__ import annotations

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.words import Words
from broker_bridge.core.state import ERASED, MERGED, Conversation, Task


def let_go(state: Conversation, agent: AgentId) -> tuple[f.TaskChanged, ...]:
    """The facts that take the open tasks of `agent` from them; none: they have none here."""
    if state.status in (MERGED, ERASED):
        # They went along with the merge.
        return ()
    return tuple(
        f.TaskChanged(
            task=name,
            agent=agent,
            due_ms=task.due_ms,
            observers=tuple(one for one in task.observers if one != agent),
            words=Words(text=task.text, address=task.number),
        )
        for name, task in state.tasks.items()
        if task.assignee == agent
    )


def who_has(task: Task, state: Conversation) -> AgentId:
    """Whom a task is for; empty: nobody yet."""
    return task.assignee or state.owner
