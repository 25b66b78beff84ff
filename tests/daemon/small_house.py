"""One bridge's parts over a log in memory: for tests of what happens between two awaits, where a real broker is too quick or too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from broker_bridge.channel import Capabilities, Channel
from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.facts import AnyFact, Entry
from broker_bridge.contract.policy import DeskRules, Disposition, QueueRules
from broker_bridge.contract.words import Words
from broker_bridge.core import thread
from broker_bridge.core.inbound import Source
from broker_bridge.core.presence import Presence
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.dispatch import Route
from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.parts import Parts
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.states import CONV
from broker_bridge.daemon.supervise import Supervised
from broker_bridge.daemon.verbs import Verbs
from broker_bridge.daemon.wire import LostRace, Outgoing, Stored

NOW_MS = 1_795_000_000_000
EXPECT = "Nats-Expected-Last-Subject-Sequence"


@dataclass
class LogItem:
    seq: int
    subject: str
    body: bytes


class Log:
    """LOG, AUDIT and DEAD as one stream with the check of the expected sequence."""

    def __init__(self) -> None:
        self.items: list[LogItem] = []
        self.before_reading: Callable[[], Awaitable[None]] | None = None
        self.after_reading: Callable[[], Awaitable[None]] | None = None

    def _last(self, subject: str) -> int:
        return max((item.seq for item in self.items if item.subject == subject), default=0)

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored:
        return await self.publish_batch([msg])

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = 10.0) -> Stored:
        for msg in msgs:
            expected = msg.headers.get(EXPECT)
            if expected is not None and int(expected) != self._last(msg.subject):
                raise LostRace("wrong last sequence")
        for msg in msgs:
            self.items.append(LogItem(len(self.items) + 1, msg.subject, msg.body))
        return Stored(len(self.items), False)

    async def subject_messages(
        self, stream: str, subject: str, *, start_seq: int = 1
    ) -> list[tuple[int, bytes, dict[str, str]]]:
        found: list[tuple[int, bytes, dict[str, str]]] = [
            (item.seq, item.body, {}) for item in self.items if item.subject == subject and item.seq >= start_seq
        ]
        if self.after_reading is not None:
            await self.after_reading()
        return found

    def put(
        self, kind: str, name: str, *facts: AnyFact, by: str = "test", command: str = "", at_ms: int = NOW_MS
    ) -> LogItem:
        """What somebody else appended."""
        entry = Entry(at_ms=at_ms, by=by, command=command, facts=facts)
        item = LogItem(len(self.items) + 1, subjects.log(kind, name), codec.encode(entry))
        self.items.append(item)
        return item


class Bucket:
    """A bucket of keys with their revisions; `trouble` is raised once by the next reading, `before_writing` runs before the next write."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.revisions: dict[str, int] = {}
        self.trouble: list[Exception] = []
        self.before_writing: Callable[[], Awaitable[None]] | None = None
        self._last = 0

    async def get(self, key: str) -> tuple[bytes, int] | None:
        if self.trouble:
            raise self.trouble.pop()
        found = self.values.get(key)
        return (found, self.revisions[key]) if found is not None else None

    async def create(self, key: str, value: bytes) -> int:
        await self._wait()
        if key in self.values:
            raise LostRace("there is a value")
        return self._set(key, value)

    async def create_all(self, values: Mapping[str, bytes]) -> None:
        for key, value in values.items():
            await self.create(key, value)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        await self._wait()
        if self.revisions.get(key, 0) != revision:
            raise LostRace("wrong last sequence")
        return self._set(key, value)

    async def put(self, key: str, value: bytes) -> int:
        await self._wait()
        return self._set(key, value)

    async def delete(self, key: str, revision: int | None = None) -> None:
        self.values.pop(key, None)

    async def _wait(self) -> None:
        before, self.before_writing = self.before_writing, None
        if before is not None:
            await before()

    def _set(self, key: str, value: bytes) -> int:
        self._last += 1
        self.values[key] = value
        self.revisions[key] = self._last
        return self._last


