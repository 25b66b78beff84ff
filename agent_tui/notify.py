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

MOST_SAID = 3
"""Sentences at once: there is room for three rows."""
MOST_REMEMBERED = 1_000
SAME_MS = 5_000
PAIRED = ("assigned", "transfer", "returned")
"""Told by a notice and shown by the row."""


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
        self._open: dict[tuple[str, str], tuple[Call, int]] = {}
        """What nobody has seen yet, with when it was called for, by `Call.about`."""
        self._called: dict[tuple[str, str], tuple[int, bool]] = {}
        """When each was called for last, and whether by a notice."""
        self._told = 0
        """Notices in the title."""

    def changed(self, applied: Applied, state: DeskState, asked: Collection[str], now_ms: int) -> str:
        """Calls for what changed; gives the sentences for the window, empty if there are none."""
        out = ""
        said: list[str] = []
        for call in notifyrules.calls(applied, state.rows, asked):
            if self._is_told(call, now_ms):
                continue
            out += notifyrules.sequences(call, self._settings, self._around, is_bell_on=self._is_bell_on and not out)
            # What the bridge says of a change by itself is not said again in other words.
            if "toast" in self._settings.means(call.event) and (call.said or not applied.toast):
                said.append(call.words)
            self._open[call.about] = (call, now_ms)
        self._send(out + self._titled(state))
        more = f"  and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else ""
        return "  ".join(dict.fromkeys(said[:MOST_SAID])) + more

    def _is_told(self, call: Call, now_ms: int) -> bool:
        """A row and the notice of the same thing may come one after the other: the person is called once."""
        last_ms, was_said = self._called.get(call.about, (0, False))
        if call.event in PAIRED and now_ms - last_ms < SAME_MS and was_said != bool(call.said):
            return True
        self._called.pop(call.about, None)
        self._called[call.about] = (now_ms, bool(call.said))
        while len(self._called) > MOST_REMEMBERED:
            del self._called[next(iter(self._called))]
        return False

    def tick(self, state: DeskState, now_ms: int) -> None:
        """Calls again for what nobody has seen, if so set."""
        out = ""
        for about, (call, called_ms) in list(self._open.items()):
            row = state.rows.get(call.conversation)
            if not call.said and (row is None or (row.state != "ringing" and not row.unread)):
                del self._open[about]
            elif notifyrules.is_due_again(called_ms, now_ms, self._settings):
                self._open[about] = (call, now_ms)
                out += notifyrules.sequences(call, self._settings, self._around, is_bell_on=self._is_bell_on)
        # Rows are counted when they change; a notice is seen at any time.
        self._send(out + (self._titled(state) if self._told != len(self._to_see()) else ""))

    def _to_see(self) -> list[Call]:
        """Notices that the title counts."""
        return [call for call, _ in self._open.values() if call.said and "title" in self._settings.means(call.event)]

    def seen(self, conversation: str) -> None:
        """The person is here and has this conversation in sight: its notices are seen, and those of no conversation."""
        for about, (call, _) in list(self._open.items()):
            if call.said and call.conversation in (conversation, ""):
                del self._open[about]

    def _titled(self, state: DeskState) -> str:
        if len(state.rows) > MOST_COUNTED:
            return ""
        ringing = sum(row.state == "ringing" for row in state.rows.values())
        unread = sum(row.unread > 0 and row.state == "mine" for row in state.rows.values())
        self._told = len(self._to_see())
        title = notifyrules.title(self._around, ringing, unread, self._told)
        if title == self._title:
            return ""
        self._title = title
        return title

    def _send(self, out: str) -> None:
        if out:
            self._write(out)
