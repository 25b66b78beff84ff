"""Decide, then append: every change of the truth goes through here, whoever wishes it.

Law: the entries of one decision are one atomic batch with the expected sequence of each aggregate; a lost race is folded again and
decided again; an append whose end is unknown is looked for by its command id before anything is repeated. At most one batch is in
flight: what arrived meanwhile goes together (group commit), and a failed group is repeated decision by decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from broker_bridge.contract import codec, subjects
from broker_bridge.contract.facts import Entry
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.states import CUST, Cell, States
from broker_bridge.daemon.wire import (
    BATCH_S,
    BusError,
    Busy,
    LostRace,
    Outgoing,
    Rejected,
    SeenBefore,
    Stored,
    StoreFull,
    TooLarge,
    Unavailable,
    Unknown,
)

log = logging.getLogger(__name__)

GROUP = 900
GROUP_BYTES = 3 * 1024 * 1024
TRIES = 12
TURNS_TO_GATHER = 3
"""Of the event loop, from a lock that is given back to the next decision in the queue: no time, only order."""
UNKNOWN_FOR_S = 15.0

T = TypeVar("T")


class Blocked(Exception):
    """The aggregate holds facts of a later version: read-only for this bridge."""


class Overloaded(Exception):
    """LOG is full, or the broker stayed away for 15 s: nothing was decided for certain."""


class Appends(Protocol):
    """What is needed of the bus."""

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored: ...

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = BATCH_S) -> Stored: ...


@dataclass(frozen=True, slots=True)
class Change:
    """One aggregate's entry, and the data key that its words go under."""

    cell: Cell
    expected: int
    """Sequence of the state that was decided on, taken before anything was awaited."""
    entry: Entry
    key: str


@dataclass(slots=True, eq=False)
class _Waiting:
    msgs: list[Outgoing]
    size: int
    done: asyncio.Future[int]


