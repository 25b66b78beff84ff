"""Files of one person: whole or not at all, readable by their owner alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def folder(path: Path) -> Path:
    """`path`, made if it was not there."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return path


def write(path: Path, data: bytes, *, is_synced: bool = True) -> None:
    """Replace `path` at once: a reader, and a start after a power cut, finds the old bytes or the new ones.

    `is_synced=False` spares the disk where the last words may be lost with the power (never with the process).
    """
    folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            beside.unlink()
        raise
    if is_synced:
        sync_folder(path.parent)


def read(path: Path) -> bytes | None:
    """The bytes, or None if there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


def sync_folder(path: Path) -> None:
    """Make a rename in `path` outlast a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
