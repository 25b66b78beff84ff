"""The list of a transfer as lines: agents, queues and skills, each with its state and how full it is.

The law: the same columns at every size; the words at the right end are cut, never the name's state or the load.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_tui.model import clock, targets
from agent_tui.model.cells import cut, fit, pad_left, width
from agent_tui.model.clean import clean_line
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.targets import Needed, Targets
from broker_bridge.contract.views import Colleague, QueueView

NAME_CELLS, WIDE_NAME_CELLS = 18, 28
WIDE = 70
"""Cells of a list in which the longer names are whole."""
STATE_CELLS = 8
MOST_BAR = 6
"""Places drawn one by one; more are drawn as four steps."""


class About(NamedTuple):
    """What the lines depend on beside what was found."""

    cells: int
    word: str
    """Channel word of the case."""
    typed: str
    viewers: tuple[str, ...]
    names: dict[str, str]
    """Queue's id -> name."""
    at: Instant

    @property
    def name_cells(self) -> int:
        """Of the names."""
        return WIDE_NAME_CELLS if self.cells >= WIDE else NAME_CELLS

    @property
    def load_at(self) -> int:
        """Where the load begins."""
        return 3 + self.name_cells + 1 + STATE_CELLS + 1


Key = tuple[str, str]
"""Kind (`agent`, `queue`, `skills`) and id, or the words of the skills."""


def listed(found: Targets, about: About) -> list[tuple[Key | None, Line]]:
    """Every line of the list; a head has no key."""
    lines: list[tuple[Key | None, Line]] = []
    groups: tuple[tuple[str, list[tuple[Key | None, Line]]], ...] = (
        ("agents", [(("agent", one.agent), person(one, about)) for one in found.agents]),
        ("queues", [(("queue", one.queue), queue(one, about)) for one in found.queues]),
        ("skills", [(("skills", one.words), skills(one, about)) for one in found.skills]),
    )
    for title, rows in groups:
        if rows:
            lines.extend([(None, BLANK._replace(ground="bar"))] if lines else [])
            lines.append((None, line(Run("   "), Run(title, "mut", "b"), ground="bar")))
            lines.extend(rows)
    return lines


def person(one: Colleague, about: About) -> Line:
    """`● Priya Rao   ready   ▮▯▯▯ 1/4   cards, fees`."""
    at = about.at
    # Without a link it is not known what they are by now.
    sign, role = presence(one.state, at.glyphs) if at.has_link else (at.glyphs.waits, "mut")
    is_here = one.state not in ("away", "off", "silent")
    name_role, flags = ("strong", "b") if one.state == "ready" else ("text" if is_here else "mut", "")
    taken, room = targets.places(one, about.word)
    if one.state == "away" and one.until_ms is not None:
        load, load_role = f"back {clock.until(one.until_ms, at.now_ms, at.tz)}", "text"
    elif one.state == "off":
        load, load_role = "", "mut"
    else:
        load, load_role = bar(taken, room, at.glyphs), "text" if is_here else "mut"
    right = _right(one, about, about.cells - about.load_at - width(load) - 3)
    left = (
        Run(" "),
        Run(sign, role),
        Run(" "),
        Run(
            fit(clean_line(one.name) or clean_line(one.agent), about.name_cells, at.glyphs.dots) + " ", name_role, flags
        ),
        Run(fit(targets.state_word(one), STATE_CELLS, at.glyphs.dots) + " ", "mut"),
        Run(load, load_role),
    )
    return _ended(left, right, about, about.load_at + width(load), "near" if right == "full" else "mut")


