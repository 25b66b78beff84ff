"""The inbox as a source of lines: groups of two-line rows, of which only those in sight are ever looked at."""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from agent_tui.model import rows
from agent_tui.model.rows import Moment
from agent_tui.model.runs import BLANK, Line
from agent_tui.model.source import Mark, Slot
from broker_bridge.contract.views import Row

_BLANK = Slot(-1, ("blank",))


class _Group(NamedTuple):
    name: str
    rows: Sequence[Row]
    first_item: int
    first_line: int
    """Of its head; the rows follow, then a blank line if the inbox is airy."""


class Inbox:
    """Groups of rows. The rows may be any sequence: one that fetches by page is as good as a list."""

    def __init__(self, groups: Sequence[tuple[str, Sequence[Row]]], at: Moment, *, is_airy: bool = True) -> None:
        """`groups`: from `rows.arrange`. `is_airy`: a blank line between groups (dropped under 30 rows of screen)."""
        self.at = at
        self._gap = 1 if is_airy else 0
        self._groups: list[_Group] = []
        self._places: dict[Hashable, int] | None = None
        item = at_line = 0
        for name, members in groups:
            self._groups.append(_Group(name, members, item, at_line))
            item += len(members)
            at_line += 1 + 2 * len(members) + self._gap
        self._items = item
        self._lines = max(0, at_line - self._gap)
        self._starts = [group.first_line for group in self._groups]
        self._firsts = [group.first_item for group in self._groups]

    def tick(self, at: Moment) -> None:
        """Another moment for the same rows: only clocks change."""
        self.at = at

    def row(self, item: int) -> Row:
        """The row of an item."""
        group = self._groups[bisect_right(self._firsts, item) - 1]
        return group.rows[item - group.first_item]

    def group_of(self, item: int) -> str:
        """The name of the group in which an item stands."""
        return self._groups[bisect_right(self._firsts, item) - 1].name

    def items(self) -> int:
        return self._items

    def lines(self, width: int) -> int:
        return self._lines

    def page(self, start: int, count: int, width: int) -> Sequence[Slot]:
        return [self._slot(at) for at in range(start, min(start + count, self._lines))]

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        stamp = slot.stamp
        assert isinstance(stamp, tuple)
        if slot.item >= 0:
            paint = rows.second_line if stamp[0] else rows.first_line
            return paint(self.row(slot.item), width, mark, self.at)
        if stamp[0] == "head":
            return rows.head(stamp[1], stamp[2], self.at)
        return BLANK

    def span(self, item: int, width: int) -> tuple[int, int]:
        group = self._groups[bisect_right(self._firsts, item) - 1]
        return group.first_line + 1 + 2 * (item - group.first_item), 2

    def key(self, item: int) -> Hashable:
        return self.row(item).conv

    def index(self, key: Hashable) -> int | None:
        if self._places is None:
            # Built when somebody asks: an inbox of a million rows that only scrolls never pays for it.
            convs = (row.conv for group in self._groups for row in group.rows)
            self._places = {conv: item for item, conv in enumerate(convs)}
        return self._places.get(key)

    def settle(self, top: int, height: int, width: int) -> int:
        return top

    def more(self, count: int) -> Line | None:
        return rows.more(count, self.at)

    def _slot(self, at: int) -> Slot:
        group = self._groups[bisect_right(self._starts, at) - 1]
        inside = at - group.first_line - 1
        if inside < 0:
            return Slot(-1, ("head", group.name, len(group.rows), self.at.has_link))
        if inside >= 2 * len(group.rows):
            return _BLANK
        row = group.rows[inside // 2]
        return Slot(group.first_item + inside // 2, (inside % 2, *rows.stamp(row, self.at)))
