"""Everything that ever happened with this customer, on every channel, newest first."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from agent_tui.model import frame
from agent_tui.model.frame import Part
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Run, line
from agent_tui.model.source import Plain
from agent_tui.model.timeline_lines import timeline
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from broker_bridge.contract.views import Moment

NOTHING = Plain(
    [
        (None, row)
        for row in (
            BLANK,
            line(Run(" What a customer did on any", "mut")),
            line(Run(" channel, in one list.", "mut")),
        )
    ],
    rev=-1,
)


class TimelinePane(Vertical):
    """Head and list."""

    DEFAULT_CSS = """
    TimelinePane { width: 1fr; height: 1fr; }
    TimelinePane #timeline-head { height: 2; }
    """

    def compose(self) -> ComposeResult:
        yield Painted(id="timeline-head")
        yield LineList(is_quiet=True, id="timeline-list")

    @property
    def list(self) -> LineList:
        return self.query_one(LineList)

    def show_head(self, is_open: bool, key: str, at: Instant) -> None:
        """The two rows above; heavy in `acc` with the focus."""
        cells = self.size.width
        left = [Part((Run("Timeline", "strong" if is_open else "mut", "b" if is_open else ""),))]
        if cells >= 36 and is_open:
            left.append(Part((Run("every channel", "mut"),), 2))
        right = (Part((Run(key, "acc", "b"), Run(" whole", "mut")), 1),) if is_open else ()
        rule = frame.rule(cells, at.glyphs, is_focused=self.list.has_focus)
        self.query_one("#timeline-head", Painted).show(frame.head(tuple(left), right, cells), rule)

    def show(self, moments: tuple[Moment, ...] | None, key: str, at: Instant) -> None:
        """None = no conversation is open. `key`: shows it whole."""
        self.show_head(moments is not None, key, at)
        self.list.show(timeline(moments, self.size.width, at) if moments is not None else NOTHING)
