"""Plain text bodies: format=flowed (RFC 3676), files written into the text by uuencode, and line ends.

Law: no line disappears. A uuencoded block leaves the text only when all of it decodes.
"""

import binascii
import re

_BEGIN = re.compile(r"begin [0-7]{3,4} (\S.{0,200})")
_QUOTED = re.compile(r"^(>*)( ?)(.*)$", re.DOTALL)
MAX_UU_FILES = 50


def lines_ended(text: str) -> str:
    """Every line end as one \\n, no NUL, no lone surrogate."""
    flat = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return re.sub(r"[\ud800-\udfff]", "\ufffd", flat)


def unflow(text: str, *, delete_space: bool) -> str:
    """Paragraphs of format=flowed text joined again; the quote depth stays as a run of `>`."""
    out: list[str] = []
    open_depth = -1
    for line in text.split("\n"):
        match = _QUOTED.match(line)
        marks, rest = (match[1], match[3]) if match else ("", line)
        if match and match[2] and not match[3] and not marks:
            rest = ""
        depth = len(marks)
        signature = rest == "-- "
        flows = rest.endswith(" ") and not signature
        content = rest[:-1] if flows and delete_space else rest
        if open_depth == depth and not signature:
            out[-1] += content
        else:
            out.append((marks + " " if marks else "") + content)
        open_depth = depth if flows else -1
    return "\n".join(line if line == "-- " else line.rstrip() for line in out)


def without_uuencoded(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without uuencoded files, and the files (name, bytes)."""
    if "\nbegin " not in "\n" + text:
        return text, []
    lines = text.split("\n")
    kept: list[str] = []
    files: list[tuple[str, bytes]] = []
    at = 0
    while at < len(lines):
        match = _BEGIN.fullmatch(lines[at].rstrip())
        found = uu_block(lines, at + 1) if match and len(files) < MAX_UU_FILES else None
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
