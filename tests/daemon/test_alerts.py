"""What the supervisors are told to look at: targets of the resolution beside those of answers."""

from __future__ import annotations

import pytest

from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.core.actor import Actor
from tests.daemon.small_house import NOW_MS, Small

OLGA = Actor(agent="olga", name="Olga", role="supervisor")
HOUR_MS = 3_600_000


def resolution(due_in_ms: int, warn_in_ms: int) -> f.Targeted:
    return f.Targeted(
        what="resolution",
        due_ms=NOW_MS + due_in_ms,
        from_ms=NOW_MS - HOUR_MS,
        work_s=7_200,
        warn_ms=NOW_MS + warn_in_ms,
    )


def told(small: Small) -> list[v.Alert]:
    small.parts.alerts._known = None
    return list(small.parts.alerts.of(OLGA))


@pytest.fixture
def small() -> Small:
    made = Small()
    made.enroll("maya")
    made.case("case", channel="chat")
    return made


async def test_a_case_that_is_not_resolved_in_time_is_an_alert_and_before_that_a_warning(small: Small) -> None:
    small.log.put("conv", "case", resolution(HOUR_MS, -1), f.Accepted(agent="maya", epoch=1))
    async with small.working():
        (near,) = told(small)
        assert (near.severity, near.conv, near.agent) == ("near", "case", "maya")
        assert near.text == "Anna chat to be resolved in 1 h with Maya"
        small.later(4_200)
        (late,) = told(small)
        assert late.text == "Anna chat not resolved, late by 10 min with Maya"
        assert (late.severity, late.at_ms) == ("late", NOW_MS + HOUR_MS)
        assert told(small)[0].id == late.id != near.id


@pytest.mark.parametrize(
    "fact",
    [
        f.Closed(agent="maya", disposition="solved"),
        f.Targeted(what="resolution", from_ms=NOW_MS, work_s=7_200, left_s=600, because="stands still"),
        f.Targeted(what="resolution"),
    ],
)
async def test_what_was_closed_or_stands_still_is_none(small: Small, fact: f.ConversationFact) -> None:
    small.log.put("conv", "case", resolution(-HOUR_MS, -2 * HOUR_MS), f.Accepted(agent="maya", epoch=1))
    async with small.working():
        assert [one.severity for one in told(small)] == ["late"]
        small.log.put("conv", "case", fact)
        await small.catch_up()
        assert told(small) == []


async def test_a_bridge_that_starts_later_knows_it_too_and_a_warning_is_not_early(small: Small) -> None:
    small.log.put("conv", "case", resolution(-HOUR_MS, -2 * HOUR_MS))
    small.case("other", channel="chat", sender="Bo")
    small.log.put("conv", "other", resolution(2 * HOUR_MS, HOUR_MS))
    # Both are in the read model before anybody listens.
    await small.catch_up()
    small.parts.alerts._ends.clear()
    small.parts.alerts.load()
    (late,) = told(small)
    assert late.text == "Anna chat not resolved, late by 1 h waiting in Orders"
