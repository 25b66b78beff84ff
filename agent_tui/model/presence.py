"""How an agent's state is said, and what one can choose from: signs, words, the menu of `b`, and when somebody is back.

The law: presence is always a sign and a word; only ready is green, and nobody is shown in red for being away.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta, tzinfo
from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.clean import clean_line
from agent_tui.model.glyphs import Glyphs
from broker_bridge.contract.commands import Presence
from broker_bridge.contract.views import Me

REASONS = ("break", "lunch", "meeting", "training")
"""Of being away, where the house names none."""
REASON_CHARS = 40
_WORDS = {"wrap_up": "wrap-up", "transfer_only": "transfer only"}
_SPAN = re.compile(r"(?:(?P<hours>\d{1,2})\s*h)?\s*(?:(?P<minutes>\d{1,4})\s*(?:m|min)?)?")
_AT = re.compile(r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})")


def look(state: str, glyphs: Glyphs) -> tuple[str, str]:
    """The sign of a state and the role that it is painted in."""
    return {
        "ready": (glyphs.ready, "ok"),
        "wrap_up": (glyphs.wrap_up, "text"),
        "silent": (glyphs.waits, "near"),
        "away": (glyphs.no, "mut"),
    }.get(state, (glyphs.off, "mut"))


def word(state: str, reason: str = "") -> str:
    """`ready`, `wrap-up`; being away is said by its reason where there is one."""
    if state == "away" and reason:
        return clean_line(reason, REASON_CHARS)
    return _WORDS.get(state) or clean_line(state, 20)


class Option(NamedTuple):
    """One line of the menu."""

    words: str
    remark: str
    state: str
    reason: str = ""
    forgets: bool = False
    """Ready already: what was to come next is forgotten."""

    @property
    def is_away(self) -> bool:
        return self.state == "away"


def options(me: Me | None, reasons: tuple[str, ...]) -> tuple[Option, ...]:
    """The menu: ready first, so that the same key twice is the way back."""
    found = [_ready(me), Option("busy", "nothing new, what you have goes on", "busy")]
    found.append(Option("transfer only", "only what colleagues give you", "transfer_only"))
    return (*found, *(Option(f"away: {_cleaned(reason)}", "", "away", reason) for reason in reasons or REASONS))


def forced(reasons: tuple[str, ...]) -> tuple[Option, ...]:
    """What a supervisor can set a colleague to."""
    return (Option("ready", "new work is offered", "ready"), *options(None, reasons)[1:], Option("off", "gone", "off"))


def wish(option: Option, *, is_next: bool = False, until_ms: int | None = None) -> Presence:
    """What is asked of the bridge; being back is said of being away alone."""
    if option.state == "ready":
        return Presence(state="ready", is_next=option.forgets)
    return Presence(
        state=option.state,
        reason=option.reason,
        until_ms=until_ms if option.is_away else None,
        is_next=is_next,
    )


def back_ms(typed: str, now_ms: int, tz: tzinfo = UTC) -> int | None:
    """`14:30` (the next one), `30m`, `1h`, `1 h 30`; None for nothing typed.

    Raises:
        ValueError: it is no time, or more than a day away.
    """
    text = typed.strip().casefold()
    if not text:
        return None
    if (at := _AT.fullmatch(text)) is not None:
        return _next(int(at["hour"]), int(at["minute"]), now_ms, tz)
    span = _SPAN.fullmatch(text)
    if span is None:
        raise ValueError("no time")
    minutes = 60 * int(span["hours"] or 0) + int(span["minutes"] or 0)
    if not 0 < minutes <= clock.DAY_MS // clock.MINUTE_MS:
        raise ValueError("not within a day")
    return now_ms + minutes * clock.MINUTE_MS


def _next(hour: int, minute: int, now_ms: int, tz: tzinfo) -> int:
    """The next moment when the clock says so; a time that a change of the clock skips is the one after the gap."""
    now = clock.local(now_ms, tz)
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    if then.timestamp() * 1000 <= now_ms:
        then = then.replace(fold=1)
    if then.timestamp() * 1000 <= now_ms:
        then = (then + timedelta(days=1)).replace(fold=0)
    return int(then.timestamp() * 1000)


def back_words(typed: str, now_ms: int, tz: tzinfo = UTC) -> str:
    """`14:30, in 28 m`, or what can be typed."""
    try:
        until_ms = back_ms(typed, now_ms, tz)
    except ValueError:
        return "type 14:30 or 30m"
    if until_ms is None:
        return ""
    is_today = clock.local(until_ms, tz).date() == clock.local(now_ms, tz).date()
    day = "" if is_today else "tomorrow "
    left_ms = until_ms - now_ms
    spoken = f"{left_ms // clock.MINUTE_MS} m" if left_ms < 100 * clock.MINUTE_MS else clock.waited(left_ms)
    return f"{day}{clock.at(until_ms, tz)}, in {spoken}"


def _ready(me: Me | None) -> Option:
    if me is None or me.state != "ready":
        return Option("ready", "new work is offered to you", "ready")
    if not me.next_state:
        return Option("ready", "as you are", "ready")
    return Option("ready", f"stay ready, not {word(me.next_state, me.next_reason)} next", "ready", forgets=True)


def _cleaned(reason: str) -> str:
    return clean_line(reason, REASON_CHARS)
