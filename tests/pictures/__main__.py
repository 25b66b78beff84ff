"""`python -m tests.pictures`: the README's pictures, made by the real program on a real demo (about a minute).

Two windows are opened without a terminal, the agent's and the supervisor's, on one demo with its bridge, its customers
and its colleagues; the agent works a little, and what is on the screens then is written as SVG beside this file.
"""

import asyncio
import tempfile
import unicodedata
from pathlib import Path

from textual.pilot import Pilot

from agent_tui.demo.house import STORIES
from agent_tui.demo.places import Place, make
from agent_tui.demo.start import AGENT, SUPERVISOR, House
from agent_tui.demo.window import DemoWindow
from agent_tui.keeper import enrollment
from agent_tui.opening import Opening, open_desk
from agent_tui.settings import Settings
from broker_bridge.contract.views import Row

FOLDER = Path(__file__).parent
SIZE = (120, 40)
BOUND_S = 90.0
PATIENCE_S = 25
SECONDS = 40
"""How long the agent works before the picture is taken."""


def desk_of(place: Place, agent: str) -> Opening:
    """An agent's desk in the demo, as the demo itself opens it."""
    let_in = enrollment(place.key(agent).read_text())
    return open_desk(Settings(server=let_in.server, agent=agent), place.desk(agent), {}, seed=let_in.seed)


def window_of(desk: Opening, opens: str = "") -> DemoWindow:
    return DemoWindow(desk.place, desk.link, keys=desk.keys, opens=opens)


def ringing(desk: Opening) -> Row | None:
    return next((row for row in desk.place.state.rows.values() if row.state == "ringing"), None)


def waiting(desk: Opening) -> Row | None:
    """Somebody of ours who waits for an answer."""
    rows = desk.place.state.rows.values()
    return next((row for row in rows if row.state == "mine" and row.waiting_since_ms is not None), None)


async def work(pilot: Pilot[None], desk: Opening) -> None:
    """Take who rings first (Anna, if this machine is quick), answer, take others, and begin the next answer."""
    end_s = asyncio.get_running_loop().time() + BOUND_S
    while (first := waiting(desk)) is None and asyncio.get_running_loop().time() < end_s:
        rung = ringing(desk)
        if rung is not None:
            # Somebody else may have Anna already: after a while whoever rings is taken.
            is_late = asyncio.get_running_loop().time() > end_s - BOUND_S + PATIENCE_S
            await pilot.press("a" if is_late or rung.name.startswith("Anna") else "d")
        await pilot.pause(0.5)
    assert first is not None, "nobody rang"
    await pilot.press("r", *letters(STORIES[first.name].advice[0]))
    await pilot.press("alt+enter")
    for _ in range(SECONDS):
        await asyncio.sleep(1)
        rung = ringing(desk)
        if rung is not None and len([row for row in desk.place.state.rows.values() if row.state == "mine"]) < 4:
            await pilot.press("f2")
    is_anna = first.name.startswith("Anna")
    words = (
        "Thank you for the receipt. I look at the double charge now and" if is_anna else "Thank you. I look into it and"
    )
    await pilot.press(*letters(words))
    await pilot.pause(0.5)


async def ask(pilot: Pilot[None]) -> None:
    """Why the open case is here, and whom it could be given to."""
    await pilot.press("escape")
    for key, name in (("w", "why"), ("t", "transfer")):
        await pilot.press(key)
        await pilot.pause(3)
        save(pilot, name)
        await pilot.press("escape")
        await pilot.pause(0.5)


def letters(text: str) -> list[str]:
    """The keys that write it."""
    return ["enter" if letter == "\n" else letter if letter.isalnum() else _named(letter) for letter in text]


def _named(letter: str) -> str:
    return unicodedata.name(letter).lower().replace("-", "_").replace(" ", "_")


async def take(place: Place) -> None:
    """Each window runs in a task of its own: the library knows one window a context."""
    worked, seen = asyncio.Event(), asyncio.Event()

    async def agent() -> None:
        desk = desk_of(place, AGENT)
        async with window_of(desk).run_test(size=SIZE) as pilot:
            await work(pilot, desk)
            save(pilot, "workstation")
            await ask(pilot)
            worked.set()
            await seen.wait()
        desk.close()

    async def supervisor() -> None:
        desk = desk_of(place, SUPERVISOR)
        async with window_of(desk, "monitor").run_test(size=SIZE) as pilot:
            await worked.wait()
            await pilot.press("home", "enter")
            await pilot.pause(2)
            save(pilot, "monitor")
            seen.set()
        desk.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(agent())
        group.create_task(supervisor())


def save(pilot: Pilot[None], name: str) -> None:
    path = FOLDER / f"{name}.svg"
    path.write_text(pilot.app.export_screenshot(title="onewindow"), "utf-8")
    print(f"wrote {path}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = make(folder, is_kept=True)
        house = House(place, 1, is_headless=False)
        try:
            house.wait_ready()
            asyncio.run(take(place))
        finally:
            house.stop()


if __name__ == "__main__":
    main()
