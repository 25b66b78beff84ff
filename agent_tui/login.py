"""Signing in: with the line that the lead hands over, or with a key made here that the lead lets in.

Law: a seed comes from a prompt that does not show it, from stdin or from a file, never from argv. What was checked is
kept before the server is tried: a server that is away today does not cost the line.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from agent_tui import settings as files
from agent_tui.keeper import Enrollment, Keeper, KeeperError, Ring, enrollment, make_seed, public_of
from agent_tui.settings import Paths, Remembered, check_server
from broker_bridge.contract.subjects import token

if TYPE_CHECKING:
    from agent_tui.link import Outcome

ASK_EVERY_S = 2.0
MOST_LINE = 64 * 1024


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How a login ended."""

    is_kept: bool
    outcome: Outcome | None = None
    """None: the server was not asked."""


class Login:
    """One login at one terminal."""

    def __init__(
        self,
        where: Paths,
        out: TextIO,
        environ: Mapping[str, str] = os.environ,
        *,
        ring: Ring | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._where = where
        self._out = out
        self._keeper = Keeper(where, environ, ring)
        self._pause = pause
        self.kept = ""
        """Where the key lies, once it does."""

    def with_line(self, line: str, *, is_tried: bool = True) -> Tried:
        """Sign in with an enrollment line.

        Raises:
            KeeperError: the line is wrong, or the key cannot be kept.
        """
        found = self.take(line)
        if not is_tried:
            return Tried(is_kept=True)
        outcome = asyncio.run(try_in(found))
        self._say("let in", outcome.sentence, is_done=outcome.state == "up")
        return Tried(is_kept=True, outcome=outcome)

    def take(self, line: str) -> Enrollment:
        """Keep what an enrollment line brings.

        Raises:
            KeeperError: the line is wrong, or the key cannot be kept.
        """
        found = enrollment(line)
        self._keep(found)
        return found

    def make(self, server: str, agent: str) -> Enrollment:
        """Make a key here, or find the one that was made before, and keep it.

        Raises:
            KeeperError: the address or the name is wrong, or the key cannot be kept.
        """
        try:
            check_server(server)
            token(agent)
        except ValueError as error:
            raise KeeperError(f"This cannot be used: {error}.") from error
        old = self._keeper.find(agent, server)
        found = Enrollment(server=server, agent=agent, seed=old.seed if old else make_seed())
        public_of(found.seed)
        self._keep(found)
        return found

    def with_key(self, server: str, agent: str, *, is_waiting: bool = True) -> Tried:
        """Make a key here, show its public half for the lead, and wait until it is let in.

        A second call shows the same key: the lead may already have it.

        Raises:
            KeeperError: the address or the name is wrong, or the key cannot be kept.
        """
        found = self.make(server, agent)
        public = public_of(found.seed)
        self._say("let in", "send this line to your lead, who lets you in:", is_done=False)
        print(f"\n    broker-bridge agent add {agent} --key {public}\n", file=self._out, flush=True)
        if not is_waiting:
            return Tried(is_kept=True)
        return Tried(is_kept=True, outcome=asyncio.run(self._until_let_in(found)))

    def logout(self) -> str:
        """Forget the key and who was here; drafts and what waits stay on disk.

        Raises:
            KeeperError: the keyring does not give it up.
        """
        known = files.remembered(self._where)
        if not known.agent:
            return "Nobody is logged in here."
        self._keeper.forget(known.agent, known.server)
        kept = msgspec.structs.replace(known, server="", agent="", name="", ca="")
        files.remember(self._where, kept)
        return f"The key of {known.agent} is gone from this machine. Your lead can also remove it at the server."

    def _keep(self, found: Enrollment) -> None:
        place = self._keeper.keep(found.agent, found.server, found.seed)
        self.kept = place.sentence
        old = files.remembered(self._where)
        known = Remembered(
            server=found.server,
            agent=found.agent,
            name=found.name,
            ca=found.ca or "",
            theme=old.theme,
            ascii=old.ascii,
        )
        try:
            files.remember(self._where, known)
        except OSError as error:
            raise KeeperError(f"The login cannot be kept: {error.strerror}.") from error
        self._say("server", found.server)
        self._say("name", f"{found.agent}, {found.name}" if found.name else found.agent)
        self._say("key", place.sentence)

    async def _until_let_in(self, found: Enrollment) -> Outcome:
        said = ""
        began_s = time.monotonic()
        while True:
            outcome = await try_in(found)
            if outcome.state == "up":
                self._say("let in", f"{outcome.sentence} It took {time.monotonic() - began_s:.0f} s.")
                return outcome
            waiting = "waiting; this goes on by itself, ctrl+c leaves and keeps the key"
            now = waiting if outcome.state == "denied" else f"{outcome.sentence} {waiting.capitalize()}."
            if now != said:
                self._say("let in", now, is_done=False)
                said = now
            await self._pause(ASK_EVERY_S)

    def _say(self, what: str, words: str, *, is_done: bool = True) -> None:
        marks = "✓◌" if (self._out.encoding or "").lower().replace("-", "") == "utf8" else "v?"
        print(f"{marks[0] if is_done else marks[1]} {what:<8} {words}", file=self._out, flush=True)


async def try_in(found: Enrollment) -> Outcome:
    """One try to sign in; loads the network library."""
    from agent_tui.link import try_once

    return await try_once(server=found.server, agent=found.agent, seed=found.seed, ca=found.ca or "")


def read_line(path: str, source: TextIO) -> str:
    """The enrollment line: from a file, from a pipe, or typed without being shown.

    Raises:
        KeeperError: the file cannot be read, or nothing was given.
    """
    if path and path != "-":
        try:
            line = Path(path).read_text("ascii", errors="replace")[:MOST_LINE]
        except OSError as error:
            raise KeeperError(f"{path} cannot be read: {error.strerror}.") from error
    elif path == "-" or not source.isatty():
        line = source.read(MOST_LINE)
    else:
        line = getpass.getpass("Paste the enrollment line (it is not shown): ", stream=sys.stderr)
    if not line.strip():
        raise KeeperError("No enrollment line was given. Your lead gets one from `broker-bridge agent add`.")
    return line
