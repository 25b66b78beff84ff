"""Who a visitor is and how much one may ask: signed session tokens, rate limits, sockets per address.

The law: a session id is made here from 128 random bits and is taken back only with our signature; a limit is counted
per session and per address, so that a second tab or a reconnect buys nothing.
"""

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable, Sequence

_TOKEN = re.compile(r"([A-Za-z0-9_-]{1,2048})\.([A-Za-z0-9_-]{22})")
_MAC_BYTES = 16
_SESSION = re.compile(rb"[0-9a-f]{32}")


class Signer:
    """Signs small texts that travel through a browser. The first key signs; every key still opens (rotation)."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """
        Raises:
            ValueError: no key, or one shorter than 16 bytes.
        """
        if not keys or any(len(key) < 16 for key in keys):
            raise ValueError("the web chat needs at least one signing key of 16 bytes or more")
        self._keys = tuple(keys)

    def sign(self, purpose: str, body: bytes) -> str:
        """A token that only `open` with the same purpose gives back."""
        return f"{_b64(body)}.{_b64(self._mac(self._keys[0], purpose, body))}"

    def open(self, purpose: str, token: str) -> bytes | None:
        """The signed body, or None for anything that was not signed here for this purpose."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        try:
            body, mac = _unb64(parts[1]), _unb64(parts[2])
        except ValueError:
            return None
        good = [hmac.compare_digest(mac, self._mac(key, purpose, body)) for key in self._keys]
        return body if any(good) else None

    def new_session(self) -> str:
        """A session id: 32 hexadecimal digits, 128 random bits."""
        return secrets.token_hex(16)

    def session_token(self, session: str) -> str:
        """What the browser keeps for `session`."""
        return self.sign("session", session.encode())

    def session_of(self, token: str) -> str | None:
        """The session id in a browser's token, or None if we did not make it."""
        body = self.open("session", token)
        return body.decode() if body is not None and _SESSION.fullmatch(body) else None

    @staticmethod
    def _mac(key: bytes, purpose: str, body: bytes) -> bytes:
        return hmac.digest(key, b"onewindow webchat " + purpose.encode() + b"\0" + body, hashlib.sha256)[:_MAC_BYTES]


class Buckets:
    """Token buckets by key: `burst` at once, then `per_s` a second."""

    def __init__(self, *, per_s: float, burst: int, monotonic_s: Callable[[], float], most: int = 20_000) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._monotonic_s = monotonic_s
        self._most = most
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """0.0 when one may pass now, else the seconds to wait for the next."""
        now_s = self._monotonic_s()
        level = self._level(key, now_s)
        if level >= 1.0:
            self._levels[key] = (level - 1.0, now_s)
            self._forget_full(now_s)
            return 0.0
        return (1.0 - level) / self._per_s

    def _level(self, key: str, now_s: float) -> float:
        level, at_s = self._levels.get(key, (self._burst, now_s))
        return min(self._burst, level + (now_s - at_s) * self._per_s)

    def _forget_full(self, now_s: float) -> None:
        """A full bucket says nothing: drop them when there are too many, so that memory stays bounded."""
        if len(self._levels) > self._most:
            self._levels = {k: v for k, v in self._levels.items() if self._level(k, now_s) < self._burst}


class Seats:
    """Open sockets, counted per address and in total."""

    def __init__(self, *, per_address: int, total: int) -> None:
        self._per_address = per_address
        self._total = total
        self._taken: dict[str, int] = {}

    @property
    def taken(self) -> int:
        """How many sockets are open."""
        return sum(self._taken.values())

    def refusal(self, address: str) -> str | None:
        """Why `address` gets no socket now, or None if it may have one."""
        if self._taken.get(address, 0) >= self._per_address:
            return f"{self._per_address} chats are already open from this address. Close one and load the page again."
        if self.taken >= self._total:
            return "The chat is full at the moment. Try again in a minute."
        return None

    def take(self, address: str) -> None:
        """Count a socket that was opened."""
        self._taken[address] = self._taken.get(address, 0) + 1

    def free(self, address: str) -> None:
        """Count a socket that was closed."""
        left = self._taken.pop(address, 0) - 1
        if left > 0:
            self._taken[address] = left


def address_key(host: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one (a household has 2**64 of those)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def origin_allowed(origin: str | None, host: str | None, allowed: Sequence[str]) -> bool:
    """May a page of `origin` talk to us? Yes if we served it ourselves (its host is `host`) or if it is on the list.

    The scheme is not compared for our own page: behind a proxy that ends TLS we see http where the browser sees https.
    """
    if not origin or origin == "null":
        return False
    origin = origin.lower()
    if origin in {entry.lower().rstrip("/") for entry in allowed}:
        return True
    scheme, _, authority = origin.partition("://")
    return scheme in {"http", "https"} and bool(host) and authority == (host or "").lower()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
