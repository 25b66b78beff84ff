"""One bridge's parts over a log in memory: for tests of what happens between two awaits, where a real broker is too quick or too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from broker_bridge.channel import Capabilities
from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.words import Words
from broker_bridge.core import thread
from broker_bridge.core.wishes import House
from broker_bridge.daemon.attention import Attention
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.desk import Desk
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.files import Files
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.outlets import Outlet, Queue
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import States
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

    def put(self, kind: str, name: str, *facts: f.AnyFact, by: str = "test", command: str = "") -> LogItem:
        """What somebody else appended."""
        entry = Entry(at_ms=NOW_MS, by=by, command=command, facts=facts)
        item = LogItem(len(self.items) + 1, subjects.log(kind, name), codec.encode(entry))
        self.items.append(item)
        return item


class Bucket:
    """A bucket of keys; `trouble` is raised once by the next reading."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.trouble: list[Exception] = []

    async def get(self, key: str) -> tuple[bytes, int] | None:
        if self.trouble:
            raise self.trouble.pop()
        found = self.values.get(key)
        return (found, 1) if found is not None else None

    async def create(self, key: str, value: bytes) -> int:
        if key in self.values:
            raise LostRace("there is a value")
        return await self.put(key, value)

    async def create_all(self, values: Mapping[str, bytes]) -> None:
        for key, value in values.items():
            await self.create(key, value)

    async def put(self, key: str, value: bytes) -> int:
        self.values[key] = value
        return 1

    async def delete(self, key: str, revision: int | None = None) -> None:
        self.values.pop(key, None)


class Objects:
    async def put_object(self, bucket: str, name: str, data: bytes, *, is_sealed: bool = False) -> None: ...

    async def get_object(self, bucket: str, name: str, *, is_sealed: bool = False) -> bytes | None:
        return None


CAN = Capabilities(word="mail", is_mail=True)
NAMED = thread.Named(agent=str.title, word=lambda kind: kind[:4])


@dataclass
class Small:
    """Everything but the broker. `catch_up` is what the follower would do."""

    log: Log = field(default_factory=Log)
    keys: Bucket = field(default_factory=Bucket)
    now_ms: int = NOW_MS
    told: list[tuple[str, bytes]] = field(default_factory=list)
    while_telling: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.model = ReadModel(None)
        self.sealer = Sealer(b"k" * 32, self.keys)
        self.states = States(self.model, self.sealer, self.log)
        self.writer = LogWriter(self.log, self.states, self.sealer, lambda: 0.0, _no_sleep)
        self.follower = Follower(self.model, self.states, self.sealer, NAMED)
        self.staff = Staff(self.states, self.model, Bucket(), self.now)
        self.attention = Attention(self.now)
        self.drafts = Bucket()
        self.audit = Audit(self.log, "boot", self.now)
        self.reading = Reading(
            states=self.states,
            model=self.model,
            staff=self.staff,
            attention=self.attention,
            outlets={"support": Outlet(name="support", kind="email", capabilities=CAN)},
            queues=[Queue(name="orders", title="Orders")],
            words={"email": "mail"},
            dispositions=("solved",),
            is_up=lambda _: True,
            now_ms=self.now,
        )
        self.home = Home(
            reading=self.reading,
            attention=self.attention,
            actor=self.staff.actor,
            tell=self.tell,
            position=lambda: self.follower.position,
            now_ms=self.now,
            clock=lambda: 0.0,
            sleep=_no_sleep,
        )
        self.desk = Desk(
            writer=self.writer,
            follower=self.follower,
            model=self.model,
            reading=self.reading,
            staff=self.staff,
            home=self.home,
            drafts=Drafts(self.drafts, self.sealer),
            files=Files(Objects(), self.sealer),
            audit=self.audit,
            house=self.house,
            tell=self.tell,
            move_home=_moved,
            bridge="boot",
            chat_url="",
            new_id=lambda: "epoch",
            now_ms=self.now,
        )
        self.follower.listen(self.staff.noticed)
        self.follower.listen(self.home.noticed)

    def now(self) -> int:
        return self.now_ms

    def house(self) -> House:
        return House(
            names={name: one.name for name, one in self.staff.active.items()},
            queues=("orders",),
            channels={"support": "email"},
            dispositions=("solved",),
        )

    async def tell(self, subject: str, body: bytes) -> None:
        self.told.append((subject, body))
        if self.while_telling is not None:
            self.while_telling()

    async def catch_up(self) -> None:
        await self.follower.apply([item for item in self.log.items if item.subject.startswith("cc.log.")])

    def enroll(self, agent: str, role: str = "agent", queues: tuple[str, ...] = ()) -> None:
        self.log.put("agent", agent, f.Enrolled(name=agent.title(), public_key="U", role=role, queues=queues))

    def case(self, name: str, *, queue: str = "orders", sender: str = "Anna", address: str = "anna@example.se") -> None:
        """A conversation that waits, with one message."""
        self.log.put(
            "conv",
            name,
            f.Opened(
                customer=f"cust-{name}",
                handle=f"hand-{name}",
                channel="support",
                channel_kind="email",
                queue=queue,
            ),
            message(name, sender=sender, address=address),
            f.Queued(queue=queue),
        )


def message(name: str, text: str = "hello", sender: str = "Anna", address: str = "anna@example.se") -> f.Received:
    return f.Received(
        message=f"message-{name}",
        item=f"item-{name}",
        handle=f"hand-{name.partition('-')[0]}",
        channel="support",
        channel_kind="email",
        words=Words(text=text, name=sender, address=address),
    )


async def _no_sleep(_: float) -> None:
    await asyncio.sleep(0)


async def _moved(_: str) -> None: ...
