"""Mail handed to us by SMTP: acknowledged when it is on disk and not before, for our own recipients and nobody else's."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import aiosmtplib
import pytest

from broker_bridge.channel import SiteFull, SiteUnavailable
from broker_bridge.channels.email import make
from broker_bridge.channels.email.connection import Email
from broker_bridge.channels.email.settings import Imap, Listen, MailSettings
from broker_bridge.contract.envelopes import Envelope, Unreadable
from tests.channels.email.site import SiteInMemory
from tests.channels.email.test_live_imap import heard, mail
from tests.servers.dovecot import Dovecot
from tests.until import until

SUPPORT = "support@example.com"


def channel(site: SiteInMemory, **more: object) -> Email:
    listen = Listen(port=0, **({"domains": ("tickets.example",)} | more))  # type: ignore[arg-type]
    return make("mail", MailSettings(address=SUPPORT, aliases=("help@example.com",), listen=listen), site)


def port_of(one: Email) -> int:
    assert one.listener is not None
    return one.listener.port


@contextlib.asynccontextmanager
async def client(one: Email) -> AsyncIterator[aiosmtplib.SMTP]:
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=port_of(one), local_hostname="mx.example", start_tls=False)
    async with smtp:
        yield smtp


async def hand_over(one: Email, raw: bytes, *recipients: str, sender: str = "anna@customers.example") -> str:
    """The final answer, code first."""
    async with client(one) as smtp:
        await smtp.mail(sender)
        for recipient in recipients or (SUPPORT,):
            await smtp.rcpt(recipient)
        try:
            answer = await smtp.data(raw)
        except aiosmtplib.SMTPDataError as error:
            return f"{error.code} {error.message}"
        return f"{answer.code} {answer.message}"


async def test_250_comes_only_after_intake_has_returned() -> None:
    class Slow(SiteInMemory):
        def __init__(self) -> None:
            super().__init__()
            self.may = asyncio.Event()

        async def intake(self, envelope: Envelope) -> bool:
            await self.may.wait()
            return await super().intake(envelope)

    site = Slow()
    one = channel(site)
    async with heard(one):
        handing = asyncio.create_task(hand_over(one, mail("Waiting")))
        await until(lambda: site.objects)
        done, _ = await asyncio.wait({handing}, timeout=0.2)
        assert not done and site.items == []
        site.may.set()
        assert (await handing).startswith("250") and site.subjects == ["Waiting"]


@pytest.mark.parametrize(
    ("trouble", "answer"), [(SiteFull("no room"), "452 4.3.1"), (SiteUnavailable("no broker"), "451 4.3.0")]
)
async def test_what_was_not_stored_stays_with_the_sender(trouble: SiteFull | SiteUnavailable, answer: str) -> None:
    site = SiteInMemory()
    one = channel(site)
    async with heard(one):
        site.trouble = trouble
        assert (await hand_over(one, mail("Again"))).startswith(answer)
        site.trouble = None
        assert (await hand_over(one, mail("Again"))).startswith("250")
    assert len(site.deliveries) == 2 and len(set(site.deliveries)) == 1 and site.subjects == ["Again"]


async def test_a_full_object_store_is_452_too() -> None:
    class Full(SiteInMemory):
        async def put_object(self, data: bytes) -> str:
            raise SiteFull("no room for files")

    one = channel(Full())
    async with heard(one):
        assert (await hand_over(one, mail("Any"))).startswith("452")


async def test_a_sender_that_repeats_after_a_lost_answer_makes_no_second_item() -> None:
    site = SiteInMemory()
    site.lost_answers = 1
    one = channel(site)
    async with heard(one):
        assert (await hand_over(one, mail("Once"))).startswith("451")
        assert (await hand_over(one, mail("Once"))).startswith("250")
    assert site.subjects == ["Once"]


async def test_only_our_recipients_are_taken_and_nothing_is_relayed() -> None:
    site = SiteInMemory()
    one = channel(site)
    taken = (SUPPORT, "HELP@Example.com", "support+any@example.com", "whoever@tickets.example")
    refused = (
        "anna@customers.example",
        "supporter@example.com",
        "x@sub.tickets.example",
        "support@example.com.evil.example",
    )
    async with heard(one), client(one) as smtp:
        await smtp.mail("anna@customers.example")
        for recipient in taken:
            assert (await smtp.rcpt(recipient)).code == 250
        for recipient in refused:
            with pytest.raises(aiosmtplib.SMTPRecipientRefused) as error:
                await smtp.rcpt(recipient)
            assert error.value.code == 550


async def test_a_bounce_with_the_empty_sender_is_taken() -> None:
    site = SiteInMemory()
    one = channel(site)
    async with heard(one):
        assert (await hand_over(one, mail("Undelivered"), sender="")).startswith("250")
    (said,) = site.said
    assert said.automatic == "auto-generated"
    assert site.objects[said.raw].startswith(b"Return-Path: <>\r\nDelivered-To: support@example.com\r\n")


async def test_size_is_announced_and_held_to() -> None:
    site = SiteInMemory()
    one = channel(site, max_bytes=20_000)
    async with heard(one), client(one) as smtp:
        await smtp.ehlo()
        assert smtp.esmtp_extensions["size"] == "20000"
        assert smtp.supports_extension("8bitmime") and smtp.supports_extension("smtputf8")
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as early:
            await smtp.mail("anna@customers.example", options=["SIZE=30000"])
        assert early.value.code == 552
        assert (await hand_over(one, mail("Big", text="x " * 15_000))).startswith("552")
    assert site.deliveries == []


async def test_eight_bit_text_and_very_long_lines_arrive_whole() -> None:
    site = SiteInMemory()
    one = channel(site)
    raw = mail("Long", text="Привет " + "y" * 100_000, Content_Type="text/plain; charset=utf-8")
    async with heard(one):
        assert (await hand_over(one, raw)).startswith("250")
    (said,) = site.said
    assert said.words.text.startswith("Привет yyy")
    assert raw in site.objects[said.raw]


async def test_one_mail_for_two_of_our_addresses_is_one_item() -> None:
    site = SiteInMemory()
    one = channel(site)
    async with heard(one):
        await hand_over(one, mail("Both"), SUPPORT, "help@example.com")
    assert site.subjects == ["Both"]


async def test_more_clients_than_allowed_are_told_to_come_again() -> None:
    site = SiteInMemory()
    one = channel(site, connections_per_address=2)
    async with heard(one):
        async with client(one), client(one):
            with pytest.raises(aiosmtplib.SMTPConnectResponseError) as error:
                async with client(one):
                    pass
            assert error.value.code == 421
        async with asyncio.timeout(5):
            while True:
                try:
                    assert (await hand_over(one, mail("Room again"))).startswith("250")
                    break
                except aiosmtplib.SMTPConnectResponseError:
                    continue


async def test_nonsense_and_endless_lines_do_not_hurt() -> None:
    site = SiteInMemory()
    one = channel(site)
    async with heard(one):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(one))
        await reader.readline()
        for line in (
            b"\xff\xfe\x00",
            b"EHLO " + b"x" * 5_000,
            b"MAIL FROM:<a" + b"\x80" * 3 + b">",
            b"DATA",
            b"EXPN x",
        ):
            writer.write(line + b"\r\n")
            assert (await reader.readline()).startswith((b"5", b"4"))
        writer.close()
        assert (await hand_over(one, mail("Still here"))).startswith("250")


async def test_a_client_that_vanishes_mid_content_leaves_nothing() -> None:
    site = SiteInMemory()
    one = channel(site)
    async with heard(one):
        with socket.create_connection(("127.0.0.1", port_of(one))) as plain:
            plain.sendall(
                b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<support@example.com>\r\nDATA\r\nSubject: half"
            )
        assert (await hand_over(one, mail("Whole"))).startswith("250")
    assert site.subjects == ["Whole"]


async def test_what_no_parser_can_read_is_stored_as_a_row() -> None:
    site = SiteInMemory()
    one = channel(site)
    bomb = (
        b"From: anna@customers.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 400
    )
    async with heard(one):
        assert (await hand_over(one, bomb)).startswith("250")
    (row,) = site.items
    assert isinstance(row, Unreadable) and bomb in site.objects[row.raw]


async def test_after_the_end_of_listening_nothing_is_taken() -> None:
    site = SiteInMemory()
    one = channel(site)
    async with heard(one):
        port = port_of(one)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_one_mail_by_two_routes_has_one_digest_and_two_ids(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    imap = Imap(host="127.0.0.1", port=dovecot.imap_port, user="support", password="env:MAIL", tls="none")
    one = make("mail", MailSettings(address=SUPPORT, imap=imap, listen=Listen(port=0)), site)
    async with heard(one):
        dovecot.deliver(mail("Twice"))
        assert (await hand_over(one, b"Received: from mx by here; today\r\n" + mail("Twice"))).startswith("250")
        await until(lambda: len(site.said) == 2)
    first, second = site.said
    assert first.digest == second.digest != "" and first.words.mail_id == second.words.mail_id
    assert len(site.envelopes) == 2 and first.raw != second.raw
