"""The customer beside a conversation: who they are, their cases, their files, and what happened on every channel."""

from __future__ import annotations

from broker_bridge.contract import views as v
from broker_bridge.contract.ids import ConversationId
from broker_bridge.core import conversation as conv
from broker_bridge.core import views as rules
from broker_bridge.core.conversation import Conversation
from broker_bridge.core.customer import Customer
from broker_bridge.core.wishes import Actor
from broker_bridge.daemon.attention import Attention
from broker_bridge.daemon.outlets import Outlets, without_address
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, CUST, States


class Histories:
    """One for each bridge."""

    def __init__(
        self, *, model: ReadModel, states: States, staff: Staff, attention: Attention, outlets: Outlets
    ) -> None:
        self._model = model
        self._states = states
        self._staff = staff
        self._attention = attention
        self._outlets = outlets

    def profile(self, conversation: ConversationId, limit: int, actor: Actor) -> v.Profile:
        """The customer and their timeline; the open case is one moment with its count."""
        state = self._state(conversation)
        customer: Customer = self._states.cell(CUST, state.customer).state
        whole = rules.sees_addresses(state, actor)
        cases = self._model.ids("customer = ? ORDER BY last_ms DESC", (state.customer,), 50)
        return v.Profile(
            customer=state.customer,
            rev=max(state.seq, customer.seq),
            name=customer.name if whole else without_address(customer.name, state),
            tier=customer.tier,
            speaks=customer.speaks,
            about=customer.about,
            since_ms=customer.since_ms,
            identifiers=self.identifiers(state, actor),
            open=tuple(self._case(one) for one in cases if self._state(one).is_open),
            was=tuple(self._case(one) for one in cases if self._state(one).status == conv.CLOSED),
            files=self._files(cases),
            also_here=tuple(
                self._staff.name_of(who) for who in self._attention.who(conversation, "viewing") if who != actor.agent
            ),
            moments=self._moments(state, cases, limit),
            upto=self._model.position,
        )

    def identifiers(self, state: Conversation, actor: Actor) -> tuple[v.Identifier, ...]:
        """The customer's addresses as this reader may see them."""
        customer: Customer = self._states.cell(CUST, state.customer).state
        whole = rules.sees_addresses(state, actor)
        return tuple(
            v.Identifier(
                word=self._outlets.word(one.channel_kind),
                address=self._outlets.spelled(one.channel_kind, whole)(one.address),
                is_proved=one.is_proved,
            )
            for one in customer.handles.values()
        )

    def _case(self, conversation: ConversationId) -> v.Case:
        state = self._state(conversation)
        word = state.disposition if state.status == conv.CLOSED else state.status
        return v.Case(
            conv=state.id,
            number=state.number,
            text=state.text,
            state=word,
            at_ms=state.last_ms,
            word=self._outlets.word(state.channel_kind),
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
                word=self._outlets.word(state.channel_kind),
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
                    word=item.channel
                    or ("note" if item.kind == "note" else self._outlets.word(self._state(one).channel_kind)),
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

    def _state(self, name: str) -> Conversation:
        found: Conversation = self._states.cell(CONV, name).state
        return found
