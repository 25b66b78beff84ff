"""The web chat's server half: routes for the application, and `push` for the bridge behind it.

The law: a page of a site that is not on the list gets no socket; what is pushed to a session reaches every tab of it.
"""

import logging
from collections.abc import Callable, Sequence

from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from broker_bridge.channels.webchat import frames
from broker_bridge.channels.webchat.desk import Desk
from broker_bridge.channels.webchat.frames import OutMessage
from broker_bridge.channels.webchat.house import House
from broker_bridge.channels.webchat.pages import Pages
from broker_bridge.channels.webchat.sessions import Signer, address_key, origin_allowed
from broker_bridge.channels.webchat.settings import ChatSettings
from broker_bridge.channels.webchat.uploads import Files
from broker_bridge.channels.webchat.visitor import CLOSE_AWAY, Visitor

log = logging.getLogger("broker_bridge.channels.webchat")


class Sockets:
    """Every open socket of this web chat, by session. All methods belong to the event loop's thread."""

    def __init__(
        self,
        desk: Desk,
        settings: ChatSettings,
        keys: Sequence[bytes],
        *,
        now_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        """`keys` sign session tokens: the first signs, all verify. `now_ms` is Unix time.

        Raises:
            ValueError: no usable key, or an origin that is none.
        """
        self._house = House(desk, settings, Signer(keys), now_ms, monotonic_s)
        self._pages = Pages(settings)
        self._files = Files(self._house)
        self._visitors: dict[str, set[Visitor]] = {}
        self._open: set[Visitor] = set()

    def routes(self) -> list[BaseRoute]:
        """What the web application mounts. The widget finds the others beside its own address."""
        prefix = self._house.settings.path
        return [
            Route(prefix, self._pages.page),
            Route(f"{prefix}/widget.js", self._pages.widget),
            WebSocketRoute(f"{prefix}/socket", self._socket),
            Route(f"{prefix}/upload", self._files.upload, methods=["POST", "OPTIONS"]),
            Route(f"{prefix}/file/{{digest}}", self._files.fetch, methods=["GET", "OPTIONS"]),
        ]

    def push(self, session: str, message: OutMessage) -> int:
        """Show a message in every open tab of `session`; how many sockets took it. Never waits.

        0 means that nobody is there: history gives it when the visitor comes back.
        """
        text = frames.encode(message)
        return sum(visitor.take(text, message.seq) for visitor in self._of(session))

    def push_typing(self, session: str, name: str, on: bool) -> int:
        """Show or hide "name is typing"."""
        text = frames.encode(frames.AgentTyping(name=frames.clean_line(name, frames.MAX_NAME_CHARS), on=on))
        return sum(visitor.take(text) for visitor in self._of(session))

    def push_seen(self, session: str, seq: int) -> int:
        """Mark the visitor's own messages up to `seq` as seen by an agent."""
        text = frames.encode(frames.AgentSeen(seq=seq))
        return sum(visitor.take(text) for visitor in self._of(session))

    def is_here(self, session: str) -> bool:
        """Whether any tab of `session` is open."""
        return bool(self._visitors.get(session))

    @property
    def open_sockets(self) -> int:
        """How many sockets are open."""
        return self._house.seats.taken

    def close(self, reason: str) -> None:
        """Say bye to everybody, before the server stops. Browsers come back by themselves."""
        for visitor in tuple(self._open):
            visitor.end(CLOSE_AWAY, reason)

    def join(self, session: str, visitor: Visitor) -> None:
        """A tab said hello."""
        self._visitors.setdefault(session, set()).add(visitor)

    def leave(self, session: str, visitor: Visitor) -> None:
        """A tab went."""
        tabs = self._visitors.get(session, set())
        tabs.discard(visitor)
        if not tabs:
            self._visitors.pop(session, None)

    def echo(self, session: str, message: OutMessage, but: Visitor) -> None:
        """Show what one tab said in the others; it has no sequence yet, the desk's own push brings that."""
        text = frames.encode(message)
        for visitor in self._of(session):
            if visitor is not but:
                visitor.take(text)

    def _of(self, session: str) -> tuple[Visitor, ...]:
        return tuple(self._visitors.get(session, ()))

    async def _socket(self, socket: WebSocket) -> None:
        address = address_key(self._host(socket))
        status, code, reason = self._refusal(socket, address)
        if status:
            log.info("socket refused code=%s", code)
            return await _deny(socket, status, reason)
        self._house.seats.take(address)
        try:
            await socket.accept()
            visitor = Visitor(socket, address, self._house, self)
            self._open.add(visitor)
            try:
                await visitor.run()
            finally:
                self._open.discard(visitor)
        finally:
            self._house.seats.free(address)

    def _host(self, socket: WebSocket) -> str:
        if self._house.settings.is_behind_proxy:
            return socket.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return socket.client.host if socket.client else ""

    def _refusal(self, socket: WebSocket, address: str) -> tuple[int, str, str]:
        headers = socket.headers
        if not origin_allowed(headers.get("origin"), headers.get("host"), self._house.settings.origins):
            return 403, "origin", "This site may not open a chat here. Its address belongs on the list of origins."
        if self._house.opens.take(address):
            return 429, "opens", "This address opens chats too quickly. Try again in a minute."
        full = self._house.seats.refusal(address)
        return (429, "seats", full) if full else (0, "", "")


async def _deny(socket: WebSocket, status: int, reason: str) -> None:
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(Response(reason, status_code=status, media_type="text/plain"))
    else:
        await socket.close()
