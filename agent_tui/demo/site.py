"""The demo's contact center: its configuration, its bridge as a process of its own, its agents.

Law: the bridge is started, asked and stopped as an operator does it, by its command line; a bridge that dies is started
again on the same ports. Nothing of it outlives the demo: it is told to end, then waited for, then ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent_tui.demo import rules
from agent_tui.demo.places import Place, free_port
from agent_tui.model import kept

READY_S = 90.0
STOP_S = 25.0
COMMAND_S = 60.0
PAUSE_S = 0.05
_PR_SET_PDEATHSIG = 1


class SiteFailed(Exception):
    """The demo's bridge does not do its part; the sentence says why and where to look."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who works here."""

    agent: str
    name: str
    role: str = "agent"
    queues: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    units: int = 100


MAYA = Person(agent="maya", name="Maya Lindqvist", skills=("cards 3", "accounts 3", "disputes 2", "complaints 3"))
OLE = Person(agent="ole", name="Ole Nilsen", queues=("cards", "mail"), skills=("cards 2", "accounts 4"), units=60)
PRIYA = Person(
    agent="priya",
    name="Priya Rao",
    queues=("cards", "mail", "complaints"),
    skills=("cards 3", "disputes 4", "complaints 4"),
    units=60,
)
TOMAS = Person(
    agent="tomas", name="Tomas Brandt", queues=("cards", "mail"), skills=("cards 1", "complaints 1"), units=40
)
INES = Person(agent="ines", name="Ines Holt", role="supervisor", queues=("loans",))
STAFF = (MAYA, OLE, PRIYA, TOMAS, INES)


class DemoSite:
    """The bridge of one demo."""

    def __init__(self, place: Place, office_port: int) -> None:
        self._place = place
        self._office_port = office_port
        self._process: asyncio.subprocess.Process | None = None
        self._is_over = False
        self.smtp_port = 0
        self.restarts = 0

    async def start(self) -> None:
        """Write the configuration, start the bridge, let everybody in.

        Raises:
            SiteFailed: it did not become ready.
        """
        self.smtp_port = free_port()
        zone = _zone()
        config = rules.config(
            path=str(self._place.config),
            now=datetime.now(ZoneInfo(zone)),
            zone=zone,
            web_port=free_port(),
            smtp_port=self.smtp_port,
            office_port=self._office_port,
        )
        self._place.config.write_text(config, "utf-8")
        await self._start()
        for line in await asyncio.gather(*(self._enroll(person) for person in STAFF)):
            kept.write(self._place.key(line[0]), line[1].encode(), is_synced=False)

    async def guard(self) -> None:
        """Start the bridge again whenever it ends by itself; until cancelled. Raises SiteFailed."""
        while True:
            assert self._process is not None
            await self._process.wait()
            if self._is_over:
                return
            self.restarts += 1
            await asyncio.sleep(1.0)
            await self._start()

    async def stop(self) -> None:
        """Told to end, waited for, ended."""
        self._is_over = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def endpoint(self) -> dict[str, Any]:
        """Where the broker and the web server are: `broker`, `web`, `pid`."""
        found: dict[str, Any] = json.loads(self._place.endpoint.read_text("utf-8"))
        return found

    @property
    def chat_url(self) -> str:
        """The page for customers, to be opened in a browser."""
        return f"{self.endpoint['web']}/chat"

    async def audit(self) -> list[dict[str, Any]]:
        """The books of every channel, one row each. Raises SiteFailed."""
        code, out = await self._command("audit", "--json")
        lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        if code not in (0, 1):
            raise SiteFailed("the books could not be read")
        return lines

    async def _start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._place.endpoint.unlink()
        command = (sys.executable, "-m", "broker_bridge", "run", "--config", str(self._place.config))
        with self._place.bridge_log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        try:
            async with asyncio.timeout(READY_S):
                while not self._place.endpoint.exists():
                    if self._process.returncode is not None:
                        raise SiteFailed(f"the bridge ended at once: {self._last_words()}")
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            raise SiteFailed(f"the bridge is not ready after {READY_S:g} s: {self._last_words()}") from None

    async def _enroll(self, person: Person) -> tuple[str, str]:
        """An agent's short name and enrollment line."""
        queues = [word for queue in person.queues for word in ("--queue", queue)]
        skills = [word for skill in person.skills for word in ("--skill", skill)]
        code, line = await self._command(
            *("agent", "add", person.agent, "--name", person.name, "--role", person.role),
            *("--units", str(person.units), *queues, *skills),
        )
        if code != 0 or not line.strip():
            raise SiteFailed(f"{person.agent} could not be let in: see {self._place.bridge_log}")
        return person.agent, line.strip()

    async def _command(self, *words: str) -> tuple[int, str]:
        """Exit code and standard output of a command of the bridge."""
        with self._place.bridge_log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "broker_bridge", *words, "--config", str(self._place.config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        try:
            async with asyncio.timeout(COMMAND_S):
                out, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise SiteFailed(f"`broker-bridge {words[0]}` does not end") from None
        return process.returncode or 0, out.decode()

    def _last_words(self) -> str:
        try:
            lines = self._place.bridge_log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1][:300] if lines else "it said nothing"


def _zone() -> str:
    """The name of this machine's time zone, as far as it can be told."""
    name = os.environ.get("TZ", "") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    try:
        return name if name and ZoneInfo(name) else "UTC"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def _end_with_parent() -> None:
    """In the child before it runs: the kernel ends it should the house be killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
