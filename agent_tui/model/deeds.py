"""What an agent does, as the command that the bridge takes.

The law: what was shown is frozen into the command: owner epoch, channel, people, and how far the agent had read.
"""

from __future__ import annotations

from agent_tui.model.clean import clean_line
from agent_tui.model.task_lines import Wish
from broker_bridge.contract import commands
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import Reach, Row, TaskView
from broker_bridge.contract.words import Packet

FOREVER_SEQ = 1 << 60
"""Sequence of an item that is not stored yet: it stands at the end."""


def reply(
    id: str, row: Row, way: Reach, text: str, seen: int, *, anyway: bool = False, and_next: bool = False
) -> commands.Reply:
    """An answer to the customer by `way`. `seen`: sequence of the newest item on screen."""
    return commands.Reply(
        id=id,
        conversation=row.conv,
        epoch=row.epoch,
        text=text,
        channel=way.channel,
        to=way.to,
        cc=way.cc,
        in_reply_to=way.in_reply_to,
        seen=seen,
        anyway=anyway,
        next=and_next,
    )


def note(id: str, row: Row, text: str, to: str | None = None) -> commands.Note:
    """For colleagues only; it belongs to nobody's turn, so no epoch."""
    return commands.Note(id=id, conversation=row.conv, text=text, to=to)


def accept(id: str, row: Row) -> commands.Accept:
    return commands.Accept(id=id, conversation=row.conv, epoch=row.epoch)


def decline(id: str, row: Row, reason: str = "") -> commands.Decline:
    return commands.Decline(id=id, conversation=row.conv, epoch=row.epoch, reason=reason)


def transfer(
    id: str,
    row: Row,
    kind: str,
    whom: str,
    words: str,
    *,
    skills: tuple[Skill, ...] = (),
    packet: Packet | None = None,
    ask_first: bool = False,
    seen: int = 0,
    force: bool = False,
) -> commands.Transfer:
    """`kind`: `agent`, `queue` or `skills`; a talk first is only had with an agent."""
    return commands.Transfer(
        id=id,
        conversation=row.conv,
        epoch=row.epoch,
        to_agent=whom if kind == "agent" else None,
        to_queue=whom if kind == "queue" else None,
        to_skills=skills if kind == "skills" else (),
        note=words,
        packet=packet,
        ask_first=ask_first and kind == "agent",
        seen=seen,
        force=force,
    )


def confirm(id: str, row: Row) -> commands.Confirm:
    return commands.Confirm(id=id, conversation=row.conv, epoch=row.epoch)


def end_consult(id: str, row: Row) -> commands.EndConsult:
    return commands.EndConsult(id=id, conversation=row.conv, epoch=row.epoch)


def observe(id: str, row: Row) -> commands.Observe:
    """Follow it, or no longer. Nobody's turn: no epoch."""
    return commands.Observe(id=id, conversation=row.conv, on=not row.is_observed)


def prioritize(id: str, row: Row, priority: int) -> commands.Prioritize:
    return commands.Prioritize(id=id, conversation=row.conv, epoch=row.epoch, priority=priority)


def merge(id: str, conv: str, into: str, epoch: int | None) -> commands.Merge:
    """`conv` goes on in `into`; `epoch` of `conv` as far as its row is here."""
    return commands.Merge(id=id, conversation=conv, into=into, epoch=epoch)


def unmerge(id: str, conv: str) -> commands.Unmerge:
    """`conv`: the case that had gone into another."""
    return commands.Unmerge(id=id, conversation=conv)


def split(id: str, row: Row, message: str) -> commands.Split:
    return commands.Split(id=id, conversation=row.conv, epoch=row.epoch, message=message)


def close(id: str, row: Row, disposition: str, words: str = "") -> commands.Close:
    return commands.Close(id=id, conversation=row.conv, epoch=row.epoch, disposition=disposition, note=words)


def close_with(
    id: str,
    row: Row,
    disposition: str,
    words: str,
    fields: tuple[tuple[str, str], ...],
    tags: tuple[str, ...],
    *,
    and_next: bool,
) -> commands.Close:
    """Closed with all that its outcome asks for: no wrap-up follows."""
    return commands.Close(
        id=id,
        conversation=row.conv,
        epoch=row.epoch,
        disposition=disposition,
        note=words,
        fields=fields,
        tags=tags,
        next=and_next,
    )


