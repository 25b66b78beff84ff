"""Wrong, unknown and missing charset labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.channels.email.charsets import decode

RUSSIAN = "Здравствуйте, я не получил свой заказ. Когда его доставят?"
GERMAN = "Größere Füße passen für Jürgen nicht, schöne Grüße"

READ = {
    "right label koi8-r": (RUSSIAN.encode("koi8-r"), "koi8-r", RUSSIAN),
    "right label windows-1251": (RUSSIAN.encode("cp1251"), "windows-1251", RUSSIAN),
    "russian without label": (RUSSIAN.encode("cp1251"), "", RUSSIAN),
    "koi8-r without label": (RUSSIAN.encode("koi8-r"), "", RUSSIAN),
    "russian labelled latin-1": (RUSSIAN.encode("cp1251"), "iso-8859-1", RUSSIAN),
    "russian labelled us-ascii": (RUSSIAN.encode("cp1251"), "us-ascii", RUSSIAN),
    "utf-8 labelled latin-1": (RUSSIAN.encode(), "iso-8859-1", RUSSIAN),
    "latin-1 labelled us-ascii": (GERMAN.encode("latin-1"), "us-ascii", GERMAN),
    "latin-1 labelled utf-8": (GERMAN.encode("latin-1"), "utf-8", GERMAN),
    "latin-1 without label": (GERMAN.encode("latin-1"), "", GERMAN),
    "windows quotes labelled latin-1": (b"\x93quoted\x94 \x80", "iso-8859-1", "“quoted” €"),
    "gb2312 with gbk letters": ("朱镕基先生您好".encode("gbk"), "gb2312", "朱镕基先生您好"),
    "short gb2312 that is also utf-8": ("模".encode("gb2312"), "gb2312", "模"),
    "shift_jis": ("こんにちは".encode("cp932"), "Shift_JIS", "こんにちは"),
    "iso-2022-jp": ("すみません".encode("iso2022_jp"), "iso-2022-jp", "すみません"),
    "iso-2022-jp without label": ("すみません".encode("iso2022_jp"), "", "すみません"),
    "korean by its old name": ("안녕하세요".encode("cp949"), "ks_c_5601-1987", "안녕하세요"),
    "big5": ("您好，訂單".encode("big5"), "big5", "您好，訂單"),
    "a label that does not exist": (RUSSIAN.encode(), "x-nonsense", RUSSIAN),
    "a label with a NUL": (b"plain", "utf\x00-8", "plain"),
    "byte order mark": (b"\xef\xbb\xbfhello", "", "hello"),
    "utf-16": ("hello".encode("utf-16"), "utf-16", "hello"),
    "quoted label": (RUSSIAN.encode("koi8-r"), ' "KOI8-R" ', RUSSIAN),
}


@pytest.mark.parametrize(("data", "label", "text"), READ.values(), ids=READ)
def test_text_is_read_in_spite_of_its_label(data: bytes, label: str, text: str) -> None:
    assert decode(data, label)[0] == text


def test_utf7_is_not_decoded_and_says_so() -> None:
    text, warning = decode(b"+ADw-script+AD4-", "utf-7")
    assert text == "+ADw-script+AD4-"
    assert "UTF-7" in warning


@pytest.mark.parametrize("label", ["unicode_escape", "punycode", "idna", "rot13", "hex", "undefined"])
def test_codecs_that_are_no_charset_are_ignored(label: str) -> None:
    assert decode(b"\\x41-abc", label)[0] == "\\x41-abc"


def test_a_few_damaged_letters_do_not_spoil_the_rest() -> None:
    text, warning = decode(RUSSIAN.encode()[:-1] + b"\xd0", "utf-8")
    assert text.startswith("Здравствуйте")
    assert text.endswith("\ufffd")
    assert warning


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_bytes_and_no_label_raise(data: bytes, label: str) -> None:
    decode(data, label)[0].encode("utf-8")


@given(st.text(alphabet="абвгдежзийклмнопрстуфхцчшщыьэюя ", min_size=25, max_size=200))
def test_right_label_wins_over_any_guess(text: str) -> None:
    assert decode(text.encode("koi8-r"), "koi8-r")[0] == text
