"""`agent-tui demo`: the whole product without its window, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_tui.demo import places
from agent_tui.demo.chatters import CHATTERS
from agent_tui.demo.places import Place
from agent_tui.demo.stories import PATIENCE_ANSWERS, Mood, Story, papers, react
from agent_tui.demo.writers import WRITERS
from tests.e2e.terminal import terminal
from tests.until import until

PEOPLE = (*CHATTERS, *WRITERS)
BOUND_S = 60.0


def demo(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent_tui", "demo", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL, check=False, **options
    )


def is_running(pid: int) -> bool:
    """True for a live process; a dead one that nobody has waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Place]]:
    """A headless demo for longer than any test, and its folder."""
    place = Place(tmp_path / "demo")
    command = [sys.executable, "-m", "agent_tui", "demo", "--headless", "300", "--dir", str(place.folder)]
    silence = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=silence, stdout=silence, stderr=silence)
    yield process, place
    process.kill()
    process.wait()


async def test_a_headless_demo_serves_its_customers_and_its_books_balance(tmp_path: Path) -> None:
    done = demo("--headless", "10", "--dir", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr + (tmp_path / "demo" / "house.log").read_text()
    summary = json.loads(done.stdout)
    assert summary["is_balanced"] and summary["restarts"] == 0
    assert {row["channel"] for row in summary["books"]} == {"site-chat", "support-mail"}
    received = {row["channel"]: row["received"] for row in summary["books"]}
    assert received["site-chat"] >= summary["said_by_chat"] > 0
    assert received["support-mail"] >= summary["said_by_mail"] > 0
    assert summary["replies_of_colleagues"] > 0 and summary["answers_read"] > 0
    assert summary["mails_filed"] == len(list((tmp_path / "demo" / "mail").glob("*.eml"))) > 0
    assert (tmp_path / "demo" / "house.log").read_text() == ""
    assert not Place(tmp_path / "demo").is_alive and places.running(None) is None
    keys = list((tmp_path / "demo" / "keys").iterdir())
    assert len(keys) == 5 and all(path.stat().st_mode & 0o077 == 0 for path in keys)


async def test_killing_the_demo_leaves_no_bridge_and_no_broker_behind(
    started: tuple[subprocess.Popen[bytes], Place],
) -> None:
    process, place = started
    await until(lambda: places.running(None) == place, bound_s=BOUND_S)
    bridge = json.loads(place.endpoint.read_text())["pid"]
    broker = int((place.state / "broker" / "nats.pid").read_text())
    assert is_running(bridge) and is_running(broker)
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: not is_running(bridge) and not is_running(broker), bound_s=BOUND_S)
    await until(lambda: not place.is_alive, bound_s=BOUND_S)


async def test_a_person_sits_down_at_a_colleagues_desk_and_the_script_makes_room(
    started: tuple[subprocess.Popen[bytes], Place],
) -> None:
    _, place = started
    await until(lambda: places.running(None) == place, bound_s=BOUND_S)
    nobody = demo("--as", "nobody", "--dir", str(place.folder))
    assert nobody.returncode == 2 and "be one of ines, maya, ole, priya, tomas" in nobody.stderr
    assert not place.is_taken("ole")
    command = [sys.executable, "-m", "agent_tui", "demo", "--as", "ole", "--dir", str(place.folder)]
    async with terminal(command, os.environ, place.folder) as window:
        await window.shows("onewindow", "Ole", "● link", bound_s=BOUND_S)
        assert place.is_taken("ole")
        async with terminal(command, os.environ, place.folder) as second:
            await until(lambda: second.code is not None, bound_s=BOUND_S)
            assert "ole has a window already" in second.text
        window.kill()
    assert not place.is_taken("ole")


async def test_a_second_demo_in_the_same_folder_is_refused_and_a_bridge_that_dies_comes_back(
    started: tuple[subprocess.Popen[bytes], Place],
) -> None:
    _, place = started
    await until(lambda: places.running(None) == place, bound_s=BOUND_S)
    second = demo("--headless", "1", "--dir", str(place.folder))
    assert second.returncode == 1 and "runs in" in second.stderr
    before = json.loads(place.endpoint.read_text())
    os.kill(before["pid"], signal.SIGKILL)

    def is_back() -> bool:
        try:
            after = json.loads(place.endpoint.read_text())
        except (FileNotFoundError, ValueError):
            return False
        return bool(after["pid"] != before["pid"] and after["web"] == before["web"])

    await until(is_back, bound_s=BOUND_S)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "needs a terminal"),
        (("--supervisor",), 69, "no demo runs"),
        (("--as", "ole"), 69, "no demo runs"),
        (("--supervisor", "--dir", "nowhere"), 69, "no demo runs in nowhere"),
        (("--dir", "/dev/null/here"), 1, "/dev/null"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(words: tuple[str, ...], code: int, said: str) -> None:
    if "/dev/null/here" in words:
        words = (*words, "--headless", "1")
    done = demo(*words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_help_and_refusals_load_nothing_heavy() -> None:
    ask = (
        "import sys; import agent_tui.demo; "
        "print(sorted({'textual', 'nats', 'websockets', 'aiosmtpd', 'msgspec'} & set(sys.modules) - {'msgspec'}))"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("story", PEOPLE, ids=lambda story: story.address)
def test_good_advice_ends_every_story_with_thanks(story: Story) -> None:
    mood = Mood(story)
    for number, advice in enumerate(story.advice):
        reaction = react(mood, advice)
        assert reaction.is_end == (number == len(story.advice) - 1), advice
    assert reaction.say[-1] == story.thanks


@pytest.mark.parametrize("story", PEOPLE, ids=lambda story: story.address)
def test_nobody_is_left_without_a_reaction_and_everybody_goes_at_last(story: Story) -> None:
    mood = Mood(story)
    reactions = [react(mood, "…") for _ in range(PATIENCE_ANSWERS)]
    assert all(reaction.say for reaction in reactions)
    assert any(reaction.is_end for reaction in reactions)


def test_there_are_people_enough_of_several_scripts_and_each_is_one_person() -> None:
    assert len(PEOPLE) >= 8 and len({one.address for one in PEOPLE}) == len({one.name for one in PEOPLE}) == len(PEOPLE)
    assert any(any("ﺀ" > letter >= "؀" for letter in one.name) for one in PEOPLE)
    assert any(any("龥" >= letter >= "一" for letter in one.name) for one in PEOPLE)
    assert any(line.is_dropped for one in PEOPLE for line in one.opening)
    assert any(turn.by_mail for one in PEOPLE for turn in one.turns)


def test_the_papers_are_what_their_names_say() -> None:
    assert papers("kvitto.pdf")[0].startswith(b"%PDF-") and papers("kvitto.pdf")[1] == "application/pdf"
    assert papers("karte.png")[0].startswith(b"\x89PNG") and papers("karte.png")[1] == "image/png"
