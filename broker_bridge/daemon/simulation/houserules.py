"""How one simulated house works: queues, skills, hours, targets, wrap-up and costs, drawn from the seed.

Law: what is drawn would pass `check`; hours are real ones whose minutes open and close within the history. Costs never change within a
history, so that what an agent carries has one meaning; everything else may.
"""

from __future__ import annotations

from random import Random

from broker_bridge.contract.facts import Enrolled
from broker_bridge.contract.policy import Cost, DeskRules, Disposition, Hours, QueueRules, Skill, Span, Step, Target

HELP, SALES, LAST = "help", "sales", "last"
QUEUES = (HELP, SALES, LAST)
"""The last one takes what nobody else takes: always open, for everybody."""
SKILLS = ("swedish", "pets")
REASONS = ("break", "lunch")
OUTCOMES = (Disposition(name="solved"), Disposition(name="spam", fields=("sender",)))
MINUTE_MS = 60_000
DAY_MIN = 1440


def desk(random: Random, *, is_plain: bool) -> DeskRules:
    """The house; a plain one counts all channels alike."""
    costs: tuple[Cost, ...] = ()
    if not is_plain:
        costs = (
            Cost(channel_kind="plain", units=20, idle_counts=random.random() < 0.6),
            Cost(channel_kind="sure", units=(10, 40)[random.random() < 0.5]),
        )
    return DeskRules(costs=costs, reasons=REASONS, dispositions=OUTCOMES, skills=SKILLS, silent_grace_s=3)


def queues(random: Random, begin_ms: int, agents: int, *, is_plain: bool) -> dict[str, QueueRules]:
    """All queues of a house. `begin_ms`: when the history begins; `agents`: how many there are."""
    if is_plain:
        return {name: QueueRules(title=name.title(), offer_s=4) for name in QUEUES}
    drawn = {name: queue(name, random, begin_ms, agents) for name in (HELP, SALES)}
    return {**drawn, LAST: QueueRules(title="Last", offer_s=4, affinity_s=0)}


def queue(name: str, random: Random, begin_ms: int, agents: int) -> QueueRules:
    """One queue, in one of all the ways that a queue can work."""
    hours = _hours(random, begin_ms) if random.random() < 0.4 else None
    order = [f"agent{place}" for place in range(agents)]
    random.shuffle(order)
    return QueueRules(
        title=name.title(),
        priority=(5, 1, 9)[int(random.random() ** 2 * 3)],
        mode=("evenly", "in_order", "everybody")[int(random.random() * 3)],
        order=tuple(order[: int(random.random() * 3)]),
        needs=_needs(random) if random.random() < 0.35 else (),
        hours=hours,
        overflow=_overflow(name, random) if random.random() < 0.5 else (),
        affinity_s=(0, 2, 5)[int(random.random() * 3)],
        responsible_first=random.random() < 0.5,
        offer_s=2 + int(random.random() * 5),
        auto_accept=("sure",) if random.random() < 0.15 else (),
        targets=_targets(random) if random.random() < 0.6 else (),
        pauses=(("waiting", "snoozed"), ("waiting",), ("snoozed",), ())[int(random.random() * 4)],
        wrap_up=("none", "optional", "mandatory", "timed")[int(random.random() * 4)],
        wrap_up_s=1 + int(random.random() * 5),
        default_disposition="spam" if random.random() < 0.2 else "",
        away_reply="We are closed." if hours is not None and random.random() < 0.7 else "",
    )


def _hours(random: Random, begin_ms: int) -> Hours:
    """Every day: closes soon, opens soon, has a break of a minute, or is not open at all."""
    at = begin_ms // MINUTE_MS % DAY_MIN
    kind = int(random.random() * 7)
    spans = {0: (), 1: ((0, at + 1),), 2: ((0, at + 1),)}.get(kind) or (
        ((at + 1, DAY_MIN),) if kind in (3, 4) else ((0, at + 1), (at + 2, DAY_MIN))
    )
    if kind == 0:
        return Hours(zone="UTC", week=())
    return Hours(
        zone="UTC",
        week=tuple(Span(day=day, from_min=first, to_min=last) for day in range(7) for first, last in spans),
    )


def _needs(random: Random) -> tuple[Skill, ...]:
    return (Skill(name=SKILLS[int(random.random() * 2)], level=1 + int(random.random() * 3)),)


def _overflow(name: str, random: Random) -> tuple[Step, ...]:
    after_s, steps = 0, []
    for _ in range(1 + int(random.random() * 3)):
        after_s += 2 + int(random.random() * 5)
        kind = random.random()
        if kind < 0.5:
            steps.append(Step(after_s=after_s, widen=1 + int(random.random() * 2)))
        elif kind < 0.75:
            steps.append(Step(after_s=after_s, alarm=f"{name} waits"))
        else:
            return (*steps, Step(after_s=after_s, queue=LAST))
    return tuple(steps)


def _targets(random: Random) -> tuple[Target, ...]:
    usual = Target(
        first_reply_s=5 + int(random.random() * 60),
        next_reply_s=5 + int(random.random() * 60),
        resolution_s=(None, 20, 90)[int(random.random() * 3)],
    )
    return (usual, Target(priority=1, first_reply_s=4)) if random.random() < 0.3 else (usual,)


def enrolled(agent: str, role: str, random: Random, *, is_plain: bool) -> Enrolled:
    """One colleague: where they work, what they know, what they carry."""
    skills = tuple(
        Skill(name=one, level=1 + int(random.random() * 4))
        for one in SKILLS
        if random.random() < (0 if is_plain else 0.6)
    )
    capacity = 1 + int(random.random() * 3)
    return Enrolled(
        name=agent.title(),
        public_key="U",
        role=role,
        queues=((HELP,), (HELP, LAST))[random.random() < 0.5] if random.random() < 0.25 else (),
        capacity=capacity,
        units=0 if is_plain else (20, 40, 60, 100)[int(random.random() * 4)],
        skills=skills,
    )
