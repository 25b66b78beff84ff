"""The file's policy as facts in a real broker's log: written once, by whom it is due, and never in part."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.policy import QueueRules, Skill
from broker_bridge.core.thread import Named
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.lawgiver import Lawgiver
from broker_bridge.daemon.logwriter import LogWriter
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.states import AGENT, CONV, HOUSE, QUEUE, States
from broker_bridge.daemon.wire import Outgoing
from tests.until import until

NOW_MS = 1_795_000_000_000
YEAR_MS = 366 * 86_400_000
KEY = "U" + "A" * 55
DESK = '[desk]\nskills = ["swedish", "fees"]\n'
SUPPORT = '[[queue]]\nname = "support"\nneeds = ["swedish 2"]\n'
SALES = '[[queue]]\nname = "sales"\n'
MAYA = f'[[agent]]\nid = "maya"\nskills = ["swedish 3"]\npublic_key = "{KEY}"\n'
CHAT = '[[channel]]\nname = "chat"\nkind = "webchat"\nqueue = "support"\n'
WHOLE = DESK + SUPPORT + SALES + MAYA
CALENDAR = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n"
    "DTSTART;VALUE=DATE:20201224\nSUMMARY:{}\nRRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR\n"
)


class House:
    """A bridge's log writer, follower and lawgiver over one broker."""

    def __init__(self, bus: Bus, sealer: Sealer, path: Path, *, leads: bool, look_s: float) -> None:
        self.bus = bus
        self.path = path
        self.leads = leads
        self.now_ms = NOW_MS
        self.model = ReadModel(None)
        self.states = States(self.model, sealer, bus)
        self.writer = LogWriter(bus, self.states, sealer, time.monotonic, asyncio.sleep)
        self.follower = Follower(self.model, self.states, sealer, Named(agent=str, word=str))
        self.law = Lawgiver(
            config=configuration.load(path, {}),
            writer=self.writer,
            states=self.states,
            model=self.model,
            is_leader=lambda: self.leads,
            now_ms=lambda: self.now_ms,
            look_s=look_s,
        )

    def write(self, text: str) -> None:
        """As an editor that replaces the file."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.path)

    async def log(self, kind: str, name: str) -> list[Entry]:
        found = await self.bus.subject_messages("LOG", subjects.log(kind, name))
        return [codec.entry(body) for _, body, _ in found]

    async def put(self, kind: str, name: str, *facts: f.AnyFact) -> None:
        """What somebody else appends; returns when this bridge has it."""
        entry = Entry(at_ms=NOW_MS, by="cli", facts=facts)
        stored = await self.bus.publish(Outgoing(subjects.log(kind, name), codec.encode(entry), {}))
        assert await self.follower.wait_for(stored.seq, 10.0)

    def rules(self, queue: str) -> QueueRules:
        found: QueueRules = self.states.cell(QUEUE, queue).state.rules
        return found

    async def needs(self, queue: str, *skills: Skill) -> None:
        await until(lambda: self.rules(queue).needs == skills, saying=lambda: (self.rules(queue), self.law.alarms()))

    async def alarmed(self, words: str) -> None:
        await until(lambda: any(words in one for one in self.law.alarms()), saying=self.law.alarms)


@asynccontextmanager
async def opened(
    bus: Bus, path: Path, text: str = "", *, leads: bool = True, look_s: float = 0.02
) -> AsyncIterator[House]:
    if text:
        path.write_text(text)
    house = House(bus, Sealer(b"k" * 32, await bus.kv("keys")), path, leads=leads, look_s=look_s)
    reader = await bus.follow("LOG", 1)
    while reader.pending:
        await house.follower.apply(list(await reader.some()))
    house.law.load()
    house.follower.listen(house.law.noticed)
    async with AsyncExitStack() as ending:
        ending.push_async_callback(reader.close)
        for work in (house.writer.run(), house.follower.run(reader), house.law.run()):
            task = asyncio.create_task(work)
            ending.push_async_callback(_ended, task)
        yield house


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


def waits(law: Lawgiver) -> bool:
    """It has read the changed file, and would write if it led."""
    return law._owes and law._laws is not None and law._laws.queues["support"].needs[0].name == "fees"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.toml"


async def test_the_first_start_writes_the_policy_and_the_second_writes_nothing(bus: Bus, path: Path) -> None:
    async with opened(bus, path, WHOLE) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        await house.needs("support", Skill(name="swedish", level=2))
        (desk,) = await house.log(HOUSE, "desk")
        (entry,) = await house.log(QUEUE, "support")
        assert isinstance(desk.facts[0], f.DeskRuled) and desk.facts[0].rules.skills == ("swedish", "fees")
        assert isinstance(entry.facts[0], f.QueueDefined) and entry.facts[0].source and entry.by == "file"
        (enrolled,) = (await house.log(AGENT, "maya"))[0].facts
        assert isinstance(enrolled, f.Enrolled)
        assert (enrolled.public_key, enrolled.units, enrolled.skills[0].level) == (KEY, 100, 3)
    head = (await bus.stream_bounds("LOG"))[1]
    async with opened(bus, path) as house:
        await house.put(QUEUE, "other", f.QueueDefined(rules=QueueRules()))
        house.write(WHOLE + '[[queue]]\nname = "last"\n')
        await until(lambda: house.states.cell(QUEUE, "last").state.is_active)
    assert (await bus.stream_bounds("LOG"))[1] == head + 2


async def test_two_bridges_that_start_at_once_write_each_definition_once(bus: Bus, path: Path) -> None:
    async with opened(bus, path, WHOLE) as one, opened(bus, path, leads=False) as two:
        for house in (one, two):
            await until(lambda house=house: house.states.cell(AGENT, "maya").state.is_active)  # type: ignore[misc]
        for kind, name in ((HOUSE, "desk"), (QUEUE, "support"), (QUEUE, "sales"), (AGENT, "maya")):
            assert len(await one.log(kind, name)) == 1, name


async def test_a_changed_block_is_written_alone_and_by_the_leader_only(bus: Bus, path: Path) -> None:
    async with opened(bus, path, WHOLE, leads=False) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        house.write(WHOLE.replace("swedish 2", "fees 1"))
        await until(lambda: waits(house.law))
        assert len(await house.log(QUEUE, "support")) == 1
        house.leads = True
        await house.needs("support", Skill(name="fees"))
        assert [len(await house.log(QUEUE, name)) for name in ("support", "sales")] == [2, 1]
        assert len(await house.log(HOUSE, "desk")) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE.replace("swedish 2", "swedich 2"), "queue support: needs number 1: there is no skill 'swedich'"),
        (
            WHOLE + 'hours = { zone = "UTC", mon = "08:00-12:00, 11:00-13:00" }\n',
            "agent maya: hours: there is no such setting",
        ),
        (
            WHOLE.replace(SALES, SALES + 'hours = { zone = "UTC", mon = "08:00-12:00, 11:00-13:00" }\n'),
            "queue sales: hours: Mon 08:00-12:00 and Mon 11:00-13:00 overlap",
        ),
        (
            WHOLE.replace(SALES, SALES + 'overflow = [{ after_s = 9, queue = "support" }]\n').replace(
                SUPPORT, SUPPORT + 'overflow = [{ after_s = 9, queue = "sales" }]\n'
            ),
            "queue support: overflow: it goes in a circle: support to sales to support",
        ),
        (
            WHOLE.replace(DESK, DESK + "costs = { webchat = 80 }\n") + "units = 60\n" + CHAT,
            "desk.costs.webchat: a webchat conversation takes 80 units, and no agent of queue support has more than 60",
        ),
        (WHOLE.replace(SALES, f"{SALES}affinity_s = {10**30}\n"), "queue sales: affinity_s: it is 0"),
        *(
            (
                WHOLE.replace(SALES, SALES + f'hours = {{ zone = "UTC" }}\nholidays = ["{name}"]\n'),
                "queue sales: holidays number 1: ",
            )
            for name in ("none.ics", "\\u0000", "~nobody-at-all/x.ics")
        ),
        ("[desk\n", "not valid TOML"),
    ],
)
async def test_a_bad_file_at_run_time_leaves_the_last_good_policy_in_force_with_an_alarm(
    bus: Bus, path: Path, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(bus, path, WHOLE) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        head = (await bus.stream_bounds("LOG"))[1]
        with caplog.at_level(logging.ERROR):
            house.write(text)
            await house.alarmed(f"{path}: {said}")
            assert house.law.alarm.startswith(str(path))
            house.law.look()
            house.write(text + "# still bad\n")
            await until(lambda: house.law._seen == house.law._stamp())
        assert [one.message for one in caplog.records].count("policy file refused") == 1
        assert (await bus.stream_bounds("LOG"))[1] == head
        assert house.rules("support").needs == (Skill(name="swedish", level=2),)
        house.write(WHOLE.replace("swedish 2", "fees 3"))
        await house.needs("support", Skill(name="fees", level=3))
        assert house.law.alarm == ""


async def test_a_bad_file_at_the_start_leaves_what_the_log_says(bus: Bus, path: Path) -> None:
    async with opened(bus, path, WHOLE) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
    head = (await bus.stream_bounds("LOG"))[1]
    async with opened(bus, path, WHOLE.replace("swedish 2", "nothing 2")) as house:
        await house.alarmed("queue support: needs number 1")
        assert house.rules("support").needs == (Skill(name="swedish", level=2),)
        house.write(WHOLE)
        await until(lambda: not house.law.alarm)
    assert (await bus.stream_bounds("LOG"))[1] == head


async def test_a_change_by_command_holds_until_the_block_changes(bus: Bus, path: Path) -> None:
    fees = QueueRules(needs=(Skill(name="fees"),))
    async with opened(bus, path, WHOLE) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        await house.put(QUEUE, "support", f.QueueDefined(rules=fees))
        house.write(WHOLE.replace(SALES, SALES + 'title = "Sales"\n'))
        await until(lambda: house.rules("sales").title == "Sales")
        assert house.rules("support") == fees
    async with opened(bus, path) as house:
        assert house.rules("support") == fees
        house.write(path.read_text().replace("swedish 2", "swedish 1"))
        await house.needs("support", Skill(name="swedish"))


async def test_a_queue_that_left_the_file_goes_when_nothing_waits_in_it_and_may_come_back(bus: Bus, path: Path) -> None:
    case = (
        f.Opened(customer="u", handle="h", channel="chat", channel_kind="webchat", queue="sales"),
        f.Queued(queue="sales"),
    )
    async with opened(bus, path, WHOLE) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        await house.put(CONV, "c1", *case)
        house.write(WHOLE.replace(SALES, ""))
        await house.alarmed("queue sales: it left the file and stays, because 1 of its conversations are open")
        assert house.states.cell(QUEUE, "sales").state.is_active
        await house.put(CONV, "c1", f.Closed(agent="maya", disposition="solved"))
        await until(lambda: not house.states.cell(QUEUE, "sales").state.is_active)
        await until(lambda: house.law.alarms() == [], saying=house.law.alarms)
        house.write(WHOLE)
        await until(lambda: house.states.cell(QUEUE, "sales").state.is_active)


async def test_a_queue_by_command_is_no_business_of_the_file(bus: Bus, path: Path) -> None:
    async with opened(bus, path, WHOLE) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        await house.put(QUEUE, "extra", f.QueueDefined(rules=QueueRules()))
        house.write(WHOLE.replace("swedish 2", "swedish 1"))
        await house.needs("support", Skill(name="swedish"))
        assert house.states.cell(QUEUE, "extra").state.is_active


async def test_an_agent_without_a_key_waits_for_one_and_whoever_leaves_is_told(bus: Bus, path: Path) -> None:
    keyless = MAYA.replace(f'public_key = "{KEY}"\n', "")
    async with opened(bus, path, DESK + SUPPORT + keyless) as house:
        await house.alarmed("agent maya: they have no key yet")
        await house.put(AGENT, "maya", f.Enrolled(name="Maya", public_key=KEY))
        await until(lambda: house.states.cell(AGENT, "maya").state.skills == (Skill(name="swedish", level=3),))
        assert house.states.cell(AGENT, "maya").state.public_key == KEY
        house.write(DESK + SUPPORT)
        await house.alarmed("agent maya: they left the file and may still sign in")
        await house.put(AGENT, "maya", f.Dismissed())
        await until(lambda: not house.law.alarms(), saying=house.law.alarms)
        # Let out by command: the same block does not let them in again, nor does a changed one without a key.
        house.write(DESK + SUPPORT + keyless.replace("swedish 3", "fees 3"))
        await house.alarmed("agent maya: they have no key yet")
        assert not house.states.cell(AGENT, "maya").state.is_active


async def test_a_changed_calendar_and_a_new_year_expand_again(bus: Bus, path: Path) -> None:
    calendar = path.with_name("se.ics")
    calendar.write_text(CALENDAR.format("Eve"))
    text = SUPPORT.replace('needs = ["swedish 2"]', 'hours = { zone = "UTC" }\nholidays = ["se.ics"]')

    def titles() -> list[str]:
        hours = house.rules("support").hours
        return [one.title for one in hours.closures] if hours else []

    def last_ms() -> int:
        hours = house.rules("support").hours
        return hours.closures[-1].to_ms if hours else 0

    async with opened(bus, path, text) as house:
        await until(lambda: titles() == ["Eve"] * 4, saying=titles)
        calendar.write_text(CALENDAR.format("Christmas"))
        await until(lambda: titles() == ["Christmas"] * 4, saying=titles)
        before_ms = last_ms()
        house.now_ms += YEAR_MS
        await until(lambda: last_ms() > before_ms)
        calendar.write_text("no calendar")
        await house.alarmed("queue support: holidays number 1: ")
        assert titles() == ["Christmas"] * 4


async def test_a_file_that_is_asked_for_is_read_at_once(bus: Bus, path: Path) -> None:
    async with opened(bus, path, WHOLE, look_s=600.0) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        house.write(WHOLE.replace("swedish 2", "fees 1"))
        house.law.look()
        await house.needs("support", Skill(name="fees"))


async def test_a_refused_file_is_taken_once_what_it_lacked_has_come(bus: Bus, path: Path) -> None:
    ordered = SALES + 'mode = "in_order"\norder = ["ole"]\n'
    async with opened(bus, path, WHOLE) as house:
        await until(lambda: house.states.cell(AGENT, "maya").state.is_active)
        house.write(WHOLE.replace(SALES, ordered))
        await house.alarmed("queue sales: order: there is no agent 'ole'")
        await house.put(AGENT, "ole", f.Enrolled(name="Ole", public_key=KEY))
        await until(lambda: house.rules("sales").order == ("ole",), saying=house.law.alarms)
