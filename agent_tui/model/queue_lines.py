"""The board of queues as lines: who waits, how long, how well the promise is kept, whether it is open and what it needs.

The law: over target is `mut`, never green; a closed queue is never late: its hours say when it works.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.cells import cut, fit, pad_left, width
from agent_tui.model.clean import clean_line
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import Line, Run, line
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import QueueView

OLD_MS = 120 * clock.SECOND_MS
MARKS = {2: Run("!!", "late", "b"), 1: Run("! ", "near", "b"), 0: Run("  ")}
LEVEL_CELLS, READY_CELLS = 6, 7
ARRIVALS_CELLS = len("arrivals")
WIDE = 100
"""Cells from which a board has room for what a queue needs and how long it is open."""


class _Queues(NamedTuple):
    """Cells of the queues' columns, by the board's width."""

    name: int
    bar: int
    arrivals: int
    more: int
    """For needs and hours, 0 = not shown."""

    @property
    def before_more(self) -> int:
        """From the bar on: bar, service level, ready, arrivals, and the gap after them."""
        return self.bar + LEVEL_CELLS + READY_CELLS + 3 + max(self.arrivals, ARRIVALS_CELLS) + 2


def _columns(cells: int) -> _Queues:
    bar, shape = (7, 8) if cells < 84 else (10, 12)
    more = min(40, max(0, cells - 76)) if cells >= WIDE else 0
    rest = cells - 4 - 5 - 8 - 3 - bar - LEVEL_CELLS - READY_CELLS - 3 - 1 - more
    name = max(12, min(20 if more else 24, rest - shape))
    return _Queues(name, bar, max(0, min(shape, rest - name)), more)


def queue_head(cells: int) -> Line:
    """The column words of the queues."""
    columns = _columns(cells)
    level = fit("service level", columns.bar + LEVEL_CELLS)
    more = f"{'':{max(0, columns.arrivals - ARRIVALS_CELLS)}}  needs, hours" if columns.more else ""
    words = (
        f"    {fit('queue', columns.name)}{'wait':>5}{'oldest':>8}   {level}{'ready':>{READY_CELLS}}   arrivals{more}"
    )
    return line(Run(fit(words, cells), "mut"))


def weight_of(queue: QueueView, now_ms: int) -> int:
    """2 under target, 1 somebody has waited long, 0 calm or closed."""
    if not queue.is_open:
        return 0
    if queue.service_level is not None and queue.service_level < queue.target:
        return 2
    return 1 if queue.oldest_ms is not None and now_ms - queue.oldest_ms > OLD_MS else 0


def closed(queue: QueueView) -> str:
    """`closed, opens 08:00`; empty while it is open."""
    if queue.is_open:
        return ""
    hours = clean_line(queue.hours, 60).removeprefix("closed").lstrip(", :")
    return f"closed, {hours}" if hours else "closed"


def needs(skills: tuple[Skill, ...]) -> str:
    """`swedish 3 + fees`."""
    return " + ".join(f"{clean_line(one.name, 30)}{f' {one.level}' if one.level > 1 else ''}" for one in skills)


def queue_row(queue: QueueView, cells: int, at: Instant) -> Line:
    """`!! complaints   5  6:40  ━━━━━── 68 %   1   ▂▃▅▆`, or `loans   2  1 h   closed, opens 08:00`."""
    weight, columns = weight_of(queue, at.now_ms), _columns(cells)
    oldest = clock.minutes(at.now_ms - queue.oldest_ms) if queue.oldest_ms is not None else ""
    name = Run(
        fit(clean_line(queue.name), columns.name, at.glyphs.dots),
        "strong" if weight else "text" if queue.is_open else "mut",
        "b" if weight == 2 else "",
    )
    waits = queue.waiting > 0 and queue.is_open
    first = (
        Run(" "),
        MARKS[weight],
        Run(" "),
        name,
        Run(pad_left(f"{queue.waiting}", 5), "strong" if waits else "mut", "b" if waits else ""),
        Run(
            pad_left(oldest, 8),
            {2: "late", 1: "near", 0: "text" if queue.is_open else "mut"}[weight],
            "b" * bool(weight),
        ),
        Run("   "),
    )
    room = max(0, cells - 4 - columns.name - 5 - 8 - 3 - 1)
    if not queue.is_open:
        words = cut(closed(queue), room, at.glyphs.dots)
        wanted = needs(queue.needs) if columns.more else ""
        gap = " " * max(2, columns.before_more - width(words))
        # What it needs is said whole or not at all; when it opens is what matters now.
        more = gap + wanted if wanted and width(words) + width(gap + wanted) <= room else ""
        return line(*first, Run(words + more, "mut"))
    return line(*first, *_level(queue, columns, weight, at), *_more(queue, columns, at))


def _level(queue: QueueView, columns: _Queues, weight: int, at: Instant) -> tuple[Run, ...]:
    level, role = queue.service_level, "late" if weight == 2 else "mut"
    full = round((level or 0) * columns.bar)
    arrivals = tuple(float(number) for number in queue.arrivals[-columns.arrivals :]) if columns.arrivals else ()
    return (
        Run(at.glyphs.focus * full, role),
        Run(at.glyphs.rule * (columns.bar - full), "rule"),
        Run(
            pad_left(f"{round(level * 100)} %" if level is not None else "?", LEVEL_CELLS),
            role if weight == 2 else "text",
        ),
        Run(pad_left(f"{queue.ready}", READY_CELLS), "late" if queue.waiting and not queue.ready else "text"),
        Run("   "),
        Run(at.glyphs.sparkline(arrivals), "strong" if weight else "mut"),
    )


def _more(queue: QueueView, columns: _Queues, at: Instant) -> tuple[Run, ...]:
    """What it needs and how long it is open, where there is room."""
    parts = [part for part in (needs(queue.needs), clean_line(queue.hours, 60).removeprefix("open ")) if part]
    if not columns.more or not parts:
        return ()
    gap = max(columns.arrivals, ARRIVALS_CELLS) - min(len(queue.arrivals), columns.arrivals) + 2
    return (Run(" " * gap), Run(cut(", ".join(parts), max(0, columns.more - 4), at.glyphs.dots), "mut"))
