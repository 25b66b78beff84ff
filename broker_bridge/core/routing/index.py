"""Who gets it: the choice among all agents, without looking at each of them, and its explanation.

Law: pure and deterministic, and equal to a scan: the fit one with the least relative load (whole percent of their own units), among
equals who was given something (or came) longest ago. It only chooses: that somebody was given work is told to it
with `load` and `given`. Measured (`broker-bridge bench`, row 4): a decision among 10,000 agents takes twice what it takes
among 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.policy import Considered
from broker_bridge.core.bitsets import least
from broker_bridge.core.reasons import FULL, PASSED, demerit, hindrance, lacks, merit
from broker_bridge.core.seating import OFF, READY, Request, Seating, Sitting

__all__ = ["Explained", "Index", "Request"]

MOST_CONSIDERED = 12
MOST_FIT = 8
"""Of those considered, when others were passed over too: why not them is asked as often."""
MOST_RUNG = 50
"""How many ring at once when everybody is asked: more would hear a bell for nothing than find work."""
MOST_KNOWN = 4
"""Of `prefer`, in an explanation."""
SOON = ("in wrap-up", "busy", "transfer only")
"""Of the presences, those nearest to being ready."""


class Explained(NamedTuple):
    """Two parts of `Why`."""

    considered: tuple[Considered, ...]
    skipped: tuple[tuple[str, int], ...]


class Index(Seating):
    """Chooses among those who are seated."""

    def choose(self, request: Request) -> AgentId | None:
        """Whom to give it to, by the request's mode (`everybody` counts as `evenly`); None: nobody is fit."""
        return self.in_order(request) if request.mode == "in_order" else self.evenly(request)

    def evenly(self, request: Request) -> AgentId | None:
        """Whoever of `prefer` is fit; else the one with the least to do."""
        return (request.prefer and self.preferred(request)) or self._first(self._able_bits(request), request)

    def in_order(self, request: Request) -> AgentId | None:
        """Whoever of `prefer` is fit; else the first of `order`; else the one with the least to do of all others."""
        return (request.prefer and self.preferred(request)) or self._first_in_order(request)

    def preferred(self, request: Request) -> AgentId | None:
        """The first of `prefer` who may be given it."""
        for agent in request.prefer:
            if self.is_fit(agent, request):
                return agent
        return None

    def fit(self, request: Request, most: int = MOST_RUNG) -> list[AgentId]:
        """At most `most` who may be given it, who has least to do first."""
        return [one.name for one in islice(self._ordered(self._fit_bits(request)), most)]

    def is_any_fit(self, request: Request) -> bool:
        """Whether anybody may be given it."""
        return bool(self._fit_bits(request))

    def explain(
        self, request: Request, chosen: AgentId | None, *, responsible: AgentId = "", last_agent: AgentId = ""
    ) -> Explained:
        """Why this choice; to be asked before the choice is told to the index. `skipped` counts agents of the queue alone."""
        fit = self._fit_bits(request)
        groups = self._hindered(request)
        skipped = sorted(((reason, bits.bit_count()) for reason, bits in groups), key=lambda one: (-one[1], one[0]))
        best = self._by_name.get(chosen) if chosen else None
        first = (chosen, *request.prefer[:MOST_KNOWN], responsible, last_agent)
        shown = {agent: self._by_name[agent] for agent in first if agent and agent in self._by_name}
        self._show(shown, fit, MOST_FIT if groups else MOST_CONSIDERED)
        for _, bits in groups:
            self._show(shown, bits, MOST_CONSIDERED)
        considered = [
            self._considered(one, best, request, responsible=responsible, last_agent=last_agent)
            for one in shown.values()
        ]
        considered.sort(key=lambda one: (one.agent != chosen, not one.is_fit))
        return Explained(tuple(considered), tuple(skipped))

    def _show(self, shown: dict[AgentId, Sitting], bits: int, most: int) -> None:
        """Add the first of `bits` until `most` are shown."""
        if len(shown) >= most:
            return
        for one in self._ordered(bits):
            shown[one.name] = one
            if len(shown) >= most:
                return

    def _considered(
        self, one: Sitting, best: Sitting | None, request: Request, *, responsible: AgentId, last_agent: AgentId
    ) -> Considered:
        against = hindrance(one, request)
        if one is best:
            reason = merit(one, request, responsible, last_agent)
        else:
            reason = against or demerit(one, best, request)
        return Considered(
            agent=one.name,
            state=one.state,
            load=one.load,
            units=one.units,
            skills=sum(map(one.has, request.needs)),
            last_talk=one.name == last_agent,
            is_responsible=one.name == responsible,
            reason=reason,
            is_fit=not against,
        )

    def _hindered(self, request: Request) -> list[tuple[str, int]]:
        """Everybody of the queue who is not fit, by what keeps them from it (see `hindrance`), the nearest to fit first."""
        rest = self._queues.get(request.queue, self._everywhere)
        off = rest & self._labels.get(OFF, 0)
        rest ^= off
        lacking: dict[str, int] = {}
        for need in request.needs:
            having = rest & self._having(need)
            if having != rest:
                lacking[lacks(need)] = lacking.get(lacks(need), 0) | rest ^ having
            rest = having
        ready = rest & self._labels.get(READY, 0)
        elsewhere = [(name, rest & bits) for name, bits in self._labels.items() if name not in (READY, OFF)]
        passed = ready & self._bits_of(request.without) if request.without else 0
        willing = ready ^ passed
        groups = [
            (FULL, willing ^ (willing & self._open_for(request.units))),
            (PASSED, passed),
            *sorted(elsewhere, key=lambda one: (one[0] not in SOON, one[0])),
            *reversed(lacking.items()),
            (OFF, off),
        ]
        return [(reason, bits) for reason, bits in groups if bits]

    def _first(self, able: int, request: Request) -> AgentId | None:
        number = self._order.first(able)
        if number < 0:
            return None
        agent = self._at(number).name
        if agent not in request.without:
            return agent
        # Taking out those who let it pass costs more than a choice: only when one of them would be chosen.
        number = self._order.first(able ^ (able & self._bits_of(request.without)))
        return self._at(number).name if number >= 0 else None

    def _first_in_order(self, request: Request) -> AgentId | None:
        bits = self._fit_bits(request)
        if bits and request.order:
            named, ranks = self._ranked(request.order)
            if bits & named:
                return self._at(least(bits & named, ranks.zeros).bit_length() - 1).name
        return self._first(bits, request)

    def _ordered(self, bits: int) -> Iterator[Sitting]:
        """All of them, who would be chosen first, first."""
        return map(self._at, self._order.ascending(bits))

    def _at(self, number: int) -> Sitting:
        one = self._by_number[number]
        if one is None:
            raise LookupError(f"nobody has the number {number}")
        return one
