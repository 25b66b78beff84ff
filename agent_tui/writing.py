"""The field in which a reply or a note is written.

The law: letters are text. What acts (chords, f-keys, and `enter` where it sends) is taken by the window's key table before a
key comes here. Loaded after the first paint: the text area is a tenth of the start.
"""

from __future__ import annotations

from enum import StrEnum
from typing import cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.widgets import TextArea

from agent_tui.model.clean import clean_typed


class _Chord(StrEnum):
    ALT_ENTER = "alt+enter"


# Terminals without the extended keyboard protocol (xterm, tmux, most over SSH) send escape and return for alt+enter. The
# library knows the pair only as a plain return (8.2.8), and in a mail that breaks the line instead of sending.
cast(dict[str, object], ANSI_SEQUENCES_KEYS)["\x1b\r"] = (_Chord.ALT_ENTER,)


class Writing(TextArea):
    """One buffer; the screen fills it when the conversation or the mode changes."""

    DEFAULT_CSS = """
    Writing, Writing:focus {
        width: 1fr; height: 1fr; border: none; padding: 0; background: $bar; color: $text;
        scrollbar-size: 0 0; background-tint: transparent;
    }
    Writing.-note, Writing.-note:focus { background: $notebg; color: $note; }
    Writing .text-area--cursor { background: $text; color: $bg; }
    Writing .text-area--placeholder { color: $mut; text-style: italic; background: $bar; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            compact=True,
        )
        self.cursor_blink = False

    def load(self, text: str) -> None:
        """Another buffer, with the caret at its end and nothing to undo."""
        # A draft may come from another machine, or from before it was known what its text does to a terminal.
        self.load_text(clean_typed(text))
        self.move_cursor(self.document.end)
