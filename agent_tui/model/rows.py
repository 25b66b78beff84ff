"""The inbox: which group a conversation stands in, in which order, and its row of two lines.

The law (look.md, "Inbox row"): mark, channel, clock and unread are never cut; text goes first, then the word after who's
sign, then the gap, then the name down to eight cells. Urgency is said by place, mark, form of the clock and color.
"""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.cells import cut, pad, pad_left, width
from agent_tui.model.clean import clean_line
from agent_tui.model.glyphs import UNICODE, Glyphs
from agent_tui.model.runs import Line, Run, line
from agent_tui.model.source import Mark
from broker_bridge.contract.views import Row

DUE_SOON_MS = 5 * clock.MINUTE_MS
"""A target nearer than this moves a row to `due soon`."""
GROUPS = ("ringing", "wrap-up", "late", "due soon", "they wait for you", "you wait for them", "snoozed", "closed")
_GROUP_ROLE = {"ringing": "acc", "wrap-up": "near", "late": "late", "due soon": "near"}
_DELIVERY = {
    "waits": "waits",
    "sending": "waits",
    "sent": "yes",
    "delivered": "seen",
    "read": "seen",
    "unknown": "waits",
}
_WHO_CELLS = 9


class Moment(NamedTuple):
    """What a row's look depends on beside the row itself."""

    now_ms: int
    tz: tzinfo = UTC
    glyphs: Glyphs = UNICODE
    has_link: bool = True
    """Without a link nothing rings for sure and nobody is known to type or read."""
    as_of_ms: int = 0
    """When the link was lost."""


class Clock(NamedTuple):
    """The word at the right end of a row, and how it is said."""

    word: str
    role: str = "mut"
    flags: str = ""


def group(row: Row, now_ms: int) -> str:
    """The group of GROUPS that the row belongs to at `now_ms`."""
    if row.state == "ringing":
        return "ringing"
    if row.state in ("snoozed", "closed"):
        return row.state
    if row.state == "wrap_up":
        return "wrap-up"
    if row.state == "merged":
        return "closed"
    if row.due_ms is not None:
        if row.due_ms < now_ms:
            return "late"
        if row.due_ms - now_ms < DUE_SOON_MS:
            return "due soon"
    return "you wait for them" if row.waiting_since_ms is None else "they wait for you"


def order(row: Row, now_ms: int) -> tuple[int, int, str]:
    """Sort key within a group: who has least time left or waits longest; the conversation's id settles a draw."""
    name = group(row, now_ms)
    moment: int | None
    if name == "ringing":
        moment = row.offer_until_ms
    elif row.due_ms is not None and name in ("late", "due soon", "they wait for you"):
        return (0, row.due_ms, row.conv)
    elif name == "they wait for you":
        moment = row.waiting_since_ms
    elif name == "snoozed":
        moment = row.snoozed_until_ms
    elif name == "wrap-up":
        moment = row.wrap_until_ms
    else:
        moment = -row.last_ms
    return (1, moment if moment is not None else 1 << 62, row.conv)


def arrange(rows: Iterable[Row], now_ms: int, held: dict[str, str] | None = None) -> list[tuple[str, list[Row]]]:
    """The groups that are not empty, in order, each with its rows in order.

    `held`: conversation -> group for rows that stay where they stood because the cursor is on them.
    """
    found: dict[str, list[Row]] = {}
    for row in rows:
        name = held.get(row.conv) if held else None
        found.setdefault(name or group(row, now_ms), []).append(row)
    return [(name, sorted(found[name], key=lambda row: order(row, now_ms))) for name in GROUPS if name in found]


def next_change_ms(row: Row, now_ms: int) -> int | None:
    """When the row will stand in another group by time alone; None = never."""
    if row.state in ("ringing", "snoozed", "closed", "wrap_up", "merged") or row.due_ms is None or row.due_ms < now_ms:
        return None
    soon = row.due_ms - DUE_SOON_MS
    return soon + 1 if soon >= now_ms else row.due_ms + 1


def clock_of(row: Row, at: Moment) -> Clock:
    """The row's clock: a chip if it rings or is late, bold if due soon, else plain."""
    name = group(row, at.now_ms)
    if name == "ringing":
        if not at.has_link or row.offer_until_ms is None:
            return Clock(clock.UNKNOWN)
        return Clock(clock.minutes(row.offer_until_ms - at.now_ms), "chip.acc", "b")
    if name in ("late", "due soon") and row.due_ms is not None:
        word = clock.due(row.due_ms, at.now_ms)
        return Clock(word, "chip.late", "b") if name == "late" else Clock(word, "near", "b")
    if name == "wrap-up" and row.wrap_until_ms is not None:
        return Clock(clock.left(row.wrap_until_ms, at.now_ms), "near", "b")
    if name == "wrap-up" and row.wrap_since_ms is not None:
        return Clock(clock.waited(at.now_ms - row.wrap_since_ms))
    if name == "snoozed" and row.snoozed_until_ms is None:
        return Clock(at.glyphs.dots)
    if name == "snoozed":
        return Clock(clock.until(row.snoozed_until_ms, at.now_ms, at.tz))
    since_ms = row.waiting_since_ms if row.waiting_since_ms is not None else row.last_ms
    return Clock(clock.waited(at.now_ms - since_ms) if since_ms else clock.UNKNOWN)


def head(name: str, count: int, at: Moment) -> Line:
    """A group's line: its words bold, its count plain."""
    role = _GROUP_ROLE.get(name, "mut")
    words = name
    if name == "ringing" and not at.has_link:
        role, words = "mut", "ringing, not sure"
    return line(Run("    "), Run(words, role, "b"), Run(f" {count}", role))


