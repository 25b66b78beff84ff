"""The clock words of the window, from milliseconds since 1970.

The law: every word is at most six cells, comes from arguments alone, and a time that cannot be known is `?`.
"""

from datetime import UTC, datetime, tzinfo

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
UNKNOWN = "?"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def minutes(span_ms: int) -> str:
    """`4:10`: minutes and seconds, for spans under an hour; longer ones in hours or days."""
    span_ms = max(0, span_ms)
    if span_ms >= HOUR_MS:
        return waited(span_ms)
    seconds = span_ms // SECOND_MS
    return f"{seconds // 60}:{seconds % 60:02d}"


def long(span_ms: int) -> str:
    """`1:12:40` or `4:10`: how long a state has lasted, in the status line."""
    seconds = max(0, span_ms) // SECOND_MS
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def waited(span_ms: int) -> str:
    """`12 m`, `2 h`, `1 d`: how long somebody has waited."""
    span_ms = max(0, span_ms)
    if span_ms < HOUR_MS:
        return f"{span_ms // MINUTE_MS} m"
    if span_ms < DAY_MS:
        return f"{span_ms // HOUR_MS} h"
    return f"{min(999, span_ms // DAY_MS)} d"


def left(until_ms: int, now_ms: int) -> str:
    """`0:43` until something ends, rounded up: 0:01 until the end, 0:00 after it."""
    return minutes(-(-(until_ms - now_ms) // SECOND_MS) * SECOND_MS)


def due(due_ms: int, now_ms: int) -> str:
    """`4:10` before the target, `-0:42` after it, `-12 m` from ten minutes on."""
    left_ms = due_ms - now_ms
    if left_ms >= 0:
        # Rounded up: the clock shows 0:01 until the target is reached, and -0:00 never appears.
        return minutes(-(-left_ms // SECOND_MS) * SECOND_MS)
    if left_ms > -10 * MINUTE_MS:
        return "-" + minutes(max(SECOND_MS, -left_ms))
    return "-" + waited(-left_ms)


def at(moment_ms: int, tz: tzinfo = UTC) -> str:
    """`14:02`."""
    return local(moment_ms, tz).strftime("%H:%M")


def at_second(moment_ms: int, tz: tzinfo = UTC) -> str:
    """`14:02:11`."""
    return local(moment_ms, tz).strftime("%H:%M:%S")


def until(moment_ms: int | None, now_ms: int, tz: tzinfo = UTC) -> str:
    """`15:30` today, `Mon` within a week, else `12 Dec`: when something wakes up."""
    if moment_ms is None:
        return UNKNOWN
    then, now = local(moment_ms, tz), local(now_ms, tz)
    days = (then.date() - now.date()).days
    if days <= 0:
        return then.strftime("%H:%M")
    return _DAYS[then.weekday()] if days < 7 else date(moment_ms, tz)


def weekday(moment_ms: int, tz: tzinfo = UTC) -> str:
    """`Mon`."""
    return _DAYS[local(moment_ms, tz).weekday()]


def date(moment_ms: int, tz: tzinfo = UTC) -> str:
    """`12 Nov`, without the year."""
    then = local(moment_ms, tz)
    return f"{then.day} {_MONTHS[then.month - 1]}"


def short_date(moment_ms: int, now_ms: int, tz: tzinfo = UTC) -> str:
    """`12 Nov` of this year, `Dec 25` of another: at most six cells."""
    then = local(moment_ms, tz)
    if then.year == local(now_ms, tz).year:
        return date(moment_ms, tz)
    return f"{_MONTHS[then.month - 1]} {then.year % 100:02d}"


def day(moment_ms: int, now_ms: int, tz: tzinfo = UTC) -> str:
    """`today` or `Friday 20 November`, with the year if it is another: a date rule's words."""
    then, now = local(moment_ms, tz).date(), local(now_ms, tz).date()
    if then == now:
        return "today"
    words = f"{_LONG_DAYS[then.weekday()]} {then.day} {_LONG_MONTHS[then.month - 1]}"
    return words if then.year == now.year else f"{words} {then.year}"


def period(moment_ms: int, now_ms: int, tz: tzinfo = UTC) -> str:
    """The timeline's heads: `today`, a weekday within a week, a month of this year, else `before`."""
    then, now = local(moment_ms, tz).date(), local(now_ms, tz).date()
    days = (now - then).days
    if days <= 0:
        return "today"
    if days < 7:
        return _LONG_DAYS[then.weekday()]
    months = (now.year - then.year) * 12 + now.month - then.month
    return _LONG_MONTHS[then.month - 1] if months == 0 else "before"


def local(moment_ms: int, tz: tzinfo) -> datetime:
    """The moment in the agent's own zone."""
    return datetime.fromtimestamp(moment_ms / 1000, tz)
