"""What the service manager is told: ready, stopping, what is going on, still alive.

Law: one datagram to $NOTIFY_SOCKET, nothing without it, and never an error: a bridge works whether or not somebody listens.
Protocol: sd_notify(3), read November 2026. The caller sends `watchdog` only after a round trip to the broker.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


def ready(status: str, environ: Mapping[str, str] = os.environ) -> bool:
    """The bridge takes messages; `status` is shown by `systemctl status`."""
    return tell("READY=1", f"STATUS={status}", environ=environ)


def stopping(environ: Mapping[str, str] = os.environ) -> bool:
    return tell("STOPPING=1", "STATUS=finishing what was begun", environ=environ)


def status(text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """What is going on, in words; no customer text."""
    return tell(f"STATUS={text}", environ=environ)


def watchdog(environ: Mapping[str, str] = os.environ) -> bool:
    return tell("WATCHDOG=1", environ=environ)


def more_time(seconds: int, environ: Mapping[str, str] = os.environ) -> bool:
    """The start or stop takes longer: do not give up for so long from now (a large store is being opened)."""
    return tell(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}", environ=environ)


def watchdog_every_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """How often `watchdog` is to be sent: half of what the manager allows; None if it does not watch us."""
    try:
        allowed_us = int(environ.get("WATCHDOG_USEC", ""))
        watched = int(environ.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    return allowed_us / 2_000_000 if allowed_us > 0 and watched == os.getpid() else None


def tell(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send assignments; True if the manager's socket took them."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    # `@` stands for the abstract namespace.
    target = "\0" + address[1:] if address.startswith("@") else address
    text = "\n".join(line.replace("\n", " ") for line in lines)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(1.0)
        sock.sendto(text.encode(), target)
        return True
    return False
