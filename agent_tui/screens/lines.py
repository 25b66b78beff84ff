"""The workstation's own rows: banner, offer, notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model import clock, frame, offer_lines
from agent_tui.model.cells import cut, wrap
from agent_tui.model.clean import clean_line
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import Line, Run, line
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Note, Reply

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation

MOST_OF_NOTICE = 3
"""Rows."""
PATIENCE_MS = 3_000
"""Connecting for so long is nothing that needs a banner."""


def banner(place: Workplace, cells: int) -> Line | None:
    """`○ No link for 0:48. All here is as of 14:01:23. …`, or None while there is nothing to say."""
    status, now_ms = place.status, place.now_ms()
    if status.state == "up" or (status.state == "connecting" and now_ms - status.since_ms < PATIENCE_MS):
        return None
    if status.state == "denied":
        return frame.banner(f"{place.glyphs.off} {clean_line(status.sentence)}", "", cells)
    as_of_ms = status.as_of_ms or place.state.as_of_ms
    known = f" All here is as of {clock.at_second(as_of_ms, place.tz)}." if as_of_ms else ""
    replies = waiting(place)
    end = "what you send leaves when it is back."
    if replies:
        end = f"{replies} {'replies wait and leave' if replies > 1 else 'reply waits and leaves'} when it is back."
    began = f"No link for {clock.long(now_ms - status.since_ms)}."
    return frame.banner(f"{place.glyphs.off} {began}{known} Read and write on: {end}", "", cells)


def waiting(place: Workplace) -> int:
    """Replies and notes that wait for the link."""
    return sum(isinstance(act, Reply | Note) for act in place.outbox.waiting)


def offer(screen: Workstation) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """The card of the right column and the strip of the thread; at most one of them has lines."""
    row, place = screen.offer, screen.place
    if row is None or not place.is_up or screen.plan.is_single:
        return (), ()
    typed = screen.desk.has_focus
    found = screen.keys.keys_for("offer", ("accept", "decline"), is_typed=typed)
    keys = tuple(key for key in found if key.words in ("accept", "decline", "why"))
    now_ms, glyphs, beside = place.now_ms(), place.glyphs, screen.offering.beside(row)
    if screen.plan.has_right:
        return offer_lines.card(row, keys, now_ms, screen.plan.card, glyphs, beside), ()
    return (), offer_lines.strip(row, keys, now_ms, screen.plan.thread, glyphs, beside)


def notice(words: str, cells: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """A sentence over the end of the body, as many rows as it needs, three at most."""
    texts = list(wrap(clean_line(words, 400), cells - 4))
    if len(texts) > MOST_OF_NOTICE:
        texts[MOST_OF_NOTICE - 1 :] = [cut(" ".join(texts[MOST_OF_NOTICE - 1 :]), cells - 4, glyphs.dots)]
    return tuple(
        line(Run("   " if place else " ! ", "near", "b"), Run(text, "strong"), ground="sel")
        for place, text in enumerate(texts)
    )
