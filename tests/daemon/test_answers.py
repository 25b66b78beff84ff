"""What the bridge answers about its own decisions, on real data: why, packets, tasks, notices and alerts.

The product's own parts over a real broker, two bridges of which one leads, and a clock that a test may set forward.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.envelopes import Envelope, Said
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.policy import DeskRules, Disposition, Hours, QueueRules, Skill, Step, Target
from broker_bridge.contract.words import Address, Words
from broker_bridge.core import views as rules
from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.outside import Lines, Outside, Terms
from broker_bridge.daemon.parts import Parts, open_buckets
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.seal import Sealer, derive
from broker_bridge.daemon.wire import Outgoing
from tests.daemon.real_broker import RealBroker
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

V = TypeVar("V")
KEY = b"r" * 32
GRACE_S = 60
AGENTS = {
    "ann": f.Enrolled(name="Ann Berg", public_key="U", units=60, skills=(Skill(name="swedish", level=4),)),
    "bob": f.Enrolled(name="Bob Lind", public_key="U", units=60),
    "sue": f.Enrolled(name="Sue Holt", public_key="U", role="supervisor"),
}
QUEUES = {
    "support": QueueRules(title="Support", offer_s=600, affinity_s=0, targets=(Target(first_reply_s=3600),)),
    "short": QueueRules(title="Short", offer_s=1),
    "swedish": QueueRules(
        title="Swedish",
        offer_s=600,
        needs=(Skill(name="swedish", level=5),),
        overflow=(Step(after_s=1, alarm="nobody here speaks it"),),
    ),
    "night": QueueRules(title="Night", hours=Hours(zone="Europe/Stockholm", week=())),
}
_numbers = itertools.count(1)


class _Over(Exception):
    """Ends everybody's work."""


@dataclass
class House:
    """Two bridges, their clock, and what agents were told."""

    ahead_s: float = 0.0
    parts: list[Parts] = field(default_factory=list)
    told: list[tuple[str, v.Notice]] = field(default_factory=list)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + int(self.ahead_s * 1000)

    def clock(self) -> float:
        return time.monotonic() + self.ahead_s

    @property
    def leader(self) -> Parts:
        return self.parts[0]

    async def build(self, broker: RealBroker, number: int) -> Bus:
        bus = await broker.connect(f"bridge{number}")
        buckets = await open_buckets(bus)
        model = ReadModel(None)
        model.begin_with(await bus.stream_created(subjects.LOG), (await bus.stream_bounds(subjects.LOG))[1])
        outside = Outside(
            boot=f"b{number}",
            bus=bus,
            buckets=buckets,
            sealer=Sealer(KEY, buckets["keys"]),
            handle_key=derive(KEY, "handles"),
            model=model,
            mint=ids.Mint(number, number),
            now_ms=self.now_ms,
            clock=time.monotonic,
            sleep=asyncio.sleep,
            random=random.Random(number).random,
        )
        desk = DeskRules(
            silent_grace_s=GRACE_S, dispositions=(Disposition(name="solved"),), skills=("swedish",), reasons=("lunch",)
        )
        terms = Terms(rules=QUEUES, desk=desk, workers=16)
        parts = Parts(outside, terms, lambda _: Lines(routes={}, running={}, kinds={}, sources={}))
        # Leases go by the real clock: a jump would take them away.
        parts.router._handback._clock = self.clock
        await parts.catch_up()
        self.parts.append(parts)
        return bus

    def hear(self, subject: str, body: bytes) -> None:
        agent = subject.split(".")[2]
        self.told.extend((agent, one) for one in codec.feed(body).notices)

    # people

    async def ask(self, agent: str, request: c.Request, parts: Parts | None = None) -> v.Answer:
        verb = str(request.__struct_config__.tag)
        served = parts or self.leader
        return codec.answer(await served.desk.handle(f"cc.do.{agent}.{verb}", codec.encode(request), {}))

    async def get(self, agent: str, request: c.Request, kind: type[V]) -> V:
        answer = await self.ask(agent, request)
        assert isinstance(answer, kind), answer
        return answer

    async def act(self, agent: str, wish: type[c.Act], conversation: str, **more: Any) -> None:
        await self.get(agent, wish(id=f"w{next(_numbers)}", conversation=conversation, **more), c.Done)

    async def here(self, *agents: str) -> None:
        """These are ready, and nobody else."""
        for agent in AGENTS:
            if agent in agents:
                await self.get(agent, c.Hello(device="t"), v.Welcome)
            await self.get(agent, c.Presence(state="ready" if agent in agents else "off"), c.Done)

    async def write(self, text: str, sender: str = "") -> str:
        """A customer writes; gives the case, known to both bridges."""
        name = sender or f"s{next(_numbers)}"
        item = Said(sender=Address(address=name, name=name.title()), words=Words(text=text, name=name, address=name))
        native = f"n{next(_numbers)}"
        await self.leader.intake.store(
            Envelope(native=native, kind="fake", channel="fake", received_ms=self.now_ms(), item=item)
        )

        def is_there() -> str:
            found = self.leader.model.ids("text = ?", (text,))
            return found[0] if found else ""

        return await until(is_there, saying=f"{text!r} is not there")

    async def put(self, queue: str, text: str) -> str:
        """A customer writes, and a supervisor passes it on to a queue."""
        case = await self.write(text)
        await self.act("sue", c.Transfer, case, to_queue=queue)
        return case

    def state(self, case: str, parts: Parts | None = None) -> Any:
        return (parts or self.leader).reading.state(case)

    async def rings(self, case: str, agent: str) -> None:
        await until(
            lambda: self.state(case).offer is not None and self.state(case).offer.agent == agent,
            saying=lambda: f"does not ring at {agent}: {self.state(case).offer}",
        )

    async def why(self, reader: str, case: str) -> v.WhyView:
        """The same from the bridge that leads and from the one that does not."""
        seq = self.state(case).seq
        await until(lambda: min(one.follower.position for one in self.parts) >= seq, saying="a bridge is behind")
        found = [await self.ask(reader, c.WhyOf(conversation=case), parts) for parts in self.parts]
        first, second = found
        assert isinstance(first, v.WhyView) and isinstance(second, v.WhyView), found
        assert (first.sentence, first.lines) == (second.sentence, second.lines)
        return first

    async def close(self, case: str) -> None:
        """Done with: whoever has it has room again."""
        await self.act("sue", c.Close, case, disposition="solved")


