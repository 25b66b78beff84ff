"""Which conversation is open, and how its pages come: the newest first, older ones when somebody scrolls there.

The law: an answer for a conversation that is no longer open changes nothing on the screen; without a link what is known stays.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from agent_tui.model.opened import Opened
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import ProfileOf, Refusal, Thread, Unwatch
from broker_bridge.contract.views import Profile, Row, ThreadFeed, ThreadPage

MOST_KEPT = 50
"""Conversations whose pages stay in memory: going back to one paints at once."""


class Reading:
    """The open conversation and the ones read before."""

    def __init__(self, place: Workplace, changed: Callable[[], None], said: Callable[[str], None]) -> None:
        """`changed`: the open conversation has something new. `said`: a refusal's sentence."""
        self._place = place
        self._changed = changed
        self._said = said
        self._kept: OrderedDict[str, Opened] = OrderedDict()
        self._profiles: dict[str, Profile] = {}
        self._watched = ""
        self.opened: Opened | None = None
        self.is_silent = False
        """A supervisor reads without being shown as a viewer."""

    @property
    def profile(self) -> Profile | None:
        """Of the open conversation's customer, as far as known."""
        return self._profiles.get(self.opened.conv) if self.opened is not None else None

    def known(self, conv: str) -> Opened | None:
        """What is known of a conversation that was read before."""
        return self._kept.get(conv)

    def open(self, row: Row) -> Opened:
        """Show this conversation; what is known of it stands there at once."""
        known = self._kept.pop(row.conv, None) or Opened(row)
        known.apply_row(row)
        self._kept[row.conv] = known
        while len(self._kept) > MOST_KEPT:
            gone, _ = self._kept.popitem(last=False)
            self._profiles.pop(gone, None)
        self.opened = known
        return known

    async def fetch(self) -> None:
        """The newest page and the profile of what is open now."""
        opened = self.opened
        if opened is None:
            return
        conv = opened.conv
        if self._watched and self._watched != conv:
            await self._place.ask(Unwatch(conversation=self._watched))
        self._watched = conv
        answer = await self._place.ask(Thread(conversation=conv, watch=True, silent=self.is_silent))
        if isinstance(answer, ThreadPage):
            opened.apply_page(answer)
        elif isinstance(answer, Refusal):
            self._said(answer.sentence)
        self._tell(opened)
        await self.fetch_profile()

    async def fetch_profile(self) -> None:
        """Profile and timeline of what is open now."""
        opened = self.opened
        if opened is None:
            return
        profile = await self._place.ask(ProfileOf(conversation=opened.conv))
        if isinstance(profile, Profile):
            self._profiles[opened.conv] = profile
            self._tell(opened)

    async def fetch_older(self) -> None:
        """One page before the oldest item, if there is one."""
        opened = self.opened
        if opened is None or not opened.has_more or not opened.items:
            return
        oldest = opened.items[0].seq
        answer = await self._place.ask(Thread(conversation=opened.conv, before=oldest, silent=self.is_silent))
        if isinstance(answer, ThreadPage) and opened.items[0].seq == oldest:
            opened.apply_page(answer)
            self._tell(opened)

    async def stop(self) -> None:
        """Nobody reads any more."""
        conv, self._watched, self.opened = self._watched, "", None
        if conv:
            await self._place.ask(Unwatch(conversation=conv))

    def apply(self, feed: ThreadFeed) -> bool:
        """Changed items; true if they belong to what is open."""
        known = self._kept.get(feed.conv)
        if known is not None:
            known.apply_feed(feed)
        return known is not None and known is self.opened

    def apply_row(self, row: Row) -> bool:
        """A newer row from the desk's feed."""
        known = self._kept.get(row.conv)
        if known is not None:
            known.apply_row(row)
        return known is not None and known is self.opened

    def _tell(self, opened: Opened) -> None:
        if opened is self.opened:
            self._changed()
