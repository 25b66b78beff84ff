"""Rows 3 and 9: a whole bridge under 500 messages a second, up to the offer in LOG and up to the agents' terminals."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.daemon import accounts, config, streams
from broker_bridge.daemon.bench.figures import Row, by_ratio, by_value, percentile, rounded
from broker_bridge.daemon.bench.site import KIND, Site, bare_acks, envelope, now_ms, paced, scratch_stream, until
from broker_bridge.daemon.bridge import Bridge
from broker_bridge.daemon.bus import Outgoing
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.secrets import Secrets
from broker_bridge.daemon.states import CONV

RATE = 500.0
ROUTED_AGENTS = 50
AGENTS = 100
CASES_EACH = 10


def settings(site: Site) -> config.Config:
    table = {
        "site": {"state_dir": str(site.folder / "state")},
        "web": {"port": 0},
        "desk": {"offer_timeout_s": 3600},
        "queue": [{"name": "inbox"}],
    }
    return config.from_table(table, site.folder / "bridge.toml", {})


@asynccontextmanager
async def running(site: Site, agents: dict[str, accounts.Keys], capacity: int) -> AsyncIterator[Bridge]:
    """A bridge that holds all lanes and leads, with its agents let in."""
    await site.broker.set_agents(accounts.AgentUser(name, keys.public) for name, keys in agents.items())
    for name, keys in agents.items():
        fact = f.Enrolled(name=name, public_key=keys.public, capacity=capacity)
        entry = Entry(at_ms=now_ms(), by="bench", facts=(fact,))
        await site.bus.publish(Outgoing(subjects.log("agent", name), codec.encode(entry)))
    chosen = settings(site)
    chosen.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    bridge = Bridge(chosen, Secrets(site.folder), os.urandom(32), site.bus)
    await bridge.open(lambda text: None)
    ready = asyncio.Event()
    work = asyncio.create_task(bridge.run(ready.set, lambda: (True, {}), lambda: (b"", "text/plain")))
    try:
        await ready.wait()
        await until(lambda: bridge.parts.router.is_leader)
        await _lanes_open(bridge)
        yield bridge
    finally:
        bridge.stop()
        await work
        bridge.model.close()


async def _lanes_open(bridge: Bridge) -> None:
    """Until one item has gone through every partition: what is measured is no start."""
    missing, number = set(range(streams.PARTITIONS)), 0
    while missing:
        one = envelope(f"lane-{number}", 10_000_000 + number)
        number += 1
        lane = ids.partition((await bridge.parts.intake.sealed(one)).handle)
        if lane in missing:
            missing.discard(lane)
            await bridge.parts.intake.store(one)
    await until(lambda: sum(bridge.parts.clerk.stored.values()) >= streams.PARTITIONS)


async def row3(site: Site, seconds: float) -> Row:
    """From the adapter's call, and from IN's acknowledgment, to the offer in LOG."""
    count = int(RATE * seconds)
    agents = {f"agent{number}": accounts.make_seed() for number in range(ROUTED_AGENTS)}
    acked: dict[str, float] = {}
    whole: list[float] = []
    routed: list[float] = []
    item_of: dict[str, str] = {}
    began: dict[str, float] = {}

    def noticed(news: list[News]) -> None:
        now = time.perf_counter()
        for one in news:
            for fact in one.entry.facts:
                if isinstance(fact, f.Received):
                    item_of[one.name] = fact.item
                elif isinstance(fact, f.Offered) and (item := item_of.pop(one.name, "")) in began:
                    whole.append((now - began[item]) * 1000)
                    # The offer may stand in LOG before the adapter has heard of the acknowledgment.
                    routed.append((now - acked.get(item, now)) * 1000)

    async with running(site, agents, capacity=10 * count) as bridge:
        bridge.parts.follower.listen(noticed)
        for name in agents:
            await bridge.parts.staff.presences.chose(name, "ready")
        subject = await scratch_stream(site.bus, "ack")
        body = codec.encode(await bridge.parts.intake.sealed(envelope("probe", 0)))
        before = await bare_acks(site.bus, subject, count // 2, RATE, body)

        async def one(number: int) -> None:
            item = ids.derived(KIND, KIND, f"r3-{number}")
            began[item] = time.perf_counter()
            await bridge.parts.intake.store(envelope(f"r3-{number}", number))
            acked[item] = time.perf_counter()

        async with asyncio.TaskGroup() as crew:
            await paced(count, RATE, lambda number: crew.create_task(one(number)))
        await until(lambda: len(whole) >= count, timeout_s=30.0 + 4 * seconds)
        after = await bare_acks(site.bus, subject, count // 2, RATE, body)
    raw = before + after
    return Row(
        row=3,
        what=f"in -> routed at {RATE:g} messages/s, every message a first contact",
        checks=tuple(
            by_ratio(f"IN acknowledged -> offer in LOG, p{share:.0f}", percentile(routed, share / 100), "ms",
                     f"one bare JetStream ack, p{share:.0f}", percentile(raw, share / 100), "less", bound)
            for share, bound in ((50.0, 1.5), (99.0, 2.0))
        ),
        more={
            "messages": count,
            "adapter_to_offer_p50_ms": rounded(percentile(whole, 0.5)),
            "adapter_to_offer_p99_ms": rounded(percentile(whole, 0.99)),
            "synced_writes_in_a_row": 3,
        },
    )  # fmt: skip


async def row9(site: Site, seconds: float, agents_count: int = AGENTS) -> Row:
    """From the adapter's call to the row in the agent's terminal (another process), and a bare publish the same way."""
    agents = {f"agent{number}": accounts.make_seed() for number in range(agents_count)}
    names = list(agents)
    count = int(RATE * seconds)
    senders = agents_count * CASES_EACH
    async with running(site, agents, capacity=1000) as bridge:
        await _own_cases(bridge, names, senders)
        async with _terminals(site.broker.url, agents) as terminals:

            def tell(number: int) -> None:
                subject = subjects.view(names[number % agents_count], "bench")
                crew.create_task(bridge.bus.tell(subject, str(time.monotonic_ns()).encode()))

            def store(number: int) -> None:
                text = f"bench {time.monotonic_ns()}"
                crew.create_task(bridge.parts.intake.store(envelope(f"r9-{number}", number % senders, text)))

            async with asyncio.TaskGroup() as crew:
                await paced(count // 2, RATE, tell)
            async with asyncio.TaskGroup() as crew:
                await paced(count, RATE, store)
            await asyncio.sleep(1.0)
            told = await _farewell(terminals)
    return Row(
        row=9,
        what=f"channel in -> agent's terminal at {RATE:g} messages/s over {agents_count} agents",
        checks=tuple(
            by_value(f"adapter -> row in the terminal, p{share:.0f}", percentile(told["rows"], share / 100), "ms",
                     f"bare publish -> receive, p{share:.0f}", percentile(told["bare"], share / 100), bound)
            for share, bound in ((50.0, 15.0), (99.0, 30.0))
        ),
        more={
            "messages": count,
            "arrived": len(told["rows"]),
            "agents": agents_count,
            "cases": senders,
            "not_measured_here": "the paint: see row 9 of agent-tui bench",
        },
    )  # fmt: skip


async def _own_cases(bridge: Bridge, names: Sequence[str], senders: int) -> None:
    """One case a sender, owned in turn by the agents."""
    async with asyncio.TaskGroup() as crew:
        for number in range(senders):
            crew.create_task(bridge.parts.intake.store(envelope(f"own-{number}", number)))
    await until(lambda: bridge.model.count("status = 'queued'") >= senders)

    async def own(conversation: str, agent: str) -> None:
        async with bridge.parts.writer.hold((CONV, conversation)) as cells:
            customer = cells[0].state.customer
            entry = Entry(at_ms=now_ms(), by=agent, facts=(f.Accepted(agent=agent, epoch=1),))
            await bridge.parts.writer.decide(cells, "", lambda: ({0: (entry, customer)}, None))

    async with asyncio.TaskGroup() as crew:
        for number, conversation in enumerate(bridge.model.ids("status = 'queued'", (), senders)):
            crew.create_task(own(conversation, names[number % len(names)]))
    await until(lambda: bridge.model.count("status = 'owned'") >= senders)


@asynccontextmanager
async def _terminals(url: str, agents: dict[str, accounts.Keys]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with the terminals of all agents, each with its own connection and feed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "broker_bridge.daemon.bench.terminals",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=64 * 1024 * 1024,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        said = {"url": url, "agents": {name: keys.seed for name, keys in agents.items()}}
        process.stdin.write(json.dumps(said).encode() + b"\n")
        async with asyncio.timeout(60):
            if await process.stdout.readline() != b"ready\n":
                raise RuntimeError("the terminals did not come up")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _farewell(process: asyncio.subprocess.Process) -> dict[str, list[float]]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"end\n")
    async with asyncio.timeout(30):
        told: dict[str, list[float]] = json.loads(await process.stdout.readline())
    return told
