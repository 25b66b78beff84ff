"""Checkers of ownership: one owner an epoch, nobody writes on an old one, whoever is asked first leaves it where it is.

Law: as checkers.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from broker_bridge.contract import facts as f
from broker_bridge.core.state import ERASED, MERGED, OWNED, Conversation
from broker_bridge.daemon.simulation.evidence import Evidence, Moment
from broker_bridge.daemon.states import CONV, HAND

_OWNERS = ("reply", "close", "transfer", "snooze", "confirm")


def one_owner(found: Evidence) -> None:
    """3: owners are counted without a gap, only who was asked or asked takes it, and only the owner writes to the customer."""
    epochs: Counter[str] = Counter()
    for at in found.moments:
        owner = at.before.owner
        for fact in at.entry.facts:
            if isinstance(fact, f.Accepted):
                epochs[at.name] += 1
                if fact.epoch != epochs[at.name]:
                    found.say(f"3: epoch {fact.epoch} of {at.name} is the {epochs[at.name]}. of its owners")
                if not _may_own(found, at, fact.agent):
                    found.say(f"3: {at.entry.by} gave {at.name} to {fact.agent}, who was not asked, at {at.seq}")
                owner = fact.agent
            is_theirs = owner == getattr(fact, "agent", "") and at.entry.by == f"agent:{owner}"
            if isinstance(fact, f.Replied) and not fact.automatic and not is_theirs:
                found.say(f"3: {fact.agent} replied in {at.name}, which {owner or 'nobody'} owned")
        _no_old_epoch(found, at)


def _may_own(found: Evidence, at: Moment, agent: str) -> bool:
    """Whether this entry may make the agent the owner."""
    facts, by = at.entry.facts, at.entry.by.removeprefix("agent:")
    talks = at.before.consult is not None and at.before.consult.agent == agent
    if any(isinstance(one, f.TransferAccepted) for one in facts):
        asked = at.before.offer
        has_talk_first = asked is not None and asked.is_consult and at.before.status == OWNED
        return by == agent and asked is not None and asked.asks(agent) and not has_talk_first
    if at.entry.by == "router":
        return any(isinstance(one, f.Offered) and one.agent == agent for one in facts)
    if at.entry.by == "timer":
        return talks
    if by == agent:
        is_asked = at.before.offer is not None and at.before.offer.asks(agent)
        return is_asked or at.before.status != OWNED
    is_forced = any(isinstance(one, f.Transferred) and one.to_agent == agent for one in facts)
    if is_forced:
        return found.agent(by).role == "supervisor"
    return talks and by == at.before.owner


def _no_old_epoch(found: Evidence, at: Moment) -> None:
    """A stale owner's write is refused, even where the sequence fits."""
    promised = found.world.books.promised.get(at.entry.command) if at.entry.command else None
    if promised is None or promised.epoch is None or promised.conversation != at.name:
        return
    is_owners = promised.verb in _OWNERS and at.before.owner == promised.agent
    if is_owners and promised.epoch != at.before.epoch:
        found.say(f"3: a {promised.verb} of epoch {promised.epoch} was done in epoch {at.before.epoch} of {at.name}")


def transfers_come_back(found: Evidence) -> None:
    """Whoever asked keeps it until the answer; what came back has a reason."""
    for at in found.moments:
        for fact in at.entry.facts:
            if isinstance(fact, f.OfferEnded) and not fact.reason:
                found.say(f"transfer: an offer of {at.name} ended without a reason, at {at.seq}")
            if isinstance(fact, f.ConsultEnded) and not (fact.reason or fact.by):
                found.say(f"transfer: a talk about {at.name} ended without a reason, at {at.seq}")
            if isinstance(fact, f.Queued) and at.before.owner and not fact.reason:
                found.say(f"transfer: {at.name} went back to its queue without a reason, at {at.seq}")
        asked = at.before.offer
        if asked is None or not asked.is_transfer or at.before.owner == at.after.owner or at.before.status != OWNED:
            continue
        if at.after.status == OWNED and not any(isinstance(one, (f.Accepted, f.MergedFrom)) for one in at.entry.facts):
            found.say(f"transfer: {at.name} changed hands without a yes, at {at.seq}")


def one_open_case(found: Evidence) -> None:
    """3: an address has one open case at a time, and no message lands in a case that goes on elsewhere."""
    leads: defaultdict[str, list[str]] = defaultdict(list)
    folded: dict[str, Conversation] = {}
    states = {at.seq: at for at in found.moments}
    open_at: dict[str, bool] = {}
    for seq, kind, name, entry in found.entries:
        if kind == HAND:
            leads[name] += [one.conversation for one in entry.facts if isinstance(one, f.Began)]
        if kind != CONV:
            continue
        at = states[seq]
        folded[name] = at.after
        if at.before.status in (MERGED, ERASED):
            for fact in entry.facts:
                if isinstance(fact, (f.Received, f.CouldNotBeRead)):
                    found.say(f"merge: a message landed in {name}, which goes on in {at.before.merged_into}, at {seq}")
        is_split = any(isinstance(one, f.SplitFrom) for one in entry.facts)
        for fact in entry.facts:
            if isinstance(fact, f.Opened) and not is_split:
                before = [one for one in leads[fact.handle] if one != name]
                if before and open_at.get(before[-1]):
                    found.say(f"3: {fact.handle} has two open conversations, {before[-1]} and {name}")
        open_at[name] = _is_open(entry, open_at.get(name, False))


def _is_open(entry: object, was: bool) -> bool:
    """Whether a case is open after an entry."""
    now = was
    for fact in getattr(entry, "facts", ()):
        if isinstance(fact, (f.Opened, f.Queued, f.Accepted, f.Reopened)):
            now = True
        elif isinstance(fact, (f.Closed, f.Merged)):
            now = False
    return now
