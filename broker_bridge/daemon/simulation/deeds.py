"""What comes into an agent's head at a row: to answer, pass on, close, put off, merge, and to do it on an old picture.

Law: chosen from what the terminal shows and from what it was told before; the bridge is asked, never assumed to say yes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from broker_bridge.contract import commands as c
from broker_bridge.contract import ids
from broker_bridge.contract import views as v
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.words import Packet
from broker_bridge.daemon.simulation import houserules

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

T = TypeVar("T")
SPAM = (("sender", "somebody"),)


class Deeds:
    """Of one terminal."""

    def __init__(self, world: World, agent: str, random: Random, mint: ids.Mint, *, is_supervisor: bool) -> None:
        self._world = world
        self._agent = agent
        self._random = random
        self._mint = mint
        self._is_supervisor = is_supervisor
        self._closed: list[str] = []
        self._sent: list[tuple[str, str]] = []
        self._tasks: list[tuple[str, str]] = []
        self._merged: list[str] = []

    def _one_of(self, among: Sequence[T]) -> T:
        return among[int(self._random.random() * len(among))]

    def _now_ms(self) -> int:
        return self._world.begin_ms + int(self._world.loop.now * 1000)

    def _in_a_while_ms(self) -> int:
        return self._now_ms() + 500 + int(self._random.random() * 7_000)

    def done(self, wish: c.Act, answer: c.Done) -> None:
        """The bridge said that it is done."""
        if isinstance(wish, c.Close):
            self._closed.append(wish.conversation)
        elif isinstance(wish, c.Reply) and answer.message:
            self._sent.append((wish.conversation, answer.message))
        elif isinstance(wish, c.AddTask):
            self._tasks.append((wish.conversation, wish.id))
        elif isinstance(wish, c.Merge):
            self._merged.append(wish.conversation)

    def act(self, conversation: str) -> dict[str, Any]:
        """What every command needs."""
        return {"id": self._mint.new(0), "conversation": conversation}

    def wish(self, row: v.Row, rows: Sequence[v.Row]) -> c.Act | None:
        """What is wished for at a row; None: nothing now."""
        random = self._random
        act = self.act(row.conv)
        again = self._of_before(act["id"])
        if again is not None:
            return again
        if row.state != "ringing" and random.random() < 0.1:
            return self._anybody(act, row, rows)
        chosen = _AT.get(row.state, Deeds._at_others)
        return chosen(self, act, row, random.random())

    def _of_before(self, id: str) -> c.Act | None:
        """Something about a case that may not be shown any more."""
        random = self._random
        if self._sent and random.random() < 0.06:
            conversation, message = self._one_of(self._sent)
            return c.SendAgain(id=id, conversation=conversation, message=message)
        if self._closed and random.random() < 0.07:
            return c.Reopen(id=id, conversation=self._one_of(self._closed))
        if self._closed and random.random() < 0.04:
            return c.WrapUp(id=id, conversation=self._one_of(self._closed), disposition="solved")
        if self._merged and random.random() < 0.08:
            return c.Unmerge(id=id, conversation=self._one_of(self._merged))
        if self._tasks and random.random() < 0.06:
            conversation, task = self._one_of(self._tasks)
            if random.random() < 0.5:
                return c.FinishTask(id=id, conversation=conversation, task=task, is_dropped=random.random() < 0.3)
            return c.ChangeTask(id=id, conversation=conversation, task=task, due_ms=self._in_a_while_ms())
        return None

    def _anybody(self, act: dict[str, Any], row: v.Row, rows: Sequence[v.Row]) -> c.Act:
        """What may be done at any row."""
        at = self._random.random()
        others = [one.conv for one in rows if one.conv != row.conv]
        if at < 0.35 and others:
            return c.Merge(**act, into=self._one_of(others))
        if at < 0.5:
            return c.Prioritize(**act, priority=1 + int(self._random.random() * 9))
        if at < 0.6:
            return c.Observe(**act, on=self._random.random() < 0.7)
        if at < 0.7:
            return c.Note(**act, text=f"note {act['id']}")
        colleagues = tuple(self._world.agents)
        return c.AddTask(
            **act,
            what="call_back" if at < 0.85 else "task",
            text="call them",
            assignee=self._one_of(colleagues) if self._random.random() < 0.5 else "",
            due_ms=self._in_a_while_ms(),
            observers=(self._one_of(colleagues),),
        )

    def _at_ringing(self, act: dict[str, Any], row: v.Row, at: float) -> c.Act | None:
        if at < 0.72:
            return c.Accept(**act, epoch=self._epoch(row))
        return c.Decline(**act, reason="no time" if at < 0.8 else "") if at < 0.9 else None

    def _at_queued(self, act: dict[str, Any], row: v.Row, at: float) -> c.Act | None:
        if self._is_supervisor and at < 0.3:
            return self.transfer(act, row)
        return c.Accept(**act) if at < 0.55 else None

    def _at_others(self, act: dict[str, Any], row: v.Row, at: float) -> c.Act | None:
        if self._is_supervisor and at < 0.3:
            return self.transfer(act, row) if at < 0.2 else c.Close(**act)
        if at < 0.45:
            return c.Note(**act, text=f"note {act['id']}")
        return c.Reply(**act, text="stale", channel="plain", anyway=True) if at < 0.65 else None

    def _at_consult(self, act: dict[str, Any], row: v.Row, at: float) -> c.Act | None:
        if at < 0.25:
            return c.EndConsult(**act, reason="not for me")
        return c.Note(**act, text=f"note {act['id']}") if at < 0.5 else None

    def _at_snoozed(self, act: dict[str, Any], row: v.Row, at: float) -> c.Act | None:
        if at < 0.25:
            return c.Wake(**act)
        return self._at_mine(act, row, self._random.random()) if at < 0.5 else None

    def _at_wrap_up(self, act: dict[str, Any], row: v.Row, at: float) -> c.Act | None:
        if at < 0.4:
            return c.WrapUp(**act, disposition="solved", next=at < 0.1)
        if at < 0.5:
            return c.WrapUp(**act, disposition="spam", fields=SPAM if at < 0.47 else ())
        if at < 0.6:
            return c.MoreTime(**act)
        return c.Reopen(**act) if at < 0.65 else None

    def _at_mine(self, act: dict[str, Any], row: v.Row, at: float) -> c.Act | None:
        epoch = self._epoch(row)
        if row.consult_with and at < 0.4:
            return c.Confirm(**act, epoch=epoch) if at < 0.28 else c.EndConsult(**act)
        if at < 0.5:
            return self._reply(act, row, epoch)
        if at < 0.54:
            return c.Note(**act, text=f"note {act['id']}")
        if at < 0.68:
            return self.transfer(act, row)
        if at < 0.71:
            return c.TakeBack(**act)
        if at < 0.75:
            return c.See(**act)
        if at < 0.83:
            return c.Snooze(**act, epoch=epoch, until_ms=self._in_a_while_ms() if at < 0.8 else None)
        return self._close(act, epoch)

    def _epoch(self, row: v.Row) -> int:
        """Mostly what is shown."""
        return row.epoch if self._random.random() < 0.9 else row.epoch - 1

    def _reply(self, act: dict[str, Any], row: v.Row, epoch: int) -> c.Act:
        random = self._random
        channel = "sure" if row.channel == "sure" else "plain"
        if random.random() < 0.1:
            channel = "plain" if channel == "sure" else "sure"
        return c.Reply(
            **act,
            epoch=epoch,
            text=f"reply {act['id']}",
            channel=channel,
            seen=row.rev,
            anyway=random.random() < 0.7,
        )

    def _close(self, act: dict[str, Any], epoch: int) -> c.Act:
        at = self._random.random()
        if at < 0.5:
            return c.Close(**act, epoch=epoch, next=at < 0.1)
        if at < 0.9:
            return c.Close(**act, epoch=epoch, disposition="solved")
        return c.Close(**act, epoch=epoch, disposition="spam", fields=SPAM if at < 0.97 else ())

    def transfer(self, act: dict[str, Any], row: v.Row) -> c.Act:
        """Away with it: to a colleague (asked first, asked, or forced), a queue, or a skill."""
        random = self._random
        at, epoch = random.random(), self._epoch(row)
        others = [one for one in self._world.agents if one != self._agent]
        if others and at < 0.6:
            return c.Transfer(
                **act,
                epoch=epoch,
                to_agent=self._one_of(others),
                ask_first=at < 0.3,
                force=at > 0.45 and self._is_supervisor,
                packet=Packet(problem="it is broken") if random.random() < 0.5 else None,
            )
        if at < 0.8:
            return c.Transfer(**act, epoch=epoch, to_queue=self._one_of(houserules.QUEUES))
        skill = Skill(name=self._one_of(houserules.SKILLS), level=1 + int(random.random() * 3))
        return c.Transfer(**act, epoch=epoch, to_skills=(skill,))


_AT: dict[str, Callable[[Deeds, dict[str, Any], v.Row, float], c.Act | None]] = {
    "ringing": Deeds._at_ringing,
    "queued": Deeds._at_queued,
    "mine": Deeds._at_mine,
    "consult": Deeds._at_consult,
    "snoozed": Deeds._at_snoozed,
    "wrap_up": Deeds._at_wrap_up,
}
