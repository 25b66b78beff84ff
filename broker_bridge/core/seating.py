"""Every agent to the router, as sets: who works in a queue, has a skill at a level, is ready, has room for a cost.

Law: pure, and never a scan when something changes or is asked; the answer is exactly what looking at each agent would say. Nobody is in
the room for a cost who would be above their own units with it.
"""

from __future__ import annotations

import heapq

import msgspec

from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import Seat, Skill
from broker_bridge.core.bitsets import Planes, of
from broker_bridge.core.order import Order

READY = "ready"
OFF = "off"
MOST_LEVEL = 5
FULL_LEVEL = 100
"""The load level (percent of one's own units) from which everything is equally much."""
BLOCK = 1024
"""Agents that place is made for at once."""
MOST_COSTS = 128
"""Different costs whose room is kept ready; a policy has a handful."""
FEW = 6
"""Members up to which a set is made faster one by one than at once."""
AT = {
    "off shift": "off shift",
    "lunch": "at lunch",
    "break": "on a break",
    "meeting": "in a meeting",
    "training": "in training",
}
STATES = {"wrap_up": "in wrap-up", "transfer_only": "transfer only"}


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is to be given away."""

    queue: QueueId
    needs: tuple[Skill, ...] = ()
    """After widening. A level below 1 asks for nothing."""
    units: int
    """What it takes of an agent."""
    mode: str = "evenly"
    """`evenly`, `in_order` or `everybody`."""
    order: tuple[AgentId, ...] = ()
    """Of `in_order`: pass the queue's own tuple, not a copy, since what is made of it is kept with it."""
    prefer: tuple[AgentId, ...] = ()
    """The first of them who is fit comes before everybody else: the responsible one, the last one."""
    without: frozenset[AgentId] = frozenset()
    """Who let it pass lately."""


class Sitting:
    """One agent: what the sets say of them, for questions about them alone."""

    __slots__ = (
        "free", "label", "level", "levels", "load", "name", "number", "queues", "reason", "state", "units",
    )  # fmt: skip

    def __init__(self, name: AgentId, number: int) -> None:
        self.name = name
        self.number = number
        self.queues: frozenset[QueueId] = frozenset()
        self.levels: dict[str, int] = {}
        self.units = 0
        self.load = 0
        self.free = 0
        self.state = OFF
        self.reason = ""
        self.label = OFF
        self.level = FULL_LEVEL
        """Load in percent of their own units, 0 to 100."""

    def works_in(self, queue: QueueId) -> bool:
        return not self.queues or queue in self.queues

    def has(self, need: Skill) -> bool:
        return need.level < 1 or self.levels.get(need.name, 0) >= need.level


