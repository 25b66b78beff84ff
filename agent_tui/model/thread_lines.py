"""The lines of one item of a thread (look.md, "Thread, timeline, profile").

The law: two sides without bubbles. The customer stands at the left behind an edge, we at the right before one; a note fills
the width on its own ground; everything else is one muted line. All foreign text is cleaned here, before it is wrapped.
"""

from typing import NamedTuple

from agent_tui.model import clock, packet_lines
from agent_tui.model.cells import cut, pad, width, wrap
from agent_tui.model.clean import clean, clean_line
from agent_tui.model.event_lines import event_lines, is_merged_in
from agent_tui.model.file_lines import file_rows
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.rows import Moment
from agent_tui.model.runs import BLANK, Line, Run, cut_runs, ends, line
from broker_bridge.contract.views import Item
from broker_bridge.contract.words import Address

SHARED_MS = 2 * clock.MINUTE_MS
"""Messages of one side this near share a header."""
EDGE_CELLS = 3
_LABEL_CELLS = 7
_TALK = frozenset(("them", "you", "colleague", "bot"))
_LANES = frozenset(("note", "whisper"))


class Keys(NamedTuple):
    """The keys that are shown inside a thread, as they are bound now; an empty one is not shown."""

    raw: str = "i"
    open: str = "o"
    save: str = "s"
    unfold: str = ">"
    unmerge: str = "U"


class Place(NamedTuple):
    """What an item's lines depend on beside the item: what stands above it, and how wide the thread is."""

    cells: int
    day: str = ""
    """Words of the date rule above it; empty = the same day as the item before."""
    new: int = 0
    """Above it begins what is new: this many messages of the customer."""
    is_first: bool = False
    is_shared: bool = False
    """It goes on under the header of the item before."""
    is_event_run: bool = False
    """It and the item before are events: no blank row between."""
    is_unfolded: bool = False


def shares_header(before: Item, item: Item) -> bool:
    """Whether `item` goes on under the header of `before`."""
    return (
        item.kind in _TALK
        and (before.kind, before.name, before.channel, before.delivery, before.case)
        == (item.kind, item.name, item.channel, item.delivery, item.case)
        and 0 <= item.at_ms - before.at_ms < SHARED_MS
        and not (item.subject or item.reason or before.reason)
    )


def is_event(item: Item) -> bool:
    """Whether the item is one muted line: events, and kinds that this version does not know."""
    return item.kind not in _TALK and item.kind not in _LANES and item.packet is None


def leading(place: Place) -> tuple[Line, ...]:
    """The lines above an item: blank row, date rule, rule of what is new."""
    lines: list[Line] = []
    has_rule = bool(place.day or place.new)
    if not place.is_first and (has_rule or not (place.is_shared or place.is_event_run)):
        lines.append(BLANK)
    if place.day:
        lines.append(Line((Run(place.day, "mut"),), ground="rule"))
    if place.new:
        lines.append(Line((Run(f"{place.new} new", "acc", "b"),), ground="rule"))
    return tuple(lines)


def body(item: Item, place: Place, at: Moment, keys: Keys) -> tuple[Line, ...]:
    """The item's own lines: header, text, folded quote, files."""
    if item.kind in _LANES:
        return _lane(item, place.cells, at)
    if item.kind in _TALK:
        return _talk(item, place, at, keys)
    said = event_lines(item, place.cells, at, _event_key(item, keys))
    return (*said, *_lane(item, place.cells, at)) if item.packet is not None else said


def _event_key(item: Item, keys: Keys) -> tuple[Run, ...]:
    """What can be done about an event."""
    if is_merged_in(item):
        return _key(keys.unmerge, "un-merge")
    return _key(keys.raw, "raw") if item.has_raw and item.kind == "unreadable" else ()


def rule(words: str, cells: int, glyphs: Glyphs, role: str = "rule", words_role: str = "mut", flags: str = "") -> Line:
    """`words` centered in a rule over the whole width."""
    words = cut(words, max(0, cells - 4), glyphs.dots)
    left = (cells - width(words) - 2) // 2
    right = cells - width(words) - 2 - left
    return line(
        Run(glyphs.rule * left, role), Run(f" {words} ", words_role, flags), Run(glyphs.rule * right, role)
    )  # fmt: skip