def queue(one: QueueView, about: About) -> Line:
    """`≡ cards › fees   3 wait   ▁▂▃▄ 2:14   SL 91 %`; a closed one says when it opens."""
    at = about.at
    name = Run(fit(clean_line(one.name) or clean_line(one.queue), about.name_cells, at.glyphs.dots) + " ",
               "text" if one.is_open else "mut")  # fmt: skip
    sign = Run(f" {at.glyphs.queue} ", "text" if one.is_open else "mut")
    if not one.is_open:
        hours = clean_line(one.hours, 60).removeprefix("closed").lstrip(", :")
        opens = cut(hours, max(0, about.cells - about.load_at - 1), at.glyphs.dots)
        return line(sign, name, Run(fit("closed", STATE_CELLS) + " ", "mut"), Run(opens), ground="bar")
    oldest = clock.minutes(at.now_ms - one.oldest_ms) if one.oldest_ms is not None else "0:00"
    shape = at.glyphs.sparkline(tuple(float(number) for number in one.arrivals[-5:]))
    level = f"SL {round(one.service_level * 100)} %" if one.service_level is not None else ""
    left = (
        sign,
        name,
        Run(fit(f"{one.waiting} wait", STATE_CELLS) + " ", "mut"),
        Run(f"{shape:<5} {oldest}"),
    )
    return _ended(left, level, about, about.load_at + 6 + width(oldest), "mut")


def skills(one: Needed, about: About) -> Line:
    """`# swedish + fees   2 ready   least: Jonas   3/4`."""
    at = about.at
    load = f"{one.load}/{one.places}" if one.places else ""
    least = f"least: {clean_line(one.least, 60).split(' ')[0]}" if one.least else "nobody ready has it"
    room = max(0, about.cells - about.load_at - width(load) - 2)
    left = (
        Run(f" {at.glyphs.skill} ", "text"),
        Run(fit(clean_line(one.words), about.name_cells, at.glyphs.dots) + " ", "text" if one.ready else "mut"),
        Run(fit(f"{one.ready} ready", STATE_CELLS) + " ", "mut"),
        Run(cut(least, room, at.glyphs.dots), "text" if one.ready else "mut"),
    )
    return _ended(left, load, about, about.load_at + width(cut(least, room, at.glyphs.dots)), "mut")


def presence(state: str, glyphs: Glyphs) -> tuple[str, str]:
    """Sign and role of an agent's state."""
    return {
        "ready": (glyphs.ready, "ok"),
        "wrap_up": (glyphs.wrap_up, "near"),
        "silent": (glyphs.waits, "near"),
        "away": (glyphs.no, "mut"),
    }.get(state, (glyphs.off, "mut"))


def bar(taken: int, room: int, glyphs: Glyphs) -> str:
    """`▮▯▯▯ 1/4`; four steps where there are many places."""
    if not room:
        return ""
    shown = (taken, room) if room <= MOST_BAR else (min(4, -(-taken * 4 // room)), 4)
    return f"{glyphs.load(*shown)} {taken}/{room}"


def _right(one: Colleague, about: About, room: int) -> str:
    """What else matters: reads this case, full, as many skills and queues as fit; what was typed goes first."""
    name = clean_line(one.name, 60)
    if any(clean_line(viewer, 60) in (name, name.split(" ")[0]) for viewer in about.viewers):
        return "reads this"
    if one.state == "ready" and targets.is_full(one, about.word):
        return "full"
    typed = targets.folded(about.typed).replace("+", " ").split()
    able = [clean_line(s.name, 40) + (f" {s.level}" if s.level > 1 else "") for s in one.skills]
    able += [clean_line(about.names.get(name, name), 40) for name in one.queues]
    able.sort(key=lambda word: not any(part in targets.folded(word) for part in typed))
    shown = able[0] if able else ""
    for word in able[1:]:
        if width(f"{shown}, {word}") <= room:
            shown = f"{shown}, {word}"
    return shown


def _ended(left: tuple[Run, ...], right: str, about: About, used: int, role: str) -> Line:
    """`left`, and `right` as far as it fits at the end, one cell before the edge."""
    room = about.cells - used - 3
    shown = cut(right, room, about.at.glyphs.dots) if room > 2 else ""
    return line(*left, Run(pad_left(shown, about.cells - used - 1), role), ground="bar")
