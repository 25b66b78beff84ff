"""The terminal program of an agent: paints from the last known state, then loads the link.

The law: nothing of the network is imported before the first frame; every change of the desk is painted at most twenty times a
second, and a key press is never behind one; what is not sent is on disk when the process ends.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import ClassVar

from textual import events
from textual.app import App
from textual.binding import BindingType

from agent_tui import themes
from agent_tui.keys import KeyTable, table
from agent_tui.model.clean import clean_typed
from agent_tui.model.desk import Applied
from agent_tui.model.linked import LinkStatus, Listener
from agent_tui.model.notifyrules import Notifications, Terminal
from agent_tui.notify import Caller
from agent_tui.screens.workstation import Workstation
from agent_tui.workplace import LinkLike, Workplace
from broker_bridge.contract.commands import Act
from broker_bridge.contract.views import Answer, ThreadFeed

FLUSH_S = 0.05
"""Between two paintings of what the link brought."""


class OneWindow(App[None]):
    """Listener of the link; owner of the clock tick; host of the screens."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []
    TITLE = "onewindow"
    CSS_PATH = "screens/workstation.tcss"

    def __init__(
        self,
        place: Workplace,
        make_link: Callable[[Listener], LinkLike],
        *,
        keys: KeyTable | None = None,
        theme: str = themes.DEFAULT,
        ticks: bool = True,
        remember: Callable[[str, bool], None] | None = None,
        notifications: Notifications | None = None,
        terminal: Terminal | None = None,
        is_bell_on: bool = True,
    ) -> None:
        """`make_link`: called after the first paint; it imports the NATS client. `remember`: theme and ASCII, when changed.

        `terminal`: what the one around us understands; None = it is never written to besides the screen.
        """
        super().__init__()
        self.place = place
        self.keys = keys or table()
        self._make_link = make_link
        self._ticks = ticks
        self._remember = remember
        self._applied: list[Applied] = []
        self._feeds: list[ThreadFeed] = []
        self._is_paint_due = False
        self._painted_s = 0.0
        for name in themes.names():
            self.register_theme(themes.load(name).theme())
        self.theme = theme if theme in themes.names() else themes.DEFAULT
        self.workstation = Workstation(place, self.keys)
        self._caller = (
            Caller(notifications or Notifications(), terminal, self._write, is_bell_on=is_bell_on)
            if terminal is not None
            else None
        )

    def get_default_screen(self) -> Workstation:
        """The desk itself: nothing stands below it."""
        return self.workstation

    def on_mount(self) -> None:
        if self._ticks:
            self.set_interval(1.0, self.tick)
        self.call_after_refresh(self._paint_rows)

    def _paint_rows(self) -> None:
        """The bare window is out: the rows go first, loading the link takes a third of a second in which nothing is painted."""
        self.workstation.call_after_refresh(self.workstation.call_after_refresh, self._start_link)

    def _start_link(self) -> None:
        """The rows are out: load the link and run it until the end."""
        self.run_worker(self._run_link(), group="link", exit_on_error=True)

    async def _run_link(self) -> None:
        self.place.link = self._make_link(self)
        await self.place.link.run()

    async def on_event(self, event: events.Event) -> None:
        """A key goes to the screen's table first: one place decides what it means."""
        if isinstance(event, events.Key):
            self._looked()
            press = getattr(self.screen, "press", None)
            if press is not None and press(event.key):
                return
        if isinstance(event, events.Paste):
            # Copied from anywhere: a field paints what it holds, and few terminals take C1 or direction marks out of a paste.
            event = events.Paste(clean_typed(event.text))
        await super().on_event(event)

    async def action_quit(self) -> None:
        """From a dialog as well: what was typed in the last moment goes to the disk first."""
        self.workstation.desk.leave()
        self.exit()

    def _write(self, sequence: str) -> None:
        """To the terminal, past the screen."""
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    def looks_changed(self) -> None:
        """Theme or signs were chosen by a key: the next start has them."""
        if self._remember is not None:
            self._remember(self.theme, self.place.glyphs.ascii)

    def tick(self) -> None:
        """Once a second, for every clock on every screen."""
        if self._caller is not None:
            self._caller.tick(self.place.state, self.place.now_ms())
        for screen in self.screen_stack:
            tick = getattr(screen, "tick", None)
            if tick is not None and screen.is_mounted:
                tick()

    # What the link tells.

    def link_changed(self, status: LinkStatus) -> None:
        was, self.place.status = self.place.status, status
        welcome = getattr(self.place.link, "welcome", None)
        if welcome is not None:
            self.place.dispositions = welcome.dispositions or self.place.dispositions
            self.place.reasons = welcome.reasons or self.place.reasons
        if was.state != status.state:
            self._each("link_changed")
        else:
            self.workstation.sight.status()

    def desk_changed(self, applied: Applied) -> None:
        self._applied.append(applied)
        self._paint_soon()

    def thread_changed(self, feed: ThreadFeed) -> None:
        self._feeds.append(feed)
        self._paint_soon()

    def settled(self, act: Act, answer: Answer) -> None:
        self._paint_news()
        self.workstation.settled(act, answer)
        self._each("settled_elsewhere", act, answer)

    def _paint_soon(self) -> None:
        if not self._is_paint_due:
            self._is_paint_due = True
            # The first news after a quiet time is painted at once, what follows it twenty times a second.
            rest_s = self._painted_s + FLUSH_S - monotonic()
            if rest_s > 0:
                self.set_timer(rest_s, self._paint_news)
            else:
                self.call_later(self._paint_news)

    def _paint_news(self) -> None:
        """Everything that came since the last painting, as one change."""
        self._is_paint_due = False
        self._painted_s = monotonic()
        applied, self._applied = self._applied, []
        feeds, self._feeds = self._feeds, []
        if applied:
            change = merged(applied)
            self._each("desk_changed", change)
            self._call(change)
        for feed in feeds:
            self._each("thread_changed", feed)

    def _call(self, change: Applied) -> None:
        """Bell, notification, title, sentence."""
        if self._caller is None:
            return
        asked = self.workstation.asked
        words = self._caller.changed(change, self.place.state, asked, self.place.now_ms())
        if not words:
            return
        # Where the person looks: a supervisor's floor lies over the workstation.
        said = "  ".join(part for part in (change.toast, words) if part)
        self.workstation.say(said)
        over = getattr(self.screen, "told", None)
        if over is not None:
            over(said)

    def _looked(self) -> None:
        """Somebody is here: what was told of the conversation in sight is seen."""
        if self._caller is not None:
            opened = self.workstation.reading.opened
            self._caller.seen(opened.conv if opened is not None else "")

    def _each(self, name: str, *args: object) -> None:
        """Tells every screen that wants to know."""
        for screen in self.screen_stack:
            found = getattr(screen, name, None)
            if found is not None and screen.is_mounted:
                found(*args)


def merged(changes: list[Applied]) -> Applied:
    """Many changes as one: what was there before is what stood before the first of them."""
    first = changes[0]
    if len(changes) == 1:
        return first
    before: dict[str, object] = {}
    for one in reversed(changes):
        before |= dict(one.before)
    return Applied(
        changed=frozenset().union(*(one.changed for one in changes)),
        gone=frozenset().union(*(one.gone for one in changes)),
        is_reset=any(one.is_reset for one in changes),
        hole=any(one.hole for one in changes),
        is_me_changed=any(one.is_me_changed for one in changes),
        is_counts_changed=any(one.is_counts_changed for one in changes),
        toast=next((one.toast for one in reversed(changes) if one.toast), ""),
        notices=tuple(notice for one in changes for notice in one.notices),
        before=before,  # type: ignore[arg-type]
    )
