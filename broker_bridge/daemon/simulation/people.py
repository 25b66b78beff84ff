"""Customers who repeat until they are heard, and agents at their terminals: eager, forgetful, twice at once, gone and back again.

Law: a terminal knows nothing but its feed and the answers it got; it applies them as agent_tui does. What a customer or an agent was told
is written into the books at that moment.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from broker_bridge.contract.envelopes import Item, Receipt, Said
from broker_bridge.contract.words import Address, Words
from broker_bridge.daemon.simulation.books import Promised, Spoken
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.loop import NOBODY, Process
from broker_bridge.daemon.wire import BusError

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

PATIENCE_S = 6.0
SILENCE_S = 3.0


async def deliver(world: World, channel: str, native: str, item: Item, address: str) -> None:
    """Say one thing until it is acknowledged, always under the same id."""
    text = item.words.text
    spoken = world.books.spoken.setdefault(
        native, Spoken(native, channel, address, text, world.loop.now, is_receipt=isinstance(item, Receipt))
    )
    while not await _once(world, channel, native, item):  # noqa: ASYNC110 - a sender tries again after a while
        await asyncio.sleep(0.2 + world.random.random())
    if spoken.acknowledged_s is None:
        spoken.acknowledged_s = world.loop.now


async def _once(world: World, channel: str, native: str, item: Item) -> bool:
    doors = [one for one in world.doors if one.channel == channel and not one.process.is_dead]
    if not doors:
        return False
    door = doors[int(world.random.random() * len(doors))]
    heard: asyncio.Future[bool] = world.loop.create_future()

    def done(is_stored: bool) -> None:
        if world.random.random() >= world.sky.weather.mute:
            world.loop.call_later(world.sky.latency(), _set, heard, is_stored, context=NOBODY)

    world.loop.start(door.process, door.take(native, item, done))
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await heard
    except TimeoutError:
        return False


def _set(future: asyncio.Future[bool], value: bool) -> None:
    if not future.done():
        future.set_result(value)


async def customer(world: World, number: int, handles: list[tuple[str, str]]) -> None:
    """One person with one or more (channel, address)."""
    random = Random(world.random.random())
    for turn in range(1 + int(random.random() * 4)):
        pause_s = random.random() * 4
        if turn and world.loop.now + pause_s > world.calm_at_s and random.random() < 0.85:
            # What is said when nothing goes wrong any more shows little.
            return
        await asyncio.sleep(pause_s)
        burst = 1 + int(random.random() * 4) if random.random() < 0.4 else 1
        async with asyncio.TaskGroup() as crowd:
            for place in range(burst):
                channel, address = handles[int(random.random() * len(handles))]
                native = f"{number}.{turn}.{place}"
                sender = Address(address=address, name=f"Customer {number}")
                item = Said(sender=sender, words=Words(text=f"word {native}", name=sender.name))
                for _ in range(2 if random.random() < 0.2 else 1):
                    crowd.create_task(deliver(world, channel, native, item, address))
        if random.random() < 0.15:
            # The transport delivers the last one again, later: past the window in which a stream remembers ids.
            pause_s = random.random() * 8
            if world.loop.now + pause_s > world.calm_at_s + 2:
                return
            await asyncio.sleep(pause_s)
            await deliver(world, channel, native, item, address)


def receipts(world: World, channel: str, message: str, address: str) -> None:
    """The provider tells, sometimes, and sometimes before it has answered."""
    if world.random.random() > 0.5:
        return
    state = ("delivered", "read", "failed")[int(world.random.random() ** 2 * 3)]
    item = Receipt(sender=Address(address=address), message=message, state=state, reason="it came back")

    def tell() -> None:
        if not world.is_over:
            world.begin(deliver(world, channel, f"receipt.{message}.{state}", item, address))

    world.loop.call_later(world.random.random() ** 3 * 4, tell, context=NOBODY)


class Mirror:
    """The rows of one desk, applied as agent_tui's model does."""

    def __init__(self) -> None:
        self.rows: dict[str, v.Row] = {}
        self.epoch = ""
        self.n = 0
        self.upto = 0
        self._aside: dict[str, v.Row] | None = None

    def welcome(self, welcome: v.Welcome) -> None:
        self._aside = None
        self.epoch, self.n = welcome.epoch, welcome.n or 0

    def feed(self, feed: v.Feed) -> bool:
        """False: something is missing; say hello."""
        if feed.epoch != self.epoch and feed.is_reset and feed.n == 1:
            self.epoch, self.n = feed.epoch, 0
        if feed.epoch != self.epoch or feed.n > self.n + 1:
            return False
        if feed.n <= self.n:
            return True
        self.n = feed.n
        if feed.is_reset:
            self._aside = {}
        if self._aside is not None:
            self._aside.update((row.conv, row) for row in feed.rows)
            for conv in feed.gone:
                self._aside.pop(conv, None)
            if feed.is_whole:
                self.rows, self._aside = self._aside, None
            return True
        for row in feed.rows:
            old = self.rows.get(row.conv)
            if old is None or row.rev >= old.rev:
                self.rows[row.conv] = row
        for conv in feed.gone:
            self.rows.pop(conv, None)
        self.upto = max(self.upto, feed.upto)
        return True

    def beat(self, beat: v.Beat) -> bool:
        if beat.epoch != self.epoch or beat.n > self.n:
            return False
        self.upto = max(self.upto, beat.upto)
        return True


