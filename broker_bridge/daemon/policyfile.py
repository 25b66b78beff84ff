"""What a configuration says of queues, the house and its agents, as the policy that becomes facts; and the way back into words.

Law: every wrong word is a `Problem` with its key, all of them at once, and a policy with an error is never used in part. The source of a
definition is the digest of what came out of its block: holidays, the desk's defaults and the year included, spaces and comments not.
"""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from broker_bridge import channels
from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import (
    DEFAULT_COSTS,
    Closure,
    Cost,
    DeskRules,
    Disposition,
    Hours,
    QueueRules,
    Seat,
    Skill,
    Step,
    Target,
)
from broker_bridge.core import hours, policy
from broker_bridge.core.problem import Problem
from broker_bridge.daemon import policywords
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.sections import Agent, Desk, DispositionWords, Queue, QueueTarget

T = TypeVar("T")

MOST_CLOSURES = 5_000
GONE = "gone"
"""Source of what was in the file once: the same block, put back, counts as new."""
BY_COMMAND = ("", GONE)
"""Sources of what no file's block stands for."""

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Colleague(msgspec.Struct, frozen=True, kw_only=True):
    """One agent as the file says."""

    name: str
    role: str
    public_key: str
    """Empty: the one that is known already."""
    seat: Seat


class Laws(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file's policy."""

    queues: dict[QueueId, QueueRules]
    desk: DeskRules
    agents: dict[AgentId, Colleague]
    problems: tuple[Problem, ...] = ()
    """Words that could not be read; what makes no sense is found by `problems_of`."""


def digest(rules: msgspec.Struct) -> str:
    """The source of a definition."""
    try:
        text = _canonical(rules)
    except OverflowError:
        # A number beyond 64 bits is refused later; until then the block has a source like any other.
        text = repr(rules).encode()
    return hashlib.sha256(text).hexdigest()[:16]


def laws(config: Config, now_ms: int) -> Laws:
    """The policy of a configuration; reads its calendar files."""
    by_channel = {one.queue for one in config.channels if one.reply_within_s is not None}
    return written(config.queues, config.desk, config.agents, config.path.parent, now_ms, by_channel)


def written(
    queues: Sequence[Queue],
    desk: Desk,
    agents: Sequence[Agent],
    folder: Path,
    now_ms: int,
    by_channel: Collection[QueueId] = (),
) -> Laws:
    """`folder`: calendar files are relative to it. `by_channel`: queues of which a channel has its own `reply_within_s`."""
    reader = _Reader(folder, now_ms, by_channel)
    return Laws(
        queues={one.name: reader.queue(one, desk) for one in queues},
        desk=reader.desk(desk),
        agents={one.id: reader.agent(one) for one in agents},
        problems=tuple(reader.problems),
    )


def lawful(config: Config, now_ms: int) -> Laws:
    """The laws of a configuration; if they have an error, only the names of its queues and the usual rules."""
    found = laws(config, now_ms)
    if not any(not one.is_warning for one in problems_of(config, found)):
        return found
    rules = {one.name: QueueRules(title=one.title, service_level=one.share) for one in config.queues}
    desk = DeskRules(dispositions=found.desk.dispositions, silent_grace_s=found.desk.silent_grace_s)
    return Laws(queues=rules, desk=desk, agents={})


def problems_of(
    config: Config, found: Laws, seats: Sequence[Seat] | None = None, known: Collection[AgentId] | None = None
) -> list[Problem]:
    """All that is wrong with the laws of a file. `seats`, `known`: see core.policy; None: the file's agents."""
    sitting = [one.seat for one in found.agents.values()] if seats is None else seats
    checked = policy.problems(
        found.queues, found.desk, sitting, lines=lines_of(config), kinds=kinds_of(config), known=known
    )
    return [*found.problems, *checked]


def lines_of(config: Config) -> set[tuple[str, QueueId]]:
    """(channel kind, queue) of each channel that brings work."""
    return {(one.kind, one.queue) for one in config.channels if one.is_enabled}


def kinds_of(config: Config) -> set[str]:
    """Every channel kind that there is here."""
    there = {found.name for found in pkgutil.iter_modules(channels.__path__)}
    return there | set(DEFAULT_COSTS) | {one.kind for one in config.channels}


def beside(folder: Path, name: str) -> Path:
    """A file that a configuration in `folder` names."""
    try:
        return folder / Path(name).expanduser()
    except RuntimeError:
        # `~somebody` who has no home here: told as a file that cannot be read.
        return folder / name


def window(now_ms: int) -> tuple[int, int]:
    """ms: from the beginning of last year to the end of the second year ahead; it moves once a year."""
    year = datetime.fromtimestamp(now_ms / 1000, UTC).year
    start, end = datetime(year - 1, 1, 1, tzinfo=UTC), datetime(year + 3, 1, 1, tzinfo=UTC)
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)


