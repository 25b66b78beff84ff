"""Commands of agents become facts: authorize, decide, append, with the places that they take; merge and split over several cases.

Law: "done" is said only when it is on disk. A place is given on the newest picture of the agent's load, or the picture is waited for. What
was being written survives: the draft follows its case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import ids
from broker_bridge.contract.commands import Refusal
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, HandleId
from broker_bridge.contract.words import Words
from broker_bridge.core import customer as customers
from broker_bridge.core import joins, wishes
from broker_bridge.core import views as rules
from broker_bridge.core.actor import Actor, House
from broker_bridge.core.customer import Customer
from broker_bridge.core.decision import Decision, Facts, refuse
from broker_bridge.core.handle import Handle
from broker_bridge.core.state import NEW, Conversation
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.pen import Pen, Places, given
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import CONV, CUST, HAND, LOAD, Cell, States

PICTURE_WAIT_S = 0.5
PICTURES = 5
"""How often a newer picture of a load is waited for."""
Entries = Mapping[int, tuple[Entry, str]]


class _Stale(Exception):
    """Places were given, or something was said, that is not in this bridge's picture yet."""

    def __init__(self, seq: int) -> None:
        self.seq = seq


class Acting:
    """One for each bridge; `Desk` asks it."""

    def __init__(
        self,
        *,
        writer: LogWriter,
        states: States,
        model: ReadModel,
        follower: Follower,
        floor: Floor,
        pen: Pen,
        drafts: Drafts,
        house: Callable[[], House],
        now_ms: Callable[[], int],
    ) -> None:
        self._writer = writer
        self._states = states
        self._model = model
        self._follower = follower
        self._floor = floor
        self._pen = pen
        self._drafts = drafts
        self._house = house
        self._now_ms = now_ms

    def state(self, conversation: str) -> Conversation:
        found: Conversation = self._states.cell(CONV, conversation).state
        return found

    async def act(self, wish: c.Act, actor: Actor) -> tuple[int, Decision]:
        """(LOG sequence or 0, what was decided). Raises Blocked, Overloaded, BusError."""
        if isinstance(wish, c.Merge | c.Unmerge | c.Split) and wish.id in self.state(wish.conversation).commands:
            # Asked again: what was to be joined or parted stands elsewhere by now.
            if isinstance(wish, c.Merge):
                await self._take_along(wish.conversation, wish.into, actor.agent)
            return 0, Facts()
        for _ in range(PICTURES):
            try:
                if isinstance(wish, c.Merge):
                    return await self._merge(wish, wish.conversation, wish.into, actor)
                if isinstance(wish, c.Unmerge):
                    into = self.state(wish.conversation).merged_into
                    return await self._merge(wish, wish.conversation, into or wish.conversation, actor)
                if isinstance(wish, c.Split):
                    return await self._split(wish, actor)
                return await self._one(wish, actor)
            except _Stale as stale:
                await self._follower.wait_for(stale.seq, PICTURE_WAIT_S)
        return 0, Refusal(code="busy", sentence="Too much is given out at once. It is tried again.", is_retryable=True)

    async def _one(self, wish: c.Act, actor: Actor) -> tuple[int, Decision]:
        message = ids.derived("message", actor.agent, wish.id)
        state = self.state(wish.conversation)
        wanted = [(CONV, wish.conversation)]
        loads = _loads(wish, actor)
        wanted += [(LOAD, agent) for agent in loads]
        leads = isinstance(wish, c.Reopen) and bool(state.handle)
        if leads:
            wanted.append((HAND, state.handle))
        async with self._writer.hold(*wanted) as cells:
            gives: Places = ()

            def decision() -> tuple[Entries, Decision]:
                nonlocal gives
                state: Conversation = cells[0].state
                now_ms = self._now_ms()
                found = wishes.decide(state, wish, actor, self._house(), message, now_ms)
                if not isinstance(found, Facts) or not found.facts:
                    return {}, found
                by = f"agent:{actor.agent}"
                entries = {0: (Entry(at_ms=now_ms, by=by, command=wish.id, facts=found.facts), state.customer)}
                gives = found.gives
                self._check(cells[1 : 1 + len(gives)], gives)
                entries |= given(wish.conversation, gives, now_ms, by)
                if found.leads_handle and leads and self._may_lead(cells[-1].state.conversation, state.id):
                    began = Entry(at_ms=now_ms, by=by, command=wish.id, facts=(f.Began(conversation=state.id),))
                    entries[len(cells) - 1] = (began, state.customer)
                return entries, found

            seq, found = await self._writer.decide(cells, wish.id, decision)
            if seq:
                self._wrote(seq, cells[:1], cells[1 : 1 + len(gives)], gives)
        return seq, found

    def _check(self, loads: Sequence[Cell], gives: Places) -> None:
        for cell, (agent, _) in zip(loads, gives, strict=True):
            if not self._floor.is_current(agent, cell.state.seq):
                raise _Stale(cell.state.seq)

    def _wrote(self, seq: int, cases: Sequence[Cell], loads: Sequence[Cell], gives: Places) -> None:
        """It stands in the log, with `seq` as its last entry; or was found there after an unknown end, with `seq` as the case's own."""
        for cell in cases:
            self._floor.saw(cell.state)
        # Where it was found, others may have given since: the follower brings what. (Loads come after the case.)
        if seq != cases[0].state.seq:
            self._pen.gave(loads, gives)

    def _may_lead(self, current: str, wanted: str) -> bool:
        """Whether the handle's next message should go to the reopened case: not away from another open one."""
        return current != wanted and not (current and self.state(current).is_open)

    async def _merge(self, wish: c.Act, source: str, target: str, actor: Actor) -> tuple[int, Decision]:
        """Merge or un-merge. The draft goes along first (a crash between leaves it in both), unless it seems to be refused:
        words for one customer must not stand ready to be sent to another."""
        if source == target:
            return 0, refuse("bad", "A case cannot be merged with itself. Choose another one.")
        if NEW in (self.state(source).status, self.state(target).status):
            return 0, refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
        is_undo = isinstance(wish, c.Unmerge)
        is_likely = not is_undo and not isinstance(
            joins.merge(self.state(source), self.state(target), {}, actor, self._house()), Refusal
        )
        if is_likely:
            await self._drafts.follow(actor.agent, source, target)
        handles = _handles(self.state(source), self.state(target), is_undo=is_undo)
        async with self._writer.hold((CONV, source), (CONV, target), *((HAND, one) for one in handles)) as cells:
            by = f"agent:{actor.agent}"
            for cell in cells[2:]:
                if cell.state.conversation != (target if is_undo else source):
                    # Nothing is written to a handle that stays, so nothing says that this picture of it is old.
                    await self._states.reload(cell)

            def decision() -> tuple[Entries, Decision]:
                house, now_ms = self._house(), self._now_ms()
                if wish.id in cells[0].state.commands:
                    return {}, Facts()
                held: dict[str, Handle] = {cell.name: cell.state for cell in cells[2:]}
                if not held.keys() >= set(_handles(cells[0].state, cells[1].state, is_undo=is_undo)):
                    # Others came to it meanwhile, by another merge.
                    raise _Stale(cells[0].state.seq)
                both = cells[0].state, cells[1].state
                found = (
                    joins.unmerge(*both, held, actor, house, now_ms)
                    if is_undo
                    else joins.merge(*both, held, actor, house, now_ms)
                )
                if isinstance(found, Refusal):
                    return {}, found
                return _entries(found, cells, wish.id, now_ms, by), Facts()

            seq, found = await self._writer.decide(cells, wish.id, decision)
            if seq:
                self._wrote(seq, cells[:2], (), ())
        if seq and not is_undo:
            await self._take_along(source, target, "" if is_likely else actor.agent)
        return seq, found

    async def _take_along(self, source: str, target: str, by: str) -> None:
        """The drafts of a case that has gone into another, of whose it was and of who merged it; once more after a crash between.
        Raises BusError."""
        state = self.state(source)
        if state.merged_into == target:
            for agent in sorted({by, state.last_owner} - {""}):
                await self._drafts.follow(agent, source, target)

    async def _split(self, wish: c.Split, actor: Actor) -> tuple[int, Decision]:
        state = self.state(wish.conversation)
        if state.status == NEW:
            return 0, refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
        seen = state.seq
        if self._follower.position < seen:
            # What goes is asked of the thread: it must have all that the case has.
            raise _Stale(seen)
        new = ids.derived("split", actor.agent, wish.id)
        moved = self._moved(state, wish.message)
        if moved is None:
            return 0, refuse("unknown", "There is no such message in this conversation.")
        handles = list(dict.fromkeys(way.handle for way in state.ways.values()))
        wanted = [(CONV, state.id), (CONV, new), (LOAD, actor.agent), *((HAND, one) for one in handles)]
        async with self._writer.hold(*wanted) as cells:
            gives: Places = ()
            by = f"agent:{actor.agent}"

            def decision() -> tuple[Entries, Decision]:
                nonlocal gives
                if wish.id in cells[0].state.commands:
                    return {}, Facts()
                if cells[0].state.seq != seen:
                    raise _Stale(cells[0].state.seq)
                now_ms = self._now_ms()
                held: dict[str, Handle] = {cell.name: cell.state for cell in cells[3:]}
                found = joins.split(cells[0].state, cells[1].state, moved, held, actor, self._house(), now_ms)
                if isinstance(found, Refusal):
                    return {}, found
                gives = found.gives
                self._check(cells[2 : 2 + len(gives)], gives)
                entries = dict(_entries(found, cells, wish.id, now_ms, by, state.customer))
                return {**entries, **given(new, gives, now_ms, by, first=2)}, Facts()

            seq, found = await self._writer.decide(cells, wish.id, decision)
            if seq:
                self._wrote(seq, cells[:2], cells[2 : 2 + len(gives)], gives)
        return seq, found

    def _moved(self, state: Conversation, message: str) -> joins.Moved | None:
        """What goes with a split: this message and everything after it, as the thread has it."""
        first = self._model.item(message)
        if first is None or self._model.whole(state.id, message) is None:
            return None
        items = [one for one in self._model.items_after(state.id, first.seq - 1, 10_000) if one.kind != "event"]
        theirs = [one for one in items if one.kind in ("them", "unreadable")]
        ours = [one.seq for one in items if one.kind == "colleague" and not one.is_automatic]
        open_ones = [one for one in theirs if one.seq > max(ours, default=0)]
        return joins.Moved(
            from_seq=first.seq,
            messages=frozenset(one.id for one in items),
            text=items[-1].text[:200] if items else "",
            waits_since_ms=open_ones[0].at_ms if open_ones and state.waiting_since_ms is not None else None,
            unread=min(state.unread, len(open_ones)),
        )

    def is_described(self, wish: c.Describe) -> bool:
        """Whether this correction was done already."""
        customer: Customer = self._states.cell(CUST, wish.customer).state
        return wish.id in customer.commands

    async def describe(self, wish: c.Describe, actor: Actor) -> tuple[int, Refusal | None]:
        """Correct what is known of a customer: (LOG sequence, refusal)."""
        if wish.field not in customers.FIELDS:
            return 0, refuse("bad", f"There is no field {wish.field!r} of a customer.")
        state = self.state(wish.conversation)
        if state.customer != wish.customer or not rules.sees_addresses(state, actor):
            return 0, refuse("denied", "Only whoever answers this customer may change what is known of them.")
        if wish.field == "responsible" and wish.text and wish.text not in self._house().names:
            return 0, refuse("bad", f"There is no colleague {wish.text}. Pick one from the list.")
        async with self._writer.hold((CUST, wish.customer)) as cells:

            def decision() -> tuple[Entries, None]:
                if wish.id in cells[0].state.commands:
                    return {}, None
                fact = f.Described(field=wish.field, agent=actor.agent, words=Words(text=wish.text[:2_000]))
                entry = Entry(at_ms=self._now_ms(), by=f"agent:{actor.agent}", command=wish.id, facts=(fact,))
                return {0: (entry, wish.customer)}, None

            seq, _ = await self._writer.decide(cells, wish.id, decision)
        return seq, None


