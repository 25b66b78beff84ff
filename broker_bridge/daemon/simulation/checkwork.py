"""Checkers of what time and closing do: wrap-up, snooze, reminders, overflow steps, targets, replies out of hours.

Law: as checkers.py. What is fired is fired once, and not before its time by the true clock, whatever the walls of the bridges show.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from broker_bridge.contract import facts as f
from broker_bridge.core import hours, sla
from broker_bridge.core.definitions import Policy
from broker_bridge.core.state import CLOSED, QUEUED, RESOLUTION
from broker_bridge.daemon.simulation.evidence import Evidence, Moment

SKEW_MS = 60_000
"""Clocks of two bridges differ by 40 s at most, and run a tenth too fast or slow for a while; a jump is an hour."""
RESERVE_S = 60
"""The reply target of the channels themselves."""


def wrap_ups_end(found: Evidence) -> None:
    """A wrap-up is begun with a closing, by whoever closed it, and ends once: by them, by time, or because they are gone."""
    for at in found.moments:
        facts = at.entry.facts
        for fact in facts:
            if isinstance(fact, f.WrapUpBegan) and not any(isinstance(one, f.Closed) for one in facts):
                found.say(f"wrap-up: one began without a closing in {at.name}, at {at.seq}")
            if isinstance(fact, f.WrappedUp) and at.before.wrap is None:
                found.say(f"wrap-up: one of {at.name} ended that was not going on, at {at.seq}")
            if isinstance(fact, f.WrappedUp) and at.before.wrap is not None and fact.agent != at.before.wrap.agent:
                by = at.entry.by.removeprefix("agent:")
                if by not in found.world.agents or found.agent(by).role != "supervisor":
                    found.say(f"wrap-up: {fact.agent} ended that of {at.before.wrap.agent} in {at.name}, at {at.seq}")
            if isinstance(fact, f.WrappedUp) and not fact.disposition:
                found.say(f"wrap-up: {at.name} ended as nothing, at {at.seq}")
            if (
                isinstance(fact, f.Closed)
                and not fact.disposition
                and not any(isinstance(one, f.WrapUpBegan) for one in facts)
            ):
                found.say(f"wrap-up: {at.name} was closed as nothing and nobody writes its outcome, at {at.seq}")
        if at.after.wrap is not None and at.after.status != CLOSED:
            found.say(f"wrap-up: {at.name} is in wrap-up and {at.after.status}, at {at.seq}")


def time_does_it_once(found: Evidence) -> None:
    """Snoozes wake once, reminders are told once, overflow steps are taken once and in their order; none before its time."""
    reminded: Counter[tuple[str, int]] = Counter()
    steps: Counter[tuple[str, int, str, int]] = Counter()
    for at in found.moments:
        if at.entry.command.startswith("timer:") and ":overflow:" not in at.entry.command:
            due_ms = int(at.entry.command.rpartition(":")[2])
            _not_early(found, at, "a timer", due_ms)
        for fact in at.entry.facts:
            if isinstance(fact, f.Woken) and at.before.snooze is None:
                found.say(f"snooze: {at.name} was woken and did not sleep, at {at.seq}")
            if isinstance(fact, f.OfferEnded) and fact.reason == "expired" and at.before.offer is not None:
                _not_early(found, at, "an offer", at.before.offer.until_ms)
            if isinstance(fact, f.TaskReminded):
                reminded[fact.task, fact.due_ms] += 1
            if isinstance(fact, f.Overflowed):
                steps[at.name, at.before.queued_ms, fact.queue, fact.step] += 1
                _step(found, at, fact)
    for task, times in reminded.items():
        if times > 1:
            found.say(f"task: {task[0]} was reminded of {times} times")
    for step, times in steps.items():
        if times > 1:
            found.say(f"overflow: step {step[3]} of {step[0]} in {step[2]} was taken {times} times")


def _not_early(found: Evidence, at: Moment, what: str, due_ms: int) -> None:
    if due_ms - at.at_ms > SKEW_MS:
        found.say(f"clock: {what} of {at.name} ended {(due_ms - at.at_ms) // 1000} s too early, at {at.seq}")


def _step(found: Evidence, at: Moment, fact: f.Overflowed) -> None:
    if at.before.status != QUEUED or fact.queue != at.before.queue or fact.step != at.before.steps + 1:
        found.say(f"overflow: step {fact.step} of {at.name} after {at.before.steps}, {at.before.status}, at {at.seq}")
    if not any(_is_due(policy, at, fact) for policy in found.policies(at.seq)):
        found.say(f"overflow: step {fact.step} of {at.name} is due by no rules that there were, at {at.seq}")


def _is_due(policy: Policy, at: Moment, fact: f.Overflowed) -> bool:
    rules = policy.rules(fact.queue)
    if fact.step > len(rules.overflow):
        return False
    step = rules.overflow[fact.step - 1]
    due_ms = hours.add(rules.hours, at.before.queued_ms, step.after_s)
    is_same = (step.widen, step.queue, step.alarm) == (fact.widen, fact.to_queue, fact.alarm)
    return is_same and due_ms is not None and due_ms <= at.entry.at_ms


def promises_are_reckoned(found: Evidence) -> None:
    """Every promise is what the rules make of it, in the working time of its queue."""
    for at in found.moments:
        if any(isinstance(one, (f.MergedFrom, f.SplitFrom)) for one in at.entry.facts):
            # Taken over as they stand.
            continue
        for fact in at.entry.facts:
            if not isinstance(fact, (f.Targeted, f.Warned)):
                continue
            if isinstance(fact, f.Warned):
                known = at.before.promises.get(fact.what)
                if known is None or known.is_warned or known.due_ms != fact.due_ms:
                    found.say(f"target: {at.name} was warned of {fact.what} twice or for nothing, at {at.seq}")
            elif fact.due_ms is not None and not any(
                _is_reckoned(policy, at, fact) for policy in found.policies(at.seq)
            ):
                found.say(f"target: {fact.what} of {at.name} is due as by no rules that there were, at {at.seq}")


def _is_reckoned(policy: Policy, at: Moment, fact: f.Targeted) -> bool:
    rules = policy.rules(at.after.queue)
    assert fact.due_ms is not None
    what, kept = fact.what, at.before.promises.get(fact.what)
    if what == RESOLUTION and kept is not None and kept.left_s is not None:
        due = sla.resumed("resolution", rules.hours, fact.from_ms, kept.left_s, kept.work_s)
        return due is not None and (due.due_ms, sla.warn_at(due, rules.hours, rules.warn_share)) == (
            fact.due_ms,
            fact.warn_ms,
        )
    target = rules.target(at.after.priority or rules.priority)
    promised = {RESOLUTION: target and target.resolution_s, "first": target and target.first_reply_s}
    work_s = promised.get(what, target and target.next_reply_s) or (0 if what == RESOLUTION else RESERVE_S)
    due = sla.due("first", rules.hours, fact.from_ms, work_s)
    if due is None or not work_s:
        return False
    warn_ms = sla.warn_at(due, rules.hours, rules.warn_share)
    return (due.due_ms, work_s, warn_ms) == (fact.due_ms, fact.work_s, fact.warn_ms)


def away_replies(found: Evidence) -> None:
    """Out of hours a person is told so, once; a machine never is."""
    told: defaultdict[str, list[int]] = defaultdict(list)
    said: dict[str, str] = {}
    for at in found.moments:
        said |= {one.message: one.automatic for one in at.entry.facts if isinstance(one, f.Received)}
        for fact in at.entry.facts:
            if not isinstance(fact, f.Replied) or not fact.automatic:
                continue
            told[at.name].append(at.entry.at_ms)
            if said.get(fact.in_reply_to or "", "?"):
                found.say(f"away: a machine was answered out of hours in {at.name}, at {at.seq}")
            queue = at.after.queue
            if all(hours.is_open(one.rules(queue).hours, at.entry.at_ms) for one in found.policies(at.seq)):
                found.say(f"away: {at.name} was told that nobody is here while {queue} is open, at {at.seq}")
    for name, times in told.items():
        if len(times) > 1:
            found.say(f"away: {name} was told {len(times)} times within {(times[-1] - times[0]) // 1000} s")
