"""The first run: four lines, each with its state, and it goes on by itself (look.md, "States").

The law: it runs only where nobody is logged in. A line of the lead's, pasted, is enough; else a key is made here and its public
half is shown. What is known is kept at once, so leaving costs nothing. The seed is never on the screen or the clipboard.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Input

from agent_tui import settings as files
from agent_tui import themes
from agent_tui.keeper import PREFIX, Enrollment, KeeperError, public_of
from agent_tui.login import ASK_EVERY_S, Login, try_in
from agent_tui.model import first_lines
from agent_tui.model.first_lines import First
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import BLANK, Line
from agent_tui.opening import now_ms
from agent_tui.paint import Painted
from agent_tui.settings import Paths

if TYPE_CHECKING:
    from agent_tui.link import Outcome

SHORT_ROWS = 30
"""Under so many rows what the lead needs goes before what can be done meanwhile; the key line has it too."""
LOOKS = ("night", "day", "contrast", "ansi")


class FirstRun(App[bool]):
    """True: somebody is let in, the window can open. `tries`: one try to sign in (a test gives its own)."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "onewindow"
    CSS_PATH = str(Path(__file__).parent / "screens" / "first_run.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "leave", show=False, priority=True),
        Binding("escape", "change", "change", show=False),
        Binding("down", "step(1)", "next field", show=False),
        Binding("up", "step(-1)", "field before", show=False),
    ]

    def __init__(
        self,
        where: Paths,
        glyphs: Glyphs,
        *,
        theme: str = themes.DEFAULT,
        login: Login | None = None,
        tries: Callable[[Enrollment], Awaitable[Outcome]] = try_in,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        super().__init__()
        self._where = where
        self._glyphs = glyphs
        self._login = login or Login(where, io.StringIO())
        self._tries = tries
        self._pause = pause
        self._clock_ms = clock_ms
        self._began_ms = 0
        self.first = First()
        for name in themes.names():
            self.register_theme(themes.load(name).theme())
        self.theme = theme if theme in themes.names() else themes.DEFAULT

    def compose(self) -> ComposeResult:
        yield Painted(ground="bar", id="status")
        with Container(id="middle"), Vertical(id="four"):
            yield Painted(id="head")
            for name, hint in (
                ("server", "tls://host:4222 or your lead's line"),
                ("agent", "as your lead wrote it"),
            ):
                with Horizontal(classes="row"):
                    yield Painted(id=f"{name}-label", classes="label")
                    typed = Input(placeholder=hint, id=name, compact=True, select_on_focus=False)
                    typed.cursor_blink = False
                    yield typed
                    yield Painted(id=f"{name}-state", classes="state")
                yield Painted(classes="gap")
            yield Painted(id="below")
        yield Painted(ground="bar", id="keys")

    def on_mount(self) -> None:
        self.set_interval(1.0, self.show)
        self.query_one("#server", Input).focus()
        self.call_after_refresh(self.show)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def show(self) -> None:
        """Everything; only what differs is painted."""
        if self.first.is_waiting:
            self.first = self.first._replace(waits_ms=self._clock_ms() - self._began_ms)
        first, glyphs, width = self.first, self._glyphs, self.size.width
        cells = min(first_lines.CELLS, width - 4)
        self.query_one("#four").styles.width = cells
        self._paint("status", first_lines.status_line(first, width, glyphs))
        self._paint("head", *first_lines.head(cells, glyphs))
        self._paint("server-label", first_lines.label("server", first.state in ("up", "denied"), True, glyphs))
        self._paint("agent-label", first_lines.label("name", first.is_waiting, bool(first.server), glyphs))
        self._paint("server-state", first_lines.server_state(first))
        self._paint("agent-state", BLANK)
        rows = first_lines.below(first, cells, "y", glyphs)
        if not (first.is_waiting and self.size.height < SHORT_ROWS):
            rows += first_lines.meanwhile(first, cells, self.theme, LOOKS, "t", glyphs)
        self._paint("below", *rows)
        ids = ["server", "agent"]
        at = ids.index(self.focused.id) if self.focused is not None and self.focused.id in ids else -1
        self._paint("keys", first_lines.key_line(first, width, glyphs, at))

    def _paint(self, name: str, *rows: Line) -> None:
        painted = self.query_one(f"#{name}", Painted)
        painted.styles.height = len(rows)
        painted.show(*rows)

    # What is typed.

    @on(Input.Changed)
    def _typed(self) -> None:
        if self.first.wrong:
            self.first = self.first._replace(wrong="")
            self.show()

    @on(Input.Submitted, "#server")
    def _server_given(self, message: Input.Submitted) -> None:
        if message.value.strip().startswith(PREFIX):
            # It has a secret in it: it leaves the screen before anything is done with it.
            line, message.input.value = message.value, ""
            self._begin(lambda: self._login.take(line), is_own=False)
            return
        self.first = self.first._replace(server=message.value.strip())
        self.query_one("#agent", Input).focus()
        self.show()

    @on(Input.Submitted, "#agent")
    def _agent_given(self, message: Input.Submitted) -> None:
        server, agent = self.query_one("#server", Input).value.strip(), message.value.strip()
        self._begin(lambda: self._login.make(server, agent), is_own=True)

    def _begin(self, make: Callable[[], Enrollment], *, is_own: bool) -> None:
        """The key is there or it is said why not; then the server is asked until it lets us in."""
        try:
            found = make()
        except KeeperError as error:
            self.first = self.first._replace(wrong=str(error))
            self.show()
            return
        to_lead = (f"broker-bridge agent add {found.agent} --key", public_of(found.seed)) if is_own else ()
        self._began_ms = self._clock_ms()
        self.first = First(server=found.server, agent=found.agent, key=self._login.kept, to_lead=to_lead)
        self.query_one("#server", Input).value, self.query_one("#agent", Input).value = found.server, found.agent
        self.screen.set_focus(None)
        self.show()
        self.run_worker(self._until_let_in(found), group="trying", exclusive=True)

    async def _until_let_in(self, found: Enrollment) -> None:
        while True:
            outcome = await self._tries(found)
            self.first = self.first._replace(
                state=outcome.state, sentence=outcome.sentence, round_trip_ms=outcome.round_trip_ms
            )
            self.show()
            if outcome.state == "up":
                self.exit(True)
                return
            await self._pause(ASK_EVERY_S)

    # Keys.

    def on_key(self, event: events.Key) -> None:
        """Letters act only while nothing is typed."""
        if self.focused is not None:
            return
        if event.key == "y" and self.first.to_lead:
            self.copy_to_clipboard(" ".join(self.first.to_lead))
        elif event.key == "t":
            self._next_look()

    def _next_look(self) -> None:
        known = [name for name in LOOKS if name in themes.names()]
        self.theme = known[(known.index(self.theme) + 1) % len(known)] if self.theme in known else known[0]
        remembered = msgspec.structs.replace(files.remembered(self._where), theme=self.theme)
        files.remember(self._where, remembered)
        for widget in self.query(Painted):
            widget.refresh()
        self.show()

    def on_descendant_focus(self) -> None:
        self.show()

    def on_descendant_blur(self) -> None:
        self.show()

    def action_change(self) -> None:
        """Back to the server and the name; what was made stays kept."""
        self.workers.cancel_group(self, "trying")
        self.first = First(server=self.first.server)
        self.query_one("#server", Input).focus()
        self.show()

    def action_step(self, by: int) -> None:
        self.screen.focus_next() if by > 0 else self.screen.focus_previous()

    def action_leave(self) -> None:
        self.exit(False)
