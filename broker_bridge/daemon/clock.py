"""The bridge's clock: wall time that follows no jump, so that an hour set by hand lets nobody's offer, snooze or warning run out.

Law: it never goes backwards, and it runs at 0.9 to 1.1 times the speed of the monotonic clock, whatever the wall does. A small difference
(time service, drift) is caught up with at that pace and nobody notices. A large one is a jump: an alarm, and the same slow pace, so that
an hour takes ten hours. A restart adopts the wall as it then is. A machine that was suspended looks like one whose clock was set forward.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

NS_PER_MS = 1_000_000
SLEW_PARTS = 10
"""At most one part in so many of the elapsed time goes into catching up with the wall."""
JUMP_NS = 5_000_000_000
"""From here on a difference is no drift: a time service that works holds a machine within milliseconds, a poor one within a second."""
CAUGHT_UP_NS = 1_000_000_000
"""A jump is over below this; apart from JUMP_NS, so that an alarm does not flap at its own threshold."""


class Clock:
    """Milliseconds since 1970 for everything this bridge decides. For one thread."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`wall_ns`: nanoseconds since 1970, may be set by anybody. `monotonic`: seconds from anywhere, cannot be set."""
        self._wall_ns = wall_ns
        self._monotonic = monotonic
        self._now_ns = wall_ns()
        self._read_ns = self._elapsed_ns()
        self._away_ns = 0
        """How far the wall was ahead when it was read last, after what was caught up."""
        self._is_alarmed = False
        self.jumps = 0
        """Jumps since the start."""

    def now_ms(self) -> int:
        """The time that this bridge goes by."""
        read_ns = self._elapsed_ns()
        elapsed_ns = max(0, read_ns - self._read_ns)
        self._read_ns = max(read_ns, self._read_ns)
        self._now_ns += elapsed_ns
        most_ns = elapsed_ns // SLEW_PARTS
        away_ns = self._wall_ns() - self._now_ns
        self._judge(away_ns)
        step_ns = max(-most_ns, min(most_ns, away_ns))
        self._now_ns += step_ns
        self._away_ns = away_ns - step_ns
        return self._now_ns // NS_PER_MS

    @property
    def jump_ms(self) -> int:
        """How far the wall is ahead (behind, if negative) because it jumped, and is not yet caught up with; 0 = all is well."""
        return self._away_ns // NS_PER_MS if self._is_alarmed else 0

    def _elapsed_ns(self) -> int:
        return int(self._monotonic() * 1_000_000_000)

    def _judge(self, away_ns: int) -> None:
        is_far = abs(away_ns) > JUMP_NS
        is_new = abs(away_ns - self._away_ns) > JUMP_NS
        if is_far and (is_new or not self._is_alarmed):
            self._is_alarmed = True
            self.jumps += 1
            log.error("clock jumped", extra={"jump_ms": away_ns // NS_PER_MS, "jumps": self.jumps})
        elif self._is_alarmed and abs(away_ns) < CAUGHT_UP_NS:
            self._is_alarmed = False
            log.info("clock is right again", extra={"jumps": self.jumps})
