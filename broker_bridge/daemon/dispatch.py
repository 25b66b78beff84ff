"""Out of LOG to the customer: the fold is the outbound queue.

Law: the holder of a channel's lease sends what the fold shows as queued, oldest first, one in flight a conversation. `Sending` is
written before the provider is called and is the claim; the deadline is checked again after it; the outcome is written until it stands.
Nothing is sent twice by the machine, nothing disappears: see core.outbound for the rule after a crash.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Mapping

from broker_bridge.channel import Capabilities, Channel, Outbound, SendFailure, SendUncertain
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import opened
from broker_bridge.core import delivery, outbound
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.delivery import Outgoing
from broker_bridge.daemon import crash
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.logwriter import Blocked, LogWriter, Overloaded
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import CONV, Cell, States
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Sends under way at once on one channel."""


class Route:
    """One channel that this bridge may send on."""

    def __init__(self, channel: Channel, capabilities: Capabilities) -> None:
        self.channel = channel
        self.capabilities = capabilities
        self.is_held = False
        """This bridge has the channel's lease."""
        self.room = asyncio.Semaphore(AT_ONCE)


class Dispatch:
    """Sends for the channels that this bridge holds. `run` must be running."""

    def __init__(
        self,
        *,
        routes: Mapping[str, Route],
        writer: LogWriter,
        states: States,
        model: ReadModel,
        name_of: Callable[[str], str],
        boot: str,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
        is_gone: Callable[[str], bool] = lambda _: False,
        dead: Container[str] = (),
    ) -> None:
        """`boot`: names this run of this bridge in claims. `is_gone`: a channel is configured no more, and that is ours to see to.
        `dead`: boots that surely run no more.
        """
        self._is_gone = is_gone
        self._dead = dead
        self._routes = routes
        self._writer = writer
        self._states = states
        self._model = model
        self._name_of = name_of
        self._boot = boot
        self._now_ms = now_ms
        self._sleep = sleep
        self._random = random
        self._due: asyncio.Queue[str] = asyncio.Queue()
        self._working: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.Task[None]] = {}
        """Who looks again later: one for each conversation."""
        self._rested = asyncio.Event()
        self.is_draining = False
        self.sent: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    async def idle(self) -> None:
        """Wait until nothing is being sent."""
        while self._working:
            self._rested.clear()
            await self._rested.wait()

    def noticed(self, news: list[News]) -> None:
        """The follower's listener: whatever has work left is looked at."""
        for one in news:
            if one.kind == CONV and one.cell.state.out:
                self.wake(one.name)

    def wake(self, conversation: str) -> None:
        """Look at a conversation soon."""
        if conversation in self._working:
            self._again.add(conversation)
            return
        self._working.add(conversation)
        self._due.put_nowait(conversation)

    def hold(self, channel: str, is_held: bool) -> None:
        """The lease of a channel was gained or lost; gained: everything that waits on it is looked at."""
        route = self._routes.get(channel)
        if route is None or route.is_held == is_held:
            return
        route.is_held = is_held
        if is_held:
            offset = 0
            while found := self._model.ids("out_channel <> '' AND out_channel = ?", (channel,), 1_000, offset):
                offset += len(found)
                for conversation in found:
                    self.wake(conversation)

    def look_at_gone(self) -> None:
        """See to channels that are configured no more: their replies fail aloud instead of waiting for ever."""
        for (channel,) in self._model.db.execute(
            "SELECT DISTINCT out_channel FROM conversation WHERE out_channel <> ''"
        ).fetchall():
            if channel not in self._routes and self._is_gone(channel):
                for conversation in self._model.ids("out_channel <> '' AND out_channel = ?", (channel,), 100_000):
                    self.wake(conversation)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as crew:
            while True:
                crew.create_task(self._work(await self._due.get(), crew))

    async def _work(self, conversation: str, crew: asyncio.TaskGroup) -> None:
        look_again_ms: int | None = None
        try:
            look_again_ms = await self._advance(conversation)
        except (Overloaded, Blocked) as error:
            log.warning("dispatch waits", extra={"conversation": conversation, "reason": type(error).__name__})
            look_again_ms = self._now_ms() + 2_000
        except Exception:
            # The outermost loop of dispatch: a bug in one message must not stop the others.
            log.exception("dispatch failed", extra={"conversation": conversation})
            look_again_ms = self._now_ms() + 60_000
        finally:
            self._working.discard(conversation)
            self._rested.set()
        if conversation in self._again:
            self._again.discard(conversation)
            self.wake(conversation)
        elif look_again_ms is not None:
            earlier = self._timers.pop(conversation, None)
            if earlier is not None:
                earlier.cancel()
            self._timers[conversation] = crew.create_task(self._later(conversation, look_again_ms))

    async def _later(self, conversation: str, at_ms: int) -> None:
        await self._sleep(max(0.01, (at_ms - self._now_ms()) / 1000))
        self._timers.pop(conversation, None)
        self.wake(conversation)

    async def _advance(self, conversation: str) -> int | None:
        """Do what there is to do; gives when to look again, or None."""
        while True:
            state: Conversation = self._states.cell(CONV, conversation).state
            out = state.next_out()
            route = self._routes.get(out.fact.channel) if out else None
            if out is not None and route is None and self._is_gone(out.fact.channel):
                if out.state == delivery.SENDING and self._now_ms() <= out.deadline_ms:
                    return out.deadline_ms + 1
                async with self._writer.hold((CONV, conversation)) as cells:
                    await self._writer.decide(
                        cells, "", functools.partial(_abandoned, cells[0], self._boot, self._now_ms())
                    )
                self.failed[out.fact.channel] += 1
                continue
            if out is None or route is None or not route.is_held or self.is_draining:
                return None
            step, out, at_ms = outbound.next_step(state, route.capabilities.idempotent_send, self._now_ms(), self._dead)
            if out is None or step == outbound.NOTHING:
                return None
            if step == outbound.WAIT:
                return at_ms
            if step == outbound.GIVE_UP:
                reason = "the bridge stopped while it was being sent"
                await self._tell(
                    conversation, f.SendUnknown(message=out.fact.message, attempt=out.attempt, reason=reason)
                )
                self.unknown[out.fact.channel] += 1
                continue
            async with route.room:
                await self._attempt(conversation, route)

    async def _attempt(self, conversation: str, route: Route) -> None:
        timeout_s = route.capabilities.send_timeout_s
        ours: f.Sending | None = None
        crash.point("out.before_claim")
        async with self._writer.hold((CONV, conversation)) as cells:

            def decision() -> tuple[dict[int, tuple[Entry, str]], tuple[Outgoing, f.Sending] | None]:
                nonlocal ours
                state: Conversation = cells[0].state
                now_ms = self._now_ms()
                step, out, _ = outbound.next_step(state, route.capabilities.idempotent_send, now_ms, self._dead)
                if ours is not None and out is not None and _is_claim(out, ours):
                    # Its answer was lost on the way; it stands in the log, and nobody has called the provider under it.
                    return {}, (out, ours)
                if step != outbound.CLAIM or out is None:
                    return {}, None
                ours = outbound.claimed(out, self._boot, timeout_s, now_ms)
                return {0: (Entry(at_ms=now_ms, by="dispatch", facts=(ours,)), state.customer)}, (out, ours)

            _, claimed = await self._writer.decide(cells, "", decision)
        if claimed is None:
            return
        out, claim = claimed
        crash.point("out.claimed")
        if self._now_ms() + timeout_s * 1000 > claim.deadline_ms or not route.is_held:
            # The claim took so long that the call could outlast its deadline: certainly nothing has left.
            await self._failed(
                conversation, route, claim, SendFailure("unreachable", "the bridge was too slow to begin")
            )
            return
        await self._call(conversation, route, out, claim)

    async def _call(self, conversation: str, route: Route, out: Outgoing, claim: f.Sending) -> None:
        state: Conversation = self._states.cell(CONV, conversation).state
        try:
            async with asyncio.timeout(route.capabilities.send_timeout_s):
                provider_id = await route.channel.send(self._outbound(state, out))
                crash.point("out.called")
        except SendFailure as failure:
            await self._failed(conversation, route, claim, failure)
        except (SendUncertain, TimeoutError) as error:
            self.unknown[out.fact.channel] += 1
            reason = str(error) or "the provider did not answer in time"
            await self._tell(conversation, f.SendUnknown(message=claim.message, attempt=claim.attempt, reason=reason))
        else:
            self.sent[out.fact.channel] += 1
            await self._tell(
                conversation, f.Sent(message=claim.message, attempt=claim.attempt, provider_id=provider_id)
            )
            crash.point("out.told")

    async def _failed(self, conversation: str, route: Route, claim: f.Sending, failure: SendFailure) -> None:
        self.failed[route.channel.name] += 1
        fact = outbound.failed(
            claim.message,
            claim.attempt,
            failure.code,
            failure.reason,
            failure.retryable,
            failure.retry_after_s,
            self._now_ms(),
            self._random(),
        )
        log.info(
            "send failed",
            extra={
                "conversation": conversation,
                "code": failure.code,
                "attempt": claim.attempt,
                "is_final": fact.retry_at_ms is None,
            },
        )
        await self._tell(conversation, fact)

    async def _tell(self, conversation: str, fact: f.ConversationFact) -> None:
        """Write an outcome, for as long as it takes."""
        while True:
            try:
                async with self._writer.hold((CONV, conversation)) as cells:
                    await self._writer.decide(cells, "", functools.partial(_outcome, cells[0], fact, self._now_ms()))
                return
            except (Overloaded, BusError) as error:
                log.warning(
                    "outcome waits for the log", extra={"conversation": conversation, "error": type(error).__name__}
                )
                await self._sleep(1.0)

    def _outbound(self, state: Conversation, out: Outgoing) -> Outbound:
        words = opened(out.fact.words)
        return Outbound(
            message=out.fact.message,
            conversation=state.id,
            handle=out.fact.handle,
            address=words.address,
            text=words.text,
            subject=words.subject,
            to=words.to,
            cc=words.cc,
            files=words.files,
            from_name=self._name_of(out.fact.agent) if out.fact.agent else "",
            in_reply_to=words.mail_id,
            references=words.references,
            at_ms=out.at_ms,
            seq=out.seq,
            is_automatic=bool(out.fact.automatic),
        )


