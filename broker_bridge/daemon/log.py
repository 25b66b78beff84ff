"""The log: one record a decision, the event first, then fields; JSON lines or text on standard error.

Law: nothing that a customer wrote, no address and no token is logged. What we log are ids and sizes, and that is a habit of every call;
what this file can hold by force it holds: exceptions are written as type and place without their message, and other libraries' records
as their template without its arguments, for both may carry a customer's words. `tests/canary.py` looks for what slipped through.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import IO, Any, Literal

OUR_ROOT = "broker_bridge"
MAX_FIELD_CHARS = 500
MAX_FRAMES = 12

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(level: str = "info", format: Literal["text", "json"] = "text", stream: IO[str] | None = None) -> None:
    """Log to `stream` (standard error): ours from `level` on, other libraries' from warnings on. May be called again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OUR_ROOT).setLevel(level.upper())
    # A record that cannot be written is lost, never a traceback with its fields on standard error.
    logging.raiseExceptions = False
    logging.captureWarnings(True)


class JsonLines(logging.Formatter):
    """`{"time": "…Z", "level": "info", "event": "reply accepted", "logger": "…", …}`, ASCII, one line."""

    def format(self, record: logging.LogRecord) -> str:
        head = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": _event(record),
            "logger": record.name,
        }
        return json.dumps(head | fields(record), default=repr)


class TextLines(logging.Formatter):
    """`2026-11-21T09:41:07.123Z info    reply accepted  conversation=01k… ms=12`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        told = " ".join(f"{name}={_word(value)}" for name, value in fields(record).items())
        line = f"{_time(record)} {record.levelname.lower():<8}{_one_line(_event(record))}"
        return f"{line}  {told}" if told else line


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What stood in `extra`, and where an exception came from."""
    told = {name: _field(value) for name, value in vars(record).items() if name not in _STANDARD}
    if not _is_ours(record):
        told["line"] = f"{record.module}:{record.lineno}"
    if record.exc_info and record.exc_info[1] is not None:
        told["exception"] = describe(record.exc_info[1])
        told["trace"] = trace(record.exc_info[1])
    return told


def describe(error: BaseException) -> str:
    """An exception without its message: its type, the reason of an OSError, and what a group holds."""
    name = type(error).__name__
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno > 0:
        # The system's words for the number: `strerror` itself may name an address.
        return f"{name}: {os.strerror(error.errno)}"
    if isinstance(error, BaseExceptionGroup):
        return f"{name}: {', '.join(describe(one) for one in error.exceptions[:5])}"
    return name


def trace(error: BaseException) -> list[str]:
    """Where it was raised, innermost last: `file:line function`. Neither source lines nor values."""
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    frames = traceback.extract_tb(inner.__traceback__)[-MAX_FRAMES:]
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name == OUR_ROOT or record.name.startswith(OUR_ROOT + ".")


def _event(record: logging.LogRecord) -> str:
    if _is_ours(record):
        return record.getMessage()
    # Without arguments the text may have been put together already: then only the place is told.
    return (
        f"{record.name}: {record.msg}" if isinstance(record.msg, str) and record.args else f"{record.name} has a notice"
    )


def _field(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > MAX_FIELD_CHARS:
        return value[:MAX_FIELD_CHARS] + "…"
    return describe(value) if isinstance(value, BaseException) else value


def _word(value: Any) -> str:
    if isinstance(value, str) and value and value.isascii() and value.isprintable() and not set(value) & set(' ="'):
        return value
    return json.dumps(value, default=repr)


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _short(filename: str) -> str:
    """The last two parts of a path: enough to find it, and nothing of whose machine it is."""
    return "/".join(filename.replace("\\", "/").split("/")[-2:])