def wrap_up(
    id: str,
    row: Row,
    disposition: str,
    words: str,
    fields: tuple[tuple[str, str], ...],
    tags: tuple[str, ...],
    *,
    and_next: bool,
) -> commands.WrapUp:
    return commands.WrapUp(
        id=id,
        conversation=row.conv,
        epoch=row.epoch,
        disposition=disposition,
        note=words,
        fields=fields,
        tags=tags,
        next=and_next,
    )


def more_time(id: str, row: Row) -> commands.MoreTime:
    return commands.MoreTime(id=id, conversation=row.conv, epoch=row.epoch)


def snooze(id: str, row: Row, until_ms: int | None) -> commands.Snooze:
    """None = until the customer writes."""
    return commands.Snooze(id=id, conversation=row.conv, epoch=row.epoch, until_ms=until_ms)


def wake(id: str, row: Row) -> commands.Wake:
    return commands.Wake(id=id, conversation=row.conv, epoch=row.epoch)


def add_task(
    id: str,
    row: Row,
    *,
    what: str = "task",
    text: str = "",
    number: str = "",
    assignee: str = "",
    due_ms: int | None = None,
    observers: tuple[str, ...] = (),
) -> commands.AddTask:
    """Something to do about this case; it is nobody's turn, so no epoch."""
    return commands.AddTask(
        id=id,
        conversation=row.conv,
        what=what,
        text=text,
        number=number,
        assignee=assignee,
        due_ms=due_ms,
        observers=observers,
    )


def change_task(id: str, task: TaskView, wish: Wish) -> commands.ChangeTask:
    return commands.ChangeTask(
        id=id,
        conversation=task.conv,
        task=task.task,
        text=wish.text,
        number=wish.number,
        assignee=wish.assignee,
        due_ms=wish.due_ms,
        observers=wish.observers,
    )


def finish_task(id: str, task: TaskView, words: str, *, is_dropped: bool) -> commands.FinishTask:
    return commands.FinishTask(id=id, conversation=task.conv, task=task.task, note=words, is_dropped=is_dropped)


def reopen(id: str, row: Row) -> commands.Reopen:
    return commands.Reopen(id=id, conversation=row.conv, epoch=row.epoch)


def see(id: str, row: Row) -> commands.See:
    return commands.See(id=id, conversation=row.conv, epoch=row.epoch)


def take_back(id: str, row: Row) -> commands.TakeBack:
    return commands.TakeBack(id=id, conversation=row.conv, epoch=row.epoch)


def keep_apart(id: str, row: Row) -> commands.KeepApart:
    """It does not belong where it may belong. Nobody's turn: no epoch."""
    return commands.KeepApart(id=id, conversation=row.conv, other=row.suggestion)


def send_again(id: str, row: Row, message: str) -> commands.SendAgain:
    return commands.SendAgain(id=id, conversation=row.conv, epoch=row.epoch, message=message)


WORDS = {
    "accept": "accept",
    "decline": "decline",
    "reply": "reply",
    "note": "note",
    "transfer": "transfer",
    "close": "close",
    "reopen": "reopen",
    "see": "mark as read",
    "send_again": "send again",
    "take_back": "take the transfer back",
    "describe": "correct the profile",
    "wrap_up": "wrap up",
    "more_time": "get more time",
    "snooze": "snooze",
    "wake": "wake",
    "add_task": "add a task",
    "change_task": "change the task",
    "finish_task": "finish the task",
    "confirm": "hand over",
    "end_consult": "end the talk",
    "observe": "follow",
    "prioritize": "set the priority",
    "merge": "merge",
    "keep_apart": "keep two cases apart",
    "unmerge": "un-merge",
    "split": "split",
}
"""What a waiting command is called, by its tag."""


_STATES = {
    "ringing": "still ringing",
    "queued": "waiting in the queue",
    "mine": "open",
    "consult": "a colleague’s, who asked you",
    "snoozed": "asleep",
    "wrap_up": "in wrap-up",
    "closed": "closed",
    "merged": "merged into another case",
}


def where(row: Row) -> str:
    """`with Ole Nilsen`, `in wrap-up`: after "it is", why something cannot be done with it."""
    if row.state == "other" and row.owner_name:
        return f"with {clean_line(row.owner_name, 60)}"
    return _STATES.get(row.state, "with a colleague")


def called(act: commands.Act) -> str:
    """`reply`, `take the transfer back`."""
    tag = str(act.__struct_config__.tag)
    return WORDS.get(tag, tag)
