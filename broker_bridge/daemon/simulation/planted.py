"""Bugs planted on purpose: each breaks one promise, and the checkers must find each in a bounded number of seeds, or they check nothing.
Those of the rules (routing, capacity, presence, timers) stand in plantedrules.py.

Law: a bug is one small change of the daemon, such as a tired person makes; it is put in for the length of one run and taken out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.core import conversation, outbound, wishes
from broker_bridge.daemon import logwriter
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.clerk import Clerk
from broker_bridge.daemon.dispatch import Dispatch
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.intake import Intake
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.simulation.fakereaders import FakePull
from broker_bridge.daemon.simulation.plantedrules import RULES, Change
from broker_bridge.daemon.states import KINDS, States
from broker_bridge.daemon.wire import Outgoing, Unknown


def _ack_before_store() -> list[Change]:
    """The provider is told 250 before the broker has said anything."""
    right = Intake.store

    async def store(self: Intake, envelope: Any) -> bool:
        async def later() -> None:
            try:
                await right(self, envelope)
            except Exception:  # noqa: BLE001 - this is how such a bug looks
                return

        self.in_the_background = asyncio.create_task(later())  # type: ignore[attr-defined]
        return True

    return [(Intake, "store", store)]


def _ack_before_log() -> list[Change]:
    """IN is told "done" before LOG has it."""
    right = Clerk._apply_until_done

    async def apply(self: Clerk, item: Any, stored: Any) -> None:
        await item.ack()
        await right(self, item, stored)

    return [(Clerk, "_apply_until_done", apply)]


def _no_expected_sequence() -> list[Change]:
    """An append does not say what it was decided on."""

    def outgoing(subject: str, body: bytes, headers: dict[str, str]) -> Outgoing:
        return Outgoing(subject, body, {})

    return [(logwriter, "Outgoing", outgoing)]


def _one_batch_two_decisions() -> list[Change]:
    """Two decisions on one aggregate go in one batch, of which only the first is checked (found by seed 87)."""

    def group(self: LogWriter) -> list[Any]:
        found = list(self._waiting)
        self._waiting.clear()
        return found

    async def commit(self: LogWriter, msgs: list[Outgoing]) -> int:
        waiting = logwriter._Waiting(msgs, 0, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        return await waiting.done

    return [(LogWriter, "_next_group", group), (LogWriter, "_commit", commit)]


def _unknown_taken_for_stored() -> list[Change]:
    """A timeout is taken for a success."""
    right = LogWriter._append

    async def append(self: LogWriter, changes: Any) -> int:
        try:
            return await right(self, changes)
        except Unknown:
            return 0

    return [(LogWriter, "_append", append)]


def _send_before_claim() -> list[Change]:
    """The provider is called first, the claim is written afterwards."""

    async def attempt(self: Dispatch, conversation: str, route: Any) -> None:
        state = self._states.cell("conv", conversation).state
        out = state.next_out()
        claim = outbound.claimed(out, self._boot, route.capabilities.send_timeout_s, self._now_ms())
        await self._call(conversation, route, out, claim)
        await self._tell(conversation, claim)

    return [(Dispatch, "_attempt", attempt)]


def _claim_without_deadline() -> list[Change]:
    """A claim is good for as long as any is believed, and not only until the provider must have answered."""
    right = outbound.claimed

    def claimed(out: Any, bridge: str, timeout_s: float, now_ms: int) -> f.Sending:
        claim = right(out, bridge, timeout_s, now_ms)
        return msgspec.structs.replace(claim, deadline_ms=now_ms + outbound.LONGEST_CALL_MS)

    return [(outbound, "claimed", claimed)]


def _claim_found_is_repeated() -> list[Change]:
    """A claim without an outcome is repeated, whether the provider drops repeats or not."""
    right = outbound.next_step

    def next_step(state: Any, is_idempotent: bool, now_ms: int, dead: Any = ()) -> Any:
        return right(state, True, now_ms, dead)

    return [(outbound, "next_step", next_step)]


def _retry_under_a_new_id() -> list[Change]:
    """Each attempt has an idempotency key of its own."""
    right = Dispatch._outbound

    def made(self: Dispatch, state: Any, out: Any) -> Any:
        found = right(self, state, out)
        return msgspec.structs.replace(found, message=f"{found.message}{out.attempt}") if out.attempt > 1 else found

    return [(Dispatch, "_outbound", made)]


def _fold_not_idempotent() -> list[Change]:
    """What this bridge appended is folded again when the follower comes to it."""

    def fold(self: States, cell: Any, entry: Any, seq: int) -> None:
        cell.state = KINDS[cell.kind].fold(cell.state, entry, seq)

    return [(States, "fold", fold)]


def _short_memory() -> list[Change]:
    """An item is known again only by the broker's window of ids."""
    right = conversation.fold

    def fold(state: Any, entry: Any, seq: int) -> Any:
        found = right(state, entry, seq)
        found.items.clear()
        return found

    kind = msgspec.structs.replace(KINDS["conv"], fold=fold)
    return [(ReadModel, "is_applied", lambda self, item: False), (KINDS, "conv", kind)]


