"""`route --what-if` on the command line, over the log of a bridge that runs: what it prints, what it never prints, what it refuses."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_bridge import cli
from broker_bridge.commands.route import moment_of
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.daemon.office import Declined
from tests.daemon.kept_logging import kept_logging
from tests.daemon.site import Site, item
from tests.until import until

CASES = 6
SECRET = "the plums are ripe"
SENDER = "anna-of-the-hill"
SKILLED = """
[desk]
skills = ["fees"]
[[agent]]
id = "ole"
skills = ["fees 3"]
[[queue]]
name = "support"
needs = ["fees 2"]
"""

Capture = pytest.CaptureFixture[str]


async def _history(site: Site) -> None:
    """Two agents, and six cases that the router offers to them in turn."""
    site.configure()
    await site.start()
    for agent in ("maya", "ole"):
        await site.enroll(agent)
    async with site.agent("maya") as maya, site.agent("ole") as ole:
        for one in (maya, ole):
            await one.get(c.Hello(), v.Welcome)
        for number in range(CASES):
            await site.insist([item(number, f"{SENDER}{number}", f"{SECRET} {number}")])
        await until(lambda: _offered(site), bound_s=30.0, saying="not all are offered")


async def _offered(site: Site) -> bool:
    facts = [fact for _, _, entry in await site.log() for fact in entry.facts]
    return sum(isinstance(fact, f.Offered) for fact in facts) >= CASES


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A bridge that runs, with a log; the tests of this file only read it."""
    made = Site(tmp_path_factory.mktemp("route"))
    try:
        asyncio.run(_history(made))
        yield made
    finally:
        made.kill()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    with kept_logging():
        yield


def route(site: Site, text: str, *more: str) -> int:
    path = site.folder / "other.toml"
    path.write_text(text)
    return cli.main(["route", "--what-if", str(path), "--config", str(site.folder / "bridge.toml"), *more])


def told(site: Site, capsys: Capture, text: str, *more: str) -> dict[str, Any]:
    assert route(site, text, "--json", *more) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_bridges_own_configuration_changes_nothing(site: Site, capsys: Capture) -> None:
    report = told(site, capsys, (site.folder / "bridge.toml").read_text())
    assert report["all"]["decisions"] == CASES
    assert report["all"]["reproduced"] == report["all"]["same"] == CASES
    assert report["differences"] == []


def test_the_summary_begins_with_what_it_is_worth_and_each_difference_is_a_line(site: Site, capsys: Capture) -> None:
    assert route(site, SKILLED) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == f"reproduced {CASES} of {CASES} decisions as they were"
    assert re.search(rf"^support +{CASES} +{CASES} +3 +3 +0 +0 +0$", out, re.MULTILINE), out
    assert re.search(r"^maya +3 +0 +-3 +60 +0$", out, re.MULTILINE), out
    assert re.search(r"^ole +3 +6 +\+3 +60 +120$", out, re.MULTILINE), out
    changed = [line for line in lines if "->" in line]
    assert len(changed) == 3
    line = r"[\d:]{8} \w+ support  offered to Maya \(least to do: \d+ of \d+\)  ->  Ole \(least to do: \d+ of 100\)"
    assert all(re.fullmatch(line, one) for one in changed), changed


def test_nothing_of_a_customer_is_printed(site: Site, capsys: Capture) -> None:
    for more in ((), ("--json",)):
        assert route(site, SKILLED, *more) == 0
        said = "".join(capsys.readouterr())
        assert SECRET not in said and SENDER not in said and "\x1b" not in said


def test_a_limit_says_how_many_more_there_are(site: Site, capsys: Capture) -> None:
    assert route(site, SKILLED, "--limit", "1") == 0
    assert "and 2 more" in capsys.readouterr().out
    assert route(site, SKILLED, "--limit", "0") == 0
    assert "more" not in capsys.readouterr().out


def test_only_the_queue_and_the_time_that_are_asked_for_count(site: Site, capsys: Capture) -> None:
    assert told(site, capsys, SKILLED, "--queue", "sales")["all"]["decisions"] == 0
    assert route(site, SKILLED, "--until", "2020-01-01", "--since", "2019-12-31T12:00") == 0
    assert "nothing was offered by the router in that time" in capsys.readouterr().out


def test_another_queue_for_a_channel_is_said_with_what_cannot_be_known(site: Site, capsys: Capture) -> None:
    text = '[[channel]]\nname = "fake"\nkind = "fake"\nqueue = "sales"\n[[queue]]\nname = "sales"\nmode = "everybody"\n'
    assert route(site, text) == 0
    out = capsys.readouterr().out
    assert f"{CASES} would have waited in another queue" in out and "nobody can know" in out
    assert "from sales" in out and "Maya, Ole (everybody is asked)" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[queue]]\nname = "support"\nneeds = ["fees 2"]\n',
            "queue support: needs number 1: there is no skill 'fees'",
        ),
        ('[[queue]]\nname = "support"\nhours = { zone = "Mars" }\n', "queue support: hours"),
        ('[[agent]]\nid = "ole"\nqueues = ["nowhere"]\n', "agent ole: queues: there is no queue 'nowhere'"),
        ('[[queue]]\nname = "a"\n[[queue.overflow]]\nafter_s = 9\nqueue = "b"\n', "there is no queue 'b'"),
        ('[[channel]]\nname = "fake"\nkind = "fake"\nqueue = "b"\n', "channel fake: queue: there is no queue 'b'"),
        ("[desk]\noffers = false\n", "desk.offers: without offers nothing is decided"),
        ("[[queue]]\nnam = 1\n", "queue number 1: nam: there is no such setting; did you mean 'name'?"),
        ("[[queue]\n", "not valid TOML"),
    ],
)
def test_a_policy_that_check_would_refuse_is_refused_by_file_and_key(
    text: str, said: str, site: Site, capsys: Capture
) -> None:
    assert route(site, text) == 78
    out, err = capsys.readouterr()
    assert out == "" and f"{site.folder / 'other.toml'}: " in err and said in err, err


def test_without_a_bridge_that_runs_it_says_why_it_cannot(tmp_path: Path, capsys: Capture) -> None:
    there = Site(tmp_path)
    there.configure()
    assert route(there, SKILLED) == 69
    assert "of a stopped site it is not" in capsys.readouterr().err


def test_a_wrong_moment_is_one_sentence(site: Site, capsys: Capture) -> None:
    assert route(site, SKILLED, "--since", "yesterday") == 1
    assert "--since is written as 90m, 24h or 7d" in capsys.readouterr().err
    assert route(site, SKILLED, "--since", "1h", "--until", "2h") == 1
    assert cli.main(["route"]) == 2


def test_moments_are_ages_or_dates() -> None:
    now_ms = time.time_ns() // 1_000_000
    assert moment_of("--since", "24h", now_ms) == now_ms - 86_400_000
    assert moment_of("--since", "90m", now_ms) == now_ms - 5_400_000
    assert moment_of("--since", "2026-11-21T09:30", now_ms) == 1_795_253_400_000
    assert moment_of("--since", "2026-11-21T09:30+01:00", now_ms) == 1_795_249_800_000
    with pytest.raises(Declined):
        moment_of("--since", "24 hours", now_ms)
