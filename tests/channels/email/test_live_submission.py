"""Sending: what the mail is, and what each way of failing becomes. Certain wherever it can be, uncertain only where it must."""

import asyncio
import email
import ssl
from email.policy import default
from pathlib import Path

import msgspec
import pytest

from broker_bridge.channel import Outbound, SendFailure, SendUncertain
from broker_bridge.channels.email import make, mime, references
from broker_bridge.channels.email.connection import CAPABILITIES, KEY_PURPOSE, Email
from broker_bridge.channels.email.mail import Mail
from broker_bridge.channels.email.settings import Imap, Listen, MailSettings, Smtp
from broker_bridge.contract.envelopes import Said
from broker_bridge.contract.words import Address, File
from tests.channels.email.site import NOW_MS, SiteInMemory
from tests.channels.email.test_live_imap import heard, mail
from tests.servers.dovecot import Dovecot, self_signed
from tests.servers.smtp import HANG_UP, SAY_NOTHING, Script, scripted, sink
from tests.until import until

MESSAGE = "01kaaaaaaaaaaaaaaaaaaaaaaa"
CASE = "01kbbbbbbbbbbbbbbbbbbbbbbb"
ANNA = Address(address="anna@customers.example", name="Anna Ferris")
BEN = Address(address="ben@customers.example")


def channel(port: int, site: SiteInMemory | None = None, **more: object) -> Email:
    settings = MailSettings(
        address="support@example.com",
        name="Nordbank Support",
        listen=Listen(port=0),
        smtp=Smtp(host="127.0.0.1", port=port, tls="none"),
        **more,  # type: ignore[arg-type]
    )
    return make("mail", settings, site or SiteInMemory())


def reply(**more: object) -> Outbound:
    fields: dict[str, object] = {
        "message": MESSAGE,
        "conversation": CASE,
        "handle": "h",
        "address": ANNA.address,
        "text": "Your card is on its way.",
        "subject": "Re: Lost card",
        "to": (ANNA,),
        "from_name": "Maya",
        "in_reply_to": "q2@customers.example",
        "references": ("q1@customers.example", "q2@customers.example"),
        "at_ms": NOW_MS,
    }
    return Outbound(**(fields | more))  # type: ignore[arg-type]


async def test_a_reply_is_the_mail_that_the_agent_saw() -> None:
    async with sink() as server:
        queued = await channel(server.port).send(reply(cc=(BEN,)))
    assert queued == "4XyZ9"
    (got,) = server.mails
    assert got.sender == "support@example.com"
    assert got.recipients == [ANNA.address, BEN.address]
    sent = email.message_from_bytes(got.raw, policy=default)
    assert sent["From"] == "Maya via Nordbank Support <support@example.com>"
    assert sent["To"] == "Anna Ferris <anna@customers.example>" and sent["Cc"] == BEN.address
    assert sent["Subject"] == "Re: Lost card"
    assert sent["Message-ID"] == f"<{MESSAGE}@example.com>"
    assert sent["In-Reply-To"] == "<q2@customers.example>"
    assert sent["References"].split() == ["<q1@customers.example>", "<q2@customers.example>"]
    assert sent["Reply-To"] is None
    assert sent.get_content().strip() == "Your card is on its way."


async def test_the_same_reply_is_the_same_mail_every_time() -> None:
    async with sink() as server:
        await channel(server.port).send(reply())
        await channel(server.port).send(reply())
    first, second = server.mails
    assert first.raw == second.raw


async def test_without_frozen_people_the_reply_goes_to_the_handle() -> None:
    async with sink() as server:
        await channel(server.port).send(reply(to=()))
    assert server.mails[0].recipients == [ANNA.address]


async def test_the_name_alone_and_a_signature_where_the_operator_wants_them() -> None:
    async with sink() as server:
        await channel(server.port, shows_agent=False, signature="{agent}\nNordbank").send(reply())
    sent = email.message_from_bytes(server.mails[0].raw, policy=default)
    assert sent["From"] == "Nordbank Support <support@example.com>"
    assert sent.get_content().replace("\r\n", "\n") == "Your card is on its way.\n\n-- \nMaya\nNordbank\n"


