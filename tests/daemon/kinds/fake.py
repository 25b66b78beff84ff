"""A channel kind for tests: customers are lines on a loopback socket, the provider is a file.

Law: a line is answered only after intake has it; every send is on disk (fsync) before the provider "answers", so that a killed bridge
cannot take it back. What the provider does is in the text of the reply: `[fail CODE]`, `[fail CODE N]` (the first N times),
`[uncertain N]`, `[slow S]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from broker_bridge.channel import Capabilities, Outbound, SendFailure, SendUncertain, Site, SiteFull, SiteUnavailable
from broker_bridge.contract.envelopes import Envelope, Item, Receipt, Said
from broker_bridge.contract.words import Address, File, Words
from broker_bridge.daemon import crash

CAPABILITIES = Capabilities(word="fake", send_timeout_s=2.0)
_DEED = re.compile(r"\[(fail|uncertain|slow) ?([a-z_]*) ?([0-9.]*)\]")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    folder: str
    """Where `port` (of the customers' socket) and `sent.jsonl` (of the provider) are."""


class Fake:
    def __init__(self, name: str, kind: str, settings: Settings, site: Site, *, drops_repeats: bool) -> None:
        self.name = name
        self._kind = kind
        self._folder = Path(settings.folder)
        self._site = site
        self._drops_repeats = drops_repeats
        self._calls: dict[str, int] = {}

    async def listen(self, ready: Callable[[], None]) -> None:
        server = await asyncio.start_server(self._customer, "127.0.0.1", 0, limit=1 << 21)
        fresh = self._folder / f"port.{os.getpid()}"
        fresh.write_text(str(server.sockets[0].getsockname()[1]))
        fresh.replace(self._folder / "port")
        ready()
        async with server:
            await server.serve_forever()

    async def _customer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._take(json.loads(line))).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _take(self, said: dict[str, Any]) -> dict[str, Any]:
        envelope = Envelope(
            native=said["id"],
            kind=self._kind,
            channel=self.name,
            received_ms=self._site.now_ms(),
            item=_item(said),
        )
        try:
            is_new = await self._site.intake(envelope)
        except (SiteFull, SiteUnavailable) as error:
            return {"ok": False, "why": type(error).__name__}
        return {"ok": True, "new": is_new}

    async def send(self, out: Outbound) -> str:
        attempt = self._calls[out.message] = self._calls.get(out.message, 0) + 1
        found = _DEED.search(out.text)
        deed, what, number = found.groups() if found else ("", "", "")
        if deed == "fail" and attempt <= float(number or 1e9):
            self._record({"message": out.message, "failed": what})
            raise SendFailure(what, "the provider said no")
        if deed == "slow":
            await asyncio.sleep(float(number))
        is_repeat = self._drops_repeats and any(
            one["message"] == out.message and "text" in one for one in sent(self._folder)
        )
        self._record(
            {"message": out.message, "repeat": True}
            if is_repeat
            else {"message": out.message, "text": out.text, "to": out.address, "seq": out.seq}
        )
        crash.point("out.in_call")
        if deed == "uncertain" and attempt <= float(number or 1e9):
            raise SendUncertain("the line broke")
        return f"p-{out.message}"

    def _record(self, what: dict[str, Any]) -> None:
        with (self._folder / "sent.jsonl").open("a") as file:
            file.write(json.dumps(what) + "\n")
            file.flush()
            os.fsync(file.fileno())

    async def show_typing(self, address: str, name: str, on: bool) -> None:
        return None

    def heard(self, body: bytes) -> None:
        return None

    async def check(self) -> list[str]:
        return []

    def routes(self) -> list[Any]:
        return []


def _item(said: dict[str, Any]) -> Item:
    sender = Address(address=said["from"], name=said.get("name", ""))
    if "receipt" in said:
        return Receipt(sender=sender, message=said["message"], state=said["receipt"], reason=said.get("why", ""))
    files = tuple(File(digest=one, name="a.txt", size_bytes=1) for one in said.get("files", ()))
    return Said(sender=sender, words=Words(text=said["text"], name=sender.name, address=sender.address, files=files))


def sent(folder: Path) -> list[dict[str, Any]]:
    """Everything that the provider was given, in order."""
    try:
        return [json.loads(line) for line in (folder / "sent.jsonl").read_text().splitlines()]
    except FileNotFoundError:
        return []


def make(name: str, settings: Settings, site: Site) -> Fake:
    return Fake(name, "fake", settings, site, drops_repeats=False)


def describe(raw: bytes) -> msgspec.Struct:
    return _item(json.loads(raw))
