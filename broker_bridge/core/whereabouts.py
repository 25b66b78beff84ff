"""Where a colleague is, in words for a sentence: `at lunch until 14:30`.

Law: a time is in the house's zone (that of the first queue which has hours); where there is none it is UTC, and says so.
"""

from __future__ import annotations

from broker_bridge.core import hours
from broker_bridge.core.definitions import Policy
from broker_bridge.core.seating import label


def words(state: str, reason: str, until_ms: int | None, policy: Policy, now_ms: int) -> str:
    """What stands behind `Maya is`. An end that has passed is not said."""
    said = label(state, reason)
    if until_ms is None or until_ms <= now_ms:
        return said
    zone = next((one.hours.zone for one in policy.queues.values() if one.hours is not None), "")
    until = hours.moment(zone or "UTC", until_ms, now_ms)
    return f"{said} until {until}{'' if zone else ' UTC'}"
