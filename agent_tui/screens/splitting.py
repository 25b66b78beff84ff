"""Two short questions: whether to split here, and which priority.

The law: a split says its first message and how many follow before it is done; a priority is one key.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult

from agent_tui.model import clock
from agent_tui.model.cells import cut
from agent_tui.model.clean import clean_line
from agent_tui.model.frame import Key, Part
from agent_tui.model.runs import BLANK, Run, line
from agent_tui.paint import Painted
from agent_tui.screens import titles
from agent_tui.screens.dialog import Dialog
from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Item, Row


class Splitting(Dialog[bool | None]):
    """`enter` splits."""

    is_sent = True
    columns = 70
    rows = 11

    def __init__(self, place: Workplace, row: Row, item: Item, after: int) -> None:
        """`after`: how many messages follow `item`."""
        super().__init__(place)
        self._row = row
        self._item = item
        self._after = after

    def content(self) -> ComposeResult:
        yield Painted(ground="bar", id="words")

    def lay_out(self) -> None:
        super().lay_out()
        item, glyphs = self._item, self.place.glyphs
        name = "you" if item.kind == "you" else clean_line(item.name, 40) or "customer"
        role = {"you": "acc", "them": "cust"}.get(item.kind, "strong")
        text = clean_line(item.text) or (clean_line(item.files[0].name, 80) if item.files else "")
        follow = {0: "It is the last one: no other goes with it.", 1: "1 message follows it."}.get(
            self._after, f"{self._after} messages follow it."
        )
        rows = (
            line(Run("  A case of its own begins with", "mut"), ground="bar"),
            line(
                Run("  "),
                Run(name, role, "b"),
                Run(f"  {clock.at(item.at_ms, self.place.tz)}  {clean_line(item.channel, 8)}", "mut"),
                ground="bar",
            ),
            line(Run("  "), Run(cut(f"“{text}”", max(8, self.cells - 4), glyphs.dots)), ground="bar"),
            BLANK._replace(ground="bar"),
            line(Run(f"  {follow} It is yours; the rest stays here.", "mut"), ground="bar"),
        )
        words = self.query_one("#words", Painted)
        words.styles.height = len(rows)
        words.show(*rows)

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return titles.about("Split", self._row, self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("⏎", f"split off {self._after + 1}"), Key("esc", "back", 1)), "merging them again undoes it"

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            self.dismiss(True)


class Priority(Dialog[int | None]):
    """A digit sets it."""

    is_sent = True
    columns = 70
    rows = 6

    def __init__(self, place: Workplace, row: Row) -> None:
        super().__init__(place)
        self._row = row

    def content(self) -> ComposeResult:
        yield Painted(ground="bar", id="words")

    def lay_out(self) -> None:
        super().lay_out()
        now = f"it is {self._row.priority}" if self._row.priority else "it has none of its own"
        words = line(
            Run("  priority ", "mut"),
            Run(f"{self.place.glyphs.prompt} ", "acc", "b"),
            Run("1 first  …  9 last".replace("…", self.place.glyphs.dots)),
            Run(f"   {now}", "mut", "i"),
            ground="bar",
        )
        self.query_one("#words", Painted).show(words)

    def title_parts(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return titles.about("Priority", self._row, self.place.at())

    def shown_keys(self) -> tuple[tuple[Key, ...], str]:
        return (Key("1-9", "set"), Key("esc", "back", 1)), ""

    def on_key(self, event: events.Key) -> None:
        if event.key.isdigit() and event.key != "0":
            event.stop()
            self.dismiss(int(event.key))