class LogWriter:
    """The one writer of LOG in a bridge. `run` must be running."""

    def __init__(
        self,
        bus: Appends,
        states: States,
        sealer: Sealer,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`clock`: monotonic seconds."""
        self._bus = bus
        self._states = states
        self._sealer = sealer
        self._clock = clock
        self._sleep = sleep
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self.is_full = False
        """LOG is past its limit for new work; outcomes of sends are still written."""
        self.committed = 0
        self.races = 0

    @property
    def has_work(self) -> bool:
        """Something waits to be written."""
        return bool(self._waiting)

    @asynccontextmanager
    async def hold(self, *wanted: tuple[str, str]) -> AsyncIterator[list[Cell]]:
        """The aggregates, locked in a fixed order (no two callers wait for each other), given in the order asked."""
        while True:
            cells = [self._states.cell(kind, name) for kind, name in wanted]
            taken: list[asyncio.Lock] = []
            try:
                for cell in sorted(cells, key=lambda one: (one.kind, one.name)):
                    await cell.lock.acquire()
                    taken.append(cell.lock)
                # While one lock was waited for, another cell may have been dropped from memory and made anew.
                if all(self._states.cell(cell.kind, cell.name) is cell for cell in cells):
                    yield cells
                    return
            finally:
                for lock in reversed(taken):
                    lock.release()

    async def decide(
        self, cells: Sequence[Cell], command: str, decision: Callable[[], tuple[Mapping[int, tuple[Entry, str]], T]]
    ) -> tuple[int, T]:
        """Take a decision on held cells until it stands in LOG.

        Args:
            command: id of the wish; found in the first cell's memory after an unknown end = done.
            decision: pure; gives entries by index of the cell with the name of their data key (none = nothing to write), and
                whatever the caller wants back. It may be called several times.

        Returns:
            (LOG sequence of the last entry, or 0; what the decision gave).

        Raises:
            Blocked, Overloaded.
        """
        started = self._clock()
        for attempt in range(TRIES):
            for cell in cells:
                if cell.blocked:
                    raise Blocked(cell.blocked)
            entries, given = decision()
            if not entries:
                return 0, given
            changes = [
                Change(cells[index], cells[index].state.seq, entry, key) for index, (entry, key) in entries.items()
            ]
            try:
                return await self._append(changes), given
            except LostRace:
                self.races += 1
                await self._reload(cells, started)
            except StoreFull as error:
                raise Overloaded("the log is full") from error
            except (Unknown, Busy):
                if self._clock() - started > UNKNOWN_FOR_S:
                    raise Overloaded("the broker did not confirm for 15 s") from None
                await self._sleep(min(1.0, 0.05 * 2**attempt))
                await self._reload(cells, started)
                if command and command in getattr(cells[0].state, "commands", {}):
                    return cells[0].state.seq, given
        raise Overloaded(f"{TRIES} races were lost in a row")

    async def _reload(self, cells: Sequence[Cell], started: float) -> None:
        while True:
            try:
                for cell in cells:
                    await self._states.reload(cell)
                return
            except BusError:
                if self._clock() - started > UNKNOWN_FOR_S:
                    raise Overloaded("the broker does not answer") from None
                await self._sleep(0.2)

    async def _append(self, changes: Sequence[Change]) -> int:
        msgs = []
        for change in changes:
            if change.cell.kind == CUST and not change.expected and change.key:
                await self._sealer.begin(change.key)
        for change in changes:
            sealed = await self._sealer.seal_entry(change.entry, change.key) if change.key else change.entry
            subject = subjects.log(change.cell.kind, change.cell.name)
            headers = {"Nats-Expected-Last-Subject-Sequence": str(change.expected)}
            msgs.append(Outgoing(subject, codec.encode(sealed), headers))
        last = await self._commit(msgs)
        for place, change in enumerate(changes):
            seq = last - len(changes) + 1 + place
            self._states.fold(change.cell, change.entry, seq)
            self._states.wrote(seq, change.entry)
        return last

    async def _commit(self, msgs: list[Outgoing]) -> int:
        waiting = _Waiting(msgs, sum(len(msg.body) for msg in msgs), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        try:
            return await waiting.done
        except asyncio.CancelledError:
            # Whoever decided is gone, and with it the lock: what is not yet on its way must not be written behind the back of the next.
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiting)
            raise

    async def run(self) -> None:
        """Write groups until cancelled; whoever waits then is told `Unknown`."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                # Whoever goes on because the last group is written gets a turn first: else the first of them is a group of one.
                for _ in range(TURNS_TO_GATHER):
                    await asyncio.sleep(0)
                while self._waiting:
                    await self._write_group(self._next_group())
        finally:
            for waiting in self._waiting:
                _end(waiting, Unavailable("the bridge is stopping"))
            self._waiting.clear()

    def _next_group(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        count, size = len(group[0].msgs), group[0].size
        subjects_taken = {msg.subject for msg in group[0].msgs}
        while self._waiting:
            following = self._waiting[0]
            count += len(following.msgs)
            size += following.size
            wanted = {msg.subject for msg in following.msgs}
            # In a batch only the first message of a subject is checked: two decisions on one aggregate never go together.
            if count > GROUP or size > GROUP_BYTES or subjects_taken & wanted:
                break
            subjects_taken |= wanted
            group.append(self._waiting.popleft())
        return group

    async def _write_group(self, group: list[_Waiting]) -> None:
        msgs = [msg for waiting in group for msg in waiting.msgs]
        try:
            last = (await self._bus.publish_batch(msgs)).seq
        except (LostRace, SeenBefore) as error:
            if len(group) == 1:
                _end(group[0], error)
                return
            for waiting in group:
                await self._write_group([waiting])
            return
        except BusError as error:
            if len(group) > 1 and isinstance(error, (TooLarge, Rejected)):
                # One decision that the broker does not take must not fail the others.
                for waiting in group:
                    await self._write_group([waiting])
                return
            for waiting in group:
                _end(waiting, error)
            return
        except asyncio.CancelledError:
            for waiting in group:
                _end(waiting, Unknown("the bridge is stopping"))
            raise
        self.committed += len(msgs)
        seq = last - len(msgs)
        for waiting in group:
            seq += len(waiting.msgs)
            if not waiting.done.done():
                waiting.done.set_result(seq)


def _end(waiting: _Waiting, error: Exception) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        waiting.done.set_exception(error)
