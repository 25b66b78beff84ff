"""Facts of the machine, written one conversation at a time, with the places that they give: shared by router, timers and hand-back.

Law: whoever gives a place of an agent appends to the agent's load in the same batch, expecting the last sequence that its own picture
includes; so whatever many bridges believe at once, nobody is given more than fits. A bug in the decision on one case stops no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, CommandId, ConversationId
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.logwriter import Blocked, LogWriter
from broker_bridge.daemon.states import CONV, LOAD, Cell

log = logging.getLogger(__name__)

T = TypeVar("T")

FAILED = "cases that could not be decided on"
REST_MS = 60_000
"""How long a case is left alone whose decision failed."""
Make = Callable[[Conversation], tuple[Sequence[f.ConversationFact], CommandId]]
"""The facts for a conversation as it stands (none: nothing to do), and the id that makes them happen once (or empty)."""
Places = Sequence[tuple[AgentId, int]]


class Pen:
    """One for each bridge."""

    def __init__(
        self,
        writer: LogWriter,
        floor: Floor,
        now_ms: Callable[[], int],
        room: Callable[[AgentId], int],
        count: Callable[[str], None] = lambda what: None,
    ) -> None:
        """`room`: cost units that an agent carries at most."""
        self._writer = writer
        self._count = count
        self._failed: dict[ConversationId, int] = {}
        """Cases whose decision failed, and until when (ms) they are left alone."""
        self._floor = floor
        self._now_ms = now_ms
        self._room = room

    def is_room(self, loads: Sequence[Cell], gives: Places) -> bool:
        """Whether every place can be given, as far as all that was given before is known here."""
        return all(
            self._floor.is_current(agent, cell.state.seq) and self._floor.load(agent) + units <= self._room(agent)
            for cell, (agent, units) in zip(loads, gives, strict=True)
        )

    def attempt(self, conversation: ConversationId, decide: Callable[[], T]) -> T | None:
        """What is decided on this case; None also where the decision fails: the case is left alone for a minute then."""
        try:
            return decide()
        except Exception:
            # The outermost place of what the machine decides: else one case would end the router, and then that of the next leader.
            log.exception("a case could not be decided on", extra={"conversation": conversation})
            self._count(FAILED)
            self._failed[conversation] = self._now_ms() + REST_MS
            self._floor.line.held(conversation, self._failed[conversation])
            return None

    def _rests(self, conversation: ConversationId) -> bool:
        until_ms = self._failed.get(conversation)
        if until_ms is None:
            return False
        if 0 < until_ms - self._now_ms() <= REST_MS:
            return True
        del self._failed[conversation]
        return False

    async def write(self, conversation: ConversationId, by: str, make: Make, gives: Places = ()) -> bool:
        """Append what `make` finds; whether it was appended. Raises Overloaded, BusError."""
        if self._rests(conversation):
            return False
        async with self._writer.hold((CONV, conversation), *((LOAD, agent) for agent, _ in gives)) as cells:
            command = ""

            def decision() -> tuple[dict[int, tuple[Entry, str]], bool]:
                nonlocal command
                state: Conversation = cells[0].state
                if not self.is_room(cells[1:], gives):
                    return {}, False
                facts, command = self.attempt(conversation, lambda: make(state)) or ((), "")
                if not facts or (command and command in state.commands):
                    return {}, False
                now_ms = self._now_ms()
                entry = Entry(at_ms=now_ms, by=by, command=command, facts=tuple(facts))
                return {0: (entry, state.customer), **given(conversation, gives, now_ms, by)}, True

            try:
                _, is_done = await self._writer.decide(cells, "", decision)
            except Blocked:
                # Read-only here; the others must not wait behind it.
                return False
            finally:
                # Not only when the follower comes to it: the next round must not give the same place away again.
                self._floor.saw(cells[0].state)
            if is_done:
                self.gave(cells[1:], gives)
        return is_done

    def gave(self, loads: Sequence[Cell], gives: Places) -> None:
        """The places were given by us, on the newest picture: it includes them now."""
        for cell, (agent, _) in zip(loads, gives, strict=True):
            self._floor.gave(agent, cell.state.seq)


def given(
    conversation: ConversationId, gives: Places, now_ms: int, by: str, first: int = 1
) -> dict[int, tuple[Entry, str]]:
    """Entries of the loads, by index of their cells from `first` on."""
    return {
        first + place: (Entry(at_ms=now_ms, by=by, facts=(f.Given(conversation=conversation, units=units),)), "")
        for place, (_, units) in enumerate(gives)
    }
