"""The customer's profile as lines: who it is, where to reach them with its proof, open cases, what was, files, colleagues.

The law (look.md): labels take 8 cells; proof is `✓` after the identifier, a guess is `?` with its reason. An identifier loses
its gap before it loses a letter; one that does not fit is cut in the middle. Groups have one blank row between them.
"""

from collections.abc import Hashable

from agent_tui.model import clock
from agent_tui.model.cells import cut, cut_middle, pad, width
from agent_tui.model.clean import clean_line
from agent_tui.model.file_lines import kind, size
from agent_tui.model.rows import Moment as Now
from agent_tui.model.runs import BLANK, Line, Run, ends, line
from agent_tui.model.source import Plain
from broker_bridge.contract.views import Case, FileLine, Identifier, Profile

LABEL_CELLS = 8
_CALM = frozenset(("open", "rings", "closed", "solved", "resolved", "merged"))
_WORDS = {"owned": "open", "offered": "rings"}
_GOOD = frozenset(("ready", "done"))

_Rows = list[tuple[Hashable, Line]]


def profile(customer: Profile, cells: int, now: Now) -> Plain:
    """Everything that is known, in groups. Keys: (`identifier`, address), (`case`, conversation), (`file`, digest)."""
    groups: list[_Rows] = [
        [
            *((None, found) for found in _person(customer, cells, now)),
            *((("identifier", one.word, one.address), identifier(one, cells, now)) for one in customer.identifiers),
        ],
        _titled("Open", [(("case", one.conv), _open(one, cells, now)) for one in customer.open]),
        _titled("Was", [(("case", one.conv), _was(one, cells, now)) for one in customer.was]),
        _titled("Files", [(("file", at, one.digest), _file(one, cells, now)) for at, one in enumerate(customer.files)]),
        _titled("Also here", [(None, _row((Run(clean_line(name)),), (), cells, now)) for name in customer.also_here]),
    ]
    rows: _Rows = []
    for group in groups:
        if rows and group:
            rows.append((None, BLANK))
        rows.extend(group)
    return Plain(rows, rev=hash((customer.customer, customer.rev, customer.upto, cells)))


def identifier(one: Identifier, cells: int, now: Now) -> Line:
    """`wa      +46 70 174 06 05 ✓`, unproved without the tick, a guess as `maybe   @annab tg ? phone`."""
    glyphs = now.glyphs
    address, word = clean_line(one.address), clean_line(one.word)
    room = cells - 2 - LABEL_CELLS
    reason = clean_line(one.reason)
    if reason and not one.is_proved:
        rest = (Run(f" {word} "), Run("?", "near", "b"), Run(f" {reason}", "mut"))
        used = width(word) + 3
        shown = cut_middle(address, max(4, room - used), glyphs.dots)
        return _row((_label("maybe"), Run(shown), *rest), (), cells, now)
    if not one.is_proved:
        return _row((_label(word), Run(cut_middle(address, room, glyphs.dots))), (), cells, now)
    gap = " " if width(address) + 2 <= room else ""
    shown = cut_middle(address, room - 1 - len(gap), glyphs.dots)
    return _row((_label(word), Run(shown + gap), Run(glyphs.yes, "ok")), (), cells, now)


def _person(customer: Profile, cells: int, now: Now) -> list[Line]:
    name = Run(clean_line(customer.name) or "not known", "strong", "b")
    tier = Run(f"  {clean_line(customer.tier, 20)}" if customer.tier else "", "note", "b")
    since = str(clock.local(customer.since_ms, now.tz).year) if customer.since_ms else ""
    lines = [_row((name, tier), (Run(since, "mut"),) if since else (), cells, now)]
    for label, value in (("speaks", customer.speaks), ("about", customer.about)):
        if value:
            lines.append(_row((_label(label), Run(clean_line(value))), (), cells, now))
    return lines


def _titled(title: str, rows: _Rows) -> _Rows:
    return [(None, line(Run(" "), Run(title, "mut", "b"))), *rows] if rows else []


def _open(case: Case, cells: int, now: Now) -> Line:
    state = _WORDS.get(case.state, clean_line(case.state, 20))
    role = "mut" if state in _CALM else "ok" if state in _GOOD else "near"
    return _row(_case(case), (Run(state, role),), cells, now)


def _was(case: Case, cells: int, now: Now) -> Line:
    return _row(_case(case), (Run(clock.short_date(case.at_ms, now.now_ms, now.tz), "mut"),), cells, now)


def _case(case: Case) -> tuple[Run, ...]:
    return (Run(clean_line(case.number, 20)), Run(f"  {clean_line(case.text)}"))


def _file(file: FileLine, cells: int, now: Now) -> Line:
    facts = Run(f"{kind(file)} {size(file.size_bytes)}", "mut")
    name = cut_middle(clean_line(file.name, 120), cells - 3 - width(facts.text), now.glyphs.dots)
    return _row((Run(name, "text", "u"),), (facts,), cells, now)


def _label(word: str) -> Run:
    return Run(pad(cut(word, LABEL_CELLS - 1, ""), LABEL_CELLS), "mut")


def _row(left: tuple[Run, ...], right: tuple[Run, ...], cells: int, now: Now) -> Line:
    return line(Run(" "), *ends(left, right, cells - 2, now.glyphs.dots))