async def _lead(house: House) -> None:
    while True:
        house.leader.router.is_leader = True
        house.parts[1].router.is_leader = False
        await asyncio.sleep(0.02)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    broker = RealBroker(tmp_path_factory.mktemp("broker"), agents=())
    broker.start()
    made, buses = House(), []
    try:
        buses.append(await broker.connect("board"))
        await streams.ensure(buses[0], streams.StreamSettings())
        for name, enrolled in AGENTS.items():
            entry = Entry(at_ms=made.now_ms(), by="cli", facts=(enrolled,))
            await buses[0].publish(Outgoing(subjects.log("agent", name), codec.encode(entry)))
        buses += [await made.build(broker, number) for number in (1, 2)]
        await buses[0].listen("cc.view.*.desk", made.hear)
        try:
            async with asyncio.TaskGroup() as crew:
                for one in made.parts:
                    await one.start(crew)
                crew.create_task(_lead(made))
                yield made
                raise _Over
        except* _Over:
            pass
    finally:
        for bus in buses:
            await bus.close()
        broker.kill()


def line(view: v.WhyView, word: str) -> v.WhyLine:
    found = [one for one in view.lines if one.word == word]
    assert found, [(one.word, one.text) for one in view.lines]
    return found[-1]


async def test_an_accepted_offer_says_who_was_considered_and_how_quickly_it_was_taken(house: House) -> None:
    await house.here("ann", "bob")
    case = await house.write("first of all")
    await until(lambda: house.state(case).offer, saying="it does not ring")
    agent = house.state(case).offer.agent
    await house.act(agent, c.Accept, case)
    view = await house.why(agent, case)
    assert view.sentence.startswith("Of the two who are free and fit, you have ")
    assert line(view, "arrived").text == "fake → channel fake, a new case"
    assert line(view, "arrived").mark == f"#{house.state(case).number}"
    assert line(view, "known").mark == "? not proved"
    assert line(view, "queue").text == "→ Support, priority 5"
    assert line(view, "target").text.startswith("first answer: due ")
    assert line(view, "offered").text.startswith("to you for 10 min")
    assert line(view, "offered").mark.startswith("accepted after ") and line(view, "offered").tone == "ok"
    assert [one.agent for one in view.who if one.is_chosen] == [agent]
    assert {one.agent for one in view.who if one.is_fit} == {"ann", "bob"}
    assert view.policy == "The rules were those of the configuration."
    assert not view.is_live
    await house.close(case)
    assert (await house.why("ann", case)).sentence == "Sue Holt closed it: solved."


