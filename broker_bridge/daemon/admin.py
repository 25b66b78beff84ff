"""What operators ask of a site that runs: let somebody in, look at DEAD, prove the books. The Protocol is `office.Office`.

Law: it connects as the bridge does, asks the streams themselves, and leaves. What it changes is a fact in LOG like any other.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.core.presence import Presence
from broker_bridge.daemon import accounts, registry, streams
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.bus import Bus, Outgoing
from broker_bridge.daemon.clerk import Dead
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.ledger import Ledger
from broker_bridge.daemon.office import Added, AgentLine, DeadItem, DeadLine, Declined, LedgerLine, NewAgent
from broker_bridge.daemon.presence import SILENT_MS
from broker_bridge.daemon.quarantine import REPLAYED
from broker_bridge.daemon.run import bridge_seed
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.secrets import Secrets, site_key
from broker_bridge.daemon.states import AGENT
from broker_bridge.daemon.visiting import all_items as _all
from broker_bridge.daemon.visiting import append, endpoint, enrolled, everybody, now_ms
from broker_bridge.daemon.visiting import site_bus as _bus

_dead = msgspec.json.Decoder(Dead)
_presence = msgspec.json.Decoder(Presence)


async def agent_add(config: Config, new: NewAgent) -> Added:
    """Let an agent in, or change key and settings."""
    async with _bus(config) as bus:
        state = await enrolled(bus, new.agent)
        is_new = not state.is_active
        fact = f.Enrolled(
            name=new.name,
            public_key=new.public_key,
            role=new.role,
            queues=new.queues,
            capacity=new.capacity,
            units=new.units,
            skills=new.skills,
            shift=state.shift,
            source=registry.left_file(config, state),
        )
        await registry.refuse_agent(bus, config, state, fact)
        await append(bus, AGENT, state.id, state.seq, fact, "enrolled")
        block = ""
        if not config.broker.is_embedded:
            users = [one async for one in everybody(bus) if one.is_active]
            public = accounts.public_of(bridge_seed(config, Secrets(config.path.parent)))
            block = accounts.accounts_block([public], [accounts.AgentUser(one.id, one.public_key) for one in users])
    return Added(server=config.broker.public_url or endpoint(config)["broker"], is_new=is_new, accounts=block)


async def agent_list(config: Config) -> list[AgentLine]:
    """Everybody who may sign in."""
    async with _bus(config) as bus:
        presence = await bus.kv("presence")
        lines = []
        async for one in everybody(bus):
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
                    is_online=now_ms() - heard_ms < SILENT_MS,
                    units=one.room,
                    skills=one.skills,
                )
            )
        return sorted(lines, key=lambda line: line.agent)


async def agent_remove(config: Config, agent: str) -> None:
    """No longer lets an agent in."""
    async with _bus(config) as bus:
        state = await enrolled(bus, agent)
        if not state.is_active:
            raise Declined(f"there is no agent {agent!r}; `broker-bridge agent list` shows who there is")
        await append(bus, AGENT, agent, state.seq, f.Dismissed(), "dismissed")


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
        await Audit(bus, f"cli{now_ms()}", now_ms).record("replayed", "cli", str(seq))
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
