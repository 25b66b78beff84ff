"""What must not end the bridge, be done twice or be forgotten: found by asking of each await what happens if it fails."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from broker_bridge.channel import Capabilities, Channel, Outbound
from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import Words
from broker_bridge.daemon.attention import Word
from broker_bridge.daemon.dispatch import Dispatch, Route
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer, WrongSiteKey
from broker_bridge.daemon.signals import Signals
from broker_bridge.daemon.states import CONV
from broker_bridge.daemon.wire import Outgoing, Rejected, Stored, TooLarge, Unknown
from tests.daemon.small_house import Bucket, Log, Small
from tests.until import until


async def test_the_follower_outlives_a_broker_that_is_away_while_a_key_is_fetched() -> None:
    small = Small()
    sealed = await small.sealer.seal(Words(text="hello", name="Anna"), "cust-case1")
    small.log.put(
        "conv",
        "case1",
        f.Received(message="m", item="i", handle="h", channel="support", channel_kind="email", words=sealed),
    )
    small.sealer.forget("cust-case1")
    small.keys.trouble = [Unknown("the connection was lost")]
    async with asyncio.timeout(10.0):
        await small.catch_up()
    assert small.states.cell(CONV, "case1").state.text == "hello"


async def test_nobody_is_told_a_position_whose_rows_are_not_there_yet() -> None:
    """`min` promises that an answer knows of everything up to it: lists are written at the end of a group."""
    small = Small()
    for case in ("case1", "case2"):
        small.case(case)
    sealed = await small.sealer.seal(Words(text="hello"), "cust-case3")
    small.log.put(
        "conv",
        "case3",
        f.Received(message="m", item="i", handle="h", channel="support", channel_kind="email", words=sealed),
    )
    small.sealer.forget("cust-case3")
    seen: list[tuple[int, int]] = []
    asked = small.keys.get

    async def get(key: str) -> tuple[bytes, int] | None:
        seen.append((small.follower.position, small.model.count("status = 'queued'")))
        return await asked(key)

    small.keys.get = get  # type: ignore[method-assign]
    await small.catch_up()
    assert seen == [(0, 0)]
    assert small.follower.position == 3


async def test_half_a_group_is_not_kept_when_the_read_model_is_closed(tmp_path: Path) -> None:
    model = ReadModel(tmp_path / "model.sqlite")
    model.add_counted("support", 5, 0)
    model.index_words("case1", "hello world")
    model.close()
    again = ReadModel(tmp_path / "model.sqlite")
    assert again.position == 0
    assert again.db.execute("SELECT COUNT(*) FROM counted").fetchone() == (0,)
    assert await again.search("hello", 5) == []
    again.close()


@pytest.mark.parametrize("version", ["", "0"])
def test_the_read_model_is_for_its_owner_alone_however_it_was_made(tmp_path: Path, version: str) -> None:
    path = tmp_path / "model.sqlite"
    path.touch(0o644)
    path.chmod(0o644)
    model = ReadModel(path)
    if version:
        model.set_meta("version", version)
        model.db.commit()
        model.close()
        model = ReadModel(path)
    model.index_words("case1", "hello world")
    model.commit(1)
    modes = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()}
    model.close()
    assert set(modes.values()) == {0}, modes


async def test_a_site_key_that_is_not_this_sites_is_told_at_the_start() -> None:
    keys = Bucket()
    await Sealer(b"k" * 32, keys).check()
    await Sealer(b"k" * 32, keys).check()
    with pytest.raises(WrongSiteKey):
        await Sealer(b"x" * 32, keys).check()


class Provider:
    """A channel; `send` says how many calls it saw."""

    name = "support"

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, out: Outbound) -> str:
        self.sent.append(out.message)
        return ""

    async def show_typing(self, address: str, name: str, on: bool) -> None:
        raise RuntimeError("a bug of one channel")


def route(provider: Any, **can: Any) -> Route:
    found = Route(provider, Capabilities(word="mail", has_typing=True, send_timeout_s=5.0, **can))
    found.is_held = True
    return found


async def test_a_channel_that_cannot_show_typing_ends_nothing() -> None:
    small = Small()
    small.enroll("ann")
    small.case("case1")
    small.log.put("conv", "case1", f.Accepted(agent="ann", epoch=1))
    await small.catch_up()
    provider: Any = Provider()
    signals = Signals(
        routes={"support": route(provider)},
        home=small.home,
        attention=small.attention,
        reading=small.reading,
        staff=small.staff,
    )
    running = asyncio.create_task(signals.run())
    signals.heard("cc.sig.typing.0", codec.encode(Word(conversation="case1", who="ann", what="typing")))
    await until(lambda: signals._typed.empty())
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()


class Forgetful(Log):
    """Stores, and loses its answer as often as `lost` says; refuses outright where `refused` says."""

    def __init__(self, lost: str = "", refused: str = "") -> None:
        super().__init__()
        self.lost = lost.encode()
        self.refused = refused.encode()

    async def publish_batch(self, msgs: Any, timeout_s: float = 10.0) -> Stored:
        if self.refused and any(self.refused in msg.body for msg in msgs):
            self.refused = b""
            raise Rejected(10999, "not now")
        stored = await super().publish_batch(msgs)
        if self.lost and any(self.lost in msg.body for msg in msgs):
            self.lost = b""
            raise Unknown("no answer")
        return stored

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored:
        return await self.publish_batch([msg])


def dispatching(small: Small, provider: Channel, **more: Any) -> Dispatch:
    return Dispatch(
        routes={"support": route(provider)},
        writer=small.writer,
        states=small.states,
        model=small.model,
        name_of=str,
        boot="boot",
        now_ms=small.now,
        sleep=lambda _: asyncio.sleep(0),
        random=lambda: 0.0,
        **more,
    )


async def replied(log: Log, channel: str = "support") -> Small:
    small = Small(log=log)
    small.case("case1")
    small.log.put(
        "conv",
        "case1",
        f.Accepted(agent="ann", epoch=1),
        f.Replied(
            message="reply",
            agent="ann",
            channel=channel,
            channel_kind="email",
            handle="h",
            words=Words(text="yes", address="anna@example.se"),
        ),
    )
    await small.catch_up()
    return small


@pytest.mark.parametrize("log", [Forgetful(lost='"sending"'), Forgetful(refused='"sent"'), Forgetful(lost='"sent"')])
async def test_a_reply_is_sent_once_and_said_to_be_sent_though_the_broker_stumbles(log: Log) -> None:
    small = await replied(log)
    provider: Any = Provider()
    dispatch = dispatching(small, provider)
    writing = asyncio.create_task(small.writer.run())
    working = asyncio.create_task(dispatch.run())
    try:
        dispatch.wake("case1")
        await until(lambda: small.states.cell(CONV, "case1").state.delivery_of("reply") == "sent", bound_s=5.0)
        assert provider.sent == ["reply"]
    finally:
        working.cancel()
        writing.cancel()


async def test_a_reply_of_a_channel_that_is_no_longer_set_up_fails_aloud() -> None:
    small = await replied(Log(), channel="abolished")
    provider: Any = Provider()
    dispatch = dispatching(small, provider, is_gone=lambda name: name == "abolished")
    writing = asyncio.create_task(small.writer.run())
    working = asyncio.create_task(dispatch.run())
    try:
        dispatch.look_at_gone()
        await until(lambda: small.states.cell(CONV, "case1").state.delivery_of("reply") == "failed", bound_s=5.0)
        assert provider.sent == []
    finally:
        working.cancel()
        writing.cancel()


async def test_nobody_is_offered_more_than_their_places_though_the_follower_lags() -> None:
    small = Small()
    small.enroll("ann")
    for number in range(20):
        small.case(f"case{number}", channel="chat")
    await small.catch_up()
    small.sits("ann")
    small.router.is_leader = True
    writing = asyncio.create_task(small.writer.run())
    try:
        for _ in range(5):
            await small.parts.offers.round()
        offered = [name for name in (f"case{n}" for n in range(20)) if small.ringing(name)]
        assert len(offered) == 6
    finally:
        writing.cancel()


async def test_a_long_line_for_one_queue_does_not_starve_another() -> None:
    small = Small()
    small.enroll("ann", queues=("late",))
    for number in range(520):
        small.case(f"case{number}", queue="orders")
    small.case("other", queue="late")
    await small.catch_up()
    small.sits("ann")
    small.router.is_leader = True
    writing = asyncio.create_task(small.writer.run())
    try:
        await small.parts.offers.round()
        assert small.ringing("other") == ("ann",)
    finally:
        writing.cancel()


@pytest.mark.parametrize(("head", "kinds", "is_kept"), [(7, None, True), (6, None, False), (7, "older", False)])
def test_the_read_model_is_kept_only_for_a_log_that_it_can_be_of(
    tmp_path: Path, head: int, kinds: str | None, is_kept: bool
) -> None:
    """A store put back from a backup is behind the model; a newer version reads again what an older one could not."""
    model = ReadModel(tmp_path / "model.sqlite")
    model.begin_with("stream", 7)
    model.keep(CONV, "case1", 7, b"", blocked="facts of a later version")
    model.commit(7)
    if kinds is not None:
        model.set_meta("kinds", kinds)
        model.db.commit()
    model.begin_with("stream", head)
    assert (model.position == 7) is is_kept
    model.close()


async def test_one_decision_that_the_broker_does_not_take_fails_alone() -> None:
    class Strict(Log):
        async def publish_batch(self, msgs: Any, timeout_s: float = 10.0) -> Stored:
            if any(b"too much" in msg.body for msg in msgs):
                raise TooLarge("more than the broker takes")
            return await super().publish_batch(msgs)

    small = Small(log=Strict())
    await small.catch_up()

    async def note(case: str, agent: str) -> int:
        entry = Entry(at_ms=1, by="test", facts=(f.Seen(agent=agent),))
        async with small.writer.hold((CONV, case)) as cells:
            return (await small.writer.decide(cells, "", lambda: ({0: (entry, "")}, None)))[0]

    ends = asyncio.gather(
        *(note(f"case{n}", "too much" if n == 1 else "ann") for n in range(3)), return_exceptions=True
    )
    writing = asyncio.create_task(small.writer.run())
    async with asyncio.timeout(10.0):
        found = await ends
    writing.cancel()
    assert [isinstance(one, TooLarge) for one in found] == [False, True, False]
