"""The card of an offer: what it is, since when it waits, how long there is to answer, and the keys for that.

The law: it says what happens if nobody answers, its edge drains with the time, and it never needs the focus.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.cells import cut, cut_middle, fit, width, wrap
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part, cells_of, edge, fitted, key_part, margined
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import Line, Run, line
from broker_bridge.contract.views import Profile, Row

OFFER_MS = 20 * clock.SECOND_MS
"""A whole edge, where it is not known how long the offer was to last."""
LABEL_CELLS = 8
LEAST_OF_TEXT = 16
"""Cells of the customer's words in the strip, before the reason goes."""
MOST_OF_WORDS = 2
MOST_OF_PROBLEM = 3
"""Rows of a packet's problem on the card."""
_TITLES = {"transfer": "Transfer", "consult": "Consult"}
_OF = re.compile(r"(\d+) of (\d+)")
ASKS = {"transfer": "gives you", "consult": "asks you"}


class Beside(NamedTuple):
    """What the card knows beside the row."""

    of: int = 1
    """Offers that wait for an answer, this one too."""
    whole_ms: int = OFFER_MS
    problem: str = ""
    """Of a handover: what it is about, in a colleague's words."""
    words: str = ""
    """Of a handover: what the colleague says to you."""
    page: str = ""
    """Where the visitor writes from."""
    who: str = ""
    """Whether they were here before, and how they are reached."""
    before: str = ""
    """Their case before this one."""


ALONE = Beside()


def card(
    row: Row, keys: tuple[Key, ...], now_ms: int, cells: int, glyphs: Glyphs, beside: Beside = ALONE
) -> tuple[Line, ...]:
    """The card over the timeline."""
    left_ms = max(0, (row.offer_until_ms or now_ms) - now_ms)
    blank = line(ground="bar")
    # Of several the count stays and the words before the clock go: the title is never cut.
    words = "answer in " if beside.of < 2 and row.offer_kind not in _TITLES else ""
    lines = [
        edge(cells, glyphs, role="near", left=left_ms / beside.whole_ms),
        _both((*_title(row, beside), _word(row)), (_clock(words, left_ms),), cells),
        blank,
        _both((Part((Run(clean_line(row.name), "strong", "b"),)),), _tier(row), cells),
        *((_both((Part((Run(_who(beside.who, cells - 2, glyphs), "mut"),)),), (), cells),) if beside.who else ()),
        _both((Part((Run(f"“{clean_line(row.text)}”"),)),), (), cells),
        blank,
        _both((*_waited(row, now_ms, "waited  "), *_due(row, now_ms)), (), cells, 3),
    ]
    if asks := _asks(row):
        lines.extend(_long("from", asks, MOST_OF_WORDS, cells, glyphs))
    lines.extend(_long("says", beside.words, MOST_OF_WORDS, cells, glyphs))
    lines.extend(_long("problem", beside.problem, MOST_OF_PROBLEM, cells, glyphs))
    facts = (("queue", row.queue), ("on page", beside.page), ("before", beside.before))
    room = cells - 2 - LABEL_CELLS
    lines.extend(_fact(label, cut(clean_line(words), room, glyphs.dots), cells) for label, words in facts if words)
    if not asks:
        lines.extend(_long("why you", _reason(row), MOST_OF_WORDS, cells, glyphs))
    lines.append(blank)
    lines.append(_both(tuple(key_part(key, glyphs) for key in keys), (), cells, 1))
    lines.append(_both((Part((Run(f"no answer: {_otherwise(row)}", "mut", "i"),)),), (), cells))
    return tuple(lines)


def strip(
    row: Row, keys: tuple[Key, ...], now_ms: int, cells: int, glyphs: Glyphs, beside: Beside = ALONE
) -> tuple[Line, ...]:
    """Four rows under the thread's head, where there is no right column."""
    left_ms = max(0, (row.offer_until_ms or now_ms) - now_ms)
    title, time, word = _title(row, beside), _clock("", left_ms), _word(row)
    # Of the three that could give way in this row it is the name: channel and clock are never cut.
    taken = sum(cells_of(part.runs) for part in (*title, word, time)) + 2 + 3 * 2
    name = Part((Run(cut(clean_line(row.name), max(8, cells - taken), glyphs.dots), "strong", "b"),))
    shown = tuple(key_part(key, glyphs) for key in keys[:2])
    acts = Part(tuple(run for n, part in enumerate(shown) for run in (*((Run(" "),) if n else ()), *part.runs)))
    return (
        edge(cells, glyphs, role="near", left=left_ms / beside.whole_ms),
        _both((*title, name, word), (time,), cells),
        _said(row, beside, cells, glyphs),
        _both((*_waited(row, now_ms, "waited "), *_due(row, now_ms)), (acts,), cells),
    )


