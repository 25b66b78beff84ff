"""`queue` and `agent` on the command line, over a real broker: what is said becomes a fact, or is refused with a sentence."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from agent_tui.keeper import enrollment
from broker_bridge import cli
from broker_bridge.contract import codec, subjects
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.policy import DeskRules, Disposition, QueueRules, Skill, Step, Target
from broker_bridge.core import conversation
from broker_bridge.daemon import streams
from broker_bridge.daemon.accounts import make_seed
from broker_bridge.daemon.bus import Bus
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.wire import Outgoing
from tests.daemon.kept_logging import kept_logging
from tests.daemon.real_broker import RealBroker

T = TypeVar("T")

QUEUES = '[[queue]]\nname = "support"\nreply_within_s = 60\n[[queue]]\nname = "sales"\n'
DESK = '[desk]\nskills = ["swedish", "fees"]\ndispositions = ["solved", "spam"]\n'
CHANNEL = '[[channel]]\nname = "chat"\nkind = "webchat"\nqueue = "support"\n'
WEEK = 'zone = "Europe/Stockholm"\nmon-fri = "08:00-12:00, 13:00-18:00"\n'
CALENDAR = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n"
    "DTSTART;VALUE=DATE:20201224\nSUMMARY:Eve\nRRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR\n"
)

OPENED = f.Opened(customer="u", handle="h", channel="chat", channel_kind="webchat", queue="extra")

Capture = pytest.CaptureFixture[str]


class Shop:
    """A configuration in the folder of the command, and the broker it names."""

    def __init__(self, folder: Path, broker: RealBroker) -> None:
        self.folder = folder
        self.broker = broker
        self.path = folder / "bridge.toml"
        seed = folder / "bridge.seed"
        seed.write_text(broker.bridge.seed)
        seed.chmod(0o600)
        self.configure()
        self.with_bus(lambda bus: streams.ensure(bus, streams.StreamSettings()))

    def configure(self, policy: str = DESK + QUEUES + CHANNEL) -> None:
        broker = f'[broker]\nmode = "external"\nurl = "{self.broker.url}"\nseed = "file:bridge.seed"\n'
        self.path.write_text(f'[site]\nstate_dir = "state"\n[web]\nport = 0\n{broker}{policy}')

    def with_bus(self, work: Callable[[Bus], Awaitable[T]]) -> T:
        async def connected() -> T:
            bus = await self.broker.connect()
            try:
                return await work(bus)
            finally:
                await bus.close()

        return asyncio.run(connected())

    def entries(self, kind: str, name: str) -> list[Entry]:
        found = self.with_bus(lambda bus: bus.subject_messages("LOG", subjects.log(kind, name)))
        return [codec.entry(body) for _, body, _ in found]

    def put(self, kind: str, name: str, fact: f.AnyFact) -> None:
        body = codec.encode(Entry(at_ms=1, by="file", facts=(fact,)))
        self.with_bus(lambda bus: bus.publish(Outgoing(subjects.log(kind, name), body, {})))

    def read_model(self) -> ReadModel:
        """That of a bridge which runs here."""
        (self.folder / "state").mkdir()
        return ReadModel(self.folder / "state" / "readmodel.sqlite")

    def rules(self, queue: str) -> QueueRules:
        fact = self.entries("queue", queue)[-1].facts[-1]
        assert isinstance(fact, f.QueueDefined)
        return fact.rules

    def enrolled(self, agent: str) -> f.Enrolled:
        fact = self.entries("agent", agent)[-1].facts[-1]
        assert isinstance(fact, f.Enrolled)
        return fact


@pytest.fixture
def shop(tmp_path: Path, broker: RealBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    with kept_logging():
        yield Shop(tmp_path, broker)


def test_every_option_of_a_queue_becomes_its_rule(shop: Shop, capsys: Capture) -> None:
    (shop.folder / "week.toml").write_text(WEEK)
    (shop.folder / "se.ics").write_text(CALENDAR)
    assert (
        cli.main(["agent", "add", "maya", "--key", make_seed().public, "--skill", "swedish 3", "--skill", "fees"]) == 0
    )
    argv = ["queue", "set", "support", "--title", "Support", "--priority", "2", "--mode", "in_order", "--order", "maya"]
    argv += ["--needs", "swedish 3, fees", "--hours", "week.toml", "--holidays", "se.ics", "--affinity", "9"]
    argv += ["--overflow", "60 widen 1", "--overflow", "90 alarm A long line", "--overflow", "120 queue sales"]
    argv += ["--no-responsible-first", "--offer", "11", "--auto-accept", "webchat", "--pauses", "waiting"]
    argv += ["--target", "first_reply=15m next_reply=1h resolution=4h", "--target", "priority=1 first_reply=5m"]
    argv += ["--service-level", "0.9", "--warn-share", "0.5", "--wrap-up", "timed", "--wrap-up-time", "30"]
    argv += ["--disposition", "solved", "--disposition", "sold: order number, amount", "--away-reply", "Away."]
    argv += ["--default-disposition", "solved"]
    assert cli.main(argv) == 0
    rules = shop.rules("support")
    assert rules.hours is not None and len(rules.hours.closures) == 4 and len(rules.hours.week) == 10
    assert rules == QueueRules(
        title="Support",
        priority=2,
        mode="in_order",
        order=("maya",),
        needs=(Skill(name="swedish", level=3), Skill(name="fees")),
        hours=rules.hours,
        overflow=(Step(after_s=60, widen=1), Step(after_s=90, alarm="A long line"), Step(after_s=120, queue="sales")),
        affinity_s=9,
        responsible_first=False,
        offer_s=11,
        auto_accept=("webchat",),
        targets=(
            Target(first_reply_s=900, next_reply_s=3600, resolution_s=14_400),
            Target(priority=1, first_reply_s=300),
        ),
        pauses=("waiting",),
        warn_share=0.5,
        service_level=0.9,
        wrap_up="timed",
        wrap_up_s=30,
        dispositions=(Disposition(name="solved"), Disposition(name="sold", fields=("order number", "amount"))),
        default_disposition="solved",
        away_reply="Away.",
    )
    assert "this holds until that block changes" in capsys.readouterr().err


def test_what_is_not_named_stays(shop: Shop) -> None:
    assert cli.main(["queue", "set", "support", "--needs", "fees", "--offer", "9"]) == 0
    assert cli.main(["queue", "set", "support", "--title", "Help"]) == 0
    assert shop.rules("support") == QueueRules(
        title="Help", needs=(Skill(name="fees"),), offer_s=9, targets=(Target(first_reply_s=60, next_reply_s=60),)
    )
    assert cli.main(["queue", "set", "support", "--needs", "", "--target", ""]) == 0
    assert shop.rules("support") == QueueRules(title="Help", offer_s=9)


def test_new_hours_keep_the_holidays_and_new_holidays_keep_the_hours(shop: Shop) -> None:
    (shop.folder / "week.toml").write_text(f"[hours]\n{WEEK}")
    (shop.folder / "se.ics").write_text(CALENDAR)
    assert cli.main(["queue", "set", "support", "--hours", "week.toml"]) == 0
    week = shop.rules("support").hours
    assert week is not None
    assert cli.main(["queue", "set", "support", "--holidays", "se.ics"]) == 0
    (shop.folder / "week.toml").write_text('zone = "UTC"\nmon = "08:00-12:00"\n')
    both = shop.rules("support").hours
    assert both is not None and (both.zone, both.week, len(both.closures)) == (week.zone, week.week, 4)
    assert cli.main(["queue", "set", "support", "--hours", "week.toml"]) == 0
    fresh = shop.rules("support").hours
    assert fresh is not None and (fresh.zone, len(fresh.week), fresh.closures) == ("UTC", 1, both.closures)
    assert cli.main(["queue", "set", "support", "--always-open"]) == 0
    assert shop.rules("support").hours is None


def test_what_is_shown_defines_the_same_queue_again(shop: Shop, capsys: Capture) -> None:
    assert cli.main(["queue", "set", "support", "--needs", "fees 2", "--disposition", "sold: amount"]) == 0
    capsys.readouterr()
    assert cli.main(["queue", "show", "support"]) == 0
    (shop.folder / "copy.toml").write_text(capsys.readouterr().out)
    assert cli.main(["queue", "add", "copy", "--from", "copy.toml"]) == 78
    assert "there is no block of the name 'copy'" in capsys.readouterr().err
    text = (shop.folder / "copy.toml").read_text().replace('"support"', '"copy"')
    (shop.folder / "copy.toml").write_text(text)
    assert cli.main(["queue", "add", "copy", "--from", "copy.toml", "--title", "Copy"]) == 0
    assert shop.rules("copy") == QueueRules(
        title="Copy",
        needs=(Skill(name="fees", level=2),),
        dispositions=(Disposition(name="sold", fields=("amount",)),),
        targets=(Target(first_reply_s=60, next_reply_s=60),),
    )


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (
            "set support|--needs|swedich 3",
            1,
            "queue support: needs number 1: there is no skill 'swedich'; did you mean",
        ),
        ("set suport|--title|x", 1, "there is no queue 'suport'; did you mean 'support'?"),
        ("add support", 1, "there is a queue 'support' already"),
        ("add a.b", 1, "a queue's name is 1 to 64 letters"),
        ("set support", 1, "nothing was said that should change"),
        ("set support|--overflow|9 queue support", 1, "queue support: overflow: it goes in a circle"),
        ("set support|--overflow|soon widen 1", 1, "--overflow is written as '60 widen 1'"),
        ("set support|--target|first=15m", 1, "--target is written as"),
        ("set support|--target|first_reply=soon", 1, "target number 1: first_reply: write a time as"),
        ("set support|--hours|bad.toml", 1, "queue support: hours: Mon 08:00-12:00 and Mon 11:00-13:00 overlap"),
        ("set support|--hours|none.toml", 78, "none.toml: cannot be read: No such file"),
        ("set support|--from|bad.toml", 78, "bad.toml: queue: there is no block [[queue]] in it"),
        ("set support|--from|odd.toml", 78, "queue support: nedes: there is no such setting; did you mean 'needs'?"),
        (
            "set support|--default-disposition|won",
            1,
            "queue support: default_disposition: there is no disposition 'won'",
        ),
        ("remove nothing", 1, "there is no queue 'nothing'"),
        ("remove support", 1, "channel chat brings into it"),
        ("show nothing", 1, "there is no queue 'nothing'"),
    ],
)
def test_what_would_break_the_policy_is_refused_and_nothing_is_written(
    argv: str, code: int, said: str, shop: Shop, capsys: Capture
) -> None:
    (shop.folder / "bad.toml").write_text('zone = "UTC"\nmon = "08:00-12:00, 11:00-13:00"\n')
    (shop.folder / "odd.toml").write_text('[[queue]]\nnedes = ["fees"]\n')
    words = argv.split("|")
    assert cli.main(["queue", *words[0].split(), *words[1:]]) == code
    assert said in capsys.readouterr().err
    assert shop.with_bus(lambda bus: bus.stream_bounds("LOG"))[1] == 0


def test_a_queue_goes_only_when_nobody_needs_it(shop: Shop, capsys: Capture) -> None:
    assert cli.main(["queue", "add", "extra"]) == 0
    assert cli.main(["queue", "set", "sales", "--overflow", "60 queue extra"]) == 0
    assert cli.main(["queue", "remove", "extra"]) == 1
    assert "queue sales: overflow number 1: there is no queue 'extra'" in capsys.readouterr().err
    assert cli.main(["queue", "set", "sales", "--overflow", ""]) == 0
    model = shop.read_model()
    waiting = Entry(at_ms=1, by="clerk", facts=(OPENED, f.Queued(queue="extra")))
    model.keep_conversation(conversation.fold(conversation.begin("c1"), waiting, 1))
    model.commit(1)
    assert cli.main(["queue", "remove", "extra"]) == 1
    assert "1 of its conversations are open" in capsys.readouterr().err
    closed = Entry(at_ms=2, by="agent:maya", facts=(f.Closed(agent="maya", disposition="solved"),))
    model.keep_conversation(conversation.fold(conversation.fold(conversation.begin("c1"), waiting, 1), closed, 2))
    model.commit(2)
    model.close()
    assert cli.main(["queue", "remove", "extra"]) == 0
    assert isinstance(shop.entries("queue", "extra")[-1].facts[0], f.QueueRemoved)
    capsys.readouterr()
    assert cli.main(["queue", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["queue"] for row in rows] == ["sales", "support"]


def test_queues_are_listed_with_where_they_come_from(shop: Shop, capsys: Capture) -> None:
    shop.put("queue", "support", f.QueueDefined(rules=QueueRules(title="Help\x1b[2J"), source="abc"))
    assert cli.main(["queue", "add", "extra", "--mode", "everybody"]) == 0
    capsys.readouterr()
    assert cli.main(["queue", "list"]) == 0
    table = capsys.readouterr().out
    assert "\x1b" not in table
    assert [line.split()[-1] for line in table.splitlines()] == ["FROM", "command", "file", "file"]


def test_an_agent_is_changed_in_what_is_named(shop: Shop, capsys: Capture) -> None:
    key = make_seed().public
    assert cli.main(["agent", "add", "ole", "--name", "Ole Nilsen", "--key", key, "--queue", "support"]) == 0
    assert (shop.enrolled("ole").units, shop.enrolled("ole").capacity) == (100, 5)
    argv = ["agent", "set", "ole", "--skill", "fees 3", "--skill", "swedish 4", "--units", "120"]
    assert cli.main(argv) == 0
    fact = shop.enrolled("ole")
    assert (fact.name, fact.public_key, fact.queues, fact.units) == ("Ole Nilsen", key, ("support",), 120)
    assert fact.skills == (Skill(name="fees", level=3), Skill(name="swedish", level=4))
    assert cli.main(["agent", "set", "ole", "--queue", "", "--role", "supervisor"]) == 0
    assert (shop.enrolled("ole").queues, shop.enrolled("ole").role, shop.enrolled("ole").units) == (
        (),
        "supervisor",
        120,
    )
    capsys.readouterr()
    assert cli.main(["agent", "show", "ole"]) == 0
    assert 'skills = ["fees 3", "swedish 4"]' in capsys.readouterr().out
    assert cli.main(["agent", "list", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["units"], row["skills"]) == (120, ["fees 3", "swedish 4"])


def test_places_of_before_there_were_units_are_still_understood(shop: Shop, capsys: Capture) -> None:
    key = make_seed().public
    assert cli.main(["agent", "add", "ole", "--key", key, "--capacity", "3"]) == 0
    assert (shop.enrolled("ole").capacity, shop.enrolled("ole").units) == (3, 0)
    assert cli.main(["agent", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["units"] == 60


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("add ole|--queue|suport", "agent ole: queues: there is no queue 'suport'; did you mean 'support'?"),
        ("add ole|--skill|fee 3", "agent ole: skills number 1: there is no skill 'fee'; did you mean 'fees'?"),
        ("add ole|--skill|fees 9", "agent ole: skills number 1: a level is 1 (a little) to 5 (expert), not 9"),
        ("set maya|--units|99999", "agent maya: units: use 1 to 10000"),
        ("set nobody|--units|9", "there is no agent 'nobody'"),
        ("set maya", "nothing was said that should change"),
        ("set maya|--key|SUAGEHEIM", "--key takes the public key"),
        ("show nobody", "there is no agent 'nobody'"),
    ],
)
def test_an_agent_who_would_break_the_policy_is_refused(argv: str, said: str, shop: Shop, capsys: Capture) -> None:
    assert cli.main(["agent", "add", "maya", "--key", make_seed().public]) == 0
    capsys.readouterr()
    words = argv.split("|")
    assert cli.main(["agent", *words[0].split(), *words[1:]]) == 1
    err = capsys.readouterr().err
    assert said in err and "GEHEIM" not in err
    assert shop.with_bus(lambda bus: bus.stream_bounds("LOG"))[1] == 1


def test_whoever_has_a_block_in_the_file_is_let_in_as_it_says(shop: Shop, capsys: Capture) -> None:
    block = '[[agent]]\nid = "ole"\nname = "Ole Nilsen"\nqueues = ["sales"]\nskills = ["fees 3"]\nunits = 40\n'
    shop.configure(DESK + QUEUES + CHANNEL + block)
    assert cli.main(["agent", "add", "ole", "--skill", "fees 4"]) == 0
    fact = shop.enrolled("ole")
    assert (fact.name, fact.queues, fact.units, fact.skills) == (
        "Ole Nilsen",
        ("sales",),
        40,
        (Skill(name="fees", level=4),),
    )
    assert enrollment(capsys.readouterr().out).agent == "ole"


def test_what_was_wrong_before_is_not_the_fault_of_a_change(shop: Shop) -> None:
    shop.put("queue", "sales", f.QueueDefined(rules=QueueRules(mode="broken")))
    assert cli.main(["queue", "set", "support", "--title", "Help"]) == 0


def test_skills_of_the_log_count_before_those_of_the_file(shop: Shop, capsys: Capture) -> None:
    shop.put("house", "desk", f.DeskRuled(rules=DeskRules(skills=("danish",)), source="abc"))
    assert cli.main(["queue", "set", "support", "--needs", "danish 2"]) == 0
    assert cli.main(["queue", "set", "support", "--needs", "fees 2"]) == 1
    assert "there is no skill 'fees'; known here: danish" in capsys.readouterr().err


def test_each_change_is_in_the_audit(shop: Shop) -> None:
    assert cli.main(["queue", "add", "extra"]) == 0
    assert cli.main(["queue", "remove", "extra"]) == 0
    assert shop.with_bus(lambda bus: bus.stream_bounds("AUDIT"))[1] == 2


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            DESK + QUEUES + 'needs = ["fee"]\n',
            "queue sales: needs number 1: there is no skill 'fee'; did you mean 'fees'?",
        ),
        (QUEUES + 'hours = { zone = "UTC", mon = "08:00-12:00, 11:00-13:00" }\n', "queue sales: hours: Mon 08:00"),
        (QUEUES + "[[queue.overflow]]\nafter_s = 9\nqueue = 'sales'\n", "queue sales: overflow: it goes in a circle"),
        (
            QUEUES + CHANNEL + "[desk.costs]\nwebchat = 90\n[[agent]]\nid = 'ole'\nunits = 80\n",
            "desk.costs.webchat: a webchat conversation takes 90 units",
        ),
    ],
)
def test_check_names_file_and_key_of_a_bad_policy_and_ends_with_78(
    policy: str, said: str, shop: Shop, capsys: Capture
) -> None:
    shop.configure(policy)
    assert cli.main(["check"]) == 78
    assert f"WRONG  bridge.toml: {said}" in capsys.readouterr().out.replace(f"{shop.folder}/", "")
