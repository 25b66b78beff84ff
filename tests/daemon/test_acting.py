"""Commands over several aggregates: places that are given, merge, un-merge and split with handles, drafts and what comes later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from broker_bridge.contract import codec, ids
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.envelopes import Said, Stored
from broker_bridge.contract.words import Address, Packet, Words
from broker_bridge.core.actor import Actor
from broker_bridge.core.joins import MOST_HANDLES
from broker_bridge.core.state import CLOSED, MERGED, OWNED, QUEUED
from broker_bridge.daemon import wire
from broker_bridge.daemon.states import HAND
from broker_bridge.daemon.wire import Outgoing, Unavailable, Unknown
from tests.daemon.small_house import NOW_MS, Small, message

CHAT = 20
OLGA = Actor(agent="olga", name="Olga", role="supervisor")


async def a_house(*agents: str, **more: Any) -> Small:
    """Everybody is ready; nothing is offered by itself."""
    small = Small()
    small.parts.offers._offers_at_all = False
    for agent in agents or ("ann", "bob"):
        small.enroll(agent, **more)
    small.enroll("olga", role="supervisor")
    await small.catch_up()
    for agent in agents or ("ann", "bob"):
        small.sits(agent)
    return small


def bound(small: Small, case: str, handle: str = "", customer: str = "") -> None:
    """The handle's messages go to this case."""
    began = f.Began(conversation=case)
    small.log.put(
        "hand", handle or f"hand-{case}", f.Bound(customer=customer or f"cust-{case}", channel_kind="email"), began
    )


def twin(small: Small) -> Small:
    """Another bridge over the same log, with the same agents at their terminals."""
    other = Small(log=small.log, keys=small.keys, drafts=small.drafts, presence=small.presence, boot="other")
    other.parts.offers._offers_at_all = False
    return other


def owner_of(small: Small, handle: str) -> str:
    """Which case the handle's messages go to."""
    found: str = small.states.cell(HAND, handle).state.conversation
    return found


def spoken(case: str, name: str, text: str) -> f.Received:
    """A later message by chat. As in a real log no dash stands in its id: events alone have one."""
    return msgspec.structs.replace(message(case, text=text, channel="chat"), message=name, item=f"item-{name}")


_counted = iter(range(1, 1_000_000))


async def wrote(small: Small, handle: str, text: str = "one more thing", **words: Any) -> None:
    """The customer writes, and the clerk applies it."""
    number = next(_counted)
    said = Said(sender=Address(address="anna@example.se"), words=Words(text=text, **words))
    sealed = await small.sealer.seal(Words(text=codec.encode(said).decode()), "day")
    stored = Stored(
        id=f"late-{number}",
        native=str(number),
        kind="email",
        channel="support",
        handle=handle,
        received_ms=NOW_MS,
        sealed=sealed,
    )
    await small.clerk.apply(stored)
    await small.catch_up()


# places


async def test_an_accept_without_room_is_refused_with_the_figures() -> None:
    small = await a_house("ann", units=50)
    for number in range(3):
        small.case(f"case{number}", channel="chat")
    async with small.working():
        for number in range(2):
            await small.done("ann", c.Accept(id=f"a{number}", conversation=f"case{number}"))
        refusal = await small.refused("ann", c.Accept(id="a2", conversation="case2"))
        assert (refusal.code, refusal.sentence) == (
            "full",
            "You carry 40 of 50 and this takes 20. Close, snooze or pass on something first.",
        )
        await small.done("ann", c.Close(id="close", conversation="case0", disposition="solved"))
        await small.done("ann", c.Accept(id="a3", conversation="case2"))


async def test_two_terminals_on_two_bridges_never_take_more_than_there_is_room_for() -> None:
    small = await a_house("ann", units=60)
    for number in range(8):
        small.case(f"case{number}", channel="chat")
    other = twin(small)
    async with small.working(), other.working():
        answers = await asyncio.gather(
            *(
                (small if number % 2 else other).ask("ann", c.Accept(id=f"a{number}", conversation=f"case{number}"))
                for number in range(8)
            )
        )
        taken = [one for one in answers if isinstance(one, c.Done)]
        assert len(taken) == 3
        assert {one.code for one in answers if isinstance(one, c.Refusal)} <= {"full", "busy"}
        await small.catch_up()
        assert small.floor.load("ann") == 60
        assert len(small.facts("load", "ann")) == 3


