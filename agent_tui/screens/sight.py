"""What of the workstation is in sight: each region painted from the state that the screen owns.

The law: it changes no state; a region is painted anew where it differs, and the open conversation's lines are kept between times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model.frame import Key
from agent_tui.model.hints import HintKeys, hints
from agent_tui.model.rows import Moment
from agent_tui.model.runs import Line
from agent_tui.model.status_lines import status_line
from agent_tui.model.thread import Thread
from agent_tui.model.thread_lines import Keys
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.panes.offer import OfferCard
from agent_tui.panes.profile import ProfilePane
from agent_tui.panes.timeline import TimelinePane
from agent_tui.screens import empty, keyline, lines

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation


class Sight:
    """One for each workstation."""

    def __init__(self, screen: Workstation) -> None:
        self._screen = screen
        self._shown: tuple[str, Thread] | None = None

    def forget(self) -> None:
        """Our signs changed: the open conversation's lines are made anew."""
        self._shown = None

    def all(self) -> None:
        """Everything; only what differs is painted."""
        self.status()
        self.inbox()
        self.thread()
        self.offer()

    def status(self) -> None:
        """Status line and banner."""
        place, cells = self._screen.place, self._screen.size.width
        at = place.at()
        line = status_line(place.state.me, place.state.counts, place.status, at.now_ms, cells, at.glyphs, at.tz)
        self._screen.query_one("#status", Painted).show(line)
        row = lines.banner(place, cells)
        if self._banner(row is not None) and row is not None:
            self._screen.query_one("#banner", Painted).show(row)

    def _banner(self, is_shown: bool) -> bool:
        """The row under the status line comes or goes."""
        if self._screen.has_class("-banner") != is_shown:
            self._screen.set_class(is_shown, "-banner")
            self._screen.lay_out()
        return is_shown

    def inbox(self) -> None:
        """The list, or why it is empty."""
        if self._screen.todo.is_open:
            self._screen.todo.show()
            return
        inbox, place = self._screen.inbox, self._screen.place
        cursor = inbox.list.cursor
        source = self._screen.listing.arranged(cursor if isinstance(cursor, str) else None, self._screen.size.height)
        inbox.show_head(self._screen.listing.view, place.state.counts, place.at())
        inbox.show_rows(source)
        hints: tuple[Line, ...] = ()
        if not self._screen.listing.has_work():
            helpful = {"view_queue": "look at the queue", "search": "find a customer", "presence": "ready, or away"}
            keys = tuple(Key(self._screen.keys.shown(name), words) for name, words in helpful.items())
            hints = empty.inbox_lines(
                self._screen.listing.view,
                place.state.counts,
                place.state.me,
                place.is_up,
                keys,
                self._screen.plan.inbox,
                place.glyphs,
            )
        inbox.show_empty(hints)

    def thread(self) -> None:
        """The open conversation everywhere it shows."""
        opened, at = self._screen.reading.opened, self._screen.place.at()
        if opened is None:
            self._shown = None
            self._screen.thread.show_empty(
                empty.thread_lines(self._screen.place.state.counts, self._screen.place.state.me, at.glyphs)
            )
        else:
            self._items()
        self._screen.desk.show()
        self.heads()
        self.right()

    def _items(self) -> None:
        opened, at = self._screen.reading.opened, self._screen.place.at()
        assert opened is not None
        waiting = self._screen.desk.writer.on_its_way(opened)
        items = [*opened.items, *waiting] if waiting else list(opened.items)
        typing = opened.row.typing if at.has_link else ()
        names = ("raw", "open_item", "save_file", "unfold", "unmerge")
        keys = Keys(*(self._screen.keys.shown(name, "thread") for name in names))
        is_other = self._shown is None or self._shown[0] != opened.conv
        if self._shown is not None and not is_other:
            thread = self._shown[1].updated(
                items,
                at,
                seen=opened.seen,
                typing=typing,
                has_more=opened.has_more,
                unfolded=opened.unfolded,
                keys=keys,
            )
        else:
            thread = Thread(
                items,
                at,
                seen=opened.seen,
                typing=typing,
                has_more=opened.has_more,
                unfolded=opened.unfolded,
                keys=keys,
            )
        self._shown = (opened.conv, thread)
        self._screen.thread.show_thread(thread, is_other=is_other)

    def heads(self) -> None:
        """What shows where the focus is and how late it is: heads, key line."""
        opened, at = self._screen.reading.opened, self._screen.place.at()
        self._screen.inbox.show_head(self._screen.listing.view, self._screen.place.state.counts, at)
        self._screen.todo.show_head()
        self._screen.thread.show_head(opened.row if opened is not None else None, at)
        self._screen.thread.show_hints(self._hints(at) if opened is not None else ())
        self._screen.composer.show_rule(at.glyphs)
        is_open = opened is not None
        self._screen.query_one(ProfilePane).show_head(is_open, self._screen.keys.shown("profile"), at)
        self._screen.query_one(TimelinePane).show_head(is_open, self._screen.keys.shown("timeline"), at)
        self.keys()

    def _hints(self, at: Moment) -> tuple[Line, ...]:
        opened, shown = self._screen.reading.opened, self._screen.keys.shown
        assert opened is not None
        keys = HintKeys(*(shown(name, "thread") for name in HintKeys._fields))
        return hints(opened.row, keys, self._screen.thread.size.width, at)

    def right(self) -> None:
        """Profile and timeline of the open conversation's customer."""
        opened, at, customer = self._screen.reading.opened, self._screen.place.at(), self._screen.reading.profile
        name = opened.row.name or opened.row.number if opened is not None else ""
        shown = self._screen.keys.shown
        self._screen.query_one(ProfilePane).show(customer, name, shown("profile"), shown("search"), at)
        moments = customer.moments if customer is not None else ()
        self._screen.query_one(TimelinePane).show(moments if opened is not None else None, shown("timeline"), at)

    def offer(self) -> None:
        """The card in the right column, or the strip under the thread's head."""
        card, strip = lines.offer(self._screen)
        self._screen.query_one(OfferCard).show_offer(card)
        self._screen.thread.show_offer(strip)
        self.keys()
        self.notice(self._screen.notice)

    def keys(self) -> None:
        """The last row: what can be pressed now."""
        self._screen.query_one("#keyline", Painted).show(keyline.key_line(self._screen))

    def notice(self, words: str) -> None:
        """A sentence above the key line; empty takes it away. It ends where the card of an offer begins."""
        painted = self._screen.query_one("#notice", Painted)
        painted.set_class(bool(words), "-said")
        if words:
            is_beside = self._screen.query_one(OfferCard).has_class("-offered")
            cells = self._screen.app.size.width - (self._screen.plan.card + 1 if is_beside else 0)
            shown = lines.notice(words, cells, self._screen.place.glyphs)
            painted.styles.width, painted.styles.height = cells, len(shown)
            painted.show(*shown)

    def repaint(self) -> None:
        """Everything in other colors."""
        for found in self._screen.query(LineList):
            found.wear()
        for widget in self._screen.query("*"):
            widget.refresh()
        self._screen.refresh()

    def draw_lists(self) -> None:
        """Every list forgets what it painted."""
        for found in self._screen.query(LineList):
            found.on_resize()
