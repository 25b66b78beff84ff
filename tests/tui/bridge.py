"""A real nats-server and a scripted bridge behind it, for the tests of the link: what a desk asks is noted, what it is
answered is set by the test, and the feed is told message by message."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
import nats
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from nats.aio.client import Client
from nats.aio.msg import Msg

from agent_tui.model.desk import Applied
from agent_tui.model.linked import LinkStatus
from broker_bridge.contract import codec, subjects
from broker_bridge.contract.commands import Act, Done, Hello, Request, Thread
from broker_bridge.contract.views import Answer, Beat, Feed, Me, Row, ThreadFeed, Welcome
from broker_bridge.daemon.accounts import AgentUser, accounts_block, make_seed
from broker_bridge.daemon.broker import find_server
from tests.until import until

AGENT = "maya"
ME = Me(agent=AGENT, name="Maya Lindqvist", state="ready")


class Server:
    """A nats-server with the accounts of the real configuration."""

    def __init__(self, folder: Path) -> None:
        self.bridge, self.agent = make_seed(), make_seed()
        self._folder = folder
        self._people: list[AgentUser] = [AgentUser(AGENT, self.agent.public)]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.ca = ""
        """The certificate of `with_tls`."""
        self._process: subprocess.Popen[bytes] | None = None

    def with_tls(self) -> None:
        """From the next start on, with a certificate that only those trust who are given it."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "onewindow test")])
        now = datetime.now(UTC)
        here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(here, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.ca = made.public_bytes(Encoding.PEM).decode()
        (self._folder / "cert.pem").write_text(self.ca)
        (self._folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @property
    def url(self) -> str:
        return f"{'tls' if self.ca else 'nats'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._write()
        command = [str(find_server()), "-c", str(self._folder / "nats.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await until(self._takes_connections, bound_s=30, saying="the nats-server does not start")

    def kill(self) -> None:
        """As a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def let_in(self, people: Iterable[AgentUser]) -> None:
        """Only these may sign in from now on."""
        self._people = list(people)
        self._write()
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGHUP)

    def _write(self) -> None:
        text = (
            f"listen: 127.0.0.1:{self.port}\n"
            f'jetstream {{ store_dir: "{self._folder / "store"}" }}\n'
            f"{accounts_block([self.bridge.public], self._people)}"
        )
        if self.ca:
            text += f'tls {{ cert_file: "{self._folder / "cert.pem"}", key_file: "{self._folder / "key.pem"}" }}\n'
        (self._folder / "nats.conf").write_text(text)

    def _takes_connections(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Bridge:
    """Stands in for the bridge: one agent, one feed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client = Client()
        self.asked: list[Request] = []
        self.epoch, self.n, self.upto = "e1", 0, 10
        self.rows: tuple[Row, ...] = ()
        self.since: list[int] = []
        """`since` of every hello."""
        self.is_deaf = False
        """Nothing is answered."""
        self.is_quiet = False
        """Nothing is told: no feed, no beat."""
        self.answers: dict[str, Callable[[Request], Answer]] = {}
        self.says_n = True
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._client = await nats.connect(
            self._server.url,
            nkeys_seed_str=self._server.bridge.seed,
            tls=ssl.create_default_context(cadata=self._server.ca) if self._server.ca else None,
            inbox_prefix=b"_INBOX_BR",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0,
            error_cb=_quiet,
        )
        await self._client.subscribe(f"cc.do.{AGENT}.*", cb=self._on_request)
        await self._client.flush()
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        with suppress(Exception):
            await self._client.close()

    def acts(self) -> list[Act]:
        return [one for one in self.asked if isinstance(one, Act)]

    def verbs(self) -> list[str]:
        return [str(one.__struct_config__.tag) for one in self.asked]

    async def tell(self, *rows: Row, gone: tuple[str, ...] = (), skip: int = 0, upto: int | None = None) -> None:
        """The next message of the desk's feed; `skip` numbers are lost before it."""
        self.n += 1 + skip
        self.upto = self.upto + 1 if upto is None else upto
        await self._publish("desk", Feed(epoch=self.epoch, n=self.n, upto=self.upto, rows=rows, gone=gone))

    async def tell_thread(self, feed: ThreadFeed) -> None:
        self.n += 1
        numbered = msgspec.structs.replace(feed, epoch=self.epoch, n=self.n)
        await self._publish(f"thread.{feed.conv}", numbered)

    async def _publish(self, kind: str, body: object) -> None:
        if not self.is_quiet and self._client.is_connected:
            await self._client.publish(f"cc.view.{AGENT}.{kind}", codec.encode(body))

    async def _beat(self) -> None:
        while True:
            beat = Beat(epoch=self.epoch, n=self.n, upto=self.upto, at_ms=0)
            await self._publish("beat", beat)
            await asyncio.sleep(0.05)

    async def _on_request(self, msg: Msg) -> None:
        request = codec.request(msg.data)
        self.asked.append(request)
        if self.is_deaf:
            return
        verb = str(request.__struct_config__.tag)
        assert msg.subject == subjects.do(AGENT, verb)
        if verb in self.answers:
            answer = self.answers[verb](request)
        elif isinstance(request, Hello):
            await self._welcome(request, msg)
            return
        else:
            answer = Done(upto=self.upto)
        await msg.respond(codec.encode(answer))

    async def _welcome(self, hello: Hello, msg: Msg) -> None:
        self.since.append(hello.since)
        n = self.n if self.says_n else None
        welcome = Welcome(version=1, epoch=self.epoch, n=n, me=ME, upto=self.upto)
        await msg.respond(codec.encode(welcome))
        rows = self.rows if hello.since == 0 else tuple(row for row in self.rows if row.rev > hello.since)
        self.n += 1
        feed = Feed(epoch=self.epoch, n=self.n, upto=self.upto, is_reset=hello.since == 0, rows=rows)
        await self._publish("desk", feed)


async def _quiet(error: Exception) -> None:
    return None


class Heard:
    """A listener that notes everything."""

    def __init__(self) -> None:
        self.statuses: list[LinkStatus] = []
        self.applied: list[Applied] = []
        self.threads: list[ThreadFeed] = []
        self.answers: list[tuple[Act, Answer]] = []

    def link_changed(self, status: LinkStatus) -> None:
        self.statuses.append(status)

    def desk_changed(self, applied: Applied) -> None:
        self.applied.append(applied)

    def thread_changed(self, feed: ThreadFeed) -> None:
        self.threads.append(feed)

    def settled(self, act: Act, answer: Answer) -> None:
        self.answers.append((act, answer))

    def states(self) -> list[str]:
        """The states in order, each once in a row."""
        found: list[str] = []
        for status in self.statuses:
            if not found or found[-1] != status.state:
                found.append(status.state)
        return found


def thread_verb(request: Request) -> Thread:
    assert isinstance(request, Thread)
    return request
