"""Bytes to a Mail: structure, text, files, who and when."""

import base64
import hashlib

import pytest

from broker_bridge.channels.email.mail import Address, Mail, Unreadable
from broker_bridge.channels.email.mime import parse

HEAD = b"From: Ann <ann@example.com>\r\nTo: help@shop.example\r\nSubject: Order\r\nDate: Wed, 28 May 2014 08:18:19 +0000\r\n"


def read(raw: bytes) -> Mail:
    mail = parse(raw)
    assert isinstance(mail, Mail)
    return mail


def multipart(kind: str, *parts: bytes) -> bytes:
    boundary = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    mark = f"--{boundary}".encode()
    return head + b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def part(kind: str, content: bytes, more: str = "") -> bytes:
    return f"Content-Type: {kind}\r\n{more}\r\n".encode() + content


def test_simple_mail_is_read() -> None:
    raw = (
        HEAD
        + b"Message-ID: <1@example.com>\r\nIn-Reply-To: <0@shop.example>\r\nReferences: <a@x> <0@shop.example>\r\n\r\nHi"
    )
    mail = read(raw)
    assert mail.from_ == Address(name="Ann", addr="ann@example.com")
    assert [one.addr for one in mail.to] == ["help@shop.example"]
    assert (mail.subject, mail.text, mail.quote) == ("Order", "Hi", "")
    assert mail.date_ms == 1_401_265_099_000
    assert (mail.message_id, mail.in_reply_to) == ("1@example.com", "0@shop.example")
    assert mail.references == ("a@x", "0@shop.example")
    assert mail.digest == hashlib.sha256(raw).hexdigest()
    assert mail.warnings == ()


def test_plain_alternative_is_taken() -> None:
    mail = read(HEAD + multipart("alternative", part("text/plain", b"plain"), part("text/html", b"<p>rich</p>")))
    assert mail.text == "plain"


@pytest.mark.parametrize(
    "stub",
    [
        b"",
        b"   \r\n",
        b"Your e-mail client does not support HTML.",
        b"This message is in HTML, which your mail reader cannot display HTML mail.",
        b"To view this message in your browser: http://x.test",
    ],
)
def test_html_is_taken_when_the_plain_alternative_says_nothing(stub: bytes) -> None:
    rich = b"<p>Dear Ann, your order has been sent today and will come tomorrow.</p>"
    mail = read(HEAD + multipart("alternative", part("text/plain", stub), part("text/html", rich)))
    assert mail.text.startswith("Dear Ann")


def test_html_is_taken_when_the_plain_alternative_is_far_shorter() -> None:
    rich = b"<p>" + b"many words of the real letter " * 20 + b"</p>"
    mail = read(HEAD + multipart("alternative", part("text/plain", b"Newsletter May"), part("text/html", rich)))
    assert "real letter" in mail.text


def test_calendar_among_the_alternatives_is_a_file() -> None:
    raw = HEAD + multipart("alternative", part("text/plain", b"Come"), part("text/calendar", b"BEGIN:VCALENDAR"))
    mail = read(raw)
    assert mail.text == "Come"
    assert [(one.name, one.media_type) for one in mail.attachments] == [("invitation.ics", "text/calendar")]


def test_files_carry_clean_names_digests_and_bytes() -> None:
    data = b"%PDF-1.4\x00\xff"
    body = base64.encodebytes(data)
    more = 'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="../../etc/pass\u202ewd\t.pdf"\r\n'
    mail = read(HEAD + multipart("mixed", part("text/plain", b"See file"), part("application/pdf", body, more)))
    [file] = mail.attachments
    assert file.name == "passwd .pdf"
    assert (file.data, file.size_bytes, file.digest) == (data, len(data), hashlib.sha256(data).hexdigest())
    assert not file.inline


def test_picture_of_an_html_mail_is_inline() -> None:
    picture = part("image/png", b"iVBORw0=", "Content-Transfer-Encoding: base64\r\nContent-ID: <logo@x>\r\n")
    mail = read(HEAD + multipart("related", part("text/html", b"<p>Hi</p><img src=cid:logo@x>"), picture))
    assert mail.text == "Hi"
    assert [(one.inline, one.content_id, one.name) for one in mail.attachments] == [
        (True, "logo@x", "attachment-1.png")
    ]


def test_winmail_dat_stays_a_file() -> None:
    mail = read(HEAD + multipart("mixed", part("text/plain", b"Hi"), part("application/ms-tnef", b"x\x9f>")))
    assert [one.name for one in mail.attachments] == ["winmail.dat"]


