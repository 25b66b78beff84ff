"""The one sentence that says what decided where a case is.

Law: plain words, from facts and the decision's own inputs; a number is said only where it is known whole.
"""

from __future__ import annotations

from broker_bridge.contract.policy import Why
from broker_bridge.core import hours
from broker_bridge.core.state import CLOSED, ERASED, MERGED, OWNED, QUEUED, Conversation
from broker_bridge.core.why_terms import Live, Setting, Told, capital, joined, needs_in_words

SHOWN_FIT = 8
"""From so many on there may be more than the decision's record holds."""
NUMBERS = ("no one", "one", "two", "three", "four", "five", "six", "seven")


def sentence(state: Conversation, told: Told, live: Live | None, setting: Setting) -> str:
    """What decided, for whoever asks."""
    if state.status == ERASED:
        return "The customer was erased."
    if state.status == MERGED:
        number = setting.number_of(state.merged_into)
        return f"{setting.does(told.by, 'merged', 'merged')} it: it goes on in {f'#{number}' if number else 'another case'}."
    if state.status == CLOSED:
        outcome = f": {state.disposition}" if state.disposition else ""
        return f"{setting.does(state.closed_by, 'closed', 'closed')} it{outcome}."
    if state.status == QUEUED and state.offer is None:
        return _back(told) + (
            _waiting(live, state, setting) if live is not None else f"It waits in {setting.queue(state.queue)}."
        )
    talk = _talk(state, setting)
    return _decided(state, told, setting) + (f" {talk}" if talk else "")


def _back(told: Told) -> str:
    """`It came back: Maya's terminal has been silent for 5 minutes. `"""
    return f"It came back: {told.reason}. " if told.reason else ""


def _talk(state: Conversation, setting: Setting) -> str:
    """What is under way beside the owner."""
    if state.status != OWNED:
        return ""
    owner = setting.who(state.owner)
    if state.consult is not None:
        return f"{capital(joined([owner, setting.who(state.consult.agent)]))} talk about it, and it stays with {owner}."
    if state.offer is not None:
        asked = setting.does(state.offer.agent, "is asked", "are asked")
        return f"{asked} to take it over, and it stays with {owner} until then."
    return ""


def _decided(state: Conversation, told: Told, setting: Setting) -> str:
    if told.how == "offer" and told.why is not None and told.why.considered:
        return _chosen(told.why, told, setting)
    has = setting.does(state.owner, "has it", "have it")
    by, you = setting.does(told.by, "", "").strip(), told.by == state.owner
    if told.how == "transfer":
        return f"{by} passed it on to {setting.who(state.owner)}, who said yes."
    if told.how == "forced":
        return f"{by} gave it to {setting.who(state.owner)} without asking."
    if told.how == "confirmed":
        return f"{by} handed it over to {setting.who(state.owner)} after a talk."
    if told.how == "gone":
        gone = "were" if by == "You" else "was"
        talked = "you" if state.owner == setting.reader else "they"
        return f"{has}: {setting.who(told.by)} {gone} gone, and {talked} were in the talk about it."
    if told.how == "reopened" and you:
        return f"{by} reopened it."
    if told.how == "split" and you:
        return f"{by} split it from another case."
    if told.how == "took":
        return f"{by} took it from the queue."
    if state.offer is not None and state.status == QUEUED:
        return f"{setting.does(state.offer.agent, 'is', 'are')} asked to take it."
    return f"{has}."


def _chosen(why: Why, told: Told, setting: Setting) -> str:
    """`Of the three who are free and fit, you talked with this customer last.`"""
    fit = [one for one in why.considered if one.is_fit]
    if why.mode == "everybody" and len(told.asked) > 1:
        return "Everybody who is free and fit is asked at once: the first yes wins."
    best = next((one for one in why.considered if one.agent in told.asked), why.considered[0])
    if len(fit) == 1:
        only = setting.does(best.agent, "is", "are")
        return f"{only} the only one who is free and fit."
    count = f"the {NUMBERS[len(fit)]}" if 0 < len(fit) < SHOWN_FIT else "all"
    name = setting.who(best.agent)
    you = name == "you"
    if best.is_responsible:
        reason = f"{name} {'look' if you else 'looks'} after this customer"
    elif best.last_talk:
        reason = f"{name} talked with this customer last"
    elif best.reason.startswith("number "):
        reason = f"{name} {'come' if you else 'comes'} first in the order of the queue"
    elif why.mode == "everybody":
        reason = f"{name} said yes first"
    elif any(one.load * best.units <= best.load * one.units for one in fit if one is not best):
        reason = f"{name} {'have' if you else 'has'} as little to do as anybody, and got nothing for the longest time"
    else:
        reason = f"{name} {'have' if you else 'has'} the least to do"
    return f"Of {count} who are free and fit, {reason}."


def _waiting(live: Live, state: Conversation, setting: Setting) -> str:
    """`Nobody who has swedish 3 is free: 2 are full, 1 is at lunch.`"""
    why = live.why
    if why.hours.startswith(("closed", "never")):
        rest = why.hours.removeprefix("closed").lstrip(",: ")
        return capital(f"closed: {rest}.") if why.hours != "never open" else "Closed: this queue never opens."
    if not live.offers_at_all:
        return f"It waits in {setting.queue(state.queue)}: agents take from the queue themselves."
    if live.wait_ms and live.waits_for:
        is_waited = setting.does(live.waits_for, "is", "are")
        they = "you" if live.waits_for == setting.reader else "they"
        return f"{is_waited} waited for until {clock(live.wait_ms, state, setting)}: {they} know the customer."
    fit = sum(one.is_fit for one in why.considered)
    if fit:
        many = "Somebody is" if fit == 1 else f"{capital(NUMBERS[fit]) if fit < SHOWN_FIT else 'Many'} are"
        return f"{many} free and fit: it is offered in its turn."
    return _nobody(why)


def _nobody(why: Why) -> str:
    needs = f" who has {needs_in_words(why.needs)}" if why.needs else ""
    lacking = [(reason, count) for reason, count in why.skipped if reason.startswith("lacks ")]
    having = [(reason, count) for reason, count in why.skipped if not reason.startswith("lacks ")]
    here = [(reason, count) for reason, count in having if reason != "off"]
    if not why.skipped:
        return "Nobody works in this queue."
    if not here:
        # Of those who are off it is not said what they know.
        others = [*lacking, *having]
        return f"Nobody{needs} is here: {_counted(others)}."
    return f"Nobody{needs} is free: {_counted(having)}."


def _counted(reasons: list[tuple[str, int]]) -> str:
    return ", ".join(_count(reason, count) for reason, count in reasons)


def _count(reason: str, count: int) -> str:
    are = "is" if count == 1 else "are"
    if reason.startswith("lacks "):
        return f"{count} {'lacks' if count == 1 else 'lack'} {reason.removeprefix('lacks ')}"
    if reason.startswith("let it pass"):
        return f"{count} {reason}"
    if reason == "transfer only":
        return f"{count} {'takes' if count == 1 else 'take'} transfers only"
    return f"{count} {are} {reason}"


def clock(at_ms: int, state: Conversation, setting: Setting) -> str:
    """A moment in the zone of its queue; UTC, and said so, where it has none."""
    rules = setting.policy.rules(state.queue)
    zone = rules.hours.zone if rules.hours is not None else "UTC"
    words = hours.moment(zone, at_ms, setting.now_ms, has_seconds=True)
    return words if rules.hours is not None else f"{words} UTC"
