"""The fixed lines of the window: heads, rules, the key line, the banner.

The law: titles are never cut, the parts after them go first, by rank; every line comes out exactly as wide as asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from agent_tui.model.cells import width
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import Line, Run, cut_runs, line


class Part(NamedTuple):
    """Some runs that stay or go together."""

    runs: tuple[Run, ...]
    rank: int = 0
    """Parts of the highest rank go first; rank 0 stays."""


class Key(NamedTuple):
    """A key and what it does, as the key line, dialogs and the composer show it."""

    key: str
    words: str
    rank: int = 0


def cells_of(runs: Iterable[Run]) -> int:
    """Width of the runs together."""
    return sum(width(run.text) for run in runs)


def joined(parts: Iterable[Part], gap: int) -> tuple[Run, ...]:
    """The parts with `gap` spaces between."""
    found: list[Run] = []
    for part in parts:
        if found:
            found.append(Run(" " * gap))
        found.extend(part.runs)
    return tuple(found)


def fitted(left: tuple[Part, ...], right: tuple[Part, ...], cells: int, gap: int = 2) -> tuple[Run, ...]:
    """`left` and `right` at the two ends of `cells`; parts are given up by rank until both fit."""
    while True:
        runs, ends = joined(left, gap), joined(right, gap)
        free = cells - cells_of(runs) - cells_of(ends)
        if free >= (min(gap, 2) if runs and ends else 0):
            return (*runs, Run(" " * free), *ends)
        worst = max((part.rank for part in (*left, *right)), default=0)
        if worst == 0:
            room = max(0, cells - cells_of(ends) - (1 if ends else 0))
            kept = cut_runs(runs, room)
            return cut_runs((*kept, Run(" " * (cells - cells_of(ends) - cells_of(kept))), *ends), cells)
        left, right = _without(left, right, worst)


def _without(left: tuple[Part, ...], right: tuple[Part, ...], rank: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Both sides without the last part of `rank`."""
    for side in (right, left):
        for index in range(len(side) - 1, -1, -1):
            if side[index].rank == rank:
                shorter = side[:index] + side[index + 1 :]
                return (left, shorter) if side is right else (shorter, right)
    return left, right


def margined(runs: tuple[Run, ...], ground: str = "bg") -> Line:
    """One cell of margin on both sides."""
    return line(Run(" "), *runs, Run(" "), ground=ground)


def head(left: tuple[Part, ...], right: tuple[Part, ...], cells: int) -> Line:
    """The first row of a pane."""
    return margined(fitted(left, right, cells - 2))


def rule(cells: int, glyphs: Glyphs, *, is_focused: bool = False, mark: tuple[int, int] | None = None) -> Line:
    """The second row of a pane: a hairline, heavy in `acc` when the pane has the focus.

    `mark`: first cell and length of the heavy piece under a chosen word; the rest of a focused rule stays thin then.
    """
    role = "acc" if is_focused else "rule"
    if mark is None:
        return line(Run((glyphs.focus if is_focused else glyphs.rule) * cells, role))
    start, length = mark
    return line(
        Run(glyphs.rule * start, role),
        Run(glyphs.focus * length, "acc" if is_focused else "mut"),
        Run(glyphs.rule * (cells - start - length), role),
    )


def centered_rule(words: str, cells: int, glyphs: Glyphs, role: str = "mut") -> Line:
    """Words in the middle of a hairline."""
    left = max(0, (cells - width(words) - 2) // 2)
    rest = max(0, cells - width(words) - 2 - left)
    return line(Run(glyphs.rule * left, "rule"), Run(f" {words} ", role), Run(glyphs.rule * rest, "rule"))


def key_part(key: Key, glyphs: Glyphs) -> Part:
    """`^n send+next`: the key bold in `acc`, the verb muted."""
    return Part((Run(key.key.replace("⏎", glyphs.enter), "acc", "b"), Run(f" {key.words}", "mut")), key.rank)


ALWAYS = (Key(":", "command"), Key("?", "help"))


def key_line(
    keys: tuple[Key, ...], cells: int, glyphs: Glyphs, *, lead: tuple[Run, ...] = (), always: tuple[Key, ...] = ALWAYS
) -> Line:
    """The last row: what can be pressed now, dropped by rank; `: command  ? help` always stand at the right end."""
    left = tuple(key_part(key, glyphs) for key in keys)
    if lead:
        left = (Part(lead), *left)
    right = tuple(key_part(key, glyphs) for key in always)
    return margined(fitted(left, right, cells - 2, gap=3 if cells >= 160 else 2), ground="bar")


def keys_row(
    keys: tuple[Key, ...], cells: int, glyphs: Glyphs, hint: str = "", ground: str = "bar", *, warning: str = ""
) -> Line:
    """The last row of a dialog: keys left, a hint in italics right. A `warning` in its place stays while keys go."""
    left = tuple(key_part(key, glyphs) for key in keys)
    right: tuple[Part, ...] = (Part((Run(hint, "mut", "i"),), 99),) if hint else ()
    if warning:
        right = (Part((Run(warning, "near", "b"),)),)
    return line(Run("  "), *fitted(left, right, cells - 4, gap=3), Run("  "), ground=ground)


def banner(words: str, right: str, cells: int, role: str = "near") -> Line:
    """The row under the status line when something holds for the whole window: reversed in `near` or `acc`."""
    text = fitted(
        (Part((Run(words, f"chip.{role}", "b"),)),),
        (Part((Run(right, f"chip.{role}", "b"),), 1),) if right else (),
        cells - 2,
    )
    return line(
        Run(" ", f"chip.{role}"),
        *(run._replace(role=f"chip.{role}", flags="b") for run in text),
        Run(" ", f"chip.{role}"),
    )


def edge(cells: int, glyphs: Glyphs, *, role: str = "acc", left: float = 1.0) -> Line:
    """The top edge of a dialog or card; `left` (0 to 1) of it is bright, the rest drained."""
    bright = round(cells * max(0.0, min(1.0, left)))
    return line(Run(glyphs.top * bright, role), Run(glyphs.top * (cells - bright), "rule"), ground="bar")
