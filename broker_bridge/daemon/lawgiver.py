"""The policy of bridge.toml becomes facts: at the start, when the file or a calendar changes, and on SIGHUP.

Law: a policy with an error is not used in part: the last good one stays in force, and `alarms` says file, key and why. A definition is
written only if its block differs from the one that LOG took last, so a change by command holds until the block changes. At the start
every bridge writes (whoever comes first), later only the leader.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, QueueId
from broker_bridge.contract.policy import OTHER_COST, QueueRules
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.definitions import DESK
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon import policyfile
from broker_bridge.daemon.config import Config, ConfigError
from broker_bridge.daemon.follower import News
from broker_bridge.daemon.lawbook import Lawbook, Sources, sources_of
from broker_bridge.daemon.logwriter import Blocked, LogWriter, Overloaded
from broker_bridge.daemon.policyfile import BY_COMMAND, GONE, Colleague, Laws
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.states import AGENT, HOUSE, QUEUE, States
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

LOOK_S = 5.0
MOST_ALARMS = 20
OF_THE_FILE = "file"
"""Who wrote such an entry."""

Stamp = tuple[object, ...]
Facts = tuple[f.PolicyFact | f.AgentFact, ...]


class Lawgiver:
    """One for each bridge. `load` once the log was read, `noticed` as a listener, `run` until cancelled."""

    def __init__(
        self,
        *,
        config: Config,
        writer: LogWriter,
        states: States,
        model: ReadModel,
        is_leader: Callable[[], bool],
        now_ms: Callable[[], int],
        reread: Callable[[Path], Config] = configuration.load,
        look_s: float = LOOK_S,
    ) -> None:
        """`config`: as it was read at the start; what is not policy in it counts until the end."""
        self._started = config
        self._config = config
        self._writer = writer
        self._book = Lawbook(states, model)
        self._is_leader = is_leader
        self._now_ms = now_ms
        self._reread = reread
        self._look_s = look_s
        self._wake = asyncio.Event()
        self._is_asked = False
        self._seen: Stamp = ()
        self._coming: Stamp = ()
        """A change that was seen once: whoever writes the file may not be done yet."""
        self._read_last: Laws | None = None
        """None: the file could not be read."""
        self._laws: Laws | None = None
        """The last good ones of this bridge's file; None: there were none yet."""
        self._sources: Sources = {}
        self._has_news = False
        self._owes = False
        """Something is to be written yet, by whoever leads."""
        self._errors: list[str] = []
        self._warnings: list[str] = []
        self._left: list[str] = []

    # what others ask

    @property
    def alarm(self) -> str:
        """Why the file's policy is not in force, in a sentence with file and key; empty: it is."""
        return self._errors[0] if self._errors else ""

    def alarms(self) -> list[str]:
        """Everything that a supervisor should know of the policy, the worst first."""
        return [*self._errors, *self._left, *self._warnings][:MOST_ALARMS]

    def look(self) -> None:
        """Read the file again at once, whether it seems changed or not (SIGHUP)."""
        self._is_asked = True
        self._wake.set()

    def load(self) -> None:
        """Judge the file that the bridge was started with."""
        self._seen = self._stamp()
        self._judge(self._config, policyfile.laws(self._config, self._now_ms()))

    def noticed(self, news: list[News]) -> None:
        """The follower's listener."""
        self._has_news = self._has_news or any(one.kind in (AGENT, QUEUE, HOUSE) for one in news)

    async def run(self) -> None:
        """Write what is new, then look after the file until cancelled."""
        await self._settle(is_writing=True)
        while True:
            try:
                async with asyncio.timeout(self._look_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._look()
            if self._has_news and self._errors and self._read_last is not None:
                # What was missing may have come: an agent whom the file names, a queue.
                self._judge(self._config, self._read_last)
            leads = self._is_leader()
            if self._has_news or (leads and self._owes):
                await self._settle(is_writing=leads)

    # reading

    async def _look(self) -> None:
        stamp = self._stamp()
        is_asked, self._is_asked = self._is_asked, False
        if not is_asked and stamp == self._seen:
            return
        if not is_asked and stamp != self._coming:
            self._coming = stamp
            return
        self._seen = stamp
        try:
            # A calendar may take seconds, and the bridge has work meanwhile.
            config, laws = await asyncio.to_thread(self._read)
        except ConfigError as error:
            self._read_last = None
            self._refuse([str(error)])
            return
        self._judge(config, laws)
        if len(self._stamp()) != len(stamp):
            # The new file names other calendars: what they are now was just read.
            self._seen = self._stamp()

    def _read(self) -> tuple[Config, Laws]:
        config = self._reread(self._started.path)
        return config, policyfile.laws(config, self._now_ms())

    def _stamp(self) -> Stamp:
        """Changes whenever the file, a calendar that it names, or the year does."""
        folder = self._config.path.parent
        calendars = [policyfile.beside(folder, name) for queue in self._config.queues for name in queue.holidays]
        year = datetime.fromtimestamp(self._now_ms() / 1000, UTC).year
        return (year, *(_stamp_of(path) for path in (self._config.path, *calendars)))

    def _judge(self, config: Config, laws: Laws) -> None:
        # Also of a file that is refused: its calendars are looked after, for the repair may be theirs.
        self._config = config
        self._read_last = laws
        found = self._book.problems(config, laws)
        errors = [f"{config.path}: {one}" for one in found if not one.is_warning]
        if errors:
            self._refuse(errors)
            return
        if self._errors:
            log.info("policy file is good again")
        self._errors = []
        self._warnings = [f"{config.path}: {one}" for one in found]
        self._laws, self._sources = laws, sources_of(laws)
        self._has_news = True

    def _refuse(self, sentences: list[str]) -> None:
        if sentences != self._errors:
            log.error("policy file refused", extra={"problems": len(sentences), "first": sentences[0]})
        self._errors = sentences

    # writing

    async def _settle(self, *, is_writing: bool) -> None:
        """Bring LOG to what the good file says; what hinders is tried again at the next look."""
        self._has_news = False
        if self._laws is None or self._errors:
            return
        self._left = []
        is_done = is_writing
        try:
            if is_writing:
                await self._write(self._laws)
            for name in self._book.queues:
                await self._leave(self._laws, name, is_writing=is_writing)
        except (Blocked, Overloaded, BusError) as error:
            log.warning("policy not written yet", extra={"error": type(error).__name__})
            is_done = False
        self._left += self._people_left(self._laws.agents)
        self._owes = bool(self._left) or not is_done

    async def _write(self, laws: Laws) -> None:
        # In the order in which they lean on each other: skills, queues, who works in them.
        source = self._sources[HOUSE, DESK]
        await self._decide(HOUSE, DESK, source, lambda _: (f.DeskRuled(rules=laws.desk, source=source),))
        for name, rules in laws.queues.items():
            await self._define(name, rules)
        for agent, colleague in laws.agents.items():
            await self._enroll(agent, colleague)

    async def _define(self, name: QueueId, rules: QueueRules) -> None:
        source = self._sources[QUEUE, name]
        await self._decide(QUEUE, name, source, lambda _: (f.QueueDefined(rules=rules, source=source),))

    async def _enroll(self, name: AgentId, said: Colleague) -> None:
        source = self._sources[AGENT, name]

        def make(state: Enrollment) -> Facts:
            # Who was let out comes in again only with a key that the file names.
            key = said.public_key or (state.public_key if state.is_active else "")
            if not key:
                return ()
            fact = f.Enrolled(
                name=said.name,
                public_key=key,
                role=said.role,
                queues=said.seat.queues,
                capacity=max(1, said.seat.units // OTHER_COST),
                units=said.seat.units,
                skills=said.seat.skills,
                shift=said.seat.shift,
                source=source,
            )
            return (fact,)

        await self._decide(AGENT, name, source, make)

    async def _leave(self, laws: Laws, name: QueueId, *, is_writing: bool) -> None:
        """A queue that came from the file and is not in it any more."""
        known = self._book.queue(name)
        if name in laws.queues or not known.is_active or known.source in BY_COMMAND:
            return
        waiting = self._book.open_in(name)
        bringing = [one.name for one in self._started.channels if one.queue == name and one.is_enabled]
        if waiting:
            self._left.append(self._stays(name, f"{waiting} of its conversations are open"))
        elif bringing:
            self._left.append(self._stays(name, f"channel {bringing[0]} brings into it until the bridge starts again"))
        elif is_writing:
            # Marked as gone: put back as it was, the block counts as new.
            rules = known.rules
            await self._decide(
                QUEUE, name, GONE, lambda _: (f.QueueDefined(rules=rules, source=GONE), f.QueueRemoved())
            )

    def _stays(self, name: QueueId, why: str) -> str:
        return f"{self._config.path}: queue {name}: it left the file and stays, because {why}"

    def _people_left(self, said: Mapping[AgentId, Colleague]) -> Iterator[str]:
        path = self._config.path
        for name in self._book.agents:
            known = self._book.agent(name)
            if known.is_active and name not in said and known.source not in BY_COMMAND:
                deeds = f"`broker-bridge agent remove {name}`, or `agent set {name}` if they stay"
                yield f"{path}: agent {name}: they left the file and may still sign in: {deeds}"
        for name, one in said.items():
            is_new = self._book.source(AGENT, name) != self._sources[AGENT, name]
            if is_new and not one.public_key and not self._book.agent(name).is_active:
                yield f"{path}: agent {name}: they have no key yet: `broker-bridge agent add {name}` makes one"

    async def _decide(self, kind: str, name: str, source: str, make: Callable[[Any], Facts]) -> None:
        """One decision. `make`: the facts from the aggregate's state, which another bridge or a command may just have changed."""
        if self._book.source(kind, name) == source:
            return
        async with self._writer.hold((kind, name)) as cells:

            def decision() -> tuple[dict[int, tuple[Entry, str]], None]:
                state = cells[0].state
                facts = make(state) if state.source != source else ()
                if not facts:
                    return {}, None
                return {0: (Entry(at_ms=self._now_ms(), by=OF_THE_FILE, facts=facts), "")}, None

            seq, _ = await self._writer.decide(cells, "", decision)
        if seq:
            log.info("policy written", extra={"aggregate": f"{kind}.{name}", "seq": seq})


def _stamp_of(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except (OSError, ValueError):
        # Not there, or a name that no file can have.
        return 0, -1
    return found.st_mtime_ns, found.st_size
