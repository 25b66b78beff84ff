"""Everything that can be done, by name: actions of the key table, themes, conversations. Data for the command dialog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from agent_tui import themes
from agent_tui.keys import KeyTable, meant
from agent_tui.model.clean import clean_line
from broker_bridge.contract.views import Row


class Entry(NamedTuple):
    """One line of the palette."""

    group: str
    words: str
    remark: str
    key: str
    name: str
    """What is done: an action's name, `theme:NAME`, `open:CONVERSATION`; empty = it may not be done now."""


MOST_ROWS = 200


def entries(keys: KeyTable, target: Row | None, rows: Iterable[Row], theme: str, is_lead: bool) -> list[Entry]:
    """All of them, in groups; `target`: the conversation that actions are for."""
    found: list[Entry] = []
    who = f"for {clean_line(target.name) or target.number}" if target is not None else "for a conversation"
    for action in keys.actions:
        if action.is_supervisor and not is_lead:
            continue
        group = who if action.group == "Work" else "window"
        if action.group == "Move" or action.name in (
            "send",
            "send_next",
            "newline",
            "send_anyway",
            "read_new",
            "command",
        ):
            continue
        may = action.verb is None or (target is not None and action.verb in meant(target.verbs))
        key = keys.shown(action.name) or keys.shown(action.name, "composer")
        remark = "" if may else "not now"
        words = action.description[:1].upper() + action.description[1:]
        found.append(Entry(group, words, remark, key, action.name if may else ""))
    for row in list(rows)[:MOST_ROWS]:
        remark = f"{clean_line(row.channel)}, #{clean_line(row.number)}"
        found.append(Entry("customers and cases", clean_line(row.name) or row.number, remark, "⏎", f"open:{row.conv}"))
    for name in themes.names():
        remark = "now" if name == theme else ""
        found.append(Entry("settings", f"Theme: {name}", remark, "", f"theme:{name}"))
    return found


def matching(all_of_them: list[Entry], typed: str) -> list[Entry]:
    """Those whose words contain every typed word; words that begin so go first. Groups keep their order."""
    words = typed.casefold().split()
    hits = [entry for entry in all_of_them if all(word in entry.words.casefold() for word in words)]
    groups = list(dict.fromkeys(entry.group for entry in all_of_them))
    first = words[0] if words else ""
    return sorted(hits, key=lambda entry: (groups.index(entry.group), not entry.words.casefold().startswith(first)))
