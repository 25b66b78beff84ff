"""The window of the demo: the product's, with one sentence at the beginning, which says how to be a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual import events
from textual.timer import Timer

from agent_tui import app
from agent_tui.app import OneWindow
from agent_tui.model.linked import LinkStatus
from agent_tui.screens import acts

SAID_EVERY_S = 3.0


class DemoWindow(OneWindow):
    """The window that agents have."""

    CSS_PATH = str(Path(app.__file__).parent / OneWindow.CSS_PATH)
    """The library looks beside the class: the sheet is beside the window's own."""

    def __init__(self, *args: Any, chat_url: str = "", opens: str = "", **options: Any) -> None:
        """`chat_url`: the page for customers, said until a key is pressed; empty = nothing is said.

        `opens`: the name of an action that is done as soon as the link is up.
        """
        super().__init__(*args, **options)
        self._chat_url = chat_url

        self._opens = opens
        self._saying: Timer | None = None

    def on_mount(self) -> None:
        if self._chat_url:
            self._saying = self.set_interval(SAID_EVERY_S, self._say_how)

    def link_changed(self, status: LinkStatus) -> None:
        super().link_changed(status)
        if status.state == "up" and self._opens:
            name, self._opens = self._opens, ""
            self.call_later(acts.do, self.workstation, name)

    async def on_event(self, event: events.Event) -> None:
        """It stands there until somebody works."""
        if isinstance(event, events.Key) and self._saying is not None:
            self._saying.stop()
        await super().on_event(event)

    def _say_how(self) -> None:
        self.workstation.say(f"Be a customer: open {self._chat_url} in a browser.")
