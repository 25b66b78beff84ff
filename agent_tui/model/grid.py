"""How many cells each pane gets: the table of the look, by the terminal's size."""

from __future__ import annotations

from typing import NamedTuple


class Grid(NamedTuple):
    """The columns between the hairlines; 0 = not side by side at this size."""

    inbox: int
    thread: int
    profile: int
    timeline: int
    composer: int
    """Rows, with the rule above."""
    is_stacked: bool = True
    """Profile above timeline; otherwise side by side."""
    is_single: bool = False
    """One pane at a time."""

    @property
    def has_right(self) -> bool:
        """Profile and timeline have a place of their own."""
        return self.profile > 0

    @property
    def card(self) -> int:
        """Cells of the column in which an offer's card stands; 0 = there is none."""
        return self.profile if self.is_stacked else self.timeline


PROFILE_ROWS = 15
"""Rows of the profile, with its head, when it stands above the timeline."""
MOST_THREAD, MOST_TIMELINE, MOST_INBOX = 90, 48, 52


def grid(columns: int, rows: int) -> Grid:
    """The grid of a terminal of `columns` x `rows`."""
    composer = 3 if columns < 80 or rows < 24 else 5 if rows < 30 else 6 if rows < 48 else 7
    if columns < 80:
        return Grid(columns, columns, 0, 0, composer, is_single=True)
    if columns < 120:
        return Grid(30, columns - 31, 0, 0, composer)
    if columns < 160:
        return _shared(columns, 35, 31, 0, 31, composer)
    if columns < 180:
        return _shared(columns, 36, 30, 33, 0, composer)
    return _shared(columns, 40, 32, 39, 0, composer)


def _shared(columns: int, inbox: int, profile: int, timeline: int, stacked: int, composer: int) -> Grid:
    """Extra width goes to the thread, then the timeline, then the inbox, then the thread again."""
    right = stacked or profile + 1 + timeline
    thread = columns - inbox - right - 2
    extra = max(0, thread - MOST_THREAD)
    if stacked:
        return Grid(inbox, thread, stacked, stacked, composer)
    more = min(extra, MOST_TIMELINE - timeline)
    wider = min(extra - more, MOST_INBOX - inbox)
    return Grid(inbox + wider, thread - more - wider, profile, timeline + more, composer, is_stacked=False)
