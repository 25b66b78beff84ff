"""What desks may see, put together from states and the read model: rows, threads, lists; with `figures` and `histories`.

Law: nothing here changes anything, and everything that leaves has gone through `core.views` for its reader: verbs, masked addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from broker_bridge.contract import views as v
from broker_bridge.contract.ids import ConversationId, CustomerId
from broker_bridge.contract.words import Address
from broker_bridge.core import joins, thread
from broker_bridge.core import views as rules
from broker_bridge.core.conversation import Conversation, Way
from broker_bridge.core.customer import Customer
from broker_bridge.core.wishes import Actor
from broker_bridge.daemon.attention import CUSTOMER, Attention
from broker_bridge.daemon.figures import BY_WAIT, OPEN, Figures, queue_clause
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.histories import Histories
from broker_bridge.daemon.outlets import Outlet, Outlets, without_address
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, CUST, States

MOST_OF_ONE = 50
"""Cases of one customer, as far as their rows are kept up to date."""


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
        rulebook: Rulebook,
        floor: Floor,
        words: Mapping[str, str],
        is_up: Callable[[str], bool],
        now_ms: Callable[[], int],
    ) -> None:
        """`words`: channel kind to its word of four letters. `is_up`: whether a channel can send now."""
        self._states = states
        self._model = model
        self._staff = staff
        self._attention = attention
        self._outlets = Outlets(outlets, words)
        self._rulebook = rulebook
        self._floor = floor
        self._is_up = is_up
        self._now_ms = now_ms
        self.figures = Figures(
            model=model,
            states=states,
            staff=staff,
            outlets=self._outlets,
            rulebook=rulebook,
            floor=floor,
            now_ms=now_ms,
        )
        self.histories = Histories(model=model, states=states, staff=staff, attention=attention, outlets=self._outlets)

    def word(self, kind: str) -> str:
        return self._outlets.word(kind)

    def spelled(self, kind: str, address: str, *, whole: bool) -> str:
        """An address of a channel kind, as somebody sees it who may see it whole, or not."""
        return self._outlets.spelled(kind, whole)(address)

    def state(self, conversation: ConversationId) -> Conversation:
        found: Conversation = self._states.cell(CONV, conversation).state
        return found

    def row(self, conversation: ConversationId, actor: Actor) -> v.Row:
        """The row as this colleague sees it, with who types and who looks."""
        state = self.state(conversation)
        customer: Customer = self._states.cell(CUST, state.customer).state if state.customer else Customer(id="")
        row = rules.row(state, actor, self.word, self._staff.name_of, customer.name, customer.tier)
        if row.name and not rules.sees_addresses(state, actor):
            row = msgspec.structs.replace(row, name=without_address(row.name, state))
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
            dispositions=tuple(one.name for one in self._rulebook.policy.outcomes(state.queue)),
            outcomes=self._rulebook.policy.outcomes(state.queue),
            default_outcome=self._rulebook.policy.default_outcome(state.queue),
        )

    def reach(self, state: Conversation, actor: Actor) -> tuple[v.Reach, ...]:
        """The ways to answer, the one used last by the customer first."""
        whole = rules.sees_addresses(state, actor)
        return tuple(
            self._reach(way, whole) for way in reversed(state.ways.values()) if way.channel in self._outlets.names
        )

    def _reach(self, way: Way, whole: bool) -> v.Reach:
        outlet = self._outlets.by_name(way.channel)
        can = outlet.capabilities
        to: tuple[Address, ...] = (Address(address=way.address, name=way.name),) if can.is_mail else ()
        ours = {*outlet.own_addresses, way.address.lower()}
        others = {address.lower(): Address(address=address, name=name) for address, name in (*way.to, *way.cc)}
        cc = tuple(one for key, one in others.items() if key not in ours) if can.is_mail else ()
        hide = self._outlets.spelled(way.channel_kind, whole)
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

    # lists

    def view_ids(self, view: str, actor: Actor, start: int, limit: int) -> tuple[list[str], int]:
        """Ids of a page of a view, and how many there are."""
        if view == "mine":
            found = self.mine(actor)
            return found[start : start + limit], len(found)
        if view == "queue":
            where, values = queue_clause(actor)
        elif view == "closed":
            where, values = "status = 'closed'", []
        else:
            where, values = OPEN, []
        order = " ORDER BY closed_ms DESC" if view == "closed" else BY_WAIT
        return self._model.ids(f"({where}){order}", values, limit, start), self._model.count(where, values)

    def mine(self, actor: Actor) -> list[str]:
        """All that somebody owns, is asked to take, talks about or wraps up: who waits longest first."""
        names = self._floor.held_by(actor.agent)

        def waits(name: str) -> tuple[bool, int, str]:
            since = self.state(name).waiting_since_ms
            return since is None, since or self.state(name).last_ms, name

        return sorted(names, key=waits)

    def first_waiting(self, actor: Actor, but: str) -> str | None:
        """The case of theirs that waits longest for an answer, or else rings; None: nobody waits for them."""
        for name in self.mine(actor):
            state = self.state(name)
            is_ringing = state.offer is not None and state.offer.asks(actor.agent)
            is_waiting = state.owner == actor.agent and state.waiting_since_ms is not None and state.snooze is None
            if name != but and (is_ringing or is_waiting):
                return name
        return None

    def cases_of(self, customer: CustomerId) -> list[str]:
        """A customer's cases, newest first."""
        return self._model.ids("customer = ? ORDER BY last_ms DESC", (customer,), MOST_OF_ONE)

    def rows(self, view: str, start: int, limit: int, actor: Actor) -> v.RowPage:
        ids, total = self.view_ids(view, actor, max(0, start), max(1, min(limit, 500)))
        return v.RowPage(rows=tuple(self.row(one, actor) for one in ids), total=total, upto=self._model.position)

    async def search(self, text: str, limit: int, actor: Actor) -> v.RowPage:
        """Newest first; a word of a number (`#K7Q2M`) or an address finds too."""
        hits = await self._model.search(text, max(1, min(limit, 200)))
        # What was found in a case that was merged is shown where it goes on.
        found = list(dict.fromkeys(joins.leads_to(self.state(one)) for one in hits))
        return v.RowPage(rows=tuple(self.row(one, actor) for one in found), total=len(found), upto=self._model.position)
