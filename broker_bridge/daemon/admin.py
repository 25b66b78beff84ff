"""What operators ask of a site that runs: let somebody in, look at DEAD, prove the books. The Protocol is `office.Office`.

Law: it connects as the bridge does, asks the streams themselves, and leaves. What it changes is a fact in LOG like any other.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.core import colleague
from broker_bridge.core.colleague import Enrollment
from broker_bridge.daemon import accounts, streams
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.bus import Bus, BusError, Item, Outgoing
from broker_bridge.daemon.clerk import Dead
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.ledger import Ledger
from broker_bridge.daemon.office import Added, AgentLine, DeadItem, DeadLine, Declined, LedgerLine, NewAgent, NotRunning
from broker_bridge.daemon.run import ENDPOINT, bridge_seed, connected
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.secrets import Secrets, site_key
from broker_bridge.daemon.staff import SILENT_MS, Presence

_dead = msgspec.json.Decoder(Dead)
_presence = msgspec.json.Decoder(Presence)
REPLAYED = "cc.dead.replayed"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def endpoint(config: Config) -> dict[str, str]:
    """Where the running bridge's broker is. Raises NotRunning."""
    if not config.broker.is_embedded:
        return {"broker": config.broker.url}
    try:
        found: dict[str, str] = json.loads((config.state_dir / ENDPOINT).read_text("utf-8"))
    except (OSError, ValueError):
        raise NotRunning(
            "No bridge has been started with this configuration. Start it with `broker-bridge run`."
        ) from None
    return found


@asynccontextmanager
async def _bus(config: Config) -> AsyncIterator[Bus]:
    where = endpoint(config)["broker"]
    secrets = Secrets(config.path.parent)
    urls = [part.strip() for part in where.split(",")]
    try:
        bus = await connected(urls, bridge_seed(config, secrets), "broker-bridge command", lambda: None, 5.0)
    except BusError as error:
        raise NotRunning(f"The broker at {where} does not answer: {error}. Is the bridge running?") from None
    try:
        yield bus
    finally:
        await bus.close()


async def _enrolled(bus: Bus, agent: str) -> Enrollment:
    state = colleague.begin(agent)
    for seq, body, _ in await bus.subject_messages(subjects.LOG, subjects.log("agent", agent)):
        state = colleague.fold(state, codec.entry(body), seq)
    return state


async def _append(bus: Bus, state: Enrollment, fact: f.AgentFact, what: str) -> None:
    entry = Entry(at_ms=_now_ms(), by="cli", facts=(fact,))
    headers = {"Nats-Expected-Last-Subject-Sequence": str(state.seq)}
    boot = f"cli{_now_ms()}"
    await Audit(bus, boot, _now_ms).record(what, "cli", state.id)
    await bus.publish(Outgoing(subjects.log("agent", state.id), codec.encode(entry), headers))


async def agent_add(config: Config, new: NewAgent) -> Added:
    """Let an agent in, or change key and settings."""
    async with _bus(config) as bus:
        state = await _enrolled(bus, new.agent)
        is_new = not state.is_active
        fact = f.Enrolled(
            name=new.name, public_key=new.public_key, role=new.role, queues=new.queues, capacity=new.capacity
        )
        await _append(bus, state, fact, "enrolled")
        block = ""
        if not config.broker.is_embedded:
            everybody = [one async for one in _everybody(bus) if one.is_active]
            public = accounts.public_of(bridge_seed(config, Secrets(config.path.parent)))
            block = accounts.accounts_block([public], [accounts.AgentUser(one.id, one.public_key) for one in everybody])
    return Added(server=config.broker.public_url or endpoint(config)["broker"], is_new=is_new, accounts=block)


async def _everybody(bus: Bus) -> AsyncIterator[Enrollment]:
    states: dict[str, Enrollment] = {}
    async for item in _all(bus, subjects.LOG, "cc.log.agent.*"):
        agent = item.subject.rpartition(".")[2]
        states[agent] = colleague.fold(states.get(agent) or colleague.begin(agent), codec.entry(item.body), item.seq)
    for state in states.values():
        yield state


