"""The window set up for a scene: a fixed clock, a fake link, the rows of the pictures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace
from textual import events

from agent_tui.app import OneWindow
from agent_tui.model.desk import DeskState
from agent_tui.model.drafts import Drafts
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.linked import LinkStatus
from agent_tui.model.outbox import Outbox
from agent_tui.panes.lines import LineList
from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Counts, Me, Refused, Row, Welcome
from tests.tui import fakes, scenes, scenes_floor, scenes_offers, scenes_outcome, scenes_transfer
from tests.until import until

T = TypeVar("T")
Play = Callable[[OneWindow], Awaitable[None]]


def window(
    folder: Path,
    link: fakes.FakeLink | None = None,
    *,
    rows: tuple[Row, ...] = scenes.MINE,
    theme: str = "night",
    ascii: bool = False,
    is_up: bool = True,
    me: Me = scenes.ME,
    counts: Counts = scenes.COUNTS,
    now_ms: int = scenes.NOW_MS,
) -> tuple[OneWindow, fakes.FakeLink]:
    """The app and its link; drafts and outbox lie in `folder`."""
    fake = link or fakes.maya()
    state = DeskState()
    state.welcome(Welcome(version=1, epoch=fake.epoch, n=0, me=me, upto=fake.upto))
    state.rows = {row.conv: row for row in rows}
    state.counts = counts
    state.as_of_ms = now_ms
    outbox = Outbox(folder / "outbox")
    place = Workplace(
        state=state,
        outbox=outbox,
        drafts=Drafts(folder / "drafts", now_ms),
        now_ms=lambda: now_ms,
        glyphs=ASCII if ascii else UNICODE,
        status=LinkStatus(since_ms=now_ms, as_of_ms=now_ms),
        dispositions=scenes.DISPOSITIONS,
    )

    def make(listener: object) -> fakes.FakeLink:
        fake.listener, fake.state, fake.outbox = listener, state, outbox
        if is_up:
            fake.status = LinkStatus(state="up", since_ms=now_ms, as_of_ms=now_ms, round_trip_ms=12)
            app.call_later(app.link_changed, fake.status)
        return fake

    app = OneWindow(place, make, theme=theme, ticks=False)
    return app, fake


async def _settled(app: OneWindow) -> None:
    """Until nothing has worked but the link for longer than the pauses after a key: a quarter of a second of looks."""
    quiet = 0

    def is_quiet() -> bool:
        nonlocal quiet
        busy = [worker for worker in app.workers if worker.is_running and worker.group not in ("link", "default")]
        quiet = 0 if busy or app._is_paint_due else quiet + 1
        return quiet > 25

    await until(is_quiet)


async def workstation(app: OneWindow) -> None:
    """Anna's conversation, a reply half written."""
    screen = app.workstation
    screen.ringing.put_away.add("c-piet")
    screen.inbox.list.select("c-anna")
    screen.follow()
    await _settled(app)
    if screen.desk.writing is not None:
        wide = app.size.width >= 120
        short = "In shops you pay no fee with Gold, only the rate of the day."
        screen.desk.writing.load(scenes.ANNA_DRAFT_120 if wide else short)
    screen.sight.all()


async def offer(app: OneWindow) -> None:
    """While writing, something else is offered."""
    await workstation(app)
    fake_of(app).profiles["c-kovacs"] = scenes_offers.KOVACS_PROFILE
    fake_of(app).feed(scenes.KOVACS)
    app.workstation.desk.focus("reply")
    await _settled(app)


async def link_lost(app: OneWindow) -> None:
    """48 s without a link, one reply waits."""
    await workstation(app)
    screen = app.workstation
    fake = fake_of(app)
    fake.feed(scenes.ANNA)
    if screen.desk.writing is not None:
        screen.desk.writing.load("In shops you pay no fee with Gold, only the exchange rate of the day.")
    lost_ms = scenes.NOW_MS - 48_000
    fake.set_status("down", since_ms=lost_ms, as_of_ms=lost_ms)
    await _settled(app)
    screen.desk.send()
    screen.inbox.list.focus()
    await _settled(app)


