"""What a case ends as and what is to be done about it later: the wrap-up, the tasks and the reasons of the pictures."""

from __future__ import annotations

from msgspec.structs import replace

from broker_bridge.contract.policy import Disposition
from broker_bridge.contract.views import TaskPage, TaskView, WhyLine, WhyView, WhyWho
from tests.tui.scenes import ANNA, ANNA_PAGE, DISPOSITIONS, HOUR, MINUTE, NOW_MS, SECOND, at

OUTCOMES = (
    Disposition(name=DISPOSITIONS[0]),
    Disposition(name=DISPOSITIONS[1], fields=("amount",)),
    Disposition(name=DISPOSITIONS[2]),
    Disposition(name=DISPOSITIONS[3], fields=("order", "amount")),
    Disposition(name=DISPOSITIONS[4]),
)
WRAPPED = replace(
    ANNA,
    rev=ANNA.rev + 1,
    state="wrap_up",
    verbs=("wrap_up", "more_time", "reopen", "note", "add_task"),
    wrap_until_ms=NOW_MS + 38 * SECOND,
    wrap_mode="timed",
    unread=0,
    typing=(),
    due_ms=None,
    waiting_since_ms=None,
    last_ms=NOW_MS - 11 * SECOND,
)
ANNA_WRAP_PAGE = replace(ANNA_PAGE, outcomes=OUTCOMES, default_outcome=DISPOSITIONS[4])

TASKS = (
    TaskView(task="t-1", conv="c-anna", text="Ask the shop for the second receipt", customer="Anna Berg", case="K7Q2",
             by="Maya Lindqvist", assignee="maya", assignee_name="Maya Lindqvist", due_ms=NOW_MS - 12 * MINUTE, may_change=True),
    TaskView(task="t-2", conv="c-ines", what="call_back", text="wants a call after her meeting", number="+351 21 100 20 30",
             customer="Inês Costa", case="K7Q2", by="Ole Nilsen", assignee="maya", assignee_name="Maya Lindqvist",
             due_ms=NOW_MS + 4 * MINUTE, may_change=True),
    TaskView(task="t-3", conv="c-tanaka", text="追跡番号を確認する", customer="田中 美咲", case="T4N8", by="Maya Lindqvist",
             assignee="maya", assignee_name="Maya Lindqvist", due_ms=at("15:30"), observers=("ole",), may_change=True),
    TaskView(task="t-4", conv="c-old", text="Send the yearly letter", customer="Grace O’Neill", case="G1R1", by="Priya Rao",
             assignee="priya", assignee_name="Priya Rao", due_ms=at("09:00", -2)),
)  # fmt: skip
TASK_PAGE = TaskPage(tasks=TASKS, total=4, upto=100)

WHY = WhyView(
    sentence="Of the three who are free and fit, you talked with her last.",
    lines=(
        WhyLine(at_ms=at("13:59"), word="arrived", text="wa → channel support-wa, a new case", mark="#K7Q2"),
        WhyLine(at_ms=at("13:59"), word="known", text="phone +46 70 174 06 05 is Anna Berg, proved", mark="✓ sure", tone="ok"),
        WhyLine(at_ms=at("13:59"), word="queue", text="→ cards › fees, needs fees 2 and swedish 3, priority 2"),
        WhyLine(at_ms=at("13:59"), word="target", text="first answer: due 14:01:38 = 2 min of work time from 13:59:38",
                short="first answer: 2 min of work time from 13:59:38", due_ms=ANNA.due_ms, mark="late", tone="late"),
        WhyLine(at_ms=at("13:59") + SECOND, word="offered", text="to you for 20 s: knows the customer",
                mark="accepted after 4 s", tone="ok"),
    ),
    who=(
        WhyWho(agent="maya", name="Maya Lindqvist", state="ready", load=2, capacity=4, skills=2, needed=2, last_talk=True,
               reason="knows the customer", is_fit=True, is_chosen=True, place=1),
        WhyWho(agent="priya", name="Priya Rao", state="ready", load=1, capacity=4, skills=2, needed=2, place=2,
               reason="another one knows the customer", is_fit=True),
        WhyWho(agent="jonas", name="Jonas Feeney", state="ready", load=3, capacity=4, skills=2, needed=2, is_fit=True, place=3,
               reason="another one knows the customer"),
        WhyWho(agent="ole", name="Ole Nilsen", state="wrap_up", load=2, capacity=4, skills=1, needed=2,
               reason="in wrap-up until 13:59:20"),
        WhyWho(agent="fee", name="Fee Hansson", state="away", skills=2, needed=2, capacity=4, reason="at lunch"),
    ),
    skipped=(("off", 30), ("full", 8), ("lacks swedish 3", 3)),
    policy="The rules were those of 09:12 today (version 31).",
    rules=(
        ("queue", "cards › fees"),
        ("hours", "open until 20:00"),
        ("needs", "fees 2 and swedish 3"),
        ("given out", "evenly: whoever has the least to do, then whoever got nothing for the longest time"),
        ("promised", "first answer in 2 min"),
        ("promised", "priority 1: the end in 2 h"),
        ("wrap-up", "45 s, then the next work comes"),
    ),
    upto=100,
)  # fmt: skip
LIVE = replace(
    WHY,
    sentence="Nobody yet: of the two who have swedish 3, one is full and one is at lunch.",
    is_live=True,
    who=tuple(replace(one, is_fit=False, is_chosen=False, place=0) for one in WHY.who[3:]),
)
BECAUSE = "due 14:00 = 4 h of work time from 10:00, lunch excluded"
LONG_AGO_MS = NOW_MS - 30 * HOUR
