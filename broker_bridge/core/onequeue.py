"""One queue's rules by themselves: words, ranges, hours, steps, targets and dispositions.

Law: the same for a file, a command and a bridge that runs; what other queues and agents have to do with it is policy.py's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from broker_bridge.contract.policy import DeskRules, Disposition, QueueRules, Skill
from broker_bridge.core import hours
from broker_bridge.core.problem import Problem, is_line, nearest, shown

MODES = ("evenly", "in_order", "everybody")
WRAP_UPS = ("none", "optional", "mandatory", "timed")
PAUSES = ("waiting", "snoozed")
LEVELS = range(1, 6)
LONGEST_OFFER_S = 3_600
LONGEST_S = 366 * 86_400
"""Of everything that is waited for: what nobody lives to see is a slip of the pen."""
MOST_LETTERS = 4_000


def problems_alone(name: str, rules: QueueRules, desk: DeskRules, kinds: Collection[str]) -> Iterator[Problem]:
    """What is wrong with the rules of one queue. `kinds`: every channel kind that there is; empty: not known."""
    where = f"queue {name}"
    yield from _words(where, rules, kinds)
    yield from _ranges(where, rules)
    yield from _one_each(where, "needs", rules.needs)
    yield from unknown_skills(where, "needs", rules.needs, desk)
    if rules.hours is not None:
        for sentence in hours.problems(rules.hours):
            yield Problem(key=f"{where}: hours", sentence=sentence)
    yield from _steps(where, rules)
    yield from _targets(where, rules)
    yield from dispositions(where, rules.dispositions)
    yield from _default(where, rules, desk)


def unknown_skills(where: str, key: str, skills: tuple[Skill, ...], desk: DeskRules) -> Iterator[Problem]:
    """Skills that the house does not have, and levels that there are not."""
    for number, one in enumerate(skills, 1):
        place = f"{where}: {key} number {number}"
        if one.name not in desk.skills:
            known = nearest(one.name, desk.skills) if desk.skills else "; desk.skills names none yet"
            yield Problem(key=place, sentence=f"there is no skill {shown(one.name)}{known}")
        if one.level not in LEVELS:
            yield Problem(key=place, sentence=f"a level is 1 (a little) to 5 (expert), not {one.level}")


def _one_each(where: str, key: str, skills: tuple[Skill, ...]) -> Iterator[Problem]:
    for name in twice([one.name for one in skills]):
        yield Problem(key=f"{where}: {key}", sentence=f"{shown(name)} stands there twice; keep one level")


def twice(words: list[str]) -> list[str]:
    """Words that stand there more than once."""
    return sorted({word for word in words if words.count(word) > 1})


def _words(where: str, rules: QueueRules, kinds: Collection[str]) -> Iterator[Problem]:
    for key, word, known in (("mode", rules.mode, MODES), ("wrap_up", rules.wrap_up, WRAP_UPS)):
        if word not in known:
            yield Problem(key=f"{where}: {key}", sentence=f"use one of {', '.join(known)}{_meant(word, known)}")
    for word in rules.pauses:
        if word not in PAUSES:
            yield Problem(key=f"{where}: pauses", sentence=f"use of {', '.join(PAUSES)}{_meant(word, PAUSES)}")
    for word in rules.auto_accept:
        if kinds and word not in kinds:
            sentence = f"there is no channel kind {shown(word)}{nearest(word, kinds)}"
            yield Problem(key=f"{where}: auto_accept", sentence=sentence)
    if rules.order and rules.mode != "in_order":
        yield Problem(key=f"{where}: order", sentence='it counts only with mode = "in_order"', is_warning=True)
    for name in twice(list(rules.order)):
        yield Problem(key=f"{where}: order", sentence=f"{shown(name)} stands there twice")
    if not is_line(rules.title):
        yield Problem(key=f"{where}: title", sentence="use one line of printable characters")
    if len(rules.away_reply) > MOST_LETTERS:
        yield Problem(key=f"{where}: away_reply", sentence=f"use at most {MOST_LETTERS} letters")


def _meant(word: str, known: Collection[str]) -> str:
    found = nearest(word, known)
    return found if found.startswith("; did you mean") else ""


def _ranges(where: str, rules: QueueRules) -> Iterator[Problem]:
    if not 1 <= rules.priority <= 9:
        yield Problem(key=f"{where}: priority", sentence=f"use 1 (first) to 9, not {rules.priority}")
    if not 0 <= rules.affinity_s <= LONGEST_S:
        yield Problem(key=f"{where}: affinity_s", sentence="it is 0 (not at all) or more seconds, at most a year")
    if not 1 <= rules.offer_s <= LONGEST_OFFER_S:
        yield Problem(key=f"{where}: offer_s", sentence=f"an offer rings 1 to {LONGEST_OFFER_S} seconds")
    if not 1 <= rules.wrap_up_s <= LONGEST_S:
        yield Problem(key=f"{where}: wrap_up_s", sentence="it is at least a second, at most a year")
    for key, share in (("warn_share", rules.warn_share), ("service_level", rules.service_level)):
        if not 0 <= share <= 1:
            yield Problem(key=f"{where}: {key}", sentence=f"a share is 0 to 1, not {share:g}")


def _steps(where: str, rules: QueueRules) -> Iterator[Problem]:
    before_s, moved = 0, ""
    for number, step in enumerate(rules.overflow, 1):
        place = f"{where}: overflow number {number}"
        if step.widen and step.widen not in LEVELS:
            yield Problem(key=place, sentence="widen is 1 to 5 levels")
        if [bool(step.widen), bool(step.queue), bool(step.alarm)].count(True) != 1:
            yield Problem(key=place, sentence="say exactly one of widen, queue and alarm")
        if not 1 <= step.after_s <= LONGEST_S:
            yield Problem(key=place, sentence="after_s is at least a second, at most a year")
        elif step.after_s < before_s:
            sentence = f"it comes after a step of {before_s} s: write the steps in the order in which they happen"
            yield Problem(key=place, sentence=sentence)
        if moved:
            yield Problem(key=place, sentence=f"never reached: the step before moves it to {moved}", is_warning=True)
        if step.widen and not rules.needs:
            yield Problem(key=place, sentence="the queue needs no skill that could be widened", is_warning=True)
        if not is_line(step.alarm):
            yield Problem(key=place, sentence="an alarm is one line of printable characters")
        before_s, moved = max(before_s, step.after_s), moved or step.queue


def _targets(where: str, rules: QueueRules) -> Iterator[Problem]:
    for number, one in enumerate(rules.targets, 1):
        place = f"{where}: target number {number}"
        if not 0 <= one.priority <= 9:
            yield Problem(key=place, sentence=f"a priority is 1 (first) to 9, or 0 for every other, not {one.priority}")
        times = {"first_reply": one.first_reply_s, "next_reply": one.next_reply_s, "resolution": one.resolution_s}
        for key, seconds in times.items():
            if seconds is not None and not 1 <= seconds <= LONGEST_S:
                sentence = "a target is at least a second, at most a year; leave it out for none"
                yield Problem(key=f"{place}: {key}", sentence=sentence)
        if all(seconds is None for seconds in times.values()):
            yield Problem(key=place, sentence="it promises nothing: say first_reply, next_reply or resolution")
    for text in twice([str(one.priority) for one in rules.targets]):
        what = "the general target" if text == "0" else f"priority {text}"
        yield Problem(key=f"{where}: target", sentence=f"{what} stands there twice")


def dispositions(where: str, found: tuple[Disposition, ...]) -> Iterator[Problem]:
    """What is wrong with a list of outcomes. `where`: `queue x` or `desk`."""
    key = "desk.dispositions" if where == "desk" else f"{where}: dispositions"
    for one in found:
        if not one.name.strip() or not one.name.isprintable():
            yield Problem(key=key, sentence="a disposition has a name: one line of printable characters")
        for field in one.fields:
            if not field.strip() or not field.isprintable():
                yield Problem(
                    key=key, sentence=f"a field of {shown(one.name)} has no name, or one that cannot be shown"
                )
        for field in twice(list(one.fields)):
            yield Problem(key=key, sentence=f"{shown(one.name)} asks twice for {shown(field)}")
    for name in twice([one.name for one in found]):
        yield Problem(key=key, sentence=f"{shown(name)} stands there twice")


def _default(where: str, rules: QueueRules, desk: DeskRules) -> Iterator[Problem]:
    """The outcome that is taken when nobody chooses must exist, and must not ask for what nobody can fill in then."""
    outcomes = {one.name: one for one in rules.dispositions or desk.dispositions}
    if rules.default_disposition and rules.default_disposition not in outcomes:
        sentence = (
            f"there is no disposition {shown(rules.default_disposition)}{nearest(rules.default_disposition, outcomes)}"
        )
        yield Problem(key=f"{where}: default_disposition", sentence=sentence)
        return
    if rules.wrap_up not in ("mandatory", "timed"):
        return
    if not outcomes:
        yield Problem(key=f"{where}: wrap_up", sentence=f"{rules.wrap_up} needs dispositions to choose from")
        return
    name = rules.default_disposition or next(iter(outcomes))
    if rules.wrap_up == "timed" and outcomes[name].fields:
        sentence = (
            f"{shown(name)} asks for {', '.join(outcomes[name].fields)}, which nobody fills in at the time-out: "
            "name another default_disposition"
        )
        yield Problem(key=f"{where}: default_disposition", sentence=sentence)
