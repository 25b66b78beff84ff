"""The menu of `b`: ready, busy, transfer only, away with a reason; at once or after the work in hand; back at a time.

The law: the same key once more, or enter, is ready again; a number chooses at once. What is typed is shown as a moment before
it is said to anybody.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from agent_tui.model import clock, presence
from agent_tui.model.cells import pad
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.presence import Option
from agent_tui.model.runs import BLANK, Line, Run, line
from agent_tui.paint import Painted
from agent_tui.panes.lines import LineList
from agent_tui.screens.dialog import Choices, Listed, field
from agent_tui.workplace import Workplace

WORDS_CELLS = 16


class Chosen(NamedTuple):
    """What to be, from when and until when."""

    option: Option
    is_next: bool = False
    until_ms: int | None = None


class Presencing(Listed[Chosen | None]):
    """For oneself; with `whom` for a colleague, at once and without a time."""

    # Before the list or the field sees it: what is typed right after it is for the other one.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "turn", show=False, priority=True)]
    is_sent = True
    columns = 70

    def __init__(
        self,
        place: Workplace,
        options: tuple[Option, ...],
        *,
        again: frozenset[str] = frozenset(),
        whom: str = "",
        now: str = "",
    ) -> None:
        """`again`: keys that mean the first line (those that opened the menu). `whom`: a colleague's name, who is `now`."""
        super().__init__(place)
        self._options = options
        self._again = again
        self._whom, self._now = whom, f"now {now}" if now else ""
        self._is_next = False
        self.rows = min(22, len(options) + (6 if whom else 9))

    def content(self) -> ComposeResult:
        yield LineList(ground="bar", id="choices")
        if not self._whom:
            yield Painted(ground="bar", id="when")
            yield field("back at ", id="back", placeholder="14:30 or 30m, for away")
            yield Painted(ground="bar", id="back-at")

    def on_mount(self) -> None:
        super().on_mount()
        rows = [(n, self._line(n, option)) for n, option in enumerate(self._options)]
        # As high as its lines while they fit, so that what is typed stands under them and not at the bottom of the body.
        self.list_of().styles.height = "1fr" if self._whom else len(rows)
        self.list_of().styles.max_height = "100%" if self._whom else max(3, self.app.size.height - 11)
        self.list_of().show(Choices(rows, self.place.glyphs, rev=1))
        self.list_of().focus()
        self._show_when()

    def _line(self, n: int, option: Option) -> Line:
        number = f"{n + 1} " if n < 9 else "  "
        words = clean_line(option.words)
        return line(
            Run("  "),
            Run(number, "acc", "b"),
            Run(pad(words, WORDS_CELLS) if option.remark else words),
            Run(option.remark, "mut"),
            ground="bar",
        )

    def _show_when(self) -> None:
        """`when  ● now  ○ after the work in hand`, and the moment that is typed."""
        if self._whom:
            return
        glyphs = self.place.glyphs
        runs: list[Run] = [Run("  "), Run("when     ", "acc", "b")]
        for is_next, words in ((False, "now"), (True, "after the work in hand")):
            is_chosen = self._is_next == is_next
            sign = glyphs.ready if is_chosen else glyphs.off
            runs += [Run(f"{sign} {words}   ", "strong" if is_chosen else "mut", "b" if is_chosen else "")]
        when, back = self.query_one("#when", Painted), self.query_one("#back-at", Painted)
        when.styles.height = 2
        when.show(BLANK._replace(ground="bar"), line(*runs, ground="bar"))
        back.styles.height = 1
        words = presence.back_words(self._typed, self.place.now_ms(), self.place.tz)
        back.show(line(Run(" " * 11), Run(words, "mut", "i"), ground="bar"))

    @property
    def _typed(self) -> str:
        return "" if self._whom else self.query_one("#back", Input).value

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        if self._whom:
            return (Part((Run(f"{self._whom} is to be", "strong", "b"),)),), (Part((Run(self._now, "mut"),), 1),)
        me, now_ms = self.place.state.me, self.place.now_ms()
        left = [Part((Run("Presence", "strong", "b"),))]
        if me is not None:
            sign, role = presence.look(me.state, self.place.glyphs)
            since = f" {clock.long(now_ms - me.since_ms)}" if me.since_ms else ""
            if me.state == "wrap_up" and me.until_ms is not None:
                # What is left, as in the status line: `since_ms` is of the state that the wrap-up stands over.
                since = f" {clock.left(me.until_ms, now_ms)} left"
            words = presence.word(me.state, me.reason)
            left.append(Part((Run(sign, role), Run(f" {words}", "text"), Run(since, "mut")), 1))
        return tuple(left), ()

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        last = min(9, len(self._options))
        choose = (Key(f"1-{last}", "choose"), Key("⏎", "choose", 2))
        if self._whom:
            return (*choose, Key("esc", "back", 1)), "the audit keeps it"
        if isinstance(self.focused, Input):
            return (Key("⏎", "choose"), Key("tab", "the list"), Key("esc", "back", 1)), ""
        when = "now" if self._is_next else "after the work"
        return (*choose, Key("space", when), Key("tab", "back at"), Key("esc", "back", 1)), ""

    async def on_key(self, event: events.Key) -> None:
        if isinstance(self.focused, Input):
            return
        elif event.key.isdigit() and 0 < int(event.key) <= len(self._options):
            event.stop()
            self._choose(int(event.key) - 1)
        elif event.key in self._again:
            event.stop()
            self._choose(0)
        elif event.key == "space" and not self._whom:
            event.stop()
            self._is_next = not self._is_next
            self._show_when()
            self.show_title()

    def action_turn(self) -> None:
        """Between the list and the time of being back, which is for being away."""
        if self._whom:
            return
        if isinstance(self.focused, Input):
            self.set_focus(self.list_of())
            return
        place = self.list_of().cursor
        away = [n for n, option in enumerate(self._options) if option.is_away]
        if away and place not in away:
            self.list_of().select(away[0])
        self.set_focus(self.query_one("#back", Input))

    def on_descendant_focus(self) -> None:
        self.show_title()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._show_when()

    @on(Input.Submitted)
    @on(LineList.Picked)
    def _picked(self) -> None:
        place = self.list_of().cursor
        if isinstance(place, int):
            self._choose(place)

    def _choose(self, place: int) -> None:
        option = self._options[place]
        try:
            until_ms = presence.back_ms(self._typed, self.place.now_ms(), self.place.tz) if option.is_away else None
        except ValueError:
            self.query_one("#back", Input).focus()
            return
        self.dismiss(Chosen(option, self._is_next, until_ms))
