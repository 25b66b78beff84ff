"""Bugs that the simulation found, each with the smallest story that shows it. The seeds are those of the day they were found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.daemon.states import CONV
from broker_bridge.daemon.wire import Outgoing, Stored
from tests.daemon.small_house import NOW_MS, Log, Small
from tests.until import until


class SlowLog(Log):
    """A log whose first batch takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go = asyncio.Event()
        self.batches: list[list[str]] = []

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = 10.0) -> Stored:
        self.batches.append([msg.subject for msg in msgs])
        await self.may_go.wait()
        return await super().publish_batch(msgs)


def _noted(message: str) -> tuple[dict[int, tuple[Entry, str]], None]:
    return {0: (Entry(at_ms=NOW_MS, by="test", facts=(f.Noted(message=message, agent="a"),)), "")}, None


async def test_a_decision_whose_decider_was_stopped_is_not_written_beside_the_next_one() -> None:
    """Seed 87: a lane was lost while its decisions waited behind a slow batch; the next holder decided the same items again."""
    log = SlowLog()
    small = Small(log=log)
    small.enroll("ann")
    writing = asyncio.create_task(small.writer.run())

    async def note(case: str, message: str) -> None:
        async with small.writer.hold((CONV, case)) as cells:
            await small.writer.decide(cells, "", lambda: _noted(message))

    other = asyncio.create_task(note("other", "m0"))
    await until(lambda: log.batches)
    first = asyncio.create_task(note("case", "m1"))
    await until(lambda: small.writer.has_work)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    second = asyncio.create_task(note("case", "m1"))
    log.may_go.set()
    await asyncio.gather(other, second)
    writing.cancel()
    written = [item for item in log.items if item.subject == "cc.log.conv.case"]
    assert len(written) == 1
