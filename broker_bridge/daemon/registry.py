"""Queues and agents defined by command. The Protocol is `office.Registry`.

Law: a change is judged with the whole policy that it would make: what it would newly break is refused, what was wrong before is not its
fault. It is a fact like those of the file, and holds until the file's block changes.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import msgspec

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import DeskRules, QueueRules
from broker_bridge.core import definitions, policy
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.definitions import DESK, DeskDefinition, QueueDefinition
from broker_bridge.core.problem import Problem, nearest, shown
from broker_bridge.daemon import policyfile, policywords
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.office import AgentWish, Declined, QueueLine, QueueWish
from broker_bridge.daemon.policyfile import BY_COMMAND, GONE
from broker_bridge.daemon.sections import Desk, Queue
from broker_bridge.daemon.states import AGENT, QUEUE
from broker_bridge.daemon.strict import decode
from broker_bridge.daemon.visiting import all_items, append, enrolled, everybody, now_ms, site_bus

FIELDS = {
    "hours": ("hours",),
    "holidays": ("hours",),
    "target": ("targets", "service_level"),
    "reply_within_s": ("targets",),
}
"""Fields of the rules that a word sets, where it is not the one of its name."""


class _Standing(msgspec.Struct):
    """The policy in force, as LOG and, where that says nothing, the file have it."""

    queues: dict[QueueId, QueueRules]
    defined: dict[QueueId, QueueDefinition]
    desk: DeskRules
    people: dict[AgentId, Enrollment]

    def problems(self, config: Config) -> list[Problem]:
        seats = [one.seat for one in self.people.values() if one.is_active]
        lines, kinds = policyfile.lines_of(config), policyfile.kinds_of(config)
        known = set(self.people) or None
        return policy.problems(self.queues, self.desk, seats, lines=lines, kinds=kinds, known=known)


async def _standing(bus: Bus, config: Config) -> _Standing:
    defined: dict[QueueId, QueueDefinition] = {}
    async for item in all_items(bus, subjects.LOG, "cc.log.queue.*"):
        name = item.subject.rpartition(".")[2]
        state = defined.get(name) or definitions.begin_queue(name)
        defined[name] = definitions.fold_queue(state, codec.entry(item.body), item.seq)
    desk: DeskDefinition = definitions.begin_desk(DESK)
    for seq, body, _ in await bus.subject_messages(subjects.LOG, subjects.log("house", DESK)):
        desk = definitions.fold_desk(desk, codec.entry(body), seq)
    laws = policyfile.lawful(config, now_ms())
    queues = {name: rules for name, rules in laws.queues.items() if name not in defined}
    queues |= {name: one.rules for name, one in defined.items() if one.is_active}
    people = {one.id: one async for one in everybody(bus)}
    return _Standing(queues=queues, defined=defined, desk=desk.rules if desk.seq else laws.desk, people=people)


def _judged(before: list[Problem], after: list[Problem]) -> list[str]:
    """Warnings about what is new. Raises Declined."""
    fresh = [one for one in after if one not in before]
    errors = [str(one) for one in fresh if not one.is_warning]
    if errors:
        raise Declined("; ".join(errors[:5]))
    return [str(one) for one in fresh]


# queues


async def queue_list(config: Config) -> list[QueueLine]:
    """Every queue in force, by name."""
    async with site_bus(config) as bus:
        standing = await _standing(bus, config)
    return [
        QueueLine(queue=name, rules=rules, is_of_file=_is_of_file(standing.defined.get(name)))
        for name, rules in sorted(standing.queues.items())
    ]


def _is_of_file(found: QueueDefinition | None) -> bool:
    return found is None or found.source not in BY_COMMAND


async def queue_set(config: Config, wish: QueueWish) -> list[str]:
    """Define a queue, or change one; gives warnings."""
    async with site_bus(config) as bus:
        standing = await _standing(bus, config)
        known = standing.queues.get(wish.queue)
        if known is None and not wish.is_new:
            raise Declined(f"there is no queue {shown(wish.queue)}{nearest(wish.queue, standing.queues)}")
        if known is not None and wish.is_new:
            raise Declined(f"there is a queue {shown(wish.queue)} already; `broker-bridge queue set` changes it")
        before = standing.problems(config)
        rules = _wished(wish, known, config.desk)
        standing.queues[wish.queue] = rules
        warnings = _judged(before, standing.problems(config))
        seq = standing.defined[wish.queue].seq if wish.queue in standing.defined else 0
        await append(bus, QUEUE, wish.queue, seq, f.QueueDefined(rules=rules), "queue defined")
    return warnings


def _wished(wish: QueueWish, known: QueueRules | None, desk: Desk) -> QueueRules:
    """The rules as they would be. Raises ConfigError, Declined."""
    words = {"name": wish.queue, **wish.words}
    if "holidays" in words and "hours" not in words and known is not None and known.hours is not None:
        words["hours"] = policywords.hours_words(known.hours)
    said = decode(words, Queue, f"queue {wish.queue}")
    laws = policyfile.written([said], desk, [], wish.folder, now_ms())
    if laws.problems:
        raise Declined("; ".join(str(one) for one in laws.problems[:5]))
    fresh = laws.queues[wish.queue]
    if known is None or wish.is_whole:
        return fresh
    fields: dict[str, Any] = {
        field: getattr(fresh, field) for word in wish.words for field in FIELDS.get(word, (word,)) if word != "name"
    }
    if isinstance(said.target, tuple) and "service_level" not in wish.words:
        fields.pop("service_level", None)
    if fresh.hours is not None and known.hours is not None and "holidays" not in wish.words:
        fields["hours"] = msgspec.structs.replace(fresh.hours, closures=known.hours.closures)
    return msgspec.structs.replace(known, **fields)


async def queue_remove(config: Config, queue: QueueId) -> None:
    """Nothing is put into it any more."""
    async with site_bus(config) as bus:
        standing = await _standing(bus, config)
        if queue not in standing.queues:
            raise Declined(f"there is no queue {shown(queue)}{nearest(queue, standing.queues)}")
        for one in config.channels:
            if one.queue == queue:
                raise Declined(f"channel {one.name} brings into it: give that another queue first")
        waiting = _open_in(config, queue)
        if waiting:
            raise Declined(f"{waiting} of its conversations are open: they would never be offered again")
        before = standing.problems(config)
        del standing.queues[queue]
        _judged(before, standing.problems(config))
        if len(standing.queues) == 0:
            raise Declined("it is the only queue; every case waits in one")
        seq = standing.defined[queue].seq if queue in standing.defined else 0
        await append(bus, QUEUE, queue, seq, f.QueueRemoved(), "queue removed")


def _open_in(config: Config, queue: QueueId) -> int:
    """As far as this machine's bridge knows; without one 0."""
    path = config.state_dir / "readmodel.sqlite"
    if not path.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            query = "SELECT COUNT(*) FROM conversation WHERE status IN ('queued', 'owned') AND queue = ?"
            return int(db.execute(query, (queue,)).fetchone()[0])
    except sqlite3.Error as error:
        raise Declined(f"what waits in it is not known: {error}; try again") from None


