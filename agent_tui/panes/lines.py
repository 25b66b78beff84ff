"""The one list of the window: inbox, thread, timeline, profile and search results are this widget over a source.

The law: it asks its source for the lines in sight and no others, keeps one strip per (stamp, mark), and repaints only
lines whose stamp or mark changed. The cursor stands on an item, not on a line: when the list changes, it stays with the item,
and the list does not shift under it. Nothing is animated.
"""

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from agent_tui.model.source import EMPTY, NOTHING, Mark, Slot, Source
from agent_tui.strips import COUNT, Strips

_WHEEL_LINES = 3
_NEAR = 16
"""Items around the cursor's old place in which it is looked for first (indexing a million rows takes 0.8 s)."""


class LineList(Widget, can_focus=True):
    """Lines of a source, with a cursor on one of its items."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    LineList { width: 1fr; height: 1fr; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("g,home", "first", "first", show=False),
        Binding("G,end", "last", "last", show=False),
        Binding("enter", "pick", "open", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another item."""

        def __init__(self, lines: "LineList", key: Hashable) -> None:
            super().__init__()
            self.lines = lines
            self.key = key

        @property
        def control(self) -> "LineList":
            return self.lines

    class Picked(Moved):
        """The item under the cursor was opened by `enter` or a click on it."""

    class ReachedTop(Message):
        """The view came near the first line: older items may be wanted."""

        def __init__(self, lines: "LineList") -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> "LineList":
            return self.lines

    def __init__(
        self,
        source: Source = EMPTY,
        *,
        has_cursor: bool = True,
        follows_end: bool = False,
        ground: str = "bg",
        is_quiet: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`follows_end`: stays at the last line when lines are added, as long as it stood there (a thread).
        `is_quiet`: shows its cursor only while it has the focus (profile, timeline).
        """
        super().__init__(id=id, classes=classes)
        self._source = source
        self._has_cursor = has_cursor
        self._follows_end = follows_end
        self._strips = Strips(ground)
        self._is_quiet = is_quiet
        self._width = 0
        self._top = 0
        self._item = -1
        self._cursor: Hashable = None
        self._offset = 0
        self._is_at_end = follows_end
        self._painted: list[tuple[Hashable, Mark]] = []

    # What others ask and tell it.

    @property
    def source(self) -> Source:
        """What is shown."""
        return self._source

    @property
    def cursor(self) -> Hashable:
        """Identity of the item under the cursor; None = there is none."""
        return self._cursor

    @property
    def top(self) -> int:
        """The first line in sight."""
        return self._top

    @property
    def cursor_item(self) -> int:
        """Place of the item under the cursor, -1 = none."""
        return self._item

    def show(self, source: Source, *, cursor: Hashable = None, from_start: bool = False) -> None:
        """Shows another source, or the same one after it changed. The cursor stays with its item, or goes to `cursor`.

        `from_start`: forget where the view and the cursor stood (another conversation was opened).
        """
        self._source = source
        if from_start:
            self._strips.forget()
            self._painted = []
            self._top, self._item, self._cursor, self._is_at_end = 0, -1, None, self._follows_end
        if cursor is not None:
            self._cursor = cursor
            self._is_at_end = False
        self._sync(reveal=cursor is not None or from_start)

    def changed(self) -> None:
        """The source has other lines, or its clocks ticked: only what differs is painted."""
        self._sync(reveal=False)

    def select(self, key: Hashable) -> bool:
        """Puts the cursor on the item `key` and into sight. False = there is no such item."""
        item = self._source.index(key)
        if item is None:
            return False
        self._put(item)
        return True

    def scroll_to_line(self, line: int) -> None:
        """Shows from `line`, as far as there are lines below."""
        self._view_from(line)
        self._repaint()

    # Keys and mouse.

    def action_move(self, by: int) -> None:
        """One item on or back; a tall item is read to its end first."""
        if not self._has_cursor or self._item < 0:
            self.scroll_to_line(self._top + by)
            return
        first, count = self._source.span(self._item, self._width)
        bottom = self._top + self._room()
        if count > self._room() and ((by > 0 and first + count > bottom) or (by < 0 and first < self._top)):
            self.scroll_to_line(self._top + by * max(1, self._room() // 2))
            return
        self._put(self._item + by)

    def action_page(self, by: int) -> None:
        """One view on or back."""
        height = max(1, self._room() - 1)
        if not self._has_cursor or self._item < 0:
            self.scroll_to_line(self._top + by * height)
            return
        line = self._source.span(self._item, self._width)[0] + by * height
        self._view_from(self._top + by * height)
        self._put(self._item_near(line, by))

    def action_first(self) -> None:
        """To the first item."""
        self._view_from(0)
        self._put(0)

    def action_last(self) -> None:
        """To the last item."""
        self._view_from(self._source.lines(self._width))
        self._put(self._source.items() - 1)

    def action_pick(self) -> None:
        """Opens the item under the cursor."""
        if self._item >= 0:
            self.post_message(self.Picked(self, self._cursor))

    def on_click(self, event: events.Click) -> None:
        slots = self._source.page(self._top + event.y, 1, self._width)
        if not self._has_cursor or not slots or slots[0].item < 0:
            return
        if slots[0].item == self._item:
            self.action_pick()
        else:
            self._put(slots[0].item)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_to_line(self._top + _WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_to_line(self._top - _WHEEL_LINES)

    def on_focus(self) -> None:
        self._repaint()

    def on_blur(self) -> None:
        self._repaint()

    def on_resize(self) -> None:
        self._width = self.size.width
        self._strips.forget()
        self._painted = []
        self._sync(reveal=True)
        self.refresh()

    def on_mount(self) -> None:
        self._strips.wear(self.app.theme)
        self.app.theme_changed_signal.subscribe(self, self._on_theme)

    def _on_theme(self, _: object) -> None:
        self.wear()

    def wear(self) -> None:
        """Every line in the colors of the theme that is chosen now."""
        self._strips.wear(self.app.theme)
        self._painted = []
        self.refresh()

    # Where the cursor and the view stand.

    def _sync(self, *, reveal: bool) -> None:
        if not self._width:
            return
        items = self._source.items()
        before = self._item
        found = self._found(before, items)
        if found is None and self._has_cursor and items:
            start = items - 1 if self._follows_end and before < 0 else 0
            found = min(before, items - 1) if before >= 0 else start
            self._cursor = self._source.key(found)
        self._item = found if found is not None and self._has_cursor else -1
        follows = self._is_at_end and self._follows_end
        if follows:
            self._view_from(self._source.lines(self._width))
        elif self._item >= 0:
            line = self._source.span(self._item, self._width)[0]
            self._view_from(line - self._offset if self._top and not reveal else self._top)
        else:
            self._cursor = None if self._has_cursor else self._cursor
            self._view_from(self._top)
        if self._item >= 0 and (reveal or self._item != before) and not follows:
            self._reveal()
        self._repaint()

    def _found(self, before: int, items: int) -> int | None:
        """Where the cursor's item stands now: looked for near its old place before the whole source is indexed."""
        if self._cursor is None:
            return None
        for item in range(max(0, before - _NEAR), min(items, before + _NEAR + 1)):
            if self._source.key(item) == self._cursor:
                return item
        return self._source.index(self._cursor)

    def _put(self, item: int) -> None:
        items = self._source.items()
        item = max(0, min(item, items - 1))
        if not items or not self._has_cursor:
            self._repaint()
            return
        is_new = item != self._item
        self._item = item
        self._cursor = self._source.key(item)
        self._reveal()
        self._repaint()
        if is_new:
            self.post_message(self.Moved(self, self._cursor))

    def _reveal(self) -> None:
        """Jumps by half a view when the cursor left it, so that most key presses repaint two items only."""
        first, count = self._source.span(self._item, self._width)
        height = self._room()
        if self._item == 0:
            self._view_from(max(0, first + min(count, height) - height))
        elif first < self._top:
            self._view_from(first - (height - min(count, height)) // 2)
        elif first + min(count, height) > self._top + height:
            self._view_from(max(first + count // 2 - height // 2, first + min(count, height) - height))
        # Measuring may have moved the item.
        self._offset = self._source.span(self._item, self._width)[0] - self._top

    def _view_from(self, top: int) -> None:
        height = self.size.height
        limit = max(0, self._source.lines(self._width) - height)
        top = self._source.settle(max(0, min(top, limit)), height, self._width)
        limit = max(0, self._source.lines(self._width) - height)
        was_top = self._top
        self._top = max(0, min(top, limit))
        self._is_at_end = self._top >= limit
        if self._item >= 0 and self._item < self._source.items():
            self._offset = self._source.span(self._item, self._width)[0] - self._top
        if self._top < height < was_top + height and was_top > self._top:
            self.post_message(self.ReachedTop(self))

    def _room(self) -> int:
        """Lines in which the cursor may stand: without the one that counts what is below."""
        height = self.size.height
        return max(1, height - 1 if self._source.more(1) else height)

    def _item_near(self, line: int, by: int) -> int:
        line = max(0, min(line, self._source.lines(self._width) - 1))
        height = self.size.height
        slots = self._source.page(max(0, line - height) if by < 0 else line, height + 1, self._width)
        items = [slot.item for slot in slots if slot.item >= 0]
        if not items:
            return self._source.items() - 1 if by > 0 else 0
        return items[0] if by > 0 else items[-1]

    # Painting.

    def _window(self) -> list[tuple[Slot, Mark]]:
        """The lines in sight with their marks, exactly as many as the view is high."""
        height = self.size.height
        slots = list(self._source.page(self._top, height, self._width))
        if self._top + height < self._source.lines(self._width) and height > 1:
            hidden = self._source.items() - self._shown(slots[:-1])
            if hidden and self._source.more(hidden) is not None:
                slots[-1] = Slot(COUNT, ("more", hidden))
        bar: Mark = "acc" if self.has_focus else "" if self._is_quiet else "mut"
        window: list[tuple[Slot, Mark]] = [(slot, bar if slot.item == self._item >= 0 else "") for slot in slots]
        window.extend([(NOTHING, "")] * (height - len(window)))
        return window

    def _shown(self, slots: Sequence[Slot]) -> int:
        """How many items end above the end of the view."""
        for slot in reversed(slots):
            if slot.item >= 0:
                first, count = self._source.span(slot.item, self._width)
                return slot.item + 1 if first + count <= self._top + len(slots) else slot.item
        return 0

    def _repaint(self) -> None:
        """Asks for the lines that differ from what was painted last."""
        if not self._width:
            return
        wanted = [(slot.stamp, mark) for slot, mark in self._window()]
        if len(wanted) != len(self._painted):
            self.refresh()
            return
        dirty = [y for y, state in enumerate(wanted) if state != self._painted[y]]
        if len(dirty) * 2 > len(wanted):
            self.refresh()
        else:
            self.refresh(*(Region(0, y, self._width, 1) for y in dirty)) if dirty else None

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a part of the view. Replaces the general path: no border, no padding, no style merging."""
        window = self._window()
        self._painted = [(slot.stamp, mark) for slot, mark in window]
        strip, source, width = self._strips.strip, self._source, self._width
        strips = [strip(self, source, slot, mark, width) for slot, mark in window[crop.y : crop.bottom]]
        if crop.x or crop.width != self._width:
            return [strip.crop(crop.x, crop.right) for strip in strips]
        return strips
