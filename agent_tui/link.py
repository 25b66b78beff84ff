"""The link to the bridge: requests, the private feed, the outbox. The only file of the terminal that speaks NATS.

Law: the screen is never older than it says. A hole in the feed, a new epoch or 3 s without a beat means a new hello;
a lost connection is told at once and made again without end. Nothing is buffered for a server that is away: a
question fails at once, a wish waits on disk and leaves with the id it was made with.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

import msgspec
import nats.errors
import nkeys
from nats.aio.client import Client
from nats.aio.msg import Msg

from agent_tui.following import NO_BRIDGE, Following
from agent_tui.model.desk import DeskState
from agent_tui.model.linked import LinkStatus, Listener, NoLink, Pace, State
from agent_tui.model.outbox import Outbox
from agent_tui.sending import Sending
from broker_bridge.contract import codec, subjects
from broker_bridge.contract.commands import (
    MAX_REQUEST_BYTES,
    Act,
    Alive,
    Directory,
    Hello,
    Refusal,
    Request,
    Thread,
    Unwatch,
)
from broker_bridge.contract.ids import CommandId, ConversationId, Mint
from broker_bridge.contract.views import Answer, ThreadFeed, ThreadPage, Welcome

__all__ = ["Link", "LinkStatus", "Listener", "NoLink", "Pace", "try_once"]

NO_SERVER = "The server {server} cannot be reached."
UNTRUSTED = "The certificate of {server} is not one that this machine trusts: ask your lead for a new enrollment line."
WAITS = "What you send waits here and leaves by itself."
NOT_LET_IN = "{server} does not let {agent} in: ask your lead whether your key is enrolled."
LOST = "The connection to {server} broke. What you send waits here and leaves by itself."
TOO_LONG = "This is longer than one message may be (128 KiB): make it shorter or send it in parts."
UNREADABLE = "The bridge's answer cannot be read: it may be of a later version than this terminal."
CATCH_UP_PAGES = 5
BEHIND_WAIT_S = 0.2


T = TypeVar("T")


class _Denied(Exception):
    """The server knows who we say we are and says no."""


class _Lost(Exception):
    """This connection is over."""


async def _heeding(work: Coroutine[Any, Any, T]) -> T:
    """`work` of the library in a task of its own: its flush swallows a cancellation (nats-py 2.16.0), this does not.

    (`Task.cancelling()` cannot tell: a TaskGroup of Python 3.11 leaves it above zero in the task that ran it.)
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    return task.result()


class _Client(Client):
    """A client that never speaks in the clear where the address says tls."""

    wants_tls = False

    def _connect_command(self) -> bytes:
        # The library upgrades only if the server offers it; the signature must not be given to one that does not.
        if self.wants_tls and not self._server_info.get("tls_required"):
            raise nats.errors.Error("the server offers no TLS")
        command: bytes = super()._connect_command()
        return command


