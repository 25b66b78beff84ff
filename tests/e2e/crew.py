"""Two agents at their windows and a supervisor at hers, on one real bridge: what the tests of work between people share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.policy import Skill
from tests.daemon.site import Agent
from tests.e2e.house import House, is_writing
from tests.e2e.terminal import Terminal
from tests.until import until

F = TypeVar("F", bound=f.Fact)
BOUND_S = 20.0
SKILLS = {
    "maya": (Skill(name="fees", level=3),),
    "ole": (Skill(name="fees", level=2), Skill(name="swedish", level=4)),
}


class Crew:
    """Windows by the name of who sits there."""

    def __init__(self, house: House, eye: Agent) -> None:
        self.house, self.eye = house, eye
        self.windows: dict[str, Terminal] = {}

    @property
    def maya(self) -> Terminal:
        return self.windows["maya"]

    @property
    def ole(self) -> Terminal:
        return self.windows["ole"]

    @property
    def ines(self) -> Terminal:
        return self.windows["ines"]

    async def row(self, name: str, **wanted: object) -> v.Row:
        """The bridge's row of a customer, closed ones too, once it is as wanted."""

        async def found() -> v.Row | None:
            page = await self.eye.get(c.Search(text=name), v.RowPage)
            rows = (row for row in page.rows if row.name == name)
            return next((row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())), None)

        return await until(found, bound_s=BOUND_S, saying=lambda: f"no row of {name} is {wanted}\n{self.screens()}")

    async def rings(self, window: Terminal, name: str) -> None:
        """The offer's card stands there, and the list has the focus."""
        await self.house.to_list(window)
        await window.shows(name, "answer in", bound_s=BOUND_S)

    async def accept(self, agent: str, name: str) -> None:
        await self.rings(self.windows[agent], name)
        self.windows[agent].press("a")
        await self.row(name, owner=agent)
        await self.windows[agent].shows(f"to {name}", "r reply")

    async def why(self, window: Terminal, *words: str) -> str:
        """What `w` says of the case in sight, once it says all of `words`; the dialog is left."""
        await self.house.to_list(window)
        window.press("w")
        shown = await window.shows("Why", "esc back", *words)
        window.press("escape")
        await window.hides("esc back")
        return shown

    async def put_away(self, name: str) -> None:
        """Closed, whatever a test left open: nothing rings at the next one's desk."""
        row = await self.row(name)
        if row.state in ("closed", "merged"):
            return
        async with self.house.site.agent(row.owner or "maya") as owner:
            if not row.owner:
                await owner.ask(c.Accept(id=owner.new_id(), conversation=row.conv))
            await owner.ask(c.Close(id=owner.new_id(), conversation=row.conv, disposition="solved"))

    async def log(self, kind: type[F]) -> list[F]:
        """Every fact of a kind, in the order of the log."""
        return [fact for _, _, entry in await self.house.site.log() for fact in entry.facts if isinstance(fact, kind)]

    def screens(self) -> str:
        return "\n".join(f"=== {name}\n{window.text}" for name, window in self.windows.items())


@asynccontextmanager
async def crew(folder: Path, *, desk: str, queues: str, windows: tuple[str, ...]) -> AsyncIterator[Crew]:
    """A bridge with this policy, and windows of some of maya, ole and ines (the supervisor)."""
    house = House(folder)
    await house.open(offer_timeout_s=30, desk=f'skills = ["fees", "swedish"]\n{desk}', queues=queues)
    try:
        for agent, skills in SKILLS.items():
            await house.seat(agent, skills=skills)
        await house.seat("ines", role="supervisor", queues=("nobody",))
        async with AsyncExitStack() as opened:
            made = Crew(house, await opened.enter_async_context(house.site.agent("ines")))
            for agent in windows:
                made.windows[agent] = await opened.enter_async_context(house.window(agent))
            for window in made.windows.values():
                await window.shows("● link", bound_s=BOUND_S)
            yield made
    finally:
        house.site.kill()


async def write(window: Terminal, text: str) -> None:
    """An answer to whoever is open."""
    window.press("r")
    await until(lambda: is_writing(window), saying=lambda: window.text)
    window.type(f"{text}\r")
