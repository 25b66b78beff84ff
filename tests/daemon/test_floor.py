"""The floor after a start is the floor that would have been seen entry by entry."""

from __future__ import annotations

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.daemon.floor import Floor
from tests.daemon.small_house import CAN, NOW_MS, Small, message

RING_MS = NOW_MS + 20_000
FAR_MS = NOW_MS + 3_600_000


def said(name: str, automatic: str = "") -> tuple[f.ConversationFact, ...]:
    opened = f.Opened(
        customer=f"cust-{name}",
        handle=f"hand-{name}",
        channel="chat",
        channel_kind=CAN["chat"][0],
        queue="orders",
        reply_within_s=60,
    )
    return opened, msgspec.structs.replace(message(name, channel="chat"), automatic=automatic)


OFFERED = f.Offered(agent="bob", until_ms=RING_MS)
QUEUED = f.Queued(queue="orders")
ANN = f.Accepted(agent="ann", epoch=1)
CLOSED = f.Closed(agent="ann", disposition="")
CASES: dict[str, tuple[f.ConversationFact, ...]] = {
    "waits": (*said("waits"), QUEUED),
    "nobody-waits": (*said("nobody-waits", "auto-replied"), QUEUED),
    "rings": (*said("rings"), QUEUED, OFFERED),
    "rings-at-all": (*said("rings-at-all"), QUEUED, f.Offered(agent="bob", also=("eve",), until_ms=RING_MS)),
    "owned": (*said("owned"), QUEUED, ANN),
    "sleeps": (*said("sleeps"), ANN, f.Snoozed(agent="ann", until_ms=FAR_MS)),
    "handed-on": (*said("handed-on"), ANN, OFFERED),
    "talked-about": (*said("talked-about"), ANN, OFFERED, f.TransferAccepted(agent="bob")),
    "closed": (*said("closed"), ANN, f.Closed(agent="ann", disposition="solved")),
    "in-wrap-up": (*said("in-wrap-up"), ANN, CLOSED, f.WrapUpBegan(agent="ann", mode="timed", until_ms=FAR_MS)),
    "closed-with-a-task": (*said("closed-with-a-task"), ANN, CLOSED, f.TaskAdded(task="t", agent="ann", due_ms=FAR_MS)),
    "merged": (*said("merged"), QUEUED, f.Merged(into="owned", agent="ann")),
}
LOADS = {"ann": 5 * 20, "bob": 4 * 20, "eve": 20}


def story(small: Small) -> None:
    for agent in LOADS:
        small.enroll(agent)
    for name, facts in CASES.items():
        small.log.put("conv", name, *facts)
        small.log.put("load", "bob", f.Given(conversation=name, units=20))


def seen(floor: Floor) -> dict[str, object]:
    """All that can be asked of a floor."""
    turn = floor.line.turn(NOW_MS)
    waiting = []
    while (one := turn.next()) is not None:
        waiting.append(one)
        floor.line.held(one.conversation, FAR_MS)
    return {
        "loads": {agent: floor.load(agent) for agent in LOADS},
        "index": {agent: floor.index_load(agent) for agent in LOADS},
        "held": {agent: floor.held_by(agent) for agent in LOADS},
        "wrapping": {agent: floor.wrapping(agent) for agent in LOADS},
        "line": waiting,
        "rings": sorted(floor.rung_out(RING_MS, 100)),
        "timers": sorted(floor.due_timers(FAR_MS, 100)),
        "too early": floor.is_current("bob", 10_000),
        "current": floor.is_current("bob", floor._given["bob"]),
        "known": {name: floor.standing(name) for name in CASES},
    }


async def test_a_start_finds_loads_lines_offers_and_timers_as_they_were() -> None:
    entry_by_entry = Small()
    await entry_by_entry.catch_up()
    story(entry_by_entry)
    for count in range(1, len(entry_by_entry.log.items) + 1):
        await entry_by_entry.follower.apply(entry_by_entry.log.items[:count])
    started = Small(log=entry_by_entry.log)
    await started.catch_up()
    found = seen(entry_by_entry.floor)
    assert found == seen(started.floor)
    assert found["loads"] == LOADS
    assert [one.conversation for one in found["line"]] == ["nobody-waits", "waits"]  # type: ignore[attr-defined]
    assert found["rings"] == ["handed-on", "rings", "rings-at-all"]
    assert found["timers"] == ["closed-with-a-task", "in-wrap-up", "sleeps"]
    assert found["wrapping"] == {"ann": "in-wrap-up", "bob": "", "eve": ""}


async def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    small = Small()
    small.enroll("ann")
    small.case("case", channel="chat")
    await small.catch_up()
    old = Small(log=small.log)
    await old.catch_up()
    small.log.put("conv", "case", ANN)
    await small.catch_up()
    small.floor.saw(old.state("case"))
    assert small.floor.load("ann") == 20
    assert "case" not in small.floor.line