async def agent_list(config: Config) -> list[AgentLine]:
    """Everybody who may sign in."""
    async with _bus(config) as bus:
        presence = await bus.kv("presence")
        lines = []
        async for one in _everybody(bus):
            if not one.is_active:
                continue
            known = await presence.get(one.id)
            heard_ms = _presence.decode(known[0]).heard_ms if known else 0
            lines.append(
                AgentLine(
                    agent=one.id,
                    name=one.name,
                    role=one.role,
                    queues=one.queues,
                    capacity=one.capacity,
                    public_key=one.public_key,
                    is_online=_now_ms() - heard_ms < SILENT_MS,
                )
            )
        return sorted(lines, key=lambda line: line.agent)


async def agent_remove(config: Config, agent: str) -> None:
    """No longer lets an agent in."""
    async with _bus(config) as bus:
        state = await _enrolled(bus, agent)
        if not state.is_active:
            raise Declined(f"there is no agent {agent!r}; `broker-bridge agent list` shows who there is")
        await _append(bus, state, f.Dismissed(), "dismissed")


async def _all(bus: Bus, stream: str, subject: str) -> AsyncIterator[Item]:
    """Every message that is there now, in order."""
    reader = await bus.follow(stream, 1, subject)
    try:
        while reader.pending:
            for item in await reader.some(512):
                yield item
    finally:
        await reader.close()


def _dead_line(seq: int, dead: Dead, replayed: set[int]) -> DeadLine:
    return DeadLine(
        seq=seq,
        at_ms=dead.at_ms,
        channel=dead.channel,
        reason=dead.reason,
        size_bytes=len(dead.body),
        is_replayed=seq in replayed,
    )


async def _dead_items(bus: Bus) -> tuple[dict[int, Dead], set[int]]:
    found: dict[int, Dead] = {}
    replayed: set[int] = set()
    async for item in _all(bus, subjects.DEAD, "cc.dead.>"):
        if item.subject == REPLAYED:
            replayed.add(int(item.body))
        else:
            found[item.seq] = _dead.decode(item.body)
    return found, replayed


async def dead_list(config: Config) -> list[DeadLine]:
    """All work items, oldest first."""
    async with _bus(config) as bus:
        found, replayed = await _dead_items(bus)
    return [_dead_line(seq, dead, replayed) for seq, dead in found.items()]


async def dead_show(config: Config, seq: int) -> DeadItem:
    """One work item with its content, unsealed where that is possible."""
    async with _bus(config) as bus:
        found, replayed = await _dead_items(bus)
        if seq not in found:
            raise Declined(f"there is no item {seq}; `broker-bridge dead list` shows what there is")
        dead = found[seq]
        secrets = Secrets(config.path.parent)
        sealer = Sealer(site_key(config.state_dir, config.site.key, secrets, may_make=False), await bus.kv("keys"))
        raw = dead.body
        try:
            words = await sealer.open(codec.stored(dead.body).sealed)
        except codec.Malformed:
            words = None
        if words is not None and not words.is_erased:
            raw = words.text.encode()
    return DeadItem(line=_dead_line(seq, dead, replayed), raw=raw)


async def dead_replay(config: Config, seq: int) -> None:
    """Put a work item into IN again; it keeps its id, so it cannot be shown twice."""
    async with _bus(config) as bus:
        found, replayed = await _dead_items(bus)
        if seq not in found:
            raise Declined(f"there is no item {seq}; `broker-bridge dead list` shows what there is")
        if seq in replayed:
            raise Declined(f"item {seq} has been replayed already; if it failed again it has a new number")
        await Audit(bus, f"cli{_now_ms()}", _now_ms).record("replayed", "cli", str(seq))
        dead = found[seq]
        await bus.publish(Outgoing(dead.subject, dead.body, {"Nats-Msg-Id": f"replay-{seq}"}))
        await bus.publish(Outgoing(REPLAYED, str(seq).encode(), {"Nats-Msg-Id": f"replayed-{seq}"}))


async def audit(config: Config) -> list[LedgerLine]:
    """The books of every channel, from the streams."""
    async with _bus(config) as bus:
        ledger = Ledger()
        # IN first: what comes in later is not missed in LOG, and what LOG has more is no gap.
        floors = await streams.ack_floors(bus)
        async for item in _all(bus, subjects.IN, "cc.in.>"):
            ledger.saw_in(item.seq, item.subject, item.body)
        async for item in _all(bus, subjects.DEAD, "cc.dead.in"):
            ledger.saw_dead(item.body)
        async for item in _all(bus, subjects.LOG, "cc.log.>"):
            ledger.saw_log(item.body)
    return ledger.lines(floors, tuple(one.name for one in config.channels))
