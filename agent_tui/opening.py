"""Opening one agent's desk: settings, keys, what was kept on disk, and later the link.

Law: everything that can be refused is refused before the window opens, with a sentence. The link is made after the
first paint: its library is a third of the start.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from logging.handlers import RotatingFileHandler
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from agent_tui.keeper import Keeper, KeeperError, Ring
from agent_tui.keys import KeyTable, table
from agent_tui.model import kept
from agent_tui.model.desk import DeskState
from agent_tui.model.drafts import Drafts
from agent_tui.model.glyphs import ASCII, UNICODE
from agent_tui.model.linked import LinkStatus, Listener, NoLink
from agent_tui.model.notifyrules import Terminal, terminal
from agent_tui.model.outbox import Outbox
from agent_tui.settings import DeskPaths, Paths, Settings, remember, remembered, wants_ascii
from agent_tui.workplace import LinkLike, Workplace
from broker_bridge.contract.commands import Act, Request
from broker_bridge.contract.ids import Mint
from broker_bridge.contract.views import Answer

MAX_SNAPSHOT_ROWS = 1_000
"""More than a screen holds, and few enough that reading them is not felt at the start (a row is 10 us)."""
_LOG_BYTES = 1_000_000


class NotLoggedIn(Exception):
    """A sentence: what to do first."""


class Barred:
    """Stands in for a link that cannot be: the desk is read as it was, what is sent waits, and the banner says why."""

    def __init__(self, sentence: str, place: Workplace, listener: Listener, mint: Mint) -> None:
        self._sentence = sentence
        self._place = place
        self._listener = listener
        self._mint = mint

    async def run(self) -> None:
        now, as_of = self._place.now_ms(), self._place.state.as_of_ms
        self._listener.link_changed(LinkStatus(state="denied", since_ms=now, as_of_ms=as_of, sentence=self._sentence))
        await asyncio.Event().wait()

    async def ask(self, request: Request, timeout_s: float = 5.0) -> Answer:
        raise NoLink(self._sentence)

    def post(self, act: Act) -> None:
        self._place.outbox.put(act)

    def new_id(self) -> str:
        return self._mint.new(self._place.now_ms())


@dataclass
class Opening:
    """One agent's desk on this machine, ready for a window."""

    settings: Settings
    paths: Paths
    keys: KeyTable
    place: Workplace
    terminal: Terminal
    device: str
    seed: str = ""
    """Of a demo, which keeps it elsewhere; empty = the keeper has it. Never shown, never logged."""
    ring: Ring | None = None
    kept_upto: int = 0
    """How far the snapshot on disk goes."""

    def __repr__(self) -> str:
        return f"Opening(agent={self.settings.agent!r}, server={self.settings.server!r})"

    @property
    def desk_paths(self) -> DeskPaths:
        return self.paths.desk(self.settings.agent, self.settings.server)

    def link(self, listener: Listener) -> LinkLike:
        """Make the link. Loads the keyring and the network library: call it after the first paint.

        Without a usable key it is a link that never comes up and says why.
        """
        mint = Mint(random.getrandbits(20), random.getrandbits(40))
        try:
            seed = self.seed or self._kept_seed()
        except KeeperError as error:
            return Barred(str(error), self.place, listener, mint)
        from agent_tui.link import Link

        # What was loaded until now stays: a collection that walks through it costs a key press 70 ms at a million rows.
        gc.collect()
        gc.freeze()
        return Link(
            server=self.settings.server,
            agent=self.settings.agent,
            seed=seed,
            ca=self.settings.ca,
            state=self.place.state,
            outbox=self.place.outbox,
            listener=listener,
            now_ms=self.place.now_ms,
            device=self.device,
            mint=mint,
            keep=self.save_snapshot,
        )

    def _kept_seed(self) -> str:
        agent, server = self.settings.agent, self.settings.server
        found = Keeper(self.paths, os.environ, self.ring).find(agent, server)
        if found is None:
            raise KeeperError(f"There is no key for {agent} at {server} on this machine. Run `agent-tui login`.")
        return found.seed

    def remember_looks(self, theme: str, is_ascii: bool) -> None:
        """What was chosen by a key, for the next start; settings.toml wins over it."""
        known = msgspec.structs.replace(remembered(self.paths), theme=theme, ascii=is_ascii)
        try:
            remember(self.paths, known)
        except OSError as error:
            logging.getLogger(__name__).warning("looks not remembered", extra={"errno": error.errno})

    def save_snapshot(self) -> None:
        """Keep the rows for the first paint of the next start. A disk that does not take them costs only that.

        Nothing is written where nothing was stored since, and nothing of a state that is not the whole desk yet.
        """
        state = self.place.state
        if state.upto == self.kept_upto:
            return
        self.kept_upto = state.upto
        try:
            data = state.snapshot(self.settings.agent, state.as_of_ms, MAX_SNAPSHOT_ROWS)
            kept.write(self.desk_paths.snapshot, data, is_synced=False)
        except OSError as error:
            logging.getLogger(__name__).warning("snapshot not kept", extra={"errno": error.errno})

    def close(self) -> None:
        """At the end of the window."""
        self.save_snapshot()
        self.place.outbox.close()


def open_desk(
    settings: Settings,
    where: Paths,
    environ: Mapping[str, str] = os.environ,
    *,
    seed: str = "",
    ring: Ring | None = None,
) -> Opening:
    """Everything but the link. `seed`: of a demo, which keeps it elsewhere.

    Raises:
        NotLoggedIn: no server or no agent is known.
        KeeperError: others can read the key.
        KeyTableError: [keys] of the settings cannot be used.
        OutboxTaken, OSError: the state folder cannot be used.
    """
    if not settings.server or not settings.agent:
        raise NotLoggedIn("Nobody is logged in here yet. Run `agent-tui login`, or `agent-tui demo` to look around.")
    keys = table(settings.keys)
    if not seed:
        Keeper(where, environ, ring).check(settings.agent, settings.server)
    desk = where.desk(settings.agent, settings.server)
    state = DeskState()
    state.restore(kept.read(desk.snapshot) or b"", settings.agent)
    start_ms = now_ms()
    place = Workplace(
        state=state,
        outbox=Outbox(desk.outbox),
        drafts=Drafts(desk.drafts, start_ms),
        now_ms=now_ms,
        tz=local_zone(environ),
        glyphs=ASCII if wants_ascii(settings, environ) else UNICODE,
        status=LinkStatus(since_ms=start_ms, as_of_ms=state.as_of_ms),
    )
    return Opening(
        settings=settings,
        paths=where,
        keys=keys,
        place=place,
        terminal=terminal(environ),
        device=socket.gethostname()[:60],
        seed=seed,
        ring=ring,
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def local_zone(environ: Mapping[str, str] = os.environ, localtime: Path = Path("/etc/localtime")) -> tzinfo:
    """This machine's time zone with its rules, so that a date in another season is right too."""
    try:
        if name := environ.get("TZ", "").lstrip(":"):
            return ZoneInfo(name)
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key="localtime")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.now().astimezone().tzinfo or ZoneInfo("UTC")


def log_to(path: Path) -> None:
    """Warnings and worse go to a file: the screen belongs to the window."""
    kept.folder(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, kept.FILE_MODE))
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
