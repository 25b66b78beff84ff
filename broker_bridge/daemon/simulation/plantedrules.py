"""Bugs planted in the rules of the house: who is asked, how much they carry, when something is due, who may take it.

Law: as in planted.py. One function a bug, named after what goes wrong, giving what is put where; `RULES` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker_bridge.core.routing.index import Index
from broker_bridge.daemon.floor import Floor

Change = tuple[Any, str, Any]
"""(where, name, what stands there instead)."""


def _loads_not_counted() -> list[Change]:
    """The router believes that everybody is idle."""
    return [(Floor, "load", lambda self, agent: 0), (Index, "load", lambda self, agent, units: None)]


RULES: tuple[Callable[[], list[Change]], ...] = (_loads_not_counted,)
