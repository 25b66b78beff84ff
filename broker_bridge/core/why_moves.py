"""Who was asked, what they said, and into whose hands it came: the lines of offers, transfers and talks.

Law: as core.why_steps, whose `Steps` they are told to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.words import opened
from broker_bridge.core.state import QUEUED, Conversation
from broker_bridge.core.why_terms import Setting, Step, Told, joined, lasting, needs_in_words


class Steps(Protocol):
    """What is needed of `why_steps.Steps`."""

    setting: Setting
    told: Told
    ringing: Step | None
    entry: Entry | None
    kinds: list[type[f.Fact]]
    passed_by: AgentId

    @property
    def at_ms(self) -> int: ...
    @property
    def by(self) -> AgentId: ...
    def add(self, word: str, text: str, mark: str = "", tone: str = "") -> Step: ...
    def end_ring(self, mark: str, tone: str) -> None: ...
    def decided(self, how: str, by: AgentId = "") -> None: ...


def _offered(fact: f.Offered, steps: Steps, state: Conversation) -> None:
    setting = steps.setting
    whom = joined([setting.who(one) for one in (fact.agent, *fact.also)[:4]])
    more = len(fact.also) - 3
    whom += f" and {more} more" if more > 0 else ""
    seconds = round(max(0, fact.until_ms - steps.at_ms) / 1000)
    if fact.is_transfer:
        what = "asked for a talk" if fact.is_consult else "asked to take it over"
        text = f"{whom} {'are' if whom == 'you' else 'is'} {what}, for {lasting(seconds)}"
        steps.ringing = steps.add("consult" if fact.is_consult else "offered", text)
        steps.passed_by = fact.by or steps.passed_by
        return
    reason = f": {fact.reason}" if fact.reason else ""
    steps.ringing = steps.add("offered", f"to {whom} for {lasting(seconds)}{reason}")
    steps.decided("offer")
    steps.told.why, steps.told.asked = fact.why, (fact.agent, *fact.also)
    _of_queue(fact, steps, state)


def _of_queue(fact: f.Offered, steps: Steps, state: Conversation) -> None:
    """What the queue asked for is known from the decision's inputs: said where it came into the queue."""
    step, policy = steps.told.queue_step, steps.setting.policy
    steps.told.queue_step = None
    if step is None or fact.why is None:
        return
    step.text += f", needs {needs_in_words(fact.why.needs)}" if fact.why.needs else ""
    if fact.why.policy == policy.version:
        step.text += f", priority {policy.priority(state)}"


def _offer_ended(fact: f.OfferEnded, steps: Steps, state: Conversation) -> None:
    setting, offer = steps.setting, state.offer
    who = setting.who(fact.agent)
    said = opened(fact.words).text
    rings_on = offer is not None and bool(offer.also) and fact.reason == "declined"
    is_transfer = offer is not None and offer.is_transfer
    stays = f"; it stays {_with(state.owner, steps)}" if is_transfer and state.owner else ""
    if fact.reason == "declined":
        word, text, mark = "declined", f"by {who}" + (f": {said}" if said else ", without a word"), "declined"
    elif fact.reason == "expired":
        word, text, mark = "expired", f"{who} did not answer", "expired"
    elif fact.reason == "withdrawn" and not steps.by:
        word, text, mark = "withdrawn", f"{setting.whose(fact.agent)} terminal was silent", "withdrawn"
    elif fact.reason == "withdrawn":
        word, text, mark = "withdrawn", f"by {setting.who(steps.by)}", "withdrawn"
    else:
        word, text, mark = "returned", f"{who} {'are' if who == 'you' else 'is'} {fact.reason}", "returned"
    if not rings_on:
        steps.end_ring(mark, "near")
    steps.add(word, text + stays + (", the others ring on" if rings_on else ""), "", "near")


def _with(agent: AgentId, steps: Steps) -> str:
    return f"with {steps.setting.who(agent)}"


