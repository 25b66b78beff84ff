"""What a list of lines shows: the one shape that inbox, thread, timeline and search results give to the widget.

The law: a source works on lines with an index from line to item, and never touches more lines than it is asked for. All
that the look of a line depends on, except width and mark, is in its stamp; so equal stamps may share one painted line.
"""

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple, Protocol

from agent_tui.model.runs import Line

Mark = Literal["", "mut", "acc"]
"""Whether the cursor is on the item, as the role of its bar: not, in an unfocused pane, in the focused pane."""


class Slot(NamedTuple):
    """One line of a source."""

    item: int
    """Which item it belongs to, from 0; -1 for heads, rules and blank rows, where no cursor stands."""
    stamp: Hashable


NOTHING = Slot(-1, ())


class Source(Protocol):
    """Items of one or more lines. `width` is in cells; lines and items count from 0."""

    def items(self) -> int:
        """How many items there are."""
        ...

    def lines(self, width: int) -> int:
        """How many lines they take; may be an estimate where nothing was measured yet."""
        ...

    def page(self, start: int, count: int, width: int) -> Sequence[Slot]:
        """The lines `start` to `start + count`, fewer at the end."""
        ...

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        """One line of `page`, at most `width` cells."""
        ...

    def span(self, item: int, width: int) -> tuple[int, int]:
        """The first line of an item and how many it has."""
        ...

    def key(self, item: int) -> Hashable:
        """The identity of an item, which outlives its place."""
        ...

    def index(self, key: Hashable) -> int | None:
        """Where the item with this identity stands now."""
        ...

    def settle(self, top: int, height: int, width: int) -> int:
        """Measures what `height` lines from `top` show, and gives the `top` at which the same lines stand now."""
        ...

    def more(self, count: int) -> Line | None:
        """The last line of a view below which `count` items are hidden; None = nothing is said."""
        ...


class Plain:
    """A source of finished lines, an item each: short lists, help, results. A `None` key makes a line no item."""

    def __init__(self, lines: Sequence[tuple[Hashable, Line]], rev: int = 0) -> None:
        """`lines`: (key, line); keys are unique. `rev` changes when any line does."""
        self._lines = lines
        self._rev = rev
        self._items = [at for at, (key, _) in enumerate(lines) if key is not None]
        self._place = {lines[at][0]: item for item, at in enumerate(self._items)}

    def items(self) -> int:
        return len(self._items)

    def lines(self, width: int) -> int:
        return len(self._lines)

    def page(self, start: int, count: int, width: int) -> Sequence[Slot]:
        stop = min(start + count, len(self._lines))
        return [Slot(self._place.get(self._lines[at][0], -1), (self._rev, at)) for at in range(start, stop)]

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        assert isinstance(slot.stamp, tuple)
        line = self._lines[slot.stamp[1]][1]
        return line._replace(ground="sel") if mark else line

    def span(self, item: int, width: int) -> tuple[int, int]:
        return self._items[item], 1

    def key(self, item: int) -> Hashable:
        return self._lines[self._items[item]][0]

    def index(self, key: Hashable) -> int | None:
        return self._place.get(key)

    def settle(self, top: int, height: int, width: int) -> int:
        return top

    def more(self, count: int) -> Line | None:
        return None


EMPTY = Plain(())
