"""The real window over as many rows as wanted, for a terminal that measures it: `python -m agent_tui.bench.window ROWS [feed]`.

With `feed`, a row in sight changes ten times a second and its text is the moment (monotonic ns) at which the link gave it.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from agent_tui.model.desk import DeskState
from agent_tui.model.linked import LinkStatus, Listener, NoLink
from agent_tui.workplace import Workplace
from broker_bridge.contract.commands import Act, Request
from broker_bridge.contract.ids import Mint
from broker_bridge.contract.views import Answer, Feed, Me, Row, Welcome

ME = Me(agent="bench", name="Bench", state="ready")
FEED_S = 0.1


def rows(count: int, now_ms: int) -> dict[str, Row]:
    """As many conversations, all the agent's own, the first waiting longest."""
    found = {}
    for number in range(count):
        conv = f"c{number:07}"
        found[conv] = Row(
            conv=conv,
            rev=1,
            number=f"B{number % 10000:04}",
            name=f"Sender {number}",
            channel="mail",
            state="mine",
            owner="bench",
            waiting_since_ms=now_ms - 3_600_000 + number % 3_000_000,
            unread=number % 3,
            text="my card was charged twice in the shop at the station and nobody there could tell me why",
            last_ms=now_ms - number,
            verbs=("reply", "note", "close"),
        )
    return found


class Quiet:
    """A link that brings nothing, or changes one row in sight again and again."""

    def __init__(self, state: DeskState, listener: Listener, is_feeding: bool) -> None:
        self._state = state
        self._listener = listener
        self._is_feeding = is_feeding
        self._mint = Mint(1)

    async def run(self) -> None:
        now_ms = _now_ms()
        self._listener.link_changed(LinkStatus(state="up", since_ms=now_ms, as_of_ms=now_ms, round_trip_ms=1))
        if not self._is_feeding:
            await asyncio.Event().wait()
        row = min(self._state.rows.values(), key=lambda one: (one.waiting_since_ms or 0, one.conv))
        number = 0
        while True:
            await asyncio.sleep(FEED_S * (0.9 + 0.2 * random.random()))
            number += 1
            row = msgspec.structs.replace(row, rev=number + 1, text=f"t{time.monotonic_ns()}.")
            feed = Feed(epoch="e", n=number, upto=number, rows=(row,))
            self._listener.desk_changed(self._state.apply_feed(feed))

    async def ask(self, request: Request, timeout_s: float = 5.0) -> Answer:
        raise NoLink("nobody is there")

    def post(self, act: Act) -> None:
        return None

    def new_id(self) -> str:
        return self._mint.new(_now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    from agent_tui.app import OneWindow
    from agent_tui.model.drafts import Drafts
    from agent_tui.model.outbox import Outbox

    count, is_feeding = int(sys.argv[1]), sys.argv[2:] == ["feed"]
    state = DeskState()
    state.welcome(Welcome(version=1, epoch="e", n=0, me=ME, upto=0))
    state.rows = rows(count, _now_ms())
    with tempfile.TemporaryDirectory(prefix="onewindow-bench-") as folder:
        place = Workplace(
            state=state,
            outbox=Outbox(Path(folder) / "outbox"),
            drafts=Drafts(Path(folder) / "drafts", _now_ms()),
            now_ms=_now_ms,
            status=LinkStatus(since_ms=_now_ms()),
        )
        # As `Opening.link` does before it makes the real one.
        gc.collect()
        gc.freeze()
        OneWindow(place, lambda listener: Quiet(state, listener, is_feeding)).run()


if __name__ == "__main__":
    main()
