"""Row 4: a routing decision among many agents, and with everybody and everything that waits in one bridge.

The reference is the least that any index must do: one AND over sets as large. The scan beside it is what was there before. Times are
the thread's own: a decision is shorter than what a busy machine takes away from it now and then.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec

from broker_bridge.contract.policy import Seat, Skill
from broker_bridge.core.routing.index import Index, Request
from broker_bridge.core.routing.line import Line, Waiting
from broker_bridge.daemon.bench import crowd
from broker_bridge.daemon.bench.figures import Row, by_ratio, by_value, percentile, rounded

Figures = dict[str, float | int | str]

SKILLS = [f"skill{number}" for number in range(64)]
SKILLS_EACH = 12
QUEUES = [f"queue{number}" for number in range(20)]
COSTS = (10, 20, 100)
NOW_MS = 1_795_000_000_000
MOST_TIMES_SLOWER = 4.0
"""At 10,000 agents as at 100, where a scan is a hundred times slower."""


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds of many single calls."""

    p50_us: float
    p99_us: float


class Floor:
    """Agents, each known to the index and to the scan, and what comes."""

    def __init__(self, agents: int, seed: int = 4) -> None:
        self.chance = random.Random(seed)
        self.index = Index()
        self.seats: list[Seat] = []
        self.ready: set[str] = set()
        self.load: dict[str, int] = {}
        for number in range(agents):
            self._come(f"agent{number:05}")

    def _come(self, name: str) -> None:
        chance = self.chance
        seat = Seat(
            agent=name,
            queues=() if chance.random() < 0.3 else tuple(chance.sample(QUEUES, 4)),
            skills=tuple(Skill(name=skill, level=chance.randint(1, 5)) for skill in chance.sample(SKILLS, SKILLS_EACH)),
        )
        self.seats.append(seat)
        self.index.seat(seat)
        state = "ready" if chance.random() < 0.7 else chance.choice(["away", "busy", "wrap_up", "off"])
        if state == "ready":
            self.ready.add(name)
        self.index.present(name, state)
        self.carries(name, chance.randrange(0, 100, 10))

    def carries(self, name: str, units: int) -> None:
        self.load[name] = units
        self.index.load(name, units)

    def request(self) -> Request:
        chance = self.chance
        skills = chance.sample(SKILLS, chance.choice([0, 1, 1, 2]))
        return Request(
            queue=chance.choice(QUEUES),
            needs=tuple(Skill(name=skill, level=chance.randint(1, 3)) for skill in skills),
            units=chance.choice(COSTS),
            prefer=(f"agent{chance.randrange(len(self.seats)):05}",) if chance.random() < 0.3 else (),
            without=frozenset(f"agent{chance.randrange(len(self.seats)):05}" for _ in range(chance.choice([0, 0, 2]))),
        )

    def scan(self, request: Request) -> str | None:
        """What the index is there instead of."""
        fit = [
            seat
            for seat in self.seats
            if seat.agent in self.ready
            and (not seat.queues or request.queue in seat.queues)
            and self.load[seat.agent] + request.units <= seat.units
            and seat.agent not in request.without
            and all(
                any(one.name == need.name and one.level >= need.level for one in seat.skills) for need in request.needs
            )
        ]
        return min(fit, key=lambda seat: (self.load[seat.agent] / seat.units, seat.agent)).agent if fit else None

    def sets(self, request: Request) -> list[int]:
        """Sets as large and as full as those that the decision asks."""
        chance, size = self.chance, len(self.seats)
        return [chance.getrandbits(size) | chance.getrandbits(size) for _ in range(3 + len(request.needs))]


