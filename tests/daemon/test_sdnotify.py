"""The service manager hears what sd_notify(3) says, through a real socket."""

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_bridge.daemon import sdnotify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """The manager's end, and the environment that leads to it."""
    name = f"@onewindow-{secrets.token_hex(6)}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if name.startswith("@") else name)
        sock.settimeout(5)
        yield sock, {"NOTIFY_SOCKET": name}


def test_the_manager_hears_each_state(manager: tuple[socket.socket, dict[str, str]]) -> None:
    sock, environ = manager
    assert sdnotify.ready("3 channels", environ)
    assert sdnotify.status("one\nREADY=1", environ)
    assert sdnotify.watchdog(environ)
    assert sdnotify.more_time(120, environ)
    assert sdnotify.stopping(environ)
    heard = [sock.recv(4096).decode() for _ in range(5)]
    assert heard[:4] == [
        "READY=1\nSTATUS=3 channels",
        "STATUS=one READY=1",
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=120000000",
    ]
    assert heard[4].startswith("STOPPING=1\n")


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    assert not sdnotify.ready("x", environ)


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    assert not sdnotify.ready("x", {"NOTIFY_SOCKET": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    ("environ", "every_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(environ: dict[str, str], every_s: float | None) -> None:
    assert sdnotify.watchdog_every_s(environ) == every_s
