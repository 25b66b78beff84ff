"""Where one demo keeps its things: a folder of its own, and the note by which a second terminal finds it.

Law: nothing of a demo lies outside its folder but the note, which names the folder and goes with the demo. A demo is
alive as long as its house holds the lock; a folder without one is left over and may be read, not joined.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agent_tui.model import kept
from agent_tui.settings import Paths, paths

KEPT_MARK = "kept"
PREFIX = "onewindow-demo-"


@dataclass(frozen=True)
class Place:
    """The folder of one demo."""

    folder: Path

    @property
    def config(self) -> Path:
        """The bridge's configuration."""
        return self.folder / "bridge.toml"

    @property
    def state(self) -> Path:
        """The bridge's state: its broker's streams, its index, its keys."""
        return self.folder / "state"

    @property
    def endpoint(self) -> Path:
        """Written by the bridge when it is ready."""
        return self.state / "endpoint.json"

    @property
    def mail(self) -> Path:
        """Every mail that left for a customer, one file each."""
        return self.folder / "mail"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def key(self, agent: str) -> Path:
        """The enrollment line of one agent, 0600."""
        return self.keys / f"{agent}.line"

    @property
    def lock(self) -> Path:
        return self.folder / "alive"

    @property
    def bridge_log(self) -> Path:
        return self.folder / "bridge.log"

    @property
    def house_log(self) -> Path:
        return self.folder / "house.log"

    def desk(self, agent: str, *, is_script: bool = False) -> Paths:
        """Settings, drafts and outbox of one agent of this demo. `is_script`: of who plays them, at a desk of their own."""
        folder = self.folder / "desks" / (f"{agent}-played" if is_script else agent)
        return Paths(config=folder / "config", state=folder / "state")

    def seat(self, agent: str) -> Path:
        """Locked while a person sits there."""
        return self.folder / f"seat-{agent}"

    def is_taken(self, agent: str) -> bool:
        """True while a person's window is open at this agent's seat."""
        return _is_locked(self.seat(agent))

    @property
    def is_alive(self) -> bool:
        """True while the house of this demo runs."""
        return _is_locked(self.lock)

    def claim(self) -> IO[bytes]:
        """Hold the lock until the file is closed.

        Raises:
            BlockingIOError: another demo lives here.
        """
        return _locked(self.lock)

    def sit(self, agent: str) -> IO[bytes]:
        """Hold the seat until the file is closed. Raises BlockingIOError: somebody sits there."""
        for pause_s in (0.01, 0.05, 0.2):
            # Whoever only looks holds it for a moment too.
            with contextlib.suppress(BlockingIOError):
                return _locked(self.seat(agent))
            time.sleep(pause_s)
        return _locked(self.seat(agent))


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _locked(path: Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def make(directory: str | None, *, is_kept: bool) -> Place:
    """The folder of a new demo: as named, else a fresh one among the temporary files.

    Left-over folders of earlier demos are removed, except those that were to be kept.

    Raises:
        OSError: it cannot be made.
    """
    if directory is not None:
        place = Place(Path(directory).expanduser().absolute())
        kept.folder(place.folder)
    else:
        _sweep()
        place = Place(Path(tempfile.mkdtemp(prefix=PREFIX)))
    if is_kept or directory is not None:
        (place.folder / KEPT_MARK).touch()
    for folder in (place.keys, place.mail):
        kept.folder(folder)
    return place


def note() -> Path:
    """The file that names the folder of the running demo."""
    return paths().state / "demo.json"


def remember(place: Place) -> None:
    """Let a second terminal find it. Raises OSError."""
    kept.write(note(), json.dumps({"folder": str(place.folder)}).encode(), is_synced=False)


def forget(place: Place) -> None:
    """Take the note away, if it is still about this demo."""
    if _noted() == place:
        kept.remove(note())


def running(directory: str | None) -> Place | None:
    """The demo that runs in `directory`, or the one that was started last; None: there is none."""
    place = Place(Path(directory).expanduser().absolute()) if directory is not None else _noted()
    return place if place is not None and place.is_alive else None


def free_port() -> int:
    """A port on the loopback that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _noted() -> Place | None:
    try:
        return Place(Path(json.loads(kept.read(note()) or b"")["folder"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sweep() -> None:
    """Remove what earlier demos of this user left among the temporary files."""
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        place = Place(folder)
        try:
            is_ours = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
        except OSError:
            continue
        if is_ours and place.lock.exists() and not (folder / KEPT_MARK).exists() and not place.is_alive:
            shutil.rmtree(folder, ignore_errors=True)
