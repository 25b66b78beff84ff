"""Named points at which a test kills this process, as a power cut would.

Law: only where the variable ONEWINDOW_CRASH_AT is set (`name`, or `name:3` for the third passing) does a point do anything;
otherwise it is a call of a function that returns. No point stands in a transaction of its own: it shows what a crash would find.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable

VARIABLE = "ONEWINDOW_CRASH_AT"


def _pass(name: str) -> None:
    """The point of a process that nobody wants dead."""


def _killer(wanted: str) -> Callable[[str], None]:
    at, _, times = wanted.partition(":")
    passings = itertools.count(1)

    def point(name: str) -> None:
        if name == at and next(passings) == int(times or 1):
            os.kill(os.getpid(), signal.SIGKILL)

    return point


point: Callable[[str], None] = _killer(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else _pass