async def test_a_declined_offer_keeps_the_word_and_a_case_that_waits_is_reckoned_live(house: House) -> None:
    await house.here("ann")
    case = await house.write("declined")
    await house.rings(case, "ann")
    await house.act("ann", c.Decline, case, reason="at the dentist")
    view = await house.why("sue", case)
    assert line(view, "offered").mark.startswith("declined after ")
    assert line(view, "declined").text == "by Ann Berg: at the dentist"
    assert view.is_live
    assert view.sentence == "Nobody is free: 1 let it pass a minute ago, 1 is off."
    # She stands in the table: counted among the others she would be two.
    assert ("Ann Berg", "let it pass a minute ago") in [(one.name, one.reason) for one in view.who]
    assert "let it pass a minute ago" not in dict(view.skipped)
    assert not any(one.is_chosen for one in view.who)
    assert view.policy == "The rules are those of the configuration."
    await house.close(case)


async def test_an_offer_that_nobody_answered_says_so(house: House) -> None:
    await house.here("ann")
    case = await house.put("short", "rang out")
    await until(lambda: "ann" in house.state(case).declined, saying="it does not ring out")
    view = await house.why("ann", case)
    assert line(view, "transfer").text == "Sue Holt passed it on to Short"
    assert line(view, "offered").text.startswith("to you for 1 s")
    assert line(view, "offered").mark == "expired after 1 s"
    assert line(view, "expired").text == "you did not answer"
    await house.close(case)


async def test_a_talk_is_told_from_the_question_to_the_change_of_hands(house: House) -> None:
    await house.here("ann")
    case = await house.write("talk about it")
    await house.rings(case, "ann")
    await house.act("ann", c.Accept, case)
    await house.here("ann", "bob")
    house.told.clear()
    await house.act("ann", c.Transfer, case, to_agent="bob", ask_first=True, note="do you know this", epoch=1)
    view = await house.why("ann", case)
    assert view.sentence.endswith("Bob Lind is asked to take it over, and it stays with you until then.")
    await house.act("bob", c.Decline, case, reason="in a talk")
    view = await house.why("ann", case)
    assert line(view, "declined").text == "by Bob Lind: in a talk; it stays with you"
    await until(lambda: ("ann", "returned") in [(who, one.kind) for who, one in house.told], saying="nothing came back")
    assert ("ann", v.Notice(kind="returned", text="Bob Lind declined: in a talk", conv=case)) in house.told
    await house.act("ann", c.Transfer, case, to_agent="bob", ask_first=True, epoch=1)
    await house.act("bob", c.Accept, case)
    view = await house.why("bob", case)
    assert view.sentence.endswith("Ann Berg and you talk about it, and it stays with Ann Berg.")
    await house.act("ann", c.Confirm, case)
    view = await house.why("bob", case)
    assert view.sentence == "Ann Berg handed it over to you after a talk."
    assert [one.text for one in view.lines if one.word == "consult"][-1].startswith("Ann Berg and you talk about it")
    # The router's choice of before does not say why it is here now.
    assert view.who == ()
    await until(lambda: [one for who, one in house.told if who == "bob" and one.kind == "assigned"], saying="not told")
    await house.close(case)


async def test_work_of_a_killed_terminal_is_back_with_its_reason_and_the_supervisor_sees_it_coming(
    house: House,
) -> None:
    await house.here("ann")
    case = await house.write("left alone")
    await house.rings(case, "ann")
    await house.act("ann", c.Accept, case)
    # Her terminal vanishes: nothing is heard of it any more.
    house.ahead_s += 31
    await until(lambda: house.leader.staff.presences.of("ann").state == "silent", saying="she is not silent")
    floor = await house.get("sue", c.Directory(), v.DirectoryView)
    alert = next(one for one in floor.notices if one.agent == "ann" and one.id.startswith("silent:"))
    assert alert.text.startswith("Ann Berg silent ") and ", 1 case goes back in " in alert.text
    again = await house.get("sue", c.Directory(), v.DirectoryView)
    assert alert.id in {one.id for one in again.notices}
    assert (await house.get("bob", c.Directory(), v.DirectoryView)).notices == ()
    # The leader counts the grace by its own monotonic clock from when it saw her silent.
    await asyncio.sleep(0)
    await until(lambda: "ann" in house.leader.router._handback._gone_since, saying="the leader does not see it")
    house.ahead_s += GRACE_S
    await until(lambda: house.state(case).status == "queued", saying="it does not go back")
    view = await house.why("bob", case)
    back = "back to Support, priority 5: Ann Berg's terminal has been silent for 1 minute"
    assert line(view, "queue").text.startswith(back)
    assert line(view, "queue").tone == "near"
    assert view.sentence.startswith("It came back: Ann Berg's terminal has been silent for 1 minute")
    assert view.sentence.endswith("Nobody is free: 1 is off, 1 is silent.")
    await house.close(case)


