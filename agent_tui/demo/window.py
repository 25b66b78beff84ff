"""The window of the demo: the product's, with one sentence at the beginning that says how to be a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent_tui import app
from agent_tui.app import OneWindow

SAID_AFTER_S = 2.0


class DemoWindow(OneWindow):
    """The window that agents have."""

    CSS_PATH = str(Path(app.__file__).parent / OneWindow.CSS_PATH)
    """The library looks beside the class: the sheet is beside the window's own."""

    def __init__(self, *args: Any, chat_url: str = "", **options: Any) -> None:
        """`chat_url`: the page for customers, shown once; empty = nothing is said."""
        super().__init__(*args, **options)
        self._chat_url = chat_url

    def on_mount(self) -> None:
        if self._chat_url:
            self.set_timer(SAID_AFTER_S, self._say_how)

    def _say_how(self) -> None:
        self.workstation.say(f"Be a customer: open {self._chat_url} in a browser.")
