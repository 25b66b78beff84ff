"""What a killed run of this bridge left behind: its leases, which would hold up the work for half a minute.

Law: only what the last run that used this state directory held is given back, and only while this run has the directory to itself (a lock
says so): a run that is surely dead. Another bridge's leases run out by themselves.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from broker_bridge.daemon.kv import Kv
from broker_bridge.daemon.wire import LostRace

BOOT = "boot"
LOCK = "lock"
KEPT = 100
"""Runs whose names are remembered: none of them has a send under way any more."""


class InUse(Exception):
    """Another bridge runs with this state directory; a sentence for the operator."""


def lock(state_dir: Path) -> IO[str]:
    """The directory is ours until the file is closed or the process ends. Raises InUse."""
    held = (state_dir / LOCK).open("a")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise InUse(f"another bridge runs with {state_dir}; stop it or use another state directory") from error
    return held


def earlier(state_dir: Path) -> list[str]:
    """Names of the runs that used this directory before, oldest first: all of them are surely dead while it is locked."""
    path = state_dir / BOOT
    return path.read_text("utf-8").split() if path.exists() else []


async def give_back(leases: Kv, state_dir: Path, boot: str) -> int:
    """Free what the last run held, then note this run's name; gives the number of leases. Raises BusError."""
    path = state_dir / BOOT
    known = earlier(state_dir)
    freed = 0
    for last in known[-1:]:
        for entry in await leases.entries("lease."):
            if entry.value == last.encode():
                freed += await _freed(leases, entry.key, entry.revision)
        for entry in await leases.entries("node."):
            if entry.key.endswith(f".{last}"):
                await _freed(leases, entry.key, entry.revision)
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join([*known[-KEPT:], boot]), "utf-8")
    os.replace(fresh, path)
    return freed


async def _freed(leases: Kv, key: str, revision: int) -> bool:
    try:
        await leases.delete(key, revision)
    except LostRace:
        return False
    return True
