"""Lines of the model painted by Textual: the one place where roles become segments of a strip.

The law: no text is read as markup, and a control character that slipped through everything before is painted as a blank.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from agent_tui.model.cells import unbroken
from agent_tui.model.runs import Line, Run
from agent_tui.themes import Palette, palette_of


def strip_of(line: Line, cells: int, palette: Palette) -> Strip:
    """One row, exactly `cells` wide."""
    segments = [
        Segment(piece, palette.style(run.role, run.flags, line.ground))
        for run in line.runs
        for piece in unbroken(_safe(run.text))
    ]
    return Strip(segments).adjust_cell_length(cells, palette.ground(line.ground))


def _safe(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if ord(char) < 32 or 127 <= ord(char) < 160 else char for char in text)


class Painted(Widget):
    """Some fixed rows: a head, the status line, a card."""

    DEFAULT_CSS = "Painted { height: 1; }"

    def __init__(self, *, ground: str = "bg", id: str | None = None, classes: str | None = None) -> None:
        """`ground`: of the rows below the last line."""
        super().__init__(id=id, classes=classes)
        self._ground = ground
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is painted now."""
        return self._lines

    def show(self, *lines: Line) -> None:
        """Paint these rows; only rows that differ are drawn again."""
        old, self._lines = self._lines, lines
        changed = [n for n, (was, now) in enumerate(zip(old, lines, strict=False)) if was != now]
        changed.extend(range(min(len(old), len(lines)), max(len(old), len(lines))))
        if changed and self.is_attached:
            self.refresh(*(Region(0, n, max(1, self.size.width), 1) for n in changed))

    def render_line(self, y: int) -> Strip:
        palette = palette_of(self.app.theme)
        line = self._lines[y] if y < len(self._lines) else Line((), self._ground)
        return strip_of(line, self.size.width, palette)


class Hairline(Widget):
    """A column of `│` between panes, with joints where rules meet it."""

    DEFAULT_CSS = "Hairline { width: 1; height: 1fr; }"

    def __init__(self, *, ground: str = "bg", id: str | None = None) -> None:
        super().__init__(id=id)
        self._ground = ground
        self._joints: dict[int, str] = {}
        self._plain = "│"

    def join(self, joints: dict[int, str], plain: str) -> None:
        """Row -> joint; `plain` everywhere else."""
        if (joints, plain) != (self._joints, self._plain):
            self._joints, self._plain = joints, plain
            self.refresh()

    def render_line(self, y: int) -> Strip:
        joint = Run(self._joints.get(y, self._plain), "rule")
        return strip_of(Line((joint,), self._ground), 1, palette_of(self.app.theme))
