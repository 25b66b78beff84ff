"""Which rows the inbox shows: the chosen view of the desk's rows, arranged by urgency.

The law: a row changes its group only while the cursor is elsewhere, or after 3 s; so what an agent is about to press stays put.
A large view is arranged anew seldom, in proportion to what that costs; its rows are always the newest all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import overload

from agent_tui.model import rows
from agent_tui.model.inbox import Inbox
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Rows
from broker_bridge.contract.views import Row, RowPage

HOLD_MS = 3_000
PAGE = 200
NEAR_END = 60
"""Rows before the end of what was fetched: time for the next page."""
LARGE = 2_000
"""From so many rows on a view is arranged at most once a second, and never for more than a twentieth of the time."""
STATES = {"mine": frozenset(("ringing", "mine", "consult", "wrap_up", "snoozed")), "queue": frozenset(("queued",))}


class Living(Sequence[Row]):
    """Rows of a group by their ids: each look gives the newest one."""

    def __init__(self, members: list[Row], known: Mapping[str, Row]) -> None:
        self._members = members
        self._known = known

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self._members)))]
        row = self._members[index]
        return self._known.get(row.conv, row)


class Listing:
    """The view and what it holds."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.view = "mine"
        self.found: tuple[Row, ...] = ()
        """Rows of a search, in its order, while `view` is `found`."""
        self.source = Inbox((), place.at())
        self.total = 0
        """Rows of the view on the bridge, as far as it said."""
        self._others: dict[str, Row] = {}
        self._held: dict[str, tuple[str, int]] = {}
        self._stood: dict[str, str] = {}
        self._arranged_s = 0.0
        self._cost_s = 0.0
        self._shape: tuple[object, ...] = ()

    def choose(self, view: str) -> None:
        """`mine`, `queue`, `all` or `found`."""
        self.view = view
        self.total = 0
        self._others.clear()
        self._held.clear()
        self._stood.clear()
        self._arranged_s = 0.0

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
        members = [row for row in known.values() if row.state in states]
        if self.view == "queue":
            members += [row for conv, row in self._others.items() if conv not in known and row.state in states]
        return members

    def has_work(self) -> bool:
        """Something other than sleeping rows is in the view."""
        last = self.source.items() - 1
        return last >= 0 and any(self.source.group_of(item) != "snoozed" for item in (0, last))

    def arranged(self, cursor: str | None, screen_rows: int) -> Inbox:
        """The source for the list at this moment."""
        at = self._place.at()
        is_airy = screen_rows >= 30
        shape = (self.view, is_airy, at.glyphs.ascii, at.has_link)
        began_s = perf_counter()
        is_large = self.source.items() > LARGE
        pause_s = max(1.0, 20 * self._cost_s)
        if is_large and shape == self._shape and began_s - self._arranged_s < pause_s:
            self.source.tick(at)
            return self.source
        self._shape = shape
        members = self.rows()
        groups = rows.arrange(members, at.now_ms, self._hold(cursor, at.now_ms))
        if len(members) > LARGE:
            known = self._place.state.rows
            self.source = Inbox([(name, Living(found, known)) for name, found in groups], at, is_airy=is_airy)
            self._stood = {}
        else:
            self._stood = {row.conv: name for name, found in groups for row in found}
            self.source = Inbox(groups, at, is_airy=is_airy)
        self._arranged_s = perf_counter()
        self._cost_s = self._arranged_s - began_s
        return self.source

    def _hold(self, cursor: str | None, now_ms: int) -> dict[str, str]:
        """The cursor's row in the group where it stood, for at most 3 s."""
        stood = self._stood.get(cursor) if cursor is not None else None
        row = self.row(cursor) if cursor is not None and stood is not None else None
        if cursor is None or stood is None or row is None or rows.group(row, now_ms) == stood:
            self._held.clear()
            return {}
        _, since_ms = self._held.setdefault(cursor, (stood, now_ms))
        return {cursor: stood} if now_ms - since_ms < HOLD_MS else {}

    def wants_more(self, item: int) -> bool:
        """The cursor is near the end of what was fetched, and the bridge has more."""
        return (
            self.view in ("all", "queue")
            and item >= self.source.items() - NEAR_END
            and len(self._others) < self.total
            and self._place.is_up
        )

    async def fetch(self, *, more: bool = False) -> bool:
        """A page of a view that the feed does not carry whole; true if it brought rows."""
        view = self.view
        if view not in ("all", "queue"):
            return False
        start = len(self._others) if more else 0
        answer = await self._place.ask(Rows(view=view, start=start, limit=PAGE))
        if not isinstance(answer, RowPage) or view != self.view:
            return False
        self.total = answer.total
        self._others |= {row.conv: row for row in answer.rows}
        return bool(answer.rows)
