"""Figures: what an agent has, what waits, who works, how the house does.

Law: a figure over many conversations is asked of the read model at most once a second, however many look at it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from broker_bridge.contract import codec
from broker_bridge.contract import views as v
from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.core import hours
from broker_bridge.core import views as rules
from broker_bridge.core.actor import Actor
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.outlets import Outlets
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, States

T = TypeVar("T")

DAY_MS = 86_400_000
HALF_HOUR_MS = 1_800_000
FIGURES_MS = 1_000
AGENTS_BYTES = 140_000
"""Of a directory: with queues, skills and alerts it is one answer. Of a larger house whoever is here comes before who is not."""
MOST_BY_ID = 400
"""Colleagues that surely fit."""
EVERY_QUEUE = ""
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


MINE = "(assignee = ? OR (assignee = '' AND conversation IN (SELECT id FROM conversation WHERE owner = ?)))"
"""Of tasks: those of one agent (asked twice), and what nobody in particular has in the cases that they own."""


class Figures:
    """One for each bridge."""

    def __init__(
        self,
        *,
        model: ReadModel,
        states: States,
        staff: Staff,
        outlets: Outlets,
        rulebook: Rulebook,
        floor: Floor,
        now_ms: Callable[[], int],
    ) -> None:
        self._model = model
        self._states = states
        self._staff = staff
        self._outlets = outlets
        self._rulebook = rulebook
        self._floor = floor
        self._now_ms = now_ms
        self._known: dict[tuple[str, tuple[str, ...]], tuple[int, Any]] = {}
        self.alerts: Callable[[Actor], tuple[v.Alert, ...]] = lambda actor: ()
        """What a supervisor should look at; set once whoever reckons it is there."""

    def counts(self, actor: Actor) -> v.Counts:
        """The agent's own figures, and those of the house as they were at most a second ago."""
        where, values = queue_clause(actor)
        waiting, oldest = self._lately(where, tuple(values), self._line)
        return v.Counts(
            mine=len(self._floor.held_by(actor.agent)),
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
        presence = self._staff.presences.of(actor.agent)
        wrap = self._floor.wrapping(actor.agent)
        is_wrapping = bool(wrap) and presence.state in ("ready", "busy")
        now_ms = self._now_ms()
        mine = f"{MINE} AND done_ms IS NULL"
        return v.Me(
            agent=actor.agent,
            name=actor.name,
            role=actor.role,
            state="wrap_up" if is_wrapping else presence.state,
            reason=presence.reason,
            since_ms=presence.since_ms,
            until_ms=self._wrap_until(wrap) if is_wrapping else presence.until_ms,
            next_state=presence.next_state,
            next_reason=presence.next_reason,
            # Dismissed between the request and the answer: the last words are of somebody without a place.
            capacity=self._staff.room(actor.agent),
            load=self._floor.load(actor.agent),
            wrap=wrap,
            tasks=self._model.count_tasks(mine, (actor.agent, actor.agent)),
            tasks_due=self._model.count_tasks(f"{mine} AND due_ms <= ?", (actor.agent, actor.agent, now_ms)),
            loads=self._loads(actor.agent, self._staff.room(actor.agent)),
        )

    def _wrap_until(self, conversation: str) -> int | None:
        one = self._floor.standing(conversation)
        return one.wrap.until_ms if one is not None and one.wrap is not None else None

    def _loads(self, agent: AgentId, room: int) -> tuple[tuple[str, int, int], ...]:
        """(channel word, conversations owned, places) of every channel kind."""
        owned: Counter[str] = Counter()
        for name in self._floor.held_by(agent):
            one = self._floor.standing(name)
            if one is not None and one.owner == agent:
                owned[one.channel_kind] += 1
        desk = self._rulebook.policy.desk
        return tuple(
            (self._outlets.word(kind), owned[kind], room // max(1, desk.cost(kind).units))
            for kind in self._outlets.kinds
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
            agents=self._colleagues(work, actor),
            queues=self.queue_levels(),
            handled=self._model.count("status = 'closed' AND closed_ms > ?", (now_ms - DAY_MS,)),
            handle_time_s=handled[len(handled) // 2][0] // 1000 if handled else None,
            notices=self.alerts(actor),
            skills=self.skills(),
            upto=self._model.position,
        )

    def _colleagues(self, work: dict[AgentId, list[Conversation]], actor: Actor) -> tuple[v.Colleague, ...]:
        """As many as fit into an answer, by id."""

        def rank(name: AgentId) -> tuple[bool, bool]:
            is_away = self._staff.presences.of(name).state in ("off", "silent")
            return is_away and name not in work, is_away

        found, size = [], 0
        names = sorted(self._staff.active)
        for name in sorted(names, key=rank) if len(names) > MOST_BY_ID else names:
            one = self._colleague(name, work.get(name, []), actor)
            size += len(codec.encode(one)) + 1
            if size > AGENTS_BYTES:
                break
            found.append(one)
        return tuple(sorted(found, key=lambda one: one.agent))

    def _work(self) -> dict[AgentId, list[Conversation]]:
        work: dict[AgentId, list[Conversation]] = {}
        for name in self._model.ids("owner <> '' AND status = 'owned'" + BY_WAIT, (), 5_000):
            state = self._state(name)
            work.setdefault(state.owner, []).append(state)
        return work

    def queue_levels(self) -> tuple[v.QueueView, ...]:
        """Every queue with its load; one that is no longer configured, as long as somebody waits in it."""
        known = set(self._rulebook.queues)
        waiting = self._model.db.execute("SELECT DISTINCT queue FROM conversation WHERE status = 'queued'").fetchall()
        left = [name for (name,) in sorted(waiting) if name not in known]
        ready: Counter[QueueId] = Counter()
        for agent in self._ready():
            ready.update(set(self._staff.active[agent].queues) or {EVERY_QUEUE})
        shown = (*self._rulebook.queues, *left)
        return tuple(self._queue(queue, ready[queue] + ready[EVERY_QUEUE]) for queue in shown)

    def _colleague(self, name: AgentId, work: list[Conversation], actor: Actor) -> v.Colleague:
        enrolled = self._staff.active[name]
        presence = self._staff.presences.of(name)
        wrap = self._floor.wrapping(name)
        is_wrapping = bool(wrap) and presence.state in ("ready", "busy")
        first = work[0] if work else self._state(wrap) if wrap else None
        return v.Colleague(
            agent=name,
            name=enrolled.name or name,
            role=enrolled.role,
            state="wrap_up" if is_wrapping else presence.state,
            reason=presence.reason,
            since_ms=presence.since_ms,
            until_ms=self._wrap_until(wrap) if is_wrapping else presence.until_ms,
            next_state=presence.next_state,
            next_reason=presence.next_reason,
            load=self._floor.load(name),
            capacity=enrolled.room,
            loads=self._loads(name, enrolled.room),
            skills=enrolled.skills,
            schedule=self._staff.schedule(name),
            queues=enrolled.queues,
            works_on=rules.shown_name(first, actor, first.name) if first else "",
            works_on_conv=first.id if first else "",
            works_on_word=self._outlets.word(first.channel_kind) if first else "",
            due_ms=first.due_ms if first else None,
        )

    def skills(self) -> tuple[v.SkillView, ...]:
        """Every skill that somebody has or the policy names, as targets of a transfer."""
        named = dict.fromkeys(self._rulebook.policy.desk.skills)
        for one in self._staff.active.values():
            named.update(dict.fromkeys(skill.name for skill in one.skills))
        having: dict[str, list[AgentId]] = {name: [] for name in named}
        for agent in self._ready():
            for name in {skill.name for skill in self._staff.active[agent].skills}:
                having[name].append(agent)
        return tuple(self._skill(name, agents) for name, agents in having.items())

    def _ready(self) -> list[AgentId]:
        """Who is ready now: looked at once, not for each queue and skill (10,000 agents: seconds)."""
        return [agent for agent in self._staff.active if self._staff.presences.of(agent).state == "ready"]

    def _skill(self, name: str, having: list[AgentId]) -> v.SkillView:
        least = min(having, key=lambda agent: self._floor.load(agent) / max(1, self._staff.room(agent)), default="")
        return v.SkillView(
            name=name,
            ready=len(having),
            least=self._staff.name_of(least) if least else "",
            load=self._floor.load(least) if least else 0,
            capacity=self._staff.room(least) if least else 0,
        )

    def _queue(self, queue: QueueId, ready: int) -> v.QueueView:
        rules = self._rulebook.policy.rules(queue)
        now_ms = self._now_ms()
        waiting, oldest = self._model.db.execute(
            "SELECT COUNT(*), MIN(COALESCE(waiting_since_ms, opened_ms)) FROM conversation WHERE status = 'queued' AND queue = ?",
            (queue,),
        ).fetchone()
        arrivals = [0] * 12
        for (opened_ms,) in self._model.db.execute(
            "SELECT opened_ms FROM conversation WHERE queue = ? AND opened_ms > ?",
            (queue, now_ms - 12 * HALF_HOUR_MS),
        ):
            arrivals[11 - min(11, (now_ms - opened_ms) // HALF_HOUR_MS)] += 1
        return v.QueueView(
            queue=queue,
            name=self._rulebook.policy.title(queue),
            is_open=hours.is_open(rules.hours, now_ms),
            hours=hours.state_in_words(rules.hours, now_ms) if rules.hours is not None else "",
            needs=rules.needs,
            waiting=waiting,
            oldest_ms=oldest,
            ready=ready,
            service_level=self._service_level(queue),
            target=rules.service_level,
            arrivals=tuple(arrivals),
        )

    def _state(self, name: str) -> Conversation:
        found: Conversation = self._states.cell(CONV, name).state
        return found
