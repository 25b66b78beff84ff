"""A whole house for the window's tests: a real bridge with web chat and mail, customers at its doors, windows at its desks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import smtplib
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from broker_bridge.contract import views as v
from broker_bridge.contract.policy import Skill
from broker_bridge.daemon import admin, visiting
from broker_bridge.daemon.accounts import make_seed
from broker_bridge.daemon.office import NewAgent
from tests.channels.webchat.site import Tab
from tests.daemon.site import ROOT, Agent, Site
from tests.e2e.terminal import Terminal, terminal
from tests.servers.dovecot import free_port
from tests.until import until

OURS = "support@nordbank.example"
USUAL_QUEUES = '[[queue]]\nname = "support"\n[[queue]]\nname = "sales"\n'
CHANNELS = """
[[channel]]
name = "chat"
kind = "webchat"
queue = "{chat_queue}"
[channel.settings]
sockets_per_address = 60
says_burst = 60
address_says_burst = 500
address_says_per_s = 100.0
[[channel]]
name = "mail"
kind = "email"
queue = "support"
[channel.settings]
address = "{ours}"
[channel.settings.listen]
port = {in_port}
[channel.settings.smtp]
host = "127.0.0.1"
port = {out_port}
tls = "none"
"""


class Visitor:
    """A customer on the web page; what the house says to them is kept."""

    def __init__(self, tab: Tab, page: str) -> None:
        self.tab = tab
        self.page = page
        self.name = ""
        self.heard: list[str] = []
        """Texts of agents, in order, each as often as it came."""
        self.refused: list[dict[str, Any]] = []
        self._acknowledged: set[str] = set()
        self._number = 0
        self._boot = uuid.uuid4().hex[:8]

    async def listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._listen()

    async def _listen(self) -> None:
        async for raw in self.tab.connection:  # ends with the bridge
            frame: dict[str, Any] = json.loads(raw)
            if frame["t"] == "message" and frame["from"] == "agent":
                self.heard.append(frame["text"])
            elif frame["t"] == "said":
                self._acknowledged.add(frame["id"])
            elif frame["t"] == "refused":
                self.refused.append(frame)

    def greeted(self, welcome: dict[str, Any]) -> None:
        """What was said before counts as heard."""
        self.heard += [one["text"] for one in welcome.get("history", ()) if one["from"] == "agent"]

    async def say(self, text: str) -> None:
        """Returns when it is stored."""
        self._number += 1
        id = f"client-{self._boot}-{self._number}"
        await self.tab.send(t="say", id=id, text=text, page=self.page)
        await until(
            lambda: id in self._acknowledged, bound_s=30.0, saying=lambda: f"not acknowledged; refused: {self.refused}"
        )


class Line:
    """The wire between a window and the broker, which can be made to hold back what the broker says."""

    def __init__(self) -> None:
        self.port = 0
        self._may_come = asyncio.Event()
        self._may_come.set()

    def hold(self) -> None:
        """From now on nothing reaches the window; what it says still arrives."""
        self._may_come.clear()

    def release(self) -> None:
        self._may_come.set()

    @asynccontextmanager
    async def to(self, broker: str) -> AsyncIterator[Line]:
        """A line to `nats://host:port`."""
        host, _, port = broker.removeprefix("nats://").rpartition(":")
        copying: set[asyncio.Task[None]] = set()

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            copying.add(asyncio.create_task(self._copy(reader, far_writer, is_held=False)))
            copying.add(asyncio.create_task(self._copy(far_reader, writer, is_held=True)))

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for one in copying:
                one.cancel()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_held: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if is_held:
                    await self._may_come.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


class House:
    """One bridge with a web chat and a mailbox, and people around it."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder)
        self.folder = folder
        self.mail_port = free_port()

    async def open(
        self,
        *,
        chat_queue: str = "support",
        smtp_port: int = 0,
        offer_timeout_s: int = 60,
        desk: str = "",
        queues: str = "",
    ) -> None:
        """`desk`: lines for [desk]; `queues`: blocks [[queue]] in the place of the usual two."""
        out_port = smtp_port or free_port()
        more = CHANNELS.format(chat_queue=chat_queue, ours=OURS, in_port=self.mail_port, out_port=out_port)
        self.site.configure(offer_timeout_s=offer_timeout_s, more=more)
        file = self.site.folder / "bridge.toml"
        text = file.read_text()
        assert USUAL_QUEUES in text
        text = text.replace("[desk]\n", f"[desk]\n{desk}\n").replace(USUAL_QUEUES, queues or USUAL_QUEUES)
        file.write_text(text)
        await self.site.start()

    async def seat(
        self,
        agent: str,
        *,
        role: str = "agent",
        queues: tuple[str, ...] = ("support", "sales"),
        skills: tuple[Skill, ...] = (),
        units: int = 100,
    ) -> None:
        """Let somebody in, with what they can."""
        keys = make_seed()
        self.site.seeds[agent] = keys.seed
        await admin.agent_add(
            self.site.config,
            NewAgent(
                agent=agent,
                name=agent.title(),
                public_key=keys.public,
                role=role,
                queues=queues,
                skills=skills,
                units=units,
            ),
        )

    @property
    def broker(self) -> str:
        return str(visiting.endpoint(self.site.config)["broker"])

    @asynccontextmanager
    async def visitor(
        self, name: str, page: str = "https://nordbank.example/cards", token: str | None = None
    ) -> AsyncIterator[Visitor]:
        """Somebody on the page of the chat; with the `token` of before, the same one again."""
        web = str(visiting.endpoint(self.site.config)["web"])
        url = web.replace("http", "ws", 1) + "/chat/socket"
        async with connect(url, origin=web, proxy=None) as connection:  # type: ignore[arg-type]
            visitor = Visitor(Tab(connection), page)
            visitor.name = name
            visitor.greeted(await visitor.tab.hello(token, name=name, page=page))
            listening = asyncio.create_task(visitor.listen())
            try:
                yield visitor
            finally:
                listening.cancel()

    async def mail(self, raw: bytes | EmailMessage) -> None:
        """Hand over a mail as the next mail server does; returns when it is taken."""
        data = raw if isinstance(raw, bytes) else raw.as_bytes()
        await asyncio.to_thread(self._mail, data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def _mail(self, data: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self.mail_port, timeout=20) as smtp:
            smtp.sendmail("bounces@customers.example", [OURS], data)

    @asynccontextmanager
    async def window(
        self,
        agent: str,
        columns: int = 120,
        rows: int = 40,
        machine: str = "desk",
        via: Line | None = None,
        **env: str,
    ) -> AsyncIterator[Terminal]:
        """The real program of `agent`, on a machine of its own name; `via`: it reaches the broker over this line."""
        server = f"nats://127.0.0.1:{via.port}" if via is not None else self.broker
        home = self.folder / f"{agent}-{machine}"
        (home / "config").mkdir(parents=True, exist_ok=True)
        (home / "config" / "settings.toml").write_text(f'server = "{server}"\nagent = "{agent}"\n')
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ONEWINDOW_CONFIG_DIR": str(home / "config"),
            "ONEWINDOW_STATE_DIR": str(home / "state"),
            "ONEWINDOW_SEED": self.site.seeds[agent],
            "XDG_DOWNLOAD_DIR": str(home / "downloads"),
            "ESCDELAY": "50",
            **env,
        }
        async with terminal([sys.executable, "-m", "agent_tui"], environment, home, columns, rows) as shown:
            yield shown

    async def take(self, window: Terminal, name: str) -> None:
        """Accept the offer of `name`: it is open and can be answered, and the list has the focus."""
        await self.to_list(window)
        await window.shows("Offer", name)
        window.press("f2")
        await window.shows(f"to {name}")

    @staticmethod
    async def to_list(window: Terminal) -> None:
        """Out of the composer or a dialog."""
        if window.has("esc back"):
            window.press("escape")
            await window.hides("esc back")
        if is_writing(window):
            # Once and no more: in the list it would put an offer's card away.
            window.press("escape")
            await until(lambda: not is_writing(window), saying=lambda: window.text)

    async def sees(self, agent: Agent, fits: Callable[[v.Row], bool], view: str = "all") -> v.Row:
        """A row of the bridge, once it is as wanted."""

        async def found() -> v.Row | None:
            return next((row for row in await agent.rows(view) if fits(row)), None)

        return await until(found, bound_s=20.0, saying="no row is as wanted")


def letter(sender: str, subject: str, text: str, **more: str) -> EmailMessage:
    """A mail to us; `more` are headers."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, OURS, subject
    made["Message-ID"] = f"<{abs(hash((sender, subject, text)))}@customers.example>"
    for name, value in more.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def of(name: str) -> Callable[[v.Row], bool]:
    """Rows of this customer."""
    return lambda row: row.name == name


def is_writing(window: Terminal) -> bool:
    """The composer has the focus: its rule is heavy."""
    return any("├━━" in line for line in window.lines)
