"""Rows for people and for programs: columns on a terminal, JSON lines for the rest. ASCII where text is foreign."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Text columns, numbers to the right; the last column keeps its length."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    are_numbers = [bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(head))]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, are_numbers, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def json_line(row: dict[str, Any]) -> str:
    """One line; everything beyond ASCII escaped, so that it cannot command a terminal."""
    return json.dumps(row, default=str)


def harmless(text: str) -> str:
    """Foreign text as one printable line."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def moment(at_ms: int) -> str:
    """`2026-11-21 09:41:07Z`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
