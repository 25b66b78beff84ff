"""The open conversation on this desk: a page, what the feed changed since, and what the agent has not seen.

The law: an item or a row replaces another only if its `rev` is newer; items stay in the order of their `seq`. Nothing here is
derived from facts: the bridge sends whole items.
"""

from __future__ import annotations

from bisect import insort

from agent_tui.model.event_lines import is_rearranged
from broker_bridge.contract.policy import Disposition
from broker_bridge.contract.views import DraftView, Item, Reach, Row, ThreadFeed, ThreadPage


class Opened:
    """Grows with each page and feed message; `items` is oldest first."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.items: list[Item] = []
        self.reach: tuple[Reach, ...] = ()
        self.chosen = 0
        """Which of `reach` the composer uses."""
        self.has_more = False
        self.seen = 0
        self.draft: DraftView | None = None
        self.dispositions: tuple[str, ...] = ()
        self.outcomes: tuple[Disposition, ...] = ()
        self.default_outcome = ""
        self.is_loaded = False
        self.is_rearranged = False
        """Items that are here have gone elsewhere: the next newest page replaces them all."""
        self.unfolded: set[str] = set()
        """Ids of the messages whose quotes are open."""
        self._by_id: dict[str, Item] = {}

    @property
    def conv(self) -> str:
        return self.row.conv

    @property
    def newest_seq(self) -> int:
        """LOG sequence of the newest item on screen: what a reply has seen."""
        return max((item.seq for item in self.items), default=0)

    @property
    def way(self) -> Reach | None:
        """How a reply goes now."""
        return self.reach[self.chosen % len(self.reach)] if self.reach else None

    def choose_next(self) -> Reach | None:
        """The next way to answer."""
        self.chosen = (self.chosen + 1) % max(1, len(self.reach))
        return self.way

    def apply_page(self, page: ThreadPage) -> None:
        """The newest page, or an older one."""
        self.apply_row(page.row)
        if self.is_rearranged:
            self.is_rearranged = self.is_loaded = False
            self.items.clear()
            self._by_id.clear()
        self._merge(page.items)
        self.seen = max(self.seen, page.seen)
        if page.reach:
            self._take_reach(page.reach)
        self.dispositions = page.dispositions or self.dispositions
        self.outcomes = page.outcomes or self.outcomes
        self.default_outcome = page.default_outcome or self.default_outcome
        self.draft = page.draft or self.draft
        if not self.is_loaded or (page.items and page.items[0].seq <= self.items[0].seq):
            self.has_more = page.has_more
        self.is_loaded = True

    def apply_feed(self, feed: ThreadFeed) -> None:
        """Changed items of this conversation."""
        self.apply_row(feed.row)
        # What the feed cannot say: that items of here are another case's now.
        self.is_rearranged |= any(is_rearranged(item) and item.id not in self._by_id for item in feed.items)
        self._merge(feed.items)
        self.seen = max(self.seen, feed.seen)
        if feed.reach:
            self._take_reach(feed.reach)

    def apply_row(self, row: Row) -> None:
        if row.rev >= self.row.rev:
            self.row = row

    def add_items(self, items: tuple[Item, ...]) -> None:
        """Items that came with a stopped reply."""
        self._merge(items)

    def _take_reach(self, reach: tuple[Reach, ...]) -> None:
        now = self.way
        self.reach = reach
        names = [way.channel for way in reach]
        self.chosen = names.index(now.channel) if now is not None and now.channel in names else 0

    def _merge(self, items: tuple[Item, ...]) -> None:
        for item in items:
            old = self._by_id.get(item.id)
            if old is not None and old.rev > item.rev:
                continue
            self._by_id[item.id] = item
            if old is None:
                insort(self.items, item, key=lambda one: one.seq)
            else:
                self.items[self.items.index(old)] = item
