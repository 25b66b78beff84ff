"""A link without a network: answers from scenes, keeps every act that the window posts, feeds what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agent_tui.model.linked import LinkStatus, NoLink
from broker_bridge.contract import commands, views
from broker_bridge.contract.ids import Mint
from broker_bridge.contract.words import Packet
from tests.tui import scenes

Answerer = Callable[[Any], Any]


@dataclass
class FakeLink:
    """What the window sees of a link. `posted` and `asked` are in order."""

    listener: Any = None
    state: Any = None
    outbox: Any = None
    status: LinkStatus = field(default_factory=lambda: LinkStatus(since_ms=scenes.NOW_MS))
    posted: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    pages: dict[str, views.ThreadPage] = field(default_factory=dict)
    profiles: dict[str, views.Profile] = field(default_factory=dict)
    directory: views.DirectoryView = field(default_factory=views.DirectoryView)
    tasks: views.TaskPage = field(default_factory=lambda: views.TaskPage(tasks=()))
    why: views.WhyView = field(default_factory=lambda: views.WhyView(sentence="Nothing is known of why."))
    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    handovers: dict[str, views.HandoverView] = field(default_factory=dict)
    found: tuple[views.Row, ...] = ()
    all_rows: tuple[views.Row, ...] = ()
    answers: dict[type, Answerer] = field(default_factory=dict)
    """For a test's own answer to a kind of request."""
    is_started: bool = False
    n: int = 0
    upto: int = 100
    epoch: str = "e1"

    def __post_init__(self) -> None:
        self._mint = Mint(node=7)

    async def run(self) -> None:
        """Until canceled, like the real one."""
        self.is_started = True
        await asyncio.Event().wait()

    def new_id(self) -> str:
        return self._mint.new(scenes.NOW_MS)

    def post(self, act: Any) -> None:
        self.posted.append(act)
        if self.outbox is not None:
            self.outbox.put(act)

    async def ask(self, request: Any, timeout_s: float = 5.0) -> Any:
        self.asked.append(request)
        if self.status.state != "up":
            raise NoLink("no link")
        special = self.answers.get(type(request))
        if special is not None:
            return special(request)
        return self._answer(request)

    def _answer(self, request: Any) -> Any:
        match request:
            case commands.Thread(conversation=conv):
                page = self.pages.get(conv)
                return page or views.ThreadPage(row=self._row(conv), upto=self.upto)
            case commands.ProfileOf(conversation=conv):
                return self.profiles.get(conv) or views.Profile(customer=f"u-{conv}", rev=1, name=self._row(conv).name)
            case commands.Handover(conversation=conv):
                return self.handovers.get(conv) or views.HandoverView(packet=Packet(), upto=self.upto)
            case commands.Tasks():
                return self.tasks
            case commands.WhyOf():
                return self.why
            case commands.Directory():
                return self.directory
            case commands.Search():
                return views.RowPage(rows=self.found, total=len(self.found), upto=self.upto)
            case commands.Rows(start=start, limit=limit):
                return views.RowPage(
                    rows=self.all_rows[start : start + limit], total=len(self.all_rows), upto=self.upto
                )
            case commands.Message(message=message):
                return views.Text(text=self.texts.get(message, ""), parts=1)
            case commands.FilePart(digest=digest, part=part):
                whole = self.files.get(digest, b"")
                size = 128 * 1024
                parts = max(1, -(-len(whole) // size))
                return views.Bytes(data=whole[part * size : (part + 1) * size], parts=parts)
            case _:
                return commands.Done(upto=self.upto)

    def _row(self, conv: str) -> views.Row:
        known = {row.conv: row for row in (*self.all_rows, *scenes.ROWS, *self.found)}
        return known.get(conv) or views.Row(conv=conv, rev=1)

    # What a test says that the bridge sent.

    def set_status(self, state: str, **more: Any) -> None:
        """The link came up, went down, was denied."""
        known = {"since_ms": scenes.NOW_MS, "as_of_ms": scenes.NOW_MS, "round_trip_ms": 12}
        self.status = LinkStatus(**{"state": state, **known, **more})
        self.listener.link_changed(self.status)

    def feed(self, *rows: views.Row, gone: tuple[str, ...] = (), **more: Any) -> None:
        """Rows over the desk feed, through the real desk state."""
        self.n += 1
        self.upto += 1
        message = views.Feed(epoch=self.epoch, n=self.n, upto=self.upto, rows=rows, gone=gone, **more)
        applied = self.state.apply_feed(message)
        self.listener.desk_changed(applied)

    def feed_thread(self, row: views.Row, *items: views.Item, **more: Any) -> None:
        """Changed items of a watched conversation."""
        self.n += 1
        self.upto += 1
        self.listener.thread_changed(
            views.ThreadFeed(epoch=self.epoch, n=self.n, upto=self.upto, conv=row.conv, row=row, items=items, **more)
        )

    def settle(self, act: Any, answer: Any | None = None) -> None:
        """The bridge answered an act."""
        if self.outbox is not None:
            self.outbox.settle(act.id)
        self.listener.settled(act, answer or commands.Done(upto=self.upto))

    def last(self, kind: type) -> Any:
        """The newest posted act of a kind."""
        return next(act for act in reversed(self.posted) if isinstance(act, kind))


def maya() -> FakeLink:
    """Maya's shift of the pictures."""
    return FakeLink(
        pages={"c-anna": scenes.ANNA_PAGE, "c-soren": scenes.SOREN_PAGE},
        profiles={"c-anna": scenes.ANNA_PROFILE},
        all_rows=scenes.ROWS,
        files={"b" * 64: b"the letter\nsecond line\n", "a" * 64: b"%PDF-1.4 not text\x00\x01"},
    )


def newer(row: views.Row, **changes: Any) -> views.Row:
    """The row as of one more revision."""
    return msgspec.structs.replace(row, rev=row.rev + 1, **changes)
