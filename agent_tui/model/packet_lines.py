"""What goes along with a transfer: its fields by name, as lines of a note, and how many rows each gets in the dialog.

The law: the words of a packet are foreign until they are cleaned; an empty field is not shown in a thread and can be filled
in the dialog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from agent_tui.model.cells import pad, wrap
from agent_tui.model.clean import clean
from agent_tui.model.glyphs import Glyphs
from broker_bridge.contract.words import Packet

FIELDS = ("problem", "tried", "promised", "proved", "open")
LABELS = {"problem": "problem", "tried": "done", "promised": "promised", "proved": "proved", "open": "open"}
"""What a field is called on the screen."""
LABEL_CELLS = 9
MOST_CHARS = 4_000
"""Of one field."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed into a transfer that was left by `esc`: there again the next time."""

    edited: tuple[tuple[str, str], ...] = ()
    """(field, words) of those that the person changed."""
    note: str = ""
    is_hand_over: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.edited and not self.note


def made(words: Mapping[str, str]) -> Packet | None:
    """The packet of what stands in the fields; None if nothing does."""
    found = {name: words.get(name, "").strip()[:MOST_CHARS] for name in FIELDS}
    return Packet(**found) if any(found.values()) else None


def of(packet: Packet | None, field: str) -> str:
    """The words of a field."""
    return str(getattr(packet, field)) if packet is not None else ""


def noted(packet: Packet, cells: int) -> tuple[tuple[str, str], ...]:
    """(label, words) of each line in `cells`; the label is blank on lines that go on."""
    lines: list[tuple[str, str]] = []
    for name in FIELDS:
        words = clean(of(packet, name)).strip()
        for place, text in enumerate(wrap(words, max(8, cells - LABEL_CELLS)) if words else ()):
            lines.append((pad("" if place else LABELS[name], LABEL_CELLS), text))
    return tuple(lines)


def signed(words: str, glyphs: Glyphs) -> str:
    """The signs of what was proved in the form of this terminal; all other words stay as they were written."""
    return words.replace("✓", glyphs.yes).replace("✗", glyphs.no)


def heights(wanted: Sequence[int], room: int, focused: int) -> tuple[int, ...]:
    """Rows of each field: what it wants, from the longest cut until all fit; the one being edited is cut last.

    Each has one at least, even where `room` is too small.
    """
    found = [max(1, rows) for rows in wanted]
    while sum(found) > room:
        others = [place for place, rows in enumerate(found) if rows > 1 and place != focused]
        candidates = others or [place for place, rows in enumerate(found) if rows > 1]
        if not candidates:
            break
        longest = max(candidates, key=lambda place: found[place])
        found[longest] -= 1
    return tuple(found)
