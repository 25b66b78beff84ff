"""Anna's case on its way to somebody else: who is there, what goes along, what it may belong to."""

from __future__ import annotations

from msgspec.structs import replace

from broker_bridge.contract.ids import short_number
from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import (
    Case,
    Colleague,
    DirectoryView,
    HandoverView,
    Item,
    Profile,
    QueueView,
    Row,
    SkillView,
    ThreadPage,
)
from broker_bridge.contract.words import Packet
from tests.tui.scenes import ANNA, ANNA_PROFILE, HOUR, MINUTE, NOW_MS, SECOND, at

FEES, SWEDISH, WAIVER = Skill(name="fees", level=2), Skill(name="swedish", level=4), Skill(name="fee-waiver")


def _who(agent: str, name: str, taken: int, *skills: Skill, state: str = "ready", **more: object) -> Colleague:
    return Colleague(
        agent=agent,
        name=name,
        state=state,
        since_ms=NOW_MS - MINUTE,
        load=taken * 20,
        capacity=100,
        loads=(("wa", taken, 4), ("mail", 1, 10)),
        skills=skills,
        **more,  # type: ignore[arg-type]
    )


AGENTS = (
    _who("maya", "Maya Lindqvist", 2, FEES),
    _who("fee", "Fee Hansson", 0, FEES, state="away", reason="lunch", until_ms=at("14:30") - 20_000),
    _who("jonas", "Jonas Feeney", 3, FEES, SWEDISH, WAIVER),
    _who("priya", "Priya Rao", 1, WAIVER, queues=("fees",)),
    _who("ole", "Ole Nilsen", 2, FEES, state="wrap_up", queues=("complaints",)),
    _who("chen", "Chen Wei 陈伟", 4, WAIVER),
    _who("bo", "Bo Lind", 1, SWEDISH, state="silent"),
    _who("ida", "Ida Strand", 0, SWEDISH, state="transfer_only"),
    _who("viktor", "Viktor Olsson", 0, FEES, state="off"),
)
QUEUES = (
    QueueView(queue="fees", name="cards › fees", waiting=3, oldest_ms=NOW_MS - 134 * SECOND, ready=4,
              service_level=0.91, arrivals=(1, 2, 3, 5, 3, 2), needs=(Skill(name="swedish", level=3), Skill(name="fees"))),
    QueueView(queue="complaints", name="complaints › fees", ready=1, service_level=0.99, arrivals=(0, 0, 0, 1, 0, 0)),
    QueueView(queue="loans", name="loans › fees", is_open=False, hours="opens 08:00"),
    QueueView(queue="lost", name="cards › lost", waiting=1, oldest_ms=NOW_MS - 14 * SECOND, service_level=0.97),
)  # fmt: skip
SKILLS = (
    SkillView(name="fee-waiver", ready=3, least="Priya Rao", load=20, capacity=100),
    SkillView(name="fees", ready=2, least="Jonas Feeney", load=60, capacity=100),
    SkillView(name="swedish", ready=1, least="Jonas Feeney", load=60, capacity=100),
)
DIRECTORY = DirectoryView(agents=AGENTS, queues=QUEUES, skills=SKILLS)
PACKET = Packet(
    problem="asks for fees abroad, was charged twice on 55-2108",
    tried="fee explained; cash abroad asked for, not switched on",
    promised="answer today before 16:00",
    proved="name, phone ✓  bank id ✗",
)
HANDOVER = HandoverView(packet=PACKET, case="5 messages, 1 note, 1 file", draft=106, seen=17, upto=100)

SECOND_NUMBER = short_number("c-2108")
VERBS = (*ANNA.verbs, "merge", "split", "observe", "prioritize")
SECOND_CASE = Row(
    conv="c-2108",
    rev=90,
    number=SECOND_NUMBER,
    name="Anna Berg",
    channel="mail",
    state="queued",
    queue="disputes",
    epoch=2,
    text="Charged twice on 18 Nov, order 55-2108",
    waiting_since_ms=NOW_MS - HOUR,
    last_ms=NOW_MS - HOUR,
    verbs=("accept", "merge"),
)
SECOND_PAGE = ThreadPage(
    row=SECOND_CASE,
    items=tuple(
        Item(
            id=f"d-{n}", seq=40 + n, rev=40 + n, kind="them", at_ms=NOW_MS - HOUR, text="charged twice", channel="mail"
        )
        for n in range(3)
    ),
    upto=100,
    seen=43,
)
SUGGESTED = replace(ANNA, rev=101, suggestion="c-2108", verbs=VERBS)
"""Anna's row with a case that it may belong to."""
ASKED = replace(ANNA, rev=101, transfer_to="Priya Rao", verbs=(*ANNA.verbs, "take_back"))
TALKING = replace(ANNA, rev=102, consult_with="Priya Rao", verbs=(*ANNA.verbs, "confirm", "end_consult"))
CONSULTED = replace(
    ANNA,
    conv="c-asked",
    number="A5K3D",
    rev=103,
    name="Elin Sørli",
    state="consult",
    owner="priya",
    owner_name="Priya Rao",
    consult_with="Priya Rao",
    typing=(),
    unread=0,
    due_ms=None,
    verbs=("note", "end_consult"),
)
PACKET_NOTE = Item(
    id="m-30",
    seq=30,
    rev=30,
    kind="note",
    at_ms=NOW_MS - MINUTE,
    channel="note",
    name="Priya Rao",
    note_to="you",
    text="Please look at the waiver of last year.",
    packet=PACKET,
)
CONSULTED_PAGE = ThreadPage(
    row=CONSULTED,
    items=(
        Item(id="m-29", seq=29, rev=29, kind="them", at_ms=NOW_MS - 2 * MINUTE, name="Elin Sørli", channel="wa",
             text="Which fee applies if I take out cash in Tokyo?", case="R3X8M"),
        PACKET_NOTE,
    ),
    upto=103,
    seen=30,
)  # fmt: skip
MERGED_IN = Item(
    id="m-18",
    seq=18,
    rev=18,
    kind="event",
    at_ms=NOW_MS - MINUTE,
    channel="form",
    text=f"{SECOND_NUMBER} was merged in",
    case=SECOND_NUMBER,
)
PROFILE: Profile = replace(
    ANNA_PROFILE,
    open=(
        Case(conv="c-anna", number="K7Q2", text="this one", state="mine", at_ms=NOW_MS),
        Case(conv="c-2108", number=SECOND_NUMBER, text="double charge", state="queued", at_ms=at("13:00", 3), word="mail"),
        Case(conv="c-4471", number="44713", text="gold card, Götgatan", state="ready", at_ms=at("13:00", 3), word="post"),
    ),
)  # fmt: skip
