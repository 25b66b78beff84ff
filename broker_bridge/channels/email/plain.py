"""Plain text bodies: format=flowed (RFC 3676), files written into the text by uuencode, and line ends.

Law: no line disappears. A uuencoded block leaves the text only when all of it decodes.
"""

import binascii
import re

_BEGIN = re.compile(r"begin [0-7]{3,4} (\S.{0,200})")
MAX_UU_FILES = 50
"""Blocks that are tried in one text, so that many false beginnings cost no more than their length."""


def lines_ended(text: str) -> str:
    """Every line end as one \\n, no NUL, no lone surrogate."""
    flat = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return re.sub(r"[\ud800-\udfff]", "\ufffd", flat)


def unflow(text: str, *, delete_space: bool) -> str:
    """Paragraphs of format=flowed text joined again; the quote depth stays as a run of `>`."""
    paragraphs: list[list[str]] = []
    open_depth = -1
    for line in text.split("\n"):
        marks = line[: len(line) - len(line.lstrip(">"))]
        rest = line[len(marks) :].removeprefix(" ")
        is_signature = rest == "-- "
        flows = rest.endswith(" ") and not is_signature
        content = rest[:-1] if flows and delete_space else rest
        if open_depth == len(marks) and not is_signature:
            paragraphs[-1].append(content)
        else:
            paragraphs.append([marks + " " if marks else "", content])
        open_depth = len(marks) if flows else -1
    joined = ("".join(parts) for parts in paragraphs)
    return "\n".join(line if line == "-- " else line.rstrip() for line in joined)


def without_uuencoded(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without uuencoded files, and the files (name, bytes)."""
    if "\nbegin " not in "\n" + text:
        return text, []
    lines = text.split("\n")
    kept: list[str] = []
    tries = 0
    files: list[tuple[str, bytes]] = []
    at = 0
    while at < len(lines):
        match = _BEGIN.fullmatch(lines[at].rstrip())
        tries += match is not None
        found = uu_block(lines, at + 1) if match and tries <= MAX_UU_FILES else None
        if match is None or found is None:
            kept.append(lines[at])
            at += 1
            continue
        data, at = found
        files.append((match[1], data))
    return "\n".join(kept), files


def uu_block(lines: list[str], at: int) -> tuple[bytes, int] | None:
    """The bytes from line `at` up to `end`, and the line after it; None when this is not a whole uuencoded block."""
    out = bytearray()
    for index in range(at, len(lines)):
        line = lines[index].rstrip("\r")
        if line.strip() == "end":
            return bytes(out), index + 1
        if not line.strip(" `"):
            continue
        if not line.isascii():
            return None
        try:
            out += binascii.a2b_uu(line.rstrip())
        except binascii.Error:
            expected = (((ord(line[0]) - 32) & 63) * 4 + 5) // 3
            try:
                out += binascii.a2b_uu(line[:expected])
            except binascii.Error:
                return None
    return None
