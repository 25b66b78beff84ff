"""Every key, by group, from the one table; typing finds one."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from agent_tui.keys import Action, KeyTable
from agent_tui.model.cells import fit, width
from agent_tui.model.frame import Key, Part
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.workplace import Workplace

COLUMNS = (("Work",), ("Look", "Move"), ("Write", "You", "Supervise", "Always"))
TOGETHER = (
    (("view_mine", "view_queue", "view_all"), "mine, queue, all"),
    (("next_pane", "previous_pane"), "next pane, pane before"),
    (("cursor_down", "cursor_up"), "row down, up"),
    (("page_down", "page_up"), "page down, up"),
    (("top", "bottom"), "top, bottom"),
    (("open", "back", "leave_composer"), "open, back"),
)
"""Actions that share a row, each with its first key."""
PLACES = {"list": "inbox", "thread": "conversation", "side": "profile and timeline", "chat": "composer"}


class Helping(Listed[None]):
    """Three columns where there is room, one below."""

    is_typed = True
    columns = 108
    rows = 31

    def __init__(self, place: Workplace, keys: KeyTable, where: str, is_lead: bool) -> None:
        super().__init__(place)
        self._keys = keys
        self._where = where
        self._is_lead = is_lead

    def content(self) -> ComposeResult:
        yield field("", id="find", placeholder="type to find a key")
        yield Painted(ground="bar")
        yield LineList(has_cursor=False, ground="bar", id="keys")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#find", Input).focus()
        self._fill()

    def on_resize(self, event: object) -> None:
        self.lay_out()
        self._fill()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._fill()

    def _fill(self) -> None:
        typed = self.query_one("#find", Input).value.casefold()
        columns = [self._column(names, typed) for names in COLUMNS]
        widths = self._widths(columns)
        if self.cells < 100:
            columns = [[row for column in columns for row in (*column, ("", "", ""))]]
        height = max(len(column) for column in columns)
        rows: list[tuple[None, Line]] = []
        for n in range(height):
            runs: list[Run] = []
            for column, (keys, cells) in zip(columns, widths, strict=False):
                found = column[n] if n < len(column) else ("", "", "")
                runs.extend(_cell(found, keys, cells, self.place.glyphs))
            rows.append((None, line(*runs, ground="bar")))
        source = Choices(rows or [(None, BLANK)], self.place.glyphs, rev=hash((typed, self.cells)))
        self.list_of().show(source, from_start=True)

    def _widths(self, columns: list[list[tuple[str, str, str]]]) -> list[tuple[int, int]]:
        """Cells of the keys and of the whole of each column: what it needs, the widest giving way."""
        if self.cells < 100:
            return [(12, self.cells)]
        keys = [max((width(row[1]) for row in column), default=0) + 2 for column in columns]
        whole = [
            2 + key + max((width(row[2]) for row in column), default=0) + 1
            for key, column in zip(keys, columns, strict=True)
        ]
        while sum(whole) > self.cells:
            whole[whole.index(max(whole))] -= 1
        whole[-1] += self.cells - sum(whole)
        return list(zip(keys, whole, strict=True))

    def _column(self, names: tuple[str, ...], typed: str) -> list[tuple[str, str, str]]:
        """(group, keys, words) a row."""
        found: list[tuple[str, str, str]] = []
        groups = self._keys.help(is_supervisor=self._is_lead)
        for name in names:
            rows = [
                (keys, words)
                for keys, words in _together(groups.get(name, []))  # type: ignore[call-overload]
                if typed in words.casefold() or typed in keys.casefold()
            ]
            if not rows:
                continue
            found.extend([("", "", "")] if found else [])
            found.append((name, "", ""))
            found.extend(("", keys.replace("⏎", self.place.glyphs.enter), words) for keys, words in rows)
        return found

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        here = PLACES.get(self._where, self._where)
        return (Part((Run("Keys", "strong", "b"), Run(f"  here: {here}", "mut"))),), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("↑↓", "scroll", 1), Key("esc", "back")), "the same on a Cyrillic layout"


def _together(rows: list[tuple[str, Action]]) -> list[tuple[str, str]]:
    """(keys, words) a row, where several actions may share one."""
    known = {action.name: keys.split(" ")[0] for keys, action in rows}
    shared = {name: (names, words) for names, words in TOGETHER for name in names}
    found: list[tuple[str, str]] = []
    for keys, action in rows:
        names, words = shared.get(action.name, ((action.name,), action.description))
        if len(names) == 1:
            found.append((keys, words))
        elif action.name == next(name for name in names if name in known):
            found.append((" ".join(dict.fromkeys(known[name] for name in names if name in known)), words))
    return found


def _cell(row: tuple[str, str, str], keys: int, cells: int, glyphs: Glyphs) -> tuple[Run, ...]:
    """One row of one column, exactly `cells` wide."""
    group, key, words = row
    if group:
        return (Run(fit(f"  {group}", cells), "mut", "b"),)
    return (Run("  "), Run(fit(key, keys), "acc", "b"), Run(fit(words, cells - 2 - keys, glyphs.dots)))
