"""The workstation's own rows: banner, key line, offer, notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model import clock, frame, offer_lines
from agent_tui.model.cells import wrap
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key
from agent_tui.model.runs import Line, Run, line
from agent_tui.screens import acts
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Note, Reply

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation

PATIENCE_MS = 3_000
"""Connecting for so long is nothing that needs a banner."""
OFFER_ACTIONS = ("accept", "decline", "why")
FOR_A_CONVERSATION = ("why", "profile", "timeline", "open_item", "save_file", "unfold", "raw")
"""Actions without a verb of the contract that mean nothing while no conversation is chosen."""
NAMED_FROM = 120
"""Columns from which the key line says whom a key accepts."""


def banner(place: Workplace, cells: int) -> Line | None:
    """`○ No link for 0:48. All here is as of 14:01:23. …`, or None while there is nothing to say."""
    status, now_ms = place.status, place.now_ms()
    if status.state == "up" or (status.state == "connecting" and now_ms - status.since_ms < PATIENCE_MS):
        return None
    if status.state == "denied":
        return frame.banner(f"{place.glyphs.off} {clean_line(status.sentence)}", "", cells)
    as_of_ms = status.as_of_ms or place.state.as_of_ms
    known = f" All here is as of {clock.at_second(as_of_ms, place.tz)}." if as_of_ms else ""
    replies = waiting(place)
    end = "what you send leaves when it is back."
    if replies:
        end = f"{replies} {'replies wait and leave' if replies > 1 else 'reply waits and leaves'} when it is back."
    began = f"No link for {clock.long(now_ms - status.since_ms)}."
    return frame.banner(f"{place.glyphs.off} {began}{known} Read and write on: {end}", "", cells)


def waiting(place: Workplace) -> int:
    """Replies and notes that wait for the link."""
    return sum(isinstance(act, Reply | Note) for act in place.outbox.waiting)


def offer(screen: Workstation) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """The card of the right column and the strip of the thread; at most one of them has lines."""
    row, place = screen.offer, screen.place
    if row is None or not place.is_up or screen.plan.is_single:
        return (), ()
    typed = screen.desk.has_focus
    found = screen.keys.keys_for("offer", ("accept", "decline"), is_typed=typed)
    keys = tuple(key for key in found if key.words in ("accept", "decline", "why"))
    now_ms, glyphs = place.now_ms(), place.glyphs
    if screen.plan.has_right:
        cells = screen.plan.timeline if not screen.plan.is_stacked else screen.plan.profile
        return offer_lines.card(row, keys, now_ms, cells, glyphs), ()
    return (), offer_lines.strip(row, keys, now_ms, screen.plan.thread, glyphs)


def key_line(screen: Workstation) -> Line:
    """What can be pressed now, where the focus is."""
    places, place, cells = screen.places, screen.place, screen.size.width
    row = screen.target
    verbs = row.verbs if row is not None else ()
    me = place.state.me
    is_lead = me is not None and me.role in ("supervisor", "admin")
    table = screen.keys
    always = (Key(table.shown("command"), "command"), Key(table.shown("help"), "help"))
    lead: tuple[Run, ...] = ()
    keys: tuple[Key, ...]
    if places[-1] == "stopped":
        lead = (Run(" not sent ", "chip.near", "b"),)
        keys = (Key("⏎", "go on writing", 0), *table.keys_for("stopped", verbs), *_named(screen, "leave_composer"))
    elif "down" in places:
        count = waiting(place)
        lead = (Run(f"{count} wait", "near", "b"),) if count else ()
        keys = table.keys_for("down", verbs)
        if not count:
            idle = {table[name].label for name in ("waits", "take_reply_back")}
            keys = tuple(key for key in keys if key.words not in idle)
    elif "offer" in places and screen.desk.has_focus and screen.offer is not None:
        lead = offer_lines.chip(screen.offer, place.now_ms())
        offered = table.keys_for("offer", ("accept", "decline"), is_typed=True)
        keys = (*offered, *_named(screen, "send", "send_next", "leave_composer"))
    elif screen.desk.has_focus:
        count = 0 if place.is_up else waiting(place)
        lead = (Run(f"{count} wait", "near", "b"),) if count else ()
        can_write = screen.composer.writ.mode != "none"
        first = _named(screen, *(("send", "send_next") if can_write else ()), "leave_composer")
        rest = table.keys_for(screen.where, verbs, is_supervisor=is_lead)
        keys = (*first, *(key for key in rest if key not in first))
    else:
        keys = table.keys_for(screen.where, verbs, is_supervisor=is_lead)
        if row is None:
            idle = {table[name].label for name in FOR_A_CONVERSATION}
            keys = tuple(key for key in keys if key.words not in idle)
        if "offer" in places:
            offered = table.keys_for("offer", ("accept", "decline"))
            keys = (*offered, *(key for key in keys if key not in offered))
        if screen.over:
            keys = (Key(table.shown("back", "side"), "conversation"), *keys)
        if cells >= NAMED_FROM:
            keys = _with_name(screen, keys)
    return frame.key_line(keys, cells, place.glyphs, lead=lead, always=always)


def _with_name(screen: Workstation, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """`a accept Piet`: of several that ring, the one that the key takes."""
    row = acts.accepted_by_key(screen)
    name = clean_line(row.name, 16).split(" ")[0] if row is not None else ""
    label = screen.keys["accept"].label
    return tuple(key._replace(words=f"{label} {name}") if key.words == label and name else key for key in keys)


def _named(screen: Workstation, *names: str) -> tuple[Key, ...]:
    """These actions with their keys in the composer."""
    where = screen.where
    return tuple(
        Key(screen.keys.shown(name, where), screen.keys[name].label, screen.keys[name].rank)
        for name in names
        if screen.keys.shown(name, where)
    )


def notice(words: str, cells: int) -> tuple[Line, ...]:
    """A sentence over the end of the body, as many rows as it needs, three at most."""
    texts = wrap(clean_line(words, 400), cells - 4)[:3]
    return tuple(
        line(Run("   " if place else " ! ", "near", "b"), Run(text, "strong"), ground="sel")
        for place, text in enumerate(texts)
    )
