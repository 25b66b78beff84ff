"""Wishes that were pressed and not yet answered, on disk: nothing that an agent sent disappears with the terminal.

Law: a wish is on disk before it is sent, leaves with the id it was made with however often it is sent, and goes from
here only when the bridge answered it or when the agent took it back before it was ever tried. One process owns one
file; a second terminal of the same agent gets a file of its own, and what a dead one left behind is taken over at the
next start.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

import msgspec

from agent_tui.model import kept
from broker_bridge.contract import codec
from broker_bridge.contract.commands import Act
from broker_bridge.contract.ids import CommandId

MOST_TERMINALS = 20


class OutboxTaken(Exception):
    """So many terminals of this agent run here that there is no place for another."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    put: msgspec.Raw = msgspec.Raw()
    tried: CommandId = ""
    settled: CommandId = ""


_lines = msgspec.json.Decoder(_Line)


class Outbox:
    """The wishes of one terminal, oldest first."""

    def __init__(self, folder: Path) -> None:
        """Open the first free file in `folder`, and take over what terminals that are gone left there.

        Raises:
            OutboxTaken: all places are in use.
            OSError: the folder cannot be written.
        """
        kept.folder(folder)
        self._acts: dict[CommandId, Act] = {}
        self._tried: set[CommandId] = set()
        self._strange: list[bytes] = []
        self._path, self._file = _free(folder)
        self._take_in(self._file.read())
        left = [found for place in _places(folder) if place != self._path and (found := _left(place))]
        for _, file in left:
            self._take_in(file.read())
        if left:
            # Ids sort by age: what another terminal left comes between ours.
            self._acts = dict(sorted(self._acts.items()))
        self._rewrite()
        for path, file in left:
            kept.remove(path)
            file.close()

    @property
    def waiting(self) -> list[Act]:
        """What has no answer yet, in the order in which it was pressed."""
        return list(self._acts.values())

    def __contains__(self, command: CommandId) -> bool:
        return command in self._acts

    @property
    def unreadable(self) -> int:
        """Lines that this version cannot read; they are kept as they are."""
        return len(self._strange)

    def put(self, act: Act) -> None:
        """On disk when this returns. The same id again changes nothing.

        Raises:
            OSError: the disk does not take it; nothing of it stays there.
        """
        if act.id in self._acts:
            return
        self._append(_put_line(act), is_synced=True)
        self._acts[act.id] = act

    def mark_tried(self, command: CommandId) -> None:
        """It is about to leave: from now on nobody can say that it was not sent."""
        if command in self._acts and command not in self._tried:
            # Not synced: it must outlast the process, and a power cut ends the sending too.
            self._append(codec.encode(_Line(tried=command)), is_synced=False)
            self._tried.add(command)

    def is_tried(self, command: CommandId) -> bool:
        return command in self._tried

    def settle(self, command: CommandId) -> None:
        """The bridge answered it."""
        if self._acts.pop(command, None) is None:
            return
        self._tried.discard(command)
        if self._acts or self._strange:
            self._append(codec.encode(_Line(settled=command)), is_synced=False)
        else:
            os.ftruncate(self._file.fileno(), 0)

    def take_back(self, command: CommandId) -> Act | None:
        """Remove a wish that was never tried, and give it back; None if it is not here or may have been sent."""
        act = self._acts.get(command)
        if act is None or command in self._tried:
            return None
        self._append(codec.encode(_Line(settled=command)), is_synced=True)
        del self._acts[command]
        return act

    def close(self) -> None:
        """Let the file go. What waits stays on disk."""
        self._file.close()

    def _append(self, line: bytes, *, is_synced: bool) -> None:
        handle = self._file.fileno()
        size = os.fstat(handle).st_size
        rest = memoryview(line + b"\n")
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
            if is_synced:
                os.fsync(handle)
        except OSError:
            # A full disk must not leave half a line for the next one to be glued to.
            os.ftruncate(handle, size)
            raise

    def _take_in(self, data: bytes) -> None:
        for line in data.split(b"\n"):
            if line:
                self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        try:
            found = _lines.decode(line)
            if body := bytes(found.put):
                act = codec.request(body)
                if not isinstance(act, Act):
                    raise codec.Malformed("not a wish")
                self._acts[act.id] = act
        except (msgspec.DecodeError, UnicodeDecodeError, codec.Malformed):
            # The last line of a power cut has no answer to wait for: `put` had not returned. A whole line that
            # cannot be read is of a later version and stays.
            if line.endswith(b"}"):
                self._strange.append(line)
            return
        if found.tried in self._acts:
            self._tried.add(found.tried)
        if found.settled:
            self._acts.pop(found.settled, None)
            self._tried.discard(found.settled)

    def _rewrite(self) -> None:
        """Drop what is settled. Done in place and only at start: the lock is on this very file."""
        lines = [*self._strange, *(_put_line(act) for act in self._acts.values())]
        lines += [codec.encode(_Line(tried=command)) for command in self._tried]
        beside = self._path.with_suffix(".next")
        kept.write(beside, b"".join(line + b"\n" for line in lines))
        fresh = _locked(beside)
        if fresh is None:
            raise OutboxTaken(f"{beside.name} is in use")
        os.replace(beside, self._path)
        kept.sync_folder(self._path.parent)
        self._file.close()
        self._file = fresh


def _put_line(act: Act) -> bytes:
    return codec.encode(_Line(put=msgspec.Raw(codec.encode(act))))


def _places(folder: Path) -> list[Path]:
    return [folder / f"outbox-{number:02}.jsonl" for number in range(MOST_TERMINALS)]


def _locked(path: Path, *, is_made: bool = False) -> FileIO | None:
    """The file, open for appending and locked by this process; None if another has it or it is not there."""
    flags = os.O_RDWR | os.O_APPEND | (os.O_CREAT if is_made else 0)
    try:
        handle = os.open(path, flags, kept.FILE_MODE)
    except FileNotFoundError:
        return None
    file = FileIO(handle, "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):
        # Somebody has it, or it was replaced between opening and locking.
        pass
    file.close()
    return None


def _left(path: Path) -> tuple[Path, FileIO] | None:
    file = _locked(path)
    return (path, file) if file is not None else None


def _free(folder: Path) -> tuple[Path, FileIO]:
    for path in _places(folder):
        with suppress(FileNotFoundError):
            if (file := _locked(path, is_made=True)) is not None:
                return path, file
    raise OutboxTaken(f"{MOST_TERMINALS} terminals of this agent are open on this machine.")
