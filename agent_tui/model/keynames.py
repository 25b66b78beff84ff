"""How keys are spelled: in settings, for Textual, for eyes, and by the same finger on a Cyrillic layout."""

from __future__ import annotations

import re
import unicodedata

_LATIN = "qwertyuiop[]asdfghjkl;'zxcvbnm,./`QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>?~"
_CYRILLIC = "йцукенгшщзхъфывапролджэячсмитьбю.ёЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ,Ё"
_TWINS = dict(zip(_LATIN, _CYRILLIC, strict=True))
_NAMED = frozenset(
    {
        *("enter", "escape", "tab", "space", "backspace", "delete", "insert", "up", "down", "left", "right"),
        *("home", "end", "pageup", "pagedown"),
    }
) | {f"f{number}" for number in range(1, 25)}
_SHORTER = {"solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus"} | {
    "plus_sign": "plus",
    "low_line": "underscore",
}
_SHOWN = {"enter": "⏎", "escape": "esc", "up": "↑", "down": "↓", "left": "←", "right": "→"} | {
    "pageup": "pgup",
    "pagedown": "pgdn",
    "delete": "del",
}
_KEY = re.compile(r"(?P<held>(?:(?:ctrl|alt|shift|super)\+)*)(?P<key>.+)", re.DOTALL)


def parse(key: str) -> str:
    """`key` as settings.toml may spell it (`E`, `ctrl+n`, `^n`, `F2`, `/`), in this table's spelling.

    Raises:
        ValueError: it names no key.
    """
    text = f"ctrl+{key[1:]}" if len(key) == 2 and key[0] == "^" else key
    match = _KEY.fullmatch(text if len(text) == 1 else _lowered(text))
    name = match["key"] if match else ""
    held = match["held"] if match else ""
    if name == "esc":
        name = "escape"
    if name not in _NAMED and not (len(name) == 1 and name.isprintable() and name != " "):
        raise ValueError(f"{key!r} is no key: write it like a, E, ctrl+n, f2, /")
    return held + name


def _lowered(text: str) -> str:
    """Modifiers and names in lower case; a single letter without ctrl keeps its case."""
    held, plus, name = (
        text.rpartition("+") if not text.endswith("+") else (text[:-2], "+" if len(text) > 2 else "", "+")
    )
    return held.lower() + plus + (name if len(name) == 1 and "ctrl" not in held.lower() else name.lower())


def is_chord(key: str) -> bool:
    """It can act where text is typed: with ctrl or alt, an f-key or escape."""
    return key.startswith(("ctrl+", "alt+")) or key == "escape" or bool(re.fullmatch(r"(shift\+)?f\d+", key))


def bound(key: str) -> str:
    """`key` as Textual's events and bindings name it: `question_mark`, `ctrl+n`."""
    held, name = _KEY.fullmatch(key).group("held", "key")  # type: ignore[union-attr]
    if len(name) == 1 and not name.isalnum():
        name = unicodedata.name(name).lower().replace("-", "_").replace(" ", "_")
        name = _SHORTER.get(name, name)
    return f"{held}{name}"


def shown(key: str) -> str:
    """`key` for eyes: `^n`, `⏎`, `esc`."""
    held, name = _KEY.fullmatch(key).group("held", "key")  # type: ignore[union-attr]
    return held.replace("ctrl+", "^") + _SHOWN.get(name, name)


def twin(key: str) -> str | None:
    """What the same physical key sends on a ЙЦУКЕН layout, if that is something else."""
    held, name = _KEY.fullmatch(key).group("held", "key")  # type: ignore[union-attr]
    return held + _TWINS[name] if name in _TWINS else None
