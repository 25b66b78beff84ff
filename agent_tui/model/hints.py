"""Rows under the head of a conversation that ask for a decision: a colleague is asked or with you, it may belong elsewhere.

The law: each says whose turn it is and shows the keys that the row allows now, and no other.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_tui.model import frame
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import Line, Run
from broker_bridge.contract.ids import short_number
from broker_bridge.contract.views import Row


class HintKeys(NamedTuple):
    """The keys as they are bound now; empty = none."""

    confirm: str = "y"
    end_consult: str = "x"
    take_back: str = "T"
    merge: str = "m"
    keep_apart: str = "N"


def hints(row: Row, keys: HintKeys, cells: int, at: Instant) -> tuple[Line, ...]:
    """None to two rows."""
    found = [line for line in (_talk(row, keys, cells, at), _suggestion(row, keys, cells, at)) if line is not None]
    return tuple(found)


def number_of(conv: str) -> str:
    """`#K7Q2M`: what people call a case whose row is not here."""
    return f"#{short_number(conv)}"


def asking(row: Row, *, is_whole: bool = False) -> str:
    """`asking Priya`; `is_whole`: `asking Priya to take it`, `to talk about it`, as far as the bridge says what for."""
    what = {"transfer": " to take it", "consult": " to talk about it"} if is_whole else {}
    return f"asking {clean_line(row.transfer_to, 40).split(' ')[0]}{what.get(row.transfer_kind, '')}"


def _talk(row: Row, keys: HintKeys, cells: int, at: Instant) -> Line | None:
    glyphs = at.glyphs
    words: tuple[Run, ...]
    name = clean_line(row.consult_with, 40)
    first = name.split(" ")[0]
    if row.state == "consult":
        words = (Run(f"{glyphs.between} with {first or clean_line(row.owner_name, 40)}: you were asked", "acc", "b"),)
        return _row(words, _allowed(row, ("end_consult", Key(keys.end_consult, "end the talk"))), cells, at)
    if name:
        words = (Run(f"{glyphs.between} {first} is with you", "acc", "b"),)
        shown = _allowed(
            row,
            ("confirm", Key(keys.confirm, "hand over")),
            ("end_consult", Key(keys.end_consult, "keep it")),
        )
        return _row(words, shown, cells, at)
    if row.transfer_to:
        then = {"consult": "yours meanwhile", "transfer": "yours until they say yes"}
        words = (
            Run(f"{glyphs.to} {asking(row, is_whole=True)}", "near", "b"),
            Run(f"  {then.get(row.transfer_kind, then['transfer'])}", "mut", "i"),
        )
        return _row(words, _allowed(row, ("take_back", Key(keys.take_back, "take back"))), cells, at)
    return None


def _suggestion(row: Row, keys: HintKeys, cells: int, at: Instant) -> Line | None:
    if not row.suggestion or row.state in ("closed", "merged"):
        return None
    words = (Run("? ", "near", "b"), Run(f"may belong to {number_of(row.suggestion)}", "text"))
    shown = _allowed(row, ("merge", Key(keys.merge, "merge")), ("keep_apart", Key(keys.keep_apart, "not the same")))
    return _row(words, shown, cells, at)


def _allowed(row: Row, *wanted: tuple[str, Key]) -> tuple[Key, ...]:
    return tuple(key for verb, key in wanted if verb in row.verbs and key.key)


def _row(words: tuple[Run, ...], keys: tuple[Key, ...], cells: int, at: Instant) -> Line:
    left = (Part(words[:1]), *(Part((run._replace(text=run.text.strip()),), 2) for run in words[1:]))
    if words[0].text == "? ":
        left = (Part(words),)
    right = tuple(frame.key_part(key, at.glyphs) for key in keys)
    return frame.margined(frame.fitted(left, right, cells - 2), "bar")