# agents


async def agent_set(config: Config, wish: AgentWish) -> list[str]:
    """Change what is known of an agent; gives warnings."""
    try:
        skills = None if wish.skills is None else tuple(policywords.skill(word) for word in wish.skills)
    except ValueError as error:
        raise Declined(f"agent {wish.agent}: skills: {error}") from None
    async with site_bus(config) as bus:
        state = await enrolled(bus, wish.agent)
        if not state.is_active:
            raise Declined(f"there is no agent {shown(wish.agent)}; `broker-bridge agent add` lets them in")
        fact = f.Enrolled(
            name=state.name if wish.name is None else wish.name,
            public_key=wish.public_key or state.public_key,
            role=wish.role or state.role,
            queues=state.queues if wish.queues is None else wish.queues,
            capacity=state.capacity,
            units=state.units if wish.units is None else wish.units,
            skills=state.skills if skills is None else skills,
            shift=state.shift,
            source=left_file(config, state),
        )
        warnings = await refuse_agent(bus, config, state, fact)
        await append(bus, AGENT, wish.agent, state.seq, fact, "enrolled")
    return warnings


def left_file(config: Config, state: Enrollment) -> str:
    """Source of a change by command: whoever was in the file and is not any more is the command's from here on."""
    is_there = any(one.id == state.id for one in config.agents)
    return GONE if not is_there and state.source not in BY_COMMAND else ""


async def refuse_agent(bus: Bus, config: Config, state: Enrollment, fact: f.Enrolled) -> list[str]:
    """Warnings about an agent as they would be. Raises Declined: it would break the policy."""
    standing = await _standing(bus, config)
    before = standing.problems(config)
    fresh = Enrollment(
        id=state.id, queues=fact.queues, capacity=fact.capacity, units=fact.units, skills=fact.skills, is_active=True
    )
    standing.people[state.id] = fresh
    return _judged(_about(state.id, before), _about(state.id, standing.problems(config)))


def _about(agent: AgentId, found: list[Problem]) -> list[Problem]:
    """Whoever is the first of a house cannot be refused for what nobody can do yet: only their own faults are errors."""
    own = f"agent {agent}:"
    return [one if one.key.startswith(own) else msgspec.structs.replace(one, is_warning=True) for one in found]
