"""Keeping in step, without a network: what comes while a hello is on its way, and what cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from agent_tui.following import Following
from agent_tui.model.desk import DeskState
from agent_tui.model.linked import Pace
from broker_bridge.contract import codec
from broker_bridge.contract.commands import Hello
from broker_bridge.contract.views import Answer, Beat, Feed, Me, Row, ThreadFeed, Welcome
from tests.tui.bridge import Heard
from tests.until import until

ME = Me(agent="maya", name="Maya")
PACE = Pace(silence_s=30, retry_s=0.01)
Said = Callable[[Following, Hello], None]


class Stage:
    """A feed with a bridge that is a function: `meanwhile` plays while the hello is on its way."""

    def __init__(self, *meanwhile: Said, epoch: str = "e", n: int | None = 0) -> None:
        self.state, self.heard = DeskState(), Heard()
        self.hellos: list[Hello] = []
        self.moods: list[str] = []
        self.epoch, self.n = epoch, n
        self._meanwhile = list(meanwhile)
        self.following = Following(
            self.state, self.heard, self._ask, self._tell, lambda: 77, "test", PACE, jitter=lambda: 0.0
        )

    async def _ask(self, hello: Hello) -> Answer:
        self.hellos.append(hello)
        if self._meanwhile:
            self._meanwhile.pop(0)(self.following, hello)
        return Welcome(version=1, epoch=self.epoch, n=self.n, me=ME, upto=10)

    def _tell(self, mood: str, sentence: str) -> None:
        self.moods.append(mood)

    async def welcomed(self, times: int) -> None:
        await until(lambda: len(self.moods) == times)

    @asynccontextmanager
    async def played(self) -> AsyncIterator[None]:
        async def nothing(upto: int) -> None:
            return None

        running = asyncio.create_task(self.following.run(nothing))
        try:
            await until(lambda: self.moods == ["up"])
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def feed(n: int, *rows: Row, epoch: str = "e", is_reset: bool = False, upto: int = 10) -> bytes:
    return codec.encode(Feed(epoch=epoch, n=n, upto=upto, rows=rows, is_reset=is_reset))


def desk(following: Following, body: bytes) -> None:
    following.arrived("cc.view.maya.desk", body)


async def test_what_overtakes_the_welcome_is_held_and_applied() -> None:
    def overtakes(following: Following, hello: Hello) -> None:
        desk(following, feed(1, Row(conv="a", rev=1), is_reset=True))
        desk(following, feed(2, Row(conv="b", rev=2)))
        assert stage.state.rows == {}

    stage = Stage(overtakes)
    async with stage.played():
        assert list(stage.state.rows) == ["a", "b"]
        assert len(stage.hellos) == 1


async def test_the_rest_of_an_older_feed_is_dropped() -> None:
    def leftover(following: Following, hello: Hello) -> None:
        desk(following, feed(9, Row(conv="old", rev=9), epoch="before"))
        following.arrived("cc.view.maya.beat", codec.encode(Beat(epoch="before", n=9, upto=9, at_ms=0)))
        desk(following, feed(4, Row(conv="old too", rev=9)))

    stage = Stage(leftover, n=4)
    async with stage.played():
        assert stage.state.rows == {} and stage.state.n == 4
        desk(stage.following, feed(5, Row(conv="a", rev=1), is_reset=True))
        assert list(stage.state.rows) == ["a"]
        assert len(stage.hellos) == 1


async def test_a_message_that_cannot_be_read_counts_as_missed() -> None:
    stage = Stage()
    async with stage.played():
        desk(stage.following, b'{"epoch":"e"')
        await until(lambda: len(stage.hellos) == 2)


async def test_a_kind_of_feed_of_a_later_version_is_no_hole() -> None:
    stage = Stage()
    async with stage.played():
        stage.following.arrived("cc.view.maya.weather", b"sunny")
        desk(stage.following, feed(1, Row(conv="a", rev=1), is_reset=True))
        assert list(stage.state.rows) == ["a"] and len(stage.hellos) == 1


async def test_items_of_a_thread_are_passed_on_even_with_a_hole_before_them() -> None:
    stage = Stage()
    async with stage.played():
        thread = ThreadFeed(epoch="e", n=5, upto=12, conv="c", row=Row(conv="c", rev=12))
        stage.following.arrived("cc.view.maya.thread.c", codec.encode(thread))
        assert stage.heard.threads == [thread]
        await until(lambda: len(stage.hellos) == 2)


async def test_epochs_that_change_again_and_again_end_in_a_full_set() -> None:
    stage = Stage()
    async with stage.played():
        desk(stage.following, feed(1, Row(conv="a", rev=1), is_reset=True, upto=50))
        for number in (2, 3):
            stage.epoch = f"e{number}"
            desk(stage.following, feed(7, epoch=f"f{number}"))
            await stage.welcomed(number)
        assert [hello.since for hello in stage.hellos] == [0, 50, 0]
