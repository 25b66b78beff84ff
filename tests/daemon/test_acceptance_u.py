"""What people complained about at other desks, row by row: which test shows that it is not so here, and the tests that stood nowhere else.

The rows are those of the list of complaints about routing, queues and hands (U) and the wishes that go with them (K, Y).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.policy import Hours, QueueRules, Span, Target
from broker_bridge.contract.words import Words
from broker_bridge.core.state import OWNED, QUEUED
from tests.daemon.small_house import NOW_MS, Small

ROOT = Path(__file__).parent.parent
HERE = "daemon/test_acceptance_u.py"
PROOFS: dict[str, tuple[str, ...]] = {
    "U1 two conversations of one": (
        "daemon/test_races_first_contact.py::test_fifty_first_messages_at_once_of_each_of_a_hundred_senders_are_a_hundred_conversations",
        "core/test_inbound.py::test_a_thousand_shuffled_arrivals_are_one_case_with_a_thousand_messages",
    ),
    "U15 two answers of two agents": (
        f"{HERE}::test_who_reads_and_who_types_stands_in_the_list_of_everybody_else",
        "core/test_wishes.py::test_a_colleague_wrote_meanwhile",
        "e2e/test_window_work.py::test_a_reply_that_crosses_a_new_message_is_stopped_and_can_be_sent_anyway",
    ),
    "U18 not told, or too often": (
        "core/test_notices.py::test_who_is_told_what",
        "daemon/test_answers.py::test_a_notice_is_told_once_however_often_a_terminal_says_hello",
        "tui/test_notifyrules.py::test_what_calls",
        "tui/test_notices.py::test_a_notice_is_repeated_until_it_is_seen_if_so_set",
    ),
    "U19 more than the limit": (
        "daemon/test_races_offers.py::test_eight_leaders_and_twenty_agents_own_once_and_never_exceed_a_limit",
        "daemon/test_offers.py::test_two_leaders_at_once_never_give_more_than_the_units",
        "daemon/test_offers.py::test_evenly_asks_whoever_has_the_least_to_do",
    ),
    "U20 pushed to who is busy or away": (
        f"{HERE}::test_only_who_is_ready_is_asked_and_nobody_owns_what_nobody_took",
        "daemon/test_offers.py::test_nobody_is_offered_more_than_their_units",
    ),
    "U21 stuck with somebody gone": (
        "daemon/test_handback.py::test_unanswered_work_of_a_silent_agent_goes_back_after_the_grace_with_its_reason",
        "e2e/test_show_vanished.py::test_a_killed_terminal_gives_back_what_is_unanswered_and_keeps_what_is_in_hand",
        "core/test_handover.py::test_it_is_theirs_at_once_though_they_are_full_or_away",
    ),
    "U22 invisible in the queue": (
        f"{HERE}::test_the_queue_is_the_same_for_whoever_looks_whatever_their_status_and_for_a_new_bridge",
        "daemon/test_bridge_feeds.py::test_after_any_history_the_feed_shows_what_a_fresh_read_shows",
        "daemon/test_rearranged.py::test_a_model_made_anew_is_the_one_that_grew",
    ),
    "U24 out of order": (
        f"{HERE}::test_messages_stand_as_they_were_stored_and_say_when_they_were_written",
        "core/test_thread.py::test_the_time_of_writing_is_shown_where_it_differs_by_more_than_a_minute",
    ),
    "U29 transfers that lose or lie": (
        "core/test_handover.py::test_offer_yes_and_change_of_hands_are_three_facts",
        "core/test_handover.py::test_who_is_not_here_or_has_no_room_is_refused_with_the_reason",
        "daemon/test_timekeeper.py::test_a_transfer_that_nobody_answers_stays_with_its_owner",
        "daemon/test_handback.py::test_a_transfer_to_who_went_to_lunch_is_its_owners_again",
        "e2e/test_show_offers.py::test_a_talk_with_a_packet_then_a_yes_then_it_changes_hands",
    ),
    "U30 outcomes": (
        "core/test_afterwork.py::test_each_mode_of_wrap_up",
        "tui/test_wrapup.py::test_an_outcome_without_its_field_does_not_end_and_says_which",
        "e2e/test_show_outcomes.py::test_an_outcome_that_asks_for_something_is_not_taken_without_it",
        "e2e/test_show_outcomes.py::test_a_wrap_up_that_nobody_writes_ends_by_itself_with_the_usual_outcome",
        "tui/test_wrapup.py::test_close_and_next_closes_as_usual_and_opens_the_next",
    ),
    "U31 promises reckoned wrong": (
        "core/test_sla.py::test_a_due_time_explains_itself",
        "core/test_sla.py::test_a_promise_is_its_working_time_and_one_line",
        "core/test_sla.py::test_pauses_over_a_weekend_cost_nothing",
    ),
    "U33 forgotten, and no manager knows": (
        "daemon/test_timekeeper.py::test_overflow_takes_its_steps_in_working_time",
        "daemon/test_answers.py::test_a_late_answer_is_an_alert_with_a_lasting_id",
        "daemon/test_answers.py::test_an_alarm_is_known_after_a_restart_too",
    ),
    "U35 hours against people": (
        f"{HERE}::test_out_of_hours_all_is_taken_in_and_shown_and_only_the_ringing_waits",
        "core/test_out_of_hours.py::test_once_while_it_is_closed_and_again_the_next_time",
        "e2e/test_show_cases.py::test_who_writes_while_it_is_closed_is_stored_shown_told_once_and_offered_at_opening",
    ),
    "K8 by load": ("daemon/test_offers.py::test_evenly_asks_whoever_has_the_least_to_do",),
    "K9 who knows the customer": (
        "daemon/test_offers.py::test_a_busy_last_agent_is_waited_for_and_then_somebody_else_is_asked",
        "daemon/test_offers.py::test_a_free_last_agent_comes_before_one_with_less_to_do",
    ),
    "K10 by skill": (
        "daemon/test_offers.py::test_a_need_is_met_by_level_and_widening_asks_for_less",
        "e2e/test_show_offers.py::test_work_given_to_a_queue_and_to_a_skill_rings_at_who_can_do_it",
    ),
    "K13 nothing is said twice": (
        "core/test_handover.py::test_the_packet_goes_along",
        "daemon/test_answers.py::test_a_packet_is_prefilled_from_the_thread_and_the_draft_is_counted",
    ),
    "K32 the figures of the house": (
        f"{HERE}::test_a_supervisor_sees_who_waits_how_long_and_what_was_answered_in_time",
    ),
    "K33 from a text to a call": (
        "core/test_afterwork.py::test_a_call_back_keeps_a_time",
        "tui/test_later.py::test_a_call_back_has_the_number_of_the_profile_and_needs_its_time",
    ),
    "Y1 three ways to give work out": (
        "daemon/test_offers.py::test_evenly_asks_whoever_has_the_least_to_do",
        "daemon/test_offers.py::test_in_order_asks_the_first_of_the_order_until_they_are_full",
        "daemon/test_offers.py::test_everybody_rings_and_the_first_accept_stops_the_others",
        "daemon/test_offers.py::test_the_responsible_colleague_comes_first_where_the_queue_says_so",
    ),
    "Y12 who works today": (
        "daemon/test_shifts.py::test_a_ready_agent_is_given_nothing_before_their_shift_and_rings_when_it_begins",
        "daemon/test_shifts.py::test_the_directory_says_when_they_start_and_until_when_they_work",
    ),
}


@pytest.mark.parametrize("row", PROOFS)
def test_what_is_said_to_be_shown_is_shown(row: str) -> None:
    missing = [proof for proof in PROOFS[row] if proof.partition("::")[2] not in _tests(proof.partition("::")[0])]
    assert not missing


@cache
def _tests(file: str) -> set[str]:
    return set(re.findall(r"^ *(?:async )?def (test_\w+)\(", (ROOT / file).read_text(), re.MULTILINE))


def a_house(*agents: str, **rules: object) -> Small:
    small = Small(rules={"orders": QueueRules(title="Orders", **rules)})  # type: ignore[arg-type]
    for agent in agents:
        small.enroll(agent)
    return small


async def rows(small: Small, agent: str, view: str = "queue") -> list[v.Row]:
    page = await small.ask(agent, c.Rows(view=view))
    assert isinstance(page, v.RowPage)
    return list(page.rows)


def heard(small: Small) -> None:
    """What a bridge told the others by signals is heard by itself too."""
    for subject, body in small.told:
        if subject.startswith("cc.sig."):
            small.parts.signals.heard(subject, body)
    small.told.clear()


async def test_who_reads_and_who_types_stands_in_the_list_of_everybody_else() -> None:
    small = a_house("ann", "bob")
    async with small.working():
        small.case("case", channel="chat")
        await small.catch_up()
        for agent in ("ann", "bob"):
            small.sits(agent)
            await small.ask(agent, c.Hello())
        await small.done("ann", c.Accept(id=_id(1), conversation="case"))
        await small.ask("ann", c.Thread(conversation="case", watch=True))
        await small.ask("ann", c.Typing(conversation="case", on=True))
        heard(small)
        (row,) = await rows(small, "bob", "all")
        assert row.viewers == ("Ann",) and row.typing == ("Ann",)
        (own,) = await rows(small, "ann", "all")
        assert own.viewers == () and own.typing == ()
        await small.ask("ann", c.Typing(conversation="case", on=False))
        await small.ask("ann", c.Unwatch(conversation="case"))
        heard(small)
        (row,) = await rows(small, "bob", "all")
        assert row.viewers == () and row.typing == ()


@pytest.mark.parametrize("state", ["busy", "away", "transfer_only", "off"])
async def test_only_who_is_ready_is_asked_and_nobody_owns_what_nobody_took(state: str) -> None:
    small = a_house("ann", "bob")
    async with small.working():
        await small.catch_up()
        small.sits("ann", state)
        small.case("case", channel="chat")
        for _ in range(3):
            await small.round()
        assert small.ringing("case") == () and small.state("case").status == QUEUED
        small.sits("ann", "ready")
        await small.round()
        # Asked, not given: it is hers when she says so.
        assert small.ringing("case") == ("ann",) and small.state("case").owner == ""
        await small.done("ann", c.Accept(id=_id(1), conversation="case"))
        assert (small.state("case").status, small.state("case").owner) == (OWNED, "ann")


async def test_the_queue_is_the_same_for_whoever_looks_whatever_their_status_and_for_a_new_bridge() -> None:
    small = a_house("ann", "bob")
    async with small.working():
        await small.catch_up()
        small.sits("bob", "away")
        for number in range(30):
            small.case(f"case{number}", channel="chat")
        await small.catch_up()
        seen = await rows(small, "bob")
        assert {row.conv for row in seen} == {f"case{number}" for number in range(30)} and len(seen) == 30
        for state in ("busy", "ready", "away", "off"):
            small.sits("bob", state)
            assert await rows(small, "bob") == seen
    anew = a_house("ann", "bob")
    anew.log.items = list(small.log.items)
    anew.now_ms = small.now_ms
    async with anew.working():
        anew.sits("bob", "away")
        assert await rows(anew, "bob") == seen


async def test_messages_stand_as_they_were_stored_and_say_when_they_were_written() -> None:
    small = a_house("ann")
    written = [NOW_MS - hours * 3_600_000 for hours in (1, 9, 0, 5)]
    async with small.working():
        small.case("case", channel="chat")
        for number, source_ms in enumerate(written):
            small.log.put(
                "conv",
                "case",
                f.Received(
                    message=f"late-{number}",
                    item=f"item-late-{number}",
                    handle="hand-case",
                    channel="chat",
                    channel_kind="webchat",
                    source_ms=source_ms,
                    words=Words(text=f"number {number}", name="Anna"),
                ),
            )
        await small.catch_up()
        small.sits("ann")
        page = await small.ask("ann", c.Thread(conversation="case"))
        assert isinstance(page, v.ThreadPage)
        said = [item for item in page.items if item.text.startswith("number")]
        assert [item.text for item in said] == [f"number {number}" for number in range(4)]
        assert [item.source_ms for item in said] == [at if at != NOW_MS else None for at in written]
        assert [item.seq for item in page.items] == sorted(item.seq for item in page.items)


async def test_out_of_hours_all_is_taken_in_and_shown_and_only_the_ringing_waits() -> None:
    never_today = Hours(zone="UTC", week=(Span(day=(_weekday() + 2) % 7, from_min=480, to_min=1020),))
    small = a_house("ann", hours=never_today)
    async with small.working():
        await small.catch_up()
        small.sits("ann")
        small.case("case", channel="chat")
        await small.round()
        (row,) = await rows(small, "ann")
        assert row.state == "queued" and small.ringing("case") == ()
        # Nobody is sent home by the clock, and who works all the same may.
        assert small.staff.presences.of("ann").state == "ready"
        await small.done("ann", c.Accept(id=_id(1), conversation="case"))
        assert small.state("case").owner == "ann"


async def test_a_supervisor_sees_who_waits_how_long_and_what_was_answered_in_time() -> None:
    small = a_house("ann", targets=(Target(first_reply_s=60),), wrap_up="none")
    small.enroll("sue", role="supervisor")
    async with small.working():
        for number in range(3):
            small.case(f"case{number}", channel="chat")
        await small.catch_up()
        small.sits("ann")
        await small.done("ann", c.Accept(id=_id(1), conversation="case0"))
        small.later(30)
        small.sits("ann")
        await small.done("ann", c.Close(id=_id(2), conversation="case0", disposition="solved"))
        view = await small.ask("sue", c.Directory())
        assert isinstance(view, v.DirectoryView)
        (queue,) = view.queues
        assert (queue.waiting, queue.oldest_ms) == (2, NOW_MS)
        assert (view.handled, view.handle_time_s) == (1, 30)


def _id(number: int) -> str:
    return f"{NOW_MS:013d}-command-{number}"


def _weekday() -> int:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(NOW_MS / 1000, UTC).weekday()