async def test_a_stale_picture_of_a_load_is_waited_for() -> None:
    """Somebody else gave Ann a case: what she carries is known only when that case is."""
    small = await a_house("ann", units=20)
    for name in ("hers", "case"):
        small.case(name, channel="chat")
    writing = asyncio.create_task(small.writer.run())
    await small.catch_up()
    small.log.put("conv", "hers", f.Accepted(agent="ann", epoch=1))
    given = small.log.put("load", "ann", f.Given(conversation="hers", units=CHAT))
    asking = asyncio.create_task(small.ask("ann", c.Accept(id="a", conversation="case")))
    loaded = small.states.cell("load", "ann")
    while loaded.state.seq != given.seq:
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert not asking.done()
    await small.catch_up()
    answer = await asking
    writing.cancel()
    assert isinstance(answer, c.Refusal)
    assert answer.code == "full"
    assert small.state("case").status == QUEUED


async def test_an_offer_holds_its_place_and_accepting_it_takes_no_second_one() -> None:
    small = await a_house("ann", units=20)
    for name in ("case", "other"):
        small.case(name, channel="chat")
    small.log.put("conv", "case", f.Offered(agent="ann", until_ms=NOW_MS + 20_000))
    async with small.working():
        assert small.floor.load("ann") == CHAT
        assert (await small.refused("ann", c.Accept(id="o", conversation="other"))).code == "full"
        await small.done("ann", c.Accept(id="a", conversation="case"))
        assert small.floor.load("ann") == CHAT
        assert small.facts("load", "ann") == []


async def test_a_transfer_gives_a_place_of_whoever_is_asked_and_frees_it_when_they_decline() -> None:
    small = await a_house()
    small.case("case", channel="chat")
    async with small.working():
        await small.done("ann", c.Accept(id="a", conversation="case"))
        await small.done("ann", c.Transfer(id="t", conversation="case", to_agent="bob", note="knows the shop"))
        assert small.facts("load", "bob") == [f.Given(conversation="case", units=CHAT)]
        assert (small.floor.load("ann"), small.floor.load("bob")) == (CHAT, CHAT)
        await small.done("bob", c.Decline(id="d", conversation="case", reason="in a call"))
        assert (small.state("case").owner, small.floor.load("bob")) == ("ann", 0)
        await small.done("ann", c.Transfer(id="t2", conversation="case", to_agent="bob"))
        await small.done("bob", c.Accept(id="yes", conversation="case"))
        assert (small.state("case").owner, small.state("case").epoch) == ("bob", 2)
        assert (small.floor.load("ann"), small.floor.load("bob")) == (0, CHAT)


@pytest.mark.parametrize(
    ("state", "reason", "code", "words"),
    [("away", "lunch", "absent", "at lunch"), ("silent", "", "absent", "silent"), ("ready", "", "full", "100 of 100")],
)
async def test_a_transfer_to_who_cannot_take_it_is_refused_with_the_reason(
    state: str, reason: str, code: str, words: str
) -> None:
    small = await a_house("ann", "bob", units=100)
    small.case("case", channel="chat")
    for number in range(5):
        small.case(f"his{number}", channel="chat")
    async with small.working():
        await small.done("ann", c.Accept(id="a", conversation="case"))
        if code == "full":
            for number in range(5):
                await small.done("bob", c.Accept(id=f"b{number}", conversation=f"his{number}"))
        else:
            small.sits("bob", state, reason)
        refusal = await small.refused("ann", c.Transfer(id="t", conversation="case", to_agent="bob"))
        assert refusal.code == code
        assert words in refusal.sentence
        assert small.state("case").owner == "ann"


async def test_a_talk_changes_hands_when_the_owner_confirms_and_in_three_facts() -> None:
    small = await a_house()
    small.case("case", channel="chat")
    packet = Packet(problem="the fee", promised="an answer today")
    async with small.working():
        await small.done("ann", c.Accept(id="a", conversation="case"))
        await small.done("ann", c.Transfer(id="t", conversation="case", to_agent="bob", ask_first=True, packet=packet))
        await small.done("bob", c.Accept(id="yes", conversation="case"))
        assert small.state("case").owner == "ann"
        await small.done("ann", c.Confirm(id="ok", conversation="case"))
        assert small.state("case").owner == "bob"
        kinds = [type(fact).__name__ for fact in small.facts("conv", "case")][4:]
        assert kinds == ["Transferred", "Offered", "TransferAccepted", "Accepted"]
        page = await small.ask("bob", c.Thread(conversation="case"))
        assert "an answer today" in str(page)


