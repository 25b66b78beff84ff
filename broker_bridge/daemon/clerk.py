"""From IN into LOG: every item joins the right case, once.

Law: within a partition, items of one handle are taken in their order and one at a time, or, where several wait for a case that is
open, together as one entry; the ack goes to IN after LOG has it on disk. An item that fails three times, or
cannot be read, is copied to DEAD first and then acknowledged: nothing is dropped, no lane is blocked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract.envelopes import Receipt, Said, Stored, Unreadable
from broker_bridge.contract.facts import Entry
from broker_bridge.core import inbound, joins
from broker_bridge.core.definitions import Policy
from broker_bridge.core.state import MERGED, Conversation
from broker_bridge.daemon import crash
from broker_bridge.daemon.beginnings import Beginnings
from broker_bridge.daemon.logwriter import TRIES, Appends, Blocked, LogWriter, Overloaded
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.states import CONV, HAND, Cell, States
from broker_bridge.daemon.wire import BusError, Outgoing, TooLarge

log = logging.getLogger(__name__)

FAILURES_ALLOWED = 3
KIN_MS = 600_000
"""So long after a merge or a split the log itself is asked; later the read model surely knows what was applied."""
AT_ONCE = 512
MOST_MERGES = 1_000
"""Cases that went into one another, one after the other."""
TOGETHER = 16
"""Items of one handle in one entry, at most, and their bytes."""
TOGETHER_BYTES = 200_000


class InItem(Protocol):
    """What is needed of one message of IN."""

    body: bytes
    seq: int
    subject: str

    async def ack(self) -> None: ...

    async def in_progress(self) -> None: ...

    async def nak(self, delay_s: float = 0.0) -> None: ...


class InReader(Protocol):
    async def some(self, limit: int = 256) -> Sequence[InItem]: ...

    async def close(self) -> None: ...


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """One message of DEAD: what could not be applied, whole, with the reason."""

    item: str
    """Id of the inbound item, or of the source's sequence where even that could not be read."""
    channel: str
    source: str
    """`in`."""
    subject: str
    seq: int
    reason: str
    at_ms: int
    body: bytes


class Poisoned(Exception):
    """The item can never be applied as it is."""


class _NotTogether(Exception):
    """These items need to be looked at one by one."""


@dataclass(slots=True)
class _Run:
    """Items of one handle that came together, in order."""

    handle: str
    items: list[tuple[InItem, Stored]] = field(default_factory=list)
    size: int = 0


