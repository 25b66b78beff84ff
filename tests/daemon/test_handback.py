"""Nobody waits for an empty chair: offers and unanswered work of agents who are gone."""

import pytest

from broker_bridge.contract import facts as f
from broker_bridge.core import conversation as conv
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.handback import Append, Handback, Make
from broker_bridge.daemon.staff import Staff
from tests.core.world import Case, owned, queued, reply

GRACE_S = 300


class Desk:
    """One agent's chair, a clock in hand, and the cases on the floor."""

    def __init__(self, staff: Staff, *cases: Case) -> None:
        self.now = 1_000.0
        self.cases = {case.state.id: case for case in cases}
        self.floor = Floor()
        self.handback = Handback(staff=staff, floor=self.floor, grace_s=GRACE_S, clock=lambda: self.now)
        for case in cases:
            self.floor.saw(case.state)

    async def after(self, seconds: float) -> None:
        self.now += seconds
        append: Append = self._append
        await self.handback.round(append)

    async def _append(self, name: str, by: str, make: Make) -> bool:
        fact = make(self.cases[name].state)
        if fact is not None:
            self.cases[name].add(fact, by=by)
            self.floor.saw(self.cases[name].state)
        return fact is not None


class Chairs(Staff):
    """Who sits where, as a test says."""

    def __init__(self, **states: str) -> None:
        self.states = states

    @property
    def active(self):  # type: ignore[no-untyped-def]
        return self.states

    def presence(self, agent: str):  # type: ignore[no-untyped-def]
        return type("Seen", (), {"state": self.states[agent]})

    def name_of(self, agent: str) -> str:
        return agent.title()


async def test_unanswered_work_of_a_silent_agent_goes_back_after_the_grace_with_its_reason() -> None:
    case = owned()
    desk = Desk(Chairs(maya="silent"), case)
    await desk.after(0)
    await desk.after(GRACE_S - 1)
    assert case.state.status == conv.OWNED
    await desk.after(2)
    assert (case.state.status, case.state.owner, case.state.last_owner) == (conv.QUEUED, "", "maya")
    last = case.log[-1][1].facts[0]
    assert isinstance(last, f.Queued)
    assert "Maya's terminal has been silent for 5 minutes" in last.reason


async def test_answered_work_is_kept_for_the_return() -> None:
    case = owned()
    case.do(reply(case))
    desk = Desk(Chairs(maya="silent"), case)
    await desk.after(0)
    await desk.after(10 * GRACE_S)
    assert case.state.owner == "maya"


async def test_a_word_in_time_begins_the_grace_anew() -> None:
    case, staff = owned(), Chairs(maya="silent")
    desk = Desk(staff, case)
    await desk.after(0)
    await desk.after(GRACE_S - 1)
    staff.states["maya"] = "ready"
    await desk.after(1)
    staff.states["maya"] = "silent"
    await desk.after(1)
    await desk.after(GRACE_S - 1)
    assert case.state.owner == "maya"


async def test_silence_from_before_this_leader_looked_does_not_count() -> None:
    case = owned()
    desk = Desk(Chairs(maya="silent"), case)
    desk.now += 100_000
    await desk.after(0)
    assert case.state.owner == "maya"
    desk.handback.forget()
    await desk.after(GRACE_S + 1)
    assert case.state.owner == "maya"


@pytest.mark.parametrize("state", ["silent", "off"])
async def test_an_offer_leaves_an_empty_chair_soon(state: str) -> None:
    case = queued().add(f.Offered(agent="maya", until_ms=9_999_999_999_999))
    desk = Desk(Chairs(maya=state), case)
    await desk.after(0)
    await desk.after(3)
    assert case.state.offer is None


async def test_whoever_was_dismissed_keeps_nothing() -> None:
    case = owned()
    case.do(reply(case))
    desk = Desk(Chairs(), case)
    await desk.after(0)
    assert case.state.status == conv.QUEUED