async def test_files_go_along_and_a_lost_one_stops_the_mail() -> None:
    site = SiteInMemory()
    digest = await site.put_object(b"%PDF-1.7 \x00\xff")
    kept = File(digest=digest, name="счёт.pdf", media_type="application/pdf", size_bytes=11)
    async with sink() as server:
        await channel(server.port, site).send(reply(files=(kept,)))
        with pytest.raises(SendFailure) as failed:
            await channel(server.port, site).send(reply(files=(File(digest="0" * 64, name="gone.pdf"),)))
    (got,) = server.mails
    (attachment,) = email.message_from_bytes(got.raw, policy=default).iter_attachments()
    assert attachment.get_filename() == "счёт.pdf" and attachment.get_content() == b"%PDF-1.7 \x00\xff"
    assert failed.value.code == "refused" and not failed.value.retryable


async def test_a_reply_token_comes_back_from_any_address_and_names_the_case() -> None:
    site = SiteInMemory()
    async with sink() as server:
        one = channel(server.port, site, reply_tokens=True)
        await one.send(reply())
        sent = mime.parse(server.mails[0].raw)
        assert isinstance(sent, Mail)
        (answer_to,) = sent.reply_to
        assert answer_to.addr.startswith("reply+") and answer_to.addr.endswith("@example.com")
        raw = mail("From another address").replace(b"To: support@example.com", f"To: {answer_to.addr}".encode())
        forged = raw.replace(answer_to.addr[6:12].encode(), b"000000", 1)
        await one.arrivals.take(raw, "a")
        await one.arrivals.take(forged, "b")
    genuine, fake = site.said
    assert genuine.token == CASE and fake.token == ""
    assert references.verify(answer_to.addr[6:].partition("@")[0], site.site_key(KEY_PURPOSE)) == CASE


BEFORE_CONTENT = [
    ({"greeting": HANG_UP}, "unreachable"),
    ({"greeting": "421 4.3.2 busy"}, "throttled"),
    ({"greeting": "554 no"}, "misconfigured"),
    ({"EHLO": HANG_UP}, "unreachable"),
    ({"MAIL": HANG_UP}, "unreachable"),
    ({"MAIL": "451 4.3.0 later"}, "rejected_for_now"),
    ({"MAIL": "450 4.7.1 too many messages"}, "throttled"),
    ({"MAIL": "552 5.3.4 too big"}, "too_large"),
    ({"MAIL": "553 5.7.1 not your address"}, "misconfigured"),
    ({"MAIL": "530 5.7.0 sign in first"}, "misconfigured"),
    ({"RCPT": HANG_UP}, "unreachable"),
    ({"RCPT": "550 5.1.1 no such user"}, "bad_address"),
    ({"RCPT": "553 bad name"}, "bad_address"),
    ({"RCPT": "554 5.7.1 relay access denied"}, "not_permitted"),
    ({"RCPT": "552 5.2.2 mailbox full"}, "refused"),
    ({"RCPT": "450 4.2.1 greylisted"}, "rejected_for_now"),
    ({"RCPT": "452 4.2.2 over quota"}, "throttled"),
    ({"DATA": HANG_UP}, "unreachable"),
    ({"DATA": "451 4.3.0 later"}, "rejected_for_now"),
    ({"DATA": "554 5.7.1 policy"}, "refused"),
]


@pytest.mark.parametrize(("answers", "code"), BEFORE_CONTENT)
async def test_before_the_content_every_failure_is_certain(answers: dict[str, str], code: str) -> None:
    async with scripted(Script(answers)) as server:
        with pytest.raises(SendFailure) as failed:
            await channel(server.port).send(reply())
    assert failed.value.code == code
    assert server.contents == []
    assert "@" not in failed.value.reason and failed.value.reason.endswith(".")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("451 4.3.0 later", "rejected_for_now"),
        ("421 4.7.0 slow", "throttled"),
        ("552 5.3.4 too big", "too_large"),
        ("554 5.7.1 spam", "refused"),
    ],
)
async def test_a_no_after_the_content_is_certain_too(answer: str, code: str) -> None:
    async with scripted(Script({"end": answer})) as server:
        with pytest.raises(SendFailure) as failed:
            await channel(server.port).send(reply())
    assert failed.value.code == code


@pytest.mark.parametrize("answers", [{"half": HANG_UP}, {"end": HANG_UP}, {"end": "what?"}, {"end": "354 more"}])
async def test_once_the_content_has_begun_a_break_is_uncertain(answers: dict[str, str]) -> None:
    async with scripted(Script(answers)) as server:
        with pytest.raises(SendUncertain):
            await channel(server.port).send(reply())


