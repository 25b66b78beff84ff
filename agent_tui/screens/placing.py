"""Puts the panes of the workstation where the grid of the look wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

from agent_tui.model import grid as grids
from agent_tui.paint import Hairline
from agent_tui.panes.profile import ProfilePane

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation


def place(screen: Workstation) -> None:
    """Widths, heights and which panes are in sight, for the terminal's size and what is over the thread."""
    size = screen.app.size
    plan = screen.plan = grids.grid(size.width, size.height)
    right, center = screen.query_one("#right"), screen.query_one("#center")
    is_over = bool(screen.over) and not plan.has_right
    shows_inbox = not plan.is_single or (screen.single == "inbox" and not is_over)
    shows_center = not is_over and (not plan.is_single or screen.single == "thread")
    screen.inbox.display = shows_inbox
    screen.query_one("#line1").display = not plan.is_single
    center.display = shows_center
    screen.query_one("#line2").display = plan.has_right
    right.display = plan.has_right or is_over
    _width(screen.inbox, plan.inbox)
    _width(center, plan.thread)
    is_wide = plan.has_right and not plan.is_stacked
    right.set_class(is_wide, "-wide")
    _width(right, plan.profile + 1 + plan.timeline if is_wide else plan.profile if plan.has_right else plan.thread)
    _place_right(screen, plan, is_over, is_wide)
    screen.composer.base_rows, screen.composer.cells = plan.composer, plan.thread
    join(screen)


def _place_right(screen: Workstation, plan: grids.Grid, is_over: bool, is_wide: bool) -> None:
    profile = screen.query_one(ProfilePane)
    side = screen.query_one("#timeline-side")
    profile.display = not is_over or screen.over == "profile"
    side.display = True
    if is_wide:
        profile.styles.width, profile.styles.height = plan.profile, "1fr"
    else:
        profile.styles.width, profile.styles.height = "1fr", profile_rows(plan, screen.app.size.height)
    side.styles.width = "1fr"


def profile_rows(plan: grids.Grid, screen_rows: int) -> int:
    """Rows of the profile above the timeline, with its head."""
    return grids.PROFILE_ROWS if plan.has_right else max(8, min(14, (screen_rows - 2) * 3 // 5 + 1))


def _width(widget: Widget, cells: int) -> None:
    widget.styles.width = cells


def join(screen: Workstation) -> None:
    """The joints of the hairlines: under the heads, at the composer, at the timeline's head."""
    glyphs, plan = screen.place.glyphs, screen.plan
    rows = screen.app.size.height - 2 - (1 if screen.has_class("-banner") else 0)
    # Nothing is open: no composer, and no joint for it.
    composer = rows - screen.composer.rows if screen.composer.display else -1
    is_over = bool(screen.over) and not plan.has_right
    first = {1: glyphs.cross}
    if is_over:
        if screen.over == "profile":
            first[profile_rows(plan, screen.app.size.height) + 1] = glyphs.tee_right
    else:
        first[composer] = glyphs.tee_right
    second = {1: glyphs.cross, composer: glyphs.tee_left}
    if plan.is_stacked:
        at = grids.PROFILE_ROWS + 1
        second[at] = glyphs.cross if at == composer else glyphs.tee_right
    screen.query_one("#line1", Hairline).join(first, glyphs.column)
    screen.query_one("#line2", Hairline).join(second, glyphs.column)
    screen.query_one("#line3", Hairline).join({1: glyphs.cross}, glyphs.column)
