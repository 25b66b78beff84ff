"""The main job on the real thing: a customer writes in a browser and by mail, an agent answers, and a crash loses nothing.

Nothing is faked: the bridge is a process with its own nats-server, the browser is Chromium, the mail goes over SMTP both
ways, and the agent is the terminal's own link.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import smtplib
from collections.abc import AsyncIterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import make_msgid
from pathlib import Path

import pytest

from agent_tui.demo.mailbox import PostOffice
from agent_tui.demo.places import Place, make
from agent_tui.demo.rules import OURS
from agent_tui.demo.site import MAYA, DemoSite
from agent_tui.keeper import enrollment
from agent_tui.link import Link
from agent_tui.model.desk import Applied, DeskState
from agent_tui.model.linked import LinkStatus, NoLink
from agent_tui.model.outbox import Outbox
from agent_tui.opening import now_ms
from broker_bridge.contract.commands import Accept, Act, Done, Reply, Thread
from broker_bridge.contract.ids import Mint
from broker_bridge.contract.views import Answer, Item, Row, ThreadFeed, ThreadPage
from tests.e2e.chrome import Page, chrome, program
from tests.until import until

ROOT = "document.querySelector('#onewindow-chat').shadowRoot"
BOUND_S = 90.0
"""An outage of the broker may cost a lease (30 s) and a retry on top of it."""


class Desk:
    """An agent's terminal without its window."""

    def __init__(self, place: Place) -> None:
        let_in = enrollment(place.key(MAYA.agent).read_text())
        self.state = DeskState()
        self.answers: dict[str, Answer] = {}
        self.outbox = Outbox(place.folder / "outbox")
        self.link = Link(
            server=let_in.server,
            agent=MAYA.agent,
            seed=let_in.seed,
            state=self.state,
            outbox=self.outbox,
            listener=self,
            now_ms=now_ms,
            device="test",
            mint=Mint(random.getrandbits(20), random.getrandbits(40)),
        )

    def link_changed(self, status: LinkStatus) -> None: ...

    def desk_changed(self, applied: Applied) -> None: ...

    def thread_changed(self, feed: ThreadFeed) -> None: ...

    def settled(self, act: Act, answer: Answer) -> None:
        self.answers[act.id] = answer

    async def row(self, *, text: str, state: str = "") -> Row:
        """The conversation whose last words are these, once it is in this state."""

        def found() -> Row | None:
            rows = self.state.rows.values()
            return next((one for one in rows if one.text == text and state in ("", one.state)), None)

        return await until(found, bound_s=BOUND_S, saying=lambda: list(self.state.rows.values()))

    def fates(self) -> list[tuple[str, str, str]]:
        """What became of the last words of every conversation."""
        return [(row.channel, row.text, row.delivery) for row in self.state.rows.values()]

    async def accept(self, row: Row) -> None:
        await self.do(Accept(id=self.link.new_id(), conversation=row.conv))

    async def reply(self, row: Row, text: str) -> None:
        """Answer as the window does: along the channel, to the people and to the message that the thread's page names."""
        page = await self.page(row)
        reach = page.reach[0]
        await self.do(
            Reply(
                id=self.link.new_id(),
                conversation=row.conv,
                epoch=page.row.epoch,
                text=text,
                channel=reach.channel,
                to=reach.to,
                cc=reach.cc,
                in_reply_to=reach.in_reply_to,
                seen=page.upto,
            )
        )

    async def page(self, row: Row) -> ThreadPage:
        async def asked() -> ThreadPage | None:
            with contextlib.suppress(NoLink):
                answer = await self.link.ask(Thread(conversation=row.conv))
                return answer if isinstance(answer, ThreadPage) else None
            return None

        return await until(asked, bound_s=BOUND_S)

    async def do(self, act: Act) -> None:
        self.link.post(act)
        await until(lambda: act.id in self.answers, bound_s=BOUND_S)
        assert isinstance(self.answers[act.id], Done), self.answers[act.id]


class House:
    """The site, the customers' mail server and the agent."""

    def __init__(self, place: Place, site: DemoSite, office: PostOffice, desk: Desk) -> None:
        self.place, self.site, self.office, self.desk = place, site, office, desk

    def mails(self) -> list[EmailMessage]:
        """What lies in the mailbox, as files, oldest first."""
        read = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes
        return [read(path.read_bytes()) for path in sorted(self.place.mail.glob("*.eml"))]

    def kill_bridge(self) -> None:
        os.kill(self.site.endpoint["pid"], signal.SIGKILL)

    def kill_broker(self) -> None:
        os.kill(int((self.place.state / "broker" / "nats.pid").read_text()), signal.SIGKILL)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    place = make(str(tmp_path / "site"), is_kept=True)
    office = PostOffice(place.mail)
    await office.open()
    site = DemoSite(place, office.port)
    try:
        await site.start()
        desk = Desk(place)
        working = [asyncio.create_task(desk.link.run()), asyncio.create_task(site.guard())]
        await until(lambda: desk.link.status.state == "up", bound_s=BOUND_S)
        yield House(place, site, office, desk)
        for task in working:
            task.cancel()
        await asyncio.wait(working)
        desk.outbox.close()
    finally:
        await site.stop()
        office.close()


