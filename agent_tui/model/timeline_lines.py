"""The context timeline: one line for everything that ever happened with this customer, newest first.

The law (look.md): margin 1, node 1, time 5 or date 6, channel word 5, text. The open case is one row. Talk is `text`, what
merely happened is muted.
"""

from collections.abc import Hashable, Sequence

from agent_tui.model import clock
from agent_tui.model.cells import cut, fit
from agent_tui.model.clean import clean_line
from agent_tui.model.rows import Moment as Now
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.model.source import Plain
from broker_bridge.contract.views import Moment


def timeline(moments: Sequence[Moment], cells: int, now: Now) -> Plain:
    """The moments (newest first) under their heads. Keys are (`moment`, place, conversation)."""
    rows: list[tuple[Hashable, Line]] = []
    head = ""
    for place, moment in enumerate(moments):
        words = clock.period(moment.at_ms, now.now_ms, now.tz)
        if words != head:
            if rows:
                rows.append((None, BLANK))
            rows.append((None, line(Run(" "), Run(cut(words, cells - 2, now.glyphs.dots), "mut", "b"))))
            head = words
        rows.append((("moment", place, moment.conv), moment_line(moment, cells, now)))
    return Plain(rows, rev=hash((tuple(moments), cells, now.now_ms // clock.DAY_MS)))


def moment_line(moment: Moment, cells: int, now: Now) -> Line:
    """One row, at most `cells` wide."""
    glyphs = now.glyphs
    is_event = moment.node == "event"
    text = clean_line(moment.text)
    node = {"this": Run(glyphs.bar, "cust"), "event": Run(glyphs.event, "mut")}.get(
        moment.node, Run(glyphs.column, "mut")
    )
    role = "mut" if is_event else "text"
    when = _when(moment.at_ms, now) + " "
    return line(
        Run(" "),
        node,
        Run(" "),
        Run(when, "mut"),
        Run(fit(clean_line(moment.word), 4, "") + " ", role),
        Run(cut(glyphs.ours(text) if is_event else text, max(0, cells - 9 - len(when)), glyphs.dots), role),
    )


def _when(at_ms: int, now: Now) -> str:
    """The time within a week, in 5 cells; the date before, in 6."""
    days = (clock.local(now.now_ms, now.tz).date() - clock.local(at_ms, now.tz).date()).days
    return clock.at(at_ms, now.tz) if days < 7 else f"{clock.short_date(at_ms, now.now_ms, now.tz):6}"
