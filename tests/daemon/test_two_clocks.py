"""Two bridges whose machines are an hour apart: nobody is rung for an hour, or for no time at all."""

from __future__ import annotations

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.core.state import OWNED
from tests.daemon.small_house import Small, message

HOUR_MS = 3_600_000


@pytest.mark.parametrize("apart_ms", [HOUR_MS, -HOUR_MS])
async def test_a_transfer_by_a_bridge_whose_clock_is_far_off_rings_as_long_as_any_other(apart_ms: int) -> None:
    leader = Small()
    leader.parts.offers._offers_at_all = False
    for agent in ("ann", "bob"):
        leader.enroll(agent)
    leader.case("case", channel="chat")
    other = Small(log=leader.log, keys=leader.keys, boot="other", now_ms=leader.now_ms + apart_ms)
    async with leader.working(), other.working():
        for one in (leader, other):
            one.sits("ann")
            one.sits("bob")
        await leader.done("ann", c.Accept(id="a", conversation="case"))
        await other.catch_up()
        await other.done("ann", c.Transfer(id="t", conversation="case", to_agent="bob"))
        for number in range(11):
            # And the customer, who writes meanwhile, makes it no longer.
            leader.log.put("conv", "case", message(f"case-{number}"))
            await leader.round()
            assert leader.ringing("case") == ("bob",)
            leader.later(10)
            leader.sits("bob")
            leader.sits("ann")
        leader.later(11)
        leader.sits("bob")
        await leader.round()
        assert leader.ringing("case") == ()
        assert (leader.state("case").status, leader.state("case").owner) == (OWNED, "ann")
