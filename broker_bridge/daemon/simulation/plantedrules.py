"""Bugs planted in the rules of the house: who is asked, how much they carry, when something is due, who may take it, where it goes on.

Law: as in planted.py. One function a bug, named after what goes wrong, giving what is put where; `RULES` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.core import afterwork, asking, folds, handover, hours, inbound, sla, targets, timers, wishes
from broker_bridge.core.routing.index import Index
from broker_bridge.core.routing.line import Line
from broker_bridge.core.state import MERGED, QUEUED
from broker_bridge.core.waiting import Owed
from broker_bridge.daemon import acting, beginnings, choice, clerk, floor, pen, timekeeper
from broker_bridge.daemon.clerk import Clerk
from broker_bridge.daemon.clock import NS_PER_MS, Clock
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.handback import Handback
from broker_bridge.daemon.readmodel import ReadModel

Change = tuple[Any, str, Any]
"""(where, name, what stands there instead)."""


def _loads_not_counted() -> list[Change]:
    """The router believes that everybody is idle."""
    return [(Floor, "load", lambda self, agent: 0), (Index, "load", lambda self, agent, units: None)]


def _places_not_written() -> list[Change]:
    """Places are given without a word in the agent's load: two who lead at once do not meet there."""
    return [(where, "given", lambda *_, **__: {}) for where in (pen, beginnings, acting)]


def _loud_customers_first() -> list[Change]:
    """What a customer has already is not counted: ten cases of one come before the first of another."""
    return [(Owed, "rank", lambda *_: 0)]


def _served_not_counted() -> list[Change]:
    """Only the cases of a customer that wait put the others back, not those that somebody has."""
    return [(Line, "serve", lambda self, conversation, _: self.drop(conversation))]


def _who_is_full_takes_more() -> list[Change]:
    """Who takes a case of their own accord is not asked what they carry."""
    return [(wishes, "no_room", lambda *_: None)]


def _asked_again_at_once() -> list[Change]:
    """Who said no is asked again."""
    return [(asking, "ASK_AGAIN_MS", 0)]


def _closed_queues_ring() -> list[Change]:
    """Hours are not looked at."""
    always = SimpleNamespace(is_open=lambda *_: True, state_in_words=hours.state_in_words)
    return [(choice, "hours", always)]


def _skills_not_asked() -> list[Change]:
    """Whoever is free is good enough."""
    right = Floor._waiting
    return [(Floor, "_waiting", lambda self, one: msgspec.structs.replace(right(self, one), needs=()))]


def _everybody_is_ready() -> list[Change]:
    """Breaks are not looked at."""
    return [(Floor, "present", lambda self, agent: self.index.present(agent, "ready", ""))]


def _who_comes_back_is_forgotten() -> list[Change]:
    """Who was away once is away for good."""
    right = Floor.present

    def present(self: Floor, agent: str) -> None:
        gone = self.__dict__.setdefault("gone", set())
        if agent not in gone:
            right(self, agent)
        if self._staff.presences.of(agent).state in ("away", "busy"):
            gone.add(agent)

    return [(Floor, "present", present)]


def _a_talk_hands_over() -> list[Change]:
    """Who says yes to a talk owns the case, before its owner has confirmed."""
    right = handover.said_yes

    def said_yes(state: Any, agent: str, policy: Any, now_ms: int) -> Any:
        found = right(state, agent, policy, now_ms)
        has_owner = any(isinstance(one, f.Accepted) for one in found)
        return found if has_owner else (*found, f.Accepted(agent=agent, epoch=state.epoch + 1))

    return [(handover, "said_yes", said_yes)]


def _old_epochs_write() -> list[Change]:
    """What the owner saw last is not compared."""
    return [(where, "wrong_epoch", lambda *_: None) for where in (wishes, handover, afterwork)]


def _back_without_a_reason() -> list[Change]:
    """Work of who is gone goes back, and nobody is told why."""
    return [(Handback, "_reason", lambda *_: "")]


def _wrap_up_after_the_end() -> list[Change]:
    """A wrap-up that is over is written again."""
    return [(afterwork, "_not_in_wrap_up", lambda *_: None)]


def _clock_follows_the_wall() -> list[Change]:
    """Whoever sets the wall sets the bridge."""
    return [(Clock, "now_ms", lambda self: self._wall_ns() // NS_PER_MS)]


def _reminders_without_end() -> list[Change]:
    """That somebody was told is not remembered."""
    return [(folds.APPLY, f.TaskReminded, lambda *_: None), (timers.Timer, "command", lambda *_: "")]  # type: ignore[list-item]


def _steps_at_once() -> list[Change]:
    """Overflow does not wait."""
    at_once = SimpleNamespace(add=lambda _hours, from_ms, _s: from_ms)
    return [(where, "hours", at_once) for where in (floor, timekeeper)]


def _targets_by_the_wall_clock() -> list[Change]:
    """What is promised runs on while nobody is there."""

    def due(what: Any, _hours: Any, from_ms: int, work_s: int) -> Any:
        return sla.due(what, None, from_ms, work_s)

    kept = {name: getattr(sla, name) for name in ("Due", "warn_at", "paused", "resumed")}
    return [(targets, "sla", SimpleNamespace(due=due, **kept))]


def _handles_stay_behind() -> list[Change]:
    """A merge leaves addresses where they pointed."""
    return [(acting, "_handles", lambda *_, **__: [])]


def _merged_cases_take_messages() -> list[Change]:
    """A message goes where its address pointed once."""
    right, takes = inbound.follow_up, inbound.takes

    def follow_up(state: Any, *more: Any) -> Any:
        is_gone = state.status == MERGED
        return right(msgspec.structs.replace(state, status=QUEUED) if is_gone else state, *more)

    return [
        *_handles_stay_behind(),
        (inbound, "follow_up", follow_up),
        (inbound, "takes", lambda state, now_ms: state.status == MERGED or takes(state, now_ms)),
        (clerk, "MERGED", "-"),
        (Clerk, "_led", lambda self, conversation: conversation),
    ]


def _merged_messages_stay() -> list[Change]:
    """A merge moves nothing in the read model."""
    return [(ReadModel, "move_items", lambda *_, **__: None)]


def _drafts_stay_behind() -> list[Change]:
    """What was being written stays in the case that went into another."""

    async def follow(*_: Any) -> None:
        return None

    return [(Drafts, "follow", follow)]


def _told_each_time() -> list[Change]:
    """Out of hours every message is answered."""
    right = inbound._away
    return [(inbound, "_away", lambda _state, *more: right(None, *more))]


RULES: tuple[Callable[[], list[Change]], ...] = (
    _loads_not_counted,
    _places_not_written,
    _loud_customers_first,
    _served_not_counted,
    _who_is_full_takes_more,
    _asked_again_at_once,
    _closed_queues_ring,
    _skills_not_asked,
    _everybody_is_ready,
    _who_comes_back_is_forgotten,
    _a_talk_hands_over,
    _old_epochs_write,
    _back_without_a_reason,
    _wrap_up_after_the_end,
    _clock_follows_the_wall,
    _reminders_without_end,
    _steps_at_once,
    _targets_by_the_wall_clock,
    _handles_stay_behind,
    _merged_cases_take_messages,
    _merged_messages_stay,
    _drafts_stay_behind,
    _told_each_time,
)
