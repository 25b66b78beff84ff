"""Who has what, who waits and what is due when, kept up to date entry by entry: nobody scans the read model.

Law: it says what this bridge has applied or written itself; an offer made on an old picture loses against the log's expected sequence, of
the case and of the agent's load. Seats, presence, loads and the line are in the index and the line of core.routing.
"""

from __future__ import annotations

import gc
from collections import Counter

from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.core import hours
from broker_bridge.core import standing as stands
from broker_bridge.core.moments import Moments
from broker_bridge.core.routing.index import Index
from broker_bridge.core.routing.line import Line
from broker_bridge.core.standing import Standing, standing
from broker_bridge.core.state import OWNED, QUEUED, Conversation
from broker_bridge.core.waiting import Waiting
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.presence import SILENT_MS
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import AGENT, CONV, LOAD, States

OFF_SHIFT = "off shift"
FAR_OFF_MS = 60_000
"""An offer made so far ahead of now was made by a clock that was put back since, or by another bridge's."""


class Floor:
    """Loads of agents, the line, and moments."""

    def __init__(self, rulebook: Rulebook, staff: Staff) -> None:
        self._rulebook = rulebook
        self._staff = staff
        self._held: dict[AgentId, dict[ConversationId, int]] = {}
        """Who has to do with which conversations, and what each takes of them."""
        self._load: Counter[AgentId] = Counter()
        self._wraps: dict[AgentId, set[ConversationId]] = {}
        self._given: dict[AgentId, int] = {}
        """Up to which sequence of their load each agent's places are known here."""
        self._known: dict[ConversationId, Standing] = {}
        """Those that are on the floor at all: waiting, rung, owned, or with something due."""
        self.index = Index()
        self.line = Line()
        self.rings = Moments()
        self.timers = Moments()
        self._silence = Moments()
        self._shifts = Moments()
        """When somebody's shift begins or ends next."""
        self._policy = rulebook.policy
        """By which everything stands here."""
        self._is_live = False
        """What comes now was written just now."""
        self.leaving: set[AgentId] = set()
        """Who has chosen a next status."""
        rulebook.on_change.append(self._again)
        staff.presences.on_change.append(self.present)

    # taking in

    def load_all(self, model: ReadModel, states: States) -> None:
        """Begin with everything that stands on the floor: from a column, not from 100,000 states (measured: 3 s of a restart)."""
        was_collecting = gc.isenabled()
        # Nothing of this is garbage, and looking for it takes longer than all else (100,000: 3.6 s with, 1.1 s without).
        gc.disable()
        try:
            for (kept,) in model.db.execute("SELECT standing FROM conversation WHERE standing IS NOT NULL"):
                self._note(stands.decode(kept))
        finally:
            if was_collecting:
                gc.enable()
        for name in model.names(LOAD):
            self._given[name] = states.cell(LOAD, name).state.seq
        for agent in self._staff.active:
            self._seat(agent)
        self._is_live = True

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        for one in news:
            if one.kind == CONV:
                known = self._known.get(one.name)
                # What this bridge wrote itself was taken in when it was written.
                if known is None or known.seq != one.cell.state.seq:
                    self.saw(one.cell.state)
            elif one.kind == LOAD:
                self.gave(one.name, one.seq)
            elif one.kind == AGENT:
                self._seat(one.name)

    def saw(self, state: Conversation) -> None:
        """Take in how a conversation stands now. What is older than what is known changes nothing."""
        known = self._known.get(state.id)
        if known is None or known.seq <= state.seq:
            self._note(standing(state))

    def again(self, conversation: ConversationId) -> None:
        """Put it where it stands: what was promised of it, or taken out to be done, did not come about."""
        known = self._known.get(conversation)
        if known is not None:
            self._note(known)

    def gave(self, agent: AgentId, seq: int) -> None:
        """The places given at `seq` of the agent's load are taken into account."""
        self._given[agent] = max(seq, self._given.get(agent, 0))

    def present(self, agent: AgentId) -> None:
        """Somebody's presence may have changed."""
        presence = self._staff.presences.of(agent)
        state, reason = presence.state, presence.reason
        if state == "ready" and presence.next_state:
            state, reason = "away", presence.next_reason or presence.next_state
        if state == "ready" and not self._staff.is_on_shift(agent):
            state, reason = "away", OFF_SHIFT
        if self.wrapping(agent) and state in ("ready", "busy"):
            state, reason = "wrap_up", ""
        self._shifts.set(agent, self._staff.shift_ends_ms(agent))
        self.index.present(agent, state, reason)
        if presence.next_state:
            self.leaving.add(agent)
        else:
            self.leaving.discard(agent)
        hears = presence.state not in ("silent", "off")
        self._silence.set(agent, presence.heard_ms + SILENT_MS + 1 if hears else None)

    def fall_silent(self, now_ms: int) -> None:
        """Nobody says that they fell silent, or that their shift is over: it is noticed here."""
        for agent in (*self._silence.take_due(now_ms), *self._shifts.take_due(now_ms)):
            self.present(agent)

    def due_timers(self, now_ms: int, most: int) -> list[ConversationId]:
        """Conversations to which time does something now; what is left over is due next time."""
        due = self.timers.take_due(now_ms)
        for name in due[most:]:
            self.timers.set(name, now_ms)
        return due[:most]

    def rung_out(self, now_ms: int, most: int) -> list[ConversationId]:
        """Conversations whose offer is over; what is left over is told next time."""
        due = self.rings.take_due(now_ms)
        for name in due[most:]:
            self.rings.set(name, now_ms)
        return due[:most]

    def _seat(self, agent: AgentId) -> None:
        enrolled = self._staff.active.get(agent)
        if enrolled is None:
            self.index.leave(agent)
            return
        if enrolled.role == "agent":
            self.index.seat(enrolled.seat)
            self.present(agent)
        else:
            self.index.leave(agent)

    def _again(self) -> None:
        """The rules changed: costs, needs and steps are reckoned anew, of the queues concerned (of 100,000 cases: seconds)."""
        before, policy = self._policy, self._rulebook.policy
        self._policy = policy
        is_dearer = before.desk.costs != policy.desk.costs
        changed = {name for name in {*before.queues, *policy.queues} if before.rules(name) != policy.rules(name)}
        for one in list(self._known.values()):
            if is_dearer or one.queue in changed:
                self._note(one)

    def _note(self, one: Standing) -> None:
        policy = self._rulebook.policy
        self._place(one, policy.taken(one))
        self._ring(one)
        self.timers.set(one.id, one.timer.due_ms if one.timer is not None else None)
        if one.status == QUEUED and one.offer is None:
            self._line_up(self._waiting(one), self._overflow_ms(one))
        elif one.status in (QUEUED, OWNED):
            self.line.serve(one.id, one.customer)
        else:
            self.line.drop(one.id)
        if one.status in (QUEUED, OWNED) or one.timer is not None or one.wrap is not None:
            self._known[one.id] = one
        else:
            self._known.pop(one.id, None)

    def _ring(self, one: Standing) -> None:
        before, offer, now_ms = self._known.get(one.id), one.offer, self._staff.now_ms()
        if before is not None and before.offer == offer and one.id in self.rings:
            # Whatever else happened to it, the offer goes on.
            return
        until_ms = offer.until_ms if offer is not None else None
        ahead_ms = offer.at_ms - now_ms if offer is not None else 0
        # Of those that stood before this bridge began nobody can say whether they are old or of a clock that is behind.
        if offer is not None and (ahead_ms > FAR_OFF_MS or (self._is_live and ahead_ms < -FAR_OFF_MS)):
            # By the clock of another bridge, which is that far off: it rings as long as it was meant to.
            until_ms = now_ms + offer.until_ms - offer.at_ms
        self.rings.set(one.id, until_ms)

    def _line_up(self, waiting: Waiting, overflow_ms: int | None) -> None:
        before = self.line.get(waiting.conversation)
        self.line.put(waiting, overflow_ms=overflow_ms)
        if before is not None and before.group != waiting.group:
            # What it was held back for concerned others: who let it pass there is not asked here.
            self.line.held(waiting.conversation, 0)

    def _waiting(self, one: Standing) -> Waiting:
        policy = self._rulebook.policy
        return Waiting(
            conversation=one.id,
            customer=one.customer,
            queue=one.queue,
            needs=policy.needs(one),
            units=policy.units(one),
            mode=policy.rules(one.queue).mode,
            since_ms=one.waiting_since_ms or one.queued_ms,
            within_s=one.reply_s,
            priority=policy.priority(one),
        )

    def _overflow_ms(self, one: Standing) -> int | None:
        rules = self._rulebook.policy.rules(one.queue)
        if one.steps >= len(rules.overflow):
            return None
        # In working time: nobody is alarmed at night about what nobody could have taken.
        return hours.add(rules.hours, one.queued_ms, rules.overflow[one.steps].after_s)

    def _place(self, one: Standing, places: tuple[tuple[AgentId, int], ...]) -> None:
        before = self._known.get(one.id)
        had, have = self._involved(before), self._involved(one)
        if not had and not have:
            return
        touched = {*had, *have}
        for agent in had:
            held = self._held.get(agent, {})
            self._load[agent] -= held.pop(one.id, 0)
        for agent in have:
            self._held.setdefault(agent, {}).setdefault(one.id, 0)
        for agent, units in places:
            self._held[agent][one.id] += units
            self._load[agent] += units
        self._note_wrap(before, one)
        for agent in touched:
            self.index.load(agent, self._load[agent])

    @staticmethod
    def _involved(one: Standing | None) -> tuple[AgentId, ...]:
        """Who has to do with it: owner, who rings, talks along or wraps up."""
        if one is None:
            return ()
        found = [one.owner] if one.status == OWNED else []
        found += one.offer.everybody if one.offer is not None else ()
        found += [one.consult.agent] if one.consult is not None else []
        found += [one.wrap.agent] if one.wrap is not None else []
        return tuple(dict.fromkeys(found))

    def _note_wrap(self, before: Standing | None, one: Standing) -> None:
        was = before.wrap.agent if before is not None and before.wrap is not None else ""
        now = one.wrap.agent if one.wrap is not None and one.wrap.is_binding else ""
        if was and was != now:
            self._wraps.get(was, set()).discard(one.id)
        if now:
            self._wraps.setdefault(now, set()).add(one.id)
        for agent in {was, now} - {""}:
            self.present(agent)

    # asking

    def load(self, agent: AgentId) -> int:
        """Units that the agent carries: owned, ringing, talked about and wrapped up together."""
        return self._load[agent]

    def index_load(self, agent: AgentId) -> int:
        """What the index takes the agent to carry: with offers that are being written."""
        sitting = self.index.sitting(agent)
        return sitting.load if sitting is not None else self._load[agent]

    def is_current(self, agent: AgentId, seq: int) -> bool:
        """Whether all places that were given to the agent up to `seq` are in `load`."""
        return self._given.get(agent, 0) >= seq

    def wrapping(self, agent: AgentId) -> ConversationId:
        """A case whose outcome the agent has to write before anything else; empty: none."""
        return min(self._wraps.get(agent, ()), default="")

    def held_by(self, agent: AgentId) -> list[ConversationId]:
        """Conversations that an agent owns, is asked to take, talks about or wraps up, in the order of their ids."""
        return sorted(self._held.get(agent, ()))

    @property
    def busy(self) -> list[AgentId]:
        """Everybody who has something."""
        return [agent for agent, held in self._held.items() if held]

    def standing(self, conversation: ConversationId) -> Standing | None:
        """How a conversation stands, if it is on the floor."""
        return self._known.get(conversation)

    def waiting(self, state: Conversation) -> Waiting:
        """A case as it waits in its queue, for the questions about a decision."""
        return self._waiting(standing(state))

    def queued_after_steps(self) -> list[Standing]:
        """Cases that wait although overflow steps were taken."""
        return [one for one in self._known.values() if one.status == QUEUED and one.steps]

    def promised(self) -> list[tuple[ConversationId, int]]:
        """Cases that must be resolved by a moment (ms)."""
        return [(one.id, one.resolve_ms) for one in self._known.values() if one.resolve_ms is not None]

    def mend(self, now_ms: int) -> None:
        """Offers that a clock made which was put back since are over: their end would be hours ahead."""
        for one in self._known.values():
            if one.offer is not None and one.offer.at_ms > now_ms + FAR_OFF_MS:
                self.rings.set(one.id, now_ms)


def is_over(state: Conversation, now_ms: int) -> bool:
    """Whether the offer has rung long enough."""
    if state.offer is None:
        return False
    return state.offer.until_ms <= now_ms or state.offer.at_ms > now_ms + FAR_OFF_MS
