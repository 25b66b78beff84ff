"""When to try again."""

from __future__ import annotations

MAX_ATTEMPTS = 12
"""With the delays below, about an hour: then a human decides."""


def delay_s(attempt: int) -> float:
    """Seconds to wait before send attempt `attempt` + 1, after attempt `attempt` (the first is 1) failed.

    Doubles from 2 s and stops at 300 s: providers lift throttling within five minutes. The caller adds jitter.

    Raises:
        ValueError: attempt < 1.
    """
    if attempt < 1:
        raise ValueError(f"attempts count from 1, not {attempt}")
    return float(min(300, 2 ** min(attempt, 9)))
