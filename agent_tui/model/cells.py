"""Widths in terminal cells.

The law: every width comes from the cell table that the terminal layer itself paints with, by grapheme, and nothing here
ever splits a wide character: a cell that is left over becomes a space. Text given here has passed `clean`.
"""

import re
from functools import lru_cache

from rich.cells import cell_len, split_graphemes

DOTS = "…"
_PIECES = re.compile(r"\s+|\S+")
_NO_START = frozenset("、。，．・：；？！ー）］｝〕〉》」』】〙〗'\"”’»…‥,.:;!?)]}")


def width(text: str) -> int:
    """Cells that `text` (one line) takes."""
    return cell_len(text)


def take(text: str, cells: int) -> str:
    """The longest beginning of `text` that fits into `cells`."""
    if cells <= 0:
        return ""
    if text.isascii():
        return text[:cells]
    if cell_len(text) <= cells:
        return text
    used = end = 0
    for _, stop, size in split_graphemes(text)[0]:
        if used + size > cells:
            break
        used += size
        end = stop
    return text[:end]


def take_end(text: str, cells: int) -> str:
    """The longest end of `text` that fits into `cells`."""
    if cells <= 0:
        return ""
    used, start = 0, len(text)
    for begin, _, size in reversed(split_graphemes(text)[0]):
        if used + size > cells:
            break
        used += size
        start = begin
    return text[start:]


@lru_cache(maxsize=16384)
def cut(text: str, cells: int, dots: str = DOTS) -> str:
    """`text` in at most `cells` cells, its end replaced by `dots` if it is too long. Never wider, maybe narrower."""
    if cell_len(text) <= cells:
        return text
    if cells <= 0:
        return ""
    return take(text, cells - cell_len(dots)).rstrip() + dots


def cut_middle(text: str, cells: int, dots: str = DOTS) -> str:
    """`text` in at most `cells` cells with its middle replaced: the two ends of an identifier tell it apart."""
    if cell_len(text) <= cells:
        return text
    room = cells - cell_len(dots)
    if room <= 0:
        return cut(text, cells, dots)
    head = (room + 1) // 2
    return take(text, head) + dots + take_end(text, room - head)


def unbroken(text: str) -> list[str]:
    """`text` in pieces that may be cut between: joined emoji and letters with marks stand alone.

    The terminal layer cuts a line where a dialog lies over it, by code points: inside a piece it would take a mark or half a
    family to the wrong side, and the row would get another width.
    """
    if text.isascii():
        return [text]
    pieces: list[str] = []
    start = 0
    for begin, end, _ in split_graphemes(text)[0]:
        if end - begin > 1:
            pieces.extend((text[start:begin], text[begin:end]))
            start = end
    return [piece for piece in (*pieces, text[start:]) if piece]


def pad(text: str, cells: int) -> str:
    """`text` with spaces at its right up to `cells`; never shortened."""
    return text + " " * (cells - cell_len(text))


def pad_left(text: str, cells: int) -> str:
    """`text` with spaces at its left up to `cells`; never shortened."""
    return " " * (cells - cell_len(text)) + text


def fit(text: str, cells: int, dots: str = DOTS) -> str:
    """`text` in exactly `cells` cells: cut or padded."""
    return pad(cut(text, cells, dots), cells)


@lru_cache(maxsize=2048)
def wrap(text: str, cells: int) -> tuple[str, ...]:
    """The lines of `text`, each at most `cells` wide, broken at spaces, between wide characters, or inside a long word.

    Indentation at the start of a line is kept, spaces at a break are dropped. Empty lines stay.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        if cell_len(paragraph) <= cells:
            lines.append(paragraph.rstrip())
        else:
            _wrap_paragraph(paragraph, max(cells, 2), lines)
    return tuple(lines)


def _wrap_paragraph(paragraph: str, cells: int, lines: list[str]) -> None:
    line, used = "", 0
    for piece in _pieces(paragraph, cells):
        size = cell_len(piece)
        if used + size <= cells:
            line += piece
            used += size
            continue
        if piece.isspace():
            # The break eats these spaces, whatever comes after them starts the next line, a mark without a letter too.
            line, used = line + piece, cells + 1
            continue
        if line.strip():
            lines.append(line.rstrip())
        line, used = piece, size
    if line.strip():
        lines.append(line.rstrip())


def _pieces(paragraph: str, cells: int) -> list[str]:
    """Unbreakable pieces, none wider than `cells` unless it is white space."""
    pieces: list[str] = []
    for match in _PIECES.finditer(paragraph):
        word = match[0]
        if word.isspace() or (word.isascii() and len(word) <= cells):
            pieces.append(word)
        else:
            pieces.extend(_split_word(word, cells))
    return pieces


def _split_word(word: str, cells: int) -> list[str]:
    pieces: list[str] = []
    piece, used, last_wide = "", 0, False
    for start, end, size in split_graphemes(word)[0]:
        char = word[start:end]
        wide = size > 1
        breakable = bool(piece) and (wide or last_wide) and char not in _NO_START
        if breakable or used + size > cells:
            if piece:
                pieces.append(piece)
            piece, used = "", 0
        piece += char
        used += size
        last_wide = wide
    pieces.append(piece)
    return pieces
