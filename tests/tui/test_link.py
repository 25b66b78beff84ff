"""The link against a real nats-server with a scripted bridge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agent_tui.link import Link, NoLink, Pace, try_once
from agent_tui.model.desk import DeskState
from agent_tui.model.outbox import Outbox
from broker_bridge.contract.commands import (
    MAX_REQUEST_BYTES,
    Accept,
    Close,
    Directory,
    Done,
    Note,
    Refusal,
    Request,
    Thread,
    Unwatch,
)
from broker_bridge.contract.ids import Mint
from broker_bridge.contract.views import Answer, DirectoryView, Item, Refused, Row, ThreadFeed, ThreadPage, Welcome
from broker_bridge.daemon.accounts import AgentUser, Keys, make_seed
from tests.tui.bridge import AGENT, ME, Bridge, Heard, Server, thread_verb
from tests.until import until

PACE = Pace(
    connect_s=5,
    hello_s=0.5,
    silence_s=0.5,
    retry_s=0.05,
    most_retry_s=0.1,
    denied_retry_s=0.05,
    answer_s=0.5,
    measure_s=0.2,
    keep_s=0.05,
)


class Desk:
    """One terminal without a window."""

    def __init__(self, server: Server, folder: Path, pace: Pace = PACE) -> None:
        self.heard = Heard()
        self.state = DeskState()
        self.outbox = Outbox(folder / "outbox")
        self.now_ms = 1_000
        self.snapshots: list[bytes] = []
        self.link = Link(
            server=server.url,
            agent=AGENT,
            seed=server.agent.seed,
            state=self.state,
            outbox=self.outbox,
            listener=self.heard,
            now_ms=self._now,
            device="test",
            mint=Mint(7),
            keep=self.keep,
            pace=pace,
        )
        self._running: asyncio.Task[None] | None = None

    def _now(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def keep(self) -> None:
        self.snapshots.append(self.state.snapshot(AGENT, self.now_ms))

    def start(self) -> None:
        self._running = asyncio.create_task(self.link.run())

    async def end(self, bound_s: float = 10.0) -> bool:
        """Cancel the link; whether it ended in time."""
        if self._running is None:
            return True
        self._running.cancel()
        done, _ = await asyncio.wait({self._running}, timeout=bound_s)
        return bool(done)

    async def stop(self) -> None:
        assert await self.end()
        self.outbox.close()

    async def up(self) -> None:
        await until(lambda: self.link.status.state == "up", saying=lambda: self.heard.statuses)

    async def down(self) -> None:
        await until(lambda: self.link.status.state == "down", saying=lambda: self.heard.statuses)

    def accept(self, conversation: str = "c1") -> Accept:
        act = Accept(id=self.link.new_id(), conversation=conversation, epoch=1)
        self.link.post(act)
        return act


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    found = Server(tmp_path)
    await found.start()
    yield found
    found.kill()


@pytest.fixture
async def bridge(server: Server) -> AsyncIterator[Bridge]:
    found = Bridge(server)
    found.rows = (Row(conv="c1", rev=3, name="Anna Berg"), Row(conv="c2", rev=4, name="Søren Kjær"))
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def desk(server: Server, tmp_path: Path) -> AsyncIterator[Desk]:
    found = Desk(server, tmp_path)
    found.start()
    yield found
    await found.stop()


def names(desk: Desk) -> list[str]:
    return [row.name for row in desk.state.rows.values()]


async def test_hello_brings_the_whole_desk(bridge: Bridge, desk: Desk) -> None:
    await until(lambda: names(desk) == ["Anna Berg", "Søren Kjær"])
    assert bridge.since == [0]
    assert desk.state.me == ME
    assert desk.link.welcome is not None
    assert desk.heard.states()[-1] == "up"
    assert any(applied.is_reset for applied in desk.heard.applied)


async def test_what_is_known_is_kept_while_the_link_is_up(bridge: Bridge, desk: Desk) -> None:
    await until(lambda: desk.state.rows)
    await until(lambda: desk.snapshots and b"Anna Berg" in desk.snapshots[-1])


async def test_changes_come_over_the_feed(bridge: Bridge, desk: Desk) -> None:
    await until(lambda: desk.state.rows)
    await bridge.tell(Row(conv="c1", rev=11, name="Anna Berg", unread=2))
    await until(lambda: desk.state.rows["c1"].unread == 2)
    assert desk.state.upto == bridge.upto
    await bridge.tell(gone=("c2",))
    await until(lambda: "c2" not in desk.state.rows)
    assert bridge.since == [0]


async def test_a_hole_is_filled_by_another_hello(bridge: Bridge, desk: Desk) -> None:
    await until(lambda: desk.state.rows)
    before = desk.state.upto
    bridge.rows = (*bridge.rows, Row(conv="c3", rev=12, name="missed"), Row(conv="c4", rev=13, name="seen"))
    await bridge.tell(Row(conv="c4", rev=13, name="seen"), skip=1, upto=13)
    await until(lambda: {"c3", "c4"} <= desk.state.rows.keys())
    assert bridge.since == [0, before]
    assert "down" not in desk.heard.states()


async def test_a_beat_tells_of_a_lost_last_message(bridge: Bridge, desk: Desk) -> None:
    await until(lambda: desk.state.rows)
    bridge.rows = (*bridge.rows, Row(conv="c3", rev=12, name="missed"))
    bridge.n, bridge.upto = bridge.n + 1, 12
    await until(lambda: "c3" in desk.state.rows)
    assert len(bridge.since) == 2


@pytest.mark.parametrize("says_n", [True, False])
async def test_a_new_epoch_is_greeted(bridge: Bridge, desk: Desk, says_n: bool) -> None:
    await until(lambda: desk.state.rows)
    before, bridge.says_n = desk.state.upto, says_n
    bridge.epoch, bridge.n = "e2", 40
    bridge.rows = (Row(conv="c1", rev=20, name="Anna Berg", unread=5),)
    bridge.upto = 20
    await until(lambda: desk.state.rows["c1"].unread == 5)
    assert bridge.since[:2] == [0, before]
    assert desk.state.epoch == "e2"
    await bridge.tell(Row(conv="c1", rev=21, name="Anna Berg", unread=6))
    await until(lambda: desk.state.rows["c1"].unread == 6)


async def test_silence_is_asked_about_and_told_when_nobody_answers(bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    bridge.is_quiet = True
    await until(lambda: len(bridge.since) > 1)
    assert desk.link.status.state == "up"
    bridge.is_deaf = True
    await desk.down()
    assert "no bridge answers" in desk.link.status.sentence
    bridge.is_deaf = bridge.is_quiet = False
    await desk.up()


async def test_an_outage_keeps_the_outbox_and_sends_it_once(server: Server, bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    server.kill()
    await desk.down()
    first, second = desk.accept("c1"), desk.accept("c2")
    assert [act.id for act in desk.outbox.waiting] == [first.id, second.id]
    with pytest.raises(NoLink):
        await desk.link.ask(Directory())
    await server.start()
    await until(lambda: len(desk.heard.answers) == 2, bound_s=30)
    assert sorted(act.id for act in bridge.acts()) == sorted([first.id, second.id])
    assert desk.outbox.waiting == []
    assert desk.heard.states()[-3:] == ["up", "down", "up"]


async def test_a_lost_answer_is_asked_for_again_with_the_same_id(bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    bridge.is_deaf = True
    act = desk.accept()
    await until(lambda: len(bridge.acts()) >= 2)
    assert {one.id for one in bridge.acts()} == {act.id}
    assert desk.outbox.take_back(act.id) is None, "it may have been done already"
    bridge.is_deaf = False
    await until(lambda: desk.heard.answers)
    assert desk.heard.answers == [(act, Done(upto=bridge.upto))]


async def test_a_final_no_settles_and_a_passing_one_does_not(bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    final = Refused(code="changed", sentence="Anna wrote.", items=(Item(id="m", seq=9, rev=9, kind="them", at_ms=1),))
    said = [Refusal(code="busy", sentence="Busy.", is_retryable=True), final]
    bridge.answers["accept"] = lambda request: said.pop(0)
    act = desk.accept()
    await until(lambda: desk.heard.answers)
    assert desk.heard.answers == [(act, final)]
    assert len(bridge.acts()) == 2
    assert desk.outbox.waiting == []


async def test_two_wishes_on_one_conversation_keep_their_order(bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    busy = [Refusal(code="busy", sentence="Busy.", is_retryable=True)] * 3

    def slow(request: Request) -> Answer:
        return busy.pop() if busy else Done(upto=11)

    bridge.answers["accept"] = slow
    first = desk.accept("c1")
    second = Close(id=desk.link.new_id(), conversation="c1", epoch=1, disposition="solved")
    desk.link.post(second)
    other = desk.accept("c2")
    await until(lambda: len(desk.heard.answers) == 3)
    sent = [act.id for act in bridge.acts()]
    assert sent.index(second.id) > max(place for place, one in enumerate(sent) if one == first.id)
    order = [act.id for act, _ in desk.heard.answers]
    assert order.index(first.id) < order.index(second.id)
    assert other.id in order


async def test_a_crashed_terminal_sends_again_with_the_same_id(
    server: Server, bridge: Bridge, desk: Desk, tmp_path: Path
) -> None:
    await desk.up()
    bridge.answers["accept"] = lambda request: Refusal(code="busy", sentence="Busy.", is_retryable=True)
    act = desk.accept()
    await until(bridge.acts)
    await desk.stop()
    bridge.answers.clear()
    bridge.asked.clear()
    reborn = Desk(server, tmp_path)
    assert reborn.outbox.waiting == [act]
    reborn.start()
    await until(lambda: reborn.heard.answers)
    assert [one.id for one in bridge.acts()] == [act.id]
    await reborn.stop()


async def test_a_wish_taken_back_while_down_is_never_sent(server: Server, bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    server.kill()
    await desk.down()
    gone, kept = desk.accept("c1"), desk.accept("c1")
    assert desk.outbox.take_back(gone.id) == gone
    await server.start()
    await until(lambda: desk.heard.answers, bound_s=30)
    assert {act.id for act in bridge.acts()} == {kept.id}


async def test_requests_carry_what_was_seen(bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    await until(lambda: desk.state.upto == 10)
    bridge.answers["directory"] = lambda request: DirectoryView(upto=99)
    assert await desk.link.ask(Directory()) == DirectoryView(upto=99)
    await desk.link.ask(Directory())
    assert [one.min for one in bridge.asked if isinstance(one, Directory)] == [10, 99]


async def test_a_bridge_that_is_behind_is_asked_again(bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    said: list[Answer] = [Refusal(code="behind", sentence="Not yet.", is_retryable=True), DirectoryView(upto=1)]
    bridge.answers["directory"] = lambda request: said.pop(0)
    assert await desk.link.ask(Directory()) == DirectoryView(upto=1)


async def test_a_question_ends_with_the_connection(server: Server, bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    bridge.is_deaf = True
    asking = asyncio.create_task(desk.link.ask(Directory(), timeout_s=60))
    await until(lambda: "directory" in bridge.verbs())
    server.kill()
    with pytest.raises(NoLink):
        await asyncio.wait_for(asking, 10)


async def test_a_watched_conversation_is_brought_up_to_date_after_an_outage(
    server: Server, bridge: Bridge, desk: Desk
) -> None:
    await desk.up()
    row = Row(conv="c1", rev=3, name="Anna Berg")
    old = Item(id="m1", seq=5, rev=5, kind="them", at_ms=1, text="before")
    new = Item(id="m2", seq=30, rev=30, kind="them", at_ms=2, text="meanwhile")
    pages = {None: (new,), 30: (old,)}

    def page(request: Request) -> Answer:
        before = thread_verb(request).before
        return ThreadPage(row=row, items=pages[before], has_more=before is None, upto=30)

    bridge.answers["thread"] = page
    await desk.link.ask(Thread(conversation="c1", watch=True, silent=True))
    await bridge.tell_thread(ThreadFeed(epoch="", n=0, upto=12, conv="c1", row=row, items=(old,)))
    await until(lambda: desk.heard.threads)
    bridge.asked.clear()
    server.kill()
    await desk.down()
    await server.start()
    await until(lambda: len(desk.heard.threads) >= 3, bound_s=30)
    assert [feed.items for feed in desk.heard.threads[1:3]] == [(new,), (old,)]
    again = [one for one in bridge.asked if isinstance(one, Thread)]
    assert [(one.watch, one.silent, one.before) for one in again[:2]] == [(True, True, None), (False, True, 30)]


async def test_what_was_opened_without_a_link_is_followed_when_it_is_back(
    server: Server, bridge: Bridge, desk: Desk
) -> None:
    await desk.up()
    server.kill()
    await desk.down()
    for conversation in ("c1", "c2"):
        with pytest.raises(NoLink):
            await desk.link.ask(Thread(conversation=conversation, watch=True))
    with pytest.raises(NoLink):
        await desk.link.ask(Unwatch(conversation="c1"))
    bridge.answers["thread"] = lambda request: ThreadPage(row=Row(conv="c2", rev=4), upto=10)
    await server.start()
    await until(lambda: desk.heard.threads, bound_s=30)
    assert {one.conversation for one in bridge.asked if isinstance(one, Thread)} == {"c2"}


async def test_a_damaged_seed_is_told_and_does_not_end_the_link(server: Server, tmp_path: Path) -> None:
    server.agent = Keys("SUAA", server.agent.public)
    desk = Desk(server, tmp_path)
    desk.start()
    await until(lambda: desk.link.status.state == "denied")
    await desk.stop()


async def test_a_key_that_is_not_enrolled_is_denied_and_let_in_later(
    server: Server, bridge: Bridge, tmp_path: Path
) -> None:
    server.let_in([AgentUser(AGENT, make_seed().public)])
    desk = Desk(server, tmp_path)
    desk.start()
    await until(lambda: desk.link.status.state == "denied", saying=lambda: desk.heard.statuses)
    assert "ask your lead" in desk.link.status.sentence
    server.let_in([AgentUser(AGENT, server.agent.public)])
    await desk.up()
    server.let_in([AgentUser(AGENT, make_seed().public)])
    await until(lambda: desk.link.status.state == "denied", saying=lambda: desk.heard.statuses)
    await desk.stop()


async def test_a_bridge_of_another_major_version_is_not_worked_with(bridge: Bridge, desk: Desk) -> None:
    bridge.answers["hello"] = lambda request: Welcome(version=2, epoch="e", me=ME, upto=1)
    await until(lambda: desk.link.status.state == "denied")
    assert "version 2" in desk.link.status.sentence


async def test_a_log_that_began_anew_is_taken_from_its_beginning(bridge: Bridge, desk: Desk) -> None:
    await until(lambda: desk.state.upto == 10)

    def hello(request: Request) -> Answer:
        if request.min > 0:
            return Refusal(code="behind", sentence="Not yet.", is_retryable=True)
        del bridge.answers["hello"]
        return Refusal(code="busy", sentence="Once more.", is_retryable=True)

    bridge.answers["hello"] = hello
    bridge.epoch, bridge.n, bridge.upto = "e2", 0, 2
    bridge.rows = (Row(conv="c9", rev=1, name="new log"),)
    await until(lambda: names(desk) == ["new log"])
    assert desk.state.upto == 2
    await desk.link.ask(Directory())
    assert bridge.asked[-1].min == 2


async def test_two_terminals_of_one_agent_do_not_wake_each_other_for_ever(
    server: Server, bridge: Bridge, desk: Desk, tmp_path: Path
) -> None:
    epochs = iter(range(2, 10_000))
    plain = bridge._welcome

    async def moved(hello: object, msg: object) -> None:
        bridge.epoch, bridge.n = f"e{next(epochs)}", 0
        await plain(hello, msg)  # type: ignore[arg-type]

    bridge._welcome = moved  # type: ignore[method-assign]
    await desk.up()
    other = Desk(server, tmp_path / "other")
    other.start()
    await other.up()
    await until(lambda: desk.state.epoch == other.state.epoch == bridge.epoch)
    count = len(bridge.since)
    await bridge.tell(Row(conv="c1", rev=50, name="Anna Berg", unread=1))
    await until(lambda: desk.state.rows["c1"].unread == 1 and other.state.rows["c1"].unread == 1)
    assert len(bridge.since) <= count + 2
    await other.stop()


async def test_what_is_too_long_is_refused_here(bridge: Bridge, desk: Desk) -> None:
    await desk.up()
    act = Note(id=desk.link.new_id(), conversation="c1", text="x" * MAX_REQUEST_BYTES)
    desk.link.post(act)
    await until(lambda: desk.heard.answers)
    answer = desk.heard.answers[0][1]
    assert isinstance(answer, Refusal) and answer.code == "bad"
    assert bridge.acts() == [] and desk.outbox.waiting == []


async def test_the_round_trip_is_measured(bridge: Bridge, desk: Desk) -> None:
    await until(lambda: desk.link.status.round_trip_ms is not None)


async def test_one_try_says_how_it_went(server: Server, bridge: Bridge) -> None:
    async def tried(seed: str, url: str = server.url) -> str:
        return (await try_once(server=url, agent=AGENT, seed=seed, timeout_s=1)).state

    assert await tried(server.agent.seed) == "up"
    assert await tried(make_seed().seed) == "denied"
    await bridge.stop()
    assert await tried(server.agent.seed) == "down"
    server.kill()
    assert await tried(server.agent.seed) == "down"


async def test_tls_is_never_given_up(server: Server, bridge: Bridge) -> None:
    outcome = await try_once(
        server=server.url.replace("nats:", "tls:"), agent=AGENT, seed=server.agent.seed, timeout_s=2
    )
    assert outcome.state == "down"
    assert bridge.asked == []


async def test_a_server_with_tls_is_trusted_by_its_certificate_alone(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.with_tls()
    await server.start()
    bridge = Bridge(server)
    await bridge.start()

    async def tried(ca: str) -> tuple[str, bool]:
        outcome = await try_once(server=server.url, agent=AGENT, seed=server.agent.seed, ca=ca, timeout_s=5)
        return outcome.state, "certificate" in outcome.sentence

    try:
        assert await tried(server.ca) == ("up", False)
        assert await tried("") == ("down", True)
        assert await tried("no certificate") == ("down", True)
    finally:
        await bridge.stop()
        server.kill()


async def test_a_link_ends_when_it_is_told_to_whatever_it_is_doing(
    server: Server, bridge: Bridge, tmp_path: Path
) -> None:
    desk = Desk(server, tmp_path, msgspec.structs.replace(PACE, measure_s=0, keep_s=0))
    for steps in range(40):
        desk.start()
        await desk.up()
        for _ in range(steps):
            await asyncio.sleep(0)
        ended = await desk.end(bound_s=3)
        assert ended, f"still running after {steps} steps"
    await desk.stop()
