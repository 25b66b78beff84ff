"""Who had the better right, asked at every choice of the router: a customer with many cases must not starve the others.

Law: reckoned here from the law's own words (`core.waiting`), one by one and without the line's heaps: a case stands at the moment of its
reply target, a minute later for each step of priority, two minutes later for each case of its customer that comes before it or is being
served. Whoever is chosen stands before everybody else who could be chosen at that moment, as far as this bridge knows; whoever is held
back (let pass a moment ago, waits for who knows the customer) keeps others from nothing. Only the decider knew what it knew, and only
then: nobody can tell from the log.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from broker_bridge.core import asking, hours
from broker_bridge.core.state import OWNED
from broker_bridge.core.waiting import Waiting

if TYPE_CHECKING:
    from broker_bridge.daemon.parts import Parts

Spot = tuple[int, str]
"""(moment in ms, conversation)."""
NO_TARGET_MS = 600_000
PRIORITY_MS = 60_000
RANK_MS = 120_000


def better_right(parts: Parts, chosen: Waiting, now_ms: int) -> str:
    """Who should have been asked about before `chosen`, and why; empty: nobody."""
    line = parts.floor.line
    places = _places(parts)
    # A case that begins at this moment stands in no line: it comes before nobody.
    own = places.get(chosen.conversation, (2**62, ""))
    for name, place in sorted(places.items(), key=lambda one: one[1]):
        if place >= own:
            return ""
        other = line._waiting[name]
        if name not in line._held and _could_be(parts, other, now_ms):
            return f"{name} of {other.customer} stands at {place[0]} in {other.queue}, it at {own[0]}"
    return ""


def _places(parts: Parts) -> dict[str, Spot]:
    """Where each case stands that waits."""
    floor = parts.floor
    served: defaultdict[str, set[str]] = defaultdict(set)
    for name, customer in floor.line._served.items():
        # Being written at this moment, or already on the floor.
        served[customer].add(name)
    for one in floor._known.values():
        if one.status == OWNED or (one.offer is not None and one.id not in floor.line):
            served[_whose(one.id, one.customer)].add(one.id)
    spots: defaultdict[str, list[Spot]] = defaultdict(list)
    for waiting in floor.line._waiting.values():
        spots[_whose(waiting.conversation, waiting.customer)].append(_spot(waiting))
    found: dict[str, Spot] = {}
    for customer, theirs in spots.items():
        for before, (at_ms, name) in enumerate(sorted(theirs)):
            found[name] = (at_ms + (before + len(served[customer])) * RANK_MS, name)
    return found


def _spot(waiting: Waiting) -> Spot:
    within_ms = NO_TARGET_MS if waiting.within_s is None else waiting.within_s * 1000
    return waiting.since_ms + within_ms + (waiting.priority - 1) * PRIORITY_MS, waiting.conversation


def _whose(conversation: str, customer: str) -> str:
    return customer or f"?{conversation}"


def _could_be(parts: Parts, waiting: Waiting, now_ms: int) -> bool:
    """Whether its queue is open and somebody is free for cases like it."""
    rules = parts.rulebook.policy.rules(waiting.queue)
    return hours.is_open(rules.hours, now_ms) and parts.floor.index.is_any_fit(asking.anybody(waiting, rules))
