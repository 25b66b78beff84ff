"""How a subcommand ends: the codes of sysexits.h, and the sentence on standard error for every failure that is not a bug."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

OK = 0
FAILURE = 1
USAGE = 2
UNAVAILABLE = 69
SOFTWARE = 70
PERMISSION = 77
CONFIG = 78
INTERRUPTED = 130


def say(text: str, stream: TextIO | None = None) -> None:
    """One line for a person; standard output is for data."""
    print(text, file=stream or sys.stderr)


def guarded(work: Callable[[], int]) -> int:
    """`work`'s exit code, or that of what went wrong, with its sentence."""
    try:
        code = work()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except tuple(_families()) as error:  # the families are loaded only when something went wrong
        say(f"broker-bridge: {_sentence(error)}")
        return next(code for family, code in _families().items() if isinstance(error, family))


def _families() -> dict[type[Exception], int]:
    """Failures that are not bugs, narrow before wide; everything else is seen with its traceback."""
    from broker_bridge.daemon.broker import BrokerError
    from broker_bridge.daemon.office import Declined, NotRunning
    from broker_bridge.daemon.secrets import SecretError
    from broker_bridge.daemon.streams import Unfit
    from broker_bridge.daemon.strict import ConfigError
    from broker_bridge.daemon.wire import BusError, Refused

    return {
        ConfigError: CONFIG,
        SecretError: CONFIG,
        Unfit: CONFIG,
        NotRunning: UNAVAILABLE,
        BrokerError: UNAVAILABLE,
        Declined: FAILURE,
        Refused: PERMISSION,
        BusError: UNAVAILABLE,
        PermissionError: PERMISSION,
        OSError: FAILURE,
    }


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _reader_left() -> int:
    """`broker-bridge … | head`: quiet, also when Python flushes at its end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK
