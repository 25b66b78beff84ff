"""Keeping in step with the private feed: hello, apply, notice what is missing, hello again.

Law: what comes while a hello is on its way is held until the welcome says where the feed stands, and applied then.
Hellos are at least `retry_s` apart. If epochs change again and again (two terminals of one agent take turns), ask for
everything: a full set serves both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent_tui.model.desk import Applied, DeskState
from agent_tui.model.linked import Listener, NoLink, Pace, State
from broker_bridge.contract import codec
from broker_bridge.contract.commands import VERSION, Hello, Refusal
from broker_bridge.contract.views import Answer, Beat, Feed, ThreadFeed, Welcome

Arrival = Feed | ThreadFeed | Beat

QUARREL_S = 10.0
"""Two foreign epochs within this time: somebody else says hello for this agent too."""
PATIENCE = 5
"""Hellos refused with `behind` before we take it that the bridge's log began anew."""

NO_BRIDGE = "The server is there, but no bridge answers. What you send waits here and leaves by itself."
LATER_BRIDGE = "The bridge speaks version {theirs} of the contract and this terminal {ours}: update the older one."


class Following:
    """Applies the feed of one connection after another to one DeskState."""

    def __init__(
        self,
        state: DeskState,
        listener: Listener,
        ask: Callable[[Hello], Awaitable[Answer]],
        tell: Callable[[State, str], None],
        now_ms: Callable[[], int],
        device: str,
        pace: Pace,
        jitter: Callable[[], float],
    ) -> None:
        """`ask` raises NoLink when nobody answered; `tell` is told how the link is now."""
        self.welcome: Welcome | None = None
        self._state = state
        self._listener = listener
        self._ask = ask
        self._tell = tell
        self._now_ms = now_ms
        self._device = device
        self._pace = pace
        self._jitter = jitter
        self._held: list[Arrival] | None = None
        self._stale = asyncio.Event()
        self._heard_s = 0.0
        self._foreign_s = -QUARREL_S

    def arrived(self, subject: str, body: bytes) -> None:
        """One message of `cc.view.<agent>.>`. What cannot be read counts as missed."""
        self._heard_s = asyncio.get_running_loop().time()
        try:
            arrival = _read(subject, body)
        except codec.Malformed:
            self._stale.set()
            return
        if arrival is None:
            return
        if self._held is not None:
            self._held.append(arrival)
        else:
            self._apply(arrival)

    async def run(self, welcomed: Callable[[int], Awaitable[None]]) -> None:
        """Until cancelled. After each welcome `welcomed(upto)` is awaited, with how far the desk was before it."""
        loop = asyncio.get_running_loop()
        while True:
            began_s, before = loop.time(), self._state.upto
            await self._hello()
            await welcomed(before)
            await self._out_of_step()
            await asyncio.sleep(max(0.0, began_s + self._pace.retry_s - loop.time()))

    async def _hello(self) -> None:
        """Say hello until it is answered by a welcome."""
        behind = 0
        while True:
            self._stale.clear()
            self._held = []
            try:
                since = self._state.upto
                answer = await self._ask(Hello(since=since, min=since, device=self._device))
                if isinstance(answer, Welcome) and answer.version == VERSION:
                    self._take(answer)
                    return
            except NoLink as error:
                self._tell("down", str(error) or NO_BRIDGE)
            else:
                behind = behind + 1 if isinstance(answer, Refusal) and answer.code == "behind" else 0
                self._refused(answer)
            finally:
                self._held = None
            if behind >= PATIENCE:
                self._state.begin_again()
            await asyncio.sleep(self._pace.retry_s * (1 + self._jitter()))

    def _take(self, welcome: Welcome) -> None:
        held, self._held = self._held or [], None
        self._heard_s = asyncio.get_running_loop().time()
        self.welcome = welcome
        self._changed(self._state.welcome(welcome))
        for arrival in held:
            # Of the feed that this welcome ended: its changes are in the set that follows.
            if arrival.epoch == welcome.epoch:
                self._apply(arrival)
        self._state.as_of_ms = self._now_ms()
        self._tell("up", "")

    def _refused(self, answer: Answer) -> None:
        if isinstance(answer, Welcome):
            self._tell("denied", LATER_BRIDGE.format(theirs=answer.version, ours=VERSION))
        elif isinstance(answer, Refusal):
            self._tell("down" if answer.is_retryable else "denied", answer.sentence)
        else:
            self._tell("down", NO_BRIDGE)

    async def _out_of_step(self) -> None:
        """Returns when something was missed, or after a silence."""
        loop = asyncio.get_running_loop()
        while not self._stale.is_set():
            left_s = self._heard_s + self._pace.silence_s - loop.time()
            if left_s <= 0:
                return
            try:
                async with asyncio.timeout(left_s):
                    await self._stale.wait()
            except TimeoutError:
                continue

    def _apply(self, arrival: Arrival) -> None:
        known = self._state.epoch
        if isinstance(arrival, Beat):
            counts = self._state.counts
            applied = Applied(hole=self._state.apply_beat(arrival), is_counts_changed=counts != self._state.counts)
        elif isinstance(arrival, Feed):
            applied = self._state.apply_feed(arrival)
        else:
            applied = self._state.apply_thread(arrival)
        if applied.hole:
            self._missed(is_foreign=arrival.epoch != known)
        else:
            self._state.as_of_ms = self._now_ms()
        self._changed(applied)
        # Items are whole and carry their own rev: a hole elsewhere does not make them less true.
        if isinstance(arrival, ThreadFeed) and arrival.epoch == self._state.epoch:
            self._listener.thread_changed(arrival)

    def _missed(self, *, is_foreign: bool) -> None:
        if is_foreign and not self._stale.is_set():
            now_s = asyncio.get_running_loop().time()
            if now_s - self._foreign_s < QUARREL_S:
                self._state.begin_again()
            self._foreign_s = now_s
        self._stale.set()

    def _changed(self, applied: Applied) -> None:
        if applied:
            self._listener.desk_changed(applied)


def _read(subject: str, body: bytes) -> Arrival | None:
    """What a message of the feed says; None for a kind of a later version.

    Raises:
        Malformed: it cannot be read.
    """
    kind = subject.split(".", 4)[3]
    if kind == "desk":
        return codec.feed(body)
    if kind == "thread":
        return codec.thread_feed(body)
    if kind == "beat":
        return codec.beat(body)
    return None
