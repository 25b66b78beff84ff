"""The command palette: everything by name, with its key beside it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from agent_tui import palette
from agent_tui.keys import KeyTable
from agent_tui.model.cells import width
from agent_tui.model.frame import Key, Part, fitted
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.paint import Painted
from agent_tui.palette import Entry
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Row


class Commanding(Listed[str | None]):
    """Gives the name of what is to be done."""

    is_typed = True
    columns = 74
    rows = 22

    def __init__(self, place: Workplace, keys: KeyTable, target: Row | None, is_lead: bool) -> None:
        super().__init__(place)
        self._keys = keys
        self._target = target
        self._is_lead = is_lead
        self._all: list[Entry] = []
        self._hits: list[Entry] = []

    def content(self) -> ComposeResult:
        yield field(": ", id="find")
        yield Painted(ground="bar", id="under")
        yield LineList(ground="bar", id="entries")

    def on_mount(self) -> None:
        super().on_mount()
        rows = self.place.state.rows.values()
        self._all = palette.entries(self._keys, self._target, rows, self.app.theme, self._is_lead)
        self.query_one("#find", Input).focus()
        self.refit()

    def refit(self) -> None:
        rule = self.place.glyphs.rule * max(0, self.cells - 4)
        self.query_one("#under", Painted).show(line(Run("  "), Run(rule, "rule"), ground="bar"))
        self._fill()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._fill(is_typed=True)

    def _fill(self, *, is_typed: bool = False) -> None:
        """`is_typed`: other words, so the best is chosen again."""
        typed = self.query_one("#find", Input).value
        self._hits = palette.matching(self._all, typed)
        lines: list[tuple[int | None, Line]] = []
        group = ""
        for n, entry in enumerate(self._hits):
            if entry.group != group:
                if lines:
                    lines.append((None, BLANK._replace(ground="bar")))
                lines.append((None, line(Run("  "), Run(entry.group, "mut", "b"), ground="bar")))
                group = entry.group
            lines.append((n if entry.name else None, self._line(entry, typed)))
        source = Choices(lines, self.place.glyphs, rev=hash((tuple(self._hits), typed, self.cells)))
        first = next((n for n, entry in enumerate(self._hits) if entry.name), None)
        if is_typed or self.list_of().cursor is None:
            self.list_of().show(source, cursor=first, from_start=True)
        else:
            self.list_of().show(source)
        self.show_title()

    def _line(self, entry: Entry, typed: str) -> Line:
        role = "text" if entry.name else "mut"
        remark = (Run(f"  {entry.remark}", "mut", "" if entry.name else "i"),) if entry.remark else ()
        key = entry.key.replace("⏎", self.place.glyphs.enter)
        right = (Part((Run(key, "acc", "b"),)),) if key else ()
        left = Part((*_marked(entry.words, typed, role), *remark))
        return line(Run("  "), *fitted((left,), right, self.cells - 4), Run("  "), ground="bar")

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        count = f"{len(self._hits)} of {len(self._all)}"
        return (Part((Run("Command", "strong", "b"),)),), (Part((Run(count, "mut"),)),)

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        glyphs = self.place.glyphs
        return (Key(glyphs.above + glyphs.below, "move"), Key("⏎", "do"), Key("esc", "back", 1)), ""

    @on(Input.Submitted)
    @on(LineList.Picked)
    def _submitted(self) -> None:
        place = self.list_of().cursor
        if isinstance(place, int) and place < len(self._hits):
            self.dismiss(self._hits[place].name)


def _marked(words: str, typed: str, role: str) -> tuple[Run, ...]:
    """The words with the first typed one underlined."""
    part = typed.casefold().split()[0] if typed.strip() else ""
    at = words.casefold().find(part) if part else -1
    if at < 0 or width(words) != len(words):
        return (Run(words, role),)
    end = at + len(part)
    return (Run(words[:at], role), Run(words[at:end], "acc", "bu"), Run(words[end:], role))
