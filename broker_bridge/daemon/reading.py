"""What desks may see, put together from states and the read model: rows, pages, profiles, the directory.

Law: nothing here changes anything, and everything that leaves has gone through `core.views` for its reader: verbs, masked addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from broker_bridge.channel import Capabilities
from broker_bridge.contract import views as v
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.contract.words import Address
from broker_bridge.core import conversation as conv
from broker_bridge.core import thread
from broker_bridge.core import views as rules
from broker_bridge.core.conversation import Conversation, Way
from broker_bridge.core.customer import Customer
from broker_bridge.core.wishes import Actor
from broker_bridge.daemon.attention import CUSTOMER, Attention
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, CUST, States

T = TypeVar("T")

DAY_MS = 86_400_000
HALF_HOUR_MS = 1_800_000
FIGURES_MS = 1_000
OPEN = "status IN ('queued', 'owned')"
# The indices hold only rows with an agent, and a parameter alone does not prove that it names one: without the first condition
# SQLite reads every conversation (measured: a third of the bridge's time at 1,000 cases and 100 agents).
OWNED_BY = "owner <> '' AND owner = ? AND status = 'owned'"
OFFERED_TO = "offered_to <> '' AND offered_to = ?"
BY_WAIT = " ORDER BY waiting_since_ms IS NULL, waiting_since_ms, last_ms"


class Outlet(msgspec.Struct, frozen=True, kw_only=True):
    """A configured channel, as far as desks are concerned."""

    name: str
    kind: str
    capabilities: Capabilities
    own_addresses: tuple[str, ...] = ()
    """Ours, lower case: never among the people of a reply."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    target: float = 0.8


