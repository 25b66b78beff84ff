"""What a mail becomes in the bridge: a customer's words, news about a mail of ours, or a row that somebody looks at."""

import msgspec
import pytest

from broker_bridge.channels.email import make, meaning
from broker_bridge.channels.email.settings import Listen, MailSettings
from broker_bridge.contract import codec
from broker_bridge.contract.envelopes import Item, Receipt, Said, Unreadable
from tests.channels.email.site import SiteInMemory

MESSAGE = "01kaaaaaaaaaaaaaaaaaaaaaaa"
OURS = f"{MESSAGE}@example.com"


async def item_of(raw: bytes) -> Item:
    """What reaches intake, through the codec that intake uses."""
    site = SiteInMemory()
    settings = MailSettings(address="support@example.com", aliases=("help@example.com",), listen=Listen(port=0))
    await make("mail", settings, site).arrivals.take(raw, "native")
    (item,) = site.items
    assert codec.item(codec.encode(item)) == item
    assert site.objects[item.raw] == raw
    return item


def plain(text: str = "Hello", **headers: str) -> bytes:
    fields = {
        "From": "Anna <anna@customers.example>",
        "To": "support@example.com",
        "Subject": "Card",
        "Message-ID": "<q1@customers.example>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return ("".join(f"{name}: {value}\r\n" for name, value in fields.items() if value) + f"\r\n{text}\r\n").encode()


def report(
    action: str = "failed", status: str = "5.1.1", original: str = OURS, recipient: str = "anna@customers.example"
) -> bytes:
    return (
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: support@example.com\r\nSubject: Undelivered Mail\r\n"
        "Message-ID: <b1@mx.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 <anna@customers.example> Anna Ferris left us\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: support@example.com\r\nMessage-ID: <{original}>\r\n\r\n--b--\r\n"
    ).encode()


def seen_report(disposition: str, original: str = OURS) -> bytes:
    return (
        "From: Anna <anna@customers.example>\r\nTo: support@example.com\r\nSubject: Read: Card\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nRead.\r\n"
        "--b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; anna@customers.example\r\n"
        f"Original-Message-ID: <{original}>\r\nDisposition: manual-action/MDN-sent-manually; {disposition}\r\n\r\n--b--\r\n"
    ).encode()


async def test_a_bounce_of_our_mail_is_news_about_it_without_anybodys_name() -> None:
    item = await item_of(report())
    assert isinstance(item, Receipt)
    assert (item.message, item.state) == (MESSAGE, "failed")
    assert item.reason == "There is no such mailbox. (5.1.1)"
    assert item.sender.address == "anna@customers.example"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("5.2.2", "The mailbox is full. (5.2.2)"),
        ("5.7.26", "The recipient's server refuses the mail for its rules. (5.7.26)"),
        ("5.9.9", "The mail was not delivered. (5.9.9)"),
    ],
)
async def test_the_reason_of_a_bounce_is_in_plain_words(status: str, reason: str) -> None:
    item = await item_of(report(status=status))
    assert isinstance(item, Receipt) and item.reason == reason


@pytest.mark.parametrize(
    "original", ["q9@customers.example", "no-id-of-ours@example.com", f"{MESSAGE}@elsewhere.example"]
)
async def test_a_bounce_of_something_else_is_an_automatic_mail(original: str) -> None:
    item = await item_of(report(original=original))
    assert isinstance(item, Said)
    assert item.automatic and item.sender.address == "MAILER-DAEMON@mx.example"
    assert original in item.words.references


async def test_a_delay_is_shown_and_settles_nothing() -> None:
    item = await item_of(report(action="delayed", status="4.4.7"))
    assert isinstance(item, Said) and item.automatic and item.words.references[-1] == OURS


async def test_a_report_of_success_is_delivered() -> None:
    item = await item_of(report(action="delivered", status="2.0.0"))
    assert isinstance(item, Receipt) and (item.state, item.reason) == ("delivered", "")


@pytest.mark.parametrize(("disposition", "state"), [("displayed", "read"), ("deleted", "delivered")])
async def test_a_read_receipt_is_news(disposition: str, state: str) -> None:
    item = await item_of(seen_report(disposition))
    assert isinstance(item, Receipt) and (item.message, item.state) == (MESSAGE, state)


async def test_a_read_receipt_for_another_mail_is_an_automatic_mail() -> None:
    item = await item_of(seen_report("displayed", original="q9@customers.example"))
    assert isinstance(item, Said) and item.automatic


async def test_our_own_mail_that_comes_back_is_a_row_apart_from_the_customers_case() -> None:
    item = await item_of(
        plain(From="Support <help@example.com>", Message_ID=f"<{OURS}>", References="<q1@customers.example>")
    )
    assert isinstance(item, Said)
    assert item.automatic and item.scope == "own" and item.words.references == ()
    assert item.words.warnings == (meaning.OWN_AGAIN,)


async def test_a_colleague_who_writes_from_our_address_is_no_loop() -> None:
    item = await item_of(plain(From="help@example.com"))
    assert isinstance(item, Said) and item.scope == "" and item.automatic == ""


async def test_people_are_who_from_says_and_answers_to_elsewhere_are_offered() -> None:
    item = await item_of(
        plain(Reply_To="Anna at work <anna@work.example>, support@example.com", Cc="ben@customers.example")
    )
    assert isinstance(item, Said)
    assert item.sender.address == "anna@customers.example"
    assert [one.address for one in item.words.cc] == ["ben@customers.example", "anna@work.example"]
    assert meaning.ANSWERS_ELSEWHERE in item.words.warnings


