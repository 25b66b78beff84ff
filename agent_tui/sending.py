"""The outbox on its way: one wish at a time for each conversation, in order, until each has an answer.

Law: a wish leaves with the id it was made with, again and again, until the bridge says yes or a final no. A timeout
is not an answer. A later wish of the same conversation waits for it; other conversations do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent_tui.model.linked import NoLink, Pace
from agent_tui.model.outbox import Outbox
from broker_bridge.contract.commands import Act, Refusal
from broker_bridge.contract.views import Answer


class Sending:
    """Empties an outbox while the link is up."""

    def __init__(
        self,
        outbox: Outbox,
        call: Callable[[Act], Awaitable[Answer]],
        settled: Callable[[Act, Answer], None],
        pace: Pace,
        jitter: Callable[[], float],
    ) -> None:
        """`call` raises NoLink when nobody answered; `jitter` gives 0 to 1."""
        self._outbox = outbox
        self._call = call
        self._settled = settled
        self._pace = pace
        self._jitter = jitter
        self._wake = asyncio.Event()
        self._is_up = asyncio.Event()
        self._busy: set[str] = set()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._wake.set()

    def go(self, is_up: bool) -> None:
        """The link is up, or no longer. What is on its way runs into its own timeout."""
        if is_up:
            self._is_up.set()
        else:
            self._is_up.clear()

    async def run(self) -> None:
        """Until cancelled."""
        self._busy.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                for act in self._heads():
                    self._busy.add(act.conversation)
                    group.create_task(self._send(act))
                await self._wake.wait()

    def _heads(self) -> list[Act]:
        """The oldest wish of every conversation that has none on its way."""
        heads: dict[str, Act] = {}
        for act in self._outbox.waiting:
            if act.conversation not in self._busy:
                heads.setdefault(act.conversation, act)
        return list(heads.values())

    async def _send(self, act: Act) -> None:
        try:
            answer = await self._answer(act)
            if answer is not None:
                self._outbox.settle(act.id)
                self._settled(act, answer)
        finally:
            self._busy.discard(act.conversation)
            self._wake.set()

    async def _answer(self, act: Act) -> Answer | None:
        """The bridge's last word; None if the agent took the wish back meanwhile."""
        wait_s = self._pace.retry_s
        while True:
            await self._is_up.wait()
            if act.id not in self._outbox:
                return None
            self._outbox.mark_tried(act.id)
            try:
                answer = await self._call(act)
            except NoLink:
                pass
            else:
                if not (isinstance(answer, Refusal) and answer.is_retryable):
                    return answer
            await asyncio.sleep(wait_s * (1 + self._jitter()))
            wait_s = min(wait_s * 2, self._pace.most_retry_s)
