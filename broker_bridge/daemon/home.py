"""The feeds of the agents whose home is this bridge: rows and items that changed, in full, a beat every second.

Law: messages of one feed are counted without a hole from 1 in their epoch; a row carries its `rev`; at most ten messages a second
an agent. Everything that changed in LOG up to `upto` is in this message or an earlier one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.core import conversation as conv
from broker_bridge.core import notices
from broker_bridge.core import views as rules
from broker_bridge.core.actor import Actor
from broker_bridge.core.notices import Addressed
from broker_bridge.core.state import Conversation
from broker_bridge.daemon.attention import Attention
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.states import AGENT, CONV, CUST

log = logging.getLogger(__name__)

FLUSH_S = 0.1
FLUSH_SOON_S = 0.004
"""The first change after a quiet time leaves at once: a lone message must not wait for the next round."""
PUSH_BYTES = 200_000
MOST_ROWS = 500
"""Rows of the queue that a feed carries from its beginning, and half of what it carries at most; the rest is paged."""
MOST_ITEMS = 200
"""Of one thread in one round; what the read model gives at once."""
MOST_NOTICES = 50
"""Of one agent that wait to be told: who was flooded looks at the rows."""
GONE_AFTER_S = 90.0
"""A terminal that says nothing for this long has no feed any more."""


@dataclass
class Feed:
    """One agent's private feed."""

    agent: AgentId
    epoch: str
    heard: float
    n: int = 0
    known: set[ConversationId] = field(default_factory=set)
    """Rows that the terminal has."""
    queue: set[ConversationId] = field(default_factory=set)
    """Those of them that wait in a queue and concern the agent no more than others."""
    paged: set[ConversationId] = field(default_factory=set)
    """Rows that it asked for by page: kept up to date although they are not its own."""
    dirty: set[ConversationId] = field(default_factory=set)
    threads: dict[ConversationId, int] = field(default_factory=dict)
    """Watched threads, and up to which sequence their items have been told."""
    dirty_threads: set[ConversationId] = field(default_factory=set)
    has_more: bool = False
    """More waits in the queue than was told."""
    is_new: bool = False
    """The whole set of rows has not been sent yet."""
    is_counted: bool = True
    """Counts or the agent's own figures changed."""
    notices: list[v.Notice] = field(default_factory=list)
    """To be told with the next message, once."""
    told_upto: int | None = None
    """While there are some: up to which sequence of LOG everything has been told."""
    told_at: float = -math.inf
    """When its last message left, on the home's clock."""

    @property
    def has_news(self) -> bool:
        return self.is_new or self.is_counted or bool(self.dirty) or bool(self.dirty_threads)