async def row4(folder: Path, is_quick: bool) -> Row:
    """Decisions at 100, 1,000 and 10,000 agents; then 10,000 agents and 100,000 waiting, in index and line and in a real floor."""
    count = 300 if is_quick else 20_000
    sizes = (100, 400) if is_quick else (100, 1_000, 10_000)
    more: Figures = {}
    chosen: dict[int, Timed] = {}
    for size in sizes:
        floor = Floor(size)
        chosen[size], told, explained = _decisions(floor, count)
        anded = _ands(floor, count)
        scanned = _timed(floor.scan, [floor.request() for _ in range(max(10, min(count, 200_000 // size)))])
        more |= _figures(f"choose_{size}", chosen[size]) | _figures(f"told_{size}", told)
        more |= _figures(f"and_{size}", anded) | _figures(f"scan_{size}", scanned)
        more |= _figures(f"explain_{size}", explained)
    first, last = sizes[0], sizes[-1]
    checks = (
        by_value(
            f"decision among {last:,} agents, 64 skills, p99", chosen[last].p99_us, "us",
            "a bitset AND over the same data, p99", anded.p99_us, 25.0,
        ),
        by_ratio(
            f"decision among {last:,} agents, p50", chosen[last].p50_us, "us",
            f"the same among {first:,}", chosen[first].p50_us, "less", MOST_TIMES_SLOWER,
        ),
        by_ratio(
            f"decision among {last:,} agents, p50", chosen[last].p50_us, "us",
            "a scan over the same data", scanned.p50_us, "less", 0.02,
        ),
    )  # fmt: skip
    agents, waiting = (400, 1_000) if is_quick else (10_000, 100_000)
    more |= _whole(agents, waiting)
    more |= await crowd.measured(folder, agents, waiting)
    return Row(row=4, what="routing decision", checks=checks, more=more)


def _decisions(floor: Floor, count: int) -> tuple[Timed, Timed, Timed]:
    """(choosing, telling the index what was chosen and that somebody else is done, explaining), on a floor that changes."""
    choosing, telling, explaining = [], [], []
    for number in range(count):
        request, other = floor.request(), floor.chance.choice(floor.seats).agent
        began = time.thread_time_ns()
        agent = floor.index.choose(request)
        choosing.append(time.thread_time_ns() - began)
        if number % 20 == 0:
            began = time.thread_time_ns()
            floor.index.explain(request, agent, last_agent=other)
            explaining.append(time.thread_time_ns() - began)
        began = time.thread_time_ns()
        floor.carries(other, max(0, floor.load[other] - 20))
        if agent is not None:
            floor.carries(agent, floor.load[agent] + request.units)
            floor.index.given(agent)
        telling.append(time.thread_time_ns() - began)
    return _percentiles(choosing), _percentiles(telling), _percentiles(explaining)


def _ands(floor: Floor, count: int) -> Timed:
    """One AND over as many sets as a decision asks."""
    took = []
    kept = [floor.sets(floor.request()) for _ in range(50)]
    for number in range(count):
        sets = kept[number % len(kept)]
        began = time.thread_time_ns()
        bits = sets[0]
        for one in sets:
            bits &= one
        took.append(time.thread_time_ns() - began)
    return _percentiles(took)


def _whole(agents: int, waiting: int) -> Figures:
    """One bridge with everybody in it: memory, a decision with all its bookkeeping, and a round when nobody is free."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    floor = Floor(agents)
    index_bytes = tracemalloc.get_traced_memory()[0] - before
    groups = [floor.request() for _ in range(60)]
    line = Line()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(waiting):
        request = groups[number % len(groups)]
        line.put(
            Waiting(
                conversation=f"{number:026}", customer=f"{number * 7919 % (waiting * 9 // 10):026}", queue=request.queue,
                needs=request.needs, units=request.units, since_ms=NOW_MS - number * 13, priority=1 + number % 9,
            ),
            overflow_ms=NOW_MS + number,
        )  # fmt: skip
    line_bytes = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    decided = _offered(floor, line)
    for seat in floor.seats:
        floor.index.present(seat.agent, "away", "lunch")
    began = time.thread_time_ns()
    turn = line.turn(NOW_MS)
    while (head := turn.next()) is not None:
        floor.index.choose(Request(queue=head.queue, needs=head.needs, units=head.units))
        turn.skip()
    nobody_us = (time.thread_time_ns() - began) / 1000
    figures: Figures = {
        "agents": agents,
        "waiting": waiting,
        "index_mb": rounded(index_bytes / 1e6),
        "line_mb": rounded(line_bytes / 1e6),
        "round_for_nobody_us": rounded(nobody_us),
    }
    return figures | _figures("whole", decided)


def _offered(floor: Floor, line: Line) -> Timed:
    """Turns in which everything that somebody is fit for is given away, until nobody is."""
    took: list[int] = []
    turn = line.turn(NOW_MS)
    while True:
        began = time.thread_time_ns()
        head = turn.next()
        if head is None:
            return _percentiles(took)
        agent = floor.index.choose(Request(queue=head.queue, needs=head.needs, units=head.units))
        if agent is None:
            turn.skip()
        else:
            line.serve(head.conversation, head.customer)
            floor.carries(agent, floor.load[agent] + head.units)
            floor.index.given(agent)
        took.append(time.thread_time_ns() - began)


def _timed(call: Callable[..., object], arguments: list[Request] | list[int]) -> Timed:
    took = []
    for argument in arguments:
        began = time.thread_time_ns()
        call(argument)
        took.append(time.thread_time_ns() - began)
    return _percentiles(took)


def _percentiles(took_ns: list[int]) -> Timed:
    return Timed(p50_us=percentile(took_ns, 0.5) / 1000, p99_us=percentile(took_ns, 0.99) / 1000)


def _figures(name: str, timed: Timed) -> Figures:
    return {f"{name}_p50_us": rounded(timed.p50_us), f"{name}_p99_us": rounded(timed.p99_us)}
