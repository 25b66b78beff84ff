"""Which mails a machine must not answer."""

import pytest

from broker_bridge.channels.email.automatic import may_auto_reply
from broker_bridge.channels.email.mail import Mail
from broker_bridge.channels.email.mime import parse

MARKS = {
    "Auto-Submitted: auto-replied": "auto-replied",
    "Auto-Submitted: auto-generated (failure)": "auto-generated",
    "Auto-Submitted: auto-notified; owner-email=x@x.test": "auto-generated",
    "Auto-Submitted: no": "",
    "Precedence: bulk": "bulk",
    "Precedence: junk": "bulk",
    "Precedence: list": "list",
    "Precedence: auto_reply": "auto-replied",
    "Precedence: normal": "",
    "List-Id: Users <users.lists.test>": "list",
    "List-Unsubscribe: <mailto:x@x.test>": "bulk",
    "X-Autoreply: yes": "auto-replied",
    "X-Autorespond:": "",
    "X-POST-MessageClass: 9; Autoresponder": "auto-replied",
    "Return-Path: <>": "auto-generated",
    "Subject: Automatic reply: Order": "auto-replied",
    "Subject: Автоответ: Заказ": "auto-replied",
    "Subject: Autosvar: Order": "auto-replied",
    "Subject: Automaattinen vastaus: Tilaus": "auto-replied",
    "Subject: My automatic door": "",
    "X-Other: x": "",
}


def mail(*header: str, sender: str = "Ann <a@x.test>") -> Mail:
    read = parse("\r\n".join((f"From: {sender}", *header, "", "Hi")).encode())
    assert isinstance(read, Mail)
    return read


@pytest.mark.parametrize("mark", MARKS)
def test_header_marks_say_how_a_mail_was_made(mark: str) -> None:
    read = mail(mark)
    assert read.auto == MARKS[mark]
    assert may_auto_reply(read)[0] is (MARKS[mark] == "")


@pytest.mark.parametrize("mark", ["X-Auto-Response-Suppress: All", "X-Auto-Response-Suppress: DR, OOF", "X-Loop: help"])
def test_request_for_silence_is_kept(mark: str) -> None:
    read = mail(mark)
    assert read.auto == ""
    assert may_auto_reply(read)[0] is False


@pytest.mark.parametrize(
    "sender",
    ["noreply@x.test", "No-Reply@x.test", "do-not-reply@x.test", "postmaster@x.test", "users-request@x.test", "Ann"],
)
def test_addresses_that_take_no_answers_get_none(sender: str) -> None:
    allowed, reason = may_auto_reply(mail(sender=sender))
    assert not allowed
    assert reason.endswith(".")


def test_reply_to_is_what_counts() -> None:
    assert may_auto_reply(mail("Reply-To: noreply@x.test"))[0] is False
    assert may_auto_reply(mail("Reply-To: HELP@shop.example"), frozenset({"help@shop.example"}))[0] is False


def test_mail_from_our_own_address_is_not_answered() -> None:
    assert may_auto_reply(mail(sender="help@shop.example"), frozenset({"help@shop.example"}))[0] is False


def test_person_is_answered() -> None:
    assert may_auto_reply(mail())[0] is True
