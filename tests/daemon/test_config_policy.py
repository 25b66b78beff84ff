"""Policy in bridge.toml: the words become rules, and what is wrong is said by file and key."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract.policy import Cost, Disposition, Hours, QueueRules, Seat, Skill, Span, Step, Target
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon import policyfile, policywords, sections
from broker_bridge.daemon.config import Config, ConfigError
from broker_bridge.daemon.policytext import block, words_of

NOW_MS = 1_795_000_000_000
"""November 2026."""
HOUSE = """
[desk]
offer_timeout_s = 25
skills = ["swedish", "fees"]
reasons = ["lunch"]
dispositions = ["solved", { name = "sold", fields = ["amount"] }]
costs = { voice = 100, webchat = 25, email = { units = 10, idle_counts = true } }
"""
QUEUE = """
[[queue]]
name = "support"
title = "Support"
priority = 3
mode = "in_order"
order = ["maya"]
needs = ["swedish 3", "fees"]
hours = { zone = "Europe/Stockholm", mon-fri = "08:00-12:00, 13:00-18:00", sat = "10:00-14:00" }
affinity_s = 45
responsible_first = false
auto_accept = ["webchat"]
pauses = ["waiting"]
warn_share = 0.5
service_level = 0.9
wrap_up = "timed"
wrap_up_s = 90
default_disposition = "solved"
away_reply = "We are away."

[[queue.overflow]]
after_s = 60
widen = 1
[[queue.overflow]]
after_s = 120
queue = "sales"

[[queue.target]]
first_reply = "15m"
resolution = "4h"
[[queue.target]]
priority = 1
first_reply = "1h30m"
next_reply = 90

[[queue]]
name = "sales"
reply_within_s = 600
offer_s = 5
"""
AGENT = """
[[agent]]
id = "maya"
name = "Maya Lindqvist"
role = "supervisor"
queues = ["support"]
skills = ["swedish 4", "fees"]
units = 120
"""
PLAIN = '[[queue]]\nname = "support"\n'
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20201224
SUMMARY:{title}
TRANSP:TRANSPARENT
RRULE:FREQ=YEARLY
END:VEVENT
END:VCALENDAR
"""


def read(text: str, folder: Path = Path("shop")) -> Config:
    return configuration.from_table(tomllib.loads(text), folder / "bridge.toml", {})


def problems(text: str, folder: Path = Path("shop")) -> list[str]:
    config = read(text, folder)
    found = policyfile.problems_of(config, policyfile.laws(config, NOW_MS))
    return [str(one) for one in found if not one.is_warning]


def test_every_word_of_a_queue_becomes_its_rule() -> None:
    laws = policyfile.laws(read(HOUSE + QUEUE), NOW_MS)
    assert laws.problems == ()
    week = [Span(day=day, from_min=480, to_min=720) for day in range(5)]
    week += [Span(day=day, from_min=780, to_min=1080) for day in range(5)]
    week += [Span(day=5, from_min=600, to_min=840)]
    assert laws.queues["support"] == QueueRules(
        title="Support",
        priority=3,
        mode="in_order",
        order=("maya",),
        needs=(Skill(name="swedish", level=3), Skill(name="fees", level=1)),
        hours=Hours(zone="Europe/Stockholm", week=tuple(sorted(week, key=lambda one: (one.day, one.from_min)))),
        overflow=(Step(after_s=60, widen=1), Step(after_s=120, queue="sales")),
        affinity_s=45,
        responsible_first=False,
        offer_s=25,
        auto_accept=("webchat",),
        targets=(
            Target(first_reply_s=900, resolution_s=14_400),
            Target(priority=1, first_reply_s=5_400, next_reply_s=90),
        ),
        pauses=("waiting",),
        warn_share=0.5,
        service_level=0.9,
        wrap_up="timed",
        wrap_up_s=90,
        default_disposition="solved",
        away_reply="We are away.",
    )
    sales = laws.queues["sales"]
    assert (sales.offer_s, sales.targets) == (5, (Target(first_reply_s=600, next_reply_s=600),))


def test_the_house_and_its_agents_become_rules() -> None:
    laws = policyfile.laws(read(HOUSE + QUEUE + AGENT), NOW_MS)
    assert laws.desk.costs == (
        Cost(channel_kind="voice", units=100),
        Cost(channel_kind="webchat", units=25),
        Cost(channel_kind="email", units=10, idle_counts=True),
    )
    assert laws.desk.dispositions == (Disposition(name="solved"), Disposition(name="sold", fields=("amount",)))
    assert (laws.desk.skills, laws.desk.reasons) == (("swedish", "fees"), ("lunch",))
    maya = laws.agents["maya"]
    skills = (Skill(name="swedish", level=4), Skill(name="fees", level=1))
    assert maya.seat == Seat(agent="maya", queues=("support",), skills=skills, units=120)
    assert (maya.name, maya.role, maya.public_key) == ("Maya Lindqvist", "supervisor", "")
    assert problems(HOUSE + QUEUE + AGENT) == []


