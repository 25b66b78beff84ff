"""`why` of a very long case: what is read is bounded, what decided is told as if all had been read, and what was left out is said."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import ConversationFact, Entry
from broker_bridge.contract.policy import Considered, Why
from broker_bridge.contract.words import Words
from broker_bridge.core import conversation, why
from broker_bridge.core.actor import Actor
from broker_bridge.daemon import whys
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.states import CONV
from broker_bridge.daemon.wire import Outgoing
from tests.daemon.small_house import NOW_MS, Small

SUBJECT = "cc.log.conv.case"
MAYA = Actor(agent="maya", name="Maya", queues=("orders",))
REASONS = Why(
    considered=(
        Considered(agent="maya", state="ready", is_fit=True, load=20, units=100, last_talk=True),
        Considered(agent="jonas", state="ready", is_fit=True, load=40, units=100),
    )
)


def said(number: int) -> tuple[str, tuple[ConversationFact, ...]]:
    if number % 2:
        words = Words(text=f"answer {number}", address="anna@example.se")
        reply = f.Replied(
            message=f"r{number}", agent="maya", channel="chat", channel_kind="webchat", handle="anna", words=words
        )
        return "agent:maya", (reply, f.Sending(message=f"r{number}", attempt=1, deadline_ms=NOW_MS, bridge="b"))
    received = f.Received(
        message=f"m{number}",
        item=f"i{number}",
        handle="anna",
        channel="chat",
        channel_kind="webchat",
        words=Words(text=f"text {number} " * 20, address="anna"),
    )
    return "clerk", (received,)


def history(before: int, after: int) -> Iterator[tuple[str, tuple[ConversationFact, ...]]]:
    """A long first stint, then it went back to the queue and was offered anew, then a long second one."""
    opened = f.Opened(customer="cust", handle="anna", channel="chat", channel_kind="webchat", queue="orders")
    yield "clerk", (opened, *said(0)[1], f.Queued(queue="orders"))
    yield "agent:jonas", (f.Accepted(agent="jonas", epoch=1),)
    for number in range(1, before):
        yield said(number)
    yield "router", (f.Queued(queue="orders", reason="Jonas went home"),)
    yield "router", (f.Offered(agent="maya", until_ms=NOW_MS + 10**9, units=20, why=REASONS),)
    yield "agent:maya", (f.Accepted(agent="maya", epoch=2),)
    for number in range(before, before + after):
        yield said(number)
    yield "agent:maya", (f.Prioritized(agent="maya", priority=2),)


async def written(
    bus: Bus, told: Iterator[tuple[str, tuple[ConversationFact, ...]]]
) -> tuple[Small, list[tuple[int, Entry]]]:
    """A house whose LOG is a real broker's, with one case in it."""
    entries = [Entry(at_ms=NOW_MS + place * 1_000, by=by, facts=facts) for place, (by, facts) in enumerate(told)]
    at_seq = 0
    for start in range(0, len(entries), 500):
        group = entries[start : start + 500]
        # Between them stands what other cases say.
        msgs = [Outgoing(SUBJECT, codec.encode(one), {}) for one in group]
        at_seq = (await bus.publish_batch([*msgs, Outgoing("cc.log.conv.other", b"{}", {})])).seq
    assert at_seq == len(entries) + -(-len(entries) // 500)
    found = [(seq, codec.entry(body)) for seq, body, _ in await bus.subject_messages("LOG", SUBJECT)]
    small = Small(now_ms=NOW_MS + len(entries) * 1_000)
    for agent in ("maya", "jonas"):
        small.enroll(agent)
    await small.catch_up()
    small.states.cell(CONV, "case").state = conversation.fold_all("case", found)
    small.parts.whys._bus = bus
    return small, found


@pytest.mark.parametrize(("before", "after"), [(1_500, 2_500), (60, 3_000), (3_000, 20), (3_000, 500)])
async def test_it_says_what_it_would_say_of_the_whole(bus: Bus, before: int, after: int) -> None:
    small, found = await written(bus, history(before, after))
    view = await small.parts.whys.of("case", MAYA)
    setting = small.parts.whys._setting(small.state("case"), MAYA)
    whole = why.explain("case", found, setting)
    assert (view.sentence, view.who, view.skipped, view.policy) == (
        whole.sentence,
        whole.who,
        whole.skipped,
        whole.policy,
    )
    assert view.sentence == "Of the two who are free and fit, you talked with this customer last."
    assert [one for one in view.lines if one.word != "…"] == list(whole.lines)
    gaps = [one.text for one in view.lines if one.word == "…"]
    assert 1 <= len(gaps) <= 2 and all(one.endswith("entries of its log are not looked at") for one in gaps)
    assert view.left_out == sum(int(one.split()[0].replace(",", "")) for one in gaps)
    assert len(found) - whys.MOST <= view.left_out < len(found)


async def test_a_case_that_is_not_long_is_read_whole(bus: Bus) -> None:
    small, found = await written(bus, history(400, whys.MOST - 406))
    assert len(found) == whys.MOST - 1
    view = await small.parts.whys.of("case", MAYA)
    assert view.left_out == 0 and "…" not in {one.word for one in view.lines}


async def test_hands_that_it_changed_where_nobody_looked_are_not_guessed(bus: Bus) -> None:
    told = list(history(200, 2_000))
    told[1_200] = ("agent:maya", (f.Transferred(agent="maya", to_agent="jonas"),))
    told[1_201] = ("agent:jonas", (f.TransferAccepted(agent="jonas"), f.Accepted(agent="jonas", epoch=3)))
    small, _ = await written(bus, iter(told))
    view = await small.parts.whys.of("case", MAYA)
    assert view.sentence == "Jonas has it." and not view.who


class Counting:
    """A broker's connection that knows how many messages were read through it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.read = 0

    async def subject_part(self, *where: str, **how: int) -> tuple[list[tuple[int, bytes]], int]:
        found = await cast(Any, self._bus).subject_part(*where, **how)
        self.read += len(found[0])
        return cast(tuple[list[tuple[int, bytes]], int], found)

    async def subject_end(self, stream: str, subject: str, most: int) -> Sequence[tuple[int, bytes]]:
        found = await self._bus.subject_end(stream, subject, most)
        self.read += len(found)
        return found


async def test_of_fifty_thousand_entries_at_most_a_thousand_are_read(
    bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    small, found = await written(bus, history(10_000, 40_000))
    asked = Counting(bus)
    small.parts.whys._bus = cast(Any, asked)
    tracemalloc.start()
    began_s = time.perf_counter()
    view = await small.parts.whys.of("case", MAYA)
    took_s = time.perf_counter() - began_s
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    with capsys.disabled():
        print(f"\nwhy of {len(found):,} entries: {asked.read} read, {took_s * 1000:.0f} ms, {peak / 1e6:.1f} MB")
    assert asked.read <= whys.MOST
    assert view.left_out >= len(found) - whys.MOST
    assert view.sentence == "Of the two who are free and fit, you talked with this customer last."


@pytest.mark.parametrize("count", [0, 1, 5, 40, 400])
async def test_the_end_of_a_subject_is_found_wherever_it_lies(bus: Bus, count: int) -> None:
    for part in range(4):
        mine = [Outgoing(SUBJECT, str(n).encode(), {}) for n in range(part, count, 4)]
        others = [Outgoing("cc.log.conv.other", b"x", {}) for _ in range(100)]
        await bus.publish_batch([*(mine if part % 2 else []), *others, *([] if part % 2 else mine)])
    whole = [(seq, body) for seq, body, _ in await bus.subject_messages("LOG", SUBJECT)]
    for most in (1, 3, 50, 1_000):
        end = await bus.subject_end("LOG", SUBJECT, most)
        assert end == whole[len(whole) - len(end) :] and min(len(whole), most) // 2 <= len(end) <= most
        first, more = await bus.subject_part("LOG", SUBJECT, start_seq=1, most=most)
        assert first == whole[:most] and more == max(0, len(whole) - most)
