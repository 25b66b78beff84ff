"""Checkers of merge, un-merge and split: where messages stand, where handles lead, what became of drafts.

Law: as checkers.py. Where a message stands is reckoned here from the facts alone, and compared with what a read model shows.
"""

from __future__ import annotations

from collections import defaultdict

from broker_bridge.contract import facts as f
from broker_bridge.core.handle import Handle
from broker_bridge.core.state import MERGED, Conversation
from broker_bridge.daemon.simulation.evidence import Evidence
from broker_bridge.daemon.states import CONV, HAND


def handles_lead_on(found: Evidence) -> None:
    """Every handle leads to a case that takes messages (no history has so many handles that the cap matters)."""
    for (kind, name), state in found.states.items():
        if kind != HAND or not isinstance(state, Handle) or not state.conversation:
            continue
        case = found.states.get((CONV, state.conversation))
        if not isinstance(case, Conversation):
            found.say(f"merge: handle {name} leads to {state.conversation}, which does not exist")
        elif case.status == MERGED:
            found.say(f"merge: handle {name} leads to {case.id}, which goes on in {case.merged_into}")


def nothing_is_lost(found: Evidence) -> None:
    """After all merges, un-merges and splits each message is shown in one case, and that is the right one."""
    homes: dict[str, str] = {}
    shown: dict[str, str] = {}
    place: dict[str, int] = {}
    inside: defaultdict[str, set[str]] = defaultdict(set)
    """Case to those that went into it and are still there."""
    for at in found.moments:
        for fact in at.entry.facts:
            if isinstance(fact, (f.Received, f.Replied, f.Noted)):
                homes[fact.message] = shown[fact.message] = at.name
                place[fact.message] = at.seq
            elif isinstance(fact, f.MergedFrom):
                inside[at.name].add(fact.conversation)
                _move(shown, fact.conversation, at.name)
            elif isinstance(fact, f.Unmerged) and not fact.is_source:
                inside[at.name].discard(fact.conversation)
            elif isinstance(fact, f.Unmerged):
                back = _within(at.name, inside)
                for message, where in shown.items():
                    if where == fact.conversation and homes[message] in back:
                        shown[message] = at.name
            elif isinstance(fact, f.SplitFrom):
                for message, where in shown.items():
                    if where == fact.conversation and place[message] >= fact.from_seq:
                        homes[message] = shown[message] = at.name
    for message, where in shown.items():
        if found.homes[message] != where:
            found.say(f"merge: {message} is shown in {found.homes[message] or 'no case'}, and belongs to {where}")


def _move(shown: dict[str, str], source: str, target: str) -> None:
    for message, where in shown.items():
        if where == source:
            shown[message] = target


def _within(case: str, inside: dict[str, set[str]]) -> set[str]:
    """The case and all that went into it, and into those."""
    seen: set[str] = set()
    left = [case]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left += inside[one]
    return seen


def merged_both_ways(found: Evidence) -> None:
    """Both heads say the same: what went into another is known there, and back."""
    for state in found.conversations():
        if state.status == MERGED:
            into = found.states.get((CONV, state.merged_into))
            if not isinstance(into, Conversation) or state.id not in into.merged:
                found.say(f"merge: {state.id} went into {state.merged_into}, which does not know it")
        for other in state.merged:
            gone = found.states.get((CONV, other))
            if not isinstance(gone, Conversation) or gone.merged_into != state.id:
                found.say(f"merge: {state.id} holds {other}, which is elsewhere")


def drafts_come_along(found: Evidence) -> None:
    """9: what was being written in a case that went into another is there with it."""
    for (agent, conversation), texts in found.world.books.carried.items():
        kept = found.drafts[f"{agent}.{conversation}"]
        for text in texts:
            if text not in kept:
                found.say(
                    f"9: a merge lost the draft of {agent} on its way to {conversation}: {text!r} is not in {kept!r}"
                )
