"""The window of an agent: inbox, conversation, composer, profile and timeline in sight together.

The law: it owns no truth. Rows come from the desk's state, items from pages and feed; the screen paints what is there, at
most twenty times a second, and a key press goes first. Losing the link is a banner, never a dialog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer

from agent_tui.begin import begin
from agent_tui.keys import KeyTable, Place
from agent_tui.model import grid as grids
from agent_tui.model.packet_lines import Kept
from agent_tui.paint import Hairline, Painted
from agent_tui.panes.composer import Composer
from agent_tui.panes.inbox import InboxPane
from agent_tui.panes.lines import LineList
from agent_tui.panes.offer import OfferCard
from agent_tui.panes.profile import ProfilePane
from agent_tui.panes.thread import ThreadPane
from agent_tui.panes.timeline import TimelinePane
from agent_tui.screens import acts, placing
from agent_tui.screens.listing import Listing
from agent_tui.screens.offering import Offering
from agent_tui.screens.reading import Reading
from agent_tui.screens.ringing import Ringing
from agent_tui.screens.sight import Sight
from agent_tui.screens.todo import Todo
from agent_tui.screens.wrapping import Wrapping
from agent_tui.screens.writing_desk import WritingDesk
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Act
from broker_bridge.contract.views import Answer, Row, ThreadFeed

if TYPE_CHECKING:
    from agent_tui.model.desk import Applied

FOLLOW_S = 0.12
"""Rest of the cursor on a row before its conversation opens."""
NOTICE_MS = 8_000


class Workstation(Screen[None]):
    """Layout, painting and focus; what keys do is in `acts`."""

    def __init__(self, place: Workplace, keys: KeyTable) -> None:
        super().__init__()
        self.place = place
        self.keys = keys
        self.listing = Listing(place)
        self.sight = Sight(self)
        self.reading = Reading(place, self.sight.thread, self.say)
        self.desk = WritingDesk(self)
        self.plan = grids.grid(120, 40)
        self.over = ""
        """`profile` or `timeline` over the thread where there is no right column."""
        self.single = "inbox"
        """Which of `inbox` and `thread` is in sight under 80 columns."""
        self.ringing = Ringing(place)
        self.offering = Offering(self)
        self.wrapping: Wrapping = Wrapping(self)
        self.todo: Todo = Todo(self)
        self.asked: set[str] = set()
        """Conversations that were accepted by a key and not yet answered."""
        self.seen: set[tuple[str, int]] = set()
        self.handovers: dict[str, Kept] = {}
        """What was typed into a transfer that was left, by conversation."""
        self.given_away: dict[str, Kept] = {}
        """What was typed into a transfer that the bridge has not answered yet, by the command's id."""
        self.last_disposition = ""
        """What `close+next` uses."""
        self.notice = ""
        self._notice_until_ms = 0
        self._rest: Timer | None = None
        self._is_ready = False

    def compose(self) -> ComposeResult:
        yield Painted(id="status")
        yield Painted(id="banner")
        with Horizontal(id="body"):
            yield InboxPane(id="inbox")
            yield Hairline(id="line1")
            with Vertical(id="center"):
                yield ThreadPane(id="thread")
                yield Composer(id="composer")
            yield Hairline(id="line2")
            with Container(id="right"):
                yield ProfilePane(id="profile")
                yield Hairline(id="line3")
                with Vertical(id="timeline-side"):
                    yield TimelinePane(id="timeline")
                    yield OfferCard(id="offer")
        yield Painted(id="keyline")
        yield Painted(id="notice")

    # The panes by name.

    @property
    def inbox(self) -> InboxPane:
        return self.query_one(InboxPane)

    @property
    def thread(self) -> ThreadPane:
        return self.query_one(ThreadPane)

    @property
    def composer(self) -> Composer:
        return self.query_one(Composer)

    @property
    def where(self) -> Place:
        """The place of the focus, as the key table names it."""
        if self.desk.has_focus:
            return "chat" if self.desk.enter_sends else "composer"
        focused = self.focused
        if focused is self.thread.list:
            return "thread"
        if focused is not None and focused.id == "task-list":
            return "tasks"
        return "side" if focused is not None and focused.id in ("profile-list", "timeline-list") else "list"

    @property
    def places(self) -> tuple[Place, ...]:
        """`where`, and what lies over it."""
        found: list[Place] = [self.where]
        if self.offer is not None and self.place.is_up:
            found.append("offer")
        if self.place.status.state in ("down", "denied") and not self.desk.has_focus:
            found.append("down")
        if self.desk.has_focus and self.desk.writer.stopped is not None:
            found.append("stopped")
        return tuple(found)

    @property
    def target(self) -> Row | None:
        """The row that a key acts on: under the cursor in the inbox, else (or with an empty inbox) the open conversation's."""
        opened = self.reading.opened
        if self.where == "tasks":
            return self.todo.target()
        if self.where == "list" or opened is None:
            cursor = self.inbox.list.cursor
            row = self.listing.row(cursor) if isinstance(cursor, str) else None
            if row is not None or opened is None:
                return row
        return self.listing.row(opened.conv) or opened.row

    @property
    def offer(self) -> Row | None:
        """The offer that is shown."""
        return self.ringing.offer()

    # From the outside.

    async def on_mount(self) -> None:
        self.ringing.note(self.place.state.rows)
        self.lay_out()
        self.set_focus(self.inbox.list)
        self.call_after_refresh(self._first_paint)

    async def _first_paint(self) -> None:
        await self.desk.begin()
        self._is_ready = True
        self.sight.all()
        self._follow_cursor()

    def press(self, key: str) -> bool:
        """A key before anybody else sees it; true if it acted."""
        places = self.places
        name = self.keys.bindings(*places).get(key)
        if name is None or (name == "read_new" and not self.desk.is_at_top):
            return False
        writing = self.desk.writing
        if writing is not None and self.focused is writing:
            # Letters typed just before are still on their way to the text area: the key acts after them.
            return name in acts.ACTS and writing.call_later(acts.do, self, name)
        return acts.do(self, name)

    def tick(self) -> None:
        """A second has passed: clocks, and rows that change their group by time."""
        if self.notice and self.place.now_ms() >= self._notice_until_ms:
            self.say("")
        self.sight.status()
        self.sight.inbox()
        self.sight.heads()
        self.sight.offer()
        if self.desk.writer.has_sent or self.reading.opened is None:
            self.sight.thread()

    def desk_changed(self, applied: Applied) -> None:
        """Rows changed; at most twenty times a second."""
        opened = self.reading.opened
        taken = self.ringing.taken(applied, self.asked)
        self.ringing.note(self.place.state.rows if applied.is_reset else applied.changed | applied.gone)
        for conv in applied.changed:
            row = self.place.state.rows.get(conv)
            if row is not None:
                self.reading.apply_row(row)
        self.sight.status()
        was = self.inbox.list.cursor
        self.sight.inbox()
        if opened is not None and opened.conv in applied.changed:
            self.sight.thread()
            before = applied.before.get(opened.conv)
            if before is not None and _happened(before) != _happened(opened.row):
                begin(self, self.reading.fetch_profile, "profile")
        if opened is None or (was == opened.conv and self.inbox.list.cursor != was):
            # Nothing was open, or somebody took what was: the neighbor that has the cursor now.
            self._follow_cursor()
        self.sight.offer()
        self.wrapping.changed(applied)
        self.todo.changed(applied)
        if taken or applied.toast:
            self.say("  ".join(words for words in (taken, applied.toast) if words))

    def thread_changed(self, feed: ThreadFeed) -> None:
        """Items of a watched conversation."""
        if self.reading.apply(feed):
            if self.reading.opened is not None and self.reading.opened.is_rearranged:
                begin(self, self.reading.fetch, "reading")
            self.sight.thread()
            self.sight.inbox()
            if self.where in ("thread", "chat", "composer"):
                acts.see(self)

    def link_changed(self) -> None:
        """Up, down, denied: everything that is sure or not sure looks different."""
        self.lay_out()
        if self.place.is_up and self.reading.opened is not None:
            begin(self, self.reading.fetch, "reading")
        if self.place.is_up:
            self.desk.linked()
            begin(self, self.fetch_view, "view")

    def settled(self, act: Act, answer: Answer) -> None:
        """The bridge answered what was posted."""
        acts.settled(self, act, answer)
        self.sight.thread()
        self.sight.status()

    # Layout.

    def on_resize(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Gives every pane its cells for the terminal's size."""
        placing.place(self)
        self.call_after_refresh(self.sight.all)

    def join(self) -> None:
        """The joints of the hairlines, after the composer grew or shrank."""
        placing.join(self)

    def say(self, words: str) -> None:
        """A sentence above the key line for some seconds; empty takes it away."""
        self.notice = words
        self._notice_until_ms = self.place.now_ms() + NOTICE_MS
        self.sight.notice(words)

    # The cursor and the open conversation.

    @on(LineList.Moved, "#inbox-list")
    def _cursor_moved(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(FOLLOW_S, self._follow_cursor)
        self.sight.keys()

    def want_more(self) -> None:
        """The next page of a long view when the cursor comes near its end."""
        busy = any(worker.group == "view" and worker.is_running for worker in self.workers)
        if not busy and self.listing.wants_more(self.inbox.list.cursor_item):
            self.run_worker(self.fetch_view(more=True), group="view")

    @on(LineList.Picked, "#inbox-list")
    def _picked(self) -> None:
        acts.do(self, "open")

    @on(LineList.Picked, "#task-list")
    def _picked_task(self) -> None:
        acts.do(self, "open_task")

    @on(LineList.Picked, "#timeline-list")
    @on(LineList.Picked, "#profile-list")
    def _picked_beside(self, message: LineList.Picked) -> None:
        acts.open_beside(self, message.key)

    @on(LineList.ReachedTop, "#thread-list")
    def _older(self) -> None:
        begin(self, self.reading.fetch_older, "older")

    def follow(self) -> None:
        """The list changed under the cursor."""
        self.call_after_refresh(self._follow_cursor)

    def uncover(self, what: str) -> None:
        """Brings `inbox` or `thread` into sight where something is over it."""
        if self.over or (self.plan.is_single and self.single != what):
            self.over, self.single = "", what
            self.lay_out()

    def agree(self) -> None:
        """The focus is in the list again: what is open and what the keys of the list mean are the same conversation."""
        if self.todo.is_open:
            return
        opened = self.reading.opened
        if opened is not None and self.inbox.list.cursor != opened.conv and not self.inbox.list.select(opened.conv):
            self.follow()

    def _follow_cursor(self) -> None:
        if not self._is_ready or (self.plan.is_single and self.single == "inbox"):
            return
        cursor = self.inbox.list.cursor
        row = self.listing.row(cursor) if isinstance(cursor, str) else None
        opened = self.reading.opened
        if opened is None and not self.listing.has_work():
            return
        if row is not None and self.where == "list" and (opened is None or opened.conv != row.conv):
            self.open(row)

    def open(self, row: Row) -> None:
        """Show this conversation; what is known stands there at once, the rest comes."""
        self.desk.leave()
        opened = self.reading.open(row)
        self.desk.switch(opened, "reply")
        self.sight.thread()
        begin(self, self.reading.fetch, "reading")

    async def fetch_view(self, *, more: bool = False) -> None:
        """Rows of a view that the feed does not carry whole."""
        if await self.listing.fetch(more=more):
            self.sight.inbox()
            self._follow_cursor()

    def on_text_area_changed(self) -> None:
        """By name: the text area's module is loaded after the first paint."""
        self.desk.changed()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.sight.heads()
        self.sight.offer()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self.sight.heads()


def _happened(row: Row) -> tuple[object, ...]:
    """What of a row stands in profile and timeline too."""
    return row.state, row.owner_name, row.last_ms, row.name