def test_attached_mail_is_a_file_and_its_words_and_files_are_shown() -> None:
    inner = b"From: Bob <bob@example.com>\r\nSubject: Broken/lamp\r\n" + multipart(
        "mixed",
        part("text/plain", b"It does not light."),
        part("image/jpeg", b"jpeg", 'Content-Disposition: attachment; filename="lamp.jpg"\r\n'),
    )
    mail = read(HEAD + multipart("mixed", part("text/plain", b"See below."), part("message/rfc822", inner)))
    assert [one.name for one in mail.attachments] == ["Broken-lamp.eml", "lamp.jpg"]
    assert mail.attachments[0].data == inner
    assert mail.text.startswith("See below.")
    assert "From: Bob <bob@example.com>" in mail.text and "It does not light." in mail.text


def test_mail_that_is_only_an_attached_mail_shows_it() -> None:
    inner = b"From: Bob <bob@example.com>\r\nSubject: Lamp\r\n\r\nOn 1 May 2024 at 10:00, Ann <a@example.com> wrote:\r\n> old"
    mail = read(HEAD + part("message/rfc822", inner))
    assert "> old" in mail.text
    assert mail.quote == ""


def test_file_written_into_the_text_becomes_an_attachment() -> None:
    raw = HEAD + b"\r\nSee this\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nBye"
    mail = read(raw)
    assert mail.text == "See this\nBye"
    assert [(one.name, one.data) for one in mail.attachments] == [("cat.txt", b"Cat")]


def test_text_that_only_looks_uuencoded_stays() -> None:
    mail = read(HEAD + b"\r\nbegin 644 the work\r\nand never stop\r\n")
    assert mail.text == "begin 644 the work\nand never stop"


def test_flowed_text_is_joined() -> None:
    body = b"One long \r\nline.\r\n\r\n> quoted \r\n> line\r\n -- \r\n>> deep\r\n-- \r\nAnn"
    mail = read(HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + body)
    assert mail.text.startswith("One long line.")
    assert mail.text.endswith("-- \nAnn")
    assert mail.quote.startswith("> quoted line")


def test_flowed_text_with_delsp_is_joined_without_the_space() -> None:
    mail = read(HEAD + b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nhttp://x.test/long \r\npath")
    assert mail.text == "http://x.test/longpath"


def test_two_texts_of_a_mixed_mail_are_both_shown_and_folded_apart() -> None:
    first = b"Yes.\r\n\r\n-----Original Message-----\r\nFrom: b@example.com\r\n\r\nSend it?"
    mail = read(HEAD + multipart("mixed", part("text/plain", first), part("text/plain", b"List footer")))
    assert mail.text == "Yes.\n\nList footer"
    assert "Send it?" in mail.quote


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("quoted-printable", b"caf=C3=A9 =\r\nau lait =ZZ"),
        ("quoted printable", b"caf=C3=A9 =\r\nau lait =ZZ"),
        ("Quoted-Printable;", b"caf=C3=A9 =\r\nau lait =ZZ"),
        ("base64", base64.encodebytes("café au lait =ZZ".encode()).replace(b"=", b"")),
        ("8-bit", "café au lait =ZZ".encode()),
        ("plain", "café au lait =ZZ".encode()),
        ("", "café au lait =ZZ".encode()),
    ],
)
def test_transfer_encoding_is_undone_even_when_misspelled(encoding: str, content: bytes) -> None:
    head = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    assert read(HEAD + head + content).text == "café au lait =ZZ"


def test_footer_below_base64_is_kept() -> None:
    content = base64.encodebytes(b"Hello") + b"_____________\r\nOur list, http://list.test\r\n"
    mail = read(HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + content)
    assert mail.text.startswith("Hello")
    assert "http://list.test" in mail.text


def test_broken_multipart_is_read_as_text_with_a_warning() -> None:
    mail = read(HEAD + b"Content-Type: multipart/mixed; boundary=zzz\r\n\r\nI need help\r\n")
    assert mail.text == "I need help"
    assert mail.warnings


def test_cut_off_multipart_keeps_what_came() -> None:
    raw = HEAD + multipart("mixed", part("text/plain", b"I need help"), part("application/pdf", b"x" * 100))
    mail = read(raw[:-60])
    assert mail.text == "I need help"
    assert len(mail.attachments) == 1
    assert any("cut off" in warning for warning in mail.warnings)


def test_mail_without_header_is_text() -> None:
    mail = read(b"One: here is what I have.\n\nTwo")
    assert mail.text == "One: here is what I have.\n\nTwo"
    assert mail.from_ == Address()
    assert len(mail.warnings) == 2


