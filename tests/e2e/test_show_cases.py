"""The show, fourth part: two cases of one customer become one, and the old thread's mails land there; and who writes while it is closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from tests.e2e.crew import Crew, crew, write
from tests.e2e.house import letter
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AWAY = "Nobody is here now. We answer when we open."
QUEUES = """
[[queue]]
name = "support"
title = "Support"
mode = "in_order"
order = ["maya", "ole"]
affinity_s = 0
wrap_up = "none"
{hours}away_reply = "{away}"
[[queue]]
name = "sales"
[[queue]]
name = "nobody"
"""


def _queues(hours: str = "") -> str:
    return QUEUES.format(hours=hours, away=AWAY)


def _closed() -> str:
    """Open one hour, the day after tomorrow."""
    day = DAYS[(datetime.now(UTC) + timedelta(days=2)).weekday()]
    return f'hours = {{ zone = "UTC", {day} = "12:00-13:00" }}\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crew]:
    async with crew(tmp_path_factory.mktemp("show"), desk="", queues=_queues(), windows=("maya", "ole")) as made:
        yield made


async def test_chat_and_mail_of_one_customer_become_one_case_and_the_old_thread_leads_there(show: Crew) -> None:
    first = letter("Anna Berg <anna@posten.example>", "Charged twice", "The hotel was charged twice.")
    async with show.house.visitor("Anna Berg") as anna:
        await show.house.mail(first)
        await show.rings(show.maya, "Anna Berg")
        show.maya.press("a")
        await show.maya.shows("The hotel was charged twice.")
        mail = await _row(show, "mail", owner="maya")
        await anna.say("I wrote you a mail, did you get it?")
        await show.rings(show.maya, "Anna Berg")
        show.maya.press("a")
        chat = await _row(show, "chat", owner="maya")
        await show.maya.shows("did you get it?", "to Anna Berg")
        await show.house.to_list(show.maya)
        await show.maya.shows("m merge")
        show.maya.press("m")
        await show.maya.shows("Merge", "with")
        show.maya.type(mail.number)
        await show.maya.shows(f"merge into #{mail.number}")
        show.maya.press("enter")
        await _case(show, mail.conv, merged=((chat.conv, chat.number),))
        merged = await until(lambda: _thread(show, mail.conv, "did you get it?"))
        assert "The hotel was charged twice." in merged
        await show.maya.shows("The hotel was charged twice.", "did you get it?")
        # The chat and the mail go on in the one case, whoever of them is used.
        again = letter(
            "Anna Berg <anna@posten.example>",
            "Re: Charged twice",
            "Here is the bill.",
            In_Reply_To=str(first["Message-ID"]),
            References=str(first["Message-ID"]),
        )
        await show.house.mail(again)
        await anna.say("I sent the bill too.")
        await until(lambda: _thread(show, mail.conv, "Here is the bill.", "I sent the bill too."))
        await show.maya.shows("Here is the bill.", "I sent the bill too.")
        show.maya.press("U")
        # A case of its own again: it waits, and whoever knows her is asked first.
        await _case(show, chat.conv, merged_into="", state="queued")
        await show.rings(show.maya, "Anna Berg")
        await show.why(show.maya, f"goes on in #{mail.number}", "the merge was undone", "knows the customer")
        show.maya.press("a")
        await _case(show, chat.conv, owner="maya")
        apart = await until(lambda: _thread(show, chat.conv, "did you get it?"))
        assert "The hotel was charged twice." not in apart
        assert len(await show.log(f.Merged)) == 1
        async with show.house.site.agent("maya") as maya:
            for conv in (mail.conv, chat.conv):
                await maya.get(c.Close(id=maya.new_id(), conversation=conv, disposition="solved"), c.Done)


async def test_who_writes_while_it_is_closed_is_stored_shown_told_once_and_offered_at_opening(show: Crew) -> None:
    file = show.house.site.folder / "bridge.toml"
    open_words = file.read_text()
    file.write_text(open_words.replace(_queues(), _queues(_closed())))
    await until(lambda: _hours(show, "closed"), bound_s=20.0)
    async with show.house.visitor("Bo Lind") as bo:
        await bo.say("Are you there?")
        await until(lambda: bo.heard, bound_s=20.0, saying="nobody said that it is closed")
        await bo.say("Hello?")
        row = await show.row("Bo Lind", text="Hello?", state="queued")
        assert bo.heard == [AWAY]
        show.ole.press("2")
        await show.ole.shows("Bo Lind", "Hello?")
        await show.why(show.ole, "Closed: opens", "out of hours")
        assert not [one for one in await show.log(f.Offered) if one.agent == "ole"]
        assert "answer in" not in show.maya.text and "answer in" not in show.ole.text
        file.write_text(open_words)
        await show.rings(show.maya, "Bo Lind")
        show.maya.press("a")
        await show.row("Bo Lind", owner="maya")
        await show.maya.shows("to Bo Lind", "r reply")
        await write(show.maya, "Now we are open.")
        await until(lambda: bo.heard == [AWAY, "Now we are open."], saying=lambda: bo.heard)
        page = await show.eye.thread(row.conv)
        assert [item.text for item in page.items if item.is_automatic] == [AWAY]


async def _row(show: Crew, channel: str, **wanted: object) -> v.Row:
    """Anna's case of a channel, once it is as wanted."""

    async def found() -> v.Row | None:
        page = await show.eye.get(c.Search(text="Anna Berg"), v.RowPage)
        rows = [row for row in page.rows if row.channel == channel]
        return next((row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())), None)

    return await until(found, bound_s=20.0, saying=lambda: f"no {channel} is {wanted}\n{show.screens()}")


async def _case(show: Crew, conv: str, **wanted: object) -> v.Row:
    """The row of this case, once it is as wanted."""
    seen: list[v.Row] = []

    async def found() -> v.Row | None:
        seen.append((await show.eye.thread(conv)).row)
        return seen[-1] if all(getattr(seen[-1], key) == value for key, value in wanted.items()) else None

    return await until(found, bound_s=20.0, saying=lambda: f"{seen[-1]}\n{show.screens()}")


async def _thread(show: Crew, conv: str, *texts: str) -> list[str] | None:
    """All texts of a thread, once these are there."""
    found = [item.text.strip() for item in (await show.eye.thread(conv)).items]
    return found if all(any(text in one for one in found) for text in texts) else None


async def _hours(show: Crew, words: str) -> bool:
    view = await show.eye.get(c.Directory(), v.DirectoryView)
    return any(words in one.hours for one in view.queues if one.queue == "support")