async def test_an_owner_of_before_is_refused_by_name_though_the_sequence_fits() -> None:
    small = await a_house()
    small.case("case", channel="chat")
    async with small.working():
        await small.done("ann", c.Accept(id="a", conversation="case"))
        await small.done("olga", c.Transfer(id="t", conversation="case", to_agent="bob", force=True))
        late = c.Reply(id="r", conversation="case", text="yes", channel="chat", seen=small.state("case").seq, epoch=1)
        refusal = await small.refused("ann", late)
        assert refusal.code == "not_yours"
        assert "Bob took this conversation" in refusal.sentence
        await small.done("olga", c.Transfer(id="t2", conversation="case", to_agent="ann", force=True))
        assert (await small.refused("ann", late)).code == "late"


async def test_what_others_gave_while_the_end_of_an_append_was_unknown_is_not_taken_for_known() -> None:
    """The answer was lost; before the log was read again another bridge gave Ann a place, and she got one more than fits."""
    small = await a_house("ann", units=2 * CHAT)
    for name in ("one", "theirs", "two"):
        small.case(name, channel="chat")
    await small.catch_up()
    keep = small.log.publish_batch

    async def keep_and_lose(msgs: Sequence[Outgoing], timeout_s: float = 10.0) -> wire.Stored:
        small.log.publish_batch = keep  # type: ignore[method-assign]
        await keep(msgs)
        small.log.put("conv", "theirs", f.Accepted(agent="ann", epoch=1))
        small.log.put("load", "ann", f.Given(conversation="theirs", units=CHAT))
        raise Unknown("no answer")

    small.log.publish_batch = keep_and_lose  # type: ignore[method-assign]
    writing = asyncio.create_task(small.writer.run())
    assert isinstance(await small.ask("ann", c.Accept(id="a1", conversation="one")), c.Done)
    asking = asyncio.create_task(small.ask("ann", c.Accept(id="a2", conversation="two")))
    for _ in range(50):
        await asyncio.sleep(0)
    await small.catch_up()
    answer = await asking
    assert isinstance(answer, c.Refusal)
    assert answer.code == "full"
    assert len(small.facts("load", "ann")) == 2
    writing.cancel()


# merge


async def two_cases(small: Small) -> None:
    """Both Ann's, each with a handle that points to it."""
    for name in ("one", "two"):
        small.case(name, channel="chat", customer="anna")
        bound(small, name, customer="anna")
    await small.catch_up()
    for name in ("one", "two"):
        await small.done("ann", c.Accept(id=f"accept-{name}", conversation=name))


async def test_a_merge_moves_handles_messages_and_the_draft_and_undoing_it_moves_them_back() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        await small.done("ann", c.Draft(conversation="one", text="and the receipt", at_ms=5))
        await small.done("ann", c.Draft(conversation="two", text="Dear Anna", at_ms=9))
        before = len(small.log.items)
        done = await small.done("ann", c.Merge(id="m", conversation="one", into="two"))
        assert done.conversation == "two"
        assert len({item.subject for item in small.log.items[before:] if ".load." not in item.subject}) == 3
        assert (small.state("one").status, small.state("one").merged_into) == (MERGED, "two")
        assert (owner_of(small, "hand-one"), owner_of(small, "hand-two")) == ("two", "two")
        page = await small.ask("ann", c.Thread(conversation="two"))
        assert isinstance(page, v.ThreadPage)
        assert [item.id for item in page.items if item.kind == "them"] == ["message-one", "message-two"]
        assert await draft_of(small, "two") == "Dear Anna\n\nand the receipt"
        assert small.floor.load("ann") == CHAT

        back = await small.done("ann", c.Unmerge(id="u", conversation="one"))
        assert back.conversation == "one"
        assert (small.state("one").status, small.state("one").merged_into) == (QUEUED, "")
        assert (owner_of(small, "hand-one"), owner_of(small, "hand-two")) == ("one", "two")
        page = await small.ask("ann", c.Thread(conversation="two"))
        assert isinstance(page, v.ThreadPage)
        assert [item.id for item in page.items if item.kind == "them"] == ["message-two"]
        assert "one" in small.floor.line


