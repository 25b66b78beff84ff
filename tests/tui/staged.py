"""The window set up for a scene: a fixed clock, a fake link, the rows of the pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from agent_tui.app import OneWindow
from agent_tui.model.desk import DeskState
from agent_tui.model.drafts import Drafts
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.linked import LinkStatus
from agent_tui.model.outbox import Outbox
from agent_tui.workplace import Workplace
from broker_bridge.contract.views import Counts, Me, Row, Welcome
from tests.tui import fakes, scenes

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
    for _ in range(20):
        await asyncio.sleep(0.02)


async def workstation(app: OneWindow) -> None:
    """Anna's conversation, a reply half written."""
    screen = app.workstation
    screen.put_away.add("c-piet")
    screen.inbox.list.select("c-anna")
    screen.follow()
    await _settled(app)
    if screen.desk.writing is not None:
        wide = app.size.width >= 120
        screen.desk.writing.load(
            scenes.ANNA_DRAFT_120 if wide else "In shops you pay no fee with Gold, only the rate of the day."
        )
    screen.show_all()


SCENES: dict[str, Play] = {"workstation": workstation}


def stage(name: str, folder: Path, *, theme: str = "night", ascii: bool = False) -> tuple[OneWindow, Play]:
    """The window of a scene and what is to be done in it."""
    app, _ = window(folder, theme=theme, ascii=ascii)
    return app, SCENES[name]


def replaced(row: Row, **changes: object) -> Row:
    """The row with other fields."""
    return msgspec.structs.replace(row, **changes)
