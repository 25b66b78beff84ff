"""What a supervisor should look at now, on the whole floor: derived from what stands, never stored.

Law: reckoned at most once a second, however many look; at most `MOST` of a kind, the late ones first. The same trouble has the same id
for as long as it lasts, on every bridge, so that what was seen stays seen; an id never carries words of a customer.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator

from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, ConversationId, QueueId
from broker_bridge.contract.views import Alert
from broker_bridge.core import hours
from broker_bridge.core.actor import Actor
from broker_bridge.core.state import OWNED, QUEUED, REPLIES, RESOLUTION, Conversation
from broker_bridge.core.why_terms import lasting
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.quarantine import NOTHING, Waiting
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV

MOST = 100
"""Of each kind."""
EVERY_MS = 1_000
NEAR_MS = 4 * 3_600_000
"""A target further ahead is not looked at: its warning is not yet due, or is said in the row."""
RANK = {"late": 0, "near": 1, "note": 2}


class Alerts:
    """One for each bridge."""

    def __init__(
        self,
        *,
        model: ReadModel,
        reading: Reading,
        staff: Staff,
        floor: Floor,
        rulebook: Rulebook,
        now_ms: Callable[[], int],
        jump_ms: Callable[[], int] = lambda: 0,
        of_policy: Callable[[], Iterable[str]] = tuple,
        of_dead: Callable[[], Waiting] = lambda: NOTHING,
    ) -> None:
        """`jump_ms`: how far this bridge's clock is from the wall. `of_policy`: what is wrong with the definitions, a sentence each.
        `of_dead`: what could not be read or applied.
        """
        self._model = model
        self._reading = reading
        self._staff = staff
        self._floor = floor
        self._rulebook = rulebook
        self._now_ms = now_ms
        self.jump_ms = jump_ms
        self.of_policy = of_policy
        self.of_dead = of_dead
        self._alarmed: dict[ConversationId, tuple[QueueId, int, int, str]] = {}
        """(queue, step, when, word) of cases that wait although the supervisors were called."""
        self._ends: dict[ConversationId, int] = {}
        """By when (ms) open cases must be resolved."""
        self._since: dict[str, int] = {}
        """Since when this bridge sees a trouble that bears no time of its own."""
        self._known: tuple[int, tuple[Alert, ...]] | None = None

    def load(self) -> None:
        """Take in who waits after an alarm (the step says so), and what must be resolved when."""
        self._ends = dict(self._floor.promised())
        for one in self._floor.queued_after_steps():
            rules = self._rulebook.policy.rules(one.queue)
            for number in range(min(one.steps, len(rules.overflow)), 0, -1):
                step = rules.overflow[number - 1]
                if step.alarm:
                    at_ms = hours.add(rules.hours, one.queued_ms, step.after_s) or one.queued_ms
                    self._alarmed[one.id] = (one.queue, number, at_ms, step.alarm)
                    break

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        for one in news:
            if one.kind != CONV:
                continue
            self._note_end(one.cell.state)
            for fact in one.entry.facts:
                if isinstance(fact, f.Overflowed) and fact.alarm:
                    self._alarmed[one.name] = (fact.queue, fact.step, one.entry.at_ms, fact.alarm)
                elif isinstance(fact, (f.Accepted, f.Closed, f.Merged, f.Erased, f.Queued)):
                    self._alarmed.pop(one.name, None)

    def _note_end(self, state: Conversation) -> None:
        promise = state.promises.get(RESOLUTION)
        if promise is not None and promise.due_ms is not None and state.is_open:
            self._ends[state.id] = promise.due_ms
        else:
            self._ends.pop(state.id, None)

    def of(self, actor: Actor) -> tuple[Alert, ...]:
        """The alerts, for supervisors; the worst first, then the newest."""
        if not actor.is_supervisor:
            return ()
        now_ms = self._now_ms()
        if self._known is None or not 0 <= now_ms - self._known[0] < EVERY_MS:
            self._known = (now_ms, self._reckoned(now_ms))
        return self._known[1]

    def _reckoned(self, now_ms: int) -> tuple[Alert, ...]:
        found = [
            *self._house(now_ms),
            *self._queues(now_ms),
            *self._targets(now_ms),
            *self._resolutions(now_ms),
            *self._silent(now_ms),
            *self._overflowed(now_ms),
            *self._tasks(now_ms),
        ]
        lasting_ids = {one.id for one in found}
        self._since = {name: at_ms for name, at_ms in self._since.items() if name in lasting_ids}
        # Sorting keeps the order of equals: the latest target stays before the less late ones.
        return tuple(sorted(found, key=lambda one: RANK[one.severity]))

    def _first_seen(self, name: str, now_ms: int) -> int:
        return self._since.setdefault(name, now_ms)

    def _targets(self, now_ms: int) -> Iterator[Alert]:
        """Answers that are late or near, the worst first."""
        # Only the open ones have a due time in the table, and it is indexed.
        for name in self._model.ids("due_ms IS NOT NULL AND due_ms < ? ORDER BY due_ms", (now_ms + NEAR_MS,), MOST):
            state = self._reading.state(name)
            due_ms = state.due_ms
            if due_ms is None or not state.is_open:
                continue
            who, whom = self._who(state), self._whom(state)
            if due_ms < now_ms:
                text = f"{who} late by {lasting((now_ms - due_ms) // 1000)} {whom}"
                yield Alert(
                    id=f"late:{name}:{due_ms}", at_ms=due_ms, text=text, severity="late", conv=name, agent=state.owner
                )
            elif _is_warned(state, now_ms):
                text = f"{who} due in {lasting((due_ms - now_ms) // 1000)} {whom}"
                at_ms = self._first_seen(f"near:{name}:{due_ms}", now_ms)
                yield Alert(
                    id=f"near:{name}:{due_ms}", at_ms=at_ms, text=text, severity="near", conv=name, agent=state.owner
                )

    def _resolutions(self, now_ms: int) -> Iterator[Alert]:
        """Cases that are not resolved in time, or soon not, the worst first."""
        near = [(due_ms, name) for name, due_ms in self._ends.items() if due_ms < now_ms + NEAR_MS]
        for due_ms, name in heapq.nsmallest(MOST, near):
            state = self._reading.state(name)
            promise = state.promises.get(RESOLUTION)
            if promise is None or promise.due_ms != due_ms or not state.is_open:
                continue
            who, whom, key = self._who(state), self._whom(state), f"{RESOLUTION}:{name}:{due_ms}"
            if due_ms < now_ms:
                text = f"{who} not resolved, late by {lasting((now_ms - due_ms) // 1000)} {whom}"
                yield Alert(id=f"late-{key}", at_ms=due_ms, text=text, severity="late", conv=name, agent=state.owner)
            elif promise.warn_ms is not None and promise.warn_ms <= now_ms:
                text = f"{who} to be resolved in {lasting((due_ms - now_ms) // 1000)} {whom}"
                at_ms = self._first_seen(f"near-{key}", now_ms)
                yield Alert(id=f"near-{key}", at_ms=at_ms, text=text, severity="near", conv=name, agent=state.owner)

    def _who(self, state: Conversation) -> str:
        return f"{self._name(state)} {self._reading.word(state.channel_kind)}"

    def _whom(self, state: Conversation) -> str:
        return f"with {self._staff.name_of(state.owner)}" if state.status == OWNED else self._waits(state)

    def _waits(self, state: Conversation) -> str:
        return f"waiting in {self._rulebook.policy.title(state.queue)}"

    def _name(self, state: Conversation) -> str:
        """As every supervisor may see it."""
        return state.name or f"#{state.number}"

    def _silent(self, now_ms: int) -> Iterator[Alert]:
        """Agents whose terminal is gone and who have work."""
        grace_ms = self._rulebook.policy.desk.silent_grace_s * 1000
        for agent in self._floor.busy:
            presence = self._staff.presences.of(agent)
            if presence.state != "silent" or agent not in self._staff.active:
                continue
            waiting, kept = self._work_of(agent)
            text = f"{self._staff.name_of(agent)} silent {lasting((now_ms - presence.since_ms) // 1000)}"
            if waiting and grace_ms:
                back_ms = presence.since_ms + grace_ms
                when = f"in {lasting((back_ms - now_ms) // 1000)}" if back_ms > now_ms else "now"
                text += f", {_cases(waiting)} {'goes' if waiting == 1 else 'go'} back {when}"
            elif waiting or kept:
                text += f" with {_cases(waiting + kept)}"
            yield Alert(
                id=f"silent:{agent}:{presence.since_ms}",
                at_ms=presence.since_ms,
                text=text,
                severity="near",
                agent=agent,
            )

    def _work_of(self, agent: AgentId) -> tuple[int, int]:
        """(cases that wait for this agent's answer, other ones of theirs)."""
        waiting = kept = 0
        for name in self._floor.held_by(agent):
            one = self._floor.standing(name)
            if one is not None and one.status == OWNED and one.owner == agent:
                waiting += one.waiting_since_ms is not None
                kept += one.waiting_since_ms is None
        return waiting, kept

    def _tasks(self, now_ms: int) -> Iterator[Alert]:
        """Open tasks that nobody has: who had them no longer works here, and nobody owns the case."""
        free = (
            "done_ms IS NULL AND assignee = '' AND conversation NOT IN (SELECT id FROM conversation WHERE owner <> '')"
        )
        for row in self._model.tasks(free, (), MOST):
            name, conversation, what, due_ms = str(row[0]), str(row[1]), row[2], row[5]
            state = self._reading.state(conversation)
            if name not in state.tasks:
                continue
            kind = "call-back" if what == "call_back" else "task"
            text = f"{self._who(state)} has a {kind} that is nobody's"
            is_late = isinstance(due_ms, int) and due_ms < now_ms
            if isinstance(due_ms, int):
                gap = lasting(abs(due_ms - now_ms) // 1000)
                text += f", late by {gap}" if is_late else f", due in {gap}"
            at_ms = self._first_seen(f"task:{name}", now_ms)
            severity = "late" if is_late else "near"
            yield Alert(id=f"task:{name}", at_ms=at_ms, text=text, severity=severity, conv=conversation)

    def _overflowed(self, now_ms: int) -> Iterator[Alert]:
        """Cases that wait on although the supervisors were called."""
        policy = self._rulebook.policy
        for name, (queue, step, at_ms, word) in sorted(self._alarmed.items(), key=lambda one: one[1][2])[:MOST]:
            state = self._reading.state(name)
            if state.status != QUEUED:
                continue
            waited = lasting((now_ms - state.queued_ms) // 1000)
            text = f"{self._name(state)} waits {waited} in {policy.title(queue)}: {word}"
            yield Alert(id=f"alarm:{name}:{queue}:{step}", at_ms=at_ms, text=text, severity="near", conv=name)

    def _queues(self, now_ms: int) -> Iterator[Alert]:
        """Queues under their service level, and closed ones that somebody waits in."""
        for queue in self._reading.figures.queue_levels():
            if queue.service_level is not None and queue.service_level < queue.target:
                name = f"level:{queue.queue}"
                since_ms = self._first_seen(name, now_ms)
                text = f"{queue.name}: {int(queue.service_level * 100)} %, under {round(queue.target * 100)} %"
                if now_ms - since_ms >= 60_000:
                    text += f" for {lasting((now_ms - since_ms) // 1000)}"
                yield Alert(id=name, at_ms=since_ms, text=text, severity="late")
            if not queue.is_open and queue.waiting:
                name = f"closed:{queue.queue}"
                since_ms = self._first_seen(name, now_ms)
                wait = "waits" if queue.waiting == 1 else "wait"
                yield Alert(id=name, at_ms=since_ms, text=f"{queue.name}: {queue.waiting} {wait}, {queue.hours}")

    def _house(self, now_ms: int) -> Iterator[Alert]:
        """What is wrong with the bridge itself."""
        jump_ms = self.jump_ms()
        if jump_ms:
            away = f"{lasting(abs(jump_ms) // 1000)} {'ahead of' if jump_ms > 0 else 'behind'}"
            text = (
                f"The machine's clock jumped: it is {away} the bridge's, which follows slowly. Check its time service."
            )
            yield Alert(id="clock", at_ms=self._first_seen("clock", now_ms), text=text, severity="late")
        dead = self.of_dead()
        if dead.count:
            items = "1 item" if dead.count == 1 else f"{dead.count:,} items"
            newest = f", the newest on {dead.channel}: {dead.reason[:120].rstrip('.')}" if dead.newest else ""
            text = f"{items} could not be read or applied{newest}. `broker-bridge dead list` shows them."
            name = f"dead:{dead.newest}"
            yield Alert(id=name, at_ms=dead.at_ms or self._first_seen(name, now_ms), text=text, severity="late")
        for sentence in list(self.of_policy())[:MOST]:
            name = f"policy:{sentence}"
            yield Alert(id=name, at_ms=self._first_seen(name, now_ms), text=sentence, severity="near")


def _is_warned(state: Conversation, now_ms: int) -> bool:
    promise = next((state.promises[what] for what in REPLIES if what in state.promises), None)
    return promise is not None and promise.warn_ms is not None and promise.warn_ms <= now_ms


def _cases(count: int) -> str:
    return f"{count} case{'s' if count != 1 else ''}"
