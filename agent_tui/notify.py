"""Calls the person by the means of the settings: bell, terminal notification, title, a sentence in the window.

The law: what is written to the terminal comes from `notifyrules`, which never lets a customer's words out of the window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from agent_tui.model import notifyrules
from agent_tui.model.desk import Applied, DeskState
from agent_tui.model.notifyrules import Call, Notifications, Terminal

MOST_COUNTED = 20_000
"""Rows of a desk whose title counts what is new: more would cost more than the number is worth."""


class Caller:
    """One for each window."""

    def __init__(
        self,
        settings: Notifications,
        around: Terminal,
        write: Callable[[str], None],
        *,
        is_bell_on: bool = True,
    ) -> None:
        """`write`: to the terminal, between two frames."""
        self._settings = settings
        self._around = around
        self._write = write
        self._is_bell_on = is_bell_on
        self._title = ""
        self._open: dict[str, tuple[Call, int]] = {}

    def changed(self, applied: Applied, state: DeskState, asked: Collection[str], now_ms: int) -> str:
        """Calls for what changed; gives the sentence for the window, empty if there is none."""
        found = notifyrules.calls(applied, state.rows, asked)
        out = ""
        words = ""
        for call in found:
            out += notifyrules.sequences(call, self._settings, self._around, is_bell_on=self._is_bell_on and not out)
            if not words and "toast" in self._settings.means(call.event):
                words = f"{call.title}: {call.body}"
            self._open[call.conversation] = (call, now_ms)
        self._send(out + self._titled(state))
        return words

    def tick(self, state: DeskState, now_ms: int) -> None:
        """Calls again for what nobody has seen, if so set."""
        out = ""
        for conv, (call, called_ms) in list(self._open.items()):
            row = state.rows.get(conv)
            if row is None or (row.state != "ringing" and not row.unread):
                del self._open[conv]
            elif notifyrules.is_due_again(called_ms, now_ms, self._settings):
                self._open[conv] = (call, now_ms)
                out += notifyrules.sequences(call, self._settings, self._around, is_bell_on=self._is_bell_on)
        self._send(out)

    def seen(self, conversation: str) -> None:
        """The person looked at it."""
        self._open.pop(conversation, None)

    def _titled(self, state: DeskState) -> str:
        if len(state.rows) > MOST_COUNTED:
            return ""
        ringing = sum(row.state == "ringing" for row in state.rows.values())
        unread = sum(row.unread > 0 and row.state == "mine" for row in state.rows.values())
        title = notifyrules.title(self._around, ringing, unread)
        if title == self._title:
            return ""
        self._title = title
        return title

    def _send(self, out: str) -> None:
        if out:
            self._write(out)