async def test_a_need_that_nobody_meets_and_a_closed_queue_are_said_plainly_and_raise_alerts(house: House) -> None:
    await house.here("ann", "bob")
    hard, night = await house.put("swedish", "svenska"), await house.put("night", "at night")
    await until(lambda: house.state(hard).steps, saying="no step is taken")
    view = await house.why("sue", hard)
    assert view.sentence == "Nobody who has swedish 5 is here: 2 lack swedish 5."
    assert line(view, "overflow").text.endswith("step 1: alarm to the supervisors: nobody here speaks it")
    assert line(view, "queue").text == "→ Swedish, needs swedish 5, priority 5"
    assert (await house.why("sue", night)).sentence == "Closed: this queue never opens."
    alerts = await until(lambda: _alarms(house, hard), saying="no alarm")
    assert [one.id for one in alerts] == [f"alarm:{hard}:swedish:1"]
    floor = await house.get("sue", c.Directory(), v.DirectoryView)
    assert "Night: 1 waits, never open" in [one.text for one in floor.notices]
    await house.close(hard)
    await house.close(night)
    await until(lambda: not _alarms(house, hard), saying="the alarm stays")


def _alarms(house: House, case: str) -> list[v.Alert]:
    sue = house.leader.staff.actor("sue")
    assert sue is not None
    house.leader.alerts._known = None
    return [one for one in house.leader.alerts.of(sue) if one.conv == case and one.id.startswith("alarm:")]


async def test_an_alarm_is_known_after_a_restart_too(house: House) -> None:
    await house.here("ann")
    case = await house.put("swedish", "svenska igen")
    await until(lambda: _alarms(house, case), saying="no alarm")
    house.leader.alerts._alarmed.clear()
    house.leader.alerts.load()
    assert [one.id for one in _alarms(house, case)] == [f"alarm:{case}:swedish:1"]
    await house.close(case)


async def test_a_late_answer_is_an_alert_with_a_lasting_id(house: House) -> None:
    await house.here("ann")
    case = await house.write("too late")
    await house.rings(case, "ann")
    await house.act("ann", c.Accept, case)
    house.ahead_s += 3_700
    await house.here("ann")

    def late() -> list[v.Alert]:
        sue = house.leader.staff.actor("sue")
        assert sue is not None
        house.leader.alerts._known = None
        return [one for one in house.leader.alerts.of(sue) if one.conv == case]

    (one,) = await until(late, saying="it is not late")
    assert one.severity == "late" and one.id == f"late:{case}:{one.at_ms}" and "with Ann Berg" in one.text
    assert late()[0].id == one.id
    target = line(await house.why("ann", case), "target")
    assert (target.mark, target.tone) == ("late", "late")
    await house.close(case)
    await until(lambda: not late(), saying="a closed case is late")


async def test_a_packet_is_prefilled_from_the_thread_and_the_draft_is_counted(house: House) -> None:
    await house.here("ann")
    text = "Hello Ann, my card was charged twice. Can you help me?"
    case = await house.write(text, sender="packet")
    await house.rings(case, "ann")
    await house.act("ann", c.Accept, case)
    await house.act("ann", c.Note, case, text="She called at noon. The shop knows.")
    await house.get("ann", c.Draft(conversation=case, text="Dear customer"), c.Done)
    view = await house.get("ann", c.Handover(conversation=case), v.HandoverView)
    assert view.packet.problem == "My card was charged twice. Can you help me?"
    assert view.packet.open == "Can you help me?"
    assert view.packet.tried == "note: She called at noon. note: The shop knows."
    assert view.packet.proved == "fake packet ✗"
    assert (view.case, view.draft) == ("1 message, 1 note", len("Dear customer"))
    unknown = await house.ask("ann", c.Handover(conversation="nothing"))
    assert isinstance(unknown, c.Refusal) and unknown.code == "unknown"
    await house.close(case)