def test_a_cost_as_a_number_keeps_what_is_usual_of_its_kind() -> None:
    desk = policyfile.laws(read(PLAIN + "[desk]\ncosts = { email = 15 }"), NOW_MS).desk
    assert desk.cost("email") == Cost(channel_kind="email", units=15, idle_counts=False)


def test_an_old_file_means_what_it_meant() -> None:
    config = read('[desk]\noffer_timeout_s = 7\n[[queue]]\nname = "support"\nreply_within_s = 60\ntarget = 0.7\n')
    rules = policyfile.laws(config, NOW_MS).queues["support"]
    assert rules == QueueRules(targets=(Target(first_reply_s=60, next_reply_s=60),), service_level=0.7, offer_s=7)
    assert config.desk.offers


def test_a_time_of_the_queue_does_not_stand_before_that_of_its_channel() -> None:
    channel = '[[channel]]\nname = "{}"\nkind = "webchat"\nqueue = "support"\n'
    slow = "[[queue]]\nname = 'support'\nreply_within_s = 3600\n" + channel.format("slow")
    both = slow + channel.format("quick") + "reply_within_s = 60\n"
    (target,) = policyfile.laws(read(slow), NOW_MS).queues["support"].targets
    assert target.first_reply_s == 3600
    config = read(both)
    assert policyfile.laws(config, NOW_MS).queues["support"].targets == ()
    assert [config.reply_within_s(one) for one in config.channels] == [3600, 60]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            PLAIN + 'needs = ["swedish 3"]',
            "queue support: needs number 1: there is no skill 'swedish'; desk.skills names",
        ),
        (
            HOUSE + PLAIN + 'needs = ["swedisch 3"]',
            "queue support: needs number 1: there is no skill 'swedisch'; did you mean 'swedish'?",
        ),
        (
            PLAIN + 'hours = { zone = "UTC", mon = "08:00-12:00, 11:00-18:00" }',
            "queue support: hours: Mon 08:00-12:00 and",
        ),
        (
            PLAIN + 'hours = { zone = "UTC", mon-fri = "08:00-12:00", wed = "11:00-13:00" }',
            "queue support: hours: Wed 08:00",
        ),
        (PLAIN + 'hours = { zone = "UTC", mo = "08:00-12:00" }', "queue support: hours: mo: there is no such day"),
        (
            PLAIN + 'hours = { zone = "UTC", fri-mon = "08:00-12:00" }',
            "queue support: hours: fri-mon: the range runs back",
        ),
        (PLAIN + 'hours = { zone = "UTC", mon = "8 to 12" }', 'queue support: hours: mon: write it as "08:00-12:00'),
        (PLAIN + 'hours = { zone = "UTC", mon = 8 }', 'queue support: hours: mon: write it as "08:00-12:00'),
        (PLAIN + 'hours = { mon = "08:00-12:00" }', "queue support: hours: zone: say where the clock hangs"),
        (PLAIN + 'hours = { zone = "UTC" }', "queue support: hours: no day says when it is open"),
        (
            PLAIN + 'hours = { zone = "Mars", mon = "08:00-12:00" }',
            'queue support: hours: The zone "Mars" is not known',
        ),
        (PLAIN + 'holidays = ["se.ics"]', "queue support: holidays: say in which zone"),
        (
            PLAIN + 'holidays = ["se.ics"]\nhours = { zone = "UTC" }',
            "queue support: holidays number 1: ",
        ),
        (PLAIN + '[[queue.overflow]]\nafter_s = 9\nqueue = "support"', "queue support: overflow: it goes in a circle"),
        (
            PLAIN + '[[queue.target]]\nfirst_reply = "soon"',
            "queue support: target number 1: first_reply: write a time as",
        ),
        (PLAIN + '[[queue.target]]\nfirst_reply = "0m"', "queue support: target number 1: first_reply: a target is at"),
        (
            PLAIN + 'reply_within_s = 60\n[[queue.target]]\nfirst_reply = "1m"',
            "queue support: reply_within_s: the target without a priority says the same",
        ),
        (PLAIN + "target = 0.8\nservice_level = 0.9", "queue support: target: target as a number says the same"),
        (PLAIN + 'default_disposition = "slvd"', "queue support: default_disposition: there is no disposition 'slvd'"),
        (
            PLAIN + '[desk]\ncosts = { webchat = 60 }\n[[agent]]\nid = "ole"\nunits = 50\n'
            '[[channel]]\nname = "chat"\nkind = "webchat"\nqueue = "support"',
            "desk.costs.webchat: a webchat conversation takes 60 units, and no agent of queue support has more than 50",
        ),
        (
            PLAIN + '[[agent]]\nid = "ole"\nqueues = ["suport"]',
            "agent ole: queues: there is no queue 'suport'; did you",
        ),
        (PLAIN + '[[agent]]\nid = "ole"\nskills = [" "]', "agent ole: skills number 1: write a skill and its level"),
    ],
)
def test_a_fault_of_policy_is_said_by_its_key(text: str, said: str) -> None:
    found = problems(text)
    assert any(one.startswith(said) for one in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN + "need = 1", "queue support: need: there is no such setting; did you mean 'needs'?"),
        (PLAIN + "[[queue.overflow]]\nafter = 9", "queue support: overflow number 1: after: there is no such setting"),
        (PLAIN + '[[agent]]\nid = "ole"\nrole = "boss"', "agent ole: role: use one of"),
        (PLAIN + '[[agent]]\nid = "o.e"', "agent 'o.e': name: use 1 to 64 letters"),
        (PLAIN + '[[agent]]\nid = "ole"\n[[agent]]\nid = "ole"', "agent ole: there are two of this name"),
        (PLAIN + "[desk.costs.webchat]\nunit = 3", "desk.costs"),
    ],
)
def test_a_word_that_nobody_reads_is_refused_with_file_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith(f"shop/bridge.toml: {said}")