class Reading:
    """Answers questions. One for each bridge."""

    def __init__(
        self,
        *,
        states: States,
        model: ReadModel,
        staff: Staff,
        attention: Attention,
        outlets: Mapping[str, Outlet],
        queues: Iterable[Queue],
        words: Mapping[str, str],
        dispositions: tuple[str, ...],
        is_up: Callable[[str], bool],
        now_ms: Callable[[], int],
    ) -> None:
        """`words`: channel kind to its word of four letters. `is_up`: whether a channel can send now."""
        self._states = states
        self._model = model
        self._staff = staff
        self._attention = attention
        self._outlets = outlets
        self.queues = tuple(queues)
        self._words = words
        self._dispositions = dispositions
        self._is_up = is_up
        self._now_ms = now_ms
        self._figures: dict[tuple[str, tuple[str, ...]], tuple[int, Any]] = {}

    def word(self, kind: str) -> str:
        return self._words.get(kind, kind[:4])

    def state(self, conversation: ConversationId) -> Conversation:
        found: Conversation = self._states.cell(CONV, conversation).state
        return found

    def row(self, conversation: ConversationId, actor: Actor) -> v.Row:
        """The row as this colleague sees it, with who types and who looks."""
        state = self.state(conversation)
        customer: Customer = self._states.cell(CUST, state.customer).state if state.customer else Customer(id="")
        row = rules.row(state, actor, self.word, self._staff.name_of, customer.name, customer.tier)
        if row.name and not rules.sees_addresses(state, actor):
            row = msgspec.structs.replace(row, name=_without_address(row.name, state))
        typing = tuple(
            (row.name.split() or ["customer"])[0] if who == CUSTOMER else self._staff.name_of(who)
            for who in self._attention.who(conversation, "typing")
            if who != actor.agent
        )
        viewers = tuple(
            self._staff.name_of(who) for who in self._attention.who(conversation, "viewing") if who != actor.agent
        )
        if typing or viewers:
            row = msgspec.structs.replace(row, typing=typing, viewers=viewers)
        return row

    def items(self, found: Iterable[v.Item], state: Conversation, actor: Actor) -> tuple[v.Item, ...]:
        mask = None if rules.sees_addresses(state, actor) else rules.masked
        return tuple(thread.seen_by(item, actor.agent, mask) for item in found)

    def changed_items(self, conversation: ConversationId, since: int, actor: Actor) -> tuple[v.Item, ...]:
        return self.items(self._model.items_changed(conversation, since), self.state(conversation), actor)

    def page(self, conversation: ConversationId, before: int | None, limit: int, actor: Actor) -> v.ThreadPage:
        """A page of the thread; the newest page has the composer's facts too."""
        state = self.state(conversation)
        limit = max(1, min(limit, 200))
        found, has_more = self._model.page(conversation, before, limit)
        return v.ThreadPage(
            row=self.row(conversation, actor),
            items=self.items(found, state, actor),
            has_more=has_more,
            # The state may be ahead of the items: what is watched from here on must begin below what they lack.
            upto=min(state.seq, self._model.position),
            seen=state.seen_seq,
            reach=self.reach(state, actor),
            dispositions=self._dispositions,
        )

    def reach(self, state: Conversation, actor: Actor) -> tuple[v.Reach, ...]:
        """The ways to answer, the one used last by the customer first."""
        whole = rules.sees_addresses(state, actor)
        return tuple(self._reach(way, whole) for way in reversed(state.ways.values()) if way.channel in self._outlets)

    def _reach(self, way: Way, whole: bool) -> v.Reach:
        outlet = self._outlets[way.channel]
        can = outlet.capabilities
        to: tuple[Address, ...] = (Address(address=way.address, name=way.name),) if can.is_mail else ()
        ours = {*outlet.own_addresses, way.address.lower()}
        others = {address.lower(): Address(address=address, name=name) for address, name in (*way.to, *way.cc)}
        cc = tuple(one for key, one in others.items() if key not in ours) if can.is_mail else ()
        hide = self._spelled(way.channel_kind, whole)
        subject = way.subject
        if can.is_mail and not subject.lower().startswith("re:"):
            subject = f"Re: {subject}" if subject else ""
        return v.Reach(
            channel=way.channel,
            kind=way.channel_kind,
            word=can.word,
            address=hide(way.address),
            name=way.name if whole else thread.masked_name(way.name, way.address, hide),
            to=to if whole else tuple(thread.masked_address(one, hide) for one in to),
            cc=cc if whole else tuple(thread.masked_address(one, hide) for one in cc),
            subject=subject,
            max_chars=can.max_chars,
            is_mail=can.is_mail,
            is_up=self._is_up(way.channel),
            in_reply_to=way.message,
        )

    def _spelled(self, kind: str, whole: bool) -> Callable[[str], str]:
        """How addresses of a channel kind are shown to somebody who may see them whole, or not."""
        if any(outlet.kind == kind and not outlet.capabilities.has_address for outlet in self._outlets.values()):
            return lambda address: f"visitor {address[:4]}"
        return str if whole else rules.masked

    # lists

    def view_ids(self, view: str, actor: Actor, start: int, limit: int) -> tuple[list[str], int]:
        """Ids of a page of a view, and how many there are."""
        if view == "mine":
            where, values = f"{OWNED_BY} OR {OFFERED_TO}", [actor.agent, actor.agent]
        elif view == "queue":
            where, values = self._queue_clause(actor)
        elif view == "closed":
            where, values = "status = 'closed'", []
        else:
            where, values = OPEN, []
        order = " ORDER BY closed_ms DESC" if view == "closed" else BY_WAIT
        return self._model.ids(f"({where}){order}", values, limit, start), self._model.count(where, values)

    @staticmethod
    def _queue_clause(actor: Actor) -> tuple[str, list[str]]:
        if not actor.queues or actor.is_supervisor:
            return "status = 'queued'", []
        marks = ", ".join("?" for _ in actor.queues)
        return f"status = 'queued' AND queue IN ({marks})", list(actor.queues)

    def rows(self, view: str, start: int, limit: int, actor: Actor) -> v.RowPage:
        ids, total = self.view_ids(view, actor, max(0, start), max(1, min(limit, 500)))
        return v.RowPage(rows=tuple(self.row(one, actor) for one in ids), total=total, upto=self._model.position)

    async def search(self, text: str, limit: int, actor: Actor) -> v.RowPage:
        """Newest first; a word of a number (`#K7Q2M`) or an address finds too."""
        found = await self._model.search(text, max(1, min(limit, 200)))
        return v.RowPage(rows=tuple(self.row(one, actor) for one in found), total=len(found), upto=self._model.position)

    def counts(self, actor: Actor) -> v.Counts:
        """The agent's own figures, and those of the house as they were at most a second ago."""
        where, values = self._queue_clause(actor)
        waiting, oldest = self._lately(where, tuple(values), self._line)
        return v.Counts(
            mine=self._model.count(OWNED_BY, (actor.agent,)) + self._model.count(OFFERED_TO, (actor.agent,)),
            queue=waiting,
            all=self._lately(OPEN, (), self._model.count),
            oldest_ms=oldest,
            service_level=self._lately("", (), lambda *_: self._service_level()),
        )

    def _line(self, where: str, values: Iterable[object]) -> tuple[int, int | None]:
        """How many wait, and since when the first of them."""
        found: tuple[int, int | None] = self._model.db.execute(
            f"SELECT COUNT(*), MIN(COALESCE(waiting_since_ms, opened_ms)) FROM conversation WHERE {where}",  # noqa: S608
            tuple(values),
        ).fetchone()
        return found

    def _lately(self, where: str, values: tuple[str, ...], ask: Callable[[str, Iterable[object]], T]) -> T:
        """A figure over many conversations, asked at most once a second: 500 agents look at it every second."""
        key = (where, values)
        known = self._figures.get(key)
        if known is None or self._now_ms() - known[0] >= FIGURES_MS:
            if len(self._figures) > 1_000:
                self._figures.clear()
            known = (self._now_ms(), ask(where, values))
            self._figures[key] = known
        found: T = known[1]
        return found

    def _service_level(self, queue: str | None = None) -> float | None:
        """Share of answers in time in cases that moved in the last 24 hours; None: nothing had a target.

        Who waits past the target counts as late already, not only once answered.
        """
        where, values = ("AND queue = ?", [queue]) if queue is not None else ("", [])
        now_ms = self._now_ms()
        answered, late = self._model.db.execute(
            "SELECT COALESCE(SUM(answered), 0), COALESCE(SUM(answered_late), 0) FROM conversation "
            f"WHERE answered > 0 AND last_ms > ? {where}",  # noqa: S608
            [now_ms - DAY_MS, *values],
        ).fetchone()
        overdue = self._model.count(f"due_ms IS NOT NULL AND due_ms < ? {where}", (now_ms, *values))
        total = answered + overdue
        return (answered - late) / total if total else None

    def me(self, actor: Actor) -> v.Me:
        presence = self._staff.presence(actor.agent)
        # Dismissed between the request and the answer: the last words are of somebody without a place.
        enrolled = self._staff.active.get(actor.agent)
        capacity = enrolled.capacity if enrolled else 0
        loads = Counter(
            dict(
                self._model.db.execute(
                    f"SELECT channel_kind, COUNT(*) FROM conversation WHERE {OWNED_BY} GROUP BY channel_kind",  # noqa: S608
                    (actor.agent,),
                ).fetchall()
            )
        )
        kinds = dict.fromkeys([outlet.kind for outlet in self._outlets.values()])
        return v.Me(
            agent=actor.agent,
            name=actor.name,
            role=actor.role,
            state=presence.state,
            since_ms=presence.since_ms,
            capacity=capacity,
            loads=tuple((self.word(kind), loads[kind], capacity) for kind in kinds),
        )

    # the customer

    def profile(self, conversation: ConversationId, limit: int, actor: Actor) -> v.Profile:
        """The customer and their timeline; the open case is one moment with its count."""
        state = self.state(conversation)
        customer: Customer = self._states.cell(CUST, state.customer).state
        whole = rules.sees_addresses(state, actor)
        cases = self._model.ids("customer = ? ORDER BY last_ms DESC", (state.customer,), 50)
        return v.Profile(
            customer=state.customer,
            rev=max(state.seq, customer.seq),
            name=customer.name if whole else _without_address(customer.name, state),
            tier=customer.tier,
            speaks=customer.speaks,
            about=customer.about,
            since_ms=customer.since_ms,
            identifiers=tuple(
                v.Identifier(
                    word=self.word(one.channel_kind),
                    address=self._spelled(one.channel_kind, whole)(one.address),
                    is_proved=one.is_proved,
                )
                for one in customer.handles.values()
            ),
            open=tuple(self._case(one) for one in cases if self.state(one).is_open),
            was=tuple(self._case(one) for one in cases if self.state(one).status == conv.CLOSED),
            files=self._files(cases),
            also_here=tuple(
                self._staff.name_of(who) for who in self._attention.who(conversation, "viewing") if who != actor.agent
            ),
            moments=self._moments(state, cases, limit),
            upto=self._model.position,
        )

    def _case(self, conversation: ConversationId) -> v.Case:
        state = self.state(conversation)
        word = state.disposition if state.status == conv.CLOSED else state.status
        return v.Case(
            conv=state.id,
            number=state.number,
            text=state.text,
            state=word,
            at_ms=state.last_ms,
            word=self.word(state.channel_kind),
        )

    def _items_of(self, cases: list[str], limit: int) -> list[tuple[str, v.Item]]:
        found = [(one, item) for one in cases[:20] for item in self._model.items(one, None, min(limit, 60))]
        found.sort(key=lambda pair: -pair[1].seq)
        return found[:limit]

    def _files(self, cases: list[str]) -> tuple[v.FileLine, ...]:
        files: dict[str, v.FileLine] = {}
        for _, item in self._items_of(cases, 200):
            for file in item.files:
                files.setdefault(file.digest, file)
        return tuple(files.values())[:20]

    def _moments(self, state: Conversation, cases: list[str], limit: int) -> tuple[v.Moment, ...]:
        moments = [
            v.Moment(
                at_ms=state.opened_ms,
                word=self.word(state.channel_kind),
                text=f"this case, {state.messages} message{'s' if state.messages != 1 else ''}",
                node="this",
                conv=state.id,
            )
        ]
        moments.extend(self._pages(state))
        for one, item in self._items_of([case for case in cases if case != state.id], limit):
            spoken = item.kind in ("them", "colleague", "unreadable")
            text = conv.preview(item.subject or item.text) if item.kind == "them" else conv.preview(item.text)
            who = f"{item.name}: " if item.kind in ("colleague", "note") else ""
            moments.append(
                v.Moment(
                    at_ms=item.at_ms,
                    word=item.channel or ("note" if item.kind == "note" else self.word(self.state(one).channel_kind)),
                    text=f"{who}{text}",
                    node="talk" if spoken else "event",
                    conv=one,
                )
            )
        moments.sort(key=lambda moment: -moment.at_ms)
        return tuple(moments)

    def _pages(self, state: Conversation) -> list[v.Moment]:
        """The pages the visitor wrote from, in this case."""
        found: list[v.Moment] = []
        for item in self._model.items(state.id, None, 100):
            if item.page and (not found or found[-1].text != item.page):
                found.append(v.Moment(at_ms=item.at_ms, word="web", text=item.page, node="event", conv=state.id))
        return found

    def file_of(self, conversation: ConversationId, digest: str) -> v.FileLine | None:
        """The file of this digest, if it stands in this conversation."""
        for body in self._model.bodies_with(conversation, digest):
            for file in body.files:
                if file.digest == digest:
                    return file
        return None

    # the house

    def directory(self, actor: Actor) -> v.DirectoryView:
        """Colleagues and queues with their load, and the key figures of the last 24 hours."""
        now_ms = self._now_ms()
        work = self._work()
        handled = self._model.db.execute(
            "SELECT closed_ms - accepted_ms FROM conversation WHERE status = 'closed' AND closed_ms > ? AND accepted_ms > 0 ORDER BY 1",
            (now_ms - DAY_MS,),
        ).fetchall()
        return v.DirectoryView(
            agents=tuple(self._colleague(name, work.get(name, []), actor) for name in sorted(self._staff.active)),
            queues=self.queue_levels(),
            handled=self._model.count("status = 'closed' AND closed_ms > ?", (now_ms - DAY_MS,)),
            handle_time_s=handled[len(handled) // 2][0] // 1000 if handled else None,
            upto=self._model.position,
        )

    def _work(self) -> dict[AgentId, list[Conversation]]:
        work: dict[AgentId, list[Conversation]] = {}
        for name in self._model.ids("owner <> '' AND status = 'owned'" + BY_WAIT, (), 5_000):
            state = self.state(name)
            work.setdefault(state.owner, []).append(state)
        return work

    def queue_levels(self) -> tuple[v.QueueView, ...]:
        """Every queue with its load; one that is no longer configured, as long as somebody waits in it."""
        known = {queue.name for queue in self.queues}
        waiting = self._model.db.execute("SELECT DISTINCT queue FROM conversation WHERE status = 'queued'").fetchall()
        left = [Queue(name=name, title=name) for (name,) in sorted(waiting) if name not in known]
        return tuple(self._queue(queue) for queue in (*self.queues, *left))

    def _colleague(self, name: AgentId, work: list[Conversation], actor: Actor) -> v.Colleague:
        enrolled = self._staff.active[name]
        presence = self._staff.presence(name)
        first = work[0] if work else None
        return v.Colleague(
            agent=name,
            name=enrolled.name or name,
            role=enrolled.role,
            state=presence.state,
            reason=presence.reason,
            since_ms=presence.since_ms,
            load=len(work),
            capacity=enrolled.capacity,
            queues=enrolled.queues,
            works_on=rules.shown_name(first, actor, first.name) if first else "",
            works_on_conv=first.id if first else "",
            works_on_word=self.word(first.channel_kind) if first else "",
            due_ms=first.due_ms if first else None,
        )

    def _queue(self, queue: Queue) -> v.QueueView:
        now_ms = self._now_ms()
        waiting, oldest = self._model.db.execute(
            "SELECT COUNT(*), MIN(COALESCE(waiting_since_ms, opened_ms)) FROM conversation WHERE status = 'queued' AND queue = ?",
            (queue.name,),
        ).fetchone()
        arrivals = [0] * 12
        for (opened_ms,) in self._model.db.execute(
            "SELECT opened_ms FROM conversation WHERE queue = ? AND opened_ms > ?",
            (queue.name, now_ms - 12 * HALF_HOUR_MS),
        ):
            arrivals[11 - min(11, (now_ms - opened_ms) // HALF_HOUR_MS)] += 1
        return v.QueueView(
            queue=queue.name,
            name=queue.title,
            waiting=waiting,
            oldest_ms=oldest,
            ready=sum(
                1
                for name, one in self._staff.active.items()
                if self._staff.presence(name).state == "ready" and (not one.queues or queue.name in one.queues)
            ),
            service_level=self._service_level(queue.name),
            target=queue.target,
            arrivals=tuple(arrivals),
        )


def _without_address(name: str, state: Conversation) -> str:
    """Mail programs like to put the address where the name belongs."""
    for address in state.handles.values():
        if address and address.casefold() in name.casefold():
            return rules.masked(address)
    return name