def _transferred(fact: f.Transferred, steps: Steps, state: Conversation) -> None:
    setting = steps.setting
    word = opened(fact.words).text
    said = f": {' '.join(word.split())[:120]}" if word else ""
    steps.passed_by = fact.agent
    if fact.is_consult and fact.to_agent:
        steps.add("consult", f"{setting.who(fact.agent)} asked {setting.who(fact.to_agent)} first{said}")
        return
    if fact.to_agent:
        target = setting.who(fact.to_agent)
    elif fact.to_skills:
        target = f"whoever has {needs_in_words(fact.to_skills)}"
    else:
        target = setting.queue(fact.to_queue or "")
    steps.add("transfer", f"{setting.who(fact.agent)} passed it on to {target}{said}")


def _transfer_accepted(fact: f.TransferAccepted, steps: Steps, state: Conversation) -> None:
    is_talk = state.offer is not None and state.offer.is_consult and bool(state.owner)
    steps.end_ring("said yes" if is_talk else "accepted", "ok")
    if is_talk:
        both = joined([steps.setting.who(state.owner), steps.setting.who(fact.agent)])
        steps.add("consult", f"{both} talk about it; it stays {_with(state.owner, steps)}")


def _consult_ended(fact: f.ConsultEnded, steps: Steps, state: Conversation) -> None:
    by = f" by {steps.setting.who(fact.by)}" if fact.by else ""
    why = f": {fact.reason}" if fact.reason else ""
    steps.add(
        "consult",
        f"the talk with {steps.setting.who(fact.agent)} was ended{by}{why}; it stays {_with(state.owner, steps)}",
    )


def _accepted(fact: f.Accepted, steps: Steps, state: Conversation) -> None:
    setting = steps.setting
    takes = setting.does(fact.agent, "has it", "have it")
    if f.TransferAccepted in steps.kinds:
        steps.decided("transfer", steps.passed_by or state.owner)
    elif f.Transferred in steps.kinds:
        giver = steps.by or steps.passed_by
        steps.add("given", f"{takes}: {setting.who(giver)} gave it without asking")
        steps.decided("forced", giver)
    elif f.Reopened in steps.kinds:
        pass
    elif f.SplitFrom in steps.kinds:
        steps.decided("split", fact.agent)
    elif state.consult is not None and state.consult.agent == fact.agent and state.owner:
        _after_talk(fact, steps, state)
    elif state.offer is not None and state.offer.asks(fact.agent):
        if f.Offered in steps.kinds and not steps.by and steps.ringing is not None:
            steps.ringing.mark, steps.ringing.tone, steps.ringing = "accepted by itself", "ok", None
        else:
            steps.end_ring("accepted", "ok")
        steps.decided("offer")
        steps.told.asked = (fact.agent,)
    elif state.status == QUEUED:
        if steps.ringing is not None:
            steps.end_ring("overtaken", "")
        steps.add("accepted", f"{setting.who(fact.agent)} took it from the queue")
        steps.decided("took", fact.agent)
    else:
        steps.add("accepted", takes[:1].lower() + takes[1:] if takes.startswith("You") else takes)
        steps.decided("took", fact.agent)


def _after_talk(fact: f.Accepted, steps: Steps, state: Conversation) -> None:
    setting = steps.setting
    takes = setting.does(fact.agent, "has it", "have it")
    if steps.by:
        steps.add("accepted", f"{takes}: {setting.who(steps.by)} handed over after the talk", "", "ok")
        steps.decided("confirmed", steps.by)
    else:
        steps.add(
            "accepted",
            f"{takes}: {setting.who(state.owner)} {'are' if state.owner == setting.reader else 'is'} gone",
            "",
            "near",
        )
        steps.decided("gone", state.owner)


TELL: Mapping[type[f.Fact], Callable[[Any, Any, Conversation], None]] = {
    f.Offered: _offered,
    f.OfferEnded: _offer_ended,
    f.Transferred: _transferred,
    f.TransferAccepted: _transfer_accepted,
    f.ConsultEnded: _consult_ended,
    f.Accepted: _accepted,
}
"""What each kind of fact tells."""
