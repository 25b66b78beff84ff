"""The card of an offer: what it is, since when it waits, how long there is to answer, and the keys for that.

The law: it says what happens if nobody answers, its edge drains with the time, and it never needs the focus.
"""

from __future__ import annotations

from agent_tui.model import clock
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part, edge, fitted, key_part, margined
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import Line, Run, line
from broker_bridge.contract.views import Row

OFFER_MS = 20 * clock.SECOND_MS
"""A whole edge: an offer that lasts longer drains from here on."""


def card(row: Row, keys: tuple[Key, ...], now_ms: int, cells: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The card over the timeline."""
    left_ms = max(0, (row.offer_until_ms or now_ms) - now_ms)
    blank = line(ground="bar")
    lines = [
        edge(cells, glyphs, role="near", left=left_ms / OFFER_MS),
        _both((_title(), _word(row)), (_clock("answer in ", left_ms),), cells),
        blank,
        _both((Part((Run(clean_line(row.name), "strong", "b"),)),), _tier(row), cells),
        _both((Part((Run(f"“{clean_line(row.text)}”"),)),), (), cells),
        blank,
        _both((*_waited(row, now_ms, "waited  "), *_due(row, now_ms)), (), cells, 3),
    ]
    if row.queue:
        lines.append(_fact("queue   ", clean_line(row.queue), cells))
    if row.offer_reason:
        lines.append(_fact("why you ", clean_line(row.offer_reason), cells))
    lines.append(blank)
    lines.append(_both(tuple(key_part(key, glyphs) for key in keys), (), cells, 1))
    lines.append(_both((Part((Run("no answer: back to the queue", "mut", "i"),)),), (), cells))
    return tuple(lines)


def strip(row: Row, keys: tuple[Key, ...], now_ms: int, cells: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Four rows under the thread's head, where there is no right column."""
    left_ms = max(0, (row.offer_until_ms or now_ms) - now_ms)
    name = Part((Run(clean_line(row.name), "strong", "b"),))
    shown = tuple(key_part(key, glyphs) for key in keys[:2])
    reason = (Part((Run(clean_line(row.offer_reason).split(",")[0], "mut"),), 1),) if row.offer_reason else ()
    acts = Part(tuple(run for n, part in enumerate(shown) for run in (*((Run(" "),) if n else ()), *part.runs)))
    return (
        edge(cells, glyphs, role="near", left=left_ms / OFFER_MS),
        _both((_title(), name, _word(row)), (_clock("", left_ms),), cells),
        _both((Part((Run(f"“{clean_line(row.text)}”"),)),), reason, cells),
        _both((*_waited(row, now_ms, "waited "), *_due(row, now_ms)), (acts,), cells),
    )


def chip(row: Row, now_ms: int) -> tuple[Run, ...]:
    """` offer 0:14 `: how the key line begins while there is an offer and somebody writes."""
    return (Run(f" offer {clock.minutes((row.offer_until_ms or now_ms) - now_ms)} ", "chip.near", "b"),)


def _title() -> Part:
    return Part((Run("Offer", "strong", "b"),))


def _word(row: Row) -> Part:
    return Part((Run(clean_line(row.channel)),))


def _tier(row: Row) -> tuple[Part, ...]:
    return (Part((Run(clean_line(row.tier), "note"),), 1),) if row.tier else ()


def _clock(words: str, left_ms: int) -> Part:
    return Part((Run(words, "mut"), Run(clock.minutes(left_ms), "near", "b")))


def _waited(row: Row, now_ms: int, label: str) -> tuple[Part, ...]:
    if row.waiting_since_ms is None:
        return ()
    return (Part((Run(label, "mut"), Run(clock.minutes(now_ms - row.waiting_since_ms), "strong", "b"))),)


def _due(row: Row, now_ms: int) -> tuple[Part, ...]:
    if row.due_ms is None:
        return ()
    role = "late" if row.due_ms < now_ms else "near"
    word = "late " if row.due_ms < now_ms else "due in "
    return (Part((Run(word, "mut"), Run(clock.due(row.due_ms, now_ms).lstrip("-"), role, "b"))),)


def _fact(label: str, words: str, cells: int) -> Line:
    return _both((Part((Run(label, "mut"), Run(words))),), (), cells)


def _both(left: tuple[Part, ...], right: tuple[Part, ...], cells: int, gap: int = 2) -> Line:
    return margined(fitted(left, right, cells - 2, gap), "bar")