async def send_stopped(app: OneWindow) -> None:
    """Søren wrote while his mail was being answered."""
    screen, fake = app.workstation, fake_of(app)
    screen.ringing.put_away.add("c-piet")
    screen.sight.offer()
    screen.inbox.list.select("c-soren")
    screen.follow()
    await _settled(app)
    screen.desk.focus("reply")
    if screen.desk.writing is not None:
        screen.desk.writing.load("Dear Søren, dear Kirsten, one of the lines is only reserved and goes away by Monday.")
    screen.desk.send()
    act = fake.posted[-1]
    sentence = "Søren wrote after you began."
    fake.settle(act, Refused(code="changed", sentence=sentence, items=(scenes.SOREN_LATER,)))
    await _settled(app)


async def pressed(app: OneWindow, *keys: str) -> None:
    """As if typed."""
    for key in keys:
        character = key if len(key) == 1 else " " if key == "space" else None
        app.post_message(events.Key(key, character))
        await _settled(app)


async def typed(app: OneWindow, words: str) -> None:
    """Letters into the field that has the focus, as quick hands do."""
    for letter in words:
        app.post_message(events.Key("space" if letter == " " else letter, letter))
    await _settled(app)


def after(*keys: str) -> Play:
    """The workstation, then some keys."""

    async def play(app: OneWindow) -> None:
        await workstation(app)
        await pressed(app, *keys)

    return play


def joined(row: Row, *keys: str) -> Play:
    """Another state of Anna's case, or the case that one was asked about; then some keys."""

    async def play(app: OneWindow) -> None:
        await until(lambda: app.place.link is not None)
        await _settled(app)
        fake_of(app).feed(row)
        app.workstation.ringing.put_away.add("c-piet")
        await _settled(app)
        app.workstation.inbox.list.select(row.conv)
        app.workstation.follow()
        await _settled(app)
        await pressed(app, *keys)

    return play


async def empty(app: OneWindow) -> None:
    """Nothing waits."""
    await _settled(app)


async def supervisor(app: OneWindow) -> None:
    """The monitor, reading what Ole does."""
    await _settled(app)
    await pressed(app, "M")
    monitor = app.screen
    board = monitor.query_one("#floor-list", LineList)
    board.select(("agent", "ole"))
    await pressed(app, "enter")


async def wrap_up(app: OneWindow) -> None:
    """Anna's case is closed, its outcome half written."""
    await workstation(app)
    app.workstation.inbox.list.focus()
    await pressed(app, "e")
    app.place.now_ms = lambda: scenes.NOW_MS - 22_000
    fake_of(app).feed(scenes_outcome.WRAPPED)
    await _settled(app)
    app.place.now_ms = lambda: scenes.NOW_MS
    app.tick()
    await pressed(app, "2")
    await typed(app, "35.00 kr")
    await pressed(app, "tab")
    await typed(app, "abroad gold ")
    await pressed(app, "tab", "tab")
    await typed(app, "Waived once more")
    app.screen.set_focus(app.screen.query_one("#choices"))
    await _settled(app)


def fake_of(app: OneWindow) -> fakes.FakeLink:
    """The fake link behind the window."""
    assert isinstance(app.place.link, fakes.FakeLink)
    return app.place.link


async def offers(app: OneWindow) -> None:
    """A colleague asks, and two others ring."""
    await workstation(app)
    fake = fake_of(app)
    fake.pages["c-kovacs"] = scenes_offers.ASKED_PAGE
    app.workstation.ringing.put_away.clear()
    fake.feed(scenes_offers.ASKED, scenes_offers.GIVEN)
    await _settled(app)


async def wrapping(app: OneWindow) -> None:
    """Away next, wrap-up now, notices in sight."""
    await workstation(app)
    fake_of(app).feed(me=scenes_offers.WRAPPING)
    await _settled(app)


async def floor(app: OneWindow) -> None:
    """The boards; under 120 columns the first of them."""
    await _settled(app)
    await pressed(app, "M")


