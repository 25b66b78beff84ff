"""The way to a site that runs, for `agent`, `dead` and `audit`."""

from __future__ import annotations

import importlib
from typing import cast

from broker_bridge.daemon.office import Office


def office() -> Office:
    """`daemon/admin.py`, loaded when it is needed: it brings the broker's library."""
    return cast(Office, importlib.import_module("broker_bridge.daemon.admin"))
