"""A supervisor's alerts: what the bridge reports and what the boards show, with what was seen at the end.

The law: the worst stands first, said by mark and word; what is seen is calm but stays in sight; nothing stands there twice.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import NamedTuple

from agent_tui.model import clock
from agent_tui.model.cells import cut, width
from agent_tui.model.clean import clean_line
from agent_tui.model.queue_lines import MARKS, weight_of
from agent_tui.model.rows import Moment as Instant
from agent_tui.model.runs import Line, Run, line
from broker_bridge.contract.views import Colleague, DirectoryView

_WEIGHTS = {"late": 2, "near": 1}


class Alert(NamedTuple):
    at_ms: int
    weight: int
    """2 late, 1 near, 0 for knowing."""
    text: str
    key: Hashable
    conv: str = ""
    agent: str = ""
    is_seen: bool = False

    @property
    def about(self) -> str:
        """Of a queue's alert: the queue, as the bridge's own sentence would begin."""
        return self.text.partition(":")[0] + ":"

    @property
    def shown_weight(self) -> int:
        """As it is marked: what is seen is calm."""
        return 0 if self.is_seen else self.weight


def alerts(known: DirectoryView, at: Instant, seen: Collection[Hashable] = ()) -> list[Alert]:
    """The worst and the newest first, the seen ones last."""
    told = [
        Alert(
            one.at_ms, _WEIGHTS.get(one.severity, 0), clean_line(one.text, 300), ("told", one.id), one.conv, one.agent
        )
        for one in known.notices
    ]
    told += [
        Alert(moment.at_ms, _WEIGHTS.get(moment.node, 0), clean_line(moment.text, 300), ("moment", n))
        for n, moment in enumerate(known.alerts)
    ]
    agents = {alert.agent for alert in told if alert.agent}
    convs = {alert.conv for alert in told if alert.conv}
    # What the bridge tells is not told again from the boards.
    own = [one for one in _own(known, at) if one.agent not in agents and (not one.conv or one.conv not in convs)]
    own = [one for one in own if one.agent or not any(alert.text.startswith(one.about) for alert in told)]
    found = [alert._replace(is_seen=alert.key in seen) for alert in (*told, *own)]
    return sorted(found, key=lambda alert: (alert.is_seen, -alert.weight, -alert.at_ms))


def _own(known: DirectoryView, at: Instant) -> list[Alert]:
    """What the boards show by themselves."""
    found = []
    for queue in known.queues:
        if weight_of(queue, at.now_ms) == 2 and queue.service_level is not None:
            level, target = round(queue.service_level * 100), round(queue.target * 100)
            words = f"{clean_line(queue.name)}: {level} %, under {target} %"
            found.append(Alert(at.now_ms, 2, words, ("queue", queue.queue)))
    for one in known.agents:
        alert = _of_agent(one, at)
        if alert is not None:
            found.append(alert)
    return found


def _of_agent(one: Colleague, at: Instant) -> Alert | None:
    name = clean_line(one.name)
    if one.due_ms is not None and one.due_ms < at.now_ms and one.works_on:
        late = clock.minutes(at.now_ms - one.due_ms)
        who = f"{clean_line(one.works_on)} {clean_line(one.works_on_word)}"
        words = f"{who} late by {late} with {name.split(' ')[0]}"
        return Alert(one.due_ms, 2, words, ("late", one.agent, one.due_ms), one.works_on_conv, one.agent)
    if one.state == "silent":
        words = f"{name} silent {clock.long(at.now_ms - one.since_ms)}"
        return Alert(one.since_ms, 1, words, ("silent", one.agent, one.since_ms), "", one.agent)
    return None


def helpful(alert: Alert, known: DirectoryView, keys: Mapping[str, str]) -> tuple[str, str]:
    """The key that helps most with it, and its word; empty if there is none."""
    states = {one.agent: one.state for one in known.agents}
    if alert.agent and states.get(alert.agent) == "silent" and not alert.is_seen:
        return keys.get("give_now", ""), "give now"
    works = any(one.agent == alert.agent and one.works_on_conv for one in known.agents)
    return (keys.get("read_silently", ""), "read") if alert.conv or works else ("", "")


def alert_row(alert: Alert, cells: int, at: Instant, help: tuple[str, str] = ("", "")) -> Line:
    """`!! 14:01  complaints: 68 %, under 80 %            ⏎ read`."""
    key, word = help
    key = key.replace("⏎", at.glyphs.enter)
    right = width(key) + 1 + width(word) if key else 0
    room = max(0, cells - 12 - (right + 2 if right else 0))
    text = cut(alert.text, room, at.glyphs.dots)
    gap = " " * max(0, room - width(text) + 2) if right else ""
    return line(
        Run(" "),
        MARKS[alert.shown_weight],
        Run(" "),
        Run(f"{clock.at(alert.at_ms, at.tz)}  ", "mut"),
        Run(text, "text" if alert.shown_weight else "mut"),
        Run(gap),
        Run(key, "acc", "b"),
        Run(f" {word}" if right else "", "mut"),
    )
