"""Outgoing mail: what we write, our parser and the standard library's read the same."""

import email
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.channels.email.compose import Enclosure, NotSendable, Out, compose, recipients, threaded
from broker_bridge.channels.email.mail import Address, Mail
from broker_bridge.channels.email.mime import parse

ANN = Address(name="Ann", addr="ann@example.com")
SHOP = Address(name="Shop", addr="help@shop.example")


def out(**fields: object) -> Out:
    whole: dict[str, object] = {
        "message": "01hzy3v9k2abcdefghjkmnpqrs",
        "domain": "shop.example",
        "from_": SHOP,
        "to": (ANN,),
        "subject": "Order",
        "text": "Hello",
        "date_ms": 1_401_265_099_000,
    }
    return Out(**(whole | fields))  # type: ignore[arg-type]  # each test names the fields it is about


def read(raw: bytes) -> Mail:
    mail = parse(raw)
    assert isinstance(mail, Mail)
    assert mail.warnings == ()
    return mail


def test_simple_mail_is_written_by_the_book() -> None:
    assert compose(out(in_reply_to="c@x.test", references=("a@x.test", "c@x.test"))) == (
        b"Date: Wed, 28 May 2014 08:18:19 -0000\r\n"
        b"From: Shop <help@shop.example>\r\n"
        b"To: Ann <ann@example.com>\r\n"
        b"Message-ID: <01hzy3v9k2abcdefghjkmnpqrs@shop.example>\r\n"
        b"In-Reply-To: <c@x.test>\r\n"
        b"References: <a@x.test>\r\n <c@x.test>\r\n"
        b"Subject: Order\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello\r\n"
    )


def test_same_out_gives_the_same_bytes() -> None:
    whole = out(text="Привет", attachments=(Enclosure(name="a.txt", media_type="text/plain", data=b"x"),))
    assert compose(whole) == compose(whole)


def test_automatic_answer_is_marked_and_others_are_not() -> None:
    assert b"Auto-Submitted" not in compose(out())
    mail = read(compose(out(is_auto=True)))
    assert mail.auto == "auto-replied"
    assert mail.suppress


def test_reply_address_and_copies_go_into_their_headers() -> None:
    whole = out(cc=(Address(addr="c@example.com"), ANN), reply_to=Address(name="Shop", addr="reply+abc@shop.example"))
    mail = read(compose(whole))
    assert [one.addr for one in mail.cc] == ["c@example.com", "ann@example.com"]
    assert mail.reply_to == (Address(name="Shop", addr="reply+abc@shop.example"),)
    assert recipients(whole) == ("ann@example.com", "c@example.com")


def test_domain_with_other_letters_goes_out_as_idna() -> None:
    assert recipients(out(to=(Address(addr="ann@bücher.example"),))) == ("ann@xn--bcher-kva.example",)


