"""A program under a real pseudo terminal: what a person sees, and every sequence that the program wrote.

Law: nothing that the program writes is dropped. Each byte is a letter of the screen, a control character, or a part of one sequence
that is counted by its kind; what is none of these is kept as `strange`.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pyte

from tests.until import until

BOUND_S = 12.0
MOST_PENDING_CHARS = 65_536
"""A sequence that has not ended after so many characters never will."""

KEYS = {
    "enter": "\r",
    # As the kitty protocol spells it: a bare ESC and the key after it would be one key, alt and that one.
    "escape": "\x1b[27u",
    "tab": "\t",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "f6": "\x1b[17~",
    "f8": "\x1b[19~",
    "f10": "\x1b[21~",
    "alt+enter": "\x1b\r",
}

_CSI = re.compile("\x1b\\[([0-?]*)([ -/]*)([@-~])")
_STRING = re.compile("\x1b([\\]PX^_])(.*?)(?:\x07|\x1b\\\\)", re.DOTALL)
_SHORT = re.compile("\x1b([ -/]*)([0-OQ-WYZ\\\\`-~])")
_LETTERS = re.compile("[^\x00-\x1f\x7f-\x9f]+")
_NAMES = {"]": "OSC", "P": "DCS", "X": "SOS", "^": "PM", "_": "APC"}
_ON_SCREEN = frozenset("HfABCDGdJKXmLM@Pr")
"""Sequences that the model of the screen must see; the others ask or set something of a real terminal."""


class Written:
    """Everything that the program wrote, taken apart."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        """`CSI H`, `CSI ?1049h`, `OSC 2`, `ESC c`, `C0 07`, `C1 9b`."""
        self.strings: list[tuple[str, str]] = []
        """OSC, DCS, SOS, PM and APC with what they hold."""
        self.strange: list[str] = []
        """What is no whole sequence."""
        self.letters: list[str] = []
        """What was to be seen, run by run."""
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def take(self, data: bytes) -> str:
        """The part of `data`, and of what was incomplete before, that changes a screen."""
        text = self._rest + self._decoder.decode(data)
        shown: list[str] = []
        at = 0
        while at < len(text):
            end = self._one(text, at, shown)
            if end == at:
                break
            at = end
        self._rest = text[at:]
        if len(self._rest) > MOST_PENDING_CHARS:
            self.strange.append(self._rest)
            self._rest = ""
        return "".join(shown)

    def _one(self, text: str, at: int, shown: list[str]) -> int:
        """Where the next run or sequence ends; `at` if it is not whole yet."""
        if letters := _LETTERS.match(text, at):
            self.letters.append(letters[0])
            shown.append(letters[0])
            return letters.end()
        if text[at] != "\x1b":
            self.kinds[f"C{int(text[at] >= chr(0x80))} {ord(text[at]):02x}"] += 1
            if text[at] in "\r\n\b\t":
                shown.append(text[at])
            return at + 1
        if csi := _CSI.match(text, at):
            self._csi(csi, shown)
            return csi.end()
        if string := _STRING.match(text, at):
            name = _NAMES[string[1]]
            number = string[2].partition(";")[0][:8] if name == "OSC" else ""
            self.kinds[f"{name} {number}".strip()] += 1
            self.strings.append((name, string[2]))
            return string.end()
        if short := _SHORT.match(text, at):
            self.kinds[f"ESC {short[1]}{short[2]}"] += 1
            return short.end()
        return at

    def _csi(self, found: re.Match[str], shown: list[str]) -> None:
        values, between, last = found.groups()
        private = values[:1] if values[:1] in ("?", ">", "<", "=") else ""
        # Moves and colors differ in their figures; a mode or a question is another one with every figure.
        figures = "" if last in _ON_SCREEN and not private and not between else values.removeprefix(private)
        self.kinds[f"CSI {private}{figures}{between}{last}"] += 1
        if not private and not between and last in _ON_SCREEN:
            shown.append(found[0])


class Terminal:
    """One program on a pseudo terminal of its own."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.written = Written()
        self.raw = bytearray()
        """Every byte that came."""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._lines: list[str] | None = None
        """What stands on the screen, read when somebody asks and until something is written."""
        self._master = -1
        self._process: subprocess.Popen[bytes] | None = None

    # the program

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
        finally:
            os.close(slave)
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # Linux says EIO when the last program on it has ended.
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
            return
        self.raw += data
        self._stream.feed(self.written.take(data))
        self._lines = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """The program dies with its terminal."""
        self.kill()
        if self._master >= 0:
            with contextlib.suppress(ValueError):
                asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            self._master = -1

    # the person

    def press(self, *keys: str) -> None:
        """Keys by name, or letters, in one write."""
        self.type("".join(KEYS.get(key, chr(ord(key[-1]) & 31) if key.startswith("ctrl+") else key) for key in keys))

    def type(self, text: str) -> None:
        """Exactly these characters, in one write."""
        data = text.encode()
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                raise AssertionError("the program does not read its keys") from None

    def paste(self, text: str) -> None:
        """As a terminal pastes."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._screen.resize(rows, columns)
        self._lines = None
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    # the screen

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            # Milliseconds each, and whoever waits for words looks every ten.
            self._lines = [line.rstrip() for line in self._screen.display]
        return self._lines

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def has(self, *words: str) -> bool:
        shown = self.text
        return all(word in shown for word in words)

    async def shows(self, *words: str, bound_s: float = BOUND_S) -> str:
        """The screen, once all of `words` are on it."""
        await until(lambda: self._is_alive() and self.has(*words), bound_s=bound_s, saying=lambda: self._missing(words))
        return self.text

    async def hides(self, *words: str, bound_s: float = BOUND_S) -> str:
        """The screen, once none of `words` is on it."""

        def are_gone() -> bool:
            shown = self.text
            return self._is_alive() and not any(word in shown for word in words)

        await until(are_gone, bound_s=bound_s, saying=lambda: f"still there: {words}\n{self.text}")
        return self.text

    def _is_alive(self) -> bool:
        assert self.code is None, f"the program ended with {self.code}:\n{self.text}\n{self.written.letters[-60:]}"
        return True

    def _missing(self, words: tuple[str, ...]) -> str:
        return f"not on the screen: {[word for word in words if not self.has(word)]}\n{self.text}"


@asynccontextmanager
async def terminal(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, columns: int = 120, rows: int = 40
) -> AsyncIterator[Terminal]:
    """Run `argv` until the end of the block."""
    made = Terminal(columns, rows)
    try:
        made.start(argv, env, cwd)
        yield made
    finally:
        made.close()
