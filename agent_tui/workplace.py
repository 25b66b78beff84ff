"""What every screen of one agent's window needs beside itself: the desk's state, the link, the drafts, the clock, the signs.

The law: one object of each kind in the process, handed over, never looked up globally. Asking while there is no link is no
error for a screen: the answer is None and the screen stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Protocol

from agent_tui.model.desk import DeskState
from agent_tui.model.drafts import Drafts
from agent_tui.model.glyphs import UNICODE, Glyphs
from agent_tui.model.linked import LinkStatus, NoLink
from agent_tui.model.outbox import Outbox
from agent_tui.model.rows import Moment as Instant
from broker_bridge.contract.commands import Act, Request
from broker_bridge.contract.views import Answer


class LinkLike(Protocol):
    """What the window uses of the link."""

    async def run(self) -> None: ...

    async def ask(self, request: Request, timeout_s: float = 5.0) -> Answer: ...

    def post(self, act: Act) -> None: ...

    def new_id(self) -> str: ...


@dataclass
class Workplace:
    """Built once by the command line (or a test); the app and its screens share it."""

    state: DeskState
    outbox: Outbox
    drafts: Drafts
    now_ms: Callable[[], int]
    tz: tzinfo = UTC
    glyphs: Glyphs = UNICODE
    link: LinkLike | None = None
    status: LinkStatus = field(default_factory=lambda: LinkStatus(since_ms=0))
    dispositions: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Of being away, as the house has them."""
    seen_alerts: set[Hashable] = field(default_factory=set)
    """Keys of a supervisor's alerts that were marked as seen in this window."""

    @property
    def is_up(self) -> bool:
        return self.status.state == "up"

    def at(self) -> Instant:
        """This moment, for everything that shows a clock."""
        return Instant(
            now_ms=self.now_ms(),
            tz=self.tz,
            glyphs=self.glyphs,
            has_link=self.is_up,
            as_of_ms=self.status.as_of_ms or self.state.as_of_ms,
        )

    async def ask(self, request: Request, timeout_s: float = 5.0) -> Answer | None:
        """The answer, or None without a link."""
        if self.link is None:
            return None
        try:
            return await self.link.ask(request, timeout_s)
        except NoLink:
            return None

    def waits_for(self, conversation: str) -> list[Act]:
        """What was pressed for this conversation and has no answer yet."""
        return [act for act in self.outbox.waiting if act.conversation == conversation]
