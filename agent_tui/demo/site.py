"""The demo's contact center: its configuration, its bridge as a process of its own, its agents.

Law: the bridge is started, asked and stopped as an operator does it, by its command line; a bridge that dies is started
again on the same ports. Nothing of it outlives the demo: it is told to end, then waited for, then ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import signal
import sys
from dataclasses import dataclass
from typing import Any

from agent_tui.demo.places import Place, free_port
from agent_tui.model import kept

READY_S = 90.0
STOP_S = 25.0
COMMAND_S = 60.0
PAUSE_S = 0.05
OURS = "support@nordbank.example"
_PR_SET_PDEATHSIG = 1

CONFIG = """\
# The demo's bridge. Try: broker-bridge audit --config {config}   (while it runs)
[site]
name = "Nordbank"
state_dir = "state"

[broker]
port = 0

[web]
port = {web_port}

[desk]
dispositions = ["solved", "answered", "passed on", "no answer needed", "spam"]
offer_timeout_s = 20

[[queue]]
name = "cards"
title = "Cards and accounts"
reply_within_s = 90

[[queue]]
name = "mail"
title = "Mail"
reply_within_s = 300

[[queue]]
name = "complaints"
title = "Complaints"
reply_within_s = 120

[[channel]]
name = "site-chat"
kind = "webchat"
queue = "cards"
reply_within_s = 90

[channel.settings]
title = "Nordbank"
greeting = "Hello! You are a customer of the demo now. Write something, and look at the other window."
# All customers of the demo come from this machine.
sockets_per_address = 60
address_says_burst = 100

[[channel]]
name = "support-mail"
kind = "email"
queue = "mail"
reply_within_s = 300

[channel.settings]
address = "{ours}"
name = "Nordbank"
signature = "{{agent}}\\nNordbank, cards and accounts"

[channel.settings.listen]
port = {smtp_port}

[channel.settings.smtp]
host = "127.0.0.1"
port = {office_port}
tls = "none"
"""


class SiteFailed(Exception):
    """The demo's bridge does not do its part; the sentence says why and where to look."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who works here."""

    agent: str
    name: str
    role: str = "agent"
    queues: tuple[str, ...] = ()
    capacity: int = 6


MAYA = Person(agent="maya", name="Maya Lindqvist")
OLE = Person(agent="ole", name="Ole Nilsen", queues=("cards", "mail"), capacity=3)
PRIYA = Person(agent="priya", name="Priya Rao", queues=("cards", "complaints"), capacity=3)
INES = Person(agent="ines", name="Ines Holt", role="supervisor")
STAFF = (MAYA, OLE, PRIYA, INES)


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
        config = CONFIG.format(
            config=self._place.config,
            web_port=free_port(),
            ours=OURS,
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
        code, line = await self._command(
            *("agent", "add", person.agent, "--name", person.name, "--role", person.role),
            *("--capacity", str(person.capacity), *queues),
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


def _end_with_parent() -> None:
    """In the child before it runs: the kernel ends it should the house be killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