@pytest.mark.parametrize(
    "sender", ["noreply@shop.example", "Contact form <support@example.com>", "wordpress@shop.example"]
)
async def test_a_contact_form_speaks_for_the_person_who_filled_it_in(sender: str) -> None:
    item = await item_of(plain(From=sender, Reply_To="Anna <anna@customers.example>"))
    assert isinstance(item, Said)
    assert (item.sender.address, item.words.address) == ("anna@customers.example", "anna@customers.example")
    assert meaning.BY_FORM in item.words.warnings


async def test_a_reply_to_on_a_mailing_list_changes_nobody() -> None:
    item = await item_of(plain(List_Id="<talk.list.example>", Reply_To="talk@list.example"))
    assert isinstance(item, Said) and item.automatic == "list"
    assert item.sender.address == "anna@customers.example" and item.words.cc == ()


async def test_strangers_without_an_address_are_not_one_person() -> None:
    first = await item_of(plain("one", From="nobody in particular"))
    second = await item_of(plain("two", From="nobody in particular"))
    assert first.sender.address == second.sender.address == meaning.UNKNOWN
    assert isinstance(first, Said) and first.scope and first.scope != second.scope


async def test_references_run_from_the_oldest_to_the_one_answered() -> None:
    item = await item_of(plain(References="<a@x.example> <b@x.example>", In_Reply_To="<c@x.example>"))
    assert item.words.references == ("a@x.example", "b@x.example", "c@x.example")


async def test_a_very_long_mail_is_cut_between_letters_and_says_so() -> None:
    item = await item_of(plain("я" * 100_000, Content_Type="text/plain; charset=utf-8"))
    assert len(item.words.text.encode()) <= meaning.MAX_TEXT_BYTES and set(item.words.text) == {"я"}
    assert meaning.CUT in item.words.warnings


async def test_a_crowd_of_recipients_still_fits_into_one_item() -> None:
    crowd = ", ".join(f"someone-with-a-long-name-{number}@a-long-domain-name.example" for number in range(450))
    item = await item_of(plain("x" * 70_000, To=crowd, References=" ".join(f"<{'r' * 800}{n}@x>" for n in range(20))))
    assert len(msgspec.json.encode(item)) < 200_000
    assert meaning.MORE_PEOPLE in item.words.warnings


async def test_raw_bytes_in_headers_still_make_an_item_that_can_be_written() -> None:
    raw = plain().replace(b"Subject: Card", b"Subject: Card \xff\xfe \xed\xa0\x80").replace(b"<q1@", b"<q1\xff@")
    item = await item_of(raw)
    assert isinstance(item, Said) and item.words.subject.startswith("Card")


async def test_files_are_kept_by_digest_with_their_cleaned_names() -> None:
    raw = (
        b"From: anna@customers.example\r\nSubject: File\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nSee file\r\n--b\r\nContent-Type: application/pdf\r\n'
        b'Content-Disposition: attachment; filename="../../etc/a.pdf"\r\n\r\n%PDF\r\n--b--\r\n'
    )
    item = await item_of(raw)
    (kept,) = item.words.files
    assert (kept.name, kept.media_type, kept.size_bytes) == ("a.pdf", "application/pdf", 4)


async def test_our_tagged_addresses_and_tokens_never_stand_among_the_people_of_an_answer() -> None:
    item = await item_of(
        plain(
            To="reply+01kbbbbbbbbbbbbbbbbbbbbbbbabcdefghij@example.com, Support+vip@example.com",
            Cc="ben+x@customers.example",
        )
    )
    assert [one.address for one in item.words.to] == ["support@example.com", "support@example.com"]
    assert [one.address for one in item.words.cc] == ["ben+x@customers.example"]


async def test_an_empty_mail_is_a_row() -> None:
    item = await item_of(b"\r\n\r\n")
    assert isinstance(item, Unreadable) and item.reason == "The mail is empty."


async def test_a_bug_in_the_meaning_makes_a_row_and_not_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Item:
        raise LookupError("bug")

    monkeypatch.setattr(meaning, "item", broken)
    item = await item_of(plain())
    assert isinstance(item, Unreadable) and item.sender.address == "anna@customers.example"


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "support@example.com"},
        {"address": "not an address", "listen": {}},
        {"address": "support@example.com", "listen": {}, "sent_folder": "Sent"},
        {"address": "support@example.com", "listen": {"port": 70_000}},
        {"address": "support@example.com", "listen": {"spool": "x"}},
        {"address": "support@example.com", "listen": {}, "smtp": {"host": "mx", "user": "x"}},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, MailSettings)


@pytest.mark.parametrize(
    ("headers", "wants_silence"),
    [
        ({}, False),
        ({"From": "noreply@shop.example"}, True),
        ({"X_Auto_Response_Suppress": "All"}, True),
        ({"X_Loop": "somebody"}, True),
        ({"Reply_To": "help@example.com"}, True),
    ],
)
async def test_a_mail_that_no_machine_may_answer_says_so(headers: dict[str, str], wants_silence: bool) -> None:
    item = await item_of(plain(**headers))
    assert isinstance(item, Said)
    assert (item.wants_silence, item.automatic) == (wants_silence, "")
