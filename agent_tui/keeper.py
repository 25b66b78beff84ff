"""Where the agent's seed is kept: the system's keyring; where there is none, a file that its owner alone can read.

Law: a seed is never in argv, in settings or in a log. It is looked for in the keyring, in $CREDENTIALS_DIRECTORY, in
the file, in the environment, in this order. A file that others can read is refused, not used. A machine without a
keyring is normal; a keyring that forgets what it was given (a null backend) counts as none.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from agent_tui.model import kept
from agent_tui.settings import Paths, check_server
from broker_bridge.contract.subjects import token

SERVICE = "onewindow"
SEED_VARIABLE = "ONEWINDOW_SEED"
CREDENTIAL = "onewindow-seed"
"""Name of the file in $CREDENTIALS_DIRECTORY (systemd)."""
PREFIX = "onewindow1:"
MAX_LINE = 20_000

Place = Literal["keyring", "credentials", "file", "environment"]


class KeeperError(Exception):
    """A sentence for the person."""


class Ring(Protocol):
    """What is used of the keyring library."""

    def get_password(self, service: str, user: str, /) -> str | None: ...

    def set_password(self, service: str, user: str, secret: str, /) -> None: ...

    def delete_password(self, service: str, user: str, /) -> None: ...


class Enrollment(msgspec.Struct, frozen=True, kw_only=True):
    """What the lead hands over, in one line that `broker-bridge agent add` prints."""

    server: str
    agent: str
    name: str = ""
    seed: str
    ca: str | None = None
    """Certificates (PEM) to trust at this server."""

    def __repr__(self) -> str:
        return f"Enrollment(server={self.server!r}, agent={self.agent!r})"


def enrollment(line: str) -> Enrollment:
    """Read an enrollment line.

    Raises:
        KeeperError: it is not one, it is cut off, or a part of it is wrong.
    """
    text = "".join(line.split())
    if not text.startswith(PREFIX):
        raise KeeperError(f"This is not an enrollment line: one begins with {PREFIX} and comes from your lead.")
    body = text[len(PREFIX) :]
    try:
        if len(text) > MAX_LINE:
            raise ValueError("too long")
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(raw, type=Enrollment)
    except (binascii.Error, ValueError) as error:
        # The decoder's own words may quote the line, and the line has a secret in it.
        raise KeeperError("This enrollment line is damaged or cut off: copy it again, whole.") from error
    try:
        check_server(found.server)
        token(found.agent)
    except ValueError as error:
        raise KeeperError(f"This enrollment line cannot be used: {error}.") from error
    public_of(found.seed)
    return found


def make_seed() -> str:
    """A new identity, made on this machine."""
    import nkeys

    return bytes(nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)).decode()


def public_of(seed: str) -> str:
    """The public half of a seed: `U` and 55 letters and digits, safe to send to anybody.

    Raises:
        KeeperError: it is not the seed of a user.
    """
    import nkeys

    try:
        public = bytes(nkeys.from_seed(bytearray(seed.encode())).public_key).decode()
    except (nkeys.NkeysError, ValueError, IndexError) as error:
        raise KeeperError("The key is damaged: ask your lead for a new enrollment line.") from error
    if not re.fullmatch(r"U[A-Z2-7]{55}", public):
        raise KeeperError("The key is not an agent's: ask your lead for an enrollment line of your own.")
    return public


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Where a seed lies."""

    place: Place
    sentence: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    seed: str
    place: Place

    def __repr__(self) -> str:
        return f"Found(place={self.place!r})"


class Keeper:
    """The seeds of one person on one machine."""

    def __init__(self, paths: Paths, environ: Mapping[str, str] = os.environ, ring: Ring | None = None) -> None:
        """`ring`: the keyring to use; None = the system's, if it has one."""
        self._paths = paths
        self._environ = environ
        self._given = ring

    def keep(self, agent: str, server: str, seed: str) -> Kept:
        """Store a seed; what was stored for this agent and server before is replaced.

        Raises:
            KeeperError: neither the keyring nor the disk takes it.
        """
        path = self._paths.desk(agent, server).seed
        if self._into_ring(agent, server, seed):
            kept.remove(path)
            return Kept(place="keyring", sentence="The key is in the keyring of this machine.")
        try:
            kept.write(path, seed.encode() + b"\n")
        except OSError as error:
            raise KeeperError(f"The key cannot be kept: there is no keyring, and {path} {error.strerror}.") from error
        sentence = f"This machine has no keyring: the key is in {path}, which only you can read."
        return Kept(place="file", sentence=sentence)

    def find(self, agent: str, server: str) -> Found | None:
        """The seed, or None if there is none for this agent and server.

        Raises:
            KeeperError: the file with it can be read by others, or cannot be read at all.
        """
        if seed := self._from_ring(agent, server):
            return Found(seed=seed, place="keyring")
        if folder := self._environ.get("CREDENTIALS_DIRECTORY"):
            data = kept.read(Path(folder) / CREDENTIAL)
            if data:
                return Found(seed=_text(data), place="credentials")
        if seed := _from_file(self._paths.desk(agent, server).seed):
            return Found(seed=seed, place="file")
        if seed := self._environ.get(SEED_VARIABLE, "").strip():
            return Found(seed=seed, place="environment")
        return None

    def check(self, agent: str, server: str) -> None:
        """What can be said of the key before the window opens: cheap, without the keyring.

        Raises:
            KeeperError: the file with it can be read by others.
        """
        _from_file(self._paths.desk(agent, server).seed)

    def forget(self, agent: str, server: str) -> bool:
        """Remove the seed from the keyring and the disk. True if there was one."""
        path = self._paths.desk(agent, server).seed
        had = path.exists()
        kept.remove(path)
        if self._from_ring(agent, server):
            try:
                self._ring().delete_password(SERVICE, f"{agent}@{server}")
            except _ring_failures() as error:
                raise KeeperError("The keyring does not give the key up: remove the entry onewindow there.") from error
            had = True
        return had

    def _ring(self) -> Ring:
        if self._given is not None:
            return self._given
        import keyring

        return keyring

    def _into_ring(self, agent: str, server: str, seed: str) -> bool:
        user = f"{agent}@{server}"
        try:
            ring = self._ring()
            ring.set_password(SERVICE, user, seed)
            return ring.get_password(SERVICE, user) == seed
        except _ring_failures():
            return False

    def _from_ring(self, agent: str, server: str) -> str | None:
        try:
            return self._ring().get_password(SERVICE, f"{agent}@{server}")
        except _ring_failures():
            return None


def _ring_failures() -> tuple[type[Exception], ...]:
    """How a keyring says that it is not there, is locked, or is set up wrongly: the same to us."""
    from keyring.errors import KeyringError

    return (KeyringError, ImportError, OSError, RuntimeError, ValueError)


def _from_file(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
        if mode & 0o077:
            raise KeeperError(f"Others can read the key in {path}: run `chmod 600` on it, or better, log in again.")
        data = kept.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeeperError(f"The key in {path} cannot be read: {error.strerror}.") from error
    return _text(data) if data else None


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise KeeperError("The key is damaged: log in again with a new enrollment line.") from error
