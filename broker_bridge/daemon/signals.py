"""What bridges tell each other without storing it: who types, who looks, which thread is watched and which rows, what goes to a browser.

Law: a signal is a hint. A lost one is followed by the next, or found in the log; a strange one is logged and does nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from broker_bridge.daemon import attention
from broker_bridge.daemon.attention import Attention, Word
from broker_bridge.daemon.dispatch import Route
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.staff import Staff

log = logging.getLogger(__name__)


class Signals:
    """Takes `cc.sig.>`; `run` must be running for those that lead to an answer."""

    def __init__(
        self, *, routes: Mapping[str, Route], home: Home, attention: Attention, reading: Reading, staff: Staff
    ) -> None:
        self._routes = routes
        self._home = home
        self._attention = attention
        self._reading = reading
        self._staff = staff
        self._typed: asyncio.Queue[Word] = asyncio.Queue(1_000)

    def heard(self, subject: str, body: bytes) -> None:
        """One signal; only takes note."""
        _, _, kind, rest = (*subject.split(".", 3), "", "", "")[:4]
        if kind == "channel":
            route = self._routes.get(rest)
            if route is not None:
                route.channel.heard(body)
            return
        try:
            since = int(rest)
            if kind == "page":
                page = attention.pages.decode(body)
                self._home.paged(page.who, page.conversations, since)
                return
            word = attention.words.decode(body)
        except ValueError:
            log.warning("a signal could not be read", extra={"kind": kind})
            return
        if word.what == "watch":
            self._home.watch(word.who, word.conversation, since, word.on)
        elif self._attention.told(word):
            self._home.touch(word.conversation)
            if word.what == "typing" and word.who != attention.CUSTOMER and not self._typed.full():
                self._typed.put_nowait(word)

    async def run(self) -> None:
        """Show customers that an agent types: told by the bridge that holds the channel."""
        while True:
            word = await self._typed.get()
            state = self._reading.state(word.conversation)
            way = next(reversed(state.ways.values()), None)
            route = self._routes.get(way.channel) if way else None
            if way is None or route is None or not route.is_held or not route.capabilities.has_typing:
                continue
            if state.owner == word.who:
                try:
                    await route.channel.show_typing(way.address, self._staff.name_of(word.who), word.on)
                except Exception:
                    # The outermost loop of this: a mark that one channel cannot show must not end the bridge.
                    log.exception("typing not shown", extra={"channel": way.channel})