def _said(row: Row, beside: Beside, cells: int, glyphs: Glyphs) -> Line:
    """The customer's last words and why it is you; of a colleague's offer their words: they say why one is asked."""
    if asks := _asks(row):
        what = clean_line(beside.words) or clean_line(beside.problem)
        return _both((Part((Run(f"{asks}: " if what else asks, "mut"), Run(what))),), (), cells)
    reason = _reason(row).split(",")[0]
    room = cells - 2 - width(reason) - 2
    if not reason or room < LEAST_OF_TEXT:
        return _both((Part((Run(f"“{clean_line(row.text)}”"),)),), (), cells)
    words = cut(f"“{clean_line(row.text)}”", room, glyphs.dots)
    return _both((Part((Run(words),)),), (Part((Run(reason, "mut"),)),), cells)


def known(profile: Profile, row: Row, now_ms: int, tz: tzinfo = UTC) -> tuple[str, str]:
    """(`new here, +36 55 018 204`, nothing), or (`3 cases before, +36 55 018 204`, `mail 12 Nov the card…`)."""
    cases = [one for one in (*profile.open, *profile.was) if one.conv != row.conv]
    count = f"{len(cases)} case{'s' if len(cases) > 1 else ''} before" if cases else "new here"
    address = next((one.address for one in profile.identifiers if one.word == row.channel), "")
    who = ", ".join(clean_line(words, 60) for words in (count, address) if words)
    if not cases:
        return who, ""
    last = max(cases, key=lambda one: one.at_ms)
    return who, clean_line(f"{last.word} {clock.short_date(last.at_ms, now_ms, tz)} {last.text}", 120).strip()


def _who(words: str, cells: int, glyphs: Glyphs) -> str:
    """An address that does not fit is cut in its middle: its two ends tell it apart."""
    count, comma, address = words.partition(", ")
    return cut(
        f"{count}{comma}{cut_middle(address, max(8, cells - width(count + comma)), glyphs.dots)}", cells, glyphs.dots
    )


def page_of(profile: Profile, row: Row) -> str:
    """The page that the visitor wrote from last, in this case; empty where they did not come over the web."""
    pages = (one.text for one in profile.moments if one.conv == row.conv and one.word == "web")
    return next(pages, "")


def ended(before: Row, now: Row | None) -> str:
    """`Kovács Eszter: Priya took it.`: why an offer is gone before its time; empty if it became one's own."""
    name = clean_line(before.name, 60) or before.number
    is_given = before.offer_kind in _TITLES
    if now is None:
        return f"{name}: it is no longer offered to you."
    owner = clean_line(now.owner_name, 60).split(" ")[0]
    if now.state == "closed":
        return f"{name}: it was closed meanwhile."
    if now.state != "other" or not owner:
        return ""
    if is_given and now.owner == before.owner:
        return f"{name}: {owner} took it back."
    return f"{name}: {owner} took it."


def chip(row: Row, now_ms: int) -> tuple[Run, ...]:
    """` offer 0:14 `: how the key line begins while there is an offer and somebody writes."""
    return (Run(f" offer {clock.minutes((row.offer_until_ms or now_ms) - now_ms)} ", "chip.near", "b"),)


def _reason(row: Row) -> str:
    """`least to do: 20/100`: figures as in the columns of load, so that they fit a narrow card."""
    return _OF.sub(r"\1/\2", clean_line(row.offer_reason))


def _title(row: Row, beside: Beside) -> tuple[Part, ...]:
    title = Run(_TITLES.get(row.offer_kind, "Offer"), "strong", "b")
    return (Part((title, Run(f" 1 of {beside.of}" if beside.of > 1 else "", "mut"))),)


def _asks(row: Row) -> str:
    """`Ole Nilsen asks you`; empty of an offer of the router."""
    owner = clean_line(row.owner_name, 60)
    return f"{owner or 'a colleague'} {ASKS[row.offer_kind]}" if row.offer_kind in ASKS else ""


def _otherwise(row: Row) -> str:
    """What happens if nobody answers."""
    if row.offer_kind not in ASKS:
        return "back to the queue"
    return f"stays with {clean_line(row.owner_name, 60).split(' ')[0] or 'its owner'}"


def _long(label: str, words: str, most: int, cells: int, glyphs: Glyphs) -> list[Line]:
    """A fact over several rows, `most` at most."""
    words = clean_line(words)
    rows = list(wrap(words, max(8, cells - 2 - LABEL_CELLS))) if words else []
    if len(rows) > most:
        rows = [*rows[: most - 1], rows[most - 1] + glyphs.dots]
    return [_fact("" if n else label, text, cells) for n, text in enumerate(rows)]


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
    return _both((Part((Run(fit(label, LABEL_CELLS), "mut"), Run(words))),), (), cells)


def _both(left: tuple[Part, ...], right: tuple[Part, ...], cells: int, gap: int = 2) -> Line:
    return margined(fitted(left, right, cells - 2, gap), "bar")
