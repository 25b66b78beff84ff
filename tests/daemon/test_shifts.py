"""Who works today: the calendar gives nobody work outside their shift, and says when they start."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from broker_bridge.contract import facts as f
from broker_bridge.contract.policy import Hours, QueueRules, Span
from broker_bridge.daemon import config, policyfile
from tests.daemon.small_house import NOW_MS, Small

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
NOW_MIN = NOW.hour * 60 + NOW.minute
LATER = Hours(zone="UTC", week=(Span(day=NOW.weekday(), from_min=NOW_MIN + 5, to_min=NOW_MIN + 10),))
"""Begins in five minutes, for five."""


def a_house() -> Small:
    small = Small(rules={"orders": QueueRules(), "returns": QueueRules()})
    small.log.put("agent", "ann", f.Enrolled(name="Ann", public_key="U", units=100, shift=LATER))
    return small


async def test_a_ready_agent_is_given_nothing_before_their_shift_and_rings_when_it_begins() -> None:
    small = a_house()
    async with small.working():
        await small.catch_up()
        small.sits("ann")
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()
        small.later(5 * 60 + 1)
        small.sits("ann")
        await small.round()
        assert small.ringing("case") == ("ann",)


async def test_when_the_shift_is_over_nothing_more_is_given() -> None:
    small = a_house()
    async with small.working():
        await small.catch_up()
        small.later(11 * 60)
        small.sits("ann")
        small.case("case", channel="chat")
        await small.round()
        assert small.ringing("case") == ()


async def test_the_directory_says_when_they_start_and_until_when_they_work() -> None:
    small = a_house()
    await small.catch_up()
    assert small.staff.schedule("ann").startswith("starts ")
    small.later(6 * 60)
    assert small.staff.schedule("ann").startswith("works until ")


def test_the_file_names_shifts_and_a_wrong_one_is_a_problem_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    told = '[[queue]]\nname = "orders"\n[[agent]]\nid = "ann"\nshift = { zone = "Europe/Stockholm", mon-fri = "%s" }\n'
    path.write_text(told % "08:00-16:30", "utf-8")
    laws = policyfile.laws(config.load(path), NOW_MS)
    shift = laws.agents["ann"].seat.shift
    assert shift is not None and len(shift.week) == 5 and not laws.problems
    path.write_text(told % "08:00-12:00, 11:00-16:30", "utf-8")
    problems = policyfile.laws(config.load(path), NOW_MS).problems
    # Once for each day that it says.
    assert {problem.key for problem in problems} == {"agent ann: shift"} and len(problems) == 5
    assert all("overlap" in problem.sentence for problem in problems)
