"""Why a conversation is where it is, as lines: the sentence, the steps, who was looked at and why (not), the policy.

The law: everything that the bridge said stands there, nothing is reckoned here; a live answer says that nobody was chosen yet.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.cells import cut, fit, width, wrap
from agent_tui.model.clean import clean, clean_line
from agent_tui.model.frame import Part
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.rows import Moment
from agent_tui.model.runs import BLANK, Line, Run, cut_runs, ends, line
from broker_bridge.contract.views import Row, WhyLine, WhyView, WhyWho

RECENT = 6
"""Steps in sight before `h` shows the whole history, where the terminal has no room for more."""
_TONES = {"ok": "ok", "near": "near", "late": "late"}
_BAR = BLANK._replace(ground="bar")


class _Columns(NamedTuple):
    """Cells of the table of agents; 0 = left out."""

    name: int
    load: int
    skills: int
    talk: int
    place: int
    why: int


def columns(cells: int) -> _Columns:
    """By the dialog's width: the picture's at 92; the last talk goes first, then the picture of the load and the place."""
    if cells >= 90:
        return _Columns(16, 14, 9, 11, 7, cells - 63)
    if cells >= 76:
        return _Columns(16, 14, 9, 0, 7, cells - 52)
    return _Columns(14, 7, 7, 0, 0, cells - 34)


def title(row: Row, view: WhyView | None, me: str) -> str:
    """`Why me?`, `Why Priya?`, `Why nobody yet?`, or `Why?` where nobody was chosen by the bridge."""
    if view is not None and view.is_live:
        return "Why nobody yet?"
    chosen = next((one for one in view.who if one.is_chosen), None) if view is not None else None
    if chosen is not None and chosen.agent != me:
        return f"Why {clean_line(chosen.name, 30).split(' ')[0]}?"
    return "Why me?" if chosen is not None or row.state in ("ringing", "mine") else "Why?"


def lines(
    view: WhyView, row: Row, me: str, cells: int, at: Moment, *, is_whole: bool = False, room: int = 0
) -> list[Line]:
    """All of it, each at most `cells` wide. `is_whole`: every step of the history. `room`: rows that there are, 0 = few."""
    found = [
        line(Run("  "), Run(text, "strong", "b"), ground="bar") for text in wrap(clean_line(view.sentence), cells - 4)
    ]
    if view.is_live:
        found.append(line(Run("  "), Run("reckoned now, nobody is chosen yet", "mut", "i"), ground="bar"))
    found.append(_BAR)
    rest = _below(view, row, me, cells, at)
    most = len(view.lines) if is_whole else max(RECENT, room - len(found) - len(rest))
    if len(view.lines) > most:
        # One of the rows says how many are left out.
        most = max(RECENT, most - 1)
    steps = view.lines[-most:]
    hidden = len(view.lines) - len(steps)
    if hidden:
        found.append(line(Run("  "), Run(f"{at.glyphs.above} {_counted(hidden, 'earlier step')}", "mut"), ground="bar"))
    for step in steps:
        found.extend(_step(step, cells, at, is_whole=is_whole))
    return [*found, *rest]


def _below(view: WhyView, row: Row, me: str, cells: int, at: Moment) -> list[Line]:
    """What stands under the steps."""
    found: list[Line] = []
    if row.due_because and not any(row.due_because in step.text for step in view.lines):
        found.extend(_because(row, cells, at))
    if view.who or view.skipped:
        found.extend((_BAR, *_table(view, me, cells, at.glyphs)))
    if view.policy:
        found.append(_BAR)
        policy = wrap(clean_line(view.policy), cells - 4)
        found.extend(line(Run("  "), Run(text, "mut", "i"), ground="bar") for text in policy)
    return found


def rules_lines(view: WhyView, cells: int) -> list[Line]:
    """The rules of the queue, a label each; the same label is said once."""
    head = wrap("The rules of its queue, as they are now.", cells - 4)
    found = [*(line(Run("  "), Run(text, "strong", "b"), ground="bar") for text in head), _BAR]
    label_cells = 14 if cells >= 60 else 12
    before = ""
    for label, words in view.rules:
        shown = "" if label == before else clean_line(label, 40)
        before = label
        for n, text in enumerate(wrap(clean_line(words), max(10, cells - 4 - label_cells)) or ("",)):
            name = fit(shown if n == 0 else "", label_cells - 1) + " "
            found.append(line(Run("  "), Run(name, "strong", "b"), Run(text), ground="bar"))
    return found


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def known_lines(row: Row, sentence: str, cells: int, at: Moment) -> list[Line]:
    """What the row itself says, where the bridge cannot be asked. `sentence`: why not."""
    parts = [clean_line(row.offer_reason)] if row.offer_reason else []
    if row.waiting_since_ms is not None:
        parts.append(f"has waited {clock.minutes(at.now_ms - row.waiting_since_ms)}")
    if row.due_ms is not None:
        parts.append(f"answer due at {clock.at_second(row.due_ms, at.tz)}")
    words = ", ".join(parts) or "nothing is known of why"
    found = [line(Run("  "), Run(text, "strong", "b"), ground="bar") for text in wrap(words, cells - 4)]
    found.append(_BAR)
    if row.due_because:
        found.extend((*_because(row, cells, at), _BAR))
    found.extend(line(Run("  "), Run(text, "mut", "i"), ground="bar") for text in wrap(clean_line(sentence), cells - 4))
    return found


def text_of(head: str, found: list[Line]) -> str:
    """The same as plain text, for the clipboard."""
    return clean("\n".join((head, "", *(one.text.strip() for one in found)))) + "\n"


def _step(step: WhyLine, cells: int, at: Moment, *, is_whole: bool) -> list[Line]:
    glyphs = at.glyphs
    when = clock.at_second(step.at_ms, at.tz) if cells >= 76 else clock.at(step.at_ms, at.tz)
    if is_whole and at.now_ms - step.at_ms > clock.DAY_MS:
        when = clock.short_date(step.at_ms, at.now_ms, at.tz)
    time_cells = 10 if cells >= 76 else 7
    word_cells = 13 if cells >= 90 else 10
    mark = Run(glyphs.ours(_mark(step, at)), _TONES.get(step.tone, "mut"))
    start = (
        Run(fit(when, time_cells), "mut"),
        Run(fit(clean_line(step.word, 40), word_cells - 1, glyphs.dots) + " ", "strong", "b"),
    )
    room = cells - 4 - time_cells - word_cells
    words = glyphs.ours(clean_line(step.short if step.due_ms is not None and step.short else step.text))
    beside = room - (width(mark.text) + 1 if mark.text else 0)
    texts = wrap(words, max(10, beside)) if is_whole else (words,)
    first = ends((*start, Run(texts[0] if texts else "")), (mark,) if mark.text else (), cells - 4, glyphs.dots)
    found = [line(Run("  "), *first, ground="bar")]
    found.extend(line(Run(" " * (2 + time_cells + word_cells)), Run(text), ground="bar") for text in texts[1:])
    return found


def _mark(step: WhyLine, at: Moment) -> str:
    """What stands at the right end; of a target that runs the time of this desk, in the color that the mark would have."""
    mark = clean_line(step.mark, 40)
    if step.due_ms is None:
        return mark
    due = f"due {clock.at_second(step.due_ms, at.tz)}"
    if clock.local(step.due_ms, at.tz).date() != clock.local(at.now_ms, at.tz).date():
        due = f"due {clock.short_date(step.due_ms, at.now_ms, at.tz)} {clock.at(step.due_ms, at.tz)}"
    return f"late, {due}" if step.tone == "late" else due


def _because(row: Row, cells: int, at: Moment) -> list[Line]:
    """`due  due 14:00 = 4 h of work time from 10:00, lunch excluded`."""
    time_cells, word_cells = (10 if cells >= 76 else 7), (13 if cells >= 90 else 10)
    texts = wrap(clean_line(row.due_because), max(10, cells - 4 - time_cells - word_cells))
    blank = " " * (2 + time_cells)
    found = []
    for n, text in enumerate(texts):
        found.append(
            line(Run(blank), Run(fit("clock" if n == 0 else "", word_cells), "strong", "b"), Run(text), ground="bar")
        )
    return found


def _table(view: WhyView, me: str, cells: int, glyphs: Glyphs) -> list[Line]:
    at = columns(cells)
    if not any(one.place for one in view.who):
        at = at._replace(place=0, why=at.why + at.place)
    talk = fit("last talk", at.talk) if at.talk else ""
    place = fit("place", at.place) if at.place else ""
    head = f"    {fit('who', at.name)}{fit('load', at.load)}{fit('skills', at.skills)}{talk}{place}{cut('why (not)', at.why)}"
    found = [line(Run(head, "mut"), ground="bar")] if view.who else []
    found.extend(_who(one, me, at, glyphs) for one in view.who)
    if view.skipped:
        total = sum(count for _, count in view.skipped)
        reasons = ", ".join(f"{count} {_plural(clean_line(reason, 60), count)}" for reason, count in view.skipped)
        words = f"{total} {'other' if total == 1 else 'others'}: {reasons}"
        found.extend(line(Run("    "), Run(text, "mut"), ground="bar") for text in wrap(words, cells - 6))
    return found


def _plural(reason: str, count: int) -> str:
    return f"lack {reason.removeprefix('lacks ')}" if count > 1 and reason.startswith("lacks ") else reason


def _who(one: WhyWho, me: str, at: _Columns, glyphs: Glyphs) -> Line:
    sign, role = _sign(one.state, glyphs)
    name = "you" if one.agent == me else clean_line(one.name, 60)
    name_look = ("strong", "b") if one.is_chosen else ("text", "") if one.is_fit else ("mut", "")
    skills = f"{one.skills} of {one.needed}" if one.needed else ""
    talk = (
        fit("with you" if one.agent == me and one.last_talk else "with them" if one.last_talk else "", at.talk)
        if at.talk
        else ""
    )
    runs = (
        Run(glyphs.bar if one.is_chosen else " ", "acc"),
        Run(" "),
        Run(sign, role),
        Run(" "),
        Run(fit(name, at.name - 1, glyphs.dots) + " ", *name_look),
        Run(fit(_load(one, at.load, glyphs), at.load)),
        Run(fit(skills, at.skills)),
        Run(talk),
        Run(fit(f"{one.place or '-':>4}", at.place) if at.place else "", *_place_look(one)),
        Run(cut(glyphs.ours(clean_line(one.reason, 120)), at.why, glyphs.dots), "mut"),
    )
    return line(
        *cut_runs(runs, 4 + at.name + at.load + at.skills + at.talk + at.place + at.why),
        ground="sel" if one.is_chosen else "bar",
    )


def _place_look(one: WhyWho) -> tuple[str, str]:
    return ("strong", "b") if one.is_chosen else ("text", "") if one.place else ("mut", "")


def _load(one: WhyWho, cells: int, glyphs: Glyphs) -> str:
    """`▮▮▯▯ 2/4`: a place each up to six, else quarters of the whole."""
    if not one.capacity:
        return ""
    figures = f"{one.load}/{one.capacity}"
    if cells < 12:
        return figures
    if one.capacity <= 6:
        return f"{glyphs.load(one.load, one.capacity)} {figures}"
    used = min(4, -(-4 * one.load // one.capacity))
    return f"{glyphs.load(used, 4)} {figures}"


def _sign(state: str, glyphs: Glyphs) -> tuple[str, str]:
    known = {
        "ready": (glyphs.ready, "ok"),
        "wrap_up": (glyphs.wrap_up, "near"),
        "silent": (glyphs.waits, "near"),
        "away": (glyphs.no, "mut"),
    }
    return known.get(state, (glyphs.off, "mut"))


def title_part(row: Row, head: str) -> tuple[Part, ...]:
    """`Why me? Anna Berg  #K7Q2`."""
    name = Part((Run(f"{head} ", "strong", "b"), Run(clean_line(row.name) or row.number or clock.UNKNOWN)))
    return (name, Part((Run(f"#{clean_line(row.number)}"),), 2)) if row.number else (name,)
