"""The floor after a start is the floor that would have been seen entry by entry."""

from __future__ import annotations

from typing import Any

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.core import conversation as conv
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import CONV, States, encode_state

NOW_MS = 1_000_000
OPENED = f.Opened(customer="u", handle="h", channel="chat", channel_kind="webchat", queue="cards", reply_within_s=60)


def said(automatic: str = "") -> f.Received:
    return f.Received(message="m", item="i", handle="h", channel="chat", channel_kind="webchat", automatic=automatic)


OFFERED = f.Offered(agent="bob", until_ms=NOW_MS + 20_000)
CASES: dict[str, tuple[f.ConversationFact, ...]] = {
    "waits": (OPENED, said(), f.Queued(queue="cards")),
    "nobody-waits": (OPENED, said("auto-replied"), f.Queued(queue="cards")),
    "rings": (OPENED, said(), f.Queued(queue="cards"), OFFERED),
    "owned": (OPENED, said(), f.Queued(queue="cards"), f.Accepted(agent="ann", epoch=1)),
    "handed-on": (OPENED, said(), f.Accepted(agent="ann", epoch=1), OFFERED),
    "closed": (OPENED, said(), f.Accepted(agent="ann", epoch=1), f.Closed(agent="ann", disposition="solved")),
}


def state_of(name: str) -> conv.Conversation:
    return conv.fold(conv.begin(name), Entry(at_ms=NOW_MS, by="clerk", facts=CASES[name]), 1)


def test_a_start_finds_loads_lines_and_offers_as_they_were() -> None:
    model = ReadModel(None)
    nothing: Any = None
    seen = Floor()
    for name in CASES:
        state = state_of(name)
        model.keep(CONV, name, 1, encode_state(state))
        model.keep_conversation(state)
        seen.saw(state)
    model.commit(1)
    loaded = Floor()
    loaded.load_all(model, States(model, nothing, nothing))
    for floor in (seen, loaded):
        assert +floor.load == {"ann": 2, "bob": 2}
        assert floor.first_waiting(10, lambda queue: queue == "cards") == ["nobody-waits", "waits"]
        assert floor.first_waiting(10, lambda queue: False) == []
        assert floor.rung_out(NOW_MS + 30_000) and set(floor.rung_out(NOW_MS + 30_000)) == {"rings", "handed-on"}
