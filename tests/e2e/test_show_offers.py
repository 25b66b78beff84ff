"""The show, first part: an offer declined with a word, timed out, taken; a talk with a packet; work given away. `why` explains each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker_bridge.contract import facts as f
from tests.e2e.crew import Crew, crew, write
from tests.e2e.house import is_writing
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUES = """
[[queue]]
name = "support"
title = "Support"
mode = "in_order"
order = ["maya", "ole"]
needs = ["fees"]
offer_s = 9
affinity_s = 0
wrap_up = "none"
[[queue.target]]
first_reply = "15m"
[[queue]]
name = "sales"
title = "Sales"
mode = "in_order"
order = ["ole", "maya"]
wrap_up = "none"
[[queue]]
name = "nobody"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crew]:
    async with crew(tmp_path_factory.mktemp("show"), desk="", queues=QUEUES, windows=("maya", "ole", "ines")) as made:
        yield made


async def test_an_offer_is_declined_with_a_word_times_out_at_another_and_is_taken(show: Crew) -> None:
    async with show.house.visitor("Anna Berg") as anna:
        await anna.say("Which fee applies in Tokyo?")
        await show.rings(show.maya, "Anna Berg")
        show.maya.press("D")
        await show.maya.shows("esc back")
        show.maya.type("on the phone\r")
        await show.rings(show.ole, "Anna Berg")
        await show.why(show.ole, "declined", "on the phone", "Support", "15 min", "Maya")
        # Ole does not answer: his time runs out, and nobody is left to be asked.
        await until(
            lambda: "rings" not in show.ole.text, bound_s=15.0, saying=lambda: f"it still rings\n{show.ole.text}"
        )
        await show.row("Anna Berg", state="queued", owner="")
        show.maya.press("2")
        await show.maya.shows("Anna Berg")
        await show.why(show.maya, "by you: on the phone", "Ole did not answer", "let it pass")
        show.maya.press("a")
        await show.row("Anna Berg", owner="maya")
        await show.maya.shows("to Anna Berg")
        await show.why(show.maya, "took it", "Anna Berg")
        await write(show.maya, "None with the gold card.")
        await until(lambda: anna.heard == ["None with the gold card."], saying=lambda: show.maya.text)
        ended = [(one.agent, one.reason) for one in await show.log(f.OfferEnded)]
        assert ended == [("maya", "declined"), ("ole", "expired")]
        await show.put_away("Anna Berg")


async def test_a_talk_with_a_packet_then_a_yes_then_it_changes_hands(show: Crew) -> None:
    async with show.house.visitor("Bo Lind") as bo:
        await bo.say("Hello!")
        await bo.say("My card was charged twice at the hotel in Aarhus. Will I get it back?")
        await show.accept("maya", "Bo Lind")
        await write(show.maya, "I will look at it today.")
        await until(lambda: bo.heard, saying=lambda: show.maya.text)
        await show.house.to_list(show.maya)
        show.maya.press("t")
        await show.maya.shows("Transfer", "Goes along", "charged twice", "I will look at it today")
        show.maya.type("ole")
        await show.maya.shows("ask Ole", "1 found")
        # In one write, as fast as anybody types: the word is the note's, not the name's.
        show.maya.type("\tYou know the hotel\r")
        await show.row("Bo Lind", owner="maya", transfer_to="Ole", transfer_kind="consult")
        # Asked: he has it when he says yes, and she when he does not.
        await show.ole.shows("Consult", "Bo Lind", "asks you", "My card was charged")
        show.ole.press("a")
        await show.row("Bo Lind", owner="maya", consult_with="Ole")
        await show.ole.shows("You know the hotel", "My card was charged", "I will look at it today")
        await show.house.to_list(show.ole)
        show.ole.press("n")
        await until(lambda: is_writing(show.ole), saying=lambda: show.ole.text)
        show.ole.type("They always pay it back")
        show.ole.press("alt+enter")
        await show.maya.shows("They always pay it back")
        await show.maya.shows("y hand over")
        show.maya.press("y")
        await show.row("Bo Lind", owner="ole", consult_with="")
        await show.why(show.ole, "Maya", "Ole")
        await write(show.ole, "Ole here: it is paid back.")
        await until(lambda: "Ole here: it is paid back." in bo.heard, saying=lambda: show.ole.text)
        assert [one.agent for one in await show.log(f.Accepted)][-2:] == ["maya", "ole"]
        await show.put_away("Bo Lind")


async def test_work_given_to_a_queue_and_to_a_skill_rings_at_who_can_do_it(show: Crew) -> None:
    async with show.house.visitor("Cy Dahl") as cy:
        await cy.say("I would like to buy a house.")
        await show.accept("maya", "Cy Dahl")
        for words, reason in (("sales", "Sales"), ("swedish", "swedish")):
            await show.house.to_list(show.maya)
            show.maya.press("t")
            await show.maya.shows("Transfer")
            show.maya.type(words)
            await show.maya.shows("hand over  it leaves you at once")
            show.maya.press("enter")
            await show.rings(show.ole, "Cy Dahl")
            await show.row("Cy Dahl", owner="")
            await show.why(show.ole, reason, "Maya")
            if words == "sales":
                show.ole.press("a")
                await show.row("Cy Dahl", owner="ole", queue="sales")
                await _back(show)
        show.ole.press("a")
        await show.row("Cy Dahl", owner="ole")
        await show.put_away("Cy Dahl")


async def _back(show: Crew) -> None:
    """Ole gives it to Maya without a talk: hers once she says yes."""
    await show.ole.shows("to Cy Dahl")
    show.ole.press("t")
    await show.ole.shows("Transfer", "Maya")
    show.ole.type("maya")
    await show.ole.shows("ask Maya", "1 found")
    show.ole.press("ctrl+b")
    await show.maya.shows("Transfer", "gives you", "Cy Dahl")
    await show.row("Cy Dahl", owner="ole", transfer_to="Maya")
    show.maya.press("a")
    await show.row("Cy Dahl", owner="maya", transfer_to="")
