"""Where a colleague is, in words for a sentence."""

from __future__ import annotations

import pytest

from broker_bridge.contract.policy import Hours, QueueRules
from broker_bridge.core.definitions import Policy
from broker_bridge.core.whereabouts import words
from tests.core.world import START_MS

STOCKHOLM = Policy(queues={"a": QueueRules(), "b": QueueRules(hours=Hours(zone="Europe/Stockholm", week=()))})
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("state", "reason", "until_ms", "policy", "said"),
    [
        ("away", "lunch", START_MS + HOUR_MS, STOCKHOLM, "at lunch until 13:06"),
        ("away", "lunch", START_MS + HOUR_MS, Policy(), "at lunch until 12:06 UTC"),
        ("away", "dentist", None, STOCKHOLM, "away: dentist"),
        ("away", "lunch", START_MS, STOCKHOLM, "at lunch"),
        ("wrap_up", "", START_MS + HOUR_MS, STOCKHOLM, "in wrap-up until 13:06"),
        ("silent", "", None, STOCKHOLM, "silent"),
        ("away", "", START_MS + 30 * HOUR_MS, STOCKHOLM, "away until Thu 19 Nov 18:06"),
    ],
)
def test_an_end_is_told_in_the_zone_of_the_house(
    state: str, reason: str, until_ms: int | None, policy: Policy, said: str
) -> None:
    assert words(state, reason, until_ms, policy, START_MS) == said
