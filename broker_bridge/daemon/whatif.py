"""The log of a running site, read once from its beginning and routed again by another policy.

Law: it only reads. Words stay sealed but for one: which colleague is responsible for a customer. A policy that `check` would refuse is
refused here, too, by file and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.core import policy
from broker_bridge.core.definitions import Policy
from broker_bridge.core.problem import Problem
from broker_bridge.core.replay import Plan, Replay, Report
from broker_bridge.daemon import policyfile
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.office import NotRunning
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.secrets import Secrets, site_key
from broker_bridge.daemon.sections import Agent, Channel, Desk, Queue
from broker_bridge.daemon.strict import ConfigError, decode
from broker_bridge.daemon.visiting import all_items, now_ms, site_bus

MOST_SAID = 5


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy's file: blocks of bridge.toml, or all of one. What is not policy in it counts for nothing."""

    desk: Desk | None = None
    queue: tuple[Queue, ...] = ()
    agent: tuple[Agent, ...] = ()
    channel: tuple[Channel, ...] = ()
    site: dict[str, Any] = {}
    broker: dict[str, Any] = {}
    web: dict[str, Any] = {}
    log: dict[str, Any] = {}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be replayed."""

    path: Path
    since_ms: int
    until_ms: int | None = None
    queue: str = ""
    """Empty: every queue."""


def plan_of(path: Path, config: Config, at_ms: int) -> tuple[Plan, list[Problem]]:
    """The other policy, and words in it that could not be read. Raises ConfigError."""
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    said = decode(table, _File, str(path))
    if said.desk is not None and not said.desk.offers:
        raise ConfigError(f"{path}: desk.offers: without offers nothing is decided that could be compared")
    laws = policyfile.written(said.queue, said.desk or config.desk, said.agent, path.absolute().parent, at_ms)
    plan = Plan(
        queues=laws.queues,
        desk=laws.desk if said.desk is not None else None,
        seats={name: one.seat for name, one in laws.agents.items()},
        channels={one.name: one.queue for one in said.channel if one.is_enabled},
    )
    return plan, list(laws.problems)


async def replayed(config: Config, asked: Asked) -> Report:
    """What the other policy would have changed.

    Raises:
        ConfigError: the policy cannot be used. NotRunning: there is no broker to read the log from. BusError.
    """
    plan, unread = plan_of(asked.path, config, now_ms())
    laws = policyfile.lawful(config, now_ms())
    base = Policy(queues=laws.queues, desk=laws.desk)
    try:
        async with site_bus(config) as bus:
            _refuse(asked.path, [*unread, *await _problems(bus, config, plan, base)])
            secrets = Secrets(config.path.parent)
            sealer = Sealer(site_key(config.state_dir, config.site.key, secrets, may_make=False), await bus.kv("keys"))
            replay = Replay(plan, base, since_ms=asked.since_ms, until_ms=asked.until_ms, queue=asked.queue)
            async for seq, kind, name, entry in _entries(bus, "cc.log.>", replay.report):
                if asked.until_ms is not None and entry.at_ms > asked.until_ms:
                    break
                replay.take(seq, kind, name, await _with_responsible(entry, kind, sealer))
    except NotRunning as error:
        raise NotRunning(f"{error} The log is read through the site's broker: of a stopped site it is not.") from None
    return replay.finish()


async def _entries(bus: Bus, subject: str, report: Report) -> AsyncIterator[tuple[int, str, str, Entry]]:
    async for item in all_items(bus, subjects.LOG, subject):
        _, _, kind, name = item.subject.split(".", 3)
        try:
            entry = codec.entry(item.body)
        except codec.Malformed:
            report.unread += 1
            continue
        yield item.seq, kind, name, entry


async def _with_responsible(entry: Entry, kind: str, sealer: Sealer) -> Entry:
    is_needed = kind == "cust" and any(
        isinstance(fact, f.Described) and fact.field == "responsible" for fact in entry.facts
    )
    return await sealer.open_entry(entry) if is_needed else entry


async def _problems(bus: Bus, config: Config, plan: Plan, base: Policy) -> list[Problem]:
    """What would be wrong with this policy over what is in force now, and is not wrong already."""
    now = Replay(plan, base)
    for subject in ("cc.log.house.*", "cc.log.queue.*", "cc.log.agent.*"):
        async for seq, kind, name, entry in _entries(bus, subject, now.report):
            now.take(seq, kind, name, entry)
    people = [one for one in now.people.values() if one.is_active]
    lines, kinds = policyfile.lines_of(config), policyfile.kinds_of(config)
    # Who is not enrolled can be asked nothing: they are known by name all the same.
    known = {*now.people, *plan.seats} or None

    def judged(one: Plan) -> list[Problem]:
        found = one.policy(now.then.policy)
        seats = [one.seat(colleague.seat) for colleague in people]
        seats += [seat for name, seat in one.seats.items() if name not in now.people]
        return policy.problems(found.queues, found.desk, seats, lines=lines, kinds=kinds, known=known)

    before = judged(Plan())
    found = [one for one in judged(plan) if one not in before]
    there = plan.policy(now.then.policy).queues
    for channel, queue in plan.channels.items():
        if queue not in there:
            found.append(Problem(key=f"channel {channel}: queue", sentence=f"there is no queue {queue[:80]!r}"))
    return found


def _refuse(path: Path, problems: list[Problem]) -> None:
    wrong = [f"{path}: {one}" for one in problems if not one.is_warning]
    if wrong:
        raise ConfigError("; ".join(wrong[:MOST_SAID]))
