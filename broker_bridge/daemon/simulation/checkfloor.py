"""Checkers of the floor: nobody carries more than they can, nobody is offered what does not fit, nobody waits while somebody is free.

Law: as checkers.py. What an agent carries is reckoned at every entry, in the units of the house. Two things may lift somebody above
their own limit, by rule: a supervisor's act, and a customer who writes again in a case of a channel whose idle cases do not
count.
"""

from __future__ import annotations

from collections import defaultdict

from broker_bridge.contract import facts as f
from broker_bridge.contract.policy import Skill
from broker_bridge.core import hours
from broker_bridge.core.asking import ASK_AGAIN_MS, PASSER_AGAIN_MS
from broker_bridge.core.definitions import Policy
from broker_bridge.core.presence import OFF
from broker_bridge.core.state import OWNED, QUEUED, Conversation
from broker_bridge.daemon.simulation.evidence import Evidence, Moment

RENEWED_S = 20.0


def capacity(found: Evidence) -> None:
    """At every entry: whoever is given something has room for it."""
    policy = found.policy(0)
    held: defaultdict[str, dict[str, int]] = defaultdict(dict)
    """Agent to conversation to units."""
    apart: set[tuple[str, str]] = set()
    """(agent, conversation) that stood idle with them once, and may count again at any moment."""
    for at in found.moments:
        taken: defaultdict[str, int] = defaultdict(int)
        for agent, units in policy.taken(at.after):
            taken[agent] += units
        was, involved = _involved(at.before), _involved(at.after)
        for agent in was - involved:
            apart.discard((agent, at.name))
        for agent in was | involved:
            before = held[agent].pop(at.name, 0)
            if taken[agent]:
                held[agent][at.name] = taken[agent]
            if agent in involved and not taken[agent]:
                apart.add((agent, at.name))
            if taken[agent] > before and (agent, at.name) not in apart and not _is_by_rule(found, at, agent):
                load = sum(units for one, units in held[agent].items() if (agent, one) not in apart)
                if load > found.agent(agent).room:
                    found.say(
                        f"capacity: {at.entry.by} gave {at.name} to {agent}, who carries {load} of "
                        f"{found.agent(agent).room} with it, at {at.seq}"
                    )


def _involved(state: Conversation) -> set[str]:
    found = {state.owner} if state.status == OWNED else set()
    found |= set(state.offer.everybody) if state.offer is not None else set()
    found |= {state.consult.agent} if state.consult is not None else set()
    found |= {state.wrap.agent} if state.wrap is not None and state.wrap.is_binding else set()
    return found


def _is_by_rule(found: Evidence, at: Moment, agent: str) -> bool:
    """Whether the limit is not asked: a supervisor's act."""
    by = at.entry.by.removeprefix("agent:")
    if by in found.world.agents and found.agent(by).role == "supervisor":
        return any(isinstance(one, f.Accepted) for one in at.entry.facts)
    return False


def offers_fit(found: Evidence) -> None:
    """The router asks only who works there, knows enough and has not just said no, while it is open. (That they are ready: house.py.)"""
    for at in found.moments:
        for fact in at.entry.facts:
            if not isinstance(fact, f.Offered) or fact.is_transfer:
                continue
            if at.before.status != QUEUED or at.before.offer is not None:
                found.say(f"offer: {at.name} was offered while {at.before.status}, at {at.seq}")
            if fact.why is None:
                found.say(f"offer: {at.name} was offered and nobody knows why, at {at.seq}")
                continue
            policy = found.policy(fact.why.policy)
            rules = policy.rules(at.before.queue)
            if not hours.is_open(rules.hours, at.entry.at_ms):
                found.say(f"offer: {at.name} was offered while {at.before.queue} is closed, at {at.seq}")
            for agent in (fact.agent, *fact.also):
                reason = _unfit(found, at, policy, agent)
                if reason:
                    found.say(f"offer: {at.name} was offered to {agent}, who {reason}, at {at.seq}")


def _unfit(found: Evidence, at: Moment, policy: Policy, agent: str) -> str:
    """Why this agent must not ring; empty: they may."""
    one = found.agent(agent)
    if one.role != "agent" or (one.queues and at.before.queue not in one.queues):
        return f"does not work in {at.before.queue}"
    for need in policy.needs(at.before):
        if not _has(one.skills, need):
            return f"lacks {need.name} {need.level}"
    passed_ms = at.before.declined.get(agent)
    if passed_ms is not None and at.entry.at_ms - passed_ms < ASK_AGAIN_MS:
        return f"let it pass {at.entry.at_ms - passed_ms} ms ago"
    if at.before.passed_by == agent and at.entry.at_ms - at.before.queued_ms < PASSER_AGAIN_MS:
        return "passed it on"
    return ""


def _has(skills: tuple[Skill, ...], need: Skill) -> bool:
    return any(one.name == need.name and one.level >= need.level for one in skills)


def nobody_waits(found: Evidence) -> None:
    """When all is quiet: a case in an open queue that nobody is asked about has nobody who could take it."""
    world = found.world
    leader = next(house for house in world.houses.values() if house.parts.router.is_leader)
    now_ms, policy = leader.now_ms(), found.policy(2**62)
    load: defaultdict[str, int] = defaultdict(int)
    binding: set[str] = set()
    for state in found.conversations():
        for agent, units in policy.taken(state):
            load[agent] += units
        if state.wrap is not None and state.wrap.is_binding:
            binding.add(state.wrap.agent)
    for state in found.conversations():
        rules = policy.rules(state.queue)
        is_early = now_ms < state.queued_ms + rules.affinity_s * 1000 + 2_000
        if state.status != QUEUED or state.offer is not None or is_early:
            continue
        if not (hours.is_open(rules.hours, now_ms) and hours.is_open(rules.hours, now_ms - 3_000)):
            continue
        for agent in world.agents:
            one = found.agent(agent)
            if not _is_ready(found, agent) or agent in binding or agent == state.passed_by or one.role != "agent":
                continue
            was_asked = now_ms - state.declined.get(agent, 0) < ASK_AGAIN_MS + 3_000
            fits = not was_asked and (not one.queues or state.queue in one.queues)
            fits = fits and all(_has(one.skills, need) for need in policy.needs(state))
            if fits and load[agent] + policy.units(state) <= one.room:
                found.say(f"waits: nobody is asked about {state.id} in {state.queue}, and {agent} is free for it")


def choices_are_one(found: Evidence) -> None:
    """When all is quiet every bridge knows what each agent chose last, whichever bridge was told of it and heard of them since."""
    for agent in found.world.agents:
        _, chosen = found.world.chosen(agent)
        for house in found.world.houses.values():
            known = house.staff.presences._presence.get(agent, OFF)
            if (known.state, known.next_state) != (chosen.state, chosen.next_state):
                found.say(f"presence: to {house.boot} {agent} is {known}, and the newest choice was {chosen}")


def _is_ready(found: Evidence, agent: str) -> bool:
    told_s, chosen = found.world.chosen(agent)
    # What is not renewed in the bucket for so long is of a terminal that may count as silent.
    return chosen.state == "ready" and not chosen.next_state and found.world.loop.now - told_s < RENEWED_S
