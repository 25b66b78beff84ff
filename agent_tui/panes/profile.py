"""Who the customer is: the whole profile in one list, above the timeline or beside it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from agent_tui.model import frame
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Part
from agent_tui.model.profile_lines import profile
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.source import Plain
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from broker_bridge.contract.views import Profile


def nothing(key: str, cells: int) -> Plain:
    """What stands here before a conversation is open."""
    rows: list[Line] = [
        BLANK,
        line(Run(" Opens with a conversation.", "mut")),
        BLANK,
        line(Run(f" {key}  ", "acc", "b"), Run("find by name, number,")),
        line(Run("    mail, order or #case")),
    ]
    return Plain([(None, row) for row in rows], rev=hash(("nothing", key, cells)))


class ProfilePane(Vertical):
    """Head and list."""

    DEFAULT_CSS = """
    ProfilePane { width: 1fr; height: 1fr; }
    ProfilePane #profile-head { height: 2; }
    """

    def compose(self) -> ComposeResult:
        yield Painted(id="profile-head")
        yield LineList(is_quiet=True, id="profile-list")

    @property
    def list(self) -> LineList:
        return self.query_one(LineList)

    def show_head(self, is_open: bool, key: str, at: Instant) -> None:
        """The two rows above; heavy in `acc` with the focus."""
        cells = self.size.width
        title = Part((Run("Profile", "strong" if is_open else "mut", "b" if is_open else ""),))
        right = (Part((Run(key, "acc", "b"), Run(" whole", "mut")), 1),) if is_open else ()
        rule = frame.rule(cells, at.glyphs, is_focused=self.list.has_focus)
        self.query_one("#profile-head", Painted).show(frame.head((title,), right, cells), rule)

    def show(self, customer: Profile | None, name: str, key: str, find: str, at: Instant) -> None:
        """`name`: of the open conversation's customer, empty = none is open. `key`, `find`: as bound now."""
        cells = self.size.width
        self.show_head(bool(name), key, at)
        if customer is not None and name:
            self.list.show(profile(customer, cells, at))
        elif name:
            known = line(Run(f" {clean_line(name)}", "strong", "b"))
            self.list.show(Plain([(None, known)], rev=hash((name, cells))))
        else:
            self.list.show(nothing(find, cells))
