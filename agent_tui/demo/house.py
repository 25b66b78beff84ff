"""Everything of a demo but the window, in one process: customers, colleagues, their mail server, and the bridge as its child.

Law: it lives as long as its standard input is open; whoever holds the other end may die in any way. What it has to say
goes to standard output as JSON lines: `step`, then `ready` or `failed`, and `summary` at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from typing import Any

from agent_tui.demo.chatters import CHATTERS
from agent_tui.demo.colleagues import Colleague
from agent_tui.demo.customers import Street, Town
from agent_tui.demo.mailbox import PostOffice
from agent_tui.demo.manners import DIES, MANNERS
from agent_tui.demo.places import Place
from agent_tui.demo.rules import OURS
from agent_tui.demo.seats import Seat
from agent_tui.demo.site import MAYA, OLE, PRIYA, TOMAS, DemoSite, Person, SiteFailed
from agent_tui.demo.writers import WRITERS
from agent_tui.keeper import enrollment

HEADLESS_PACE = 0.1
SETTLE_S = 8.0
STORIES = {story.name: story for story in (*CHATTERS, *WRITERS)}


class _Ended(Exception):
    """The other end of the standard input is gone, or a signal came."""


class House:
    """One demo."""

    def __init__(self, place: Place, seed: int, *, is_headless: bool) -> None:
        """`is_headless`: nobody sits at the window; its agent is played too, and time goes faster."""
        self._place = place
        self._seed = seed
        self._is_headless = is_headless
        self._pace = HEADLESS_PACE if is_headless else 1.0
        self._office = PostOffice(place.mail)
        self._street: Street | None = None
        self._walking: asyncio.Task[None] | None = None
        self._seats: list[Seat] = []

    async def run(self, over: asyncio.Event) -> int:
        """Open, work until `over`, count, close; gives the exit code."""
        await self._office.open()
        site = DemoSite(self._place, self._office.port)
        failed = ""
        try:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._end(over))
                    await self._open(site, group)
            except* _Ended:
                pass
            except* SiteFailed as problems:
                failed = str(problems.exceptions[0])
            if failed:
                tell(failed=failed)
                return 1
            if self._street is not None:
                tell(step="counting what came in and where it is")
                tell(summary=await self._summary(site, self._street))
            return 0
        finally:
            await site.stop()
            self._office.close()

    async def _open(self, site: DemoSite, group: asyncio.TaskGroup) -> None:
        """Start the bridge, then let everybody come. Raises SiteFailed."""
        tell(step="starting the bridge and its broker")
        await site.start()
        where = site.endpoint
        town = Town(web=where["web"], smtp_port=site.smtp_port, ours=OURS, office=self._office, pace=self._pace)
        self._street = Street(town, self._open_cases, self._seed)
        people = (OLE, PRIYA, TOMAS, MAYA) if self._is_headless else (OLE, PRIYA, TOMAS)
        self._seats = [self._seat(person) for person in people]
        for seat in self._seats:
            group.create_task(seat.run())
        self._walking = group.create_task(self._street.run())
        group.create_task(site.guard())
        tell(ready={"chat": site.chat_url, "broker": where["broker"], "web": where["web"], "smtp": site.smtp_port})

    async def _end(self, over: asyncio.Event) -> None:
        """No more customers; what they said is still answered where nobody waits at a window; then everything ends."""
        await over.wait()
        if self._walking is not None:
            self._walking.cancel()
            if self._is_headless:
                await self._settle()
        raise _Ended

    def _seat(self, person: Person) -> Seat:
        let_in = enrollment(self._place.key(person.agent).read_text())
        chance = random.Random(f"{self._seed}:{person.agent}")

        def sit() -> Colleague:
            return Colleague(
                server=let_in.server,
                agent=person.agent,
                seed=let_in.seed,
                where=self._place.desk(person.agent, is_script=True),
                stories=STORIES,
                manner=MANNERS[person.agent],
                chance=chance,
                pace=self._pace,
            )

        return Seat(self._place, person.agent, sit, dies=person.agent == DIES, pace=self._pace)

    @property
    def _colleagues(self) -> list[Colleague]:
        """Whoever works now."""
        return [seat.sat[-1] for seat in self._seats if seat.sat]

    def _sum(self, what: str) -> int:
        return sum(getattr(one, what) for seat in self._seats for one in seat.sat)

    def _open_cases(self) -> int:
        return max((one.state.counts.all for one in self._colleagues), default=0)

    async def _settle(self) -> None:
        """After the last customer: until what was sent has left."""
        end_s = asyncio.get_running_loop().time() + SETTLE_S
        while asyncio.get_running_loop().time() < end_s:
            rows = [row for one in self._colleagues for row in one.state.rows.values()]
            if not any(row.delivery in ("waits", "sending") for row in rows):
                return
            await asyncio.sleep(0.1)

    async def _summary(self, site: DemoSite, street: Street) -> dict[str, Any]:
        try:
            books = await site.audit()
        except SiteFailed:
            books = []
        tally = street.tally
        return {
            "customers": tally.came,
            "said_by_chat": tally.said_by_chat,
            "said_by_mail": tally.said_by_mail,
            "answers_read": tally.answers,
            "content": tally.content,
            "open": self._open_cases(),
            "replies_of_colleagues": self._sum("replies"),
            "closed_by_colleagues": self._sum("closed"),
            "transfers_of_colleagues": self._sum("transfers"),
            "declined_by_colleagues": self._sum("declined"),
            "missed_by_colleagues": self._sum("missed"),
            "terminals_that_died": sum(seat.deaths for seat in self._seats),
            "mails_filed": self._office.filed,
            "restarts": site.restarts,
            "books": books,
            "is_balanced": bool(books) and all(row["gap"] == 0 and not row["missing"] for row in books),
        }


def tell(**what: Any) -> None:
    """One line for whoever started the house; nobody may be left to read it."""
    try:
        print(json.dumps(what, ensure_ascii=False), flush=True)
    except OSError:
        # The window is gone. The rest is clean-up, which must not end here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _live(place: Place, seed: int, is_headless: bool) -> int:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, over.set)
    house = House(place, seed, is_headless=is_headless)

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            over.set()

    loop.add_reader(sys.stdin.fileno(), heard)
    working = asyncio.ensure_future(house.run(over))
    return await working


def main() -> int:
    """`python -m agent_tui.demo.house FOLDER SEED [headless]`: started by `agent-tui demo`, not by people."""
    from pathlib import Path

    place = Place(Path(sys.argv[1]))
    with place.claim():
        return asyncio.run(_live(place, int(sys.argv[2]), "headless" in sys.argv[3:]))


if __name__ == "__main__":
    sys.exit(main())
