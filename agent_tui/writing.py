"""The field in which a reply or a note is written.

The law: letters are text; what acts are chords, f-keys and the one meaning that `enter` has on this channel. Loaded after
the first paint: the text area is a tenth of the start.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea


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

    @dataclass
    class Pressed(Message):
        """A key that acts instead of writing."""

        writing: Writing
        action: str

        @property
        def control(self) -> Writing:
            return self.writing

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            compact=True,
        )
        self.acting: dict[str, str] = {}
        """Key -> action, those of `keys.py` that hold in the composer."""
        self.enter_sends = True

    async def _on_key(self, event: events.Key) -> None:
        action = self._action(event)
        if action is not None:
            event.stop()
            event.prevent_default()
            if action == "newline":
                self.insert("\n")
            else:
                self.post_message(self.Pressed(self, action))
            return
        await super()._on_key(event)

    def _action(self, event: events.Key) -> str | None:
        if event.key == "enter":
            return "send" if self.enter_sends else None
        if event.key == "up" and "read_new" in self.acting.values() and self.cursor_at_first_line:
            return "read_new"
        return self.acting.get(event.key)

    def load(self, text: str) -> None:
        """Another buffer, with the caret at its end and nothing to undo."""
        self.load_text(text)
        self.move_cursor(self.document.end)
