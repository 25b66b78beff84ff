"""A real nats-server for tests, with the configuration that the bridge writes: on a free port, ended by its process id."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from broker_bridge.daemon.access import AgentUser, Keys, make_seed
from broker_bridge.daemon.broker import BrokerSettings, find_server, server_config
from broker_bridge.daemon.bus import Bus

READY_BOUND_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RealBroker:
    """One server process. `bridge` and `agents` hold the seeds that it knows."""

    def __init__(
        self, directory: Path, agents: Sequence[str] = ("ann", "bob"), max_file_bytes: int = 20 * 1024**3
    ) -> None:
        self.directory = directory
        self.bridge: Keys = make_seed()
        self.agents: dict[str, Keys] = {name: make_seed() for name in agents}
        self.port = free_port()
        self.monitor_port = free_port()
        self._max_file_bytes = max_file_bytes
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = BrokerSettings(
            state_dir=self.directory, bridges=[self.bridge.public], max_file_bytes=self._max_file_bytes
        )
        users = [AgentUser(name, keys.public) for name, keys in self.agents.items()]
        config = self.directory / "nats.conf"
        config.write_text(server_config(settings, users, self.port, self.monitor_port))
        self._process = subprocess.Popen(
            [str(find_server()), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end_s = time.monotonic() + READY_BOUND_S
        while not self._is_ready():
            if time.monotonic() > end_s or self._process.poll() is not None:
                raise AssertionError(f"no broker: {(self.directory / 'nats.log').read_text()[-2000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        """As a power cut would: kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze the server; returns when every thread of it stands still: the signal reaches them one by one."""
        os.kill(self.pid, signal.SIGSTOP)
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s and any(
            _state(task) != "T" for task in Path(f"/proc/{self.pid}/task").iterdir()
        ):
            time.sleep(0.001)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def connect(self, name: str = "bridge") -> Bus:
        """A connection of the bridge; end it with `close`."""
        return await Bus.connect(
            self.url, seed=self.bridge.seed, name=name, inbox_prefix="_INBOX_BR", on_closed=lambda: None
        )

    async def connect_agent(self, agent: str) -> Bus:
        """A connection of an agent's terminal."""
        return await Bus.connect(
            self.url,
            seed=self.agents[agent].seed,
            name=agent,
            inbox_prefix=f"_INBOX_{agent}",
            on_closed=lambda: None,
        )

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(sign)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.monitor_port}/healthz?js-enabled-only=true"
            with urllib.request.urlopen(url, timeout=2) as answer:
                if json.load(answer).get("status") != "ok":
                    return False
            with socket.create_connection(("127.0.0.1", self.port), 2):
                return True
        except OSError:
            return False


def _state(task: Path) -> str:
    """One letter: T = stopped (proc(5))."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]
