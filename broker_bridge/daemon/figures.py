"""Figures: what an agent has, what waits, who works, how the house does.

Law: a figure over many conversations is asked of the read model at most once a second, however many look at it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from broker_bridge.contract import views as v
from broker_bridge.contract.ids import AgentId
from broker_bridge.core import views as rules
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.wishes import Actor
from broker_bridge.daemon.outlets import Outlets, Queue
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, States

T = TypeVar("T")

DAY_MS = 86_400_000
HALF_HOUR_MS = 1_800_000
FIGURES_MS = 1_000
OPEN = "status IN ('queued', 'owned')"
# The indices hold only rows with an agent, and a parameter alone does not prove that it names one: without the first condition
# SQLite reads every conversation (measured: a third of the bridge's time at 1,000 cases and 100 agents).
OWNED_BY = "owner <> '' AND owner = ? AND status = 'owned'"
OFFERED_TO = "offered_to <> '' AND offered_to = ?"
BY_WAIT = " ORDER BY waiting_since_ms IS NULL, waiting_since_ms, last_ms"


def queue_clause(actor: Actor) -> tuple[str, list[str]]:
    """Condition and values for what waits in the queues that somebody works on."""
    if not actor.queues or actor.is_supervisor:
        return "status = 'queued'", []
    marks = ", ".join("?" for _ in actor.queues)
    return f"status = 'queued' AND queue IN ({marks})", list(actor.queues)


class Figures:
    """One for each bridge."""

    def __init__(
        self,
        *,
        model: ReadModel,
        states: States,
        staff: Staff,
        outlets: Outlets,
        queues: tuple[Queue, ...],
        now_ms: Callable[[], int],
    ) -> None:
        self._model = model
        self._states = states
        self._staff = staff
        self._outlets = outlets
        self.queues = queues
        self._now_ms = now_ms
        self._known: dict[tuple[str, tuple[str, ...]], tuple[int, Any]] = {}

    def counts(self, actor: Actor) -> v.Counts:
        """The agent's own figures, and those of the house as they were at most a second ago."""
        where, values = queue_clause(actor)
        waiting, oldest = self._lately(where, tuple(values), self._line)
        return v.Counts(
            mine=self._model.count(OWNED_BY, (actor.agent,)) + self._model.count(OFFERED_TO, (actor.agent,)),
            queue=waiting,
            all=self._lately(OPEN, (), self._model.count),
            oldest_ms=oldest,
            service_level=self._lately("", (), lambda *_: self._service_level()),
        )

    def _line(self, where: str, values: Iterable[object]) -> tuple[int, int | None]:
        """How many wait, and since when the first of them."""
        found: tuple[int, int | None] = self._model.db.execute(
            f"SELECT COUNT(*), MIN(COALESCE(waiting_since_ms, opened_ms)) FROM conversation WHERE {where}",  # noqa: S608
            tuple(values),
        ).fetchone()
        return found

    def _lately(self, where: str, values: tuple[str, ...], ask: Callable[[str, Iterable[object]], T]) -> T:
        """A figure over many conversations, asked at most once a second: 500 agents look at it every second."""
        key = (where, values)
        known = self._known.get(key)
        if known is None or self._now_ms() - known[0] >= FIGURES_MS:
            if len(self._known) > 1_000:
                self._known.clear()
            known = (self._now_ms(), ask(where, values))
            self._known[key] = known
        found: T = known[1]
        return found

    def _service_level(self, queue: str | None = None) -> float | None:
        """Share of answers in time in cases that moved in the last 24 hours; None: nothing had a target.

        Who waits past the target counts as late already, not only once answered.
        """
        where, values = ("AND queue = ?", [queue]) if queue is not None else ("", [])
        now_ms = self._now_ms()
        answered, late = self._model.db.execute(
            "SELECT COALESCE(SUM(answered), 0), COALESCE(SUM(answered_late), 0) FROM conversation "  # noqa: S608
            f"WHERE answered > 0 AND last_ms > ? {where}",
            [now_ms - DAY_MS, *values],
        ).fetchone()
        overdue = self._model.count(f"due_ms IS NOT NULL AND due_ms < ? {where}", (now_ms, *values))
        total = answered + overdue
        return (answered - late) / total if total else None

    def me(self, actor: Actor) -> v.Me:
        presence = self._staff.presence(actor.agent)
        # Dismissed between the request and the answer: the last words are of somebody without a place.
        enrolled = self._staff.active.get(actor.agent)
        capacity = enrolled.capacity if enrolled else 0
        loads = Counter(
            dict(
                self._model.db.execute(
                    f"SELECT channel_kind, COUNT(*) FROM conversation WHERE {OWNED_BY} GROUP BY channel_kind",  # noqa: S608
                    (actor.agent,),
                ).fetchall()
            )
        )
        kinds = self._outlets.kinds
        return v.Me(
            agent=actor.agent,
            name=actor.name,
            role=actor.role,
            state=presence.state,
            since_ms=presence.since_ms,
            capacity=capacity,
            loads=tuple((self._outlets.word(kind), loads[kind], capacity) for kind in kinds),
        )

    def directory(self, actor: Actor) -> v.DirectoryView:
        """Colleagues and queues with their load, and the key figures of the last 24 hours."""
        now_ms = self._now_ms()
        work = self._work()
        handled = self._model.db.execute(
            "SELECT closed_ms - accepted_ms FROM conversation WHERE status = 'closed' AND closed_ms > ? AND accepted_ms > 0 ORDER BY 1",
            (now_ms - DAY_MS,),
        ).fetchall()
        return v.DirectoryView(
            agents=tuple(self._colleague(name, work.get(name, []), actor) for name in sorted(self._staff.active)),
            queues=self.queue_levels(),
            handled=self._model.count("status = 'closed' AND closed_ms > ?", (now_ms - DAY_MS,)),
            handle_time_s=handled[len(handled) // 2][0] // 1000 if handled else None,
            upto=self._model.position,
        )

    def _work(self) -> dict[AgentId, list[Conversation]]:
        work: dict[AgentId, list[Conversation]] = {}
        for name in self._model.ids("owner <> '' AND status = 'owned'" + BY_WAIT, (), 5_000):
            state = self._state(name)
            work.setdefault(state.owner, []).append(state)
        return work

    def queue_levels(self) -> tuple[v.QueueView, ...]:
        """Every queue with its load; one that is no longer configured, as long as somebody waits in it."""
        known = {queue.name for queue in self.queues}
        waiting = self._model.db.execute("SELECT DISTINCT queue FROM conversation WHERE status = 'queued'").fetchall()
        left = [Queue(name=name, title=name) for (name,) in sorted(waiting) if name not in known]
        return tuple(self._queue(queue) for queue in (*self.queues, *left))

    def _colleague(self, name: AgentId, work: list[Conversation], actor: Actor) -> v.Colleague:
        enrolled = self._staff.active[name]
        presence = self._staff.presence(name)
        first = work[0] if work else None
        return v.Colleague(
            agent=name,
            name=enrolled.name or name,
            role=enrolled.role,
            state=presence.state,
            reason=presence.reason,
            since_ms=presence.since_ms,
            load=len(work),
            capacity=enrolled.capacity,
            queues=enrolled.queues,
            works_on=rules.shown_name(first, actor, first.name) if first else "",
            works_on_conv=first.id if first else "",
            works_on_word=self._outlets.word(first.channel_kind) if first else "",
            due_ms=first.due_ms if first else None,
        )

    def _queue(self, queue: Queue) -> v.QueueView:
        now_ms = self._now_ms()
        waiting, oldest = self._model.db.execute(
            "SELECT COUNT(*), MIN(COALESCE(waiting_since_ms, opened_ms)) FROM conversation WHERE status = 'queued' AND queue = ?",
            (queue.name,),
        ).fetchone()
        arrivals = [0] * 12
        for (opened_ms,) in self._model.db.execute(
            "SELECT opened_ms FROM conversation WHERE queue = ? AND opened_ms > ?",
            (queue.name, now_ms - 12 * HALF_HOUR_MS),
        ):
            arrivals[11 - min(11, (now_ms - opened_ms) // HALF_HOUR_MS)] += 1
        return v.QueueView(
            queue=queue.name,
            name=queue.title,
            waiting=waiting,
            oldest_ms=oldest,
            ready=sum(
                1
                for name, one in self._staff.active.items()
                if self._staff.presence(name).state == "ready" and (not one.queues or queue.name in one.queues)
            ),
            service_level=self._service_level(queue.name),
            target=queue.target,
            arrivals=tuple(arrivals),
        )

    def _state(self, name: str) -> Conversation:
        found: Conversation = self._states.cell(CONV, name).state
        return found
