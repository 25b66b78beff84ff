"""Who sits where: a colleague's script works at a seat until a person sits down there, and comes back when they are gone.

Law: at one seat either the script works or a person. Who leaves a seat, in whichever way, leaves it empty for a while: what a
vanished terminal does to its work can be watched. One script dies once, as a terminal dies: without a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_tui.demo.colleagues import Colleague
from agent_tui.demo.places import Place
from agent_tui.demo.rules import GRACE_S

LOOK_S = 0.5
SILENT_S = 30.0
"""So long after its last word a terminal counts as gone."""
EMPTY_S = SILENT_S + GRACE_S + 30.0
"""Not shortened by any pace: the bridge's clock is not shortened either."""
DIES_AFTER_S = 75.0
LEAST_DIES_AFTER_S = 12.0
"""However fast everybody else lives: a short demo has mails answered too."""


class Seat:
    """One colleague's chair. `run` must be running."""

    def __init__(self, place: Place, agent: str, sit: Callable[[], Colleague], *, dies: bool, pace: float) -> None:
        """`sit`: the script, anew each time. `dies`: its terminal vanishes once, over a customer who waits."""
        self._place = place
        self._agent = agent
        self._sit = sit
        self._dies = dies
        self._pace = pace
        self.sat: list[Colleague] = []
        """Everybody who has worked here; the last one may still do."""
        self.deaths = 0

    async def run(self) -> None:
        """Until cancelled."""
        empty_s = 0.0
        while True:
            await asyncio.sleep(LOOK_S)
            if self._place.is_taken(self._agent):
                empty_s = EMPTY_S
                continue
            empty_s -= LOOK_S
            if empty_s <= 0:
                await self._work()
                empty_s = EMPTY_S

    async def _work(self) -> None:
        """Until a person comes, or the terminal dies."""
        loop = asyncio.get_running_loop()
        colleague = self._sit()
        self.sat.append(colleague)
        lives_s = max(LEAST_DIES_AFTER_S, DIES_AFTER_S * self._pace)
        dies_s = loop.time() + lives_s if self._dies and not self.deaths else None
        working = asyncio.ensure_future(colleague.run())
        try:
            while not self._place.is_taken(self._agent):
                done, _ = await asyncio.wait([working], timeout=LOOK_S)
                if done:
                    await working  # a script that fails is a fault of the demo
                if dies_s is not None and loop.time() >= dies_s and _is_awaited(colleague):
                    self.deaths += 1
                    return
        finally:
            working.cancel()
            await asyncio.wait([working])


def _is_awaited(colleague: Colleague) -> bool:
    """A customer waits for their answer."""
    rows = colleague.state.rows.values()
    return any(row.state == "mine" and row.waiting_since_ms is not None for row in rows)
