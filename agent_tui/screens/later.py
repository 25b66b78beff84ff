"""Actions about another time and about reasons: snooze or wake, why, tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent_tui.model import deeds

if TYPE_CHECKING:
    from agent_tui.screens.snoozing import Until
    from agent_tui.screens.workstation import Workstation


def snooze(screen: Workstation) -> None:
    """`z`: asleep until a time; on a row that sleeps: awake."""
    from agent_tui.screens import acts
    from agent_tui.screens.snoozing import Snoozing

    row = screen.target
    if row is not None and "wake" in row.verbs:
        acts.post(screen, deeds.wake(acts.new_id(screen), row))
        return
    row = acts.allowed(screen, "snooze")
    if row is None:
        return

    def given(until: Until | None) -> None:
        if until is not None:
            acts.post(screen, deeds.snooze(acts.new_id(screen), row, until.until_ms))

    screen.app.push_screen(Snoozing(screen.place, row), given)


def why(screen: Workstation) -> None:
    """Why this conversation is where it is; while something rings, why that rings here."""
    from agent_tui.screens import acts
    from agent_tui.screens.whying import Whying

    row = screen.offer or screen.target
    if row is None:
        screen.say(acts.NO_CONVERSATION)
        return
    screen.app.push_screen(Whying(screen.place, row))


ACTS: dict[str, Callable[[Workstation], None]] = {
    "snooze": snooze,
    "why": why,
    "view_tasks": lambda screen: screen.todo.open(),
    "add_task": lambda screen: screen.todo.add(is_call=False),
    "call_back": lambda screen: screen.todo.add(is_call=True),
    "open_task": lambda screen: screen.todo.open_case(),
    "finish_task": lambda screen: screen.todo.finish(),
    "edit_task": lambda screen: screen.todo.edit(),
    "assign_task": lambda screen: screen.todo.edit("assignee"),
    "next_tasks": lambda screen: screen.todo.step(1),
    "previous_tasks": lambda screen: screen.todo.step(-1),
    "leave_tasks": lambda screen: screen.todo.leave(),
}