def _feed_skips_a_change() -> list[Change]:
    """Every fifth change is not told."""
    right = Home.touch

    def touch(self: Home, conversation: str) -> None:
        self.touched = getattr(self, "touched", 0) + 1  # type: ignore[attr-defined]
        if self.touched % 5:  # type: ignore[attr-defined]
            right(self, conversation)

    return [(Home, "touch", touch)]


def _no_reset() -> list[Change]:
    """A lane is read on without a reset."""
    right = FakePull.__init__

    def init(self: FakePull, bus: Any, durable: str, *, batch: int, reset: bool) -> None:
        right(self, bus, durable, batch=batch, reset=False)

    return [(FakePull, "__init__", init)]


def _owner_not_checked() -> list[Change]:
    """Whoever had it once may still reply."""
    return [(wishes, "not_owner", lambda *args: None)]


def _audit_afterwards() -> list[Change]:
    """The answer does not wait for its audit record."""
    right = Audit.record

    async def record(self: Audit, *args: Any, **more: Any) -> None:
        async def later() -> None:
            try:
                await right(self, *args, **more)
            except Exception:  # noqa: BLE001 - this is how such a bug looks
                return

        self.in_the_background = asyncio.create_task(later())  # type: ignore[attr-defined]

    return [(Audit, "record", record)]


def _drafts_nowhere() -> list[Change]:
    """A draft is accepted and kept nowhere."""

    async def keep(self: Drafts, *args: Any) -> None:
        return None

    return [(Drafts, "keep", keep)]


def _failure_that_was_none() -> list[Change]:
    """An uncertain end is taken for a certain failure, and tried again."""
    right = Dispatch._tell

    async def tell(self: Dispatch, conversation: str, fact: Any) -> None:
        if isinstance(fact, f.SendUnknown):
            fact = outbound.failed(fact.message, fact.attempt, "unreachable", "", True, None, self._now_ms(), 0.5)
        await right(self, conversation, fact)

    return [(Dispatch, "_tell", tell)]


_BUGS = (
    _ack_before_store,
    _ack_before_log,
    _no_expected_sequence,
    _one_batch_two_decisions,
    _unknown_taken_for_stored,
    _send_before_claim,
    _claim_without_deadline,
    _claim_found_is_repeated,
    _retry_under_a_new_id,
    _fold_not_idempotent,
    _short_memory,
    _feed_skips_a_change,
    _no_reset,
    _owner_not_checked,
    _audit_afterwards,
    _drafts_nowhere,
    _failure_that_was_none,
)
BUGS: dict[str, Callable[[], list[Change]]] = {bug.__name__[1:]: bug for bug in (*_BUGS, *RULES)}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The daemon with one bug. Raises KeyError: no such bug."""
    changes = BUGS[name]()
    before = [_get(where, what) for where, what, _ in changes]
    for where, what, instead in changes:
        _set(where, what, instead)
    try:
        yield
    finally:
        for (where, what, _), right in zip(changes, before, strict=True):
            _set(where, what, right)


def _get(where: Any, name: str) -> Any:
    return where[name] if isinstance(where, dict) else getattr(where, name)


def _set(where: Any, name: str, value: Any) -> None:
    if isinstance(where, dict):
        where[name] = value
    else:
        setattr(where, name, value)
