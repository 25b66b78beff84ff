"""Who may do what on the broker, as a table, and the proof that a real server keeps to it.

Law: every row is tried, not read from a configuration; `broker-bridge check` runs it against an external broker too. The accounts that
make the table true are generated in accounts.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from broker_bridge.daemon.accounts import (
    INBOX_BRIDGE,
    AgentUser,
    Keys,
    accounts_block,
    agent_account,
    agent_inbox,
    make_seed,
    public_of,
)
from broker_bridge.daemon.bus import Bus, BusError, Refused, Rejected, Unknown
from broker_bridge.daemon.wire import NO_STREAM_CODE, api

__all__ = [
    "INBOX_BRIDGE",
    "PERMISSION_TABLE",
    "AgentUser",
    "Keys",
    "Row",
    "accounts_block",
    "agent_account",
    "agent_inbox",
    "make_seed",
    "public_of",
    "verify",
]

log = logging.getLogger(__name__)

PROBE = "permcheck"
"""The token of every subject that a check may write to if a permission is missing."""
SETTLE_S = 0.3
"""How long a forged message is given to arrive where it must not."""


@dataclass(frozen=True, slots=True)
class Row:
    """One permission. `{me}` and `{other}` in the subject are two agents."""

    who: str
    """`agent`, `bridge` or `stranger` (no seed that the broker knows)."""
    action: str
    """`connect`, `publish`, `subscribe`, `ask` (request and get the answer), `hear` (the bridge publishes, it arrives), `forge` (an own
    request whose reply subject is `subject`: allowed would mean that the bridge's answer gets there)."""
    subject: str
    allowed: bool


def _rows(who: str, action: str, allowed: bool, *subjects: str) -> list[Row]:
    return [Row(who, action, subject, allowed) for subject in subjects]


PERMISSION_TABLE: tuple[Row, ...] = (
    *_rows("stranger", "connect", False, ""),
    *_rows("agent", "connect", True, ""),
    *_rows("bridge", "connect", True, ""),
    *_rows("agent", "ask", True, "cc.do.{me}.permcheck"),
    *_rows("agent", "hear", True, "cc.view.{me}.permcheck"),
    *_rows("agent", "hear", False, "cc.view.{other}.permcheck"),
    *_rows("agent", "publish", True, "cc.do.{me}.permcheck"),
    *_rows("agent", "subscribe", True, "cc.view.{me}.>", "cc.view.{me}.permcheck", "_INBOX_{me}.>"),
    *_rows("agent", "publish", False, "cc.do.{other}.permcheck", "cc.do.{me}", "cc.do.permcheck"),
    *_rows("agent", "publish", False, "cc.view.{me}.permcheck", "cc.view.{other}.permcheck"),
    *_rows("agent", "publish", False, "cc.log.conv.permcheck", "cc.in.permcheck.x.0", "cc.dead.permcheck"),
    *_rows("agent", "publish", False, "cc.audit.permcheck", "cc.ctx.permcheck", "cc.sig.typing.permcheck"),
    *_rows("agent", "publish", False, "$JS.API.INFO", "$JS.API.STREAM.INFO.LOG", "$JS.API.STREAM.LIST"),
    *_rows("agent", "publish", False, "$JS.API.CONSUMER.MSG.NEXT.IN.in-00", "$JS.ACK.IN.in-00.1.1.1.1.0"),
    *_rows("agent", "publish", False, "$KV.leases.permcheck", "$O.files.M.permcheck", "$SYS.REQ.SERVER.PING"),
    *_rows("agent", "publish", False, "_INBOX_{other}.permcheck", f"{INBOX_BRIDGE}.permcheck", "_INBOX.permcheck"),
    *_rows("agent", "publish", False, "_R_.permcheck", "$SRV.PING", "permcheck"),
    *_rows("agent", "subscribe", False, ">", "*", "*.>", "cc.>", "cc.*.>", "permcheck"),
    *_rows("agent", "subscribe", False, "cc.do.>", "cc.do.{me}.>", "cc.do.{other}.>", "cc.do.*.permcheck"),
    *_rows("agent", "subscribe", False, "cc.view.>", "cc.view.*.permcheck", "cc.view.{other}.>"),
    *_rows("agent", "subscribe", False, "cc.log.>", "cc.in.>", "cc.dead.>", "cc.audit.>", "cc.ctx.>", "cc.sig.>"),
    *_rows("agent", "subscribe", False, "$JS.>", "$JS.API.>", "$KV.>", "$O.>", "$SYS.>", "$SRV.>"),
    *_rows("agent", "subscribe", False, "_INBOX.>", f"{INBOX_BRIDGE}.>", "_INBOX_{other}.>", "_R_.>"),
    *_rows("agent", "forge", False, "cc.view.{other}.permcheck", "_INBOX_{other}.permcheck"),
    *_rows("agent", "forge", False, "cc.log.conv.permcheck", "cc.in.permcheck.x.0", "cc.do.{other}.permcheck"),
    *_rows("agent", "forge", False, f"{INBOX_BRIDGE}.permcheck", "$JS.API.STREAM.CREATE.permcheck"),
    *_rows("bridge", "subscribe", True, "cc.do.>", "cc.sig.>"),
    *_rows("bridge", "publish", True, "cc.view.{me}.permcheck", "$JS.API.INFO"),
    *_rows("bridge", "subscribe", False, ">", "$SYS.>", "_INBOX_{me}.>", "_INBOX.>"),
    *_rows("bridge", "publish", False, "$SYS.REQ.SERVER.PING", "_INBOX_{me}.permcheck"),
)


async def verify(url: str, bridge_seed: str, agent_seeds: Mapping[str, str]) -> list[Row]:
    """Try every row with the bridge and two agents; gives the rows that do not hold (none: all is well).

    Raises:
        ValueError: fewer than two agents.
        BusError: the broker does not let the bridge or an agent in at all.
    """
    if len(agent_seeds) < 2:
        raise ValueError("the check needs the seeds of two agents")
    (me, my_seed), (other, other_seed) = sorted(agent_seeds.items())[:2]
    buses: list[Bus] = []
    try:
        for name, seed, inbox in (
            ("bridge", bridge_seed, INBOX_BRIDGE),
            (me, my_seed, agent_inbox(me)),
            (other, other_seed, agent_inbox(other)),
        ):
            buses.append(await Bus.connect(url, seed=seed, name=f"check {name}", inbox_prefix=inbox, on_closed=_ignore))
        trial = _Trial(url, me, other, *buses)
        await trial.open()
        failed = []
        for row in PERMISSION_TABLE:
            concrete = replace(row, subject=row.subject.replace("{me}", me).replace("{other}", other))
            if await trial.is_allowed(concrete) != row.allowed:
                failed.append(concrete)
        return failed
    finally:
        for bus in buses:
            await bus.close()


def _ignore() -> None:
    return


class _Trial:
    """Tries single rows on three connections."""

    def __init__(self, url: str, me: str, other: str, bridge: Bus, mine: Bus, theirs: Bus) -> None:
        self._url = url
        self._me = me
        self._other = other
        self._bridge = bridge
        self._mine = mine
        self._theirs = theirs
        self._heard_by: dict[str, set[str]] = {"bridge": set(), "me": set(), "other": set()}

    async def open(self) -> None:
        """Listen wherever a message could arrive, and serve the probe's requests."""
        await self._bridge.serve("cc.do.*.permcheck", PROBE, self._answer)
        for bus, who, subjects in (
            (self._bridge, "bridge", ("cc.log.>", "cc.in.>", f"{INBOX_BRIDGE}.permcheck", f"cc.do.{self._other}.>")),
            (self._mine, "me", (f"cc.view.{self._me}.>",)),
            (self._theirs, "other", (f"cc.view.{self._other}.>", f"{agent_inbox(self._other)}.permcheck")),
        ):
            for subject in subjects:
                await bus.listen(subject, self._note(who))
            await bus.flush()

    async def is_allowed(self, row: Row) -> bool:
        """True if the server let it happen."""
        bus = self._bridge if row.who == "bridge" else self._mine
        if row.action == "connect":
            return await self._can_connect(row.who)
        if row.action == "ask":
            return await self._can_ask(row.subject)
        if row.action == "hear":
            return await self._can_hear(row.subject)
        if row.action == "forge":
            return await self._can_forge(row.subject)
        return await self._is_not_refused(bus, row)

    def _note(self, who: str) -> Callable[[str, bytes], None]:
        heard = self._heard_by[who]
        return lambda subject, _body: heard.add(subject)

    async def _answer(self, _subject: str, _body: bytes, _headers: dict[str, str]) -> bytes:
        # An answer that would make a stream, if it ever reached the API as a request.
        return msgspec.json.encode({"name": PROBE, "subjects": [PROBE], "storage": "memory"})

    async def _can_connect(self, who: str) -> bool:
        if who != "stranger":
            return self._bridge.connected and self._mine.connected
        for seed in (None, make_seed().seed):
            try:
                bus = await Bus.connect(
                    self._url, seed=seed, name="check stranger", inbox_prefix="_INBOX", on_closed=_ignore, timeout_s=5.0
                )
            except Refused:
                continue
            await bus.close()
            return True
        return False

    async def _is_not_refused(self, bus: Bus, row: Row) -> bool:
        bus.refusals.clear()
        if row.action == "publish":
            await bus.send(row.subject, b"")
        else:
            attached = await bus.attach(row.subject, lambda message: None)
            await bus.flush()
            await attached.close()
        await bus.flush()
        return not bus.refusals

    async def _can_ask(self, subject: str) -> bool:
        try:
            return PROBE.encode() in await self._mine.request(subject, b"", 5.0)
        except Unknown:
            return False

    async def _can_hear(self, subject: str) -> bool:
        mine = self._heard_by["me"]
        mine.discard(subject)
        await self._bridge.tell(subject, b"")
        await self._bridge.flush()
        await self._settle(lambda: subject in mine)
        return subject in mine

    async def _can_forge(self, subject: str) -> bool:
        reached = (self._heard_by["bridge"], self._heard_by["other"])
        for heard in reached:
            heard.clear()
        await self._mine.send(f"cc.do.{self._me}.permcheck", b"", reply=subject)
        await self._mine.flush()
        await self._settle(lambda: any(subject in heard for heard in reached))
        if any(subject in heard for heard in reached):
            return True
        return subject.startswith("$JS.API.") and await self._has_probe_stream()

    async def _has_probe_stream(self) -> bool:
        try:
            await api(self._bridge, f"STREAM.INFO.{PROBE}")
        except Rejected as error:
            if error.code == NO_STREAM_CODE:
                return False
            raise
        except BusError:
            # Without JetStream there is nothing to forge.
            return False
        await api(self._bridge, f"STREAM.DELETE.{PROBE}")
        return True

    async def _settle(self, is_done: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_S
        while loop.time() < deadline and not is_done():  # noqa: ASYNC110 - many lists are looked at, none tells
            await asyncio.sleep(0.01)
