"""A supervisor's boards on the screen: floor, queues and alerts, each with its head, painted from what the bridge said last.

The law: what is not known yet is said so; the bar stands on the chosen line wherever it goes.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from agent_tui.model import alerts, floor, frame, queue_lines
from agent_tui.model.frame import Part
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import Line, Run, line
from agent_tui.model.source import Mark, Plain, Slot
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList

if TYPE_CHECKING:
    from agent_tui.screens.monitor import Monitor


class Board(Plain):
    """Lines with the bar on the chosen one."""

    def __init__(self, lines: list[tuple[Hashable, Line]], glyphs: Glyphs, rev: int) -> None:
        super().__init__(lines, rev)
        self._bar, self._below = glyphs.bar, glyphs.below

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        found = super().draw(slot, width, mark)
        if not mark or not found.runs:
            return found
        first = found.runs[0]
        return found._replace(runs=(Run(self._bar, mark), first._replace(text=first.text[1:]), *found.runs[1:]))

    def more(self, count: int) -> Line | None:
        return line(Run(f"    {self._below} {count:,} more", "mut"))


class Boards:
    """One for each monitor."""

    def __init__(self, screen: Monitor) -> None:
        self._screen = screen

    @property
    def cells(self) -> int:
        """Width of the boards."""
        return self._screen.app.size.width if self._screen.is_narrow else self._screen.app.size.width * 59 // 100

    def _show(
        self, name: str, title: str, fact: str, right: tuple[Part, ...], rows: list[tuple[Hashable, Line]]
    ) -> None:
        """One board's head and lines."""
        cells, at = self.cells, self._screen.place.at()
        board = self._screen.query_one(f"#{name}-list", LineList)
        left = (Part((Run(title, "strong", "b"),)), Part((Run(fact, "mut"),), 1))
        rule = frame.rule(cells, at.glyphs, is_focused=board.has_focus)
        self._screen.query_one(f"#{name}-head", Painted).show(frame.head(left, right, cells), rule)
        lines = [row for _, row in rows]
        board.show(Board(rows, at.glyphs, hash((tuple(lines), cells))))

    def floor(self) -> None:
        at, cells, known = self._screen.place.at(), self.cells, self._screen.known
        agents = floor.sorted_floor(known.agents, self._screen.sort, at.now_ms)
        working = sum(one.state not in ("away", "off") for one in agents)
        fact = f"{working} of {len(agents)} working" if self._screen.is_known else f"{at.glyphs.waits} not known yet"
        key = self._screen.keys.shown("sort_floor", "monitor")
        right = (Part((Run(key, "acc", "b"), Run(f" sort: {self._screen.sort}", "mut")), 2),)
        columns = floor.columns(known.agents, cells)
        rows: list[tuple[Hashable, Line]] = [(None, floor.floor_head(columns))]
        rows += [(("agent", one.agent), floor.floor_row(one, columns, at)) for one in agents]
        self._show("floor", "Floor", fact, right, rows)

    def queues(self) -> None:
        at, cells, known = self._screen.place.at(), self.cells, self._screen.known
        target = round(max((queue.target for queue in known.queues), default=0.8) * 100)
        closed = sum(not queue.is_open for queue in known.queues)
        fact = f"target {target} %" + (f", {closed} closed" if closed else "")
        rows: list[tuple[Hashable, Line]] = [(None, queue_lines.queue_head(cells))]
        rows += [(("queue", one.queue), queue_lines.queue_row(one, cells, at)) for one in known.queues]
        self._show("queues", "Queues", fact, (), rows)

    def alerts(self) -> None:
        at, cells, known = self._screen.place.at(), self.cells, self._screen.known
        found = alerts.alerts(known, at, self._screen.place.seen_alerts)
        names = ("read_silently", "give_now", "alert_seen")
        keys = {name: self._screen.keys.shown(name, "monitor") for name in names}
        rows: list[tuple[Hashable, Line]] = [
            (("alert", alert.key), alerts.alert_row(alert, cells, at, alerts.helpful(alert, known, keys)))
            for alert in found
        ]
        if not rows:
            rows = [(None, line(Run("    Nothing needs you.", "mut")))]
        opened = sum(bool(alert.shown_weight) for alert in found)
        right = (Part((Run(keys["alert_seen"], "acc", "b"), Run(" seen", "mut")), 2),) if found else ()
        self._show("alerts", "Alerts", f"{opened} open", right, rows)
