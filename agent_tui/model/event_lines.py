"""An event of a thread: a muted line with its time, its words and the moment that it speaks of.

The law: a moment is told in the reader's zone and seen from the day of the event, so that it stays true the day after. What
another channel did is one line, cut; what happened to the case is whole as far as three lines go: the reason stands at its end.
"""

from __future__ import annotations

from datetime import UTC, tzinfo

from agent_tui.model import clock
from agent_tui.model.cells import cut, pad, width, wrap
from agent_tui.model.clean import clean_line
from agent_tui.model.rows import Moment
from agent_tui.model.runs import Line, Run, ends, line
from broker_bridge.contract.views import Item

WEEK_DAYS = 7
MOST_ROWS = 3
REARRANGED = ("undid the merge", "split: later messages")
"""Of events after which items of the case are elsewhere."""


def is_merged_in(item: Item) -> bool:
    """Whether the item says that another case was merged into this one."""
    return item.kind == "event" and bool(item.case) and "merged in" in item.text


def is_rearranged(item: Item) -> bool:
    """Whether items that were in the thread before it have gone."""
    return item.kind == "event" and any(words in item.text for words in REARRANGED)


def event_lines(item: Item, cells: int, at: Moment, acts: tuple[Run, ...] = ()) -> tuple[Line, ...]:
    """`   14:02  Maya snoozed it until 15:30`; `acts` at the right end of the first."""
    text = at.glyphs.ours(clean_line(item.text))
    if item.kind == "unreadable":
        text = f"could not be read: {clean_line(item.reason) or text}"
    word = pad(cut(clean_line(item.channel), 4, ""), 5) if item.channel else ""
    before = f"   {clock.at(item.at_ms, at.tz)}  {word}"
    room = max(8, cells - 1 - width(before) - sum(width(run.text) for run in acts) - (2 if acts else 0))
    text += moment_words(item, at.tz)
    rows = [cut(text, room, at.glyphs.dots)]
    if not item.channel and width(text) > room:
        rows = list(wrap(text, room)[:MOST_ROWS])
        if wrap(text, room)[MOST_ROWS:]:
            rows[-1] = cut(f"{rows[-1]}{at.glyphs.dots}{at.glyphs.dots}", room, at.glyphs.dots)
    first = line(*ends((Run(f"{before}{rows[0]}", "mut"),), acts, cells - 1, at.glyphs.dots))
    return (first, *(line(Run(" " * width(before)), Run(row, "mut")) for row in rows[1:]))


def moment_words(item: Item, tz: tzinfo = UTC) -> str:
    """` until 15:30`, `, due Mon 09:00`; empty if the event speaks of no moment."""
    if item.until_ms is None:
        return ""
    then, day = clock.local(item.until_ms, tz), clock.local(item.at_ms, tz).date()
    days = (then.date() - day).days
    if days == 0:
        date = ""
    elif 0 < days < WEEK_DAYS:
        date = f"{clock.weekday(item.until_ms, tz)} "
    else:
        date = clock.date(item.until_ms, tz) + (f" {then.year} " if then.year != day.year else " ")
    return f"{' until' if item.text.endswith('snoozed it') else ', due'} {date}{then:%H:%M}"
