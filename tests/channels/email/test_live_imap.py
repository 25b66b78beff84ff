"""A real mailbox followed: pushed, resumed, renumbered, refused, broken. Nothing lost, nothing twice."""

import asyncio
import contextlib
import imaplib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import msgspec
import pytest

from broker_bridge.channel import Outbound, SendFailure, SiteFull, SiteUnavailable
from broker_bridge.channels.email import make
from broker_bridge.channels.email.connection import Email
from broker_bridge.channels.email.imap import ImapLost, ImapRefused, Mailbox, Size, utf7
from broker_bridge.channels.email.settings import Imap, Listen, MailSettings, Smtp
from broker_bridge.contract.envelopes import Said, Unreadable
from tests.channels.email.site import SiteInMemory
from tests.servers.dovecot import Dovecot
from tests.servers.smtp import sink
from tests.until import until

CORPUS_MAILS = 15


def mail(subject: str, text: str = "Hello", **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"From: Anna <anna@customers.example>\r\nTo: support@example.com\r\nSubject: {subject}\r\n"
        f"Message-ID: <{re.sub('[^a-z0-9]', '', subject.lower())}@customers.example>\r\n"
        f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n{more}\r\n{text}\r\n"
    ).encode()


def settings(dovecot: Dovecot, **more: object) -> MailSettings:
    imap = Imap(host="127.0.0.1", port=dovecot.imap_port, user="support", password="env:MAIL", tls="none", **more)  # type: ignore[arg-type]
    return MailSettings(address="support@example.com", imap=imap)


