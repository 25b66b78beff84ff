"""Agents at their terminals: eager, forgetful, twice at once, gone and back again. What they wish for: deeds.py.

Law: a terminal knows nothing but its feed and the answers it got; it applies them as agent_tui does. What an agent was told is written into
the books at that moment.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from broker_bridge.daemon.simulation import houserules
from broker_bridge.daemon.simulation.books import Promised
from broker_bridge.daemon.simulation.deeds import Deeds
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.loop import Process
from broker_bridge.daemon.wire import BusError

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

SILENCE_S = 3.0
SPLITS = 0.04
"""Share of turns at a case of one's own that go into parting it."""


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
        self._doubtful = world.doubtful
        self.deeds = Deeds(world, agent, self.random, self._mint, is_supervisor=is_supervisor)
        self._is_here = True

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
            self.world.books.carried.pop((self.agent, wish.conversation), None)
        carried = self._carries(wish) if isinstance(wish, c.Merge) else ()
        for _ in range(8):
            answer = await self.ask(wish)
            if answer is None and isinstance(wish, (c.Reply, c.Note)):
                # It may yet be done, late, and a reply that is done takes the draft of its case with it.
                self._doubtful.add((self.agent, wish.conversation))
                self.world.books.drafts.pop((self.agent, wish.conversation), None)
            if isinstance(answer, c.Done):
                self.world.books.promised[wish.id] = Promised(
                    wish.id, self.agent, verb, wish.conversation, answer.message, getattr(wish, "text", ""), wish.epoch
                )
                if carried and isinstance(wish, c.Merge):
                    self.world.books.carried[self.agent, wish.into] = carried
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

    def _carries(self, wish: c.Merge) -> tuple[str, ...]:
        """The drafts that a merge takes along; nobody writes at them any more, so that what became of them can be told."""
        drafts, found = self.world.books.drafts, []
        for one in (wish.conversation, wish.into):
            key = (self.agent, one)
            if key in drafts:
                found.append(drafts.pop(key))
            self._doubtful.add(key)
            self.world.books.carried.pop(key, None)
        return tuple(found)

    # acting

    async def _act(self) -> None:
        while True:
            await asyncio.sleep(0.1 + self.random.random() ** 2 * 2)
            if self.world.is_calm:
                continue
            if self.random.random() < (0.06 if self._is_here else 0.4):
                await self._come_or_go()
            if not self.mirror.rows:
                continue
            row = self._pick()
            if row.state == "mine" and self.random.random() < 0.2:
                await self._write(row)
                continue
            if row.state == "mine" and self.random.random() < SPLITS:
                wish: c.Act | None = await self._split(row)
            else:
                wish = self.deeds.wish(row, list(self.mirror.rows.values()))
            if wish is not None:
                await self._do(wish)
            if self.is_supervisor and self.random.random() < 0.3:
                read = await self.ask(c.Thread(conversation=row.conv, silent=True))
                if isinstance(read, v.ThreadPage) and read.row.owner != self.agent:
                    self.world.books.silent.append((self.agent, row.conv))

    async def _do(self, wish: c.Act) -> None:
        """One wish, sometimes twice at once, sometimes once more; a merge sometimes in both directions at once."""
        self.world.books.count(str(wish.__struct_config__.tag))
        at_once: list[c.Act] = []
        if self.random.random() < 0.1:
            # Two of the same at once, as two bridges may get them.
            at_once = [wish, wish]
        elif isinstance(wish, c.Merge) and self.random.random() < 0.4:
            at_once = [wish, c.Merge(id=self._mint.new(0), conversation=wish.into, into=wish.conversation)]
        async with asyncio.TaskGroup() as together:
            for one in at_once:
                together.create_task(self.insist(one))
        answer = await self.insist(wish)
        if isinstance(answer, c.Done):
            self.deeds.done(wish, answer)
        if self.random.random() < 0.1:
            await self.insist(wish)

    async def _come_or_go(self) -> None:
        """A break, a next status, back again; supervisors send others away and call them back."""
        random = self.random
        state = ("away", "busy", "transfer_only", "off")[int(random.random() ** 1.5 * 4)] if self._is_here else "ready"
        reason = houserules.REASONS[int(random.random() * 2)] if state == "away" else ""
        if self.is_supervisor and random.random() < 0.5:
            others = [one for one in self.world.agents if one != self.agent]
            chosen = "ready" if random.random() < 0.6 else "away"
            if others:
                await self.ask(c.Force(agent=others[int(random.random() * len(others))], state=chosen))
            return
        is_next = state != "ready" and random.random() < 0.3
        answer = await self.ask(c.Presence(state=state, reason=reason, is_next=is_next))
        if isinstance(answer, c.Done):
            self._is_here = state == "ready"
            self.world.books.count(f"presence {state}")

    async def _split(self, row: v.Row) -> c.Act | None:
        page = await self.ask(c.Thread(conversation=row.conv))
        theirs = [one for one in page.items if one.kind == "them"] if isinstance(page, v.ThreadPage) else []
        if not theirs:
            return None
        message = theirs[int(self.random.random() * len(theirs))].id
        return c.Split(**self.deeds.act(row.conv), message=message)

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

    def _pick(self) -> v.Row:
        rows = list(self.mirror.rows.values())
        wanted = [row for row in rows if row.state in ("ringing", "mine", "consult", "snoozed", "wrap_up")]
        chosen = wanted if wanted and self.random.random() < 0.9 else rows
        return chosen[int(self.random.random() * len(chosen))]
