"""A web chat served by uvicorn on loopback, that can be stopped and started again on the same port."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from websockets.asyncio.client import ClientConnection, connect

from broker_bridge.channels.webchat.settings import ChatSettings
from broker_bridge.channels.webchat.sockets import Sockets
from tests.channels.webchat.desk_in_memory import DeskInMemory
from tests.until import until

KEY = b"a signing key for tests only"
SHOP = "https://shop.example"

EMBEDDING = """<!doctype html><html lang="en"><title>Shop</title><meta name="viewport" content="width=device-width">
<style>* { color: red !important; font: 40px serif !important; } section { display: none !important }</style>
<h1>Shop</h1><script src="/chat/widget.js" defer></script></html>"""


class Clock:
    """Hands that tests move."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def now_ms(self) -> int:
        return 1_790_000_000_000 + int(self.now_s * 1000)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The test runner keeps its signals."""
        yield


class Site:
    """The chat and the server around it."""

    def __init__(self, desk: DeskInMemory, settings: ChatSettings, clock: Clock) -> None:
        self.desk = desk
        self.settings = settings
        self.clock = clock
        self.port = 0
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._new_sockets()

    def _new_sockets(self) -> None:
        self.sockets = Sockets(
            self.desk, self.settings, [KEY], now_ms=self.clock.now_ms, monotonic_s=self.clock.monotonic_s
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, with the memory of a process that has just begun."""
        self._new_sockets()

        async def shop(_: Request) -> HTMLResponse:
            return HTMLResponse(EMBEDDING)

        app = Starlette(routes=[*self.sockets.routes(), Route("/shop", shop)])
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(app, log_level="error", ws_max_size=65_536, timeout_graceful_shutdown=1, lifespan="off")
        server = _Server(config)
        self._server = server
        self._serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)

    async def stop(self) -> None:
        """Cut every connection and stop listening."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None


class Tab:
    """A browser's side of one socket, by hand."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.token = ""

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps({"v": 1, **frame}))

    async def next(self, *kinds: str) -> dict[str, Any]:
        """The next frame of one of `kinds`."""
        async with asyncio.timeout(10):
            while True:
                frame: dict[str, Any] = json.loads(await self.connection.recv())
                if frame["t"] in kinds:
                    return frame

    async def hello(self, token: str | None = None, last_seq: int = 0, **more: str) -> dict[str, Any]:
        await self.send(t="hello", session=token, last_seq=last_seq, **more)
        welcome = await self.next("welcome", "refused")
        self.token = welcome.get("session", "")
        return welcome

    async def say(self, client_id: str, text: str) -> dict[str, Any]:
        await self.send(t="say", id=client_id, text=text)
        return await self.next("said", "refused")


@contextlib.asynccontextmanager
async def tab_at(site: Site, origin: str | None = "own", forwarded: str = "") -> AsyncIterator[Tab]:
    """A socket opened from a page of `origin`."""
    shown = site.url if origin == "own" else origin
    headers = {"Origin": shown} if shown else {}
    headers |= {"X-Forwarded-For": forwarded} if forwarded else {}
    url = f"ws://127.0.0.1:{site.port}/chat/socket"
    async with connect(url, additional_headers=headers, proxy=None) as connection:
        yield Tab(connection)