class _Reader:
    """Words into rules; what cannot be read is noted, and its default stands in."""

    def __init__(self, folder: Path, now_ms: int, by_channel: Collection[QueueId]) -> None:
        self._by_channel = by_channel
        self._folder = folder
        self._now_ms = now_ms
        self.problems: list[Problem] = []

    def _read(self, key: str, make: Callable[[], T], default: T) -> T:
        try:
            return make()
        except ValueError as error:
            self.problems.append(Problem(key=key, sentence=str(error)))
            return default

    def queue(self, said: Queue, desk: Desk) -> QueueRules:
        where = f"queue {said.name}"
        return QueueRules(
            title=said.title,
            priority=said.priority,
            mode=said.mode,
            order=said.order,
            needs=self._skills(f"{where}: needs", said.needs),
            hours=self._hours(where, said),
            overflow=tuple(
                Step(after_s=one.after_s, widen=one.widen, queue=one.queue, alarm=one.alarm) for one in said.overflow
            ),
            affinity_s=said.affinity_s,
            responsible_first=said.responsible_first,
            offer_s=desk.offer_timeout_s if said.offer_s is None else said.offer_s,
            auto_accept=said.auto_accept,
            targets=self._targets(where, said),
            pauses=said.pauses,
            warn_share=said.warn_share,
            service_level=self._share(where, said),
            wrap_up=said.wrap_up,
            wrap_up_s=said.wrap_up_s,
            dispositions=_dispositions(said.dispositions),
            default_disposition=said.default_disposition,
            away_reply=said.away_reply,
        )

    def desk(self, said: Desk) -> DeskRules:
        costs = []
        for kind, one in said.costs.items():
            usual = DEFAULT_COSTS.get(kind)
            if isinstance(one, int):
                costs.append(Cost(channel_kind=kind, units=one, idle_counts=usual.idle_counts if usual else True))
            else:
                costs.append(Cost(channel_kind=kind, units=one.units, idle_counts=one.idle_counts))
        return DeskRules(
            costs=tuple(costs),
            reasons=said.reasons,
            dispositions=_dispositions(said.dispositions),
            skills=said.skills,
            silent_grace_s=said.silent_grace_s,
        )

    def agent(self, said: Agent) -> Colleague:
        skills = self._skills(f"agent {said.id}: skills", said.skills)
        return Colleague(
            name=said.name or said.id,
            role=said.role,
            public_key=said.public_key,
            seat=Seat(agent=said.id, queues=said.queues, skills=skills, units=said.units, shift=self._shift(said)),
        )

    def _shift(self, said: Agent) -> Hours | None:
        if not said.shift:
            return None
        where = f"agent {said.id}: shift"
        found = self._read(where, lambda: policywords.opening_hours(said.shift, has_holidays=False), None)
        for sentence in hours.problems(found) if found is not None else ():
            self.problems.append(Problem(key=where, sentence=sentence))
        return found

    def _skills(self, key: str, words: Sequence[str]) -> tuple[Skill, ...]:
        found = [
            self._read(f"{key} number {number}", partial(policywords.skill, word), None)
            for number, word in enumerate(words, 1)
        ]
        return tuple(one for one in found if one is not None)

    def _hours(self, where: str, said: Queue) -> Hours | None:
        if not said.hours:
            if said.holidays:
                sentence = 'say in which zone the days begin: hours = { zone = "Europe/Stockholm" }'
                self.problems.append(Problem(key=f"{where}: holidays", sentence=sentence))
            return None
        has_holidays = bool(said.holidays)
        hours = self._read(
            f"{where}: hours", lambda: policywords.opening_hours(said.hours, has_holidays=has_holidays), None
        )
        if hours is None or not has_holidays or policywords.wall(hours.zone) is None:
            return hours
        found: set[tuple[int, int, str]] = set()
        for number, name in enumerate(said.holidays, 1):
            for one in self._closures(f"{where}: holidays number {number}", name, hours.zone):
                found.add((one.from_ms, one.to_ms, one.title))
        if len(found) > MOST_CLOSURES:
            # A definition is one message of LOG.
            sentence = f"they close it {len(found):,} times in four years; at most {MOST_CLOSURES:,}"
            self.problems.append(Problem(key=f"{where}: holidays", sentence=sentence))
            return hours
        closures = tuple(Closure(title=title, from_ms=start, to_ms=end) for start, end, title in sorted(found))
        return msgspec.structs.replace(hours, closures=closures)

    def _closures(self, key: str, name: str, zone: str) -> tuple[Closure, ...]:
        # Loaded only here: the calendar's libraries take a third of a second, and most queues have none.
        from broker_bridge.daemon import calendars

        try:
            path = beside(self._folder, name)
            return calendars.closures(path, zone, *window(self._now_ms), takes_free=True)
        except calendars.CalendarError as error:
            self.problems.append(Problem(key=key, sentence=str(error)))
        return ()

    def _targets(self, where: str, said: Queue) -> tuple[Target, ...]:
        blocks = said.target if isinstance(said.target, tuple) else ()
        found = [self._target(f"{where}: target number {number}", one) for number, one in enumerate(blocks, 1)]
        if said.reply_within_s is not None:
            if any(not one.priority for one in found):
                sentence = "the target without a priority says the same; keep one of the two"
                self.problems.append(Problem(key=f"{where}: reply_within_s", sentence=sentence))
            elif said.name not in self._by_channel:
                # A target of the queue comes before that of a channel; this one comes after (`Config.reply_within_s`).
                found.append(Target(first_reply_s=said.reply_within_s, next_reply_s=said.reply_within_s))
        return tuple(found)

    def _target(self, key: str, said: QueueTarget) -> Target:
        def time(name: str, value: str | int) -> int | None:
            return self._read(f"{key}: {name}", lambda: policywords.seconds(value), None)

        return Target(
            priority=said.priority,
            first_reply_s=time("first_reply", said.first_reply),
            next_reply_s=time("next_reply", said.next_reply),
            resolution_s=time("resolution", said.resolution),
        )

    def _share(self, where: str, said: Queue) -> float:
        if said.service_level is not None and not isinstance(said.target, tuple):
            sentence = "target as a number says the same; keep service_level"
            self.problems.append(Problem(key=f"{where}: target", sentence=sentence))
        return said.share


def _dispositions(words: Sequence[str | DispositionWords]) -> tuple[Disposition, ...]:
    return tuple(
        Disposition(name=one) if isinstance(one, str) else Disposition(name=one.name, fields=one.fields)
        for one in words
    )
