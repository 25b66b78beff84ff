"""Why a conversation is where it is: the view of one case, from the entries of its log.

Law: pure; everything said comes from facts, and where a decision is still to be made from its inputs as they are now (`Live`). The steps
are told by core.why_steps and core.why_moves, the sentence by core.why_words. A line's time is `at_ms`; a time inside a text is in the
queue's zone, as the targets tell it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.contract.policy import Considered, Why
from broker_bridge.contract.views import WhyLine, WhyView, WhyWho
from broker_bridge.core import conversation as conv
from broker_bridge.core import hours, why_rules, why_words
from broker_bridge.core.state import QUEUED, Conversation
from broker_bridge.core.why_steps import Steps
from broker_bridge.core.why_terms import GAP, Live, Setting, Step, Told, capital, needs_in_words

__all__ = ["Live", "Setting", "Stretch", "Told", "explain", "folded", "gathered", "view"]

MOST_LINES = 60
FIRST_LINES = 6
"""Of a long history its beginning stays: how it came in."""
MOST_TEXT = 300


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a case's log without a gap."""

    entries: list[tuple[int, Entry]]
    left_out: int = 0
    """How many entries before it were not read."""


def folded(
    conversation: ConversationId, entries: Iterable[tuple[int, Entry]], setting: Setting
) -> tuple[Conversation, Told]:
    """The state after all (sequence, entry), and the steps on the way."""
    return gathered(conversation, [Stretch(entries=list(entries))], setting, None)


def gathered(
    conversation: ConversationId, stretches: Iterable[Stretch], setting: Setting, known: Conversation | None
) -> tuple[Conversation, Told]:
    """As `folded`, of a case whose log was not read whole: then the state is `known`, and what the gaps hide is not guessed."""
    state = conv.begin(conversation)
    steps = Steps(setting)
    has_gap = False
    for stretch in stretches:
        if stretch.left_out and known is not None:
            has_gap = True
            steps.skip(stretch.left_out, stretch.entries[0][1].at_ms if stretch.entries else known.last_ms)
            _jump(state, stretch, known, steps)
        for seq, entry in stretch.entries:
            for fact in entry.facts:
                steps.take(fact, entry, state)
                # Fact by fact: the second of an entry is told with the first in the state.
                conv.fold(state, msgspec.structs.replace(entry, facts=(fact,)), seq)
            state.seq = seq
    if not has_gap or known is None:
        return state, steps.told
    if (known.owner, known.epoch) != (state.owner, state.epoch):
        steps.decided("")
    return known, steps.told


def _jump(state: Conversation, stretch: Stretch, known: Conversation, steps: Steps) -> None:
    """Over a gap: who wrote in it is known from the case as it is now, and whose it is if nothing has changed since."""
    state.handles = dict(known.handles)
    state.messages = max(1, state.messages)
    state.snooze = state.consult = state.offer = None
    began_ms = stretch.entries[0][1].at_ms if stretch.entries else known.last_ms
    if max(known.accepted_ms, known.queued_ms) < began_ms:
        if (known.owner, known.epoch) != (state.owner, state.epoch):
            # It changed hands where nobody looked.
            steps.decided("")
        state.owner, state.epoch, state.status, state.queue = known.owner, known.epoch, known.status, known.queue


def view(state: Conversation, told: Told, setting: Setting, live: Live | None = None) -> WhyView:
    """The answer. `live`: of a case that waits and rings at nobody."""
    is_waiting = state.status == QUEUED and state.offer is None
    why = live.why if live is not None else None if is_waiting else told.why
    chosen = () if live is not None else told.asked
    if live is not None:
        _of_queue(told, live.why, state, setting)
    return WhyView(
        sentence=capital(why_words.sentence(state, told, live, setting)),
        lines=_bounded([_line(step, setting.now_ms) for step in told.steps]),
        who=_table(why, chosen, setting) if why is not None else (),
        skipped=_others(why) if why is not None else (),
        is_live=live is not None,
        left_out=told.left_out,
        policy=_policy(why, state, setting, is_live=live is not None) if why is not None else "",
        rules=why_rules.lines(state.queue, setting) if why is not None else (),
        upto=state.seq,
    )


