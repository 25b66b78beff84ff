"""Delivery reports, receipts and older bounces."""

from pathlib import Path

import pytest

from broker_bridge.channels.email import automatic
from broker_bridge.channels.email.mail import Mail
from broker_bridge.channels.email.mime import parse

REAL = {
    "multi_address_bounce1.eml": ("failed", "5.1.1", "118707422.15521266992174819.JavaMail.root@lvmail01", 5),
    "multi_address_bounce2.eml": ("failed", "5.1.1", "118707422.15521266992174819.JavaMail.root@lvmail01", 5),
    "multipart_report_multiple_status.eml": ("failed", "5.3.0", "4c2a146147ac8_61ff157c4ec1652df@s.h.c.mail", 1),
    "report_422.eml": ("delayed", "4.2.2", "15655788.13.1200472642578.JavaMail.Administrator@mail.ttttt.com.au", 1),
    "report_530.eml": ("failed", "5.3.0", "200712232303.lBNN3jDq002941@mail12.rrrr.com.au", 1),
}


def read(raw: bytes) -> Mail:
    mail = parse(raw)
    assert isinstance(mail, Mail)
    return mail


@pytest.mark.parametrize("name", REAL)
def test_real_report_names_our_mail_and_what_became_of_it(corpus: Path, name: str) -> None:
    mail = read((corpus / "email" / "mikel-mail" / "multipart_report_emails" / name).read_bytes())
    action, status, original, count = REAL[name]
    assert mail.bounce is not None
    assert (mail.bounce.action, mail.bounce.status, mail.bounce.original_message_id) == (action, status, original)
    assert len(mail.bounce.recipients) == count
    assert mail.text
    assert mail.quote == ""
    assert automatic.is_bounce(mail)
    assert automatic.may_auto_reply(mail)[0] is False


def report(groups: str, kind: str = "delivery-status") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.test\nContent-Type: multipart/report; report-type={kind}; boundary=b\n\n"
        f"--b\nContent-Type: text/plain\n\nIt failed.\n--b\nContent-Type: message/{kind}\n\n{groups}\n"
        "--b\nContent-Type: text/rfc822-headers\n\nSubject: x\nMessage-ID:\n <ours@shop.example>\n\n--b--\n"
    ).encode()


def test_worst_recipient_decides() -> None:
    mail = read(
        report(
            "Reporting-MTA: dns; mx.test\n\nFinal-Recipient: rfc822; a@x.test\nAction: delivered\nStatus: 2.0.0\n\n"
            "Final-Recipient: rfc822; b@x.test\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n such user\n"
        )
    )
    assert mail.bounce is not None
    assert (mail.bounce.recipient, mail.bounce.action, mail.bounce.status) == ("b@x.test", "failed", "5.1.1")
    assert mail.bounce.diagnostic == "550 5.1.1 no such user"
    assert mail.bounce.original_message_id == "ours@shop.example"


def test_report_of_success_is_no_bounce() -> None:
    mail = read(report("Final-Recipient: rfc822; a@x.test\nAction: relayed\nStatus: 2.0.0\n"))
    assert mail.bounce is not None
    assert mail.bounce.action == "relayed"
    assert not automatic.is_bounce(mail)
    assert automatic.may_auto_reply(mail)[0] is False


def test_action_is_told_by_the_status_when_it_is_missing() -> None:
    mail = read(report("Final-Recipient: rfc822; a@x.test\nStatus: 4.4.1\n"))
    assert mail.bounce is not None
    assert mail.bounce.action == "delayed"


def test_read_receipt_is_a_receipt() -> None:
    mail = read(
        report(
            "Final-Recipient: rfc822;a@x.test\nOriginal-Message-ID: <ours@shop.example>\n"
            "Disposition: manual-action/MDN-sent-manually; displayed\n",
            "disposition-notification",
        )
    )
    assert mail.bounce is None
    assert mail.receipt is not None
    assert (mail.receipt.disposition, mail.receipt.original_message_id) == ("displayed", "ours@shop.example")
    assert automatic.may_auto_reply(mail)[0] is False


def test_qmail_bounce_is_read_from_its_text() -> None:
    mail = read(
        b"Return-Path: <>\nFrom: MAILER-DAEMON@x.test\nSubject: failure notice\n\n"
        b"Hi. This is the qmail-send program at x.test.\n\n<b@y.test>:\n"
        b"Sorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\n"
        b"Return-Path: <help@shop.example>\nMessage-ID: <ours@shop.example>\nSubject: x\n\nHello\n"
    )
    assert mail.bounce is not None
    assert (mail.bounce.recipient, mail.bounce.status, mail.bounce.action) == ("b@y.test", "5.1.1", "failed")
    assert mail.bounce.original_message_id == "ours@shop.example"


def test_customer_who_writes_about_a_bounce_is_no_bounce() -> None:
    mail = read(b"From: Ann <a@x.test>\nSubject: Undelivered mail returned to sender\n\nI got this: 550 5.1.1")
    assert mail.bounce is None
    assert mail.auto == ""


def test_hostile_report_is_read_without_its_groups() -> None:
    mail = read(report("\n\n\x00\nAction\n: :\n" * 5))
    assert mail.bounce is not None
    assert mail.bounce.action == ""
