"""Bugs planted in the rules of the house: who is asked, how much they carry, when something is due, who may take it.

Law: as in planted.py. One function a bug, named after what goes wrong, giving what is put where; `RULES` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from broker_bridge.daemon.router import Router

Change = tuple[Any, str, Any]
"""(where, name, what stands there instead)."""


def _loads_not_counted() -> list[Change]:
    """The router believes that everybody is idle."""
    right = Router._candidates

    def candidates(self: Router) -> list[Any]:
        return [msgspec.structs.replace(one, load=0) for one in right(self)]

    return [(Router, "_candidates", candidates)]


RULES: tuple[Callable[[], list[Change]], ...] = (_loads_not_counted,)
