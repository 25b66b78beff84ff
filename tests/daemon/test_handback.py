"""Nobody waits for an empty chair: offers and unanswered work of agents who are gone."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.policy import DeskRules, Disposition, QueueRules
from broker_bridge.core import conversation as conv
from tests.daemon.small_house import Small

GRACE_S = 300
FAR_MS = 9_999_999_999_999


@pytest.fixture
async def small() -> AsyncIterator[Small]:
    """Maya and Lena work here, and nothing is offered by itself: everybody takes what they want."""
    rules = {"orders": QueueRules(title="Orders", wrap_up="mandatory"), "returns": QueueRules()}
    house_rules = DeskRules(dispositions=(Disposition(name="solved"), Disposition(name="spam")))
    small = Small(rules=rules, house_rules=house_rules)
    small.parts.offers._offers_at_all = False
    for agent in ("maya", "lena"):
        small.enroll(agent)
    small.case("case", channel="chat")
    async with small.working():
        small.sits("maya")
        small.sits("lena")
        await small.round()
        yield small


async def owned(small: Small) -> None:
    await small.done("maya", c.Accept(id="accept", conversation="case"))


async def answered(small: Small) -> None:
    await owned(small)
    await small.done(
        "maya", c.Reply(id="r", conversation="case", text="yes", channel="chat", seen=small.state("case").seq)
    )


async def after(small: Small, seconds: float, *here: str) -> None:
    """Time passes, those who are `here` say so, and the leader goes its round."""
    small.later(seconds)
    for agent in here:
        small.sits(agent)
    await small.round()


async def test_unanswered_work_of_a_silent_agent_goes_back_after_the_grace_with_its_reason(small: Small) -> None:
    await owned(small)
    await after(small, 31)
    await after(small, GRACE_S - 1)
    assert small.state("case").status == conv.OWNED
    await after(small, 2)
    state = small.state("case")
    assert (state.status, state.owner, state.last_owner) == (conv.QUEUED, "", "maya")
    last = small.facts("conv", "case")[-1]
    assert isinstance(last, f.Queued)
    assert "Maya's terminal has been silent for 5 minutes" in last.reason
    assert [fact.state for fact in small.facts("shift", "maya") if isinstance(fact, f.PresenceSet)] == ["silent"]


async def test_answered_work_is_kept_for_the_return(small: Small) -> None:
    await answered(small)
    await after(small, 31)
    await after(small, 10 * GRACE_S)
    assert small.state("case").owner == "maya"


async def test_a_word_in_time_begins_the_grace_anew(small: Small) -> None:
    await owned(small)
    await after(small, 31)
    await after(small, GRACE_S - 1)
    await after(small, 1, "maya")
    await after(small, 31)
    await after(small, GRACE_S - 1)
    assert small.state("case").owner == "maya"
    await after(small, 2)
    assert small.state("case").owner == ""


async def test_an_earlier_silence_does_not_count_for_who_came_back_in_between(small: Small) -> None:
    """She had no work when she came back, so nobody looked; the next time she fell silent her case went at once."""
    await owned(small)
    await after(small, 31)
    await after(small, GRACE_S + 1)
    assert small.state("case").status == conv.QUEUED
    await after(small, 60, "maya", "lena")
    await small.done("maya", c.Accept(id="again", conversation="case"))
    # The broker stayed away meanwhile: no round, and no word of any terminal.
    await after(small, 60)
    assert small.state("case").status == conv.OWNED
    await after(small, GRACE_S + 1)
    assert small.state("case").status == conv.QUEUED


async def test_silence_from_before_this_leader_looked_does_not_count(small: Small) -> None:
    await owned(small)
    await after(small, 100_000)
    assert small.state("case").owner == "maya"
    small.router._handback.forget()
    await after(small, GRACE_S + 1)
    assert small.state("case").owner == "maya"
    await after(small, GRACE_S + 1)
    assert small.state("case").owner == ""


@pytest.mark.parametrize("jump_s", [3_600, 86_400, -3_600, -86_400])
async def test_a_wall_that_is_set_by_hand_counts_for_nobody(small: Small, jump_s: int) -> None:
    """Silence is counted by the monotonic clock: though everybody looks silent, nothing goes back before the grace."""
    await owned(small)
    small.now_ms += jump_s * 1000
    for _ in range(5):
        await after(small, 10)
    assert small.state("case").owner == "maya"
    await after(small, 0, "maya")
    await after(small, 20)
    assert small.state("case").owner == "maya"


@pytest.mark.parametrize("state", ["silent", "off"])
async def test_an_offer_leaves_an_empty_chair_soon(small: Small, state: str) -> None:
    small.log.put("conv", "case", f.Offered(agent="maya", until_ms=FAR_MS))
    small.sits("maya", state)
    await small.round()
    assert small.ringing("case") == ("maya",)
    await after(small, 3)
    assert small.state("case").offer is None
    assert small.facts("conv", "case")[-1] == f.OfferEnded(agent="maya", reason="withdrawn")


async def test_an_offer_to_all_leaves_an_empty_chair_and_rings_on_at_the_others(small: Small) -> None:
    small.log.put("conv", "case", f.Offered(agent="maya", also=("lena",), until_ms=FAR_MS))
    small.sits("maya", "off")
    await small.round()
    await after(small, 3)
    assert small.ringing("case") == ("lena",)


@pytest.mark.parametrize(
    ("state", "reason", "words"), [("away", "lunch", "at lunch"), ("away", "", "away"), ("busy", "", "busy")]
)
async def test_an_offer_to_who_went_to_lunch_comes_back_at_once_with_the_reason(
    small: Small, state: str, reason: str, words: str
) -> None:
    small.log.put("conv", "case", f.Offered(agent="maya", until_ms=FAR_MS))
    small.sits("maya", state, reason)
    await small.round()
    assert small.facts("conv", "case")[-1] == f.OfferEnded(agent="maya", reason=words)


async def test_who_has_only_transfers_keeps_a_transfer_and_is_not_rung_otherwise(small: Small) -> None:
    small.case("other", channel="chat")
    await owned(small)
    small.log.put("conv", "case", f.Offered(agent="lena", until_ms=FAR_MS, is_transfer=True, by="maya"))
    small.log.put("conv", "other", f.Offered(agent="lena", until_ms=FAR_MS))
    small.sits("lena", "transfer_only")
    await small.round()
    assert (small.ringing("case"), small.ringing("other")) == (("lena",), ())


async def test_a_transfer_to_who_went_to_lunch_is_its_owners_again(small: Small) -> None:
    await owned(small)
    await small.done("maya", c.Transfer(id="t", conversation="case", to_agent="lena"))
    small.sits("lena", "away", "lunch")
    await small.round()
    state = small.state("case")
    assert (state.offer, state.owner) == (None, "maya")
    assert small.facts("conv", "case")[-1] == f.OfferEnded(agent="lena", reason="at lunch")


async def test_whoever_was_dismissed_keeps_nothing(small: Small) -> None:
    await answered(small)
    small.log.put("agent", "maya", f.Dismissed())
    await small.round()
    assert small.state("case").status == conv.QUEUED
    last = small.facts("conv", "case")[-1]
    assert isinstance(last, f.Queued)
    assert last.reason == "Maya no longer works here"


async def with_a_task(small: Small) -> None:
    """Maya's, due in an hour; Lena follows it."""
    await owned(small)
    wish = c.AddTask(
        id="t", conversation="case", text="call the bank", assignee="maya", due_ms=small.now_ms + 3_600_000
    )
    await small.done("maya", msgspec.structs.replace(wish, observers=("lena",)))


