"""How a command visits a site that runs: connects as the bridge does, reads the streams themselves, appends a fact, and leaves.

Law: what it changes goes in with the sequence of what it saw, and with a record in AUDIT before it.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.core import colleague
from broker_bridge.core.colleague import Enrollment
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.bus import Bus, BusError, Item, Outgoing
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.office import Declined, NotRunning
from broker_bridge.daemon.run import ENDPOINT, bridge_seed, connected
from broker_bridge.daemon.secrets import Secrets
from broker_bridge.daemon.wire import LostRace


def now_ms() -> int:
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
async def site_bus(config: Config) -> AsyncIterator[Bus]:
    """A connection for one command. Raises NotRunning."""
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


async def all_items(bus: Bus, stream: str, subject: str) -> AsyncIterator[Item]:
    """Every message that is there now, in order."""
    reader = await bus.follow(stream, 1, subject)
    try:
        while reader.pending:
            for item in await reader.some(512):
                yield item
    finally:
        await reader.close()


async def enrolled(bus: Bus, agent: str) -> Enrollment:
    """One agent as LOG has them; sequence 0: never heard of."""
    state = colleague.begin(agent)
    for seq, body, _ in await bus.subject_messages(subjects.LOG, subjects.log("agent", agent)):
        state = colleague.fold(state, codec.entry(body), seq)
    return state


async def everybody(bus: Bus) -> AsyncIterator[Enrollment]:
    """Everybody who was ever enrolled."""
    states: dict[str, Enrollment] = {}
    async for item in all_items(bus, subjects.LOG, "cc.log.agent.*"):
        agent = item.subject.rpartition(".")[2]
        states[agent] = colleague.fold(states.get(agent) or colleague.begin(agent), codec.entry(item.body), item.seq)
    for state in states.values():
        yield state


async def append(bus: Bus, kind: str, name: str, seq: int, fact: f.AgentFact | f.PolicyFact, what: str) -> None:
    """One fact on an aggregate that was seen at `seq`, and its record. Raises Declined: it was changed meanwhile."""
    entry = Entry(at_ms=now_ms(), by="cli", facts=(fact,))
    await Audit(bus, f"cli{now_ms()}", now_ms).record(what, "cli", name)
    expected = {"Nats-Expected-Last-Subject-Sequence": str(seq)}
    try:
        await bus.publish(Outgoing(subjects.log(kind, name), codec.encode(entry), expected))
    except LostRace:
        raise Declined(f"somebody else changed {name} at this moment; look at it and try again") from None
