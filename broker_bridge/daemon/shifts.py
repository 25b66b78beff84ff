"""Comings and goings of colleagues as facts: for reports, for `why`, and to route a day again by other rules.

Law: only changes are facts; a heartbeat is not. A fact that could not be written is logged and given up: presence itself is in its bucket.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId
from broker_bridge.core.shift import Shift
from broker_bridge.daemon.logwriter import Blocked, LogWriter, Overloaded
from broker_bridge.daemon.states import SHIFT
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)


class Shifts:
    """One for each bridge."""

    def __init__(self, writer: LogWriter, now_ms: Callable[[], int]) -> None:
        self._writer = writer
        self._now_ms = now_ms

    async def note(
        self, agent: AgentId, state: str, reason: str = "", until_ms: int | None = None, by: AgentId = ""
    ) -> None:
        """Somebody came, went, or does something else now; what the log says already is not said again."""
        async with self._writer.hold((SHIFT, agent)) as cells:

            def decision() -> tuple[dict[int, tuple[Entry, str]], None]:
                known: Shift = cells[0].state
                if (known.state, known.reason, known.until_ms) == (state, reason, until_ms):
                    return {}, None
                fact = f.PresenceSet(state=state, reason=reason, until_ms=until_ms, by=by)
                who = f"agent:{by}" if by else f"agent:{agent}"
                return {0: (Entry(at_ms=self._now_ms(), by=who, facts=(fact,)), "")}, None

            try:
                await self._writer.decide(cells, "", decision)
            except (Blocked, Overloaded, BusError) as error:
                log.warning("presence not in the log", extra={"agent": agent, "error": type(error).__name__})