class Home:
    """All feeds of this bridge. `run` must be running."""

    def __init__(
        self,
        *,
        reading: Reading,
        attention: Attention,
        actor: Callable[[AgentId], Actor | None],
        tell: Callable[[str, bytes], Awaitable[None]],
        position: Callable[[], int],
        now_ms: Callable[[], int],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        told: Callable[[Entry, Conversation], tuple[Addressed, ...]] = lambda entry, state: (),
    ) -> None:
        """`told`: the notices of an entry, with the state of its case after it."""
        self._reading = reading
        self._attention = attention
        self._actor = actor
        self._tell = tell
        self._position = position
        self._now_ms = now_ms
        self._clock = clock
        self._sleep = sleep
        self._told = told
        self.feeds: dict[AgentId, Feed] = {}
        self._known_by: defaultdict[ConversationId, set[AgentId]] = defaultdict(set)
        self._watched_by: defaultdict[ConversationId, set[AgentId]] = defaultdict(set)
        self._wake = asyncio.Event()

    def open(self, agent: AgentId, epoch: str) -> Feed:
        """The agent's feed, begun in a new epoch if there is none; the whole set of rows follows as messages of it.

        A second hello keeps the epoch and the count: two terminals of one agent hear one feed and must not wake each other.
        """
        known = self.feeds.get(agent)
        if known is not None:
            known.heard = self._clock()
            return known
        feed = Feed(agent, epoch, self._clock())
        self.feeds[agent] = feed
        return feed

    def close(self, agent: AgentId) -> None:
        """The agent is at home elsewhere, or gone."""
        feed = self.feeds.pop(agent, None)
        if feed is None:
            return
        for conversation in feed.known | feed.paged:
            _drop(self._known_by, conversation, agent)
        for conversation in feed.threads:
            _drop(self._watched_by, conversation, agent)

    def heard(self, agent: AgentId) -> None:
        """The terminal spoke."""
        feed = self.feeds.get(agent)
        if feed is not None:
            feed.heard = self._clock()

    def noticed(self, news: list[News]) -> None:
        """The follower's listener: note who must be told."""
        for one in news:
            if one.kind == CONV:
                self.touch(one.name)
                self._notify(one)
            elif one.kind == CUST and any(isinstance(fact, f.Described) for fact in one.entry.facts):
                # Whichever bridge wrote it: their name stands in the rows.
                for conversation in self._reading.cases_of(one.name):
                    self.touch(conversation)
            elif one.kind == AGENT:
                for feed in self.feeds.values():
                    feed.is_counted = True
                moved = self.feeds.get(one.name)
                if moved is not None:
                    # Their queues may be others now: what waits there is theirs to see, what waits elsewhere is not.
                    self._begin_anew(moved)

    def _notify(self, news: News) -> None:
        """Keep the notices of an entry for those who are at home here."""
        addressed = self._told(news.entry, news.cell.state)
        if not addressed:
            return
        by = news.entry.by.removeprefix("agent:")
        for feed in self.feeds.values():
            actor = self._actor(feed.agent)
            if actor is None or len(feed.notices) >= MOST_NOTICES:
                continue
            mine = notices.for_agent(addressed, feed.agent, is_supervisor=actor.is_supervisor, by=by)
            if mine:
                feed.notices.extend(mine)
                feed.told_upto = news.seq - 1 if feed.told_upto is None else feed.told_upto
                feed.is_counted = True

    def remind(self, feed: Feed, found: list[v.Notice], since: int) -> None:
        """What a terminal may have missed since it was told everything up to `since`."""
        left = MOST_NOTICES - len(feed.notices)
        fresh = [one for one in found if one not in feed.notices][: max(0, left)]
        if fresh:
            feed.notices.extend(fresh)
            feed.told_upto = since if feed.told_upto is None else min(since, feed.told_upto)

    def _upto(self, feed: Feed) -> int:
        """What a message that tells no notices may say: what is not told yet was not told, should this bridge die now."""
        return self._position() if feed.told_upto is None else min(feed.told_upto, self._position())

    def touch(self, conversation: ConversationId) -> None:
        """What is shown of a conversation changed."""
        state = self._reading.state(conversation)
        for agent in self._known_by.get(conversation, set()) | rules.concerned(state):
            feed = self.feeds.get(agent)
            if feed is not None:
                feed.dirty.add(conversation)
                feed.is_counted = True
        if state.status == conv.QUEUED:
            for feed in self.feeds.values():
                actor = self._actor(feed.agent)
                if actor is not None and actor.works_on(state.queue):
                    feed.dirty.add(conversation)
                    feed.is_counted = True
        for agent in self._watched_by.get(conversation, ()):
            feed = self.feeds.get(agent)
            if feed is not None:
                feed.dirty_threads.add(conversation)
        self._wake.set()

    def watch(self, agent: AgentId, conversation: ConversationId, since: int, on: bool) -> None:
        """Tell changes of a thread after `since`, or stop telling."""
        feed = self.feeds.get(agent)
        if feed is None:
            return
        if on:
            feed.threads[conversation] = since
            self._watched_by[conversation].add(agent)
            feed.dirty_threads.add(conversation)
            self._wake.set()
        else:
            feed.threads.pop(conversation, None)
            _drop(self._watched_by, conversation, agent)

    def paged(self, agent: AgentId, conversations: Iterable[ConversationId], upto: int) -> bool:
        """Rows that were given by page, as of `upto`, are kept up to date from there on; False: the agent is not at home here."""
        feed = self.feeds.get(agent)
        if feed is None:
            return False
        for conversation in conversations:
            feed.paged.add(conversation)
            self._known_by[conversation].add(agent)
            if self._reading.state(conversation).seq > upto:
                feed.dirty.add(conversation)
                self._wake.set()
        return True

    async def run(self) -> None:
        """Flush and beat until cancelled."""
        async with asyncio.TaskGroup() as crew:
            crew.create_task(self._flush())
            crew.create_task(self._beat())

    def _begin_anew(self, feed: Feed) -> None:
        for conversation in feed.known - feed.paged:
            _drop(self._known_by, conversation, feed.agent)
        feed.known.clear()
        feed.queue.clear()
        self.announce(feed)

    def announce(self, feed: Feed) -> None:
        """Send the whole set of rows soon, after the answer that names the epoch."""
        feed.is_new = True
        self._wake.set()

    def counted(self, agent: AgentId) -> None:
        """The agent's own figures changed."""
        feed = self.feeds.get(agent)
        if feed is not None:
            feed.is_counted = True
            self._wake.set()

    async def _flush(self) -> None:
        while True:
            await self._wake.wait()
            await self._sleep(FLUSH_SOON_S)
            self._wake.clear()
            now = self._clock()
            for feed in list(self.feeds.values()):
                if not feed.has_news:
                    continue
                if now - feed.told_at < FLUSH_S:
                    # This one has had its message of this tenth of a second; the quiet ones do not wait for it.
                    self._wake.set()
                    continue
                feed.told_at = now
                await self.flush(feed)

    async def _beat(self) -> None:
        while True:
            await self._sleep(1.0)
            for conversation in self._attention.expired():
                self.touch(conversation)
            for feed in list(self.feeds.values()):
                if self._clock() - feed.heard > GONE_AFTER_S:
                    self.close(feed.agent)
                    continue
                actor = self._actor(feed.agent)
                if actor is None:
                    self.close(feed.agent)
                    continue
                beat = v.Beat(
                    epoch=feed.epoch,
                    n=feed.n,
                    upto=self._upto(feed),
                    at_ms=self._now_ms(),
                    counts=self._reading.figures.counts(actor),
                )
                await self._tell(subjects.view(feed.agent, "beat"), codec.encode(beat))

    async def send_all(self, feed: Feed, actor: Actor) -> None:
        """The whole set of rows: the agent's own, what rings, and the queues'."""
        mine, _ = self._reading.view_ids("mine", actor, 0, 5_000)
        queue, _ = self._reading.view_ids("queue", actor, 0, MOST_ROWS)
        feed.has_more = len(queue) == MOST_ROWS
        feed.queue = set(queue) - set(mine)
        wanted = list(dict.fromkeys((*mine, *queue)))
        rows = []
        for conversation in wanted:
            feed.known.add(conversation)
            self._known_by[conversation].add(feed.agent)
            rows.append(self._reading.row(conversation, actor))
        await self._send_rows(feed, actor, rows, is_reset=True)

    async def flush(self, feed: Feed) -> None:
        """Tell one terminal what has changed since the last time."""
        actor = self._actor(feed.agent)
        if actor is None:
            self.close(feed.agent)
            return
        if feed.is_new:
            feed.is_new = feed.is_counted = False
            feed.dirty.clear()
            await self.send_all(feed, actor)
        if feed.dirty or feed.is_counted:
            dirty, feed.dirty = feed.dirty, set()
            feed.is_counted = False
            rows, gone = [], []
            for conversation in dirty:
                state = self._reading.state(conversation)
                if state.status in (conv.NEW, conv.ERASED) or self._is_elsewhere(feed, conversation, state, actor):
                    gone.append(conversation)
                    self._forget(feed, conversation)
                    continue
                if self._is_too_much(feed, conversation, state, actor):
                    feed.has_more = True
                    continue
                rows.append(self._reading.row(conversation, actor))
                self._remember(feed, conversation, state, actor)
            await self._send_rows(feed, actor, rows, gone=tuple(gone))
            if feed.has_more and len(feed.queue) < MOST_ROWS // 2:
                self._begin_anew(feed)
        if feed.dirty_threads:
            watched, feed.dirty_threads = feed.dirty_threads, set()
            for conversation in watched:
                # Asked one by one: while another was told, this one may have been left.
                if conversation in feed.threads:
                    await self._send_thread(feed, actor, conversation)

    @staticmethod
    def _is_elsewhere(feed: Feed, conversation: ConversationId, state: Conversation, actor: Actor) -> bool:
        """It waits in a queue that is not this agent's: their list of what waits must not hold it."""
        is_own = actor.agent in rules.concerned(state)
        is_foreign = state.status == conv.QUEUED and not actor.works_on(state.queue) and not is_own
        return is_foreign and conversation not in feed.paged

    @staticmethod
    def _is_too_much(feed: Feed, conversation: ConversationId, state: Conversation, actor: Actor) -> bool:
        """It waits behind all that the terminal has of the queue: of a flood every feed would know everything."""
        is_known = conversation in feed.known or conversation in feed.paged
        is_foreign = state.status == conv.QUEUED and actor.agent not in rules.concerned(state)
        return is_foreign and not is_known and len(feed.queue) >= 2 * MOST_ROWS

    def _remember(self, feed: Feed, conversation: ConversationId, state: Conversation, actor: Actor) -> None:
        is_own = actor.agent in rules.concerned(state)
        if is_own or state.status != conv.QUEUED:
            feed.queue.discard(conversation)
        else:
            feed.queue.add(conversation)
        if is_own or state.status == conv.QUEUED:
            feed.known.add(conversation)
            self._known_by[conversation].add(feed.agent)
        elif conversation in feed.known:
            feed.known.discard(conversation)
            if conversation not in feed.paged:
                _drop(self._known_by, conversation, feed.agent)

    def _forget(self, feed: Feed, conversation: ConversationId) -> None:
        feed.queue.discard(conversation)
        feed.known.discard(conversation)
        feed.paged.discard(conversation)
        _drop(self._known_by, conversation, feed.agent)

    async def _send_rows(
        self, feed: Feed, actor: Actor, rows: list[v.Row], *, gone: tuple[str, ...] = (), is_reset: bool = False
    ) -> None:
        """In messages of at most 200 kB; the last one carries the counts."""
        chunks: list[list[v.Row]] = [[]]
        size = 0
        for row in rows:
            size += len(codec.encode(row)) + 1
            if size > PUSH_BYTES and chunks[-1]:
                chunks.append([])
                size = 0
            chunks[-1].append(row)
        for place, chunk in enumerate(chunks):
            is_last = place == len(chunks) - 1
            feed.n += 1
            told: tuple[v.Notice, ...] = ()
            if is_last:
                told, feed.notices, feed.told_upto = tuple(feed.notices), [], None
            message = v.Feed(
                epoch=feed.epoch,
                n=feed.n,
                upto=self._position(),
                is_reset=is_reset and place == 0,
                is_whole=is_last,
                rows=tuple(chunk),
                gone=gone if place == 0 else (),
                counts=self._reading.figures.counts(actor) if is_last else None,
                me=self._reading.figures.me(actor) if is_last else None,
                notices=told,
            )
            await self._tell(subjects.view(feed.agent, "desk"), codec.encode(message))

    async def _send_thread(self, feed: Feed, actor: Actor, conversation: ConversationId) -> None:
        state = self._reading.state(conversation)
        items = list(self._reading.changed_items(conversation, feed.threads[conversation], actor))
        if len(items) >= MOST_ITEMS:
            # There may be more: they come with the next round.
            feed.dirty_threads.add(conversation)
            self._wake.set()
        feed.threads[conversation] = max([feed.threads[conversation], *(item.rev for item in items)])
        while True:
            chunk: list[v.Item] = []
            size = 0
            while items and (not chunk or size + len(codec.encode(items[0])) < PUSH_BYTES):
                size += len(codec.encode(items[0]))
                chunk.append(items.pop(0))
            feed.n += 1
            message = v.ThreadFeed(
                epoch=feed.epoch,
                n=feed.n,
                upto=self._upto(feed),
                conv=conversation,
                row=self._reading.row(conversation, actor),
                items=tuple(chunk),
                seen=state.seen_seq,
                reach=self._reading.reach(state, actor),
            )
            await self._tell(subjects.view(feed.agent, "thread", conversation), codec.encode(message))
            if not items:
                return


def _drop(by: dict[ConversationId, set[AgentId]], conversation: ConversationId, agent: AgentId) -> None:
    """Take an agent off a conversation; what nobody is left for takes no memory."""
    left = by.get(conversation)
    if left is not None:
        left.discard(agent)
        if not left:
            del by[conversation]