class Clerk:
    """Takes partitions of IN; `take` once for each that this bridge holds."""

    def __init__(
        self,
        *,
        bus: Appends,
        writer: LogWriter,
        states: States,
        sealer: Sealer,
        model: ReadModel,
        beginnings: Beginnings,
        read_all_written: Callable[[], Awaitable[None]],
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        policy: Callable[[], Policy] = Policy,
        ours: frozenset[str] = frozenset(),
    ) -> None:
        """`ours`: the site's own addresses, lower case. `read_all_written`: until the read model knows all that LOG holds."""
        self._bus = bus
        self._writer = writer
        self._states = states
        self._sealer = sealer
        self._model = model
        self._beginnings = beginnings
        self._read_all_written = read_all_written
        self._now_ms = now_ms
        self._sleep = sleep
        self._policy = policy
        self._ours = ours
        self._failures: Counter[int] = Counter()
        self._lanes: dict[str, asyncio.Lock] = {}
        self.stored: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()

    async def take(self, reader: InReader) -> None:
        """Apply the items of one partition until the reader is closed."""
        room = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as crew:
            while items := await reader.some():
                for run in await self._runs(items):
                    await room.acquire()
                    crew.create_task(self._apply_run(run, room))

    async def _runs(self, items: Sequence[InItem]) -> list[_Run]:
        """The items by handle, each in its order; what cannot be read is parked."""
        runs: list[_Run] = []
        last: dict[str, _Run] = {}
        for item in items:
            try:
                stored = codec.stored(item.body)
            except codec.Malformed as error:
                await self._park(item, None, f"not an item of IN: {error}")
                continue
            run = last.get(stored.handle)
            if run is None or len(run.items) >= TOGETHER or run.size + len(item.body) > TOGETHER_BYTES:
                run = last[stored.handle] = _Run(stored.handle)
                runs.append(run)
            run.items.append((item, stored))
            run.size += len(item.body)
        return runs

    async def _apply_run(self, run: _Run, room: asyncio.Semaphore) -> None:
        # One at a time for each handle, in the order of arrival: asyncio locks are first come, first served.
        lane = self._lanes.setdefault(run.handle, asyncio.Lock())
        try:
            async with lane:
                rest = run.items
                while rest:
                    if len(rest) > 1 and await self._join_all(run.handle, rest):
                        return
                    await self._apply_until_done(*rest[0])
                    rest = rest[1:]
        finally:
            room.release()
            if not lane.locked() and self._lanes.get(run.handle) is lane and not getattr(lane, "_waiters", None):
                del self._lanes[run.handle]

    async def _join_all(self, handle: str, items: Sequence[tuple[InItem, Stored]]) -> bool:
        """Append items to the open case of their handle as one entry; False: they are to be applied one by one."""
        current: str = self._states.cell(HAND, handle).state.conversation
        if not current:
            return False
        try:
            said = [(stored, await self._plain(stored)) for _, stored in items]
            async with self._writer.hold((CONV, current), (HAND, handle)) as cells:

                def decision() -> tuple[dict[int, tuple[Entry, str]], None]:
                    state: Conversation = cells[0].state
                    if all(stored.id in state.items for stored, _ in said):
                        # An append whose end was unknown had come through; the case may be merged by now.
                        return {}, None
                    now_ms = self._now_ms()
                    if cells[1].state.conversation != current or not state.is_open or _kin(state, now_ms):
                        raise _NotTogether
                    facts = inbound.follow_ups(state, said, self._policy(), now_ms)
                    if not facts:
                        return {}, None
                    return {0: (Entry(at_ms=now_ms, by="clerk", facts=facts), state.customer)}, None

                crash.point("in.before_log")
                await self._writer.decide(cells, "", decision)
        except (_NotTogether, Blocked, Overloaded, BusError):
            return False
        except Exception:
            # As in `_apply_until_done`: a bug must not stop the lane; one by one it is found out whose it is.
            log.exception("items failed together", extra={"seq": items[0][0].seq})
            return False
        crash.point("in.logged")
        for item, stored in items:
            self.stored[stored.channel] += 1
            await item.ack()
        return True

    async def _plain(self, stored: Stored) -> Said:
        """A message that says nothing of where it belongs but who sent it. Raises _NotTogether."""
        if self._failures or self._model.is_applied(stored.id):
            raise _NotTogether
        words = await self._sealer.open(stored.sealed)
        try:
            item = codec.item(words.text.encode())
        except codec.Malformed as error:
            raise _NotTogether from error
        if words.is_erased or not isinstance(item, Said) or item.token or item.words.references or item.words.mail_id:
            raise _NotTogether
        return item

    async def _apply_until_done(self, item: InItem, stored: Stored) -> None:
        while True:
            try:
                await self.apply(stored)
            except (Poisoned, Blocked, TooLarge) as error:
                await self._park(item, stored, str(error))
            except (Overloaded, BusError) as error:
                # The broker's fault, not the item's: it stays unacknowledged and is tried again here, in order.
                log.warning("item waits", extra={"seq": item.seq, "error": type(error).__name__})
                await item.in_progress()
                await self._sleep(1.0)
                continue
            except Exception as error:
                # The outermost loop of the clerk: a bug must not lose the item nor stop the lane.
                self._failures[item.seq] += 1
                log.exception("item failed", extra={"seq": item.seq, "failures": self._failures[item.seq]})
                if self._failures[item.seq] < FAILURES_ALLOWED:
                    continue
                await self._park(item, stored, f"{type(error).__name__} in the clerk")
            else:
                self.stored[stored.channel] += 1
                crash.point("in.logged")
                await item.ack()
            self._failures.pop(item.seq, None)
            return

    async def _park(self, item: InItem, stored: Stored | None, reason: str) -> None:
        name = stored.id if stored else ids.derived("in", str(item.seq))
        channel = stored.channel if stored else item.subject.split(".")[3]
        dead = Dead(
            item=name,
            channel=channel,
            source="in",
            subject=item.subject,
            seq=item.seq,
            reason=reason[:500],
            at_ms=self._now_ms(),
            body=item.body,
        )
        while True:
            try:
                await self._bus.publish(
                    Outgoing(subjects.dead("in"), msgspec.json.encode(dead), {"Nats-Msg-Id": f"dead-{name}-{item.seq}"})
                )
            except TooLarge:
                # It still lies in IN for the days that the janitor leaves it.
                dead = msgspec.structs.replace(
                    dead, body=b"", reason=f"{dead.reason} Its content is too large for a copy."
                )
                continue
            except BusError as error:
                log.warning("quarantine waits", extra={"seq": item.seq, "error": type(error).__name__})
                await item.in_progress()
                await self._sleep(1.0)
                continue
            break
        self.quarantined[channel] += 1
        log.error("item quarantined", extra={"seq": item.seq, "channel": channel})
        await item.ack()

    async def apply(self, stored: Stored) -> None:
        """Apply one item; applying it again changes nothing.

        Raises:
            Poisoned: it can never be applied.
            Blocked, Overloaded, BusError: not now.
        """
        if self._model.is_applied(stored.id):
            return
        words = await self._sealer.open(stored.sealed)
        if words.is_erased:
            raise Poisoned("its key is gone or it was sealed by another site")
        try:
            item = codec.item(words.text.encode())
        except codec.Malformed as error:
            raise Poisoned(f"its content is not of this version: {error}") from error
        crash.point("in.before_log")
        if isinstance(item, Receipt):
            await self._apply_receipt(stored, item)
        else:
            await self._apply_message(stored, item)

    async def _apply_receipt(self, stored: Stored, item: Receipt) -> None:
        conversation = self._conversation_of(item)
        if not conversation:
            # A provider may be quicker than the follower: only who has read everything can say that it is nobody's.
            await self._read_all_written()
            conversation = self._conversation_of(item)
        if not conversation:
            raise Poisoned("a receipt for a message that this site did not send")
        async with self._writer.hold((CONV, conversation)) as cells:
            state: Conversation = cells[0].state

            def decision() -> tuple[dict[int, tuple[Entry, str]], None]:
                try:
                    fact = inbound.receipt(cells[0].state, stored, item)
                except LookupError as error:
                    raise Poisoned(str(error)) from error
                if fact is None:
                    return {}, None
                return {0: (Entry(at_ms=self._now_ms(), by="clerk", facts=(fact,)), state.customer)}, None

            await self._writer.decide(cells, "", decision)

    def _conversation_of(self, item: Receipt) -> str:
        found = self._model.hinted("message", item.message) if item.message else []
        if not found and item.provider_id:
            found = self._model.hinted("provider", item.provider_id)
        return found[0][0] if found else ""

    def _referenced(self, item: Said | Unreadable) -> list[str]:
        """Conversations that the item's references name, most telling first; hints, to be confirmed."""
        found: list[str] = []
        if isinstance(item, Said) and item.token:
            found.append(item.token)
        for reference in reversed(item.words.references):
            ours = reference.partition("@")[0]
            for kind, value in (("message", ours), ("mail", reference)):
                for conversation, message in self._model.hinted(kind, value):
                    # Where the message stands now: it may have gone to a case of its own.
                    found.append(self._model.home_of(message) or conversation)
        return list(dict.fromkeys(self._led(one) for one in found))[:5]

    def _led(self, conversation: str) -> str:
        """Where a message for this case goes on, after merges."""
        for _ in range(MOST_MERGES):
            onward = joins.leads_to(self._states.cell(CONV, conversation).state)
            if onward == conversation:
                break
            conversation = onward
        return conversation

    async def _apply_message(self, stored: Stored, item: Said | Unreadable) -> None:
        for _ in range(TRIES):
            try:
                await self._place(stored, item)
            except LookupError:
                # The case was merged or erased while we waited for it: look again where the message belongs.
                continue
            return
        raise Overloaded(f"its case moved {TRIES} times in a row")

    async def _place(self, stored: Stored, item: Said | Unreadable) -> None:
        suggestion: tuple[str, str] | None = None
        for candidate in self._referenced(item):
            async with self._writer.hold((CONV, candidate), (HAND, stored.handle)) as cells:
                state: Conversation = cells[0].state
                if not inbound.takes(state, self._now_ms()):
                    continue
                is_named = isinstance(item, Said) and bool(item.token) and self._led(item.token) == candidate
                if is_named or inbound.is_participant(state, stored.handle, item.sender.address, self._ours):
                    await self._join(cells, stored, item)
                    return
                suggestion = (candidate, "it refers to a mail of that case, but the sender has no part in it")
        for _ in range(TRIES):
            if await self._by_handle(stored, item, suggestion):
                return
        raise Overloaded(f"the handle moved {TRIES} times in a row")

    async def _by_handle(self, stored: Stored, item: Said | Unreadable, suggestion: tuple[str, str] | None) -> bool:
        """Join the handle's conversation or begin one; False: another bridge moved the handle meanwhile."""
        current: str = self._states.cell(HAND, stored.handle).state.conversation
        if current:
            async with self._writer.hold((CONV, self._led(current)), (HAND, stored.handle)) as cells:
                if cells[1].state.conversation != current or cells[0].state.status == MERGED:
                    return False
                if not inbound.takes(cells[0].state, self._now_ms()):
                    # The handle may have been read from the log itself, past what the follower has brought of the conversation.
                    await self._states.reload(cells[0])
                if inbound.takes(cells[0].state, self._now_ms()):
                    await self._join(cells, stored, item)
                    return True
        return await self._beginnings.begin(stored, item, suggestion, current)

    async def _join(self, cells: list[Cell], stored: Stored, item: Said | Unreadable) -> None:
        """Append to a conversation that takes the item; cells are (conversation, handle)."""
        asked: set[str] = set()
        left = list(_kin(cells[0].state, self._now_ms()))
        while left:
            if (name := left.pop()) in asked:
                continue
            # It may have been applied there before the merge, further on in the log than the follower is.
            kin = self._states.cell(CONV, name)
            await self._states.reload(kin)
            if stored.id in kin.state.items:
                return
            asked.add(name)
            left += _kin(kin.state, self._now_ms())

        def decision() -> tuple[dict[int, tuple[Entry, str]], None]:
            state: Conversation = cells[0].state
            now_ms = self._now_ms()
            if stored.id not in state.items and not asked >= set(_kin(state, now_ms)):
                raise LookupError("another case came to it meanwhile")
            joined = inbound.follow_up(state, stored, item, self._policy(), now_ms)
            if joined is None:
                return {}, None
            entries = {0: (Entry(at_ms=now_ms, by="clerk", facts=joined.conv), state.customer)}
            if joined.handle:
                entries[1] = (Entry(at_ms=now_ms, by="clerk", facts=joined.handle), state.customer)
            return entries, None

        await self._writer.decide(cells, "", decision)


def _kin(state: Conversation, now_ms: int) -> tuple[str, ...]:
    """Cases whose messages came to this one lately: what was applied there must not be applied here again."""
    lately_ms = now_ms - KIN_MS
    found = tuple(name for name, one in state.merged.items() if one.at_ms > lately_ms)
    return (*found, state.split_from) if state.split_from and state.opened_ms > lately_ms else found
