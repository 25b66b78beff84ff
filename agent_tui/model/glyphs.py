"""Our own signs: one cell each, with an ASCII form of the same width, so that no layout changes.

The law: no sign that a terminal may draw as emoji; ASCII mode changes our signs, never what a person wrote.
"""

from typing import Final

_TABLE: Final = (
    # name, glyph, ASCII
    ("ready", "●", "*"),
    ("off", "○", "o"),
    ("wrap_up", "◐", "%"),
    ("waits", "◌", "?"),
    ("reads", "◉", "@"),
    ("no", "✗", "x"),
    ("yes", "✓", "v"),
    ("seen", "✓✓", "vv"),
    ("typing", "✎", "/"),
    ("used", "▮", "#"),
    ("free", "▯", "-"),
    ("queue", "≡", "="),
    ("skill", "#", "#"),
    ("bar", "▌", ">"),
    ("edge", "┃", "|"),
    ("note", "┆", ":"),
    ("whisper", "┊", ":"),
    ("column", "│", "|"),
    ("rule", "─", "-"),
    ("focus", "━", "="),
    ("cross", "┼", "+"),
    ("tee_right", "├", "+"),
    ("tee_left", "┤", "+"),
    ("tee_down", "┬", "+"),
    ("tee_up", "┴", "+"),
    ("corner_tl", "┌", "+"),
    ("corner_tr", "┐", "+"),
    ("corner_bl", "└", "+"),
    ("corner_br", "┘", "+"),
    ("top", "▔", "="),
    ("folded", "▸", ">"),
    ("prompt", "›", ">"),
    ("to", "→", ">"),
    ("between", "↔", "-"),
    ("below", "↓", "v"),
    ("above", "↑", "^"),
    ("back", "←", "<"),
    ("event", "·", "."),
    ("dots", "…", "~"),
    ("past", "◂", "<"),
    ("remove", "×", "x"),
    ("spark", "▁▂▃▄▅▆", "_.-=+#"),
    ("enter", "⏎", "enter"),
)


class Glyphs:
    """The signs by name, in one of the two forms. `spark` holds six steps; `enter` is the one word among them."""

    ready: str
    off: str
    wrap_up: str
    waits: str
    reads: str
    no: str
    yes: str
    seen: str
    typing: str
    used: str
    free: str
    queue: str
    skill: str
    bar: str
    edge: str
    note: str
    whisper: str
    column: str
    rule: str
    focus: str
    cross: str
    tee_right: str
    tee_left: str
    tee_down: str
    tee_up: str
    corner_tl: str
    corner_tr: str
    corner_bl: str
    corner_br: str
    top: str
    folded: str
    prompt: str
    to: str
    between: str
    below: str
    above: str
    back: str
    event: str
    dots: str
    past: str
    remove: str
    spark: str
    enter: str

    def __init__(self, ascii: bool = False) -> None:
        self.ascii = ascii
        for name, glyph, plain in _TABLE:
            setattr(self, name, plain if ascii else glyph)
        self._plain = str.maketrans(dict(_pairs())) if ascii else {}

    def ours(self, text: str) -> str:
        """`text` of our own (an event, a hint), with its signs in this form. Never for what a person said."""
        return text.translate(self._plain) if self.ascii else text

    def sparkline(self, values: tuple[float, ...]) -> str:
        """One step a value, the highest at the top; all zero is all low."""
        top = max(values, default=0.0)
        if top <= 0:
            return self.spark[0] * len(values)
        return "".join(self.spark[min(5, int(value / top * 5.999))] for value in values)

    def load(self, used: int, capacity: int) -> str:
        """`used` of `capacity` places; more used than there are places still shows every place used."""
        return self.used * min(used, capacity) + self.free * max(0, capacity - used)


def _pairs() -> list[tuple[str, str]]:
    pairs = [(glyph, plain) for _, glyph, plain in _TABLE if len(glyph) == 1 and len(plain) == 1]
    pairs.extend(zip("▁▂▃▄▅▆", "_.-=+#", strict=True))
    return pairs


UNICODE = Glyphs(ascii=False)
ASCII = Glyphs(ascii=True)
