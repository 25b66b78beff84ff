"""A supervisor's screen: key figures, floor, queues, alerts, and a silent read of any live conversation.

The law: a silent read shows nobody as a viewer and is audited by the bridge first; what it cannot get it shows as not known.
"""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from agent_tui.begin import begin
from agent_tui.keys import KeyTable
from agent_tui.model import alerts, floor, floor_figures, frame
from agent_tui.model.alerts import Alert
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key
from agent_tui.model.runs import Run
from agent_tui.model.status_lines import monitor_line
from agent_tui.paint import Hairline, Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens import leading
from agent_tui.screens.boards import Boards
from agent_tui.screens.reading import Reading
from agent_tui.screens.silent import Silent
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Act, Directory
from broker_bridge.contract.views import Answer, Colleague, DirectoryView, Row, ThreadFeed

FETCH_S = 2.0
BOARDS = ("floor", "queues", "alerts")


class Monitor(Screen[None]):
    """Boards left, the conversation that is read right; pages at 80 columns."""

    CSS_PATH = "monitor.tcss"

    def __init__(self, place: Workplace, keys: KeyTable) -> None:
        super().__init__()
        self.place = place
        self.keys = keys
        self.known = DirectoryView()
        self.page = "floor"
        """Which board is in sight under 120 columns."""
        self.sort = floor.SORTS[0]
        self.reading = Reading(place, self.show_thread, self.say)
        self.reading.is_silent = True
        self.boards = Boards(self)
        self._said = ""
        self.silent = Silent(self)
        self.is_known = False

    def compose(self) -> ComposeResult:
        yield Painted(id="status")
        yield Painted(id="figures")
        with Horizontal(id="body"):
            with Vertical(id="boards"):
                for name in BOARDS:
                    yield Painted(id=f"{name}-head")
                    yield LineList(is_quiet=name != "floor", id=f"{name}-list")
            yield Hairline(id="line1")
            with Vertical(id="read"):
                yield Painted(id="read-head")
                yield LineList(follows_end=True, id="read-list")
        yield Painted(id="keyline")

    def on_mount(self) -> None:
        self.lay_out()
        self.query_one("#floor-list").focus()
        self.set_interval(FETCH_S, self.fetch_soon)
        self.fetch_soon()

    def fetch_soon(self) -> None:
        """Asks for the floor anew."""
        begin(self, self._fetch, "directory")

    async def _fetch(self) -> None:
        answer = await self.place.ask(Directory())
        if isinstance(answer, DirectoryView):
            is_other = (len(answer.agents), len(answer.queues)) != (len(self.known.agents), len(self.known.queues))
            self.known, self.is_known = answer, True
            self.lay_out() if is_other else self.show_all()

    @property
    def is_narrow(self) -> bool:
        return self.app.size.width < 120

    def on_resize(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Sides or pages, and how many rows each board gets."""
        size, narrow = self.app.size, self.is_narrow
        left = size.width if narrow else size.width * 59 // 100
        self.query_one("#boards").styles.width = left
        self.query_one("#boards").display = not narrow or self.page != "read"
        self.query_one("#read").display = not narrow or self.page == "read"
        self.query_one("#line1").display = not narrow
        room = size.height - 5 - 9
        agents = min(len(self.known.agents) + 1, max(4, room * 55 // 100)) if not narrow else 0
        queues = min(len(self.known.queues) + 1, max(3, room - agents - 4)) if not narrow else 0
        for name, rows in (("floor", agents), ("queues", queues), ("alerts", 0)):
            shown = not narrow or self.page == name
            head, board = self.query_one(f"#{name}-head"), self.query_one(f"#{name}-list")
            head.display = board.display = shown
            board.styles.height = rows if rows else "1fr"
            board.styles.margin = (0, 0, 1, 0) if rows else 0
        self._join(agents, queues)
        self.call_after_refresh(self.show_all)

    def _join(self, agents: int, queues: int) -> None:
        """Joints where the boards' rules meet the hairline."""
        glyphs = self.place.glyphs
        joints = {1: glyphs.cross, 4 + agents: glyphs.tee_left, 7 + agents + queues: glyphs.tee_left}
        self.query_one("#line1", Hairline).join(joints, glyphs.column)

    def show_all(self) -> None:
        """Everything; cheap, for only what differs is painted."""
        if not self.is_mounted:
            return
        at, cells = self.place.at(), self.app.size.width
        place = self.place
        self.query_one("#status", Painted).show(
            monitor_line(place.state.me, place.status, at.now_ms, cells, at.glyphs, at.tz)
        )
        labels, values = floor_figures.figures(self.known, cells, at)
        self.query_one("#figures", Painted).show(labels, values, frame.rule(cells, at.glyphs))
        self.boards.floor()
        self.boards.queues()
        self.boards.alerts()
        self.show_thread()
        self.show_keys()

    def show_thread(self) -> None:
        """The conversation that is read, or how to read one."""
        if self.is_mounted:
            self.silent.show()

    def show_keys(self) -> None:
        """The last row."""
        keys = [key for key in self.keys.keys_for("monitor", (), is_supervisor=True) if key.words not in BOARDS]
        pages = ("page_floor", "page_queues", "page_alerts", "page_read")
        shown = [Key(self.keys.shown(name, "monitor"), self.keys[name].label) for name in pages]
        back = Key(self.keys.shown("back", "monitor"), "to the desk", 1)
        lead = (Run(clean_line(self._said), "near", "b"),) if self._said else ()
        rest = tuple(sorted((key for key in keys if key.words != "read"), key=lambda key: key.rank))
        found = (*shown, *(key._replace(rank=key.rank + 3) for key in rest)) if self.is_narrow else (*rest, back)
        always = (Key(self.keys.shown("command"), "command"), Key(self.keys.shown("help"), "help"))
        row = frame.key_line(found, self.app.size.width, self.place.glyphs, lead=lead, always=always)
        self.query_one("#keyline", Painted).show(row)

    def say(self, words: str) -> None:
        """A refusal's sentence, at the left of the key line until the next key."""
        self._said = words
        self.show_keys()

    # Keys.

    def press(self, key: str) -> bool:
        """A key before anybody else sees it."""
        name = self.keys.bindings("monitor").get(key)
        if name is None:
            return False
        if self._said:
            self.say("")
        return self._do(name)

    def _do(self, name: str) -> bool:
        focused = self.focused
        moves = {
            "cursor_down": ("move", 1),
            "cursor_up": ("move", -1),
            "page_down": ("page", 1),
            "page_up": ("page", -1),
        }
        if name in moves and isinstance(focused, LineList):
            how, by = moves[name]
            getattr(focused, f"action_{how}")(by)
        elif name in ("board_top", "bottom") and isinstance(focused, LineList):
            focused.action_first() if name == "board_top" else focused.action_last()
        elif name.startswith("page_"):
            self.turn(name.removeprefix("page_"))
        elif name == "read_silently":
            self.read()
        elif name == "sort_floor":
            self.sort = floor.SORTS[(floor.SORTS.index(self.sort) + 1) % len(floor.SORTS)]
            self.show_all()
        elif name in leading.ACTS:
            leading.ACTS[name](self)
        elif name in ("next_pane", "previous_pane"):
            self._step(1 if name == "next_pane" else -1)
        elif name == "back":
            self._back()
        else:
            return self._elsewhere(name)
        return True

    def _elsewhere(self, name: str) -> bool:
        """What the workstation below does as well: help, search, theme, leaving."""
        from agent_tui.screens import asking
        from agent_tui.screens.helping import Helping

        workstation = self.app.screen_stack[0]
        if name == "help":
            self.app.push_screen(Helping(self.place, self.keys, "monitor", True))
            return True
        if name == "quit":
            asking.quit_(workstation)  # type: ignore[arg-type]
            return True
        if name in ("theme", "ascii"):
            from agent_tui.screens import acts

            acts.do(workstation, name)  # type: ignore[arg-type]
            self.silent.forget()
            self.lay_out()
            return True
        return name in ("search", "command") and self._search()

    def _search(self) -> bool:
        """Any conversation by its words, to be read silently."""
        from agent_tui.screens.searching import Found, Searching

        def given(found: Found | None) -> None:
            if found is not None:
                self._read(found.row)

        self.app.push_screen(Searching(self.place), given)
        return True

    def turn(self, page: str) -> None:
        """At 80 columns another page; elsewhere the focus."""
        self.page = page
        self.lay_out()
        self.call_after_refresh(self.query_one(f"#{page}-list").focus)

    def _step(self, by: int) -> None:
        names = [*BOARDS, "read"]
        if self.is_narrow:
            self.turn(names[(names.index(self.page) + by) % 4])
            return
        boards = [self.query_one(f"#{name}-list") for name in names]
        place = boards.index(self.focused) if self.focused in boards else -1
        boards[(place + by) % len(boards)].focus()

    def _back(self) -> None:
        if self.is_narrow and self.page == "read":
            self.turn("floor")
            return
        begin(self.app, self.reading.stop, "reading", exclusive=False)
        if self.app.screen is self:
            # Escape twice at once: the second one finds the monitor already left.
            self.dismiss(None)

    def chosen(self) -> tuple[Colleague | None, Alert | None]:
        """Whom and what the keys mean: the line under the cursor of the board in use."""
        board = self.focused if isinstance(self.focused, LineList) else self.query_one("#floor-list", LineList)
        if board.id not in ("floor-list", "alerts-list"):
            board = self.query_one("#floor-list", LineList)
        key = board.cursor
        alert = None
        if isinstance(key, tuple) and key[0] == "alert":
            known = alerts.alerts(self.known, self.place.at(), self.place.seen_alerts)
            alert = next((one for one in known if one.key == key[1]), None)
        agent = alert.agent if alert is not None else key[1] if isinstance(key, tuple) and key[0] == "agent" else ""
        return next((one for one in self.known.agents if one.agent == agent), None), alert

    def read(self) -> None:
        """The conversation of the colleague under the cursor, or of an alert."""
        one, alert = self.chosen()
        if alert is not None and alert.conv:
            known = self.place.state.rows.get(alert.conv)
            self._read(known or Row(conv=alert.conv, rev=0, owner_name=one.name if one is not None else ""))
            return
        if one is None and alert is None:
            return
        if one is None or not one.works_on_conv:
            self.say("There is no conversation to read.")
            return
        known = self.place.state.rows.get(one.works_on_conv)
        self._read(
            known
            or Row(conv=one.works_on_conv, rev=0, name=one.works_on, channel=one.works_on_word, owner_name=one.name)
        )

    def _read(self, row: Row) -> None:
        self.reading.open(row)
        self.show_thread()
        begin(self, self.reading.fetch, "reading")
        if self.is_narrow:
            self.turn("read")

    @on(LineList.Picked)
    def _picked(self) -> None:
        self.read()

    @on(LineList.ReachedTop, "#read-list")
    def _older(self) -> None:
        begin(self, self.reading.fetch_older, "older")

    # From the outside.

    def tick(self) -> None:
        self.show_all()

    def told(self, words: str) -> None:
        """What the bridge told while the floor is in sight."""
        self.say(words)

    def settled_elsewhere(self, act: Act, answer: Answer) -> None:
        """The bridge answered what was posted from here."""
        leading.settled(self, act, answer)

    def link_changed(self) -> None:
        self.show_all()

    def thread_changed(self, feed: ThreadFeed) -> None:
        if self.reading.apply(feed):
            self.show_thread()

    def on_descendant_focus(self) -> None:
        self.show_all()