def explain(conversation: ConversationId, entries: Iterable[tuple[int, Entry]], setting: Setting) -> WhyView:
    """All at once, where nothing is to be reckoned live."""
    state, told = folded(conversation, entries, setting)
    return view(state, told, setting)


def _of_queue(told: Told, why: Why, state: Conversation, setting: Setting) -> None:
    """What its queue asks for now, where it came into it."""
    if told.queue_step is not None:
        needs = f", needs {needs_in_words(why.needs)}" if why.needs else ""
        told.queue_step.text += f"{needs}, priority {setting.policy.priority(state)}"
        told.queue_step = None


def _line(step: Step, now_ms: int) -> WhyLine:
    mark, tone = step.mark, step.tone
    if step.due_ms is not None and step.due_ms < now_ms:
        mark, tone = "late", "late"
    elif step.due_ms is not None and step.warn_ms is not None and step.warn_ms <= now_ms:
        mark, tone = "due soon", "near"
    text, short = f"{step.text}{step.tail}"[:MOST_TEXT], step.short[:MOST_TEXT] if step.due_ms is not None else ""
    due_ms = step.due_ms if short else None
    return WhyLine(at_ms=step.at_ms, word=step.word, text=text, mark=mark, tone=tone, due_ms=due_ms, short=short)


def _bounded(lines: list[WhyLine]) -> tuple[WhyLine, ...]:
    if len(lines) <= MOST_LINES:
        return tuple(lines)
    left_out = len(lines) - MOST_LINES + 1
    unread = next((one for one in lines[FIRST_LINES : FIRST_LINES + left_out] if one.word == GAP), None)
    also = f", and {unread.text}" if unread is not None else ""
    gap = WhyLine(at_ms=lines[FIRST_LINES].at_ms, word=GAP, text=f"{left_out} steps are left out{also}")
    return (*lines[:FIRST_LINES], gap, *lines[FIRST_LINES + left_out :])


def _table(why: Why, chosen: tuple[AgentId, ...], setting: Setting) -> tuple[WhyWho, ...]:
    places = _places(why)
    return tuple(_who(one, why, one.agent in chosen, places.get(one.agent, 0), setting) for one in why.considered)


def _places(why: Why) -> dict[AgentId, int]:
    """Who came where among the fit. Those who know the customer stand before the others without having won: then only the first
    place is known."""
    if why.mode == "everybody":
        return {}
    fit = [one for one in why.considered if one.is_fit]
    if any(one.last_talk or one.is_responsible for one in fit[1:]):
        fit = fit[:1]
    return {one.agent: place for place, one in enumerate(fit, 1)}


def _who(one: Considered, why: Why, is_chosen: bool, place: int, setting: Setting) -> WhyWho:
    return WhyWho(
        place=place,
        agent=one.agent,
        name=setting.name_of(one.agent),
        state=one.state,
        load=one.load,
        capacity=one.units,
        skills=one.skills,
        needed=len(why.needs),
        last_talk=one.last_talk,
        reason=one.reason,
        is_fit=one.is_fit,
        is_chosen=is_chosen,
    )


def _others(why: Why) -> tuple[tuple[str, int], ...]:
    """Who was skipped and is not in the table of agents."""
    named = Counter(one.reason for one in why.considered if not one.is_fit)
    left = ((reason, count - named[reason]) for reason, count in why.skipped)
    return tuple((reason, count) for reason, count in left if count > 0)


def _policy(why: Why, state: Conversation, setting: Setting, *, is_live: bool) -> str:
    """`The rules were those of 09:12 today (version 31).`"""
    policy = setting.policy
    are = "are" if is_live else "were"
    if not why.policy:
        return f"The rules {are} those of the configuration."
    if why.policy != policy.version or not policy.since_ms:
        changed = f", changed since (version {policy.version})" if policy.version > why.policy else ""
        return f"The rules {are} those of version {why.policy}{changed}."
    rules = policy.rules(state.queue)
    zone = rules.hours.zone if rules.hours is not None else "UTC"
    at = hours.moment(zone, policy.since_ms, setting.now_ms)
    letters = "" if rules.hours is not None else " UTC"
    today = " today" if at[:1].isdigit() else ""
    return f"The rules {are} those of {at}{letters}{today} (version {why.policy})."