async def test_a_merge_whose_draft_cannot_be_read_is_not_done_without_it() -> None:
    """Seed 1092: the bucket did not answer, and the draft stayed in a case that nobody opens any more."""
    small = await a_house()
    async with small.working():
        await two_cases(small)
        await small.done("ann", c.Draft(conversation="one", text="and the receipt", at_ms=5))
        wish = c.Merge(id="m", conversation="one", into="two")
        small.drafts.trouble.append(Unavailable("no answer"))
        answer = await small.ask("ann", wish)
        assert isinstance(answer, c.Refusal)
        assert answer.is_retryable
        assert small.state("one").merged_into == ""
        await small.done("ann", wish)
        assert await draft_of(small, "two") == "and the receipt"


async def test_what_the_owner_was_writing_goes_along_although_a_supervisor_merged_the_case() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        await small.done("ann", c.Draft(conversation="two", text="Dear Anna", at_ms=9))
        await small.done("ann", c.Draft(conversation="one", text="and the receipt", at_ms=5))
        await small.done("olga", c.Merge(id="m", conversation="one", into="two"))
        assert await draft_of(small, "two") == "Dear Anna\n\nand the receipt"


async def test_a_merge_that_is_asked_for_again_takes_the_draft_along_that_it_left() -> None:
    """A crash after the write: where the merge seemed to be refused at first, the draft follows afterwards."""
    small = await a_house()
    async with small.working():
        await two_cases(small)
        wish = c.Merge(id="m", conversation="one", into="two")
        await small.done("ann", wish)
        await small.parts.drafts.keep("ann", "one", "and the receipt", "reply", 5)
        await small.done("ann", wish)
        assert await draft_of(small, "two") == "and the receipt"
        await small.done("ann", c.Unmerge(id="u", conversation="one"))
        await small.parts.drafts.keep("ann", "one", "for somebody else", "reply", 9)
        await small.done("ann", wish)
        assert await draft_of(small, "two") == "and the receipt"


async def draft_of(small: Small, case: str) -> str:
    page = await small.ask("ann", c.Thread(conversation=case))
    assert isinstance(page, v.ThreadPage)
    return page.draft.text if page.draft is not None else ""


async def test_a_merge_is_one_batch_or_nothing() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        batches: list[list[str]] = []
        kept = small.log.publish_batch

        async def noting(msgs: Any, timeout_s: float = 10.0) -> Any:
            batches.append([msg.subject for msg in msgs])
            return await kept(msgs)

        small.log.publish_batch = noting  # type: ignore[method-assign]
        await small.done("ann", c.Merge(id="m", conversation="one", into="two"))
        assert batches == [["cc.log.conv.one", "cc.log.conv.two", "cc.log.hand.hand-one"]]


@pytest.mark.parametrize("is_apart", [False, True])
async def test_two_merges_in_opposite_directions_give_one_result(is_apart: bool) -> None:
    small = await a_house()
    other = twin(small) if is_apart else small
    async with small.working(), other.working():
        for name, agent in (("one", "ann"), ("two", "bob")):
            small.case(name, channel="chat", customer="anna")
            bound(small, name, customer="anna")
            await small.catch_up()
            await small.done(agent, c.Accept(id=f"accept-{name}", conversation=name))
        await other.catch_up()
        first, second = await asyncio.gather(
            small.ask("ann", c.Merge(id="m1", conversation="one", into="two")),
            other.ask("bob", c.Merge(id="m2", conversation="two", into="one")),
        )
        assert isinstance(first, c.Done)
        assert isinstance(second, c.Done)
        assert first.conversation == second.conversation
        await small.catch_up()
        states = {name: small.state(name).status for name in ("one", "two")}
        assert sorted(states.values()) == [MERGED, OWNED]
        left = next(name for name, status in states.items() if status == OWNED)
        assert left == first.conversation
        assert {owner_of(small, f"hand-{name}") for name in ("one", "two")} == {left}
        assert (
            len([one for one in small.facts("conv", "one") + small.facts("conv", "two") if isinstance(one, f.Merged)])
            == 1
        )


