"""The way to a site that runs, for `agent`, `queue`, `dead` and `audit`."""

from __future__ import annotations

from broker_bridge.daemon.office import Office, Registry


def office() -> Office:
    """`daemon/admin.py`, loaded when it is needed: it brings the broker's library."""
    from broker_bridge.daemon import admin, log

    # What goes wrong is said in one sentence at the end; the connection's own notices would bury it.
    log.setup("error")
    return admin


def registry() -> Registry:
    """`daemon/registry.py`, as `office`."""
    from broker_bridge.daemon import log, registry

    log.setup("error")
    return registry
