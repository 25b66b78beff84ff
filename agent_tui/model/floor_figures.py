"""A supervisor's key figures, and what stands where no conversation is read yet.

The law: what nobody has counted is `?`; a figure that does not fit goes whole.
"""

from __future__ import annotations

from itertools import zip_longest

from agent_tui.model import clock
from agent_tui.model.cells import cut, fit, wrap
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import cells_of
from agent_tui.model.queue_lines import OLD_MS
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.source import Plain
from broker_bridge.contract.views import DirectoryView

HALF_HOURS = 8
"""Of the arrivals in the key figures."""


def figures(known: DirectoryView, cells: int, at: Instant) -> tuple[Line, Line]:
    """Two rows: what, and how much."""
    waiting = sum(queue.waiting for queue in known.queues)
    olds = [(queue.oldest_ms, queue.name) for queue in known.queues if queue.oldest_ms is not None and queue.is_open]
    oldest = min(olds, default=None)
    shape = at.glyphs.sparkline(_arrivals(known))
    levels = [queue.service_level for queue in known.queues if queue.service_level is not None]
    level = f"{round(sum(levels) / len(levels) * 100)} %" if levels else "?"
    working = sum(one.state == "ready" for one in known.agents)
    parts: list[tuple[str, tuple[Run, ...]]] = [
        ("waiting", (Run(f"{waiting}", "strong", "b"), Run(f"  {shape}", "mut"))),
        ("oldest", _oldest(oldest, at)),
        ("service level", (Run(level, "strong", "b"), Run(f"  of {_target(known)}", "mut"))),
        ("handled", (Run(f"{known.handled}", "strong", "b"),)),
        ("handle time", (Run(_span(known.handle_time_s), "strong", "b"),)),
        ("ready", (Run(f"{working}", "strong", "b"), Run(f"  of {len(known.agents)}", "mut"))),
    ]
    each = max(15, (cells - 2) // len(parts))
    parts = parts[: max(1, (cells - 1) // each)]
    labels = tuple(Run(fit(label, each), "mut") for label, _ in parts)
    values: list[Run] = []
    for _, runs in parts:
        shown = runs if cells_of(runs) < each else runs[:1]
        values.extend((*shown, Run(" " * max(0, each - cells_of(shown)))))
    return line(Run(" "), *labels), line(Run(" "), *values)


def _arrivals(known: DirectoryView) -> tuple[float, ...]:
    """Of all queues together, the last half hours; a queue in which nothing was ever counted adds nothing."""
    last_first = zip_longest(*(reversed(queue.arrivals) for queue in known.queues), fillvalue=0)
    return tuple(float(sum(counts)) for counts in list(last_first)[:HALF_HOURS])[::-1]


def _oldest(oldest: tuple[int, str] | None, at: Instant) -> tuple[Run, ...]:
    if oldest is None:
        return (Run("0:00", "strong", "b"),)
    waited_ms = at.now_ms - oldest[0]
    role = "late" if waited_ms > 2 * OLD_MS else "near" if waited_ms > OLD_MS else "strong"
    return (Run(clock.minutes(waited_ms), role, "b"), Run(f"  {clean_line(oldest[1])}", "mut"))


def _target(known: DirectoryView) -> int:
    return round(max((queue.target for queue in known.queues), default=0.8) * 100)


def _span(seconds: int | None) -> str:
    return "?" if seconds is None else clock.minutes(seconds * 1000)


def nothing_read(read: str, find: str, cells: int, at: Instant) -> Plain:
    """What stands where a conversation would be read: which keys open one, and who learns of it."""
    rows = [BLANK]
    for key, words in ((read, "read what a colleague works on"), (find, "find a conversation to read")):
        shown = key.replace("⏎", at.glyphs.enter)
        rows.append(
            line(Run("    "), Run(fit(shown, 4), "acc", "b"), Run(cut(words, max(0, cells - 9), at.glyphs.dots)))
        )
    rows.append(BLANK)
    why = "Nobody in it sees that you read. The audit keeps who read what, and when."
    rows.extend(line(Run(f"    {words}", "mut")) for words in wrap(why, max(8, cells - 6)))
    return Plain([(None, row) for row in rows], rev=hash((tuple(rows), cells)))