async def test_the_next_message_of_every_handle_and_a_reply_to_the_old_thread_land_on_the_merged_case() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        small.log.put("conv", "one", message("one-2", text="by mail"), message("one-3"))
        bound(small, "one", handle="hand-one-b", customer="anna")
        small.log.put(
            "conv",
            "one",
            f.Received(
                message="message-mail",
                item="item-mail",
                handle="hand-one-b",
                channel="support",
                channel_kind="email",
                words=Words(text="old mail", address="anna@example.se", mail_id="old@example.se"),
            ),
        )
        await small.catch_up()
        await small.done("ann", c.Merge(id="m", conversation="one", into="two"))
        for handle in ("hand-one", "hand-two", "hand-one-b"):
            count = small.state("two").messages
            await wrote(small, handle)
            assert small.state("two").messages == count + 1, handle
        count = small.state("two").messages
        await wrote(small, "hand-one-b", references=("old@example.se",), mail_id="new@example.se")
        assert small.state("two").messages == count + 1
        assert small.state("one").status == MERGED
        opened = [item for item in small.log.items if b'"opened"' in item.body]
        assert len(opened) == 2


async def test_beyond_the_most_handles_of_a_batch_messages_still_find_the_merged_case() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        many = MOST_HANDLES + 30
        for number in range(many):
            name = f"hand-{number:04}"
            bound(small, "one", handle=name, customer="anna")
            one = f.Received(
                message=f"m-{number}", item=f"i-{number}", handle=name, channel="chat", channel_kind="webchat"
            )
            small.log.put("conv", "one", one)
        await small.catch_up()
        await small.done("ann", c.Merge(id="m", conversation="one", into="two"))
        moved = [number for number in range(many) if owner_of(small, f"hand-{number:04}") == "two"]
        assert MOST_HANDLES - 5 <= len(moved) < many
        count = small.state("two").messages
        await wrote(small, f"hand-{many - 1:04}")
        await wrote(small, "hand-0000")
        assert small.state("two").messages == count + 2


async def test_a_message_that_comes_while_its_case_is_merged_is_not_lost() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        await asyncio.gather(
            small.ask("ann", c.Merge(id="m", conversation="one", into="two")),
            *(wrote(small, "hand-one") for _ in range(5)),
        )
        await small.catch_up()
        page = await small.ask("ann", c.Thread(conversation="two"))
        assert isinstance(page, v.ThreadPage)
        assert sum(item.kind == "them" for item in page.items) == 7


async def test_a_repeated_merge_is_done_and_changes_nothing() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        wish = c.Merge(id="m", conversation="one", into="two")
        await small.done("ann", wish)
        count = len(small.log.items)
        again = await small.done("ann", wish)
        assert (again.conversation, len(small.log.items)) == ("two", count)


# split


async def test_a_split_makes_a_case_of_its_own_with_handle_draft_and_place() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        small.log.put("conv", "one", spoken("one", "second", "another matter"))
        small.log.put("conv", "one", spoken("one", "third", "and more of it"))
        await small.catch_up()
        await small.done("ann", c.Draft(conversation="one", text="Dear Anna", at_ms=5))
        done = await small.done("ann", c.Split(id="s", conversation="one", message="second"))
        new = done.conversation
        assert new == ids.derived("split", "ann", "s")
        state = small.state(new)
        assert (state.status, state.owner, state.split_from, state.waiting_since_ms is not None) == (
            OWNED,
            "ann",
            "one",
            True,
        )
        assert owner_of(small, "hand-one") == new
        assert (small.floor.load("ann"), f.Given(conversation=new, units=CHAT) in small.facts("load", "ann")) == (
            3 * CHAT,
            True,
        )
        pages = [await small.ask("ann", c.Thread(conversation=name)) for name in ("one", new)]
        said = [
            [item.id for item in page.items if item.kind == "them"] for page in pages if isinstance(page, v.ThreadPage)
        ]
        assert said == [["message-one"], ["second", "third"]]
        assert isinstance(pages[0], v.ThreadPage)
        assert pages[0].draft is not None
        await wrote(small, "hand-one")
        assert small.state(new).messages > state.messages - 1