class _Wire:
    """One connection: made once, used until it is lost, never made again."""

    def __init__(self, agent: str) -> None:
        self.lost = asyncio.Event()
        self._client = _Client()
        self._inbox = f"{subjects.inbox(agent)}.{random.getrandbits(60):x}"
        self._agent = agent
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._denial = ""

    async def open(
        self, server: str, seed: str, ca: str, timeout_s: float, arrived: Callable[[str, bytes], None]
    ) -> None:
        """Connect and listen.

        Raises:
            _Denied: the key is not enrolled, or may not do what a desk must.
            NoLink: no server, or not the one that we trust; with the sentence.
        """
        self._client.wants_tls = server.startswith("tls:")

        async def on_feed(msg: Msg) -> None:
            arrived(msg.subject, msg.data)

        try:
            async with asyncio.timeout(timeout_s):
                await self._connect(server, seed, ca, timeout_s)
                await _heeding(self._client.subscribe(f"{self._inbox}.*", cb=self._on_answer))
                await _heeding(self._client.subscribe(subjects.view(self._agent) + ".>", cb=on_feed))
                # The server's word on the subscriptions comes before its pong.
                await _heeding(self._client.flush(timeout=max(1, int(timeout_s))))
        except ssl.SSLError as error:
            raise NoLink(UNTRUSTED.format(server=server)) from error
        except (nkeys.NkeysError, ValueError) as error:
            # A seed or an address that nobody checked before: no waiting makes it right.
            raise _Denied from error
        except (nats.errors.Error, OSError, TimeoutError) as error:
            if self.is_denied or "authorization violation" in str(error).lower():
                raise _Denied from error
            raise NoLink(NO_SERVER.format(server=server)) from error
        if self.is_denied:
            raise _Denied

    @property
    def is_denied(self) -> bool:
        return bool(self._denial) or isinstance(self._client.last_error, nats.errors.AuthorizationError)

    async def _connect(self, server: str, seed: str, ca: str, timeout_s: float) -> None:
        await _heeding(
            self._client.connect(
                server,
                name=f"desk {self._agent}",
                nkeys_seed_str=seed,
                inbox_prefix=subjects.inbox(self._agent),
                tls=ssl.create_default_context(cadata=ca or None) if self._client.wants_tls else None,
                # This connection is never made again: what the desk does after a loss is the desk's own affair.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=max(1, int(timeout_s)),
                ping_interval=5,
                max_outstanding_pings=2,
                error_cb=self._on_error,
                disconnected_cb=self._on_lost,
                closed_cb=self._on_lost,
            )
        )

    async def call(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        """The answer to one request.

        Raises:
            NoLink: nobody answered in time, nobody listens, or the connection was lost.
        """
        if self.lost.is_set():
            raise NoLink(NO_BRIDGE)
        number = str(next(self._numbers))
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await _heeding(self._client.publish(subject, body, reply=f"{self._inbox}.{number}"))
                msg = await answer
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise NoLink(NO_BRIDGE) from error
        finally:
            del self._waiting[number]
        if (msg.headers or {}).get("Status") == "503":
            raise NoLink(NO_BRIDGE)
        return bytes(msg.data)

    async def measure_ms(self, timeout_s: float) -> int | None:
        """Milliseconds to the server and back; None if it did not answer."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            await _heeding(self._client.flush(timeout=max(1, int(timeout_s))))
        except (nats.errors.Error, OSError, TimeoutError):
            return None
        return round((loop.time() - began_s) * 1000)

    async def close(self) -> None:
        # The library asserts that a client which is closed was once told to connect to something.
        with suppress(nats.errors.Error, OSError, TimeoutError, AssertionError):
            async with asyncio.timeout(2):
                await _heeding(self._client.close())

    async def _on_answer(self, msg: Msg) -> None:
        waiting = self._waiting.get(msg.subject.rpartition(".")[2])
        if waiting is not None and not waiting.done():
            waiting.set_result(msg)

    async def _on_error(self, error: Exception) -> None:
        if "permissions violation for subscription" in str(error).lower():
            self._denial = "subscription"
            await self._on_lost()

    async def _on_lost(self) -> None:
        self.lost.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NoLink(NO_BRIDGE))


class Link:
    """What the window knows of the world outside. All of it runs on the loop that runs `run`."""

    def __init__(
        self,
        *,
        server: str,
        agent: str,
        seed: str,
        state: DeskState,
        outbox: Outbox,
        listener: Listener,
        now_ms: Callable[[], int],
        device: str,
        mint: Mint,
        ca: str = "",
        keep: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
    ) -> None:
        """Nothing happens before `run`.

        `ca`: the certificates (PEM) that `tls://` trusts; empty = the system's. `keep`: called every few seconds of a
        live link, to keep a snapshot.
        """
        self._server, self._agent, self._seed, self._ca = server, agent, seed, ca
        self._state, self._outbox, self._listener = state, outbox, listener
        self._now_ms, self._mint, self._keep = now_ms, mint, keep
        self._pace = pace or Pace()
        self._wire: _Wire | None = None
        self._seen = 0
        self._watched: dict[ConversationId, Thread] = {}
        self._mood: State = "connecting"
        self._since_ms = now_ms()
        self._sentence = ""
        self._round_trip_ms: int | None = None
        self._sending = Sending(outbox, self._send, listener.settled, self._pace, random.random)
        self._following = Following(
            state, listener, self._ask_hello, self._tell, now_ms, device, self._pace, random.random
        )

    @property
    def status(self) -> LinkStatus:
        return LinkStatus(
            state=self._mood,
            since_ms=self._since_ms,
            as_of_ms=self._state.as_of_ms,
            round_trip_ms=self._round_trip_ms,
            sentence=self._sentence,
        )

    @property
    def welcome(self) -> Welcome | None:
        """What the bridge said at the last hello: dispositions, the address of its chat page."""
        return self._following.welcome

    def new_id(self) -> CommandId:
        """The id of a new wish; made once for each press of a key."""
        return self._mint.new(self._now_ms())

    def post(self, act: Act) -> None:
        """Keep a wish on disk and send it as soon as can be; `listener.settled` brings the answer, maybe days later.

        Raises:
            OSError: the disk does not take it: nothing was sent, tell the agent.
        """
        if len(codec.encode(act)) > MAX_REQUEST_BYTES - 64:
            refusal = Refusal(code="bad", sentence=TOO_LONG)
            asyncio.get_running_loop().call_soon(self._listener.settled, act, refusal)
            return
        self._outbox.put(act)
        self._sending.wake()

    async def ask(self, request: Request, timeout_s: float = 5.0) -> Answer:
        """The bridge's answer to a question. A refusal is an answer.

        Raises:
            NoLink: at once when the link is not up, or after `timeout_s`. The message is a sentence.
        """
        self._watch(request)
        if self._mood != "up":
            raise NoLink(self._sentence or LOST.format(server=self._server))
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        answer = await self._call(request, timeout_s)
        while isinstance(answer, Refusal) and answer.code == "behind" and loop.time() + BEHIND_WAIT_S < end_s:
            await asyncio.sleep(BEHIND_WAIT_S)
            answer = await self._call(request, end_s - loop.time())
        if isinstance(request, Thread) and isinstance(answer, Refusal):
            self._watched.pop(request.conversation, None)
        return answer

    async def run(self) -> None:
        """Keep the link until cancelled."""
        while True:
            wait_s = self._pace.retry_s
            wire = _Wire(self._agent)
            try:
                await wire.open(self._server, self._seed, self._ca, self._pace.connect_s, self._following.arrived)
                await self._live(wire)
            except _Denied:
                self._tell("denied", NOT_LET_IN.format(server=self._server, agent=self._agent))
                wait_s = self._pace.denied_retry_s
            except NoLink as error:
                self._tell("down", f"{error} {WAITS}")
            finally:
                self._wire = None
                self._sending.go(False)
                await wire.close()
            await asyncio.sleep(wait_s * (1 + random.random()))

    async def _live(self, wire: _Wire) -> None:
        """Use one connection until it is lost.

        Raises:
            _Denied: it was lost because the server no longer lets us in.
        """
        self._wire = wire

        async def end() -> None:
            await wire.lost.wait()
            raise _Lost

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(end())
                group.create_task(self._following.run(self._catch_up))
                group.create_task(self._sending.run())
                group.create_task(self._measure(wire))
                group.create_task(self._keep_snapshots())
                group.create_task(self._stay())
        except* _Lost:
            pass
        if wire.is_denied:
            raise _Denied
        self._tell("down", LOST.format(server=self._server))

    async def _measure(self, wire: _Wire) -> None:
        while True:
            round_trip_ms = await wire.measure_ms(self._pace.answer_s)
            if round_trip_ms != self._round_trip_ms:
                self._round_trip_ms = round_trip_ms
                self._listener.link_changed(self.status)
            await asyncio.sleep(self._pace.measure_s)

    async def _stay(self) -> None:
        """Tell the bridge that somebody sits here, so that the agent does not count as silent."""
        while True:
            await asyncio.sleep(self._pace.alive_s)
            with contextlib.suppress(NoLink, TimeoutError):
                await self._call(Alive(), self._pace.answer_s)

    async def _keep_snapshots(self) -> None:
        while True:
            await asyncio.sleep(self._pace.keep_s)
            self._keep()

    async def _call(self, request: Request, timeout_s: float) -> Answer:
        if self._wire is None:
            raise NoLink(self._sentence)
        verb = str(request.__struct_config__.tag)
        if not isinstance(request, Hello):
            request = msgspec.structs.replace(request, min=max(request.min, self._seen, self._state.upto))
        body = codec.encode(request)
        if len(body) > MAX_REQUEST_BYTES:
            return Refusal(code="bad", sentence=TOO_LONG)
        try:
            answer = codec.answer(await self._wire.call(subjects.do(self._agent, verb), body, timeout_s))
        except codec.Malformed:
            return Refusal(code="unavailable", sentence=UNREADABLE, is_retryable=isinstance(request, Act))
        if not isinstance(request, Hello):
            self._seen = max(self._seen, answer.upto)
        return answer

    async def _ask_hello(self, hello: Hello) -> Answer:
        if hello.since == 0:
            # Everything anew: what was seen may have been of a log that is no more.
            self._seen = 0
        return await self._call(hello, self._pace.hello_s)

    async def _send(self, act: Act) -> Answer:
        return await self._call(act, self._pace.answer_s)

    def _watch(self, request: Request) -> None:
        """What the window wants to follow holds with and without a link: the next welcome makes it so."""
        if isinstance(request, Thread) and request.watch:
            self._watched[request.conversation] = request
        elif isinstance(request, Unwatch):
            self._watched.pop(request.conversation, None)

    async def _catch_up(self, upto: int) -> None:
        """Watch again what was watched, and bring what changed meanwhile: a new feed knows nothing of the old one's."""
        for request in list(self._watched.values()):
            before: int | None = None
            for _ in range(CATCH_UP_PAGES):
                try:
                    page = await self._call(
                        msgspec.structs.replace(request, before=before, watch=before is None), self._pace.answer_s
                    )
                except NoLink:
                    return
                if not isinstance(page, ThreadPage):
                    break
                self._listener.thread_changed(_as_feed(page, self._state.epoch))
                if not page.has_more or not page.items or page.items[0].seq <= upto:
                    break
                before = page.items[0].seq

    def _tell(self, mood: State, sentence: str) -> None:
        self._sending.go(mood == "up")
        if (mood, sentence) == (self._mood, self._sentence):
            return
        if mood != self._mood:
            self._since_ms = self._now_ms()
        self._mood, self._sentence = mood, sentence
        if mood != "up":
            self._round_trip_ms = None
        self._listener.link_changed(self.status)


def _as_feed(page: ThreadPage, epoch: str) -> ThreadFeed:
    return ThreadFeed(
        epoch=epoch,
        n=0,
        upto=page.upto,
        conv=page.row.conv,
        row=page.row,
        items=page.items,
        seen=page.seen,
        reach=page.reach,
    )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try to sign in."""

    state: State
    sentence: str
    round_trip_ms: int | None = None


async def try_once(*, server: str, agent: str, seed: str, ca: str = "", timeout_s: float = 5.0) -> Outcome:
    """Sign in, ask one harmless question, leave. `up`: a bridge answered; `down`: no server or no bridge; `denied`."""
    wire = _Wire(agent)
    try:
        await wire.open(server, seed, ca, timeout_s, lambda subject, body: None)
        round_trip_ms = await wire.measure_ms(timeout_s)
        answer = codec.answer(await wire.call(subjects.do(agent, "directory"), codec.encode(Directory()), timeout_s))
    except _Denied:
        return Outcome(state="denied", sentence=NOT_LET_IN.format(server=server, agent=agent))
    except NoLink as error:
        return Outcome(state="down", sentence=str(error))
    except codec.Malformed:
        return Outcome(state="down", sentence=UNREADABLE)
    finally:
        await wire.close()
    if isinstance(answer, Refusal) and answer.code in ("denied", "version"):
        return Outcome(state="denied", sentence=answer.sentence)
    return Outcome(state="up", sentence=f"{agent} is let in at {server}.", round_trip_ms=round_trip_ms)
