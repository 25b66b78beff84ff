"""A program in a pseudo-terminal: what it paints is read, what is pressed is written, with times.

Law: the program is ended by its process id when the block ends. Times are seconds of the monotonic clock; nothing is emulated, so a
paint is the last byte of a burst that nothing follows for `quiet_s`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence

CELLS, LINES = 120, 40
_CHUNK = 1 << 20


class Terminal:
    """One running program."""

    def __init__(self, pid: int, handle: int, began_s: float) -> None:
        self.pid = pid
        self.began_s = began_s
        self._handle = handle
        self.painted = b""
        """Everything since the last `forget`."""

    def read(self, timeout_s: float) -> bytes:
        """What was written within the time, at once when there is something; empty = nothing, or the program ended."""
        ready, _, _ = select.select([self._handle], [], [], max(0.0, timeout_s))
        if not ready:
            return b""
        with contextlib.suppress(OSError):
            chunk = os.read(self._handle, _CHUNK)
            self._answer(chunk)
            self.painted += chunk
            return chunk
        return b""

    def _answer(self, chunk: bytes) -> None:
        """What programs ask every terminal at their start; without an answer some wait for it."""
        if b"\x1b[6n" in chunk:
            self.write(b"\x1b[1;1R")
        if b"\x1b[c" in chunk or b"\x1b[0c" in chunk:
            self.write(b"\x1b[?62;22c")

    def write(self, data: bytes) -> None:
        os.write(self._handle, data)

    def forget(self) -> None:
        self.painted = b""

    def until(self, words: bytes, timeout_s: float) -> float | None:
        """Seconds from the start of the program until `words` were painted; None: they were not."""
        end_s = time.monotonic() + timeout_s
        while words not in self.painted:
            if time.monotonic() > end_s:
                return None
            self.read(min(0.5, end_s - time.monotonic()))
        return time.monotonic() - self.began_s

    def settle(self, quiet_s: float, timeout_s: float = 20.0) -> None:
        """Read until nothing comes for `quiet_s`."""
        end_s = time.monotonic() + timeout_s
        while self.read(quiet_s) and time.monotonic() < end_s:
            pass

    def press(self, key: bytes, quiet_s: float, timeout_s: float = 2.0) -> tuple[float, float] | None:
        """Milliseconds from a key to the first and to the last byte of what it painted; None: nothing was painted."""
        self.forget()
        began_s = time.monotonic()
        self.write(key)
        if not self.read(timeout_s):
            return None
        first_s = last_s = time.monotonic()
        while self.read(quiet_s):
            last_s = time.monotonic()
            if last_s - began_s > timeout_s:
                break
        return (first_s - began_s) * 1000, (last_s - began_s) * 1000


@contextlib.contextmanager
def running(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Terminal]:
    """`command` in a terminal of 120 by 40."""
    began_s = time.monotonic()
    pid, handle = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, CELLS, 0, 0))
        with contextlib.suppress(OSError):
            os.execvpe(command[0], list(command), dict(environ))
        os._exit(127)
    try:
        yield Terminal(pid, handle, began_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(handle)
