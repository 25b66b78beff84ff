"""The rules of a queue in words, for whoever asks why.

Law: as they are now, nothing is left out that decides who is asked and when an answer is due; words only.
"""

from __future__ import annotations

from broker_bridge.contract.ids import QueueId
from broker_bridge.contract.policy import QueueRules, Step, Target
from broker_bridge.core import hours
from broker_bridge.core.why_terms import Setting, joined, lasting, needs_in_words

MODES = {
    "evenly": "evenly: whoever has the least to do, then whoever got nothing for the longest time",
    "everybody": "everybody who is free and fit is asked at once: the first yes wins",
}
WRAP_UPS = {
    "none": "none",
    "optional": "an outcome may be written",
    "mandatory": "the next work waits for the outcome",
}
MOST_NAMES = 12
"""Of an order, and of outcomes: there may be hundreds."""


def lines(queue: QueueId, setting: Setting) -> tuple[tuple[str, str], ...]:
    """(label, words), a rule each."""
    rules = setting.policy.rules(queue)
    found = [
        ("queue", setting.queue(queue)),
        ("hours", hours.state_in_words(rules.hours, setting.now_ms)),
        ("needs", needs_in_words(rules.needs) or "no skill"),
        ("given out", _mode(rules, setting)),
        ("priority", f"{rules.priority} of 9, 1 is first"),
        ("knows them", _affinity(rules)),
        ("an offer", _offer(rules)),
        *(("promised", _target(one)) for one in rules.targets),
        *(("waits long", _step(one, setting)) for one in rules.overflow),
        ("wrap-up", _wrap_up(rules)),
    ]
    outcomes = [one.name for one in setting.policy.outcomes(queue)]
    if outcomes:
        found.append(("outcomes", _some(outcomes)))
    return tuple(found)


def _mode(rules: QueueRules, setting: Setting) -> str:
    if rules.mode != "in_order":
        return MODES.get(rules.mode, rules.mode)
    names = [setting.who(one) for one in rules.order]
    return f"in order: the first who is free of {_some(names)}" if names else "in order, but none is named"


def _affinity(rules: QueueRules) -> str:
    first = "the responsible colleague before the last one" if rules.responsible_first else "the last one first"
    waited = f"waited for up to {lasting(rules.affinity_s)} if busy" if rules.affinity_s else "not waited for if busy"
    return f"{first}, {waited}"


def _offer(rules: QueueRules) -> str:
    itself = f"; accepted by itself: {_some(list(rules.auto_accept))}" if rules.auto_accept else ""
    return f"rings for {lasting(rules.offer_s)}{itself}"


def _target(one: Target) -> str:
    kinds = (
        ("first answer", one.first_reply_s),
        ("next answer", one.next_reply_s),
        ("the end", one.resolution_s),
    )
    words = ", ".join(f"{name} in {lasting(seconds)}" for name, seconds in kinds if seconds)
    return f"priority {one.priority}: {words}" if one.priority else words


def _step(one: Step, setting: Setting) -> str:
    after = f"after {lasting(one.after_s)}"
    if one.widen:
        return f"{after}: {one.widen} level{'s' if one.widen > 1 else ''} less is asked of every skill"
    return f"{after}: moves to {setting.queue(one.queue)}" if one.queue else f"{after}: alarm: {one.alarm}"


def _wrap_up(rules: QueueRules) -> str:
    if rules.wrap_up == "timed":
        return f"{lasting(rules.wrap_up_s)}, then the next work comes"
    return WRAP_UPS.get(rules.wrap_up, rules.wrap_up)


def _some(names: list[str]) -> str:
    """All, or as many as may be said."""
    more = len(names) - MOST_NAMES
    return f"{', '.join(names[:MOST_NAMES])} and {more} more" if more > 1 else joined(names)