def _handles(source: Conversation, target: Conversation, *, is_undo: bool) -> list[HandleId]:
    """Those that a merge or its undoing may have to lead elsewhere."""
    known = target.merged.get(source.id)
    return list(known.handles if is_undo and known is not None else source.handles)[: joins.MOST_HANDLES]


def _loads(wish: c.Act, actor: Actor) -> tuple[AgentId, ...]:
    """Whose places a wish may take."""
    if isinstance(wish, (c.Accept, c.Reopen)):
        return (actor.agent,)
    if isinstance(wish, c.Transfer) and wish.to_agent:
        return (wish.to_agent,)
    return ()


def _entries(
    found: joins.Joined, cells: Sequence[Cell], command: str, now_ms: int, by: str, customer: str = ""
) -> Entries:
    """What becomes of each cell: source, target, then whatever handles are among them."""
    entries: dict[int, tuple[Entry, str]] = {}
    for place, facts in enumerate((found.source, found.target)):
        if facts:
            key = cells[place].state.customer or customer
            entries[place] = (Entry(at_ms=now_ms, by=by, command=command, facts=facts), key)
    leads = dict(found.handles)
    for place, cell in enumerate(cells):
        if cell.kind == HAND and cell.name in leads:
            began = f.Began(conversation=leads[cell.name])
            entries[place] = (Entry(at_ms=now_ms, by=by, command=command, facts=(began,)), cells[0].state.customer)
    return entries