async def test_silence_after_the_content_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker_bridge.channels.email.submission.CONTENT_TIMEOUT_S", 0.1)
    async with scripted(Script({"end": SAY_NOTHING})) as server:
        with pytest.raises(SendUncertain, match="confirm"):
            await channel(server.port).send(reply())


@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_silence_before_the_content_is_a_certain_failure(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker_bridge.channels.email.submission.ENVELOPE_TIMEOUT_S", 0.2)
    async with scripted(Script({stage: SAY_NOTHING})) as server:
        with pytest.raises(SendFailure) as failed:
            await channel(server.port).send(reply())
    assert failed.value.code == "unreachable" and failed.value.retryable


async def test_a_broken_farewell_does_not_undo_what_was_sent() -> None:
    async with scripted(Script({"QUIT": HANG_UP})) as server:
        assert await channel(server.port).send(reply()) == "77AB12"


async def test_one_refused_recipient_keeps_the_mail_from_all_and_is_named_by_its_place() -> None:
    script = Script({f"RCPT {BEN.address}": "550 5.1.1 no such user"})
    async with scripted(script) as server:
        with pytest.raises(SendFailure) as failed:
            await channel(server.port).send(reply(cc=(BEN,)))
    assert failed.value.code == "bad_address"
    assert failed.value.reason.startswith("Recipient 2 of 2 was refused, so nothing was sent to anybody.")
    assert "RSET" in server.heard and server.contents == []


async def test_a_mail_over_the_announced_size_never_begins() -> None:
    async with scripted(Script(extensions=("SIZE 1000",))) as server:
        with pytest.raises(SendFailure) as failed:
            await channel(server.port).send(reply(text="x" * 2_000))
    assert failed.value.code == "too_large"
    assert not any(line.startswith("MAIL") for line in server.heard)


async def test_reports_are_asked_for_where_the_server_offers_them() -> None:
    async with scripted(Script(extensions=("DSN", "SIZE 0"))) as server:
        await channel(server.port).send(reply())
    assert any(line.startswith("MAIL") and f"ENVID={MESSAGE}" in line and "RET=HDRS" in line for line in server.heard)
    assert any(line.startswith("RCPT") and "NOTIFY=FAILURE,DELAY" in line for line in server.heard)


async def test_lines_that_begin_with_a_dot_arrive_as_written() -> None:
    async with sink() as server:
        await channel(server.port).send(reply(text="...\n.\nend"))
    sent = email.message_from_bytes(server.mails[0].raw, policy=default)
    assert sent.get_content().split() == ["...", ".", "end"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": (Address(address="no address"),)}, "bad_address"),
        ({"to": (Address(address="a@b.example\r\nBcc: x@y.example"),)}, "bad_address"),
        ({"to": (), "address": ""}, "no_recipient"),
    ],
)
async def test_an_address_that_cannot_be_written_never_leaves(fields: dict[str, object], code: str) -> None:
    async with sink() as server:
        with pytest.raises(SendFailure) as failed:
            await channel(server.port).send(reply(**fields))
    assert failed.value.code == code and server.mails == []


async def test_nobody_there_is_unreachable() -> None:
    async with sink() as server:
        port = server.port
    with pytest.raises(SendFailure) as failed:
        await channel(port).send(reply())
    assert failed.value.code == "unreachable"


@pytest.mark.parametrize(
    ("answer", "password", "code"),
    [
        ("535 5.7.8 no", "env:MAIL", "misconfigured"),
        ("454 4.7.0 later", "env:MAIL", "throttled"),
        ("235 ok", "env:NOWHERE", "misconfigured"),
    ],
)
async def test_a_refused_sign_in_is_the_operators(answer: str, password: str, code: str) -> None:
    async with scripted(Script({"AUTH": answer}, extensions=("AUTH PLAIN",))) as server:
        smtp = Smtp(host="127.0.0.1", port=server.port, tls="none", user="support", password=password)
        settings = MailSettings(address="support@example.com", listen=Listen(port=0), smtp=smtp)
        with pytest.raises(SendFailure) as failed:
            await make("mail", settings, SiteInMemory()).send(reply())
    assert failed.value.code == code and failed.value.retryable