async def test_the_tasks_of_who_was_dismissed_keep_their_time_and_are_nobodys_once(small: Small) -> None:
    await with_a_task(small)
    due_ms = small.state("case").tasks["t"].due_ms
    small.enroll("olga", role="supervisor")
    small.log.put("agent", "maya", f.Dismissed())
    await after(small, 11, "maya", "lena")
    state = small.state("case")
    assert (state.status, state.owner) == (conv.QUEUED, "")
    task = state.tasks["t"]
    assert (task.assignee, task.due_ms, task.text, task.observers) == ("", due_ms, "call the bank", ("lena",))
    page = await small.ask("lena", c.Tasks(view="all"))
    assert isinstance(page, v.TaskPage)
    assert [(one.text, one.assignee, one.may_change) for one in page.tasks] == [("call the bank", "", True)]
    small.parts.alerts._known = None
    olga = small.staff.actor("olga")
    assert olga is not None
    alerts = [one for one in small.parts.alerts.of(olga) if one.id == "task:t"]
    assert [(one.text, one.severity) for one in alerts] == [
        ("Anna chat has a task that is nobody's, due in 59 min", "near")
    ]
    # Another bridge leads after a restart: nothing is said twice.
    other = Small(log=small.log, keys=small.keys, rules=small.rules, boot="other", now_ms=small.now_ms)
    for leader in (small, other):
        for _ in range(3):
            leader.later(11)
            await leader.round()
    assert sum(isinstance(one, f.TaskChanged) for one in small.facts("conv", "case")) == 1


