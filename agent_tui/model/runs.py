"""Lines of text with roles: what the model hands to a pane, before any theme.

The law: the model names roles of the look (`text`, `late`, `chip.late`), never colors. A theme turns them into styles.
"""

from typing import NamedTuple

from agent_tui.model.cells import DOTS, cut, width

ROLES = (
    "text", "strong", "mut", "acc", "near", "late", "ok", "cust", "whisper", "note", "rule",
)  # fmt: skip
CHIPS = ("chip.late", "chip.near", "chip.acc", "chip.ok", "chip.cust")
GROUNDS = ("bg", "bar", "sel", "notebg", "whisperbg")


class Run(NamedTuple):
    """A stretch of one style."""

    text: str
    """Clean, without a newline."""
    role: str = "text"
    """One of ROLES, or of CHIPS for reverse video."""
    flags: str = ""
    """Any of `b` bold, `i` italic, `u` underline."""


class Line(NamedTuple):
    """One line of a pane; a pane fills what is missing at the right with the ground."""

    runs: tuple[Run, ...] = ()
    ground: str = "bg"
    """One of GROUNDS."""

    @property
    def text(self) -> str:
        """The words alone, as a screen reader or a test sees them."""
        return "".join(run.text for run in self.runs)

    @property
    def cells(self) -> int:
        """Width in cells."""
        return sum(width(run.text) for run in self.runs)


BLANK = Line()


def line(*runs: Run, ground: str = "bg") -> Line:
    """A line of the runs that have text."""
    return Line(tuple(run for run in runs if run.text), ground)


def cut_runs(runs: tuple[Run, ...], cells: int, dots: str = DOTS) -> tuple[Run, ...]:
    """The runs in at most `cells` cells, the last one cut with `dots`."""
    kept: list[Run] = []
    for index, run in enumerate(runs):
        size = width(run.text)
        rest = any(later.text for later in runs[index + 1 :])
        if size < cells or (size == cells and not rest):
            kept.append(run)
            cells -= size
            continue
        kept.append(run._replace(text=cut(run.text + (" " if rest else ""), cells, dots)))
        break
    return tuple(kept)


def ends(left: tuple[Run, ...], right: tuple[Run, ...], cells: int, dots: str = DOTS) -> tuple[Run, ...]:
    """`left` and `right` at the two ends of `cells`; the left is cut if both do not fit with a space between."""
    room = cells - sum(width(run.text) for run in right)
    left = cut_runs(left, room - 1 if right else room, dots)
    gap = room - sum(width(run.text) for run in left)
    return (*left, Run(" " * gap), *right) if gap > 0 and right else (*left, *right)
