"""Who comes to work and goes, as terminals say it: presence is chosen, forced by a supervisor, or kept alive by a word.

Law: whoever was off is ready when their terminal comes; a second terminal, or one that comes back, changes nothing. What was chosen is
noted for the reports of shifts, too.
"""

from __future__ import annotations

from collections.abc import Callable

from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from broker_bridge.core.actor import LONGEST_AHEAD_MS, Actor
from broker_bridge.core.decision import refuse
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.shifts import Shifts
from broker_bridge.daemon.staff import Staff

BACK_BEFORE_MS = 86_400_000
"""How far a terminal's clock may be behind."""
PRESENCES = ("ready", "busy", "away", "transfer_only", "off")
"""What may be chosen; wrap-up and silence come by themselves."""

Answer = v.Answer


class Attendance:
    """One for each bridge."""

    def __init__(
        self,
        *,
        staff: Staff,
        shifts: Shifts,
        rulebook: Rulebook,
        follower: Follower,
        home: Home,
        audit: Audit,
        now_ms: Callable[[], int],
    ) -> None:
        self._staff = staff
        self._shifts = shifts
        self._rulebook = rulebook
        self._follower = follower
        self._home = home
        self._audit = audit
        self._now_ms = now_ms

    async def came(self, actor: Actor) -> None:
        """A terminal is there: who was off is ready; a second terminal, or one that comes back, changes nothing."""
        await self._staff.presences.look(actor.agent)
        if await self._staff.presences.came(actor.agent):
            await self._shifts.note(actor.agent, "ready")
        else:
            await self.heard(actor)

    async def heard(self, actor: Actor) -> None:
        await self._staff.presences.look(actor.agent)
        was = self._staff.presences.of(actor.agent).state
        fresh = await self._staff.presences.heard(actor.agent)
        if was == "silent":
            await self._shifts.note(actor.agent, fresh.state, fresh.reason, fresh.until_ms)
            self._home.counted(actor.agent)

    async def presence(self, request: c.Presence, actor: Actor) -> Answer:
        refusal = self._unknown_state(request.state, request.reason)
        if refusal is not None:
            return refusal
        now_ms, until_ms = self._now_ms(), request.until_ms
        if until_ms is not None and not -BACK_BEFORE_MS < until_ms - now_ms <= LONGEST_AHEAD_MS:
            return refuse("bad", "Choose a time of being back within a year.")
        is_next = request.is_next and request.state != "ready"
        await self._staff.presences.chose(
            actor.agent, request.state, request.reason[:80], request.until_ms, is_next=is_next
        )
        if not is_next:
            await self._shifts.note(actor.agent, request.state, request.reason[:80], request.until_ms)
        self._home.counted(actor.agent)
        return c.Done(upto=self._follower.position)

    def _unknown_state(self, state: str, reason: str) -> c.Refusal | None:
        if state not in PRESENCES:
            return refuse("bad", f"Presence is one of {', '.join(PRESENCES)}.")
        known = self._rulebook.policy.desk.reasons
        if state == "away" and reason and reason not in known:
            return refuse("bad", f"There is no reason {reason[:80]!r} here. Choose one of: {', '.join(known)}.")
        return None

    async def force(self, request: c.Force, actor: Actor) -> Answer:
        """A supervisor sets somebody's presence."""
        if not actor.is_supervisor:
            await self._audit.refused(actor.agent, "force", "denied")
            return refuse("denied", "Only a supervisor may set a colleague's presence.")
        refusal = self._unknown_state(request.state, request.reason)
        if refusal is not None:
            return refusal
        if request.agent not in self._staff.active:
            return refuse("bad", f"There is no colleague {request.agent[:64]}. Pick one from the list.")
        await self._audit.record("forced", actor.agent, request.agent)
        await self._staff.presences.chose(request.agent, request.state, request.reason[:80], is_heard=False)
        await self._shifts.note(request.agent, request.state, request.reason[:80], by=actor.agent)
        self._home.counted(request.agent)
        return c.Done(upto=self._follower.position)

    async def alive(self, request: c.Alive, actor: Actor) -> Answer:
        await self.heard(actor)
        return c.Done(upto=self._follower.position)
