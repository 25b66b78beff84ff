"""Files of a message or of a customer: name, kind, size.

The law: the name is cut before its kind and size, and columns of one message stand under each other.
"""

from agent_tui.model.cells import cut, pad, pad_left, width
from agent_tui.model.clean import clean_line
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import Run
from broker_bridge.contract.views import FileLine


def file_rows(files: tuple[FileLine, ...], room: int, glyphs: Glyphs, acts: tuple[Run, ...]) -> list[tuple[Run, ...]]:
    """A row each of at most `room` cells: name, kind, size and, where there is room for them, `acts`."""
    if not files:
        return []
    names = [clean_line(file.name, 120) or "file" for file in files]
    facts = [(kind(file), size(file.size_bytes)) for file in files]
    kind_cells = max(width(word) for word, _ in facts)
    size_cells = max(width(word) for _, word in facts)
    rest = 2 + kind_cells + 1 + size_cells
    has_acts = room - rest - 15 >= 8
    name_cells = min(max(width(name) for name in names), room - rest - (15 if has_acts else 0))
    block: list[tuple[Run, ...]] = []
    for name, (word, amount) in zip(names, facts, strict=True):
        shown = cut(name, name_cells, glyphs.dots)
        fact = " " * (name_cells - width(shown) + 2) + f"{pad(word, kind_cells)} {pad_left(amount, size_cells)}"
        block.append((Run(shown, "text", "u"), Run(fact, "mut"), *(acts if has_acts else ())))
    return block


def kind(file: FileLine) -> str:
    """What a file is, in at most five letters: the ending of its name, else of its type."""
    _, dot, ending = clean_line(file.name, 120).rpartition(".")
    word = ending if dot and ending.isalnum() and len(ending) <= 5 else file.media_type.rpartition("/")[2]
    return cut(clean_line(word, 20).lower(), 5, "")


def size(size_bytes: int) -> str:
    """`88 kB`, `1.2 MB`: in powers of ten."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    if size_bytes < 1_000_000:
        return f"{round(size_bytes / 1_000)} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"
