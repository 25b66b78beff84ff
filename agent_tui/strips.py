"""Painted lines: one strip per (stamp, mark) of a source, made once and kept until width, theme or source change.

The law: equal stamps look equal (model/source.py), so a strip never has to be compared, only looked up.
"""

from collections.abc import Hashable

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from agent_tui import themes
from agent_tui.model.cells import unbroken
from agent_tui.model.runs import Line
from agent_tui.model.source import NOTHING, Mark, Slot, Source

COUNT = -2
"""`item` of the line that counts what is below; its stamp is (`more`, count)."""
_MAX_STRIPS = 4_096


class Strips:
    """The strips of one list."""

    def __init__(self, ground: str) -> None:
        """`ground`: what `bg` lines stand on here, such as `bar` in a dialog."""
        self._ground = ground
        self._palette = themes.load(themes.DEFAULT)
        self._kept: dict[tuple[Hashable, Mark], Strip] = {}

    def forget(self) -> None:
        """After another width or another source."""
        self._kept.clear()

    def wear(self, theme_name: str) -> None:
        """Paints in another theme from now on."""
        self._palette = themes.palette_of(theme_name)
        self._kept.clear()

    def strip(self, widget: Widget, source: Source, slot: Slot, mark: Mark, width: int) -> Strip:
        """The strip of a slot, exactly `width` cells, with the application's line filters applied."""
        key = (slot.stamp, mark)
        strip = self._kept.get(key)
        if strip is None:
            if len(self._kept) >= _MAX_STRIPS:
                self._kept.clear()
            strip = self._kept[key] = self._made(widget, _line(source, slot, mark, width), width)
        return strip

    def _made(self, widget: Widget, line: Line, width: int) -> Strip:
        ground = self._ground if line.ground == "bg" else line.ground
        style = self._palette.style
        segments = [
            Segment(piece, style(run.role, run.flags, ground))
            for run in line.runs
            for piece in unbroken(run.text)
            if piece
        ]
        strip = Strip(segments).adjust_cell_length(width, style("text", "", ground))
        background = widget.background_colors[1]
        for line_filter in widget.get_line_filters():
            if line_filter.enabled:
                strip = strip.apply_filter(line_filter, background)
        return strip


def _line(source: Source, slot: Slot, mark: Mark, width: int) -> Line:
    if slot is NOTHING:
        return Line()
    if slot.item == COUNT:
        assert isinstance(slot.stamp, tuple)
        return source.more(slot.stamp[1]) or Line()
    return source.draw(slot, width, mark)