def letter(subject: str, text: str, *, answers: EmailMessage | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Søren Kjær <soren@brev.example>"
    mail["To"] = OURS
    mail["Subject"] = subject
    mail["Message-ID"] = make_msgid(domain="brev.example")
    if answers is not None:
        mail["In-Reply-To"] = answers["Message-ID"]
        mail["References"] = f"{answers['References']} {answers['Message-ID']}"
    mail.set_content(text)
    return mail


async def send(house: House, mail: EmailMessage) -> None:
    """As a mail server does: again and again until the bridge says 250."""

    def once() -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", house.site.smtp_port, timeout=10) as smtp:
                smtp.send_message(mail)
        except (OSError, smtplib.SMTPException):
            return False
        return True

    async def is_taken() -> bool:
        return await asyncio.to_thread(once)

    await until(is_taken, bound_s=BOUND_S, saying="the bridge takes no mail")


async def write(page: Page, text: str) -> None:
    await page.value(f"{ROOT}.querySelector('textarea').focus()")
    await page.type(text)
    await page.press("Enter")


async def reads(page: Page, *texts: str) -> None:
    """The chat shows exactly these messages, both sides, in this order."""

    async def shown() -> bool:
        return list(await page.value(f"[...{ROOT}.querySelectorAll('.text')].map((node) => node.textContent)")) == list(
            texts
        )

    await until(shown, bound_s=BOUND_S, saying=lambda: texts)


def said(items: tuple[Item, ...]) -> list[str]:
    return [item.text.strip() for item in items if item.kind in ("them", "you")]


@pytest.mark.skipif(program() is None, reason="no Chromium: apt-get install chromium-headless-shell runs this test")
async def test_a_browser_and_a_mail_are_answered_in_one_window_across_a_crash(house: House, tmp_path: Path) -> None:
    desk = house.desk
    async with chrome(tmp_path / "browser") as browser, browser.page() as page:
        await page.open(house.site.chat_url)
        await write(page, "Which fee applies in Tokyo?")
        first = letter("Charged twice", "The hotel was charged twice.")
        await send(house, first)

        chat = await desk.row(text="Which fee applies in Tokyo?")
        mail = await desk.row(text="The hotel was charged twice.")
        assert (chat.channel, mail.channel, mail.name) == ("chat", "mail", "Søren Kjær")
        for row in (chat, mail):
            await desk.accept(row)
        await desk.reply(chat, "None with Gold.")
        await desk.reply(mail, "Could you send us the bill?")
        await reads(page, "Which fee applies in Tokyo?", "None with Gold.")
        await until(lambda: len(house.mails()) == 1, bound_s=BOUND_S)
        (answer,) = house.mails()
        assert answer["In-Reply-To"] == first["Message-ID"]
        assert answer["References"].split() == [first["Message-ID"]]
        assert answer["Subject"] == "Re: Charged twice" and answer["To"].addresses[0].addr_spec == "soren@brev.example"

        house.kill_bridge()
        await write(page, "And in a shop?")
        second = letter("Re: Charged twice", "Here is the bill.", answers=answer)
        await send(house, second)
        mail = await desk.row(text="Here is the bill.", state="mine")
        house.kill_broker()
        await desk.reply(mail, "Thank you, it is credited.")
        chat = await desk.row(text="And in a shop?", state="mine")
        await desk.reply(chat, "Only the rate of the day.")
        await reads(
            page, "Which fee applies in Tokyo?", "None with Gold.", "And in a shop?", "Only the rate of the day."
        )
        await until(lambda: len(house.mails()) == 2, bound_s=BOUND_S, saying=desk.fates)
        last = house.mails()[1]
        assert last["In-Reply-To"] == second["Message-ID"]
        ids = [first["Message-ID"], answer["Message-ID"], second["Message-ID"]]
        assert last["References"].split() == ids

        assert said((await desk.page(mail)).items) == [
            "The hotel was charged twice.",
            "Could you send us the bill?",
            "Here is the bill.",
            "Thank you, it is credited.",
        ]
    books = {row["channel"]: row for row in await house.site.audit()}
    for channel in ("site-chat", "support-mail"):
        assert books[channel]["gap"] == 0 and not books[channel]["missing"], json.dumps(books)
        assert books[channel]["received"] == books[channel]["stored"] == 2
