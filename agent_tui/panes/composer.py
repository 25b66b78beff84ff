"""The composer: who it goes to, what stopped it, the text, the keys that send it.

The law: it always names the person, the channel and the address; its text area comes after the first paint.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from agent_tui.model import composer_lines, frame
from agent_tui.model.frame import Key
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.paint import Painted
from broker_bridge.contract.views import Item, Reach

if TYPE_CHECKING:
    from agent_tui.writing import Writing


class Writ(NamedTuple):
    """What the composer shows beside the text."""

    mode: str = "reply"
    """`reply`, `note` or `none`."""
    reach: Reach | None = None
    why_none: str = ""
    """Why nothing can be written."""
    stopped: tuple[Item, ...] = ()
    sentence: str = ""
    """Of the refusal that stopped a reply; empty = nothing was stopped."""
    has_link: bool = True
    keys: tuple[Key, ...] = ()


def above(writ: Writ, cells: int, tz: tzinfo = UTC) -> tuple[Line, ...]:
    """The rows between the rule and the text."""
    found: list[Line] = []
    if writ.sentence:
        found.extend(composer_lines.stopped_lines(writ.stopped, writ.sentence, cells, tz))
    if writ.mode == "note":
        found.append(composer_lines.note_line(cells))
    elif writ.reach is not None and writ.mode == "reply":
        found.extend(composer_lines.to_lines(writ.reach, cells))
        if writ.reach.cc:
            found.append(composer_lines.cc_line(writ.reach, cells))
    else:
        found.append(composer_lines.nobody_line(cells, writ.why_none))
    return tuple(found)


class Composer(Vertical):
    """Rule, rows above, text, keys. `base_rows` is what the grid gives it when nothing is above but `to`."""

    DEFAULT_CSS = """
    Composer { height: 6; background: $bar; }
    Composer #composer-rule { height: 1; }
    Composer #composer-above { height: 1; }
    Composer #composer-text { height: 1fr; background: $bar; }
    Composer #composer-prompt { width: 3; height: 1fr; }
    Composer #composer-end { width: 1; height: 1fr; }
    Composer #composer-keys { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.base_rows = 6
        self.cells = 52
        """Width, as the grid gives it: known before the layout is."""
        self.writ = Writ()
        self.writing: Writing | None = None

    @property
    def rows(self) -> int:
        """Rows it takes now, with the rule."""
        return self.base_rows + max(0, len(above(self.writ, self.cells)) - 1)

    def compose(self) -> ComposeResult:
        yield Painted(id="composer-rule")
        yield Painted(ground="bar", id="composer-above")
        with Horizontal(id="composer-text"):
            yield Painted(ground="bar", id="composer-prompt")
            yield Painted(ground="bar", id="composer-end")
        yield Painted(ground="bar", id="composer-keys")

    async def add_writing(self) -> Writing:
        """The text area, once the first frame is on the screen."""
        if self.writing is None:
            from agent_tui.writing import Writing

            self.writing = Writing(id="writing")
            await self.query_one("#composer-text").mount(self.writing, before="#composer-end")
        return self.writing

    def show(self, writ: Writ, glyphs: Glyphs, tz: tzinfo = UTC) -> None:
        """Everything but the text."""
        self.writ = writ
        cells = self.cells
        rows = above(writ, cells, tz)
        self.styles.height = self.rows
        top = self.query_one("#composer-above", Painted)
        top.styles.height = len(rows)
        top.show(*rows)
        self.show_rule(glyphs)
        can_write = writ.mode != "none"
        prompt = line(Run(f" {glyphs.prompt} " if can_write else "   ", "acc"), ground="bar")
        self.query_one("#composer-prompt", Painted).show(prompt, line(ground="bar"))
        self.query_one("#composer-end", Painted).show(line(ground="bar"))
        self.show_count(glyphs)
        if self.writing is not None:
            self.writing.read_only = not can_write
            # A click does not put the caret where nothing can be written; who writes there already keeps it.
            self.writing.can_focus = can_write or self.writing.has_focus
            waits = "" if writ.has_link or not can_write else "write on, it waits for the link"
            self.writing.placeholder = waits

    def show_rule(self, glyphs: Glyphs) -> None:
        """Heavy in `acc` while somebody writes."""
        focused = self.writing is not None and self.writing.has_focus
        self.query_one("#composer-rule", Painted).show(frame.rule(self.cells, glyphs, is_focused=focused))

    def show_count(self, glyphs: Glyphs) -> None:
        """The keys and how many characters are written, on every change."""
        keys = self.query_one("#composer-keys", Painted)
        if self.writ.mode == "none":
            keys.show(BLANK._replace(ground="bar"))
            return
        letters = len(self.writing.text) if self.writing is not None else 0
        most = self.writ.reach.max_chars if self.writ.reach is not None and self.writ.mode == "reply" else 60_000
        keys.show(composer_lines.keys_line(self.writ.keys, letters, most, self.cells, glyphs))