def level(load: int, units: int) -> int:
    """Load in percent of one's own units, 0 to 100."""
    if units <= 0:
        return FULL_LEVEL
    return max(0, min(FULL_LEVEL, load * 100 // units))


def label(state: str, reason: str = "") -> str:
    """What a presence is called in an explanation, like `at lunch`."""
    if state == "away" and reason:
        return AT.get(reason, f"away: {reason}")
    return STATES.get(state, state)


class Seating:
    """Agents and their sets. Numbers of agents are its own and are used again after somebody left."""

    def __init__(self) -> None:
        self._by_name: dict[AgentId, Sitting] = {}
        self._by_number: list[Sitting | None] = []
        self._left: list[int] = []
        """Numbers that are free again, a heap."""
        self._apart: dict[AgentId, tuple[int, str, str]] = {}
        """(load, state, reason) of names that have no seat: work and presence may be known before it, and after it."""
        self._queues: dict[QueueId, int] = {}
        self._everywhere = 0
        self._skills: dict[tuple[str, int], int] = {}
        self._labels: dict[str, int] = {}
        self._open: dict[int, int] = {}
        """Who is ready and has room, by cost."""
        self._order = Order()
        self._orders: dict[int, tuple[tuple[AgentId, ...], int, Planes]] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, agent: AgentId) -> bool:
        return agent in self._by_name

    def seat(self, seat: Seat) -> None:
        """Add an agent (`off` and without work unless that was said before), or replace what is known of their seat."""
        one = self._by_name.get(seat.agent)
        if one is None:
            one = self._added(seat.agent)
        else:
            self._flip_memberships(one)
        one.queues = frozenset(seat.queues)
        one.levels = {}
        for skill in seat.skills:
            one.levels[skill.name] = max(one.levels.get(skill.name, 0), min(MOST_LEVEL, skill.level))
        self._flip_memberships(one)
        self._set_load(one, one.load, seat.units)

    def leave(self, agent: AgentId) -> None:
        """They have no seat any more; unknown ones never had one."""
        one = self._by_name.get(agent)
        if one is None:
            return
        kept = (one.load, one.state, one.reason)
        self._flip_memberships(one)
        self._set_label(one, "")
        self._order.leave(one.number, one.level)
        del self._by_name[agent]
        self._by_number[one.number] = None
        heapq.heappush(self._left, one.number)
        self._orders.clear()
        self._keep(agent, *kept)

    def present(self, agent: AgentId, state: str, reason: str = "") -> None:
        """`state`: ready, busy, away, wrap_up, transfer_only, silent or off; only `ready` is given work."""
        one = self._by_name.get(agent)
        if one is None:
            self._keep(agent, self._apart.get(agent, (0, OFF, ""))[0], state, reason)
            return
        one.state, one.reason = state, reason
        self._set_label(one, label(state, reason))

    def load(self, agent: AgentId, units: int) -> None:
        """What they carry now: owned and ringing together, in cost units."""
        one = self._by_name.get(agent)
        if one is None:
            _, state, reason = self._apart.get(agent, (0, OFF, ""))
            self._keep(agent, units, state, reason)
        else:
            self._set_load(one, units, one.units)

    def given(self, agent: AgentId) -> None:
        """They were just given something: among equals they come last now."""
        one = self._by_name.get(agent)
        if one is not None:
            self._order.given(one.number)

    def sitting(self, agent: AgentId) -> Sitting | None:
        """What is known of one agent, to read."""
        return self._by_name.get(agent)

    def is_fit(self, agent: AgentId, request: Request) -> bool:
        """Whether this one may be given it."""
        one = self._by_name.get(agent)
        return (
            one is not None
            and one.state == READY
            and one.free >= request.units
            and one.works_in(request.queue)
            and agent not in request.without
            and all(one.has(need) for need in request.needs)
        )

    def _fit_bits(self, request: Request) -> int:
        """Everybody who may be given it."""
        bits = self._able_bits(request)
        if bits and request.without:
            bits ^= bits & self._bits_of(request.without)
        return bits

    def _able_bits(self, request: Request) -> int:
        """Everybody who may be given it, and those who let it pass."""
        bits = self._open.get(request.units)
        if bits is None:
            bits = self._open_for(request.units)
        bits &= self._queues.get(request.queue, self._everywhere)
        for need in request.needs:
            if need.level > 0:
                bits &= self._skills.get((need.name, need.level), 0)
        return bits

    def _having(self, need: Skill) -> int:
        """Everybody who has this skill at least at this level; nobody beyond the last level."""
        if need.level < 1:
            return (1 << len(self._by_number)) - 1
        return self._skills.get((need.name, need.level), 0)

    def _bits_of(self, agents: frozenset[AgentId]) -> int:
        found = [one.number for agent in agents if (one := self._by_name.get(agent)) is not None]
        if len(found) > FEW:
            return of(found, len(self._by_number))
        bits = 0
        for number in found:
            bits |= 1 << number
        return bits

    def _open_for(self, units: int) -> int:
        bits = self._open.get(units)
        if bits is None:
            if len(self._open) >= MOST_COSTS:
                self._open.clear()
            ready = (one for one in self._by_name.values() if one.state == READY)
            bits = of((one.number for one in ready if one.free >= units), len(self._by_number))
            self._open[units] = bits
        return bits

    def _ranked(self, order: tuple[AgentId, ...]) -> tuple[int, Planes]:
        """Who is named in an order, and their place in it."""
        kept = self._orders.get(id(order))
        if kept is not None and kept[0] is order:
            return kept[1], kept[2]
        ranks: dict[int, int] = {}
        for rank, agent in enumerate(order):
            one = self._by_name.get(agent)
            if one is not None:
                ranks.setdefault(one.number, rank)
        planes = Planes(len(order).bit_length(), len(self._by_number))
        planes.fill(ranks)
        if len(self._orders) >= MOST_COSTS:
            self._orders.clear()
        bits = of(ranks, len(self._by_number))
        self._orders[id(order)] = (order, bits, planes)
        return bits, planes

    def _added(self, agent: AgentId) -> Sitting:
        if not self._left:
            count = len(self._by_number)
            self._by_number += [None] * BLOCK
            self._left = list(range(count, count + BLOCK))
            self._order.grow(count + BLOCK)
        number = heapq.heappop(self._left)
        one = Sitting(agent, number)
        one.load, one.state, one.reason = self._apart.pop(agent, (0, OFF, ""))
        # Without units yet, and no room for anything: `_set_load` flips what differs from that.
        one.free = -1
        self._by_name[agent] = self._by_number[number] = one
        one.label = ""
        self._set_label(one, label(one.state, one.reason))
        self._order.come(number, one.level)
        self._orders.clear()
        return one

    def _keep(self, agent: AgentId, units: int, state: str, reason: str) -> None:
        if units or state != OFF:
            self._apart[agent] = (units, state, reason)
        else:
            self._apart.pop(agent, None)

    def _flip_memberships(self, one: Sitting) -> None:
        bit = 1 << one.number
        if one.queues:
            for queue in one.queues:
                bits = self._queues.get(queue, self._everywhere) ^ bit
                self._queues[queue] = bits
                if bits == self._everywhere:
                    del self._queues[queue]
        else:
            self._everywhere ^= bit
            for queue, bits in self._queues.items():
                self._queues[queue] = bits ^ bit
        for name, most in one.levels.items():
            for level in range(1, most + 1):
                bits = self._skills.get((name, level), 0) ^ bit
                self._skills[name, level] = bits
                if not bits:
                    del self._skills[name, level]

    def _set_label(self, one: Sitting, after: str) -> None:
        before = one.label
        if before == after:
            return
        bit = 1 << one.number
        if before:
            self._labels[before] ^= bit
            if not self._labels[before]:
                del self._labels[before]
        if after:
            self._labels[after] = self._labels.get(after, 0) ^ bit
        one.label = after
        if before == READY or after == READY:
            for cost, bits in self._open.items():
                if cost <= one.free:
                    self._open[cost] = bits ^ bit

    def _set_load(self, one: Sitting, load: int, units: int) -> None:
        free = units - load
        if one.label == READY and free != one.free:
            for cost, bits in self._open.items():
                if (cost <= one.free) != (cost <= free):
                    self._open[cost] = bits ^ 1 << one.number
        one.load, one.units, one.free = load, units, free
        after = level(load, units)
        if after != one.level:
            self._order.level(one.number, one.level, after)
            one.level = after
