"""Every real mail of the corpus, and thousands of broken copies of them."""

import contextlib
import email
import random
import re
from email.message import Message
from pathlib import Path

import lxml.html
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_bridge.channels.email.describe import describe
from broker_bridge.channels.email.mail import Mail, Unreadable
from broker_bridge.channels.email.mime import BROKEN_REASON, parse
from tests.conftest import CORPUS

MAILS = sorted([*(CORPUS / "email").rglob("*.eml"), *(CORPUS / "reply").rglob("*.eml")])
MUTANTS = 1500

# Its tags stand inside a word (PRO<b>VANTAGE</b>), which the oracle takes for two.
ORACLE_IS_WRONG = {"content_transfer_encoding_with_8bits.eml"}
# Our parser mends these headers; the standard library takes them for text.
MENDED = {"raw_email_incorrect_header.eml", "example13.eml"}

SPLINTERS = [
    *(
        b"=?utf-8?q?",
        b"?=",
        b"=?iso-2022-jp?b?GyRC?=",
        b"\x00",
        b"\xff\xfe",
        b"\r\n\r\n",
        b"\n--",
        b"<" * 50,
        b'"',
        b"(",
    ),
    b'Content-Type: multipart/alternative; boundary=""\n',
    b"Content-Type: message/rfc822\n\n",
    *(b"name*0*=utf-8''%ff%", b'charset="utf\x00-8"', b"charset=idna", b"charset=rot13", b"charset=utf-7"),
    *(b"begin 644 x\n", b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: x-uuencode\n"),
    *(b"From: ", b"\x1b$B", b"\xf0\x9f\x98", b"<blockquote>", b"<table><tr><td>", b"format=flowed; delsp=yes", b"> "),
    b"Date: Mon, 99 Foo 99999999999999 99:99:99 +9999999\n",
]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w{2,}", text))


def shown(part: Message) -> set[str]:
    """The words that a reader of this part sees, found without our code."""
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    declared = part.get_content_charset() or "latin-1"
    text = ""
    for charset in (declared,) if declared.startswith("iso-2022") else ("utf-8", declared, "latin-1"):
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            text = text or data.decode(charset)
    if part.get_content_type() != "text/html" or not text.strip():
        return words(text)
    bare = re.sub(r"(?s)<(style|script|title)\b.*?</\1>|<!--.*?-->", " ", text)
    parser = lxml.html.HTMLParser(encoding="utf-8")
    return words(" ".join(lxml.html.document_fromstring(bare.encode(), parser=parser).itertext()))


def missing(part: Message, have: set[str]) -> set[str]:
    """The words of a tree that are nowhere; of alternatives it is enough that one is whole."""
    payload = part.get_payload()
    if isinstance(payload, list):
        lost = [missing(child, have) for child in payload if isinstance(child, Message)]
        if part.get_content_type() == "multipart/alternative":
            return min(lost, key=len, default=set())
        return set().union(*lost)
    return shown(part) - have if part.get_content_maintype() == "text" else set()


@pytest.mark.parametrize("path", MAILS, ids=[path.name for path in MAILS])
def test_every_word_of_a_real_mail_is_kept(path: Path) -> None:
    raw = path.read_bytes()
    mail = parse(raw)
    assert isinstance(mail, Mail)
    have = words(f"{mail.text}\n{mail.quote}")
    for file in mail.attachments:
        have |= words(file.data.decode("utf-8", "replace")) | words(file.data.decode("latin-1"))
        inner = parse(file.data) if file.media_type == "message/rfc822" else None
        have |= words(inner.text) if isinstance(inner, Mail) else set()
    if path.name not in ORACLE_IS_WRONG | MENDED:
        assert missing(email.message_from_bytes(raw), have) == set()


@pytest.mark.parametrize("path", MAILS, ids=[path.name for path in MAILS])
def test_description_of_a_real_mail_can_be_written_out(path: Path) -> None:
    description = describe(path.read_bytes())
    assert description.quarantined == ""
    assert msgspec.json.decode(msgspec.json.encode(description))["digest"] == description.digest


@pytest.mark.parametrize(
    "name",
    [
        *("gmail", "hotmail", "mail_ru", "ms_outlook_2003", "ms_outlook_2007", "ms_outlook_2010"),
        *("thunderbird", "windows_mail", "yandex_ru"),
    ],
)
def test_real_html_reply_shows_the_new_words_only(corpus: Path, name: str) -> None:
    source = (corpus / "reply" / "talon" / "html_replies" / f"{name}.html").read_bytes()
    mail = parse(b"From: a@example.com\nContent-Type: text/html; charset=utf-8\n\n" + source)
    assert isinstance(mail, Mail)
    assert mail.text.split() == ["Hi.", "I", "am", "fine.", "Thanks,", "Alex"]
    assert "Hello! How are you?" in mail.quote


@pytest.mark.parametrize(
    "name",
    ["android", "aol", "apple_mail", "apple_mail_2", "comcast", "gmail", "hotmail", "outlook", "thunderbird", "yahoo"],
)
def test_real_reply_of_a_mail_program_shows_the_new_words_only(corpus: Path, name: str) -> None:
    mail = parse((corpus / "reply" / "talon" / "standard_replies" / f"{name}.eml").read_bytes())
    assert isinstance(mail, Mail)
    assert mail.text.strip() == "Hello"
    assert mail.quote


@pytest.mark.parametrize("name", ["iphone", "sparrow"])
def test_real_reply_with_a_signature_keeps_it(corpus: Path, name: str) -> None:
    folder = corpus / "reply" / "talon" / "standard_replies"
    mail = parse((folder / f"{name}.eml").read_bytes())
    assert isinstance(mail, Mail)
    assert mail.text.split() == (folder / f"{name}_reply_text").read_text().split()


def broken(raw: bytes, chance: random.Random) -> bytes:
    """A copy with up to eight wounds, most of them near the header."""
    copy = bytearray(raw[:20_000])
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(min(len(copy), 1500) if chance.random() < 0.6 and copy else len(copy) + 1)
        wound = chance.randrange(5)
        if wound == 0:
            copy[at:at] = chance.choice(SPLINTERS)
        elif wound == 1:
            copy[at : at + 1] = bytes([chance.randrange(256)])
        elif wound == 2:
            del copy[at : at + chance.randint(1, 60)]
        elif wound == 3:
            copy[at:at] = copy[max(0, at - 200) : at] * chance.randint(1, 4)
        else:
            del copy[max(at, 200) :]
    return bytes(copy)


def test_broken_copies_of_real_mails_are_read_or_named_unreadable(corpus: Path) -> None:
    chance = random.Random(20_240_501)
    raws = [path.read_bytes() for path in MAILS]
    for number in range(MUTANTS):
        result = parse(broken(chance.choice(raws), chance))
        assert msgspec.json.encode(result)
        assert not (isinstance(result, Unreadable) and result.reason == BROKEN_REASON), f"mutant {number}"


@settings(max_examples=300)
@given(
    st.binary(max_size=2000)
    | st.lists(st.sampled_from([*SPLINTERS, b"\n", b"a: b\n", b"text\n"]), max_size=40).map(b"".join)
)
def test_no_bytes_raise(raw: bytes) -> None:
    result = parse(raw)
    assert msgspec.json.encode(result)
    assert not (isinstance(result, Unreadable) and result.reason == BROKEN_REASON)
