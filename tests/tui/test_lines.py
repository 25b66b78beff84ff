"""The one list: the cursor keeps its item, the view does not shift under it, and only what changed is painted."""

from collections.abc import Hashable, Sequence

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from agent_tui import themes
from agent_tui.model.rows import Moment
from agent_tui.model.runs import Line, Run
from agent_tui.model.source import Mark, Plain, Slot
from agent_tui.model.thread import Thread
from agent_tui.panes.lines import LineList
from broker_bridge.contract.views import Item

NOW = 1_795_269_731_000


class Counted:
    """Two-line items that count how many lines were asked for and drawn."""

    def __init__(self, names: Sequence[str] | range) -> None:
        self.names = names
        self.asked = 0
        self.drawn = 0

    def items(self) -> int:
        return len(self.names)

    def lines(self, width: int) -> int:
        return 2 * len(self.names)

    def page(self, start: int, count: int, width: int) -> Sequence[Slot]:
        self.asked += count
        return [
            Slot(at // 2, (self.names[at // 2], at % 2)) for at in range(start, min(start + count, self.lines(width)))
        ]

    def draw(self, slot: Slot, width: int, mark: Mark) -> Line:
        self.drawn += 1
        return Line((Run(f"{self.names[slot.item]}"),), ground="sel" if mark else "bg")

    def span(self, item: int, width: int) -> tuple[int, int]:
        return 2 * item, 2

    def key(self, item: int) -> Hashable:
        return self.names[item]

    def index(self, key: Hashable) -> int | None:
        return self.names.index(key) if key in self.names else None  # type: ignore[arg-type]

    def settle(self, top: int, height: int, width: int) -> int:
        return top

    def more(self, count: int) -> Line | None:
        return Line((Run(f"v {count} more"),))


class Watched(LineList):
    """A list that notes which parts it asks to have painted."""

    painted: list[Region]

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> "Watched":
        self.painted = [*getattr(self, "painted", []), *(regions or (Region(0, 0, *self.size),))]
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self


class Shown(App[None]):
    def __init__(self, lines: LineList, theme_name: str = "night") -> None:
        super().__init__()
        self.lines = lines
        self.theme_name = theme_name
        self.seen: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.lines

    def on_mount(self) -> None:
        for name in themes.names():
            self.register_theme(themes.load(name).theme())
        self.theme = self.theme_name

    def on_line_list_moved(self, event: LineList.Moved) -> None:
        self.seen.append(event.key)

    def on_line_list_picked(self, event: LineList.Picked) -> None:
        self.seen.append(("picked", event.key))


def _text(lines: LineList) -> list[str]:
    return [strip.text.rstrip() for strip in lines.render_lines(Region(0, 0, *lines.size))]


async def test_a_million_rows_cost_what_is_in_sight() -> None:
    source = Counted(range(1_000_000))
    app = Shown(LineList(source))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.press("G", "k", "g", "j", "pagedown")
        assert source.drawn < 300
        assert source.asked < 1_000
        assert app.lines.cursor is not None


async def test_keys_move_the_cursor_by_items_and_tell_it() -> None:
    app = Shown(LineList(Counted(["a", "b", "c"])))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.press("j", "down", "down", "k", "enter", "g", "G")
        assert app.seen == ["b", "c", "b", ("picked", "b"), "a", "c"]


async def test_the_cursor_stays_on_its_item_when_rows_come_and_go() -> None:
    app = Shown(LineList(Counted(["a", "b", "c"])))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.press("j")
        app.lines.show(Counted(["new", "c", "a", "b"]))
        assert (app.lines.cursor, app.lines.cursor_item) == ("b", 3)
        app.lines.show(Counted(["new", "c", "a"]))
        assert (app.lines.cursor, app.lines.cursor_item) == ("a", 2)
        app.lines.show(Counted([]))
        assert app.lines.cursor is None


async def test_the_list_does_not_shift_under_the_cursor() -> None:
    app = Shown(LineList(Counted(range(100))))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.press("G")
        top = app.lines.top
        app.lines.show(Counted(range(-3, 100)))
        await pilot.pause()
        assert app.lines.top == top + 6
        assert app.lines.cursor == 99


async def test_leaving_the_view_jumps_by_half_a_view() -> None:
    app = Shown(LineList(Counted(range(100))))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.press(*["j"] * 9)
        jumped = app.lines.top
        await pilot.press("j")
        assert jumped > 0
        assert app.lines.top == jumped


async def test_what_does_not_fit_is_counted_in_the_last_line() -> None:
    app = Shown(LineList(Counted(range(100))))
    async with app.run_test(size=(40, 21)) as pilot:
        await pilot.pause()
        assert _text(app.lines)[-1] == "v 90 more"
        await pilot.press("G")
        assert _text(app.lines)[-1] == "99"


async def test_a_key_press_inside_the_view_paints_two_items_only() -> None:
    lines = Watched(Counted(range(100)))
    app = Shown(lines)
    async with app.run_test(size=(40, 30)) as pilot:
        await pilot.press("j")
        await pilot.pause()
        lines.painted = []
        await pilot.press("j")
        await pilot.pause()
        assert sum(region.height for region in lines.painted) == 4


async def test_a_change_that_changes_nothing_paints_nothing() -> None:
    lines = Watched(Counted(range(100)))
    app = Shown(lines)
    async with app.run_test(size=(40, 30)) as pilot:
        await pilot.pause()
        lines.painted = []
        lines.changed()
        await pilot.pause()
        assert lines.painted == []


async def test_clicks_move_then_open_and_the_wheel_scrolls() -> None:
    app = Shown(LineList(Counted(range(100))))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.click(LineList, offset=(3, 5))
        await pilot.click(LineList, offset=(3, 4))
        assert app.seen == [2, ("picked", 2)]
        app.lines.scroll_to_line(3)
        await pilot.pause()
        assert app.lines.top == 3
        assert app.lines.cursor == 2


async def test_hostile_words_are_words() -> None:
    app = Shown(LineList(Plain([("a", Line((Run("[/] [@click=app.quit]x[/] [red]"),)))])))
    async with app.run_test(size=(60, 5)) as pilot:
        await pilot.pause()
        assert _text(app.lines)[0] == "[/] [@click=app.quit]x[/] [red]"


@pytest.mark.parametrize("name", ["night", "day", "contrast", "ansi", "ansi-light"])
async def test_every_theme_paints_in_a_running_window(name: str) -> None:
    app = Shown(LineList(Counted(["a"])), name)
    async with app.run_test(size=(40, 5)) as pilot:
        await pilot.pause()
        style = app.lines.render_lines(Region(0, 0, 40, 1))[0]._segments[0].style
        assert style is not None
        assert style == themes.load(name).style("text", "", "sel")


def _thread(count: int) -> Thread:
    items = [
        Item(
            id=f"m{n}",
            seq=n,
            rev=n,
            kind="them" if n % 3 else "you",
            at_ms=NOW - (count - n) * 300_000,
            text=f"words {n} " * (1 + n % 9),
        )
        for n in range(count)
    ]
    return Thread(items, Moment(now_ms=NOW), seen=count)


async def test_a_thread_opens_at_its_end_and_stays_there_when_a_message_comes() -> None:
    app = Shown(LineList(follows_end=True))
    async with app.run_test(size=(60, 20)) as pilot:
        app.lines.show(_thread(1_000), from_start=True)
        await pilot.pause()
        assert any("words 999" in text for text in _text(app.lines)[-4:])
        app.lines.show(_thread(1_003))
        await pilot.pause()
        assert any("words 1002" in text for text in _text(app.lines)[-4:])


async def test_scrolling_up_through_unmeasured_items_never_jumps() -> None:
    app = Shown(LineList(follows_end=True, has_cursor=False))
    async with app.run_test(size=(60, 20)) as pilot:
        app.lines.show(_thread(300), from_start=True)
        await pilot.pause()
        before = _text(app.lines)
        for _ in range(200):
            app.lines.scroll_to_line(app.lines.top - 3)
            after = _text(app.lines)
            assert after[3:] == before[:-3]
            before = after