@pytest.mark.parametrize(
    "head",
    [
        b"From : Ann <ann@example.com>\r\nTo   : x@example.com\r\nSubject : Order\r\n",
        b"half a line\r\nFrom: Ann <ann@example.com>\r\nTo: x@example.com\r\nSubject: Order\r\n",
        b"\r\n\r\nFrom: Ann <ann@example.com>\r\nSubject: Order\r\n",
        b"\xef\xbb\xbfFrom: Ann <ann@example.com>\r\nSubject: Order\r\n",
        b">From ann Mon May  1 2024\r\nFrom: Ann <ann@example.com>\r\nSubject: Order\r\n",
        b"From ann Mon May  1 2024\nFrom: Ann <ann@example.com>\nSubject: Order\n",
    ],
    ids=["space before colon", "broken line", "empty lines", "byte order mark", "escaped mailbox", "mailbox"],
)
def test_sender_is_found_in_a_broken_header(head: bytes) -> None:
    mail = read(head + b"\r\nHi")
    assert (mail.from_.addr, mail.subject, mail.text) == ("ann@example.com", "Order", "Hi")


def test_sender_name_that_shows_another_address_is_pointed_out() -> None:
    mail = read(b'From: "ceo@bank.example" <e@evil.test>\r\n\r\nPay')
    assert mail.from_.addr == "e@evil.test"
    assert any("not the sender's" in warning for warning in mail.warnings)


def test_sender_in_an_encoded_word_is_a_name_only() -> None:
    mail = read(b"From: =?utf-8?q?ceo=40bank.example?=\r\n\r\nPay")
    assert mail.from_ == Address(name="ceo@bank.example")
    assert mail.warnings


def test_delivery_addresses_and_return_path_are_read() -> None:
    raw = b"Return-Path: <>\r\nDelivered-To: a@shop.example\r\nX-Original-To: b@shop.example\r\n" + HEAD + b"\r\nHi"
    mail = read(raw)
    assert mail.delivered_to == ("a@shop.example", "b@shop.example")
    assert mail.return_path == ""
    assert read(HEAD + b"\r\nHi").return_path is None


def test_one_mail_in_two_mailboxes_has_one_content_digest() -> None:
    one = read(b"Delivered-To: a@shop.example\r\nReceived: by x\r\n" + HEAD + b"Message-ID: <1@x>\r\n\r\nHi\r\n")
    two = read(b"Delivered-To: b@shop.example\r\n" + HEAD + b"Message-ID: <1@x>\r\n\r\nHi")
    other = read(HEAD + b"Message-ID: <1@x>\r\n\r\nPay me")
    assert one.content_digest == two.content_digest
    assert one.digest != two.digest
    assert other.content_digest != one.content_digest


@pytest.mark.parametrize(
    "sealed",
    [
        part("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", b"x"),
        multipart(
            "encrypted", part("application/pgp-encrypted", b"Version: 1"), part("application/octet-stream", b"x")
        ),
    ],
)
def test_encrypted_mail_says_why_it_has_no_text(sealed: bytes) -> None:
    mail = read(HEAD + sealed)
    assert mail.text == ""
    assert mail.attachments
    assert "The mail is encrypted; its text is in the attached file." in mail.warnings


def test_empty_input_is_unreadable() -> None:
    result = parse(b" \r\n")
    assert isinstance(result, Unreadable)
    assert result.reason == "The mail is empty."


LIMITS = {
    "depth": b"".join(f'Content-Type: multipart/mixed; boundary="{n}"\r\n\r\n--{n}\r\n'.encode() for n in range(12)),
    "depth of mails": b"Content-Type: message/rfc822\r\n\r\n" * 12,
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 201,
    "header": b"X-Long: " + b"x" * 65 * 1024 + b"\r\n\r\nx",
    "part header": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-Long: "
    + b"x" * 65 * 1024
    + b"\r\n\r\nx",
    "total": b"\r\n" + b"x" * 26 * 1024 * 1024,
    "lines": b"\r\n" + b"\r\n" * 1_000_001,
}
NAMED = {
    "depth": "10 levels",
    "depth of mails": "10 levels",
    "parts": "200 parts",
    "header": "64 KiB",
    "part header": "64 KiB",
    "total": "25 MiB",
    "lines": "1,000,000 lines",
}


@pytest.mark.parametrize("limit", LIMITS)
def test_mail_over_a_limit_is_unreadable_and_names_it(limit: str) -> None:
    result = parse(HEAD + LIMITS[limit])
    assert isinstance(result, Unreadable)
    assert NAMED[limit] in result.reason
    assert result.from_.addr == "ann@example.com"
    assert result.subject == "Order"


def test_mail_just_within_the_limits_is_read() -> None:
    nested = b"".join(f'Content-Type: multipart/mixed; boundary="{n}"\r\n\r\n--{n}\r\n'.encode() for n in range(9))
    assert read(HEAD + nested + b"\r\ndeep").text == "deep"
    flat = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 199
    assert read(HEAD + flat).text.count("x") == 199


def test_html_over_its_limit_is_cut_and_attached_whole() -> None:
    source = b"<p>" + b"word " * 500_000 + b"</p>"
    mail = read(HEAD + b"Content-Type: text/html\r\n\r\n" + source)
    assert mail.text.startswith("word word")
    assert [one.data for one in mail.attachments] == [source]