def test_a_seed_in_the_place_of_the_public_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        read(PLAIN + '[[agent]]\nid = "ole"\npublic_key = "SUAGEHEIM"')
    assert "agent ole: public_key" in str(caught.value) and "GEHEIM" not in str(caught.value)


def test_holidays_close_from_last_year_to_two_years_ahead_and_change_the_source(tmp_path: Path) -> None:
    text = PLAIN + 'hours = { zone = "Europe/Stockholm" }\nholidays = ["se.ics"]'
    (tmp_path / "se.ics").write_text(CALENDAR.format(title="Christmas Eve"))
    rules = policyfile.laws(read(text, tmp_path), NOW_MS).queues["support"]
    assert rules.hours is not None and len(rules.hours.week) == 7
    assert [one.title for one in rules.hours.closures] == ["Christmas Eve"] * 4
    year_ms = 366 * 86_400_000
    next_year = policyfile.laws(read(text, tmp_path), NOW_MS + year_ms).queues["support"]
    (tmp_path / "se.ics").write_text(CALENDAR.format(title="Jul"))
    renamed = policyfile.laws(read(text, tmp_path), NOW_MS).queues["support"]
    assert len({policyfile.digest(one) for one in (rules, next_year, renamed)}) == 3
    same = policyfile.laws(read("# a comment\n" + text, tmp_path), NOW_MS + 1).queues["support"]
    assert policyfile.digest(same) == policyfile.digest(renamed)


def test_a_policy_with_an_error_gives_only_the_names_of_its_queues() -> None:
    laws = policyfile.lawful(read(QUEUE), NOW_MS)
    assert {name: (one.title, one.needs) for name, one in laws.queues.items()} == {
        "support": ("Support", ()),
        "sales": ("", ()),
    }


SKILLS = st.builds(Skill, name=st.sampled_from(("swedish", "old english", "c3")), level=st.integers(1, 5))
TEXT = st.text(max_size=12)
RULES = st.builds(
    QueueRules,
    title=TEXT,
    priority=st.integers(1, 9),
    mode=st.sampled_from(("evenly", "in_order", "everybody")),
    order=st.lists(st.sampled_from(("maya", "ole")), max_size=2).map(tuple),
    needs=st.lists(SKILLS, max_size=3).map(tuple),
    hours=st.sampled_from((None, Hours(zone="UTC", week=(Span(day=2, from_min=0, to_min=1440),)))),
    overflow=st.lists(
        st.one_of(
            st.builds(Step, after_s=st.integers(1, 900), widen=st.integers(1, 4)),
            st.builds(Step, after_s=st.integers(1, 900), alarm=TEXT.filter(bool)),
        ),
        max_size=2,
    ).map(tuple),
    affinity_s=st.integers(0, 99),
    responsible_first=st.booleans(),
    offer_s=st.integers(1, 99),
    targets=st.lists(
        st.builds(Target, priority=st.integers(0, 9), first_reply_s=st.none() | st.integers(0, 9_999)), max_size=2
    ).map(tuple),
    warn_share=st.floats(0, 1),
    wrap_up_s=st.integers(1, 99),
    dispositions=st.lists(st.builds(Disposition, name=TEXT, fields=st.tuples(TEXT)), max_size=2).map(tuple),
    away_reply=TEXT,
)


@given(RULES)
def test_what_is_shown_of_a_queue_can_be_read_in_again(rules: QueueRules) -> None:
    text = block(words_of("support", rules))
    assert all(one.isprintable() for one in text.splitlines())
    laws = policyfile.laws(read(text), NOW_MS)
    assert laws.problems == ()
    assert laws.queues["support"] == rules


@given(st.integers(0, 999_999))
def test_a_time_is_read_as_it_is_written(seconds: int) -> None:
    assert policywords.seconds(policywords.time_words(seconds)) == seconds


def test_the_sections_know_every_rule_of_a_queue() -> None:
    """A rule that the file cannot say would be one that nobody can set."""
    said = set(sections.Queue.__struct_fields__) - {"name", "reply_within_s", "holidays"}
    assert {"targets" if word == "target" else word for word in said} == set(QueueRules.__struct_fields__)
