"""Aggregates in memory: one object for each, shared by whoever decides and by the follower.

Law: a state here is never behind what this bridge has shown, and may be stale only in that another bridge has appended meanwhile; then the
expected sequence loses the race and `reload` reads the log itself. Nothing awaits between reading a state and deciding on it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from broker_bridge.contract import codec, subjects
from broker_bridge.contract.facts import Entry
from broker_bridge.core import colleague, conversation, customer, definitions, handle, shift
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer

CONV = "conv"
HAND = "hand"
CUST = "cust"
AGENT = "agent"
SHIFT = "shift"
LOAD = "load"
QUEUE = "queue"
HOUSE = "house"

_CACHED = 50_000
_OWN = 4_096


class _Kind(msgspec.Struct, frozen=True):
    begin: Callable[[str], Any]
    fold: Callable[[Any, Entry, int], Any]
    decode: Callable[[bytes], Any]


KINDS = {
    CONV: _Kind(conversation.begin, conversation.fold, msgspec.msgpack.Decoder(Conversation).decode),
    HAND: _Kind(handle.begin, handle.fold, msgspec.msgpack.Decoder(handle.Handle).decode),
    CUST: _Kind(customer.begin, customer.fold, msgspec.msgpack.Decoder(customer.Customer).decode),
    AGENT: _Kind(colleague.begin, colleague.fold, msgspec.msgpack.Decoder(colleague.Enrollment).decode),
    SHIFT: _Kind(shift.begin_shift, shift.fold_shift, msgspec.msgpack.Decoder(shift.Shift).decode),
    LOAD: _Kind(shift.begin_load, shift.fold_load, msgspec.msgpack.Decoder(shift.Load).decode),
    QUEUE: _Kind(
        definitions.begin_queue, definitions.fold_queue, msgspec.msgpack.Decoder(definitions.QueueDefinition).decode
    ),
    HOUSE: _Kind(
        definitions.begin_desk, definitions.fold_desk, msgspec.msgpack.Decoder(definitions.DeskDefinition).decode
    ),
}

encode_state = msgspec.msgpack.Encoder().encode


class Log(Protocol):
    """What is needed of the bus to read one aggregate from LOG."""

    async def subject_messages(
        self, stream: str, subject: str, *, start_seq: int = 1
    ) -> list[tuple[int, bytes, dict[str, str]]]: ...


@dataclass(slots=True)
class Cell:
    """One aggregate: its state, and the lock of whoever decides on it."""

    kind: str
    name: str
    state: Any
    blocked: str = ""
    """Why nothing may be decided on it here: a fact of a later version."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class States:
    """Every aggregate that was touched lately."""

    def __init__(self, model: ReadModel, sealer: Sealer, log: Log) -> None:
        self._model = model
        self._sealer = sealer
        self._log = log
        self._cells: OrderedDict[tuple[str, str], Cell] = OrderedDict()
        self._own: dict[int, Entry] = {}

    def cell(self, kind: str, name: str) -> Cell:
        """The aggregate as far as this bridge knows it: from memory, or from the read model."""
        key = (kind, name)
        found = self._cells.get(key)
        if found is not None:
            self._cells.move_to_end(key)
            return found
        kept = self._model.load(kind, name)
        state = KINDS[kind].decode(kept[0]) if kept else KINDS[kind].begin(name)
        cell = Cell(kind, name, state, kept[1] if kept else "")
        self._cells[key] = cell
        if len(self._cells) > _CACHED:
            self._drop_some()
        return cell

    def begin(self, kind: str, name: str) -> None:
        """An aggregate whose id was made just now: nobody has written it, and the read model need not be asked."""
        key = (kind, name)
        if key not in self._cells:
            self._cells[key] = Cell(kind, name, KINDS[kind].begin(name))

    def _drop_some(self) -> None:
        """Forget old ones that nobody holds and that the read model has."""
        position = self._model.position
        for key in [key for key, _ in zip(self._cells, range(_CACHED // 10), strict=False)]:
            cell = self._cells[key]
            if not cell.lock.locked() and cell.state.seq <= position:
                del self._cells[key]

    def wrote(self, seq: int, entry: Entry) -> None:
        """This bridge appended `entry`, and LOG holds it at `seq`."""
        self._own[seq] = entry
        if len(self._own) > _OWN:
            # The follower was faster than the acknowledgment, or is far behind: it reads these from LOG itself.
            for old in list(self._own)[: _OWN // 2]:
                del self._own[old]

    def written(self, seq: int) -> Entry | None:
        """The entry at `seq` if this bridge appended it: open as it was decided. Asked once."""
        return self._own.pop(seq, None)

    def fold(self, cell: Cell, entry: Entry, seq: int) -> None:
        """Apply an entry that is in LOG; one that was applied already changes nothing."""
        if cell.state.seq >= seq:
            return
        if cell.blocked:
            cell.state.seq = seq
        else:
            cell.state = KINDS[cell.kind].fold(cell.state, entry, seq)

    async def reload(self, cell: Cell) -> None:
        """Fold the aggregate anew from LOG itself: after a lost race, or when an append's end is unknown."""
        kind = KINDS[cell.kind]
        state, blocked = kind.begin(cell.name), ""
        if cell.kind == LOAD:
            # Of years of places given only the last sequence counts.
            state.seq = cell.state.seq
        subject = subjects.log(cell.kind, cell.name)
        for seq, body, _ in await self._log.subject_messages(subjects.LOG, subject, start_seq=state.seq + 1):
            try:
                entry = await self._sealer.open_entry(codec.entry(body))
            except codec.Malformed as error:
                blocked = blocked or str(error)
                state.seq = seq
                continue
            if blocked:
                state.seq = seq
            else:
                state = kind.fold(state, entry, seq)
        # While the log was read the follower may have come further: its work must not be undone, nobody would do it again.
        if state.seq >= cell.state.seq:
            cell.state, cell.blocked = state, blocked