def typing(names: tuple[str, ...], at: Moment) -> Line:
    """Who is typing, at the end of a thread."""
    shown = " and ".join(clean_line(name, 40) for name in names[:2])
    verb = "is" if len(names) == 1 else "are"
    return line(Run("   "), Run(f"{at.glyphs.typing} {shown} {verb} typing", "cust", "i"))


def delivery(item: Item, glyphs: Glyphs) -> Run:
    """How far our message came: sign and word."""
    state = item.delivery
    if state == "failed":
        reason = clean_line(item.reason, 200)
        return Run(f"{glyphs.no} failed: {reason}" if reason else f"{glyphs.no} failed", "late", "b")
    if state == "link":
        return Run(f"{glyphs.waits} waits for the link", "near", "b")
    if state == "unknown":
        return Run(f"{clock.UNKNOWN} not known if it arrived", "near", "b")
    signs = {
        "waits": glyphs.waits,
        "sending": glyphs.waits,
        "sent": glyphs.yes,
        "delivered": glyphs.seen,
        "read": glyphs.seen,
    }
    if state not in signs:
        return Run("")
    return Run(f"{signs[state]} {'waits' if state == 'sending' else state}", "mut")


def text_cells(cells: int) -> int:
    """Cells of a message's text: the block with its edge is at most 80 % of the thread."""
    return max(8, cells * 8 // 10 - EDGE_CELLS)


def _lane(item: Item, cells: int, at: Moment) -> tuple[Line, ...]:
    """A note or a whisper: full width on its own ground."""
    glyphs, role = at.glyphs, item.kind if item.kind in _LANES else "note"
    ground = f"{role}bg"
    edge = Run(f" {getattr(glyphs, role)} ", role)
    hint = "only colleagues see this" if cells >= 60 else "colleagues only"
    names = [name for name in (clean_line(item.name, 60), clean_line(item.note_to, 40)) if name]
    case = f"  #{clean_line(item.case, 12)}" if item.case else ""
    if width(" -> ".join(names)) > cells - 4 - width(f"{role}   hh:mm  {hint}{case}"):
        names = [name.split(" ")[0] for name in names]
    title = Run(f"{role} {f' {glyphs.to} '.join(names)}", role, "b")
    moment = Run(f"  {clock.at(item.at_ms, at.tz)}{case}", role)
    header = ends((title, moment), (Run(hint, role, "i"),), cells - 4, glyphs.dots)
    texts = wrap(clean(item.text), max(8, cells - 7)) if item.kind in _LANES else ()
    if item.packet is not None and not any(texts):
        texts = ()
    rows: list[tuple[Run, ...]] = [(Run(text, role),) for text in texts]
    if item.packet is not None:
        rows += [
            (Run(label, role, "i"), Run(packet_lines.signed(words, at.glyphs), role))
            for label, words in packet_lines.noted(item.packet, max(8, cells - 7))
        ]
    return (line(edge, *header, ground=ground), *(line(edge, *runs, ground=ground) for runs in rows))


def _talk(item: Item, place: Place, at: Moment, keys: Keys) -> tuple[Line, ...]:
    is_theirs = item.kind == "them"
    block = [*_labels(item, place.cells, at.glyphs), *_texts(item, place, at.glyphs, keys)]
    lines: list[Line] = []
    if not place.is_shared:
        lines.append(_header(item, place.cells, at, keys))
    if is_theirs:
        edge = Run(f" {at.glyphs.edge} ", "cust")
        lines.extend(line(edge, *runs) for runs in block)
        return tuple(lines)
    return (*lines, *_anchored(block, place.cells, Run(at.glyphs.edge, "acc" if item.kind == "you" else "mut")))


def _anchored(block: list[tuple[Run, ...]], cells: int, edge: Run) -> list[Line]:
    """A block at the right edge, its text aligned left inside."""
    widest = max((sum(width(run.text) for run in runs) for runs in block), default=0)
    indent = max(0, cells - EDGE_CELLS - widest)
    lines = []
    for runs in block:
        gap = cells - 2 - indent - sum(width(run.text) for run in runs)
        lines.append(line(Run(" " * indent), *runs, Run(" " * max(1, gap)), edge))
    return lines


def _header(item: Item, cells: int, at: Moment, keys: Keys) -> Line:
    moment = Run(f"  {clock.at(item.at_ms, at.tz)}", "mut")
    dots = at.glyphs.dots
    if item.kind == "them":
        name = Run(clean_line(item.name, 60) or "customer", "cust", "b")
        case = f"  #{clean_line(item.case, 12)}" if item.case else ""
        written = f"{case}  written {clock.at(item.source_ms, at.tz)}" if item.source_ms is not None else case
        left = (Run("   "), name, moment, Run(f"  {clean_line(item.channel, 8)}{written}", "mut"))
        right = _key(keys.raw, "raw") if item.has_raw else ()
        return line(*ends(left, right, cells - 1, dots))
    name = Run("you", "acc", "b") if item.kind == "you" else Run(clean_line(item.name, 60) or item.kind, "strong", "b")
    state = delivery(item, at.glyphs)
    last = state._replace(text=f"  {state.text}") if state.text else Run(f"  {clean_line(item.channel, 8)}", "mut")
    if item.case:
        last = last._replace(text=f"{last.text}  #{clean_line(item.case, 12)}")
    runs = cut_runs((name, moment, last), cells - EDGE_CELLS - 1, dots)
    used = sum(width(run.text) for run in runs)
    return line(Run(" " * (cells - EDGE_CELLS - used)), *runs)


def _labels(item: Item, cells: int, glyphs: Glyphs) -> list[tuple[Run, ...]]:
    """Mail's to, cc and about, then a blank row."""
    if not item.subject and not item.cc:
        return []
    rows = [("to", _addresses(item.to)), ("cc", _addresses(item.cc)), ("about", clean_line(item.subject))]
    room = cells - EDGE_CELLS - 1 - _LABEL_CELLS
    if item.kind != "them":
        room = min(room, text_cells(cells) - _LABEL_CELLS)
    runs = [
        (Run(pad(label, _LABEL_CELLS), "mut"), Run(cut(value, room, glyphs.dots))) for label, value in rows if value
    ]
    return [*runs, ()]


def _addresses(addresses: tuple[Address, ...]) -> str:
    return ", ".join(clean_line(address.address, 120) for address in addresses)


def _texts(item: Item, place: Place, glyphs: Glyphs, keys: Keys) -> list[tuple[Run, ...]]:
    room = text_cells(place.cells)
    is_mail = bool(item.subject or item.quote)
    block: list[tuple[Run, ...]] = []
    if item.text.strip() or not (item.files or item.quote):
        block.extend((Run(text),) for text in wrap(clean(item.text).strip("\n"), room))
    if item.is_cut:
        goes_on = (Run("the message goes on   ", "mut", "i"),) if room >= 40 else ()
        block.append((*goes_on, *_key(keys.raw, "whole message")))
    if block and is_mail and (item.quote or item.files):
        block.append(())
    if item.quote:
        block.extend(_quote(item, place, glyphs, keys, room))
    acts = (Run("   "), *_key(keys.open, "open"), Run("  "), *_key(keys.save, "save")) if keys.open else ()
    block.extend(file_rows(item.files, place.cells - EDGE_CELLS - 1, glyphs, acts))
    return block


def _quote(item: Item, place: Place, glyphs: Glyphs, keys: Keys, room: int) -> list[tuple[Run, ...]]:
    count = item.quote.count("\n") + 1
    words = "1 quoted line" if count == 1 else f"{count:,} quoted lines"
    verb = "fold" if place.is_unfolded else "unfold"
    head = (Run(glyphs.folded, "acc"), Run(f" {words}   ", "mut"), *_key(keys.unfold, verb))
    if not place.is_unfolded:
        return [head]
    return [head, *((Run(text, "mut"),) for text in wrap(clean(item.quote), room))]


def _key(key: str, verb: str) -> tuple[Run, ...]:
    return (Run(key, "acc", "b"), Run(f" {verb}", "mut")) if key else ()
