"""The last row of the workstation: what can be pressed now, where the focus is.

The law: it shows no key that would be refused, and it says whom a key takes where several ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.keys import meant
from agent_tui.model import frame, offer_lines
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key
from agent_tui.model.runs import Line, Run
from agent_tui.screens import acts
from agent_tui.screens.lines import waiting

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation

FOR_A_CONVERSATION = ("why", "profile", "timeline", "open_item", "save_file", "unfold", "raw")
"""Actions without a verb of the contract that mean nothing while no conversation is chosen."""
NAMED_FROM = 120
"""Columns from which the row says whom a key accepts."""

_Found = tuple[tuple[Run, ...], tuple[Key, ...]]
"""What stands before the keys, and the keys."""


def key_line(screen: Workstation) -> Line:
    """The whole row."""
    places, table = screen.places, screen.keys
    if places[-1] == "stopped":
        found = _stopped(screen)
    elif "down" in places:
        found = _down(screen)
    elif screen.desk.has_focus:
        found = _writing(screen, "offer" in places)
    else:
        found = (), _reading(screen, "offer" in places)
    always = (Key(table.shown("command"), "command"), Key(table.shown("help"), "help"))
    return frame.key_line(found[1], screen.size.width, screen.place.glyphs, lead=found[0], always=always)


def _verbs(screen: Workstation) -> tuple[str, ...]:
    row = screen.target
    return meant(row.verbs) if row is not None else ()


def _is_lead(screen: Workstation) -> bool:
    me = screen.place.state.me
    return me is not None and me.role in ("supervisor", "admin")


def _waits(screen: Workstation) -> tuple[Run, ...]:
    """`2 wait`, while there is no link."""
    count = 0 if screen.place.is_up else waiting(screen.place)
    return (Run(f"{count} wait", "near", "b"),) if count else ()


def _stopped(screen: Workstation) -> _Found:
    keys = screen.keys.keys_for("stopped", _verbs(screen))
    lead = (Run(" not sent ", "chip.near", "b"),)
    return lead, (Key("⏎", "go on writing", 0), *keys, *_named(screen, "leave_composer"))


def _down(screen: Workstation) -> _Found:
    keys, lead = screen.keys.keys_for("down", _verbs(screen)), _waits(screen)
    return lead, keys if lead else _without(screen, keys, ("waits", "take_reply_back"))


def _writing(screen: Workstation, is_offered: bool) -> _Found:
    table = screen.keys
    can_write = screen.composer.writ.mode != "none"
    first = _named(screen, *(("send", "send_next") if can_write else ()), "leave_composer")
    if is_offered and screen.offer is not None:
        offered = table.keys_for("offer", ("accept", "decline"), is_typed=True)
        return offer_lines.chip(screen.offer, screen.place.now_ms()), (*offered, *first)
    rest = table.keys_for(screen.where, _verbs(screen), is_supervisor=_is_lead(screen))
    return _waits(screen), (*first, *(key for key in rest if key not in first))


def _reading(screen: Workstation, is_offered: bool) -> tuple[Key, ...]:
    table, me = screen.keys, screen.place.state.me
    verbs = _verbs(screen)
    keys = table.keys_for(screen.where, verbs, is_supervisor=_is_lead(screen))
    if "wrap_up" in verbs:
        keys = _without(screen, _renamed(screen, keys, "close", "wrap-up"), ("close_next",))
    if "wake" in verbs:
        keys = _renamed(screen, keys, "snooze", "wake")
    if screen.target is None:
        keys = _without(screen, keys, FOR_A_CONVERSATION)
    if is_offered:
        offered = table.keys_for("offer", ("accept", "decline"))
        keys = (*offered, *(key for key in keys if key not in offered))
    if screen.over:
        keys = (Key(table.shown("back", "side"), "conversation"), *keys)
    if me is not None and me.state in ("away", "busy", "transfer_only"):
        keys = _renamed(screen, keys, "presence", "ready again")
    row = acts.accepted_by_key(screen) if screen.size.width >= NAMED_FROM else None
    name = clean_line(row.name, 16).split(" ")[0] if row is not None else ""
    return _renamed(screen, keys, "accept", f"{table['accept'].label} {name}") if name else keys


def _without(screen: Workstation, keys: tuple[Key, ...], names: tuple[str, ...]) -> tuple[Key, ...]:
    labels = {screen.keys[name].label for name in names}
    return tuple(key for key in keys if key.words not in labels)


def _renamed(screen: Workstation, keys: tuple[Key, ...], name: str, words: str) -> tuple[Key, ...]:
    """The keys with other words for one action."""
    label = screen.keys[name].label
    return tuple(key._replace(words=words) if key.words == label else key for key in keys)


def _named(screen: Workstation, *names: str) -> tuple[Key, ...]:
    """These actions with their keys in the composer."""
    where = screen.where
    return tuple(
        Key(screen.keys.shown(name, where), screen.keys[name].label, screen.keys[name].rank)
        for name in names
        if screen.keys.shown(name, where)
    )
