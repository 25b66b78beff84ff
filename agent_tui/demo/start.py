"""The demo from the terminal: start its house, open the window in it, say at the end what is left and where.

Law: nothing heavy is imported before all that can be refused is refused, each with one line. The house runs in a
process of its own and ends when this one does, however this one ends.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from agent_tui.demo import places
from agent_tui.demo.places import Place

if TYPE_CHECKING:
    from agent_tui.keeper import Enrollment

OK, FAILED, USAGE, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 69, 130
NEEDED = ("nats", "starlette", "uvicorn", "websockets", "cryptography", "aiosmtpd", "aiosmtplib")
STOP_S = 60.0
LEAST_COLUMNS, LEAST_ROWS = 80, 24
SUPERVISOR = "ines"
AGENT = "maya"


def run(
    *,
    supervisor: bool = False,
    seat: str = "",
    keep: bool = False,
    directory: str | None = None,
    theme: str | None = None,
    ascii: bool | None = None,
    headless_s: float | None = None,
    seed: int = 1,
) -> int:
    """Run the demo, or sit down at the supervisor's or a colleague's desk of the one that runs; the exit code.

    `seat`: the short name of the colleague to be.
    `headless_s`: no window; its agent is played too, everything goes faster, and a JSON summary is printed after so
    many seconds.
    """
    if supervisor or seat:
        return _join(directory, SUPERVISOR if supervisor else seat, theme, ascii)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return _fail(f"the demo needs {', '.join(missing)}: pip install 'onewindow[bridge,email]'", UNAVAILABLE)
    if headless_s is None and not _has_terminal():
        return _fail("the demo needs a terminal; --headless SECONDS runs it without one", USAGE)
    try:
        place = places.make(directory, is_kept=keep)
    except OSError as error:
        return _fail(f"{error.filename or directory}: {error.strerror}", FAILED)
    if place.is_alive:
        return _fail(f"a demo runs in {place.folder} already; `agent-tui demo --supervisor` joins it", FAILED)
    return _in_house(place, keep or directory is not None, theme, ascii, headless_s, seed)


def _in_house(
    place: Place, is_kept: bool, theme: str | None, ascii: bool | None, headless_s: float | None, seed: int
) -> int:
    house = House(place, seed, is_headless=headless_s is not None)
    code = OK
    try:
        try:
            ready = house.wait_ready()
            places.remember(place)
            if headless_s is None:
                _words(f"Be a customer: open {ready['chat']} in a browser.")
                _words("Be the supervisor too: `agent-tui demo --supervisor` in another terminal.")
                _words("Be a colleague too: `agent-tui demo --as ole` in a third one.")
                with place.sit(AGENT):
                    code = _window(place, AGENT, theme, ascii, ready["chat"])
            else:
                house.wait(headless_s)
        except KeyboardInterrupt:
            code = INTERRUPTED
        if headless_s is None:
            _words("Closing: the customers go home, and the books are counted.")
        summary = house.stop()
    except HouseFailed as error:
        house.stop()
        return _fail(f"{error}; see {place.bridge_log} and {place.house_log}", UNAVAILABLE)
    finally:
        places.forget(place)
    if headless_s is not None:
        print(json.dumps((summary or {}) | {"folder": str(place.folder)}, ensure_ascii=False))
        return code or (OK if summary and summary["is_balanced"] else FAILED)
    _farewell(place, summary, is_kept)
    return code


class HouseFailed(Exception):
    """The demo cannot go on; the sentence says why."""


class House:
    """The other process, as seen from here."""

    def __init__(self, place: Place, seed: int, *, is_headless: bool) -> None:
        self._summary: dict[str, Any] | None = None
        self._ready: dict[str, str] | None = None
        self._failed = ""
        self._changed = threading.Event()
        words = ["headless"] if is_headless else []
        with place.house_log.open("ab") as log:
            # A session of its own: ctrl+c at the terminal is for the window, which then ends the house in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent_tui.demo.house", str(place.folder), str(seed), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                text=True,
                encoding="utf-8",
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self) -> dict[str, str]:
        """Where everything is. Raises HouseFailed."""
        while self._ready is None:
            self._changed.wait()
            self._changed.clear()
            if self._failed:
                raise HouseFailed(self._failed)
        return self._ready

    def wait(self, seconds: float) -> None:
        """Let it run. Raises HouseFailed: it ended by itself."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._changed.wait(left_s)
            self._changed.clear()
            if self._failed:
                raise HouseFailed(self._failed)

    def stop(self) -> dict[str, Any] | None:
        """Told to end, waited for, ended; what it has counted."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(2)
        return self._summary

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "step" in said:
                _words(f"{said['step'].capitalize()} …")
            self._ready = said.get("ready", self._ready)
            self._failed = said.get("failed", self._failed)
            self._summary = said.get("summary", self._summary)
            self._changed.set()
        if self._summary is None and not self._failed:
            self._failed = "the demo's helper process ended"
        self._changed.set()


def _join(directory: str | None, agent: str, theme: str | None, ascii: bool | None) -> int:
    """Another window on the demo that runs."""
    place = places.running(directory)
    if place is None:
        where = f" in {directory}" if directory else ""
        return _fail(f"no demo runs{where}: start one with `agent-tui demo` in another terminal", UNAVAILABLE)
    free = sorted(path.stem for path in place.keys.glob("*.line"))
    if not free:
        return _fail("the demo is still starting: try again in a moment", UNAVAILABLE)
    if agent not in free:
        return _fail(f"nobody here is called {agent}: be one of {', '.join(free)}", USAGE)
    if not _has_terminal():
        return _fail("the window needs a terminal", USAGE)
    try:
        held = place.sit(agent)
    except BlockingIOError:
        return _fail(f"{agent} has a window already", UNAVAILABLE)
    with held:
        return _window(place, agent, theme, ascii, "")


def _window(place: Place, agent: str, theme: str | None, ascii: bool | None, chat_url: str) -> int:
    """One agent's window on the demo; the exit code."""
    import msgspec

    from agent_tui import opening, settings
    from agent_tui.model.outbox import OutboxTaken

    let_in = _let_in(place, agent)
    where = place.desk(agent)
    # The looks are the person's own; everything else is the demo's.
    try:
        looks = settings.load(settings.paths())
    except settings.SettingsError:
        looks = settings.Settings()
    chosen = msgspec.structs.replace(
        looks, server=let_in.server, agent=agent, ca="", theme=theme or looks.theme, ascii=ascii or looks.ascii
    )
    try:
        desk = opening.open_desk(chosen, where, seed=let_in.seed)
    except OutboxTaken as error:
        return _fail(str(error), UNAVAILABLE)
    columns, rows = shutil.get_terminal_size()
    if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        _words(f"This terminal has {columns}x{rows}: {LEAST_COLUMNS}x{LEAST_ROWS} shows more.")
    try:
        opening.log_to(where.log)
        from agent_tui.demo.window import DemoWindow

        window = DemoWindow(
            desk.place,
            desk.link,
            keys=desk.keys,
            theme=chosen.theme,
            remember=desk.remember_looks,
            chat_url=chat_url,
            opens="monitor" if agent == SUPERVISOR else "",
        )
        window.run()
        return window.return_code or OK
    finally:
        desk.close()


def _let_in(place: Place, agent: str) -> Enrollment:
    from agent_tui.keeper import enrollment

    return enrollment(place.key(agent).read_text())


def _farewell(place: Place, summary: dict[str, Any] | None, is_kept: bool) -> None:
    if summary is not None:
        for row in summary["books"]:
            _words(
                f"{row['channel']}: {row['received']} received = {row['stored']} stored + {row['quarantined']} quarantined"
                f" + {row['pending']} pending" + (f", {row['gap']} MISSING" if row["gap"] else "")
            )
        _words(f"{summary['customers']} customers came, {summary['content']} left content.")
    _words(f"Everything is in {place.folder}" + ("" if is_kept else ", until the next demo (--keep: for good)"))
    _words("  bridge.toml  the configuration             mail/   the mails that went out")
    _words("  state/       the log, the index, the keys  desks/  drafts and outboxes")
    _words("  bridge.log   what the bridge said          house.log   the customers' mishaps")
    _words("To look further, start its bridge and ask it:")
    _words(f"  broker-bridge run --config {place.config}")
    _words(f"  broker-bridge audit --config {place.config}")


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _words(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _fail(sentence: str, code: int) -> int:
    print(f"agent-tui: {sentence}", file=sys.stderr)
    return code