class Terminal:
    """One agent's program, from its start to its end."""

    def __init__(self, world: World, agent: str, run: int, *, is_supervisor: bool) -> None:
        self.world = world
        self.agent = agent
        self.is_supervisor = is_supervisor
        self.process = Process(f"{agent}#{run}")
        self.bus = FakeBus(world.sky, self.process)
        self.process.on_death = self.bus.end
        self.mirror = Mirror()
        self.random = Random(world.random.random())
        self._mint = ids.Mint(world.next_number(), world.next_number())
        self._needs_hello = asyncio.Event()
        self._needs_hello.set()
        self._heard_s = 0.0
        self._held: list[v.Feed] | None = None
        self._closed: list[str] = []
        self._doubtful = world.doubtful
        self._sent: list[tuple[str, str]] = []

    async def run(self) -> None:
        """Work until killed."""
        await self.bus.listen(f"cc.view.{self.agent}.>", self._came)
        async with asyncio.TaskGroup() as crew:
            crew.create_task(self._keep_in_step())
            crew.create_task(self._watch_beat())
            crew.create_task(self._stay_alive())
            crew.create_task(self._act())

    # the feed

    def is_in_step(self, head: int) -> bool:
        """Whether, as far as it knows, it shows everything up to LOG sequence `head`."""
        is_fresh = self.world.loop.now - self._heard_s < SILENCE_S / 2
        return is_fresh and not self._needs_hello.is_set() and self.mirror.upto >= head

    def _came(self, subject: str, body: bytes) -> None:
        kind = subject.split(".")[3]
        if kind == "beat":
            self._heard_s = self.world.loop.now
            if not self.mirror.beat(codec.beat(body)) and self._held is None:
                self._needs_hello.set()
        elif kind == "desk":
            feed = codec.feed(body)
            if self._held is not None:
                self._held.append(feed)
            elif not self.mirror.feed(feed):
                self._needs_hello.set()

    async def _keep_in_step(self) -> None:
        while True:
            await self._needs_hello.wait()
            self._held = []
            answer = await self.ask(c.Hello(device="sim"))
            held, self._held = self._held, None
            if not isinstance(answer, v.Welcome):
                await asyncio.sleep(0.3)
                continue
            self._needs_hello.clear()
            self.mirror.welcome(answer)
            self._heard_s = self.world.loop.now
            for feed in held:
                if feed.epoch == answer.epoch and not self.mirror.feed(feed):
                    self._needs_hello.set()
            await asyncio.sleep(0.2)

    async def _watch_beat(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.world.loop.now - self._heard_s > SILENCE_S:
                self._needs_hello.set()

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(8.0)
            await self.ask(c.Alive())

    # asking

    async def ask(self, request: c.AnyRequest) -> v.Answer | None:
        """One try."""
        verb = str(request.__struct_config__.tag)
        try:
            return codec.answer(await self.bus.request(subjects.do(self.agent, verb), codec.encode(request), 3.0))
        except BusError:
            return None

    async def insist(self, wish: Any) -> v.Answer | None:
        """A command until it is answered, or given up on; what was answered is written down."""
        verb = str(wish.__struct_config__.tag)
        if isinstance(wish, (c.Reply, c.Note)):
            self.world.books.drafts.pop((self.agent, wish.conversation), None)
        for _ in range(8):
            answer = await self.ask(wish)
            if answer is None and isinstance(wish, (c.Reply, c.Note)):
                # It may yet be done, late, and a reply that is done takes the draft of its case with it.
                self._doubtful.add((self.agent, wish.conversation))
                self.world.books.drafts.pop((self.agent, wish.conversation), None)
            if isinstance(answer, c.Done):
                self.world.books.promised[wish.id] = Promised(
                    wish.id, self.agent, verb, wish.conversation, answer.message, getattr(wish, "text", "")
                )
                return answer
            if isinstance(answer, c.Refusal) and not answer.is_retryable:
                self.world.books.count(f"refused {answer.code}")
                if answer.code not in ("changed", "full", "unavailable"):
                    self.world.books.refused.append((self.agent, verb, answer.code))
                if answer.code == "broken":
                    self.world.books.problems.append(f"a bug answered {verb}")
                return answer
            await asyncio.sleep(0.2 + 0.5 * self.random.random())
        return None

    # acting

    async def _act(self) -> None:
        while True:
            await asyncio.sleep(0.1 + self.random.random() ** 2 * 2)
            if self.world.is_calm or not self.mirror.rows:
                continue
            row = self._pick()
            if row.state == "mine" and self.random.random() < 0.2:
                await self._write(row)
                continue
            wish = self._wish(row)
            if wish is None:
                continue
            self.world.books.count(str(wish.__struct_config__.tag))
            if self.random.random() < 0.1:
                # Two of the same at once, as two bridges may get them.
                async with asyncio.TaskGroup() as twice:
                    twice.create_task(self.insist(wish))
                    twice.create_task(self.insist(wish))
            answer = await self.insist(wish)
            if isinstance(answer, c.Done):
                self._done(wish, answer)
            if self.random.random() < 0.1:
                await self.insist(wish)
            if self.is_supervisor and self.random.random() < 0.3:
                read = await self.ask(c.Thread(conversation=row.conv, silent=True))
                if isinstance(read, v.ThreadPage) and read.row.owner != self.agent:
                    self.world.books.silent.append((self.agent, row.conv))

    async def _write(self, row: v.Row) -> None:
        """A draft, until it is kept; one that nobody answered for may still come, so the case counts no more."""
        key, drafts = (self.agent, row.conv), self.world.books.drafts
        text = f"draft {self._mint.new(0)}"
        if key in self._doubtful:
            return
        drafts.pop(key, None)
        self._doubtful.add(key)
        for _ in range(4):
            draft = c.Draft(conversation=row.conv, text=text, at_ms=int(self.world.loop.now * 1000))
            if isinstance(await self.ask(draft), c.Done):
                drafts[key] = text
                self._doubtful.discard(key)
                return
            await asyncio.sleep(0.3)

    def _done(self, wish: c.Act, answer: c.Done) -> None:
        if isinstance(wish, c.Close):
            self._closed.append(wish.conversation)
        elif isinstance(wish, c.Reply) and answer.message:
            self._sent.append((wish.conversation, answer.message))

    def _pick(self) -> v.Row:
        rows = list(self.mirror.rows.values())
        wanted = [row for row in rows if row.state in ("ringing", "mine")]
        chosen = wanted if wanted and self.random.random() < 0.9 else rows
        return chosen[int(self.random.random() * len(chosen))]

    def _wish(self, row: v.Row) -> c.Act | None:
        random = self.random
        act: dict[str, Any] = {"id": self._mint.new(0), "conversation": row.conv}
        epoch = row.epoch if random.random() < 0.9 else row.epoch - 1
        at = random.random()
        if row.state == "ringing":
            if at < 0.8:
                return c.Accept(**act, epoch=epoch)
            return c.Decline(**act) if at < 0.95 else None
        if self._sent and random.random() < 0.15:
            conversation, message = self._sent[int(random.random() * len(self._sent))]
            return c.SendAgain(id=act["id"], conversation=conversation, message=message)
        if self._closed and random.random() < 0.1:
            return c.Reopen(id=act["id"], conversation=self._closed[int(random.random() * len(self._closed))])
        if row.state == "queued":
            return c.Accept(**act) if at < 0.5 else None
        if row.state == "mine":
            return self._wish_of_owner(act, row, epoch, at)
        if at < 0.2:
            return c.Note(**act, text="a note")
        return c.Reply(**act, text="stale", channel="plain", anyway=True) if at < 0.4 else None

    def _wish_of_owner(self, act: dict[str, Any], row: v.Row, epoch: int, at: float) -> c.Act:
        random = self.random
        if at < 0.65:
            channel = "sure" if row.channel == "sure" else "plain"
            if random.random() < 0.1:
                channel = "plain" if channel == "sure" else "sure"
            return c.Reply(
                **act,
                epoch=epoch,
                text=f"reply {act['id']}",
                channel=channel,
                seen=row.rev,
                anyway=random.random() < 0.7,
            )
        if at < 0.7:
            return c.Note(**act, text=f"note {act['id']}")
        if at < 0.78:
            others = [one for one in self.world.agents if one != self.agent]
            if others and random.random() < 0.6:
                return c.Transfer(**act, epoch=epoch, to_agent=others[int(random.random() * len(others))])
            return c.Transfer(**act, epoch=epoch, to_queue="sales" if random.random() < 0.5 else "help")
        if at < 0.81:
            return c.TakeBack(**act)
        if at < 0.86:
            return c.See(**act)
        return c.Close(**act, epoch=epoch, disposition="solved")