class Connection:
    """What a bridge asks of its broker here: a log, and ears."""

    def __init__(self, log: Log, tell: Callable[[str, bytes], Awaitable[None]]) -> None:
        self._log = log
        self.tell = tell

    async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored:
        return await self._log.publish(msg, timeout_s)

    async def publish_batch(self, msgs: Sequence[Outgoing], timeout_s: float = 10.0) -> Stored:
        return await self._log.publish_batch(msgs, timeout_s)

    async def subject_messages(
        self, stream: str, subject: str, *, start_seq: int = 1
    ) -> list[tuple[int, bytes, dict[str, str]]]:
        return await self._log.subject_messages(stream, subject, start_seq=start_seq)

    async def last_for(self, subject: str, stream: str) -> tuple[int, bytes] | None:
        return (self._log.items[-1].seq, self._log.items[-1].body) if self._log.items else None

    async def subject_part(
        self, stream: str, subject: str, *, start_seq: int, most: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        found = await self.subject_messages(stream, subject, start_seq=start_seq)
        return [(seq, body) for seq, body, _ in found[:most]], max(0, len(found) - most)

    async def subject_end(self, stream: str, subject: str, most: int) -> list[tuple[int, bytes]]:
        return [(seq, body) for seq, body, _ in (await self.subject_messages(stream, subject))[-most:]]

    async def put_object(self, bucket: str, name: str, data: bytes, *, is_sealed: bool = False) -> None: ...

    async def get_object(self, bucket: str, name: str, *, is_sealed: bool = False) -> bytes | None:
        return None


class Mouth:
    """A channel that never sends: dispatch is not running."""

    own_addresses = ()

    def __init__(self, name: str) -> None:
        self.name = name


class Up:
    """A channel that listens, whoever asks."""

    is_up = True


CAN = {
    "support": ("email", Capabilities(word="mail", is_mail=True)),
    "chat": ("webchat", Capabilities(word="chat", has_address=False)),
}
NAMED = thread.Named(agent=str.title, word=lambda kind: kind[:4])
DESK = DeskRules(dispositions=(Disposition(name="solved"),))


@dataclass
class Small:
    """Everything but the broker. `catch_up` is what the follower would do; two over one log are two bridges."""

    log: Log = field(default_factory=Log)
    keys: Bucket = field(default_factory=Bucket)
    drafts: Bucket = field(default_factory=Bucket)
    presence: Bucket = field(default_factory=Bucket)
    boot: str = "boot"
    now_ms: int = NOW_MS
    """The wall, for all that is decided."""
    wall: Callable[[], int] | None = None
    """Used instead."""
    clock_s: float = 0.0
    """Monotonic: for silence."""
    rules: Mapping[str, QueueRules] = field(default_factory=lambda: {"orders": QueueRules(title="Orders")})
    house_rules: DeskRules = DESK
    told: list[tuple[str, bytes]] = field(default_factory=list)
    while_telling: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.model = ReadModel(None)
        self.sealer = Sealer(b"k" * 32, self.keys)
        self.parts = Parts(self._outside(), self._terms(), lambda _: self._lines())
        self.states = self.parts.states
        self.writer = self.parts.writer
        self.follower = self.parts.follower
        self.staff = self.parts.staff
        self.rulebook = self.parts.rulebook
        self.floor = self.parts.floor
        self.attention = self.parts.attention
        self.audit = self.parts.audit
        self.reading = self.parts.reading
        self.home = self.parts.home
        self.desk = self.parts.desk
        self.router = self.parts.router
        self.clerk = self.parts.clerk
        self.is_loaded = False

    def _outside(self) -> Outside:
        buckets: Any = {
            "leases": Bucket(),
            "home": Bucket(),
            "keys": self.keys,
            "drafts": self.drafts,
            "presence": self.presence,
        }
        number = sum(self.boot.encode())
        return Outside(
            boot=self.boot,
            bus=cast(Verbs, Connection(self.log, self.tell)),
            buckets=cast(Mapping[str, Kv], buckets),
            sealer=self.sealer,
            handle_key=b"h" * 32,
            model=self.model,
            mint=ids.Mint(number, 1),
            now_ms=self.now,
            clock=lambda: self.clock_s,
            sleep=_no_sleep,
            random=lambda: 0.0,
        )

    def _terms(self) -> Terms:
        return Terms(rules=self.rules, desk=self.house_rules, workers=4)

    def _lines(self) -> Lines:
        return Lines(
            routes={name: Route(cast(Channel, Mouth(name)), can) for name, (_, can) in CAN.items()},
            running=cast(Mapping[str, Supervised], dict.fromkeys(CAN, Up())),
            kinds={name: kind for name, (kind, _) in CAN.items()},
            sources={name: Source(queue="orders", reply_within_s=None) for name in CAN},
        )

    def now(self) -> int:
        return self.wall() if self.wall is not None else self.now_ms

    def later(self, seconds: float) -> None:
        """Time passes, by every clock."""
        self.now_ms += int(seconds * 1000)
        self.clock_s += seconds

    async def tell(self, subject: str, body: bytes) -> None:
        self.told.append((subject, body))
        if self.while_telling is not None:
            self.while_telling()

    async def catch_up(self) -> None:
        """Apply what the log has; the first time everybody takes in what is known then, as a bridge does when it starts."""
        await self.follower.apply([item for item in self.log.items if item.subject.startswith("cc.log.")])
        async with self.follower._moved:
            self.follower._moved.notify_all()
        if self.is_loaded:
            return
        self.is_loaded = True
        crew = self.parts._crew()
        for member in crew:
            if member.load is not None:
                member.load()
        for member in crew:
            if member.noticed is not None:
                self.follower.listen(member.noticed)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Small]:
        """The log writer runs, and what it wrote is followed."""
        async with asyncio.timeout(30.0):
            await self.catch_up()
            tasks = [asyncio.create_task(self.writer.run()), asyncio.create_task(self._follow())]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    async def _follow(self) -> None:
        """Whoever waits for a sequence of the log gets it."""
        while True:
            if self.log.items and self.log.items[-1].seq > self.follower.position:
                await self.catch_up()
            await asyncio.sleep(0)

    async def round(self) -> None:
        """What a leader's router does once, and what everybody hears of it."""
        self.router._leads = True
        await self.catch_up()
        await self.router._timekeeper.round()
        await self.router._handback.round(self.parts.pen.write)
        await self.router._let_go()
        await self.router._offers.round()
        await self.catch_up()

    async def ask(self, agent: str, request: c.Request) -> v.Answer:
        """What the desk answers to an agent."""
        verb = request.__struct_config__.tag
        async with asyncio.timeout(10.0):
            return codec.answer(await self.desk.handle(f"cc.do.{agent}.{verb}", codec.encode(request), {}))

    async def done(self, agent: str, request: c.Request) -> c.Done:
        """The same, where nothing else but Done is right."""
        answer = await self.ask(agent, request)
        assert isinstance(answer, c.Done), answer
        await self.catch_up()
        return answer

    async def refused(self, agent: str, request: c.Request) -> c.Refusal:
        """The same, where nothing else but a refusal is right."""
        answer = await self.ask(agent, request)
        assert isinstance(answer, c.Refusal), answer
        return answer

    def state(self, case: str) -> Conversation:
        found: Conversation = self.states.cell(CONV, case).state
        return found

    def facts(self, kind: str, name: str) -> list[f.Fact]:
        """What the log says of one aggregate."""
        subject = subjects.log(kind, name)
        return [fact for item in self.log.items if item.subject == subject for fact in codec.entry(item.body).facts]

    def ringing(self, case: str) -> tuple[str, ...]:
        """Who is asked to take it."""
        offer = self.state(case).offer
        return offer.everybody if offer is not None else ()

    def sits(self, agent: str, state: str = "ready", reason: str = "") -> None:
        """A terminal spoke just now, and its agent is this."""
        self.staff.presences._presence[agent] = Presence(
            state=state, reason=reason, since_ms=self.now_ms, heard_ms=self.now_ms
        )
        self.staff.presences._changed(agent)

    def enroll(self, agent: str, role: str = "agent", queues: tuple[str, ...] = (), **more: Any) -> None:
        self.log.put("agent", agent, f.Enrolled(name=agent.title(), public_key="U", role=role, queues=queues, **more))

    def case(
        self,
        name: str,
        *,
        queue: str = "orders",
        sender: str = "Anna",
        address: str = "anna@example.se",
        channel: str = "support",
        customer: str = "",
    ) -> None:
        """A conversation that waits, with one message."""
        self.log.put(
            "conv",
            name,
            f.Opened(
                customer=customer or f"cust-{name}",
                handle=f"hand-{name}",
                channel=channel,
                channel_kind=CAN[channel][0],
                queue=queue,
            ),
            message(name, sender=sender, address=address, channel=channel),
            f.Queued(queue=queue),
            at_ms=self.now_ms,
        )


def message(
    name: str, text: str = "hello", sender: str = "Anna", address: str = "anna@example.se", channel: str = "support"
) -> f.Received:
    return f.Received(
        message=f"message-{name}",
        item=f"item-{name}",
        handle=f"hand-{name.partition('-')[0]}",
        channel=channel,
        channel_kind=CAN[channel][0],
        words=Words(text=text, name=sender, address=address),
    )


async def _no_sleep(_: float) -> None:
    await asyncio.sleep(0)
