"""Three real nats-servers as one JetStream cluster on loopback, for tests: accounts and settings as the bridge asks of an external broker.

Law: every node syncs each write to its disk, listens on free loopback ports only, and is ended by the id of the process that was started.
A killed node keeps its folder and its ports: `start` brings the same node back.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from broker_bridge.daemon.accounts import INBOX_BRIDGE, AgentUser, Keys, agent_inbox, make_seed
from broker_bridge.daemon.broker import BrokerSettings, find_server, server_config
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.wire import BusError, Wire, api
from tests.daemon.real_broker import free_port

NODES = ("east", "north", "west")
NAME = "house"
REPLICAS = 3
READY_BOUND_S = 60.0


class Node:
    """One server of the cluster."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.monitor_port = free_port()
        self.route_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self, config: str) -> None:
        """Start the process; the cluster waits until it takes part."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "nats.conf"
        file.write_text(config)
        self._process = subprocess.Popen(
            [str(find_server()), "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sign)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def takes_part(self) -> bool:
        """It takes connections and knows the leader of a whole cluster."""
        meta = self._ask("/jsz").get("meta_cluster", {})
        return bool(meta.get("leader")) and meta.get("cluster_size") == len(NODES)

    def sees_all(self) -> bool:
        """It leads the cluster, and every other node is there and up to date: before that no stream of three copies can be made."""
        others = self._ask("/jsz").get("meta_cluster", {}).get("replicas") or []
        is_whole = len(others) == len(NODES) - 1
        return is_whole and all(one.get("current") and not one.get("offline") for one in others)

    def is_healthy(self) -> bool:
        """All that it holds a copy of has caught up."""
        return self._ask("/healthz").get("status") == "ok"

    def said(self) -> str:
        """The end of its log."""
        log = self.folder / "nats.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "no log"

    def _ask(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor_port}{path}", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError):
            return {}


class Cluster:
    """Make it, `start()`, kill nodes as you like, `close()`. `bridge` and `agents` hold the seeds that it knows."""

    def __init__(self, folder: Path, agents: Sequence[str] = ()) -> None:
        self.bridge: Keys = make_seed()
        self.agents: dict[str, Keys] = {name: make_seed() for name in agents}
        self.nodes = {name: Node(name, folder / name) for name in NODES}

    @property
    def url(self) -> str:
        """All nodes, as `broker.url` takes them."""
        return ",".join(node.url for node in self.nodes.values())

    def start(self) -> None:
        """Start every node that does not run, and wait until all take part."""
        for node in self.nodes.values():
            if not node.is_running:
                node.launch(self._config(node))
        for node in self.nodes.values():
            self._wait(node)
        end_s = time.monotonic() + READY_BOUND_S
        while not any(node.sees_all() for node in self.nodes.values()):
            assert time.monotonic() < end_s, "no node leads a whole cluster"
            time.sleep(0.02)

    def start_node(self, name: str) -> None:
        """Start one node again, and wait until it takes part."""
        node = self.nodes[name]
        node.launch(self._config(node))
        self._wait(node)

    def kill(self, name: str) -> None:
        """As a power cut would: kill -9 of one node."""
        self.nodes[name].end(signal.SIGKILL)

    def close(self) -> None:
        """Kill all: nobody needs these stores again, and an orderly end takes a second each."""
        for name in self.nodes:
            self.kill(name)

    async def connect(self, name: str = "test", without: str = "") -> Bus:
        """A connection with the bridge's rights to any node but `without`; end it with `close`."""
        urls = [node.url for node in self.nodes.values() if node.name != without]
        return await Bus.connect(
            urls, seed=self.bridge.seed, name=name, inbox_prefix=INBOX_BRIDGE, on_closed=lambda: None
        )

    async def connect_agent(self, agent: str) -> Bus:
        """A connection of an agent's terminal."""
        return await Bus.connect(
            self.url.split(","),
            seed=self.agents[agent].seed,
            name=agent,
            inbox_prefix=agent_inbox(agent),
            on_closed=lambda: None,
        )

    def _config(self, node: Node) -> str:
        settings = BrokerSettings(state_dir=node.folder, bridges=[self.bridge.public])
        users = [AgentUser(name, keys.public) for name, keys in self.agents.items()]
        alone = server_config(settings, users, node.port, node.monitor_port)
        named = alone.replace("server_name: onewindow", f"server_name: {node.name}", 1)
        routes = ", ".join(f'"nats://127.0.0.1:{one.route_port}"' for one in self.nodes.values() if one is not node)
        return f'{named}cluster {{\n  name: {NAME}\n  listen: "127.0.0.1:{node.route_port}"\n  routes: [{routes}]\n}}\n'

    @staticmethod
    def _wait(node: Node) -> None:
        end_s = time.monotonic() + READY_BOUND_S
        while not node.takes_part():
            if time.monotonic() > end_s or not node.is_running:
                raise AssertionError(f"node {node.name} does not take part: {node.said()}")
            time.sleep(0.02)


async def leader(wire: Wire, stream: str) -> str:
    """Name of the node that leads a stream now; empty while nobody does."""
    try:
        info = await api(wire, f"STREAM.INFO.{stream}")
    except BusError:
        return ""
    return str(info.get("cluster", {}).get("leader", ""))


async def lead(wire: Wire, stream: str, node: str) -> None:
    """Ask that `node` lead a stream; whether it came so is to be asked with `leader`. Raises BusError."""
    await api(wire, f"STREAM.LEADER.STEPDOWN.{stream}", {"placement": {"preferred": node}})
