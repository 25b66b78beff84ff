"""Actions that change only what is in sight: views, panes, focus, quotes, theme, signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.widget import Widget

from agent_tui import themes
from agent_tui.begin import begin
from agent_tui.model.glyphs import ASCII, UNICODE
from broker_bridge.contract.views import Item, Row

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation


def view(name: str) -> Callable[[Workstation], None]:
    """Shows one of the views and puts the focus into the list."""

    def act(screen: Workstation) -> None:
        screen.listing.choose(name)
        screen.todo.close()
        screen.uncover("inbox")
        screen.inbox.list.show(screen.listing.arranged(None, screen.size.height), from_start=True)
        screen.set_focus(screen.inbox.list)
        screen.sight.inbox()
        begin(screen, screen.fetch_view, "view")
        screen.follow()

    return act


def go_to(screen: Workstation, row: Row) -> None:
    """Opens this conversation, with the cursor on it where the view holds it."""
    screen.inbox.list.select(row.conv)
    screen.open(row)
    screen.uncover("thread")
    screen.set_focus(screen.thread.list)


def go_next(screen: Workstation, after: str = "") -> None:
    """The next conversation that waits for an answer: the first of the list that is not the open one."""
    opened = screen.reading.opened
    row = next_waiting(screen, after or (opened.conv if opened is not None else ""))
    screen.todo.close()
    if row is not None:
        screen.sight.inbox()
        screen.inbox.list.select(row.conv)
        screen.open(row)
    screen.set_focus(screen.inbox.list)


def next_waiting(screen: Workstation, left: str) -> Row | None:
    """The first of the list that waits for an answer and is not `left`."""
    source = screen.listing.arranged(None, screen.size.height)
    rows = (source.row(place) for place in range(source.items()))
    return next(
        (row for row in rows if row.state == "mine" and row.conv != left and row.waiting_since_ms is not None), None
    )


def open_(screen: Workstation) -> None:
    """`enter`: the conversation under the cursor, with the focus in it; a row of a side list."""
    if screen.where == "side":
        side = screen.focused
        if side is not None and hasattr(side, "action_pick"):
            side.action_pick()
        return
    if screen.where == "thread":
        do(screen, "open_item")
        return
    row = screen.target
    if row is None:
        return
    if screen.reading.opened is None or screen.reading.opened.conv != row.conv:
        screen.open(row)
    screen.uncover("thread")
    screen.set_focus(screen.thread.list)
    do(screen, "see")


def do(screen: Workstation, name: str) -> None:
    """Another action by name; imported late, for the table there holds this module's actions."""
    from agent_tui.screens import acts

    if name == "see":
        acts.see(screen)
    else:
        acts.do(screen, name)


def back(screen: Workstation) -> None:
    """`esc`: from what is over the thread, from a pane to the list, an offer's card away."""
    if screen.over:
        screen.over = ""
        screen.lay_out()
        screen.set_focus(screen.todo.front)
    elif screen.where == "list":
        if screen.listing.view == "found":
            view("mine")(screen)
        elif screen.offer is not None:
            screen.ringing.put_away.add(screen.offer.conv)
            screen.sight.offer()
    else:
        to_list(screen)


def to_list(screen: Workstation) -> None:
    """The focus to the inbox; what is written is kept."""
    screen.desk.leave()
    screen.uncover("inbox")
    screen.set_focus(screen.todo.front)
    screen.agree()


def panes(screen: Workstation) -> list[Widget]:
    """The panes that can have the focus now, in the order of `tab`."""
    found: list[Widget | None] = [
        screen.inbox.list,
        screen.todo.list,
        screen.thread.list,
        screen.desk.writing if screen.composer.writ.mode != "none" else None,
        screen.query_one("#profile-list"),
        screen.query_one("#timeline-list"),
    ]
    return [pane for pane in found if pane is not None and _is_in_sight(pane)]


def _is_in_sight(widget: Widget) -> bool:
    return all(node.display for node in (widget, *widget.ancestors) if isinstance(node, Widget))


def step(by: int) -> Callable[[Workstation], None]:
    """`tab`: the focus to the next pane."""

    def act(screen: Workstation) -> None:
        found = panes(screen)
        focused = screen.focused
        place = found.index(focused) if focused in found else -1
        screen.set_focus(found[(place + by) % len(found)])

    return act


def side(name: str) -> Callable[[Workstation], None]:
    """`p`, `l`: the focus into profile or timeline, or these over the thread."""

    def act(screen: Workstation) -> None:
        pane = screen.query_one(f"#{name}-list")
        if screen.plan.has_right:
            screen.set_focus(pane)
            return
        screen.over = "" if screen.over == name else name
        screen.lay_out()
        screen.set_focus(pane if screen.over else screen.todo.front)

    return act


def item_under(screen: Workstation) -> Item | None:
    """The message that a key of the thread means: under the cursor, else the newest."""
    opened = screen.reading.opened
    if opened is None or not opened.items:
        return None
    key = screen.thread.list.cursor
    return next((item for item in opened.items if item.id == key), opened.items[-1])


def unfold(screen: Workstation) -> None:
    """Opens or folds the quote of the message under the cursor, else of the newest that has one."""
    opened, item = screen.reading.opened, item_under(screen)
    if opened is None:
        return
    if item is None or not item.quote:
        item = next((one for one in reversed(opened.items) if one.quote), None)
    if item is not None:
        opened.unfolded.symmetric_difference_update((item.id,))
        screen.sight.thread()


def theme(screen: Workstation) -> None:
    """The next theme."""
    names = themes.names()
    now = screen.app.theme
    set_theme(screen, names[(names.index(now) + 1) % len(names)] if now in names else names[0])


def set_theme(screen: Workstation, name: str) -> None:
    """Another palette at once, on every screen."""
    screen.app.theme = name
    screen.sight.repaint()
    _remember(screen)
    screen.say(f"Theme: {name}.")


def _remember(screen: Workstation) -> None:
    """The next start looks the same."""
    changed = getattr(screen.app, "looks_changed", None)
    if changed is not None:
        changed()


def ascii_(screen: Workstation) -> None:
    """Our signs in ASCII, or not; what people wrote stays."""
    screen.place.glyphs = UNICODE if screen.place.glyphs.ascii else ASCII
    _remember(screen)
    screen.sight.forget()
    screen.lay_out()
    # After the sources are made anew: a line that was painted with the other signs has the same stamp.
    screen.call_after_refresh(screen.sight.draw_lists)


ACTS: dict[str, Callable[[Workstation], None]] = {
    "view_mine": view("mine"),
    "view_queue": view("queue"),
    "view_all": view("all"),
    "open": open_,
    "back": back,
    "leave_composer": to_list,
    "next_pane": step(1),
    "previous_pane": step(-1),
    "profile": side("profile"),
    "timeline": side("timeline"),
    "unfold": unfold,
    "theme": theme,
    "ascii": ascii_,
}
