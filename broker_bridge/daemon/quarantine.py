"""What lies in DEAD and waits for an operator: how many items, and the newest of them.

Law: it asks the stream, counts nothing itself, and reads bodies only when something has changed. An item that was replayed waits no more;
if it fails again it is a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import msgspec

from broker_bridge.contract import subjects
from broker_bridge.daemon.clerk import Dead
from broker_bridge.daemon.verbs import Verbs
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

EVERY_S = 3.0
LOOKED_AT = 8
"""Of the newest items, until one is found that was not replayed: each may be a megabyte."""
REPLAYED = "cc.dead.replayed"
"""Each message names the sequence of an item that was put into IN again."""

_dead = msgspec.json.Decoder(Dead)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The state of DEAD."""

    count: int
    newest: int = 0
    """Sequence of the newest item, the number that `dead show` takes; 0: it was not found among the newest."""
    at_ms: int = 0
    channel: str = ""
    reason: str = ""


NOTHING = Waiting(count=0)


class Quarantine:
    """`run` until cancelled; `waiting` is what was found last."""

    def __init__(self, bus: Verbs, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._bus = bus
        self._sleep = sleep
        self._seen: tuple[int, int, int] | None = None
        self.waiting = NOTHING

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except BusError as error:
                log.warning("quarantine not looked at", extra={"error": type(error).__name__})
            await self._sleep(EVERY_S)

    async def look(self) -> None:
        """Find out anew, if the stream has changed. Raises BusError."""
        bounds = await self._bus.stream_bounds(subjects.DEAD)
        if bounds == self._seen:
            return
        items = subjects.dead("in")
        count = (await self._bus.subject_counts(subjects.DEAD, items)).get(items, 0)
        told = await self._bus.subject_messages(subjects.DEAD, REPLAYED) if count else []
        # Whoever cleared the older ones away has cleared away what was replayed of them.
        replayed = {int(body) for _, body, _ in told if int(body) >= bounds[0]}
        count = max(0, count - len(replayed))
        self.waiting = await self._newest(count, replayed) if count else NOTHING
        self._seen = bounds

    async def _newest(self, count: int, replayed: set[int]) -> Waiting:
        last = await self._bus.last_for(subjects.dead("in"), subjects.DEAD)
        found = [last] if last is not None else []
        if last is not None and last[0] in replayed:
            found = (await self._bus.subject_end(subjects.DEAD, subjects.dead("in"), LOOKED_AT))[::-1]
        for seq, body in found:
            if seq in replayed:
                continue
            try:
                dead = _dead.decode(body)
            except msgspec.DecodeError:
                # Of a later version: counted, and shown by its own commands.
                break
            return Waiting(count=count, newest=seq, at_ms=dead.at_ms, channel=dead.channel, reason=dead.reason)
        return Waiting(count=count)