def more(count: int, at: Moment) -> Line:
    """The last line when `count` rows do not fit."""
    return line(Run("    "), Run(f"{at.glyphs.below} {count:,} more", "mut"))


def first_line(row: Row, cells: int, mark: Mark, at: Moment) -> Line:
    """Bar, mark, name, channel, clock: exactly `cells` wide."""
    name = group(row, at.now_ms)
    gap, name_cells = (" ", cells - 16) if cells >= 24 else ("", max(8, cells - 15))
    role, flags = _name_look(row, name, at)
    shown = clean_line(row.name) or row.number or clock.UNKNOWN
    is_ringing = name == "ringing" and at.has_link
    return line(
        Run(at.glyphs.bar if mark else " ", mark or "mut"),
        *_mark(name),
        Run(pad(cut(shown, name_cells, at.glyphs.dots), name_cells), role, flags),
        Run(
            gap + pad(cut(clean_line(row.channel), 4, ""), 4), "acc" if is_ringing else "mut", "b" if is_ringing else ""
        ),
        *_clock_runs(clock_of(row, at)),
        ground="sel" if mark else "bg",
    )


def second_line(row: Row, cells: int, mark: Mark, at: Moment) -> Line:
    """Bar, last text, who, unread: exactly `cells` wide."""
    unread = f"+{min(row.unread, 99)}" if row.unread else ""
    who = _who(row, at)
    room = cells - 5 - (width(unread) + 1 if unread else 0)
    who = _fitting(who, room - 1)
    # One cell stays free after the text even where nothing follows, so that texts end in one column with and without.
    used = sum(width(run.text) for run in who) + 1 if who else 0 if unread else 1
    text_cells = max(0, room - used)
    role = "text" if row.unread or (row.state == "ringing" and at.has_link) else "mut"
    return line(
        Run(at.glyphs.bar if mark else " ", mark or "mut"),
        Run("   "),
        Run(pad(cut(_words(row, at), text_cells, at.glyphs.dots), text_cells), role),
        *((Run(" "), *who) if who else ()),
        *((Run(" "), Run(unread, "acc", "b")) if unread else ()),
        Run(" " if who or unread else "  "),
        ground="sel" if mark else "bg",
    )


def stamp(row: Row, at: Moment) -> tuple[object, ...]:
    """All that the row's two lines depend on beside width and mark, short enough to hash at every paint."""
    return (row.conv, row.rev, clock_of(row, at), row.typing, row.viewers, row.is_draft, row.unread, at.has_link)


def _mark(name: str) -> tuple[Run, ...]:
    if name == "late":
        return (Run("!!", "late", "b"), Run(" "))
    if name == "due soon":
        return (Run("! ", "near", "b"), Run(" "))
    return (Run("   "),)


def _name_look(row: Row, name: str, at: Moment) -> tuple[str, str]:
    if name == "ringing":
        return ("strong", "b") if at.has_link else ("text", "")
    if row.unread and name not in ("snoozed", "closed"):
        return "strong", "b"
    if name in ("late", "due soon"):
        return "strong", "b"
    return ("text", "") if name == "they wait for you" else ("mut", "")


def _clock_runs(found: Clock) -> tuple[Run, ...]:
    if found.role.startswith("chip."):
        chip = f" {found.word} "[-7:]
        return (Run(" " * max(0, 7 - width(chip))), Run(chip, found.role, found.flags))
    return (Run(pad_left(found.word, 6), found.role, found.flags), Run(" "))


def _words(row: Row, at: Moment) -> str:
    if row.state == "ringing" and not at.has_link:
        return f"was ringing at {clock.at_second(at.as_of_ms, at.tz)}"
    text = clean_line(row.text)
    if row.text_by == "event" or row.state == "ringing":
        return at.glyphs.ours(text)
    if row.text_by == "them":
        return text
    return f"{clean_line(row.text_by, 40)}: {text}"


def _who(row: Row, at: Moment) -> tuple[Run, ...]:
    """What matters most about the last word: failed, somebody types, somebody reads, a draft, how far ours came."""
    glyphs = at.glyphs
    if row.delivery == "failed":
        return (Run(f"{glyphs.no} failed", "late", "b"),)
    if row.consult_with and row.state in ("mine", "consult"):
        return (Run(f"{glyphs.between} ", "acc"), Run(_first_word(clean_line(row.consult_with), glyphs), "acc", "i"))
    if row.typing and at.has_link:
        name = clean_line(row.typing[0])
        role = "cust" if _is_customer(name, row) else "mut"
        return (Run(f"{glyphs.typing} ", role), Run(_first_word(name, glyphs), role, "i"))
    if row.viewers and at.has_link:
        return (Run(f"{glyphs.reads} ", "mut"), Run(_first_word(clean_line(row.viewers[0]), glyphs), "mut", "i"))
    if row.is_draft:
        return (Run(f"{glyphs.typing} draft", "acc"),)
    sign = _DELIVERY.get(row.delivery)
    if sign is None or row.text_by == "them":
        return ()
    return (Run(str(getattr(glyphs, sign)), "near" if row.delivery == "unknown" else "mut"),)


def _is_customer(name: str, row: Row) -> bool:
    whole = clean_line(row.name)
    return name == whole or name in whole.split(" ")


def _first_word(name: str, glyphs: Glyphs) -> str:
    return cut(name.split(" ")[0], _WHO_CELLS - 2, glyphs.dots)


def _fitting(who: tuple[Run, ...], room: int) -> tuple[Run, ...]:
    """Who in `room` cells: the word goes, the sign stays."""
    if not who or sum(width(run.text) for run in who) <= room:
        return who
    sign = who[0].text.split(" ")[0]
    return (who[0]._replace(text=sign),) if width(sign) <= room else ()
