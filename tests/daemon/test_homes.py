"""Requests reach any bridge, and an agent's home is one of them: what the others answer, the home keeps up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.policy import QueueRules
from broker_bridge.daemon import home as homes
from tests.daemon.small_house import Small

Pair = tuple[Small, Small]
RULES = {"orders": QueueRules(), "returns": QueueRules()}


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Ann works on the orders, and is at home at the first of two bridges; Bob owns a case of the returns."""
    home = Small(rules=RULES)
    home.parts.offers._offers_at_all = False
    home.enroll("ann", queues=("orders",))
    home.enroll("bob")
    home.enroll("olga", role="supervisor")
    home.case("case", queue="returns", customer="anna")
    home.log.put("conv", "case", f.Accepted(agent="bob", epoch=1))
    other = Small(log=home.log, keys=home.keys, presence=home.presence, boot="other", rules=RULES)
    async with home.working(), other.working():
        assert isinstance(await home.ask("ann", c.Hello()), v.Welcome)
        await told(home)
        yield home, other


async def told(home: Small) -> list[v.Row]:
    """Rows that Ann's terminal is sent now."""
    await home.catch_up()
    home.told.clear()
    await home.home.flush(home.home.feeds["ann"])
    feeds = [codec.feed(body) for subject, body in home.told if subject == "cc.view.ann.desk"]
    return [row for feed in feeds for row in feed.rows]


def signaled(home: Small, other: Small) -> None:
    """What the one bridge told of itself reaches the other."""
    for subject, body in other.told:
        if subject.startswith("cc.sig."):
            home.parts.signals.heard(subject, body)
    other.told.clear()


@pytest.mark.parametrize("request_", [c.Rows(view="all"), c.Search(text="hello")])
async def test_rows_that_another_bridge_gave_by_page_are_kept_up_to_date(pair: Pair, request_: c.Request) -> None:
    home, other = pair
    page = await other.ask("ann", request_)
    assert isinstance(page, v.RowPage)
    assert [row.conv for row in page.rows] == ["case"]
    signaled(home, other)
    assert await told(home) == []
    await other.done("bob", c.Close(id="close", conversation="case", disposition="solved"))
    assert [(row.conv, row.state) for row in await told(home)] == [("case", "closed")]


async def test_what_happened_to_a_paged_row_before_its_home_heard_of_it_is_told(pair: Pair) -> None:
    home, other = pair
    assert isinstance(await other.ask("ann", c.Rows(view="all")), v.RowPage)
    await other.done("bob", c.Close(id="close", conversation="case", disposition="solved"))
    assert await told(home) == []
    signaled(home, other)
    assert [(row.conv, row.state) for row in await told(home)] == [("case", "closed")]


async def test_a_strange_signal_of_a_page_changes_nothing(pair: Pair) -> None:
    home, _ = pair
    for name, body in (("x", b"{}"), ("0", b"\xff"), ("0", b'{"who":"nobody","conversations":["case"]}')):
        home.parts.signals.heard(f"cc.sig.page.{name}", body)
    assert await told(home) == []


async def test_a_name_that_was_corrected_at_another_bridge_is_in_the_rows(pair: Pair) -> None:
    home, other = pair
    home.log.put("conv", "case", f.Queued(queue="orders", reason="transferred"))
    await other.catch_up()
    assert [row.name for row in await told(home)] == ["Anna"]
    named = c.Describe(id="d", conversation="case", customer="anna", field="name", text="Anna Holm")
    await other.done("olga", named)
    assert [row.name for row in await told(home)] == ["Anna Holm"]


async def test_of_a_flood_a_feed_carries_a_part_and_the_rest_when_there_is_room(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every feed knew every case that waited: 100,000 of them at 500 agents are gigabytes."""
    home, _ = pair
    monkeypatch.setattr(homes, "MOST_ROWS", 4)
    for number in range(20):
        home.case(f"flood{number:02}")
    first = await told(home)
    assert len(first) == 2 * 4
    assert len(home.home.feeds["ann"].known) == 2 * 4
    for row in first[:7]:
        home.log.put("conv", row.conv, f.Closed(agent="bob", disposition="spam"))
    await told(home)
    again = {row.conv for row in await told(home)}
    assert len(again) == 4
    assert not again & {row.conv for row in first[:7]}


async def test_who_has_much_of_their_own_still_sees_what_waits(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    home, _ = pair
    monkeypatch.setattr(homes, "MOST_ROWS", 2)
    for number in range(5):
        home.case(f"hers{number}")
        home.log.put("conv", f"hers{number}", f.Accepted(agent="ann", epoch=1))
    assert len(await told(home)) == 5
    home.case("waits")
    assert [row.conv for row in await told(home)] == ["waits"]
