"""Secrets by reference: where a password or a seed is found, and the site's own key.

Law: a value is never in bridge.toml, never in argv, never in a message: errors say where was looked. `keyring:service/name` falls
through on a machine without a keyring (a server): to the service manager's credential `name`, then to `secrets/name` beside
bridge.toml, then to the variable ONEWINDOW_NAME. The other references name one place and mean it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import secrets as dice
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

SCHEMES = ("keyring", "credential", "file", "env")
"""Kinds of references, in the order in which they are to be preferred."""
KEY_BYTES = 32
MAX_BYTES = 64 * 1024
FOLDER = "secrets"
"""Beside bridge.toml: one file a secret, for machines without a keyring."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")


class SecretError(LookupError):
    """A sentence that says where was looked, and what to do."""


class Secrets:
    """Looks secrets up anew each time: what was rotated is found without a restart."""

    def __init__(self, folder: Path, environ: Mapping[str, str] = os.environ) -> None:
        """`folder`: of bridge.toml; relative files are relative to it."""
        self._folder = folder
        self._environ = environ

    def get(self, reference: str) -> str:
        """The secret, without the newline at its end.

        Raises:
            SecretError: it is not there, is empty, or everybody can read it.
        """
        scheme, _, rest = reference.partition(":")
        if not rest or scheme not in SCHEMES:
            # Not repeated: it may be the secret itself, put where its reference belongs.
            raise SecretError(
                "not a reference to a secret: write keyring:service/name, credential:name, file:path or env:NAME"
            )
        if scheme == "keyring":
            return self._from_keyring(rest)
        if scheme == "credential":
            return _wanted(self._credential(rest), f"the credential {rest} ($CREDENTIALS_DIRECTORY)")
        if scheme == "file":
            path = self._folder / Path(rest).expanduser()
            return _wanted(read_private(path), str(path))
        return _wanted(self._environ.get(rest), f"the variable {rest}")

    def _from_keyring(self, rest: str) -> str:
        service, _, name = rest.rpartition("/")
        if not service or not _NAME.match(name):
            raise SecretError(f"keyring:{rest} is not like keyring:service/name")
        beside = self._folder / FOLDER / name
        variable = "ONEWINDOW_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
        value = _ask_keyring(service, name) or self._credential(name) or read_private(beside)
        value = value or self._environ.get(variable)
        if not value:
            raise SecretError(
                f"no secret {service}/{name}: looked in the keyring, the credential {name}, {beside} and the "
                f"variable {variable}"
            )
        return value

    def _credential(self, name: str) -> str | None:
        """What systemd gives the service (LoadCredential=); it looks after the rights itself."""
        directory = self._environ.get("CREDENTIALS_DIRECTORY")
        if not _NAME.match(name):
            raise SecretError(f"credential:{name} is not the name of a credential")
        return _text(Path(directory) / name, must_be_private=False) if directory else None


def read_private(path: Path) -> str | None:
    """A secret's file, which only its owner may read; None if there is no such file.

    Raises:
        SecretError: others may read it, or it cannot be read.
    """
    return _text(path, must_be_private=True)


def write_private(path: Path, value: str) -> bool:
    """A new file with mode 0600, whole and on disk, or none at all; False if there is one already."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{dice.token_hex(6)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails where something stands; a rename would replace the key that the data is sealed with.
        os.link(fresh, path)
        _sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
    return True


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in this file; made once, at the first start. Two that start at once get the same.

    Raises:
        SecretError: others may read the file, or it cannot be read or written.
    """
    found = read_private(path)
    if found is None:
        try:
            write_private(path, make())
        except OSError as error:
            raise SecretError(f"{path} cannot be written: {error.strerror}") from error
        found = read_private(path)
    return _wanted(found, str(path))


def site_key(state_dir: Path, reference: str, secrets: Secrets, *, may_make: bool = True) -> bytes:
    """The site's key: by reference if there is one, else `site.key` in the state directory.

    `may_make`: False where sealed data exists, so that a lost key is an error and not a new key that opens nothing.

    Raises:
        SecretError: it is missing, damaged, or others may read it.
    """
    path = state_dir / "site.key"
    if reference:
        text, where = secrets.get(reference), reference
    elif may_make:
        text, where = kept(path, lambda: base64.b64encode(dice.token_bytes(KEY_BYTES)).decode()), str(path)
    else:
        text, where = _wanted(read_private(path), f"{path}, the key under which this site's data is sealed"), str(path)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretError(f"{where} is not a site key: {KEY_BYTES} bytes in base64 (`openssl rand -base64 32`)")
    return key


def _ask_keyring(service: str, name: str) -> str | None:
    import keyring  # slow to load, and often there is none
    import keyring.errors

    try:
        return keyring.get_password(service, name)
    except keyring.errors.KeyringError:
        # None installed (NoKeyringError, normal on a server), locked, or broken: the other places remain.
        return None


def _text(path: Path, *, must_be_private: bool) -> str | None:
    try:
        # Not blocking: a pipe under this name must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror}") from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise SecretError(f"{path} is not a file")
        mode = stat.S_IMODE(about.st_mode)
        if must_be_private and mode & 0o077:
            raise SecretError(f"{path} can be read by others (mode {mode:04o}); do `chmod 600 {path}`")
        data = os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{path} does not hold text") from None
    if len(data) > MAX_BYTES:
        raise SecretError(f"{path} is larger than {MAX_BYTES // 1024} KiB: hardly a secret")
    return text.rstrip("\r\n")


def _wanted(value: str | None, where: str) -> str:
    if value is None:
        raise SecretError(f"no secret: looked for {where}")
    if not value:
        raise SecretError(f"{where} is empty")
    return value


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
