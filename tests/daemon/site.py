"""A whole site for tests: a folder, a bridge in its own process, customers and agents that speak to it, and the books afterwards.

The bridge runs the product's own `broker-bridge run`; the launcher only lets it find the channel kinds of the tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import Mint
from broker_bridge.contract.words import opened
from broker_bridge.core import conversation, delivery
from broker_bridge.daemon import admin, config, visiting
from broker_bridge.daemon.accounts import INBOX_BRIDGE, make_seed
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.office import LedgerLine, NewAgent
from broker_bridge.daemon.run import bridge_seed
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.secrets import Secrets, site_key
from broker_bridge.daemon.wire import BusError, Unknown
from tests.daemon.kinds.fake import sent
from tests.until import until

ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = Path(__file__).resolve().parent / "kinds"
LAUNCH = (
    "import sys, broker_bridge.channels as kinds; kinds.__path__.append(sys.argv.pop(1)); "
    "from broker_bridge.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
START_BOUND_S = 60.0

V = TypeVar("V")


class Site:
    """One bridge's folder and its process. `peer` makes a second bridge on the same broker."""

    def __init__(self, folder: Path, name: str = "one") -> None:
        self.folder = folder / name
        self.name = name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.post = folder / "post"
        """The customers' and the provider's folder, shared by all bridges of the site."""
        for channel in ("fake", "sure"):
            (self.post / channel).mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.seeds: dict[str, str] = {}
        self.mint = Mint(1, 1)
        self._now_ms = 1_000
        self._starts = 0

    # the folder

    def configure(self, *, broker: str = "port = 0", offer_timeout_s: int = 20, more: str = "") -> None:
        channels = "\n".join(
            f'[[channel]]\nname = "{name}"\nkind = "{kind}"\nqueue = "support"\n'
            f"[channel.settings]\nfolder = {json.dumps(str(self.post / name))}"
            for name, kind in (("fake", "fake"), ("sure", "fakesure"))
        )
        (self.folder / "bridge.toml").write_text(
            f'[site]\nstate_dir = "state"\n[broker]\n{broker}\n[web]\nport = 0\n'
            f"[desk]\noffer_timeout_s = {offer_timeout_s}\n"
            f'[[queue]]\nname = "support"\n[[queue]]\nname = "sales"\n{channels}\n{more}\n'
        )

    @property
    def config(self) -> config.Config:
        return config.load(self.folder / "bridge.toml", {})

    def peer(self, name: str = "two") -> Site:
        """A second bridge: external mode on this one's broker, the same site key."""
        other = Site(self.folder.parent, name)
        state = self.config.state_dir
        for file in ("bridge.seed", "site.key"):
            if (state / file).exists():
                copy = other.folder / file
                copy.write_bytes((state / file).read_bytes())
                copy.chmod(0o600)
        url = visiting.endpoint(self.config)["broker"]
        other.configure(broker=f'mode = "external"\nurl = "{url}"\nseed = "file:bridge.seed"')
        toml = other.folder / "bridge.toml"
        toml.write_text(toml.read_text().replace("[site]\n", '[site]\nkey = "file:site.key"\n'))
        other.seeds = self.seeds
        other.mint = self.mint
        return other

    # the process

    async def start(self, crash_at: str = "", env: Mapping[str, str] | None = None) -> None:
        """Start the bridge and wait until it is ready."""
        await self.launch(crash_at, env)
        await until(self.is_ready, bound_s=START_BOUND_S, saying=lambda: f"the bridge is not ready: {self.said()}")

    async def launch(self, crash_at: str = "", env: Mapping[str, str] | None = None) -> None:
        self._starts += 1
        with self._file("out").open("wb") as out, self._file("err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCH, str(KINDS), "run", "--config", str(self.folder / "bridge.toml")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    **({"ONEWINDOW_CRASH_AT": crash_at} if crash_at else {}),
                    **(env or {}),
                },
            )

    def _file(self, stream: str) -> Path:
        return self.folder / f"{self._starts}.{stream}"

    def is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the bridge ended with {self.process.returncode}: {self.said()}")
        return b"broker-bridge: ready" in self._file("out").read_bytes()

    def said(self) -> str:
        """Everything that all runs of this bridge wrote."""
        return "".join(
            file.read_text("utf-8", "backslashreplace")
            for file in sorted(self.folder.iterdir())
            if file.suffix in (".out", ".err")
        )

    async def dies(self, bound_s: float = 30.0) -> None:
        """Wait for the end by a crash point."""
        process = self.process
        assert process is not None
        await until(lambda: process.poll() is not None, bound_s=bound_s, saying="the crash point was not passed")
        assert process.returncode == -signal.SIGKILL, self.said()

    def kill(self) -> None:
        """kill -9 of the bridge."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    async def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; gives the exit code."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(sign)
        try:
            await until(lambda: process.poll() is not None, bound_s=40.0)
        except AssertionError:
            process.kill()
            raise
        return int(process.returncode)

    def broker_pid(self) -> int:
        return int((self.config.state_dir / "broker" / "nats.pid").read_text())

    # people

    async def enroll(self, agent: str, *, role: str = "agent", queues: tuple[str, ...] = (), capacity: int = 6) -> None:
        keys = make_seed()
        self.seeds[agent] = keys.seed
        await admin.agent_add(
            self.config,
            NewAgent(
                agent=agent,
                name=agent.title(),
                public_key=keys.public,
                role=role,
                queues=queues,
                capacity=capacity,
            ),
        )

    @asynccontextmanager
    async def agent(self, name: str) -> AsyncIterator[Agent]:
        bus = await until(lambda: self._connect(name), saying="the agent is let in")
        try:
            yield Agent(bus, name, self.mint)
        finally:
            await bus.close()

    async def _connect(self, name: str) -> Bus | None:
        try:
            return await Bus.connect(
                visiting.endpoint(self.config)["broker"].split(","),
                seed=self.seeds[name],
                name=name,
                inbox_prefix=f"_INBOX_{name}",
                on_closed=lambda: None,
                timeout_s=5.0,
            )
        except BusError:
            return None

    async def insist_as(self, name: str, request: c.Request) -> v.Answer:
        """A terminal's request, repeated over new connections until it is answered: a command is done once by its id."""

        async def answered() -> v.Answer | None:
            bus = await self._connect(name)
            if bus is None:
                return None
            try:
                return codec.answer(
                    await bus.request(f"cc.do.{name}.{request.__struct_config__.tag}", codec.encode(request), 5.0)
                )
            except BusError:
                return None
            finally:
                await bus.close()

        return await until(answered, bound_s=60.0, saying="the request is not answered")

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Bus]:
        """The bridge's own rights."""
        site_config = self.config
        bus = await Bus.connect(
            visiting.endpoint(site_config)["broker"].split(","),
            seed=bridge_seed(site_config, Secrets(self.folder)),
            name="test",
            inbox_prefix=INBOX_BRIDGE,
            on_closed=lambda: None,
        )
        try:
            yield bus
        finally:
            await bus.close()

    # customers

    async def deliver(self, items: Iterable[dict[str, Any]], channel: str = "fake") -> list[dict[str, Any]]:
        """Say items over one connection, one after the other; what was acknowledged before the connection broke."""
        told = []
        try:
            port = int((self.post / channel / "port").read_text())
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 21)
        except (OSError, ValueError):
            return []
        try:
            for item in items:
                writer.write(json.dumps(item).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
                if not line:
                    break
                answer = json.loads(line)
                if not answer["ok"]:
                    break
                told.append({**item, "new": answer["new"]})
        except OSError:
            pass
        finally:
            writer.close()
        return told

    async def insist(self, items: Iterable[dict[str, Any]], channel: str = "fake", bound_s: float = 90.0) -> None:
        """As a real sender: keeps what was not acknowledged, and repeats it with the same id."""
        left = list(items)

        async def again() -> bool:
            nonlocal left
            left = left[len(await self.deliver(left, channel)) :]
            return not left

        await until(again, bound_s=bound_s, saying=lambda: f"{len(left)} items are not acknowledged")

    def provider(self, channel: str = "fake") -> list[dict[str, Any]]:
        """What the provider was given to deliver, repeats that it dropped left out."""
        return [one for one in sent(self.post / channel) if "text" in one]

    def calls(self, channel: str = "fake") -> list[dict[str, Any]]:
        """Every call of the provider."""
        return sent(self.post / channel)

    # the books

    async def log(self) -> list[tuple[int, str, Entry]]:
        """All of LOG, opened: (sequence, subject, entry)."""
        found = []
        site_config = self.config
        async with self.bus() as bus:
            key = site_key(site_config.state_dir, site_config.site.key, Secrets(self.folder), may_make=False)
            sealer = Sealer(key, await bus.kv("keys"))
            async for item in visiting.all_items(bus, "LOG", "cc.log.>"):
                try:
                    found.append((item.seq, item.subject, await sealer.open_entry(codec.entry(item.body))))
                except codec.Malformed:
                    continue
        return found

    async def books(self) -> dict[str, LedgerLine]:
        """`broker-bridge audit`, once nothing is pending."""

        async def settled() -> list[LedgerLine] | None:
            try:
                lines = await admin.audit(self.config)
            except BusError:
                # A cluster that has just lost a node may not answer yet.
                return None
            return lines if not any(line.pending for line in lines) else None

        lines = await until(settled, bound_s=60.0, saying="items stay pending")
        return {line.channel: line for line in lines}


class Agent:
    """One terminal, without its screen."""

    def __init__(self, bus: Bus, name: str, mint: Mint) -> None:
        self.bus = bus
        self.name = name
        self._mint = mint

    async def ask(self, request: c.Request, timeout_s: float = 10.0) -> v.Answer:
        """As a terminal does: what is not answered is asked again with the same id (a broker that lets somebody in looks away)."""
        verb = request.__struct_config__.tag

        async def answered() -> bytes | None:
            try:
                return await self.bus.request(f"cc.do.{self.name}.{verb}", codec.encode(request), timeout_s)
            except Unknown:
                return None

        return codec.answer(await until(answered, bound_s=30.0, saying="the desks are not served"))

    async def get(self, request: c.Request, kind: type[V]) -> V:
        answer = await self.ask(request)
        assert isinstance(answer, kind), answer
        return answer

    def new_id(self) -> str:
        return self._mint.new(1_700_000_000_000)

    async def rows(self, view: str = "all", limit: int = 100) -> list[v.Row]:
        """Every row of a view, page by page."""
        found: list[v.Row] = []
        while True:
            page = await self.get(c.Rows(view=view, start=len(found), limit=limit), v.RowPage)
            found += page.rows
            if len(found) >= page.total or not page.rows:
                return found

    async def row(self, text: str, view: str = "all") -> v.Row:
        """The row that shows this text, once it is there."""

        async def shown() -> v.Row | None:
            return next((row for row in await self.rows(view) if text in row.text), None)

        return await until(shown, bound_s=60.0, saying=f"no row shows {text!r}")

    async def thread(self, conv: str, **more: Any) -> v.ThreadPage:
        return await self.get(c.Thread(conversation=conv, **more), v.ThreadPage)

    async def accept(self, conv: str) -> None:
        await self.get(c.Accept(id=self.new_id(), conversation=conv), c.Done)

    async def reply(self, conv: str, text: str, channel: str = "fake", **more: Any) -> str:
        """Answer; gives the message's id once it is accepted."""
        done = await self.get(
            c.Reply(id=self.new_id(), conversation=conv, text=text, channel=channel, anyway=True, **more), c.Done
        )
        assert done.message
        return done.message

    async def reply_surely(self, conv: str, text: str, channel: str = "fake") -> str:
        """Answer through an outage: the same command until it is answered."""
        reply = c.Reply(id=self.new_id(), conversation=conv, text=text, channel=channel, anyway=True)

        async def accepted() -> str | None:
            try:
                answer = await self.ask(reply)
            except BusError:
                return None
            if isinstance(answer, c.Refusal) and answer.is_retryable:
                return None
            assert isinstance(answer, c.Done), answer
            return answer.message

        return await until(accepted, bound_s=60.0, saying="the reply is not accepted")

    async def delivery(self, conv: str, message: str) -> str:
        page = await self.thread(conv)
        return next((item.delivery for item in page.items if item.id == message), "")

    async def settles(self, conv: str, message: str, state: str, bound_s: float = 30.0) -> None:
        async def is_so() -> bool:
            return await self.delivery(conv, message) == state

        await until(is_so, bound_s=bound_s, saying=f"{message} does not become {state}")


def item(number: int | str, sender: str, text: str, **more: Any) -> dict[str, Any]:
    """One customer's message as the channel `fake` takes it."""
    return {"id": f"n{number}", "from": sender, "text": text, **more}


async def assert_promises(site: Site, acknowledged: Iterable[dict[str, Any]], channel: str = "fake") -> None:
    """Promises 1, 2, 4, 5 and 10 over everything that happened: read from LOG, DEAD and the provider, not from counters."""
    line = (await site.books())[channel]
    assert (line.gap, line.missing, line.doubled) == (0, (), ()), line
    history: dict[str, list[tuple[int, Entry]]] = {}
    shown: Counter[str] = Counter()
    for seq, subject, entry in await site.log():
        if subject.startswith("cc.log.conv."):
            history.setdefault(subject, []).append((seq, entry))
            shown.update(
                opened(fact.words).text
                for fact in entry.facts
                if isinstance(fact, f.Received) and fact.channel == channel
            )
    wanted = {one["text"] for one in acknowledged}
    assert wanted <= set(shown), f"lost: {sorted(wanted - set(shown))[:5]}"
    assert max(shown.values(), default=1) == 1, f"doubled: {[text for text, n in shown.items() if n > 1][:5]}"
    given = Counter(one["message"] for one in site.provider(channel))
    assert max(given.values(), default=1) == 1, f"sent twice: {given.most_common(3)}"
    for subject, entries in history.items():
        state = conversation.fold_all(subject.rpartition(".")[2], entries)
        assert not state.out, f"no end: {state.out}"
        for message, end in state.ends.items():
            if end in (delivery.SENT, delivery.DELIVERED, delivery.READ):
                assert given[message] == 1 or message not in given, (message, end)


def as_json(struct: msgspec.Struct) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(codec.encode(struct))
    return decoded