async def test_tasks_are_listed_by_view_and_the_number_is_masked_for_strangers(house: House) -> None:
    await house.here("ann")
    case = await house.write("call me", sender="longaddress")
    await house.rings(case, "ann")
    await house.act("ann", c.Accept, case)
    await house.here("ann", "bob")
    house.told.clear()
    due_ms = house.now_ms() + 60_000
    more: dict[str, Any] = {"what": "call_back", "number": "+46701740605", "due_ms": due_ms}
    await house.act("ann", c.AddTask, case, assignee="ann", observers=("bob",), text="after lunch", **more)
    await house.act("ann", c.AddTask, case, assignee="bob", text="ask the shop")
    await until(lambda: house.leader.model.count_tasks("done_ms IS NULL", ()) == 2, saying="no tasks")

    async def of(agent: str, **more: Any) -> v.TaskPage:
        return await house.get(agent, c.Tasks(**more), v.TaskPage)

    (mine,) = (await of("ann")).tasks
    assert (mine.text, mine.number, mine.by, mine.may_change) == ("after lunch", "+46701740605", "Ann Berg", True)
    assert mine.case == house.state(case).number
    (seen,) = (await of("bob", view="observed")).tasks
    assert (seen.number, seen.may_change) == (rules.masked("+46701740605"), False)
    assert seen.customer != mine.customer == "Longaddress"
    known = {who: line(await house.why(who, case), "known").text for who in ("ann", "bob")}
    assert known["ann"] == "fake longaddress is Longaddress, as they say"
    assert "longaddress" not in known["bob"].casefold()
    assert (await of("bob", view="all", conversation=case)).total == 2
    assert (await of("bob", view="all", conversation="other")).total == 0
    given = v.Notice(kind="assigned", text="Ann Berg gave you a task: ask the shop", conv=case)
    await until(lambda: ("bob", given) in house.told, saying="he is not told")
    # Nobody is told of what they did themselves.
    assert "ann" not in [who for who, one in house.told if one.kind == "assigned"]
    house.ahead_s += 61
    await house.here("ann", "bob")
    await until(lambda: [one for who, one in house.told if one.kind == "reminder"], saying="nobody is reminded")
    assert [(who, one.text) for who, one in house.told if one.kind == "reminder"] == [
        ("ann", "A call-back is due: after lunch")
    ]
    assert "Ann Berg: a call-back is due: after lunch" in [one.text for who, one in house.told if who == "bob"]
    for task in (await of("sue", view="all")).tasks:
        await house.act("ann", c.FinishTask, case, task=task.task)
    await until(lambda: house.leader.model.count_tasks("done_ms IS NULL", ()) == 0, saying="tasks stay")
    assert {one.is_done for one in (await of("bob", view="done")).tasks} == {True}
    assert (await of("sue", view="done")).total == 2
    await house.close(case)


async def test_a_notice_is_told_once_however_often_a_terminal_says_hello(house: House) -> None:
    await house.here("ann", "bob")
    case = await house.write("followed")
    await until(lambda: house.state(case).offer, saying="it does not ring")
    owner = house.state(case).offer.agent
    other = "bob" if owner == "ann" else "ann"
    await house.act(owner, c.Accept, case)
    await house.act(other, c.Observe, case)
    house.told.clear()
    await house.close(case)
    closed = v.Notice(kind="observed", text="Sue Holt closed it: solved.", conv=case)
    await until(lambda: (other, closed) in house.told, saying="who follows is not told")
    await house.get(other, c.Hello(device="t"), v.Welcome)
    await house.get(other, c.Hello(device="t2"), v.Welcome)
    feed = house.leader.home.feeds[other]
    await until(lambda: not feed.has_news, saying="the feed is not flushed")
    assert house.told.count((other, closed)) == 1


async def test_a_colleague_at_lunch_is_refused_with_the_time_of_the_return(house: House) -> None:
    await house.here("ann")
    case = await house.write("for bob")
    await house.rings(case, "ann")
    await house.act("ann", c.Accept, case)
    await house.get("bob", c.Hello(device="t"), v.Welcome)
    until_ms = house.now_ms() + 120_000
    await house.get("bob", c.Presence(state="away", reason="lunch", until_ms=until_ms), c.Done)
    refusal = await house.ask("ann", c.Transfer(id="lunch", conversation=case, to_agent="bob", epoch=1))
    assert isinstance(refusal, c.Refusal)
    assert refusal.code == "absent" and refusal.sentence.startswith("Bob Lind is at lunch until ")
    await house.close(case)
