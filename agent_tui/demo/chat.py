"""One customer in the web chat, over the socket that a browser uses.

Law: a message counts as said when the bridge has said so; until then it is sent again under the same id after every
lost connection, and nothing of ours is heard twice. The visit goes on over outages, by session and sequence.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
import urllib.request
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from agent_tui.demo.stories import papers

RETRY_S = 1.5
ANSWER_S = 30.0


class ChatVisit:
    """A browser's tab, without the browser. `run` must be running."""

    def __init__(self, web: str, name: str, page: str, key: str) -> None:
        """`web`: the bridge's web server. `key`: letters that begin the ids of this visit's messages, unique in the demo."""
        self._web = web
        self._name = name
        self._page = page
        self._key = key
        self._session: str | None = None
        self._last_seq = 0
        self._number = 0
        self._socket: ClientConnection | None = None
        self._unsaid: dict[str, dict[str, Any]] = {}
        self._said: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._known: set[str] = set()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        """What agents wrote, in order."""
        self.said = 0
        """Messages that the bridge has acknowledged."""

    async def run(self) -> None:
        """Stay in the chat until cancelled."""
        address = self._web.replace("http", "ws", 1) + "/chat/socket"
        while True:
            try:
                async with connect(address, origin=Origin(self._web), proxy=None, open_timeout=10) as socket:
                    await self._stay(socket)
            except (OSError, WebSocketException, TimeoutError):
                pass
            finally:
                self._socket = None
            await asyncio.sleep(RETRY_S)

    async def say(self, text: str) -> None:
        """Returns when the bridge has it on disk."""
        await self._put({"t": "say", "text": text, "page": self._page})

    async def typing(self, on: bool) -> None:
        """Shown at the desk; lost without harm."""
        await self._send({"t": "typing", "on": on})

    async def send_file(self, name: str) -> None:
        """Upload one of the papers and show it in the chat."""
        while True:
            granted = await self._put({"t": "file", "name": name})
            try:
                receipt = await asyncio.to_thread(self._upload, name, str(granted["token"]))
            except OSError:
                await asyncio.sleep(RETRY_S)  # the bridge is away: ask for another place and try again
            else:
                await self._put({"t": "file", "name": name, "token": receipt})
                return

    async def _put(self, frame: dict[str, Any]) -> dict[str, Any]:
        """The bridge's answer to a message, which is sent under one id until it is taken."""
        self._number += 1
        client_id = f"{self._key}-{self._number:04d}"
        self._unsaid[client_id] = frame | {"id": client_id}
        try:
            while True:
                answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
                self._said[client_id] = answer
                await self._send(self._unsaid[client_id])
                found = await answer
                if found["t"] != "refused":
                    self.said += found["t"] == "said"
                    return found
                await asyncio.sleep(max(RETRY_S, found.get("retry_after_s", 0.0)))
        finally:
            self._said.pop(client_id, None)
            self._unsaid.pop(client_id, None)

    async def _stay(self, socket: ClientConnection) -> None:
        hello = {"t": "hello", "last_seq": self._last_seq, "name": self._name, "page": self._page}
        await socket.send(_encoded(hello | ({"session": self._session} if self._session else {})))
        async for raw in socket:
            frame = json.loads(raw)
            if frame["t"] == "welcome":
                self._session = frame["session"]
                for message in frame["history"]:
                    await self._message(message)
                self._last_seq = max(self._last_seq, frame["seq"])
                self._socket = socket
                for unsaid in list(self._unsaid.values()):
                    await self._send(unsaid)
            else:
                await self._frame(frame, socket)

    async def _frame(self, frame: dict[str, Any], socket: ClientConnection) -> None:
        kind = frame["t"]
        if kind == "ping":
            await socket.send(_encoded({"t": "pong"}))
        elif kind == "message":
            await self._message(frame)
            await socket.send(_encoded({"t": "seen", "seq": self._last_seq}))
        elif kind in ("said", "upload", "refused"):
            answer = self._said.get(frame.get("id", ""))
            if answer is not None and not answer.done():
                answer.set_result(frame)

    async def _message(self, frame: dict[str, Any]) -> None:
        self._last_seq = max(self._last_seq, frame["seq"])
        if frame["from"] == "agent" and frame["id"] not in self._known:
            self._known.add(frame["id"])
            self.heard.put_nowait(frame["text"])

    async def _send(self, frame: dict[str, Any]) -> None:
        if self._socket is None:
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._socket.send(_encoded(frame))
        except (WebSocketException, OSError, TimeoutError):
            return  # said again by the next connection

    def _upload(self, name: str, token: str) -> str:
        """The receipt of an upload. Raises OSError."""
        data, media_type = papers(name)
        request = urllib.request.Request(
            f"{self._web}/chat/upload",
            data,
            {
                "Content-Type": media_type,
                "X-Upload-Token": token,
                "X-File-Name": urllib.parse.quote(name),
                "Origin": self._web,
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=ANSWER_S) as answer:
            return str(json.load(answer)["receipt"])


def _encoded(frame: dict[str, Any]) -> str:
    return json.dumps({"v": 1} | frame, ensure_ascii=False)
