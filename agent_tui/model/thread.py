"""A conversation's thread as a source of lines: only what is in sight is ever wrapped.

The law: an item that was not yet seen counts with an estimated height. When it is measured, the lines in sight stay where
they are: what stands below the first known item keeps its place, and a view at the end stays at the end.
"""

from collections.abc import Hashable, Iterable, Sequence

from agent_tui.model import clock, thread_lines
from agent_tui.model.rows import Moment
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.source import Mark, Slot
from agent_tui.model.thread_lines import Keys, Place
from broker_bridge.contract.views import Item

ESTIMATE = 4
"""Lines of an item that was not measured."""
_BLOCK = 256
_MAX_CACHED = 2_048


class Thread:
    """The items of one conversation, oldest first."""

    def __init__(
        self,
        items: Sequence[Item],
        at: Moment,
        *,
        seen: int = 0,
        typing: tuple[str, ...] = (),
        has_more: bool = False,
        unfolded: Iterable[str] = (),
        keys: Keys = Keys(),  # noqa: B008
    ) -> None:
        """`seen`: items of the customer above this sequence are new. `unfolded`: ids of items with their quotes open."""
        self.at = at
        self._items = items
        self._keys = keys
        self._unfolded = frozenset(unfolded)
        self._new = _first_new(items, seen)
        self._head = 1 if has_more else 0
        self._tail: tuple[Line, ...] = (BLANK, thread_lines.typing(typing, at)) if typing else ()
        self._cells = -1
        self._heights: list[int] = []
        self._is_measured = bytearray()
        self._sums: list[int] = []
        self._places: dict[Hashable, int] | None = None
        self._cache: dict[tuple[str, int, Place], tuple[int, tuple[Line, ...]]] = {}

    def updated(
        self, items: Sequence[Item], at: Moment, *, seen: int, typing: tuple[str, ...] = (), has_more: bool = False,
        unfolded: Iterable[str] = (), keys: Keys | None = None,
    ) -> "Thread":  # fmt: skip
        """The same conversation with other items: what was wrapped already is kept."""
        keys = keys or self._keys
        thread = Thread(items, at, seen=seen, typing=typing, has_more=has_more, unfolded=unfolded, keys=keys)
        if (at.tz, at.glyphs) == (self.at.tz, self.at.glyphs) and keys == self._keys:
            thread._cache = self._cache
        return thread

    def item(self, index: int) -> Item:
        """The item at a place."""
        return self._items[index]

    def items(self) -> int:
        return len(self._items)

    def lines(self, width: int) -> int:
        self._fit(width)
        return self._head + sum(self._sums) + len(self._tail)

    def page(self, start: int, count: int, width: int) -> Sequence[Slot]:
        self._fit(width)
        slots: list[Slot] = []
        if start < self._head:
            slots.append(Slot(-1, ("older",)))
        item, offset = self._find(max(start, self._head))
        while item < len(self._items) and len(slots) < count:
            slots.extend(self._slots(item)[offset : offset + count - len(slots)])
            item, offset = item + 1, 0
        first = start + len(slots) - (self._head + sum(self._sums))
        for at in range(max(0, first), len(self._tail)):
            if len(slots) < count:
                slots.append(Slot(-1, ("tail", at, self._tail[at])))
        return slots

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        stamp = slot.stamp
        assert isinstance(stamp, tuple)
        if stamp[0] == "older":
            return line(Run(f"   {self.at.glyphs.above} older", "mut"))
        if stamp[0] == "tail":
            return self._tail[stamp[1]]
        found = self._line(*stamp)
        if found.ground == "rule":
            run = found.runs[0]
            color = "rule" if run.role == "mut" else run.role
            return thread_lines.rule(run.text, width, self.at.glyphs, color, run.role, run.flags)
        if mark == "acc" and found.runs and found.runs[0].text.startswith(" "):
            first = found.runs[0]
            return found._replace(
                runs=(Run(self.at.glyphs.bar, "acc"), first._replace(text=first.text[1:]), *found.runs[1:])
            )
        return found

    def span(self, item: int, width: int) -> tuple[int, int]:
        self._fit(width)
        lead = self._made(item, self._place(item))[0] if self._is_measured[item] else 0
        return self._offset(item) + lead, self._heights[item] - lead

    def key(self, item: int) -> Hashable:
        return self._items[item].id

    def index(self, key: Hashable) -> int | None:
        if self._items and self._items[-1].id == key:
            return len(self._items) - 1
        if self._places is None:
            self._places = {item.id: place for place, item in enumerate(self._items)}
        return self._places.get(key)

    def settle(self, top: int, height: int, width: int) -> int:
        self._fit(width)
        if top + height >= self.lines(width):
            self._measure_end(height)
            return max(0, self.lines(width) - height)
        while True:
            first, last = self._find(top)[0], min(self._find(top + height - 1)[0], len(self._items) - 1)
            unknown = [item for item in range(first, last + 1) if not self._is_measured[item]]
            if not unknown:
                return top
            anchor = next((item for item in range(first, last + 1) if self._is_measured[item]), first)
            for item in unknown:
                grown = self._measure(item)
                top = max(0, top + grown) if item < anchor else top

    def more(self, count: int) -> Line | None:
        return None

    def _measure_end(self, height: int) -> None:
        covered = len(self._tail)
        for item in range(len(self._items) - 1, -1, -1):
            if covered >= height:
                return
            self._measure(item)
            covered += self._heights[item]

    def _fit(self, cells: int) -> None:
        """Forgets every height when the width is another."""
        if cells == self._cells:
            return
        count = len(self._items)
        self._cells = cells
        self._heights = [ESTIMATE] * count
        self._is_measured = bytearray(count)
        full, rest = divmod(count, _BLOCK)
        self._sums = [ESTIMATE * _BLOCK] * full + ([ESTIMATE * rest] if rest else [])

    def _measure(self, item: int) -> int:
        """Wraps the item and gives by how many lines the estimate was short."""
        if self._is_measured[item]:
            return 0
        height = len(self._made(item, self._place(item))[1])
        grown = height - self._heights[item]
        self._heights[item] = height
        self._is_measured[item] = 1
        self._sums[item // _BLOCK] += grown
        return grown

    def _offset(self, item: int) -> int:
        block = item // _BLOCK
        return self._head + sum(self._sums[:block]) + sum(self._heights[block * _BLOCK : item])

    def _find(self, at: int) -> tuple[int, int]:
        """The item that holds a line, and which of its lines that is; past the end, the number of items."""
        at -= self._head
        block = 0
        while block < len(self._sums) and at >= self._sums[block]:
            at -= self._sums[block]
            block += 1
        item = block * _BLOCK
        while item < len(self._items) and at >= self._heights[item]:
            at -= self._heights[item]
            item += 1
        return item, max(0, at)

    def _slots(self, item: int) -> list[Slot]:
        self._measure(item)
        place = self._place(item)
        lead, lines = self._made(item, place)
        found = self._items[item]
        return [Slot(item if at >= lead else -1, (found.id, found.rev, place, at)) for at in range(len(lines))]

    def _line(self, id: str, rev: int, place: Place, at: int) -> Line:
        made = self._cache.get((id, rev, place))
        if made is None:
            item = self.index(id)
            made = self._made(item, place) if item is not None else (0, ())
        return made[1][at] if at < len(made[1]) else BLANK

    def _made(self, item: int, place: Place) -> tuple[int, tuple[Line, ...]]:
        """How many lines lead the item, and all its lines."""
        found = self._items[item]
        key = (found.id, found.rev, place)
        made = self._cache.get(key)
        if made is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            lead = thread_lines.leading(place)
            made = (len(lead), lead + thread_lines.body(found, place, self.at, self._keys))
            self._cache[key] = made
        return made

    def _place(self, item: int) -> Place:
        found = self._items[item]
        before = self._items[item - 1] if item else None
        at, tz = self.at.now_ms, self.at.tz
        is_other_day = before is None or clock.local(before.at_ms, tz).date() != clock.local(found.at_ms, tz).date()
        new = self._new[1] if item == self._new[0] else 0
        is_alone = before is None or is_other_day or bool(new)
        return Place(
            cells=self._cells,
            day=clock.day(found.at_ms, at, tz) if is_other_day else "",
            new=new,
            is_first=before is None,
            is_shared=not is_alone and before is not None and thread_lines.shares_header(before, found),
            is_event_run=before is not None and thread_lines.is_event(before) and thread_lines.is_event(found),
            is_unfolded=found.id in self._unfolded,
        )


def _first_new(items: Sequence[Item], seen: int) -> tuple[int, int]:
    """The first item of the customer that is new, and how many there are; (-1, 0) if none."""
    first, count = -1, 0
    for place in range(len(items) - 1, -1, -1):
        if items[place].seq <= seen:
            break
        if items[place].kind == "them":
            first, count = place, count + 1
    return first, count