@contextlib.asynccontextmanager
async def heard(channel: Email) -> AsyncIterator[asyncio.Task[None]]:
    """The channel listening, and ready; cancelled at the end like the bridge does it."""
    up = asyncio.Event()
    task = asyncio.create_task(channel.listen(up.set))
    waiting = asyncio.create_task(up.wait())
    await asyncio.wait({task, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, SiteFull, SiteUnavailable, ImapLost):
            await task


async def ended(channel: Email) -> Exception:
    """What ends the listening."""
    async with asyncio.timeout(15):
        try:
            await channel.listen(lambda: None)
        except (SiteFull, SiteUnavailable, ImapLost, ImapRefused, LookupError) as error:
            return error
    raise AssertionError("it ended without a reason")


async def test_a_mail_is_pushed_into_intake_and_keeps_its_unseen_mark(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    async with heard(make("mail", settings(dovecot), site)):
        await asyncio.to_thread(dovecot.deliver, mail("First"))
        await until(lambda: site.subjects == ["First"])
        await asyncio.to_thread(dovecot.deliver, mail("Second"))
        await until(lambda: site.subjects == ["First", "Second"])

    said = site.said[0]
    assert said.sender.address == "anna@customers.example" and said.words.text == "Hello"
    assert b"Subject: First" in site.objects[said.raw]
    assert not any(name.endswith("S") for name in dovecot.flags())


async def test_a_mail_that_was_read_in_another_program_is_taken_all_the_same(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    dovecot.deliver(mail("Read elsewhere"))
    box = dovecot.folder / "mail" / "support"
    (found,) = (box / "new").glob("*")
    found.rename(box / "cur" / f"{found.name}:2,S")
    async with heard(make("mail", settings(dovecot), site)):
        await until(lambda: site.subjects == ["Read elsewhere"])


async def test_after_a_restart_nothing_is_missing_and_nothing_comes_again(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    async with heard(make("mail", settings(dovecot), site)):
        dovecot.deliver(mail("Before"))
        await until(lambda: site.subjects == ["Before"] and site.state)
    dovecot.deliver(mail("While away 1"))
    dovecot.deliver(mail("While away 2"))
    async with heard(make("mail", settings(dovecot), site)):
        await until(lambda: len(site.items) == 3)
        dovecot.deliver(mail("After"))
        await until(lambda: len(site.items) == 4)
    assert site.subjects == ["Before", "While away 1", "While away 2", "After"]
    assert len(site.deliveries) == 4


async def test_a_lost_connection_ends_the_listening_and_the_next_goes_on(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    channel = make("mail", settings(dovecot), site)
    async with heard(channel) as task:
        dovecot.deliver(mail("Before"))
        await until(lambda: site.subjects == ["Before"])
        dovecot.stop()
        await until(task.done)
        assert isinstance(task.exception(), ImapLost)
    dovecot.start()
    dovecot.deliver(mail("After"))
    async with heard(channel):
        await until(lambda: site.subjects == ["Before", "After"])


@pytest.mark.parametrize("trouble", [SiteUnavailable("no broker"), SiteFull("no room")])
async def test_what_intake_refused_does_not_move_the_cursor(
    dovecot: Dovecot, trouble: SiteFull | SiteUnavailable
) -> None:
    site = SiteInMemory()
    site.trouble = trouble
    dovecot.deliver(mail("Wanted"))
    assert await ended(make("mail", settings(dovecot), site)) is trouble
    assert site.state is None
    site.trouble = None
    async with heard(make("mail", settings(dovecot), site)):
        await until(lambda: site.subjects == ["Wanted"] and site.state)


async def test_a_lost_answer_of_intake_is_repeated_with_the_same_id(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    site.lost_answers = 1
    dovecot.deliver(mail("Once"))
    assert isinstance(await ended(make("mail", settings(dovecot), site)), SiteUnavailable)
    async with heard(make("mail", settings(dovecot), site)):
        await until(lambda: len(site.deliveries) == 2)
    assert len(set(site.deliveries)) == 1 and len(site.items) == 1


async def test_a_renumbered_folder_is_read_again_without_doubles(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    async with heard(make("mail", settings(dovecot), site)):
        dovecot.deliver(mail("Old 1"))
        dovecot.deliver(mail("Old 2"))
        await until(lambda: len(site.items) == 2)
    dovecot.deliver(mail("New during the move"))
    dovecot.stop()
    dovecot.renumber()
    dovecot.start()
    channel = make("mail", settings(dovecot), site)
    async with heard(channel):
        await until(lambda: len(site.items) == 3)
        dovecot.deliver(mail("New after"))
        await until(lambda: len(site.items) == 4)
    assert site.subjects == ["Old 1", "Old 2", "New during the move", "New after"]
    assert len({native.split(":")[1] for native in site.deliveries}) == 2
    assert channel.following is not None
    assert channel.following.counts == {"listed": 4, "known": 2, "taken": 2}


async def test_at_the_first_start_only_recent_mail_is_taken(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    dovecot.deliver(mail("Years ago"))
    import time

    site.now = int(time.time() * 1000) + 30 * 86_400_000
    async with heard(make("mail", settings(dovecot, first_days=7), site)):
        await until(lambda: site.state)
        dovecot.deliver(mail("Today"))
        await until(lambda: site.subjects == ["Today"])


async def test_a_server_without_push_is_asked_again_and_again(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker_bridge.channels.email.imap.Mailbox.can_idle", False)
    site = SiteInMemory()
    async with heard(make("mail", settings(dovecot, poll_s=0.05), site)):
        dovecot.deliver(mail("Polled"))
        await until(lambda: site.subjects == ["Polled"])


async def test_an_idle_that_is_renewed_still_hears(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    async with heard(make("mail", settings(dovecot, renew_s=0.05), site)):
        dovecot.deliver(mail("One"))
        await until(lambda: site.subjects == ["One"])
        dovecot.deliver(mail("Two"))
        await until(lambda: site.subjects == ["One", "Two"])


async def test_a_stored_mail_can_be_marked_as_read(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    async with heard(make("mail", settings(dovecot, mark_seen=True), site)):
        dovecot.deliver(mail("Marked"))
        await until(lambda: any(name.endswith("S") for name in dovecot.flags()))
    assert site.subjects == ["Marked"]


async def test_a_mail_over_the_limit_is_a_row_with_its_header_as_source(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker_bridge.channels.email.following.MAX_MAIL_BYTES", 2 * 2**20)
    site = SiteInMemory()
    dovecot.deliver(mail("Huge", text=("x" * 70 + "\r\n") * 50_000))
    dovecot.deliver(mail("Small"))
    async with heard(make("mail", settings(dovecot), site)):
        await until(lambda: site.subjects == ["Huge", "Small"])
    row = site.items[0]
    assert isinstance(row, Unreadable)
    assert "3.4 MiB" in row.reason and "limit is 2 MiB" in row.reason
    assert row.sender.address == "anna@customers.example" and row.size_bytes > 3_000_000
    assert len(site.objects[row.raw]) < 2_000 and b"Subject: Huge" in site.objects[row.raw]


async def test_many_mails_at_once_come_in_their_order(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    for number in range(120):
        dovecot.drop(mail(f"Number {number:03}"), f"{1_790_000_000 + number}.M{number}.host")
    async with heard(make("mail", settings(dovecot), site)):
        await until(lambda: len(site.items) == 120)
    assert site.subjects == [f"Number {number:03}" for number in range(120)]


async def test_every_broken_mail_becomes_a_row_with_its_source(dovecot: Dovecot, corpus: Path) -> None:
    site = SiteInMemory()
    found = sorted((corpus / "email").rglob("*.eml"))
    for place, path in enumerate(found):
        dovecot.drop(path.read_bytes(), f"{1_790_000_000 + place}.M{place}.host")
    async with heard(make("mail", settings(dovecot, first_days=0), site)):
        await until(lambda: len(site.items) == len(found), bound_s=60)
    assert len(found) > CORPUS_MAILS
    assert all(site.objects.get(one.raw) for one in site.items)
    assert sum(isinstance(one, Said) for one in site.items) > len(found) * 0.8


async def test_a_folder_with_a_foreign_name_is_found(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    imap = settings(dovecot).imap
    assert imap is not None
    name = "Почта & Ответы"

    def create() -> str:
        with imaplib.IMAP4("127.0.0.1", imap.port, timeout=10) as client:
            client.login("support", "secret")
            return client.create(f'"{utf7(name)}"')[0]

    assert await asyncio.to_thread(create) == "OK"
    mailbox = await Mailbox.open(imap, "secret")
    try:
        await mailbox.append(name, mail("Abroad"))
    finally:
        await mailbox.close()
    async with heard(make("mail", settings(dovecot, folder=name), site)):
        await until(lambda: site.subjects == ["Abroad"])
    assert utf7("Отправленные") == "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"


async def test_nothing_that_a_customer_wrote_is_logged(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site = SiteInMemory()
    async with sink() as server:
        smtp = Smtp(host="127.0.0.1", port=server.port, tls="none")
        one = make("mail", msgspec.structs.replace(settings(dovecot), smtp=smtp, listen=Listen(port=0)), site)
        async with heard(one):
            dovecot.deliver(mail("CANARY subject", text="CANARY text"))
            await until(lambda: site.items)
            assert one.listener is not None
            client = aiosmtplib.SMTP(hostname="127.0.0.1", port=one.listener.port, local_hostname="mx", start_tls=False)
            async with client:
                await client.sendmail("canary@customers.example", ["support@example.com"], mail("CANARY two"))
            out = Outbound(
                message="m" * 26, conversation="c" * 26, handle="h", address="canary@x.example", text="CANARY"
            )
            await one.send(out)
            with pytest.raises(SendFailure):
                await one.send(msgspec.structs.replace(out, address="CANARY"))
    assert len(site.items) == 2 and len(server.mails) == 1 and caplog.records
    told = "\n".join(f"{one.name} {one.getMessage()} {one.exc_text or ''}" for one in caplog.records).lower()
    assert not [word for word in ("canary", "customers.example", "secret") if word in told]


async def test_a_wrong_password_is_said_by_check_and_ends_the_listening(dovecot: Dovecot) -> None:
    class Wrong(SiteInMemory):
        def secret(self, reference: str) -> str:
            return "not the password"

    channel = make("mail", settings(dovecot), Wrong())
    assert isinstance(await ended(channel), ImapRefused)
    problems = await channel.check()
    assert "Reading: The IMAP server refused the sign-in: check user and password." in problems
    assert not any("not the password" in one for one in problems)


async def test_a_folder_that_is_not_there_is_said_by_check(dovecot: Dovecot) -> None:
    problems = await make("mail", settings(dovecot, folder="Nowhere"), SiteInMemory()).check()
    assert any("no folder 'Nowhere'" in one for one in problems)


async def test_a_server_that_is_not_there_is_lost(dovecot: Dovecot) -> None:
    dovecot.stop()
    channel = make("mail", settings(dovecot), SiteInMemory())
    assert isinstance(await ended(channel), ImapLost)
    assert any(one.startswith("Reading: the server was not reached") for one in await channel.check())


async def test_a_position_that_cannot_be_read_is_never_overwritten(dovecot: Dovecot) -> None:
    site = SiteInMemory()
    site.state = b"not a position"
    assert isinstance(await ended(make("mail", settings(dovecot), site)), ImapRefused)
    assert site.state == b"not a position" and site.items == []


class Announcing:
    """A folder whose server tells of a mail while it answers a search that does not list it yet, and never tells again."""

    uid_validity = 1
    can_idle = True
    news = 0

    async def uids_after(self, uid: int, since_s: int = 0) -> list[int]:
        listed = [1] if self.news else []
        self.news = 1
        return [one for one in listed if one > uid]

    async def sizes(self, uids: list[int]) -> dict[int, Size]:
        return {uid: Size(uid=uid, size_bytes=300, at_s=0) for uid in uids}

    async def source(self, uid: int, *, header_only: bool = False) -> bytes | None:
        return mail("In between")

    async def wait_for_news(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


async def test_a_mail_that_is_announced_while_another_command_runs_does_not_wait(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_it(*_: object) -> Announcing:
        return Announcing()

    monkeypatch.setattr("broker_bridge.channels.email.imap.Mailbox.open", open_it)
    site = SiteInMemory()
    async with heard(make("mail", settings(dovecot, first_days=0), site)):
        await until(lambda: site.subjects == ["In between"])


async def test_a_mail_that_the_server_lists_and_withholds_is_a_row(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr("broker_bridge.channels.email.imap.Mailbox.source", nothing)
    site = SiteInMemory()
    dovecot.deliver(mail("Withheld"))
    async with heard(make("mail", settings(dovecot), site)):
        await until(lambda: site.items)
    (row,) = site.items
    assert isinstance(row, Unreadable) and "does not give it" in row.reason and site.objects[row.raw]


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_an_encrypted_mailbox_is_followed_only_with_a_trusted_certificate(dovecot: Dovecot, tls: str) -> None:
    port = dovecot.imaps_port if tls == "tls" else dovecot.imap_port
    plain = Imap(host="127.0.0.1", port=port, user="support", password="env:MAIL", tls=tls)  # type: ignore[arg-type]
    trusting = msgspec.structs.replace(plain, ca_file=str(dovecot.certificate))
    site = SiteInMemory()
    stranger = make("mail", MailSettings(address="support@example.com", imap=plain), site)
    assert isinstance(await ended(stranger), ImapRefused)
    assert any("certificate was not accepted" in one for one in await stranger.check())
    async with heard(make("mail", MailSettings(address="support@example.com", imap=trusting), site)):
        dovecot.deliver(mail("Under cover"))
        await until(lambda: site.subjects == ["Under cover"])