async def give_back(app: OneWindow) -> None:
    """What silent Bo has, before it goes back to its queues."""
    await supervisor(app)
    fake_of(app).all_rows = tuple(
        replace(row, owner="bo", state="other", verbs=("transfer",)) for row in scenes.QUEUED[:3]
    )
    app.screen.query_one("#floor-list", LineList).select(("agent", "bo"))
    await pressed(app, "g")


def on_the_floor(*keys: str) -> Play:
    """The supervisor's screen, then some keys."""

    async def play(app: OneWindow) -> None:
        await supervisor(app)
        await pressed(app, *keys)

    return play


SCENES: dict[str, Play] = {
    "offers": offers,
    "presence": after("b", "tab", "3", "0", "m"),
    "wrapping": wrapping,
    "force-state": on_the_floor("f"),
    "assign": on_the_floor("A"),
    "give-back": give_back,
    "floor": floor,
    "workstation": workstation,
    "offer": offer,
    "link-lost": link_lost,
    "send-stopped": send_stopped,
    "transfer": after("t", "f", "e", "e"),
    "transfer-page": after("t", "p", "r", "i", "y", "tab"),
    "transfer-away": after("t", "f", "e", "e", "down", "down", "down", "down"),
    "consult-asking": joined(scenes_transfer.ASKED),
    "consult-with": joined(scenes_transfer.TALKING),
    "consult-asked": joined(scenes_transfer.CONSULTED),
    "suggested": joined(scenes_transfer.SUGGESTED),
    "merge": joined(scenes_transfer.SUGGESTED, "m"),
    "split": joined(scenes_transfer.SUGGESTED, "enter", "up", "S"),
    "wrap-up": wrap_up,
    "snooze": after("z", "tab", *"mon", "space", *"9:30"),
    "why": after("w"),
    "tasks": after("4"),
    "call-back": after("C"),
    "help": after("question_mark"),
    "palette": after("colon", "t", "r"),
    "search": after("slash", "a", "n"),
    "profile": after("p"),
    "empty": empty,
    "supervisor": supervisor,
}


FLOOR = ("supervisor", "floor", "force-state", "assign", "give-back")
"""Scenes of a supervisor."""


def stage(name: str, folder: Path, *, theme: str = "night", ascii: bool = False) -> tuple[OneWindow, Play]:
    """The window of a scene and what is to be done in it."""
    fake = fakes.maya()
    fake.directory = scenes_floor.DIRECTORY
    fake.tasks, fake.why = scenes_outcome.TASK_PAGE, scenes_outcome.WHY
    if name == "wrap-up":
        fake.pages["c-anna"] = scenes_outcome.ANNA_WRAP_PAGE
    fake.pages["c-pauline"] = scenes_floor.PAULINE_PAGE
    fake.found = (scenes.ANNA, *scenes.WAITING)
    rows: tuple[Row, ...] = scenes.SNOOZED if name == "empty" else scenes.MINE
    if name in ("snooze", "call-back"):
        rows = tuple(replace(row, verbs=(*row.verbs, "snooze", "add_task")) for row in rows)
    me = scenes.SUPERVISOR if name in FLOOR else scenes.ME
    counts = replace(scenes.COUNTS, mine=0) if name == "empty" else scenes.COUNTS
    if name.startswith("transfer"):
        fake.directory = scenes_transfer.DIRECTORY
        fake.handovers["c-anna"] = scenes_transfer.HANDOVER
    fake.pages["c-asked"] = scenes_transfer.CONSULTED_PAGE
    fake.pages["c-2108"] = scenes_transfer.SECOND_PAGE
    if name in ("merge", "suggested", "split"):
        fake.profiles["c-anna"] = scenes_transfer.PROFILE
    app, _ = window(folder, fake, rows=rows, theme=theme, ascii=ascii, me=me, counts=counts)
    return app, SCENES[name]


def replaced(shape: T, **changes: object) -> T:
    """The same row, item or page with other fields."""
    return replace(shape, **changes)  # type: ignore[type-var]
