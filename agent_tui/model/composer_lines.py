"""What stands around the text that is being written: who it goes to, by which channel, what stopped it, which keys send.

The law: the name, the channel and the address of a reply are never cut: what is too long for one row has two.
"""

from __future__ import annotations

from datetime import UTC, tzinfo

from agent_tui.model import clock
from agent_tui.model.cells import cut, cut_middle, width
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part, cells_of, fitted, key_part, margined
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import Line, Run
from broker_bridge.contract.views import Item, Reach
from broker_bridge.contract.words import Address


def to_lines(reach: Reach, cells: int) -> tuple[Line, ...]:
    """`to Anna Berg  wa +46 70 174 06 05`; what does not fit in one row takes a second, and nothing is cut in one."""
    name, word, address = clean_line(reach.name), clean_line(reach.word), clean_line(reach.address)
    down = () if reach.is_up else (Part((Run("channel is down", "near"),), 1),)
    who = (Run("to ", "mut"), Run(name, "strong", "b"), Run("  ") if name else Run(""), Run(word, "strong", "b"))
    if cells_of(who) + 1 + width(address) <= cells - 2:
        return (margined(fitted((Part((*who, Run(f" {address}"))),), down, cells - 2), "bar"),)
    first = margined(fitted((Part(who),), down, cells - 2), "bar")
    second = Run("   " + cut_middle(address, cells - 5))
    return first, margined(fitted((Part((second,)),), (), cells - 2), "bar")


def cc_line(reach: Reach, cells: int) -> Line:
    """`cc kirsten.kjaer@example.dk      2 people`."""
    people = len(reach.to) + len(reach.cc)
    names = ", ".join(clean_line(person.address) for person in reach.cc)
    left = Part((Run("cc ", "mut"), Run(names)))
    return margined(fitted((left,), (Part((Run(f"{people} people", "mut"),)),), cells - 2), "bar")


def note_line(cells: int) -> Line:
    """A note's head: nobody outside sees it."""
    left = Part((Run("note", "note", "b"), Run("  to colleagues", "note")))
    return margined(fitted((left,), (Part((Run("colleagues only", "note", "i"),), 1),), cells - 2), "bar")


def nobody_line(cells: int, why: str) -> Line:
    """There is no way to answer, or nothing is open."""
    return margined(fitted((Part((Run(why, "mut"),)),), (), cells - 2), "bar")


def stopped_lines(items: tuple[Item, ...], sentence: str, cells: int, tz: tzinfo = UTC) -> tuple[Line, Line]:
    """`! Not sent: Søren wrote at 14:02, after you began.` and the new words below."""
    if not items:
        words = clean_line(sentence)
        return (_warning(f"Not sent: {words}", cells), margined(fitted((), (), cells - 2), "bar"))
    last = items[-1]
    who = clean_line(last.name).split(" ")[0] or "somebody"
    said = clean_line(last.text)
    quoted = cut(said, cells - 6)
    short = f"Not sent: {who} wrote at {clock.at(last.at_ms, tz)}"
    whole = f"{short}, after you began."
    return (
        _warning(whole if width(whole) <= cells - 4 else f"{short}.", cells),
        margined(fitted((Part((Run(f"  “{quoted}”"),)),), (), cells - 2), "bar"),
    )


def _warning(words: str, cells: int) -> Line:
    return margined(fitted((Part((Run(f"! {words}", "near", "b"),)),), (), cells - 2), "bar")


def keys_line(keys: tuple[Key, ...], letters: int, most: int, cells: int, glyphs: Glyphs) -> Line:
    """The composer's own keys and the count of characters, `late` past what the channel takes."""
    words = f"{letters} / {most}" if cells >= 64 else f"{letters}"
    count = Run(words, "late", "b") if letters > most else Run(words, "mut")
    left = tuple(key_part(key, glyphs) for key in keys)
    return margined(fitted(left, (Part((count,)),), cells - 2), "bar")


def people(addresses: tuple[Address, ...]) -> str:
    """`Anna Berg, kirsten@example.dk`, cleaned."""
    return ", ".join(clean_line(who.name or who.address) for who in addresses)
