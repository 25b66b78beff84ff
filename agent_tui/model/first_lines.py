"""The first run as lines: server, name, key, let in, each with its state (look.md, "States").

The law: it says of each of the four what is so and what is missing, and that it goes on by itself; a seed is never in it.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_tui.model import clock, frame
from agent_tui.model.cells import fit, wrap
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import BLANK, Line, Run, line

CELLS = 72
LABEL_CELLS = 14
"""Mark, a gap, and the word before a value."""


class First(NamedTuple):
    """How far somebody has come."""

    server: str = ""
    agent: str = ""
    key: str = ""
    """Where the key lies, as a sentence; empty = there is none yet."""
    to_lead: tuple[str, ...] = ()
    """What the lead needs, in rows; empty = the lead's own line was pasted, so nothing."""
    state: str = ""
    """Of the last try: `up`, `denied`, `down`; empty = not tried yet."""
    sentence: str = ""
    round_trip_ms: int | None = None
    waits_ms: int = 0
    wrong: str = ""
    """Why what was typed cannot be used."""

    @property
    def is_waiting(self) -> bool:
        return bool(self.key)


def head(cells: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Above the four."""
    welcome = line(Run("Welcome. Four lines and you are at your desk.", "strong", "b"))
    return welcome, BLANK, frame.rule(cells, glyphs), BLANK


def label(word: str, is_done: bool, is_now: bool, glyphs: Glyphs) -> Line:
    """`✓ server`: done, being asked for, or later."""
    mark = Run(glyphs.yes, "ok") if is_done else Run(glyphs.waits, "near") if is_now else Run(glyphs.off, "mut")
    return line(mark, Run(f" {word}", "mut"))


def server_state(first: First) -> Line:
    """At the right end of the server's row."""
    if first.state in ("up", "denied"):
        trip = f" in {first.round_trip_ms} ms" if first.round_trip_ms is not None else ""
        return line(Run(f"{'answers' + trip:>22}", "mut", "i"))
    return line(Run(f"{'no answer yet':>22}", "near", "i")) if first.state == "down" else BLANK


def below(first: First, cells: int, copy: str, glyphs: Glyphs) -> tuple[Line, ...]:
    """Key and let in. `copy`: the key that copies what the lead needs."""
    room = cells - LABEL_CELLS
    found: list[Line] = []
    if first.wrong:
        found += [_value("", words, "near") for words in wrap(f"! {clean_line(first.wrong, 400)}", room)]
        found.append(BLANK)
    found += _key(first, room, glyphs)
    found.append(BLANK)
    return (*found, *_let_in(first, room, copy, glyphs))


def meanwhile(
    first: First, cells: int, theme: str, themes: tuple[str, ...], look: str, glyphs: Glyphs
) -> tuple[Line, ...]:
    """What can be done until then. `look`: the key for the next theme, while letters act."""
    chosen = [(name, name == theme) for name in themes]
    names = [
        one for name, is_now in chosen for one in (Run("  "), Run(name, *(("strong", "bu") if is_now else ("mut",))))
    ]
    key = Run(f"{look:<4}", "acc", "b") if first.is_waiting else Run("    ")
    return (
        BLANK,
        frame.rule(cells, glyphs),
        BLANK,
        line(Run("While you wait" if first.is_waiting else "Besides", "mut", "b")),
        line(key, Run("look:"), *names),
        line(
            Run("    "),
            Run("agent-tui demo", "strong"),
            Run("  practices with invented customers, no server needed", "mut"),
        ),
    )


def key_line(first: First, cells: int, glyphs: Glyphs, at: int) -> Line:
    """The last row. `at`: which field is typed into; -1 = none."""
    keys: tuple[Key, ...] = (Key("⏎", "next" if at == 0 else "make the key"), Key("tab", "other field", 1))
    if at < 0:
        copy = (Key("y", "copy the line"),) if first.to_lead else ()
        keys = (*copy, Key("t", "look"), Key("esc", "change server or name"))
    return frame.key_line((*keys, Key("^q", "leave")), cells, glyphs, always=())


def status_line(first: First, cells: int, glyphs: Glyphs) -> Line:
    """`▌onewindow  first run      ○ no link yet`."""
    left = (Part((Run("onewindow", "strong", "b"),)), Part((Run("first run", "mut"),), 1))
    right = (Part((Run(f"{glyphs.off} no link yet", "mut"),)),)
    return line(Run(glyphs.bar, "acc"), *frame.fitted(left, right, cells - 2), Run(" "), ground="bar")


def _value(word: str, words: str, role: str = "text", flags: str = "") -> Line:
    return line(Run(fit(word, LABEL_CELLS), "mut"), Run(words, role, flags))


def _key(first: First, room: int, glyphs: Glyphs) -> list[Line]:
    mark = label("key", bool(first.key), False, glyphs).runs
    gap = Run(" " * (LABEL_CELLS - 5))
    if not first.key:
        return [line(*mark, gap, Run("made here, or in your lead's line", "mut"))]
    rows = wrap(first.key, room)
    found = [line(*mark, gap, Run(rows[0])), *(_value("", words) for words in rows[1:])]
    return [*found, _value("", "it never leaves this machine", "mut")]


def _let_in(first: First, room: int, copy: str, glyphs: Glyphs) -> list[Line]:
    mark = label("let in", first.state == "up", first.is_waiting, glyphs).runs
    gap = Run(" " * (LABEL_CELLS - 8))
    if not first.is_waiting:
        return [line(*mark, gap, Run("your lead lets you in, this goes on by itself", "mut"))]
    found: list[Line] = []
    if first.to_lead:
        words = "send this line to your lead, who lets you in:"
        end = Run(f"{copy} copy".rjust(room - len(words)), "acc", "b")
        found.append(line(*mark, gap, Run(words), end._replace(text=end.text[: -len(" copy")]), Run(" copy", "mut")))
        found += [line(Run(" " * LABEL_CELLS), Run(fit(f" {row}", room), "strong", "b")) for row in first.to_lead]
    else:
        found.append(line(*mark, gap, Run("your lead's line has the key: the server is asked")))
    if first.state == "down":
        found += [_value("", words, "near") for words in wrap(clean_line(first.sentence, 300), room)]
    waited = line(
        Run(" " * LABEL_CELLS),
        Run("waiting ", "mut"),
        Run(clock.minutes(first.waits_ms), "near", "b"),
        Run(", this window goes on by itself", "mut"),
    )
    return [*found, waited]
