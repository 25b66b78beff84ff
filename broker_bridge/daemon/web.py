"""The bridge's web server: the channels' routes, health and metrics.

Law: it serves, it decides nothing. `/healthz` says 200 only while the bridge can take and show messages; it names no customer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

Health = Callable[[], tuple[bool, dict[str, object]]]
"""Whether the bridge can work, and what an operator wants to know."""
Metrics = Callable[[], tuple[bytes, str]]
"""Body and media type of a scrape."""


class _Quiet(uvicorn.Server):
    """A server inside a program that has its own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Web:
    """Listens from `bind` on, answers while `run` runs."""

    def __init__(self, host: str, port: int) -> None:
        """`port` 0 = a free one."""
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._server: _Quiet | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def run(
        self,
        routes: Sequence[BaseRoute],
        health: Health,
        metrics: Metrics,
    ) -> None:
        """Serve until cancelled; open requests get 3 s to end."""

        async def healthz(request: Request) -> Response:
            is_well, what = health()
            return JSONResponse(what, status_code=200 if is_well else 503)

        async def scrape(request: Request) -> Response:
            body, media_type = metrics()
            return Response(body, media_type=media_type)

        app = Starlette(routes=[Route("/healthz", healthz), Route("/metrics", scrape), *routes])
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=64 * 1024,
            ws_ping_interval=20,
            timeout_graceful_shutdown=3,
            server_header=False,
            proxy_headers=False,
        )
        self._server = _Quiet(config)
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self._server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(serving, 5.0)
            raise

    def close(self) -> None:
        self._socket.close()
