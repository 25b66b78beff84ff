"""One whole text: a long message, its raw source, a text file. Pages come as they are reached.

The law: it is cleaned page by page and drawn by lines, so a megabyte costs no more than a screen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from agent_tui.begin import begin
from agent_tui.model.cells import wrap
from agent_tui.model.clean import MAX_CHARS, clean, clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import Line, Run, line
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Dialog
from agent_tui.workplace import Workplace


class Leaf(NamedTuple):
    """A page of the text, and how many there are."""

    text: str
    parts: int


class Pager(Dialog[None]):
    """`fetch(part)` gives a page, or None if it cannot be had now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "back", show=False),
        Binding("space", "page", "page", show=False),
    ]
    columns = 108
    rows = 999

    def __init__(self, place: Workplace, title: str, fetch: Callable[[int], Awaitable[Leaf | None]]) -> None:
        super().__init__(place)
        self._title = title
        self._fetch = fetch
        self._texts: list[str] = []
        self._rows: list[tuple[int, list[str]]] = []
        """The rows of each page, and the width that they were cut to."""
        self._parts = 1
        self._is_fetching = False
        self._said = "fetching"

    def content(self) -> ComposeResult:
        yield LineList(has_cursor=False, ground="bar", id="text")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(LineList).focus()
        begin(self, self._more)

    async def _more(self) -> None:
        """All pages, one after the other; each is on the screen when it is here."""
        while len(self._texts) < self._parts:
            leaf = await self._fetch(len(self._texts))
            if not self.is_here:
                return  # left meanwhile: there is nothing to fill any more
            if leaf is None:
                self._said = "cannot be had now: there is no link, or it is no longer kept"
                break
            self._texts.append(leaf.text)
            self._parts = leaf.parts
            self._said = ""
            self._fill()
        self._fill()

    def refit(self) -> None:
        self._fill()

    def _fill(self) -> None:
        room = max(10, self.cells - 4)
        # A megabyte is many pages: each is cut once, not again with every page that follows.
        self._rows = [one for one in self._rows if one[0] == room]
        self._rows += [(room, _cut(text, room)) for text in self._texts[len(self._rows) :]]
        lines: list[tuple[None, Line]] = [
            (None, line(Run(f"  {part}"), ground="bar")) for _, page in self._rows for part in page
        ]
        if self._said:
            lines.append((None, line(Run(f"  {self._said}", "mut", "i"), ground="bar")))
        source = Choices(lines, self.place.glyphs, rev=hash((len(self._texts), self.cells, self._said)))
        self.query_one(LineList).show(source)
        self.show_title()

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        count = f"{sum(len(text) for text in self._texts):,} characters" if self._texts else ""
        return (Part((Run(clean_line(self._title), "strong", "b"),)),), (Part((Run(count, "mut"),), 1),)

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("↑↓", "scroll", 1), Key("g G", "top, bottom", 2), Key("esc", "back")), ""

    def action_page(self) -> None:
        self.query_one(LineList).action_page(1)


def _cut(text: str, room: int) -> list[str]:
    """A page in rows. The cap of a message on the thread does not hold here: cleaned in pieces below it."""
    found: list[str] = []
    for start in range(0, len(text), MAX_CHARS // 2):
        for row in _cleaned(text[start : start + MAX_CHARS // 2]):
            found.extend(wrap(row, room) or ("",))
    return found


def _cleaned(text: str) -> list[str]:
    """Lines of a piece; at most 400 are cleaned at a time, below the cap of `clean`."""
    rows = text.split("\n")
    return [row for at in range(0, len(rows), 400) for row in clean("\n".join(rows[at : at + 400])).split("\n")]
