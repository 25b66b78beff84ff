"""Row 12: a bridge with many open conversations: its memory, and how long it takes to be there again."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.policy import DeskRules
from broker_bridge.contract.words import Words
from broker_bridge.core.thread import Named
from broker_bridge.daemon.bench.figures import Row, by_value, resident_bytes, rounded
from broker_bridge.daemon.bench.site import KIND, Site, envelope, now_ms
from broker_bridge.daemon.bus import Outgoing
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.presence import Presences
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import States

GROUP = 500
TAIL = 200
"""Entries that came after the read model was last written."""


async def row12(site: Site, count: int) -> Row:
    """Restart from read model and tail, against reading the same stream in order and nothing else."""
    sealer = Sealer(os.urandom(32), await site.bus.kv("keys"))
    await _fill(site, sealer, count)
    before = resident_bytes()
    replay_s = await _replayed(site)
    path = site.folder / "readmodel.sqlite"
    built_s, _ = await _caught_up(site, sealer, path)
    await _fill(site, sealer, TAIL)
    restart_s, resident = await _caught_up(site, sealer, path)
    return Row(
        row=12,
        what=f"bridge restart with {count:,} open conversations",
        checks=(
            by_value(
                f"read model + tail of {TAIL}, floor loaded", restart_s, "s", "ordered replay of the same stream",
                replay_s, 1.0,
            ),
        ),
        more={
            "open_conversations": count,
            "resident_mb": rounded(resident / 1e6),
            "resident_mb_before": rounded(before / 1e6),
            "first_read_model_s": rounded(built_s),
            "read_model_mb": rounded(path.stat().st_size / 1e6),
        },
    )  # fmt: skip


async def _fill(site: Site, sealer: Sealer, count: int) -> None:
    """Open conversations, one entry each, under one data key: what a clerk would write, without its work."""
    mint = ids.Mint(1, now_ms())
    msgs = []
    for number in range(count):
        item = envelope(f"n{number}", number).item
        words = Words(text=item.words.text, name=item.sender.name, address=item.sender.address)
        handle, conversation = ids.derived("hand", str(number)), mint.new(now_ms())
        entry = Entry(
            at_ms=now_ms(),
            by="clerk",
            facts=(
                f.Opened(
                    customer="c1", handle=handle, channel=KIND, channel_kind=KIND, queue="inbox", reply_within_s=3600
                ),
                f.Received(
                    message=mint.new(now_ms()), item=conversation, handle=handle, channel=KIND, channel_kind=KIND,
                    words=words,
                ),
                f.Queued(queue="inbox"),
            ),
        )  # fmt: skip
        sealed = await sealer.seal_entry(entry, "c1")
        msgs.append(Outgoing(subjects.log("conv", conversation), codec.encode(sealed)))
        if len(msgs) == GROUP or number == count - 1:
            await site.bus.publish_batch(msgs, timeout_s=60.0)
            msgs = []


async def _replayed(site: Site) -> float:
    began = time.perf_counter()
    reader = await site.bus.follow("LOG", 1)
    while reader.pending:
        await reader.some()
    took_s = time.perf_counter() - began
    await reader.close()
    return took_s


class Unused:
    """No presence is kept here."""

    async def get(self, key: str) -> tuple[bytes, int] | None:
        return None

    async def create(self, key: str, value: bytes) -> int:
        raise LookupError(key)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        raise LookupError(key)


async def _caught_up(site: Site, sealer: Sealer, path: Path) -> tuple[float, int]:
    """Seconds from opening the read model to a bridge that knows everything, and its memory then."""
    began = time.perf_counter()
    model = ReadModel(path)
    states = States(model, sealer, site.bus)
    follower = Follower(model, states, sealer, Named(agent=lambda agent: agent, word=lambda kind: kind[:4]))
    reader = await site.bus.follow("LOG", follower.position + 1)
    async with asyncio.timeout(600):
        while reader.pending:
            await follower.apply(list(await reader.some()))
    rulebook = Rulebook(states, model, {}, DeskRules())
    staff = Staff(states, model, Presences(Unused(), lambda: 0, asyncio.sleep), lambda: 0)
    staff.load()
    rulebook.load()
    floor = Floor(rulebook, staff)
    floor.load_all(model, states)
    took_s, resident = time.perf_counter() - began, resident_bytes()
    await reader.close()
    model.close()
    return took_s, resident
