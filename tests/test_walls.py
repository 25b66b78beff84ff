"""The tests' own walls hold: a broken wall would let every other test reach the user's machine."""

import asyncio
import os
import socket
import time
from pathlib import Path

import keyring
import platformdirs
import pytest

from tests import outside
from tests.until import until


def test_a_connection_off_loopback_is_refused_and_noticed() -> None:
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError, match="192.0.2.1"):
        sock.connect(("192.0.2.1", 80))
    assert outside.attempts == ["192.0.2.1:80"]
    outside.attempts.clear()


async def test_asyncio_is_refused_too() -> None:
    with pytest.raises(OSError, match="192.0.2.1"):
        await asyncio.open_connection("192.0.2.1", 80)
    assert outside.attempts == ["192.0.2.1:80"]
    outside.attempts.clear()


def test_a_foreign_name_is_not_found() -> None:
    with pytest.raises(socket.gaierror):
        socket.create_connection(("mail.example", 25), timeout=1)


async def test_loopback_is_open() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


def test_home_settings_and_keyring_are_not_the_users() -> None:
    home = Path(os.environ["HOME"])
    assert list(home.iterdir()) == []
    assert Path(platformdirs.user_config_dir("agent-tui")).is_relative_to(home)
    assert keyring.get_keyring().__class__.__module__ == "keyring.backends.null"
    assert time.tzname == ("UTC", "UTC")


async def test_until_returns_the_first_true_value_and_says_what_never_came() -> None:
    seen = iter([0, 0, 7])
    assert await until(lambda: next(seen)) == 7
    with pytest.raises(AssertionError, match="the offer was never shown"):
        await until(lambda: False, bound_s=0, saying="the offer was never shown")


async def test_until_waits_for_an_async_condition() -> None:
    seen = iter([False, True])

    async def arrived() -> bool:
        return next(seen)

    assert await until(arrived)
