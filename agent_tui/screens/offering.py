"""What an offer's card says beside the row, and declining with a word.

The law: who the customer is, and of a handover its packet, is asked for once an offer; the card stands there without it until it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model import deeds, offer_lines
from agent_tui.model.clean import clean_line
from agent_tui.model.offer_lines import ASKS, Beside
from broker_bridge.contract.commands import ProfileOf, Thread
from broker_bridge.contract.views import Item, Profile, Row, ThreadPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_tui.screens.workstation import Workstation

REASON_CHARS = 200
ITEMS = 30
"""The packet stands near the end of the thread: it was made for this offer."""


class Offering:
    """One for each workstation."""

    def __init__(self, screen: Workstation) -> None:
        self._screen = screen
        self._items: dict[str, Sequence[Item]] = {}
        self._profiles: dict[str, Profile] = {}
        self._asked: dict[str, int | None] = {}
        """Until when the offer lasts for which the page was asked, by conversation."""

    def beside(self, row: Row) -> Beside:
        """For the card of this offer."""
        ringing = self._screen.ringing
        self._want(row)
        opened = self._screen.reading.known(row.conv)
        items = opened.items if opened is not None and opened.is_loaded else self._items.get(row.conv, ())
        given = next((item for item in reversed(items) if item.packet is not None), None)
        problem = given.packet.problem if given is not None and given.packet is not None else ""
        page = next((item.page for item in reversed(items) if item.kind == "them" and item.page), "")
        problem = problem if row.offer_kind in ASKS else ""
        words = given.text if given is not None and row.offer_kind in ASKS else ""
        of = max(1, len(ringing.offers()))
        place, profile = self._screen.place, self._profiles.get(row.conv)
        who, before = "", ""
        if profile is not None:
            who, before = offer_lines.known(profile, row, place.now_ms(), place.tz)
            page = page or offer_lines.page_of(profile, row)
        whole_ms = ringing.whole_ms(row)
        return Beside(of=of, whole_ms=whole_ms, problem=problem, page=page, words=words, who=who, before=before)

    def _want(self, row: Row) -> None:
        """Whose it is is asked for, and of a colleague's offer what they say about it."""
        if self._asked.get(row.conv, 0) == row.offer_until_ms:
            return
        # One offer at a time is shown: what was asked of the ones before is not needed any more.
        self._asked = {row.conv: row.offer_until_ms}
        self._screen.run_worker(self._fetch(row), group="offer")

    async def _fetch(self, row: Row) -> None:
        ask = self._screen.place.ask
        profile = await ask(ProfileOf(conversation=row.conv, limit=1))
        if isinstance(profile, Profile):
            self._profiles = {row.conv: profile}
            self._screen.sight.offer()
        if row.offer_kind not in ASKS:
            return
        answer = await ask(Thread(conversation=row.conv, limit=ITEMS))
        if isinstance(answer, ThreadPage):
            self._items = {row.conv: answer.items}
            self._screen.sight.offer()


def decline_saying(screen: Workstation) -> None:
    """A word for whoever asked, then the offer is declined."""
    from agent_tui.screens import acts
    from agent_tui.screens.saying import Saying

    row = acts.answerable(screen, "decline", acts.declined_by_key(screen))
    if row is None:
        return

    def given(words: str | None) -> None:
        if words is None:
            return
        now = screen.listing.row(row.conv)
        if now is None or now.state != "ringing":
            screen.say(f"{clean_line(row.name, 60) or row.number}: it is not offered to you any more.")
        elif acts.post(screen, deeds.decline(acts.new_id(screen), now, words)):
            acts.answered(screen, now)

    who = clean_line(row.name, 40) or row.number
    screen.app.push_screen(Saying(screen.place, f"Decline {who}", "why ", most=REASON_CHARS, act="decline"), given)
