"""The wall around the tests: no socket of this process leaves the machine.

Python sockets only: child processes (a broker, a browser) are started on loopback by the tests that start them.
"""

import ipaddress
import socket
from typing import Any

attempts: list[str] = []
"""Where a test tried to go; `conftest` fails the test that has one."""

_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_sendto = socket.socket.sendto
_real_getaddrinfo = socket.getaddrinfo


class OutsideNetwork(ConnectionRefusedError):
    """A test tried to leave loopback. An OSError, so that the code under test meets it as a refused connection."""


def is_near(host: object) -> bool:
    """Whether `host`, a name or an address, is this machine."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in ("", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def build() -> None:
    """Puts the wall up in this process; putting it up again changes nothing."""
    vars_of_socket: Any = socket.socket
    vars_of_socket.connect = _connect
    vars_of_socket.connect_ex = _connect_ex
    vars_of_socket.sendto = _sendto
    socket.getaddrinfo = _getaddrinfo


def _guard(sock: socket.socket, address: Any) -> None:
    is_ip = sock.family in (socket.AF_INET, socket.AF_INET6)
    if is_ip and not is_near(address[0]):
        attempts.append(f"{address[0]}:{address[1]}")
        raise OutsideNetwork(f"tests do not leave loopback: {address[0]}:{address[1]}")


def _connect(sock: socket.socket, address: Any) -> None:
    _guard(sock, address)
    _real_connect(sock, address)


def _connect_ex(sock: socket.socket, address: Any) -> int:
    _guard(sock, address)
    return _real_connect_ex(sock, address)


def _sendto(sock: socket.socket, data: Any, *rest: Any) -> int:
    _guard(sock, rest[-1])
    return _real_sendto(sock, data, *rest)


def _getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
    """As on a machine without a name server: foreign names are not found, and asking is not counted."""
    shown = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if is_near(shown) or _is_address(shown):
        return _real_getaddrinfo(host, *rest, **named)
    raise socket.gaierror(socket.EAI_NONAME, f"tests have no name server: {shown}")


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True
