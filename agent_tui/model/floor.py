"""A supervisor's boards as lines: key figures, floor, queues, alerts.

The law: the floor is sorted by who needs help; over target is `mut`, never green; what an alert says stands on the boards too.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.cells import cut, fit, pad_left, width, wrap
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import cells_of
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.source import Plain
from broker_bridge.contract.views import Colleague, DirectoryView, QueueView

SORTS = ("who needs help", "name", "load")
LONG_AWAY_MS = 45 * clock.MINUTE_MS
OLD_MS = 120 * clock.SECOND_MS
_STATE_ORDER = {"ready": 2, "away": 3, "off": 4}
_MARKS = {2: Run("!!", "late", "b"), 1: Run("! ", "near", "b"), 0: Run("  ")}


class Alert(NamedTuple):
    at_ms: int
    weight: int
    """2 late, 1 near, 0 for knowing."""
    text: str
    key: Hashable


def need(one: Colleague, now_ms: int) -> int:
    """How much this colleague needs help: 2 late, 1 near, 0 not."""
    if one.due_ms is not None and one.due_ms < now_ms:
        return 2
    if one.state == "silent" or (one.due_ms is not None and one.due_ms - now_ms < clock.MINUTE_MS):
        return 1
    return 1 if one.state == "away" and one.since_ms and now_ms - one.since_ms > LONG_AWAY_MS else 0


def sorted_floor(agents: tuple[Colleague, ...], how: str, now_ms: int) -> list[Colleague]:
    """By one of SORTS."""
    if how == "name":
        return sorted(agents, key=lambda one: one.name.casefold())
    if how == "load":
        return sorted(agents, key=lambda one: (-one.load / max(1, one.capacity), one.name))
    return sorted(
        agents,
        key=lambda one: (-need(one, now_ms), _STATE_ORDER.get(one.state, 1), one.due_ms or 1 << 62, one.name),
    )


def figures(known: DirectoryView, cells: int, at: Instant) -> tuple[Line, Line]:
    """Two rows: what, and how much."""
    waiting = sum(queue.waiting for queue in known.queues)
    olds = [(queue.oldest_ms, queue.name) for queue in known.queues if queue.oldest_ms is not None]
    oldest = min(olds, default=None)
    sums = [sum(row) for row in zip(*(queue.arrivals for queue in known.queues), strict=False)]
    shape = at.glyphs.sparkline(tuple(float(number) for number in sums[-8:]))
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


class _Floor(NamedTuple):
    """Cells of the floor's columns, by the board's width."""

    name: int
    load: int
    works: int
    """What is left for `works on`, without the clock."""


def _floor_columns(cells: int) -> _Floor:
    name = 15 if cells < 84 else 20
    load = 8 if cells < 84 else 10
    return _Floor(name, load, max(0, cells - 4 - name - 1 - 12 - 8 - 2 - load - 1))


def floor_head(cells: int) -> Line:
    """The column words of the floor."""
    columns = _floor_columns(cells)
    words = f"    {fit('agent', columns.name)} {'state':<12}{'since':>8}  {fit('load', columns.load)} works on"
    return line(Run(fit(words, cells), "mut"))


def floor_row(one: Colleague, cells: int, at: Instant) -> Line:
    """`!! Maya Lindqvist ● ready  1:12:40 ▮▮▯▯  Anna Berg  wa  -0:42`."""
    glyphs, now_ms = at.glyphs, at.now_ms
    columns = _floor_columns(cells)
    weight = need(one, now_ms)
    is_calm = one.state in ("away", "off")
    sign, role = {
        "ready": (glyphs.ready, "ok"),
        "silent": (glyphs.waits, "near"),
        "away": (glyphs.no, "mut"),
    }.get(one.state, (glyphs.off, "mut"))
    since = clock.long(now_ms - one.since_ms) if one.since_ms and one.state != "off" else ""
    words = clean_line(one.reason) or one.state if one.state == "away" else one.state
    right = _due(one, at)
    works = clean_line(one.works_on)
    word = f"  {clean_line(one.works_on_word)}" if works and one.works_on_word else ""
    room = max(0, columns.works - cells_of(right))
    # A late one's chip takes the margin as well; the channel goes before the name is cut to nothing.
    word = word if room - width(word) >= 8 else ""
    shown = cut(works, max(0, room - width(word) - 1), glyphs.dots) + word if works else ""
    name = fit(clean_line(one.name), columns.name, glyphs.dots)
    return line(
        Run(" "),
        _MARKS[weight],
        Run(" "),
        Run(f"{name} ", "mut" if is_calm else "strong", "b" if weight else ""),
        Run(f"{sign} ", role),
        Run(fit(words, 10), "mut" if is_calm else "text"),
        Run(pad_left(since, 8), "near" if weight == 1 and not is_calm else "mut" if is_calm else "text"),
        Run("  "),
        Run(fit(_load(one, at), columns.load) + " ", "near" if one.capacity and one.load >= one.capacity else "text"),
        Run(fit(shown, room), "mut" if is_calm else "text"),
        *right,
    )


def _load(one: Colleague, at: Instant) -> str:
    if one.state == "off":
        return ""
    return at.glyphs.load(one.load, one.capacity) if one.capacity <= 8 else f"{one.load}/{one.capacity}"


def _due(one: Colleague, at: Instant) -> tuple[Run, ...]:
    if one.due_ms is None:
        return (Run(" "),)
    word = clock.due(one.due_ms, at.now_ms)
    if one.due_ms < at.now_ms:
        return (Run(f" {word} ", "chip.late", "b"),)
    is_near = one.due_ms - at.now_ms < clock.MINUTE_MS
    return (Run(f" {word}", "near" if is_near else "mut", "b" if is_near else ""), Run(" "))


class _Queues(NamedTuple):
    """Cells of the queues' columns, by the board's width."""

    name: int
    bar: int
    arrivals: int


def _queue_columns(cells: int) -> _Queues:
    bar, shape = (7, 8) if cells < 84 else (10, 12)
    name = max(12, min(24, cells - 4 - 5 - 8 - 3 - bar - 6 - 7 - 3 - shape - 1))
    return _Queues(name, bar, max(0, min(shape, cells - 4 - name - 5 - 8 - 3 - bar - 6 - 7 - 3 - 1)))


def queue_head(cells: int) -> Line:
    """The column words of the queues."""
    columns = _queue_columns(cells)
    level = fit("service level", columns.bar + 6)
    words = f"    {fit('queue', columns.name)}{'wait':>5}{'oldest':>8}   {level}{'ready':>7}   arrivals"
    return line(Run(fit(words, cells), "mut"))


def weight_of(queue: QueueView, now_ms: int) -> int:
    """2 under target, 1 somebody has waited long, 0 calm."""
    if queue.service_level is not None and queue.service_level < queue.target:
        return 2
    return 1 if queue.oldest_ms is not None and now_ms - queue.oldest_ms > OLD_MS else 0


def queue_row(queue: QueueView, cells: int, at: Instant) -> Line:
    """`!! complaints   5  6:40  ━━━━━── 68 %   1   ▂▃▅▆`."""
    weight = weight_of(queue, at.now_ms)
    level = queue.service_level
    columns = _queue_columns(cells)
    full = round((level or 0) * columns.bar)
    role = "late" if weight == 2 else "mut"
    oldest = clock.minutes(at.now_ms - queue.oldest_ms) if queue.oldest_ms is not None else ""
    old_role = {2: "late", 1: "near", 0: "text"}[weight]
    arrivals = tuple(float(number) for number in queue.arrivals[-columns.arrivals :]) if columns.arrivals else ()
    return line(
        Run(" "),
        _MARKS[weight],
        Run(" "),
        Run(
            fit(clean_line(queue.name), columns.name, at.glyphs.dots),
            "strong" if weight else "text",
            "b" if weight == 2 else "",
        ),
        Run(pad_left(f"{queue.waiting}", 5), "strong" if queue.waiting else "mut", "b" if queue.waiting else ""),
        Run(pad_left(oldest, 8), old_role, "b" if weight else ""),
        Run("   "),
        Run(at.glyphs.focus * full, role),
        Run(at.glyphs.rule * (columns.bar - full), "rule"),
        Run(pad_left(f"{round(level * 100)} %" if level is not None else "?", 6), role if weight == 2 else "text"),
        Run(pad_left(f"{queue.ready}", 7), "late" if queue.waiting and not queue.ready else "text"),
        Run("   "),
        Run(at.glyphs.sparkline(arrivals), "strong" if weight else "mut"),
    )


def alerts(known: DirectoryView, at: Instant) -> list[Alert]:
    """What the bridge reports and what the boards show, the worst first."""
    found: list[Alert] = []
    for queue in known.queues:
        if weight_of(queue, at.now_ms) == 2 and queue.service_level is not None:
            level, target = round(queue.service_level * 100), round(queue.target * 100)
            found.append(
                Alert(at.now_ms, 2, f"{clean_line(queue.name)}: {level} %, under {target} %", ("queue", queue.queue))
            )
    for one in known.agents:
        name = clean_line(one.name)
        if one.due_ms is not None and one.due_ms < at.now_ms and one.works_on:
            late = clock.minutes(at.now_ms - one.due_ms)
            words = (
                f"{clean_line(one.works_on)} {clean_line(one.works_on_word)} late by {late} with {name.split(' ')[0]}"
            )
            found.append(Alert(one.due_ms, 2, words, ("agent", one.agent)))
        elif one.state == "silent":
            found.append(
                Alert(one.since_ms, 1, f"{name} silent {clock.long(at.now_ms - one.since_ms)}", ("agent", one.agent))
            )
    found.sort(key=lambda alert: (-alert.weight, alert.at_ms))
    return found + [
        Alert(
            moment.at_ms, 2 if moment.node == "late" else 1 if moment.node == "near" else 0, clean_line(moment.text), n
        )
        for n, moment in enumerate(known.alerts)
    ]


def alert_row(alert: Alert, cells: int, at: Instant) -> Line:
    """`!! 14:01  complaints: 68 %, under 80 %`."""
    text = cut(alert.text, max(0, cells - 12), at.glyphs.dots)
    role = "text" if alert.weight else "mut"
    return line(
        Run(" "), _MARKS[alert.weight], Run(" "), Run(f"{clock.at(alert.at_ms, at.tz)}  ", "mut"), Run(text, role)
    )


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
