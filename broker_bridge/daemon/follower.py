"""LOG in order, into the read model, and to everybody who waits for news.

Law: one follower a bridge; entries are applied in the order of the log, each group with its position in one transaction. An entry that
cannot be read blocks its aggregate (read-only here) and is counted; it stops nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from broker_bridge.contract import codec
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import opened
from broker_bridge.core import thread
from broker_bridge.core.conversation import ERASED, Conversation
from broker_bridge.daemon import crash, rearranged
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.states import CONV, CUST, KINDS, Cell, States, encode_state
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

GROUP = 256
KEY_PAUSE_S = 0.2


class LogItem(Protocol):
    seq: int
    subject: str
    body: bytes


class LogReader(Protocol):
    """What is needed of `bus.Follow`."""

    @property
    def pending(self) -> int: ...

    async def some(self, limit: int = 256) -> Sequence[LogItem]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class News:
    """One entry of LOG that has been applied."""

    kind: str
    name: str
    seq: int
    entry: Entry
    cell: Cell


Listener = Callable[[list[News]], None]


class Follower:
    """Applies the log; `run` until cancelled."""

    def __init__(self, model: ReadModel, states: States, sealer: Sealer, named: thread.Named) -> None:
        self._model = model
        self._states = states
        self._sealer = sealer
        self._named = named
        self._listeners: list[Listener] = []
        self._moved = asyncio.Condition()
        self.position = model.position
        self.is_caught_up = False
        self.unreadable = 0
        self.behind = 0
        """Entries that were waiting when the last group was read."""

    def listen(self, listener: Listener) -> None:
        """Call `listener` with each applied group; it must only take note."""
        self._listeners.append(listener)

    async def wait_for(self, seq: int, timeout_s: float) -> bool:
        """Whether LOG was applied up to `seq` within the time."""
        if self.position >= seq:
            return True
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self.position >= seq)
        except TimeoutError:
            return False
        return True

    async def run(self, reader: LogReader) -> None:
        """Apply until cancelled or until the reader is closed."""
        self.is_caught_up = reader.pending == 0
        while True:
            items = await reader.some(GROUP)
            if not items:
                return
            await self.apply(items)
            self.behind = reader.pending
            if self.behind == 0:
                self.is_caught_up = True
            async with self._moved:
                self._moved.notify_all()

    async def apply(self, items: Sequence[LogItem]) -> None:
        """Apply one group and commit it with its position."""
        news: list[News] = []
        touched: dict[tuple[str, str], Cell] = {}
        position = self.position
        for item in items:
            if item.seq <= position:
                continue
            applied = await self._apply(item)
            if applied is not None:
                news.append(applied)
                if applied.kind in KINDS:
                    touched[applied.kind, applied.name] = applied.cell
            position = item.seq
        for (kind, name), cell in touched.items():
            self._model.keep(kind, name, cell.state.seq, encode_state(cell.state), cell.blocked)
            if kind == CONV:
                self._model.keep_conversation(cell.state)
        crash.point("in.applied")
        self._model.commit(position)
        # Not earlier: whoever asks for this position reads lists that are written at the end of the group.
        self.position = position
        for listener in self._listeners:
            listener(news)

    async def _apply(self, item: LogItem) -> News | None:
        kind, _, name = item.subject.removeprefix("cc.log.").partition(".")
        try:
            entry = self._states.written(item.seq) or await self._opened(item)
        except codec.Malformed as error:
            self.unreadable += 1
            log.error("entry could not be read", extra={"seq": item.seq, "kind": kind, "error": str(error)[:200]})
            if kind not in KINDS:
                return None
            cell = self._states.cell(kind, name)
            cell.blocked = cell.blocked or str(error)
            cell.state.seq = max(cell.state.seq, item.seq)
            return News(kind, name, item.seq, Entry(at_ms=0, by="unknown", facts=()), cell)
        if kind == "count":
            for fact in entry.facts:
                if isinstance(fact, f.Counted):
                    self._model.add_counted(fact.channel, fact.stored, fact.quarantined)
            return None
        if kind not in KINDS:
            return None
        cell = self._states.cell(kind, name)
        self._states.fold(cell, entry, item.seq)
        if kind == CONV:
            self._add_items(cell.state, entry, item.seq)
        elif kind == CUST and any(isinstance(fact, f.Erased) for fact in entry.facts):
            self._sealer.forget(name)
        return News(kind, name, item.seq, entry, cell)

    async def _opened(self, item: LogItem) -> Entry:
        """The entry in the clear, as soon as its key can be had: a broker that is away must not end the following. Raises Malformed."""
        entry = codec.entry(item.body)
        while True:
            try:
                return await self._sealer.open_entry(entry)
            except BusError as error:
                log.warning("following waits", extra={"seq": item.seq, "error": type(error).__name__})
                await asyncio.sleep(KEY_PAUSE_S)

    def _add_items(self, state: Conversation, entry: Entry, seq: int) -> None:
        for place, fact in enumerate(entry.facts):
            item = thread.made(fact, entry, seq, place, self._named)
            if item is not None:
                words = opened(getattr(fact, "words", None))
                whole = words.text if item.is_cut else ""
                self._model.add_item(state.id, item, place, whole=whole, raw=getattr(fact, "raw", ""))
                spoken = "\n".join(
                    part
                    for part in (
                        words.text,
                        words.subject,
                        words.name,
                        words.address,
                        words.quote,
                        *(file.name for file in words.files),
                        *(one.address for one in (*words.to, *words.cc)),
                    )
                    if part
                )
                self._model.index_words(state.id, spoken)
            news = thread.updated(fact)
            if news is not None:
                known = self._model.item(news.message)
                fresh = thread.changed(known, news, seq) if known is not None else None
                if fresh is not None:
                    self._model.change_item(fresh)
            self._add_hints(state, fact)
            rearranged.apply(self._model, state, fact, entry, seq)
        if any(isinstance(fact, f.Opened) for fact in entry.facts):
            self._model.index_words(state.id, f"#{state.number}")
        if state.status == ERASED:
            self._model.erase(state.id)

    def _add_hints(self, state: Conversation, fact: f.Fact) -> None:
        applied = getattr(fact, "item", "")
        if applied:
            self._model.apply_item(applied, getattr(fact, "channel", ""), state.id)
        if isinstance(fact, f.Received):
            words = opened(fact.words)
            if words.mail_id:
                self._model.hint("mail", words.mail_id, state.id, fact.message)
            if words.client_id:
                self._model.hint("client", fact.message, state.id, words.client_id)
        elif isinstance(fact, f.Replied):
            self._model.hint("message", fact.message, state.id, fact.message)
        elif isinstance(fact, f.Sent) and fact.provider_id:
            self._model.hint("provider", fact.provider_id, state.id, fact.message)