async def test_a_split_above_the_limit_leaves_the_new_case_in_the_queue_for_whoever_has_room() -> None:
    small = await a_house("ann", "bob", units=50)
    small.parts.offers._offers_at_all = True
    async with small.working():
        await two_cases(small)
        small.log.put("conv", "one", spoken("one", "second", "another matter"))
        await small.catch_up()
        places = len(small.facts("load", "ann"))
        done = await small.done("ann", c.Split(id="s", conversation="one", message="second"))
        new = done.conversation
        assert new is not None
        state = small.state(new)
        assert (state.status, state.owner, state.last_owner) == (QUEUED, "", "ann")
        assert (small.floor.load("ann"), len(small.facts("load", "ann"))) == (2 * CHAT, places)
        assert owner_of(small, "hand-one") == new
        await small.round()
        # Ann knows the customer, and may have time soon: she is waited for, as long as the queue says.
        assert small.ringing(new) == ()
        small.later(31)
        for agent in ("ann", "bob"):
            small.sits(agent)
        await small.round()
        assert small.ringing(new) == ("bob",)
        # Nobody splits twice by asking twice.
        assert (await small.done("ann", c.Split(id="s", conversation="one", message="second"))).conversation == new
        assert small.state(new).seq == max(one.seq for one in small.log.items if one.subject.endswith(new))


async def test_merge_and_its_undoing_are_done_once_though_they_are_asked_for_again() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        for wish in (c.Merge(id="m", conversation="one", into="two"), c.Unmerge(id="u", conversation="one")):
            await small.done("ann", wish)
            written = len(small.log.items)
            await small.done("ann", wish)
            assert len(small.log.items) == written


async def test_whoever_split_it_is_asked_first_once_they_have_room() -> None:
    small = await a_house("ann", "bob", units=50)
    small.parts.offers._offers_at_all = True
    async with small.working():
        await two_cases(small)
        small.log.put("conv", "one", spoken("one", "second", "another matter"))
        await small.catch_up()
        new = (await small.done("ann", c.Split(id="s", conversation="one", message="second"))).conversation
        assert new is not None
        await small.done("ann", c.Close(id="done", conversation="two", disposition="solved"))
        await small.round()
        assert small.ringing(new) == ("ann",)


async def test_a_split_takes_along_what_was_decided_but_not_followed_yet() -> None:
    """The message is in the log and in the state; the list of messages does not have it yet."""
    small = await a_house()
    writing = asyncio.create_task(small.writer.run())
    for name in ("case",):
        small.case(name, channel="chat")
        bound(small, name)
    await small.catch_up()
    await small.done("ann", c.Accept(id="a", conversation="case"))
    small.log.put("conv", "case", spoken("case", "second", "another matter"))
    await small.catch_up()
    said = Said(sender=Address(address="anna@example.se"), words=Words(text="by mail"))
    sealed = await small.sealer.seal(Words(text=codec.encode(said).decode()), "day")
    await small.clerk.apply(
        Stored(
            id="late",
            native="l",
            kind="email",
            channel="support",
            handle="hand-case",
            received_ms=NOW_MS,
            sealed=sealed,
        )
    )
    assert small.state("case").seq > small.follower.position
    asking = asyncio.create_task(small.ask("ann", c.Split(id="s", conversation="case", message="second")))
    for _ in range(20):
        await asyncio.sleep(0)
    await small.catch_up()
    answer = await asking
    writing.cancel()
    assert isinstance(answer, c.Done)
    assert answer.conversation
    await small.catch_up()
    page = small.reading.page(answer.conversation, None, 50, small.staff.actor("ann") or OLGA)
    assert [item.text for item in page.items if item.kind == "them"] == ["another matter", "by mail"]
    assert set(small.state(answer.conversation).ways) == {"chat", "support"}
    assert owner_of(small, "hand-case") == answer.conversation


async def test_a_closed_source_stays_closed_when_its_merge_is_undone() -> None:
    small = await a_house()
    async with small.working():
        await two_cases(small)
        await small.done("ann", c.Close(id="close", conversation="one", disposition="solved"))
        await small.done("ann", c.Merge(id="m", conversation="one", into="two"))
        await small.done("ann", c.Unmerge(id="u", conversation="one"))
        assert small.state("one").status == CLOSED
        assert small.floor.load("ann") == CHAT
