"""Header values: words in code, parameters, dates, ids and addresses, all broken in the ways mail is broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.channels.email import headers
from broker_bridge.channels.email.addresses import mailboxes, spec
from broker_bridge.channels.email.mail import Address

WORDS = {
    "plain": ("Hello  there", "Hello there"),
    "q": ("=?iso-8859-1?Q?Gr=FC=DFe_an_alle?=", "Grüße an alle"),
    "b": ("=?UTF-8?B?0JfQsNC60LDQtw==?=", "Заказ"),
    "two words cut inside a letter": ("=?utf-8?b?0JfQsNA=?=\r\n =?utf-8?b?utCw0Lc=?=", "Заказ"),
    "no padding": ("=?utf-8?b?0JfQsNC60LDQtw?=", "Заказ"),
    "spaces inside": ("=?utf-8?Q?Where is it??=", "Where is it?"),
    "glued to text": ("Re:=?utf-8?q?caf=C3=A9?=", "Re:café"),
    "language": ("=?utf-8*en?q?caf=C3=A9?=", "café"),
    "unknown charset": ("=?NONE?B?VEVTVA==?=", "TEST"),
    "cut off at the end": ("=?utf-8?q?caf=C3=A9", "café"),
    "text between": ("=?utf-8?q?a?= and =?utf-8?q?b?=", "a and b"),
    "raw utf-8": ("caf\udcc3\udca9", "café"),
    "raw windows-1251": (b"\xc7\xe0\xea\xe0\xe7".decode("ascii", "surrogateescape"), "Заказ"),
    "line break inside": ("=?utf-8?q?a=0D=0ABcc:_x@example.com?=", "a Bcc: x@example.com"),
    "bell and escape": ("a\x07b=?utf-8?q?=1B[2J?=", "a b [2J"),
    "no code at all": ("what =? is this ?=", "what =? is this ?="),
}


@pytest.mark.parametrize(("raw", "shown"), WORDS.values(), ids=WORDS)
def test_words_in_code_are_shown_as_text(raw: str, shown: str) -> None:
    assert headers.text(raw) == shown


PARAMETERS = {
    "quoted": ('attachment; filename="a b.pdf"', "a b.pdf"),
    "unquoted with spaces": ("attachment; filename=This is a test.txt", "This is a test.txt"),
    "rfc 2231": ("attachment; filename*=iso-8859-1''Eelanal%FC%FCsi.jpg", "Eelanalüüsi.jpg"),
    "rfc 2231 in pieces": ("attachment; filename*0*=utf-8''%D0%97%D0; filename*1*=%B0.pdf", "За.pdf"),
    "pieces out of order": ('attachment; filename*1="b.pdf"; filename*0="a"', "ab.pdf"),
    "both forms": ("attachment; filename=\"x\"; filename*=utf-8''%D0%97.pdf", "З.pdf"),
    "word in code": ('attachment; filename="=?utf-8?b?0Jcu?= pdf"', "З. pdf"),
    "8-bit": ("attachment; filename=ci\udcc3\udcable.txt", "ciële.txt"),
    "semicolon inside quotes": ('attachment; filename="a;b.txt"', "a;b.txt"),
    "escaped quote": (r'attachment; filename="a\"b.txt"', 'a"b.txt'),
    "never closed": ('attachment; filename="a.txt', "a.txt"),
    "bad percent": ("attachment; filename*=utf-8''100%.txt", "100%.txt"),
}


@pytest.mark.parametrize(("raw", "name"), PARAMETERS.values(), ids=PARAMETERS)
def test_file_name_parameter_is_read(raw: str, name: str) -> None:
    kind, found = headers.parameters(raw)
    assert kind == "attachment"
    assert found["filename"] == name


DATES = {
    "Wed, 28 May 2014 17:18:19 +0900 (JST)": 1_401_265_099_000,
    "28 May 2014 08:18:19 GMT": 1_401_265_099_000,
    "Wed, 28 May 14 08:18:19 -0000": 1_401_265_099_000,
    "Wed, 15 Dec 2010    59:10 -0500": None,
    "yesterday": None,
    "": None,
    "Mon, 99 May 2014 99:99:99 +9999": None,
    "Thu, 13 Feb 1069 23:32:54 -0330": None,
    "1 Jan 99999999999999999999 10:00:00 +0000": None,
}


@pytest.mark.parametrize(("raw", "at_ms"), DATES.items())
def test_date_is_a_moment_or_nothing(raw: str, at_ms: int | None) -> None:
    assert headers.date_ms(raw) == at_ms


def test_message_ids_are_taken_from_brackets_and_mended() -> None:
    raw = "Your message <a@example.com>\r\n\t<b@\r\n example.com>, <a@example.com> c"
    assert headers.message_ids(raw) == ("a@example.com", "b@example.com")
    assert headers.message_ids("bare@example.com") == ("bare@example.com",)
    assert headers.message_ids("none at all") == ()


ADDRESSES = {
    "bare": ("a@Example.COM", [("", "a@example.com")]),
    "name": ("Ann <a@example.com>", [("Ann", "a@example.com")]),
    "quoted comma": ('"Last, Ann" <a@example.com>', [("Last, Ann", "a@example.com")]),
    "comment name": ("a@example.com (Ann B)", [("Ann B", "a@example.com")]),
    "list": ("a@example.com, B <b@example.com>", [("", "a@example.com"), ("B", "b@example.com")]),
    "semicolons": ("a@example.com; b@example.com", [("", "a@example.com"), ("", "b@example.com")]),
    "group": ("Team: a@example.com, b@example.com;", [("", "a@example.com"), ("", "b@example.com")]),
    "empty group": ("undisclosed-recipients:;", []),
    "empty items": (", a@example.com, ,", [("", "a@example.com")]),
    "no comma": ("a@example.com b@example.com", [("", "a@example.com"), ("", "b@example.com")]),
    "name without brackets": ("Ann a@example.com", [("Ann", "a@example.com")]),
    "old route": ("<@x.test,@y.test:a@example.com>", [("", "a@example.com")]),
    "quoted local part": ('"a b"@example.com', [("", '"a b"@example.com')]),
    "folded": ("Ann\r\n\t<a@example.com>", [("Ann", "a@example.com")]),
    "encoded name": ("=?utf-8?q?J=C3=B6hn?= <j@example.com>", [("Jöhn", "j@example.com")]),
    "encoded word is no address": ("=?utf-8?q?ceo=40bank.example?=", [("ceo@bank.example", "")]),
    "encoded mailbox is no address": ("=?utf-8?q?Ann_=3Cceo=40bank.example=3E?=", [("Ann <ceo@bank.example>", "")]),
    "encoded word inside the brackets": ("Ann <=?utf-8?q?ceo?=@bank.example>", [("Ann", "")]),
    "display shows another address": ('"ceo@bank.example" <e@evil.test>', [("ceo@bank.example", "e@evil.test")]),
    "two brackets": ("<ceo@bank.example> <e@evil.test>", [("<ceo@bank.example>", "e@evil.test")]),
    "two at signs": ("Ann <a@b@example.com>", [("Ann", "")]),
    "nothing between": ("Ann <>", [("Ann", "")]),
    "utf-8 address": ("<jd\udcc3\udcb6e@m\udcc3\udca4chine.example>", [("", "jdöe@mächine.example")]),
    "latin-1 address": ("Ann <jd\udcf6e@example.com>", [("Ann", "")]),
    "name only": ("Ann", [("Ann", "")]),
    "escape sequence in the name": ("A\x1b[2Jnn <a@example.com>", [("A [2Jnn", "a@example.com")]),
}


@pytest.mark.parametrize(("raw", "expected"), ADDRESSES.values(), ids=ADDRESSES)
def test_address_comes_only_from_where_the_syntax_puts_one(raw: str, expected: list[tuple[str, str]]) -> None:
    assert mailboxes(raw) == tuple(Address(name=name, addr=addr) for name, addr in expected)


@given(st.text(max_size=120))
def test_no_header_value_raises(value: str) -> None:
    headers.text(value).encode("utf-8", "strict")
    headers.parameters(value)
    headers.date_ms(value)
    headers.message_ids(value)
    for one in mailboxes(value):
        assert one.addr == "" or spec(one.addr) == one.addr
