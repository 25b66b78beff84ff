"""Which rows the inbox shows: the chosen view of the desk's rows, arranged by urgency.

The law: a row changes its group only while the cursor is elsewhere, or after 3 s; so what an agent is about to press stays put.
"""

from __future__ import annotations

from agent_tui.model import rows
from agent_tui.model.inbox import Inbox
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Rows
from broker_bridge.contract.views import Row, RowPage

HOLD_MS = 3_000
PAGE = 200
STATES = {"mine": frozenset(("ringing", "mine", "snoozed")), "queue": frozenset(("queued",))}


class Listing:
    """The view and what it holds."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.view = "mine"
        self.found: tuple[Row, ...] = ()
        """Rows of a search, in its order, while `view` is `found`."""
        self.source = Inbox((), place.at())
        self._others: dict[str, Row] = {}
        self._held: dict[str, tuple[str, int]] = {}
        self._stood: dict[str, str] = {}

    def choose(self, view: str) -> None:
        """`mine`, `queue`, `all` or `found`."""
        self.view = view
        self._held.clear()
        self._stood.clear()

    def row(self, conv: str) -> Row | None:
        """What is known of a conversation: the feed's row goes before a page's."""
        return self._place.state.rows.get(conv) or self._others.get(conv) or self._found(conv)

    def _found(self, conv: str) -> Row | None:
        return next((row for row in self.found if row.conv == conv), None)

    def rows(self) -> list[Row]:
        """The rows of the view, not arranged."""
        known = self._place.state.rows
        if self.view == "found":
            return [known.get(row.conv, row) for row in self.found]
        if self.view == "all":
            return [*known.values(), *(row for conv, row in self._others.items() if conv not in known)]
        states = STATES[self.view]
        return [row for row in known.values() if row.state in states]

    def arranged(self, cursor: str | None, screen_rows: int) -> Inbox:
        """The source for the list at this moment."""
        at = self._place.at()
        members = self.rows()
        groups = rows.arrange(members, at.now_ms, self._hold(members, cursor, at.now_ms))
        self._stood = {row.conv: name for name, found in groups for row in found}
        self.source = Inbox(groups, at, is_airy=screen_rows >= 30)
        return self.source

    def _hold(self, members: list[Row], cursor: str | None, now_ms: int) -> dict[str, str]:
        """The cursor's row in the group where it stood, for at most 3 s."""
        stood = self._stood.get(cursor) if cursor is not None else None
        row = next((row for row in members if row.conv == cursor), None) if stood is not None else None
        if cursor is None or stood is None or row is None or rows.group(row, now_ms) == stood:
            self._held.clear()
            return {}
        _, since_ms = self._held.setdefault(cursor, (stood, now_ms))
        return {cursor: stood} if now_ms - since_ms < HOLD_MS else {}

    async def fetch(self, start: int = 0) -> bool:
        """A page of a view that the feed does not carry whole; true if it brought rows."""
        if self.view not in ("all", "queue"):
            return False
        answer = await self._place.ask(Rows(view=self.view, start=start, limit=PAGE))
        if not isinstance(answer, RowPage):
            return False
        self._others |= {row.conv: row for row in answer.rows}
        return bool(answer.rows)
