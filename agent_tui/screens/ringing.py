"""Which conversations ring for this agent, and which of them is shown as the offer.

The law: what rings is kept aside as it changes: a key press must not look at every row.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Row


class Ringing:
    """Kept up to date by whoever hears of changed rows."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._ringing: set[str] = set()
        self.put_away: set[str] = set()
        """Offers whose card was put away; they stay in the list."""

    def note(self, conversations: Iterable[str]) -> None:
        """These rows may have begun or ceased to ring."""
        known = self._place.state.rows
        for conv in conversations:
            row = known.get(conv)
            if row is not None and row.state == "ringing":
                self._ringing.add(conv)
            else:
                self._ringing.discard(conv)
                self.put_away.discard(conv)

    def offer(self) -> Row | None:
        """The one with least time left, unless it was put away."""
        now_ms, known = self._place.now_ms(), self._place.state.rows
        ringing = [known[conv] for conv in self._ringing - self.put_away if conv in known]
        ringing = [row for row in ringing if row.state == "ringing" and (row.offer_until_ms or 0) > now_ms]
        return min(ringing, key=lambda row: row.offer_until_ms or 0, default=None)
