"""What is wrong with a policy as a whole: queues, the house, who works in it, and the channels that bring work.

Law: everything that could make a conversation wait for ever or go in circles is found here, before the policy becomes facts. Pure; the same
for `check`, for commands, and for a bridge that reads its file again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import DeskRules, QueueRules, Seat
from broker_bridge.core.onequeue import LONGEST_S, dispositions, problems_alone, twice, unknown_skills
from broker_bridge.core.problem import Problem, nearest, shown

__all__ = ["Problem", "problems"]

MOST_UNITS = 10_000


def problems(
    queues: Mapping[QueueId, QueueRules],
    desk: DeskRules,
    seats: Sequence[Seat] = (),
    *,
    lines: Collection[tuple[str, QueueId]] = (),
    kinds: Collection[str] = (),
    known: Collection[AgentId] | None = None,
) -> list[Problem]:
    """Everything that is wrong, in the order of the queues; empty = it may be used. Warnings may be used too.

    Args:
        seats: who may be offered work; nobody: what depends on agents is not judged.
        lines: (channel kind, queue) of each channel that brings work.
        kinds: every channel kind that there is; empty: not known.
        known: everybody who was ever enrolled; None: agents outside `seats` may exist, only a warning is given.
    """
    found: list[Problem] = list(_desk(desk, kinds))
    for name, rules in queues.items():
        found += problems_alone(name, rules, desk, kinds)
        found += _steps_out(name, rules, queues)
        found += _order(name, rules, seats, known)
        found += _never_met(name, rules, seats)
    found += _circles(queues)
    found += _seats(queues, desk, seats)
    found += _capacity(desk, seats, lines)
    return found


def _desk(desk: DeskRules, kinds: Collection[str]) -> Iterator[Problem]:
    for cost in desk.costs:
        key = f"desk.costs.{cost.channel_kind}"
        if not 1 <= cost.units <= 100:
            yield Problem(key=key, sentence=f"a conversation takes 1 to 100 units of an agent, not {cost.units}")
        if kinds and cost.channel_kind not in kinds:
            yield Problem(
                key=key,
                sentence=f"there is no channel kind {shown(cost.channel_kind)}{nearest(cost.channel_kind, kinds)}",
            )
    for key, words in (("reasons", desk.reasons), ("skills", desk.skills)):
        if any(not word.strip() or not word.isprintable() for word in words):
            yield Problem(key=f"desk.{key}", sentence="each is one line of printable characters")
        for word in twice(list(words)):
            yield Problem(key=f"desk.{key}", sentence=f"{shown(word)} stands there twice")
    if not 0 <= desk.silent_grace_s <= LONGEST_S:
        yield Problem(key="desk.silent_grace_s", sentence="it is 0 (never) or more seconds, at most a year")
    yield from dispositions("desk", desk.dispositions)


def _steps_out(name: QueueId, rules: QueueRules, queues: Mapping[QueueId, QueueRules]) -> Iterator[Problem]:
    for number, step in enumerate(rules.overflow, 1):
        if step.queue and step.queue not in queues:
            sentence = f"there is no queue {shown(step.queue)}{nearest(step.queue, queues)}"
            yield Problem(key=f"queue {name}: overflow number {number}", sentence=sentence)


def _circles(queues: Mapping[QueueId, QueueRules]) -> Iterator[Problem]:
    """Each circle once, told at the first of its queues."""
    # A queue's first move is the only one that happens: each queue has one way out, or none.
    way = {name: next((step.queue for step in rules.overflow if step.queue), "") for name, rules in queues.items()}
    done: set[QueueId] = set()
    for start in way:
        path: list[QueueId] = []
        at = start
        while at in way and at not in done and at not in path:
            path.append(at)
            at = way[at]
        if at in path:
            circle = [*path[path.index(at) :], at]
            sentence = f"it goes in a circle: {' to '.join(circle)}; nobody would ever get it out"
            yield Problem(key=f"queue {circle[0]}: overflow", sentence=sentence)
        done.update(path)


def _order(
    name: QueueId, rules: QueueRules, seats: Sequence[Seat], known: Collection[AgentId] | None
) -> Iterator[Problem]:
    people = set(known if known is not None else (seat.agent for seat in seats))
    if not people:
        return
    for agent in rules.order:
        if agent not in people:
            sentence = f"there is no agent {shown(agent)}{nearest(agent, people)}"
            yield Problem(key=f"queue {name}: order", sentence=sentence, is_warning=known is None)


def _never_met(name: QueueId, rules: QueueRules, seats: Sequence[Seat]) -> Iterator[Problem]:
    """Needs that nobody who works there has, even when every step has widened them."""
    here = _working(seats, name)
    if not seats:
        return
    if not here:
        sentence = "nobody works in it: give it to an agent with `queues`"
        yield Problem(key=f"queue {name}", sentence=sentence, is_warning=True)
        return
    widened = sum(max(0, step.widen) for step in rules.overflow)
    needs = {need.name: need.level - widened for need in rules.needs if need.level > widened}
    if any(_has(seat, needs) for seat in here):
        return
    asked = ", ".join(f"{skill} {level}" for skill, level in needs.items())
    sentence = f"no agent who works in it ever has {asked}{' (as far as the steps widen it)' if widened else ''}"
    yield Problem(key=f"queue {name}: needs", sentence=sentence, is_warning=True)


def _working(seats: Sequence[Seat], queue: QueueId) -> list[Seat]:
    return [seat for seat in seats if not seat.queues or queue in seat.queues]


def _has(seat: Seat, needs: Mapping[str, int]) -> bool:
    skills = {one.name: one.level for one in seat.skills}
    return all(skills.get(name, 0) >= level for name, level in needs.items())


def _seats(queues: Mapping[QueueId, QueueRules], desk: DeskRules, seats: Sequence[Seat]) -> Iterator[Problem]:
    for seat in seats:
        where = f"agent {seat.agent}"
        if not 1 <= seat.units <= MOST_UNITS:
            yield Problem(key=f"{where}: units", sentence=f"use 1 to {MOST_UNITS}, not {seat.units}")
        yield from unknown_skills(where, "skills", seat.skills, desk)
        for word in twice([one.name for one in seat.skills]):
            yield Problem(key=f"{where}: skills", sentence=f"{shown(word)} stands there twice; keep one level")
        for queue in seat.queues:
            if queue not in queues:
                sentence = f"there is no queue {shown(queue)}{nearest(queue, queues)}"
                yield Problem(key=f"{where}: queues", sentence=sentence)


def _capacity(desk: DeskRules, seats: Sequence[Seat], lines: Collection[tuple[str, QueueId]]) -> Iterator[Problem]:
    """A kind of conversation that is too big for everybody who could get it."""
    for kind, queue in sorted(set(lines)):
        cost = desk.cost(kind).units
        most = max((seat.units for seat in _working(seats, queue)), default=0)
        if most and cost > most:
            sentence = f"a {kind} conversation takes {cost} units, and no agent of queue {queue} has more than {most}"
            yield Problem(key=f"desk.costs.{kind}", sentence=sentence)