async def test_whoever_takes_the_case_has_the_task_and_is_reminded_and_finishes_it(small: Small) -> None:
    await with_a_task(small)
    small.log.put("agent", "maya", f.Dismissed())
    await after(small, 11, "maya", "lena")
    await small.done("lena", c.Accept(id="a", conversation="case"))
    page = await small.ask("lena", c.Tasks(view="mine"))
    assert isinstance(page, v.TaskPage)
    assert [(one.task, one.assignee_name) for one in page.tasks] == [("t", "Lena")]
    assert small.reading.figures.me(small.staff.actor("lena")).tasks == 1  # type: ignore[arg-type]
    await after(small, 3_700, "lena")
    last = small.facts("conv", "case")
    assert sum(isinstance(one, f.TaskReminded) for one in last) == 1
    await small.done("lena", c.FinishTask(id="f", conversation="case", task="t"))
    assert small.state("case").tasks == {}


async def test_a_task_in_a_case_of_somebody_else_is_theirs_then(small: Small) -> None:
    await owned(small)
    wish = c.AddTask(id="t", conversation="case", text="look at it", assignee="lena")
    await small.done("maya", wish)
    small.log.put("agent", "lena", f.Dismissed())
    await after(small, 11, "maya", "lena")
    assert small.state("case").tasks["t"].assignee == ""
    page = await small.ask("maya", c.Tasks(view="mine"))
    assert isinstance(page, v.TaskPage) and [one.task for one in page.tasks] == ["t"]
    small.parts.alerts._known = None
    assert [one.id for one in small.parts.alerts._reckoned(small.now_ms) if one.id.startswith("task:")] == []


async def talk(small: Small) -> None:
    await owned(small)
    await small.done("maya", c.Transfer(id="t", conversation="case", to_agent="lena", ask_first=True))
    await small.done("lena", c.Accept(id="yes", conversation="case"))
    assert small.state("case").consult is not None


async def test_the_partner_of_a_talk_inherits_the_case_of_a_vanished_owner(small: Small) -> None:
    await talk(small)
    await after(small, 31, "lena")
    await after(small, GRACE_S + 1, "lena")
    state = small.state("case")
    assert (state.status, state.owner, state.epoch, state.consult) == (conv.OWNED, "lena", 2, None)
    assert (small.floor.load("lena"), small.floor.load("maya")) == (20, 0)


async def test_a_talk_with_who_vanished_ends_and_the_owner_keeps_the_case(small: Small) -> None:
    await talk(small)
    await after(small, 31, "maya")
    await after(small, 3, "maya")
    state = small.state("case")
    assert (state.owner, state.consult) == ("maya", None)
    assert small.floor.load("lena") == 0


async def test_if_both_of_a_talk_vanish_the_case_goes_back_to_its_queue(small: Small) -> None:
    await talk(small)
    await after(small, 31)
    await after(small, GRACE_S + 1)
    await after(small, 1)
    state = small.state("case")
    assert (state.status, state.owner, state.consult) == (conv.QUEUED, "", None)


async def test_the_wrap_up_of_who_is_gone_ends_as_the_usual_outcome(small: Small) -> None:
    await answered(small)
    await small.done("maya", c.Close(id="close", conversation="case", tags=("vip",)))
    assert small.floor.wrapping("maya") == "case"
    await after(small, 31)
    assert small.state("case").wrap is not None
    await after(small, GRACE_S + 1)
    state = small.state("case")
    assert (state.wrap, state.disposition, state.tags) == (None, "solved", ("vip",))
    assert small.floor.wrapping("maya") == ""


async def test_a_dismissed_agents_sleeping_case_wakes_with_its_clock(small: Small) -> None:
    """The resolution's clock stood still for the sleep; nobody sleeps any more."""
    await owned(small)
    small.log.put(
        "conv",
        "case",
        f.Snoozed(agent="maya", until_ms=FAR_MS),
        f.Targeted(what="resolution", from_ms=small.now_ms, work_s=3_600, left_s=1_800, because="stands still"),
    )
    small.log.put("agent", "maya", f.Dismissed())
    await small.round()
    state = small.state("case")
    assert (state.status, state.snooze) == (conv.QUEUED, None)
    assert (state.promises["resolution"].left_s, state.promises["resolution"].due_ms) == (
        None,
        small.now_ms + 1_800_000,
    )


async def test_many_rounds_say_nothing_twice(small: Small) -> None:
    await owned(small)
    await after(small, 31)
    await after(small, GRACE_S + 1)
    count = len(small.log.items)
    for _ in range(5):
        await after(small, 60)
    assert len(small.log.items) == count
