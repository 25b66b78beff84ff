"""Which conversations ring for this agent, and which of them is shown as the offer.

The law: what rings is kept aside as it changes: a key press must not look at every row. An offer that was answered by a key
makes room for the next one at once, and comes back if the bridge refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from agent_tui.model import offer_lines
from agent_tui.model.clean import clean_line
from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Row

if TYPE_CHECKING:
    from agent_tui.model.desk import Applied


HURRY_MS = 8_000
"""An offer with so little left comes before one that is in sight and has more."""
REACTION_MS = 700
"""Between seeing and pressing."""


class Ringing:
    """Kept up to date by whoever hears of changed rows."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._ringing: dict[str, int] = {}
        """Until when, by conversation."""
        self._whole_ms: dict[str, int] = {}
        self.put_away: set[str] = set()
        """Offers whose card was put away; they stay in the list."""
        self.answered: set[str] = set()
        """Accepted or declined by a key; the bridge has not answered yet."""
        self._shown = self._before = ""
        self._name = ""
        """Of whom is shown."""
        self._missed = ""
        """Whose offer ended by itself while it was shown."""
        self._changed_ms = 0

    def note(self, conversations: Iterable[str]) -> None:
        """These rows may have begun or ceased to ring."""
        known, now_ms = self._place.state.rows, self._place.now_ms()
        for conv in conversations:
            row = known.get(conv)
            until_ms = (row.offer_until_ms or 0) if row is not None and row.state == "ringing" else None
            if self._ringing.get(conv) == until_ms:
                continue
            # Gone, or offered anew: it is another offer than the one that was put away or answered.
            self.put_away.discard(conv)
            self.answered.discard(conv)
            self._ringing.pop(conv, None)
            self._whole_ms.pop(conv, None)
            if until_ms is not None:
                self._ringing[conv] = until_ms
                self._whole_ms[conv] = max(offer_lines.OFFER_MS, until_ms - now_ms)

    def offers(self) -> list[Row]:
        """Those that wait for an answer, the one with least time left first, without what was put away or answered."""
        now_ms, known = self._place.now_ms(), self._place.state.rows
        waiting = self._ringing.keys() - self.put_away - self.answered
        found = [known[conv] for conv in waiting if conv in known and known[conv].state == "ringing"]
        found = [row for row in found if (row.offer_until_ms or 0) > now_ms]
        return sorted(found, key=lambda row: (row.offer_until_ms or 0, row.conv))

    def offer(self) -> Row | None:
        """The one that is shown: it stays until it is answered or gone, or another one is about to end before it."""
        found, now_ms = self.offers(), self._place.now_ms()
        stays = next((row for row in found if row.conv == self._shown), None)
        first = found[0] if found else None
        is_pressing = first is not None and (first.offer_until_ms or 0) - now_ms < HURRY_MS
        shown = first if stays is None or is_pressing else stays
        conv = shown.conv if shown is not None else ""
        if conv != self._shown:
            # Its card went away under the finger: a press that was meant for it is not for the next one.
            self._before = self._shown if stays is not None else ""
            has_ended = stays is None and self._shown not in self.put_away | self.answered
            self._missed = self._name if has_ended else ""
            self._shown, self._changed_ms = conv, now_ms
            self._name = clean_line(shown.name, 60) or shown.number if shown is not None else ""
        return shown

    def meant(self) -> Row | None:
        """The one that a key means now: for a moment after the card changed the one that stood there; None if that has ended."""
        shown = self.offer()
        if self._place.now_ms() - self._changed_ms >= REACTION_MS:
            return shown
        if self._missed:
            return None
        return next((row for row in self.offers() if row.conv == self._before), shown)

    def missed(self) -> str:
        """Who rang until just now: a key that comes now was meant for them. Empty: nobody."""
        self.offer()
        return self._missed if self._place.now_ms() - self._changed_ms < REACTION_MS else ""

    def whole_ms(self, row: Row) -> int:
        """How long this offer lasts altogether, as far as it was seen."""
        return self._whole_ms.get(row.conv, offer_lines.OFFER_MS)

    def taken(self, applied: Applied, asked: Collection[str]) -> str:
        """What to say of offers that ended by somebody else; empty if there are none. Ask before `note`."""
        if applied.is_reset:
            return ""
        now_ms, rows = self._place.now_ms(), self._place.state.rows
        found = []
        for conv, before in sorted(applied.before.items()):
            is_open = before.state == "ringing" and (before.offer_until_ms or 0) > now_ms
            if is_open and conv not in self.answered and conv not in asked:
                found.append(offer_lines.ended(before, rows.get(conv)))
        return "  ".join(words for words in found if words)