BAD = {
    "line break in an address": {"to": (Address(addr="a@example.com\r\nBcc: b@example.com"),)},
    "space in an address": {"to": (Address(addr="a b@example.com"),)},
    "two addresses in one": {"to": (Address(addr="a@example.com,b@example.com"),)},
    "brackets in an address": {"from_": Address(addr="<a@example.com>")},
    "no address": {"to": (Address(name="Ann"),)},
    "no domain": {"cc": (Address(addr="ann"),)},
    "letters that mail cannot carry": {"to": (Address(addr="jöhn@example.com"),)},
    "no recipient": {"to": ()},
    "line break in the id": {"message": "a\r\nX: y"},
    "line break in the domain": {"domain": "x.test>\r\nX: y"},
    "reply address": {"reply_to": Address(addr="a@b\n")},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_field_that_would_break_the_header_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(NotSendable) as refusal:
        compose(out(**fields))
    assert "example.com" not in str(refusal.value)


@pytest.mark.parametrize("foreign", ["a\r\nBcc: b@example.com", "a b", "<a>", "ä@x", ""])
def test_foreign_id_that_no_header_can_carry_is_left_out(foreign: str) -> None:
    raw = compose(out(in_reply_to=foreign or None, references=(foreign, "ok@x.test")))
    assert b"Bcc" not in raw
    assert read(raw).references == ("ok@x.test",)


def test_long_threads_keep_their_root_and_their_last_twenty() -> None:
    ids = tuple(f"{n}@x.test" for n in range(100))
    kept = threaded("99@x.test", ids)
    assert kept[0] == "0@x.test"
    assert kept[1:] == ids[-20:]
    assert read(compose(out(in_reply_to="99@x.test", references=ids))).references == kept


def test_very_long_message_ids_survive() -> None:
    long_id = "x" * 300 + "@example.com"
    assert read(compose(out(in_reply_to=long_id))).in_reply_to == long_id


def test_attachments_arrive_as_they_were() -> None:
    long_name = "Rechnung März 2024 – endgültige Fassung für Frau Müller-Lüdenscheidt.pdf"
    files = (
        Enclosure(name=long_name, media_type="application/pdf", data=bytes(range(256)) * 9),
        Enclosure(name='a"b\r\nX: y/../c.txt', media_type="text/plain; x\r\ny", data=b""),
        Enclosure(name="mail.eml", media_type="message/rfc822", data=b"Subject: x\n\ny"),
    )
    raw = compose(out(text="See files", attachments=files))
    mail = read(raw)
    assert mail.text == "See files"
    assert [one.data for one in mail.attachments] == [one.data for one in files]
    assert [one.name for one in mail.attachments] == [files[0].name, "c.txt", "mail.eml"]
    assert mail.attachments[1].media_type == "application/octet-stream"
    theirs = email.message_from_bytes(raw, policy=email.policy.default)
    assert [one.get_filename() for one in theirs.iter_attachments()] == [one.name for one in mail.attachments]


@pytest.mark.parametrize(
    "text",
    [
        "From here on\n.\n..dots\n",
        "trailing space \nnext",
        "x" * 5000,
        "Привет, Анна!\n\n  indented\n\ttab\nend",
        "mostly ascii with one ü and = signs =3D",
        "a\rb\r\nc",
        "",
        "emoji 👩‍👩‍👧 and \u202e direction",
    ],
)
def test_text_arrives_as_it_was_written(text: str) -> None:
    raw = compose(out(text=text))
    expected = re.sub(r"\r\n?", "\n", text).rstrip("\n")
    assert read(raw).text == expected
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Zs"]), max_size=60)
TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r>"), max_size=400)


@given(NAMES, NAMES, TEXTS, st.binary(max_size=300))
def test_whatever_is_written_is_read_back(name: str, subject: str, text: str, data: bytes) -> None:
    raw = compose(
        out(
            to=(Address(name=name, addr="ann@example.com"),),
            subject=subject,
            text=text,
            attachments=(Enclosure(name="f.bin", media_type="application/x-any", data=data),),
        )
    )
    mail = parse(raw)
    assert isinstance(mail, Mail)
    assert mail.to == (Address(name=name, addr="ann@example.com"),)
    assert mail.subject == subject
    assert mail.attachments[0].data == data
    halves = [line for half in (mail.text, mail.quote) for line in half.split("\n")]
    assert sorted(filter(str.strip, halves)) == sorted(filter(str.strip, text.split("\n")))
    assert raw.isascii()


@given(st.text(max_size=100), st.text(max_size=100), st.text(max_size=40))
def test_no_text_adds_a_header(name: str, subject: str, file: str) -> None:
    raw = compose(
        out(
            from_=Address(name=name, addr="help@shop.example"),
            subject=subject,
            attachments=(Enclosure(name=file, media_type=file, data=b"x"),),
        )
    )
    names = [line.partition(b":")[0] for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] != b" "]
    assert names == [b"Date", b"From", b"To", b"Message-ID", b"Subject", b"MIME-Version", b"Content-Type"]
