"""The title row of dialogs about one conversation."""

from __future__ import annotations

from agent_tui.model import rows
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Part
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import Run
from broker_bridge.contract.views import Row


def about(verb: str, row: Row, at: Instant) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """`Transfer Anna Berg  wa  #K7Q2` and at the right `late 0:42`."""
    left = [Part((Run(f"{verb} ", "strong", "b"), Run(clean_line(row.name) or row.number)))]
    if row.channel:
        left.append(Part((Run(clean_line(row.channel), "text"),), 2))
    if row.number:
        left.append(Part((Run(f"#{clean_line(row.number)}"),), 3))
    found = rows.clock_of(row, at)
    group = rows.group(row, at.now_ms)
    if group == "late":
        return tuple(left), (Part((Run(f"late {found.word.lstrip('-')}", "late", "b"),), 1),)
    if group == "due soon":
        return tuple(left), (Part((Run(f"due {found.word}", "near", "b"),), 1),)
    return tuple(left), ()
