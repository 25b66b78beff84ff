"""`why`, answered: the case's entries from LOG itself, and for one that waits the decision as the router would make it now.

Law: any bridge answers, leader or not: every one has the floor, the index and the rules. Nothing is changed by asking. Of a long case not
all is read (`MOST`): its beginning, what came after it was queued last, and its end; the view says what was left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from broker_bridge.contract import codec, subjects
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import ConversationId
from broker_bridge.contract.views import WhyView, WhyWho
from broker_bridge.core import seating, whereabouts, why
from broker_bridge.core import views as rules
from broker_bridge.core.actor import Actor
from broker_bridge.core.customer import Customer
from broker_bridge.core.state import QUEUED, Conversation
from broker_bridge.daemon.choice import Chooser
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.outside import Outside
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import CONV, CUST, States

BREATH = 256
"""Entries after which others get their turn."""
MOST = 1_000
"""Entries that are read; of the 60 steps that a view shows at most, even a busy chat has no more."""
FIRST, STINT, LAST = 100, 300, 600
"""Of a longer case: of its beginning, since it came into its queue, and of its end."""


class Whys:
    """One for each bridge."""

    def __init__(
        self,
        outside: Outside,
        *,
        states: States,
        staff: Staff,
        rulebook: Rulebook,
        floor: Floor,
        chooser: Chooser,
        reading: Reading,
        offers_at_all: bool,
    ) -> None:
        self._bus = outside.bus
        self._sealer = outside.sealer
        self._now_ms = outside.now_ms
        self._states = states
        self._staff = staff
        self._rulebook = rulebook
        self._floor = floor
        self._chooser = chooser
        self._reading = reading
        self._offers_at_all = offers_at_all

    async def of(self, conversation: ConversationId, actor: Actor) -> WhyView:
        """Why it is where it is, for this reader. Raises BusError."""
        known = self._reading.state(conversation)
        stretches = await self._stretches(conversation, known.queued_seq)
        setting = self._setting(known, actor)
        state, told = why.gathered(conversation, stretches, setting, known)
        live = self._live(state) if state.status == QUEUED and state.offer is None else None
        found = why.view(state, told, setting, live)
        if live is not None:
            found = msgspec.structs.replace(found, who=tuple(self._until(one) for one in found.who))
        return found

    async def _stretches(self, conversation: ConversationId, queued_seq: int) -> list[why.Stretch]:
        """Its entries, with gaps where it is long."""
        subject = subjects.log(CONV, conversation)
        whole, more = await self._bus.subject_part(subjects.LOG, subject, start_seq=1, most=FIRST)
        if more + len(whole) <= MOST:
            rest = await self._bus.subject_messages(subjects.LOG, subject, start_seq=whole[-1][0] + 1) if more else []
            return [await self._stretch([*whole, *((seq, body) for seq, body, _ in rest)])]
        found = [await self._stretch(whole)]
        end = await self._bus.subject_end(subjects.LOG, subject, LAST)
        first = end[0][0]
        if whole[-1][0] < queued_seq < first:
            stint, after = await self._bus.subject_part(subjects.LOG, subject, start_seq=queued_seq, most=STINT)
            found.append(await self._stretch(stint, more - len(stint) - after))
            end, more = [one for one in end if one[0] > stint[-1][0]], after
        found.append(await self._stretch(end, more - len(end)))
        return found

    async def _stretch(self, told: Sequence[tuple[int, bytes]], left_out: int = 0) -> why.Stretch:
        """What of it can be read; what a later version wrote is left out."""
        found: list[tuple[int, Entry]] = []
        for place, (seq, body) in enumerate(told):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            try:
                found.append((seq, await self._sealer.open_entry(codec.entry(body))))
            except codec.Malformed:
                continue
        return why.Stretch(entries=found, left_out=max(0, left_out))

    def _setting(self, state: Conversation, actor: Actor) -> why.Setting:
        customer = self._customer(state)
        whole = rules.sees_addresses(state, actor)
        return why.Setting(
            reader=actor.agent,
            name_of=self._staff.name_of,
            word=self._reading.word,
            spelled=lambda kind, address: self._reading.spelled(kind, address, whole=whole),
            now_ms=self._now_ms(),
            customer=self._reading.row(state.id, actor).name,
            proved={handle: one.is_proved for handle, one in customer.handles.items()},
            number_of=lambda other: self._reading.state(other).number,
            policy=self._rulebook.policy,
        )

    def _customer(self, state: Conversation) -> Customer:
        found: Customer = self._states.cell(CUST, state.customer).state if state.customer else Customer(id="")
        return found

    def _live(self, state: Conversation) -> why.Live:
        """The decision on it now."""
        # Nobody says that they fell silent, and only the leader looks every second.
        self._floor.fall_silent(self._now_ms())
        waiting = self._floor.waiting(state)
        queue = self._rulebook.policy.rules(state.queue)
        now_ms = self._now_ms()
        question = self._chooser.question(state, waiting, queue, now_ms)
        return why.Live(
            why=self._chooser.why(question, None),
            wait_ms=question.wait_ms,
            waits_for=question.request.prefer[0] if question.wait_ms else "",
            offers_at_all=self._offers_at_all,
        )

    def _until(self, one: WhyWho) -> WhyWho:
        """`at lunch until 14:30`, of somebody who said until when."""
        presence = self._staff.presences.of(one.agent)
        if one.reason != seating.label(presence.state, presence.reason):
            return one
        policy, now_ms = self._rulebook.policy, self._now_ms()
        said = whereabouts.words(presence.state, presence.reason, presence.until_ms, policy, now_ms)
        return msgspec.structs.replace(one, reason=said)