def _is_claim(out: Outgoing, claim: f.Sending) -> bool:
    return (out.fact.message, out.attempt, out.bridge, out.deadline_ms) == (
        claim.message,
        claim.attempt,
        claim.bridge,
        claim.deadline_ms,
    )


def _outcome(cell: Cell, fact: f.ConversationFact, now_ms: int) -> tuple[dict[int, tuple[Entry, str]], None]:
    """The entry of an outcome, unless a later attempt has made a failure meaningless."""
    state: Conversation = cell.state
    if isinstance(fact, (f.SendFailed, f.SendUnknown)) and state.is_superseded(fact.message, fact.attempt):
        return {}, None
    return {0: (Entry(at_ms=now_ms, by="dispatch", facts=(fact,)), state.customer)}, None


def _abandoned(cell: Cell, boot: str, now_ms: int) -> tuple[dict[int, tuple[Entry, str]], None]:
    """The end of the oldest reply, whose channel is no longer set up: failed if it never left, else unknown."""
    state: Conversation = cell.state
    out = state.next_out()
    if out is None:
        return {}, None
    reason = f"the channel {out.fact.channel} is no longer set up; choose another one and write it again"
    facts: tuple[f.ConversationFact, ...]
    if out.state == delivery.SENDING:
        facts = (f.SendUnknown(message=out.fact.message, attempt=out.attempt, reason=reason),)
    else:
        # Claimed and given up at once: what waits can only fail as an attempt.
        claim = f.Sending(message=out.fact.message, attempt=out.attempt + 1, deadline_ms=now_ms, bridge=boot)
        end = f.SendFailed(message=claim.message, attempt=claim.attempt, code="misconfigured", reason=reason)
        facts = (claim, end)
    return {0: (Entry(at_ms=now_ms, by="dispatch", facts=facts), state.customer)}, None
