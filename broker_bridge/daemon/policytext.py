"""Rules back into an operator's words: a `[[queue]]` block that can be read in again, and a line for a list.

Law: what is printed is TOML in ASCII or printable letters, so it commands no terminal; `queue set NAME --from` takes it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from broker_bridge.contract.policy import Disposition, QueueRules, Skill, Step, Target
from broker_bridge.core.definitions import USUAL
from broker_bridge.daemon.policywords import hours_words, skill_words, time_words

_BARE = re.compile(r"[A-Za-z0-9_-]+")
PLAIN = (
    "title",
    "priority",
    "mode",
    "order",
    "affinity_s",
    "responsible_first",
    "auto_accept",
    "pauses",
    "warn_share",
    "service_level",
    "wrap_up",
    "wrap_up_s",
    "default_disposition",
    "away_reply",
)
"""Words that are called as their field."""


def words_of(name: str, rules: QueueRules) -> dict[str, Any]:
    """A queue's block, without what is usual. Closures are not in it: they come from files."""
    words: dict[str, Any] = {"name": name}
    words |= {key: _plain(getattr(rules, key)) for key in PLAIN if getattr(rules, key) != getattr(USUAL, key)}
    # Written in any case: its default is the desk's.
    words["offer_s"] = rules.offer_s
    if rules.needs:
        words["needs"] = [skill_words(one) for one in rules.needs]
    if rules.hours is not None:
        words["hours"] = hours_words(rules.hours)
    if rules.overflow:
        words["overflow"] = [_step(one) for one in rules.overflow]
    if rules.targets:
        words["target"] = [_target(one) for one in rules.targets]
    if rules.dispositions:
        words["dispositions"] = [_disposition(one) for one in rules.dispositions]
    return words


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _step(one: Step) -> dict[str, Any]:
    said = {"widen": one.widen, "queue": one.queue, "alarm": one.alarm}
    return {"after_s": one.after_s} | {key: value for key, value in said.items() if value}


def _target(one: Target) -> dict[str, Any]:
    times = {"first_reply": one.first_reply_s, "next_reply": one.next_reply_s, "resolution": one.resolution_s}
    priority = {"priority": one.priority} if one.priority else {}
    return priority | {key: time_words(seconds) for key, seconds in times.items() if seconds is not None}


def _disposition(one: Disposition) -> Any:
    return {"name": one.name, "fields": list(one.fields)} if one.fields else one.name


def block(words: Mapping[str, Any], head: str = "[[queue]]") -> str:
    """TOML, one setting a line."""
    return "\n".join([head, *(f"{_key(key)} = {_value(value)}" for key, value in words.items())])


def skills_line(skills: Sequence[Skill]) -> str:
    """`swedish 3, fees 1`."""
    return ", ".join(skill_words(one) for one in skills)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())} }}"
    return repr(value)


def _string(text: str) -> str:
    def letter(one: str) -> str:
        if one in '"\\':
            return f"\\{one}"
        return one if one.isprintable() else f"\\U{ord(one):08x}"

    return f'"{"".join(letter(one) for one in text)}"'