async def test_encryption_that_is_demanded_is_never_given_up() -> None:
    async with scripted(Script()) as server:
        smtp = Smtp(host="127.0.0.1", port=server.port, tls="starttls")
        settings = MailSettings(address="support@example.com", listen=Listen(port=0), smtp=smtp)
        with pytest.raises(SendFailure) as failed:
            await make("mail", settings, SiteInMemory()).send(reply())
    assert failed.value.code == "misconfigured" and server.contents == []


async def test_only_so_many_mails_are_handed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker_bridge.channels.email.submission.TURN_TIMEOUT_S", 0.2)
    async with scripted(Script({"MAIL": SAY_NOTHING})) as server:
        one = channel(server.port)
        slow = [asyncio.create_task(one.send(reply())) for _ in range(3)]
        await until(lambda: sum(line.startswith("MAIL") for line in server.heard) == 3)
        with pytest.raises(SendFailure) as failed:
            await one.send(reply())
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    assert failed.value.code == "rejected_for_now"


def test_the_waits_together_are_shorter_than_what_dispatch_allows() -> None:
    from broker_bridge.channels.email import connection, submission

    waits_s = (
        connection.FILES_TIMEOUT_S
        + submission.TURN_TIMEOUT_S
        + submission.ENVELOPE_TIMEOUT_S
        + submission.CONTENT_TIMEOUT_S
        + submission.FAREWELL_TIMEOUT_S
    )
    assert waits_s < CAPABILITIES.send_timeout_s


async def test_check_says_what_works_and_what_not() -> None:
    async with sink() as server:
        assert await channel(server.port).check() == []
        port = server.port
    assert await channel(port).check() == ["Sending: The mail server was not reached."]
    silent = MailSettings(address="support@example.com", listen=Listen(port=0))
    assert await make("mail", silent, SiteInMemory()).check() == ["Nothing can be answered: smtp is not set."]


async def test_an_answer_threads_in_the_customers_mailbox_and_their_answer_in_ours(dovecot: Dovecot) -> None:
    """The whole way: customer -> our mailbox -> reply -> sink -> customer's mailbox -> their answer -> ours."""
    site = SiteInMemory()
    imap = Imap(host="127.0.0.1", port=dovecot.imap_port, user="support", password="env:MAIL", tls="none")
    async with sink() as server:
        smtp = Smtp(host="127.0.0.1", port=server.port, tls="none")
        settings = MailSettings(address="support@example.com", imap=imap, smtp=smtp, sent_folder="Sent")
        one = make("mail", settings, site)
        async with heard(one):
            dovecot.deliver(mail("Lost card", References="<q1@customers.example>"))
            await until(lambda: site.said)
            asked = site.said[0].words
            chain = (*asked.references, asked.mail_id)
            await one.send(reply(in_reply_to=asked.mail_id, references=chain))
            dovecot.deliver(server.mails[0].raw, user="anna")
            (received,) = dovecot.sources("anna")
            seen = mime.parse(received)
            assert isinstance(seen, Mail)
            assert seen.in_reply_to == "lostcard@customers.example"
            assert seen.references == ("q1@customers.example", "lostcard@customers.example")
            dovecot.deliver(mail("Re: Lost card", References=f"<q1@customers.example> <{seen.message_id}>"))
            await until(lambda: len(site.said) == 2)
            await until(lambda: dovecot.sources(folder="Sent"))
    assert site.said[1].words.references[-1].partition("@")[0] == MESSAGE
    (copy,) = dovecot.sources(folder="Sent")
    assert copy.replace(b"\r\n", b"\n") == server.mails[0].raw.replace(b"\r\n", b"\n")
    assert all(isinstance(one, Said) for one in site.items)


async def test_starttls_needs_a_trusted_certificate(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate, tmp_path / "key.pem")
    async with sink(serving) as server:
        trusting = Smtp(host="127.0.0.1", port=server.port, ca_file=str(certificate))
        settings = MailSettings(address="support@example.com", listen=Listen(port=0), smtp=trusting)
        stranger = msgspec.structs.replace(settings, smtp=msgspec.structs.replace(trusting, ca_file=""))
        with pytest.raises(SendFailure) as failed:
            await make("mail", stranger, SiteInMemory()).send(reply())
        assert failed.value.code == "misconfigured" and "certificate" in failed.value.reason
        await make("mail", settings, SiteInMemory()).send(reply())
    assert len(server.mails) == 1
