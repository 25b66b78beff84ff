"""One open socket of one visitor: reads frames in order, writes from a bounded queue, measures that it is alive.

The law: a message is answered `said` only after the desk has stored it; what is pushed while history is being read is
held and follows it; a reader slower than its queue is cut off and resumes by sequence, so nothing waits for it.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from broker_bridge.channels.webchat import frames
from broker_bridge.channels.webchat.desk import Full, StoredFile, Unavailable
from broker_bridge.channels.webchat.frames import Malformed, OutMessage, Refused, ServerFrame
from broker_bridge.channels.webchat.house import House

T = TypeVar("T")
HISTORY_A_FRAME = 50
CLOSE_NORMAL, CLOSE_AWAY, CLOSE_POLICY, CLOSE_SLOW = 1000, 1001, 1008, 1013
RETRY_S = 3.0


class Room(Protocol):
    """Where a visitor's sockets meet: the same session in two tabs."""

    def join(self, session: str, visitor: "Visitor") -> None:
        """From now on what is pushed to `session` reaches this socket too."""

    def leave(self, session: str, visitor: "Visitor") -> None:
        """No longer."""

    def echo(self, session: str, message: OutMessage, but: "Visitor") -> None:
        """Show what one tab said in the other tabs."""


class Visitor:
    """A socket from accept to close. `take` may be called from outside at any time; everything else is `run`'s."""

    def __init__(self, socket: WebSocket, address: str, house: House, room: Room) -> None:
        self._socket = socket
        self._address = address
        self._house = house
        self._room = room
        self._queue: asyncio.Queue[str] = asyncio.Queue(house.settings.queue_frames)
        self._held: list[tuple[str, int]] | None = []
        self._over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._joined = ""
        self._session = ""
        self._name = ""
        self._page = ""
        self._given_seq = 0
        self._seen_seq = 0
        self._is_typing = False
        self._malformed = 0
        self._heard_s = house.monotonic_s()

    async def run(self) -> None:
        """Serve the accepted socket until either side ends it."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part) for part in (self._read(), self._write(), self._beat())]
                code, reason = await self._over
                for task in tasks:
                    task.cancel()
        finally:
            self._room.leave(self._joined, self)
        await self._close(code, reason)

    def take(self, text: str, seq: int = 0) -> bool:
        """Queue an encoded frame; False if this socket cannot take it any more."""
        if self._over.done():
            return False
        if self._held is not None:
            self._held.append((text, seq))
            return self._bounded(len(self._held) <= self._house.settings.queue_frames)
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            return self._bounded(False)
        self._given_seq = max(self._given_seq, seq)
        return True

    def end(self, code: int, reason: str) -> None:
        """Close this socket, with a bye that says why."""
        if not self._over.done():
            self._over.set_result((code, reason))

    def _bounded(self, fits: bool) -> bool:
        if not fits:
            self.end(CLOSE_SLOW, "This connection is too slow to keep up. It is opened again.")
        return fits

    async def _write(self) -> None:
        while True:
            text = await self._queue.get()
            try:
                async with asyncio.timeout(self._house.settings.send_timeout_s):
                    await self._socket.send_text(text)
            except (WebSocketDisconnect, TimeoutError):
                return self.end(CLOSE_AWAY, "")

    async def _beat(self) -> None:
        ping = frames.encode(frames.Ping())
        while True:
            await asyncio.sleep(self._house.settings.ping_every_s)
            if self._house.monotonic_s() - self._heard_s > self._house.settings.silent_s:
                return self.end(CLOSE_AWAY, "Nothing was heard for a while.")
            self.take(ping)

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return self.end(0, "")
            self._heard_s = self._house.monotonic_s()
            text = message.get("text")
            try:
                if text is None:
                    raise Malformed(Refused(code="binary", reason="This chat speaks text frames only."))
                await self._handle(frames.parse(text))
            except Malformed as error:
                self._malformed += 1
                await self._answer(error.refused)
            self._heard_s = self._house.monotonic_s()
            if self._malformed >= self._house.settings.malformed_most:
                return self.end(CLOSE_POLICY, "Too many frames could not be read.")

    async def _handle(self, frame: frames.AnyClientFrame) -> None:
        if isinstance(frame, frames.Hello):
            return await self._hello(frame)
        if isinstance(frame, frames.Pong):
            return None
        if not self._session:
            raise Malformed(Refused(code="hello_first", reason="The first frame of a chat is hello."))
        match frame:
            case frames.Say():
                self._page, self._name = frame.page or self._page, frame.name or self._name
                await self._say(frame.id, frame.text, ())
            case frames.File():
                await self._file(frame)
            case frames.Typing() | frames.Seen() if self._house.signs.take(self._session) == 0.0:
                await self._sign(frame)
        return None

    async def _hello(self, frame: frames.Hello) -> None:
        if self._session:
            raise Malformed(Refused(code="hello_twice", reason="This chat has already said hello."))
        known = self._house.signer.session_of(frame.session) if frame.session else None
        if frame.session and known is None:
            raise Malformed(Refused(code="session", reason="This chat is not one of ours. A new one can be started."))
        session = known or self._house.signer.new_session()
        self._name, self._page, self._held = frame.name, frame.page, []
        self._room.leave(self._joined, self)
        self._joined = session
        self._room.join(session, self)
        try:
            past = await self._desk(self._house.desk.history(session, frame.last_seq)) if known else ()
        except Unavailable:
            return await self._later("", "unavailable", "Your chat cannot be loaded at the moment.")
        self._session = session
        self._given_seq = max([frame.last_seq, *(message.seq for message in past)])
        first, rest = tuple(past[:HISTORY_A_FRAME]), past[HISTORY_A_FRAME:]
        token = self._house.signer.session_token(session)
        await self._answer(frames.Welcome(session=token, seq=self._given_seq, history=first))
        for message in rest:
            await self._answer(message)
        held, self._held = self._held or [], None
        for text, seq in held:
            self.take(text, seq)

    async def _say(self, client_id: str, text: str, files: tuple[StoredFile, ...]) -> None:
        wait_s = self._house.says.take(self._session) or self._house.address_says.take(self._address)
        if wait_s:
            reason = "That was quick: the next message can go in a moment."
            return await self._answer(Refused(id=client_id, code="rate", reason=reason, retry_after_s=round(wait_s, 2)))
        at_ms = self._house.now_ms()
        try:
            await self._desk(
                self._house.desk.intake(self._session, client_id, text, self._name, self._page, files, at_ms)
            )
        except Full:
            return await self._later(client_id, "full", "No message can be stored at the moment.")
        except Unavailable:
            return await self._later(client_id, "unavailable", "The desk cannot be reached at the moment.")
        links = tuple(file.link() for file in files)
        mine = OutMessage(seq=0, id=client_id, sender="you", name=self._name, text=text, at_ms=at_ms, files=links)
        self._room.echo(self._session, mine, self)
        return await self._answer(frames.Said(id=client_id, seq=self._given_seq))

    async def _file(self, frame: frames.File) -> None:
        if not frame.token:
            wait_s = self._house.signs.take(self._session)
            if wait_s:
                return await self._later(frame.id, "rate", "That was quick: the next file can go in a moment.", wait_s)
            token = self._house.passes.grant(self._session)
            limit = self._house.settings.upload_max_bytes
            return await self._answer(frames.Upload(id=frame.id, token=token, max_bytes=limit))
        stored = self._house.passes.file_of(frame.token, self._session)
        if stored is None:
            reason = "This file was not uploaded in this chat. Choose it again."
            raise Malformed(Refused(id=frame.id, code="upload", reason=reason))
        return await self._say(frame.id, "", (stored,))

    async def _sign(self, frame: frames.Typing | frames.Seen) -> None:
        """Typing and seen marks are hints: if the desk cannot take one, the next will do."""
        try:
            if isinstance(frame, frames.Typing):
                self._is_typing = frame.on
                await self._desk(self._house.desk.typing(self._session, frame.on))
            elif min(frame.seq, self._given_seq) > self._seen_seq:
                self._seen_seq = min(frame.seq, self._given_seq)
                await self._desk(self._house.desk.seen(self._session, self._seen_seq))
        except Unavailable:
            return

    async def _desk(self, asked: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._house.settings.desk_timeout_s):
                return await asked
        except TimeoutError:
            raise Unavailable from None

    async def _later(self, client_id: str, code: str, reason: str, after_s: float = RETRY_S) -> None:
        await self._answer(Refused(id=client_id, code=code, reason=reason, retry_after_s=round(after_s, 2)))

    async def _answer(self, frame: ServerFrame) -> None:
        """Queue an answer and wait for room: one's own questions are read no faster than the answers are."""
        await self._queue.put(msgspec.json.encode(frame).decode())

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(self._house.settings.send_timeout_s):
                if self._is_typing:
                    await self._sign(frames.Typing(v=frames.VERSION, on=False))
                if code == 0:
                    return
                if code != CLOSE_SLOW:
                    await self._flush(reason)
                await self._socket.close(code, reason)
        except (WebSocketDisconnect, TimeoutError, RuntimeError):
            return  # it went first

    async def _flush(self, reason: str) -> None:
        while not self._queue.empty():
            await self._socket.send_text(self._queue.get_nowait())
        if reason:
            await self._socket.send_text(frames.encode(frames.Bye(reason=reason)))
